//! Opening a database: its version, its schema and its key.

use std::{path::PathBuf, sync::Arc, time::Duration};

use alert_connectors_model::Random;
use alert_connectors_store::{
    GroupMeters, KeyFileError, Mandate, Sealing, StoreError, UnsealError, Use,
    group::EVENT_GROUPS_MAX,
};
use alert_connectors_tasks::Tasks;
use tokio::{
    sync::{Mutex, mpsc},
    time,
};
use tokio_postgres::Client;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    Looks, PostgresStore, PostgresUrl, Shared,
    connection::{MIGRATE_LOCK, Pools, WriterStatements},
    copying::COPYING,
    error::meaning,
    intake,
    intake::IntakeGroups,
    listen::{self, Listener},
    record,
    sign_of_life::SignOfLife,
    writer::Writer,
};

/// The migrations in their order; the table `migrations` counts those that a database has.
const MIGRATIONS: [&str; 11] = [
    include_str!("../migrations/20261123200000_init.sql"),
    include_str!("../migrations/20261126150000_failing_messages.sql"),
    include_str!("../migrations/20261127220000_alert_counts.sql"),
    include_str!("../migrations/20261128060000_alert_revisions.sql"),
    include_str!("../migrations/20261128090000_ingest_sources.sql"),
    include_str!("../migrations/20261128120000_pauses.sql"),
    include_str!("../migrations/20261128220000_audit_entries.sql"),
    include_str!("../migrations/20261128230000_invitations.sql"),
    include_str!("../migrations/20261129070000_signs_of_life.sql"),
    include_str!("../migrations/20261129130000_stored_bytes.sql"),
    include_str!("../migrations/20261129140000_traces.sql"),
];
/// The oldest server that is known to do all of this.
const OLDEST_SERVER: i32 = 150_000;
/// Records a new replica as last seen 16 s ago: too long ago to get a share of the destinations, recently enough that no copy begins.
const OPENED: &str = "INSERT INTO replicas (id, seen_at) VALUES ($1, clock_timestamp() - interval '16 s') ON CONFLICT DO NOTHING";
/// A table or view in a schema where no server has made its tables yet.
const OF_OTHERS: &str = "SELECT CASE WHEN relkind IN ('v', 'm') THEN 'the view ' ELSE 'the table ' END || relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'f', 'v', 'm')
        AND to_regclass(format('%I.numbering', current_schema())) IS NULL
    ORDER BY relname LIMIT 1";
const IS_COPYING: &str = "SELECT 1 FROM meta WHERE name = $1";
const FINGERPRINT_KEY: &str = "SELECT value FROM meta WHERE name = 'fingerprint_key'";
/// How long PostgreSQL may take to accept the first connection.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What to open, and how.
pub struct OpenOptions {
    /// Where the database is.
    pub url: PostgresUrl,
    /// The secret key file, which all replicas share.
    pub key_file: PathBuf,
    /// Who opens it. A server listens for notifications of other replicas, unless the address says otherwise; without
    /// them it finds everything by polling, a little later.
    pub used_by: Use,
    /// Randomness for keys, names and nonces.
    pub random: Arc<dyn Random>,
    /// Where its tasks live. One that panics fails the store.
    pub tasks: Tasks,
}

/// Why a database can't be opened; each in a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It does not answer.
    #[error("PostgreSQL can't be reached at {url}: {why}")]
    Unreachable {
        /// The database.
        url: String,
        /// Why.
        why: String,
    },
    /// The server is too old.
    #[error("PostgreSQL at {url} is version {found}; version 15 or later is needed")]
    OldServer {
        /// The database.
        url: String,
        /// Its version.
        found: i32,
    },
    /// Its encoding can't hold every alert.
    #[error("the database at {url} has the encoding {found}; make one with the encoding UTF8")]
    Encoding {
        /// The database.
        url: String,
        /// Its encoding.
        found: String,
    },
    /// It was made by a newer program.
    #[error(
        "{url} has schema {found}, this program knows {known}: it was made by a newer version; use that one"
    )]
    Newer {
        /// The database.
        url: String,
        /// Its schema.
        found: usize,
        /// The newest that is known here.
        known: usize,
    },
    /// Its schema is older or not there, and only a server or `migrate-schema` changes it.
    #[error(
        "{url} has schema {found}, this program knows {known}: start the server once, or run `alert-connectors migrate-schema`"
    )]
    Older {
        /// The database.
        url: String,
        /// Its schema.
        found: usize,
        /// The newest that is known here.
        known: usize,
    },
    /// Something else is in the schema that everything is to be copied into.
    #[error(
        "{url} is not empty: it has {found}; make an empty database, or name an empty schema with `?options=-csearch_path%3DNAME`"
    )]
    NotEmpty {
        /// The database.
        url: String,
        /// What it has: a table or view, by its name.
        found: String,
    },
    /// A copy into it was begun, and is not whole.
    #[error(
        "a copy into {url} is not finished; repeat `alert-connectors migrate`, which continues it"
    )]
    HalfCopied {
        /// The database.
        url: String,
    },
    /// There is no key file.
    #[error("the secret key file {} is not there; make one with `alert-connectors key new FILE` and give every replica the same", .0.display())]
    NoKeyFile(PathBuf),
    /// The database and the secret key file don't go together.
    #[error(transparent)]
    Sealing(#[from] UnsealError),
    /// The database answers with an error.
    #[error("{url} can't be opened: {why}")]
    Database {
        /// The database.
        url: String,
        /// Why.
        why: String,
    },
}

