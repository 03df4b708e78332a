//! Passwords and tokens: Argon2id off the async threads and a few at a time; tokens of 256 random bits, kept as hashes.

use std::sync::{Arc, OnceLock};

use alert_connectors_model::{Random, Secret};
use alert_connectors_store::TokenHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use ring::digest;
use tokio::sync::Semaphore;

/// Each takes 19 MiB and tens of milliseconds of a core.
const AT_ONCE_MAX: usize = 2;
/// The longest password that is looked at, in bytes.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// Hashes and checks passwords with Argon2id and the crate's recommended parameters (19 MiB, two passes, OWASP's first choice).
#[derive(Clone)]
pub struct Passwords {
    at_once: Arc<Semaphore>,
    random: Arc<dyn Random>,
    /// What an unknown e-mail is checked against, so that it takes as long as a known one.
    nobody: Arc<OnceLock<String>>,
}

impl Passwords {
    /// Made once; the bound holds for all clones together.
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self {
            at_once: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            random,
            nobody: Arc::default(),
        }
    }

    /// The hash of a password in PHC form.
    pub fn hash(&self, password: &Secret) -> Option<String> {
        let mut salt = [0; 16];
        self.random.fill(&mut salt);
        let hash = Argon2::default()
            .hash_password_with_salt(password.expose().as_bytes(), &salt)
            .ok()?;
        Some(hash.to_string())
    }

    /// Whether the password is the one that was hashed; with no hash, "no" after the same time.
    pub async fn verify(&self, password: Secret, hash: Option<String>) -> bool {
        let Ok(permit) = Arc::clone(&self.at_once).acquire_owned().await else {
            return false;
        };
        let this = self.clone();
        let check = move || {
            let _permit = permit;
            this.verify_now(&password, hash.as_deref())
        };
        tokio::task::spawn_blocking(check).await.unwrap_or(false)
    }

    fn verify_now(&self, password: &Secret, hash: Option<&str>) -> bool {
        let nobody = || {
            self.nobody
                .get_or_init(|| self.hash(&Secret::new("nobody")).unwrap_or_default())
                .as_str()
        };
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(nobody);
        let Ok(hash) = PasswordHash::new(hash) else {
            return false;
        };
        let password = password.expose().as_bytes();
        let matches = Argon2::default()
            .verify_password(&password[..password.len().min(PASSWORD_BYTES_MAX)], &hash);
        known && password.len() <= PASSWORD_BYTES_MAX && matches.is_ok()
    }
}

/// A new random token with a prefix that tells people and scanners what it is.
pub fn new_token(prefix: &str, random: &dyn Random) -> Secret {
    let mut bits = [0; 32];
    random.fill(&mut bits);
    Secret::new(format!(
        "{prefix}{}",
        bits.map(|byte| format!("{byte:02x}")).concat()
    ))
}

/// All that is kept of a token.
pub fn token_hash(token: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use alert_connectors_model::SeededRandom;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_is_right() {
        let passwords = Passwords::new(Arc::new(SeededRandom::new(1)));
        let hash = passwords.hash(&Secret::new("right")).unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(
            passwords
                .verify(Secret::new("right"), Some(hash.clone()))
                .await
        );
        assert!(!passwords.verify(Secret::new("wrong"), Some(hash)).await);
        assert!(!passwords.verify(Secret::new("nobody"), None).await);
    }
}
