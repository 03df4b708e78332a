//! A small furnished world: a space, two users, and ways to act in it.

use std::{any::Any, sync::Arc};

use alert_connectors_model::{
    Alert, AlertId, Attempt, AttemptId, AttemptOutcome, Connector, ConnectorId, Delivery,
    DeliveryId, DeliveryState, Email, Json, Loc, Matched, NewConnector, Random, Role, SeededRandom,
    Slug, Space, SpaceId, UrlRules, User, UserId, parse_alert, parse_new_connector,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Acceptance, Accepted, AlertRecord, ConnectorCreation, Created, DestinationHealth, Disposition,
    Expiry, Fence, Idempotency, NewAlert, NewToken, NewUser, Outcome, PendingDelivery, Recorded,
    Report, Resolution, Roster, Store, Submission,
};

/// A store that was opened for a test, and what must live as long as it.
pub struct Opened {
    /// The store, empty.
    pub store: Arc<dyn Store>,
    /// Its folder or schema.
    pub keep: Box<dyn Any + Send>,
}

/// A store with a space and two users.
pub struct World {
    /// The store.
    pub store: Arc<dyn Store>,
    pub(super) slug: Slug,
    pub(super) alice: User,
    pub(super) random: SeededRandom,
    pub(super) now: Timestamp,
}

pub(super) const TOKEN: [u8; 32] = [7; 32];

impl World {
    /// Alice is an admin of the space `data`; Bob is nowhere.
    pub async fn furnished(store: Arc<dyn Store>) -> Self {
        let random = SeededRandom::new(42);
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let slug = Slug::parse("data").unwrap();
        let alice = user("alice@example.com", now, &random);
        for user in [alice.clone(), user("bob@example.com", now, &random)] {
            store
                .add_user(NewUser {
                    user,
                    password_hash: None,
                    is_operator: false,
                    created_at: now,
                })
                .await
                .unwrap();
        }
        let space = Space {
            id: SpaceId::new(now, &random),
            slug: slug.clone(),
            name: "Data".to_owned(),
            created_at: now,
        };
        store.add_space(space, Some(alice.clone())).await.unwrap();
        let expires_at = now + SignedDuration::from_hours(12);
        store
            .add_token(
                NewToken {
                    hash: TOKEN,
                    user_id: alice.id,
                    expires_at,
                },
                now,
            )
            .await
            .unwrap();
        Self {
            store,
            slug,
            alice,
            random,
            now,
        }
    }

    /// The same world as another replica sees it, whose ids are its own.
    #[must_use]
    pub fn beside(&self, store: Arc<dyn Store>, seed: u64) -> Self {
        Self {
            store,
            slug: self.slug.clone(),
            alice: self.alice.clone(),
            random: SeededRandom::new(seed),
            now: self.now,
        }
    }

    /// Signs Alice out.
    pub async fn sign_out(&self) {
        self.store.end_token(TOKEN).await.unwrap();
    }

    /// Whether Alice is signed in.
    pub async fn is_signed_in(&self) -> bool {
        self.store.session(TOKEN).await.unwrap().is_some()
    }

    /// The time `seconds` from now.
    pub fn later(&self, seconds: i64) -> Timestamp {
        self.now + SignedDuration::from_secs(seconds)
    }

    pub(super) fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    /// The space with its connectors.
    pub async fn roster(&self) -> Roster {
        self.store.roster(&self.slug).await.unwrap().unwrap()
    }

    /// The name of the space.
    pub async fn space_id(&self) -> SpaceId {
        self.roster().await.space.id
    }

    pub(super) async fn identity_version(&self) -> i64 {
        self.store.session(TOKEN).await.unwrap().unwrap().version
    }

    pub(super) fn new_connector(extra: &str) -> NewConnector {
        let text = format!(
            r#"{{"name":"c","connector_type":"slack","webhook_url":"https://hooks.slack.com/services/T/B/x","severity_filter":[]{extra}}}"#
        );
        parse_new_connector(Json::parse(text.as_bytes()).unwrap(), &UrlRules::default()).unwrap()
    }

    /// Makes a connector; `extra` is more of its JSON.
    pub async fn connect(&self, extra: &str) -> Arc<Connector> {
        self.connect_url(extra, None).await
    }

    pub(super) async fn connect_url(&self, extra: &str, url: Option<&str>) -> Arc<Connector> {
        let mut new = Self::new_connector(extra);
        if let Some(url) = url {
            new.webhook_url = alert_connectors_model::WebhookUrl::parse(url).unwrap();
        }
        let created = self
            .store
            .create_connector(self.space_id().await, self.creation(new))
            .await
            .unwrap();
        let Created::Made(connector) = created else {
            unreachable!("{created:?}");
        };
        connector
    }

    /// A connector that Alice makes now.
    pub(super) fn creation(&self, new: NewConnector) -> ConnectorCreation {
        ConnectorCreation {
            id: ConnectorId::new(self.now, &self.random),
            new,
            creator: self.alice.clone(),
            now: self.now,
            connectors_max: usize::MAX,
        }
    }

