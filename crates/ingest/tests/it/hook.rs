//! What becomes of messages and cards that tools post to a channel.

use alert_connectors_ingest::{HookOptions, HookRefusal, HookShape, read_hook};
use alert_connectors_model::{Alert, AlertStatus, Json, Link, Severity};
use proptest::prelude::*;
use serde_json::json;

use crate::{fields, now};

mod teams;

const OPTIONS: HookOptions<'_> = HookOptions {
    alert_type: "webhook",
    severity: None,
};

fn read(body: &serde_json::Value) -> Result<(Alert, HookShape), HookRefusal> {
    let text = body.to_string();
    let json = Json::parse(text.as_bytes()).unwrap();
    read_hook(json, OPTIONS, now()).map(|(parsed, shape)| (parsed.alert, shape))
}

fn alert(body: &serde_json::Value) -> Alert {
    read(body).unwrap().0
}

fn links(alert: &Alert) -> Vec<String> {
    let links = alert.actions.iter();
    links
        .map(|link| format!("{} {}", link.label, link.url.as_str()))
        .collect()
}

/// The default template of Alertmanager's `slack_configs`.
#[test]
fn alertmanagers_message_names_its_problem() {
    let body = |title: &str, colour: &str| {
        json!({"channel": "#data", "username": "alertmanager", "attachments": [{
            "title": title, "title_link": "http://am.example.com/#/alerts?receiver=slack", "text": "",
            "fallback": title, "callback_id": "", "footer": "", "color": colour, "mrkdwn_in": ["fallback", "pretext", "text"]
        }]})
    };
    let firing = alert(&body("[FIRING:1] DiskFull db-1 (warning)", "danger"));
    assert_eq!(firing.title, "[FIRING:1] DiskFull db-1 (warning)");
    assert_eq!(
        (firing.severity, firing.status),
        (Severity::High, AlertStatus::Active)
    );
    assert_eq!(
        firing.dedup_key.as_deref(),
        Some("hook:webhook:DiskFull db-1")
    );
    assert_eq!(
        firing.url.as_ref().map(Link::as_str),
        Some("http://am.example.com/#/alerts?receiver=slack")
    );
    assert_eq!(firing.description, None);
    let resolved = alert(&body("[RESOLVED] DiskFull db-1 (critical)", "good"));
    assert_eq!(resolved.status, AlertStatus::Resolved);
    assert_eq!(resolved.dedup_key, firing.dedup_key);
}

#[test]
fn problems_are_told_apart_by_their_names() {
    for (title, of_alertmanager, elsewhere) in [
        (
            "[FIRING:1] Latency (p99) api",
            "Latency (p99) api",
            "Latency (p99) api",
        ),
        (
            "[FIRING:1] Latency (p99) api (critical eu)",
            "Latency (p99) api",
            "Latency (p99) api (critical eu)",
        ),
        (
            "[FIRING:1] Disk full (db-1)",
            "Disk full",
            "Disk full (db-1)",
        ),
        ("[FIRING:1] Disk full (warning)", "Disk full", "Disk full"),
        (
            "[RESOLVED]  (DiskFull db-1 warning)",
            "DiskFull db-1 warning",
            "(DiskFull db-1 warning)",
        ),
    ] {
        let its_own = json!({"attachments": [{"title": title, "title_link": "http://am.example.com/#/alerts?receiver=a"}]});
        for (body, name) in [
            (its_own, of_alertmanager),
            (json!({"text": title}), elsewhere),
        ] {
            let key = format!("hook:webhook:{name}");
            assert_eq!(alert(&body).dedup_key, Some(key), "{title}");
        }
    }
    for title in ["[FIRING:3]", "[INFO] Latency"] {
        assert_eq!(alert(&json!({"text": title})).dedup_key, None, "{title}");
    }
    // The whole title may be a link.
    let linked = json!({"text": "*<https://a.example/Foo_(bar)|[RESOLVED] KafkaLag>*"});
    let linked = alert(&linked);
    assert_eq!(linked.dedup_key.as_deref(), Some("hook:webhook:KafkaLag"));
    let url = linked.url.as_ref().map(Link::as_str);
    assert_eq!(url, Some("https://a.example/Foo_(bar)"));
}

/// Each line without a word was a call within a call.
#[test]
fn a_message_of_nothing_but_empty_headings_has_no_text() {
    let body = json!({"text": "#\n".repeat(400_000)});
    assert_eq!(read(&body).unwrap_err(), HookRefusal("no_text"));
    let ends = json!({"text": format!("{}word", "#\n".repeat(400_000))});
    assert_eq!(alert(&ends).title, "word");
}

