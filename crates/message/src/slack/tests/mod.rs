//! Layouts by snapshot; limits and inertness by property.

use alert_connectors_model::Alert;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    FollowUpNote,
    testing::{alert, any_alert, any_digest, digest_of, freshness, markdown, storm},
    text::clean,
    truncate::units,
    words::facts,
};

mod reader;

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
    let raised = short(&alert, FollowUpNote::Raised);
    assert!(
        raised["text"]
            .as_str()
            .unwrap()
            .starts_with("*RAISED TO CRITICAL* <")
    );
    alert.status = AlertStatus::Resolved;
    let after = std::time::Duration::from_mins(42);
    insta::assert_json_snapshot!(short(&alert, FollowUpNote::Resolved(Some(after))));
}

#[test]
fn a_storm_is_one_message_with_the_worst_first_and_the_tail_counted() {
    let alerts = storm(1_000);
    let digest = digest_of(&alerts, None, "Data");
    let message: Value = serde_json::from_slice(&Slack.digest(&digest)).unwrap();
    insta::assert_json_snapshot!(message);
}

#[test]
fn what_does_not_fit_is_left_out_in_the_middle_with_a_way_to_the_rest() {
    let lines: Vec<_> = (0..900).map(|at| format!("line {at}")).collect();
    let long = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "description": lines.join("\n"),
        "url": "https://a.example/1", "fields": [{"name": "n", "value": "y".repeat(3_000)}]});
    let (message, trimmed) = message(&alert(&long.to_string()), None);
    let blocks = message["attachments"][0]["blocks"].as_array().unwrap();
    let description = blocks[0]["text"]["text"].as_str().unwrap();
    assert!(description.starts_with("line 0\nline 1\n") && description.ends_with("\nline 899"));
    assert!(crate::truncate::units(description) > 2_700);
    let left_out: usize = description
        .lines()
        .find_map(alert_connectors_model::left_out_by)
        .unwrap();
    let (from, to) = (trimmed[0].from, trimmed[0].to);
    assert_eq!(
        (trimmed[0].field.as_str(), from, from - to),
        ("description", lines.join("\n").chars().count(), left_out)
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
    let description = reader::block(&message["attachments"][0]["blocks"][0]).text;
    assert!(description.len() <= SECTION_UNITS_MAX && description.len() > SECTION_UNITS_MAX / 2);
}

#[test]
fn facts_are_a_grid_until_one_of_them_has_marks_that_no_grid_can_show() {
    let shown = |value: &str| {
        let json = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low",
            "fields": [{"name": "One", "value": value}, {"name": "Two", "value": "prod"}]});
        message(&alert(&json.to_string()), None).0["attachments"][0]["blocks"][0].clone()
    };
    for (value, field) in [
        ("10.0.0.1:9100", "*One*\n10.0.0.1:9100"),
        ("__init__", "*One*\n`__init__`"),
        (
            "urn:li:dataset:(x,PROD)",
            "*One*\n`urn:li:dataset:(x,PROD)`",
        ),
        (
            "https://a.example/?x=1&y=2",
            "*One*\n<https://a.example/?x=1&amp;y=2>",
        ),
        ("two\nlines & more", "*One*\ntwo\nlines &amp; more"),
    ] {
        assert_eq!(shown(value)["fields"][0]["text"], field);
    }
    let list = shown("a `b` *c*");
    assert_eq!(list["type"], "rich_text");
    assert_eq!(
        list["elements"][0]["elements"][2]["text"],
        serde_json::Value::Null
    );
    assert_eq!(reader::block(&list).text, "One: a `b` *c*\nTwo: prod");
}

#[test]
fn every_action_is_there_however_long_its_address() {
    for (count, length) in [(3, 1_300), (5, 2_000)] {
        let actions: Vec<_> = (0..count)
            .map(|at| serde_json::json!({"label": format!("Open {at}"), "url": format!("https://a.example/{at}/{}", "x".repeat(length))}))
            .collect();
        let json = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "actions": actions});
        let (message, trimmed) = message(&alert(&json.to_string()), Some(PAGE));
        let text = message.to_string();
        for action in &actions {
            assert!(text.contains(action["url"].as_str().unwrap()));
        }
        assert_eq!(trimmed, []);
    }
}

