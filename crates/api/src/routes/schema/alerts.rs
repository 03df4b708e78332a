//! Alerts as they are posted, stored, listed and previewed.

use alert_connectors_message as message;
use alert_connectors_model::{
    self as model, Action, AlertStatus, DescriptionFormat, Field, Part, Severity, Warning,
};
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Array, Object, OneOf, RefOr, Schema, Type, schema::SchemaType},
};

use super::{ConnectorMatch, Delivery, DeliverySummary, Problem, answers, schemas};

schemas! {
    /// Rules that change the alerts of a source.
    IngestMapping {
        /// In their order.
        #[schema(max_items = 100)]
        rules: Vec<MappingRule>,
    }
    /// A rule of a mapping. It drops the alerts for which its conditions hold, or changes at least one thing of them.
    MappingRule {
        /// A condition, or a list of conditions that must all hold. Without it, the rule is for every alert.
        #[schema(rename = "where", required = false, schema_with = conditions)]
        conditions: MappingCondition,
        /// Whether the alert is left out. Then nothing else is changed.
        drop: Option<bool>,
        /// The type that the alert gets.
        #[schema(pattern = "^[a-z0-9_.-]{1,64}$")]
        alert_type: Option<String>,
        /// The severity that it gets.
        severity: Option<model::Severity>,
        /// The title that it gets. Placeholders are `{{label.NAME}}`, `{{field.NAME}}`, `{{path.A.B}}`, `{{body.A.B}}`, `{{title}}`,
        /// `{{severity}}`, `{{alert_type}}`, `{{status}}`, `{{url}}` and `{{dedup_key}}`; one without a value leaves nothing.
        #[schema(min_length = 1, max_length = 300)]
        title: Option<String>,
        /// The URL that it gets. It may have placeholders, whose values are escaped. dbt's documentation of a node, for instance, is
        /// `https://docs.example.com/#!/model/{{path.unique_id}}`.
        #[schema(min_length = 1, max_length = 300)]
        url: Option<String>,
        /// A link to add. Label and URL may have placeholders, which are escaped in the URL.
        add_action: Option<MappingAction>,
    }
    /// That something has a value. It names one of `label`, `field`, `path` and `body`.
    MappingCondition {
        /// An entry of the producer's `labels`.
        #[schema(min_length = 1, max_length = 300)]
        label: Option<String>,
        /// A field of the alert, by its name, or a part of the alert, such as `alert_type`.
        #[schema(min_length = 1, max_length = 300)]
        field: Option<String>,
        /// A value of what the producer sent for this alert, such as `annotations.summary` or `results[0].status`.
        #[schema(min_length = 1, max_length = 300)]
        path: Option<String>,
        /// A value of the whole body, with what its entries share, such as `receiver` or `commonLabels.team` of Alertmanager.
        #[schema(min_length = 1, max_length = 300)]
        body: Option<String>,
        /// The value, or a list of values of which it must be one. Left out: any value.
        #[schema(rename = "is", required = false, schema_with = values)]
        values: (),
    }
    /// A link that a rule adds.
    MappingAction {
        /// Its label.
        #[schema(min_length = 1, max_length = 300)]
        label: String,
        /// Where it leads.
        #[schema(min_length = 1, max_length = 300)]
        url: String,
    }
    /// The secret of a source.
    IngestSecret {
        /// What the producer signs its bodies with. It is never shown again.
        #[schema(min_length = 1, max_length = 1024)]
        secret: String,
    }

    /// An alert to be sent. Only the first three are required. What can be mended is mended, and `warnings` says what was.
    #[schema(example = json!({
        "alert_type": "dq_alert", "title": "Freshness check failed: orders_daily is 7 h late", "severity": "critical",
        "description": "Last loaded at 05:04 UTC.", "fields": [{"name": "Environment", "value": "prod"}],
        "url": "https://data.example.com/alerts/1", "dedup_key": "freshness:orders_daily"
    }))]
    NewAlert {
        /// What connectors filter by: 1 to 64 of `a-z 0-9 _ . -`. Capitals are lowered, and blanks become `_`.
        alert_type: String,
        /// The first line of the message: up to 1,000 characters, and cut beyond.
        title: String,
        /// How bad it is, in any case.
        severity: Severity,
        /// `active` if left out. `resolved` with a `dedup_key` ends the problem.
        status: Option<AlertStatus>,
        /// The text of the message: up to 16,000 characters; beyond, its middle is left out.
        description: Option<String>,
        /// How the description is written: `plain` if left out.
        description_format: Option<DescriptionFormat>,
        /// The product that it is about. Its name alone will do.
        product: Option<Part>,
        /// The check that found it. Its name alone will do.
        check: Option<Part>,
        /// Facts, shown in their order: up to 40, and the others are dropped. An object of names and values will do.
        fields: Option<Vec<Field>>,
        /// Where the title leads: http or https, up to 2,048 characters. Another URL is dropped.
        url: Option<String>,
        /// Links below the message: up to 5, and the others are dropped.
        actions: Option<Vec<Action>>,
        /// Names the ongoing problem within the space: repeats of it are one alert. Beyond 255 characters it is kept with a hash.
        dedup_key: Option<String>,
        /// When it happened: RFC 3339, or Unix seconds or milliseconds. The time of receipt if left out.
        occurred_at: Option<String>,
    }
}

