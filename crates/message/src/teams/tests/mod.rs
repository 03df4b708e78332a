//! Layouts by snapshot; limits and inertness by property.

use alert_connectors_model::Alert;
use proptest::prelude::*;
use pulldown_cmark::{Event, Parser};
use serde_json::Value;

use super::*;
use crate::{
    testing::{alert, any_alert, any_digest, digest_of, freshness, markdown, storm},
    text::clean,
    words::facts,
};

mod reader;

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
        note: Some(crate::FollowUpNote::Resolved(Some(
            std::time::Duration::from_mins(42),
        ))),
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
fn what_does_not_fit_is_left_out_and_noted() {
    let fields: Vec<_> = (0..40)
        .map(|n| serde_json::json!({"name": n.to_string(), "value": "y".repeat(900)}))
        .collect();
    let lines: Vec<_> = (0..900).map(|at| format!("line {at}")).collect();
    let long = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "fields": fields,
        "description": lines.join("\n")});
    let (message, trimmed) = message(&alert(&long.to_string()), Some(PAGE));
    let card = &message["attachments"][0]["content"];
    assert_eq!(card["actions"][0]["title"], "Read the rest");
    let description = trimmed
        .iter()
        .find(|trim| trim.field == "description")
        .unwrap();
    let text = card.to_string();
    let notice = alert_connectors_model::left_out_notice(description.from - description.to);
    for shown in ["\"line 0\"", "\"line 899\"", &notice, "+28 more facts"] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
    assert!(
        text.matches("RichTextBlock").count() > 40,
        "more lines than 40 are shown"
    );
    assert!(trimmed.contains(&Trim {
        field: "fields".to_owned(),
        from: 40,
        to: 12
    }));
}

#[test]
fn facts_stand_in_the_table_unless_markdown_would_change_them() {
    let json = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "fields": [
        {"name": "ratio", "value": "0.98"}, {"name": "diff", "value": -5}, {"name": "host", "value": "10.0.0.1:9100"},
        {"name": "flag", "value": "--flag"}, {"name": "bucket", "value": "s3://b/k"},
        {"name": "file", "value": "__init__"}, {"name": "two", "value": "one\n  two"},
        {"name": "log", "value": "https://a.example/x?y=1"}]});
    let (message, _) = message(&alert(&json.to_string()), None);
    let body = message["attachments"][0]["content"]["body"]
        .as_array()
        .unwrap();
    let table = &body[1]["facts"];
    let values: Vec<_> = table
        .as_array()
        .unwrap()
        .iter()
        .map(|fact| fact["value"].as_str().unwrap())
        .collect();
    assert_eq!(
        values,
        ["0.98", "-5", "10.0.0.1:9100", "--flag", "s3://b/k"]
    );
    let lines: Vec<_> = body[2..6]
        .iter()
        .map(|block| reader::rich(block).text)
        .collect();
    assert_eq!(lines, ["file: __init__", "two: ", "one", "  two"]);
    assert_eq!(
        body[6]["facts"][0]["value"],
        "[https://a.example/x?y=1](https://a.example/x?y=1)"
    );
}

#[test]
fn every_action_is_there_and_labels_that_are_cut_alike_are_told_apart() {
    let actions: Vec<_> = ["Open the runbook of orders_daily", "Open the runbook of orders_hourly", "3", "4", "5"].iter()
        .map(|label| serde_json::json!({"label": label, "url": format!("https://a.example/{}", "x".repeat(2_000))}))
        .collect();
    let json = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "actions": actions,
        "url": "https://u.example/", "product": {"name": "p", "url": "https://p.example/"}, "check": {"name": "c", "url": "https://c.example/"}});
    let (message, trimmed) = message(&alert(&json.to_string()), Some(PAGE));
    let card = &message["attachments"][0]["content"];
    let body = card["body"].as_array().unwrap();
    let buttons = card["actions"]
        .as_array()
        .unwrap()
        .iter()
        .chain(body.last().unwrap()["actions"].as_array().unwrap());
    let titles: Vec<_> = buttons
        .map(|button| button["title"].as_str().unwrap())
        .collect();
    assert_eq!(
        titles,
        [
            "Open",
            "Alert details",
            "Open…orders_daily",
            "Open…orders_hourly",
            "3",
            "4",
            "5",
            "Product",
            "Check"
        ]
    );
    let cut: Vec<_> = trimmed.iter().map(|trim| trim.field.as_str()).collect();
    assert_eq!(cut, ["actions.0.label", "actions.1.label"]);
}

