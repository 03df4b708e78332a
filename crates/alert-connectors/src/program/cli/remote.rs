//! A running server, as commands ask it.

use std::time::Duration;

use alert_connectors_model::{Clock, Slug, SystemClock};
use anyhow::{Context, anyhow};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::RETRY_AFTER, redirect::Policy};
use serde_json::Value;

use super::{CommandError, kept_login::Login, space::slug};

/// What a server answers that can't take a request now, or a proxy whose server can't.
pub(super) const CANNOT_NOW: [StatusCode; 3] = [
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
/// No request takes longer.
pub(super) const REQUEST_MAX: Duration = Duration::from_secs(30);

/// A server, and who asks it.
pub(super) struct Remote {
    server: String,
    client: Client,
    token: String,
    /// What else was kept with the login, where the server is its server.
    login: Option<Login>,
}

/// A space of a server.
pub(super) struct RemoteSpace {
    pub(super) remote: Remote,
    pub(super) slug: Slug,
}

impl Remote {
    /// Where the server is.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// The server of the login, asked by the user who has logged in.
    pub(super) fn of_login() -> Result<Self, CommandError> {
        let login = Login::read()?.ok_or_else(|| anyhow!("nobody has logged in"))?;
        Self::known(login.server.clone(), login.token.clone(), Some(login))
    }

    /// A server, and the login that was kept for it, if any.
    pub(super) fn known(
        server: String,
        token: String,
        login: Option<Login>,
    ) -> Result<Self, CommandError> {
        Ok(Self {
            server,
            client: client()?,
            token,
            login,
        })
    }

    pub(super) fn new(server: String, token: String) -> Result<Self, CommandError> {
        Self::known(server, token, None)
    }

    /// The space of commands that name none.
    pub(super) fn kept_space(&self) -> Option<&str> {
        self.login.as_ref()?.space.as_deref()
    }

    /// A request of the caller.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    /// A request of nobody.
    pub(super) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.server))
    }

    /// Asks, and returns the body of the answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, CommandError> {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let (status, answer) = self.answer(request).await?;
        if status.is_success() {
            Ok(answer)
        } else if CANNOT_NOW.contains(&status) {
            let line = format!("{} can't answer now ({status})", self.server);
            Err(CommandError::Unreachable(line))
        } else {
            Err(self.refused(status, &answer))
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, CommandError> {
        self.ask(Method::GET, path, None).await
    }

    /// What a request is answered, whatever it is.
    pub(super) async fn answer(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Value), CommandError> {
        let (status, body, _) = self.answer_and_wait(request).await?;
        Ok((status, body))
    }

    /// The same, and how long the server asks to wait before the request is repeated.
    pub(super) async fn answer_and_wait(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Value, Option<Duration>), CommandError> {
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let wait = answer.headers().get(RETRY_AFTER);
        let wait = wait.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let text = answer.text().await;
        let text = text.map_err(|error| self.unreachable(&error))?;
        let body = match text.as_str() {
            "" => Value::Null,
            // Of a proxy, say.
            _ if status.is_server_error() && !text.starts_with('{') => Value::Null,
            text => serde_json::from_str(text).with_context(|| {
                format!(
                    "{} answers {status} without JSON: is it an Alert Connectors server?",
                    self.server
                )
            })?,
        };
        Ok((status, body, wait.map(Duration::from_secs)))
    }

    /// Why a server gave no answer.
    fn unreachable(&self, error: &reqwest::Error) -> CommandError {
        let cause = root(error);
        let is_https = self.server.starts_with("https://");
        let hint = if is_https && cause.contains("InvalidContentType") {
            "; that port speaks http: begin --server with http://"
        } else if is_https && cause.contains("UnknownIssuer") {
            "; its certificate is of no public authority"
        } else if !is_https && cause.contains("invalid HTTP version") {
            "; that port speaks https: begin --server with https://"
        } else {
            ""
        };
        CommandError::Unreachable(format!("{} can't be reached: {cause}{hint}", self.server))
    }

    /// What an answer says that refuses the request.
    pub(super) fn refused(&self, status: StatusCode, body: &Value) -> CommandError {
        if status == StatusCode::UNAUTHORIZED {
            return CommandError::Refused(self.not_known(body));
        }
        CommandError::Refused(refusal(body, status))
    }

    fn not_known(&self, body: &Value) -> String {
        let login = self
            .login
            .as_ref()
            .filter(|login| login.token == self.token);
        let ended = login.and_then(|login| {
            let end: jiff::Timestamp = login.expires_at.as_ref()?.parse().ok()?;
            (end <= SystemClock.now()).then_some(end)
        });
        match ended {
            Some(end) => format!("the session ended at {end}: run `alert-connectors login` again"),
            // The server still knows the tokens that ended lately.
            None if body["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("expired")) =>
            {
                format!("the token has expired: {} wants another one", self.server)
            }
            None => format!(
                "{} does not know the token: it was revoked, it is mistyped, or it is another server's",
                self.server
            ),
        }
    }
}

impl RemoteSpace {
    /// A space of the login's server: this one, or else that of the login.
    pub(super) fn of_login(named: Option<&str>) -> Result<Self, CommandError> {
        let remote = Remote::of_login()?;
        let slug = slug(named.or(remote.kept_space()).unwrap_or_default())?;
        Ok(Self { remote, slug })
    }

    /// A path within the space.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/spaces/{}{rest}", self.slug)
    }

    pub(super) async fn ask(
        &self,
        method: Method,
        rest: &str,
        body: Option<&Value>,
    ) -> Result<Value, CommandError> {
        self.remote.ask(method, &self.path(rest), body).await
    }

    pub(super) async fn get(&self, rest: &str) -> Result<Value, CommandError> {
        self.ask(Method::GET, rest, None).await
    }

    /// The id of a connector that is named by its id or its name.
    pub(super) async fn connector(&self, wanted: &str) -> Result<String, CommandError> {
        if is_id(wanted) {
            return Ok(wanted.to_owned());
        }
        let all = self.get("/alert-connectors").await?;
        let all: Vec<(&str, &str)> = all
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| Some((one["id"].as_str()?, one["name"].as_str()?)))
            .collect();
        let found: Vec<&str> = all
            .iter()
            .filter(|(_, name)| *name == wanted)
            .map(|(id, _)| *id)
            .collect();
        match found[..] {
            [id] => Ok(id.to_owned()),
            [] => {
                let names: Vec<&str> = all.iter().take(NAMES_MAX).map(|(_, name)| *name).collect();
                let names = names.join(", ");
                Err(anyhow!("no connector is called {wanted:?}; there are: {names}").into())
            }
            _ => Err(anyhow!(
                "several connectors are called {wanted:?}; name one by its id: {}",
                found.join(", ")
            )
            .into()),
        }
    }
}

