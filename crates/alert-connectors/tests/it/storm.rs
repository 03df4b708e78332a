//! A storm at the usual pace: digests, everything accounted for, a restart in the middle.

use serde_json::{Value, json};

use crate::world::{World, until};

const PACE: [(&str, &str); 1] = [("ALERT_CONNECTORS_RATE", "slack=1/50ms,burst=2,teams=1/1s")];

async fn storm(world: &World, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for part in 0..count / 500 {
        let alert = |at: usize| {
            let severity = if at == 77 { "critical" } else { "low" };
            json!({"alert_type": "a", "severity": severity, "title": format!("t{at}"), "url": format!("https://data.example.com/{at}")})
        };
        let alerts: Vec<_> = (part * 500..(part + 1) * 500).map(alert).collect();
        let answer = world
            .post("/spaces/data/alerts/batch", &Value::from(alerts))
            .await;
        let results = answer.body["results"].as_array().unwrap().clone();
        ids.extend(
            results
                .iter()
                .map(|one| one["alert"]["id"].as_str().unwrap().to_owned()),
        );
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_arrives_in_a_few_digests_and_every_delivery_points_to_its_attempt() {
    let mut world = World::start_with(&PACE).await;
    let connector = world.connect("/services/a").await;
    let ids = storm(&world, 3_000).await;
    world.restart("-TERM");
    let list = format!("/spaces/data/alert-connectors/{connector}/deliveries?state=delivered");
    world.settled(ids.last().unwrap(), "delivered").await;
    let (mut delivered, mut cursor) = (0, String::new());
    loop {
        let page = world.get(&format!("{list}&limit=200{cursor}")).await.body;
        delivered += page["items"].as_array().unwrap().len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(delivered, 3_000);
    let texts = world.texts("/services/a");
    assert!(texts.len() <= 20, "{} messages", texts.len());
    let carried: usize = texts.iter().map(|text| size_of(text)).sum();
    assert_eq!(carried, 3_000, "nothing twice and nothing lost");
    let worst = texts
        .iter()
        .find(|text| text.contains("*CRITICAL*"))
        .unwrap();
    assert!(worst.contains("t77"), "{worst}");
    let alert = world
        .get(&format!("/spaces/data/alerts/{}", ids[1_500]))
        .await
        .body;
    let id = alert["deliveries"][0]["id"].as_str().unwrap();
    let delivery = world
        .get(&format!("/spaces/data/deliveries/{id}"))
        .await
        .body;
    let attempt = &delivery["attempts"][0];
    assert!(attempt["digest_size"].as_u64().unwrap() > 1, "{delivery}");
    // Its message is the digest, as it arrived.
    let message = world
        .get(&format!("/spaces/data/deliveries/{id}/message"))
        .await
        .body;
    assert_eq!(message["digest_size"], attempt["digest_size"]);
    let arrived = texts.iter().map(|text| serde_json::from_str::<Value>(text));
    let mut arrived = arrived.map(Result::unwrap);
    assert!(arrived.any(|text| text == message["payload"]), "{message}");
}

/// How many alerts a message tells of.
fn size_of(text: &str) -> usize {
    let message: Value = serde_json::from_str(text).unwrap();
    let first_line = message["text"].as_str().unwrap();
    let digits = first_line
        .trim_start_matches('*')
        .split(' ')
        .next()
        .unwrap();
    digits.parse().unwrap_or(1)
}

#[tokio::test]
async fn the_channel_is_asked_no_sooner_than_it_said_after_a_restart_too() {
    let mut world = World::start().await;
    let connector = world.connect("/services/a").await;
    world.inbox.behave(
        "/services/a",
        alert_connectors_inbox::Behaviour {
            row: Some("slack:rate_limited".to_owned()),
            headers: [("retry-after".to_owned(), "900".to_owned())].into(),
            times: Some(1),
            ..alert_connectors_inbox::Behaviour::default()
        },
    );
    let alert = json!({"alert_type": "a", "severity": "high", "title": "t"});
    world.post("/spaces/data/alerts", &alert).await;
    let health = format!("/spaces/data/alert-connectors/{connector}/health");
    let waits = async || world.get(&health).await.body;
    until(waits, |health| !health["next_attempt_at"].is_null()).await;
    world.restart("-KILL");
    world.post("/spaces/data/alerts", &alert).await;
    let test = world
        .post(
            &format!("/spaces/data/alert-connectors/{connector}/test"),
            &json!({}),
        )
        .await;
    assert_eq!(
        (&test.body["success"], &test.body["status_code"]),
        (&json!(false), &json!(429))
    );
    let health = world.get(&health).await.body;
    assert_eq!(
        (&health["queue_depth"], &health["consecutive_failures"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(world.inbox.count(), 1);
}
