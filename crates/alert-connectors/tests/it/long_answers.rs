//! Answers that are long, and callers who don't read them.

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::world::{World, until};

const PAGE: &str = "/spaces/data/alerts?limit=200";

/// A dozen alerts as long as they may be: 700 kB each.
async fn long_alerts(world: &World) -> Vec<Value> {
    let value = "\u{1F600}".repeat(4_000);
    let field = |number| json!({"name": format!("n{number}"), "value": value});
    let fields: Vec<_> = (0..40).map(field).collect();
    let mut ids = Vec::new();
    for number in 0..12 {
        let alert = json!({"alert_type": "a", "severity": "high", "title": number.to_string(), "fields": fields});
        let posted = world.post("/spaces/data/alerts", &alert).await;
        assert_eq!(posted.status, 202, "{}", posted.text);
        ids.push(posted.body["id"].clone());
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_long_alerts_ends_before_its_limit_and_the_next_goes_on() {
    let world = World::start().await;
    let mut posted = long_alerts(&world).await;
    posted.reverse();
    let (mut listed, mut pages, mut path) = (Vec::new(), 0, PAGE.to_owned());
    loop {
        let page = world.get(&path).await;
        assert!(page.text.len() < 8 * 1_024 * 1_024, "{}", page.text.len());
        let items = page.body["items"].as_array().unwrap();
        listed.extend(items.iter().map(|one| one["id"].clone()));
        pages += 1;
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("{PAGE}&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(listed, posted);
    assert!(pages > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_leave_room_for_short_ones() {
    let world = World::start().await;
    long_alerts(&world).await;
    let address = world.server.base.strip_prefix("http://").unwrap();
    let mut unread = Vec::new();
    for _ in 0..12 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET {PAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
            world.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        unread.push(stream);
    }
    let full = until(
        async || world.get(PAGE).await,
        |answer| answer.status.as_u16() == 503,
    );
    let full = full.await;
    assert!(full.body["detail"].as_str().unwrap().contains("repeat"));
    assert_eq!(world.get("/spaces/data/alerts?limit=1").await.status, 200);
    assert_eq!(world.get("/auth/me").await.status, 200);
    drop(unread);
    let again = until(
        async || world.get(PAGE).await.status.as_u16(),
        |status| *status == 200,
    );
    again.await;
}
