//! Threads that the store can't do without: one that panics fails the store.

use std::thread;

use tokio::sync::watch;

/// Lives as long as its thread.
pub(crate) struct ThreadWatch {
    name: &'static str,
    failed: watch::Sender<Option<String>>,
}

impl ThreadWatch {
    pub(crate) const fn new(name: &'static str, failed: watch::Sender<Option<String>>) -> Self {
        Self { name, failed }
    }
}

impl Drop for ThreadWatch {
    fn drop(&mut self) {
        if thread::panicking() {
            self.failed
                .send_replace(Some(format!("{} panicked", self.name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_panic_is_a_failure() {
        for (panics, failure) in [(true, Some("the thread panicked")), (false, None)] {
            let (failed, seen) = watch::channel(None);
            let thread = thread::spawn(move || {
                let _watched = ThreadWatch::new("the thread", failed);
                assert!(!panics, "a bug");
            });
            assert_eq!(thread.join().is_err(), panics);
            assert_eq!(seen.borrow().as_deref(), failure);
        }
    }
}
