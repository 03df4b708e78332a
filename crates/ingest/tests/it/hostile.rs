//! Bodies that mean harm: nothing panics, and no entry is lost.

use alert_connectors_ingest::{Mapping, Source};
use alert_connectors_model::Json;
use proptest::{collection::vec, prelude::*};

/// Any value, with names that sources look for among others.
fn value() -> impl Strategy<Value = String> {
    let names = "(alerts|data|essentials|payload|event_action|dedup_key|specversion|source|type|subject|success|expectation_config|exception_info|result|statistics|links|custom_details|results|run_results|unique_id|message|timing|nodes|labels|annotations|status|severity|fingerprint|startsAt|values|summary|x)";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1e999".to_owned()),
        Just(r#""firing""#.to_owned()),
        Just(r#""trigger""#.to_owned()),
        Just(r#""1.0""#.to_owned()),
        Just(r#""0001-01-01T00:00:00Z""#.to_owned()),
        r#""[a-zA-Z \u{202e}\u{1F600}_=,:/-]{0,80}""#,
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        let list = vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(",")));
        let object = vec((names, inner), 0..6).prop_map(|pairs| {
            let mut seen = std::collections::HashSet::new();
            let pairs = pairs
                .into_iter()
                .filter(|(name, _)| seen.insert(name.clone()));
            let pairs: Vec<_> = pairs
                .map(|(name, value)| format!(r#""{name}":{value}"#))
                .collect();
            format!("{{{}}}", pairs.join(","))
        });
        prop_oneof![list, object]
    })
}

proptest! {
    #[test]
    fn every_entry_becomes_an_alert(entries in vec(value(), 0..8), rest in value()) {
        let body = format!(r#"{{"groupLabels":{rest},"orgId":{rest},"truncatedAlerts":{rest},"alerts":[{}]}}"#, entries.join(","));
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        for source in [Source::Alertmanager, Source::Grafana] {
            let json = Json::parse(body.as_bytes()).unwrap();
            prop_assert_eq!(source.read(json, &Mapping::default(), now).unwrap().alerts.len(), entries.len());
        }
        let body = format!(r#"{{"args":{rest},"metadata":{{"dbt_schema_version":"v6","generated_at":{rest}}},"manifest":{rest},"results":[{}]}}"#, entries.join(","));
        let batch = format!("[{}]", entries.join(","));
        let read = Source::CloudEvents.read(Json::parse(batch.as_bytes()).unwrap(), &Mapping::default(), now).unwrap();
        prop_assert_eq!(read.alerts.len(), entries.len());
        let read = Source::Dbt.read(Json::parse(body.as_bytes()).unwrap(), &Mapping::default(), now).unwrap();
        prop_assert_eq!(read.alerts.len() + read.ignored, entries.len());
    }

    #[test]
    fn no_body_makes_a_source_panic(body in value()) {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        for source in Source::ALL {
            let _read = source.read(Json::parse(body.as_bytes()).unwrap(), &Mapping::default(), now);
        }
    }
}
