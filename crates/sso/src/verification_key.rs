//! The keys by which an issuer's tokens are verified, each with the one algorithm that it is for.
//!
//! A token names an algorithm, and an attacker can name any. So the key decides: an RSA key verifies only the kind of RSA signature that
//! it is for, and shared secrets (`oct`) are not accepted as keys.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// More keys of an issuer than these are not read.
const KEYS_MAX: usize = 100;

/// A public key of an issuer.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    /// What tokens call it (`kid`).
    pub(crate) id: Option<String>,
    /// The only algorithm whose signatures it verifies, as tokens call it (`alg`).
    pub(crate) algorithm: &'static str,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        parameters: &'static RsaParameters,
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Point {
        algorithm: &'static dyn VerificationAlgorithm,
        key: Vec<u8>,
    },
}

/// A key set as issuers publish it (RFC 7517).
#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Reads a key set. Keys for another use, and of kinds that are not known here, are left out; `None` if it is no key set.
pub(crate) fn key_set(body: &[u8]) -> Option<Vec<VerificationKey>> {
    let set: Jwks = serde_json::from_slice(body).ok()?;
    let read = |key| serde_json::from_value(key).ok().and_then(of);
    Some(
        set.keys
            .into_iter()
            .take(KEYS_MAX)
            .filter_map(read)
            .collect(),
    )
}

fn of(jwk: Jwk) -> Option<VerificationKey> {
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let (algorithm, material) = match jwk.kty.as_str() {
        "RSA" => rsa(&jwk)?,
        "EC" => point(&jwk)?,
        "OKP" => edwards(&jwk)?,
        _ => return None,
    };
    Some(VerificationKey {
        id: jwk.kid,
        algorithm,
        material,
    })
}

/// A key of RSA says for which of its algorithms it is; one that does not is for the one that every issuer has to offer.
fn rsa(jwk: &Jwk) -> Option<(&'static str, Material)> {
    let (name, parameters) = match jwk.alg.as_deref() {
        None | Some("RS256") => ("RS256", &RSA_PKCS1_2048_8192_SHA256),
        Some("RS384") => ("RS384", &RSA_PKCS1_2048_8192_SHA384),
        Some("RS512") => ("RS512", &RSA_PKCS1_2048_8192_SHA512),
        Some("PS256") => ("PS256", &RSA_PSS_2048_8192_SHA256),
        Some("PS384") => ("PS384", &RSA_PSS_2048_8192_SHA384),
        Some("PS512") => ("PS512", &RSA_PSS_2048_8192_SHA512),
        Some(_) => return None,
    };
    let number = |text: &Option<String>| {
        let bytes = decoded(text.as_deref()?)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(bytes.into_iter().skip(zeros).collect())
    };
    let material = Material::Rsa {
        parameters,
        modulus: number(&jwk.n)?,
        exponent: number(&jwk.e)?,
    };
    Some((name, material))
}

fn point(jwk: &Jwk) -> Option<(&'static str, Material)> {
    let (name, algorithm, length): (_, &dyn VerificationAlgorithm, _) = match jwk.crv.as_deref()? {
        "P-256" => ("ES256", &ECDSA_P256_SHA256_FIXED, 32),
        "P-384" => ("ES384", &ECDSA_P384_SHA384_FIXED, 48),
        _ => return None,
    };
    let coordinates = [decoded(jwk.x.as_deref()?)?, decoded(jwk.y.as_deref()?)?];
    let is_whole = coordinates.iter().all(|half| half.len() == length);
    // Uncompressed, as SEC 1 writes it.
    let key = [&[4][..], &coordinates.concat()].concat();
    (is_whole && is_for(jwk, name)).then_some((name, Material::Point { algorithm, key }))
}

fn edwards(jwk: &Jwk) -> Option<(&'static str, Material)> {
    let key = decoded(jwk.x.as_deref()?)?;
    let is_known = jwk.crv.as_deref() == Some("Ed25519") && key.len() == 32;
    let algorithm = &ED25519;
    (is_known && is_for(jwk, "EdDSA")).then_some(("EdDSA", Material::Point { algorithm, key }))
}

fn is_for(jwk: &Jwk, algorithm: &str) -> bool {
    jwk.alg.as_deref().is_none_or(|named| named == algorithm)
}

/// Base64 as the formats of JOSE write it: for URLs, and without padding.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

impl VerificationKey {
    /// Whether this key's owner signed the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Rsa {
                parameters,
                modulus,
                exponent,
            } => {
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                key.verify(parameters, message, signature)
            }
            Material::Point { algorithm, key } => {
                UnparsedPublicKey::new(*algorithm, key).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn algorithms(keys: &str) -> Vec<&'static str> {
        let set = key_set(format!(r#"{{"keys": [{keys}]}}"#).as_bytes()).unwrap();
        set.into_iter().map(|key| key.algorithm).collect()
    }

    #[test]
    fn the_key_decides_for_which_algorithm_it_is() {
        let rsa = r#"{"kty": "RSA", "n": "AQAB", "e": "AQAB""#;
        let x = "A".repeat(43);
        for (rest, algorithm) in [
            (format!("{rsa}}}"), Some("RS256")),
            (
                format!(r#"{rsa}, "alg": "PS384", "use": "sig"}}"#),
                Some("PS384"),
            ),
            (format!(r#"{rsa}, "alg": "HS256"}}"#), None),
            (format!(r#"{rsa}, "alg": "none"}}"#), None),
            (format!(r#"{rsa}, "use": "enc"}}"#), None),
            (
                format!(r#"{{"kty": "EC", "crv": "P-256", "x": "{x}", "y": "{x}"}}"#),
                Some("ES256"),
            ),
            (
                format!(
                    r#"{{"kty": "EC", "crv": "P-256", "alg": "ES384", "x": "{x}", "y": "{x}"}}"#
                ),
                None,
            ),
            (
                format!(r#"{{"kty": "EC", "crv": "P-384", "x": "{x}", "y": "{x}"}}"#),
                None,
            ),
            (
                format!(r#"{{"kty": "OKP", "crv": "Ed25519", "x": "{x}"}}"#),
                Some("EdDSA"),
            ),
            (r#"{"kty": "oct", "k": "c2VjcmV0"}"#.to_owned(), None),
            ("7".to_owned(), None),
        ] {
            let expected: Vec<_> = algorithm.into_iter().collect();
            assert_eq!(algorithms(&rest), expected, "{rest}");
        }
        assert!(key_set(b"<html>").is_none());
        assert!(key_set(b"{}").is_none());
    }
}
