//! Reading pending deliveries from the store, as many as the memory budget allows.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use alert_connectors_store::PendingDelivery;
use tokio::time::Instant;

use super::{
    Destination,
    window::{QueuedDelivery, WINDOW_MAX},
};
use crate::{context::Context, memory::Reservation, rendered_alert::RenderedAlert};

/// How many deliveries are read at once.
pub(super) const REFILL: usize = 128;
/// A worker that waits for at least this long keeps only a few deliveries in memory.
const SHED_FOR: Duration = Duration::from_secs(5);
const KEPT: usize = 8;

impl Destination {
    /// Reads the next few deliveries from disk.
    pub(super) async fn read(&self, context: &Context) {
        let Some(cursor) = self.state().window.begin_refill(context.epoch()) else {
            return;
        };
        let at_most = if context.memory.is_left() { REFILL } else { 1 };
        let read = context
            .store
            .pending(self.fingerprint, cursor.after, at_most, context.expiry());
        let read = match read.await {
            Ok(read) => read,
            Err(error) => return self.unreadable(&error).await,
        };
        let found = read.len();
        let mut queued = within_budget(context, read);
        let complete = found < at_most && queued.len() == found;
        let last = queued.last().map(|queued| queued.delivery.seq);
        let mut state = self.state();
        queued.retain(|queued| !state.is_set_aside(&queued.delivery));
        state.window.end_refill(cursor, queued, last, complete);
        debug_assert!(
            state.window.len() <= WINDOW_MAX,
            "a refill and what is looked ahead are smaller than the window"
        );
    }

    /// A worker that waits for long leaves its memory to others.
    pub(super) fn shed_until(&self, until: Instant) {
        if until.saturating_duration_since(Instant::now()) >= SHED_FOR {
            self.state().window.shed(KEPT);
        }
    }
}

/// Queues deliveries that are sent at once.
pub(super) fn queue_all(context: &Context, read: Vec<PendingDelivery>) -> Vec<QueuedDelivery> {
    queue_while(context, read, |bytes| Some(context.memory.reserve(bytes)))
}

/// Queues deliveries until the memory budget is used up; the first one always finds memory.
fn within_budget(context: &Context, read: Vec<PendingDelivery>) -> Vec<QueuedDelivery> {
    let mut is_first = true;
    queue_while(context, read, |bytes| {
        if mem::take(&mut is_first) {
            Some(context.memory.reserve(bytes))
        } else {
            context.memory.try_reserve(bytes)
        }
    })
}

/// Queues deliveries until `reserve` refuses memory. Those of one alert share its payloads.
fn queue_while(
    context: &Context,
    read: Vec<PendingDelivery>,
    mut reserve: impl FnMut(usize) -> Option<Reservation>,
) -> Vec<QueuedDelivery> {
    let mut alerts: HashMap<_, Arc<RenderedAlert>> = HashMap::new();
    let queue = |delivery: PendingDelivery| {
        let new = || Arc::new(RenderedAlert::of(&delivery, context.public_url.as_deref()));
        let known = alerts.entry(delivery.alert_id).or_insert_with(new);
        // The same alert may say something else in a later delivery.
        if !known.is_of(&delivery.alert) {
            *known = new();
        }
        let rendered = Arc::clone(known);
        let reservation = reserve(rendered.size_bytes())?;
        Some(QueuedDelivery::new(delivery, rendered, reservation))
    };
    read.into_iter().map_while(queue).collect()
}
