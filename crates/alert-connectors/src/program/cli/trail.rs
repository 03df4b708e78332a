//! What commands that change the database leave in the audit trail.

use std::sync::Arc;

use alert_connectors_model::{AuditAction, AuthMethod, Clock, Space, SystemClock};
use alert_connectors_store::{Actor, AuditEntry, Mandate, Store, Subject};

/// The environment variables that name the user of the operating system: first the one behind `sudo`.
const USER_VARIABLES: [&str; 4] = ["SUDO_USER", "USER", "LOGNAME", "USERNAME"];

/// An entry about what a command does.
pub(super) fn entry(action: AuditAction, subject: Subject) -> AuditEntry {
    let actor = Actor {
        email: None,
        auth_method: AuthMethod::CommandLine,
        name: USER_VARIABLES.into_iter().find_map(named),
        ip_address: None,
    };
    AuditEntry::new(SystemClock.now(), actor, action, subject)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it names who runs the command, and is no setting"
)]
fn named(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|name| !name.is_empty())
}

/// An entry about what a command does in a space.
pub(super) fn entry_in(space: &Space, action: AuditAction, subject: Subject) -> AuditEntry {
    entry(action, subject).within(space.id, space.slug.clone())
}

/// The store for a change that leaves the entry.
pub(super) fn leaving(store: &dyn Store, entry: AuditEntry) -> Arc<dyn Store> {
    store.on_behalf(Mandate::leaving(entry, None))
}

/// The same for a change of fields, which leaves none if nothing changes.
pub(super) fn leaving_changes(store: &dyn Store, entry: AuditEntry) -> Arc<dyn Store> {
    if entry.changes.is_empty() {
        return store.on_behalf(Mandate::default());
    }
    leaving(store, entry)
}
