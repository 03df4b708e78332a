#![doc = include_str!("../README.md")]

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
