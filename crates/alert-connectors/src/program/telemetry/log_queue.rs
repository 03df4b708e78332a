//! The queue of log lines. Logging never blocks and never fails: a separate thread writes the lines, the queue drops a line when
//! it is full, and the thread logs how many lines were dropped once the log can be written again.

use std::{
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread,
    time::{Duration, Instant},
};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// At most this many lines wait.
const LINES_MAX: usize = 16_384;
/// The most that they may weigh together, in bytes.
const BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// How long the last lines may take to be written when the program ends.
const FLUSH_MAX: Duration = Duration::from_secs(1);

enum LogEntry {
    Line(Vec<u8>),
    /// Answered once everything before it is written.
    Flush(SyncSender<()>),
}

/// The sending end of the queue. Clones share it.
#[derive(Clone)]
pub(super) struct LogQueue {
    entries: SyncSender<LogEntry>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// What the lines that wait weigh.
    bytes: AtomicUsize,
    dropped: Counter,
    /// Dropped lines that have not been reported yet.
    unreported: AtomicU64,
}

impl LogQueue {
    /// Starts the thread that writes.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (entries, waiting) = mpsc::sync_channel(LINES_MAX);
        let state = Arc::new(State::default());
        let writer = WriterThread {
            out,
            waiting,
            state: Arc::clone(&state),
        };
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self { entries, state })
    }

    /// Counts the lines that were dropped.
    pub(super) fn dropped(&self) -> Counter {
        self.state.dropped.clone()
    }

    /// Waits until all lines are written, but not for long.
    pub(super) fn flush(&self) {
        let until = Instant::now() + FLUSH_MAX;
        let (written, wait) = mpsc::sync_channel(1);
        let mut entry = LogEntry::Flush(written);
        while let Err(TrySendError::Full(back)) = self.entries.try_send(entry) {
            if Instant::now() >= until {
                return;
            }
            entry = back;
            thread::sleep(Duration::from_millis(5));
        }
        let left = until.saturating_duration_since(Instant::now());
        let _written_or_late = wait.recv_timeout(left);
    }

    fn put(&self, line: Vec<u8>) {
        let (state, weight) = (&self.state, line.len());
        let before = state.bytes.fetch_add(weight, Ordering::Relaxed);
        let has_room = before + weight <= BYTES_MAX;
        if !has_room || self.entries.try_send(LogEntry::Line(line)).is_err() {
            state.bytes.fetch_sub(weight, Ordering::Relaxed);
            state.drop_one();
        }
    }
}

impl State {
    fn drop_one(&self) {
        self.dropped.inc();
        self.unreported.fetch_add(1, Ordering::Relaxed);
    }
}

impl<'q> MakeWriter<'q> for LogQueue {
    type Writer = Line<'q>;

    fn make_writer(&'q self) -> Line<'q> {
        Line {
            queue: self,
            text: Vec::new(),
        }
    }
}

/// A line that is being made; it is put once it is whole.
pub(super) struct Line<'q> {
    queue: &'q LogQueue,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.queue.put(std::mem::take(&mut self.text));
        }
    }
}

struct WriterThread<W> {
    out: W,
    waiting: Receiver<LogEntry>,
    state: Arc<State>,
}

impl<W: Write> WriterThread<W> {
    fn run(mut self) {
        while let Ok(entry) = self.waiting.recv() {
            match entry {
                LogEntry::Line(line) => {
                    let is_written = self.write(&line);
                    self.state.bytes.fetch_sub(line.len(), Ordering::Relaxed);
                    if is_written && self.has_room() {
                        self.report_dropped();
                    } else {
                        self.state.drop_one();
                    }
                }
                LogEntry::Flush(written) => drop(written.send(())),
            }
        }
    }

    /// Writes a line; returns whether that worked. Even after a panic the thread goes on: without it nothing is logged.
    fn write(&mut self, line: &[u8]) -> bool {
        let write = || self.out.write_all(line).and_then(|()| self.out.flush());
        matches!(catch_unwind(AssertUnwindSafe(write)), Ok(Ok(())))
    }

    /// Whether the report of dropped lines, which is a line like any other, would not be dropped too.
    fn has_room(&self) -> bool {
        self.state.bytes.load(Ordering::Relaxed) <= BYTES_MAX / 4
    }

    /// Reports dropped lines, now that the log can be written.
    fn report_dropped(&self) {
        let count = self.state.unreported.swap(0, Ordering::Relaxed);
        if count > 0 {
            tracing::warn!(
                count,
                "log lines were dropped, since the log could not be written"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A log that can be written when the test says so.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<(bool, Vec<u8>)>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut log = self.0.lock().unwrap();
            if log.0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            log.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn say(queue: &LogQueue, line: &str) {
        queue.make_writer().write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn a_full_log_drops_lines_and_counts_them() {
        let log = Log::default();
        let queue = LogQueue::start(log.clone()).unwrap();
        say(&queue, "one\n");
        queue.flush();
        log.0.lock().unwrap().0 = true;
        say(&queue, "two\n");
        queue.flush();
        assert_eq!(
            (
                queue.dropped().get(),
                queue.state.unreported.load(Ordering::Relaxed)
            ),
            (1, 1)
        );
        log.0.lock().unwrap().0 = false;
        say(&queue, "three\n");
        queue.flush();
        assert_eq!(log.0.lock().unwrap().1, b"one\nthree\n");
        assert_eq!(queue.state.unreported.load(Ordering::Relaxed), 0);
    }

    /// A log that panics at its first line.
    struct Broken(Log);

    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert_ne!(bytes, b"one\n", "a bug");
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_panics_is_written_on() {
        let log = Log::default();
        let queue = LogQueue::start(Broken(log.clone())).unwrap();
        say(&queue, "one\n");
        say(&queue, "two\n");
        queue.flush();
        assert_eq!(log.0.lock().unwrap().1, b"two\n");
        assert_eq!(queue.dropped().get(), 1);
    }

    #[test]
    fn a_log_that_nobody_reads_holds_nobody_up() {
        let log = Log::default();
        let blocked = Arc::clone(&log.0);
        let queue = LogQueue::start(log).unwrap();
        let reading = blocked.lock().unwrap();
        let line = "x".repeat(1_000);
        for _ in 0..2 * BYTES_MAX / line.len() {
            say(&queue, &line);
        }
        assert!(queue.state.bytes.load(Ordering::Relaxed) <= BYTES_MAX);
        assert!(queue.dropped().get() > 1_000);
        drop(reading);
    }
}
