//! What one request carries: a message, alone or with the follow-ups that wait behind it, or a digest of many.

use std::sync::Arc;

use alert_connectors_feed::SpaceEvent;
use alert_connectors_message::{Counts, Digest, FollowUpNote, Shown, platform};
use alert_connectors_model::{
    Alert, AlertId, AlertType, Attempt, Connector, ConnectorType, DeliveryId, DeliveryKind,
    DeliveryState, EndReason, Space, SpaceId, TraceContext,
};
use alert_connectors_store::{
    DeliveryMessage, DigestBatch, DigestEntry, Disposition, Form, OpeningState, Outcome,
};
use bytes::Bytes;
use jiff::Timestamp;

use crate::{destination::QueuedDelivery, rendered_alert::alert_url, space_events::SpaceEvents};

/// What one request carries.
pub(crate) enum Payload {
    /// The oldest delivery, and follow-ups of the same alert to the same connector.
    Message(Vec<QueuedDelivery>),
    /// What waits for one connector.
    Digest(DigestPayload),
}

/// A digest, drawn as soon as it was read: a request may be under way for long, and what it carries is many.
pub(crate) struct DigestPayload {
    space: SpaceId,
    connector: Arc<Connector>,
    deliveries: Vec<CarriedDelivery>,
    /// The oldest of them, by which a log names it.
    first: Option<(AlertId, DeliveryId)>,
    attempts: u32,
    /// The one type that all of its alerts are of, if they are.
    alert_type: Option<AlertType>,
    body: Bytes,
    /// Follow-ups whose opening did not arrive.
    missed: Vec<i64>,
}

/// A delivery that a digest carries.
struct CarriedDelivery {
    /// Its place in the order.
    seq: i64,
    id: DeliveryId,
    created_at: Timestamp,
    trace: Option<TraceContext>,
}

/// A delivery that is part of a trace.
pub(crate) struct TracedDelivery {
    pub(crate) id: DeliveryId,
    /// The span of the request that queued it.
    pub(crate) trace: TraceContext,
    pub(crate) created_at: Timestamp,
}

impl CarriedDelivery {
    const fn of(entry: &DigestEntry) -> Self {
        Self {
            seq: entry.seq,
            id: entry.id,
            created_at: entry.created_at,
            trace: entry.trace,
        }
    }
}

impl DigestPayload {
    pub(crate) fn of(mut batch: DigestBatch, public_url: Option<&str>) -> Self {
        let is_missed = |entry: &DigestEntry| entry.opening == OpeningState::Undelivered;
        let missed = batch.entries.iter().filter(|entry| is_missed(entry));
        let missed = missed.map(|entry| entry.seq).collect();
        batch.entries.retain(|entry| !is_missed(entry));
        let first = batch.entries.first();
        Self {
            space: batch.space.id,
            deliveries: batch.entries.iter().map(CarriedDelivery::of).collect(),
            first: first.map(|entry| (entry.alert_id, entry.id)),
            attempts: first.map_or(0, |entry| entry.attempts),
            alert_type: one_type(&batch.entries),
            body: digest(
                &batch.space,
                batch.connector.connector_type,
                &batch.entries,
                public_url,
            ),
            connector: batch.connector,
            missed,
        }
    }

    /// The space that it is for.
    pub(crate) fn space(&self) -> SpaceId {
        self.space
    }

    /// Follow-ups that are cancelled beside it.
    pub(crate) fn cancelled(&self, now: Timestamp) -> Vec<Outcome> {
        self.missed.iter().map(|seq| cancelled(*seq, now)).collect()
    }
}

/// The type that all of them are of, as far as their words are known.
fn one_type(entries: &[DigestEntry]) -> Option<AlertType> {
    let mut types = entries
        .iter()
        .map(|entry| entry.alert.as_ref().map(|alert| &alert.alert_type));
    let first = types.next()??;
    types
        .all(|alert_type| alert_type == Some(first))
        .then(|| first.clone())
}

/// A follow-up is not sent, since its opening did not arrive.
pub(crate) fn cancelled(seq: i64, at: Timestamp) -> Outcome {
    let (state, reason) = (
        DeliveryState::Cancelled,
        Some(EndReason::OpeningNotDelivered),
    );
    Outcome {
        seq,
        attempt: None,
        disposition: Disposition::End { state, reason, at },
    }
}

impl Payload {
    /// Whom it is for; nothing where a digest came out empty.
    pub(crate) fn connector(&self) -> Option<&Arc<Connector>> {
        match self {
            Self::Message(waiting) => waiting.first().map(|queued| &queued.delivery.connector),
            Self::Digest(batch) if batch.deliveries.is_empty() => None,
            Self::Digest(batch) => Some(&batch.connector),
        }
    }

