//! How contacts reach us and we reach them: grants, drops, renewals.

use super::moves::name_of;
use super::{Ctx, Delivery, DeliveryUp, PairAt, account_watch, drop_keys, drop_watch};
use crate::account::Account;
use crate::content::Renewal;
use crate::limits::{MAX_CONTACTS, MAX_LOGS};
use crate::rows::{self, RouteRow};
use murre_core::id::{AccountId, Bytes};
use murre_core::{Direction, Range, TurnError, View, Wall};
use murre_crypto::EpochPublic;
use murre_mailbox::{PairSecret, TagPublic, WriteGrant, tag_at};

/// Spare tags given to each contact for a later device of theirs.
pub(super) const SPARES: usize = 2;
/// A drop is read this long after its request was accepted: re-posts may follow for 90 days, boxes live 30.
const DROP_READ_MS: u64 = 120 * murre_core::time::DAY;

/// What a contact is given so that it can write to us.
#[derive(Debug)]
pub struct Grants {
    /// For the device that asked or answered.
    pub grant: WriteGrant,
    /// For a later one.
    pub spares: Vec<WriteGrant>,
}

impl Delivery {
    /// Begins a route to a contact.
    pub fn add_route(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        contact: u32,
        account: AccountId,
    ) -> Result<(), TurnError> {
        if Self::route(cx.tx, contact)?.is_none() {
            let row = RouteRow {
                account,
                grant: None,
                index: 0,
                index_at: u64::MAX,
                settled: false,
                drops: Vec::new(),
                drop_index: 0,
                drop_at: None,
                tag: None,
                pair: None,
                issued: 0,
                spares: Vec::new(),
                lent: Vec::new(),
                given: None,
                owes_move: false,
                gone: Vec::new(),
                blocked: false,
                halted: false,
            };
            Self::save_route(cx, contact, &row);
        }
        Ok(())
    }

    /// Reads and, if nothing better is known, writes the drop of a request.
    pub fn add_drop(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        contact: u32,
        secret: Bytes<32>,
        until: Wall,
    ) -> Result<(), TurnError> {
        let Some(mut row) = Self::route(cx.tx, contact)? else { return Ok(()) };
        if !row.drops.iter().any(|(s, _)| *s == secret) && row.drops.len() < MAX_LOGS {
            cx.up(DeliveryUp::Watch(drop_watch(contact, row.drops.len()), Box::new(drop_keys(&secret))));
            row.drops.push((secret, until));
            Self::save_route(cx, contact, &row);
        }
        Ok(())
    }

    /// Learns the contact's tag key, so that its boxes can be told apart.
    pub fn set_tag(&mut self, cx: &mut Ctx<'_, '_>, contact: u32, tag: TagPublic) -> Result<(), TurnError> {
        if let Some(mut row) = Self::route(cx.tx, contact)? {
            row.tag = Some(tag);
            Self::save_route(cx, contact, &row);
            self.forget_tags();
        }
        Ok(())
    }

    /// Takes the contact's grant. `settled` if it came in answer to us, so that its mailbox surely is read.
    pub fn set_grant(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        contact: u32,
        grants: Grants,
        settled: bool,
    ) -> Result<(), TurnError> {
        if let Some(mut row) = Self::route(cx.tx, contact)? {
            // A spare's secret is known to its giver: it could fake a conflict. An older request brings older
            // certificates.
            let older = row.grant.as_ref().is_some_and(|g| g.certs.end() > grants.grant.certs.end());
            // One that the contact has moved away from is not read any more.
            let gone = row.gone.contains(&name_of(&grants.grant.to));
            if grants.grant.t.is_some() || gone || (older && !settled) {
                return Ok(());
            }
            if row.grant.as_ref().is_some_and(|g| g.to != grants.grant.to) {
                row.index_at = u64::MAX;
            }
            row.grant = Some(grants.grant);
            row.spares = grants.spares.into_iter().take(SPARES).collect();
            row.settled |= settled;
            Self::save_route(cx, contact, &row);
            self.sweep_now(cx.now.mono);
        }
        Ok(())
    }