    /// An alert; `extra` is more of its JSON.
    pub fn alert(&self, extra: &str) -> Alert {
        let text = format!(r#"{{"alert_type":"dq_alert","title":"t","severity":"high"{extra}}}"#);
        parse_alert(
            Json::parse(text.as_bytes()).unwrap(),
            &Loc::body(),
            self.now,
        )
        .unwrap()
        .alert
    }

    /// A request with these alerts, matched and authorised.
    pub async fn submission(&self, alerts: &[Alert]) -> Submission {
        let roster = self.roster().await;
        let new = |alert: &Alert| {
            let id = AlertId::new(self.now, &self.random);
            NewAlert {
                // What says nothing of its time happened now.
                has_own_time: alert.occurred_at != self.now,
                id,
                alert: Arc::new(alert.clone()),
                json: serde_json_of(alert).into(),
                warnings: Arc::from([]),
                deliveries: roster
                    .connectors
                    .iter()
                    .filter(|connector| connector.matches(alert) == Matched::Matched)
                    .map(|connector| (DeliveryId::of(id, &self.random), Arc::clone(connector)))
                    .collect(),
            }
        };
        Submission {
            alerts: alerts.iter().map(new).collect(),
            identity_version: Some(self.identity_version().await),
            idempotency: None,
            expiry: self.expiry(),
            renotify: SignedDuration::from_hours(4),
            leaves_out_idle_ends: false,
            trace: None,
            roster: Arc::new(roster),
        }
    }

    /// The usual rule, now.
    pub fn expiry(&self) -> Expiry {
        Expiry {
            now: self.now,
            retry_for: SignedDuration::from_hours(24),
        }
    }

    pub(super) async fn record_of(&self, id: AlertId) -> AlertRecord {
        let space = self.space_id().await;
        let found = self.store.alert(space, id, self.expiry()).await;
        found.unwrap().unwrap()
    }

    /// The deliveries of an alert with their attempts.
    pub async fn deliveries_of(&self, id: AlertId) -> Vec<Delivery> {
        let space = self.space_id().await;
        self.store
            .deliveries_of(space, id, self.expiry())
            .await
            .unwrap()
    }

    pub(super) async fn resolve(&self, id: AlertId) -> AlertRecord {
        let roster = Arc::new(self.roster().await);
        let resolved = self.store.resolve(roster, id, self.expiry()).await;
        let resolved = resolved.unwrap();
        let Resolution::Now(record) = resolved else {
            unreachable!("{resolved:?}");
        };
        *record
    }

    /// Reports outcomes of one destination.
    pub(super) async fn report(
        &self,
        connector: &Connector,
        outcomes: Vec<Outcome>,
    ) -> Vec<Recorded> {
        self.report_with(connector, outcomes, None).await
    }

    pub(super) async fn report_with(
        &self,
        connector: &Connector,
        outcomes: Vec<Outcome>,
        health: Option<DestinationHealth>,
    ) -> Vec<Recorded> {
        let report = Report {
            destination: connector.destination,
            fence: Fence::Unshared,
            health,
            outcomes,
            revived: Vec::new(),
        };
        self.store.record(Arc::from([report])).await.unwrap()
    }

    /// The deliveries pending for a connector's destination arrive.
    pub(super) async fn all_arrive(&self, connector: &Connector) {
        let due = self.due(connector).await;
        let outcomes = due
            .iter()
            .map(|due| self.outcome(due, self.arrived()))
            .collect();
        self.report(connector, outcomes).await;
    }

    /// Posts one alert.
    pub async fn post(&self, extra: &str) -> Accepted {
        let submission = self.submission(&[self.alert(extra)]).await;
        stored(self.store.accept(submission).await.unwrap()).remove(0)
    }

    /// The deliveries pending for a connector's destination.
    pub async fn due(&self, connector: &Connector) -> Vec<PendingDelivery> {
        self.store
            .pending(connector.destination, 0, 100, self.expiry())
            .await
            .unwrap()
    }

    /// The outcome of an attempt.
    pub fn outcome(&self, due: &PendingDelivery, disposition: Disposition) -> Outcome {
        let attempt = Attempt {
            id: AttemptId::new(self.now, &self.random),
            started_at: self.now,
            duration_ms: 12,
            outcome: AttemptOutcome::Delivered,
            status_code: Some(200),
            error: None,
            digest_size: 1,
        };
        Outcome {
            seq: due.seq,
            attempt: Some(Arc::new(attempt)),
            disposition,
        }
    }

    /// The next step of a delivery that arrived.
    pub fn arrived(&self) -> Disposition {
        Disposition::End {
            state: DeliveryState::Delivered,
            reason: None,
            at: self.now,
        }
    }

    pub(super) async fn member(&self, email: &str, role: Role) -> crate::MemberChange {
        self.store
            .set_member(self.space_id().await, &Self::email(email), role, self.now)
            .await
            .unwrap()
    }
}

/// An idempotency key of a single alert, and a body by one byte.
pub fn idempotency(key: &str, body: u8) -> Idempotency {
    Idempotency {
        route: crate::Route::Alert,
        key: key.to_owned(),
        body_hash: [body; 32],
    }
}

/// What was stored.
pub fn stored(acceptance: Acceptance) -> Vec<Accepted> {
    let Acceptance::Stored(accepted) = acceptance else {
        unreachable!("{acceptance:?}");
    };
    accepted
}

fn user(email: &str, now: Timestamp, random: &dyn Random) -> User {
    User {
        id: UserId::new(now, random),
        email: World::email(email),
        full_name: "Someone".to_owned(),
    }
}

fn serde_json_of(alert: &Alert) -> String {
    serde_json::to_string(alert).unwrap()
}
