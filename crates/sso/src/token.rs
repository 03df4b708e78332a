//! A signed token (RFC 7519): who issued it, to whom, and whether it is good now.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::verification_key::{VerificationKey, decoded};

/// A longer token is not read.
const CHARS_MAX: usize = 16 * 1024;
/// The clocks of issuer and service may differ by this.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(1);

/// What a token claims.
pub(crate) type Claims = Map<String, Value>;

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// It is no token of three parts, or a part of it can't be read.
    #[error("it is malformed")]
    Malformed,
    /// It demands something that is not known here (`crit`).
    #[error("it demands an extension that is not supported")]
    Extension,
    /// The issuer has no key of its name.
    #[error("the issuer has no such key")]
    UnknownKey,
    /// It names an algorithm that its key is not for.
    #[error("its algorithm is not the key's")]
    Algorithm,
    /// The signature is not its key's.
    #[error("its signature is wrong")]
    Signature,
    /// Somebody else issued it.
    #[error("another issuer made it (iss)")]
    Issuer,
    /// It is for somebody else.
    #[error("it is for another audience (aud)")]
    Audience,
    /// It has ended, or does not say when it ends.
    #[error("it has expired, or has no end (exp)")]
    Expired,
    /// It begins later.
    #[error("it is not valid yet (nbf, iat)")]
    NotYetValid,
    /// It is not the answer to the sign-in that was begun.
    #[error("it belongs to another sign-in (nonce)")]
    Nonce,
    /// It names no person.
    #[error("it has no usable e-mail address, or one that is not verified")]
    NoEmail,
}

/// Whose tokens are accepted.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) issuer: String,
    /// One of these.
    pub(crate) audiences: Vec<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// A token whose signature is still to be verified.
pub(crate) struct UnverifiedToken<'t> {
    signed: &'t str,
    header: Header,
    claims: Claims,
    signature: Vec<u8>,
}

impl<'t> UnverifiedToken<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, TokenError> {
        if text.len() > CHARS_MAX {
            return Err(TokenError::Malformed);
        }
        let read = || {
            let (signed, signature) = text.rsplit_once('.')?;
            let (header, claims) = signed.split_once('.')?;
            Some(Self {
                signed,
                header: serde_json::from_slice(&decoded(header)?).ok()?,
                claims: serde_json::from_slice(&decoded(claims)?).ok()?,
                signature: decoded(signature)?,
            })
        };
        let token: Self = read().ok_or(TokenError::Malformed)?;
        if token.header.crit.is_some() {
            return Err(TokenError::Extension);
        }
        Ok(token)
    }

    /// What the token calls its key.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What the token claims, if one of the keys signed it, for us, and it is good now.
    pub(crate) fn verified(
        self,
        keys: &[VerificationKey],
        expected: &Expected,
        now: Timestamp,
    ) -> Result<Claims, TokenError> {
        let named =
            |key: &&VerificationKey| self.key_id().is_none_or(|id| key.id.as_deref() == Some(id));
        let mut named = keys.iter().filter(named).peekable();
        if named.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        let mut fitting = named
            .filter(|key| key.algorithm == self.header.alg)
            .peekable();
        if fitting.peek().is_none() {
            return Err(TokenError::Algorithm);
        }
        if !fitting.any(|key| key.verifies(self.signed.as_bytes(), &self.signature)) {
            return Err(TokenError::Signature);
        }
        expected.check(&self.claims, now)?;
        Ok(self.claims)
    }
}

impl Expected {
    fn check(&self, claims: &Claims, now: Timestamp) -> Result<(), TokenError> {
        let is_one_of_ours = |audience: &Value| {
            let named = |ours: &String| audience.as_str() == Some(ours);
            self.audiences.iter().any(named)
        };
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(TokenError::Issuer);
        }
        let is_for_us = match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(is_one_of_ours),
            Some(audience) => is_one_of_ours(audience),
            None => false,
        };
        if !is_for_us {
            return Err(TokenError::Audience);
        }
        if ends_at(claims).is_none_or(|end| end <= now) {
            return Err(TokenError::Expired);
        }
        for name in ["nbf", "iat"] {
            let begins = claims.get(name).map(time);
            // One that can't be read begins never.
            let is_early = |begins: Option<Timestamp>| {
                begins.is_none_or(|begins| begins.duration_since(now) > SKEW_MAX)
            };
            if begins.is_some_and(is_early) {
                return Err(TokenError::NotYetValid);
            }
        }
        Ok(())
    }
}

/// Whether a token answers this very sign-in of this client: it bears the sign-in's nonce, and if it is for others too, it was given to
/// this client (`azp`; OpenID Connect Core 1.0, section 3.1.3.7).
pub(crate) fn answers(claims: &Claims, client_id: &str, nonce: &str) -> bool {
    let text = |name| claims.get(name).and_then(Value::as_str);
    text("nonce") == Some(nonce) && text("azp").is_none_or(|party| party == client_id)
}

/// When a token ends, by its own word and the issuer's clock.
pub(crate) fn ends_at(claims: &Claims) -> Option<Timestamp> {
    let end = claims.get("exp").and_then(time)?;
    Some(end.checked_add(SKEW_MAX).unwrap_or(Timestamp::MAX))
}

/// Seconds since 1970, which may have a fraction.
fn time(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite())?;
    let whole = SignedDuration::try_from_secs_f64(seconds.floor()).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(whole).ok()
}
