//! A server of the real binary with a receiver beside it, furnished by the commands that people use.

use std::{
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use alert_connectors_inbox::{Authority, Inbox, Message, serve};
use alert_connectors_model::SystemClock;
use reqwest::{Client, Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{described, place::Place};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_alert-connectors");

/// Runs a command of the program.
pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What a command prints, if it ends well.
pub(crate) fn output(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs a command to its end with this on its standard input.
pub(crate) fn fed(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may have ended.
    let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// A running server, ended with its handle.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) base: String,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `serve` and waits until it listens.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(PROGRAM), arguments, environment)
    }

    /// The same by another program, which starts this one.
    pub(crate) fn start_by(
        mut program: Command,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut child = program
            .args([&["serve", "--listen", "127.0.0.1:0"], arguments].concat())
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = String::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                unreachable!("the server ended: {seen}")
            };
            seen.push_str(&line);
            seen.push('\n');
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        let log = Arc::new(Mutex::new(seen));
        let rest = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = rest.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            child,
            base: format!("http://{address}"),
            log,
        }
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Fails if the log holds a warning or an error that the test did not bring about.
    pub(crate) fn assert_log_clean(&self) {
        let log = self.log.lock().unwrap();
        let loud = log.lines().find(|line| {
            line.contains("\"level\":\"WARN\"") || line.contains("\"level\":\"ERROR\"")
        });
        assert_eq!(loud, None);
    }

    /// Asks it to stop and returns its exit status.
    pub(crate) fn stop(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        Command::new("kill").args([signal, &pid]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) place: Place,
    pub(crate) server: Server,
    pub(crate) inbox: Inbox,
    pub(crate) receiver: String,
    pub(crate) token: String,
    pub(crate) client: Client,
    environment: Vec<(String, String)>,
    stopping: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    /// The places and types of the faults of a 422.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let place = |fault: &Value| {
            let parts = fault["loc"].as_array().unwrap().iter();
            parts
                .map(|part| {
                    part.as_str()
                        .map_or_else(|| part.to_string(), str::to_owned)
                })
                .collect::<Vec<_>>()
                .join(".")
        };
        let faults = self.body["errors"].as_array().into_iter().flatten();
        faults
            .map(|fault| (place(fault), fault["type"].as_str().unwrap().to_owned()))
            .collect()
    }
}

pub(crate) fn client() -> Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

impl World {
    /// Alice is an operator and admin of `data`; the receiver stands at `https://localhost:PORT`.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_at(Place::make, environment).await
    }

    /// The same with its data in another place.
    pub(crate) async fn start_at(
        place: impl FnOnce(&Path) -> Place,
        environment: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::for_names(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.ca_pem()).unwrap();
        let inbox = Inbox::new(Arc::new(SystemClock));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(serve(
            listener,
            authority.server_config(),
            inbox.router(),
            tasks.clone(),
            stopping.clone(),
        ));
        let place = place(folder.path());
        let command = |arguments: &[&str]| output(&place.with(arguments));
        command(&[
            "user",
            "add",
            "alice@example.com",
            "--name",
            "Alice Johnson",
            "--operator",
        ]);
        command(&["space", "add", "data", "--name", "Data"]);
        command(&[
            "member",
            "set",
            "data",
            "alice@example.com",
            "--role",
            "admin",
        ]);
        let token = command(&["token", "issue", "alice@example.com"]);
        let server = start_server(&folder, &place, environment);
        Self {
            folder,
            place,
            server,
            inbox,
            receiver,
            token,
            client: client(),
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            stopping,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command on the server's database.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        output(&self.place.with(arguments))
    }

    /// Stops the server with a signal and starts it again.
    pub(crate) fn restart(&mut self, signal: &str) -> Option<i32> {
        let environment: Vec<_> = self
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let new = || start_server(&self.folder, &self.place, &environment);
        let pid = self.server.child.id().to_string();
        Command::new("kill").args([signal, &pid]).status().unwrap();
        let status = self.server.child.wait().unwrap().code();
        self.server = new();
        status
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.ask_as(&format!("Bearer {}", self.token), method, path, body)
            .await
    }

    pub(crate) async fn ask_as(
        &self,
        authorization: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.server.base));
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        answer(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Makes a Slack connector for everything at a path of the receiver, and returns its id.
    pub(crate) async fn connect(&self, path: &str) -> String {
        self.connect_for(path, "connector", &json!([])).await
    }

    /// Makes a Slack connector for some severities.
    pub(crate) async fn connect_for(&self, path: &str, name: &str, severities: &Value) -> String {
        let body = json!({"name": name, "connector_type": "slack", "severity_filter": severities,
            "webhook_url": format!("{}{path}", self.receiver)});
        let answer = self.post("/spaces/data/alert-connectors", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// Waits until so many messages arrived.
    pub(crate) async fn arrived(&self, count: u64) -> Vec<Message> {
        until(async || self.inbox.count(), |seen| *seen >= count).await;
        self.inbox.messages()
    }

    /// The texts of what arrived at a path.
    pub(crate) fn texts(&self, path: &str) -> Vec<String> {
        let messages = self.inbox.messages();
        let here = messages.iter().filter(|message| message.target == path);
        let payloads = here.filter_map(|message| message.payload.as_ref());
        payloads.map(|payload| payload.get().to_owned()).collect()
    }

    /// Waits until all deliveries of an alert stand in the given state.
    pub(crate) async fn settled(&self, alert: &str, state: &str) -> Value {
        let path = format!("/spaces/data/alerts/{alert}");
        let look = async || self.get(&path).await.body;
        until(look, |body: &Value| {
            let deliveries = body["deliveries"].as_array().unwrap();
            !deliveries.is_empty() && deliveries.iter().all(|delivery| delivery["state"] == state)
        })
        .await
    }
}

/// The answer to a request. It is held to the OpenAPI document.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let mut response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let is_endless = headers
        .get("content-type")
        .is_some_and(|value| value == "text/event-stream");
    let text = if is_endless {
        let beginning = response.chunk().await.unwrap().unwrap_or_default();
        String::from_utf8(beginning.to_vec()).unwrap()
    } else {
        response.text().await.unwrap()
    };
    let answer = Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
    };
    described::hold(method.as_str(), &path, &answer);
    answer
}

impl Place {
    /// Arguments of the program, with those that name the database.
    pub(crate) fn with<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let place = self.arguments.iter().map(String::as_str);
        arguments.iter().copied().chain(place).collect()
    }
}

fn start_server(folder: &TempDir, place: &Place, environment: &[(&str, &str)]) -> Server {
    let ca_file = folder.path().join("ca.pem").display().to_string();
    Server::start(
        &place.with(&["--ca-file", &ca_file, "--allow-network", "127.0.0.0/8"]),
        // No pace, unless a test is about it.
        &[
            &[("ALERT_CONNECTORS_RATE", "slack=unlimited,teams=unlimited")],
            environment,
        ]
        .concat(),
    )
}

/// Waits until something is so, or says what was seen last.
pub(crate) async fn until<T: std::fmt::Debug>(
    look: impl AsyncFn() -> T,
    is_so: impl Fn(&T) -> bool,
) -> T {
    for _ in 0..3_000 {
        let seen = look().await;
        if is_so(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("it never became so; last seen: {:?}", look().await)
}
