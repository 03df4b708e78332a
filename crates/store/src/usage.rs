//! Who opens a database, and what they may change in it.

/// Who opens a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A server: it makes a new database, and brings an old schema up to date.
    Server,
    /// A command that people begin with: it makes a new database, and leaves an old schema as it is.
    Founding,
    /// Any other command: it makes nothing, and leaves an old schema as it is.
    Command,
    /// The command that brings an old schema up to date. It makes nothing.
    Migration,
    /// The command that copies everything from it: no server may run on it. It makes nothing, and leaves an old schema as it is.
    CopySource,
    /// The command that copies everything into it: it makes a new database, and no server may use it before the copy is whole.
    CopyTarget,
}

impl Use {
    /// Whether a new database may be made.
    pub const fn may_make(self) -> bool {
        matches!(self, Self::Server | Self::Founding | Self::CopyTarget)
    }

    /// Whether the schema may be changed. `found` is how many migrations the database has: none if it is new.
    pub const fn may_migrate(self, found: usize) -> bool {
        match self {
            Self::Server => true,
            Self::Migration => found > 0,
            Self::Founding | Self::CopyTarget => found == 0,
            Self::Command | Self::CopySource => false,
        }
    }
}
