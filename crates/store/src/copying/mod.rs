//! Copying everything from one database into an empty one of another kind.
//!
//! Rows are copied in steps, each of which is one commit together with how far the copy is. So it can be interrupted anywhere and
//! repeated. At the end all rows are counted, and some are compared.

mod tables;

use std::collections::HashMap;

use async_trait::async_trait;

use crate::StoreError;

pub use tables::{COPIED_TABLES, CopiedKind, CopiedRow, CopiedTable, CopiedValue};

/// Before the first number of any table.
pub const BEFORE_ALL: i64 = i64::MIN;
/// Behind the last one: a table that has no numbers is copied up to here.
pub const BEHIND_ALL: i64 = i64::MAX;

/// Some rows of a table, in the order of its numbers: those whose number is more than `after` and at most `upto`.
#[derive(Debug)]
pub struct CopyStep {
    /// More than this.
    pub after: i64,
    /// At most this.
    pub upto: i64,
    /// All of these rows.
    pub rows: Vec<CopiedRow>,
}

/// Where the numbers of a source go on that are never given twice, even if what had them is gone.
#[derive(Debug, Clone, Copy)]
pub struct LastNumbers {
    /// The last number of a user.
    pub user: i64,
    /// Of a space.
    pub space: i64,
    /// Of a connector.
    pub connector: i64,
}

/// A database that is copied. Nobody changes it meanwhile.
#[async_trait]
pub trait CopySource: Send + Sync {
    /// The sealed key of its fingerprints, which no other database has.
    async fn fingerprint_key(&self) -> Result<Vec<u8>, StoreError>;

    /// Numbers that change whenever a server has worked on it.
    async fn state(&self) -> Result<String, StoreError>;

    /// How many rows a table has.
    async fn count(&self, table: &'static CopiedTable) -> Result<u64, StoreError>;

    /// The last numbers that it gave.
    async fn last_numbers(&self) -> Result<LastNumbers, StoreError>;

    /// The least and the largest number of a table; `None` if it is empty, or has no numbers.
    async fn span(&self, table: &'static CopiedTable) -> Result<Option<(i64, i64)>, StoreError>;

    /// The next rows after a number, as many as make a step: some thousand rows or some megabytes, and all that share its last
    /// number. `None` if there are no more.
    async fn step(
        &self,
        table: &'static CopiedTable,
        after: i64,
    ) -> Result<Option<CopyStep>, StoreError>;
}

/// The database that everything is copied into.
#[async_trait]
pub trait CopyTarget: Send + Sync {
    /// Begins a copy, or continues one: returns how far each table is. No server may use the database until it is finished.
    async fn begin(
        &self,
        fingerprint_key: &[u8],
        state: &str,
    ) -> Result<HashMap<String, i64>, CopyError>;

    /// Stores the rows of a step, and that the table was copied up to its end, in one commit.
    async fn store(&self, table: &'static CopiedTable, step: &CopyStep) -> Result<(), StoreError>;

    /// How many rows a table has.
    async fn count(&self, table: &'static CopiedTable) -> Result<u64, StoreError>;

    /// How many of the rows of a step are missing here, or differ.
    async fn differing(
        &self,
        table: &'static CopiedTable,
        step: &CopyStep,
    ) -> Result<u64, StoreError>;

    /// Makes what the database makes of other rows, and lets servers use it.
    async fn finish(&self, last_numbers: LastNumbers) -> Result<(), StoreError>;
}

/// Why a copy did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something is in the target already.
    #[error("the database that is copied into has {0} already; make an empty one")]
    NotEmpty(String),
    /// The same copy was finished before.
    #[error("the copy is finished already")]
    Finished,
    /// The same copy was finished before, and the source has changed since then.
    #[error(
        "the copy is finished already, and a server or a command has changed the source since: what came since then is not in the copy"
    )]
    ChangedSinceFinished,
    /// A copy of another database was begun in it.
    #[error("a copy of another database was begun in it; drop it, and make an empty one")]
    OtherCopy,
    /// The source is not what it was when the copy was begun.
    #[error(
        "a server has worked on the source since the copy was begun; drop the copy, and make an empty database"
    )]
    SourceChanged,
    /// Somebody else uses the target.
    #[error("{0}; stop it first")]
    InUse(&'static str),
    /// What was copied is not what the source has.
    #[error(
        "{table}: the source has {source_rows} rows, the copy {target_rows}; drop the copy, and repeat"
    )]
    Miscounted {
        /// The table.
        table: &'static str,
        /// The rows of the source.
        source_rows: u64,
        /// Those of the copy.
        target_rows: u64,
    },
    /// Rows that were compared differ.
    #[error("{table}: {rows} of the rows that were compared differ; drop the copy, and repeat")]
    Differs {
        /// The table.
        table: &'static str,
        /// How many rows.
        rows: u64,
    },
    /// One of the databases failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far a copy is.
