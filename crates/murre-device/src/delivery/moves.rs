//! A new account mailbox after a block: announced to every other contact, the old one read until all of them know.
//!
//! ```text
//!   block --> old mailbox: number, keys, whose tags count --> read --> every contact receipted --> + 37 d --> erased
//!        \                                                        \--> at most 180 d ----------------------/
//!         \-> new mailbox, no tag of anybody yet
//!                    \--> a few contacts a turn: certify, say `move` in the log (so it is receipted like all else)
//! ```
//!
//! The blocked contact is not among those whose tags count in the old mailbox, and is given nothing for the new one.
//! All of it is rows: a crash between two turns leaves some contacts told and the others owed.

use super::{Ctx, Delivery, DeliveryUp, account_watch};
use crate::account::Account;
use crate::content::Move;
use crate::limits::{MAX_CONTACTS, MAX_GONE, MAX_OLD_MAILBOXES, MOVES_A_TURN};
use crate::rows::{self, FormerRow, Mailbox, OldMailboxRow, OutboxRow, pair_key};
use murre_core::codec;
use murre_core::id::Bytes;
use murre_core::time::DAY;
use murre_core::{Direction, Label, Range, TurnError, View};
use murre_mailbox::client::PutKey;
use murre_mailbox::{MailboxAddress, MailboxKind, ReaderKeys, TagPublic, Writer};
use serde_bytes::ByteBuf;
use std::ops::Bound;

const NAME: Label = Label::new("murre v1 mailbox name");
/// Behind the last receipt of a move: what was put before it lives 30 days, in an epoch that takes puts for 7.
const READ_ON_MS: u64 = 37 * DAY;
/// No old mailbox is read longer than this.
const READ_MOST_MS: u64 = 180 * DAY;
/// Routes looked at in one turn while contacts have to be told.
const MOVES_PAGE: usize = 64;
const OWED: &str = "mailbox.owed";

/// Names a mailbox between two who both know its address.
pub(crate) fn name_of(address: &MailboxAddress) -> Bytes<32> {
    Bytes(NAME.hash(&[&codec::encode(address)]))
}

fn former_key(mailbox: u32, contact: u32) -> [u8; 8] {
    pair_key(mailbox, contact).to_be_bytes()
}

/// Mailboxes that were replaced and are still read.
pub(super) fn old_mailboxes(view: &dyn View) -> Result<Vec<(u32, OldMailboxRow)>, TurnError> {
    view.scan(rows::OLD_MAILBOXES, &Range::all(), Direction::Forward, MAX_OLD_MAILBOXES)?
        .iter()
        .map(|(key, value)| {
            let damaged = || TurnError::Damaged { space: rows::OLD_MAILBOXES.name };
            let no = crate::conversations::u32_key(key).ok_or_else(damaged)?;
            Ok((no, rows::decode(rows::OLD_MAILBOXES, value)?))
        })
        .collect()
}

/// Reader keys of one of our account mailboxes, the present or an old one.
pub(super) fn reader(view: &dyn View, me: &Account, no: u32) -> Result<Option<ReaderKeys>, TurnError> {
    if no == me.mailbox_no() {
        return me.mailbox().map(Some);
    }
    let row: Option<OldMailboxRow> = rows::get(view, rows::OLD_MAILBOXES, &no.to_be_bytes())?;
    let damaged = |_| TurnError::Damaged { space: rows::OLD_MAILBOXES.name };
    row.map(|row| ReaderKeys::from_row(&row.keys).map_err(damaged)).transpose()
}

/// Whose tags count in an old mailbox.
pub(super) fn formers(view: &dyn View, mailbox: u32) -> Result<Vec<(u32, FormerRow)>, TurnError> {
    view.scan(rows::FORMER, &Range::prefix(&mailbox.to_be_bytes()), Direction::Forward, MAX_CONTACTS)?
        .iter()
        .map(|(key, value)| {
            let damaged = || TurnError::Damaged { space: rows::FORMER.name };
            let contact = key.get(4..).and_then(crate::conversations::u32_key).ok_or_else(damaged)?;
            Ok((contact, rows::decode(rows::FORMER, value)?))
        })
        .collect()
}

