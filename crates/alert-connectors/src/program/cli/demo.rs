//! `demo`: the whole product on one machine, with no setup and no external services.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use alert_connectors::{Builder, DatabaseUrl, FixedQuotas, SystemRandom, Use, own_names};
use alert_connectors_api::{Password, Passwords, new_token, token_hash};
use alert_connectors_delivery::{Rates, Resolve, Trust};
use alert_connectors_inbox::{Authority, Behaviour, Inbox, Message, serve};
use alert_connectors_model::{
    AddressPolicy, Clock, ConnectorId, Email, Json, Random, Role, Secret, Slug, Space, SpaceId,
    SystemClock, UrlRules, User, UserId, parse_new_connector, rfc3339_millis,
};
use alert_connectors_store::{ConnectorCreation, NewToken, NewUser, Roster, Store};
use anyhow::{Context, anyhow};
use async_trait::async_trait;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_util::task::TaskTracker;
use tracing::Level;
use url::Url;

use super::{
    CommandResult, inbox::inbox_router, open, remote::client, samples::samples, say, wait_for,
};
use crate::{
    config::{DatabaseConfig, ServeConfig, Spans},
    service::{Listeners, Service},
    telemetry::{self, LogFormat, Logging},
};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  alert-connectors demo")]
pub(super) struct Options {
    /// Keep the database in this folder
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Where to listen; if the port is in use, the system chooses another one
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The time between two sample alerts, in milliseconds
    #[arg(long, default_value_t = 3_000)]
    every_ms: u64,
}

const EMAIL: &str = "alice@example.com";
const SPACE: &str = "analytics";

/// The demo's channels: name, platform, webhook, filters. The last two are in trouble.
const CHANNELS: [(&str, &str, &str, &str); 5] = [
    (
        "#data-quality-alerts",
        "slack",
        "https://hooks.slack.com/services/T00000DEMO/B00000DEMO/demo0000slack0000hook",
        r#""severity_filter": ["high", "critical"]"#,
    ),
    (
        "Data Platform · On call",
        "teams",
        "https://default0demo.1.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/0call/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=demo-on-call",
        r#""severity_filter": ["critical"]"#,
    ),
    (
        "Data Platform · Everything",
        "teams",
        "https://default0demo.1.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/0all/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=demo-everything",
        r#""severity_filter": [], "alert_type_filter": ["dq_alert", "smart_alert", "product_alert"]"#,
    ),
    (
        "#warehouse-oncall",
        "slack",
        "https://hooks.slack.com/services/T00000DEMO/B00000BUSY/demo0000slack0000busy",
        r#""severity_filter": ["critical"], "alert_type_filter": ["dq_alert"]"#,
    ),
    (
        "#finance-data",
        "slack",
        "https://hooks.slack.com/services/T00000DEMO/B00000GONE/demo0000slack0000gone",
        r#""severity_filter": ["critical"], "alert_type_filter": ["product_alert"]"#,
    ),
];

/// How the channels in trouble answer, by a part of their path: one is down, and one was archived.
const TROUBLE: [(&str, &str); 2] = [
    ("B00000BUSY", "slack:unavailable"),
    ("B00000GONE", "slack:channel_is_archived"),
];

pub(super) fn run(options: Options) -> CommandResult {
    // What is not delivered is listed among the messages.
    let logging = telemetry::start(LogFormat::default_here(), Level::ERROR)?;
    wait_for(async { Ok(demo(options, &logging).await?) })
}

/// The platforms' own host names lead to the inbox, so nothing outside this machine is reached.
struct ToInbox(SocketAddr);

#[async_trait]
impl Resolve for ToInbox {
    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![self.0])
    }
}

