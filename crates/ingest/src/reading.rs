//! One reading of a body: the rules that hold for it, and the alerts that were found so far.

use alert_connectors_model::{Fault, Json, Loc, Warning};
use jiff::Timestamp;

use crate::{
    Ingested, Mapping,
    draft::Draft,
    mapping::{Fate, Sent},
};

/// The reading of a body.
pub(crate) struct Reading<'m> {
    /// Stands in for times that the body lacks.
    now: Timestamp,
    mapping: &'m Mapping,
    /// The body as it was sent, where the mapping may look something up in it.
    body: Option<Json<'m>>,
    ingested: Ingested,
}

impl<'m> Reading<'m> {
    pub(crate) fn new(now: Timestamp, mapping: &'m Mapping, body: &Json<'m>) -> Self {
        Self {
            now,
            mapping,
            body: (!mapping.is_empty()).then(|| body.clone()),
            ingested: Ingested::default(),
        }
    }

    /// Begins the alert of an entry of the body.
    pub(crate) fn draft<'j>(&self, loc: Loc, entry: &Json<'j>) -> Draft<'j> {
        Draft::new(loc, self.body.as_ref().map(|_| entry.clone()))
    }

    /// Adds the alert of an entry, changed by the space's mapping. One that the mapping drops is counted.
    pub(crate) fn add(&mut self, mut draft: Draft<'_>) -> Result<(), Vec<Fault>> {
        if let (Some(body), Some(entry)) = (&self.body, &draft.take_entry()) {
            let sent = Sent { entry, body };
            if self.mapping.apply(sent, &mut draft) == Fate::Dropped {
                self.ignore();
                return Ok(());
            }
        }
        self.ingested.alerts.push(draft.parsed(self.now)?);
        Ok(())
    }

    /// Says by what the producer itself names the event that the body is, so that a repeat of it is noticed.
    pub(crate) fn event_id(&mut self, parts: &[&str]) {
        self.ingested.event_id = Some(parts.join("\n"));
    }

    /// Says which problem the body is about, which is one event.
    pub(crate) fn dedup_key(&mut self, key: &str) {
        self.ingested.dedup_key = Some(key.to_owned());
    }

    /// Counts an entry that says nothing that a channel could act on.
    pub(crate) const fn ignore(&mut self) {
        self.ingested.ignored += 1;
    }

    /// Says what was found that belongs to no alert.
    pub(crate) fn warn(&mut self, loc: Loc, msg: impl Into<String>) {
        let msg = msg.into();
        self.ingested.warnings.push(Warning { loc, msg });
    }

    pub(crate) fn finish(self) -> Ingested {
        self.ingested
    }
}
