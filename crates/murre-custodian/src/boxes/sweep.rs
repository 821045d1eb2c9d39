//! Removes what has expired, a bounded number of rows in each turn.
//!
//! Boxes, objects and tombstones go at their expiry hour, in the order of the repair set. A locator's own rows
//! (counters, tags, paid blocks) go when nothing of its epoch can live any more.

use super::Boxes;
use crate::limits::{SWEEP_EVERY_MS, SWEEP_ROWS};
use crate::route::Up;
use crate::rows::{
    self, BOXES, ENDS, IDS, IdRow, LIST, LOCATORS, LocRow, OBJECTS, PAID, REPAIR, TAGS, TOMBS, What,
    repair_key, repair_parts, under,
};
use murre_core::id::{BoxId, Locator};
use murre_core::{Cx, Direction, Mono, NetworkParams, Range, Turn, TurnError, View};
use murre_mailbox::limits::{MAX_TTL_HOURS, epoch_bounds};
use std::ops::Bound;

/// The hour from which nothing of this epoch lives any more.
pub fn locator_end(epoch: u64, p: &NetworkParams) -> u32 {
    epoch_bounds(epoch, p).map_or(u32::MAX, |(_, to)| {
        to.plus(p.grace_ms).plus(p.skew_ms).hour().saturating_add(MAX_TTL_HOURS + 2)
    })
}

impl Boxes {
    /// Sweeps if it is time to, and says how many rows that removed.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn timeout(&mut self, cx: &mut Cx<'_, '_, Up>) -> Result<Option<usize>, TurnError> {
        if self.sweep_at > cx.now.mono {
            return Ok(None);
        }
        let hour = cx.now.wall.hour();
        let mut left = SWEEP_ROWS;
        for epoch in self.epochs.keys().copied().collect::<Vec<_>>() {
            left = left.saturating_sub(self.sweep_boxes(cx.tx, epoch, hour, left)?);
        }
        left = left.saturating_sub(self.sweep_locators(cx.tx, hour, left)?);
        let pause = if left == 0 { 0 } else { SWEEP_EVERY_MS };
        self.sweep_at = cx.now.mono.plus(pause);
        Ok(Some(SWEEP_ROWS.saturating_sub(left)))
    }

    /// When the next sweep is due.
    #[must_use]
    pub const fn next_timeout(&self) -> Mono {
        self.sweep_at
    }

    fn sweep_boxes(
        &mut self,
        tx: &mut Turn<'_>,
        epoch: u64,
        hour: u32,
        limit: usize,
    ) -> Result<usize, TurnError> {
        let mut to = epoch.to_be_bytes().to_vec();
        to.extend_from_slice(&hour.saturating_add(1).to_be_bytes());
        let range = Range { from: Bound::Included(epoch.to_be_bytes().to_vec()), to: Bound::Excluded(to) };
        let expired = tx.scan(REPAIR, &range, Direction::Forward, limit)?;
        for (key, _) in &expired {
            let (_, _, id) = repair_parts(key)?;
            self.remove(tx, epoch, &id)?;
        }
        Ok(expired.len())
    }

    /// Removes one box, object or tombstoned id with its rows.
    pub(super) fn remove(&mut self, tx: &mut Turn<'_>, epoch: u64, id: &BoxId) -> Result<(), TurnError> {
        let Some(row) = rows::get::<IdRow>(tx, IDS, id.as_bytes())? else { return Ok(()) };
        let key = repair_key(epoch, row.x, id);
        let len = u64::from(row.z);
        match row.w {
            What::Box => self.drop_bytes(tx, epoch, &row),
            What::Object => {
                if let Some(locator) = tx.get(REPAIR, &key)? {
                    tx.delete(OBJECTS, &locator);
                }
                self.count(tx, epoch, |e| e.z = e.z.saturating_sub(len));
            }
            What::Tombstone => {
                tx.delete(TOMBS, &under(row.l, id.as_bytes()));
                self.count(tx, epoch, |e| e.z = e.z.saturating_sub(len));
            }
            What::Gone => {}
        }
        tx.delete(IDS, id.as_bytes());
        tx.delete(REPAIR, &key);
        Ok(())
    }

    /// Removes a box's bytes and its place in the list.
    pub(super) fn drop_bytes(&mut self, tx: &mut Turn<'_>, epoch: u64, row: &IdRow) {
        tx.delete(BOXES, &row.n.to_be_bytes());
        tx.delete(LIST, &under(row.l, &row.s.to_be_bytes()));
        let len = u64::from(row.z);
        self.count(tx, epoch, |e| {
            e.b = e.b.saturating_sub(1);
            e.z = e.z.saturating_sub(len);
        });
    }

    fn sweep_locators(&mut self, tx: &mut Turn<'_>, hour: u32, limit: usize) -> Result<usize, TurnError> {
        let range = Range {
            from: Bound::Unbounded,
            to: Bound::Excluded(hour.saturating_add(1).to_be_bytes().to_vec()),
        };
        let mut done = 0usize;
        for (key, value) in tx.scan(ENDS, &range, Direction::Forward, limit)? {
            if done >= limit {
                break;
            }
            let number: u32 = rows::row(ENDS, &value)?;
            let rest = limit.saturating_sub(done);
            let gone = clear(tx, number, rest)?;
            done = done.saturating_add(gone).saturating_add(1);
            if gone >= rest {
                break;
            }
            let locator =
                key.get(4..).and_then(Locator::from_slice).ok_or(TurnError::Damaged { space: ENDS.name })?;
            if let Some(row) = rows::get::<LocRow>(tx, LOCATORS, locator.as_bytes())? {
                self.count(tx, row.e, |e| e.l = e.l.saturating_sub(1));
            }
            tx.delete(LOCATORS, locator.as_bytes());
            tx.delete(ENDS, &key);
        }
        Ok(done)
    }
}

/// Removes up to `limit` rows of a locator's side spaces and says how many there were.
fn clear(tx: &mut Turn<'_>, number: u32, limit: usize) -> Result<usize, TurnError> {
    let mut gone = 0usize;
    for space in [TAGS, PAID, TOMBS, LIST] {
        let left = limit.saturating_sub(gone);
        for (key, _) in tx.scan(space, &Range::prefix(&under(number, &[])), Direction::Forward, left)? {
            tx.delete(space, &key);
            gone = gone.saturating_add(1);
        }
    }
    Ok(gone)
}