    /// The contact wrote: it reads what we send.
    pub fn heard(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        if let Some(mut row) = Self::route(cx.tx, contact)?.filter(|r| !r.settled && r.grant.is_some()) {
            row.settled = true;
            Self::save_route(cx, contact, &row);
        }
        Ok(())
    }

    /// Appends certificates to the grant we hold.
    pub fn renewed(&mut self, cx: &mut Ctx<'_, '_>, contact: u32, renewal: Renewal) -> Result<(), TurnError> {
        let Some(mut row) = Self::route(cx.tx, contact)? else { return Ok(()) };
        if let Some(grant) = row.grant.as_mut().filter(|g| name_of(&g.to) == renewal.m) {
            grant.certs = renewal.c;
            Self::save_route(cx, contact, &row);
            self.sweep_now(cx.now.mono);
        }
        Ok(())
    }

    /// Certifies a contact's tag, and two spare ones, for our account mailbox.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn issue(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        tag: TagPublic,
    ) -> Result<Grants, TurnError> {
        let keys = me.mailbox()?;
        let from = keys.address().epoch_at(cx.now.wall, &self.params);
        let count = self.params.tag_epochs;
        let unusable = |_| TurnError::Damaged { space: rows::META.name };
        let known = Self::route(cx.tx, contact)?.filter(|r| r.tag == Some(tag));
        // spec: F-29
        // Issued before, in a request of ours: the same pair again, so that what was written under it still opens.
        let grant = match known.as_ref().and_then(|r| r.pair) {
            Some(p) => {
                let certs = keys.renew(&PairSecret::from_bytes(p.0), &tag, from, count).map_err(unusable)?;
                WriteGrant { to: keys.address(), p, t: None, certs }
            }
            None => keys.grant(cx.rng, &tag, from, count).map_err(unusable)?,
        };
        let mut spares = Vec::new();
        let mut lent = known.map(|r| r.lent).unwrap_or_default();
        for (p, secret) in &lent {
            let Some(spare) = lent_tag(secret) else { continue };
            let certs = keys.renew(&PairSecret::from_bytes(p.0), &spare, from, count).map_err(unusable)?;
            spares.push(WriteGrant { to: keys.address(), p: *p, t: Some(*secret), certs });
        }
        while spares.len() < SPARES {
            let spare = keys.spare(cx.rng, from, count).map_err(unusable)?;
            if let Some(secret) = spare.t {
                lent.push((spare.p, secret));
            }
            spares.push(spare);
        }
        if let Some(mut row) = Self::route(cx.tx, contact)? {
            row.tag = Some(tag);
            row.pair = Some(grant.p);
            row.issued = from + u64::from(count);
            row.lent = lent;
            row.given = Some(name_of(&keys.address()));
            row.owes_move = false;
            Self::save_route(cx, contact, &row);
            self.forget_tags();
        }
        Ok(Grants { grant, spares })
    }

    /// Stops reading a contact: its tags are dropped on reading, its drops are no longer watched.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: F-23
    pub fn block(&mut self, cx: &mut Ctx<'_, '_>, me: &mut Account, contact: u32) -> Result<(), TurnError> {
        let Some(mut row) = Self::route(cx.tx, contact)? else { return Ok(()) };
        row.blocked = true;
        // Whoever holds certificates for the present mailbox is left behind with it.
        let certified = row.pair.take().is_some();
        row.lent.clear();
        row.issued = 0;
        row.owes_move |= certified;
        for which in 0..row.drops.len() {
            cx.up(DeliveryUp::Unwatch(drop_watch(contact, which)));
        }
        Self::save_route(cx, contact, &row);
        self.forget_tags();
        self.forget_former(cx, contact)?;
        if certified {
            self.move_on(cx, me)?;
        }
        self.drop_parcels(cx, contact, 0);
        // What is under way in boxes is withdrawn by the sweep, row by row.
        for (key, _) in std::mem::take(&mut self.flights) {
            let row: Option<rows::OutboxRow> = rows::get(cx.tx, rows::OUTBOX, &key.to_be_bytes())?;
            if row.is_some_and(|r| r.contact == contact) {
                cx.up(DeliveryUp::Cancel(murre_mailbox::client::PutKey(key)));
            }
        }
        self.sweep_now(cx.now.mono);
        Ok(())
    }

    /// Reads a contact again: its tags count, its drops are watched as long as they were to be, and what waited for it
    /// goes on.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: F-35
    pub fn unblock(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        let Some(mut row) = Self::route(cx.tx, contact)?.filter(|r| r.blocked) else { return Ok(()) };
        row.blocked = false;
        for (which, (secret, until)) in row.drops.iter().enumerate() {
            if *until > cx.now.wall {
                cx.up(DeliveryUp::Watch(drop_watch(contact, which), Box::new(drop_keys(secret))));
            }
        }
        Self::save_route(cx, contact, &row);
        self.forget_tags();
        self.sweep_now(cx.now.mono);
        Ok(())
    }

    /// Watches the account mailbox and every drop that still may receive something.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn watch_all(&mut self, cx: &mut Ctx<'_, '_>, me: &Account) -> Result<(), TurnError> {
        cx.up(DeliveryUp::Watch(account_watch(me.mailbox_no()), Box::new(me.mailbox()?)));
        for (no, _) in super::moves::old_mailboxes(cx.tx)? {
            if let Some(keys) = super::moves::reader(cx.tx, me, no)? {
                cx.up(DeliveryUp::Watch(account_watch(no), Box::new(keys)));
            }
        }
        for (contact, row) in routes(cx.tx)? {
            for (which, (secret, until)) in row.drops.iter().enumerate() {
                if *until > cx.now.wall && !row.blocked {
                    cx.up(DeliveryUp::Watch(drop_watch(contact, which), Box::new(drop_keys(secret))));
                }
            }
        }
        Ok(())
    }

    /// Issues more certificates to contacts that run low, and stops watching drops that are over.
    pub(super) fn maintain(&mut self, cx: &mut Ctx<'_, '_>, me: &mut Account) -> Result<(), TurnError> {
        self.keep_old(cx, me)?;
        let keys = me.mailbox()?;
        let epoch = keys.address().epoch_at(cx.now.wall, &self.params);
        for (contact, mut row) in routes(cx.tx)? {
            for (which, (_, until)) in row.drops.iter().enumerate() {
                if *until <= cx.now.wall {
                    cx.up(DeliveryUp::Unwatch(drop_watch(contact, which)));
                }
            }
            // spec: F-27
            let low = row.issued < epoch + u64::from(self.params.tag_renew_below);
            if let (Some(pair), Some(tag), true) = (row.pair, row.tag, low && row.settled && !row.blocked) {
                let pair = PairSecret::from_bytes(pair.0);
                if let Ok(run) = keys.renew(&pair, &tag, epoch, self.params.tag_epochs) {
                    row.issued = epoch + u64::from(self.params.tag_epochs);
                    Self::save_route(cx, contact, &row);
                    cx.up(DeliveryUp::Renew(contact, run, name_of(&keys.address())));
                }
            }
        }
        Ok(())
    }

    pub(super) fn forget_tags(&mut self) {
        self.tags.clear();
        self.tagged.clear();
    }

    /// Whose tag this is in an account mailbox of ours, computed once per mailbox and epoch for all contacts.
    pub(super) fn whose(
        &mut self,
        view: &dyn View,
        (no, present): (u32, bool),
        epoch: u64,
        tag: &EpochPublic,
    ) -> Result<Option<(u32, PairAt)>, TurnError> {
        if self.tagged.insert((no, epoch)) {
            let known: Vec<_> = if present {
                let read = routes(view)?.into_iter().filter(|(_, row)| !row.blocked);
                read.map(|(contact, row)| (contact, row.tag.zip(row.pair), row.lent)).collect()
            } else {
                let read = super::moves::formers(view, no)?.into_iter();
                read.map(|(contact, row)| (contact, Some((row.tag, row.pair)), row.lent)).collect()
            };
            for (contact, own, lent) in known {
                if let Some((key, pair)) = own
                    && let Ok(at) = tag_at(&PairSecret::from_bytes(pair.0), &key, epoch)
                {
                    self.tags.insert((no, epoch, at), (contact, PairAt::Contact));
                }
                for (i, (pair, secret)) in lent.iter().enumerate() {
                    let Some(key) = lent_tag(secret) else { continue };
                    if let Ok(at) = tag_at(&PairSecret::from_bytes(pair.0), &key, epoch) {
                        self.tags.insert((no, epoch, at), (contact, PairAt::Lent(i)));
                    }
                }
            }
        }
        Ok(self.tags.get(&(no, epoch, *tag)).copied())
    }
}