#[test]
fn blocks_become_title_text_fields_and_links() {
    let body = json!({"text": "A fallback", "blocks": [
        {"type": "header", "text": {"type": "plain_text", "text": "Load failed"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "The task *extract* ended, see <https://a.example/1|the log>."},
            "accessory": {"type": "button", "text": {"type": "plain_text", "text": "Retry"}, "url": "https://a.example/retry"}},
        {"type": "section", "fields": [
            {"type": "mrkdwn", "text": "*Dag:*\nload_orders"}, {"type": "mrkdwn", "text": "*Try:* 3"}, {"type": "mrkdwn", "text": "loose"}]},
        {"type": "divider"},
        {"type": "rich_text", "elements": [
            {"type": "rich_text_section", "elements": [
                {"type": "text", "text": "bold", "style": {"bold": true}}, {"type": "text", "text": " and "},
                {"type": "link", "url": "https://b.example", "text": "link"}]},
            {"type": "rich_text_list", "style": "bullet", "elements": [
                {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]}]},
            {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "select 1"}]}]},
        {"type": "context", "elements": [{"type": "image", "alt_text": "host", "image_url": "https://x.example"}, {"type": "mrkdwn", "text": "db-1"}]},
        {"type": "actions", "elements": [
            {"type": "button", "text": {"type": "plain_text", "text": "Open"}, "url": "https://a.example/2"},
            {"type": "button", "text": {"type": "plain_text", "text": "Ack"}, "action_id": "ack"}]}
    ]});
    let alert = alert(&body);
    assert_eq!(alert.title, "A fallback");
    assert_eq!(
        alert.description.as_deref(),
        Some(
            "**Load failed**\n\nThe task **extract** ended, see [the log](https://a.example/1).\n\nloose\n\n\
              **bold** and [link](https://b.example)\n- one\n```\nselect 1\n```\n\nhost · db-1"
        )
    );
    assert_eq!(fields(&alert), ["Dag=load_orders", "Try=3"]);
    assert_eq!(
        links(&alert),
        ["Retry https://a.example/retry", "Open https://a.example/2"]
    );
    assert_eq!(alert.severity, Severity::Medium);
}

#[test]
fn legacy_attachments_are_read_whole() {
    let body = json!({"attachments": [
        {"color": "#36a64f", "pretext": "Nightly run", "author_name": "dbt", "title": "12 models", "title_link": "https://a.example",
            "text": "all *good*", "fields": [{"title": "Rows", "value": 37, "short": true}], "footer": "dbt Cloud", "ts": 1},
        {"color": "warning", "fallback": "never shown", "text": "one is slow", "actions": [
            {"type": "button", "text": "Show", "url": "https://b.example"}]}
    ]});
    let alert = alert(&body);
    assert_eq!(alert.title, "Nightly run");
    // The worst colour counts.
    assert_eq!(alert.severity, Severity::Medium);
    assert_eq!(
        alert.description.as_deref(),
        Some("**12 models**\n\nall **good**\n\ndbt\n\ndbt Cloud\n\none is slow")
    );
    assert_eq!(fields(&alert), ["Rows=37"]);
    assert_eq!(
        alert.url.as_ref().map(Link::as_str),
        Some("https://a.example/")
    );
    assert_eq!(links(&alert), ["Show https://b.example/"]);
}

