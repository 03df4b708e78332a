//! The whole demo at trace level, searched for what must never be seen.

use std::{
    io::Read,
    process::{Command, Stdio},
};

use crate::world::PROGRAM;

#[test]
fn the_demo_shows_no_secret_outside_its_welcome() {
    let mut child = Command::new(PROGRAM)
        .args(["demo", "--listen", "127.0.0.1:0", "--every-ms", "20"])
        .env_clear()
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).ok();
        text
    });
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    while lines
        .iter()
        .filter(|line: &&String| line.contains("Freshness check failed"))
        .count()
        < 6
    {
        let mut line = String::new();
        assert!(
            std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0,
            "{lines:?}"
        );
        lines.push(line);
    }
    let welcome_ends = lines
        .iter()
        .position(|line| line.starts_with("Messages as they arrive"))
        .unwrap();
    let (welcome, messages) = lines.split_at(welcome_ends);
    for curl in welcome.iter().filter(|line| line.starts_with("curl")) {
        let ended = Command::new("sh").args(["-c", curl]).output().unwrap();
        assert!(ended.status.success() && !ended.stdout.is_empty(), "{curl}");
        let answer: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert!(answer.get("type").is_none(), "{curl}\n{answer}");
    }
    let pid = child.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = reader.join().unwrap();
    assert!(
        log.lines().count() > 50,
        "the log at trace level is too short to prove anything: {log}"
    );
    let sign_in = welcome
        .iter()
        .find(|line| line.starts_with("Sign-in"))
        .unwrap();
    let password = sign_in.split_whitespace().last().unwrap();
    let curl = welcome
        .iter()
        .find(|line| line.starts_with("curl"))
        .unwrap();
    let token = curl
        .split("Bearer ")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    let secrets = [
        password,
        token,
        "T00000DEMO",
        "demo0000slack",
        "/workflows/0call",
        "demo-on-call",
        "demo-everything",
    ];
    for secret in secrets {
        assert!(
            !log.contains(secret),
            "{secret} is in the log: {}",
            log.lines().find(|line| line.contains(secret)).unwrap()
        );
        assert!(
            !messages.concat().contains(secret),
            "{secret} is in the output"
        );
    }
}
