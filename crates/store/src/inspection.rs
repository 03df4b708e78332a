//! The result of inspecting a store.

use alert_connectors_model::SpaceId;

use crate::{
    SealError, Sealing, SourceSecret, SourceSettings, StoreError,
    stored::{self, Columns, StoredConnector},
};

/// At most this many findings are kept; further ones are only counted.
const FINDINGS_MAX: usize = 100;

/// What is wrong with a store, and how much of it was looked at.
#[derive(Debug, Default)]
pub struct Inspection {
    /// How many webhook URLs were opened.
    pub webhook_urls: usize,
    /// What could not be inspected, and why. That is no fault of the store.
    pub not_looked_at: Vec<String>,
    /// What is wrong, in sentences: the first hundred.
    pub findings: Vec<String>,
    /// How many more findings there are.
    pub findings_left_out: usize,
}

impl Inspection {
    /// Notes something that is wrong.
    pub fn finds(&mut self, finding: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_left_out += 1;
        }
    }

    /// Notes that the webhook URLs are not opened, since the database itself is broken.
    pub fn leaves_webhook_urls(&mut self) {
        let why = "the webhook URLs, because the database is broken";
        self.not_looked_at.push(why.to_owned());
    }

    /// Reads a connector as it is stored in a space, and opens its webhook URL.
    pub fn connector(
        &mut self,
        sealing: &Sealing,
        stored: StoredConnector,
        space: &str,
        id: SpaceId,
    ) {
        let connector = alert_connectors_model::ConnectorId::from_bytes(stored.id);
        match stored.read_whole(sealing, id) {
            Ok(_connector) => self.webhook_urls += 1,
            Err(error) => {
                self.cannot_read(&format!("connector {connector} of space {space}"), &error);
            }
        }
    }

    /// Reads what a space has set for a source, as it is stored, and opens its secret.
    pub fn source(
        &mut self,
        sealing: &Sealing,
        row: &dyn Columns,
        space: &str,
        id: SpaceId,
    ) -> Result<(), StoreError> {
        let source = row.text(0)?;
        let what = format!("the secret of {source} of space {space}");
        match SourceSettings::of(row, sealing, id) {
            Ok(settings) if settings.secret == SourceSecret::Damaged => {
                self.cannot_read(&what, &StoreError::Sealed(SealError::Tampered));
            }
            Ok(_settings) => {}
            Err(error) => self.cannot_read(&what, &error),
        }
        Ok(())
    }

    /// Reads the health of a destination from a row of [`every_health`](crate::stored::every_health).
    pub fn health(&mut self, row: &dyn Columns) -> Result<(), StoreError> {
        if let Err(error) = stored::check_health(row) {
            let destination = row.fingerprint(17)?;
            self.cannot_read(
                &format!("the health of destination {destination:?}"),
                &error,
            );
        }
        Ok(())
    }

    fn cannot_read(&mut self, what: &str, error: &StoreError) {
        let cause =
            std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
        self.finds(format!("{what}: {error}{cause}"));
    }
}
