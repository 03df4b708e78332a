//! How far a long command is: a bar where a person looks on, a line now and then elsewhere.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::talk;

/// Where nobody looks on, a line is written this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress of a command.
pub(super) struct Progress {
    /// At a terminal.
    bar: Option<ProgressBar>,
    of: u64,
    /// When the last line was written.
    told_at: Instant,
}

impl Progress {
    /// Begins. Of one thing no progress is shown.
    pub(super) fn new(of: u64) -> Self {
        let bar = (of > 1 && io::stderr().is_terminal()).then(|| {
            let style =
                ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} {wide_msg}");
            let bar = ProgressBar::new(of);
            bar.set_style(style.unwrap_or_else(|_wrong| ProgressStyle::default_bar()));
            bar
        });
        Self {
            bar,
            of,
            told_at: Instant::now(),
        }
    }

    /// Shows that so many are done, and what is being done.
    pub(super) fn show(&mut self, done: u64, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
            bar.set_position(done);
        } else if self.told_at.elapsed() >= LINE_EVERY {
            self.told_at = Instant::now();
            talk(format_args!("{done} of {} {what}", self.of));
        }
    }

    /// Writes something else, without the bar in between.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
