//! Short labels that stay distinguishable.

use crate::truncate::{ELLIPSIS, Trim, head};

/// How much of its beginning a label keeps that is shown from where it differs.
const BEGINNING_CHARS: usize = 4;

/// Cuts labels to `max` units each. Where several would be cut to the same text, they are shown from where they differ;
/// where that is the same too, they are numbered.
pub(crate) fn distinct(labels: &[&str], max: usize) -> Vec<String> {
    let mut cut: Vec<String> = labels.iter().map(|label| end_cut(label, max)).collect();
    for shorten in [from_difference, numbered] {
        let before = cut.clone();
        for (at, label) in labels.iter().enumerate() {
            let pairs = labels.iter().zip(&before);
            let alike = pairs.filter(|(other, text)| **text == before[at] && *other != label);
            let alike: Vec<&str> = alike.map(|(other, _)| *other).collect();
            if !alike.is_empty() {
                cut[at] = shorten(label, &alike, at, max);
            }
        }
    }
    cut
}

/// Adds the labels that were cut to the list of what did not fit.
pub(crate) fn note(place: &str, label: &str, shown: &str, trimmed: &mut Vec<Trim>) {
    if label != shown {
        trimmed.push(Trim {
            field: place.to_owned(),
            from: label.chars().count(),
            to: shown.chars().filter(|c| *c != ELLIPSIS).count(),
        });
    }
}

fn end_cut(label: &str, max: usize) -> String {
    crate::truncate::cut(label, max).text
}

/// A few characters of the beginning, and the text from the word on in which it differs from the others.
fn from_difference(label: &str, alike: &[&str], _at: usize, max: usize) -> String {
    let shared = |other: &&str| {
        let pairs = label.chars().zip(other.chars());
        pairs.take_while(|(one, other)| one == other).count()
    };
    let shared = alike.iter().map(shared).min().unwrap_or_default();
    let shared: String = label.chars().take(shared).collect();
    let word = shared.rfind(' ').map_or(0, |space| space + 1);
    let rest = label.get(word..).unwrap_or_default();
    let begin = head(label, BEGINNING_CHARS);
    end_cut(&format!("{begin}{ELLIPSIS}{rest}"), max)
}

fn numbered(label: &str, _alike: &[&str], at: usize, max: usize) -> String {
    let number = format!(" {}", at + 1);
    format!(
        "{}{number}",
        end_cut(label, max.saturating_sub(number.len()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_are_cut_alike_keep_their_ends_or_get_a_number() {
        let open = distinct(
            &["Open runbook of orders", "Open runbook of users", "Silence"],
            16,
        );
        assert_eq!(open, ["Open…orders", "Open…users", "Silence"]);
        let same = distinct(&["aaaaaaaaaa1aaaaaaaaaa", "aaaaaaaaaa2aaaaaaaaaa"], 10);
        assert_eq!(same, ["aaaaaaa… 1", "aaaaaaa… 2"]);
        let middle = distinct(
            &["Open the orders_daily one", "Open the orders_hourly one"],
            16,
        );
        assert_eq!(middle, ["Open…orders_dai…", "Open…orders_hou…"]);
        assert_eq!(distinct(&["Open", "Open"], 10), ["Open", "Open"]);
    }
}