    /// How many deliveries it carries.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Message(waiting) => waiting.len(),
            Self::Digest(batch) => batch.deliveries.len(),
        }
    }

    /// When each delivery that it carries was made.
    pub(crate) fn created_at(&self) -> impl Iterator<Item = Timestamp> {
        let (waiting, carried) = match self {
            Self::Message(waiting) => (waiting.as_slice(), &[][..]),
            Self::Digest(batch) => (&[][..], batch.deliveries.as_slice()),
        };
        let waiting = waiting.iter().map(|queued| queued.delivery.created_at);
        waiting.chain(carried.iter().map(|one| one.created_at))
    }

    /// The deliveries that are part of a trace.
    pub(crate) fn traced(&self) -> impl Iterator<Item = TracedDelivery> {
        let traced = |id, created_at, trace: Option<TraceContext>| {
            trace.map(|trace| TracedDelivery {
                id,
                trace,
                created_at,
            })
        };
        let (waiting, carried) = match self {
            Self::Message(waiting) => (waiting.as_slice(), &[][..]),
            Self::Digest(batch) => (&[][..], batch.deliveries.as_slice()),
        };
        let waiting = waiting.iter().map(|queued| &queued.delivery);
        let waiting = waiting.filter_map(move |one| traced(one.id, one.created_at, one.trace));
        let carried = carried.iter();
        let carried = carried.filter_map(move |one| traced(one.id, one.created_at, one.trace));
        waiting.chain(carried)
    }

    /// Whether there is more than one message in it, which could be the one that is refused.
    pub(crate) fn is_many(&self) -> bool {
        matches!(self, Self::Digest(batch) if batch.deliveries.len() > 1)
    }

    /// In which form it is sent.
    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Message(waiting) => waiting
                .first()
                .map_or(Form::Full, |queued| queued.delivery.form),
            Self::Digest(_) => Form::Full,
        }
    }

    /// How many attempts were made of the oldest.
    pub(crate) fn attempts(&self) -> u32 {
        match self {
            Self::Message(waiting) => waiting.first().map_or(0, |queued| queued.delivery.attempts),
            Self::Digest(batch) => batch.attempts,
        }
    }

    /// The oldest delivery, by which the request is known: its alert, its id and its number in the queue.
    pub(crate) fn first(&self) -> Option<(AlertId, DeliveryId, i64)> {
        match self {
            Self::Message(waiting) => waiting.first().map(|queued| {
                (
                    queued.delivery.alert_id,
                    queued.delivery.id,
                    queued.delivery.seq,
                )
            }),
            Self::Digest(batch) => {
                let (alert, delivery) = batch.first?;
                Some((alert, delivery, batch.deliveries.first()?.seq))
            }
        }
    }

    /// Whether all of its alerts are of this type, as far as that is known.
    pub(crate) fn is_of_type(&self, alert_type: &str) -> bool {
        match self {
            Self::Message(waiting) => waiting
                .iter()
                .all(|queued| queued.rendered.alert().alert_type.as_str() == alert_type),
            Self::Digest(batch) => {
                let own = batch.alert_type.as_ref().map(AlertType::as_str);
                own == Some(alert_type)
            }
        }
    }

    /// The same outcome for all that it carries.
    pub(crate) fn outcomes(
        &self,
        attempt: &Arc<Attempt>,
        disposition: Disposition,
    ) -> Vec<Outcome> {
        let outcome = |seq| Outcome {
            seq,
            attempt: Some(Arc::clone(attempt)),
            disposition,
        };
        match self {
            Self::Message(waiting) => waiting
                .iter()
                .map(|queued| outcome(queued.delivery.seq))
                .collect(),
            Self::Digest(batch) => {
                let seqs = batch.deliveries.iter().map(|one| one.seq);
                seqs.map(outcome).collect()
            }
        }
    }

    /// The events by which those who watch its space learn in which state its deliveries are.
    pub(crate) fn events(&self, state: DeliveryState) -> SpaceEvents {
        let event = |space, connector: &Connector, id| {
            let event = SpaceEvent::Delivery {
                id,
                connector_id: connector.id,
                state,
            };
            (space, event)
        };
        match self {
            Self::Message(waiting) => {
                let deliveries = waiting.iter().map(|queued| &queued.delivery);
                deliveries
                    .map(|one| event(one.space.id, &one.connector, one.id))
                    .collect()
            }
            Self::Digest(batch) => {
                let ids = batch.deliveries.iter().map(|one| one.id);
                ids.map(|id| event(batch.space, &batch.connector, id))
                    .collect()
            }
        }
    }

    /// The bytes to post.
    pub(crate) fn body(&self) -> Bytes {
        match self {
            Self::Message(waiting) => message(waiting),
            Self::Digest(batch) => batch.body.clone(),
        }
    }
}

