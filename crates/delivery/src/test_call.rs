//! The test call: one real message, sent at once and past the queue.

use std::{sync::Arc, time::Duration};

use alert_connectors_message::{Shown, platform, test_alert};
use alert_connectors_model::{Connector, ConnectorType, Fingerprint, WebhookUrl};
use alert_connectors_store::{Form, StoreError};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    Engine, Family, RequestError, Verdict,
    announcement::Announcement,
    answer::{Sending, answer_of},
    classify,
    connection::{RequestHead, WebhookResponse},
    context::Context,
    destination::Destination,
    lease_keeper::acquire_for_test,
    send_policy::SendPolicy,
};

/// The result of a test call, in the contract's three fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// Whether the message was accepted.
    pub success: bool,
    /// The webhook's own status code; 500 where there was no response, 429 while the channel has asked to wait.
    pub status_code: u16,
    /// What went wrong and what to do.
    pub error: Option<String>,
}

/// Where a test message goes: to a connector, or to a webhook for which there is none yet.
#[derive(Debug, Clone, Copy)]
pub struct TestTarget<'t> {
    /// The platform behind the webhook.
    pub connector_type: ConnectorType,
    /// The webhook.
    pub webhook_url: &'t WebhookUrl,
    /// The fingerprint of its URL.
    pub destination: Fingerprint,
    /// The connector's name, which stands in the message.
    pub name: &'t str,
}

impl<'t> From<&'t Connector> for TestTarget<'t> {
    fn from(connector: &'t Connector) -> Self {
        Self {
            connector_type: connector.connector_type,
            webhook_url: &connector.webhook_url,
            destination: connector.destination,
            name: &connector.name,
        }
    }
}

/// Why no test message was sent.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// There were too many test calls of one webhook in a short time.
    #[error("too many test calls of one webhook")]
    TooMany {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Another server works the webhook, and does not yield it.
    #[error("another server does not yield the lease of the webhook")]
    HeldElsewhere,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The contract's code where there was no response.
const NO_RESPONSE: u16 = 500;

impl Engine {
    /// Posts a test message, to a connector whether or not it is active.
    pub async fn test(
        &self,
        target: TestTarget<'_>,
        space_name: &str,
    ) -> Result<TestReport, TestError> {
        let context = &self.registry.context;
        let destination = self.registry.destination(target.destination);
        destination
            .allow_test()
            .map_err(|retry_after| TestError::TooMany { retry_after })?;
        if !acquire_for_test(context, &destination).await? {
            return Err(TestError::HeldElsewhere);
        }
        destination.load(target.connector_type, context).await?;
        Ok(post_test(context, &destination, target, space_name).await)
    }
}

async fn post_test(
    context: &Context,
    destination: &Arc<Destination>,
    target: TestTarget<'_>,
    space_name: &str,
) -> TestReport {
    let started = Instant::now();
    let wait = destination.with_policy(|policy| policy.asked_to_wait(started));
    if let Some(wait) = wait.flatten() {
        return TestReport::waiting(wait);
    }
    let now = context.now();
    match post(context, destination, target, space_name, now).await {
        Ok(response) => conclude(context, destination, target, &response, now).await,
        Err(error) => TestReport::failed(NO_RESPONSE, error.to_string()),
    }
}

/// Posts past the queue. The request is counted by the rate limit all the same.
async fn post(
    context: &Context,
    destination: &Arc<Destination>,
    target: TestTarget<'_>,
    space_name: &str,
    now: Timestamp,
) -> Result<WebhookResponse, RequestError> {
    let (Some(alert), Some(head)) = (
        test_alert(target.name, space_name, now),
        RequestHead::of(target.webhook_url),
    ) else {
        return Err(RequestError::NotConnected);
    };
    let message = platform(target.connector_type).message(Shown::whole(&alert, None));
    let started = Instant::now();
    destination
        .update_policy(context, |policy| policy.posted(started))
        .await;
    let (mut connection, payload) = (None, Bytes::from(message.payload));
    let (url, limit) = (target.webhook_url, context.sender.limits.test);
    context
        .sender
        .post(url, &head, &mut connection, payload, limit)
        .await
}

async fn conclude(
    context: &Context,
    destination: &Arc<Destination>,
    target: TestTarget<'_>,
    response: &WebhookResponse,
    now: Timestamp,
) -> TestReport {
    let url = target.webhook_url;
    let sending = Sending {
        form: Form::Full,
        attempts: 0,
        url,
    };
    let family = Family::of(target.connector_type, url.host());
    match classify(family, &answer_of(response, &sending, now)) {
        Verdict::Delivered | Verdict::Accepted => {
            repaired(context, destination).await;
            TestReport {
                success: true,
                status_code: response.status,
                error: None,
            }
        }
        Verdict::Throttled { wait, reason } => {
            let (now, random) = (context.moment(), &*context.random);
            let throttle = |policy: &mut SendPolicy| policy.throttled(wait, now, random);
            let throttled = destination.update_policy(context, throttle).await;
            let wait = seconds(throttled.unwrap_or(wait));
            let error = format!("{reason}; nothing is posted to it for another {wait} s");
            TestReport::failed(response.status, error)
        }
        Verdict::Transient { reason, .. }
        | Verdict::Unanswered(reason)
        | Verdict::MessageRefused(reason)
        | Verdict::DestinationRefused(reason) => {
            TestReport::failed(response.status, reason.to_string())
        }
    }
}

/// A test that worked shows that the webhook works: pending deliveries are released.
async fn repaired(context: &Context, destination: &Arc<Destination>) {
    let has_failed = destination.with_policy(|policy| {
        let health = policy.health();
        health.block.is_some() || health.failures > 0 || health.unanswered > 0
    });
    if has_failed == Some(true) {
        let now = context.moment();
        destination
            .update_policy(context, |policy| policy.repaired(now))
            .await;
        let health = Announcement::Health(destination.fingerprint);
        context.announce(health).await;
    }
}

impl TestReport {
    fn failed(status_code: u16, error: String) -> Self {
        Self {
            success: false,
            status_code,
            error: Some(error),
        }
    }

    fn waiting(wait: Duration) -> Self {
        let seconds = seconds(wait);
        Self::failed(
            429,
            format!("The channel asked to wait: nothing is posted to it for another {seconds} s"),
        )
    }
}

/// Whole seconds, rounded up.
fn seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}
