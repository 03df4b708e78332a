//! Alerts as they are posted, stored, listed and previewed.

use alert_connectors_message as message;
use alert_connectors_model::{self as model, Action, Field, Part, Warning};
use utoipa::ToSchema;

use super::{
    ConnectorMatch, Delivery, DeliverySummary, Problem, Severity, answers, schemas, words,
};

schemas! {
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
        status: Option<Status>,
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

/// What every alert of an answer has, and what this one has besides.
macro_rules! stored {
    ($(#[$meta:meta])* $name:ident { $($more:tt)* }) => { schemas! {
        $(#[$meta])*
        $name {
            /// Names the alert.
            #[schema(format = "uuid")]
            id: String,
            /// The space that it was posted to.
            #[schema(format = "uuid")]
            space_id: String,
            /// When it was received first.
            #[schema(format = DateTime)]
            received_at: String,
            /// How often it was posted while the problem was there.
            #[schema(minimum = 1)]
            occurrences: u64,
            /// What connectors filter by.
            #[schema(pattern = "^[a-z0-9_.-]{1,64}$")]
            alert_type: String,
            /// The first line of the message, which is shown as `(untitled)` where nothing in it is visible.
            #[schema(max_length = 1000)]
            title: String,
            /// How bad it is. It never falls while the problem is there.
            severity: Severity,
            /// Whether the problem is there or gone.
            status: Status,
            /// The text of the message.
            #[schema(required, max_length = 16000)]
            description: Option<String>,
            /// How the description is written.
            description_format: DescriptionFormat,
            /// The product that it is about.
            #[schema(required)]
            product: Option<Part>,
            /// The check that found it.
            #[schema(required)]
            check: Option<Part>,
            /// Facts, shown in their order.
            #[schema(max_items = 40)]
            fields: Vec<Field>,
            /// Where the title leads.
            #[schema(required, max_length = 2048)]
            url: Option<String>,
            /// Links below the message.
            #[schema(max_items = 5)]
            actions: Vec<Action>,
            /// Names the ongoing problem within the space.
            #[schema(required, max_length = 255)]
            dedup_key: Option<String>,
            /// When it happened, as the producer says; else when it was received.
            #[schema(format = DateTime)]
            occurred_at: String,
            /// When the problem ended. Left out while it is there.
            #[schema(nullable = false, format = DateTime)]
            resolved_at: Option<String>,
            /// What was mended: at most 100, and a last one that counts the others.
            #[schema(max_items = 101)]
            warnings: Vec<Warning>,
            $($more)*
        }
    } };
}

stored! {
    /// An alert as it is stored.
    Alert {
        /// The deliveries that it caused, in short; to a request that posted it, those that this request caused. In lists and in
        /// the answer to a batch, the first 100.
        deliveries: Vec<DeliverySummary<'static>>,
        /// How many more deliveries there are. Left out where all are listed.
        #[schema(nullable = false, minimum = 1)]
        deliveries_left_out: Option<usize>,
    }
}

stored! {
    /// An alert with its deliveries in full, and what today's connectors would do with it.
    AlertDetails {
        /// All its deliveries with their attempts.
        deliveries: Vec<Delivery<'static>>,
        /// What each connector of today would do with it.
        connectors: Vec<ConnectorMatch<'static>>,
    }
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
    /// What an alert would look like, and who would hear of it.
    Preview<'p> {
        /// The message of each platform.
        messages: PreviewMessages,
        /// What each connector would do with it.
        connectors: Vec<ConnectorMatch<'p>>,
        /// What was mended.
        #[schema(value_type = Vec<Warning>, max_items = 101)]
        warnings: &'p [model::Warning],
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
        #[schema(value_type = super::Severity)]
        severity: model::Severity,
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
        payload: Box<serde_json::value::RawValue>,
        /// The body that is sent instead if the platform refuses the first.
        #[schema(value_type = Value)]
        plain: Box<serde_json::value::RawValue>,
        /// What did not fit.
        #[schema(value_type = Vec<Trim>)]
        trimmed: Vec<message::Trim>,
    }
}

words! {
    /// Whether the problem is there or gone.
    Status { Active, Resolved }
    /// How a description is written: as it stands, or in the small Markdown of the API.
    DescriptionFormat { Plain, Markdown }
}
