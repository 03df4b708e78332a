//! When a task of the service dies, the program exits with one sentence, so that a supervisor restarts it.

use std::{
    io::Read,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    place::{Place, TASKS},
    world::{PROGRAM, World, output, until},
};

/// The environment variable by which a debug build kills a task soon after its start.
const DOOMED: &str = "ALERT_CONNECTORS_DOOMED_TASK";

/// The tasks that some settings start.
const ON_DEMAND: [(&str, &[&str]); 2] = [
    ("metrics server", &["--metrics-listen", "127.0.0.1:0"]),
    ("trace exporter", &["--otlp-endpoint", "http://127.0.0.1:9"]),
];

#[test]
fn whichever_task_dies_the_program_says_so_and_ends() {
    let always = TASKS.iter().map(|name| (*name, &[][..]));
    for (name, settings) in always.chain(ON_DEMAND) {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::make(folder.path());
        let place: Vec<&str> = place.arguments.iter().map(String::as_str).collect();
        output(&[&["space", "add", "s", "--name", "S"], &place[..]].concat());
        let mut child = Command::new(PROGRAM)
            .args([&["serve", "--listen", "127.0.0.1:0"], settings, &place[..]].concat())
            .env_clear()
            .env(DOOMED, name)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
        let last = said.lines().next_back().unwrap();
        assert!(
            last.contains(&format!("the task {name} panicked")),
            "{said}"
        );
    }
}

#[tokio::test]
async fn the_task_of_a_webhook_is_one_of_them() {
    let mut world = World::start_with(&[(DOOMED, "destination")]).await;
    world.connect("/hook").await;
    let alert = json!({"alert_type": "t", "title": "t", "severity": "high"});
    assert_eq!(world.post("/spaces/data/alerts", &alert).await.status, 202);
    until(
        async || world.server.log(),
        |log| log.contains("the task destination panicked"),
    )
    .await;
    assert_eq!(world.server.child.wait().unwrap().code(), Some(1));
}
