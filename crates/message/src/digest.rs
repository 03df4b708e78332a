//! Many alerts in one message: counts by severity, the worst in full, the rest a line each, the tail counted.

use alert_connectors_model::{AlertStatus, Severity};

use crate::Shown;

/// A platform gets at most this many alerts with their content; it shows what fits.
pub const DIGEST_ITEMS_MAX: usize = 40;

/// What a digest says.
#[derive(Debug, Clone)]
pub struct Digest<'a> {
    /// The space that the alerts are from.
    pub space: &'a str,
    /// All alerts, counted.
    pub counts: Counts,
    /// The worst of them, worst first and then in their order.
    pub worst: Vec<Shown<'a>>,
}

/// Counts active alerts by severity, and resolved ones together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    active: [usize; 4],
    resolved: usize,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, severity: Severity, status: AlertStatus) {
        match status {
            AlertStatus::Active => self.active[severity as usize] += 1,
            AlertStatus::Resolved => self.resolved += 1,
        }
    }

    /// The counts without the alerts that are shown.
    fn without(mut self, shown: &[Shown<'_>]) -> Self {
        for shown in shown {
            let count = match shown.alert.status {
                AlertStatus::Active => &mut self.active[shown.alert.severity as usize],
                AlertStatus::Resolved => &mut self.resolved,
            };
            *count = count.saturating_sub(1);
        }
        self
    }

    /// All of them together.
    pub fn total(&self) -> usize {
        self.active.iter().sum::<usize>() + self.resolved
    }

    /// The worst severity of an active alert.
    pub(crate) fn worst(&self) -> Option<Severity> {
        Severity::ALL
            .into_iter()
            .rev()
            .find(|severity| self.active[*severity as usize] > 0)
    }

    /// `3 critical · 9 high · 12 resolved`
    pub(crate) fn words(&self) -> String {
        let active = Severity::ALL
            .into_iter()
            .rev()
            .map(|severity| (self.active[severity as usize], severity.as_str()));
        let parts: Vec<String> = active
            .chain([(self.resolved, "resolved")])
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        parts.join(" · ")
    }
}

/// How much of a digest is shown. The first step that fits is taken.
pub(crate) struct DigestFit {
    /// Alerts in full.
    pub(crate) full: usize,
    /// Alerts in a line each.
    pub(crate) lines: usize,
    /// The length of a title.
    pub(crate) title: usize,
    /// The length of a description.
    pub(crate) description: usize,
}

/// The last step fits by its numbers; a property test holds it to that.
pub(crate) const DIGEST_FITS: [DigestFit; 5] = [
    step(3, 30, 150, 400),
    step(3, 20, 120, 300),
    step(3, 12, 100, 200),
    step(2, 6, 80, 120),
    step(1, 2, 60, 60),
];

const fn step(full: usize, lines: usize, title: usize, description: usize) -> DigestFit {
    DigestFit {
        full,
        lines,
        title,
        description,
    }
}

impl<'a> Digest<'a> {
    /// The alerts in full, and those in a line each.
    pub(crate) fn parts(&self, step: &DigestFit) -> (&[Shown<'a>], &[Shown<'a>]) {
        let shown = self.worst.len().min(step.full + step.lines);
        let shown = self.worst.get(..shown).unwrap_or_default();
        shown.split_at(shown.len().min(step.full))
    }

    /// `and 12 more: 12 low`, where not all are among the `shown` first.
    pub(crate) fn more(&self, shown: usize) -> Option<String> {
        let rest = self
            .counts
            .without(self.worst.get(..shown).unwrap_or_default());
        let more = || format!("and {} more: {}", rest.total(), rest.words());
        (rest.total() > 0).then(more)
    }

    /// `312 alerts in Data: 3 critical · 9 high`
    pub(crate) fn heading(&self) -> (String, String) {
        let total = self.counts.total();
        let noun = if total == 1 { "alert" } else { "alerts" };
        (format!("{total} {noun}"), self.counts.words())
    }
}
