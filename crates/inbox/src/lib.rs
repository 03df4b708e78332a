//! The stand-in for Slack and Teams: a real HTTPS receiver that holds payloads to the platforms' limits and answers as they do.
//!
//! It serves the demo, the tests, and people who want to see what would have been posted. It can be told, path by path,
//! to answer otherwise: with any status, body and delay, not at all, or with any known answer of the platforms.

mod authority;
mod check;
mod inbox;
mod page;
mod rows;
mod serve;

pub use authority::Authority;
pub use check::{Kind, check};
pub use inbox::{Behaviour, Inbox, Message};
pub use rows::{ROWS, Row};
pub use serve::serve;