fn message(waiting: &[QueuedDelivery]) -> Bytes {
    let (Some(first), Some(last)) = (waiting.first(), waiting.last()) else {
        return Bytes::new();
    };
    let (connector_type, form) = (first.delivery.connector.connector_type, first.delivery.form);
    let alone = waiting.len() == 1 && first.delivery.kind == DeliveryKind::Opening;
    if alone {
        return first.rendered.payload(connector_type, form);
    }
    let told = waiting
        .iter()
        .map(|queued| (queued.delivery.kind, queued.delivery.created_at));
    let (whole, note) = story(told, last.rendered.alert());
    let shown = Shown {
        alert: last.rendered.alert(),
        page: last.rendered.url(),
        note,
        whole,
    };
    bytes_of(connector_type, form, shown)
}

/// The bytes of a delivery's message: the digest or the merged message that it was sent with, or its own.
pub(crate) fn message_of(
    message: &DeliveryMessage,
    space: &Space,
    public_url: Option<&str>,
) -> Bytes {
    let (alert, carried) = (&message.alert, &message.carried);
    let is_other = |entry: &DigestEntry| entry.alert_id != message.alert_id;
    if carried.iter().any(is_other) {
        return digest(space, message.connector_type, carried, public_url);
    }
    let own = [(message.kind, message.created_at)];
    let told: Vec<_> = carried
        .iter()
        .map(|entry| (entry.kind, entry.created_at))
        .collect();
    let told = if told.is_empty() { &own[..] } else { &told };
    let (whole, note) = story(told.iter().copied(), alert);
    let page = alert_url(public_url, &space.slug, message.alert_id);
    let shown = Shown {
        alert,
        page: page.as_deref(),
        note,
        whole,
    };
    bytes_of(message.connector_type, message.form, shown)
}

fn bytes_of(connector_type: ConnectorType, form: Form, shown: Shown<'_>) -> Bytes {
    let platform = platform(connector_type);
    Bytes::from(match form {
        Form::Full => platform.message(shown).payload,
        Form::Plain => platform.plain(shown),
    })
}

/// Returns whether to include the alert itself, and the latest follow-up to show. Durations are those of the problem, not of its
/// deliveries.
fn story(
    told: impl Iterator<Item = (DeliveryKind, Timestamp)>,
    alert: &Alert,
) -> (bool, Option<FollowUpNote>) {
    let (mut whole, mut note) = (false, None);
    for (kind, at) in told {
        match kind {
            DeliveryKind::Opening => whole = true,
            DeliveryKind::Raised => note = Some(FollowUpNote::Raised),
            DeliveryKind::Renotified => {
                note = Some(FollowUpNote::StillThere(alert.lasted_until(at)));
            }
            DeliveryKind::Resolved => {
                let ended = alert.resolved_at.unwrap_or(at);
                note = Some(FollowUpNote::Resolved(alert.lasted_until(ended)));
            }
        }
    }
    // Who hears of it for the first time hears how bad it is now, and nothing of how it became so.
    let note = note.filter(|note| !whole || matches!(note, FollowUpNote::Resolved(_)));
    (whole, note)
}

/// One alert of a digest, with all deliveries about it.
struct AlertInDigest<'b> {
    entry: &'b DigestEntry,
    told: Vec<(DeliveryKind, Timestamp)>,
    page: Option<String>,
}

fn digest(
    space: &Space,
    connector_type: ConnectorType,
    carried: &[DigestEntry],
    public_url: Option<&str>,
) -> Bytes {
    let mut entries: Vec<AlertInDigest<'_>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for entry in carried {
        let place = *places.entry(entry.alert_id).or_insert(entries.len());
        let told = (entry.kind, entry.created_at);
        match entries.get_mut(place) {
            Some(entry) => entry.told.push(told),
            None => entries.push(AlertInDigest {
                entry,
                told: vec![told],
                page: alert_url(public_url, &space.slug, entry.alert_id),
            }),
        }
    }
    let mut counts = Counts::default();
    for entry in &entries {
        counts.add(entry.entry.severity, entry.entry.status);
    }
    // Active before resolved, then the worst first, then in their order.
    entries.sort_by_key(|entry| {
        (
            entry.entry.status as u8,
            std::cmp::Reverse(entry.entry.severity),
        )
    });
    let worst = entries
        .iter()
        .filter_map(|entry| {
            let alert = entry.entry.alert.as_deref()?;
            let (whole, note) = story(entry.told.iter().copied(), alert);
            Some(Shown {
                alert,
                page: entry.page.as_deref(),
                note,
                whole,
            })
        })
        .collect();
    let digest = Digest {
        space: &space.name,
        counts,
        worst,
    };
    Bytes::from(platform(connector_type).digest(&digest))
}