#[test]
fn facts_that_are_not_shown_are_counted_in_the_message() {
    let fields: Vec<_> = (0..40)
        .map(|n| serde_json::json!({"name": n.to_string(), "value": "y".repeat(900)}))
        .collect();
    let json = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "fields": fields,
        "description": "x".repeat(9_000)});
    let (message, trimmed) = message(&alert(&json.to_string()), Some(PAGE));
    let dropped = trimmed.iter().find(|trim| trim.field == "fields");
    if let Some(Trim { from, to, .. }) = dropped {
        assert!(
            message
                .to_string()
                .contains(&format!("+{} more facts", from - to))
        );
    }
    assert!(dropped.is_some() || trimmed.len() == 41);
}

/// Every text that is shown, with the place it stands in.
fn texts(message: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (index, block) in message["attachments"][0]["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let kind = block["type"].as_str().unwrap();
        let text_of = |text: &Value| text["text"].as_str().map(str::to_owned);
        let single = block.get("text").and_then(text_of);
        found.extend(single.map(|text| (format!("{index} {kind} text"), text)));
        for list in ["fields", "elements"] {
            for item in block
                .get(list)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let label = item["text"].get("text").unwrap_or(&item["text"]);
                let own = label.as_str().map(str::to_owned);
                found.extend(own.map(|text| (format!("{index} {kind} item"), text)));
                for inline in item
                    .get("elements")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    let text = format!(
                        "{}{}",
                        inline["url"].as_str().unwrap_or_default(),
                        inline["text"].as_str().unwrap()
                    );
                    found.push((format!("{index} {kind} inline"), text));
                }
            }
        }
    }
    found
}

