//! Blocks in the model: what is written after one is not heard before it is taken back.

use super::Model;

impl Model {
    /// A person blocks another: nothing that is written from here on may be shown.
    pub fn blocks(&mut self, me: usize, other: usize) {
        let now = self.sent.len();
        let side = self.side(me, other);
        side.deaf.get_or_insert(now);
        side.was_deaf = true;
    }

    /// The block is taken back: everything comes after all.
    pub fn unblocks(&mut self, me: usize, other: usize) {
        self.side(me, other).deaf = None;
    }

    /// Whether a person may not see this text, because its writer is blocked.
    pub(super) fn is_deaf(&self, me: usize, number: usize) -> bool {
        let from = self.sent[number].from;
        let deaf = self.sides.get(&(me, from)).and_then(|s| s.deaf);
        from != me && deaf.is_some_and(|since| number >= since)
    }

    /// Whether a person has blocked another, perhaps not any more: a device hears of the end a moment later.
    #[must_use]
    pub fn ever_blocked(&self, me: usize, other: usize) -> bool {
        self.sides.get(&(me, other)).is_some_and(|s| s.was_deaf)
    }
}
