//! Someone who does what a page says, block by block, in a shell and against a real server and receiver.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::pages::Block;
use crate::{
    with_dbt::{FAILING, make_project},
    world::{PROGRAM, Server, World},
};

/// What stands in pages for a server, for webhooks of both platforms and for a key.
const SERVER: &str = "https://alerts.example.com";
const OWN_SERVER: &str = "http://127.0.0.1:8080";
const SLACK: &str = "https://hooks.slack.com/services/T00/B00/xxx";
const TEAMS: &str = "https://default0.00.environment.api.powerplatform.com/workflows/xxx";
const KEY: &str = "ack_xxx";

pub(super) struct Reader {
    /// A server, its receiver, and a token of Alice's.
    world: World,
    home: TempDir,
    /// What replaces what stands in pages.
    words: Vec<(&'static str, String)>,
    /// A server that the page itself started.
    own: Option<Server>,
    /// The answer to the last body that was sent.
    answer: Value,
}

/// Whether everything that a page shows of an answer stands in it.
fn is_part_of(shown: &Value, answer: &Value) -> bool {
    match (shown, answer) {
        (Value::Object(shown), Value::Object(answer)) => shown.iter().all(|(name, value)| {
            answer
                .get(name)
                .is_some_and(|found| is_part_of(value, found))
        }),
        (Value::Array(shown), Value::Array(answer)) => {
            shown.len() == answer.len()
                && shown
                    .iter()
                    .zip(answer)
                    .all(|(one, found)| is_part_of(one, found))
        }
        _ => shown == answer,
    }
}

impl Reader {
    /// Someone at an empty machine. The receiver stands for Slack and Teams.
    pub(super) async fn with_nothing() -> Self {
        let world = World::start().await;
        let words = vec![
            (SLACK, format!("{}/services/T00/B00/xxx", world.receiver)),
            (TEAMS, format!("{}/workflows/xxx", world.receiver)),
        ];
        Self {
            home: tempfile::tempdir().unwrap(),
            world,
            words,
            own: None,
            answer: Value::Null,
        }
    }

    /// Alice, after the tutorial: a server runs, she is signed in, and her space has a connector that hears of everything.
    pub(super) async fn after_the_tutorial() -> Self {
        let mut reader = Self::with_nothing().await;
        let world = &reader.world;
        world
            .connect_for(
                "/services/all",
                "#data-quality-alerts",
                &serde_json::json!([]),
            )
            .await;
        let wanted = serde_json::json!({"name": "page", "scope": "send", "space": "data"});
        let key = world.post("/api-keys", &wanted).await.body["key"].clone();
        let base = world.server.base.clone();
        reader.words.push((KEY, key.as_str().unwrap().to_owned()));
        reader.words.push((SERVER, base.clone()));
        let login = format!(
            "echo {} | alert-connectors login --server {base} --token-stdin",
            reader.world.token
        );
        reader.run("the login", &login);
        // The dbt guide assumes a dbt project.
        make_project(reader.home.path(), FAILING);
        reader
    }

    fn replaced(&self, text: &str) -> String {
        let words = self.words.iter();
        words.fold(text.to_owned(), |text, (word, meant)| {
            text.replace(word, meant)
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Does what a block says.
    pub(super) async fn follow(&mut self, place: &str, block: &Block) {
        let text = self.replaced(&block.text);
        match block.kind().as_slice() {
            // The client's tests run the Python, and the chore `test` builds.
            ["text" | "python", ..] | ["sh", "build"] => {}
            ["sh", "server"] => self.serve(place, &text),
            ["sh"] => self.run(place, &text),
            ["json", "answer"] => {
                let shown: Value = serde_json::from_str(&text).unwrap();
                assert!(is_part_of(&shown, &self.answer), "{place}: {}", self.answer);
            }
            ["json", method, path, status] => self.send(place, method, path, status, &text).await,
            [_, file] => {
                let name = file.strip_prefix("file=").unwrap();
                fs::write(self.path(name), &text).unwrap();
            }
            other => unreachable!("{place}: {other:?}"),
        }
    }

    /// Runs commands in a shell, in the folder of this reader. What they export stays for the next ones.
    fn run(&self, place: &str, commands: &str) {
        let kept = self.path(".exported");
        let kept = kept.display();
        let script = format!(
            "set -euo pipefail; test ! -e {kept} || . {kept}\n{commands}\nexport -p | grep -v ' PATH=' > {kept}"
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(self.home.path())
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{place}\n{commands}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let program = Path::new(PROGRAM).parent().unwrap();
        let mut folders = vec![program.to_owned()];
        // dbt, where the test command has installed it.
        let dbt = std::env::var_os("DBT").map(PathBuf::from);
        folders.extend(dbt.as_deref().and_then(Path::parent).map(Path::to_owned));
        let usual = std::env::var_os("PATH").unwrap();
        folders.extend(std::env::split_paths(&usual));
        let path = std::env::join_paths(folders).unwrap();
        let home = self.home.path().display().to_string();
        vec![
            ("PATH", path.into_string().unwrap()),
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home),
            ("DBT_SEND_ANONYMOUS_USAGE_STATS", "false".to_owned()),
        ]
    }

    /// Starts the server that a page starts, with what it can't know: the receiver that stands for Slack and Teams, and a free port.
    fn serve(&mut self, place: &str, command: &str) {
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words, ["alert-connectors", "serve"], "{place}");
        let database = format!(
            "sqlite://{}",
            self.path("data/alert-connectors.db").display()
        );
        let ca_file = self.world.path("ca.pem").display().to_string();
        let receiver = ["--ca-file", &ca_file, "--allow-network", "127.0.0.0/8"];
        let server = Server::start(
            &[&["--database-url", &database][..], &receiver].concat(),
            &[],
        );
        self.words.push((OWN_SERVER, server.base.clone()));
        self.own = Some(server);
    }

    /// Sends a body as Alice, and holds the answer to its status.
    async fn send(&mut self, place: &str, method: &str, path: &str, status: &str, body: &str) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let body: Value =
            serde_json::from_str(body).unwrap_or_else(|error| unreachable!("{place}: {error}"));
        let path = self.replaced(path);
        let answer = self.world.ask(method, &path, Some(&body)).await;
        assert_eq!(answer.status.as_str(), status, "{place}: {}", answer.text);
        let count = |name: &str| answer.body[name].as_array().map_or(0, Vec::len);
        assert_eq!(count("warnings"), 0, "{place}: {}", answer.text);
        if path.contains("/ingest/") && path.ends_with("/preview") {
            assert_ne!(count("alerts"), 0, "{place}: {}", answer.text);
        }
        self.answer = answer.body;
    }
}
