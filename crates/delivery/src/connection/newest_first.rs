//! A limit on how much runs at once, where who came last goes first: a crowd that waits for what never answers does not hold up
//! somebody who comes after it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Tickets, of which a fixed number is taken at once.
#[derive(Debug, Clone)]
pub(super) struct NewestFirst(Arc<Mutex<Tickets>>);

#[derive(Debug)]
struct Tickets {
    free: usize,
    /// Oldest first.
    waiting: Vec<oneshot::Sender<Ticket>>,
}

/// One of the tickets, until it is dropped.
#[derive(Debug)]
pub(super) struct Ticket(Option<NewestFirst>);

impl NewestFirst {
    pub(super) fn new(at_once: usize) -> Self {
        Self(Arc::new(Mutex::new(Tickets {
            free: at_once,
            waiting: Vec::new(),
        })))
    }

    /// Takes a ticket, or waits for one.
    pub(super) async fn acquire(&self) -> Ticket {
        let given = {
            let mut tickets = self.tickets();
            if tickets.free > 0 {
                tickets.free -= 1;
                return Ticket(Some(self.clone()));
            }
            // Those who gave up are not kept, so that there are no more than wait.
            tickets.waiting.retain(|one| !one.is_closed());
            let (give, given) = oneshot::channel();
            tickets.waiting.push(give);
            given
        };
        // A ticket that was given is never lost: if this is dropped, so is the ticket, which then goes on.
        given.await.unwrap_or(Ticket(None))
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(limit) = self.0.take() else { return };
        let mut ticket = Ticket(Some(limit.clone()));
        loop {
            let newest = limit.tickets().waiting.pop();
            let Some(newest) = newest else { break };
            match newest.send(ticket) {
                Ok(()) => return,
                Err(refused) => ticket = refused,
            }
        }
        ticket.0 = None;
        limit.tickets().free += 1;
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn who_came_last_goes_first_and_who_gave_up_is_passed_over() {
        let limit = NewestFirst::new(1);
        let held = limit.acquire().await;
        let wait = || {
            let limit = limit.clone();
            #[expect(clippy::disallowed_methods, reason = "a test")]
            tokio::spawn(async move { limit.acquire().await })
        };
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(wait());
            yield_now().await;
        }
        let [first, second, third] = <[_; 3]>::try_from(waiting).unwrap();
        third.abort();
        yield_now().await;
        drop(held);
        let ticket = second.await.unwrap();
        assert!(!first.is_finished());
        drop(ticket);
        drop(first.await.unwrap());
        drop(limit.acquire().await);
        assert_eq!(limit.tickets().free, 1);
    }
}
