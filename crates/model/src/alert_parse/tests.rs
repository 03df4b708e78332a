//! What is corrected, and what is refused.

use super::*;
use crate::FieldValue;

fn parse(text: &str) -> Result<ParsedAlert, Vec<Fault>> {
    parse_alert(
        Json::parse(text.as_bytes()).unwrap(),
        &Loc::body(),
        Timestamp::UNIX_EPOCH,
    )
}

#[test]
fn the_least_alert_is_taken_with_its_defaults() {
    let parsed = parse(r#"{"alert_type":"dq_alert","title":"Late","severity":"high"}"#).unwrap();
    assert_eq!(parsed.warnings, []);
    assert_eq!(parsed.alert.status, AlertStatus::Active);
    assert_eq!(parsed.alert.occurred_at, Timestamp::UNIX_EPOCH);
}

#[test]
fn all_faults_are_said_at_once() {
    let faults = parse(r#"{"alert_type":"DQ!","severity":"hihg","status":"open","fields":"x"}"#)
        .unwrap_err();
    let seen: Vec<_> = faults.iter().map(|f| (f.loc.to_string(), f.kind)).collect();
    assert_eq!(
        seen,
        [
            ("body.alert_type".to_owned(), FaultKind::NotOneOf),
            ("body.title".to_owned(), FaultKind::Missing),
            ("body.severity".to_owned(), FaultKind::NotOneOf),
            ("body.status".to_owned(), FaultKind::NotOneOf),
        ]
    );
    assert!(faults[2].msg.ends_with("Did you mean high?"));
}

#[test]
fn what_can_be_mended_is_mended_and_told() {
    let long = "ä".repeat(1_001);
    let text = format!(
        r#"{{"alert_type":"a","title":"{long}","severity":"low","url":"ftp://x","colour":1,
        "product":{{"id":7}},"check":{{}},"fields":[1,{{"name":"n","value":[]}},{{"name":"m"}}],"dedup_key":{{}},
        "actions":[{{"label":"no url"}},{{"url":"https://a.example/"}}],
        "description":"a\u0000b","description_format":"html","occurred_at":"yesterday"}}"#
    );
    let parsed = parse(&text).unwrap();
    let alert = parsed.alert;
    assert_eq!(alert.title.chars().count(), 1_000);
    assert!(alert.title.ends_with('…'));
    assert_eq!(alert.product.unwrap().name, "7");
    assert_eq!((alert.check, alert.url), (None, None));
    assert_eq!(alert.fields.len(), 3);
    assert_eq!(alert.fields[2].value.to_string(), "–");
    assert_eq!(alert.actions[0].label, "Link");
    assert_eq!(alert.description.as_deref(), Some("a\u{FFFD}b"));
    let places: Vec<_> = parsed.warnings.iter().map(|w| w.loc.to_string()).collect();
    assert_eq!(
        places,
        [
            "body.title",
            "body.description",
            "body.description_format",
            "body.product.name",
            "body.check",
            "body.fields.0",
            "body.url",
            "body.actions.0.url",
            "body.actions.1.label",
            "body.dedup_key",
            "body.occurred_at",
            "body.colour",
        ]
    );
}

