//! What this node holds: boxes, owner objects, tombstones, and what they may cost.
//!
//! | file | what it does |
//! |---|---|
//! | `put.rs` | takes a box in: verified, placed here, unique, within its quota, paid; answers with a receipt |
//! | `door.rs` | owner objects and tombstones |
//! | `read.rs` | lists, boxes and objects for readers; pages for repair |
//! | `quota.rs` | quotas and the price of space, pure arithmetic |
//! | `sweep.rs` | removes what has expired |
//!
//! In memory are counters only, a few for each live epoch; a restart reads them back.
//!
//! Not here: other nodes. Whatever comes from one passes the same door as what comes from a writer.

mod door;
mod put;
pub mod quota;
mod read;
mod sweep;

use crate::limits::BOX_ROWS_BYTES;
use crate::query::MAX_EPOCH_ROWS;
use crate::rows::{self, EPOCHS, EpochRow, LOCATORS, LocRow, META, NEXT_LOCATOR};
use murre_core::id::{Locator, PeerKey};
use murre_core::{Direction, Mono, NetworkParams, Range, Turn, TurnError, View, Wall};
use murre_crypto::NodeKey;
use murre_mailbox::receipt::{Expected, issue};
use murre_mailbox::{Directory, PutRefusal, Receipt};
use quota::Disk;
use std::collections::BTreeMap;

pub use put::{Origin, Taken};
pub use read::Listing;

/// What the node knows that storing depends on.
#[derive(Debug, Clone, Copy)]
pub struct Env<'a> {
    /// The node's key.
    pub key: &'a NodeKey,
    /// Its name.
    pub me: PeerKey,
    /// The nodes it knows.
    pub directory: &'a Directory,
    /// The network's numbers.
    pub params: &'a NetworkParams,
}

impl Env<'_> {
    /// Whether a locator is placed on this node.
    // spec: K-2
    fn placed_here(&self, locator: &Locator, epoch: u64, now: Wall) -> bool {
        self.directory.placement(locator, epoch, now).contains(&self.me)
    }

    /// The receipt: a pure function of what is held, so that it is the same each time.
    // spec: K-4
    fn receipt(&self, of: &Expected) -> Receipt {
        issue(self.key, of)
    }
}

/// The node's shelves.
#[derive(Debug)]
pub struct Boxes {
    epochs: BTreeMap<u64, EpochRow>,
    size: u64,
    incarnation: u64,
    sweep_at: Mono,
    /// The store can be written.
    room: bool,
}

impl Boxes {
    /// Reads the counters.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails or a row is damaged.
    pub fn open(view: &dyn View, size: u64, incarnation: u64, room: bool) -> Result<Self, TurnError> {
        let mut epochs = BTreeMap::new();
        for (key, value) in view.scan(EPOCHS, &Range::all(), Direction::Forward, MAX_EPOCH_ROWS)? {
            let epoch = key.as_slice().try_into().map_err(|_| TurnError::Damaged { space: EPOCHS.name })?;
            epochs.insert(u64::from_be_bytes(epoch), rows::row(EPOCHS, &value)?);
        }
        Ok(Self { epochs, size, incarnation, sweep_at: Mono(0), room })
    }

    /// Epochs with live boxes or objects, oldest first.
    pub fn live_epochs(&self) -> impl Iterator<Item = u64> + '_ {
        self.epochs.keys().copied()
    }

    /// How full the node is.
    #[must_use]
    pub fn disk(&self) -> Disk {
        // spec: K-41
        let held = |e: &EpochRow| e.z.saturating_add(e.b.saturating_mul(BOX_ROWS_BYTES));
        Disk { used: self.epochs.values().fold(0, |sum, e| sum.saturating_add(held(e))), size: self.size }
    }

    /// Whether the store can take more, whatever the capacity says.
    pub const fn set_room(&mut self, there_is: bool) {
        self.room = there_is;
    }

    /// Whether the store can take more.
    #[must_use]
    pub const fn room(&self) -> bool {
        self.room
    }

    /// Whether so much may be taken in.
    // spec: K-43
    fn fits(&self, adding: u64, before: bool) -> bool {
        self.room && self.disk().has_room(adding, before)
    }

    /// Changes an epoch's counters, in memory and in its row.
    fn count(&mut self, tx: &mut Turn<'_>, epoch: u64, change: impl FnOnce(&mut EpochRow)) {
        let mut row = self.epochs.get(&epoch).copied().unwrap_or_default();
        change(&mut row);
        let key = epoch.to_be_bytes();
        if row == EpochRow::default() {
            self.epochs.remove(&epoch);
            tx.delete(EPOCHS, &key);
        } else {
            self.epochs.insert(epoch, row);
            rows::put(tx, EPOCHS, &key, &row);
        }
    }

    /// The locator's row, or a new one that is not yet written; true if it is open already.
    fn locator(view: &dyn View, locator: &Locator, epoch: u64) -> Result<(LocRow, bool), TurnError> {
        if let Some(row) = rows::get(view, LOCATORS, locator.as_bytes())? {
            return Ok((row, true));
        }
        let n = rows::get(view, META, NEXT_LOCATOR)?.unwrap_or(1);
        Ok((LocRow { n, e: epoch, b: 0, z: 0, s: 1, c: false, p: false, u: false }, false))
    }

    /// Notes whether a locator that takes something now was opened under pressure.
    // spec: K-17
    fn pressure(&self, row: &mut LocRow, open: bool) {
        row.u = self.disk().pressed() && (row.u || !open);
    }

    /// Opens a locator: gives it its number and notes when its rows end.
    fn open_locator(&mut self, tx: &mut Turn<'_>, locator: &Locator, row: &LocRow, params: &NetworkParams) {
        rows::put(tx, META, NEXT_LOCATOR, &row.n.wrapping_add(1));
        let end = sweep::locator_end(row.e, params);
        rows::put(tx, rows::ENDS, &rows::end_key(end, locator), &row.n);
        self.count(tx, row.e, |e| e.l = e.l.saturating_add(1));
    }
}

/// A refusal of one put, as this node says it.
fn refused(why: PutRefusal) -> Taken {
    Taken::Refused(why)
}
