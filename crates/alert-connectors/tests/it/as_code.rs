//! Connectors as code: `apply` gives spaces what files name, and `export` writes such files.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::world::{PROGRAM, World};

/// Runs a command in the world's folder, with the webhook URLs in the environment.
fn run(world: &World, arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(arguments)
        .args(["--server", &world.server.base])
        .current_dir(world.folder.path())
        .env("ALERT_CONNECTORS_TOKEN", &world.token)
        .env("A_URL", format!("{}/services/a", world.receiver))
        .env("TOKEN_OF_B", "services/b")
        .output()
        .unwrap()
}

/// The exit status of a command, what it prints and what it says.
fn ends(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let output = run(world, arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

async fn names(world: &World, space: &str) -> Vec<String> {
    let path = format!("/spaces/{space}/alert-connectors");
    let all = world.get(&path).await.body;
    let all = all.as_array().unwrap().iter();
    all.map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

fn write(world: &World, name: &str, text: &str) {
    fs::write(world.folder.path().join(name), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_makes_what_files_name_and_nothing_twice() {
    let world = World::start().await;
    world.command(&["space", "add", "sales", "--name", "Sales"]);
    world.command(&[
        "member",
        "set",
        "sales",
        "alice@example.com",
        "--role",
        "admin",
    ]);
    world.connect_for("/services/old", "#old", &json!([])).await;
    write(&world, "c.txt", &format!("{}/services/c\n", world.receiver));
    write(
        &world,
        "data.yaml",
        &format!(
            "spaces:\n  data:\n    connectors:\n      - name: '#a'\n        connector_type: slack\n        webhook_url: ${{A_URL}}\n        \
         severity_filter: [critical, high]\n      - name: '#b'\n        connector_type: slack\n        webhook_url: {}/${{TOKEN_OF_B}}\n        alert_type_filter: [dbt]\n",
            world.receiver
        ),
    );
    write(
        &world,
        "sales.toml",
        "[[spaces.sales.connectors]]\nname = '#c'\nconnector_type = 'slack'\nwebhook_url = {file = 'c.txt'}\nseverity_filter = []\n",
    );
    let both = ["apply", "-f", "data.yaml", "-f", "sales.toml"];

    let (status, printed, _) = ends(&world, &[&both[..], &["--dry-run"]].concat());
    assert_eq!(status, 2);
    let expected = "data: create #a\ndata: create #b\ndata: keep #old, which no file names (--prune deletes it)\nsales: create #c\n";
    assert_eq!(printed, expected);
    assert_eq!(names(&world, "data").await, ["#old"]);

    assert_eq!(ends(&world, &both).0, 0);
    assert_eq!(names(&world, "data").await, ["#old", "#a", "#b"]);
    assert_eq!(names(&world, "sales").await, ["#c"]);
    let (status, _, said) = ends(&world, &[&both[..], &["--dry-run"]].concat());
    assert!(status == 0 && said.contains("nothing to change"), "{said}");

    // What differs is said, and no URL.
    let text = fs::read_to_string(world.folder.path().join("data.yaml")).unwrap();
    let text = text
        .replace("[critical, high]", "[]")
        .replace("${TOKEN_OF_B}", "services/elsewhere");
    write(&world, "data.yaml", &text);
    let (status, printed, said) = ends(&world, &["apply", "-f", "data.yaml", "--prune"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(
        printed,
        "data: change #a: severity_filter becomes all\ndata: change #b: another webhook_url\ndata: delete #old\n"
    );
    assert!(
        !format!("{printed}{said}").contains("services/"),
        "{printed}{said}"
    );
    assert!(said.contains("webhook_url stands in the file"), "{said}");
    assert_eq!(names(&world, "data").await, ["#a", "#b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_files_is_said_at_once_and_nothing_is_changed() {
    let world = World::start().await;
    write(
        &world,
        "bad.yaml",
        "spaces:\n  data:\n    connectors:\n      - name: '#a'\n        connector_type: irc\n        webhook_url: ${NOT_SET}\n      \
         - name: '#a'\n        connector_type: slack\n        webhook_url: {file: missing.txt}\n        colour: red\n      \
         - {connector_type: teams, webhook_url: '${A_URL}', severity_filter: [worst]}\n  'B A D': {connectors: []}\n  nowhere-at-all: {connectors: []}\nmore: 1\n",
    );
    write(
        &world,
        "broken.yaml",
        "spaces: {data: {connectors: [{webhook_url: https://hooks.slack.com/services/T/B/secret\n",
    );
    write(&world, "broken.toml", "[spaces\n");
    write(
        &world,
        "twice.yaml",
        "spaces: {data: {connectors: [{name: '#late', connector_type: irc, webhook_url: '${A_URL}'}]}}\n",
    );
    let (status, printed, said) = ends(
        &world,
        &[
            "apply",
            "-f",
            "bad.yaml",
            "-f",
            "broken.yaml",
            "-f",
            "broken.toml",
            "-f",
            "twice.yaml",
            "-f",
            "nowhere.yaml",
        ],
    );
    assert_eq!((status, printed.as_str()), (2, ""), "{said}");
    for words in [
        "there is no more; the names are spaces",
        "spaces.data.connectors.0 (#a): webhook_url: the environment has no NOT_SET",
        "spaces.data.connectors.0 (#a): connector_type must be one of",
        "spaces.data.connectors.1 (#a): the name appears twice",
        "missing.txt",
        "there is no colour",
        "spaces.data.connectors.2: name is required",
        "severity_filter",
        "spaces.B A D: A slug has",
        "broken.yaml: the file is not valid YAML: ",
        "broken.toml: line 1 is not valid TOML: ",
        "spaces.data: the space appears twice",
        "spaces.data.connectors.0 (#late): connector_type must be one of",
        "nowhere.yaml: No such file",
        "the space nowhere-at-all: ",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert!(!said.contains("T/B/secret"), "{said}");
    assert_eq!(names(&world, "data").await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_export_writes_changes_nothing_when_it_is_applied() {
    let world = World::start().await;
    world
        .connect_for("/services/a", "#data-a", &json!(["low"]))
        .await;
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/connectors.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for format in ["yaml", "toml"] {
        let (status, written, said) =
            ends(&world, &["export", "--space", "data", "--format", format]);
        assert!(
            status == 0 && said.contains("set WEBHOOK_DATA_DATA_A"),
            "{said}"
        );
        assert!(!written.contains(&world.receiver), "{written}");
        let name = format!("exported.{format}");
        write(
            &world,
            &name,
            &written.replace("WEBHOOK_DATA_DATA_A", "A_URL"),
        );
        let (status, _, said) = ends(&world, &["apply", "-f", &name, "--dry-run", "--prune"]);
        assert!(status == 0 && said.contains("nothing to change"), "{said}");
        let as_json = ends(&world, &["export", "--space", "data", "--json"]).1;
        let document: Value = serde_json::from_str(&as_json).unwrap();
        assert!(schema.is_valid(&document), "{document}");
    }
    world
        .connect_for("/services/b", "#data-a", &json!(["low"]))
        .await;
    let said = ends(&world, &["export", "--space", "data"]).2;
    assert!(
        said.contains("several connectors are called #data-a"),
        "{said}"
    );
    let wrong = json!({"spaces": {"data": {"connectors": [{"name": "a", "connector_type": "irc", "webhook_url": "${A}"}]}}});
    assert!(!schema.is_valid(&wrong));
}

/// A viewer sees no whole URL.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_viewer_can_not_see_is_no_change() {
    let mut world = World::start().await;
    world.connect_for("/services/a", "#a", &json!([])).await;
    write(
        &world,
        "data.yaml",
        "spaces: {data: {connectors: [{name: '#a', connector_type: slack, webhook_url: '${A_URL}', severity_filter: []}]}}",
    );
    let ann = "ann@example.com";
    world.command(&["user", "add", ann, "--name", "Ann"]);
    world.command(&["member", "set", "data", ann, "--role", "viewer"]);
    world.token = world.command(&["token", "issue", ann]);
    let (status, _, said) = ends(&world, &["apply", "-f", "data.yaml", "--dry-run"]);
    assert!(
        status == 0
            && said.contains("nothing to change")
            && said.contains("you may not see its webhook URLs"),
        "{status} {said}"
    );
}
