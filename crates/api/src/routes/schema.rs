//! The shapes of requests and answers as OpenAPI tells them. The code reads and writes them by hand, to say every fault
//! at once and to copy nothing; tests hold both to each other.

use serde_json::Value;
use utoipa::{ToResponse, ToSchema};

macro_rules! schemas {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })+) => {$(
        #[derive(ToSchema)]
        $(#[$meta])*
        #[expect(dead_code, reason = "it is read by the OpenAPI document alone")]
        pub(crate) struct $name { $($(#[$field_meta])* $field: $type,)* }
    )+};
}

schemas! {
    /// A connector: an incoming webhook with its filters.
    #[schema(example = json!({
        "id": "0197c2a0-0000-7000-8000-000000000001", "space_id": "0197c2a0-0000-7000-8000-000000000002",
        "name": "#data-quality-alerts", "connector_type": "slack",
        "webhook_url": "https://hooks.slack.com/services/T00/B00/xxx", "is_active": true,
        "severity_filter": ["high", "critical"], "alert_type_filter": null,
        "created_by": {"id": "0197c2a0-0000-7000-8000-000000000003", "email": "alice@example.com", "full_name": "Alice Johnson"},
        "created_at": "2026-02-11T10:00:00Z", "updated_at": "2026-02-11T10:00:00Z"
    }))]
    Connector {
        id: String,
        space_id: String,
        name: String,
        connector_type: ConnectorType,
        /// The whole URL for those who may edit connectors, `https://HOST/…` for others.
        webhook_url: String,
        is_active: bool,
        severity_filter: Vec<Severity>,
        alert_type_filter: Option<Vec<String>>,
        created_by: User,
        created_at: String,
        updated_at: String,
    }
    /// A connector to be made.
    #[schema(example = json!({
        "name": "#data-quality-alerts", "connector_type": "slack",
        "webhook_url": "https://hooks.slack.com/services/T00/B00/xxx",
        "severity_filter": ["high", "critical"], "alert_type_filter": null
    }))]
    NewConnector {
        name: String,
        connector_type: ConnectorType,
        /// Must begin with `https://`.
        webhook_url: String,
        #[schema(default = true)]
        is_active: Option<bool>,
        /// `["high", "critical"]` if left out; an empty list matches every severity.
        severity_filter: Option<Vec<Severity>>,
        /// All types if left out or null; an empty list matches none.
        alert_type_filter: Option<Vec<String>>,
    }
    /// What to change; what is left out stays.
    #[schema(example = json!({"name": "Updated Name", "is_active": false, "severity_filter": ["critical"]}))]
    ConnectorChange {
        name: Option<String>,
        connector_type: Option<ConnectorType>,
        webhook_url: Option<String>,
        is_active: Option<bool>,
        severity_filter: Option<Vec<Severity>>,
        alert_type_filter: Option<Vec<String>>,
    }
    /// What came of a test message.
    #[schema(example = json!({"success": false, "status_code": 500, "error": "Connection timeout"}))]
    TestResult { success: bool, status_code: u16, error: Option<String>, }
    /// Someone who signs in.
    User { id: String, email: String, full_name: String, }
    /// An alert to be sent. Only the first three are required.
    #[schema(example = json!({
        "alert_type": "dq_alert", "title": "Freshness check failed: orders_daily is 7 h late", "severity": "critical",
        "description": "Last loaded at 05:04 UTC.", "fields": [{"name": "Environment", "value": "prod"}],
        "url": "https://data.example.com/alerts/1", "dedup_key": "freshness:orders_daily"
    }))]
    NewAlert {
        alert_type: String,
        title: String,
        severity: Severity,
        status: Option<Status>,
        description: Option<String>,
        description_format: Option<DescriptionFormat>,
        product: Option<Part>,
        check: Option<Part>,
        fields: Option<Vec<Field>>,
        url: Option<String>,
        actions: Option<Vec<Action>>,
        dedup_key: Option<String>,
        occurred_at: Option<String>,
    }
    /// An alert as it is stored.
    Alert {
        id: String,
        space_id: String,
        received_at: String,
        occurrences: u64,
        alert_type: String,
        title: String,
        severity: Severity,
        status: Status,
        description: Option<String>,
        description_format: DescriptionFormat,
        product: Option<Part>,
        check: Option<Part>,
        fields: Vec<Field>,
        url: Option<String>,
        actions: Vec<Action>,
        dedup_key: Option<String>,
        occurred_at: String,
        #[schema(nullable = false)]
        resolved_at: Option<String>,
        warnings: Vec<Warning>,
        deliveries: Vec<DeliverySummary>,
        #[schema(nullable = false)]
        deliveries_left_out: Option<usize>,
    }
    /// An alert with its deliveries in full, and what today's connectors would do with it.
    AlertDetails {
        #[schema(inline)]
        #[serde(flatten)]
        alert: Alert,
        deliveries: Vec<Delivery>,
        connectors: Vec<ConnectorMatch>,
    }
    /// A product or a check.
    Part { id: Option<String>, name: String, url: Option<String>, }
    /// A fact.
    Field { name: String, value: Value, }
    /// A link.
    Action { label: String, url: String, }
    /// What was mended in an alert.
    Warning { loc: Vec<Value>, msg: String, }
    /// A delivery in short.
    DeliverySummary { id: String, connector_id: String, connector_name: String, state: DeliveryState, }
    /// One alert owed to one connector.
    Delivery {
        id: String,
        alert_id: String,
        connector_id: String,
        connector_name: String,
        kind: DeliveryKind,
        state: DeliveryState,
        reason: Option<String>,
        created_at: String,
        next_attempt_at: Option<String>,
        ended_at: Option<String>,
        /// Only where one delivery or one alert is shown.
        attempts: Option<Vec<Attempt>>,
    }
    /// One HTTP request to a webhook.
    Attempt {
        id: String,
        started_at: String,
        duration_ms: u32,
        outcome: Outcome,
        status_code: Option<u16>,
        error: Option<String>,
        digest_size: u32,
    }
    /// A page of deliveries, newest first, without their attempts.
    DeliveryPage { items: Vec<Delivery>, next_cursor: Option<String>, }
    /// Which deliveries to queue again.
    #[schema(example = json!({"since": "2026-11-23T12:00:00Z"}))]
    Replay {
        /// Made at or after this RFC 3339 time.
        since: String,
        /// Made before this RFC 3339 time.
        until: Option<String>,
        /// failed, expired and cancelled if left out.
        states: Option<Vec<DeliveryState>>,
    }
    /// How many deliveries were queued again.
    Replayed { count: u32, }
    /// How a connector fares.
    ConnectorHealth {
        state: HealthState,
        since: String,
        queue_depth: u64,
        oldest_pending_at: Option<String>,
        next_attempt_at: Option<String>,
        last_success_at: Option<String>,
        last_error: Option<String>,
        consecutive_failures: u32,
    }
    /// A page of alerts, newest first.
    AlertPage { items: Vec<Alert>, next_cursor: Option<String>, }
    /// The answers to a batch, in its order.
    BatchResults { results: Vec<BatchResult>, }
    /// The answer to one alert of a batch: an alert or a problem.
    BatchResult { status: u16, alert: Option<Alert>, problem: Option<Problem>, }
    /// What an alert would look like, and who would hear of it.
    Preview { messages: PreviewMessages, connectors: Vec<ConnectorMatch>, warnings: Vec<Warning>, }
    /// Both platforms' messages.
    PreviewMessages { slack: PreviewMessage, teams: PreviewMessage, }
    /// A message as it would be posted.
    PreviewMessage { payload: Value, plain: Value, trimmed: Vec<Trim>, }
    /// What did not fit.
    Trim { field: String, from: usize, to: usize, }
    /// What a connector's filters say of an alert.
    ConnectorMatch {
        connector_id: String,
        connector_name: String,
        connector_type: ConnectorType,
        matched: bool,
        rule: MatchRule,
    }
    /// An e-mail address and a password.
    #[schema(example = json!({"email": "alice@example.com", "password": "correct horse battery staple"}))]
    SignIn { email: String, password: String, }
    /// A session token.
    Token { access_token: String, token_type: String, expires_at: String, user: User, }
    /// The caller.
    Me { user: User, spaces: Vec<Space>, }
    /// A space that one may enter.
    Space { id: String, slug: String, name: String, role: Role, created_at: String, }
    /// A page of spaces.
    SpacePage { items: Vec<Space>, next_cursor: Option<String>, }
    /// A space to be made.
    NewSpace { slug: String, name: String, }
    /// A member of a space.
    Member { user: User, role: Role, added_at: String, }
    /// A page of members.
    MemberPage { items: Vec<Member>, next_cursor: Option<String>, }
    /// The role that a member is to have.
    MemberRole { role: Role, }
    /// An API key, without the key itself.
    ApiKey {
        id: String,
        name: String,
        space: Option<String>,
        scope: KeyScope,
        created_at: String,
        expires_at: Option<String>,
        last_used_at: Option<String>,
    }
    /// An API key with the key itself, which is shown this once.
    NewApiKeyShown {
        id: String,
        name: String,
        space: Option<String>,
        scope: KeyScope,
        created_at: String,
        expires_at: Option<String>,
        last_used_at: Option<String>,
        key: String,
    }
    /// A page of keys.
    ApiKeyPage { items: Vec<ApiKey>, next_cursor: Option<String>, }
    /// A key to be made.
    NewApiKey { name: String, space: Option<String>, scope: Option<KeyScope>, expires_at: Option<String>, }
    /// RFC 9457 problem details.
    Problem {
        r#type: String,
        title: String,
        status: u16,
        detail: String,
        errors: Option<Vec<Fault>>,
    }
    /// One fault of a request.
    Fault { loc: Vec<Value>, msg: String, r#type: String, }
    /// How the service is.
    Health { status: String, }
}

