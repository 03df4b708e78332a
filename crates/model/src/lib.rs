#![doc = include_str!("../README.md")]

mod address;
mod alert;
mod alert_parse;
mod attempt;
mod audit;
mod cause_chain;
mod clock;
mod connector;
mod connector_parse;
mod dedup_key;
mod delivery;
mod fault;
mod field_reader;
mod filter;
mod id;
mod json;
mod json_values;
mod left_out;
mod link;
mod random;
mod secret;
mod severity;
mod space;
mod suggest;
mod trace_context;
mod user;
mod webhook_url;
mod wire_enum;

pub use address::{AddressPolicy, is_public};
pub use alert::{
    ACTIONS_MAX, Action, Alert, AlertStatus, AlertType, BATCH_ALERTS_MAX, DescriptionFormat, Field,
    FieldValue, Part, Raise,
};
pub use alert_parse::{
    FIELD_NAME_CHARS_MAX, FIELD_VALUE_CHARS_MAX, FIELDS_MAX, ParsedAlert, TITLE_CHARS_MAX, Warning,
    is_visible, parse_alert, parse_corrected_alert, parse_stored_alert,
};
pub use attempt::{Attempt, AttemptOutcome};
pub use audit::{AuditAction, AuthMethod};
pub use cause_chain::cause_chain;
pub use clock::{Clock, ManualClock, SystemClock, rfc3339_millis, rfc3339_seconds};
pub use connector::{CONNECTORS_PER_SPACE_MAX, Connector, ConnectorChange, ConnectorType, Matched};
pub use connector_parse::{
    NewConnector, UrlRules, parse_connector_change, parse_new_connector, parse_webhook,
};
pub use dedup_key::dedup_key;
pub use delivery::{Delivery, DeliveryKind, DeliveryState, EndReason};
pub use fault::{Fault, FaultKind, Loc, LocPart};
pub use field_reader::FieldReader;
pub use filter::{AlertTypeFilter, SeverityFilter};
pub use id::{AlertId, AttemptId, ConnectorId, DeliveryId, KeyId, SpaceId, UserId};
pub use json::{Json, JsonError, ObjectReader};
pub use json_values::JsonValues;
pub use left_out::{left_out_by, left_out_notice};
pub use link::Link;
pub use random::{Random, SeededRandom};
pub use secret::Secret;
pub use severity::Severity;
pub use space::{Role, Slug, Space};
pub use suggest::{closest_match, is_slip_of};
pub use trace_context::{TraceContext, TraceParent};
pub use user::{Email, KeyScope, User, display_name};
pub use webhook_url::{Fingerprint, HostPattern, WebhookHost, WebhookUrl};
