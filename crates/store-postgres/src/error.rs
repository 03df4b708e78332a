//! From the driver's errors to the store's, by what the caller can do.

use alert_connectors_model::cause_chain;
use alert_connectors_store::{BoxError, StoreError};
use tokio_postgres::error::SqlState;

/// What an error of the driver means for the caller. Its text holds what the server says of the statement, and nothing of
/// the values that it was given.
#[expect(clippy::needless_pass_by_value, reason = "it goes into map_err")]
pub(crate) fn meaning(error: tokio_postgres::Error) -> StoreError {
    let Some(said) = error.as_db_error() else {
        return StoreError::Unavailable(cause_chain(&error).into());
    };
    let text = format!("{} ({})", said.message(), said.code().code()).into();
    if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(said.code()) {
        return StoreError::Fatal(text);
    }
    if *said.code() == SqlState::DISK_FULL {
        return StoreError::Full(text);
    }
    if may_be_repeated(said.code()) {
        return StoreError::Unavailable(Box::new(Repeatable(text)));
    }
    // Data exceptions, and constraints that values violate.
    if ["22", "23"]
        .iter()
        .any(|class| said.code().code().starts_with(class))
    {
        return StoreError::Unavailable(Box::new(OfValues(text)));
    }
    StoreError::Unavailable(text)
}

/// Why the service ends, in one sentence.
pub(crate) fn fatal(reason: &BoxError) -> String {
    format!(
        "the database is broken: {reason}; look at it with `alert-connectors check`, and restore the last backup"
    )
}

fn may_be_repeated(code: &SqlState) -> bool {
    [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ]
    .contains(code)
}

/// Something about the values themselves, such as text that the database can't hold.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct OfValues(BoxError);

/// Whether the values of one request may be the cause, and the others would succeed without it.
pub(crate) fn is_of_values(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(cause) if cause.is::<OfValues>())
}

/// A conflict with another transaction: nothing happened, and the same may work at once.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Repeatable(BoxError);

/// Whether the same may work at once, since it only met another transaction.
pub(crate) fn is_repeatable(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(cause) if cause.is::<Repeatable>())
}

/// What an error of the pool means for the caller.
pub(crate) fn no_connection(error: deadpool_postgres::PoolError) -> StoreError {
    if let deadpool_postgres::PoolError::Backend(error) = error {
        return meaning(error);
    }
    StoreError::Unavailable(cause_chain(&error).into())
}
