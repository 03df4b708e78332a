//! Comparing what was accepted with what arrived and what the store says.

use std::collections::{HashMap, HashSet};

use anyhow::ensure;

use crate::receiver::Arrival;

/// An alert that the API accepted.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) alert_type: &'static str,
    pub(crate) title: String,
}

/// What one destination came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// Alerts that were accepted for it.
    pub(crate) accepted: usize,
    /// Requests that it took.
    pub(crate) requests: usize,
    /// Requests that told of what an earlier one had told of.
    pub(crate) repeated: usize,
}

/// Holds a destination to account where each message is of one alert: everything arrived, in the order of acceptance among
/// first sendings.
pub(crate) fn each_alone(posted: &[Posted], arrivals: &[Arrival]) -> anyhow::Result<Account> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut repeated = 0;
    for (at, arrival) in arrivals.iter().enumerate() {
        let Arrival::One(title) = arrival else {
            ensure!(false, "a digest came where there is no pace");
            continue;
        };
        if first.contains_key(title.as_str()) {
            repeated += 1;
        } else {
            first.insert(title, at);
        }
    }
    let lost: Vec<&str> = posted
        .iter()
        .map(|posted| posted.title.as_str())
        .filter(|title| !first.contains_key(title))
        .collect();
    ensure!(
        lost.is_empty(),
        "{} were lost, such as {:?}",
        lost.len(),
        lost.first()
    );
    Ok(Account {
        accepted: posted.len(),
        requests: arrivals.len(),
        repeated,
    })
}

/// What one client posted one after the other must arrive in that order: an alert that was posted after another's 202 goes
/// after it. Each poster's numbers rise, and so must those of first sendings, apart from those that were under way at once.
pub(crate) fn in_order(arrivals: &[Arrival], under_way: u64) -> anyhow::Result<()> {
    let mut seen = HashSet::new();
    let mut highest = 0;
    for arrival in arrivals {
        let Arrival::One(title) = arrival else {
            continue;
        };
        if !seen.insert(title.as_str()) {
            continue;
        }
        let number: u64 = title.trim_start_matches('n').parse()?;
        ensure!(
            number + under_way >= highest,
            "{title} came after n{highest}, which was posted long after it"
        );
        highest = highest.max(number);
    }
    Ok(())
}

/// Holds a destination to account whose messages may be digests: the counts add up to what was accepted, but for whole
/// requests that were repeated.
pub(crate) fn with_digests(accepted: usize, arrivals: &[Arrival]) -> anyhow::Result<Account> {
    let carried: usize = arrivals
        .iter()
        .map(|arrival| match arrival {
            Arrival::One(_) => 1,
            Arrival::Digest(count) => *count,
        })
        .sum();
    ensure!(carried >= accepted, "{} were lost", accepted - carried);
    Ok(Account {
        accepted,
        requests: arrivals.len(),
        repeated: carried - accepted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(titles: &[&str]) -> Vec<Posted> {
        let one = |title: &&str| Posted {
            alert_type: "a",
            title: (*title).to_owned(),
        };
        titles.iter().map(one).collect()
    }

    fn ones(titles: &[&str]) -> Vec<Arrival> {
        titles
            .iter()
            .map(|title| Arrival::One((*title).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_lost_or_out_of_order_is_noticed_and_repeats_are_counted() {
        let accepted = posted(&["n1", "n2"]);
        let account = each_alone(&accepted, &ones(&["n1", "n1", "n2"])).unwrap();
        assert_eq!((account.accepted, account.repeated), (2, 1));
        assert!(each_alone(&accepted, &ones(&["n1"])).is_err());
        assert!(in_order(&ones(&["n1", "n2", "n1", "n3"]), 0).is_ok());
        assert!(in_order(&ones(&["n9", "n2"]), 4).is_err());
        assert!(with_digests(5, &[Arrival::Digest(4)]).is_err());
        let digests = [
            Arrival::Digest(4),
            ones(&["n5"]).remove(0),
            Arrival::Digest(2),
        ];
        assert_eq!(with_digests(5, &digests).unwrap().repeated, 2);
    }
}
