//! Doors of our own: one signed object per epoch, four slots or, at the public one, sixty-four for which a puzzle is
//! solved each; read until the link ends.

use super::{Contacts, ContactsUp, Ctx, DOOR_WATCH, LOW, OBJECT_PUT, parse_link};
use crate::account::Account;
use crate::command::{Answer, CommandError, LinkKind};
use crate::event::Notice;
use crate::invite::InviteLink;
use crate::limits::{MAX_INVITES, MAX_NAME, MAX_REPLACED, PERSONAL_SLOTS, PUBLIC_SLOTS};
use crate::rows::{self, InviteRow};
use murre_core::codec::{self, CodecError};
use murre_core::id::{Bytes, LinkSecretId, NetworkId};
use murre_core::params::delivery::BOX_TTL_HOURS;
use murre_core::time::DAY;
use murre_core::{CommandId, Direction, Label, PeerRef, Range, TurnError, View, Wall};
use murre_crypto::{BlindKey, DeviceCert, RequestKey, RequestPublic, Secret, seal};
use murre_mailbox::client::{PutKey, WatchKey};
use murre_mailbox::limits::list;
use murre_mailbox::{MailboxKind, ReaderKeys, TagPublic};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Life of a personal link.
const LINK_MS: u64 = 30 * DAY;
/// Private parts are kept this long after a link ended, so that a stored request can always be opened.
const KEEP_MS: u64 = 90 * DAY;
/// Life of a public link.
const PUBLIC_MS: u64 = 180 * DAY;
/// A public link that was replaced is read this long.
const REPLACED_MS: u64 = 7 * DAY;
/// Epochs a door is opened ahead.
const AHEAD: u64 = 9;

const DOOR_SEED: Label = Label::new("murre v1 door mailbox");
const SLOT_SEED: Label = Label::new("murre v1 door slots");
const OBJECT_KEY: Label = Label::new("murre v1 door object key");
const OBJECT_NONCE: Label = Label::new("murre v1 door object nonce");
const OBJECT_ID: Label = Label::new("murre v1 door object put key");

/// What a door's object tells the holders of its link.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorPayload {
    /// Version, 1.
    pub v: u8,
    /// The maker's device.
    pub c: DeviceCert,
    /// Requests are sealed to this.
    pub r: RequestPublic,
    /// MLS key packages, one per device, counted while they are read.
    #[serde(deserialize_with = "list::<MAX_PACKAGES, _, _>")]
    pub k: Vec<ByteBuf>,
    /// Tag key of the maker's device, so that the asker can certify it.
    pub t: TagPublic,
    /// Slots.
    pub s: u8,
}

/// Largest door payload.
pub const MAX_PAYLOAD: usize = 48 << 10;
/// Most key packages in a door payload.
pub const MAX_PACKAGES: usize = 16;

impl DoorPayload {
    /// Reads an opened payload.
    ///
    /// # Errors
    /// [`CodecError`] if it is none, or holds more than it may.
    pub fn decode(plain: &[u8]) -> Result<Self, CodecError> {
        codec::decode(plain, MAX_PAYLOAD)
    }
}

/// Mailbox keys every holder of a link derives.
pub(super) fn door_keys(link: &InviteLink) -> ReaderKeys {
    ReaderKeys::from_secret(MailboxKind::Door, &Secret::new(DOOR_SEED.hash(&[&link.secret])))
        .with_owner_public(link.owner)
}

/// Secret of the slots: every holder of the link can write each of them, once.
pub(super) fn slot_secret(link: &InviteLink) -> Secret<32> {
    Secret::new(SLOT_SEED.hash(&[&link.secret]))
}

/// Requests that a door takes in an epoch.
pub(super) fn slots(link: &InviteLink) -> u8 {
    if link.public { PUBLIC_SLOTS } else { PERSONAL_SLOTS }
}

fn object_key(link: &InviteLink, epoch: u64) -> Secret<32> {
    Secret::new(OBJECT_KEY.hash(&[&link.secret, &epoch.to_be_bytes()]))
}

/// Seals a payload for the holders of a link. Deterministic, so that every put of an epoch is identical; the nonce
/// depends on the plaintext, so that no nonce is used for two of them.
// spec: F-10
fn seal_payload(link: &InviteLink, epoch: u64, plain: &[u8]) -> Vec<u8> {
    let key = object_key(link, epoch);
    let mut nonce = [0; 24];
    OBJECT_NONCE.fill(&[key.expose(), plain], &mut nonce);
    let mut out = nonce.to_vec();
    out.extend_from_slice(&seal::seal(&key, &nonce, link.id().as_bytes(), plain));
    out
}

