//! Query parameters: every fault at once, an unknown one is a fault. A repeated filter means "or"; of any other parameter the last
//! one counts.

use std::{borrow::Cow, str::FromStr};

use alert_connectors_model::{Fault, FaultKind, Loc, closest_match};
use jiff::Timestamp;

use crate::{ApiError, api_error::FAULTS_MAX, cursor::decode};

/// The number of items on a page without `limit`.
pub(crate) const LIMIT_DEFAULT: usize = 50;
/// The maximum number of items on a page.
pub(crate) const LIMIT_MAX: usize = 200;

/// The maximum number of distinct values of one filter.
const VALUES_MAX: usize = 64;

/// The parameters of a request, taken out one by one.
pub(crate) struct Query<'q> {
    parameters: Vec<(Cow<'q, str>, Cow<'q, str>)>,
    faults: Vec<Fault>,
}

impl<'q> Query<'q> {
    pub(crate) fn new(raw: Option<&'q str>, known: &[&'static str]) -> Self {
        let parameters: Vec<_> =
            url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes()).collect();
        let mut faults = Vec::new();
        let unknown = parameters
            .iter()
            .filter(|(name, _)| !known.contains(&name.as_ref()));
        for (at, (name, _)) in unknown.enumerate() {
            // What no answer lists is only counted.
            let hint = (at < FAULTS_MAX)
                .then(|| closest_match(name, known.iter().copied()))
                .flatten()
                .map(|known| format!(" Did you mean {known}?"));
            let msg = format!("There is no such parameter.{}", hint.unwrap_or_default());
            let shown: String = name.chars().take(80).collect();
            faults.push(Fault::new(Loc::query(shown), FaultKind::UnknownField, msg));
        }
        Self { parameters, faults }
    }

    /// All values of a parameter.
    pub(crate) fn all<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        wanted: &str,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for (_, text) in self.parameters.iter().filter(|(given, _)| given == name) {
            match parse(text) {
                Some(value) => values.push(value),
                None => {
                    let msg = format!("{name} must be {wanted}.");
                    self.faults
                        .push(Fault::new(Loc::query(name), FaultKind::NotOneOf, msg));
                }
            }
        }
        values
    }

    /// The distinct values of a filter, at most 64: each of them costs a lookup in an index.
    pub(crate) fn filter<T: PartialEq>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        wanted: &str,
    ) -> Vec<T> {
        let mut distinct = Vec::new();
        for value in self.all(name, parse, wanted) {
            if distinct.contains(&value) {
                continue;
            }
            if distinct.len() == VALUES_MAX {
                let msg = format!("A filter has at most {VALUES_MAX} values.");
                self.faults
                    .push(Fault::new(Loc::query(name), FaultKind::TooMany, msg));
                break;
            }
            distinct.push(value);
        }
        distinct
    }

    /// The last value of a parameter.
    pub(crate) fn one<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        wanted: &str,
    ) -> Option<T> {
        self.all(name, parse, wanted).pop()
    }

    /// The value of a parameter that must be given once: it is not guessed which of several is meant.
    pub(crate) fn exactly_one<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        wanted: &str,
    ) -> Option<T> {
        let given = self.parameters.iter().filter(|(given, _)| given == name);
        if given.count() == 1 {
            return self.one(name, parse, wanted);
        }
        let msg = format!("{name} must be given once: {wanted}.");
        self.faults
            .push(Fault::new(Loc::query(name), FaultKind::Missing, msg));
        None
    }

    /// The start of the span that a list covers: the earliest `since`, because a repeated parameter means "or".
    pub(crate) fn since(&mut self) -> Option<Timestamp> {
        self.times("since").into_iter().min()
    }

    /// The end of the span that a list covers: the latest `until`.
    pub(crate) fn until(&mut self) -> Option<Timestamp> {
        self.times("until").into_iter().max()
    }

    fn times(&mut self, name: &'static str) -> Vec<Timestamp> {
        self.all(
            name,
            |text| text.parse().ok(),
            "an RFC 3339 time such as 2026-11-23T12:00:00Z",
        )
    }

    pub(crate) fn limit(&mut self) -> usize {
        let parse = |text: &str| {
            text.parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        };
        self.one("limit", parse, "a number from 1 to 200")
            .unwrap_or(LIMIT_DEFAULT)
    }

    /// Where the previous page of a list ended.
    pub(crate) fn cursor<T: FromStr>(&mut self) -> Option<T> {
        self.one(
            "cursor",
            |cursor| decode(cursor)?.parse().ok(),
            "a next_cursor that this list gave",
        )
    }

    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid(self.faults))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_64_distinct_values_and_names_itself_when_there_are_more() {
        let raw = |count: usize| {
            let values = (0..2 * count).map(|at| format!("key={}", at % count));
            values.collect::<Vec<_>>().join("&")
        };
        let parse = |text: &str| Some(text.to_owned());
        let (fits, more) = (raw(64), raw(65));
        let mut query = Query::new(Some(&fits), &["key"]);
        assert_eq!(query.filter("key", parse, "").len(), 64);
        assert!(query.finish().is_ok());
        let mut query = Query::new(Some(&more), &["key"]);
        query.filter("key", parse, "");
        assert_eq!(query.faults.len(), 1);
        assert_eq!(query.faults[0].loc, Loc::query("key"));
    }
}
