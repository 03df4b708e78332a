//! The test call: one real message at once, past the queue, told as it went.

use std::{sync::Arc, time::Duration};

use alert_connectors_message::{Shown, platform, test_alert};
use alert_connectors_model::Connector;
use alert_connectors_store::{Form, StoreError};
use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    Engine, Family, PostError, Verdict, classify,
    conduct::Conduct,
    destination::Destination,
    judge::{Sending, answer_of},
    keeper,
    link::RequestHead,
};

/// What came of a test call, in the contract's three fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// Whether the message was taken.
    pub success: bool,
    /// The webhook's own status code; 500 where there was no answer, 429 while the channel has asked to wait.
    pub status_code: u16,
    /// What went wrong and what to do.
    pub error: Option<String>,
}

/// Too many test calls of one destination in a short time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestRefused {
    /// How long to wait.
    pub retry_after: Duration,
}

/// The contract's code where there was no answer.
const NO_ANSWER: u16 = 500;

impl Engine {
    /// Posts a test message to a connector, whether or not it is active.
    pub async fn test(
        &self,
        connector: &Connector,
        space_name: &str,
    ) -> Result<Result<TestReport, TestRefused>, StoreError> {
        let destination = self.inner.destination(connector.destination);
        if let Err(retry_after) = destination.allow_test() {
            return Ok(Err(TestRefused { retry_after }));
        }
        keeper::hold_for_test(&self.inner, &destination).await?;
        destination
            .take_up(connector.connector_type, &self.inner)
            .await?;
        Ok(Ok(self
            .post_test(&destination, connector, space_name)
            .await))
    }

    async fn post_test(
        &self,
        destination: &Arc<Destination>,
        connector: &Connector,
        space_name: &str,
    ) -> TestReport {
        let started = Instant::now();
        let waits = destination.peek(|conduct| conduct.asked_to_wait(started));
        if let Some(wait) = waits.flatten() {
            return TestReport::waiting(wait);
        }
        let now = self.inner.now();
        let family = Family::of(connector.connector_type, connector.webhook_url.host());
        let (Some(alert), Some(head)) = (
            test_alert(&connector.name, space_name, now),
            RequestHead::of(&connector.webhook_url),
        ) else {
            return TestReport::failed(NO_ANSWER, PostError::NotConnected.to_string());
        };
        let message = platform(connector.connector_type).message(Shown::whole(&alert, None));
        // It goes past the queue, but what it takes of the pace is taken.
        destination
            .conduct(&self.inner, |conduct| conduct.posted(started))
            .await;
        let mut link = None;
        let posted = self
            .inner
            .sender
            .post(
                &connector.webhook_url,
                &head,
                &mut link,
                Bytes::from(message.payload),
                self.inner.sender.limits.test,
            )
            .await;
        let posted = match posted {
            Ok(posted) => posted,
            Err(error) => return TestReport::failed(NO_ANSWER, error.to_string()),
        };
        let sending = Sending {
            form: Form::Full,
            attempts: 0,
            url: &connector.webhook_url,
        };
        let verdict = classify(family, &answer_of(&posted, &sending, now));
        match verdict {
            Verdict::Delivered | Verdict::Accepted => {
                self.repaired(destination).await;
                TestReport {
                    success: true,
                    status_code: posted.status,
                    error: None,
                }
            }
            Verdict::Throttled { wait, reason } => {
                let (now, random) = (self.inner.moment(), &*self.inner.random);
                let throttle = |conduct: &mut Conduct| conduct.throttled(wait, now, random);
                let throttled = destination.conduct(&self.inner, throttle).await;
                let wait = seconds(throttled.unwrap_or(wait));
                let error = format!("{reason}; nothing is posted to it for another {wait} s");
                TestReport::failed(posted.status, error)
            }
            Verdict::Transient { reason, .. }
            | Verdict::Unanswered(reason)
            | Verdict::Message(reason)
            | Verdict::Destination(reason) => TestReport::failed(posted.status, reason.to_string()),
        }
    }

    /// A test that worked shows that the destination does: what is held for it is released.
    async fn repaired(&self, destination: &Arc<Destination>) {
        let troubled = destination.peek(|conduct| {
            let standing = conduct.standing();
            standing.block.is_some() || standing.failures > 0 || standing.unanswered > 0
        });
        if troubled == Some(true) {
            let now = self.inner.moment();
            destination
                .conduct(&self.inner, |conduct| conduct.repaired(now))
                .await;
            self.inner.settle(Arc::clone(destination)).await;
        }
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
    wait.as_secs() + 1
}
