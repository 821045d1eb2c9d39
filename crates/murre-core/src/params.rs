//! Every number two nodes of one network must agree on.
//!
//! The network file carries this struct, so a private network may choose its own. Production values are the
//! default; the simulator and the tests use [`NetworkParams::cheap`], which changes prices and nothing else.

use crate::time::{DAY, HOUR, MINUTE, SECOND};
use serde::{Deserialize, Serialize};

/// Effort and memory of one kind of puzzle (`spec/02-crypto.md`, puzzles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PuzzlePrice {
    /// Argon2id memory of one try, KiB.
    pub mem: u32,
    /// Expected number of tries.
    pub tries: u32,
}

/// How many copies a box gets, how many make it stored, how many are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// Copies.
    pub k: usize,
    /// Signed receipts that make "stored".
    pub w: usize,
    /// Custodians asked for a careful read.
    pub r: usize,
}

/// The agreed numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkParams {
    /// Length of a mailbox epoch, ms.
    pub epoch_ms: u64,
    /// How long an epoch still takes puts after its end, ms.
    pub grace_ms: u64,
    /// Largest clock difference a custodian accepts in a request, ms.
    pub skew_ms: u64,
    /// Price of one 4-MiB block of space in one locator and epoch.
    pub space: PuzzlePrice,
    /// Price of a place in the directory, paid once per node key.
    pub join: PuzzlePrice,
    /// Price of a request through a public link.
    pub link: PuzzlePrice,
    /// How long a node must have been seen before it counts, ms. Zero in a devnet.
    pub node_age_ms: u64,
    /// Whether placement spreads over address ranges. Off in a devnet, where all is loopback.
    pub diverse: bool,
    /// Certificates issued ahead for a writer's tag, in epochs.
    pub tag_epochs: u32,
    /// Below so many remaining certificates new ones are issued, in epochs.
    pub tag_renew_below: u32,
    /// Boxes per account or drop mailbox and epoch.
    pub account_boxes: u32,
    /// Bytes per account or drop mailbox and epoch.
    pub account_bytes: u64,
    /// Boxes per group mailbox and epoch.
    pub group_boxes: u32,
    /// Bytes per group mailbox and epoch.
    pub group_bytes: u64,
    /// Free bytes per door and epoch.
    pub door_bytes: u64,
    /// Puzzle block, bytes.
    pub block_bytes: u64,
}

impl NetworkParams {
    /// The values of the public network.
    #[must_use]
    pub const fn production() -> Self {
        Self {
            epoch_ms: 7 * DAY,
            grace_ms: DAY,
            skew_ms: 2 * HOUR,
            space: PuzzlePrice { mem: 1024, tries: 1_000 },
            join: PuzzlePrice { mem: 1024, tries: 60_000 },
            link: PuzzlePrice { mem: 1024, tries: 3_000 },
            node_age_ms: 48 * HOUR,
            diverse: true,
            tag_epochs: 29,
            tag_renew_below: 26,
            account_boxes: 4_096,
            account_bytes: 64 << 20,
            group_boxes: 16_384,
            group_bytes: 256 << 20,
            door_bytes: 256 << 10,
            block_bytes: 4 << 20,
        }
    }

    /// A network on one machine or one desk: no ageing, no diversity, small puzzles.
    #[must_use]
    pub const fn devnet() -> Self {
        Self {
            space: PuzzlePrice { mem: 256, tries: 50 },
            join: PuzzlePrice { mem: 256, tries: 50 },
            link: PuzzlePrice { mem: 256, tries: 100 },
            node_age_ms: 0,
            diverse: false,
            ..Self::production()
        }
    }

    /// For the simulator and tests: a devnet whose puzzles cost next to nothing.
    #[must_use]
    pub const fn cheap() -> Self {
        let price = PuzzlePrice { mem: 8, tries: 2 };
        Self { space: price, join: price, link: price, ..Self::devnet() }
    }

    /// Copies, receipts and reads for a network of `nodes` eligible nodes.
    ///
    /// At 12 and more: 8 copies survive the simultaneous death of 30 % of all nodes with probability
    /// 1 - 6.6e-5, and 6 + 5 > 8 + 2 leaves every careful read two honest witnesses against two liars.
    #[must_use]
    pub const fn quorum(nodes: usize) -> Quorum {
        let (k, w, r) = match nodes {
            0 | 1 => (1, 1, 1),
            2 => (2, 2, 1),
            3 => (3, 2, 2),
            4 => (4, 3, 2),
            5 => (5, 4, 2),
            6 => (6, 4, 3),
            7 => (7, 5, 3),
            8..=11 => (8, 6, 3),
            _ => (8, 6, 5),
        };
        Quorum { k, w, r }
    }

    /// Below so many eligible nodes the user is told that the network is small.
    pub const SMALL_NETWORK: usize = 12;
    /// Ranks beyond `k` that take over for silent custodians.
    pub const SPARE_RANKS: usize = 4;
}

impl Quorum {
    /// Whether only one custodian is sure to be among those that took a box and those that are read: if that one lies,
    /// nothing is found.
    #[must_use]
    pub const fn is_thin(&self) -> bool {
        self.w + self.r <= self.k + 1
    }
}

/// Delivery's own clockwork: local choices, not agreed ones.
pub mod delivery {
    use super::{DAY, HOUR, MINUTE, SECOND};

    /// A live send that is not receipted within this goes to the mailbox as well.
    pub const LIVE_RECEIPT_MS: u64 = 10 * SECOND;
    /// A put without answer is tried again after this, doubled up to [`RETRY_MAX_MS`].
    pub const RETRY_MS: u64 = 5 * SECOND;
    /// Longest wait between tries.
    pub const RETRY_MAX_MS: u64 = 10 * MINUTE;
    /// A box is put again this long before it expires.
    pub const REPUT_BEFORE_MS: u64 = 5 * DAY;
    /// After this an unreceipted message is "failed", with the choice to retry.
    pub const FAILED_AFTER_MS: u64 = 180 * DAY;
    /// Default life of a box.
    pub const BOX_TTL_HOURS: u32 = 30 * 24;
    /// Lone receipts in a direct chat: at most one per this.
    pub const LONE_RECEIPT_MS: u64 = 2 * SECOND;
    /// A hole in the log is shown to the user after this.
    pub const GAP_SHOWN_MS: u64 = 10 * MINUTE;
    /// Presence is renewed and believed for this.
    pub const PRESENCE_MS: u64 = HOUR;
    /// A request is posted again after this.
    pub const REPOST_MS: u64 = 5 * DAY;
    /// A request is given up after this.
    pub const REPOST_UNTIL_MS: u64 = 90 * DAY;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_overlap_and_grow() {
        for n in 1..40 {
            let q = NetworkParams::quorum(n);
            assert!(q.k <= n && q.w <= q.k && q.r <= q.k && q.w * 2 > q.k, "{n}");
        }
        let q = NetworkParams::quorum(12);
        assert!(q.w + q.r > q.k + 2, "two liars cannot hide a stored box");
    }
}
