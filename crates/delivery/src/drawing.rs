//! Reads the drawings of state machines that stand above their types, for the tests that walk them.

use std::collections::BTreeSet;

/// The transitions that a source file draws, as lines of `From -> To  event, event`; a colon ends the events of a line. Only
/// these events count, and every event of a line must be one of them.
pub(crate) fn transitions<'s>(
    source: &'s str,
    events: &[&'s str],
) -> BTreeSet<(&'s str, &'s str, &'s str)> {
    let mut found = BTreeSet::new();
    for line in source.lines() {
        let line = line
            .trim()
            .trim_start_matches("//")
            .trim_start_matches(['/', '!']);
        let Some((from, rest)) = line.split_once(" -> ") else {
            continue;
        };
        let Some((to, said)) = rest.split_once("  ") else {
            continue;
        };
        let said = said.split(':').next().unwrap_or_default();
        for event in said.split(',') {
            let event = event.trim();
            let known = events.iter().find(|known| event.starts_with(**known));
            found.insert((from.trim(), to.trim(), *known.unwrap_or(&event)));
        }
    }
    found
}
