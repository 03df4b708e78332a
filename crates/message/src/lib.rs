#![doc = include_str!("../README.md")]

mod autolink;
mod description;
mod digest;
mod follow_up;
mod inline;
mod labels;
mod links;
mod markdown;
mod platform;
mod rich;
mod sample;
mod shorten;
mod slack;
mod table;
mod teams;
#[cfg(test)]
mod testing;
mod text;
mod truncate;
mod words;

pub use digest::{Counts, DIGEST_ITEMS_MAX, Digest};
pub use follow_up::FollowUpNote;
pub use platform::{Platform, Rendering, Shown, platform};
pub use sample::test_alert;
pub use truncate::Trim;
pub use words::{severity_word, title};
