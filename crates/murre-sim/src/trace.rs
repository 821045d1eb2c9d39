//! The trace hash: two runs of one seed are the same run, or the simulator lies.

use murre_core::{Dest, Transmit};

/// A running hash over everything that happened, in order, with its time and place.
#[derive(Debug)]
pub struct Trace {
    hasher: blake3::Hasher,
    steps: u64,
}

impl Default for Trace {
    fn default() -> Self {
        Self { hasher: blake3::Hasher::new(), steps: 0 }
    }
}

impl Trace {
    /// Something happened at a host.
    pub fn note(&mut self, at: u64, host: usize, what: &str, bytes: &[u8]) {
        self.steps += 1;
        self.hasher.update(&at.to_be_bytes());
        self.hasher.update(&(host as u64).to_be_bytes());
        self.hasher.update(&(what.len() as u64).to_be_bytes());
        self.hasher.update(what.as_bytes());
        self.hasher.update(&(bytes.len() as u64).to_be_bytes());
        self.hasher.update(bytes);
    }

    /// A host sent something.
    pub fn transmit(&mut self, at: u64, host: usize, t: &Transmit) {
        let to = match &t.to {
            Dest::Link(link) => format!("link {}", link.0),
            Dest::Peer(peer) => format!("peer {}", peer.key),
            Dest::Close(link) => format!("close {}", link.0),
        };
        self.note(at, host, &to, &t.bytes);
    }

    /// How many things happened.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The hash so far.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }
}
