//! What the program takes from the machine: randomness and its own names.

use alert_connectors_model::Random;
use ring::rand::{SecureRandom, SystemRandom};

/// The system's cryptographic randomness.
#[derive(Debug)]
pub(crate) struct System(SystemRandom);

impl Default for System {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Random for System {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes).expect("the kernel's random source does not fail once the system is up");
    }
}

/// Names that can only mean this machine.
pub(crate) fn own_names() -> Vec<String> {
    let name = gethostname::gethostname().to_string_lossy().to_ascii_lowercase();
    if name.is_empty() { Vec::new() } else { vec![name] }
}