/// Holds a message to every limit, and to naming nobody; returns the card.
fn assert_sound(payload: &[u8]) -> Value {
    let message: Value = serde_json::from_slice(payload).unwrap();
    let text = std::str::from_utf8(payload).unwrap();
    let (_, card) = text.split_once("\"content\":").unwrap();
    let card = card.strip_suffix("}]}").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(card).unwrap(),
        message["attachments"][0]["content"]
    );
    assert!(weight(card) <= CARD_WEIGHT_MAX, "{}", weight(card));
    reader::assert_inert(&message);
    let card = message["attachments"][0]["content"].clone();
    assert!(
        card.get("msteams")
            .is_none_or(|teams| teams.get("entities").is_none())
    );
    for list in [
        &card["actions"],
        &card["body"].as_array().unwrap().last().unwrap()["actions"],
    ] {
        assert!(
            list.as_array()
                .is_none_or(|actions| (1..=6).contains(&actions.len()))
        );
    }
    card
}

/// What is copied of a card below its heading: names and values of facts on one line, blocks below each other.
fn copied(card: &Value) -> Vec<reader::Seen> {
    let mut seen = Vec::new();
    for element in &card["body"].as_array().unwrap()[1..] {
        match element["type"].as_str().unwrap() {
            "RichTextBlock" => seen.push(reader::rich(element)),
            "FactSet" => {
                for fact in element["facts"].as_array().unwrap() {
                    let name = reader::markdown(fact["title"].as_str().unwrap());
                    let value = reader::markdown(fact["value"].as_str().unwrap());
                    seen.push(reader::Seen {
                        text: format!("{}: {}", name.text, value.text),
                        links: value.links,
                    });
                }
            }
            _ => {}
        }
    }
    seen
}

/// Tabs as they are drawn: filled up to the next column of eight.
fn drawn(line: &str) -> String {
    let mut drawn = String::new();
    for c in line.trim_end().chars() {
        match c {
            '\t' => drawn.push_str(&" ".repeat(8 - drawn.chars().count() % 8)),
            // It is copied as the space that it looks like.
            '\u{A0}' => drawn.push(' '),
            _ => drawn.push(c),
        }
    }
    drawn.trim_end().to_owned()
}

fn assert_honest(seen: &reader::Seen) {
    for (label, target) in &seen.links {
        let link = |text: &str| alert_connectors_model::Link::parse(text).unwrap();
        assert_eq!(link(label), link(target));
    }
}

