//! Sealing of webhook URLs, and the fingerprints by which equal ones are known.

use std::sync::Arc;

use alert_connectors_model::{Fingerprint, Random};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use zeroize::Zeroizing;

/// A sealed value with the id of the key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which key opens it.
    pub key_id: [u8; 8],
    /// The nonce, then the ciphertext with its tag.
    pub bytes: Vec<u8>,
}

/// Why a sealed value can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key is not in the key file.
    #[error("it was sealed with a key that is not in the secret key file")]
    UnknownKey,
    /// The value was changed, or belongs to another record.
    #[error("it was changed, or moved from another record")]
    Tampered,
}

/// One 256-bit key of the key file.
#[derive(Clone)]
pub struct SealingKey {
    bytes: Zeroizing<[u8; 32]>,
}

impl SealingKey {
    /// Makes a key of fresh random bytes.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut *bytes);
        Self { bytes }
    }

    /// Reads a key as a key file holds it: 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        if text.len() != 64 {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self { bytes })
    }

    /// The key as a key file holds it.
    pub fn expose(&self) -> Zeroizing<String> {
        let digits = |byte: &u8| {
            [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'))
        };
        Zeroizing::new(self.bytes.iter().flat_map(digits).collect())
    }

    /// An id for the key that reveals nothing of it.
    pub fn id(&self) -> [u8; 8] {
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &*self.bytes),
            b"alert-connectors key id",
        );
        let mut id = [0; 8];
        id.copy_from_slice(&tag.as_ref()[..8]);
        id
    }

    fn aead(&self) -> LessSafeKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*self.bytes)
            .expect("the key has 32 bytes by its type");
        LessSafeKey::new(key)
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

/// The keys of the key file: the first seals, all open.
#[derive(Debug, Clone)]
pub struct Keyring {
    keys: Arc<[SealingKey]>,
}

impl Keyring {
    /// The keys in the order of the file; nothing if there is none.
    pub fn new(keys: Vec<SealingKey>) -> Option<Self> {
        (!keys.is_empty()).then(|| Self { keys: keys.into() })
    }

    /// The id of the key that seals.
    pub fn first_id(&self) -> [u8; 8] {
        self.keys[0].id()
    }

    /// Seals a value for one record: it opens only with the same `record`.
    pub fn seal(&self, plain: &[u8], record: &[u8], random: &dyn Random) -> Sealed {
        let key = &self.keys[0];
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut bytes = plain.to_vec();
        key.aead()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(record),
                &mut bytes,
            )
            .expect("a webhook URL is far shorter than the cipher's limit");
        bytes.splice(0..0, nonce);
        Sealed {
            key_id: key.id(),
            bytes,
        }
    }

    /// Opens what was sealed for this record.
    pub fn open(&self, sealed: &Sealed, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = self
            .keys
            .iter()
            .find(|key| key.id() == sealed.key_id)
            .ok_or(SealError::UnknownKey)?;
        let (nonce, ciphertext) = sealed
            .bytes
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealError::Tampered)?;
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        let length = key
            .aead()
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(record),
                &mut bytes,
            )
            .map_err(|_unspecified| SealError::Tampered)?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// The fingerprint of a webhook URL under the database's own fingerprint key.
pub fn fingerprint(key: &[u8; 32], url: &str) -> Fingerprint {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), url.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&tag.as_ref()[..16]);
    Fingerprint(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alert_connectors_model::SeededRandom;

    #[test]
    fn a_sealed_value_opens_only_for_its_record_and_with_its_key() {
        let random = SeededRandom::new(1);
        let (old, new) = (SealingKey::generate(&random), SealingKey::generate(&random));
        let sealed =
            Keyring::new(vec![old.clone()])
                .unwrap()
                .seal(b"https://x/", b"record 1", &random);
        let both = Keyring::new(vec![new.clone(), old]).unwrap();
        assert_eq!(&**both.open(&sealed, b"record 1").unwrap(), b"https://x/");
        assert_eq!(both.open(&sealed, b"record 2"), Err(SealError::Tampered));
        let other = Keyring::new(vec![new]).unwrap();
        assert_eq!(other.open(&sealed, b"record 1"), Err(SealError::UnknownKey));
    }

    #[test]
    fn a_key_survives_its_text_and_equal_urls_have_equal_fingerprints() {
        let key = SealingKey::generate(&SeededRandom::new(2));
        assert_eq!(SealingKey::parse(&key.expose()).unwrap().id(), key.id());
        assert_eq!(fingerprint(&[1; 32], "a"), fingerprint(&[1; 32], "a"));
        assert_ne!(fingerprint(&[1; 32], "a"), fingerprint(&[2; 32], "a"));
    }
}
