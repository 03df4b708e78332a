//! Signing in at the page of another service, which sends the browser back with a code.

use alert_connectors_model::{Secret, User};
use alert_connectors_store::StoreError;
use async_trait::async_trait;

/// Signs people in by OpenID Connect, with a code that the browser brings back.
#[async_trait]
pub trait SignInElsewhere: Send + Sync {
    /// The address of the page where people sign in. The attempt's words are to come back with them.
    async fn page(&self, attempt: &SignInAttempt) -> Result<String, SignInError>;

    /// The user who signed in, for a code that was given for this attempt.
    async fn user(&self, attempt: &SignInAttempt, code: &str) -> Result<User, SignInError>;
}

/// What binds the browser that comes back to the one that was sent, and the code to both. Each is random and used once.
pub struct SignInAttempt {
    /// Comes back beside the code.
    pub state: Secret,
    /// Comes back inside the token that the code is exchanged for.
    pub nonce: Secret,
    /// Proves to the other service that the same client began the sign-in and exchanges the code (RFC 7636).
    pub verifier: Secret,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The other service does not answer, or not as it should.
    #[error("the service where people sign in does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The code, or the token that it was exchanged for, is not accepted.
    #[error("the sign-in is not accepted")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The person is no user here, or a disabled one.
    #[error("the person is no user here")]
    NoUser,
    /// Too many people come back at this moment.
    #[error("too many sign-ins are under way")]
    Busy,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
