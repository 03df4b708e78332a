//! Posting an alert from within the program that mounts the API.

use alert_connectors_model::{AlertId, Slug, Warning};
use alert_connectors_store::{AcceptedDelivery, Route};
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;

use crate::{
    ApiError, App, Freshness,
    accept::{Grant, PostRequest, Poster},
    body::{BODY_BYTES_MAX, too_large},
    routes::intake::{one_of, remembered, sound_key},
};

/// An alert that is on disk together with its deliveries.
#[derive(Debug, Clone)]
pub struct PostedAlert {
    /// The alert's id; that of the active alert where a `dedup_key` named one.
    pub id: AlertId,
    /// When the alert was first received.
    pub received_at: Timestamp,
    /// How often it was posted.
    pub occurrences: u64,
    /// What was corrected.
    pub warnings: Vec<Warning>,
    /// The deliveries that this post caused.
    pub deliveries: Vec<AcceptedDelivery>,
}

impl App {
    /// Posts an alert to a space on the program's own behalf. `alert` is JSON as in `POST /spaces/{slug}/alerts`, at most
    /// 1 MiB of it, and is corrected, refused, matched and stored as there. A repeat with the same key and the same bytes
    /// stores nothing.
    pub async fn post(
        &self,
        space: &Slug,
        alert: Bytes,
        idempotency_key: Option<&str>,
    ) -> Result<PostedAlert, ApiError> {
        if alert.len() > BODY_BYTES_MAX {
            return Err(too_large(BODY_BYTES_MAX));
        }
        let key = idempotency_key.map(sound_key).transpose()?;
        let prepared = one_of(&alert, self.clock.now())?;
        let poster = Program { app: self, space };
        let grant = poster.granted(Freshness::Cached).await?;
        let posting = PostRequest {
            alerts: std::slice::from_ref(&prepared),
            idempotency: key.map(|key| remembered(key, Route::Alert, &alert)),
            leaves_out_idle_ends: false,
            listed_max: usize::MAX,
            trace: self.begin_trace(&HeaderMap::new()),
        };
        let mut stored = self.accept(&poster, grant, posting).await?.alerts;
        let accepted = stored.pop().map(|stored| stored.accepted);
        let gone = || ApiError::unavailable("What was stored under this key is gone.");
        let accepted = accepted.ok_or_else(gone)?;
        Ok(PostedAlert {
            id: accepted.id,
            received_at: accepted.received_at,
            occurrences: accepted.occurrences,
            warnings: prepared.warnings.to_vec(),
            deliveries: accepted.deliveries,
        })
    }
}

/// The program itself, which may post to every space.
struct Program<'p> {
    app: &'p App,
    space: &'p Slug,
}

impl Program<'_> {
    async fn granted(&self, freshness: Freshness) -> Result<Grant, ApiError> {
        let roster = self.app.roster(self.space, freshness).await?;
        Ok(Grant {
            roster: roster.ok_or_else(|| ApiError::not_found("space"))?,
            identity_version: None,
            expires_at: None,
            key: None,
        })
    }
}

impl Poster for Program<'_> {
    async fn grant(&self) -> Result<Grant, ApiError> {
        self.granted(Freshness::Now).await
    }
}
