//! The issuer whose word counts, and what its tokens say.

use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use crate::{
    ClaimRules, IssuerError, KeyLocation, Person, TokenError,
    issuer::{IssuerClient, KeysAt},
    key_set::KeySet,
    token::{Claims, Expected, UnverifiedToken},
};

/// Whom to believe, and what.
#[derive(Debug, Clone)]
pub struct IssuerOptions {
    /// What its tokens call it (`iss`), letter by letter.
    pub issuer: String,
    /// Tokens are for one of these (`aud`).
    pub audiences: Vec<String>,
    /// Where its keys are.
    pub keys: KeyLocation,
    /// Networks that its addresses may be in although they are not public.
    pub networks: Vec<IpNet>,
    /// Certificates to trust beside the public roots.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Where its tokens say who somebody is.
    pub rules: ClaimRules,
}

/// An issuer of tokens that are accepted.
pub struct Issuer {
    keys: KeySet,
    expected: Expected,
    rules: ClaimRules,
}

impl Issuer {
    /// Asks nothing of the issuer yet.
    pub fn new(options: IssuerOptions) -> Result<Arc<Self>, IssuerError> {
        let client = IssuerClient::new(options.networks, &options.extra_roots)?;
        let published = KeysAt {
            location: options.keys,
            client,
        };
        Ok(Arc::new(Self {
            keys: KeySet::new(Box::new(published)),
            expected: Expected {
                issuer: options.issuer,
                audiences: options.audiences,
            },
            rules: options.rules,
        }))
    }

    /// Reads the issuer's keys now and then, until the service stops.
    pub async fn keep_keys_fresh(self: Arc<Self>, stopping: CancellationToken) {
        self.keys.keep_fresh(stopping).await;
    }

    /// The person that a token is about.
    pub(crate) async fn person(&self, token: &str, now: Timestamp) -> Result<Person, TokenError> {
        let claims = self.claims(token, &self.expected, now).await?;
        self.rules.person(&claims)
    }

    async fn claims(
        &self,
        token: &str,
        expected: &Expected,
        now: Timestamp,
    ) -> Result<Claims, TokenError> {
        let token = UnverifiedToken::parse(token)?;
        let keys = self.keys.with(token.key_id()).await;
        token.verified(&keys, expected, now)
    }
}
