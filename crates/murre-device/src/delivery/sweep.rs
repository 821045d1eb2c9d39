//! The sweep: every row of the outbox is looked at again, at start, once an hour, and when something came that rows may
//! have waited for.
//!
//! ```text
//!   entries, 256 rows a turn ------> chunks of files, 8 rows a turn --+--> the next hour
//!                                        no room for the next one: <--'
//!                                        stop, go on there when one that is under way is stored
//! ```

use super::{ChunkSweep, Ctx, Delivery, DeliveryUp, Flight};
use crate::account::Account;
use crate::limits::{MAIL_WINDOW, OUTBOX_WINDOW};
use crate::rows::{self, BoxedRow, OutboxRow};
use murre_core::params::delivery::{FAILED_AFTER_MS, REPUT_BEFORE_MS};
use murre_core::time::HOUR;
use murre_core::{Direction, Mono, Range, TurnError, View, Wall};
use murre_mailbox::client::PutKey;
use serde_bytes::ByteBuf;

/// Rows looked at in one turn of a sweep.
pub(super) const SWEEP_PAGE: usize = 256;
/// A whole sweep begins at least this often.
const SWEEP_MS: u64 = HOUR;
/// The same among chunks of files, each of which is as large as a thousand texts.
const SWEEP_CHUNKS: usize = 8;
/// Where the chunks of files begin among the rows, and end.
const CHUNKS: std::ops::Range<u64> =
    (crate::files::FILE_LOG as u64) << 32..(crate::files::FILE_LOG as u64) << 33;

impl Delivery {
    /// Goes on with the sweep, if it is due.
    pub(super) fn sweep_due(&mut self, cx: &mut Ctx<'_, '_>, me: &mut Account) -> Result<(), TurnError> {
        let now = cx.now.mono;
        if let Some((_, from)) = self.sweep.filter(|(at, _)| *at <= now) {
            if from == 0 {
                self.maintain(cx, me)?;
                self.sweep_parcels(cx)?;
            }
            self.sweep_page(cx, me, from)?;
        }
        if let Some(sweep) = self.chunks.filter(|sweep| sweep.at.is_some_and(|at| at <= now)) {
            self.sweep_chunks(cx, me, sweep.from)?;
        }
        Ok(())
    }

    fn sweep_page(&mut self, cx: &mut Ctx<'_, '_>, me: &Account, from: u64) -> Result<(), TurnError> {
        let range = Range::seq(from, CHUNKS.start);
        let page = cx.tx.scan(rows::OUTBOX, &range, Direction::Forward, SWEEP_PAGE)?;
        let mut last = None;
        for (key, value) in &page {
            let Ok(key) = key.as_slice().try_into().map(u64::from_be_bytes) else { continue };
            last = Some(key);
            if self.flights.contains_key(&key) || self.flights.len() >= OUTBOX_WINDOW {
                continue;
            }
            let mut row: OutboxRow = rows::decode(rows::OUTBOX, value)?;
            if self.sweep_row(cx, me, key, &mut row)? {
                rows::put(cx.tx, rows::OUTBOX, &key.to_be_bytes(), &row);
            }
        }
        if let Some(last) = last.filter(|_| page.len() == SWEEP_PAGE) {
            self.sweep = Some((cx.now.mono, last.saturating_add(1)));
        } else {
            self.sweep = Some((cx.now.mono.plus(SWEEP_MS), 0));
            self.chunks = Some(ChunkSweep { from: CHUNKS.start, at: Some(cx.now.mono) });
        }
        Ok(())
    }

