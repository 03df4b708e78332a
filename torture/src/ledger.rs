//! Comparing what was accepted with what arrived and what the store says.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use anyhow::ensure;

use crate::receiver::Arrival;

/// An alert that the API accepted.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) alert_type: &'static str,
    pub(crate) title: String,
    /// When it was posted first.
    pub(crate) began: Instant,
    /// When it was accepted.
    pub(crate) answered: Instant,
}

/// What one destination came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// Alerts that were accepted for it.
    pub(crate) accepted: usize,
    /// Requests that it took.
    pub(crate) requests: usize,
    /// Requests that repeat what an earlier one carried.
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

/// What was posted after another's 202 goes after it: nothing arrives for the first time before something that had been
/// accepted when it was not yet posted.
pub(crate) fn in_order(posted: &[Posted], arrivals: &[Arrival]) -> anyhow::Result<()> {
    let by_title: HashMap<&str, &Posted> =
        posted.iter().map(|one| (one.title.as_str(), one)).collect();
    let mut seen = HashSet::new();
    let firsts: Vec<&Posted> = arrivals
        .iter()
        .filter_map(|arrival| match arrival {
            Arrival::One(title) if seen.insert(title.as_str()) => by_title.get(title.as_str()),
            _ => None,
        })
        .copied()
        .collect();
    let mut soonest: Option<&Posted> = None;
    for one in firsts.iter().rev() {
        if let Some(later) = soonest {
            ensure!(
                later.answered >= one.began,
                "{} came after {}, which was posted after its 202",
                later.title,
                one.title
            );
        }
        if soonest.is_none_or(|later| one.answered < later.answered) {
            soonest = Some(one);
        }
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
    use std::time::Duration;

    use super::*;

    fn posted(titles: &[&str]) -> Vec<Posted> {
        let start = Instant::now();
        // One after the other: each is posted when the one before was accepted.
        let one = |(at, title): (u64, &&str)| Posted {
            alert_type: "a",
            title: (*title).to_owned(),
            began: start + Duration::from_secs(2 * at),
            answered: start + Duration::from_secs(2 * at + 1),
        };
        (0..).zip(titles).map(one).collect()
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
        assert!(in_order(&accepted, &ones(&["n1", "n2", "n1"])).is_ok());
        assert!(in_order(&accepted, &ones(&["n2", "n1"])).is_err());
        assert!(with_digests(5, &[Arrival::Digest(4)]).is_err());
        let digests = [
            Arrival::Digest(4),
            ones(&["n5"]).remove(0),
            Arrival::Digest(2),
        ];
        assert_eq!(with_digests(5, &digests).unwrap().repeated, 2);
    }
}
