//! Packets into boxes and out of them.

use super::{Ctx, Delivery, DeliveryUp, PairAt, Parcel, drop_keys, drop_pair, watched_account, watched_drop};
use crate::account::Account;
use crate::rows::{BoxedRow, Mailbox, RouteRow};
use murre_core::codec;
use murre_core::id::Bytes;
use murre_core::{TurnError, View, Wall};
use murre_mailbox::client::WatchKey;
use murre_mailbox::{PairSecret, ReaderKeys, VerifiedBox, WriteGrant, Writer, tag_at};
use serde_bytes::ByteBuf;

/// Whom a box is for and how long it lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub contact: u32,
    pub expiry: u32,
}

impl Delivery {
    /// Seals packets into a box for the contact's account mailbox, or for a drop while only that is known.
    ///
    /// The index is consumed with this turn: no index is ever used for two different boxes.
    pub(super) fn seal_box(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        to: Target,
        packets: &[ByteBuf],
    ) -> Result<Option<(Mailbox, u64, Vec<u8>)>, TurnError> {
        let Some(mut route) = Self::route(cx.tx, to.contact)? else { return Ok(None) };
        let plain = codec::encode(&Parcel { v: 1, p: packets.to_vec() });
        let start = u64::from_be_bytes(cx.rng.bytes()) >> 1;
        let Some((place, writer, epoch, index)) = self.writer(me, &mut route, cx.now.wall, start) else {
            return Ok(None);
        };
        let Ok(sealed) = writer.seal_box(epoch, index, to.expiry, &plain) else { return Ok(None) };
        Self::save_route(cx, to.contact, &route);
        Ok(Some((place, epoch, sealed.wire().to_vec())))
    }

    /// The writer to use now: the account mailbox once it is known to be read, the newest drop before.
    ///
    /// Indexes begin at a random `start` in each mailbox and epoch: no custodian can join two epochs by them.
    fn writer(
        &self,
        me: &Account,
        route: &mut RouteRow,
        now: Wall,
        start: u64,
    ) -> Option<(Mailbox, Writer, u64, u64)> {
        if route.blocked || route.halted {
            return None;
        }
        let drop = route.drops.iter().rev().find(|(_, until)| *until > now).map(|(secret, _)| *secret);
        // spec: D-8
        let use_grant = route.settled || drop.is_none();
        if let Some(grant) = route.grant.clone().filter(|_| use_grant) {
            let epoch = grant.to.epoch_at(now, &self.params);
            let writer = Writer::new(&grant, Some(me.tag())).ok()?;
            if writer.has_epoch(epoch) {
                // spec: D-3
                if route.index_at != epoch {
                    (route.index, route.index_at) = (start, epoch);
                }
                let index = route.index;
                route.index += u64::from(!murre_core::sabotage::active("reuse-index"));
                return Some((Mailbox::Account, writer, epoch, index));
            }
        }
        let secret = drop?;
        let keys = drop_keys(&secret);
        let epoch = keys.address().epoch_at(now, &self.params);
        let pair = drop_pair(&secret, me.id());
        let certs = keys.renew(&pair, &me.tag().public(), epoch, 1).ok()?;
        let grant = WriteGrant { to: keys.address(), p: Bytes(*pair.expose()), t: None, certs };
        if route.drop_at != Some((secret, epoch)) {
            (route.drop_index, route.drop_at) = (start, Some((secret, epoch)));
        }
        let index = route.drop_index;
        route.drop_index += u64::from(!murre_core::sabotage::active("reuse-index"));
        Some((Mailbox::Drop(secret), Writer::new(&grant, Some(me.tag())).ok()?, epoch, index))
    }

    /// Whether the mailbox a box lies in still takes puts for its epoch.
    pub(super) fn takes_puts(&self, view: &dyn View, contact: u32, boxed: &BoxedRow, now: Wall) -> bool {
        let Ok(Some(route)) = Self::route(view, contact) else { return false };
        match boxed.place {
            Mailbox::Account => {
                route.grant.as_ref().is_some_and(|g| g.to.takes_puts(boxed.epoch, now, &self.params))
            }
            Mailbox::Drop(secret) => {
                let read = route.drops.iter().any(|(s, until)| *s == secret && *until > now);
                read && drop_keys(&secret).address().takes_puts(boxed.epoch, now, &self.params)
            }
            Mailbox::Former => false,
        }
    }