answers! {
    /// What stands before what an alert says.
    AlertHead {
        /// Names the alert.
        #[schema(value_type = String, format = "uuid")]
        id: model::AlertId,
        /// The space that it was posted to.
        #[schema(value_type = String, format = "uuid")]
        space_id: model::SpaceId,
        /// When it was received first.
        #[schema(format = DateTime)]
        received_at: String,
        /// How often it was posted while the problem was there.
        #[schema(minimum = 1)]
        occurrences: u64,
    }
    /// What stands behind what an alert says.
    AlertTail<'d> {
        /// The corrections that were made: at most 100, and a last one that counts the others.
        #[schema(value_type = Vec<Warning>, max_items = 101)]
        warnings: Warnings<'d>,
        /// The deliveries that it caused, in short; to a request that posted it, those that this request caused. In lists and in
        /// the answer to a batch, the first 100.
        deliveries: Vec<DeliverySummary<'d>>,
        /// How many more deliveries there are. Left out where all are listed.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, minimum = 1)]
        deliveries_left_out: Option<usize>,
    }
    /// What stands behind what an alert says where it is shown alone.
    AlertDetailsTail<'d> {
        /// The corrections that were made: at most 100, and a last one that counts the others.
        #[schema(value_type = Vec<Warning>, max_items = 101)]
        warnings: Warnings<'d>,
        /// All its deliveries with their attempts.
        deliveries: Vec<Delivery<'d>>,
        /// What each connector of today would do with it.
        connectors: Vec<ConnectorMatch<'d>>,
    }
}

/// What became of a producer's body.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum IngestAnswer {
    Counted(Ingested),
    PagerDuty(PagerDutyEvent),
}

