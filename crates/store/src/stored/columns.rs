//! The columns of a row, for any database: each store implements them for its driver's rows.

use alert_connectors_model::{Fingerprint, TraceContext};
use jiff::Timestamp;

use super::time;
use crate::StoreError;

/// The columns of a row, by their position from 0.
pub trait Columns {
    /// A whole number of any width, or `NULL`.
    fn maybe_number(&self, column: usize) -> Result<Option<i64>, StoreError>;

    /// A text, or `NULL`.
    fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError>;

    /// The 16 bytes of an id, or `NULL`.
    fn maybe_id(&self, column: usize) -> Result<Option<[u8; 16]>, StoreError>;

    /// Bytes, or `NULL`.
    fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, StoreError>;

    /// Yes or no.
    fn flag(&self, column: usize) -> Result<bool, StoreError>;

    /// A whole number of any width.
    fn number(&self, column: usize) -> Result<i64, StoreError> {
        present(self.maybe_number(column)?, column)
    }

    /// Bytes.
    fn bytes(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        present(self.maybe_bytes(column)?, column)
    }

    /// Where a row stands in a trace, if it is part of one.
    fn trace(&self, column: usize) -> Result<Option<TraceContext>, StoreError> {
        let bytes = self.maybe_bytes(column)?;
        Ok(bytes.and_then(|bytes| TraceContext::from_bytes(&bytes)))
    }

    /// A text.
    fn text(&self, column: usize) -> Result<String, StoreError> {
        present(self.maybe_text(column)?, column)
    }

    /// The 16 bytes of an id.
    fn id(&self, column: usize) -> Result<[u8; 16], StoreError> {
        present(self.maybe_id(column)?, column)
    }

    /// The fingerprint of a destination.
    fn fingerprint(&self, column: usize) -> Result<Fingerprint, StoreError> {
        let bytes = <[u8; 16]>::try_from(self.bytes(column)?);
        present(bytes.ok().map(Fingerprint), column)
    }

    /// The code of a word. A number that is out of range is the code of no word, like 255.
    fn code(&self, column: usize) -> Result<u8, StoreError> {
        Ok(u8::try_from(self.number(column)?).unwrap_or(u8::MAX))
    }

    /// A time.
    fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.number(column).map(time)
    }

    /// A time, or `NULL`.
    fn maybe_time(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.maybe_number(column)?.map(time))
    }
}

impl dyn Columns + '_ {
    /// A count. One that is out of range counts as 0.
    pub fn count<T: TryFrom<i64> + Default>(&self, column: usize) -> Result<T, StoreError> {
        Ok(T::try_from(self.number(column)?).unwrap_or_default())
    }
}

fn present<T>(value: Option<T>, column: usize) -> Result<T, StoreError> {
    value.ok_or_else(|| {
        StoreError::Unavailable(format!("column {column} of a row holds nothing usable").into())
    })
}
