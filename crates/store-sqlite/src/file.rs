//! The files of a database. Only their owner may read and write them; a server locks the database file, and checks while it runs
//! that no other program replaced the files.

use std::{
    fs::{self, DirBuilder, File, Metadata, TryLockError},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{OpenError, Use};

/// Only their owner reads and writes the files.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// A database's file, and the lock of the server that uses it.
pub(crate) struct DatabaseFile {
    /// The path without links, so that it is the same by whichever name the file was opened.
    path: PathBuf,
    identity: Identity,
    used_by: Use,
    /// A server's has the lock (`flock`), which belongs to the file and not to a name. The operating system frees it when
    /// the process dies. SQLite's own locks are of another kind (`fcntl`), and any close of the file in this process would
    /// free them: so it stays open for as long as the database does.
    _open: File,
}

/// The identity of a file, independent of its name: its device and its inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl DatabaseFile {
    /// Finds the file, or makes it with its folder; a server locks it.
    pub(crate) fn open(path: &Path, key_file: &Path, used_by: Use) -> Result<Self, OpenError> {
        let failed = |source: io::Error| not_usable(path, path, source);
        if !used_by.may_make() && !path.exists() {
            return Err(OpenError::Missing(path.to_owned()));
        }
        make_folder(path)?;
        refuse_if_lost(path, key_file)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE_MODE)
            .open(path)
            .map_err(failed)?;
        let path = fs::canonicalize(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if matches!(used_by, Use::Server | Use::CopySource) {
            lock(&file, &path)?;
            if found.nlink() > 1 {
                return Err(OpenError::SeveralNames(path));
            }
        }
        Ok(Self {
            identity: Identity::of(&found),
            path,
            used_by,
            _open: file,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A name for the file itself, which no copy of it shares.
    pub(crate) fn identity(&self) -> String {
        format!("{}:{}", self.identity.0, self.identity.1)
    }

    /// The files that must stay the same while a server uses the database; none for a command, which ends before it
    /// matters.
    pub(crate) fn watched(&self) -> WatchedFiles {
        if self.used_by != Use::Server {
            return WatchedFiles(Vec::new());
        }
        let mut files = vec![(self.path.clone(), self.identity)];
        // The log and its index are there since the schema was looked at. They stay for as long as a connection is open. Programs
        // that use another index each would write over what the other wrote.
        for ending in ["-wal", "-shm"] {
            let beside = beside(&self.path, ending);
            if let Ok(found) = fs::metadata(&beside) {
                files.push((beside, Identity::of(&found)));
            }
        }
        WatchedFiles(files)
    }
}

/// Files by their paths, and what they were when the server opened them.
pub(crate) struct WatchedFiles(Vec<(PathBuf, Identity)>);

impl WatchedFiles {
    /// Why the database can't be used any more: its file, its log or the log's index was replaced or removed.
    pub(crate) fn what_happened(&self) -> Option<String> {
        self.0.iter().find_map(|(path, identity)| {
            let what = match fs::metadata(path) {
                Ok(found) if Identity::of(&found) == *identity => return None,
                Ok(_another) => "was replaced",
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was removed",
                // Unknown; the database reports what is wrong when it is used.
                Err(_unreadable) => return None,
            };
            Some(format!(
                "{} {what} while the server used it; put it back, or restart the server",
                path.display()
            ))
        })
    }
}

/// Locks a file for as long as it is open.
fn lock(file: &File, path: &Path) -> Result<(), OpenError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse(path.to_owned()),
        TryLockError::Error(source) => not_usable(path, path, source),
    })
}

impl Identity {
    fn of(found: &Metadata) -> Self {
        Self(found.dev(), found.ino())
    }
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut maker = DirBuilder::new();
    maker.recursive(true).mode(FOLDER_MODE);
    let made = folder.map_or(Ok(()), |folder| maker.create(folder));
    made.map_err(|source| not_usable(path, path, source))
}

/// Refuses a new database where something shows that there was one: a person has to decide.
fn refuse_if_lost(path: &Path, key_file: &Path) -> Result<(), OpenError> {
    if path.exists() {
        return Ok(());
    }
    let log = beside(path, "-wal");
    // A key file with another name may have been made beforehand, and one in a folder of other databases belongs to
    // them.
    let usual_key = path.with_file_name("secret.key");
    let is_keyless = key_file != usual_key || !usual_key.exists() || has_database(path);
    let has_log = fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let left = match (has_log, is_keyless) {
        (true, _) => log,
        (false, false) => usual_key,
        (false, true) => return Ok(()),
    };
    Err(OpenError::Lost {
        path: path.to_owned(),
        left,
    })
}

/// At most this many files of a folder are searched for a database.
const LOOKED_AT_MAX: usize = 1_000;
/// How a database begins (<https://sqlite.org/fileformat2.html>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Whether any database stands in the folder of this one.
fn has_database(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(Path::new(""));
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let begins = |path: PathBuf| {
        let mut begin = [0; MAGIC.len()];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
        read.is_ok() && begin == *MAGIC
    };
    files.take(LOOKED_AT_MAX).any(|file| begins(file.path()))
}

/// A file that belongs to a database.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn not_usable(database: &Path, path: &Path, source: io::Error) -> OpenError {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) {
        return OpenError::ReadOnly(database.to_owned());
    }
    OpenError::Io {
        path: path.to_owned(),
        source,
    }
}
