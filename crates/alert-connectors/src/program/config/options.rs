//! Every option by name: the flag, the environment variable and the help. Their values are parsed elsewhere.

use clap::Args;

/// Which database, and how settings are found. Taken before or after a command's arguments.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseOptions {
    /// The database: sqlite:// and a path, or a postgres:// address [default: `sqlite://data/alert-connectors.db`]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "ALERT_CONNECTORS_DATABASE_URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
    /// The keys that seal webhook URLs; made for a new SQLite database [default: secret.key beside the SQLite file;
    /// required with PostgreSQL]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "ALERT_CONNECTORS_SECRET_KEY_FILE"
    )]
    pub(crate) secret_key_file: Option<String>,
    /// A TOML file whose keys are the names of these options
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "ALERT_CONNECTORS_CONFIG"
    )]
    pub(crate) config: Option<String>,
}

/// The options of `serve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeOptions {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "ALERT_CONNECTORS_LISTEN")]
    pub(crate) listen: Option<String>,
    /// Where to serve /metrics and the probes alone; the other address then has no /metrics [default: beside the API]
    #[arg(long, value_name = "ADDRESS", env = "ALERT_CONNECTORS_METRICS_LISTEN")]
    pub(crate) metrics_listen: Option<String>,
    /// Where people reach this service; messages link to it
    #[arg(long, value_name = "URL", env = "ALERT_CONNECTORS_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// Webhook targets in this network are allowed although not public; repeatable
    #[arg(
        long,
        value_name = "CIDR",
        env = "ALERT_CONNECTORS_ALLOW_NETWORK",
        value_delimiter = ','
    )]
    pub(crate) allow_network: Vec<String>,
    /// Allow only these webhook hosts, such as hooks.slack.com or *.example.com; repeatable
    #[arg(
        long,
        value_name = "PATTERN",
        env = "ALERT_CONNECTORS_ALLOW_HOST",
        value_delimiter = ','
    )]
    pub(crate) allow_host: Vec<String>,
    /// Certificates trusted beside the public roots
    #[arg(long, value_name = "PEM", env = "ALERT_CONNECTORS_CA_FILE")]
    pub(crate) ca_file: Option<String>,
    /// A proxy for outgoing webhooks
    #[arg(
        long,
        value_name = "URL",
        env = "ALERT_CONNECTORS_PROXY",
        hide_env_values = true
    )]
    pub(crate) proxy: Option<String>,
    /// Webhook hosts that are reached without the proxy, such as chat.example.com or *.example.com; repeatable
    #[arg(
        long,
        value_name = "HOST",
        env = "ALERT_CONNECTORS_NO_PROXY",
        value_delimiter = ','
    )]
    pub(crate) no_proxy: Vec<String>,
    /// Peers whose X-Forwarded-For is believed; repeatable
    #[arg(
        long,
        value_name = "CIDR",
        env = "ALERT_CONNECTORS_TRUST_PROXY",
        value_delimiter = ','
    )]
    pub(crate) trust_proxy: Vec<String>,
    /// The rate limit of a platform's webhooks, such as slack=1/1s,burst=4 or teams=unlimited; repeatable
    /// [default: slack=1/1s,burst=4 and teams=1/15s,burst=5]
    #[arg(
        long,
        value_name = "TYPE=N/DURATION[,burst=B]",
        env = "ALERT_CONNECTORS_RATE",
        value_delimiter = ','
    )]
    pub(crate) rate: Vec<String>,
    /// The maximum number of open connections to webhooks, shared fairly by spaces [default: 512]
    #[arg(
        long,
        value_name = "NUMBER",
        env = "ALERT_CONNECTORS_WEBHOOK_CONNECTIONS"
    )]
    pub(crate) webhook_connections: Option<String>,
    /// How long a delivery is retried before it expires [default: 24h]
    #[arg(long, value_name = "DURATION", env = "ALERT_CONNECTORS_RETRY_FOR")]
    pub(crate) retry_for: Option<String>,
    /// How long after the last notification a repeat of an active problem notifies again [default: 4h]
    #[arg(long, value_name = "DURATION", env = "ALERT_CONNECTORS_RENOTIFY")]
    pub(crate) renotify: Option<String>,
    /// Remove history older than this, but no pending delivery and no active problem [default: 30d]
    #[arg(long, value_name = "DURATION", env = "ALERT_CONNECTORS_RETENTION")]
    pub(crate) retention: Option<String>,
    /// Remove entries of the audit trail older than this [default: 365d]
    #[arg(
        long,
        value_name = "DURATION",
        env = "ALERT_CONNECTORS_AUDIT_RETENTION"
    )]
    pub(crate) audit_retention: Option<String>,
    /// A limit of every space, such as alerts-per-second=200, or of one, such as orders:alerts-per-day=unlimited; the limits are
    /// alerts-per-second, key-alerts-per-second, alerts-per-day, connectors and stored-bytes; repeatable
    #[arg(
        long,
        value_name = "[SPACE:]LIMIT=NUMBER",
        env = "ALERT_CONNECTORS_QUOTA",
        value_delimiter = ','
    )]
    pub(crate) quota: Vec<String>,
    /// Be ready only while PostgreSQL has each commit wait for a standby
    #[arg(
        long,
        value_name = "true|false",
        env = "ALERT_CONNECTORS_REQUIRE_STANDBY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub(crate) require_standby: Option<String>,
    /// The format of the log: text or json [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT", env = "ALERT_CONNECTORS_LOG_FORMAT")]
    pub(crate) log_format: Option<String>,
    #[command(flatten)]
    pub(crate) traces: TraceOptions,
    #[command(flatten)]
    pub(crate) sso: SsoOptions,
    /// Print the effective settings and the origin of each, then exit
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// The options of `serve` about spans of sampled alerts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traces")]
pub(crate) struct TraceOptions {
    /// Post spans of sampled alerts to the OpenTelemetry collector at this address, as OTLP over HTTP; /v1/traces is added to it
    #[arg(long, value_name = "URL", env = "ALERT_CONNECTORS_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
    /// A file with headers for the collector, one NAME=VALUE a line, such as its API key
    #[arg(long, value_name = "FILE", env = "ALERT_CONNECTORS_OTLP_HEADERS_FILE")]
    pub(crate) otlp_headers_file: Option<String>,
    /// How many of the requests without a traceparent are sampled, from 0 to 1; a traceparent says it itself [default: 0.01]
    #[arg(long, value_name = "RATIO", env = "ALERT_CONNECTORS_OTLP_SAMPLE_RATIO")]
    pub(crate) otlp_sample_ratio: Option<String>,
}