async fn demo(options: Options, logging: &Logging) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir().context("a temporary folder can't be made")?;
    let folder = options
        .data_dir
        .clone()
        .unwrap_or_else(|| temporary.path().to_owned());
    let database = DatabaseConfig {
        url: DatabaseUrl::Sqlite(folder.join("alert-connectors.db")),
        key_file: folder.join("secret.key"),
    };
    let opened = open(&database, Use::Server).await?;
    let rules = UrlRules {
        addresses: AddressPolicy::allowing(vec!["127.0.0.0/8".parse()?]),
        hosts: Vec::new(),
        own_names: own_names(),
    };
    let sign_in = furnish(&*opened.store(), &rules).await?;
    let stand_in = StandIn::new().await?;
    let (listener, moved) = listen(options.listen).await?;
    let config = ServeConfig {
        database,
        listen: options.listen,
        metrics_listen: None,
        public_url: None,
        rules,
        trust: Trust {
            extra_roots: vec![stand_in.authority.ca()],
        },
        proxy: None,
        no_proxy: Vec::new(),
        trusted_proxies: Vec::new(),
        rates: Rates::default(),
        webhook_connections: Builder::WEBHOOK_CONNECTIONS,
        quotas: FixedQuotas::default(),
        traces: None,
        spans: Spans::default(),
        sso: None,
        log_format: LogFormat::default_here(),
    };
    let resolver = Arc::new(ToInbox(stand_in.address));
    let listeners = Listeners {
        api: listener,
        metrics: None,
    };
    let service = Service::start(config, opened, listeners, resolver, logging).await?;
    welcome(service.address, stand_in.address, moved, &sign_in)?;
    let every = Duration::from_millis(options.every_ms.max(1));
    play(&service, stand_in, sign_in.token, every);
    service.run().await
}

/// The inbox behind a listener and a certificate for the platforms' names.
struct StandIn {
    inbox: Inbox,
    authority: Authority,
    listener: TcpListener,
    address: SocketAddr,
}

impl StandIn {
    async fn new() -> anyhow::Result<Self> {
        let names = [
            "hooks.slack.com",
            "default0demo.1.environment.api.powerplatform.com",
            "localhost",
            "127.0.0.1",
        ];
        let authority = Authority::for_names(names.map(str::to_owned).to_vec())
            .map_err(|error| anyhow!("the inbox's certificate can't be made: {error}"))?;
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("the inbox can't listen")?;
        Ok(Self {
            inbox: inbox_of_channels()?,
            authority,
            address: listener.local_addr()?,
            listener,
        })
    }
}

/// An inbox that knows the demo's channels, and answers for those in trouble.
fn inbox_of_channels() -> anyhow::Result<Inbox> {
    let inbox = Inbox::new(Arc::new(SystemClock));
    for (name, _, url, _) in CHANNELS {
        let url = Url::parse(url)?;
        let row = TROUBLE.iter().find(|(part, _)| url.path().contains(part));
        if let Some((_, row)) = row {
            let behaviour = Behaviour {
                row: Some((*row).to_owned()),
                ..Behaviour::default()
            };
            inbox.behave(url.path(), behaviour);
        }
        inbox.name(url.path(), name);
    }
    Ok(inbox)
}

/// Starts the tasks beside the service: the inbox, the listing of its messages, and the sample alerts.
fn play(service: &Service, stand_in: StandIn, token: Secret, every: Duration) {
    let lifecycle = service.lifecycle();
    let (tasks, stopping) = (lifecycle.tasks.clone(), lifecycle.soft.clone());
    let arriving = stand_in.inbox.follow();
    tasks.essential(
        "inbox",
        serve(
            stand_in.listener,
            stand_in.authority.server_config(),
            inbox_router(&stand_in.inbox),
            TaskTracker::new(),
            stopping.clone(),
        ),
    );
    let stop = stopping.clone();
    tasks.worker("listing", async move {
        tokio::select! {
            () = print_arrivals(arriving) => {}
            () = stop.cancelled() => {}
        }
    });
    let server = service.address;
    tasks.worker("samples", async move {
        tokio::select! {
            ended = raise(server, token, every) => {
                if let Err(error) = ended {
                    tracing::error!(error = format!("{error:#}"), "the sample alerts can't be posted");
                }
            }
            () = stopping.cancelled() => {}
        }
    });
}

/// How to sign in.
struct SignIn {
    password: Secret,
    token: Secret,
    first_connector: String,
}

