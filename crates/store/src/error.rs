//! What can go wrong with a store, by what the caller can do about it.

/// The cause of an error, whatever the database.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A failure of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room. Nothing was changed; retry later.
    #[error("the disk is full")]
    Full(#[source] BoxError),
    /// The store can't answer now. Whether a change happened is not known; ask again later.
    #[error("the store does not answer")]
    Unavailable(#[source] BoxError),
    /// Permissions changed since the caller was authorised. Nothing happened; authorise the caller again.
    #[error("permissions have changed meanwhile")]
    Stale,
    /// The store was stopped.
    #[error("the store is stopped")]
    Stopped,
    /// A row is not what the schema promises.
    #[error("{table} row {row}: {column} can't be read")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
    },
    /// A sealed value can't be opened.
    #[error("a sealed value can't be opened")]
    Sealed(#[from] crate::SealError),
    /// The storage failed or is corrupt. The process must end.
    #[error("the database can't be used any more")]
    Fatal(#[source] BoxError),
}

impl StoreError {
    /// The error for each caller that waited for one transaction; an unreadable row or a sealed value counts as
    /// unavailable.
    #[must_use]
    pub fn shared(&self) -> Self {
        let text = || {
            std::error::Error::source(self)
                .map_or_else(|| self.to_string(), ToString::to_string)
                .into()
        };
        match self {
            Self::Full(_) => Self::Full(text()),
            Self::Fatal(_) => Self::Fatal(text()),
            Self::Stopped => Self::Stopped,
            Self::Stale => Self::Stale,
            Self::Unavailable(_) | Self::Unreadable { .. } | Self::Sealed(_) => {
                Self::Unavailable(text())
            }
        }
    }
}
