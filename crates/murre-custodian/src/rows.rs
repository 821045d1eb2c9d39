//! The node's durable rows.
//!
//! ```text
//! space                 key                                   value
//! custodian_meta    any "join"                                join-puzzle solution
//!                   any "loc"                                 next locator number
//! custodian_boxes   seq arrival u64                           sealed box, as received
//! custodian_ids     any box id                                IdRow: where it lies, its hash, its expiry
//! custodian_locs    any locator                               LocRow: number, epoch, counters
//! custodian_list    any locator no u32, seq u64               box id
//! custodian_repair  any epoch u64, expiry hour u32, id        locator, or empty under a tombstone
//! custodian_tags    any locator no u32, tag                   TagRow: counters
//! custodian_paid    any locator no u32, block u32             the solution that paid
//! custodian_objects any locator                               ObjectRow: owner object, its expiry
//! custodian_tombs   any locator no u32, id                    tombstone, as received
//! custodian_ends    any hour u32, locator                     locator number, swept when the hour has come
//! custodian_epochs  any epoch u64                             EpochRow: live boxes and bytes
//! ```
//!
//! A box is one append plus small rows; nothing large is keyed by a hash. The repair set has exactly the order in
//! which boxes expire, so one index serves both the repair pages and the sweep.

use murre_core::codec::{decode_row, encode_row};
use murre_core::id::{BoxId, Bytes, Locator};
use murre_core::{Direction, Range, Space, Turn, TurnError, View};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Single values.
pub const META: Space = Space::any(200, "custodian_meta");
/// Sealed boxes in order of arrival.
pub const BOXES: Space = Space::seq(201, "custodian_boxes");
/// Where a box lies.
pub const IDS: Space = Space::any(202, "custodian_ids");
/// Open locators.
pub const LOCATORS: Space = Space::any(203, "custodian_locs");
/// Boxes of a locator in the order they came.
pub const LIST: Space = Space::any(204, "custodian_list");
/// The repair set, which is also the order of expiry.
pub const REPAIR: Space = Space::any(205, "custodian_repair");
/// What each tag has put.
pub const TAGS: Space = Space::any(206, "custodian_tags");
/// Blocks of space that were paid for.
pub const PAID: Space = Space::any(207, "custodian_paid");
/// Owner objects.
pub const OBJECTS: Space = Space::any(208, "custodian_objects");
/// Tombstones.
pub const TOMBS: Space = Space::any(209, "custodian_tombs");
/// When a locator's rows end.
pub const ENDS: Space = Space::any(210, "custodian_ends");
/// What is held for each epoch.
pub const EPOCHS: Space = Space::any(211, "custodian_epochs");

/// Every space of this crate, for the store and for tests.
pub const ALL: [Space; 12] =
    [META, BOXES, IDS, LOCATORS, LIST, REPAIR, TAGS, PAID, OBJECTS, TOMBS, ENDS, EPOCHS];

/// Version byte of every row.
pub const V: u8 = 1;
/// Key of the join solution in [`META`].
pub const JOIN: &[u8] = b"join";
/// Key of the next locator number in [`META`].
pub const NEXT_LOCATOR: &[u8] = b"loc";

/// What lies under an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A box, its bytes in [`BOXES`].
    #[serde(rename = "b")]
    Box,
    /// An owner object, its bytes in [`OBJECTS`].
    #[serde(rename = "o")]
    Object,
    /// A tombstone, its bytes in [`TOMBS`].
    #[serde(rename = "t")]
    Tombstone,
    /// A box whose bytes a tombstone took away, or forbade before they came; the object of a door that is shut.
    #[serde(rename = "g")]
    Gone,
}

/// Where one box, object or tombstone lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRow {
    /// Arrival number, the key in [`BOXES`].
    pub n: u64,
    /// Locator number.
    pub l: u32,
    /// Place in the locator's list.
    pub s: u64,
    /// Hash of the box's bytes.
    pub h: Bytes<32>,
    /// Expiry hour.
    pub x: u32,
    /// Length of the box's bytes.
    pub z: u32,
    /// What lies under this id.
    pub w: What,
}

