//! Alerts for tests: a believable one, and arbitrary hostile ones.

use alert_connectors_model::{Alert, AlertStatus, Json, Loc, Severity, parse_alert};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::{Counts, DIGEST_ITEMS_MAX, Digest, Shown};

/// Reads an alert from JSON at a fixed time.
pub(crate) fn alert(json: &str) -> Alert {
    let time = Timestamp::from_second(1_767_225_600).unwrap();
    parse_alert(Json::parse(json.as_bytes()).unwrap(), &Loc::body(), time)
        .unwrap()
        .alert
}

/// The alert of the layout snapshots.
pub(crate) fn freshness() -> Alert {
    alert(
        r#"{"alert_type":"dq_alert","title":"Freshness check failed: orders_daily is 7 h late","severity":"critical",
        "description":"Last loaded at 05:04 UTC, expected every 24 h.\nUpstream job load_orders exited with code 137 & was not retried.",
        "product":{"id":"p-1","name":"Sales mart","url":"https://data.example.com/products/1"},
        "check":{"name":"orders_daily freshness"},
        "fields":[{"name":"Environment","value":"prod"},{"name":"Rows checked","value":1204331},{"name":"Owner","value":null}],
        "url":"https://data.example.com/alerts/1?a=1&b=2","actions":[{"label":"Runbook","url":"https://runbooks.example.com/late"}]}"#,
    )
}

/// The same in Markdown, with everything that is supported and something that is not.
pub(crate) fn markdown() -> Alert {
    alert(
        r#"{"alert_type":"smart_alert","title":"Volume dropped","severity":"medium","description_format":"markdown",
        "description":"**Volume** of `orders` fell by *40 %*, see [the chart](https://bi.example.com/c?x=1&y=2).\n- EU: 12\n- US: 9\n1. Check the load\n```sql\nselect `a` from t\n```\n# not a heading <!channel>"}"#,
    )
}

/// This many alerts of all severities.
pub(crate) fn storm(count: usize) -> Vec<Alert> {
    let one = |at: usize| {
        let severity = match at % 100 {
            0 => "critical",
            1..10 => "high",
            10..40 => "medium",
            _ => "low",
        };
        alert(&format!(
            r#"{{"alert_type":"dq_alert","severity":"{severity}","title":"Row count of table_{at} is off","description":"Expected 100, found {at}.","url":"https://data.example.com/{at}","fields":[{{"name":"Env","value":"prod"}}]}}"#
        ))
    };
    (0..count).map(one).collect()
}

/// A digest of alerts, worst first.
pub(crate) fn digest_of<'a>(
    alerts: &'a [Alert],
    page: Option<&'a str>,
    space: &'a str,
) -> Digest<'a> {
    let mut counts = Counts::default();
    for alert in alerts {
        counts.add(alert.severity, alert.status);
    }
    let mut worst: Vec<_> = alerts
        .iter()
        .map(|alert| Shown::whole(alert, page))
        .collect();
    worst.sort_by_key(|shown| (shown.alert.status as u8, 3 - shown.alert.severity as u8));
    worst.truncate(DIGEST_ITEMS_MAX);
    Digest {
        space,
        counts,
        worst,
    }
}

/// A digest of hostile alerts, of which no more than a platform is handed come with their words.
#[derive(Debug)]
pub(crate) struct AnyDigest {
    alerts: Vec<Alert>,
    more: usize,
    page: Option<String>,
    space: String,
}

impl AnyDigest {
    pub(crate) fn shown(&self) -> Digest<'_> {
        let mut digest = digest_of(&self.alerts, self.page.as_deref(), &self.space);
        for _ in 0..self.more {
            digest.counts.add(Severity::Low, AlertStatus::Active);
        }
        digest
    }

    pub(crate) fn total(&self) -> usize {
        self.alerts.len() + self.more
    }
}