#[test]
fn the_leading_word_decides_before_the_colour() {
    for (title, colour, severity) in [
        ("CRITICAL: db is down", "good", Severity::Critical),
        (":fire: *[Error]* db is down", "", Severity::High),
        ("@channel CRITICAL: db is down", "", Severity::Critical),
        (":fire: @oncall @ann :fire: [low] a test", "", Severity::Low),
        ("@channel", "", Severity::Medium),
        ("@critical: db is down", "", Severity::Critical),
        ("🔥 warning queue is long", "danger", Severity::Medium),
        ("Low disk space on db-1", "danger", Severity::High),
        ("Low: disk space", "danger", Severity::Low),
        ("Page load is slow", "", Severity::Medium),
        ("[page] db is down", "", Severity::Critical),
        ("HIGH load", "", Severity::High),
        ("high", "", Severity::High),
        ("Major release is out", "good", Severity::Low),
        ("sev2 db is slow", "", Severity::High),
        ("Error-free run", "good", Severity::Low),
        ("Error rate is back to normal", "good", Severity::Low),
        ("LOW DISK SPACE on db-1", "", Severity::Medium),
        ("PAGE LOAD IS SLOW", "", Severity::Medium),
        ("CRITICAL DISK FAILURE", "", Severity::Critical),
        ("P1 - db", "", Severity::Critical),
        ("Something else", "", Severity::Medium),
        ("Something else", "danger", Severity::High),
        ("Something else", "#ffae42", Severity::Medium),
        ("Something else", "#36a64f", Severity::Low),
        ("Recovered: db is up", "good", Severity::Low),
        ("Resolved", "", Severity::Low),
        ("A critical thing", "", Severity::Medium),
    ] {
        let body = json!({"attachments": [{"title": title, "color": colour}]});
        assert_eq!(alert(&body).severity, severity, "{title:?} {colour:?}");
        // Nobody could say which problem it ends, and an end of none is not sent.
        assert_eq!(alert(&body).status, AlertStatus::Active, "{title:?}");
    }
    let text = json!({"text": "whatever"}).to_string();
    let options = HookOptions {
        alert_type: "jenkins",
        severity: Some(Severity::Critical),
    };
    let read = read_hook(Json::parse(text.as_bytes()).unwrap(), options, now()).unwrap();
    assert_eq!(read.0.alert.severity, Severity::Critical);
    assert_eq!(read.0.alert.alert_type.as_str(), "jenkins");
}

#[test]
fn what_the_platform_would_refuse_is_refused_in_its_words() {
    for (body, words) in [
        (json!([]), "invalid_payload"),
        (json!("text"), "invalid_payload"),
        (json!({"text": "a", "blocks": "b"}), "invalid_payload"),
        (json!({"text": "a", "attachments": {}}), "invalid_payload"),
        (json!({}), "no_text"),
        (json!({"text": "  "}), "no_text"),
        (json!({"blocks": [{"type": "divider"}]}), "no_text"),
        (
            json!({"@type": "MessageCard"}),
            "Summary or Text is required.",
        ),
        (
            json!({"type": "message", "attachments": []}),
            "Summary or Text is required.",
        ),
        (
            json!({"type": "AdaptiveCard"}),
            "Summary or Text is required.",
        ),
    ] {
        assert_eq!(read(&body).unwrap_err(), HookRefusal(words), "{body}");
    }
    let headed = alert(&json!({"text": "##\n\nbelow a line of marks"}));
    assert_eq!(headed.title, "below a line of marks");
    let sums = alert(
        &json!({"attachments": [{"title": "t", "fields": [{"title": "Sum", "value": "2 * 3 * 4"}]}]}),
    );
    assert_eq!(fields(&sums), ["Sum=2 * 3 * 4"]);
    // Only code: its first line is the title.
    let code = alert(&json!({"text": "```\nTraceback\nline 1\n```"}));
    assert_eq!(code.title, "Traceback");
}

/// A title shows no links, and values are plain text: their links stand beside the others.
#[test]
fn links_of_titles_and_fields_are_kept() {
    let body = json!({"text": "<https://a.example/run|Run 5> of <https://a.example/dag|load> failed", "attachments": [
        {"title": "see <https://b.example|this>", "fields": [{"title": "Log", "value": "<https://a.example/log|task.log>"}]}]});
    let alert = alert(&body);
    assert_eq!(alert.title, "Run 5 of load failed");
    let url = alert.url.as_ref().map(Link::as_str);
    assert_eq!(url, Some("https://a.example/run"));
    assert_eq!(fields(&alert), ["Log=task.log"]);
    assert_eq!(
        links(&alert),
        [
            "load https://a.example/dag",
            "this https://b.example/",
            "task.log https://a.example/log"
        ]
    );
}

/// What has no place of its own stands in the description.
#[test]
fn nothing_beyond_the_limits_of_an_alert_is_lost() {
    let long = "word ".repeat(300);
    let fields: Vec<_> = (0..45)
        .map(|at| json!({"title": format!("f{at}"), "value": at}))
        .collect();
    let buttons: Vec<_> = (0..8)
        .map(|at| json!({"type": "button", "text": format!("b{at}"), "url": format!("https://a.example/{at}")}))
        .collect();
    let wide = json!({"title": "query", "value": "x".repeat(5_000)});
    let body = json!({"text": long, "attachments": [
        {"fields": [wide]}, {"fields": fields, "actions": buttons}]});
    let alert = alert(&body);
    let description = alert.description.unwrap();
    assert!(description.starts_with(long.trim()), "{description}");
    for part in [
        &format!("**query**\n{}", "x".repeat(5_000)),
        "**f40**\n40",
        "**f44**\n44",
        "- [b5](https://a.example/5)\n- [b6](https://a.example/6)\n- [b7](https://a.example/7)",
    ] {
        assert!(description.contains(part), "{part}");
    }
    assert_eq!((alert.fields.len(), alert.actions.len()), (40, 5));
}