/// What was mended: in an alert that has just come, or as it is stored.
#[derive(serde::Serialize)]
#[serde(untagged)]
pub(crate) enum Warnings<'w> {
    Fresh(&'w [Warning]),
    Stored(&'w RawValue),
}

/// An object that is written in three parts: what stands before what an alert says, what the alert says, which may be JSON already,
/// and what stands behind it. It is described as one.
macro_rules! in_three_parts {
    ($($(#[doc = $doc:literal])* $name:ident: $head:ty, $content:ty, $tail:ty;)+) => {$(
        $(#[doc = $doc])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let parts = [<$head>::schema(), <$content>::schema(), <$tail>::schema()];
                described_as_one(concat!($($doc),*).trim(), parts)
            }
        }

        impl ToSchema for $name {
            fn schemas(found: &mut Vec<(String, RefOr<Schema>)>) {
                <$head>::schemas(found);
                <$content>::schemas(found);
                <$tail>::schemas(found);
            }
        }
    )+};
}

in_three_parts! {
    /// An alert as it is stored.
    Alert: AlertHead, model::Alert, AlertTail<'static>;
    /// An alert with its deliveries in full, and what today's connectors would do with it.
    AlertDetails: AlertHead, model::Alert, AlertDetailsTail<'static>;
}

/// A condition, or a list of conditions.
fn conditions() -> Schema {
    let one = MappingCondition::schema();
    let all = Array::new(one.clone());
    let description = "A condition, or a list of at most 10 conditions that must all hold. Without it, the rule is for every alert.";
    let either = OneOf::builder().item(one).item(all);
    either.description(Some(description)).into()
}

/// A value, or a list of values.
fn values() -> Schema {
    let scalars = [Type::String, Type::Number, Type::Boolean];
    let scalars = SchemaType::from_iter(scalars);
    let one = Object::with_type(scalars);
    let any = Array::new(one.clone());
    let description = "The value, or a list of at most 50 values of which it must be one. Numbers and booleans are compared by how they are written. Left out: any value.";
    let either = OneOf::builder().item(one).item(any);
    either.description(Some(description)).into()
}

/// One object with the fields of all.
fn described_as_one(description: &str, parts: [RefOr<Schema>; 3]) -> RefOr<Schema> {
    let mut whole = Object::with_type(Type::Object);
    whole.description = Some(description.to_owned());
    for part in parts {
        if let RefOr::T(Schema::Object(part)) = part {
            whole.properties.extend(part.properties);
            whole.required.extend(part.required);
        }
    }
    whole.into()
}

schemas! {
    /// A page of alerts, newest first.
    AlertPage {
        /// The alerts.
        #[schema(max_items = 200)]
        items: Vec<Alert>,
        /// The cursor of the next page; null at the end.
        #[schema(required)]
        next_cursor: Option<String>,
    }
    /// The answers to a batch, in its order.
    BatchResults {
        /// One for each alert.
        #[schema(min_items = 1, max_items = 1000)]
        results: Vec<BatchResult>,
    }
    /// The answer to one alert of a batch: an alert or a problem.
    BatchResult {
        /// 202 for an alert that was stored, 422 for one that was not.
        status: u16,
        /// The alert, where it was stored; else left out.
        #[schema(nullable = false)]
        alert: Option<Alert>,
        /// Why it was not stored; else left out.
        #[schema(nullable = false)]
        problem: Option<Problem<'static>>,
    }
    /// What did not fit into a message.
    Trim {
        /// The field of the alert.
        field: String,
        /// How much there was: characters, or entries of a list.
        from: usize,
        /// How much is shown.
        to: usize,
    }
}

answers! {
    /// What an alert would look like, and which connectors would receive it.
    Preview<'p> {
        /// The message of each platform.
        messages: PreviewMessages,
        /// What each connector would do with it.
        connectors: Vec<ConnectorMatch<'p>>,
        /// What was mended.
        #[schema(value_type = Vec<Warning>, max_items = 101)]
        warnings: &'p [model::Warning],
    }
    /// What became of a producer's body.
    Ingested {
        /// How many alerts in it are about a problem that is there.
        accepted: usize,
        /// How many are about one that is gone.
        resolved: usize,
        /// How many were left out, since they say nothing that a channel could act on.
        ignored: usize,
        /// The alerts, in the order of the body. Those of one problem are one alert.
        #[schema(value_type = Vec<String>)]
        alerts: Vec<model::AlertId>,
        /// The corrections that were made: at most 100, and a last one that counts the others.
        #[schema(max_items = 101)]
        warnings: Vec<Warning>,
    }
    /// What became of an event of PagerDuty's, as PagerDuty answers it.
    PagerDutyEvent {
        /// `success`
        status: &'static str,
        /// `Event processed`
        message: &'static str,
        /// The problem that the event is about: its own name, or the one that was made.
        dedup_key: Option<String>,
    }
    /// What would come of a producer's body.
    IngestPreview<'i> {
        /// The first 20 alerts, in the order of the body.
        #[schema(max_items = 20)]
        alerts: Vec<IngestedAlert<'i>>,
        /// How many more there are. Left out where all are shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, minimum = 1)]
        alerts_left_out: Option<usize>,
        /// What was found besides, that belongs to no alert.
        #[schema(value_type = Vec<Warning>)]
        warnings: &'i [Warning],
    }
    /// An alert that would come of a producer's body.
    IngestedAlert<'i> {
        /// What it would say.
        #[schema(value_type = model::Alert)]
        alert: &'i model::Alert,
        /// What would be mended.
        #[schema(value_type = Vec<Warning>, max_items = 101)]
        warnings: &'i [Warning],
        /// What each connector would do with it.
        connectors: Vec<ConnectorMatch<'i>>,
    }
    /// How many alerts of a space came since a time.
    AlertSummary<'s> {
        /// The beginning of the hour from which they are counted.
        #[schema(format = DateTime)]
        since: String,
        /// The most frequent kinds, most frequent first.
        #[schema(max_items = 200)]
        items: Vec<AlertCount<'s>>,
        /// How many alerts are of other kinds.
        other: u64,
    }
    /// How many alerts of one type and severity came.
    AlertCount<'s> {
        /// The type.
        #[schema(value_type = String)]
        alert_type: &'s str,
        /// The severity.
        severity: Severity,
        /// How many. A repeat of an active problem does not count again.
        count: u64,
    }
    /// Both platforms' messages.
    PreviewMessages {
        /// What Slack would be sent.
        slack: PreviewMessage,
        /// What Teams would be sent.
        teams: PreviewMessage,
    }
    /// A message as it would be posted.
    PreviewMessage {
        /// The body of the request.
        #[schema(value_type = Value)]
        payload: Box<RawValue>,
        /// The body that is sent instead if the platform refuses the first.
        #[schema(value_type = Value)]
        plain: Box<RawValue>,
        /// What did not fit.
        #[schema(value_type = Vec<Trim>)]
        trimmed: Vec<message::Trim>,
    }
}
