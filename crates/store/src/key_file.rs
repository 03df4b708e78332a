//! The secret key file: one key per line, closed to users other than its owner and group.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{Keyring, SealingKey};

/// Why a key file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is none.
    #[error("the secret key file {} does not exist", .0.display())]
    Missing(PathBuf),
    /// Others could read it.
    #[error("the secret key file {} may be read by others (mode {mode:03o})", path.display())]
    ReadByOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A line is not a key.
    #[error("line {line} of the secret key file {} is not a key of 64 hexadecimal digits", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// It holds no key.
    #[error("the secret key file {} holds no key", .0.display())]
    Empty(PathBuf),
    /// It exists already, and is never overwritten.
    #[error("{} exists already and is never overwritten", .0.display())]
    Exists(PathBuf),
    /// It can't be read or written.
    #[error("the secret key file {} can't be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Reads the keys; empty lines and lines that begin with `#` are passed over.
pub fn read_key_file(path: &Path) -> Result<Keyring, KeyFileError> {
    let failed = |source: io::Error| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            KeyFileError::Missing(path)
        } else {
            KeyFileError::Io { path, source }
        }
    };
    let mode = fs::metadata(path).map_err(failed)?.mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(KeyFileError::ReadByOthers {
            path: path.to_owned(),
            mode,
        });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    let mut keys = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = SealingKey::parse(line);
        keys.push(key.ok_or_else(|| KeyFileError::Malformed {
            path: path.to_owned(),
            line: index + 1,
        })?);
    }
    Keyring::new(keys).ok_or_else(|| KeyFileError::Empty(path.to_owned()))
}

/// Writes a file with one key, readable by its owner alone.
pub fn write_new_key_file(path: &Path, key: &SealingKey) -> Result<(), KeyFileError> {
    let failed = |source: io::Error| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::AlreadyExists {
            KeyFileError::Exists(path)
        } else {
            KeyFileError::Io { path, source }
        }
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(key.expose().as_bytes()).map_err(failed)?;
    file.write_all(b"\n").map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Adds a key at the beginning of a file, atomically: a reader sees the previous file or the new one.
pub fn add_key(path: &Path, key: &SealingKey) -> Result<(), KeyFileError> {
    read_key_file(path)?;
    let failed = |source| KeyFileError::Io {
        path: path.to_owned(),
        source,
    };
    let known = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    write_new_key_file(&beside, key)?;
    let finished = || {
        let mut file = OpenOptions::new().append(true).open(&beside)?;
        file.write_all(known.as_bytes())?;
        file.sync_all()?;
        // Everyone who could read the file still can.
        fs::set_permissions(&beside, fs::metadata(path)?.permissions())?;
        fs::rename(&beside, path)
    };
    finished().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alert_connectors_model::SeededRandom;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_file_is_private_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        assert!(matches!(
            read_key_file(&path),
            Err(KeyFileError::Missing(_))
        ));
        let key = SealingKey::generate(&SeededRandom::new(1));
        write_new_key_file(&path, &key).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(read_key_file(&path).is_ok());
        assert!(matches!(
            write_new_key_file(&path, &key),
            Err(KeyFileError::Exists(_))
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(
            read_key_file(&path),
            Err(KeyFileError::ReadByOthers { mode: 0o604, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "# note\n\nnot a key\n").unwrap();
        assert!(matches!(
            read_key_file(&path),
            Err(KeyFileError::Malformed { line: 3, .. })
        ));
    }
}
