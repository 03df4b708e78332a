//! What one request carries: a message, alone or with the follow-ups that wait behind it, or a digest of many.

use std::sync::Arc;

use alert_connectors_message::{Counts, Digest, Note, Shown, platform};
use alert_connectors_model::{
    Alert, AlertId, AlertType, Attempt, Connector, DeliveryId, DeliveryKind, DeliveryState,
    EndReason,
};
use alert_connectors_store::{Bundle, Form, NextStep, Opening, Outcome, Parcel};
use bytes::Bytes;
use jiff::Timestamp;

use crate::{letter::page, window::Waiting};

/// What one request carries.
pub(crate) enum Load {
    /// The oldest delivery, and follow-ups of the same alert to the same connector.
    Message(Vec<Waiting>),
    /// What waits for one connector.
    Digest(Batch),
}

/// A digest, drawn as soon as it was read: a request may be under way for long, and what it carries is many.
pub(crate) struct Batch {
    connector: Arc<Connector>,
    /// The deliveries that it carries, by their places in the order.
    seqs: Vec<i64>,
    /// The oldest of them, by which a log names it.
    first: Option<(AlertId, DeliveryId)>,
    attempts: u32,
    /// The one type that all of its alerts are of, if they are.
    alert_type: Option<AlertType>,
    body: Bytes,
    /// Follow-ups whose opening did not arrive.
    missed: Vec<i64>,
}

impl Batch {
    pub(crate) fn of(mut bundle: Bundle, public_url: Option<&str>) -> Self {
        let is_missed = |parcel: &Parcel| parcel.opening == Opening::Missed;
        let missed = bundle.parcels.iter().filter(|parcel| is_missed(parcel));
        let missed = missed.map(|parcel| parcel.seq).collect();
        bundle.parcels.retain(|parcel| !is_missed(parcel));
        let first = bundle.parcels.first();
        Self {
            seqs: bundle.parcels.iter().map(|parcel| parcel.seq).collect(),
            first: first.map(|parcel| (parcel.alert_id, parcel.id)),
            attempts: first.map_or(0, |parcel| parcel.attempts),
            alert_type: one_type(&bundle.parcels),
            body: digest(&bundle, public_url),
            connector: bundle.connector,
            missed,
        }
    }

    /// Follow-ups that are cancelled beside it.
    pub(crate) fn cancelled(&self, now: Timestamp) -> Vec<Outcome> {
        self.missed.iter().map(|seq| cancelled(*seq, now)).collect()
    }
}

/// The type that all of them are of, as far as their words are known.
fn one_type(parcels: &[Parcel]) -> Option<AlertType> {
    let mut types = parcels
        .iter()
        .map(|parcel| parcel.alert.as_ref().map(|alert| &alert.alert_type));
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
        next: NextStep::End { state, reason, at },
    }
}

impl Load {
    /// Whom it is for; nothing where a digest came out empty.
    pub(crate) fn connector(&self) -> Option<&Arc<Connector>> {
        match self {
            Self::Message(waiting) => waiting.first().map(|waiting| &waiting.due.connector),
            Self::Digest(batch) if batch.seqs.is_empty() => None,
            Self::Digest(batch) => Some(&batch.connector),
        }
    }