#[derive(Debug, Clone, Copy)]
pub struct CopyProgress {
    /// The table.
    pub table: &'static str,
    /// How many rows were copied, of this table and of those before.
    pub rows: u64,
    /// How many there are in all tables.
    pub of: u64,
}

/// What was copied.
#[derive(Debug, Default)]
pub struct CopyReport {
    /// The tables, and how many rows each has.
    pub tables: Vec<(&'static str, u64)>,
    /// How many rows were compared.
    pub compared: u64,
}

/// At most this many steps of a table are compared, spread evenly: the first and the last are among them.
const COMPARED_STEPS: i128 = 20;

/// Copies everything, or what an interrupted copy left; counts and compares it.
pub async fn copy_everything(
    source: &dyn CopySource,
    target: &dyn CopyTarget,
    mut progress: impl FnMut(CopyProgress),
) -> Result<CopyReport, CopyError> {
    let mut report = CopyReport::default();
    for table in &COPIED_TABLES {
        report.tables.push((table.name, source.count(table).await?));
    }
    let of = report.tables.iter().map(|(_, rows)| rows).sum();
    let (key, state) = (source.fingerprint_key().await?, source.state().await?);
    let copied = target.begin(&key, &state).await?;
    let mut rows = 0;
    for (table, (name, count)) in COPIED_TABLES.iter().zip(&report.tables) {
        let before = rows;
        let mut after = copied.get(*name).copied().unwrap_or(BEFORE_ALL);
        while let Some(step) = source.step(table, after).await? {
            target.store(table, &step).await?;
            after = step.upto;
            rows += step.rows.len() as u64;
            progress(CopyProgress {
                table: name,
                rows,
                of,
            });
        }
        // With what was copied before an interruption.
        rows = before + count;
    }
    for (table, (_, count)) in COPIED_TABLES.iter().zip(&report.tables) {
        report.compared += compare(source, target, table, *count).await?;
    }
    target.finish(source.last_numbers().await?).await?;
    Ok(report)
}

/// Counts a table on both sides, and compares some of it. Returns how many rows were compared.
async fn compare(
    source: &dyn CopySource,
    target: &dyn CopyTarget,
    table: &'static CopiedTable,
    source_rows: u64,
) -> Result<u64, CopyError> {
    let target_rows = target.count(table).await?;
    if source_rows != target_rows {
        return Err(CopyError::Miscounted {
            table: table.name,
            source_rows,
            target_rows,
        });
    }
    let mut compared = 0;
    let mut upto = BEFORE_ALL;
    for after in places(source.span(table).await?) {
        // Where rows are few, the step before had this one, too.
        if compared > 0 && after < upto {
            continue;
        }
        let Some(step) = source.step(table, after).await? else {
            break;
        };
        let differing = target.differing(table, &step).await?;
        if differing > 0 {
            return Err(CopyError::Differs {
                table: table.name,
                rows: differing,
            });
        }
        compared += step.rows.len() as u64;
        upto = step.upto;
    }
    Ok(compared)
}

/// Where steps begin that are compared: evenly spread over the numbers of a table, and at its last one.
fn places(span: Option<(i64, i64)>) -> Vec<i64> {
    let Some((first, last)) = span else {
        return vec![BEFORE_ALL];
    };
    let (first, last) = (i128::from(first) - 1, i128::from(last) - 1);
    let place = |at: i128| first + (last - first) * at / (COMPARED_STEPS - 1);
    let places = (0..COMPARED_STEPS).filter_map(|at| i64::try_from(place(at)).ok());
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_spread_evenly() {
        assert_eq!(places(None), [BEFORE_ALL]);
        assert_eq!(places(Some((5, 5))), [4; 20]);
        let places = places(Some((1, 1_901)));
        assert_eq!(places[..3], [0, 100, 200]);
        assert_eq!(places[19], 1_900);
        assert_eq!(super::places(Some((i64::MIN, 5))).len(), 19);
    }
}
