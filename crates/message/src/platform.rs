//! What every platform must be able to do with an alert.

use alert_connectors_model::{Alert, ConnectorType};

use crate::{Digest, FollowUpNote, slack::Slack, teams::Teams, truncate::Trim};

/// An alert to be shown, and where people find the whole of it.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// The alert's own page at this service, where `--public-url` is set.
    pub page: Option<&'a str>,
    /// What a follow-up says beyond it.
    pub note: Option<FollowUpNote>,
    /// Whether the message shows the alert itself, or only how its problem changed.
    pub whole: bool,
}

impl<'a> Shown<'a> {
    /// An alert that is shown for the first time.
    pub const fn whole(alert: &'a Alert, page: Option<&'a str>) -> Self {
        Self {
            alert,
            page,
            note: None,
            whole: true,
        }
    }

    /// Where the whole of the alert can be read: its page here, else the link that it brought.
    pub(crate) fn rest(&self) -> Option<&'a str> {
        self.page.or_else(|| {
            self.alert
                .url
                .as_ref()
                .map(alert_connectors_model::Link::as_str)
        })
    }
}

/// A message ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendering {
    /// The JSON body.
    pub payload: Vec<u8>,
    /// What did not fit, in the order in which it stands in the message.
    pub trimmed: Vec<Trim>,
}

/// A platform that shows alerts.
pub trait Platform: Send + Sync {
    /// The message in its full form, within every limit of the platform.
    fn message(&self, shown: Shown<'_>) -> Rendering;

    /// The message in its plain form, for a channel that refused the full one.
    fn plain(&self, shown: Shown<'_>) -> Vec<u8>;

    /// Many alerts in one message, within every limit of the platform.
    fn digest(&self, digest: &Digest<'_>) -> Vec<u8>;
}

/// The platform of a connector.
pub fn platform(connector_type: ConnectorType) -> &'static dyn Platform {
    match connector_type {
        ConnectorType::Slack => &Slack,
        ConnectorType::Teams => &Teams,
    }
}
