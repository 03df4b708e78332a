//! The example runs: the platform's routes and those of Alert Connectors live side by side, and both end with the platform.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use reqwest::{Client, StatusCode, redirect::Policy};

/// The platform, killed at the end of a test that fails.
struct Platform(Child);

impl Drop for Platform {
    fn drop(&mut self) {
        drop(self.0.kill());
    }
}

#[tokio::test]
async fn the_platform_answers_under_both_and_stops_when_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_embedded"))
        .arg("127.0.0.1:0")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let mut platform = Platform(child);
    let mut base = String::new();
    BufReader::new(output).read_line(&mut base).unwrap();
    let base = base.trim_end();

    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder().redirect(Policy::none()).no_proxy();
    let client = client.build().unwrap();
    let text = async |path: &str| {
        let answer = client.get(format!("{base}{path}")).send().await.unwrap();
        answer.text().await.unwrap()
    };
    assert_eq!(text("/").await, "the platform's own page");
    assert_eq!(text("/nowhere").await, "the platform has no such page");

    let alerts = format!("{base}/notifications/spaces/data/alerts");
    let post = |user: &'static str| {
        let body = r#"{"alert_type":"dq_alert","severity":"high","title":"Orders are late"}"#;
        let request = client.post(&alerts).header("x-platform-user", user);
        request
            .header("content-type", "application/json")
            .body(body)
            .send()
    };
    let unknown = client.get(&alerts).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(post("grace").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(post("ada").await.unwrap().status(), StatusCode::ACCEPTED);
    let listed = client
        .get(&alerts)
        .header("x-platform-user", "grace")
        .send();
    let listed = listed.await.unwrap().text().await.unwrap();
    assert!(listed.contains("Orders are late"), "{listed}");
    assert!(listed.contains("The platform has started"), "{listed}");

    let pid = platform.0.id().to_string();
    assert!(Command::new("kill").arg(pid).status().unwrap().success());
    assert!(platform.0.wait().unwrap().success());
}