    /// The epoch that the mailbox of a box is in now.
    pub(super) fn present_epoch(
        &self,
        view: &dyn View,
        contact: u32,
        boxed: &BoxedRow,
        now: Wall,
    ) -> Result<Option<u64>, TurnError> {
        let address = match boxed.place {
            Mailbox::Account => Self::route(view, contact)?.and_then(|r| r.grant).map(|g| g.to),
            Mailbox::Drop(secret) => Some(drop_keys(&secret).address()),
            Mailbox::Former => None,
        };
        Ok(address.map(|address| address.epoch_at(now, &self.params)))
    }

    /// Takes boxes from a mailbox we read: opens them by their tag, hands their packets up, and lets them go.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails. A box that does not open is let go as well: it can never open.
    pub fn boxes(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        watch: WatchKey,
        boxes: &[VerifiedBox],
    ) -> Result<(), TurnError> {
        let mut taken = Vec::with_capacity(boxes.len());
        for sealed in boxes {
            taken.push(sealed.id());
            let opened = match (watched_drop(watch), watched_account(watch)) {
                (Some((contact, which)), _) => self.open_drop_box(cx, contact, which, sealed)?,
                (None, Some(no)) => self.open_account_box(cx, me, no, sealed)?,
                (None, None) => None,
            };
            let Some((contact, plain)) = opened else { continue };
            let Some(parcel) = Parcel::decode(&plain) else { continue };
            if parcel.v == 1 {
                let packets = parcel.p.into_iter().map(ByteBuf::into_vec).collect();
                cx.up(DeliveryUp::Packets(contact, packets));
            }
        }
        // spec: D-25
        if watched_account(watch).is_some() {
            // One device: what it has taken no other device of ours needs.
            cx.up(DeliveryUp::Tombstone(watch, taken.clone()));
        }
        cx.up(DeliveryUp::Taken(watch, taken));
        Ok(())
    }

    fn open_account_box(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
        sealed: &VerifiedBox,
    ) -> Result<Option<(u32, Vec<u8>)>, TurnError> {
        let present = no == me.mailbox_no();
        if !present && murre_core::sabotage::active("forget-old-mailbox") {
            return Ok(None);
        }
        let Some(keys) = super::moves::reader(cx.tx, me, no)? else { return Ok(None) };
        let whose = self.whose(cx.tx, (no, present), sealed.epoch(), &sealed.tag())?;
        let Some((contact, at)) = whose else { return Ok(None) };
        let (pair, lent) = if present {
            Self::route(cx.tx, contact)?.map_or((None, Vec::new()), |r| (r.pair, r.lent))
        } else {
            super::moves::former(cx.tx, no, contact)?.map_or((None, Vec::new()), |f| (Some(f.pair), f.lent))
        };
        let pair = match at {
            PairAt::Contact => pair,
            PairAt::Lent(i) => lent.get(i).map(|(p, _)| *p),
        };
        Ok(pair.and_then(|p| open(&keys, &PairSecret::from_bytes(p.0), sealed)).map(|plain| (contact, plain)))
    }

    fn open_drop_box(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        contact: u32,
        which: usize,
        sealed: &VerifiedBox,
    ) -> Result<Option<(u32, Vec<u8>)>, TurnError> {
        let Some(route) = Self::route(cx.tx, contact)?.filter(|r| !r.blocked) else { return Ok(None) };
        let (Some((secret, _)), Some(tag)) = (route.drops.get(which), &route.tag) else { return Ok(None) };
        let pair = drop_pair(secret, route.account);
        if tag_at(&pair, tag, sealed.epoch()).ok() != Some(sealed.tag()) {
            return Ok(None);
        }
        Ok(open(&drop_keys(secret), &pair, sealed).map(|plain| (contact, plain)))
    }
}

fn open(keys: &ReaderKeys, pair: &PairSecret, sealed: &VerifiedBox) -> Option<Vec<u8>> {
    keys.open_box(pair, sealed.epoch(), sealed).ok()
}
