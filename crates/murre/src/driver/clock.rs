//! Both clocks of the machine this runs on.

use murre_core::{Mono, Now, Wall};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Reads both clocks. Its monotonic zero is the moment it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Both clocks, now. A wall clock before 1970 reads as zero.
    // spec: M-7
    #[must_use]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: Mono(millis(self.0.elapsed())), wall: Wall(millis(wall)) }
    }

    /// When a moment comes on the system's own clock; none for one beyond its range.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Option<Instant> {
        self.0.checked_add(Duration::from_millis(at.0))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