// spec: F-11
pub(super) fn open_payload(link: &InviteLink, epoch: u64, sealed: &[u8]) -> Option<DoorPayload> {
    let (nonce, sealed) = sealed.split_first_chunk::<24>()?;
    let plain = seal::open(&object_key(link, epoch), nonce, link.id().as_bytes(), sealed).ok()?;
    let payload = DoorPayload::decode(&plain).ok()?;
    let account = payload.c.clone().verify().ok()?.a;
    (payload.v == 1 && account == link.account && !payload.k.is_empty()).then_some(payload)
}

/// What a door says, sealed for each epoch by itself.
fn payload_of(me: &Account, link: &InviteLink, row: &InviteRow) -> Vec<u8> {
    codec::encode(&DoorPayload {
        v: 1,
        c: me.cert().clone(),
        r: RequestKey::from_secret(&Secret::new(row.request.0)).public(),
        k: vec![row.package.clone()],
        t: me.tag().public(),
        s: slots(link),
    })
}

fn watch_of(link: LinkSecretId) -> WatchKey {
    let [a, b, c, d, e, f, g, h, ..] = *link.as_bytes();
    WatchKey(DOOR_WATCH | (u64::from_be_bytes([a, b, c, d, e, f, g, h]) & LOW))
}

fn object_put(link: LinkSecretId, epoch: u64, shut: bool) -> u64 {
    let parts: [&[u8]; 3] = [link.as_bytes(), &epoch.to_be_bytes(), &[u8::from(shut)]];
    let [a, b, c, d, e, f, g, h, ..] = OBJECT_ID.hash(&parts);
    OBJECT_PUT | (u64::from_be_bytes([a, b, c, d, e, f, g, h]) & LOW)
}

/// What a person wants of a new link.
#[derive(Debug)]
pub struct Wish {
    /// For whom it is.
    pub kind: LinkKind,
    /// Shown to whoever opens it.
    pub name: Option<String>,
    /// Nodes named in it.
    pub hints: Vec<PeerRef>,
}