impl PostgresStore {
    /// Opens a database, and brings its schema up to date where `used_by` may. Several programs may do so at once.
    pub async fn open(opening: OpenOptions) -> Result<Self, OpenError> {
        let name = opening.url.to_string();
        let failed = |error: StoreError| OpenError::Database {
            url: name.clone(),
            why: cause(&error),
        };
        let tls = opening.url.tls().map_err(|error| OpenError::Database {
            url: name.clone(),
            why: error.to_string(),
        })?;
        let tasks = opening.tasks.clone();
        let replica = new_replica(&*opening.random);
        let sealing = {
            let unreachable = |why| OpenError::Unreachable {
                url: name.clone(),
                why,
            };
            let connecting = opening.url.config().connect(tls.clone());
            let connected = time::timeout(ANSWER_LIMIT, connecting)
                .await
                .map_err(|_late| unreachable(format!("no answer within {ANSWER_LIMIT:?}")))?;
            let (client, connection) =
                connected.map_err(|error| unreachable(cause(&meaning(error))))?;
            let driver = TaskTracker::new().spawn(connection);
            let prepared = prepare(&client, &opening, replica, &name).await;
            drop(client);
            // It ends with its client, which already got any error.
            drop(driver.await);
            prepared?
        };
        let statements = WriterStatements {
            intake: intake::statements,
            record: record::statements,
        };
        let pools = Pools::new(opening.url.config(), &tls, statements)
            .map_err(|error| failed(StoreError::Unavailable(error.into())))?;
        if opening.used_by == Use::Server {
            // First, so that if PostgreSQL allows too few connections, only those for reading are missing.
            pools.open_writers().await.map_err(failed)?;
        }
        let (event_sender, events) = mpsc::channel(EVENT_GROUPS_MAX);
        let sign_of_life = Arc::new(SignOfLife::default());
        let meters = GroupMeters::default();
        let groups = IntakeGroups::new(Arc::clone(&opening.random));
        let writer = Writer::start(&tasks, &pools, &event_sender, groups, &meters);
        let (relayed_sender, relayed) = listen::relayed(opening.url.listens());
        if opening.used_by == Use::Server && opening.url.listens() {
            let config = opening.url.config().clone();
            let listener = Listener::new(config, tls, replica, Arc::clone(&sign_of_life));
            listen::start(&tasks, listener, event_sender.clone(), relayed_sender);
        }
        Ok(Self {
            shared: Arc::new(Shared {
                pools,
                writer,
                meters,
                sealing: Arc::new(sealing),
                looks: Looks::default(),
                replica,
                sign_of_life,
                event_sender,
                events: Mutex::new(events),
                relayed: Mutex::new(relayed),
                tasks,
                requires_standby: opening.url.requires_standby(),
            }),
            mandate: Mandate::default(),
        })
    }
}

/// A name for this replica.
fn new_replica(random: &dyn Random) -> Uuid {
    let mut replica = [0; 16];
    random.fill(&mut replica);
    Uuid::from_bytes(replica)
}

/// The cause of an error in one line, without the store's own text.
fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Brings the schema up to date and finds the key, in one transaction.
async fn prepare(
    client: &Client,
    opening: &OpenOptions,
    replica: Uuid,
    name: &str,
) -> Result<Sealing, OpenError> {
    let preparation = Preparation {
        client,
        opening,
        name,
    };
    preparation.check_server().await?;
    client
        .batch_execute(&format!("BEGIN; {MIGRATE_LOCK}"))
        .await
        .map_err(|error| preparation.failed(error))?;
    preparation.migrate().await?;
    preparation.refuse_half_copied().await?;
    let sealing = preparation.find_key().await?;
    if opening.used_by == Use::Server {
        // From here on nobody copies into the database.
        let seen = client.execute(OPENED, &[&replica]).await;
        seen.map_err(|error| preparation.failed(error))?;
    }
    client
        .batch_execute("COMMIT")
        .await
        .map_err(|error| preparation.failed(error))?;
    Ok(sealing)
}