/// Any digest.
pub(crate) fn any_digest() -> impl Strategy<Value = AnyDigest> {
    let alerts = prop::collection::vec(any_alert_with(4, 1), 1..45);
    let page = prop::option::of(Just(
        "https://alerts.example.com/spaces/s/alerts/1".to_owned(),
    ));
    (alerts, 0..2_000_usize, page, hostile(5)).prop_map(|(alerts, more, page, space)| AnyDigest {
        alerts,
        more,
        page,
        space,
    })
}

const PIECES: [&str; 48] = [
    "<!channel>",
    "<@U123>",
    "<!subteam^S1|x>",
    "@here",
    "<https://evil.example|good.example>",
    "&lt;!here&gt;",
    "`",
    "```",
    "*bold*",
    "_it_",
    "~no~",
    "\n> quote",
    ":fire:",
    "<at>boss@corp.example</at>",
    "{{DATE(2026-01-01T00:00:00Z,SHORT)}}",
    "[click](https://evil.example)",
    "](",
    "\\",
    "\"",
    "\u{202E}",
    "\u{0}",
    "\u{200B}",
    "👩‍👩‍👧‍👦",
    "漢字",
    "e\u{301}",
    "&",
    "**",
    "\r\n1. ",
    "urn:li:dataset:(urn:li:dataPlatform:snowflake,db.t,PROD)",
    "select * from t",
    "*/5 * * * *",
    "__init__",
    "~/x",
    "2001:db8::1",
    "12:04:31",
    "0.98",
    "-5",
    "--flag",
    "10.0.0.1:9100",
    "s3://b/k",
    "https://a.example/x?y=1&z=(a,b)",
    " see https://a.example/_x_ ",
    "\t",
    "    ",
    "\n\n",
    "\u{1B}[31m",
    "| a | b |\n|---|--:|\n| 1 | 2 |\n",
    "\n  - ",
];

/// Any text, with a liking for what hurts.
pub(crate) fn hostile(len: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        2 => "[ -~]{1,12}",
        1 => any::<char>().prop_map(|c| c.to_string()),
        1 => (prop::sample::select(&PIECES[..]), 1..200_usize).prop_map(|(piece, times)| piece.repeat(times)),
    ];
    prop::collection::vec(piece, 0..len).prop_map(|pieces| pieces.concat())
}

fn link() -> impl Strategy<Value = String> {
    ("[a-z|<>`&\"' ]{0,40}", 0..2_000_usize)
        .prop_map(|(path, more)| format!("https://evil.example/{path}?{}", "&x|".repeat(more / 3)))
}

/// Any alert that intake would accept.
pub(crate) fn any_alert() -> impl Strategy<Value = Alert> {
    any_alert_with(45, 6)
}

/// Any alert with fewer fields and actions than these.
fn any_alert_with(fields: usize, actions: usize) -> impl Strategy<Value = Alert> {
    let severity = prop::sample::select(vec!["low", "medium", "high", "critical"]);
    let status = prop::sample::select(vec!["active", "resolved"]);
    let format = prop::sample::select(vec!["plain", "markdown"]);
    let texts = (hostile(60), hostile(fields * 4), hostile(10), hostile(10));
    let fields = prop::collection::vec((hostile(4), hostile(20)), 0..fields);
    let actions = prop::collection::vec((hostile(4), link()), 0..actions);
    (severity, status, format, texts, fields, actions, link()).prop_map(
        |(severity, status, format, (title, description, product, check), fields, actions, url)| {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| serde_json::json!({"name": name, "value": value})).collect();
            let actions: Vec<_> =
                actions.iter().map(|(label, url)| serde_json::json!({"label": label, "url": url})).collect();
            let json = serde_json::json!({
                "alert_type": "a", "title": title, "severity": severity, "status": status,
                "description": description, "description_format": format, "fields": fields, "actions": actions,
                "product": {"name": product, "url": url}, "check": {"name": check, "url": url}, "url": url,
            });
            alert(&json.to_string())
        },
    )
}
