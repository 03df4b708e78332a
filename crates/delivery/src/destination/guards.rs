//! What holds a destination back for a while: a request under way, a report that is not on disk yet, a move of what is pending. Each counts from the
//! moment it is made until it is dropped.

use std::sync::Arc;

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{DestinationHealth, Fence};

use super::{Destination, State, UNRECORDED_MAX};
use crate::recorder::Unrecorded;

impl Destination {
    /// A request is under way.
    pub(super) fn begin_request(self: &Arc<Self>) -> RequestUnderWay {
        self.state().under_way = true;
        RequestUnderWay(Arc::clone(self))
    }

    /// One more report is unrecorded.
    pub(super) fn unrecorded(self: &Arc<Self>, state: &mut State) -> UnrecordedReport {
        state.unrecorded += 1;
        UnrecordedReport(Arc::clone(self))
    }

    /// Nothing is sent.
    pub(crate) fn hold_back(self: &Arc<Self>) -> HoldBack {
        self.state().held_back_by += 1;
        HoldBack(Arc::clone(self))
    }

    /// A report is on disk.
    fn recorded(&self) {
        let mut state = self.state();
        let before = state.unrecorded;
        state.unrecorded = before.saturating_sub(1);
        // The worker waits until all reports are on disk, or until there are fewer than the maximum.
        let may_matter = before >= UNRECORDED_MAX || state.unrecorded == 0;
        drop(state);
        if may_matter {
            self.wake.notify_one();
            self.calm.notify_waiters();
        }
    }
}

/// The request of a destination, which has one at a time.
pub(super) struct RequestUnderWay(Arc<Destination>);

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.0.state().under_way = false;
        self.0.calm.notify_waiters();
    }
}

/// A report that is not on disk yet. The recorder drops it once it is, or once recording has ended.
pub(super) struct UnrecordedReport(Arc<Destination>);

impl Unrecorded for UnrecordedReport {
    fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    fn health_to_record(&self, fence: Fence) -> Option<DestinationHealth> {
        self.0.health_to_record(fence)
    }
}

impl Drop for UnrecordedReport {
    fn drop(&mut self) {
        self.0.recorded();
    }
}

/// One reason to send nothing. There may be several.
pub(crate) struct HoldBack(Arc<Destination>);

impl Drop for HoldBack {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.held_back_by = state.held_back_by.saturating_sub(1);
        drop(state);
        self.0.wake.notify_one();
    }
}
