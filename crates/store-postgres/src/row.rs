//! The rows that a statement finds, read by the rules that both stores share.

use alert_connectors_store::{StoreError, stored::Columns};
use tokio_postgres::types::{FromSqlOwned, Type};

use crate::error::meaning;

/// A row of the driver.
pub(crate) struct Row(tokio_postgres::Row);

impl Row {
    /// A value, of the type that the driver has for the column's.
    pub(crate) fn at<T: FromSqlOwned>(&self, column: usize) -> Result<T, StoreError> {
        self.0.try_get(column).map_err(meaning)
    }

    /// A count. One that is out of range counts as 0.
    pub(crate) fn count<T: TryFrom<i64> + Default>(&self, column: usize) -> Result<T, StoreError> {
        (self as &dyn Columns).count(column)
    }

    fn is_of(&self, type_: &Type, column: usize) -> bool {
        let found = self.0.columns().get(column);
        found.is_some_and(|column| column.type_() == type_)
    }
}

impl From<tokio_postgres::Row> for Row {
    fn from(row: tokio_postgres::Row) -> Self {
        Self(row)
    }
}

impl Columns for Row {
    fn maybe_number(&self, column: usize) -> Result<Option<i64>, StoreError> {
        if self.is_of(&Type::INT2, column) {
            return Ok(self.at::<Option<i16>>(column)?.map(i64::from));
        }
        if self.is_of(&Type::INT4, column) {
            return Ok(self.at::<Option<i32>>(column)?.map(i64::from));
        }
        self.at(column)
    }

    fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.at(column)
    }

    fn maybe_id(&self, column: usize) -> Result<Option<[u8; 16]>, StoreError> {
        let id: Option<uuid::Uuid> = self.at(column)?;
        Ok(id.map(uuid::Uuid::into_bytes))
    }

    fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, StoreError> {
        self.at(column)
    }

    fn flag(&self, column: usize) -> Result<bool, StoreError> {
        self.at(column)
    }
}
