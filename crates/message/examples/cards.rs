//! Prints a sample of Teams cards, one JSON document a line, for `crates/message/cards/check.mjs`: every severity and state,
//! plain and Markdown, hostile, long, and empty, in the full and in the plain form, as follow-ups and in digests.

use std::{
    io::{self, Write},
    time::Duration,
};

use alert_connectors_message::{Counts, Digest, FollowUpNote, Shown, platform};
use alert_connectors_model::{ConnectorType, Json, Loc, parse_alert};
use jiff::Timestamp;
use serde_json::{Value, json};

fn alerts() -> Vec<Value> {
    let mut alerts = Vec::new();
    for severity in ["low", "medium", "high", "critical"] {
        for status in ["active", "resolved"] {
            alerts.push(json!({"alert_type": "a", "title": "Title", "severity": severity, "status": status}));
        }
    }
    let hostile = [
        "<at>boss@corp.example</at>",
        "{{DATE(2026-01-01T00:00:00Z,SHORT)}}",
        "[x](https://evil.example)",
        "**b** _i_ `c` ~s~",
        "\\ \" \u{202E} \u{0} \t",
        "# h\n> q\n- l\n1. n\n```\ncode\n```",
        "👩‍👩‍👧 漢字 e\u{301}",
        "",
        " \u{200B}",
    ];
    for text in hostile {
        for long in [1, 400] {
            let text = text.repeat(long);
            let fields: Vec<_> = (0..40)
                .map(|_| json!({"name": text, "value": text}))
                .collect();
            let actions: Vec<_> = (0..5).map(|at| json!({"label": text, "url": format!("https://a.example/{at}?{}", "x".repeat(long))})).collect();
            for format in ["plain", "markdown"] {
                alerts.push(json!({
                    "alert_type": "a", "title": text, "severity": "high", "description": text, "description_format": format,
                    "fields": fields, "actions": actions, "url": "https://a.example/", "product": {"name": text, "url": "https://p.example/"},
                    "check": {"name": text},
                }));
            }
        }
    }
    alerts
}

/// Prints the card of a payload.
fn print(out: &mut impl Write, payload: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let message: Value = serde_json::from_slice(payload)?;
    writeln!(out, "{}", message["attachments"][0]["content"])?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    let mut parsed = Vec::new();
    for alert in alerts() {
        let text = alert.to_string();
        let json = Json::parse(text.as_bytes())?;
        let alert = parse_alert(json, &Loc::body(), Timestamp::UNIX_EPOCH);
        parsed.push(alert.map_err(|faults| format!("{faults:?}"))?.alert);
    }
    let page = Some("https://alerts.example.com/1");
    let teams = platform(ConnectorType::Teams);
    for alert in &parsed {
        let shown = Shown::whole(alert, page);
        let follow_up = Shown {
            note: Some(FollowUpNote::StillThere(Some(Duration::from_hours(4)))),
            whole: false,
            ..shown
        };
        for payload in [
            teams.message(shown).payload,
            teams.plain(shown),
            teams.message(follow_up).payload,
        ] {
            print(&mut out, &payload)?;
        }
    }
    for some in parsed.chunks(7) {
        let mut counts = Counts::default();
        for alert in some {
            counts.add(alert.severity, alert.status);
        }
        let digest = Digest {
            space: &some[0].title,
            counts,
            worst: some.iter().map(|alert| Shown::whole(alert, page)).collect(),
        };
        print(&mut out, &teams.digest(&digest))?;
    }
    Ok(())
}
