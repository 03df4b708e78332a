//! The command line: what it prints, where, and how it ends.

use std::{
    fs,
    process::{Command, Stdio},
};

use http::Method;
use serde_json::json;

use crate::world::{PROGRAM, Server, World, output, run};

#[test]
fn help_and_version_are_data_and_wrong_usage_is_two() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["serve", "--help"],
        &["send", "--help"],
        &["completions", "bash"],
    ] {
        assert!(!output(arguments).is_empty());
    }
    assert!(output(&["--help"]).contains("Examples:"));
    for (arguments, offers) in [
        (&["send", "--help"][..], false),
        (&["connectors", "list", "--help"], false),
        (&["user", "list", "--help"], true),
    ] {
        let help = output(arguments);
        for option in ["--database-url", "--secret-key-file", "--config"] {
            assert_eq!(help.contains(option), offers, "{arguments:?} {option}");
        }
    }
    for arguments in [
        &["nonsense"][..],
        &["serve", "--nonsense"],
        &["user", "add"],
        &["space", "remove", "x"],
        &["user", "list", "--database-url", "mysql://x"],
    ] {
        let ended = run(arguments);
        assert_eq!(
            (ended.status.code(), ended.stdout.is_empty()),
            (Some(2), true),
            "{arguments:?}"
        );
    }
    let missing = run(&[
        "send",
        "--server",
        "http://127.0.0.1:1",
        "--space",
        "s",
        "--type",
        "t",
        "--severity",
        "low",
        "x",
    ]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        String::from_utf8(missing.stderr)
            .unwrap()
            .contains("ALERT_CONNECTORS_TOKEN")
    );
}