/// How one contact writes into an old mailbox.
pub(super) fn former(view: &dyn View, mailbox: u32, contact: u32) -> Result<Option<FormerRow>, TurnError> {
    rows::get(view, rows::FORMER, &former_key(mailbox, contact))
}

impl Delivery {
    /// Somebody who holds certificates for the present mailbox was blocked: another one takes its place.
    pub(super) fn move_on(&mut self, cx: &mut Ctx<'_, '_>, me: &mut Account) -> Result<(), TurnError> {
        // spec: D-36
        if old_mailboxes(cx.tx)?.len() >= MAX_OLD_MAILBOXES {
            // As many as may be read are read: the next place that becomes free is for this.
            rows::put(cx.tx, rows::META, OWED.as_bytes(), &1u64);
            return Ok(());
        }
        rows::put(cx.tx, rows::META, OWED.as_bytes(), &0u64);
        let (no, keys) = me.replace_mailbox(cx.tx, cx.rng)?;
        let old = OldMailboxRow { keys: ByteBuf::from(keys), since: cx.now.wall, done: None };
        rows::put(cx.tx, rows::OLD_MAILBOXES, &no.to_be_bytes(), &old);
        for (contact, mut row) in super::routes::routes(cx.tx)? {
            let (Some(pair), Some(tag), false) = (row.pair, row.tag, row.blocked) else { continue };
            let former = FormerRow { tag, pair, lent: std::mem::take(&mut row.lent), done: false };
            rows::put(cx.tx, rows::FORMER, &former_key(no, contact), &former);
            row.pair = None;
            row.issued = 0;
            row.owes_move = true;
            Self::save_route(cx, contact, &row);
        }
        cx.up(DeliveryUp::Watch(account_watch(me.mailbox_no()), Box::new(me.mailbox()?)));
        self.forget_tags();
        self.moves = Some((cx.now.mono, 0));
        Ok(())
    }

    /// A blocked contact's tags count nowhere any more.
    pub(super) fn forget_former(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        for (no, _) in old_mailboxes(cx.tx)? {
            cx.tx.erase(rows::FORMER, &former_key(no, contact));
        }
        Ok(())
    }

    /// Tells the next few contacts where we are read from now on, a page of rows a turn.
    pub(super) fn tell_moves(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        let Some((_, from)) = self.moves.filter(|(at, _)| *at <= cx.now.mono) else { return Ok(()) };
        let owed = |r: &rows::RouteRow| r.owes_move && !r.blocked && !r.halted && r.tag.is_some();
        let range = Range { from: Bound::Included(from.to_be_bytes().to_vec()), ..Range::all() };
        let page = cx.tx.scan(rows::ROUTES, &range, Direction::Forward, MOVES_PAGE)?;
        let (mut told, mut next) = (0, None);
        for (key, value) in &page {
            let damaged = || TurnError::Damaged { space: rows::ROUTES.name };
            let contact = crate::conversations::u32_key(key).ok_or_else(damaged)?;
            if told == MOVES_A_TURN {
                next = Some(contact);
                break;
            }
            next = contact.checked_add(1).filter(|_| page.len() == MOVES_PAGE);
            if owed(&rows::decode(rows::ROUTES, value)?) {
                told += 1;
                cx.up(DeliveryUp::Move(contact));
            }
        }
        self.moves = next.map(|contact| (cx.now.mono, contact));
        Ok(())
    }

