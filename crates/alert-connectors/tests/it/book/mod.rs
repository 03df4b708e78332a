//! The book: every command and every body in it does what it says, its reference is made from the program, and its links lead
//! somewhere.

mod pages;
mod reader;
mod reference;

use std::fs;

use pages::{blocks, links, listed, source, written};
use reader::Reader;

/// Pages whose commands begin on an empty machine; all others begin after the tutorial.
const FROM_NOTHING: [&str; 1] = ["tutorial.md"];

fn page(name: &str) -> String {
    fs::read_to_string(source().join(name)).unwrap()
}

#[test]
fn the_summary_lists_every_page() {
    let mut listed = listed();
    listed.sort();
    let mut written = written();
    written.retain(|name| name != "SUMMARY.md");
    assert_eq!(listed, written);
}

#[test]
fn every_link_leads_to_a_page_or_a_file() {
    for name in written() {
        let from = source().join(&name);
        for link in links(&page(&name)) {
            let is_elsewhere = link.starts_with("https://") || link.starts_with('#');
            let path = link.split('#').next().unwrap();
            let found = from.parent().unwrap().join(path).exists();
            assert!(is_elsewhere || found, "{name} links to {link}");
        }
    }
}

/// A block that no test runs would be one that nobody notices to be wrong.
#[test]
fn every_block_says_what_it_is() {
    for name in written() {
        for block in blocks(&page(&name)) {
            let is_known = match block.kind().as_slice() {
                ["sh" | "text" | "python"]
                | ["sh", "build" | "server"]
                | ["python", "checkpoint"]
                | ["json", "answer"] => true,
                ["yaml" | "toml" | "json", file] => file.starts_with("file="),
                ["json", "POST" | "PUT", path, status] => {
                    path.starts_with('/') && status.parse::<u16>().is_ok()
                }
                _ => false,
            };
            assert!(is_known, "{name}, line {}: {:?}", block.line, block.info);
        }
    }
}

async fn read(name: &str) {
    let text = page(name);
    let mut reader = if FROM_NOTHING.contains(&name) {
        Reader::with_nothing().await
    } else {
        Reader::after_the_tutorial().await
    };
    for block in blocks(&text) {
        let place = format!("{name}, line {}", block.line);
        reader.follow(&place, &block).await;
    }
}

macro_rules! pages {
    ($($test:ident: $name:literal,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            read($name).await;
        })*

        /// Each page with something to do is followed by a test of its own.
        #[test]
        fn every_page_is_followed() {
            let followed = [$($name),*];
            for name in written() {
                let to_do = blocks(&page(&name)).into_iter().any(|block| block.info[0] != "text");
                assert!(!to_do || followed.contains(&&*name), "{name}");
            }
        }
    };
}

pages! {
    the_tutorial_works: "tutorial.md",
    alertmanager_is_connected: "guides/alertmanager.md",
    grafana_is_connected: "guides/grafana.md",
    dbt_is_connected: "guides/dbt.md",
    airflow_is_connected: "guides/airflow.md",
    great_expectations_is_connected: "guides/great-expectations.md",
    openmetadata_is_connected: "guides/openmetadata.md",
    a_tool_with_a_slack_webhook_is_connected: "guides/slack-webhook.md",
    slack_configs_move: "guides/from-slack-configs.md",
    connectors_are_code: "guides/connectors-as-code.md",
    other_producers_are_connected: "guides/other-producers.md",
    alerts_are_posted: "guides/api.md",
    troubles_are_found: "guides/troubles.md",
    mappings_are_set: "reference/producers.md",
}
