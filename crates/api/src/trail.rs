//! What the API leaves in the audit trail: entries about what callers do, and about who signs in.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alert_connectors_model::{AuditAction, AuthMethod, Email};
use alert_connectors_store::{Actor, AuditEntry, AuditSink, Mandate, Store, StoreError, Subject};
use tokio::time::Instant;

use crate::{App, Caller, entry::Entry};

/// Refused sign-ins leave at most this many entries a minute: anybody can cause them.
const REFUSALS_A_MINUTE: u32 = 10;
/// The length of that minute.
const MINUTE: Duration = Duration::from_mins(1);

/// Writes the audit trail to the log, too, as lines with the target `audit` and fields of fixed names.
#[derive(Debug, Default, Clone, Copy)]
pub struct AuditLog;

impl AuditSink for AuditLog {
    fn written(&self, entry: &AuditEntry) {
        let AuditEntry {
            actor,
            space,
            action,
            subject,
            changes,
            ..
        } = entry;
        let fields: Vec<&str> = changes.iter().map(|change| &*change.field).collect();
        tracing::info!(
            target: "audit",
            action = action.as_str(),
            actor = actor.email.as_deref(),
            auth_method = actor.auth_method.as_str(),
            actor_name = actor.name.as_deref(),
            ip_address = actor.ip_address.map(tracing::field::display),
            space = space.as_ref().map(|(_, slug)| tracing::field::display(slug)),
            subject_id = subject.id.as_deref(),
            subject = &*subject.name,
            changed = (!fields.is_empty()).then(|| fields.join(" ")),
            "{}",
            action.as_str()
        );
    }
}

impl Caller {
    /// The caller, as the trail names who did something.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            email: Some(self.user.email.to_string()),
            auth_method: match self.key {
                Some(_) => AuthMethod::ApiKey,
                None => AuthMethod::Session,
            },
            name: self.key.as_ref().map(|key| key.name.to_string()),
            ip_address: self.ip_address,
        }
    }

    /// An entry about what this caller does to the service.
    pub(crate) fn audit_entry(
        &self,
        app: &App,
        action: AuditAction,
        subject: Subject,
    ) -> AuditEntry {
        AuditEntry::new(app.clock.now(), self.actor(), action, subject)
    }

    /// The store for a change that rests on what this caller may do, and leaves an entry unless it changes nothing.
    pub(crate) fn store(&self, app: &App, entry: impl Into<Option<AuditEntry>>) -> Arc<dyn Store> {
        app.store.on_behalf(Mandate {
            identity_version: self.version,
            ..app.leaving(entry.into())
        })
    }
}

impl Entry {
    /// An entry about what the caller does in the space.
    pub(crate) fn audit_entry(
        &self,
        app: &App,
        action: AuditAction,
        subject: Subject,
    ) -> AuditEntry {
        let space = self.space();
        self.caller
            .audit_entry(app, action, subject)
            .within(space.id, space.slug.clone())
    }

    /// The store for a change that rests on what the caller may do, and leaves an entry unless it changes nothing.
    pub(crate) fn store(&self, app: &App, entry: impl Into<Option<AuditEntry>>) -> Arc<dyn Store> {
        self.caller.store(app, entry)
    }
}

impl App {
    /// A change that leaves an entry, and rests on no version of identity.
    pub(crate) fn leaving(&self, entry: Option<AuditEntry>) -> Mandate {
        entry.map_or_else(Mandate::default, |entry| {
            Mandate::leaving(entry, Some(Arc::clone(&self.audit_sink)))
        })
    }

    /// An entry about somebody who signs in. The address is the one that was claimed.
    pub(crate) fn sign_in_entry(&self, action: AuditAction, attempt: &SignInTry<'_>) -> AuditEntry {
        let email = attempt.email.map(Email::to_string);
        let subject = Subject::named(email.clone().unwrap_or_default());
        let actor = Actor {
            email,
            auth_method: attempt.auth_method,
            name: None,
            ip_address: attempt.ip_address,
        };
        AuditEntry::new(self.clock.now(), actor, action, subject)
    }

    /// Notes a sign-in that was refused. Beyond some in a minute they are counted, and the next entry says how many.
    pub(crate) async fn note_refused_sign_in(
        &self,
        attempt: &SignInTry<'_>,
    ) -> Result<(), StoreError> {
        let Some(left_out) = self.refused_sign_ins.admit() else {
            return Ok(());
        };
        let entry = self.sign_in_entry(AuditAction::SignInFailed, attempt);
        let counted = (left_out > 0).then(|| left_out.into());
        let entry = entry.changing("refused_before", None, counted);
        self.store.add_audit_entry(entry.clone()).await?;
        self.audit_sink.written(&entry);
        Ok(())
    }
}

/// Somebody who tries to sign in.
pub(crate) struct SignInTry<'e> {
    /// The address that is claimed, if one is.
    pub(crate) email: Option<&'e Email>,
    /// How.
    pub(crate) auth_method: AuthMethod,
    /// From where.
    pub(crate) ip_address: Option<IpAddr>,
}

/// How many refused sign-ins left an entry in this minute, and how many left none since the last entry.
#[derive(Default)]
pub(crate) struct RefusedSignIns(Mutex<Refusals>);

#[derive(Default)]
struct Refusals {
    began: Option<Instant>,
    count: u32,
    left_out: u64,
}

impl RefusedSignIns {
    /// Whether one leaves an entry; if so, how many before it left none.
    fn admit(&self) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = state
            .began
            .is_none_or(|began| now.duration_since(began) >= MINUTE);
        if is_over {
            (state.began, state.count) = (Some(now), 0);
        }
        if state.count >= REFUSALS_A_MINUTE {
            state.left_out += 1;
            return None;
        }
        state.count += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refused_sign_ins_is_counted() {
        let refused = RefusedSignIns::default();
        for _ in 0..REFUSALS_A_MINUTE {
            assert_eq!(refused.admit(), Some(0));
        }
        for _ in 0..90 {
            assert_eq!(refused.admit(), None);
        }
        tokio::time::advance(MINUTE).await;
        assert_eq!(refused.admit(), Some(90));
        assert_eq!(refused.admit(), Some(0));
    }
}
