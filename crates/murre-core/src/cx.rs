//! What a child machine is given in a turn.

use crate::{Now, Rng, Turn};
use std::collections::VecDeque;

/// The context of one child call: time, randomness, the turn's reads and writes, and the way up.
///
/// A child only emits [`Cx::up`]; it never calls a sibling. Its parent drains what was emitted in `route.rs`.
pub struct Cx<'a, 'v, U> {
    /// Both clocks, read once for this turn.
    pub now: Now,
    /// The machine's generator.
    pub rng: &'a mut Rng,
    /// This turn's reads and writes.
    pub tx: &'a mut Turn<'v>,
    up: &'a mut VecDeque<U>,
}

impl<'a, 'v, U> Cx<'a, 'v, U> {
    /// Binds a child call to its turn.
    pub fn new(now: Now, rng: &'a mut Rng, tx: &'a mut Turn<'v>, up: &'a mut VecDeque<U>) -> Self {
        Self { now, rng, tx, up }
    }

    /// Tells the parent.
    pub fn up(&mut self, event: U) {
        self.up.push_back(event);
    }
}

impl<U> std::fmt::Debug for Cx<'_, '_, U> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").field("now", &self.now).finish_non_exhaustive()
    }
}
