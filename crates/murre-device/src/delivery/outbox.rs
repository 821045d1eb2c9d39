//! Entries until they are receipted.

use super::boxes::Target;
use super::sweep::SWEEP_PAGE;
use super::{Ctx, Delivery, DeliveryUp, Flight};
use crate::account::Account;
use crate::conversations::Outgoing;
use crate::event::{MessageState, Notice};
use crate::limits::{OUTBOX_WINDOW, RESEND_MS};
use crate::rows::{self, BoxedRow, OutboxRow, pair_key};
use murre_core::params::delivery::{BOX_TTL_HOURS, FAILED_AFTER_MS, LIVE_RECEIPT_MS};
use murre_core::{Direction, Mono, Range, TurnError, View};
use murre_mailbox::client::PutKey;
use serde_bytes::ByteBuf;

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
            moved: out.moved,
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

    /// Takes a chunk of a file on its way into a box. It takes the way of an entry, without a live link.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn enqueue_chunk(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        file: u32,
        index: u32,
        packet: Vec<u8>,
    ) -> Result<(), TurnError> {
        let log = crate::files::FILE_LOG | file;
        let chat = murre_core::id::LogId::from_bytes([0; 32]);
        let key = pair_key(log, index).to_be_bytes();
        // A row that is there was asked for again: its box is lost, so it gets another.
        if cx.tx.get(rows::OUTBOX, &key)?.is_some() {
            cx.tx.delete(rows::OUTBOX, &key);
            cx.up(DeliveryUp::Cancel(PutKey(pair_key(log, index))));
        }
        let out = Outgoing { contact, log, seq: index, packet, chat, messages: Vec::new(), moved: None };
        self.enqueue(cx, me, out, false)
    }

    /// Puts an entry into a box for the best mailbox there is. Without one the row waits for a route.
    pub(super) fn place(
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
            self.land(cx.now.mono, put.0);
            if let Some(file) = crate::files::file_of(put.0) {
                cx.up(DeliveryUp::ChunkStored(file, put.0 as u32));
            }
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
                    self.land(cx.now.mono, key);
                    cx.up(DeliveryUp::Cancel(PutKey(key)));
                }
                self.tell(cx, &row, MessageState::Delivered);
                if let Some(to) = row.moved {
                    self.move_done(cx, row.contact, to)?;
                }
            }
            if done {
                self.refill(cx.now.mono);
                return Ok(());
            }
        }
    }

    /// The contact dropped what came for a while: what it has not receipted goes into new boxes, oldest first.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: D-35
    pub fn resend(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        logs: &[u32],
    ) -> Result<(), TurnError> {
        let now = cx.now.mono;
        if self.resent.get(&contact).is_some_and(|at| now.since(*at) < RESEND_MS) {
            return Ok(());
        }
        self.resent.insert(contact, now);
        let mut room = OUTBOX_WINDOW;
        for log in logs {
            let range = Range::seq(pair_key(*log, 0), pair_key(log.saturating_add(1), 0));
            for (key, value) in cx.tx.scan(rows::OUTBOX, &range, Direction::Forward, room)? {
                room = room.saturating_sub(1);
                let Ok(number) = key.as_slice().try_into().map(u64::from_be_bytes) else { continue };
                let mut row: OutboxRow = rows::decode(rows::OUTBOX, &value)?;
                let failed = cx.now.wall.since(row.created) > FAILED_AFTER_MS;
                if row.contact == contact && row.boxed.as_ref().is_some_and(|b| b.solid) && !failed {
                    self.place(cx, me, number, &mut row)?;
                    rows::put(cx.tx, rows::OUTBOX, &key, &row);
                }
            }
        }
        Ok(())
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
        self.land(cx.now.mono, put.0);
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
    pub fn handle_timeout(&mut self, cx: &mut Ctx<'_, '_>, me: &mut Account) -> Result<(), TurnError> {
        let now = cx.now.mono;
        self.tell_moves(cx)?;
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
        self.sweep_due(cx, me)
    }

    /// The client cannot go on with these bytes: their epoch no longer takes puts.
    pub fn put_over(&mut self, cx: &mut Ctx<'_, '_>, put: PutKey) {
        self.land(cx.now.mono, put.0);
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

    fn tell(&self, cx: &mut Ctx<'_, '_>, row: &OutboxRow, state: MessageState) {
        if !row.messages.is_empty() {
            let messages = row.messages.clone();
            cx.up(DeliveryUp::Notice(Notice::MessageState { chat: row.chat, messages, state }));
        }
    }
}