#[test]
fn pairs_of_a_section_may_have_several_lines() {
    let field = |text: &str| json!({"type": "mrkdwn", "text": text});
    let body = json!({"text": "t", "blocks": [{"type": "section", "fields": [
        field("*Query:* select 1\nfrom t"), field("*Where*\nprod\neu"), field("*bold* words"), field("*Alone:*")]}]});
    let alert = alert(&body);
    assert_eq!(fields(&alert), ["Query=select 1\nfrom t", "Where=prod\neu"]);
    let description = alert.description.as_deref();
    assert_eq!(description, Some("**bold** words\n\n**Alone:**"));
}

/// Slack shows no marks in plain text.
#[test]
fn plain_text_is_no_markup() {
    let plain = |text: &str| json!({"type": "plain_text", "text": text});
    let body = json!({"blocks": [
        {"type": "header", "text": plain("2 * 3 * 4 of [x](y)")},
        {"type": "section", "fields": [plain("*Not:*\na pair")],
            "accessory": {"type": "button", "text": plain("*Open*"), "url": "https://a.example"}}]});
    let alert = alert(&body);
    assert_eq!(alert.title, "2 * 3 * 4 of [x](y)");
    assert_eq!(alert.description.as_deref(), Some("*Not:*\na pair"));
    assert_eq!(links(&alert), ["*Open* https://a.example/"]);
}

#[test]
fn lists_of_rich_text_keep_their_numbers_and_levels() {
    let item = |text: &str| json!({"type": "rich_text_section", "elements": [{"type": "text", "text": text}]});
    let list = |style: &str, indent: u8, offset: u8, items: Vec<serde_json::Value>| json!({"type": "rich_text_list", "style": style, "indent": indent, "offset": offset, "elements": items});
    let body = json!({"text": "t", "blocks": [{"type": "rich_text", "elements": [
        list("ordered", 0, 0, vec![item("one"), item("two")]), list("bullet", 1, 0, vec![item("inner")]),
        list("ordered", 0, 2, vec![item("three")])]}]});
    let description = alert(&body).description;
    assert_eq!(
        description.as_deref(),
        Some("1. one\n2. two\n   - inner\n3. three")
    );
}

/// The text of a message is the words of a notification beside blocks, unless these show nothing.
#[test]
fn a_text_beside_blocks_that_show_nothing_is_shown_whole() {
    let body = json!({"text": "Load failed\nsince 5:00", "blocks": [{"type": "divider"}, {"type": "file"}]});
    let shown = alert(&body);
    assert_eq!(shown.title, "Load failed");
    assert_eq!(shown.description.as_deref(), Some("since 5:00"));
}

/// Any JSON with the names that the reader knows.
fn hostile() -> impl Strategy<Value = serde_json::Value> {
    let names = prop::sample::select(vec![
        "text",
        "blocks",
        "attachments",
        "type",
        "title",
        "fields",
        "elements",
        "items",
        "body",
        "facts",
        "sections",
        "color",
        "value",
        "url",
        "actions",
        "content",
        "style",
        "rows",
        "@type",
        "card",
        "selectAction",
        "images",
        "indent",
        "summary",
    ]);
    let words = prop::sample::select(vec![
        "section",
        "header",
        "rich_text",
        "AdaptiveCard",
        "message",
        "*a*",
        "<b|c>",
        "```",
        "[FIRING:1] x",
        "TextBlock",
        "`",
        "<",
        "~_*",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        words.prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 80, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|pairs| {
                let pairs = pairs
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                serde_json::Value::Object(pairs.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_every_alert_has_a_title(body in hostile()) {
        if let Ok((alert, _)) = read(&body) {
            prop_assert!(!alert.title.trim().is_empty());
        }
    }

    /// No word of a plain text is lost.
    #[test]
    fn every_word_of_a_text_is_kept(words in prop::collection::vec("[a-z0-9]{1,8}", 1..30), at in 0_usize..29) {
        let mut text = String::new();
        for (place, word) in words.iter().enumerate() {
            text.push_str(word);
            text.push(if place == at { '\n' } else { ' ' });
        }
        let alert = alert(&json!({"text": text}));
        let shown = format!("{} {}", alert.title, alert.description.unwrap_or_default());
        prop_assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), words);
    }
}