/// Makes a user, a space and three connectors. A kept folder has them already, and only gets a new sign-in.
async fn furnish(store: &dyn Store, rules: &UrlRules) -> anyhow::Result<SignIn> {
    let now = SystemClock.now();
    let (user, password) = alice(store, now).await?;
    let roster = analytics(store, &user, rules, now).await?;
    let first_connector = roster
        .connectors
        .first()
        .context("the demo's connectors were just made")?
        .id
        .to_string();
    let token = new_token("acs_", &SystemRandom::default());
    let new = NewToken {
        hash: token_hash(token.expose()),
        user_id: user.id,
        expires_at: now.checked_add(SignedDuration::from_hours(24))?,
    };
    store.add_token(new, now).await?;
    Ok(SignIn {
        password,
        token,
        first_connector,
    })
}

/// The demo's user, with a new password.
async fn alice(store: &dyn Store, now: Timestamp) -> anyhow::Result<(User, Secret)> {
    let random = SystemRandom::default();
    let email = Email::parse(EMAIL).map_err(|what| anyhow!(what))?;
    let mut digits = [0; 6];
    random.fill(&mut digits);
    let digits = digits.map(|digit| format!("{digit:02x}")).concat();
    let password = Secret::new(format!("demo-{digits}"));
    let entered = Password::new(password.clone()).map_err(|what| anyhow!(what))?;
    let hash = Passwords::new(Arc::new(SystemRandom::default())).hash(&entered);
    let new = NewUser {
        user: User {
            id: UserId::new(now, &random),
            email: email.clone(),
            full_name: "Alice Johnson".to_owned(),
        },
        password_hash: hash.clone(),
        is_operator: true,
        created_at: now,
    };
    store.add_user(new).await?;
    store.set_password(&email, hash.unwrap_or_default()).await?;
    let found = store.user(&email).await?;
    let found = found.context("the demo's user was just made")?;
    Ok((found.user, password))
}

/// The demo's space with its connectors.
async fn analytics(
    store: &dyn Store,
    user: &User,
    rules: &UrlRules,
    now: Timestamp,
) -> anyhow::Result<Roster> {
    let random = SystemRandom::default();
    let slug = Slug::parse(SPACE).context("the demo's slug is one")?;
    let space = Space {
        id: SpaceId::new(now, &random),
        slug: slug.clone(),
        name: "Analytics".to_owned(),
        created_at: now,
    };
    store.add_space(space, None).await?;
    let missing = "the demo's space was just made";
    let roster = store.roster(&slug).await?.context(missing)?;
    let space_id = roster.space.id;
    store
        .set_member(space_id, &user.email, Role::Admin, now)
        .await?;
    if roster.connectors.is_empty() {
        for (name, platform, url, filters) in CHANNELS {
            let text = format!(
                r#"{{"name": "{name}", "connector_type": "{platform}", "webhook_url": "{url}", {filters}}}"#
            );
            let new = parse_new_connector(Json::parse(text.as_bytes())?, rules)
                .map_err(|faults| anyhow!("a demo connector is at fault: {faults:?}"))?;
            let creation = ConnectorCreation {
                id: ConnectorId::new(now, &random),
                new,
                creator: user.clone(),
                now,
                connectors_max: CHANNELS.len(),
            };
            store.create_connector(space_id, creation).await?;
        }
    }
    store.roster(&slug).await?.context(missing)
}

/// Listens on the wanted port, or on any other if it is in use.
async fn listen(wanted: SocketAddr) -> anyhow::Result<(TcpListener, Option<SocketAddr>)> {
    match TcpListener::bind(wanted).await {
        Ok(listener) => Ok((listener, None)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let any = SocketAddr::new(wanted.ip(), 0);
            Ok((
                TcpListener::bind(any).await.context("no port is free")?,
                Some(wanted),
            ))
        }
        Err(error) => Err(error).with_context(|| format!("{wanted} can't be listened on")),
    }
}

