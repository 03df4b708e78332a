//! The issuer whose word counts, and what its tokens say.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    ClaimRules, IssuerError, KeyLocation, Person, TokenError,
    issuer::{Description, IssuerClient},
    key_location::KeysAt,
    key_set::KeySet,
    token::{Claims, Expected, UnverifiedToken, answers},
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

/// How long an issuer that did not answer is not asked again.
const REST: Duration = Duration::from_secs(10);
/// How long the issuer's description of itself is kept.
const DESCRIBED_FOR: Duration = Duration::from_mins(10);

/// An issuer of tokens that are accepted.
pub struct Issuer {
    name: String,
    pub(crate) client: IssuerClient,
    /// When it was asked for its description, and what came.
    description: Mutex<Option<(Option<Arc<Description>>, Instant)>>,
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
            client: client.clone(),
        };
        Ok(Arc::new(Self {
            name: options.issuer.clone(),
            client,
            description: Mutex::default(),
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

    /// The person of a token that a code was exchanged for.
    pub(crate) async fn signed_in(
        &self,
        token: &str,
        client_id: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Person, TokenError> {
        let expected = Expected {
            issuer: self.name.clone(),
            audiences: vec![client_id.to_owned()],
        };
        let claims = self.claims(token, &expected, now).await?;
        if !answers(&claims, client_id, nonce) {
            return Err(TokenError::Nonce);
        }
        self.rules.person(&claims)
    }

    /// What the issuer says of itself, not older than ten minutes. One caller asks at a time, and the others wait for the answer.
    pub(crate) async fn described(&self) -> Result<Arc<Description>, IssuerError> {
        let mut kept = self.description.lock().await;
        match &*kept {
            Some((Some(described), at)) if at.elapsed() < DESCRIBED_FOR => {
                return Ok(Arc::clone(described));
            }
            Some((None, at)) if at.elapsed() < REST => return Err(IssuerError::Resting),
            _ => {}
        }
        let last = kept.take().and_then(|(described, _)| described);
        let asked = self.client.describe(&self.name).await;
        let described = match (asked, last) {
            (Ok(described), _) => Ok(Arc::new(described)),
            // What it said last is hardly wrong by now.
            (Err(_), Some(last)) => Ok(last),
            (Err(error), None) => Err(error),
        };
        let answer = described.as_ref().ok().map(Arc::clone);
        *kept = Some((answer, Instant::now()));
        described
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
