//! The test call: one real message at once, past the queue, told as it went.

use std::time::Duration;

use alert_connectors_message::{Shown, platform, test_alert};
use alert_connectors_model::Connector;
use alert_connectors_store::Form;
use bytes::Bytes;

use crate::{
    Engine, Family, PostError, Verdict, classify, destination::answer_of, link::RequestHead,
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
    ) -> Result<TestReport, TestRefused> {
        let destination = self.inner.destination(connector.destination);
        destination
            .allow_test()
            .map_err(|retry_after| TestRefused { retry_after })?;
        if let Some(wait) = destination.throttled_for() {
            return Ok(TestReport::waiting(wait));
        }
        let now = self.inner.now();
        let family = Family::of(connector.connector_type, connector.webhook_url.host());
        let (Some(alert), Some(head)) = (
            test_alert(&connector.name, space_name, now),
            RequestHead::of(&connector.webhook_url),
        ) else {
            return Ok(TestReport::failed(NO_ANSWER, PostError::Broken.to_string()));
        };
        let message = platform(connector.connector_type).message(Shown {
            alert: &alert,
            page: None,
        });
        let mut link = None;
        let posted = self
            .inner
            .sender
            .post(
                &connector.webhook_url,
                &head,
                &mut link,
                Bytes::from(message.payload),
            )
            .await;
        let posted = match posted {
            Ok(posted) => posted,
            Err(error) => return Ok(TestReport::failed(NO_ANSWER, error.to_string())),
        };
        let verdict = classify(family, &answer_of(&posted, Form::Full, 0, now));
        Ok(match verdict {
            Verdict::Delivered | Verdict::Accepted => TestReport {
                success: true,
                status_code: posted.status,
                error: None,
            },
            Verdict::Throttled { wait, .. } => {
                TestReport::waiting(destination.throttled(wait, &self.inner))
            }
            Verdict::Transient(reason)
            | Verdict::Message(reason)
            | Verdict::Destination(reason) => TestReport::failed(posted.status, reason.to_string()),
        })
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
        let seconds = wait.as_secs() + 1;
        Self::failed(
            429,
            format!("The channel asked to wait: nothing is posted to it for another {seconds} s"),
        )
    }
}
