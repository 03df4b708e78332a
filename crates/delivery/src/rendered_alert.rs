//! A rendered alert: the payload for each platform and form, rendered when it is first needed and shared by all destinations.

use std::sync::{Arc, OnceLock};

use alert_connectors_message::{Shown, platform};
use alert_connectors_model::{Alert, AlertId, ConnectorType, Field, FieldValue, Slug};
use alert_connectors_store::{Form, PendingDelivery};
use bytes::Bytes;

pub(crate) struct RenderedAlert {
    alert: Arc<Alert>,
    url: Option<String>,
    payloads: [OnceLock<Bytes>; 4],
    size_bytes: usize,
}

/// The address at which people find an alert, if this service has a public one.
pub(crate) fn alert_url(
    public_url: Option<&str>,
    slug: &Slug,
    alert_id: AlertId,
) -> Option<String> {
    public_url.map(|base| {
        format!(
            "{}/console/spaces/{slug}/alerts/{alert_id}",
            base.trim_end_matches('/')
        )
    })
}

impl RenderedAlert {
    /// The alert of a delivery. Nothing is rendered yet.
    pub(crate) fn of(delivery: &PendingDelivery, public_url: Option<&str>) -> Self {
        let alert = Arc::clone(&delivery.alert);
        Self {
            size_bytes: size_bytes(&alert),
            alert,
            url: alert_url(public_url, &delivery.space.slug, delivery.alert_id),
            payloads: Default::default(),
        }
    }

    pub(crate) fn alert(&self) -> &Alert {
        &self.alert
    }

    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    pub(crate) fn is_of(&self, alert: &Arc<Alert>) -> bool {
        Arc::ptr_eq(&self.alert, alert)
    }

    /// Returns the payload to post.
    pub(crate) fn payload(&self, connector_type: ConnectorType, form: Form) -> Bytes {
        let place = match (connector_type, form) {
            (ConnectorType::Slack, Form::Full) => 0,
            (ConnectorType::Slack, Form::Plain) => 1,
            (ConnectorType::Teams, Form::Full) => 2,
            (ConnectorType::Teams, Form::Plain) => 3,
        };
        let render = || {
            let shown = Shown::whole(&self.alert, self.url.as_deref());
            let platform = platform(connector_type);
            Bytes::from(match form {
                Form::Full => platform.message(shown).payload,
                Form::Plain => platform.plain(shown),
            })
        };
        self.payloads[place].get_or_init(render).clone()
    }

    /// About how much memory it takes.
    pub(crate) const fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

/// The delivery and its alert. The message itself is made when it is sent, so few of them exist at a time.
fn size_bytes(alert: &Alert) -> usize {
    let value = |field: &Field| match &field.value {
        FieldValue::Text(text) => text.len(),
        FieldValue::Number(_) | FieldValue::Bool(_) | FieldValue::Empty => 0,
    };
    let fields: usize = alert
        .fields
        .iter()
        .map(|field| 64 + field.name.len() + value(field))
        .sum();
    1_024 + alert.title.len() + alert.description.as_ref().map_or(0, String::len) + fields
}
