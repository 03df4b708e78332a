//! On whose behalf a store is changed: what the change rests on, and what the audit trail says about it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    AddedUser, AuditEntry, Changed, Created, Erased, Invited, MemberChange, RemovedUser, Replayed,
    Retried, SpaceChange,
};

/// On whose behalf a store is changed.
#[derive(Debug, Clone, Default)]
pub struct Mandate {
    /// The version of identity that the caller was authorised at, if a store keeps one. A change checks it in its own
    /// transaction, and fails as [`StoreError::Stale`](crate::StoreError::Stale) if it has moved.
    pub identity_version: Option<i64>,
    /// The entry that a change leaves in the audit trail.
    pub trail: Option<Arc<Trail>>,
}

impl Mandate {
    /// That of a caller who was authorised at this version of identity, and leaves no entry.
    pub fn at_identity_version(version: i64) -> Self {
        Self {
            identity_version: Some(version),
            trail: None,
        }
    }

    /// That of a change that rests on nothing but itself, and leaves an entry.
    pub fn leaving(entry: AuditEntry, sink: Option<Arc<dyn AuditSink>>) -> Self {
        Self {
            identity_version: None,
            trail: Some(Arc::new(Trail::new(entry, sink))),
        }
    }

    /// A change was committed: says so to those who follow the trail, if its entry was written.
    pub fn committed(&self) {
        if let Some(trail) = &self.trail {
            trail.committed();
        }
    }
}

/// Follows the audit trail: a platform may keep it elsewhere, too. It is called once the entry is stored.
pub trait AuditSink: Send + Sync {
    /// An entry was stored. It must not block.
    fn written(&self, entry: &AuditEntry);
}

/// An entry for the audit trail, which is written once: with the first transaction of a change that has an effect.
pub struct Trail {
    entry: AuditEntry,
    sink: Option<Arc<dyn AuditSink>>,
    is_written: AtomicBool,
    is_told: AtomicBool,
}

impl fmt::Debug for Trail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Trail").field(&self.entry).finish()
    }
}

impl Trail {
    /// One that is not written yet.
    pub fn new(entry: AuditEntry, sink: Option<Arc<dyn AuditSink>>) -> Self {
        Self {
            entry,
            sink,
            is_written: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
        }
    }

    /// The entry, if no earlier transaction of the change has written it.
    pub fn unwritten(&self) -> Option<&AuditEntry> {
        let was_written = self.is_written.swap(true, Ordering::AcqRel);
        (!was_written).then_some(&self.entry)
    }

    /// The entry, for a decision that a store may make anew after a failure: whatever it wrote before is undone then.
    pub fn written_again(&self) -> &AuditEntry {
        self.is_written.store(true, Ordering::Release);
        &self.entry
    }

    fn committed(&self) {
        let is_news =
            self.is_written.load(Ordering::Acquire) && !self.is_told.swap(true, Ordering::AcqRel);
        if let Some(sink) = self.sink.as_ref().filter(|_| is_news) {
            sink.written(&self.entry);
        }
    }
}

/// Whether a change did what it was asked for. Only then it leaves an entry in the audit trail.
pub trait Effect {
    /// Whether it did.
    fn has_effect(&self) -> bool;
}

impl Effect for () {
    fn has_effect(&self) -> bool {
        true
    }
}

impl Effect for bool {
    fn has_effect(&self) -> bool {
        *self
    }
}

impl<T> Effect for Option<T> {
    fn has_effect(&self) -> bool {
        self.is_some()
    }
}

impl Effect for AddedUser {
    fn has_effect(&self) -> bool {
        *self == Self::Added
    }
}

impl Effect for Invited {
    fn has_effect(&self) -> bool {
        *self == Self::Added
    }
}

impl Effect for RemovedUser {
    fn has_effect(&self) -> bool {
        *self == Self::Removed
    }
}

impl Effect for SpaceChange {
    fn has_effect(&self) -> bool {
        *self == Self::Done
    }
}

impl Effect for MemberChange {
    fn has_effect(&self) -> bool {
        matches!(self, Self::Added(_) | Self::Changed(_) | Self::Removed)
    }
}

impl Effect for Created {
    fn has_effect(&self) -> bool {
        matches!(self, Self::Made(_))
    }
}

impl Effect for Changed {
    fn has_effect(&self) -> bool {
        matches!(self, Self::Now(_))
    }
}

impl Effect for Retried {
    fn has_effect(&self) -> bool {
        *self == Self::Queued
    }
}

impl Effect for Erased {
    fn has_effect(&self) -> bool {
        self.0 > 0
    }
}

impl Effect for Replayed {
    fn has_effect(&self) -> bool {
        matches!(self, Self::Queued(count) if *count > 0)
    }
}
