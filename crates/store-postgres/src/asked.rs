//! A question to a writer, its answer, and the caller who waits for it.

use alert_connectors_store::StoreError;
use tokio::sync::oneshot;

/// A question to a writer, with its answer once it is decided. The caller hears of it when the group is committed.
pub(crate) struct Asked<Q, A> {
    pub(crate) question: Q,
    answer: Option<A>,
    caller: oneshot::Sender<Result<A, StoreError>>,
}

impl<Q, A> Asked<Q, A> {
    pub(crate) fn new(question: Q) -> (Self, oneshot::Receiver<Result<A, StoreError>>) {
        let (caller, answered) = oneshot::channel();
        let asked = Self {
            question,
            answer: None,
            caller,
        };
        (asked, answered)
    }

    /// Keeps the answer. A group that is run again decides again.
    pub(crate) fn answer(&mut self, answer: A) {
        self.answer = Some(answer);
    }

    /// Whether the caller gave up.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.caller.is_closed()
    }

    /// Answers the caller, who may have gone away, once it is known what became of the group.
    pub(crate) fn reply(self, outcome: Result<(), StoreError>) {
        let answer = outcome.and_then(|()| self.answer.ok_or(StoreError::Stopped));
        drop(self.caller.send(answer));
    }
}

/// What may share a commit with others.
pub(crate) trait Groupable {
    /// About how many rows it writes.
    fn rows(&self) -> usize;

    /// Whether the caller gave up.
    fn is_abandoned(&self) -> bool;

    /// Answers the caller, once it is known what became of the group.
    fn reply(self, outcome: Result<(), StoreError>);
}
