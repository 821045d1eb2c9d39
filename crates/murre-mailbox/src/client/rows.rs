//! What the client half keeps in the store.
//!
//! | space | key | value (version 1) |
//! |---|---|---|
//! | 150 `mailbox place` | place number, u64 | [`PlaceRow`] |
//! | 151 `mailbox taken` | place number u32, chunk number u32 | `[box id, ...]`, at most 64 |
//!
//! A place is one mailbox in one epoch. Its number grows, so that the rows that are written while mail arrives
//! lie side by side and not where a hash would scatter them. Both rows are forgotten when the epoch is dead.

use crate::request::Cursor;
use murre_core::codec::{decode_row, encode_row};
use murre_core::id::{BoxId, Locator, PeerKey};
use murre_core::{Direction, Range, Space, Turn, TurnError, View, Wall};
use serde::{Deserialize, Serialize};

/// Places under watch: one row each.
pub const PLACES: Space = Space::seq(150, "mailbox place");
/// Boxes whose content the parent has stored.
pub const TAKEN: Space = Space::seq(151, "mailbox taken");
const VERSION: u8 = 1;
/// Rows of one read while opening.
const PAGE: usize = 512;

/// One mailbox in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceRow {
    /// Where.
    pub l: Locator,
    /// When nothing alive can be left in it.
    pub x: Wall,
    /// How far each custodian's list was read and taken. At most one per rank.
    pub c: Vec<(PeerKey, Cursor)>,
    /// Whether the careful read after its close-out is done.
    pub d: bool,
}

/// Every place row, in order of its number.
pub fn places(view: &dyn View) -> Result<Vec<(u32, PlaceRow)>, TurnError> {
    let mut out = Vec::new();
    let mut range = Range::all();
    loop {
        let page = view.scan(PLACES, &range, Direction::Forward, PAGE)?;
        let full = page.len() == PAGE;
        for (key, value) in page {
            range = Range::after(&key);
            let damaged = || TurnError::Damaged { space: PLACES.name };
            let number =
                <[u8; 8]>::try_from(key.as_slice()).map(u64::from_be_bytes).map_err(|_| damaged())?;
            let number = u32::try_from(number).map_err(|_| damaged())?;
            out.push((number, decode_row(VERSION, &value).map_err(|_| damaged())?));
        }
        if !full {
            return Ok(out);
        }
    }
}

/// Writes a place row.
pub fn put_place(tx: &mut Turn<'_>, number: u32, row: &PlaceRow) {
    tx.put(PLACES, &u64::from(number).to_be_bytes(), encode_row(VERSION, row));
}

/// Boxes taken in a place, chunk by chunk.
pub fn taken(view: &dyn View, number: u32) -> Result<Vec<Vec<BoxId>>, TurnError> {
    let mut out = Vec::new();
    let mut from = chunk_key(number, 0);
    let end = chunk_key(number.saturating_add(1), 0);
    loop {
        let page = view.scan(TAKEN, &Range::seq(from, end), Direction::Forward, PAGE)?;
        let full = page.len() == PAGE;
        for (key, value) in page {
            let damaged = || TurnError::Damaged { space: TAKEN.name };
            let key = <[u8; 8]>::try_from(key.as_slice()).map(u64::from_be_bytes).map_err(|_| damaged())?;
            from = key.saturating_add(1);
            out.push(decode_row(VERSION, &value).map_err(|_| damaged())?);
        }
        if !full {
            return Ok(out);
        }
    }
}

/// Writes one chunk of taken boxes.
pub fn put_taken(tx: &mut Turn<'_>, number: u32, chunk: u32, ids: &[BoxId]) {
    tx.put(TAKEN, &chunk_key(number, chunk).to_be_bytes(), encode_row(VERSION, &ids));
}

/// Forgets a dead place.
pub fn forget(tx: &mut Turn<'_>, number: u32, chunks: u32) {
    tx.delete(PLACES, &u64::from(number).to_be_bytes());
    for chunk in 0..chunks {
        tx.delete(TAKEN, &chunk_key(number, chunk).to_be_bytes());
    }
}

fn chunk_key(number: u32, chunk: u32) -> u64 {
    (u64::from(number) << 32) | u64::from(chunk)
}