#[test]
fn settings_come_from_flags_then_environment_then_file_and_every_fault_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, "listen = \"127.0.0.1:1\"\nallow-network = [\"10.0.0.0/8\"]\nproxy = \"http://user:hunter2@p:3128\"\nlog-format = \"json\"\n").unwrap();
    let print = |extra: &[&str]| {
        let path = file.display().to_string();
        Command::new(PROGRAM)
            .args([&["serve", "--print-config", "--config", &path], extra].concat())
            .env_clear()
            .env("ALERT_CONNECTORS_LISTEN", "127.0.0.1:2")
            .output()
            .unwrap()
    };
    let shown = String::from_utf8(print(&[]).stdout).unwrap();
    assert!(
        shown.contains("listen = \"127.0.0.1:2\"  # ALERT_CONNECTORS_LISTEN"),
        "{shown}"
    );
    assert!(
        shown.contains("allow-network = [\"10.0.0.0/8\"]  # /"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    let shown = String::from_utf8(print(&["--listen", "127.0.0.1:3"]).stdout).unwrap();
    assert!(
        shown.contains("listen = \"127.0.0.1:3\"  # --listen"),
        "{shown}"
    );
    fs::write(&file, "listn = \"x\"\nproxy = []\nrequire-standby = true\n").unwrap();
    let wrong = print(&["--allow-network", "x", "--log-format", "xml"]);
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(
        (wrong.status.code(), said.lines().count()),
        (Some(2), 5),
        "{said}"
    );
    assert!(said.contains("did you mean listen?"), "{said}");
    assert!(said.contains("only PostgreSQL has standbys"), "{said}");
    // A word of TOML that is no text counts only where the setting is one.
    fs::write(
        &file,
        "public-url = true\nretention = 30\nwebhook-connections = 64\n",
    )
    .unwrap();
    let said = String::from_utf8(print(&[]).stderr).unwrap();
    let no_texts = said
        .lines()
        .filter(|line| line.contains("must be a string"));
    assert_eq!((no_texts.count(), said.lines().count()), (2, 2), "{said}");
    // What a parser shows of the file may be a secret.
    fs::write(&file, "\ndatabase-url = \"postgres://a:hunter2@h/d\n").unwrap();
    let said = String::from_utf8(print(&[]).stderr).unwrap();
    assert!(
        said.contains("line 2 is not valid TOML") && !said.contains("hunter2"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_start_is_one_clear_sentence() {
    let world = World::start().await;
    let start = || {
        run(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            &world.place.arguments[1],
        ])
    };
    let second = start();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(
        said.lines().count() == 1 && said.contains("another server is running"),
        "{said}"
    );
    let taken = world.server.base.strip_prefix("http://").unwrap();
    let other = format!("sqlite://{}", world.path("other.db").display());
    let taken = run(&["serve", "--listen", taken, "--database-url", &other]);
    assert!(
        String::from_utf8(taken.stderr)
            .unwrap()
            .contains("can't be listened on")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_spaces_are_listed_as_tables() {
    let world = World::start().await;
    let users = world.command(&["user", "list"]);
    assert!(
        users.contains("E-MAIL")
            && users.contains("alice@example.com")
            && users.contains("operator"),
        "{users}"
    );
    assert!(world.command(&["space", "list"]).contains("data"));
    assert!(world.command(&["member", "list", "data"]).contains("admin"));
    world.command(&["space", "rename", "data", "--name", "New name"]);
    assert!(world.command(&["space", "list"]).contains("New name"));
    for arguments in [
        &["space", "add", "data", "--name", "x"][..],
        &["member", "set", "data", "x@example.com", "--role", "viewer"],
        &["token", "issue", "x@example.com"],
    ] {
        let ended = run(&[arguments, &["--database-url", &world.place.arguments[1]]].concat());
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
    }
}

/// Runs `send` against a server.
fn send(world: &World, token: &str, arguments: &[&str]) -> std::process::Output {
    let server = ["send", "--server", &world.server.base, "--space", "data"];
    Command::new(PROGRAM)
        .args([&server, arguments].concat())
        .env_clear()
        .env("ALERT_CONNECTORS_TOKEN", token)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

const LATE: [&str; 9] = [
    "--type",
    "dq_alert",
    "--severity",
    "high",
    "--field",
    "table=orders",
    "--dedup-key",
    "k",
    "Late",
];

#[tokio::test(flavor = "multi_thread")]
async fn send_posts_an_alert_and_says_whether_it_was_accepted() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let accepted = send(&world, &world.token, &[&LATE[..], &["--wait"]].concat());
    let said = String::from_utf8_lossy(&accepted.stderr);
    assert!(accepted.status.success(), "{said}");
    let id = String::from_utf8(accepted.stdout).unwrap();
    let path = format!("/spaces/data/alerts/{}", id.trim());
    assert_eq!(world.get(&path).await.body["fields"][0]["name"], "table");
    assert_eq!(world.inbox.count(), 1);
    let bad = ["--type", "dq_alert", "--severity", "hgh", "Late"];
    let bad = send(&world, &world.token, &bad);
    assert_eq!(bad.status.code(), Some(1));
    let said = String::from_utf8(bad.stderr).unwrap();
    let advice = "severity must be one of low, medium, high, critical. Did you mean high?";
    assert!(said.contains(advice), "{said}");
    assert_eq!(send(&world, "wrong", &LATE).status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn send_says_why_no_message_follows() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let sent = |arguments: &[&str]| {
        let waiting = [arguments, &["--wait"]].concat();
        let sent = send(&world, &world.token, &waiting);
        let said = String::from_utf8(sent.stderr).unwrap();
        (sent.status.code(), said)
    };
    sent(&LATE);
    let again = sent(&LATE);
    let low = ["--type", "a", "--severity", "low"];
    let late = sent(&[&low[..], &["--resolved", "--dedup-key", "x", "t"]].concat());
    let path = "/spaces/data/alert-connectors";
    let listed = world.get(path).await.body;
    let one = format!("{path}/{}", listed[0]["id"].as_str().unwrap());
    let filter = json!({"severity_filter": ["critical"]});
    world.ask(Method::PATCH, &one, Some(&filter)).await;
    let nobody = sent(&[&low[..], &["t"]].concat());
    for ((status, said), expected, words) in [
        (again, 0, "the problem is active already"),
        (late, 0, "no message of an active problem"),
        (nobody, 3, "no connector of the space matches"),
    ] {
        assert!(said.contains(words), "{said}");
        assert_eq!(status, Some(expected), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_cleanly_on_both_signals() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("x/y/test.db").display());
    for signal in ["-TERM", "-INT"] {
        let server = Server::start(&["--database-url", &database], &[]);
        assert_eq!(server.stop(signal), Some(0));
    }
    assert!(folder.path().join("x/y/secret.key").exists());
}
