//! Alertmanager itself, posting to the server: what fires and ends arrives, whichever of the two is away for a while.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use alert_connectors_model::{Clock, SystemClock};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::TaskTracker;

use crate::world::{World, until};

/// An address that stays while the server behind it moves. While none is there, requests are answered 503.
struct Front {
    address: String,
    behind: watch::Sender<Option<String>>,
    refused: Arc<AtomicUsize>,
    tasks: TaskTracker,
}

impl Front {
    async fn before(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = Self {
            address: listener.local_addr().unwrap().to_string(),
            behind: watch::Sender::new(None),
            refused: Arc::default(),
            tasks: TaskTracker::new(),
        };
        front.lead_to(Some(world));
        let (behind, refused) = (front.behind.subscribe(), Arc::clone(&front.refused));
        let tasks = front.tasks.clone();
        front.tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tasks.spawn(carry(stream, behind.clone(), Arc::clone(&refused)));
            }
        });
        front
    }

    fn lead_to(&self, world: Option<&World>) {
        let address = world.map(|world| world.server.base.replace("http://", ""));
        self.behind.send_replace(address);
    }
}

/// Carries a connection until what is behind changes.
async fn carry(
    mut stream: TcpStream,
    mut behind: watch::Receiver<Option<String>>,
    refused: Arc<AtomicUsize>,
) {
    let to = behind.borrow_and_update().clone();
    if let Some(to) = to {
        let mut server = TcpStream::connect(to).await.unwrap();
        tokio::select! {
            // A connection ends when either side goes away.
            _ended = copy_bidirectional(&mut stream, &mut server) => {}
            _changed = behind.changed() => {}
        }
        return;
    }
    let mut request = vec![0; 64 * 1_024];
    drop(stream.read(&mut request).await);
    let answer = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    drop(stream.write_all(answer.as_bytes()).await);
    refused.fetch_add(1, Ordering::SeqCst);
}

/// The program with its configuration, ended with its handle.
struct Alertmanager {
    child: Child,
    folder: TempDir,
    address: String,
    client: Client,
}

impl Alertmanager {
    /// `receiver` is what its only receiver sends to.
    async fn start(receiver: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let configuration = format!(
            "route: {{receiver: ours, group_by: [alertname], group_wait: 50ms, group_interval: 100ms, repeat_interval: 1h}}\n\
             receivers:\n- name: ours\n  {receiver}\n"
        );
        fs::write(folder.path().join("alertmanager.yml"), configuration).unwrap();
        // A free port: nobody else is given it so soon after.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let client = crate::world::client();
        let this = Self {
            child: run(&folder, &address),
            folder,
            address,
            client,
        };
        this.ready().await;
        this
    }

    /// A clean stop keeps the log of what was notified, and nothing else.
    async fn restart(&mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").arg(pid).status().unwrap();
        self.child.wait().unwrap();
        self.child = run(&self.folder, &self.address);
        self.ready().await;
    }

    async fn ready(&self) {
        let url = format!("http://{}/-/ready", self.address);
        let ready = async || {
            self.client
                .get(&url)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        };
        until(ready, |ready| *ready).await;
    }

