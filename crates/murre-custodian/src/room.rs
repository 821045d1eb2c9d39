//! Whether there is room to write on the disk under the store.
//!
//! ```text
//!  free on the disk      takes puts                                refuses puts, serves reads
//!  ------------------------------------------------------------------------------------------
//!                        until less than 16 MiB are free  ------>
//!                                                         <------  until 32 MiB are free and the reserve lies there
//!                        a write fails for want of room   ------>  (the shell has given the reserve up)
//! ```
//! Between the two marks all stays as it was, so that a disk at the edge does not make the node change its mind with
//! each file somebody else writes.
//!
//! Not here: the capacity, which is what the node may hold of a disk that is not full; see `boxes/quota.rs`.

use crate::limits::{DISK_BACK, DISK_LOW};

/// What a look at the disk leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Room came or went.
    pub changed: bool,
    /// The reserve should be laid.
    pub lay: bool,
}

/// Whether there is room.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    there_is: bool,
}

impl Room {
    /// There is room until a look says otherwise, unless there was none before.
    #[must_use]
    pub const fn opened(without: bool) -> Self {
        Self { there_is: !without }
    }

    /// Whether there is.
    #[must_use]
    pub const fn there_is(self) -> bool {
        self.there_is
    }

    /// So many bytes are free, and the reserve lies there or does not.
    // spec: K-43
    pub const fn look(&mut self, free: u64, reserve: bool) -> Look {
        let need = if self.there_is { DISK_LOW } else { DISK_BACK };
        let there_is = free >= need && reserve;
        let changed = there_is != self.there_is;
        self.there_is = there_is;
        Look { changed, lay: !reserve && free >= DISK_BACK }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: Look = Look { changed: true, lay: false };
    const SAME: Look = Look { changed: false, lay: false };

    #[test]
    fn room_goes_below_one_mark_and_comes_back_at_another() {
        let mut room = Room::opened(false);
        assert_eq!((room.look(u64::MAX, true), room.look(DISK_LOW, true)), (SAME, SAME));
        assert!(room.there_is());
        assert_eq!(room.look(DISK_LOW - 1, true), CHANGED);
        assert_eq!((room.look(DISK_LOW, true), room.look(DISK_BACK - 1, true)), (SAME, SAME));
        assert!(!room.there_is(), "not before the second mark");
        assert_eq!(room.look(DISK_BACK, true), CHANGED);
        assert!(room.there_is());
    }

    #[test]
    fn a_write_that_failed_takes_the_room_until_the_reserve_lies_again() {
        let mut room = Room::opened(false);
        assert_eq!(room.look(0, false), CHANGED);
        assert_eq!(room.look(DISK_BACK - 1, false), SAME, "no room for the reserve yet");
        let lay = Look { changed: false, lay: true };
        assert_eq!(
            (room.look(DISK_BACK, false), room.look(u64::MAX, false)),
            (lay, lay),
            "asked for until it lies"
        );
        assert!(!room.there_is());
        assert_eq!(room.look(DISK_BACK, true), CHANGED);
        assert!(room.there_is());
    }

    #[test]
    fn without_a_reserve_a_node_takes_nothing_however_much_is_free() {
        let mut room = Room::opened(false);
        assert_eq!(room.look(u64::MAX, false), Look { changed: true, lay: true });
        assert!(!room.there_is());
    }

    #[test]
    fn what_was_before_stays_between_the_marks() {
        for without in [false, true] {
            let mut room = Room::opened(without);
            assert_eq!(room.look(DISK_LOW, true), SAME);
            assert_eq!(room.there_is(), !without);
        }
    }
}
