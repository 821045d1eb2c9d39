//! Every bound of the mailbox layer, and the clock-free windows that epochs and expiries must fall into.
//!
//! The four box sizes are computed, not chosen: one whole put request must fit `n` cells of the mix with its
//! certificate, its proof of work and the reply blocks by which the receipts come back.
//!
//! ```text
//!  n cells of 4,079 B, each with a 16 B fragment head          n * 4,063
//!  ------------------------------------------------------------------------
//!  | reply blocks 3 x 428 | frame, head, certificate, tag     | payload    |
//!  |       = 1,284        | signature, proof: at most 448     | the rest   |
//!  ------------------------------------------------------------------------
//! ```

use crate::keys::MailboxKind;
use murre_core::params::PuzzlePrice;
use murre_core::time::HOUR;
use murre_core::{NetworkParams, Wall};
use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::marker::PhantomData;

/// Plain bytes that one cell of the mix carries.
pub const CELL: usize = 4_079;
/// Bytes at the head of each cell that put the parts of one request together again.
pub const FRAGMENT_HEAD: usize = 16;
/// Reply blocks sent with a request.
pub const REPLY_BLOCKS: usize = 3;
/// Size of one reply block.
pub const REPLY_BLOCK: usize = 428;
/// Most bytes that a put request adds to the payload of its box.
pub const REQUEST_OVERHEAD: usize = 448;

/// Size classes of a box: the number of mix cells a whole put of it takes.
pub const CLASSES: [u8; 4] = [1, 4, 16, 64];
/// Payload bytes of a box of each class, in the order of [`CLASSES`].
pub const PAYLOADS: [usize; 4] = [payload_of(1), payload_of(4), payload_of(16), payload_of(64)];
/// Bytes of a payload that are not plaintext: the length prefix and the AEAD tag.
pub const PAYLOAD_OVERHEAD: usize = 4 + 16;
/// Longest plaintext of one box.
pub const MAX_PLAINTEXT: usize = payload_of(64) - PAYLOAD_OVERHEAD;
/// Longest encoded head of a box.
pub const MAX_HEAD: usize = 320;
/// Longest encoded box.
pub const MAX_BOX: usize = payload_of(64) + REQUEST_OVERHEAD;

const fn payload_of(cells: usize) -> usize {
    cells * (CELL - FRAGMENT_HEAD) - REPLY_BLOCKS * REPLY_BLOCK - REQUEST_OVERHEAD
}

/// Payload size of a class, or nothing if there is no such class.
// spec: B-5
#[must_use]
pub fn payload_len(class: u8) -> Option<usize> {
    CLASSES.iter().zip(PAYLOADS).find(|(c, _)| **c == class).map(|(_, len)| len)
}

/// Smallest class whose payload holds a plaintext of `len` bytes.
#[must_use]
pub fn class_for(len: usize) -> Option<u8> {
    CLASSES.iter().zip(PAYLOADS).find(|(_, p)| len.saturating_add(PAYLOAD_OVERHEAD) <= *p).map(|(c, _)| *c)
}

/// Lives a writer may give a box, hours.
pub const TTL_HOURS: [u32; 5] = [1, 24, 7 * 24, 14 * 24, 30 * 24];
/// Longest life of a box, hours.
pub const MAX_TTL_HOURS: u32 = 30 * 24;
/// Epochs by which an owner object may be put ahead.
pub const OBJECT_EPOCHS_AHEAD: u64 = 9;
/// Longest stored row of a mailbox's keys.
pub const MAX_ADDRESS_ROW: usize = 512;
/// Most certificates in one run.
pub const MAX_CERTS: usize = 64;
/// Most request slots of a door.
pub const MAX_SLOTS: usize = 64;
/// Longest payload of an owner object.
pub const MAX_OBJECT_PAYLOAD: usize = 64 << 10;
/// Longest encoded owner object: payload, slots of at most 104 bytes each, and the rest.
pub const MAX_OBJECT: usize = MAX_OBJECT_PAYLOAD + MAX_SLOTS * 104 + 512;

/// Most box ids in one get, tombstone or repair fetch.
pub const MAX_IDS: usize = 64;
/// Most box ids in one custodian's list answer or repair answer.
pub const MAX_LIST_IDS: usize = 1_024;
/// Most cursors in one list request.
pub const MAX_CURSORS: usize = 16;
/// Most answers of single custodians in one reply: the largest placement, with room.
pub const MAX_PARTS: usize = 16;
/// Bytes of boxes that one get or repair answer carries at most; the rest is asked for again.
pub const MAX_BOXES_BYTES: usize = murre_core::link::MAX_FRAME - (32 << 10);
/// Longest wait of a list request on an open link, ms.
pub const MAX_WAIT_MS: u32 = 60_000;

/// A custodian may ask for at most so many times the network's price of space: the price doubles four times, and where
/// it would double again nothing fits.
pub const MAX_PRICE_FACTOR: u32 = 16;