fn welcome(
    server: SocketAddr,
    inbox: SocketAddr,
    moved: Option<SocketAddr>,
    sign_in: &SignIn,
) -> io::Result<()> {
    let (token, password) = (sign_in.token.expose(), sign_in.password.expose());
    let connectors = format!("http://{server}/spaces/{SPACE}/alert-connectors");
    let alert =
        json!({"alert_type": "dq_alert", "severity": "critical", "title": "Hello from curl"});
    if let Some(wanted) = moved {
        say(format_args!(
            "{wanted} is taken, so this demo listens on {server}."
        ))?;
    }
    say(format_args!(
        "Alert Connectors demo\n\
         Open      http://{server}/console/  and sign in as {EMAIL} with the password {password}\n\
         API       http://{server}  (OpenAPI: http://{server}/openapi.json)\n\
         Inbox     https://{inbox}/_inbox  (stands in for Slack and Teams; its certificate is its own, so a browser warns)\n\
         Space     {SPACE}, with three Slack and two Teams connectors; two of them are in trouble\n\
         \n\
         List the connectors, test one, send an alert:\n\
         curl -s {connectors} -H 'Authorization: Bearer {token}'\n\
         curl -s -X POST {connectors}/{}/test -H 'Authorization: Bearer {token}'\n\
         curl -s http://{server}/spaces/{SPACE}/alerts -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{alert}'\n\
         \n\
         Messages as they arrive (Ctrl-C ends):",
        sign_in.first_connector,
    ))
}

/// Prints a readable line for each message.
async fn print_arrivals(mut arriving: broadcast::Receiver<Message>) {
    loop {
        match arriving.recv().await {
            Ok(message) => {
                let time = message.at.get(11..19).unwrap_or_default();
                let text = message.notification();
                let (word, title) = split_word(&text);
                let channel = message.channel.as_deref().unwrap_or("(unknown)");
                let refused = message.status.filter(|status| *status >= 300);
                let answer =
                    refused.map_or(String::new(), |status| format!("  (answered {status})"));
                if say(format_args!(
                    "{time}  {channel:<26}  {word:<19}  {title}{answer}"
                ))
                .is_err()
                {
                    return;
                }
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                drop(say(format_args!("… and {missed} more")));
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Splits a notification into its severity word and its title, or a digest's into its counts and its total.
fn split_word(text: &str) -> (&str, &str) {
    if text.starts_with(|c: char| c.is_ascii_digit())
        && let Some((total, counts)) = text.split_once(": ")
    {
        return (counts, total);
    }
    let words = match text.split_once(' ') {
        Some(("RAISED", _)) => 3,
        Some(("RESOLVED", rest)) if rest.starts_with('(') => 2,
        _ => 1,
    };
    let spaces = text.match_indices(' ');
    let end = spaces.map(|(at, _)| at).nth(words - 1);
    let end = end.unwrap_or(text.len());
    let (word, title) = text.split_at(end);
    (word, title.trim_start())
}

/// Posts the samples through the API, like any data platform.
async fn raise(server: SocketAddr, token: Secret, every: Duration) -> anyhow::Result<()> {
    let client = client()?;
    let url = format!("http://{server}/spaces/{SPACE}/alerts/batch");
    let mut tick = tokio::time::interval(every);
    loop {
        for sample in samples() {
            tick.tick().await;
            let answer = client
                .post(&url)
                .bearer_auth(token.expose())
                .json(&sample)
                .send()
                .await?;
            let status = answer.status();
            let answer: Value = answer.json().await.unwrap_or_default();
            let results = answer["results"].as_array().into_iter().flatten();
            let refused = results.filter(|result| result["status"] != 202).count();
            if !status.is_success() || refused > 0 {
                tracing::warn!(
                    detail = answer["detail"].as_str(),
                    refused,
                    at = rfc3339_millis(SystemClock.now()),
                    "sample alerts were refused"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_shows_its_counts_where_others_show_their_severity() {
        for (text, expected) in [
            ("HIGH Rows: 3 are missing", ("HIGH", "Rows: 3 are missing")),
            ("RESOLVED (high) Rows", ("RESOLVED (high)", "Rows")),
            ("RAISED TO CRITICAL Rows", ("RAISED TO CRITICAL", "Rows")),
            (
                "22 alerts in Analytics: 7 critical · 15 high",
                ("7 critical · 15 high", "22 alerts in Analytics"),
            ),
        ] {
            assert_eq!(split_word(text), expected);
        }
    }
}
