//! `torture`: builds the release server and lets it live through what must not lose an alert; tries the messages on many
//! hostile alerts.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;

use crate::run::{cargo, cargo_with, program, root, store, talk};

/// What is run on SQLite if nothing is said, with how many rounds.
const USUAL: [(&str, &str); 4] = [
    ("kill", "200"),
    ("disk", "5"),
    ("faults", "5"),
    ("clock", "30"),
];

/// Only where they are asked for: honest requests are slower under attack than they should be, and a soak takes half an hour.
const SELDOM: [(&str, &str); 2] = [("attack", "2"), ("soak", "30")];

/// The same on PostgreSQL.
const ON_POSTGRES: [(&str, &str); 6] = [
    ("replicas", "75"),
    ("stalls", "3"),
    ("database", "10"),
    ("full", "3"),
    ("failover", "5"),
    ("patroni", "3"),
];

/// How many hostile alerts each property of the messages is tried on, if nothing is said.
const MESSAGES: &str = "20000";

pub(crate) fn run(rest: &[&str]) -> anyhow::Result<()> {
    let (store, rest) = store(rest)?;
    if rest.first() == Some(&"messages") {
        return messages(rest.get(1).copied().unwrap_or(MESSAGES));
    }
    let usual = match store {
        "postgres" => &ON_POSTGRES[..],
        _ => &USUAL[..],
    };
    let packages = [
        "--package",
        "alert-connectors",
        "--package",
        "alert-connectors-torture",
    ];
    cargo(&[&["build", "--locked", "--release"][..], &packages].concat())?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), Into::into)
        .join("release");
    let path = |name: &str| target.join(name).display().to_string();
    let (torture, server) = (path("alert-connectors-torture"), path("alert-connectors"));
    if rest.is_empty() {
        messages(MESSAGES)?;
    }
    let known = usual.iter().copied().chain(SELDOM);
    let wanted: Vec<_> = match rest.first() {
        None => usual.to_vec(),
        Some(wanted) => known.filter(|(name, _)| name == wanted).collect(),
    };
    ensure!(!wanted.is_empty(), "there is no such scenario on {store}");
    for (scenario, rounds) in wanted {
        let rounds = rest.get(1).copied().unwrap_or(rounds);
        program(&torture, &[&server, scenario, rounds])?;
    }
    Ok(())
}

/// The property tests of the messages, on many more alerts than the test command has time for, and on others each time.
fn messages(cases: &str) -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "no two runs are to be alike")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let seed = now.as_secs().to_string();
    talk(format_args!(
        "PROPTEST_RNG_SEED={seed} tries the same {cases} alerts again"
    ));
    let arguments = [
        "test",
        "--locked",
        "--release",
        "--package",
        "alert-connectors-message",
        "--lib",
    ];
    cargo_with(
        &arguments,
        &[("PROPTEST_CASES", cases), ("PROPTEST_RNG_SEED", &seed)],
    )
}
