//! Which tables and columns are copied, and how their values are written.

impl CopiedTable {
    /// The names of its columns, as a statement lists them.
    pub fn column_list(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopiedKind {
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
    /// The 16 bytes of an id.
    Id,
    /// Bytes.
    Bytes,
    /// Text.
    Text,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopiedValue {
    /// None.
    Null,
    /// A whole number, or yes (1) or no (0).
    Number(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl CopiedValue {
    /// Some bytes that it takes in memory.
    pub const fn weight(&self) -> usize {
        match self {
            Self::Null | Self::Number(_) => 32,
            Self::Text(text) => 32 + text.len(),
            Self::Bytes(bytes) => 32 + bytes.len(),
        }
    }
}

/// A row, as its table's columns name the values.
pub type CopiedRow = Vec<CopiedValue>;

/// A table that is copied.
#[derive(Debug)]
pub struct CopiedTable {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [(&'static str, CopiedKind)],
    /// The number in whose order it is copied in steps; a table without one is small, and copied at once.
    pub number: Option<&'static str>,
}

use CopiedKind::{Bytes, Flag, Id, Number, Text};

/// Everything that both stores keep, in an order in which no row refers to one that comes later. Versions are left out: they count
/// changes for servers that run. So is what a store makes of other rows.
pub const COPIED_TABLES: [CopiedTable; 20] = [
    table(
        "users",
        &[
            ("no", Number),
            ("id", Id),
            ("email", Text),
            ("full_name", Text),
            ("password_hash", Text),
            ("is_operator", Flag),
            ("is_disabled", Flag),
            ("created_at", Number),
        ],
    ),
    table(
        "tokens",
        &[("hash", Bytes), ("user_no", Number), ("expires_at", Number)],
    ),
    table(
        "spaces",
        &[
            ("no", Number),
            ("id", Id),
            ("slug", Text),
            ("name", Text),
            ("created_at", Number),
        ],
    ),
    table(
        "invitations",
        &[
            ("hash", Bytes),
            ("user_no", Number),
            ("expires_at", Number),
            ("space_no", Number),
        ],
    ),
    table(
        "members",
        &[
            ("space_no", Number),
            ("user_no", Number),
            ("role", Number),
            ("added_at", Number),
        ],
    ),
    table(
        "api_keys",
        &[
            ("id", Id),
            ("hash", Bytes),
            ("user_no", Number),
            ("name", Text),
            ("space_no", Number),
            ("scope", Text),
            ("created_at", Number),
            ("expires_at", Number),
            ("last_used_at", Number),
        ],
    ),
    table(
        "connectors",
        &[
            ("no", Number),
            ("id", Id),
            ("space_no", Number),
            ("name", Text),
            ("connector_type", Text),
            ("url_key_id", Bytes),
            ("url_sealed", Bytes),
            ("destination", Bytes),
            ("is_active", Flag),
            ("severity_filter", Text),
            ("alert_type_filter", Text),
            ("creator", Text),
            ("created_at", Number),
            ("updated_at", Number),
            ("switched_at", Number),
            ("deleted_at", Number),
        ],
    ),
    table(
        "pauses",
        &[
            ("connector_no", Number),
            ("began_at", Number),
            ("ended_at", Number),
            ("severity_filter", Text),
            ("alert_type_filter", Text),
        ],
    ),
    table(
        "ingest_sources",
        &[
            ("space_no", Number),
            ("source", Text),
            ("mapping", Text),
            ("secret", Bytes),
        ],
    ),
    table(
        "destinations",
        &[
            ("fingerprint", Bytes),
            ("failures", Number),
            ("failing_since", Number),
            ("recovered_at", Number),
            ("last_error", Text),
            ("throttles", Number),
            ("wait_set_at", Number),
            ("wait_ms", Number),
            ("wait_asked", Flag),
            ("refused", Text),
            ("blocked_at", Number),
            ("block_reason", Text),
            ("probes", Number),
            ("quiet", Flag),
            ("told", Flag),
            ("repaired_at", Number),
            ("unanswered", Number),
            ("failing_messages", Text),
        ],
    ),
    in_steps(
        "alert_counts",
        "hour",
        &[
            ("space_no", Number),
            ("hour", Number),
            ("alert_type", Text),
            ("severity", Number),
            ("count", Number),
        ],
    ),
    table(
        "counting",
        &[("one", Number), ("counted", Number), ("measured", Number)],
    ),
    table(
        "stored_bytes",
        &[("space_no", Number), ("bytes", Number), ("is_full", Flag)],
    ),
    in_steps(
        "alerts",
        "seq",
        &[
            ("seq", Number),
            ("id", Id),
            ("space_no", Number),
            ("severity", Number),
            ("status", Number),
            ("alert_type", Text),
            ("dedup_key", Bytes),
            ("occurrences", Number),
            ("received_at", Number),
            ("told_at", Number),
            ("content", Text),
            ("warnings", Text),
            ("bytes", Number),
        ],
    ),
    in_steps("alert_growth", "seq", &[("seq", Number), ("bytes", Number)]),
    in_steps(
        "alert_revisions",
        "alert_seq",
        &[
            ("alert_seq", Number),
            ("first_delivery", Number),
            ("content", Text),
        ],
    ),
    in_steps(
        "deliveries",
        "seq",
        &[
            ("seq", Number),
            ("id", Id),
            ("alert_seq", Number),
            ("connector_no", Number),
            ("kind", Number),
            ("state", Number),
            ("reason", Number),
            ("plain", Flag),
            ("attempts", Number),
            ("created_at", Number),
            ("requeued_at", Number),
            ("next_attempt_at", Number),
            ("ended_at", Number),
            ("trace", Bytes),
        ],
    ),
    in_steps(
        "attempts",
        "delivery_seq",
        &[
            ("delivery_seq", Number),
            ("id", Id),
            ("started_at", Number),
            ("duration_ms", Number),
            ("outcome", Number),
            ("status_code", Number),
            ("error", Text),
            ("digest_size", Number),
        ],
    ),
    in_steps(
        "audit_entries",
        "seq",
        &[
            ("seq", Number),
            ("at", Number),
            ("space_id", Id),
            ("action", Number),
            ("actor", Text),
            ("entry", Text),
        ],
    ),
    in_steps(
        "idempotency",
        "created_at",
        &[
            ("space_no", Number),
            ("route", Number),
            ("key", Text),
            ("body_hash", Bytes),
            ("created_at", Number),
            ("answer", Text),
        ],
    ),
];

const fn table(name: &'static str, columns: &'static [(&'static str, CopiedKind)]) -> CopiedTable {
    CopiedTable {
        name,
        columns,
        number: None,
    }
}

const fn in_steps(
    name: &'static str,
    number: &'static str,
    columns: &'static [(&'static str, CopiedKind)],
) -> CopiedTable {
    CopiedTable {
        name,
        columns,
        number: Some(number),
    }
}
