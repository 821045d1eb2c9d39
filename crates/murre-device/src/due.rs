//! The one ladder of waits: what did not come is tried again, each time after twice as long, up to a limit.

use murre_core::Mono;

/// When something is due, and how long it waits after that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    /// The next time.
    pub at: Mono,
    /// The wait that led there.
    pub wait: u64,
}

impl Due {
    /// A first time.
    pub fn after(now: Mono, wait: u64) -> Self {
        Self { at: now.plus(wait), wait }
    }

    /// Waits twice as long, but not longer than `most`.
    pub fn later(&mut self, now: Mono, most: u64) {
        self.wait = (self.wait * 2).min(most);
        self.at = now.plus(self.wait);
    }
}