proptest! {
    #[test]
    fn no_alert_breaks_a_limit_or_mentions_anyone(alert in any_alert(), page in prop::option::of(Just(PAGE))) {
        let rendering = Teams.message(Shown::whole(&alert, page));
        assert_sound(&rendering.payload);
        prop_assert_eq!(rendering, Teams.message(Shown::whole(&alert, page)));
    }

    #[test]
    fn what_is_copied_of_a_fact_is_what_was_sent(mut alert in any_alert()) {
        (alert.description, alert.product, alert.check) = (None, None, None);
        alert.actions.clear();
        let (message, trimmed) = message(&alert, None);
        let card = &message["attachments"][0]["content"];
        let mut seen = copied(card).into_iter();
        for fact in facts(&alert) {
            let place = fact.place.to_string();
            if trimmed.iter().any(|trim| trim.field == place) {
                return Ok(());
            }
            let Some(line) = seen.next() else {
                prop_assert!(trimmed.iter().any(|trim| trim.field == "fields"));
                return Ok(());
            };
            if line.text.starts_with('+') && line.text.contains(" more fact") {
                return Ok(());
            }
            assert_honest(&line);
            let name = one_line(fact.name);
            let value = clean(fact.value.trim());
            let values: Vec<_> = value.split('\n').map(drawn).collect();
            let first = if values.len() == 1 { format!("{name}: {}", values[0]) } else { format!("{name}: ") };
            if name.chars().count() < 60 {
                prop_assert_eq!(drawn(&line.text), drawn(&first));
            }
            for value in values.iter().filter(|_| values.len() > 1) {
                prop_assert_eq!(&drawn(&seen.next().unwrap().text), value);
            }
        }
    }

    #[test]
    fn what_is_copied_of_a_description_is_what_was_sent(mut alert in any_alert()) {
        alert.fields.clear();
        alert.actions.clear();
        (alert.product, alert.check) = (None, None);
        alert.description_format = alert_connectors_model::DescriptionFormat::Plain;
        let Some(source) = crate::description::source(&alert) else {
            return Ok(());
        };
        let (message, trimmed) = message(&alert, None);
        let mut seen = copied(&message["attachments"][0]["content"]);
        seen.iter().for_each(assert_honest);
        // The last line says when it happened.
        seen.pop();
        let seen: Vec<_> = seen.iter().map(|seen| drawn(&seen.text)).collect();
        if trimmed.iter().all(|trim| trim.field != "description") {
            let lines: Vec<_> = source.split('\n').map(drawn).collect();
            let begin = lines.iter().position(|line| !line.is_empty()).unwrap_or_default();
            let end = lines.iter().rposition(|line| !line.is_empty()).unwrap_or_default();
            prop_assert_eq!(&seen, &lines[begin..=end]);
        } else {
            prop_assert!(seen.iter().any(|line| alert_connectors_model::left_out_by(line).is_some()));
        }
    }

    #[test]
    fn a_title_is_shown_as_it_is(alert in any_alert()) {
        let (message, trimmed) = message(&alert, None);
        let heading = &message["attachments"][0]["content"]["body"][0]["items"][1];
        let shown = reader::rich(heading).text;
        let title = one_line(title(&alert)).replace('\u{A0}', " ");
        if trimmed.iter().any(|trim| trim.field == "title") {
            prop_assert!(title.trim().starts_with(shown.strip_suffix('…').unwrap().trim()));
        } else {
            prop_assert_eq!(shown.trim(), title.trim());
        }
    }

    #[test]
    fn the_plain_form_always_fits(alert in any_alert()) {
        assert_sound(&Teams.plain(Shown::whole(&alert, None)));
    }

    #[test]
    fn a_digest_breaks_no_limit_and_accounts_for_every_alert(digest in any_digest()) {
        let card = assert_sound(&Teams.digest(&digest.shown()));
        let body = card["body"].as_array().unwrap();
        // Every line says when the alert happened.
        let time = " · 2026-01-01 00:00 UTC";
        let line = |element: &&Value| {
            let inlines = element["inlines"].as_array().into_iter().flatten();
            let own = element["text"].as_str().into_iter();
            let mut texts = own.chain(inlines.filter_map(|run| run["text"].as_str()));
            texts.any(|text| text.contains(time))
        };
        let shown = body.iter().filter(line).count();
        for element in body {
            if element["type"] == "TextBlock" {
                let seen = element["text"].as_str().unwrap();
                let honest = Parser::new(seen).all(|event| !matches!(event, Event::Html(_) | Event::InlineHtml(_) | Event::Code(_)));
                prop_assert!(honest, "{seen}");
            }
        }
        let last = body.last().unwrap()["inlines"][0]["text"].as_str().unwrap_or_default();
        let counted = last.strip_prefix("and ").and_then(|text| text.split(' ').next()).and_then(|count| count.parse().ok());
        prop_assert_eq!(shown + counted.unwrap_or(0), digest.total());
    }
}