    /// Chunks are large: few of them are looked at in one turn, and few go over a link at once. Where there is no room
    /// for the next that needs a box the sweep stops, until one that is under way is stored: it never looks twice.
    // spec: X-7
    fn sweep_chunks(&mut self, cx: &mut Ctx<'_, '_>, me: &Account, from: u64) -> Result<(), TurnError> {
        let range = Range::seq(from, CHUNKS.end);
        let page = cx.tx.scan(rows::OUTBOX, &range, Direction::Forward, SWEEP_CHUNKS)?;
        let mut last = None;
        for (key, value) in &page {
            let Ok(key) = key.as_slice().try_into().map(u64::from_be_bytes) else { continue };
            last = Some(key);
            if self.flights.contains_key(&key) {
                continue;
            }
            let mut row: OutboxRow = rows::decode(rows::OUTBOX, value)?;
            if row.boxed.as_ref().is_some_and(|boxed| boxed.solid && lasts(boxed, cx.now.wall)) {
                continue;
            }
            if !self.has_room_for_chunk() {
                self.chunks = Some(ChunkSweep { from: key, at: None });
                return Ok(());
            }
            if self.sweep_row(cx, me, key, &mut row)? {
                rows::put(cx.tx, rows::OUTBOX, &key.to_be_bytes(), &row);
            }
        }
        let next = last.filter(|_| page.len() == SWEEP_CHUNKS).map(|last| last.saturating_add(1));
        self.chunks = next.map(|from| ChunkSweep { from, at: Some(cx.now.mono) });
        Ok(())
    }

    fn has_room_for_chunk(&self) -> bool {
        self.flights.len() < OUTBOX_WINDOW && self.flights.range(CHUNKS).count() < MAIL_WINDOW
    }

    /// Something is no longer in the air: chunks may have waited for that.
    pub(super) fn land(&mut self, now: Mono, key: u64) {
        if self.flights.remove(&key).is_some()
            && self.chunks.is_some_and(|sweep| sweep.at.is_none())
            && self.has_room_for_chunk()
        {
            self.chunks = self.chunks.map(|sweep| ChunkSweep { at: Some(now), ..sweep });
        }
    }

    /// One row without a flight: what does it need? True if the row changed.
    fn sweep_row(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        key: u64,
        row: &mut OutboxRow,
    ) -> Result<bool, TurnError> {
        // spec: D-7
        if cx.now.wall.since(row.created) > FAILED_AFTER_MS {
            return Ok(false);
        }
        if Self::route(cx.tx, row.contact)?.is_none_or(|r| r.blocked || r.halted) {
            return Ok(false);
        }
        match row.boxed.clone() {
            None => {
                self.place(cx, me, key, row)?;
                Ok(row.boxed.is_some())
            }
            Some(boxed) if boxed.solid => {
                // spec: D-6
                if lasts(&boxed, cx.now.wall) {
                    return Ok(false);
                }
                self.place(cx, me, key, row)?;
                Ok(true)
            }
            Some(boxed) => {
                let bytes: Option<ByteBuf> = rows::get(cx.tx, rows::BOXES, &key.to_be_bytes())?;
                let bytes = bytes.filter(|_| lasts(&boxed, cx.now.wall));
                match bytes.filter(|_| self.takes_puts(cx.tx, row.contact, &boxed, cx.now.wall)) {
                    // spec: D-4
                    // Identical bytes while their epoch takes puts.
                    Some(bytes) => {
                        self.flights.insert(key, Flight { live_until: None });
                        cx.up(DeliveryUp::Put(PutKey(key), bytes.into_vec()));
                        Ok(false)
                    }
                    None => {
                        self.place(cx, me, key, row)?;
                        Ok(true)
                    }
                }
            }
        }
    }

    pub(super) fn sweep_now(&mut self, now: Mono) {
        self.sweep = Some((now, 0));
    }

    pub(super) fn sweep_later(&mut self, now: Mono) {
        let soon = now.plus(murre_core::params::delivery::RETRY_MS);
        self.sweep = Some(self.sweep.map_or((soon, 0), |(at, from)| (at.min(soon), from)));
    }

    pub(super) fn refill(&mut self, now: Mono) {
        if self.flights.len() == OUTBOX_WINDOW / 2 {
            self.sweep_now(now);
        }
    }
}

/// Whether a box lives long enough that it needs no other yet.
fn lasts(boxed: &BoxedRow, wall: Wall) -> bool {
    (u64::from(boxed.expiry) * HOUR).saturating_sub(wall.0) > REPUT_BEFORE_MS
}