/// Holds a message to every limit, and to naming nobody.
fn assert_sound(payload: &[u8]) {
    assert!(payload.len() <= BODY_BYTES_MAX);
    let message: Value = serde_json::from_slice(payload).unwrap();
    let attachment = &message["attachments"][0];
    assert_eq!(message["attachments"].as_array().unwrap().len(), 1);
    assert_eq!(attachment.as_object().unwrap().len(), 3);
    let blocks = attachment["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 20, "{} blocks", blocks.len());
    let first = message["text"].as_str().unwrap();
    let fallback = attachment["fallback"].as_str().unwrap();
    for text in [first, fallback] {
        assert!((1..=TEXT_UNITS_MAX).contains(&units(text)));
    }
    assert!(!reader::mrkdwn(first).quotes, "a quote: {first}");
    let mut all = Size::default();
    for (place, text) in texts(&message) {
        let max = match place.split_once(' ').unwrap().1 {
            "section text" => 3_000,
            "section item" | "context item" => 2_000,
            "actions item" => 75,
            _ => MESSAGE_UNITS_MAX,
        };
        assert!(
            (1..=max).contains(&units(&text)),
            "{place}: {} > {max}",
            units(&text)
        );
        all += Size::of(&text);
    }
    assert!(all.units() <= MESSAGE_UNITS_MAX, "{}", all.units());
    for block in blocks {
        let count = |list: &str| {
            block
                .get(list)
                .map_or(0, |list| list.as_array().unwrap().len())
        };
        assert!(count("fields") <= 10 && (block["type"] == "rich_text" || count("elements") <= 10));
        if block["type"] == "actions" {
            for button in block["elements"].as_array().unwrap() {
                assert!(button["url"].as_str().unwrap().len() <= 3_000);
            }
        } else if block.get("fields").is_none() {
            assert!(!reader::block(block).quotes, "a quote: {block}");
        } else {
            for field in block["fields"].as_array().unwrap() {
                assert!(!reader::text_object(field).quotes, "a quote: {field}");
            }
        }
    }
}

/// What is seen of the facts, in their order, as name and value.
fn seen_facts(blocks: &[Value]) -> Vec<(String, reader::Seen)> {
    let split = |seen: reader::Seen| {
        let (name, value) = seen.text.split_once(['\n', '\u{1}']).unwrap();
        (
            name.to_owned(),
            reader::Seen {
                text: value.to_owned(),
                ..seen
            },
        )
    };
    let mut facts = Vec::new();
    for block in blocks {
        if let Some(fields) = block["fields"].as_array() {
            facts.extend(fields.iter().map(reader::text_object).map(split));
        }
        let is_list = block["elements"][0]["elements"][0]["style"]["bold"] == true
            && block["elements"][0]["elements"][0]["text"]
                .as_str()
                .unwrap()
                .ends_with(':');
        if block["type"] == "rich_text" && is_list {
            for element in block["elements"].as_array().unwrap() {
                let name = element["elements"][0]["text"].as_str().unwrap();
                let mut seen = reader::rich(element);
                let rest = seen.text.split_off(name.len());
                seen.text = format!(
                    "{}\u{1}{}",
                    name.strip_suffix(':').unwrap(),
                    rest.get(1..).unwrap()
                );
                facts.push(split(seen));
            }
        }
    }
    facts
}

/// Every link that is seen in foreign text leads where its label says.
fn assert_links_are_honest(seen: &reader::Seen) {
    for (label, target) in &seen.links {
        let says = alert_connectors_model::Link::parse(label).unwrap();
        let leads = alert_connectors_model::Link::parse(target).unwrap();
        assert_eq!(says, leads);
    }
}

proptest! {
    #[test]
    fn no_alert_breaks_a_limit_or_mentions_anyone(alert in any_alert(), page in prop::option::of(Just(PAGE))) {
        let rendering = Slack.message(Shown::whole(&alert, page));
        assert_sound(&rendering.payload);
        prop_assert_eq!(rendering, Slack.message(Shown::whole(&alert, page)));
    }

    #[test]
    fn what_is_copied_of_a_fact_is_what_was_sent(mut alert in any_alert()) {
        (alert.description, alert.product, alert.check) = (None, None, None);
        let (message, trimmed) = message(&alert, None);
        let blocks = message["attachments"][0]["blocks"].as_array().unwrap();
        let seen = seen_facts(blocks);
        for (fact, (name, value)) in facts(&alert).zip(&seen) {
            let place = fact.place.to_string();
            assert_links_are_honest(value);
            prop_assert!(name == &*one_line(fact.name) || name.ends_with('…'), "{name:?}");
            if trimmed.iter().all(|trim| trim.field != place) {
                let expected = clean(fact.value.trim());
                prop_assert_eq!(value.text.as_str(), &*expected);
            } else {
                prop_assert!(value.text.ends_with('…'));
            }
        }
        let dropped = trimmed.iter().find(|trim| trim.field == "fields").map_or(0, |trim| trim.from - trim.to);
        prop_assert_eq!(seen.len() + dropped, alert.fields.len());
    }

    #[test]
    fn what_is_copied_of_a_description_is_what_was_sent(mut alert in any_alert()) {
        alert.fields.clear();
        (alert.product, alert.check) = (None, None);
        let Some(source) = crate::description::source(&alert) else {
            return Ok(());
        };
        let lines = crate::description::lines(&source, alert.description_format);
        let text_of = |line: &crate::rich::Line<'_>| line.runs.iter().map(|run| run.text.as_ref()).collect::<String>();
        let expected: Vec<_> = lines.iter().map(text_of).collect();
        if expected.is_empty() {
            return Ok(());
        }
        let (message, trimmed) = message(&alert, None);
        let seen = reader::block(&message["attachments"][0]["blocks"][0]);
        if alert.description_format == alert_connectors_model::DescriptionFormat::Plain {
            assert_links_are_honest(&seen);
        }
        if trimmed.iter().all(|trim| trim.field != "description") {
            // Text of nothing but a blank line is refused, so one space stands in it.
            let seen: Vec<_> = seen.text.split('\n').map(|line| if line == " " { "" } else { line }).collect();
            let (seen, expected) = (seen.join("\n"), expected.join("\n"));
            prop_assert_eq!(seen.trim_end(), expected.trim_end());
        } else {
            prop_assert!(seen.text.lines().any(|line| alert_connectors_model::left_out_by(line).is_some()));
        }
    }

    #[test]
    fn a_title_is_changed_only_where_slack_would_read_formatting(alert in any_alert()) {
        let title = one_line(title(&alert)).into_owned();
        let (message, trimmed) = message(&alert, None);
        let seen = reader::mrkdwn(message["text"].as_str().unwrap());
        let (_, shown) = seen.text.split_once(' ').unwrap();
        let shown = shown.strip_prefix("(low) ").or(shown.strip_prefix("(medium) ")).or(shown.strip_prefix("(high) "))
            .or(shown.strip_prefix("(critical) ")).unwrap_or(shown);
        if trimmed.iter().any(|trim| trim.field == "title") {
            prop_assert!(shown.ends_with('…'));
            return Ok(());
        }
        // It never begins a line, and may be the label of a link, where a URL is text like any other.
        let inside = format!("x {title}");
        let without_urls = inside.replace("://", ":--");
        let would_read = [&inside, &without_urls].into_iter().any(|text| {
            let seen = reader::mrkdwn(&mrkdwn::escape(text));
            seen.quotes || seen.text != *text
        });
        if would_read {
            prop_assert_eq!(shown.chars().count(), title.chars().count());
            for (shown, sent) in shown.chars().zip(title.chars()) {
                prop_assert!(shown == sent || "*_~`＊＿｀:>".contains(sent), "{sent} became {shown}");
            }
        } else {
            prop_assert_eq!(shown, title.as_str());
        }
    }

    #[test]
    fn the_plain_form_always_fits(alert in any_alert()) {
        let plain: Value = serde_json::from_slice(&Slack.plain(Shown::whole(&alert, Some(PAGE)))).unwrap();
        prop_assert_eq!(plain.as_object().unwrap().len(), 1);
        let text = plain["text"].as_str().unwrap();
        prop_assert!((1..=TEXT_UNITS_MAX).contains(&units(text)));
        prop_assert!(!reader::mrkdwn(text).quotes);
    }

    #[test]
    fn a_digest_breaks_no_limit_and_accounts_for_every_alert(digest in any_digest()) {
        let payload = Slack.digest(&digest.shown());
        assert_sound(&payload);
        let message: Value = serde_json::from_slice(&payload).unwrap();
        let blocks = message["attachments"][0]["blocks"].as_array().unwrap();
        let times = |text: &str| text.matches("<!date^").count();
        let shown: usize = texts(&message).iter().filter(|(place, _)| place.ends_with("section text")).map(|(_, text)| times(text)).sum();
        let last = blocks.last().unwrap();
        let counted = if last["type"] == "context" { last["elements"][0]["text"].as_str().unwrap() } else { "" };
        let counted = counted.strip_prefix("and ").and_then(|text| text.split(' ').next()).map_or(0, |count| count.parse().unwrap());
        prop_assert_eq!(shown + counted, digest.total());
    }
}

#[test]
fn a_section_of_lines_is_measured_as_the_whole_that_it_is() {
    let mut alerts: Vec<_> = (0..20)
        .map(|at| {
            let title = if at == 19 {
                "🔥".to_owned()
            } else {
                "漢".repeat(140)
            };
            alert(
                &serde_json::json!({"alert_type": "a", "severity": "low", "title": title})
                    .to_string(),
            )
        })
        .collect();
    assert_sound(&Slack.digest(&digest_of(&alerts, None, "Data")));
    for one in &mut alerts {
        one.title = "a & b ".repeat(25);
    }
    let payload = Slack.digest(&digest_of(&alerts, None, "Data"));
    let text = String::from_utf8(payload).unwrap();
    assert_eq!(text.matches("<!date^").count(), 20);
}
