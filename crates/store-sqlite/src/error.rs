//! From the driver's errors to the store's, by what the caller can do.

use alert_connectors_store::{BoxError, StoreError};
use rusqlite::ErrorCode;

/// What may go wrong inside a transaction.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The driver's error.
    Driver(rusqlite::Error),
    /// An error that has its meaning already.
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Driver(error) => meaning(error),
            Failure::Store(error) => error,
        }
    }
}

/// Why the service ends, in one sentence.
pub(crate) fn fatal(reason: &BoxError) -> String {
    format!(
        "the database can't be used any more: {reason}; restore the last backup, or what `sqlite3 FILE .recover` finds"
    )
}

/// What an error of the driver means for the caller.
pub(crate) fn meaning(error: rusqlite::Error) -> StoreError {
    if is_no_such_value(&error) {
        return StoreError::Fatal(error.into());
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(error.into()),
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly,
        ) => StoreError::Fatal(error.into()),
        _ => StoreError::Unavailable(error.into()),
    }
}

/// Whether a value is not of its column's type, or text that is no UTF-8: nothing but damage writes that.
const fn is_no_such_value(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, InvalidColumnType, Utf8Error};
    matches!(
        error,
        FromSqlConversionFailure(..) | InvalidColumnType(..) | Utf8Error(..)
    )
}

/// How much of a group fails with a change.
pub(crate) enum ChangeFailed {
    /// Only the change; its caller has the error.
    Alone,
    /// The whole group.
    Group(StoreError),
}

impl<E: Into<Failure>> From<E> for ChangeFailed {
    fn from(error: E) -> Self {
        Self::Group(error.into().into())
    }
}