/// One owner object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRow {
    /// Expiry hour.
    pub x: u32,
    /// The object, as received.
    pub o: ByteBuf,
}

/// One open locator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocRow {
    /// Its number here.
    pub n: u32,
    /// Its epoch.
    pub e: u64,
    /// Boxes ever put in this epoch.
    pub b: u32,
    /// Bytes ever put in this epoch.
    pub z: u64,
    /// Next place in its list; the first is 1.
    pub s: u64,
    /// A door that its owner has shut.
    pub c: bool,
    /// A door where each box costs a puzzle.
    pub p: bool,
    /// Opened under pressure, and nothing came since the pressure ended: it may not use the reserve.
    pub u: bool,
}

/// What one tag has put at one locator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRow {
    /// Boxes.
    pub b: u32,
    /// Bytes.
    pub z: u64,
}

/// What is held for one epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Live boxes.
    pub b: u64,
    /// Their bytes, and those of owner objects.
    pub z: u64,
    /// Open locators.
    pub l: u64,
}

/// Reads one row.
///
/// # Errors
/// [`TurnError`] if the store fails or the row is damaged.
pub fn get<T: DeserializeOwned>(view: &dyn View, space: Space, key: &[u8]) -> Result<Option<T>, TurnError> {
    match view.get(space, key)? {
        Some(bytes) => row(space, &bytes).map(Some),
        None => Ok(None),
    }
}

/// Decodes one row's value.
///
/// # Errors
/// [`TurnError::Damaged`] if it does not decode.
pub fn row<T: DeserializeOwned>(space: Space, bytes: &[u8]) -> Result<T, TurnError> {
    decode_row(V, bytes).map_err(|_| TurnError::Damaged { space: space.name })
}

/// Writes one row.
pub fn put<T: Serialize>(tx: &mut Turn<'_>, space: Space, key: &[u8], value: &T) {
    tx.put(space, key, encode_row(V, value));
}

/// `locator number || rest`, the key of [`LIST`], [`TAGS`] and [`PAID`].
#[must_use]
pub fn under(locator: u32, rest: &[u8]) -> Vec<u8> {
    let mut key = locator.to_be_bytes().to_vec();
    key.extend_from_slice(rest);
    key
}

/// Key of [`REPAIR`].
#[must_use]
pub fn repair_key(epoch: u64, hour: u32, id: &BoxId) -> Vec<u8> {
    let mut key = epoch.to_be_bytes().to_vec();
    key.extend_from_slice(&hour.to_be_bytes());
    key.extend_from_slice(id.as_bytes());
    key
}

/// Takes a key of [`REPAIR`] apart.
///
/// # Errors
/// [`TurnError::Damaged`] if it has another shape.
pub fn repair_parts(key: &[u8]) -> Result<(u64, u32, BoxId), TurnError> {
    let damaged = TurnError::Damaged { space: REPAIR.name };
    let (Some(epoch), Some(hour), Some(id)) = (key.get(..8), key.get(8..12), key.get(12..)) else {
        return Err(damaged);
    };
    match (epoch.try_into(), hour.try_into(), BoxId::from_slice(id)) {
        (Ok(epoch), Ok(hour), Some(id)) => Ok((u64::from_be_bytes(epoch), u32::from_be_bytes(hour), id)),
        _ => Err(damaged),
    }
}

/// Key of [`ENDS`].
#[must_use]
pub fn end_key(hour: u32, locator: &Locator) -> Vec<u8> {
    let mut key = hour.to_be_bytes().to_vec();
    key.extend_from_slice(locator.as_bytes());
    key
}

/// Next free arrival number.
///
/// # Errors
/// [`TurnError`] if the store fails.
pub fn next_arrival(view: &dyn View) -> Result<u64, TurnError> {
    let last = view.scan(BOXES, &Range::all(), Direction::Backward, 1)?;
    match last.first() {
        None => Ok(1),
        Some((key, _)) => key
            .as_slice()
            .try_into()
            .map(|k| u64::from_be_bytes(k).saturating_add(1))
            .map_err(|_| TurnError::Damaged { space: BOXES.name }),
    }
}