/// A connection on which a database is made ready.
struct Preparation<'p> {
    client: &'p Client,
    opening: &'p OpenOptions,
    /// The database's URL without secrets.
    name: &'p str,
}

impl Preparation<'_> {
    fn failed(&self, error: tokio_postgres::Error) -> OpenError {
        OpenError::Database {
            url: self.name.to_owned(),
            why: cause(&meaning(error)),
        }
    }

    async fn shown(&self, setting: &str) -> Result<String, OpenError> {
        let shown = self.client.query_one(&format!("SHOW {setting}"), &[]).await;
        Ok(shown.map_err(|error| self.failed(error))?.get(0))
    }

    async fn check_server(&self) -> Result<(), OpenError> {
        let url = || self.name.to_owned();
        let found = self.shown("server_version_num").await?;
        let found = found.parse().unwrap_or(0);
        if found < OLDEST_SERVER {
            return Err(OpenError::OldServer {
                url: url(),
                found: found / 10_000,
            });
        }
        let found = self.shown("server_encoding").await?;
        if found != "UTF8" {
            return Err(OpenError::Encoding { url: url(), found });
        }
        Ok(())
    }

    /// Nothing of others stands where everything is to be copied: whatever made it may also change what is ours.
    async fn refuse_what_is_others(&self) -> Result<(), OpenError> {
        let found = self.client.query_opt(OF_OTHERS, &[]).await;
        match found.map_err(|error| self.failed(error))? {
            Some(row) => Err(OpenError::NotEmpty {
                url: self.name.to_owned(),
                found: row.get(0),
            }),
            None => Ok(()),
        }
    }

    /// Applies the missing migrations, where `used_by` may.
    async fn migrate(&self) -> Result<(), OpenError> {
        let failed = |error| self.failed(error);
        if self.opening.used_by == Use::CopyTarget {
            self.refuse_what_is_others().await?;
        }
        self.client
            .batch_execute("SET LOCAL client_min_messages = warning;
                CREATE TABLE IF NOT EXISTS migrations (no integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())")
            .await
            .map_err(failed)?;
        let counted = self
            .client
            .query_one("SELECT count(*) FROM migrations", &[])
            .await;
        let found = counted.map_err(failed)?.get::<_, i64>(0);
        let found = usize::try_from(found).unwrap_or(usize::MAX);
        let (url, known) = (self.name.to_owned(), MIGRATIONS.len());
        let Some(missing) = MIGRATIONS.get(found..) else {
            return Err(OpenError::Newer { url, found, known });
        };
        let used_by = self.opening.used_by;
        // A copy that a newer version continues goes on in the newer schema.
        let continues = found > 0 && used_by == Use::CopyTarget && self.is_copying().await?;
        if !missing.is_empty() && !used_by.may_migrate(found) && !continues {
            return Err(OpenError::Older { url, found, known });
        }
        for (at, migration) in missing.iter().enumerate() {
            self.client.batch_execute(migration).await.map_err(failed)?;
            let no = i32::try_from(found + at + 1).unwrap_or(i32::MAX);
            self.client
                .execute("INSERT INTO migrations (no) VALUES ($1)", &[&no])
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Refuses what is only a part of another database, but to the command that copies the rest.
    async fn refuse_half_copied(&self) -> Result<(), OpenError> {
        if self.opening.used_by != Use::CopyTarget && self.is_copying().await? {
            let url = self.name.to_owned();
            return Err(OpenError::HalfCopied { url });
        }
        Ok(())
    }

    async fn is_copying(&self) -> Result<bool, OpenError> {
        let copying = self.client.query_opt(IS_COPYING, &[&COPYING]).await;
        Ok(copying.map_err(|error| self.failed(error))?.is_some())
    }

    /// Opens the key that the database was made with, or makes one for a new database.
    async fn find_key(&self) -> Result<Sealing, OpenError> {
        let (key_file, random) = (&self.opening.key_file, Arc::clone(&self.opening.random));
        let stored = self.client.query_opt(FINGERPRINT_KEY, &[]).await;
        if let Some(row) = stored.map_err(|error| self.failed(error))? {
            return Ok(Sealing::open_with(self.name, key_file, row.get(0), random)?);
        }
        let made = Sealing::make(key_file, random);
        let (sealing, value) = made.map_err(|error| {
            if matches!(error, UnsealError::KeyFile(KeyFileError::Missing(_))) {
                OpenError::NoKeyFile(key_file.clone())
            } else {
                OpenError::Sealing(error)
            }
        })?;
        self.client
            .execute("INSERT INTO meta VALUES ('fingerprint_key', $1)", &[&value])
            .await
            .map_err(|error| self.failed(error))?;
        Ok(sealing)
    }
}
