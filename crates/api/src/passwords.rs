//! Passwords and tokens: Argon2id, which is checked off the async threads and one at a time; tokens of 256 random bits, kept as hashes.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use alert_connectors_model::{Random, Secret};
use alert_connectors_store::TokenHash;
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use ring::digest;
use tokio::sync::Semaphore;

use crate::{
    heavy,
    resting_queue::{Rest, RestingQueue},
};

/// Checks that are under way or wait for their turn. Each takes 7 MiB and some 20 ms of a core, then rests for three times as long;
/// so the last of them waits for about a second, and those who guess passwords take at most a quarter of a core.
const ADMITTED_MAX: usize = 12;
/// A machine that is busy with other things makes checks take longer than they cost.
const REST: Rest = Rest {
    times: 3,
    max: Duration::from_millis(75),
};

/// A password that can be set and checked.
#[derive(Debug, Clone)]
pub struct Password(Secret);

impl Password {
    /// The longest one, in bytes.
    pub(crate) const BYTES_MAX: usize = 1_024;
    /// The shortest one that can be chosen, in characters.
    const CHARS_MIN: usize = 8;

    /// Takes a password, or returns why it can't be one.
    pub fn new(text: Secret) -> Result<Self, &'static str> {
        if text.expose().len() > Self::BYTES_MAX {
            return Err("A password has at most 1,024 bytes.");
        }
        Ok(Self(text))
    }

    /// Takes a password that somebody chooses, or returns why it can't be one: shorter ones are guessed too easily (NIST SP
    /// 800-63B asks for at least 8 characters).
    pub fn chosen(text: Secret) -> Result<Self, &'static str> {
        if text.expose().chars().count() < Self::CHARS_MIN {
            return Err("A password has at least 8 characters.");
        }
        Self::new(text)
    }
}

/// Hashes and checks passwords with Argon2id.
#[derive(Clone)]
pub struct Passwords {
    /// One is checked at a time.
    queue: RestingQueue,
    /// The one that is checked and those that wait.
    admitted: Arc<Semaphore>,
    random: Arc<dyn Random>,
    /// What an unknown e-mail is checked against, so that it takes as long as a known one.
    nobody: Arc<OnceLock<String>>,
}

impl Passwords {
    /// Made once; the bound holds for all clones together.
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self {
            queue: RestingQueue::new(REST),
            admitted: Arc::new(Semaphore::new(ADMITTED_MAX)),
            random,
            nobody: Arc::default(),
        }
    }

    /// The hash of a password in PHC form.
    pub fn hash(&self, password: &Password) -> Option<String> {
        let mut salt = [0; 16];
        self.random.fill(&mut salt);
        let hash = argon2()
            .hash_password_with_salt(password.0.expose().as_bytes(), &salt)
            .ok()?;
        Some(hash.to_string())
    }

    /// Whether the password is the one that was hashed; without a hash, `false` after the same time. `None` if too many
    /// checks wait already.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Option<bool> {
        self.in_turn(move |this| this.verify_now(&password, hash.as_deref()))
            .await
    }

    /// The hash of a password, made off the async threads and in turn with checks. `None` if too many wait already.
    pub(crate) async fn hash_in_turn(&self, password: Password) -> Option<String> {
        self.in_turn(move |this| this.hash(&password))
            .await
            .flatten()
    }

    /// Does the work off the async threads, one at a time. `None` if too many wait already.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let _admitted = self.admitted.try_acquire().ok()?;
        let under_way = self.queue.begin().await;
        let this = self.clone();
        let work = move || {
            let _until_it_ends = under_way;
            work(&this)
        };
        heavy::run(work).await
    }

    fn verify_now(&self, password: &Password, hash: Option<&str>) -> bool {
        let nobody = || {
            self.nobody
                .get_or_init(|| {
                    self.hash(&Password(Secret::new("nobody")))
                        .unwrap_or_default()
                })
                .as_str()
        };
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(nobody);
        let Ok(hash) = PasswordHash::new(hash) else {
            return false;
        };
        let password = password.0.expose().as_bytes();
        // With the parameters that the hash itself names.
        let matches = argon2().verify_password(password, &hash);
        known && matches.is_ok()
    }
}

/// Argon2id with the parameters of OWASP's password storage cheat sheet that take the least memory: 7 MiB and five passes,
/// which it rates as high as 19 MiB and two.
fn argon2() -> Argon2<'static> {
    let params = Params::new(7 * 1_024, 5, 1, None).expect("these are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
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

/// The hash of a token, which is all that is stored of it.
pub fn token_hash(token: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use alert_connectors_model::SeededRandom;

    fn password(text: &str) -> Password {
        Password::new(Secret::new(text)).unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_is_right() {
        let passwords = Passwords::new(Arc::new(SeededRandom::new(1)));
        let hash = passwords.hash(&password("right")).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"));
        for (text, known, right) in [
            ("right", Some(hash.clone()), true),
            ("wrong", Some(hash), false),
            ("nobody", None, false),
        ] {
            let verified = passwords.verify(password(text), known).await;
            assert_eq!(verified, Some(right), "{text}");
        }
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let passwords = Passwords::new(Arc::new(SeededRandom::new(1)));
        let checks = (0..ADMITTED_MAX + 5).map(|_| passwords.verify(password("x"), None));
        let verified = futures_util::future::join_all(checks).await;
        assert_eq!(verified.iter().flatten().count(), ADMITTED_MAX);
        assert!(passwords.verify(password("x"), None).await.is_some());
    }
}
