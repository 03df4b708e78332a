//! Copying everything from one database into an empty one of another kind.
//!
//! Rows are copied in steps, each of which is one commit together with how far the copy is. So it can be interrupted anywhere and
//! repeated. At the end all rows are counted, and some are compared.

mod tables;

use std::collections::HashMap;

use async_trait::async_trait;

use crate::StoreError;

pub use tables::{COPIED_TABLES, CopiedKind, CopiedRow, CopiedTable, CopiedValue};

/// A part of a table: the rows whose number is more than `after` and at most `upto`. All of a table that has no steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyStep {
    /// More than this.
    pub after: i64,
    /// At most this.
    pub upto: i64,
}

impl CopyStep {
    /// All of a table.
    const ALL: Self = Self {
        after: i64::MIN,
        upto: i64::MAX,
    };
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

    /// The least and the largest number by which a table is copied; `None` if it is empty.
    async fn span(&self, table: &'static CopiedTable) -> Result<Option<(i64, i64)>, StoreError>;

    /// The rows of a step.
    async fn rows(
        &self,
        table: &'static CopiedTable,
        step: CopyStep,
    ) -> Result<Vec<CopiedRow>, StoreError>;
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
    async fn store(
        &self,
        table: &'static CopiedTable,
        step: CopyStep,
        rows: &[CopiedRow],
    ) -> Result<(), StoreError>;

    /// How many rows a table has.
    async fn count(&self, table: &'static CopiedTable) -> Result<u64, StoreError>;

    /// How many of the rows of a step are missing here, or differ.
    async fn differing(
        &self,
        table: &'static CopiedTable,
        step: CopyStep,
        rows: &[CopiedRow],
    ) -> Result<u64, StoreError>;

    /// Makes what the database makes of other rows, and lets servers use it.
    async fn finish(&self) -> Result<(), StoreError>;
}

/// Why a copy did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something is in the target already.
    #[error("the database that is copied into has {0} already; make an empty one")]
    NotEmpty(String),
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
const COMPARED_STEPS_MAX: usize = 20;

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
    for (table, (_, count)) in COPIED_TABLES.iter().zip(&report.tables) {
        let from = copied.get(table.name).copied();
        let before = rows;
        for step in steps(table, source.span(table).await?) {
            if from.is_none_or(|from| step.upto > from) {
                let found = source.rows(table, step).await?;
                target.store(table, step, &found).await?;
                rows += found.len() as u64;
                let table = table.name;
                progress(CopyProgress { table, rows, of });
            }
        }
        // With what was copied before an interruption.
        rows = before + count;
    }
    for (table, (_, count)) in COPIED_TABLES.iter().zip(&report.tables) {
        report.compared += compare(source, target, table, *count).await?;
    }
    target.finish().await?;
    Ok(report)
}

/// The steps of a table. They are the same each time, so a copy that is repeated finds the next one.
fn steps(table: &CopiedTable, span: Option<(i64, i64)>) -> Vec<CopyStep> {
    let Some((first, last)) = span else {
        return Vec::new();
    };
    let Some((_, size)) = table.steps else {
        return vec![CopyStep::ALL];
    };
    let (first, last) = (first.div_euclid(size), last.div_euclid(size));
    let step = |at: i64| CopyStep {
        after: at * size - 1,
        upto: at * size + size - 1,
    };
    (first..=last).map(step).collect()
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
    let steps = steps(table, source.span(table).await?);
    let mut compared = 0;
    for step in evenly(&steps, COMPARED_STEPS_MAX) {
        let rows = source.rows(table, step).await?;
        let differing = target.differing(table, step, &rows).await?;
        if differing > 0 {
            return Err(CopyError::Differs {
                table: table.name,
                rows: differing,
            });
        }
        compared += rows.len() as u64;
    }
    Ok(compared)
}

/// At most `most` of these, evenly spread; the first and the last are among them.
fn evenly<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    if all.len() <= most {
        return all.to_vec();
    }
    let last = all.len() - 1;
    (0..most)
        .filter_map(|at| all.get(at * last / (most - 1)).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_at_the_same_places_wherever_history_begins() {
        let alerts = COPIED_TABLES.iter().find(|table| table.name == "alerts");
        let alerts = alerts.unwrap();
        let ends =
            |span| -> Vec<i64> { steps(alerts, span).iter().map(|step| step.upto).collect() };
        assert_eq!(ends(None), Vec::<i64>::new());
        assert_eq!(ends(Some((1, 1))), [999]);
        assert_eq!(ends(Some((1, 2_000))), [999, 1_999, 2_999]);
        assert_eq!(ends(Some((1_500, 2_000))), [1_999, 2_999]);
        let first = steps(alerts, Some((1_500, 2_000)))[0];
        assert_eq!(first.after, 999);
        let users = &COPIED_TABLES[0];
        assert_eq!(steps(users, Some((1, 9))), [CopyStep::ALL]);
    }

    #[test]
    fn what_is_compared_is_spread_evenly() {
        let all: Vec<usize> = (0..100).collect();
        assert_eq!(evenly(&all, 4), [0, 33, 66, 99]);
        assert_eq!(evenly(&all[..3], 4), [0, 1, 2]);
    }
}