    /// What a contact has to be told, if it has to be told: its tag key, and the name of the mailbox it knows.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn owed_move(
        &self,
        view: &dyn View,
        contact: u32,
    ) -> Result<Option<(TagPublic, Option<Bytes<32>>)>, TurnError> {
        let row = Self::route(view, contact)?.filter(|r| r.owes_move && !r.blocked && !r.halted);
        Ok(row.and_then(|r| r.tag.map(|tag| (tag, r.given))))
    }

    /// A contact has receipted that we moved to this mailbox: it writes to none of the older ones.
    pub(super) fn move_done(&mut self, cx: &mut Ctx<'_, '_>, contact: u32, to: u32) -> Result<(), TurnError> {
        for (no, _) in old_mailboxes(cx.tx)?.into_iter().filter(|(no, _)| *no < to) {
            if let Some(mut row) = former(cx.tx, no, contact)?.filter(|r| !r.done) {
                row.done = true;
                rows::put(cx.tx, rows::FORMER, &former_key(no, contact), &row);
            }
        }
        Ok(())
    }

    /// Looks which old mailboxes all know to be old, forgets those whose time is over, and makes up for a block that
    /// found no room.
    // spec: D-37
    pub(super) fn keep_old(&mut self, cx: &mut Ctx<'_, '_>, me: &mut Account) -> Result<(), TurnError> {
        let now = cx.now.wall;
        for (no, mut row) in old_mailboxes(cx.tx)? {
            if row.done.is_none() && formers(cx.tx, no)?.iter().all(|(_, f)| f.done) {
                row.done = Some(now);
                rows::put(cx.tx, rows::OLD_MAILBOXES, &no.to_be_bytes(), &row);
            }
            let known = row.done.is_some_and(|at| now.since(at) > READ_ON_MS);
            if known || now.since(row.since) > READ_MOST_MS {
                cx.up(DeliveryUp::Unwatch(account_watch(no)));
                cx.tx.erase(rows::OLD_MAILBOXES, &no.to_be_bytes());
                for (contact, _) in formers(cx.tx, no)? {
                    cx.tx.erase(rows::FORMER, &former_key(no, contact));
                }
                self.forget_tags();
            }
        }
        if rows::counter(cx.tx, OWED)? == 1 {
            self.move_on(cx, me)?;
        }
        Ok(())
    }

    /// A contact is read in another mailbox from now on. What lies in the old one is still read there; what was not
    /// stored yet goes into the new one.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: D-38
    pub fn moved(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        told: Move,
        logs: &[u32],
    ) -> Result<(), TurnError> {
        let Some(mut row) = Self::route(cx.tx, contact)? else { return Ok(()) };
        if let Some(gone) = told.o.filter(|o| !row.gone.contains(o)) {
            if row.gone.len() >= MAX_GONE {
                row.gone.remove(0);
            }
            row.gone.push(gone);
        }
        let grant = told.g;
        // A spare's secret is known to its giver: it could fake a conflict.
        let sound = grant.to.k == MailboxKind::Account
            && grant.t.is_none()
            && Writer::new(&grant, Some(me.tag()))
                .is_ok_and(|w| w.has_epoch(grant.to.epoch_at(cx.now.wall, &self.params)));
        if !sound || row.gone.contains(&name_of(&grant.to)) {
            Self::save_route(cx, contact, &row);
            return Ok(());
        }
        row.grant = Some(grant);
        row.spares = told.s.into_iter().take(super::routes::SPARES).collect();
        row.settled = true;
        row.index_at = u64::MAX;
        Self::save_route(cx, contact, &row);
        for log in logs {
            let range = Range::seq(pair_key(*log, 0), pair_key(log.saturating_add(1), 0));
            for (key, value) in cx.tx.scan(rows::OUTBOX, &range, Direction::Forward, usize::MAX)? {
                let mut entry: OutboxRow = rows::decode(rows::OUTBOX, &value)?;
                let Some(boxed) = entry.boxed.as_mut().filter(|b| b.place == Mailbox::Account) else {
                    continue;
                };
                boxed.place = Mailbox::Former;
                let solid = boxed.solid;
                rows::put(cx.tx, rows::OUTBOX, &key, &entry);
                if let Ok(key) = key.as_slice().try_into().map(u64::from_be_bytes)
                    && !solid
                {
                    self.flights.remove(&key);
                    cx.up(DeliveryUp::Cancel(PutKey(key)));
                }
            }
        }
        self.sweep_now(cx.now.mono);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