fn lent_tag(secret: &Bytes<32>) -> Option<TagPublic> {
    murre_mailbox::TagKey::from_secret_bytes(&murre_crypto::Secret::new(secret.0)).map(|k| k.public())
}

/// All routes.
pub(super) fn routes(view: &dyn View) -> Result<Vec<(u32, RouteRow)>, TurnError> {
    view.scan(rows::ROUTES, &Range::all(), Direction::Forward, MAX_CONTACTS)?
        .iter()
        .map(|(key, value)| {
            let no =
                crate::conversations::u32_key(key).ok_or(TurnError::Damaged { space: rows::ROUTES.name })?;
            Ok((no, rows::decode(rows::ROUTES, value)?))
        })
        .collect()
}

impl Delivery {
    /// Everything a request tells of its sender's mailboxes.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn accept_route(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        contact: u32,
        request: &crate::contacts::RequestBody,
    ) -> Result<(), TurnError> {
        let Ok(cert) = request.c.clone().verify() else { return Ok(()) };
        self.add_route(cx, contact, cert.a)?;
        self.add_drop(cx, contact, request.d, cx.now.wall.plus(DROP_READ_MS))?;
        let grants = Grants { grant: request.g.clone(), spares: request.p.clone() };
        self.set_grant(cx, contact, grants, false)
    }

    /// Secret of the drop we opened for a contact.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn own_drop(&self, view: &dyn View, contact: u32) -> Result<Option<Bytes<32>>, TurnError> {
        Ok(Self::route(view, contact)?.and_then(|r| r.drops.first().map(|(secret, _)| *secret)))
    }

    /// This store was rolled back or copied: nothing more is sealed for this contact.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn halt(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        // spec: D-12
        if let Some(mut row) = Self::route(cx.tx, contact)? {
            row.halted = true;
            Self::save_route(cx, contact, &row);
        }
        Ok(())
    }

    /// The client refuses these bytes as no valid box: the contact's grant is unusable. It is forgotten, and what
    /// was sealed under it is sealed anew once there is a better one.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn unusable(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        put: murre_mailbox::client::PutKey,
    ) -> Result<(), TurnError> {
        self.land(cx.now.mono, put.0);
        let contact = match super::parcel_of(put) {
            Some(number) => {
                let row: Option<rows::ParcelRow> = rows::get(cx.tx, rows::PARCELS, &number.to_be_bytes())?;
                self.forget_parcel(cx, number);
                row.map(|r| r.contact)
            }
            None => {
                let row: Option<rows::OutboxRow> = rows::get(cx.tx, rows::OUTBOX, &put.0.to_be_bytes())?;
                row.map(|mut row| {
                    row.boxed = None;
                    rows::put(cx.tx, rows::OUTBOX, &put.0.to_be_bytes(), &row);
                    row.contact
                })
            }
        };
        let Some(contact) = contact else { return Ok(()) };
        if let Some(mut row) = Self::route(cx.tx, contact)? {
            row.grant = None;
            row.settled = false;
            Self::save_route(cx, contact, &row);
        }
        Ok(())
    }

    /// The watches in which a contact's boxes may lie.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn watches(
        &self,
        view: &dyn View,
        me: &Account,
        contact: u32,
    ) -> Result<Vec<murre_mailbox::client::WatchKey>, TurnError> {
        let drops = Self::route(view, contact)?.map_or(0, |r| r.drops.len());
        let mut out = vec![account_watch(me.mailbox_no())];
        out.extend(super::moves::old_mailboxes(view)?.into_iter().map(|(no, _)| account_watch(no)));
        out.extend((0..drops).map(|which| drop_watch(contact, which)));
        Ok(out)
    }
}
