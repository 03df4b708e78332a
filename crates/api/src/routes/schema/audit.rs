//! The audit trail in answers.

use alert_connectors_model::{AuditAction, AuthMethod};
use utoipa::ToSchema;

use super::{answers, pages};

answers! {
    /// Something that was done, and by whom. Secrets are never in it.
    AuditEntry<'e> {
        /// Its place in the trail: a later entry has a greater number.
        id: i64,
        /// When.
        #[schema(format = DateTime)]
        at: String,
        /// What was done.
        action: AuditAction,
        /// Who did it.
        actor: AuditActor<'e>,
        /// The slug of the space that it is about, as it was then; null where it is about the service.
        #[schema(required)]
        space: Option<String>,
        /// What it was done to.
        subject: AuditSubject<'e>,
        /// What changed about it.
        changes: Vec<AuditChange<'e>>,
    }

    /// Who did something.
    AuditActor<'e> {
        /// The user's e-mail address, or the one that was claimed where a sign-in was refused; null where there is none.
        #[schema(required, value_type = Option<String>)]
        email: Option<&'e str>,
        /// How the actor was authenticated.
        auth_method: AuthMethod,
        /// The name of the API key, or of the operating system's user.
        #[schema(required, value_type = Option<String>)]
        name: Option<&'e str>,
        /// The IP address of their machine; null where it is not known.
        #[schema(required)]
        ip_address: Option<String>,
    }

    /// What something was done to.
    AuditSubject<'e> {
        /// Its id; null where it has none.
        #[schema(required, value_type = Option<String>)]
        id: Option<&'e str>,
        /// Its name for people.
        #[schema(value_type = String)]
        name: &'e str,
    }

    /// A change of a field. A value that takes more than 4,096 bytes as JSON is replaced by its length.
    AuditChange<'e> {
        /// The field's name in the API.
        #[schema(value_type = String)]
        field: &'e str,
        /// Its previous value; null where it had none.
        #[schema(required, value_type = Option<serde_json::Value>)]
        before: Option<&'e serde_json::Value>,
        /// Its value since then; null where it has none.
        #[schema(required, value_type = Option<serde_json::Value>)]
        after: Option<&'e serde_json::Value>,
    }
}

pages! {
    /// A page of the audit trail, newest first.
    AuditPage<'e> of AuditEntry<'e>;
}
