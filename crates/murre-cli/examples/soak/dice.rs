//! Chance with a seed.

use std::time::Duration;

/// xorshift64*: a plan is told by its number.
pub struct Dice(u64);

impl Dice {
    /// One generator per thread: no thread's luck depends on how fast another one runs.
    pub fn new(seed: u64, thread: u64) -> Self {
        Self((seed ^ thread.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % n.max(1)
    }

    /// A time between `from` and `to`, in ms.
    pub fn ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to.saturating_sub(from)))
    }
}
