//! The commands that ask a running server, as a person uses them after one `login`.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};

use alert_connectors_inbox::Behaviour;
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{PROGRAM, World, fed};

const PASSWORD: &str = "correct horse battery staple";

/// A person at a terminal, with a configuration of their own.
pub(crate) struct Person {
    home: TempDir,
}

impl Person {
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn types(&self, arguments: &[&str], input: &str) -> Output {
        // As good as none.
        self.types_as("", arguments, input)
    }

    /// The same with a token in the environment.
    pub(crate) fn types_as(&self, token: &str, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .env("ALERT_CONNECTORS_TOKEN", token)
            .env_remove("ALERT_CONNECTORS_SERVER")
            .env("XDG_CONFIG_HOME", self.home.path());
        fed(&mut command, input)
    }

    /// What a command prints that succeeds.
    fn sees(&self, arguments: &[&str]) -> String {
        let output = self.types(arguments, "");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The exit status of a command that fails, and what it says.
    fn fails(&self, arguments: &[&str]) -> (i32, String) {
        self.fails_as("", arguments)
    }

    /// The same with a token in the environment.
    pub(crate) fn fails_as(&self, token: &str, arguments: &[&str]) -> (i32, String) {
        let output = self.types_as(token, arguments, "");
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    }

    fn log_in(&self, world: &World) {
        let login = ["login", "--server", &world.server.base];
        let by_password = ["--email", "erin@example.com", "--password-stdin"];
        let output = self.types(&[&login[..], &by_password].concat(), PASSWORD);
        assert!(output.status.success(), "{output:?}");
    }
}

/// A world with a person who edits its space.
async fn world() -> World {
    let world = World::start().await;
    let add = [
        "user",
        "add",
        "erin@example.com",
        "--name",
        "Erin Doe",
        "--password-stdin",
    ];
    let output = fed(Command::new(PROGRAM).args(world.place.with(&add)), PASSWORD);
    assert!(output.status.success(), "{output:?}");
    world.command(&[
        "member",
        "set",
        "data",
        "erin@example.com",
        "--role",
        "admin",
    ]);
    world
}

const ALERT: [&str; 6] = [
    "send",
    "--type",
    "dq",
    "--severity",
    "high",
    "Orders are late",
];

/// The first word of the first row of a table: an id.
fn first_id(table: &str) -> &str {
    let row = table.lines().nth(1).unwrap();
    row.split_whitespace().next().unwrap()
}

/// A person who has logged in and sent an alert, which a connector got; with its id.
async fn at_work(world: &World) -> (Person, String) {
    let all = serde_json::json!([]);
    world.connect_for("/services/a", "#data", &all).await;
    let erin = Person::new();
    erin.log_in(world);
    let links = [
        "--url",
        "https://a.example/1",
        "--action",
        "Runbook=https://a.example/2",
    ];
    let id = erin.sees(&[&ALERT[..], &links, &["--wait"]].concat());
    (erin, id.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_login_no_command_names_a_server_a_space_or_a_token() {
    let world = world().await;
    let (erin, id) = at_work(&world).await;
    let kept = erin.home.path().join("alert-connectors/login.toml");
    let mode = fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let whoami = erin.sees(&["whoami"]);
    assert!(
        whoami.contains("Erin Doe <erin@example.com>") && whoami.contains("admin"),
        "{whoami}"
    );
    let listed = erin.sees(&["alerts", "list", "--severity", "high"]);
    assert!(
        listed.contains(&id) && listed.contains("Orders are late"),
        "{listed}"
    );
    assert!(
        !erin
            .sees(&["alerts", "list", "--severity", "low"])
            .contains(&id)
    );
    let shown = erin.sees(&["alerts", "show", &id]);
    assert!(
        shown.contains("#data") && shown.contains("delivered"),
        "{shown}"
    );
    let alert: Value =
        serde_json::from_str(&erin.sees(&["alerts", "show", &id, "--json"])).unwrap();
    assert_eq!(alert["url"], "https://a.example/1");
    assert_eq!(alert["actions"][0]["label"], "Runbook");
    assert!(erin.sees(&["alerts", "resolve", &id]).contains("resolved"));
    erin.sees(&["logout"]);
    assert!(!kept.exists());
    let (status, said) = erin.fails(&["whoami"]);
    assert!(
        status == 2 && said.contains("alert-connectors login"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_are_named_by_their_names_and_deliveries_shown() {
    let world = world().await;
    let (erin, _) = at_work(&world).await;
    for (arguments, says) in [
        (&["health"][..], "healthy"),
        (&["update", "#data", "--severity", "critical"], "critical"),
        (&["deliveries", "#data"], "delivered"),
        (
            &["replay", "#data", "--since", "2026-01-01T00:00:00Z"],
            "0 queued again",
        ),
        (&["test", "#data"], "took the message"),
    ] {
        let seen = erin.sees(&[&["connectors"], arguments].concat());
        assert!(seen.contains(says), "{arguments:?}: {seen}");
    }
    let (_, said) = erin.fails(&["connectors", "test", "#nowhere"]);
    assert!(said.contains("there are: #data"), "{said}");
    let listed = erin.sees(&[
        "deliveries",
        "list",
        "--connector",
        "#data",
        "--state",
        "delivered",
    ]);
    let shown = erin.sees(&["deliveries", "show", first_id(&listed)]);
    assert!(
        shown.contains("Orders are late") && shown.contains("200"),
        "{shown}"
    );
    let (_, said) = erin.fails(&["deliveries", "retry", first_id(&listed)]);
    assert!(said.contains("can be retried"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_members_are_managed_through_the_server() {
    let world = world().await;
    let erin = Person::new();
    erin.log_in(&world);
    let key = erin.sees(&["keys", "create", "dbt", "--space", "data"]);
    assert!(key.starts_with("ack_") && key.lines().count() == 1, "{key}");
    erin.sees(&["keys", "revoke", first_id(&erin.sees(&["keys", "list"]))]);
    assert!(!erin.sees(&["keys", "list"]).contains("dbt"));
    let invited = erin.sees(&["members", "set", "new@example.com", "--role", "viewer"]);
    assert!(
        invited.contains("/console/invitation#acinvite_"),
        "{invited}"
    );
    world.command(&["user", "add", "bob@example.com", "--name", "Bob"]);
    let set = erin.sees(&["members", "set", "bob@example.com", "--role", "editor"]);
    assert!(set.contains("Bob") && set.contains("editor"), "{set}");
    assert!(erin.sees(&["members", "list"]).contains("bob@example.com"));
    erin.sees(&["members", "remove", "bob@example.com"]);
    assert!(!erin.sees(&["members", "list"]).contains("bob@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_wrong_is_told_apart() {
    let world = world().await;
    let erin = Person::new();
    let login = |server: &str, secret: &str| {
        let output = erin.types(&["login", "--server", server, "--token-stdin"], secret);
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let secure = world.server.base.replace("http://", "https://");
    let inbox = world.receiver.replace("https://", "http://");
    for (server, secret, status, says) in [
        (
            "alerts.example.com",
            "x",
            2,
            "must start with https:// or http://",
        ),
        ("http://127.0.0.1:1", "x", 4, "can't be reached"),
        (&secure, "x", 4, "that port speaks http"),
        (&inbox, "x", 4, "can't be reached"),
        (
            &world.server.base,
            "acs_wrong",
            1,
            "does not know the token",
        ),
    ] {
        let (got, said) = login(server, secret);
        assert!(
            got == status && said.contains(says),
            "{server}: {got} {said}"
        );
        assert!(!said.contains("acs_wrong"), "{said}");
    }
    let (status, said) = login(&world.server.base, "\n");
    assert!(status == 1 && said.contains("the token is empty"), "{said}");
    erin.log_in(&world);
    // The token of one server is not shown to another.
    let elsewhere = erin.fails(&["whoami", "--server", "http://127.0.0.1:1"]);
    assert_eq!(elsewhere.0, 2);
    // A session that has ended says so.
    let kept = erin.home.path().join("alert-connectors/login.toml");
    let text = fs::read_to_string(&kept).unwrap();
    let mut login: toml::Table = text.parse().unwrap();
    login.insert("expires_at".into(), "2020-01-01T00:00:00Z".into());
    login.insert("token".into(), "acs_gone".into());
    fs::write(&kept, login.to_string()).unwrap();
    let (status, said) = erin.fails(&["alerts", "list"]);
    assert!(
        status == 1 && said.contains("the session ended at 2020"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_kept_with_a_space_that_it_may_send_to() {
    let world = world().await;
    world.command(&["space", "add", "sales", "--name", "Sales"]);
    let erin = Person::new();
    erin.log_in(&world);
    let key = erin.sees(&["keys", "create", "dbt", "--space", "data"]);
    let of_producer = Person::new();
    let login = |space: &str| {
        let login = ["login", "--server", &world.server.base, "--token-stdin"];
        of_producer.types(&[&login[..], &["--space", space]].concat(), &key)
    };
    let refused = login("sales");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        refused.status.code() == Some(1) && said.contains("may not send to the space sales"),
        "{said}"
    );
    assert_eq!(of_producer.fails(&ALERT).0, 2);
    assert!(login("data").status.success());
    of_producer.sees(&ALERT);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_status_of_send_says_how_far_an_alert_came() {
    let world = world().await;
    let erin = Person::new();
    erin.log_in(&world);
    let unheard = erin.types(&ALERT, "");
    assert!(unheard.status.success());
    let said = String::from_utf8(unheard.stderr).unwrap();
    assert!(said.contains("no connector of the space matches"), "{said}");
    let (status, said) = erin.fails(&[&ALERT[..], &["--wait"]].concat());
    assert!(status == 3 && said.contains("no connector"), "{said}");

    world
        .connect_for("/services/a", "#data", &serde_json::json!([]))
        .await;
    let heard = String::from_utf8(erin.types(&ALERT, "").stderr).unwrap();
    assert!(heard.contains("queued for #data"), "{heard}");
    let (status, said) = erin.fails(&["send", "--type", "B A D", "--severity", "worst", "x"]);
    assert!(status == 1 && said.contains("severity"), "{said}");
    assert_eq!(erin.fails(&["send", "x"]).0, 2);
    let refused = Behaviour {
        row: Some("slack:no_service".to_owned()),
        ..Behaviour::default()
    };
    world.inbox.behave("/services/a", refused);
    let late = [&ALERT[..], &["--wait", "--timeout", "500ms"]].concat();
    let (status, said) = erin.fails(&late);
    assert!(
        status == 3 && said.contains("still pending for #data"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_standard_input_are_sent_and_the_bad_ones_named() {
    let world = world().await;
    let erin = Person::new();
    erin.log_in(&world);
    let line =
        |title: &str| format!(r#"{{"alert_type": "a", "severity": "low", "title": "{title}"}}"#);
    let lines = format!("{}\n[{}, {}]\n", line("one"), line("two"), line("three"));
    let output = erin.types(&["send", "-"], &lines);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3);
    let output = erin.types(&["send", "-"], &format!("{}\n{{}}\n", line("four")));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("alert 2 is refused") && said.contains("1 of 2"),
        "{said}"
    );
    assert!(said.contains("hint: title is required"), "{said}");
    // As Python writes it, and Windows begins a file.
    let odd = format!(
        "\u{feff}{}",
        line("NaN rows").replace('}', r#", "fields": {"rows": NaN}}"#)
    );
    assert!(erin.types(&["send", "-"], &odd).status.success());
    for nonsense in ["", "nonsense", "{"] {
        assert_eq!(
            erin.types(&["send", "-"], nonsense).status.code(),
            Some(2),
            "{nonsense}"
        );
    }
    // The same key stores once.
    let keyed = ["send", "-", "--idempotency-key", "night-1"];
    for _ in 0..2 {
        assert!(erin.types(&keyed, &line("five")).status.success());
    }
    let listed = erin.sees(&["alerts", "list"]);
    assert_eq!(listed.matches("five").count(), 1, "{listed}");
    assert_eq!(listed.lines().count(), 7, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_completes_commands_spaces_and_connectors() {
    let world = world().await;
    world
        .connect_for("/services/a", "#data quality", &serde_json::json!([]))
        .await;
    let erin = Person::new();
    let completes = |words: &[&str]| {
        let output = Command::new(PROGRAM)
            .args([&["--", "alert-connectors"], words].concat())
            .env("_ALERT_CONNECTORS_COMPLETE", "fish")
            .env("XDG_CONFIG_HOME", erin.home.path())
            .output()
            .unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(completes(&["deliv"]).contains("deliveries"));
    // Nobody has logged in, and nothing is said while somebody types.
    assert!(!completes(&["connectors", "test", ""]).contains("#data quality"));
    erin.log_in(&world);
    assert!(completes(&["connectors", "test", ""]).contains("#data quality"));
    assert!(completes(&["alerts", "list", "--space", ""]).contains("data"));
    assert!(completes(&["keys", "create", "k", "--space", ""]).contains("data"));
    // The words of options need no server.
    for (words, word) in [
        (["alerts", "list", "--status", ""], "resolved"),
        (["alerts", "tail", "--severity", ""], "critical"),
        (["deliveries", "list", "--state", ""], "pending"),
        (["members", "set", "--role", ""], "viewer"),
    ] {
        assert!(completes(&words).contains(word), "{words:?}");
    }
    let of_another = ["connectors", "test", "--space", "other", ""];
    assert!(!completes(&of_another).contains("#data quality"));
    let script = erin.sees(&["completions", "bash"]);
    assert!(script.contains("_ALERT_CONNECTORS_COMPLETE"), "{script}");
    // So Bash quotes names.
    assert!(script.contains("-o filenames"), "{script}");
    let pages = erin.home.path().join("man");
    erin.sees(&["man", &pages.display().to_string()]);
    let page = fs::read_to_string(pages.join("alert-connectors-send.1")).unwrap();
    assert!(page.contains("idempotency"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_prints_all_that_came_however_short_its_pages_are() {
    let world = world().await;
    let erin = Person::new();
    erin.log_in(&world);
    let line = |title| format!(r#"{{"alert_type": "a", "severity": "low", "title": "{title}"}}"#);
    let three = ["one", "two", "three"].map(line).join("\n");
    assert!(erin.types(&["send", "-"], &three).status.success());
    let mut tail = Command::new(PROGRAM)
        .args([
            "alerts",
            "tail",
            "--limit",
            "1",
            "--since",
            "2020-01-01T00:00:00Z",
        ])
        .env_remove("ALERT_CONNECTORS_TOKEN")
        .env("XDG_CONFIG_HOME", erin.home.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let printed: Vec<String> = lines.take(3).map(Result::unwrap).collect();
    tail.kill().unwrap();
    tail.wait().unwrap();
    for (line, title) in printed.iter().zip(["one", "two", "three"]) {
        assert!(line.ends_with(title), "{printed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_space_of_a_login_is_not_looked_for_on_another_server() {
    let world = world().await;
    let erin = Person::new();
    erin.log_in(&world);
    let output = Command::new(PROGRAM)
        .args(["alerts", "list", "--server", "http://127.0.0.1:1"])
        .env("ALERT_CONNECTORS_TOKEN", &world.token)
        .env("XDG_CONFIG_HOME", erin.home.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("name the space with --space"), "{said}");
}
