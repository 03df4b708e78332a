//! dbt itself: a test that fails arrives, and the next run ends it.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::world::World;

const PROJECT: &str = "name: shop\nversion: '1.0'\nprofile: shop\n";
const TESTS: &str = "models:\n  - name: orders\n    columns:\n      - name: id\n        data_tests: [unique, not_null]\n";

/// A model of which one test fails.
pub(crate) const FAILING: &str = "select 1 as id union all select null";

/// Makes a project with one model and two tests of it.
pub(crate) fn make_project(path: &Path, model: &str) {
    fs::create_dir(path.join("models")).unwrap();
    let profile = format!(
        "shop:\n  target: dev\n  outputs:\n    dev: {{type: duckdb, path: {}}}\n",
        path.join("shop.duckdb").display()
    );
    for (name, text) in [
        ("dbt_project.yml", PROJECT),
        ("profiles.yml", &profile),
        ("models/tests.yml", TESTS),
        ("models/orders.sql", model),
    ] {
        fs::write(path.join(name), text).unwrap();
    }
}

/// Runs everything with this model, and returns the artifacts.
fn build(project: &Path, model: &str) -> Value {
    fs::write(project.join("models/orders.sql"), model).unwrap();
    let program = std::env::var_os("DBT");
    let program = program.expect("DBT names the program; `cargo xtask test` installs it by itself");
    let output = Command::new(program)
        .args(["--quiet", "build", "--profiles-dir", "."])
        .current_dir(project)
        .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        .output()
        .unwrap();
    let artifact = |name: &str| -> Value {
        let text = fs::read_to_string(project.join("target").join(name));
        let text = text.unwrap_or_else(|error| unreachable!("{error}: {output:?}"));
        serde_json::from_str(&text).unwrap()
    };
    json!({"run_results": artifact("run_results.json"), "manifest": artifact("manifest.json")})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_fails_arrives_and_the_next_run_ends_it() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let project = tempfile::tempdir().unwrap();
    make_project(project.path(), FAILING);
    let send = async |model: &str| {
        let artifacts = build(project.path(), model);
        let answer = world.post("/spaces/data/ingest/dbt", &artifacts).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    };
    let failed = send(FAILING).await;
    assert_eq!(
        (&failed["accepted"], &failed["ignored"]),
        (&json!(1), &json!(2)),
        "{failed}"
    );
    let id = failed["alerts"][0].as_str().unwrap();
    let seen = world.settled(id, "delivered").await;
    assert_eq!(
        seen["title"],
        "not_null_orders_id: Got 1 result, configured to fail if != 0"
    );
    assert_eq!(
        (&seen["alert_type"], &seen["severity"]),
        (&json!("dbt_test"), &json!("high"))
    );
    assert!(
        seen["description"]
            .as_str()
            .unwrap()
            .contains("where id is null")
    );

    let mended = send("select 1 as id").await;
    assert_eq!(
        (&mended["resolved"], &mended["ignored"]),
        (&json!(1), &json!(2)),
        "{mended}"
    );
    assert_eq!(mended["alerts"][0], id);
    let seen = world.get(&format!("/spaces/data/alerts/{id}")).await.body;
    assert_eq!(seen["status"], "resolved");
    world.arrived(2).await;
}
