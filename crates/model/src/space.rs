//! Spaces, where teams work, and the roles that people have in them.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::{SpaceId, wire_enum::wire_enum};

/// A space: it owns connectors and alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// Names the space.
    pub id: SpaceId,
    /// Its name in URLs.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A space's name in URLs: 1–63 of `a-z 0-9 -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// What a slug must look like, for messages.
    pub const RULE: &str = "A slug has 1 to 63 characters of a-z, 0-9 and -.";

    /// Reads a slug.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        ((1..=63).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// The slug.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

wire_enum! {
    /// What a member may do: `viewer` reads, `editor` also writes connectors and sends alerts, `admin` also manages members.
    Role {
        /// Reads.
        Viewer = 0, "viewer";
        /// Writes connectors, sends alerts, tests, retries.
        Editor = 1, "editor";
        /// Manages members.
        Admin = 2, "admin";
    }
}