/// The options of `serve` about people who sign in elsewhere.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Single sign-on")]
pub(crate) struct SsoOptions {
    /// Accept the tokens of this issuer (`iss`, letter by letter) as session tokens
    #[arg(long, value_name = "URL", env = "ALERT_CONNECTORS_ISSUER")]
    pub(crate) issuer: Option<String>,
    /// Accept only tokens that are for one of these (`aud`); repeatable, and required with --issuer
    #[arg(
        long,
        value_name = "AUDIENCE",
        env = "ALERT_CONNECTORS_AUDIENCE",
        value_delimiter = ','
    )]
    pub(crate) audience: Vec<String>,
    /// Where the issuer's keys are [default: where its OpenID Connect description says]
    #[arg(long, value_name = "URL", env = "ALERT_CONNECTORS_JWKS_URL")]
    pub(crate) jwks_url: Option<String>,
    /// A file with the issuer's keys, which is read again every ten minutes
    #[arg(long, value_name = "FILE", env = "ALERT_CONNECTORS_JWKS_FILE")]
    pub(crate) jwks_file: Option<String>,
    /// The issuer's addresses may be in this network although it is not public; repeatable
    #[arg(
        long,
        value_name = "CIDR",
        env = "ALERT_CONNECTORS_ISSUER_NETWORK",
        value_delimiter = ','
    )]
    pub(crate) issuer_network: Vec<String>,
    /// The claim with the e-mail address of the user [default: email]
    #[arg(long, value_name = "CLAIM", env = "ALERT_CONNECTORS_EMAIL_CLAIM")]
    pub(crate) email_claim: Option<String>,
    /// The claim with the name of a new user [default: name]
    #[arg(long, value_name = "CLAIM", env = "ALERT_CONNECTORS_NAME_CLAIM")]
    pub(crate) name_claim: Option<String>,
    /// The claim with the user's groups, such as `realm_access.roles` [default: groups]
    #[arg(long, value_name = "CLAIM", env = "ALERT_CONNECTORS_GROUPS_CLAIM")]
    pub(crate) groups_claim: Option<String>,
    /// Make a group's people members of a space, and nobody else of the issuer; repeatable. A group with a comma in its name is
    /// written in the file of --config
    #[arg(
        long,
        value_name = "GROUP=SPACE:ROLE",
        env = "ALERT_CONNECTORS_GROUP_ROLE",
        value_delimiter = ','
    )]
    pub(crate) group_role: Vec<String>,
    /// Sign people in at the issuer's own page, as the client of this name; it sends them back to /auth/oidc/callback
    #[arg(long, value_name = "ID", env = "ALERT_CONNECTORS_OIDC_CLIENT_ID")]
    pub(crate) oidc_client_id: Option<String>,
    /// A file with the client's secret, if it has one
    #[arg(
        long,
        value_name = "FILE",
        env = "ALERT_CONNECTORS_OIDC_CLIENT_SECRET_FILE"
    )]
    pub(crate) oidc_client_secret_file: Option<String>,
    /// What the page is asked for [default: openid email profile]
    #[arg(long, value_name = "SCOPES", env = "ALERT_CONNECTORS_OIDC_SCOPES")]
    pub(crate) oidc_scopes: Option<String>,
    /// What becomes of people whom the issuer knows and nobody here: create or refuse [default: refuse]
    #[arg(long, value_name = "WHAT", env = "ALERT_CONNECTORS_NEW_USERS")]
    pub(crate) new_users: Option<String>,
}