/// A message lists at most this many names.
const NAMES_MAX: usize = 20;

/// Whether a word is an id and no name.
fn is_id(word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    word.len() == 36 && word.bytes().all(is_part)
}

/// An id as part of a path.
pub(super) fn id(word: &str) -> Result<&str, CommandError> {
    if is_id(word) {
        Ok(word)
    } else {
        Err(CommandError::Usage(vec![format!(
            "{word:?} is no id; the lists show the ids"
        )]))
    }
}

/// A server's address without a slash at its end.
pub(super) fn checked_server(server: &str) -> Result<String, CommandError> {
    if server.starts_with("https://") || server.starts_with("http://") {
        Ok(server.trim_end_matches('/').to_owned())
    } else {
        let line = format!("--server {server}: it must start with https:// or http://");
        Err(CommandError::Usage(vec![line]))
    }
}

/// A client that follows no redirects and reads no proxy variables.
pub(super) fn client() -> anyhow::Result<Client> {
    // Fails only if one was installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(REQUEST_MAX)
        .build();
    client.context("TLS can't be set up")
}

fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

/// What a problem says beside its detail, a line each.
pub(super) fn hints(problem: &Value) -> String {
    let detail = problem["detail"].as_str().unwrap_or_default();
    let faults = problem["errors"].as_array().into_iter().flatten();
    let faults = faults.filter_map(|fault| fault["msg"].as_str());
    let others = faults.filter(|msg| *msg != detail);
    let lines: Vec<String> = others.map(|msg| format!("\nhint: {msg}")).collect();
    lines.concat()
}

fn refusal(body: &Value, status: StatusCode) -> String {
    let detail = body["detail"].as_str().unwrap_or_default();
    let hints = hints(body);
    let said = if detail.is_empty() {
        String::new()
    } else {
        format!(": {detail}")
    };
    format!("not accepted ({status}){said}{hints}")
}

/// A word of a list in an address.
pub(super) fn query(pairs: &[(&str, &[String])]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, values) in pairs {
        for value in *values {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() {
        query
    } else {
        format!("?{query}")
    }
}
