//! What was asked of this node and what became of it, in numbers since the machine was opened.
//!
//! Sums only: no locator, no id, no address is remembered here, so that whoever may read the numbers learns nothing
//! about anybody's mail. They begin at zero when the machine is opened again.

use crate::boxes::Taken;
use murre_core::params::PuzzlePrice;
use murre_mailbox::PutRefusal;

/// Prices that a node may ask for, as powers of two of the network's: 1, 2, 4, 8, 16.
pub const PRICES: usize = 5;

/// Counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Boxes and objects taken in from writers.
    pub put_stored: u64,
    /// The same that were held already and receipted again.
    pub put_known: u64,
    /// Refused: not paid, by the price that was asked for.
    pub put_unpaid: [u64; PRICES],
    /// Refused: the mailbox is full.
    pub put_quota: u64,
    /// Refused: not placed here.
    pub put_not_mine: u64,
    /// Refused: epoch or expiry out of range.
    pub put_expired: u64,
    /// Refused: other bytes are held.
    pub put_conflict: u64,
    /// Refused: no room.
    pub put_no_room: u64,
    /// Refused: too much at once.
    pub put_busy: u64,
    /// Refused: not valid.
    pub put_invalid: u64,
    /// Lists answered.
    pub list_answered: u64,
    /// Lists that were taken in to wait.
    pub list_waited: u64,
    /// Lists refused.
    pub list_refused: u64,
    /// Gets of boxes or objects answered.
    pub get_answered: u64,
    /// Gets refused.
    pub get_refused: u64,
    /// Requests worked on for an asker, at all custodians of a placement.
    pub coordinated: u64,
    /// Requests refused because the node is leaving.
    pub leaving: u64,
    /// Things that neighbours handed over.
    pub repair_fetched: u64,
    /// Those of them that were taken in.
    pub repair_stored: u64,
    /// Sweeps of what has expired.
    pub sweeps: u64,
    /// Rows that they removed.
    pub swept: u64,
}

impl Tally {
    /// A writer's box or object was looked at.
    pub fn put(&mut self, taken: &Taken, base: PuzzlePrice) {
        let counter = match taken {
            Taken::Stored(_) => &mut self.put_stored,
            Taken::Held(_) => &mut self.put_known,
            Taken::Invalid => &mut self.put_invalid,
            Taken::Refused(PutRefusal::NeedProof { price, .. }) => {
                let factor = price.tries.checked_div(base.tries).unwrap_or(1).max(1);
                let n = (factor.ilog2() as usize).min(PRICES - 1);
                match self.put_unpaid.get_mut(n) {
                    Some(counter) => counter,
                    None => return,
                }
            }
            Taken::Refused(PutRefusal::Quota) => &mut self.put_quota,
            Taken::Refused(PutRefusal::NotMine) => &mut self.put_not_mine,
            Taken::Refused(PutRefusal::Expired) => &mut self.put_expired,
            Taken::Refused(PutRefusal::Conflict { .. }) => &mut self.put_conflict,
            Taken::Refused(PutRefusal::NoRoom) => &mut self.put_no_room,
            Taken::Refused(PutRefusal::Busy) => &mut self.put_busy,
        };
        add(counter, 1);
    }

    /// A neighbour's things were looked at.
    pub fn repaired(&mut self, taken: &Taken) {
        add(&mut self.repair_fetched, 1);
        if matches!(taken, Taken::Stored(_)) {
            add(&mut self.repair_stored, 1);
        }
    }

    /// Expired rows were looked for, and so many removed.
    pub fn swept(&mut self, rows: usize) {
        add(&mut self.sweeps, 1);
        add(&mut self.swept, rows as u64);
    }
}

/// Counts on.
pub fn add(counter: &mut u64, n: u64) {
    *counter = counter.saturating_add(n);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_for_want_of_payment_are_counted_by_price() {
        let base = PuzzlePrice { mem: 8, tries: 3 };
        let mut tally = Tally::default();
        for factor in [1, 2, 4, 8, 16, 16, 1_000] {
            let price = PuzzlePrice { tries: 3 * factor, ..base };
            tally.put(&Taken::Refused(PutRefusal::NeedProof { price, block: 0 }), base);
        }
        assert_eq!(tally.put_unpaid, [1, 1, 1, 1, 3]);
        let free = PuzzlePrice { mem: 8, tries: 0 };
        tally.put(&Taken::Refused(PutRefusal::NeedProof { price: free, block: 0 }), free);
        assert_eq!(tally.put_unpaid[0], 2);
    }
}
