//! Prints a sample of Teams cards, one JSON document a line, for `crates/message/cards/check.mjs`: every severity and state,
//! plain and Markdown, hostile, long, and empty, in the full and in the plain form.

use std::io::{self, Write};

use alert_connectors_message::{Shown, platform};
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    for alert in alerts() {
        let text = alert.to_string();
        let parsed = parse_alert(
            Json::parse(text.as_bytes())?,
            &Loc::body(),
            Timestamp::UNIX_EPOCH,
        );
        let alert = parsed.map_err(|faults| format!("{faults:?}"))?.alert;
        let shown = Shown::whole(&alert, Some("https://alerts.example.com/1"));
        let teams = platform(ConnectorType::Teams);
        for payload in [teams.message(shown).payload, teams.plain(shown)] {
            let message: Value = serde_json::from_slice(&payload)?;
            writeln!(out, "{}", message["attachments"][0]["content"])?;
        }
    }
    Ok(())
}
