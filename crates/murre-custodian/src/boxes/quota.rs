//! How much a mailbox may put here, and what space costs.
//!
//! ```text
//!  bytes put at a locator   |--- block 0 ---|--- block 1 ---|--- block 2 ---|   4 MiB each
//!  paid for by                 solution 0       solution 1      solution 2       (a door: first 256 KiB free)
//!
//!  in use          0 .. 60 %   60 .. 70 %   70 .. 80 %   80 .. 90 %   90 .. 100 %   full
//!  price              x1          x1           x2           x4           x8         x16
//!  new locators       yes         yes          yes          no           no          no
//!  opened under pressure  -       yes          yes          no           no          no
//!  opened before          -       yes          yes          yes          yes         no
//! ```
//!
//! Pure arithmetic; the counters it is asked about are rows.

use crate::limits::{PRESSURE_PERCENT, RESERVE_PERCENT};
use murre_core::NetworkParams;
use murre_core::params::PuzzlePrice;
use murre_mailbox::MailboxKind;
use murre_mailbox::limits::{MAX_PRICE_FACTOR, MAX_SLOTS};

/// What one locator, and one tag in it, may put in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Boxes of the locator.
    pub boxes: u32,
    /// Bytes of the locator.
    pub bytes: u64,
    /// Boxes of one tag.
    pub tag_boxes: u32,
    /// Bytes of one tag.
    pub tag_bytes: u64,
}

/// The quota of a kind of mailbox.
// spec: K-12
#[must_use]
pub const fn quota(kind: MailboxKind, p: &NetworkParams) -> Quota {
    let (boxes, bytes) = (p.account_boxes, p.account_bytes);
    match kind {
        // One contact that floods leaves three quarters to the others.
        MailboxKind::Account => Quota { boxes, bytes, tag_boxes: boxes / 4, tag_bytes: bytes / 4 },
        MailboxKind::Drop => Quota { boxes, bytes, tag_boxes: boxes, tag_bytes: bytes },
        MailboxKind::Group => Quota {
            boxes: p.group_boxes,
            bytes: p.group_bytes,
            tag_boxes: p.group_boxes,
            tag_bytes: p.group_bytes,
        },
        // A door takes one box per slot; the owner's object says which slots there are.
        MailboxKind::Door => Quota { boxes: MAX_SLOTS as u32, bytes, tag_boxes: 1, tag_bytes: bytes },
    }
}

/// The block of space into which the next byte at a locator falls, or nothing while space is free.
// spec: K-15
#[must_use]
pub const fn block(kind: MailboxKind, used: u64, adding: u64, p: &NetworkParams) -> Option<u32> {
    if matches!(kind, MailboxKind::Door) && used.saturating_add(adding) <= p.door_bytes {
        return None;
    }
    match used.checked_div(p.block_bytes) {
        Some(n) if n < u32::MAX as u64 => Some(n as u32),
        _ => Some(0),
    }
}

/// How full the disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes held, rows reckoned in.
    pub used: u64,
    /// Bytes this node was told it may hold.
    pub size: u64,
}

impl Disk {
    /// Share in use, per cent.
    #[must_use]
    pub const fn percent(&self) -> u64 {
        match self.used.saturating_mul(100).checked_div(self.size) {
            Some(p) => p,
            None => 100,
        }
    }

    /// The price of one block now.
    // spec: K-16
    #[must_use]
    pub const fn price(&self, base: PuzzlePrice) -> PuzzlePrice {
        PuzzlePrice { mem: base.mem, tries: base.tries.saturating_mul(self.factor()) }
    }

    /// How many times the network's price a block costs now.
    #[must_use]
    pub const fn factor(&self) -> u32 {
        let mut steps = self.percent().saturating_sub(PRESSURE_PERCENT) / 10;
        let mut factor = 1;
        while steps > 0 && factor < MAX_PRICE_FACTOR {
            (steps, factor) = (steps.saturating_sub(1), factor * 2);
        }
        factor
    }

    /// Whether `adding` bytes fit. The reserve is for locators that were open before the pressure.
    // spec: K-17
    #[must_use]
    pub const fn has_room(&self, adding: u64, before: bool) -> bool {
        let after = Self { used: self.used.saturating_add(adding), size: self.size };
        after.used <= self.size && (before || after.percent() < RESERVE_PERCENT)
    }

    /// Whether the price is raised.
    #[must_use]
    pub const fn pressed(&self) -> bool {
        self.percent() >= PRESSURE_PERCENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_doubles_with_each_tenth_of_the_disk_above_sixty_per_cent() {
        let base = PuzzlePrice { mem: 8, tries: 3 };
        let at = |used| Disk { used, size: 1_000 }.price(base).tries;
        assert_eq!([at(0), at(600), at(699), at(700), at(800), at(900), at(1_000)], [3, 3, 3, 6, 12, 24, 48]);
        assert_eq!(Disk { used: u64::MAX, size: 0 }.price(base).tries, 48);
    }

    #[test]
    fn the_reserve_is_for_locators_that_are_open() {
        let disk = Disk { used: 799, size: 1_000 };
        assert!(disk.has_room(0, false) && !disk.has_room(1, false));
        assert!(disk.has_room(201, true) && !disk.has_room(202, true));
    }

    #[test]
    fn a_door_is_free_up_to_its_share_and_others_never() {
        let p = NetworkParams::cheap();
        assert_eq!(block(MailboxKind::Door, 0, p.door_bytes, &p), None);
        assert_eq!(block(MailboxKind::Door, 1, p.door_bytes, &p), Some(0));
        assert_eq!(block(MailboxKind::Account, 0, 1, &p), Some(0));
        assert_eq!(block(MailboxKind::Account, p.block_bytes - 1, 1, &p), Some(0));
        assert_eq!(block(MailboxKind::Group, p.block_bytes, 1, &p), Some(1));
    }

    #[test]
    fn one_tag_gets_a_quarter_of_an_account() {
        let p = NetworkParams::production();
        let q = quota(MailboxKind::Account, &p);
        assert_eq!((q.tag_boxes, q.tag_bytes), (1_024, 16 << 20));
        assert_eq!(quota(MailboxKind::Group, &p).tag_boxes, 16_384);
    }
}
