//! Layouts by snapshot; limits and inertness by property.

use alert_connectors_model::Alert;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    Note,
    testing::{alert, any_alert, digest_of, freshness, hostile, markdown, storm},
};

const PAGE: &str = "https://alerts.example.com/spaces/s/alerts/1";

fn message(alert: &Alert, page: Option<&str>) -> (Value, Vec<Trim>) {
    let rendering = Slack.message(Shown::whole(alert, page));
    (
        serde_json::from_slice(&rendering.payload).unwrap(),
        rendering.trimmed,
    )
}

#[test]
fn an_alert_is_laid_out_for_a_phone_at_night() {
    insta::assert_json_snapshot!(message(&freshness(), Some(PAGE)));
}

#[test]
fn markdown_becomes_mrkdwn() {
    insta::assert_json_snapshot!(message(&markdown(), None));
}

#[test]
fn the_plain_form_is_text_alone() {
    let alert = freshness();
    let plain = Slack.plain(Shown::whole(&alert, Some(PAGE)));
    insta::assert_snapshot!(String::from_utf8(plain).unwrap());
}

#[test]
fn a_resolved_alert_is_green_and_says_so() {
    let mut alert = freshness();
    alert.status = AlertStatus::Resolved;
    let (message, _) = message(&alert, None);
    assert_eq!(message["attachments"][0]["color"], "#16A34A");
    assert!(
        message["text"]
            .as_str()
            .unwrap()
            .starts_with("*RESOLVED (critical)* <")
    );
}

#[test]
fn a_follow_up_is_short_and_says_what_became_of_it() {
    let mut alert = freshness();
    let short = |alert: &Alert, note| {
        let shown = Shown {
            note: Some(note),
            whole: false,
            ..Shown::whole(alert, Some(PAGE))
        };
        serde_json::from_slice::<Value>(&Slack.message(shown).payload).unwrap()
    };
    let raised = short(&alert, Note::Raised);
    assert!(
        raised["text"]
            .as_str()
            .unwrap()
            .starts_with("*RAISED TO CRITICAL* <")
    );
    alert.status = AlertStatus::Resolved;
    let after = std::time::Duration::from_mins(42);
    insta::assert_json_snapshot!(short(&alert, Note::Resolved(after)));
}

#[test]
fn a_storm_is_one_message_with_the_worst_first_and_the_tail_counted() {
    let alerts = storm(1_000);
    let digest = digest_of(&alerts, None, "Data");
    let message: Value = serde_json::from_slice(&Slack.digest(&digest)).unwrap();
    insta::assert_json_snapshot!(message);
}

#[test]
fn what_does_not_fit_is_cut_with_an_ellipsis_and_a_way_to_the_rest() {
    let long = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "description": "x".repeat(9_000),
        "url": "https://a.example/1", "fields": [{"name": "n", "value": "y".repeat(3_000)}]});
    let (message, trimmed) = message(&alert(&long.to_string()), None);
    let blocks = message["attachments"][0]["blocks"].as_array().unwrap();
    let description = blocks[0]["text"]["text"].as_str().unwrap();
    assert!(description.ends_with("x…"));
    assert_eq!(description.chars().count(), 2_798);
    assert_eq!(
        trimmed[0],
        Trim {
            field: "description".to_owned(),
            from: 9_000,
            to: 2_797
        }
    );
    assert_eq!(trimmed[1].field, "fields.0.value");
    assert_eq!(
        blocks.last().unwrap()["text"]["text"],
        "<https://a.example/1|Read the rest>"
    );
}

#[test]
fn ten_emoji_weigh_more_than_ten_letters() {
    let long = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "description": "🔥".repeat(2_000)});
    let (message, _) = message(&alert(&long.to_string()), None);
    let description = message["attachments"][0]["blocks"][0]["text"]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(description.len() <= SECTION_CHARS_MAX);
}

