//! Entries until they are receipted.

use super::boxes::Target;
use super::{Ctx, Delivery, DeliveryUp, Flight};
use crate::account::Account;
use crate::conversations::Outgoing;
use crate::event::{MessageState, Notice};
use crate::limits::OUTBOX_WINDOW;
use crate::rows::{self, BoxedRow, OutboxRow, pair_key};
use murre_core::params::delivery::{BOX_TTL_HOURS, FAILED_AFTER_MS, LIVE_RECEIPT_MS, REPUT_BEFORE_MS};
use murre_core::time::HOUR;
use murre_core::{Direction, Mono, Range, TurnError, View};
use murre_mailbox::client::PutKey;
use serde_bytes::ByteBuf;

/// Rows looked at in one turn of a sweep.
const SWEEP_PAGE: usize = 256;
/// A whole sweep begins at least this often.
const SWEEP_MS: u64 = HOUR;

impl Delivery {
    /// Takes a new entry. It is durable with this turn; `live` says whether a live link took it as well.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn enqueue(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        out: Outgoing,
        live: bool,
    ) -> Result<(), TurnError> {
        let key = pair_key(out.log, out.seq);
        let mut row = OutboxRow {
            contact: out.contact,
            packet: ByteBuf::from(out.packet),
            created: cx.now.wall,
            messages: out.messages,
            chat: out.chat,
            live,
            boxed: None,
        };
        if live {
            self.tell(cx, &row, MessageState::Sent);
            self.flights.insert(key, Flight { live_until: Some(cx.now.mono.plus(LIVE_RECEIPT_MS)) });
        } else if self.flights.len() < OUTBOX_WINDOW {
            self.place(cx, me, key, &mut row)?;
        } else {
            self.sweep_later(cx.now.mono);
        }
        // spec: D-1
        if !murre_core::sabotage::active("drop-outbox-row") {
            rows::put(cx.tx, rows::OUTBOX, &key.to_be_bytes(), &row);
        }
        Ok(())
    }

    /// Puts an entry into a box for the best mailbox there is. Without one the row waits for a route.
    fn place(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        key: u64,
        row: &mut OutboxRow,
    ) -> Result<(), TurnError> {
        let expiry = cx.now.wall.hour() + BOX_TTL_HOURS;
        let target = Target { contact: row.contact, expiry };
        let Some((place, epoch, bytes)) = self.seal_box(cx, me, target, std::slice::from_ref(&row.packet))?
        else {
            return Ok(());
        };
        if row.boxed.is_some() {
            cx.up(DeliveryUp::Cancel(PutKey(key)));
        }
        let kept = row.boxed.as_ref().map_or(0, |b| if b.solid { b.expiry } else { b.kept });
        row.boxed = Some(BoxedRow { place, epoch, expiry, signed: 0, solid: false, kept, full: false });
        // spec: D-3
        rows::put(cx.tx, rows::BOXES, &key.to_be_bytes(), &ByteBuf::from(bytes.clone()));
        self.flights.insert(key, Flight { live_until: None });
        cx.up(DeliveryUp::Put(PutKey(key), bytes));
        Ok(())
    }

    /// Custodians signed for a box.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn signed(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        put: PutKey,
        signed: u32,
        solid: bool,
    ) -> Result<(), TurnError> {
        let solid = solid || murre_core::sabotage::active("stored-at-one");
        if let Some(parcel) = super::parcel_of(put) {
            return self.parcel_signed(cx, parcel, solid);
        }
        let key = put.0.to_be_bytes();
        let Some(mut row) = rows::get::<OutboxRow>(cx.tx, rows::OUTBOX, &key)? else { return Ok(()) };
        let Some(boxed) = row.boxed.as_mut().filter(|b| signed > b.signed || solid && !b.solid) else {
            return Ok(());
        };
        let first = boxed.signed == 0;
        boxed.signed = boxed.signed.max(signed);
        let stored = solid && !boxed.solid;
        boxed.solid |= solid;
        boxed.full &= !solid;
        rows::put(cx.tx, rows::OUTBOX, &key, &row);
        if stored {
            self.flights.remove(&put.0);
            self.tell(cx, &row, MessageState::Stored);
            self.refill(cx.now.mono);
        } else if first && !row.live {
            self.tell(cx, &row, MessageState::Sent);
        }
        Ok(())
    }

    /// A device of the recipient opened everything up to here: these rows have done their work. `then` is told last.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: D-2
    pub fn acked(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        log: u32,
        upto: Option<u32>,
        then: Option<Notice>,
    ) -> Result<(), TurnError> {
        if let Some(upto) = upto {
            self.arrived(cx, log, upto)?;
        }
        then.into_iter().for_each(|notice| cx.up(DeliveryUp::Notice(notice)));
        Ok(())
    }

    fn arrived(&mut self, cx: &mut Ctx<'_, '_>, log: u32, upto: u32) -> Result<(), TurnError> {
        let range = Range::seq(pair_key(log, 0), pair_key(log, upto).saturating_add(1));
        loop {
            let page = cx.tx.scan(rows::OUTBOX, &range, Direction::Forward, OUTBOX_WINDOW)?;
            let done = page.len() < OUTBOX_WINDOW;
            for (key, value) in page {
                let row: OutboxRow = rows::decode(rows::OUTBOX, &value)?;
                cx.tx.delete(rows::OUTBOX, &key);
                if row.boxed.is_some() {
                    cx.tx.delete(rows::BOXES, &key);
                }
                if let Ok(key) = key.as_slice().try_into().map(u64::from_be_bytes) {
                    self.flights.remove(&key);
                    cx.up(DeliveryUp::Cancel(PutKey(key)));
                }
                self.tell(cx, &row, MessageState::Delivered);
            }
            if done {
                self.refill(cx.now.mono);
                return Ok(());
            }
        }
    }

    /// A live link to a contact is up: everything of these logs that is not receipted goes over it.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn live_up(&mut self, cx: &mut Ctx<'_, '_>, logs: &[u32]) -> Result<(), TurnError> {
        for log in logs {
            let range = Range::seq(pair_key(*log, 0), pair_key(log.saturating_add(1), 0));
            for (key, value) in cx.tx.scan(rows::OUTBOX, &range, Direction::Forward, OUTBOX_WINDOW)? {
                let mut row: OutboxRow = rows::decode(rows::OUTBOX, &value)?;
                cx.up(DeliveryUp::Live(row.contact, row.packet.to_vec()));
                if !row.live {
                    row.live = true;
                    rows::put(cx.tx, rows::OUTBOX, &key, &row);
                }
                // spec: D-5
                if let Ok(key) = key.as_slice().try_into().map(u64::from_be_bytes)
                    && row.boxed.is_none()
                {
                    let live_until = Some(cx.now.mono.plus(LIVE_RECEIPT_MS));
                    self.flights.insert(key, Flight { live_until });
                }
            }
        }
        Ok(())
    }

    /// A live link went down: what went over links and is not receipted goes to mailboxes now.
    pub fn live_down(&mut self, now: Mono) {
        // spec: D-5
        for flight in self.flights.values_mut().filter(|f| f.live_until.is_some()) {
            flight.live_until = Some(now);
        }
    }

    /// Our box was answered with another one under the same number, validly signed by us: this store was rolled
    /// back or copied.
    pub fn conflict(&mut self, cx: &mut Ctx<'_, '_>, put: PutKey) -> Result<Option<u32>, TurnError> {
        let contact = match super::parcel_of(put) {
            Some(number) => {
                let row: Option<rows::ParcelRow> = rows::get(cx.tx, rows::PARCELS, &number.to_be_bytes())?;
                self.forget_parcel(cx, number);
                row.map(|r| r.contact)
            }
            None => {
                let row: Option<OutboxRow> = rows::get(cx.tx, rows::OUTBOX, &put.0.to_be_bytes())?;
                row.map(|r| r.contact)
            }
        };
        self.flights.remove(&put.0);
        cx.up(DeliveryUp::Cancel(put));
        if let Some(contact) = contact {
            self.halt(cx, contact)?;
        }
        Ok(contact)
    }

    /// Live sends without receipt, re-puts, rows that waited for room or a route, certificates that run low.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn handle_timeout(&mut self, cx: &mut Ctx<'_, '_>, me: &Account) -> Result<(), TurnError> {
        let now = cx.now.mono;
        // spec: D-5
        let late: Vec<u64> = self
            .flights
            .iter()
            .filter(|(_, f)| f.live_until.is_some_and(|at| at <= now))
            .map(|(key, _)| *key)
            .take(SWEEP_PAGE)
            .collect();
        for key in late {
            if murre_core::sabotage::active("live-only") {
                self.flights.insert(key, Flight { live_until: None });
                continue;
            }
            self.flights.remove(&key);
            let row: Option<OutboxRow> = rows::get(cx.tx, rows::OUTBOX, &key.to_be_bytes())?;
            if let Some(mut row) = row.filter(|r| r.boxed.is_none()) {
                self.place(cx, me, key, &mut row)?;
                rows::put(cx.tx, rows::OUTBOX, &key.to_be_bytes(), &row);
            }
        }
        if let Some((at, from)) = self.sweep.filter(|(at, _)| *at <= now) {
            if from == 0 {
                self.maintain(cx, me)?;
                self.sweep_parcels(cx)?;
            }
            self.sweep_page(cx, me, at, from)?;
        }
        Ok(())
    }

    fn sweep_page(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        _at: Mono,
        from: u64,
    ) -> Result<(), TurnError> {
        let page = cx.tx.scan(rows::OUTBOX, &Range::seq(from, u64::MAX), Direction::Forward, SWEEP_PAGE)?;
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
        self.sweep = Some(match last.filter(|_| page.len() == SWEEP_PAGE) {
            Some(last) => (cx.now.mono, last.saturating_add(1)),
            None => (cx.now.mono.plus(SWEEP_MS), 0),
        });
        Ok(())
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
                let left = (u64::from(boxed.expiry) * HOUR).saturating_sub(cx.now.wall.0);
                if left > REPUT_BEFORE_MS {
                    return Ok(false);
                }
                self.place(cx, me, key, row)?;
                Ok(true)
            }
            Some(boxed) => {
                let bytes: Option<ByteBuf> = rows::get(cx.tx, rows::BOXES, &key.to_be_bytes())?;
                let bytes =
                    bytes.filter(|_| u64::from(boxed.expiry) * HOUR > cx.now.wall.0 + REPUT_BEFORE_MS);
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

    /// The client cannot go on with these bytes: their epoch no longer takes puts.
    pub fn put_over(&mut self, cx: &mut Ctx<'_, '_>, put: PutKey) {
        self.flights.remove(&put.0);
        match super::parcel_of(put) {
            Some(number) => self.forget_parcel(cx, number),
            None => self.sweep_later(cx.now.mono),
        }
    }

    /// Too many custodians have no room for a box. In another epoch the mailbox has room again: there the entry goes,
    /// as soon as that has begun. Until then the client goes on trying, and the user can see why it takes so long.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: D-28
    pub fn full(&mut self, cx: &mut Ctx<'_, '_>, me: &Account, put: PutKey) -> Result<(), TurnError> {
        let key = put.0.to_be_bytes();
        if super::parcel_of(put).is_some() {
            return Ok(());
        }
        let Some(mut row) = rows::get::<OutboxRow>(cx.tx, rows::OUTBOX, &key)? else { return Ok(()) };
        let Some(boxed) = row.boxed.as_mut() else { return Ok(()) };
        boxed.full = true;
        let boxed = boxed.clone();
        let present = self.present_epoch(cx.tx, row.contact, &boxed, cx.now.wall)?;
        if present.is_some_and(|epoch| epoch != boxed.epoch) {
            self.place(cx, me, put.0, &mut row)?;
        }
        rows::put(cx.tx, rows::OUTBOX, &key, &row);
        Ok(())
    }

    /// The client has room again for what it once put off.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn offer(&mut self, cx: &mut Ctx<'_, '_>, put: PutKey) -> Result<(), TurnError> {
        let bytes: Option<ByteBuf> = match super::parcel_of(put) {
            Some(parcel) => {
                rows::get::<rows::ParcelRow>(cx.tx, rows::PARCELS, &parcel.to_be_bytes())?.map(|p| p.bytes)
            }
            None => rows::get(cx.tx, rows::BOXES, &put.0.to_be_bytes())?,
        };
        if let Some(bytes) = bytes {
            cx.up(DeliveryUp::Put(put, bytes.into_vec()));
        }
        Ok(())
    }

    pub(super) fn sweep_now(&mut self, now: Mono) {
        self.sweep = Some((now, 0));
    }

    fn sweep_later(&mut self, now: Mono) {
        let soon = now.plus(murre_core::params::delivery::RETRY_MS);
        self.sweep = Some(self.sweep.map_or((soon, 0), |(at, from)| (at.min(soon), from)));
    }

    fn refill(&mut self, now: Mono) {
        if self.flights.len() == OUTBOX_WINDOW / 2 {
            self.sweep_now(now);
        }
    }

    fn tell(&self, cx: &mut Ctx<'_, '_>, row: &OutboxRow, state: MessageState) {
        if !row.messages.is_empty() {
            let messages = row.messages.clone();
            cx.up(DeliveryUp::Notice(Notice::MessageState { chat: row.chat, messages, state }));
        }
    }
}