/// Blocks of space that a place can have in one epoch. A custodian that names another asks for work that pays for
/// nothing.
#[must_use]
pub const fn space_blocks(kind: MailboxKind, p: &NetworkParams) -> u32 {
    let bytes = match kind {
        MailboxKind::Account | MailboxKind::Drop | MailboxKind::Door => p.account_bytes,
        MailboxKind::Group => p.group_bytes,
    };
    match bytes.checked_sub(1) {
        // The last byte of the quota lies in the last block.
        Some(last) => match last.checked_div(p.block_bytes) {
            Some(n) if n < u32::MAX as u64 => n as u32 + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// Most nodes in a directory.
pub const MAX_NODES: usize = 5_000;
/// Most descriptors in one frame.
pub const MAX_DESCRIPTORS: usize = 1_024;
/// Longest descriptor on the wire.
pub const MAX_DESCRIPTOR: usize = 640;
/// A descriptor older than this no longer counts, ms.
pub const DESCRIPTOR_FRESH_MS: u64 = 24 * HOUR;
/// A descriptor dated further ahead than this is refused, ms.
pub const DESCRIPTOR_AHEAD_MS: u64 = HOUR;
/// A node unheard of for this long is forgotten, with the time it was first seen, ms.
pub const NODE_FORGET_MS: u64 = 7 * 24 * HOUR;
/// Longest network file.
pub const MAX_NETWORK_FILE: usize = 4 << 10;
/// Longest network name, bytes.
pub const MAX_NETWORK_NAME: usize = 64;
/// Most anchor keys of a network.
pub const MAX_ANCHORS: usize = 16;

/// The earliest start and the latest end that epoch `e` can have for any mailbox: a custodian does not know
/// the mailbox's offset, so this is all it can hold a box to. Nothing if `e` lies beyond the end of time.
#[must_use]
pub fn epoch_bounds(e: u64, p: &NetworkParams) -> Option<(Wall, Wall)> {
    let nominal = e.checked_mul(p.epoch_ms)?;
    let end = nominal.checked_add(p.epoch_ms)?;
    Some((Wall(nominal.saturating_sub(p.epoch_ms.saturating_sub(1))), Wall(end)))
}

/// Whether a custodian whose network time is `now` takes boxes for epoch `e`.
// spec: B-9
#[must_use]
pub fn takes_puts(e: u64, now: Wall, p: &NetworkParams) -> bool {
    epoch_bounds(e, p)
        .is_some_and(|(from, to)| now.plus(p.skew_ms) >= from && now <= to.plus(p.grace_ms).plus(p.skew_ms))
}

/// Whether a custodian whose network time is `now` takes an owner object for epoch `e`.
// spec: B-17
#[must_use]
pub fn takes_objects(e: u64, now: Wall, p: &NetworkParams) -> bool {
    let ahead = p.epoch_ms.saturating_mul(OBJECT_EPOCHS_AHEAD);
    epoch_bounds(e, p).is_some_and(|(from, to)| {
        now.plus(ahead).plus(p.skew_ms) >= from && now <= to.plus(p.grace_ms).plus(p.skew_ms)
    })
}

/// Whether an expiry hour can belong to epoch `e` at all, whatever the time is.
// spec: B-6
#[must_use]
pub fn expiry_fits_epoch(x: u32, e: u64, p: &NetworkParams) -> bool {
    epoch_bounds(e, p).is_some_and(|(from, to)| {
        let last = to.plus(p.grace_ms).plus(p.skew_ms).hour().saturating_add(MAX_TTL_HOURS + 1);
        x > from.hour() && x <= last
    })
}

/// Whether a custodian whose network time is `now` takes a box that expires at hour `x`.
// spec: B-7
#[must_use]
pub fn expiry_acceptable(x: u32, now: Wall) -> bool {
    x > now.hour() && x <= now.hour().saturating_add(MAX_TTL_HOURS + 1)
}

/// Reads a list of at most `MAX` items and stops at the first one too many, so that a frame of small items
/// cannot grow into a large list.
///
/// # Errors
/// The deserializer's, or one item too many.
pub fn list<'de, const MAX: usize, T, D>(d: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Items<const MAX: usize, T>(PhantomData<T>);

    impl<'de, const MAX: usize, T: Deserialize<'de>> de::Visitor<'de> for Items<MAX, T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MAX} items")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut out = Vec::new();
            while let Some(item) = seq.next_element()? {
                if out.len() == MAX {
                    return Err(de::Error::invalid_length(MAX + 1, &self));
                }
                out.push(item);
            }
            Ok(out)
        }
    }

    d.deserialize_seq(Items::<MAX, T>(PhantomData))
}

/// Boxes at a paid door after which the price of the next one doubles.
pub const SLOT_STEP: u32 = 8;
/// At most this many times the network's price of a request: that of the last slots of a full door.
pub const MAX_SLOT_FACTOR: u32 = 128;

/// What a box costs at a paid door that has so many.
// spec: B-25
#[must_use]
pub const fn slot_price(base: PuzzlePrice, held: u32) -> PuzzlePrice {
    let step = match held.checked_div(SLOT_STEP) {
        Some(step) if step < 7 => step,
        _ => 7,
    };
    PuzzlePrice { mem: base.mem, tries: base.tries.saturating_mul(1 << step) }
}