macro_rules! words {
    ($($name:ident { $($variant:ident),+ })+) => {$(
        #[derive(ToSchema)]
        #[schema(rename_all = "snake_case")]
        #[expect(dead_code, reason = "it is read by the OpenAPI document alone")]
        pub(crate) enum $name { $($variant),+ }
    )+};
}

words! {
    ConnectorType { Slack, Teams }
    Severity { Low, Medium, High, Critical }
    Status { Active, Resolved }
    DescriptionFormat { Plain, Markdown }
    DeliveryKind { Opening, Raised, Renotified, Resolved }
    HealthState { Paused, Blocked, Retrying, Healthy, Idle }
    DeliveryState { Pending, Delivered, Accepted, Failed, Expired, Cancelled }
    Outcome { Delivered, Accepted, Retry, Unanswered, MessageRefused, DestinationRefused }
    MatchRule { Matched, Inactive, SeverityFilter, AlertTypeFilter }
    Role { Viewer, Editor, Admin }
    KeyScope { All, Send }
}

/// Every error is a problem.
#[derive(ToResponse)]
#[response(
    description = "A problem (RFC 9457)",
    content_type = "application/problem+json"
)]
pub(crate) struct AnyProblem(
    #[expect(dead_code, reason = "it is read by the OpenAPI document alone")] Problem,
);