    /// Reports an alert about a table; one that `ends` is over.
    async fn report(&self, table: &str, severity: &str, ends: bool) {
        let mut alert = json!({
            "labels": {"alertname": "Late", "severity": severity, "table": table},
            "annotations": {"summary": format!("{table} is late")},
        });
        if ends {
            alert["endsAt"] = json!(SystemClock.now().to_string());
        }
        let url = format!("http://{}/api/v2/alerts", self.address);
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json");
        let answer = request
            .body(Value::from(vec![alert]).to_string())
            .send()
            .await;
        assert_eq!(answer.unwrap().status(), 200);
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn run(folder: &TempDir, address: &str) -> Child {
    let program = std::env::var_os("ALERTMANAGER").map(PathBuf::from);
    let program =
        program.expect("ALERTMANAGER names the program; `cargo xtask test` finds one by itself");
    let path = |name: &str| folder.path().join(name).display().to_string();
    Command::new(program)
        .arg(format!("--config.file={}", path("alertmanager.yml")))
        .arg(format!("--storage.path={}", path("data")))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The alerts of the space, as title, severity and status, by title.
async fn alerts(world: &World) -> Vec<String> {
    let listed = world.get("/spaces/data/alerts").await.body;
    let words = |alert: &Value| {
        ["title", "severity", "status"]
            .map(|name| alert[name].as_str().unwrap_or("").to_owned())
            .join(" ")
    };
    let mut alerts: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(words)
        .collect();
    alerts.sort();
    alerts
}

/// The states of each alert's deliveries.
async fn deliveries(world: &World) -> Vec<Vec<String>> {
    let listed = world.get("/spaces/data/alerts").await.body;
    let states = |alert: &Value| {
        let deliveries = alert["deliveries"].as_array().unwrap().iter();
        deliveries
            .map(|one| one["state"].as_str().unwrap().to_owned())
            .collect()
    };
    listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(states)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fires_and_ends_arrives_whoever_is_away_for_a_while() {
    let mut world = World::start().await;
    world.connect("/services/a").await;
    let key = json!({"name": "alertmanager", "scope": "send", "space": "data"});
    let key = world.post("/api-keys", &key).await.body["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let front = Front::before(&world).await;
    let url = format!("http://{}/spaces/data/ingest/alertmanager", front.address);
    let receiver = format!(
        "webhook_configs: [{{url: '{url}', http_config: {{authorization: {{credentials: {key}}}}}}}]"
    );
    let mut alertmanager = Alertmanager::start(&receiver).await;
    let turns_into = async |world: &World, expected: &[&str]| {
        until(async || alerts(world).await, |seen| seen == expected).await;
    };

    alertmanager.report("a", "critical", false).await;
    alertmanager.report("b", "warning", false).await;
    turns_into(
        &world,
        &["a is late critical active", "b is late medium active"],
    )
    .await;
    alertmanager.report("a", "critical", true).await;
    turns_into(
        &world,
        &["a is late critical resolved", "b is late medium active"],
    )
    .await;

    // The server is away. Alertmanager gets a 503, and posts the group again.
    front.lead_to(None);
    alertmanager.report("c", "page", false).await;
    until(
        async || front.refused.load(Ordering::SeqCst),
        |refused| *refused > 0,
    )
    .await;
    world.restart("-KILL");
    front.lead_to(Some(&world));
    let three = [
        "a is late critical resolved",
        "b is late medium active",
        "c is late critical active",
    ];
    turns_into(&world, &three).await;

    alertmanager.restart().await;
    // Prometheus reports what fires again and again.
    alertmanager.report("b", "warning", false).await;
    alertmanager.report("c", "page", false).await;
    alertmanager.report("b", "warning", true).await;
    alertmanager.report("c", "page", true).await;
    let ended = [
        "a is late critical resolved",
        "b is late medium resolved",
        "c is late critical resolved",
    ];
    turns_into(&world, &ended).await;
    // The channel heard of each problem and of its end.
    until(
        async || deliveries(&world).await,
        |seen| {
            seen.iter()
                .all(|alert| *alert == ["delivered", "delivered"])
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_posts_to_a_hook_as_it_posts_to_slack() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let key = json!({"name": "alertmanager", "scope": "send", "space": "data"});
    let key = world.post("/api-keys", &key).await.body["key"].clone();
    let hook = format!("{}/hooks/{}", world.server.base, key.as_str().unwrap());
    let receiver =
        format!("slack_configs: [{{api_url: '{hook}', channel: '#data', send_resolved: true}}]");
    let alertmanager = Alertmanager::start(&receiver).await;
    let turns_into = async |expected: &[&str]| {
        until(async || alerts(&world).await, |seen| seen == expected).await;
    };
    alertmanager.report("a", "critical", false).await;
    turns_into(&["[FIRING:1] Late (critical a) high active"]).await;
    alertmanager.report("a", "critical", true).await;
    // A problem has its newest title.
    turns_into(&["[RESOLVED] Late (critical a) high resolved"]).await;
    until(
        async || deliveries(&world).await.concat(),
        |states| states == &["delivered", "delivered"],
    )
    .await;
}
