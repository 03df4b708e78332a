//! Signing in at the issuer's page: OpenID Connect's authorization code flow with PKCE (RFC 7636).

use std::sync::Arc;

use alert_connectors_api::{SignInAttempt, SignInElsewhere, SignInError};
use alert_connectors_model::{Secret, User};
use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::digest;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{Issuer, IssuerError, TokenError, accounts::Accounts, issuer::Description};

/// At most this many codes are exchanged at a time, since anyone can bring one.
const EXCHANGES_MAX: usize = 8;

/// How this service is known to the issuer.
#[derive(Debug, Clone)]
pub struct OidcOptions {
    /// Its name there.
    pub client_id: String,
    /// Its secret there, if it has one.
    pub client_secret: Option<Secret>,
    /// Where browsers come back to, as it is registered there.
    pub redirect_url: String,
    /// What to ask for, such as `openid email profile`.
    pub scopes: String,
}

/// Signs people in at an issuer.
pub struct OidcSignIn {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) accounts: Arc<Accounts>,
    options: OidcOptions,
    exchanges: Semaphore,
}

/// What a code is exchanged for.
#[derive(Deserialize)]
struct Exchanged {
    id_token: String,
}

impl OidcSignIn {
    pub(crate) fn new(issuer: Arc<Issuer>, accounts: Arc<Accounts>, options: OidcOptions) -> Self {
        Self {
            issuer,
            accounts,
            options,
            exchanges: Semaphore::new(EXCHANGES_MAX),
        }
    }

    /// Exchanges a code for a token that says who signed in.
    async fn exchange(
        &self,
        described: &Description,
        attempt: &SignInAttempt,
        code: &str,
    ) -> Result<String, SignInError> {
        let OidcOptions {
            client_id,
            client_secret,
            redirect_url,
            ..
        } = &self.options;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_url),
            ("client_id", client_id),
            ("code_verifier", attempt.verifier.expose()),
        ];
        let secret = client_secret
            .as_ref()
            .map(|secret| (client_id.as_str(), secret));
        let answer = self
            .issuer
            .client
            .post(
                described.token_endpoint.as_ref().ok_or_else(no_page)?,
                &form,
                secret,
            )
            .await;
        let answer = answer.map_err(|error| match error {
            // What the issuer says to a code that is wrong, used or another's.
            IssuerError::Status(400 | 401 | 403) => SignInError::Refused(error.into()),
            error => SignInError::Unavailable(error.into()),
        })?;
        let exchanged: Result<Exchanged, _> = serde_json::from_slice(&answer);
        let exchanged = exchanged.map_err(|_other| {
            SignInError::Unavailable("its answer to the code has no id_token".into())
        })?;
        Ok(exchanged.id_token)
    }

    async fn described(&self) -> Result<Arc<Description>, SignInError> {
        let described = self.issuer.described().await;
        described.map_err(|error| SignInError::Unavailable(error.into()))
    }
}

fn no_page() -> SignInError {
    SignInError::Unavailable("the issuer describes no page where people sign in".into())
}

/// The code challenge: a hash of the verifier, which the issuer compares when the code is exchanged.
fn challenge(verifier: &Secret) -> String {
    let hash = digest::digest(&digest::SHA256, verifier.expose().as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(hash)
}

#[async_trait]
impl SignInElsewhere for OidcSignIn {
    async fn page(&self, attempt: &SignInAttempt) -> Result<String, SignInError> {
        let described = self.described().await?;
        let page = described.authorization_endpoint.clone();
        let mut page = page.ok_or_else(no_page)?;
        page.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.options.client_id)
            .append_pair("redirect_uri", &self.options.redirect_url)
            .append_pair("scope", &self.options.scopes)
            .append_pair("state", attempt.state.expose())
            .append_pair("nonce", attempt.nonce.expose())
            .append_pair("code_challenge", &challenge(&attempt.verifier))
            .append_pair("code_challenge_method", "S256");
        Ok(page.into())
    }

    async fn user(&self, attempt: &SignInAttempt, code: &str) -> Result<User, SignInError> {
        let _one = self
            .exchanges
            .try_acquire()
            .map_err(|_full| SignInError::Busy)?;
        let described = self.described().await?;
        let token = self.exchange(&described, attempt, code).await?;
        let now: Timestamp = self.accounts.clock.now();
        let refused = |error: TokenError| SignInError::Refused(error.into());
        let person = self
            .issuer
            .signed_in(&token, &self.options.client_id, attempt.nonce.expose(), now)
            .await
            .map_err(refused)?;
        let session = self.accounts.admit(&person).await?;
        session
            .map(|session| session.user)
            .ok_or(SignInError::NoUser)
    }
}
