//! Layouts by snapshot; limits and inertness by property.

use alert_connectors_model::Alert;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::testing::{alert, any_alert, digest_of, freshness, hostile, markdown, storm};

const PAGE: &str = "https://alerts.example.com/spaces/s/alerts/1";

fn message(alert: &Alert, page: Option<&str>) -> (Value, Vec<Trim>) {
    let rendering = Teams.message(Shown::whole(alert, page));
    (
        serde_json::from_slice(&rendering.payload).unwrap(),
        rendering.trimmed,
    )
}

#[test]
fn a_storm_is_one_card_with_the_worst_first_and_the_tail_counted() {
    let alerts = storm(1_000);
    let payload = Teams.digest(&digest_of(&alerts, Some(PAGE), "Data"));
    let message: Value = serde_json::from_slice(&payload).unwrap();
    insta::assert_json_snapshot!(message["attachments"][0]["content"]["body"]);
}

#[test]
fn a_follow_up_is_short_and_says_what_became_of_it() {
    let mut alert = freshness();
    alert.status = alert_connectors_model::AlertStatus::Resolved;
    let shown = Shown {
        note: Some(crate::Note::Resolved(std::time::Duration::from_mins(42))),
        whole: false,
        ..Shown::whole(&alert, Some(PAGE))
    };
    let message: Value = serde_json::from_slice(&Teams.message(shown).payload).unwrap();
    insta::assert_json_snapshot!(message["attachments"][0]["content"]["body"]);
}

#[test]
fn an_alert_is_laid_out_for_a_phone_at_night() {
    insta::assert_json_snapshot!(message(&freshness(), Some(PAGE)));
}

#[test]
fn markdown_becomes_text_runs() {
    insta::assert_json_snapshot!(message(&markdown(), None));
}

#[test]
fn the_plain_form_is_one_block() {
    let alert = freshness();
    let plain: Value =
        serde_json::from_slice(&Teams.plain(Shown::whole(&alert, Some(PAGE)))).unwrap();
    insta::assert_json_snapshot!(plain);
}

#[test]
fn each_severity_has_its_container_and_its_word() {
    for (severity, style, word) in [
        ("low", "accent", "🔵 LOW"),
        ("medium", "warning", "🟠 MEDIUM"),
        ("high", "attention", "🔴 HIGH"),
        ("critical", "attention", "🟣 CRITICAL"),
    ] {
        let json = format!(r#"{{"alert_type":"a","title":"t","severity":"{severity}"}}"#);
        let (message, _) = message(&alert(&json), None);
        let heading = &message["attachments"][0]["content"]["body"][0];
        assert_eq!(
            (&heading["style"], &heading["items"][0]["text"]),
            (&style.into(), &word.into())
        );
    }
}

#[test]
fn what_does_not_fit_is_cut_and_noted() {
    let fields: Vec<_> = (0..40)
        .map(|n| serde_json::json!({"name": n.to_string(), "value": "y".repeat(900)}))
        .collect();
    let long = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "fields": fields,
        "description": "x".repeat(9_000)});
    let (message, trimmed) = message(&alert(&long.to_string()), Some(PAGE));
    let card = &message["attachments"][0]["content"];
    assert_eq!(card["actions"][0]["title"], "Read the rest");
    let seen: Vec<_> = trimmed
        .iter()
        .map(|trim| (trim.field.as_str(), trim.from, trim.to))
        .collect();
    assert_eq!(seen[0], ("description", 9_000, 3_997));
    assert!(seen.contains(&("fields", 40, 12)));
}

/// Every text in which Markdown is read.
fn markdown_texts<'v>(element: &'v Value, found: &mut Vec<&'v str>) {
    match element["type"].as_str() {
        Some("TextBlock") => found.push(element["text"].as_str().unwrap()),
        Some("Container") => element["items"]
            .as_array()
            .unwrap()
            .iter()
            .for_each(|item| markdown_texts(item, found)),
        Some("FactSet") => {
            for fact in element["facts"].as_array().unwrap() {
                found.extend([
                    fact["title"].as_str().unwrap(),
                    fact["value"].as_str().unwrap(),
                ]);
            }
        }
        _ => {}
    }
}

fn assert_inert(text: &str) {
    let lower = text.to_ascii_lowercase();
    assert!(
        !lower.contains("<at") && !lower.contains("</at") && !text.contains("{{"),
        "{text:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_alert_breaks_a_limit_or_mentions_anyone(alert in any_alert(), page in prop::option::of(Just(PAGE))) {
        let rendering = Teams.message(Shown::whole(&alert, page));
        let message: Value = serde_json::from_slice(&rendering.payload).unwrap();
        let card = &message["attachments"][0]["content"];
        let start = rendering.payload.windows(11).position(|w| w == b"\"content\":{").unwrap() + 10;
        let text = std::str::from_utf8(&rendering.payload[start..rendering.payload.len() - 3]).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Value>(text).unwrap(), card);
        prop_assert!(weight(text) <= CARD_BYTES_MAX, "{}", weight(text));
        prop_assert!(card["actions"].as_array().is_none_or(|actions| actions.len() <= ACTIONS_MAX));
        assert_inert(text);
        assert_inert(message["summary"].as_str().unwrap());
        prop_assert!(card["msteams"].get("entities").is_none());
        prop_assert_eq!(rendering, Teams.message(Shown::whole(&alert, page)));
    }

    #[test]
    fn foreign_text_makes_no_markdown(alert in any_alert()) {
        let message: Value = serde_json::from_slice(&Teams.message(Shown::whole(&alert, None)).payload).unwrap();
        let mut texts = Vec::new();
        for element in message["attachments"][0]["content"]["body"].as_array().unwrap() {
            markdown_texts(element, &mut texts);
        }
        for text in texts {
            prop_assert!(!text.contains("](") && !text.contains("]:") && !text.contains("][") && !text.contains(":/"));
            let mut before = ' ';
            for letter in text.chars() {
                prop_assert!(!matches!(letter, '*' | '`' | '~') || before == '\\', "{}", text);
                // An escaped backslash escapes nothing.
                before = if before == '\\' && letter == '\\' { ' ' } else { letter };
            }
        }
    }

    #[test]
    fn the_plain_form_always_fits(alert in any_alert()) {
        let plain = Teams.plain(Shown::whole(&alert, None));
        prop_assert!(weight(std::str::from_utf8(&plain).unwrap()) <= CARD_BYTES_MAX);
        assert_inert(std::str::from_utf8(&plain).unwrap());
    }
}

proptest! {
    // Each case is up to 45 alerts.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_digest_breaks_a_limit_or_mentions_anyone(alerts in prop::collection::vec(any_alert(), 1..45), page in prop::option::of(Just(PAGE)), space in hostile(5)) {
        let payload = Teams.digest(&digest_of(&alerts, page, &space));
        let message: Value = serde_json::from_slice(&payload).unwrap();
        let card = message["attachments"][0]["content"].to_string();
        prop_assert!(weight(&card) <= CARD_BYTES_MAX, "{}", weight(&card));
        assert_inert(&card);
        let mut texts = Vec::new();
        for element in message["attachments"][0]["content"]["body"].as_array().unwrap() {
            markdown_texts(element, &mut texts);
        }
        for text in texts {
            // The only link is ours, and it stands at the end.
            let line = text.rsplit_once("[open](").map_or(text, |(line, target)| {
                assert_eq!(target.find([')', '(']), Some(target.len() - 1), "{target}");
                line
            });
            prop_assert!(!line.contains("](") && !line.contains(":/"), "{}", line);
        }
    }
}