    /// How many deliveries it carries.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Message(waiting) => waiting.len(),
            Self::Digest(batch) => batch.seqs.len(),
        }
    }

    /// Whether there is more than one message in it, which could be the one that is refused.
    pub(crate) fn is_many(&self) -> bool {
        matches!(self, Self::Digest(batch) if batch.seqs.len() > 1)
    }

    /// In which form it is sent.
    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Message(waiting) => waiting
                .first()
                .map_or(Form::Full, |waiting| waiting.due.form),
            Self::Digest(_) => Form::Full,
        }
    }

    /// How many attempts were made of the oldest.
    pub(crate) fn attempts(&self) -> u32 {
        match self {
            Self::Message(waiting) => waiting.first().map_or(0, |waiting| waiting.due.attempts),
            Self::Digest(batch) => batch.attempts,
        }
    }

    /// The oldest delivery, by which the request is known: its alert, its id and its number in the queue.
    pub(crate) fn first(&self) -> Option<(AlertId, DeliveryId, i64)> {
        match self {
            Self::Message(waiting) => waiting
                .first()
                .map(|waiting| (waiting.due.alert_id, waiting.due.id, waiting.due.seq)),
            Self::Digest(batch) => {
                let (alert, delivery) = batch.first?;
                Some((alert, delivery, *batch.seqs.first()?))
            }
        }
    }

    /// Whether all of it tells of blocked connectors.
    pub(crate) fn is_of_type(&self, alert_type: &str) -> bool {
        match self {
            Self::Message(waiting) => waiting
                .iter()
                .all(|waiting| waiting.letter.alert().alert_type.as_str() == alert_type),
            Self::Digest(batch) => {
                let own = batch.alert_type.as_ref().map(AlertType::as_str);
                own == Some(alert_type)
            }
        }
    }

    /// The same outcome for all that it carries.
    pub(crate) fn outcomes(&self, attempt: &Arc<Attempt>, next: NextStep) -> Vec<Outcome> {
        let outcome = |seq| Outcome {
            seq,
            attempt: Some(Arc::clone(attempt)),
            next,
        };
        match self {
            Self::Message(waiting) => waiting
                .iter()
                .map(|waiting| outcome(waiting.due.seq))
                .collect(),
            Self::Digest(batch) => batch.seqs.iter().map(|seq| outcome(*seq)).collect(),
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

fn message(waiting: &[Waiting]) -> Bytes {
    let (Some(first), Some(last)) = (waiting.first(), waiting.last()) else {
        return Bytes::new();
    };
    let (connector_type, form) = (first.due.connector.connector_type, first.due.form);
    let alone = waiting.len() == 1 && first.due.kind == DeliveryKind::Opening;
    if alone {
        return first.letter.body(connector_type, form);
    }
    let told = waiting
        .iter()
        .map(|waiting| (waiting.due.kind, waiting.due.created_at));
    let (whole, note) = story(told, last.letter.alert());
    let shown = Shown {
        alert: last.letter.alert(),
        page: last.letter.page(),
        note,
        whole,
    };
    let platform = platform(connector_type);
    Bytes::from(match form {
        Form::Full => platform.message(shown).payload,
        Form::Plain => platform.plain(shown),
    })
}

/// Whether the alert itself is to be told, and what became of it since: the last word counts. Durations go by the time at
/// which the problem began and ended, not by when that was heard.
fn story(
    told: impl Iterator<Item = (DeliveryKind, Timestamp)>,
    alert: &Alert,
) -> (bool, Option<Note>) {
    let (mut whole, mut note) = (false, None);
    for (kind, at) in told {
        match kind {
            DeliveryKind::Opening => whole = true,
            DeliveryKind::Raised => note = Some(Note::Raised),
            DeliveryKind::Renotified => note = Some(Note::StillThere(alert.lasted_until(at))),
            DeliveryKind::Resolved => {
                let ended = alert.resolved_at.unwrap_or(at);
                note = Some(Note::Resolved(alert.lasted_until(ended)));
            }
        }
    }
    // Who hears of it for the first time hears how bad it is now, and nothing of how it became so.
    let note = note.filter(|note| !whole || matches!(note, Note::Resolved(_)));
    (whole, note)
}

/// One alert of a digest, with all that is to be told of it.
struct Entry<'b> {
    parcel: &'b Parcel,
    told: Vec<(DeliveryKind, Timestamp)>,
    page: Option<String>,
}

fn digest(bundle: &Bundle, public_url: Option<&str>) -> Bytes {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for parcel in &bundle.parcels {
        let place = *places.entry(parcel.alert_id).or_insert(entries.len());
        let told = (parcel.kind, parcel.created_at);
        match entries.get_mut(place) {
            Some(entry) => entry.told.push(told),
            None => entries.push(Entry {
                parcel,
                told: vec![told],
                page: page(public_url, &bundle.space.slug, parcel.alert_id),
            }),
        }
    }
    let mut counts = Counts::default();
    for entry in &entries {
        counts.add(entry.parcel.severity, entry.parcel.status);
    }
    // Active before resolved, then the worst first, then in their order.
    entries.sort_by_key(|entry| {
        (
            entry.parcel.status as u8,
            std::cmp::Reverse(entry.parcel.severity),
        )
    });
    let worst = entries
        .iter()
        .filter_map(|entry| {
            let alert = entry.parcel.alert.as_deref()?;
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
        space: &bundle.space.name,
        counts,
        worst,
    };
    Bytes::from(platform(bundle.connector.connector_type).digest(&digest))
}
