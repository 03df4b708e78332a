//! An alert on its way to several destinations: rendered once for each platform and form, its bytes shared.

use std::sync::{Arc, OnceLock};

use alert_connectors_message::{Shown, platform};
use alert_connectors_model::{Alert, AlertId, ConnectorType, Field, FieldValue, Slug};
use alert_connectors_store::Form;
use bytes::Bytes;

pub(crate) struct Letter {
    alert: Arc<Alert>,
    page: Option<String>,
    rendered: [OnceLock<Bytes>; 4],
    weight: usize,
}

/// Where people find an alert at this service.
pub(crate) fn page(public_url: Option<&str>, slug: &Slug, alert_id: AlertId) -> Option<String> {
    public_url.map(|base| {
        format!(
            "{}/spaces/{slug}/alerts/{alert_id}",
            base.trim_end_matches('/')
        )
    })
}

impl Letter {
    pub(crate) fn new(alert: Arc<Alert>, page: Option<String>) -> Self {
        Self {
            weight: weight(&alert),
            alert,
            page,
            rendered: Default::default(),
        }
    }

    pub(crate) fn alert(&self) -> &Alert {
        &self.alert
    }

    pub(crate) fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    pub(crate) fn is_of(&self, alert: &Arc<Alert>) -> bool {
        Arc::ptr_eq(&self.alert, alert)
    }

    /// The bytes to post.
    pub(crate) fn body(&self, connector_type: ConnectorType, form: Form) -> Bytes {
        let place = match (connector_type, form) {
            (ConnectorType::Slack, Form::Full) => 0,
            (ConnectorType::Slack, Form::Plain) => 1,
            (ConnectorType::Teams, Form::Full) => 2,
            (ConnectorType::Teams, Form::Plain) => 3,
        };
        let render = || {
            let shown = Shown::whole(&self.alert, self.page.as_deref());
            let platform = platform(connector_type);
            Bytes::from(match form {
                Form::Full => platform.message(shown).payload,
                Form::Plain => platform.plain(shown),
            })
        };
        self.rendered[place].get_or_init(render).clone()
    }

    /// About how much memory the letter takes.
    pub(crate) const fn weight(&self) -> usize {
        self.weight
    }
}

/// The delivery and its alert. The message itself is made when it is sent, so few of them exist at a time.
fn weight(alert: &Alert) -> usize {
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
