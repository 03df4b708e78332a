//! The events of a space, as a client sees them that follows them.

use std::{collections::BTreeSet, time::Duration};

use alert_connectors_inbox::Behaviour;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// Nothing is awaited for longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// One event: its id, its name and its data.
type Event = (String, String, Value);

/// A stream that is followed.
pub(crate) struct Stream {
    response: Response,
    unread: String,
}

impl Stream {
    /// Follows the events of the space `data`, from the event after `last`.
    pub(crate) async fn open(world: &World, base: &str, token: &str, last: Option<&str>) -> Self {
        let request = world.client.get(format!("{base}/spaces/data/events"));
        let mut request = request.header("authorization", format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self {
            response,
            unread: String::new(),
        };
        // The stream has begun: whatever happens from here on is in it.
        assert_eq!(stream.record().await.unwrap(), "retry: 1000");
        stream
    }

    async fn of(world: &World) -> Self {
        Self::open(world, &world.server.base, &world.token, None).await
    }

    /// The next record, up to an empty line; `None` once the stream has ended.
    async fn record(&mut self) -> Option<String> {
        loop {
            if let Some((record, rest)) = self.unread.split_once("\n\n") {
                let (record, rest) = (record.to_owned(), rest.to_owned());
                self.unread = rest;
                return Some(record);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk());
            let chunk = chunk.await.expect("the stream goes on or ends").unwrap()?;
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event; heartbeats are none.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let record = self.record().await?;
            if record == "event: heartbeat\ndata: {}" {
                continue;
            }
            let lines: Vec<_> = record
                .lines()
                .map(|line| line.split_once(": ").unwrap())
                .collect();
            let [("id", id), ("event", name), ("data", data)] = lines[..] else {
                unreachable!("{record}")
            };
            let data = serde_json::from_str(data).unwrap();
            return Some((id.to_owned(), name.to_owned(), data));
        }
    }

    /// Reads events until one is as wanted.
    pub(crate) async fn until(&mut self, is_wanted: impl Fn(&str, &Value) -> bool) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if is_wanted(&event.1, &event.2) {
                return event;
            }
        }
    }

    async fn ended(&mut self) {
        while self.next().await.is_some() {}
    }
}

async fn post(world: &World, title: &str) -> String {
    let alert = json!({"alert_type": "a", "severity": "high", "title": title});
    let posted = world.post("/spaces/data/alerts", &alert).await;
    assert_eq!(posted.status, 202, "{}", posted.text);
    posted.body["id"].as_str().unwrap().to_owned()
}

fn is_delivery<'e>(connector: &'e str, state: &'e str) -> impl Fn(&str, &Value) -> bool + 'e {
    move |name, data| {
        name == "delivery" && data["connector_id"] == connector && data["state"] == state
    }
}

fn is_health<'e>(connector: &'e str, state: &'e str) -> impl Fn(&str, &Value) -> bool + 'e {
    move |name, data| {
        name == "health" && data["connector_id"] == connector && data["state"] == state
    }
}

#[tokio::test]
async fn whatever_happens_in_a_space_is_seen_by_who_follows_it() {
    let world = World::start().await;
    let mut stream = Stream::of(&world).await;
    let connector = world.connect("/services/a").await;
    let made = stream
        .until(|name, data| name == "connector" && data["id"] == *connector)
        .await;
    assert_eq!(made.2, json!({"id": connector}));
    let alert = post(&world, "the stream carries no titles").await;
    stream
        .until(|name, data| name == "alert" && *data == json!({"id": alert}))
        .await;
    let delivered = stream.until(is_delivery(&connector, "delivered")).await;
    let shown = world
        .get(&format!("/spaces/data/alerts/{alert}"))
        .await
        .body;
    let expected = json!({"id": shown["deliveries"][0]["id"], "connector_id": connector, "state": "delivered"});
    assert_eq!(delivered.2, expected);
    world.inbox.behave(
        "/services/a",
        Behaviour {
            row: Some("slack:no_service".to_owned()),
            ..Behaviour::default()
        },
    );
    post(&world, "b").await;
    stream.until(is_health(&connector, "blocked")).await;
    let path = format!("/spaces/data/alert-connectors/{connector}");
    let off = world
        .ask(Method::PATCH, &path, Some(&json!({"is_active": false})))
        .await;
    assert_eq!(off.status, 200);
    stream.until(is_health(&connector, "paused")).await;
    world.inbox.behave_normally("/services/a");
    let on = world
        .ask(Method::PATCH, &path, Some(&json!({"is_active": true})))
        .await;
    assert_eq!(on.status, 200);
    post(&world, "c").await;
    stream.until(is_delivery(&connector, "delivered")).await;
    let gone = world.ask(Method::DELETE, &path, None).await;
    assert_eq!(gone.status, 204);
    stream
        .until(|name, data| name == "connector" && data["id"] == *connector)
        .await;
}

#[tokio::test]
async fn a_stream_that_broke_goes_on_after_the_last_event() {
    let world = World::start().await;
    let mut stream = Stream::of(&world).await;
    let first = post(&world, "a").await;
    let (last, ..) = stream
        .until(|name, data| name == "alert" && data["id"] == *first)
        .await;
    drop(stream);
    let missed = [post(&world, "b").await, post(&world, "c").await];
    let base = &world.server.base;
    let mut stream = Stream::open(&world, base, &world.token, Some(&last)).await;
    let mut seen = BTreeSet::new();
    while seen.len() < missed.len() {
        let (_, _, data) = stream.until(|name, _| name == "alert").await;
        seen.insert(data["id"].as_str().unwrap().to_owned());
    }
    assert!(missed.iter().all(|id| seen.contains(id)));
    for unknown in ["1-2-3", "nonsense"] {
        let mut stream = Stream::open(&world, base, &world.token, Some(unknown)).await;
        assert_eq!(stream.next().await.unwrap().1, "resync");
    }
}

/// An operator is no member of a space whose membership could end with it.
#[tokio::test]
async fn a_stream_of_an_operator_ends_with_its_space() {
    let world = World::start().await;
    let mut stream = Stream::of(&world).await;
    let removed = world.ask(Method::DELETE, "/spaces/data", None).await;
    assert_eq!(removed.status, 204);
    stream.ended().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_access_and_with_the_server() {
    let world = World::start().await;
    world.command(&["user", "add", "bob@example.com", "--name", "Bob"]);
    world.command(&[
        "member",
        "set",
        "data",
        "bob@example.com",
        "--role",
        "viewer",
    ]);
    let base = &world.server.base;
    let issue = || world.command(&["token", "issue", "bob@example.com"]);
    let (first, second) = (issue(), issue());
    let mut signed_out = Stream::open(&world, base, &first, None).await;
    let mut removed = Stream::open(&world, base, &second, None).await;
    let mut kept = Stream::of(&world).await;
    let bearer = format!("Bearer {first}");
    let answer = world
        .ask_as(&bearer, Method::POST, "/auth/logout", None)
        .await;
    assert_eq!(answer.status, 204);
    signed_out.ended().await;
    let alert = post(&world, "a").await;
    for stream in [&mut removed, &mut kept] {
        stream
            .until(|name, data| name == "alert" && data["id"] == *alert)
            .await;
    }
    let path = "/spaces/data/members/bob@example.com";
    assert_eq!(world.ask(Method::DELETE, path, None).await.status, 204);
    removed.ended().await;
    let pid = world.server.child.id().to_string();
    std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .unwrap();
    kept.ended().await;
}