/// All text objects of a message with the place they stand in.
fn texts(message: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (index, block) in message["attachments"][0]["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let kind = block["type"].as_str().unwrap();
        let single = block.get("text").into_iter();
        let many = block
            .get("fields")
            .or(block.get("elements"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        found.extend(single.map(|text| (format!("{index} {kind} text"), text)));
        found.extend(many.map(|text| (format!("{index} {kind} item"), text)));
    }
    found
}

/// Every `<` must open one of the two tokens that we write, and nothing may follow inside but what we put there.
fn assert_no_live_token(text: &str) {
    for (at, _) in text.match_indices('<') {
        let token = text.split_at(at + 1).1.split('>').next().unwrap();
        let ours = token.starts_with("!date^")
            || token.starts_with("https://")
            || token.starts_with("http://");
        assert!(ours, "{token:?} in {text:?}");
        assert!(token.matches('|').count() <= 1, "{token:?}");
    }
}

fn assert_size(text: &str, max: usize) {
    assert!(!text.is_empty());
    assert!(
        Meter::of(text).size(text) <= max,
        "{} > {max}: {text:?}",
        Meter::of(text).size(text)
    );
}

/// Holds a message to every limit, and to naming nobody.
fn assert_sound(payload: &[u8]) {
    assert!(payload.len() <= BODY_BYTES_MAX);
    let message: Value = serde_json::from_slice(payload).unwrap();
    let attachment = &message["attachments"][0];
    assert_eq!(message["attachments"].as_array().unwrap().len(), 1);
    assert_eq!(attachment.as_object().unwrap().len(), 3);
    assert!(attachment["blocks"].as_array().unwrap().len() <= 20);
    assert_size(message["text"].as_str().unwrap(), TEXT_CHARS_MAX);
    assert_no_live_token(message["text"].as_str().unwrap());
    assert_no_live_token(attachment["fallback"].as_str().unwrap());
    let mut total = 0;
    for (place, object) in texts(&message) {
        let text = object["text"].as_str().unwrap();
        assert_size(text, if place.contains("item") { 2_000 } else { 3_000 });
        total += Meter::of(text).size(text);
        if object["type"] == "mrkdwn" {
            assert_eq!(object["verbatim"], Value::Bool(true));
            assert_no_live_token(text);
        } else {
            assert!(
                !["<!", "<@", "<#"].iter().any(|token| text.contains(token)),
                "{text}"
            );
        }
    }
    assert!(total <= MESSAGE_CHARS_MAX);
    for block in attachment["blocks"].as_array().unwrap() {
        let few = |fields: &Value| fields.as_array().unwrap().len() <= 10;
        assert!(block.get("fields").is_none_or(few));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_alert_breaks_a_limit_or_mentions_anyone(alert in any_alert(), page in prop::option::of(Just(PAGE))) {
        let rendering = Slack.message(Shown::whole(&alert, page));
        assert_sound(&rendering.payload);
        prop_assert_eq!(rendering, Slack.message(Shown::whole(&alert, page)));
    }

    #[test]
    fn no_mark_of_a_fact_is_read_as_formatting(alert in any_alert()) {
        let message: Value = serde_json::from_slice(&Slack.message(Shown::whole(&alert, None)).payload).unwrap();
        for (place, object) in texts(&message).into_iter().filter(|(place, _)| place.contains("section item")) {
            let text = object["text"].as_str().unwrap();
            let (name, value) = text.strip_prefix('*').and_then(|text| text.split_once("*\n")).expect(&place);
            for part in [name, value] {
                let around =
                    |at: usize| (part.split_at(at).0.chars().next_back(), part.split_at(at + 1).1.chars().next());
                for (at, mark) in part.match_indices(['*', '_', '~', '`']).filter(|_| !part.contains("https://")) {
                    let (before, after) = around(at);
                    let in_word = [before, after].iter().all(|c| c.is_some_and(|c| c.is_ascii_alphanumeric()));
                    prop_assert!(in_word && mark != "`", "{part:?}");
                }
            }
        }
    }

    #[test]
    fn the_plain_form_always_fits(alert in any_alert()) {
        let plain: Value = serde_json::from_slice(&Slack.plain(Shown::whole(&alert, Some(PAGE)))).unwrap();
        prop_assert_eq!(plain.as_object().unwrap().len(), 1);
        let text = plain["text"].as_str().unwrap();
        assert_size(text, TEXT_CHARS_MAX);
        assert_no_live_token(text);
    }
}

proptest! {
    // Each case is up to 45 alerts.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_digest_breaks_a_limit_or_mentions_anyone(alerts in prop::collection::vec(any_alert(), 1..45), page in prop::option::of(Just(PAGE)), space in hostile(5)) {
        assert_sound(&Slack.digest(&digest_of(&alerts, page, &space)));
    }
}
