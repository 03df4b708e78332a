//! The keys of an issuer, which it changes from time to time.
//!
//! They are read at the start, every ten minutes, and when a token names a key that is not among them: an issuer signs with a new
//! key as soon as it publishes it. An attacker can name any number of unknown keys, so only one reading runs at a time, and one starts
//! at most every ten seconds. If the issuer does not answer, its last keys stay.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    issuer::IssuerError,
    verification_key::{VerificationKey, key_set},
};

/// How often the keys are read although nobody needs a new one: one that the issuer gave up is good for this long at most.
const EVERY: Duration = Duration::from_mins(10);
/// Two readings are at least this far apart.
const PAUSE: Duration = Duration::from_secs(10);

/// Where an issuer publishes its keys.
#[async_trait]
pub(crate) trait PublishedKeys: Send + Sync {
    /// The key set as it is published now.
    async fn read(&self) -> Result<Vec<u8>, IssuerError>;
}

/// The keys of an issuer as they were last read.
pub(crate) struct KeySet {
    published: Box<dyn PublishedKeys>,
    keys: RwLock<Arc<[VerificationKey]>>,
    /// When they were last read, or tried to be. Held during a reading.
    tried_at: Mutex<Option<Instant>>,
}

impl KeySet {
    pub(crate) fn new(published: Box<dyn PublishedKeys>) -> Self {
        Self {
            published,
            keys: RwLock::new(Arc::new([])),
            tried_at: Mutex::default(),
        }
    }

    /// The keys, among them the one of this name, if the issuer has it.
    pub(crate) async fn with(&self, id: Option<&str>) -> Arc<[VerificationKey]> {
        let keys = self.known();
        let is_known = match id {
            Some(id) => keys.iter().any(|key| key.id.as_deref() == Some(id)),
            None => !keys.is_empty(),
        };
        if is_known {
            return keys;
        }
        self.refresh().await;
        self.known()
    }

    /// Reads the keys now and then, until the service stops.
    pub(crate) async fn keep_fresh(&self, stopping: CancellationToken) {
        let mut next = EVERY;
        loop {
            if !self.refresh().await {
                next = PAUSE;
            }
            if stopping
                .run_until_cancelled(tokio::time::sleep(next))
                .await
                .is_none()
            {
                return;
            }
            next = EVERY;
        }
    }

    fn known(&self) -> Arc<[VerificationKey]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys, unless that was tried just now; says whether there are keys.
    async fn refresh(&self) -> bool {
        let mut tried_at = self.tried_at.lock().await;
        if tried_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return !self.known().is_empty();
        }
        let read = self.published.read().await;
        *tried_at = Some(Instant::now());
        let keys = read.and_then(|body| key_set(&body).ok_or(IssuerError::NoKeySet));
        match keys {
            Ok(keys) => {
                if keys.is_empty() {
                    tracing::warn!("the issuer publishes no key that can verify a token");
                }
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
                true
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the issuer's keys can't be read; the last ones stay"
                );
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Publishes one key, named by how often it was read; the third reading fails.
    struct Rotating(Arc<AtomicUsize>);

    #[async_trait]
    impl PublishedKeys for Rotating {
        async fn read(&self) -> Result<Vec<u8>, IssuerError> {
            let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if count == 3 {
                return Err(IssuerError::TooLong);
            }
            let x = "A".repeat(43);
            Ok(format!(
                r#"{{"keys": [{{"kty": "OKP", "crv": "Ed25519", "kid": "{count}", "x": "{x}"}}]}}"#
            )
            .into_bytes())
        }
    }

    fn ids(keys: &[VerificationKey]) -> Vec<&str> {
        keys.iter().filter_map(|key| key.id.as_deref()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_unknown_keys_is_one_reading_and_the_last_keys_stay() {
        let readings = Arc::new(AtomicUsize::new(0));
        let set = KeySet::new(Box::new(Rotating(Arc::clone(&readings))));
        let forged: Vec<_> = (0..100).map(|_| set.with(Some("forged"))).collect();
        for keys in futures_util::future::join_all(forged).await {
            assert_eq!(ids(&keys), ["1"]);
        }
        assert_eq!(readings.load(Ordering::Relaxed), 1);
        // A key that is known needs no reading, and one that is not has to wait.
        assert_eq!(ids(&set.with(Some("1")).await), ["1"]);
        assert_eq!(ids(&set.with(Some("2")).await), ["1"]);
        assert_eq!(readings.load(Ordering::Relaxed), 1);
        tokio::time::advance(PAUSE).await;
        assert_eq!(ids(&set.with(Some("2")).await), ["2"]);
        tokio::time::advance(PAUSE).await;
        assert_eq!(ids(&set.with(Some("3")).await), ["2"]);
        assert_eq!(readings.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_read_again_although_nobody_asks() {
        let readings = Arc::new(AtomicUsize::new(0));
        let set = KeySet::new(Box::new(Rotating(Arc::clone(&readings))));
        let stopping = CancellationToken::new();
        let stop = async {
            tokio::time::sleep(EVERY + EVERY / 2).await;
            stopping.cancel();
        };
        tokio::join!(set.keep_fresh(stopping.clone()), stop);
        assert_eq!(readings.load(Ordering::Relaxed), 2);
        assert_eq!(ids(&set.known()), ["2"]);
    }
}
