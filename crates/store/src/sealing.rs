//! Seals and opens webhook URLs, with the key file as it was last read and the database's own fingerprint key.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use alert_connectors_model::{
    Connector, ConnectorId, Fingerprint, Random, Secret, SpaceId, WebhookUrl,
};

use crate::{
    KeyFileError, Keyring, SealError, Sealed, SealingKey, StoreError, fingerprint, read_key_file,
    write_new_key_file,
};

/// Only its owner looks into the folder of a key file.
const FOLDER_MODE: u32 = 0o700;

/// What the fingerprint key is sealed for.
const FINGERPRINT_RECORD: &[u8] = b"fingerprint key";

/// Seals and opens webhook URLs, and makes their fingerprints.
pub struct Sealing {
    keyring: RwLock<Keyring>,
    key_file: PathBuf,
    fingerprint_key: [u8; 32],
    random: Arc<dyn Random>,
}

/// Why a database and a key file don't go together.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The key file can't be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The database needs a key file that is not there.
    #[error(
        "{database} holds webhook URLs sealed with a key, but the secret key file {} is not there; restore it from your backup",
        key_file.display()
    )]
    Lost {
        /// The database, for people.
        database: String,
        /// Where the key file should be.
        key_file: PathBuf,
    },
    /// The key file belongs elsewhere.
    #[error("the secret key file {} is not the one that {database} was sealed with", key_file.display())]
    WrongKey {
        /// The database, for people.
        database: String,
        /// The key file.
        key_file: PathBuf,
    },
    /// The key file's folder can't be made.
    #[error("{} can't be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Sealing {
    /// For a new database: makes a fingerprint key, which never changes. The second value is that key, sealed, for the
    /// database to keep.
    pub fn make(key_file: &Path, random: Arc<dyn Random>) -> Result<(Self, Vec<u8>), UnsealError> {
        let keyring = read_key_file(key_file)?;
        let mut fingerprint_key = [0; 32];
        random.fill(&mut fingerprint_key);
        let sealing = Self {
            keyring: RwLock::new(keyring),
            key_file: key_file.to_owned(),
            fingerprint_key,
            random,
        };
        let sealed = sealing.sealed_fingerprint_key();
        Ok((sealing, sealed))
    }

    /// For a database that exists: `database` is its name for people, and `stored` its sealed fingerprint key.
    pub fn open_with(
        database: &str,
        key_file: &Path,
        stored: &[u8],
        random: Arc<dyn Random>,
    ) -> Result<Self, UnsealError> {
        let keyring = read_key_file(key_file).map_err(|error| {
            if matches!(error, KeyFileError::Missing(_)) {
                UnsealError::Lost {
                    database: database.to_owned(),
                    key_file: key_file.to_owned(),
                }
            } else {
                UnsealError::KeyFile(error)
            }
        })?;
        let wrong_key = || UnsealError::WrongKey {
            database: database.to_owned(),
            key_file: key_file.to_owned(),
        };
        let (key_id, bytes) = stored.split_first_chunk().ok_or_else(wrong_key)?;
        let sealed = Sealed {
            key_id: *key_id,
            bytes: bytes.to_vec(),
        };
        let opened = keyring
            .open(&sealed, FINGERPRINT_RECORD)
            .map_err(|_error: SealError| wrong_key())?;
        let fingerprint_key =
            <[u8; 32]>::try_from(opened.as_slice()).map_err(|_length| wrong_key())?;
        Ok(Self {
            keyring: RwLock::new(keyring),
            key_file: key_file.to_owned(),
            fingerprint_key,
            random,
        })
    }

    fn keyring(&self) -> Keyring {
        let keyring = self.keyring.read();
        keyring.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the key file again.
    pub fn reload(&self) -> Result<(), KeyFileError> {
        let keyring = read_key_file(&self.key_file)?;
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = keyring;
        Ok(())
    }

    /// The id of the key that seals.
    pub fn first_key(&self) -> [u8; 8] {
        self.keyring().first_id()
    }

    /// The fingerprint key, sealed under the first key.
    pub fn sealed_fingerprint_key(&self) -> Vec<u8> {
        let keyring = self.keyring();
        let sealed = keyring.seal(&self.fingerprint_key, FINGERPRINT_RECORD, &*self.random);
        [&sealed.key_id[..], &sealed.bytes].concat()
    }

    /// The fingerprint of a webhook URL.
    pub fn fingerprint(&self, url: &WebhookUrl) -> Fingerprint {
        fingerprint(&self.fingerprint_key, url.expose())
    }

    /// A connector's URL, sealed for it alone.
    pub fn seal(&self, connector: &Connector) -> Sealed {
        self.keyring().seal(
            connector.webhook_url.expose().as_bytes(),
            connector.id.as_bytes(),
            &*self.random,
        )
    }

    /// The secret of a source, sealed for this space and source alone: the id of the key, then the sealed bytes.
    pub fn seal_source_secret(&self, secret: &Secret, space_id: SpaceId, source: &str) -> Vec<u8> {
        let record = source_record(space_id, source);
        let secret = secret.expose().as_bytes();
        let sealed = self.keyring().seal(secret, &record, &*self.random);
        [&sealed.key_id[..], &sealed.bytes].concat()
    }

    /// Opens the secret of a source.
    pub fn open_source_secret(
        &self,
        sealed: &[u8],
        space_id: SpaceId,
        source: &str,
    ) -> Result<Secret, StoreError> {
        let tampered = StoreError::Sealed(SealError::Tampered);
        let (key_id, bytes) = sealed.split_first_chunk().ok_or(tampered)?;
        let sealed = Sealed {
            key_id: *key_id,
            bytes: bytes.to_vec(),
        };
        let opened = self.open_record(&sealed, &source_record(space_id, source))?;
        Ok(Secret::new(opened))
    }

    /// Opens a URL.
    pub fn open(&self, sealed: &Sealed, id: ConnectorId) -> Result<String, StoreError> {
        self.open_record(sealed, id.as_bytes())
    }

    /// Opens what is sealed for a record. If its key is unknown, reads the key file again first, since it may have changed.
    fn open_record(&self, sealed: &Sealed, record: &[u8]) -> Result<String, StoreError> {
        let mut opened = self.keyring().open(sealed, record);
        if opened == Err(SealError::UnknownKey) && self.reload().is_ok() {
            opened = self.keyring().open(sealed, record);
        }
        String::from_utf8(opened?.to_vec()).map_err(|_utf8| StoreError::Sealed(SealError::Tampered))
    }
}

/// What the secret of a source is sealed for.
fn source_record(space_id: SpaceId, source: &str) -> Vec<u8> {
    [
        &b"source secret "[..],
        space_id.as_bytes(),
        source.as_bytes(),
    ]
    .concat()
}

/// Makes a key file with its folder, if there is none.
pub fn make_key_file_if_missing(key_file: &Path, random: &dyn Random) -> Result<(), UnsealError> {
    if key_file.exists() {
        return Ok(());
    }
    let folder = key_file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        let mut maker = DirBuilder::new();
        maker.recursive(true).mode(FOLDER_MODE);
        maker.create(folder).map_err(|source| UnsealError::Folder {
            path: folder.to_owned(),
            source,
        })?;
    }
    Ok(write_new_key_file(key_file, &SealingKey::generate(random))?)
}
