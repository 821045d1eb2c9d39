//! Local numbers and the place of an entry in the order.

use murre_core::id::{AuthorId, EntryId};
use std::cmp::Ordering;

/// Local number of a log. Means nothing to another device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogNo(pub u32);

/// Local number of an author, unique over all logs. Means nothing to another device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorNo(pub u32);

impl AuthorNo {
    /// Key of this author's entry `seq` in a space of kind `Seq`: `AuthorNo u32 BE || seq u32 BE`.
    #[must_use]
    pub const fn row(self, seq: u32) -> u64 {
        ((self.0 as u64) << 32) | seq as u64
    }
}

/// Where an accepted entry stands. Sorts by (time, by, seq, id): the order of the log (spec: L-20), which
/// extends causality and is the same on every device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The log, locally.
    pub log: LogNo,
    /// The author, locally.
    pub author: AuthorNo,
    /// The author's key.
    pub by: AuthorId,
    /// The author's own number of the entry, from 0.
    pub seq: u32,
    /// Lamport time: 1 + the greatest of the parents.
    pub time: u64,
    /// The entry.
    pub id: EntryId,
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        // spec: L-20
        (self.time, self.by, self.seq, self.id, self.log, self.author).cmp(&(
            other.time,
            other.by,
            other.seq,
            other.id,
            other.log,
            other.author,
        ))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