impl Contacts {
    /// Makes a link around a fresh key package, or answers with the public one there is. False if the package was not
    /// needed.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn invite(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        id: CommandId,
        wish: Wish,
        package: (Bytes<32>, Vec<u8>),
    ) -> Result<bool, TurnError> {
        let open = self.invites(cx.tx)?;
        let alive = |(_, link, row): &&(LinkSecretId, InviteLink, InviteRow)| {
            !row.withdrawn && row.replaced.is_none() && link.expires > cx.now.wall
        };
        let (public, personal): (Vec<_>, Vec<_>) = open.iter().filter(alive).partition(|(_, l, _)| l.public);
        let refused = match (self.network, &wish.name) {
            (None, _) => Some(CommandError::NoNetwork),
            (_, Some(n)) if n.len() > MAX_NAME => {
                Some(CommandError::TooLong { what: "name", len: n.len(), limit: MAX_NAME })
            }
            _ if wish.kind == LinkKind::Personal && personal.len() >= MAX_INVITES => {
                Some(CommandError::TooManyInvites { limit: MAX_INVITES })
            }
            _ => None,
        };
        let (Some(network), None) = (self.network, &refused) else {
            cx.up(ContactsUp::Answer(id, Err(refused.unwrap_or(CommandError::NoNetwork))));
            return Ok(false);
        };
        // spec: F-37
        match wish.kind {
            LinkKind::Personal => {}
            LinkKind::Public => {
                if let Some((_, link, _)) = public.first() {
                    let (link, expires) = (link.clone(), link.expires);
                    cx.up(ContactsUp::Answer(id, Ok(Answer::Invite { link, expires })));
                    return Ok(false);
                }
            }
            LinkKind::NewPublic => {
                let old = public.into_iter().map(|(id, _, _)| *id).collect();
                self.replace(cx, &open, old)?;
            }
        }
        let link = self.make(cx, me, network, wish, package)?;
        let expires = link.expires;
        cx.up(ContactsUp::Answer(id, Ok(Answer::Invite { link, expires })));
        Ok(true)
    }

    /// Makes a link, its keys and its door.
    fn make(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        network: NetworkId,
        wish: Wish,
        package: (Bytes<32>, Vec<u8>),
    ) -> Result<InviteLink, TurnError> {
        let owner = BlindKey::generate(cx.rng);
        let request = RequestKey::generate(cx.rng);
        let public = wish.kind != LinkKind::Personal;
        let expires = cx.now.wall.plus(if public { PUBLIC_MS } else { LINK_MS });
        let link = InviteLink {
            secret: cx.rng.bytes(),
            owner: owner.public(),
            account: me.id(),
            network,
            expires,
            public,
            name: wish.name,
            hints: wish.hints,
        };
        let (package_ref, package) = package;
        let from = door_keys(&link).address().epoch_at(cx.now.wall, &self.params);
        let row = InviteRow {
            link: ByteBuf::from(link.to_bytes()),
            owner: Bytes(*owner.secret().expose()),
            request: Bytes(*request.secret().expose()),
            package: ByteBuf::from(package),
            package_ref,
            from,
            stored: Vec::new(),
            withdrawn: false,
            shut: Vec::new(),
            replaced: None,
            requests: 0,
        };
        rows::put(cx.tx, rows::INVITES, link.id().as_bytes(), &row);
        self.open_door(cx, me, &link, &row)?;
        Ok(link)
    }

    /// Another public link takes the place of these. They are read for a while; of those replaced before, only so many.
    fn replace(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        open: &[(LinkSecretId, InviteLink, InviteRow)],
        old: Vec<LinkSecretId>,
    ) -> Result<(), TurnError> {
        let mut before: Vec<(Wall, LinkSecretId)> = open
            .iter()
            .filter(|(_, _, row)| !row.withdrawn)
            .filter_map(|(id, _, row)| row.replaced.map(|at| (at, *id)))
            .collect();
        before.sort();
        let over = (before.len() + old.len()).saturating_sub(MAX_REPLACED);
        for (_, id) in before.into_iter().take(over) {
            self.shut(cx, id)?;
        }
        for id in old {
            if let Some(mut row) = rows::get::<InviteRow>(cx.tx, rows::INVITES, id.as_bytes())? {
                row.replaced = Some(cx.now.wall);
                rows::put(cx.tx, rows::INVITES, id.as_bytes(), &row);
            }
        }
        Ok(())
    }

    /// Shuts a door of ours for good, and no longer reads it.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn withdraw(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        link: &InviteLink,
    ) -> Result<(), TurnError> {
        let result = match self.shut(cx, link.id())? {
            true => Ok(Answer::Done),
            false => Err(CommandError::UnknownInvite),
        };
        cx.up(ContactsUp::Answer(id, result));
        Ok(())
    }

    /// Shuts a door. False if there is no such link.
    // spec: F-28
    fn shut(&mut self, cx: &mut Ctx<'_, '_>, key: LinkSecretId) -> Result<bool, TurnError> {
        let Some(mut row) = rows::get::<InviteRow>(cx.tx, rows::INVITES, key.as_bytes())? else {
            return Ok(false);
        };
        row.withdrawn = true;
        rows::put(cx.tx, rows::INVITES, key.as_bytes(), &row);
        self.doors.remove(&watch_of(key).0);
        cx.up(ContactsUp::Unwatch(watch_of(key)));
        let open: Vec<u64> =
            self.objects.iter().filter(|(_, (l, _))| *l == key).map(|(put, _)| *put).collect();
        for put in open {
            self.objects.remove(&put);
            cx.up(ContactsUp::Cancel(PutKey(put)));
        }
        let link = parse_link(&row.link)?;
        self.shut_door(cx, &link, &row);
        Ok(true)
    }

    /// Which link a door watch reads.
    #[must_use]
    pub fn door(&self, watch: WatchKey) -> Option<LinkSecretId> {
        self.doors.get(&watch.0).copied()
    }

    pub(super) fn invites(
        &self,
        view: &dyn View,
    ) -> Result<Vec<(LinkSecretId, InviteLink, InviteRow)>, TurnError> {
        // Links that ended are kept for a while, so there are more rows than open links.
        view.scan(rows::INVITES, &Range::all(), Direction::Forward, 1_024)?
            .iter()
            .map(|(_, value)| {
                let row: InviteRow = rows::decode(rows::INVITES, value)?;
                let link = parse_link(&row.link)?;
                Ok((link.id(), link, row))
            })
            .collect()
    }

    /// Watches a door and stores what it lacks: the current epoch first, then up to nine ahead.
    fn open_door(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        link: &InviteLink,
        row: &InviteRow,
    ) -> Result<(), TurnError> {
        let watch = watch_of(link.id());
        if self.doors.insert(watch.0, link.id()).is_none() {
            cx.up(ContactsUp::Watch(watch, Box::new(door_keys(link))));
        }
        // The same in each epoch; its request key costs as much as signing twice.
        let mut payload = None;
        // spec: F-12
        for epoch in self.door_epochs(cx.now.wall, link) {
            let put = object_put(link.id(), epoch, false);
            if row.stored.contains(&epoch) || self.objects.insert(put, (link.id(), epoch)).is_some() {
                continue;
            }
            let payload = payload.get_or_insert_with(|| payload_of(me, link, row));
            if let Some(object) = self.sign_object(link, row, epoch, payload) {
                cx.up(ContactsUp::PutObject(PutKey(put), object));
            }
        }
        Ok(())
    }

    /// Epochs in which a door can be found: the present one and those ahead, up to the link's end.
    fn door_epochs(&self, now: Wall, link: &InviteLink) -> std::ops::RangeInclusive<u64> {
        let address = door_keys(link).address();
        let now = address.epoch_at(now, &self.params);
        now..=address.epoch_at(link.expires, &self.params).min(now + AHEAD)
    }

    /// Says at the door, for every epoch in which it could be found, that it is shut.
    // spec: F-28
    fn shut_door(&mut self, cx: &mut Ctx<'_, '_>, link: &InviteLink, row: &InviteRow) {
        let Some(owner) = BlindKey::from_scalar_bytes(&Secret::new(row.owner.0)) else { return };
        let keys = door_keys(link).with_owner(owner);
        for epoch in self.door_epochs(cx.now.wall, link) {
            let put = object_put(link.id(), epoch, true);
            if row.shut.contains(&epoch) || self.objects.insert(put, (link.id(), epoch)).is_some() {
                continue;
            }
            let (_, end) = keys.address().epoch_span(epoch, &self.params);
            let shut = keys.at(epoch).ok().and_then(|at| at.closed_object(end.hour() + BOX_TTL_HOURS).ok());
            if let Some(object) = shut {
                cx.up(ContactsUp::PutObject(PutKey(put), object.wire()));
            }
        }
    }

    fn sign_object(&self, link: &InviteLink, row: &InviteRow, epoch: u64, payload: &[u8]) -> Option<Vec<u8>> {
        let owner = BlindKey::from_scalar_bytes(&Secret::new(row.owner.0))?;
        let keys = door_keys(link).with_owner(owner);
        let reader = keys.at(epoch).ok()?;
        let (_, end) = keys.address().epoch_span(epoch, &self.params);
        let sealed = seal_payload(link, epoch, payload);
        // It lives as long as a request under it may: custodians that were away take such a box over by repair only
        // while they hold the object.
        let expiry = end.hour() + BOX_TTL_HOURS;
        let (secret, slots) = (slot_secret(link), u16::from(slots(link)));
        // spec: F-38
        let object = if link.public {
            reader.paid_object(&secret, slots, expiry, sealed)
        } else {
            reader.object(&secret, slots, expiry, sealed)
        };
        Some(object.ok()?.wire())
    }

    /// Custodians signed for an object.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub(super) fn object_stored(&mut self, cx: &mut Ctx<'_, '_>, put: PutKey) -> Result<(), TurnError> {
        let Some((link, epoch)) = self.objects.get(&put.0).copied() else { return Ok(()) };
        let Some(mut row) = rows::get::<InviteRow>(cx.tx, rows::INVITES, link.as_bytes())? else {
            return Ok(());
        };
        if row.withdrawn {
            if !row.shut.contains(&epoch) {
                row.shut.push(epoch);
                rows::put(cx.tx, rows::INVITES, link.as_bytes(), &row);
            }
        } else if !row.stored.contains(&epoch) {
            row.stored.push(epoch);
            // Published means that whoever holds the link finds the door now: an epoch ahead does not count.
            let first = epoch == row.from;
            rows::put(cx.tx, rows::INVITES, link.as_bytes(), &row);
            if first {
                cx.up(ContactsUp::Notice(Notice::InvitePublished { link }));
            }
        }
        Ok(())
    }

    /// Opens the doors of live links for epochs to come, and forgets what ended long ago.
    pub(super) fn keep_doors(&mut self, cx: &mut Ctx<'_, '_>, me: &Account) -> Result<(), TurnError> {
        for (id, link, row) in self.invites(cx.tx)? {
            // spec: F-25
            if cx.now.wall > link.expires.plus(KEEP_MS) {
                cx.tx.erase(rows::INVITES, id.as_bytes());
                cx.up(ContactsUp::ForgetPackage(row.package_ref));
                self.doors.remove(&watch_of(id).0);
            } else if !row.withdrawn && row.replaced.is_some_and(|at| cx.now.wall.since(at) > REPLACED_MS) {
                self.shut(cx, id)?;
            } else if !row.withdrawn && link.expires > cx.now.wall {
                self.open_door(cx, me, &link, &row)?;
            } else if row.withdrawn && link.expires > cx.now.wall {
                self.shut_door(cx, &link, &row);
            } else if !row.withdrawn && self.doors.insert(watch_of(id).0, id).is_none() {
                // Ended, but a request stored before the end may still lie there.
                cx.up(ContactsUp::Watch(watch_of(id), Box::new(door_keys(&link))));
            }
        }
        Ok(())
    }
}
