//! The machine's randomness and its own names.

use std::cell::RefCell;

use alert_connectors_model::Random;
use ring::rand::SecureRandom;

/// The system's cryptographic randomness.
#[derive(Debug)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl Default for SystemRandom {
    fn default() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl SystemRandom {
    fn ask(&self, bytes: &mut [u8]) {
        self.0
            .fill(bytes)
            .expect("the kernel's random source does not fail once the system is up");
    }
}

/// Random bytes fetched ahead: an id takes ten, and asking the kernel for each costs more than the rest of making it.
struct Ahead {
    bytes: [u8; AHEAD_BYTES],
    used: usize,
}

const AHEAD_BYTES: usize = 1_024;
/// An id takes no more. Keys, tokens and nonces do: they come straight from the kernel and stay in no buffer.
const ID_BYTES_MAX: usize = 10;

thread_local! {
    static AHEAD: RefCell<Ahead> = const { RefCell::new(Ahead { bytes: [0; AHEAD_BYTES], used: AHEAD_BYTES }) };
}

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > ID_BYTES_MAX {
            return self.ask(bytes);
        }
        AHEAD.with_borrow_mut(|ahead| {
            if ahead.used + bytes.len() > AHEAD_BYTES {
                self.ask(&mut ahead.bytes);
                ahead.used = 0;
            }
            bytes.copy_from_slice(&ahead.bytes[ahead.used..ahead.used + bytes.len()]);
            ahead.used += bytes.len();
        });
    }
}

/// Names that can only mean this machine, for [`UrlRules::own_names`](alert_connectors_model::UrlRules).
pub fn own_names() -> Vec<String> {
    let name = gethostname::gethostname()
        .to_string_lossy()
        .to_ascii_lowercase();
    if name.is_empty() {
        Vec::new()
    } else {
        vec![name]
    }
}
