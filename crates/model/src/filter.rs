//! The two filters of a connector: by severity and by alert type.

use crate::{AlertType, Severity};

/// The severities that a connector forwards, in the order in which they were given. Empty means all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeverityFilter(Vec<Severity>);

impl SeverityFilter {
    /// Folds repeats and keeps the order.
    pub fn new(severities: impl IntoIterator<Item = Severity>) -> Self {
        Self(folded(severities))
    }

    /// The severities as they were given.
    pub fn severities(&self) -> &[Severity] {
        &self.0
    }

    /// Whether an alert of this severity passes.
    pub fn matches(&self, severity: Severity) -> bool {
        self.0.is_empty() || self.0.contains(&severity)
    }
}

impl Default for SeverityFilter {
    /// `["high", "critical"]`, as the contract has it.
    fn default() -> Self {
        Self(vec![Severity::High, Severity::Critical])
    }
}

/// The alert types that a connector forwards; `All` is the API's `null`, and an empty list lets nothing through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AlertTypeFilter {
    /// Every alert type.
    #[default]
    All,
    /// Only these, in the order in which they were given.
    Only(Vec<AlertType>),
}

impl AlertTypeFilter {
    /// At most this many entries.
    pub const ENTRIES_MAX: usize = 64;

    /// Folds repeats and keeps the order.
    pub fn only(types: impl IntoIterator<Item = AlertType>) -> Self {
        Self::Only(folded(types))
    }

    /// The list, or nothing for all.
    pub fn types(&self) -> Option<&[AlertType]> {
        match self {
            Self::All => None,
            Self::Only(types) => Some(types),
        }
    }

    /// Whether an alert of this type passes.
    pub fn matches(&self, alert_type: &AlertType) -> bool {
        self.types().is_none_or(|types| types.contains(alert_type))
    }
}

fn folded<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_severity_filter_matches_all_and_an_empty_type_filter_none() {
        let some_type = AlertType::parse("dq_alert").unwrap();
        assert!(
            Severity::ALL
                .into_iter()
                .all(|s| SeverityFilter::new([]).matches(s))
        );
        assert!(!AlertTypeFilter::only([]).matches(&some_type));
        assert!(AlertTypeFilter::All.matches(&some_type));
    }

    #[test]
    fn repeats_are_folded_and_order_is_kept() {
        let filter = SeverityFilter::new([Severity::High, Severity::Low, Severity::High]);
        assert_eq!(filter.severities(), [Severity::High, Severity::Low]);
        assert!(!filter.matches(Severity::Critical));
    }
}
