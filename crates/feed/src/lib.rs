#![doc = include_str!("../README.md")]

mod event;
mod feed;
mod recent;
mod relay;
mod watcher;

pub use event::{EventId, SpaceEvent};
pub use feed::{Feed, TooManyWatchers, WATCHERS_MAX};
pub use relay::run;
pub use watcher::Watcher;