#[test]
fn a_title_with_nothing_visible_is_told_of() {
    let parsed = parse(r#"{"alert_type":"a","title":" \u200b\u2060","severity":"low"}"#).unwrap();
    assert_eq!(parsed.warnings.len(), 1);
}

/// What is read of an alert that has these fields beside the required ones.
fn read(fields: &str) -> ParsedAlert {
    parse(&format!(
        r#"{{"alert_type":"a","title":"t","severity":"low",{fields}}}"#
    ))
    .unwrap()
}

#[test]
fn what_producers_really_write_is_read() {
    let parsed = parse(
        r#"{"alert_type":" DQ Alert ","title":404,"severity":" CRITICAL ","status":"Resolved"}"#,
    )
    .unwrap();
    let alert = parsed.alert;
    assert_eq!(alert.alert_type.as_str(), "dq_alert");
    assert_eq!(
        (alert.title.as_str(), alert.severity, alert.status),
        ("404", Severity::Critical, AlertStatus::Resolved)
    );
    assert_eq!(parsed.warnings.len(), 1);

    let parsed = read(
        r#""description":true,"dedup_key":7,"product":"Sales","check":12,"actions":[{"label":1,"url":"https://a.example/"}]"#,
    );
    let alert = parsed.alert;
    assert_eq!(alert.description.as_deref(), Some("true"));
    assert_eq!(alert.dedup_key.as_deref(), Some("7"));
    assert_eq!(alert.product.unwrap().name, "Sales");
    assert_eq!(alert.check.unwrap().name, "12");
    assert_eq!(alert.actions[0].label, "1");
    assert_eq!(parsed.warnings, []);
    assert_eq!(
        read(r#""description":{"a":[1,"x"]}"#)
            .alert
            .description
            .as_deref(),
        Some(r#"{"a":[1,"x"]}"#)
    );
}

#[test]
fn a_key_that_is_kept_otherwise_says_how() {
    let long = "k".repeat(256);
    for (key, said) in [(long.as_str(), "hash"), ("a\\u0000b", "NUL"), ("k", "")] {
        let warnings = read(&format!(r#""dedup_key":"{key}""#)).warnings;
        let says = |warning: &Warning| warning.msg.contains(said);
        assert_eq!(warnings.len(), usize::from(!said.is_empty()), "{key}");
        assert!(warnings.iter().all(says), "{warnings:?}");
    }
}

#[test]
fn fields_are_a_list_or_an_object_and_every_value_is_kept() {
    let digits = "9".repeat(41);
    let parsed = read(&format!(
        r#""fields":{{"host":"db-1","nested":{{"a":[1,null,"x\n"]}},"":2,"long":{digits},"e":1e400}}"#
    ));
    let shown: Vec<_> = parsed
        .alert
        .fields
        .iter()
        .map(|field| (field.name.as_str(), field.value.to_string()))
        .collect();
    let of = |name, value: &str| (name, value.to_owned());
    assert_eq!(
        shown,
        [
            of("host", "db-1"),
            of("nested", r#"{"a":[1,null,"x\n"]}"#),
            of("field 3", "2"),
            of("long", &digits),
            of("e", "1e+400")
        ]
    );
    assert!(matches!(parsed.alert.fields[3].value, FieldValue::Text(_)));
    assert_eq!(parsed.warnings.len(), 1);
    let parsed = read(r#""fields":["x",{"value":[1]},{"name":5,"value":false}]"#);
    let shown: Vec<_> = parsed
        .alert
        .fields
        .iter()
        .map(|field| format!("{}={}", field.name, field.value))
        .collect();
    assert_eq!(shown, ["field 1=x", "field 2=[1]", "5=false"]);
}

#[test]
fn times_are_read_with_a_zone_without_one_and_as_unix_time() {
    for (time, expected, warnings) in [
        (r#""2026-01-01T01:00:00+01:00""#, "2026-01-01T00:00:00Z", 0),
        (r#""2026-01-01T00:00:00""#, "2026-01-01T00:00:00Z", 1),
        (r#""2026-01-01 00:00:00.5""#, "2026-01-01T00:00:00.5Z", 1),
        ("1767225600", "2026-01-01T00:00:00Z", 0),
        ("1767225600.25", "2026-01-01T00:00:00.25Z", 0),
        ("1767225600123", "2026-01-01T00:00:00.123Z", 0),
        (r#""1767225600""#, "2026-01-01T00:00:00Z", 0),
        ("-5", "1970-01-01T00:00:00Z", 1),
        (r#""soon""#, "1970-01-01T00:00:00Z", 1),
        ("1e999", "1970-01-01T00:00:00Z", 1),
        ("[1]", "1970-01-01T00:00:00Z", 1),
    ] {
        let parsed = read(&format!(r#""occurred_at":{time}"#));
        assert_eq!(parsed.alert.occurred_at.to_string(), expected, "{time}");
        assert_eq!(parsed.warnings.len(), warnings, "{time}");
    }
}

#[test]
fn a_long_description_loses_its_middle() {
    let lines: Vec<_> = (0..3_000).map(|at| format!("line {at}")).collect();
    let json = serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "description": lines.join("\n")});
    let parsed = parse(&json.to_string()).unwrap();
    let description = parsed.alert.description.unwrap();
    assert!(description.starts_with("line 0\n") && description.ends_with("\nline 2999"));
    assert!(description.chars().count() <= 16_000 && description.chars().count() > 15_900);
    assert_eq!(parsed.warnings.len(), 1);
}
