//! Requests of ours: read the door, found the group, seal, place in a slot, post again.

use super::doors::{door_keys, open_payload, slot_secret};
use super::{Contacts, ContactsUp, Ctx, answer, by_account, get, parse_link, request_put, save};
use crate::account::Account;
use crate::command::{CommandError, ContactState};
use crate::conversations::Founded;
use crate::delivery::Grants;
use crate::event::{DoorProblem, Notice};
use crate::invite::InviteLink;
use crate::limits::{MAX_CONTACTS, MAX_HELLO, MAX_REQUEST, MAX_SPARES};
use crate::rows::{self, ContactRow, RequestRow};
use murre_core::codec::{self, CodecError};
use murre_core::id::{AccountId, Bytes, StateId};
use murre_core::params::delivery::{BOX_TTL_HOURS, REPOST_MS, REPOST_UNTIL_MS};
use murre_core::time::DAY;
use murre_core::{CommandId, Label, Mono, TurnError, Wall};
use murre_crypto::{DeviceCert, hpke_seal};
use murre_mailbox::client::{GetKey, PutKey};
use murre_mailbox::limits::list;
use murre_mailbox::{SignedObject, TagPublic, VerifiedObject, WriteGrant, Writer, slot_grant};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub(super) const REQUEST_INFO: Label = Label::new("murre v1 request");
/// A door that is not found is looked for this often while the request is young, and then.
const SOON_MS: u64 = 5_000;
const LATER_MS: u64 = 10 * murre_core::time::MINUTE;
/// How long a request is young.
const YOUNG_MS: u64 = 5 * murre_core::time::MINUTE;
/// The drop is read this long after the last post.
const DROP_MS: u64 = REPOST_UNTIL_MS + 30 * DAY;

/// What a request says, opened.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    /// Version, 1.
    pub v: u8,
    /// The asker's device.
    pub c: DeviceCert,
    /// Signed create operation of the conversation.
    pub o: ByteBuf,
    /// State of its group keys.
    pub s: StateId,
    /// MLS Welcome.
    pub w: ByteBuf,
    /// Wire secret.
    pub x: Bytes<32>,
    /// Secret of the drop.
    pub d: Bytes<32>,
    /// The asker's account mailbox, certified for the maker's device.
    pub g: WriteGrant,
    /// Spare tags, counted while they are read.
    #[serde(deserialize_with = "list::<MAX_SPARES, _, _>")]
    pub p: Vec<WriteGrant>,
    /// The asker's tag key.
    pub t: TagPublic,
    /// The asker's name.
    pub n: String,
    /// Hello.
    pub h: String,
}

impl RequestBody {
    /// Reads an opened request.
    ///
    /// # Errors
    /// [`CodecError`] if it is none, or holds more than it may.
    pub fn decode(plain: &[u8]) -> Result<Self, CodecError> {
        codec::decode(plain, MAX_REQUEST)
    }
}

impl Contacts {
    /// Asks the maker of a link to talk.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn add(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        id: CommandId,
        link: &InviteLink,
        hello: &str,
    ) -> Result<(), TurnError> {
        let known = by_account(cx.tx, link.account)?;
        if let Some(refused) = self.refuse_add(cx, me, link, hello, known.as_ref())? {
            cx.up(ContactsUp::Answer(id, Err(refused)));
            return Ok(());
        }
        match known {
            // spec: F-22
            // They asked us already: this counts as the acceptance.
            Some((no, row)) if row.state == ContactState::Incoming => self.join(cx, no, Some(id)),
            Some((no, row)) => {
                if row.state == ContactState::Requested {
                    self.another_link(cx, no, row.clone(), link)?;
                }
                let answer = answer(cx.tx, &row)?;
                cx.up(ContactsUp::Answer(id, Ok(answer)));
                Ok(())
            }
            None => {
                let name = link.name.clone().unwrap_or_default();
                let (no, row) = self.meet(cx, link.account, &name, ContactState::Requested, hello)?;
                let request = RequestRow::Out {
                    link: ByteBuf::from(link.to_bytes()),
                    sealed: None,
                    placed: None,
                    taken: Vec::new(),
                    posted: Wall(0),
                    stored: false,
                    trouble: None,
                };
                rows::put(cx.tx, rows::REQUESTS, &no.to_be_bytes(), &request);
                let (drop, until) = (Bytes(cx.rng.bytes()), cx.now.wall.plus(DROP_MS));
                cx.up(ContactsUp::Begin { contact: no, account: row.account, drop, until, command: id });
                let state = row.state;
                cx.up(ContactsUp::Notice(Notice::Contact { account: row.account, state }));
                cx.up(ContactsUp::GetObject(GetKey(u64::from(no)), Box::new(door_keys(link).address())));
                Ok(())
            }
        }
    }

    /// Asks through another link of the same person, as long as nothing was sealed for the first: that one may be
    /// withdrawn, full or lost.
    fn another_link(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        mut contact: ContactRow,
        link: &InviteLink,
    ) -> Result<(), TurnError> {
        let key = no.to_be_bytes();
        let new = ByteBuf::from(link.to_bytes());
        let old: Option<RequestRow> = rows::get(cx.tx, rows::REQUESTS, &key)?;
        if let Some(RequestRow::Out { link: old, sealed: None, placed, taken, posted, stored, .. }) = old
            && old != new
        {
            let row =
                RequestRow::Out { link: new, sealed: None, placed, taken, posted, stored, trouble: None };
            rows::put(cx.tx, rows::REQUESTS, &key, &row);
            contact.since = cx.now.wall;
            super::save(cx, no, &contact);
            cx.up(ContactsUp::GetObject(GetKey(u64::from(no)), Box::new(door_keys(link).address())));
        }
        Ok(())
    }

    fn refuse_add(
        &self,
        cx: &Ctx<'_, '_>,
        me: &Account,
        link: &InviteLink,
        hello: &str,
        known: Option<&(u32, ContactRow)>,
    ) -> Result<Option<CommandError>, TurnError> {
        // spec: F-5
        if link.account == me.id() {
            return Ok(Some(CommandError::OwnLink));
        }
        if hello.len() > MAX_HELLO {
            return Ok(Some(CommandError::TooLong { what: "hello", len: hello.len(), limit: MAX_HELLO }));
        }
        if self.network.is_some_and(|n| n != link.network) {
            return Ok(Some(CommandError::OtherNetwork));
        }
        Ok(match known {
            Some((_, row)) if row.state == ContactState::Blocked => Some(CommandError::Blocked),
            Some(_) => None,
            None if link.expires <= cx.now.wall => Some(CommandError::LinkExpired),
            None if super::all(cx.tx)?.len() >= MAX_CONTACTS => {
                Some(CommandError::TooManyContacts { limit: MAX_CONTACTS })
            }
            None => None,
        })
    }

    /// The conversation of a new contact exists: tell whoever asked.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn begun(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        chat: u32,
        command: Option<CommandId>,
    ) -> Result<(), TurnError> {
        let Some(mut row) = get(cx.tx, no)? else { return Ok(()) };
        row.chat = Some(chat);
        save(cx, no, &row);
        if let Some(id) = command {
            let answer = answer(cx.tx, &row)?;
            cx.up(ContactsUp::Answer(id, Ok(answer)));
        }
        Ok(())
    }

    /// A door was looked for.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn object(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        object: Option<&VerifiedObject>,
    ) -> Result<(), TurnError> {
        let (Some(contact), Some(RequestRow::Out { link, sealed, .. })) =
            (get(cx.tx, no)?, rows::get(cx.tx, rows::REQUESTS, &no.to_be_bytes())?)
        else {
            return Ok(());
        };
        // spec: F-23
        if contact.state == ContactState::Blocked {
            return Ok(());
        }
        let link = parse_link(&link)?;
        let address = door_keys(&link).address();
        if object.is_some_and(|o| address.at(o.e).ok() != Some(o.place)) {
            // The door of the link that was asked through before.
            cx.up(ContactsUp::GetObject(GetKey(u64::from(no)), Box::new(address)));
            return Ok(());
        }
        let problem = match object.map(|o| (o, open_payload(&link, o.e, &o.p))) {
            None => DoorProblem::NotFound,
            // spec: F-30
            Some((object, _)) if object.closed() => DoorProblem::Withdrawn,
            Some((_, None)) => DoorProblem::Invalid,
            Some((object, Some(_))) if sealed.is_some() => return self.post(cx, no, object),
            Some((object, Some(payload))) => {
                let chat = match contact.chat {
                    Some(chat) => crate::conversations::chat(cx.tx, chat)?,
                    None => None,
                };
                let own = chat.and_then(|c| c.logs.iter().find(|l| l.state.is_none()).map(|l| l.id));
                let Some(log) = own else { return Ok(()) };
                rows::put(cx.tx, rows::META, &door_key(no), &ByteBuf::from(object.wire()));
                let packages = payload.k.into_iter().map(ByteBuf::into_vec).collect();
                cx.up(ContactsUp::Found { contact: no, log, packages, tag: payload.t });
                return Ok(());
            }
        };
        self.trouble(cx, no, contact.account, problem)?;
        // A link just given out may be a moment ahead of its door; an old one is asked for now and then.
        let young = cx.now.wall.since(contact.since) < YOUNG_MS;
        self.sweep = self.sweep.min(cx.now.mono.plus(if young { SOON_MS } else { LATER_MS }));
        Ok(())
    }

    /// There was no room to look for a door: it is asked for again.
    pub fn object_later(&mut self, now: Mono) {
        self.sweep = self.sweep.min(now.plus(SOON_MS));
    }

    /// A door's key packages are not usable.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn invalid_door(&mut self, cx: &mut Ctx<'_, '_>, no: u32) -> Result<(), TurnError> {
        cx.tx.delete(rows::META, &door_key(no));
        match get(cx.tx, no)? {
            Some(contact) => self.trouble(cx, no, contact.account, DoorProblem::Invalid),
            None => Ok(()),
        }
    }

    /// Keeps what is wrong with a door beside the request, and tells it once.
    fn trouble(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        account: AccountId,
        why: DoorProblem,
    ) -> Result<(), TurnError> {
        let key = no.to_be_bytes();
        if let Some(RequestRow::Out { link, sealed, placed, taken, posted, stored, trouble }) =
            rows::get(cx.tx, rows::REQUESTS, &key)?
            && trouble != Some(why)
        {
            let trouble = Some(why);
            let row = RequestRow::Out { link, sealed, placed, taken, posted, stored, trouble };
            rows::put(cx.tx, rows::REQUESTS, &key, &row);
            cx.up(ContactsUp::Notice(Notice::DoorProblem { account, why }));
        }
        Ok(())
    }

    /// The group is founded: seal the request and place it in a slot.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn founded(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
        founded: Founded,
        grants: Grants,
        drop: Bytes<32>,
    ) -> Result<(), TurnError> {
        let key = no.to_be_bytes();
        let (Some(contact), Some(RequestRow::Out { link, .. }), Some(object)) = (
            get(cx.tx, no)?,
            rows::get(cx.tx, rows::REQUESTS, &key)?,
            rows::get::<ByteBuf>(cx.tx, rows::META, &door_key(no))?,
        ) else {
            return Ok(());
        };
        cx.tx.delete(rows::META, &door_key(no));
        let parsed = parse_link(&link)?;
        let damaged = || TurnError::Damaged { space: rows::META.name };
        let object = SignedObject::parse(&object).map_err(|_| damaged())?;
        let object = object.verify(&self.params).map_err(|_| damaged())?;
        let payload = open_payload(&parsed, object.e, &object.p).ok_or_else(damaged)?;
        let maker = payload.c.clone().verify().map_err(|_| damaged())?.d;
        self.device_seen(cx, no, maker)?;
        let body = RequestBody {
            v: 1,
            c: me.cert().clone(),
            o: ByteBuf::from(founded.op),
            s: founded.state,
            w: ByteBuf::from(founded.welcome),
            x: Bytes(founded.wire),
            d: drop,
            g: grants.grant,
            p: grants.spares,
            t: me.tag().public(),
            n: me.name().to_owned(),
            h: contact.hello,
        };
        let info = REQUEST_INFO.hash(&[parsed.id().as_bytes()]);
        let sealed = hpke_seal(&payload.r, &info, &[], &codec::encode(&body), cx.rng)
            .map_err(|_| murre_core::Bug::new("a checked request key does not seal"))?;
        let row = RequestRow::Out {
            link,
            sealed: Some(ByteBuf::from(sealed)),
            placed: None,
            taken: Vec::new(),
            posted: Wall(0),
            stored: false,
            trouble: None,
        };
        rows::put(cx.tx, rows::REQUESTS, &key, &row);
        self.post(cx, no, &object)
    }

    /// Places the sealed request in a slot: the same box again within an epoch, a new one in the next.
    fn post(&mut self, cx: &mut Ctx<'_, '_>, no: u32, object: &VerifiedObject) -> Result<(), TurnError> {
        let key = no.to_be_bytes();
        let Some(RequestRow::Out { link, sealed: Some(sealed), placed, mut taken, stored, .. }) =
            rows::get(cx.tx, rows::REQUESTS, &key)?
        else {
            return Ok(());
        };
        let parsed = parse_link(&link)?;
        // spec: F-13
        let same = placed.as_ref().is_some_and(|(e, s, _)| *e == object.e && !taken.contains(s));
        if placed.as_ref().is_some_and(|(e, _, _)| *e != object.e) {
            taken.clear();
        }
        let next = match placed.clone().filter(|_| same) {
            Some(placed) => Some(placed),
            None => {
                cx.up(ContactsUp::Cancel(request_put(no)));
                // spec: F-14
                let free: Vec<u8> =
                    (0..object.slots.len().min(64) as u8).filter(|s| !taken.contains(s)).collect();
                let pick = free.get(cx.rng.below(free.len() as u64) as usize).copied();
                let expiry = cx.now.wall.hour() + BOX_TTL_HOURS;
                pick.and_then(|s| {
                    slot_box(&parsed, object, s, expiry, &sealed).map(|b| (object.e, s, ByteBuf::from(b)))
                })
            }
        };
        let full = next.is_none();
        if let Some((_, _, bytes)) = &next {
            cx.up(ContactsUp::Put(request_put(no), bytes.to_vec()));
        }
        let posted = cx.now.wall;
        let stored = stored && same;
        // A full door keeps the last placing on record: a slot once written in an epoch is never written again.
        let placed = next.or(placed);
        // A full door is told again at each post: every time it is another epoch's.
        let trouble = None;
        let row = RequestRow::Out { link, sealed: Some(sealed), placed, taken, posted, stored, trouble };
        rows::put(cx.tx, rows::REQUESTS, &key, &row);
        match get(cx.tx, no)?.filter(|_| full) {
            Some(contact) => self.trouble(cx, no, contact.account, DoorProblem::Full),
            None => Ok(()),
        }
    }

    /// Custodians signed for a request or an object.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn signed(&mut self, cx: &mut Ctx<'_, '_>, put: PutKey, solid: bool) -> Result<(), TurnError> {
        if !solid {
            return Ok(());
        }
        if put.0 >> 62 == 3 {
            return self.object_stored(cx, put);
        }
        let key = (put.0 as u32).to_be_bytes();
        if let Some(RequestRow::Out { link, sealed, placed, taken, posted, stored: false, .. }) =
            rows::get(cx.tx, rows::REQUESTS, &key)?
        {
            let row = RequestRow::Out { link, sealed, placed, taken, posted, stored: true, trouble: None };
            rows::put(cx.tx, rows::REQUESTS, &key, &row);
            self.paying.remove(&(put.0 as u32));
            if let Some(contact) = get(cx.tx, put.0 as u32)? {
                cx.up(ContactsUp::Notice(Notice::Placed { account: contact.account }));
            }
        }
        Ok(())
    }

    /// A puzzle is being solved for a request; each price is told once.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: F-39
    pub fn paying(&mut self, cx: &mut Ctx<'_, '_>, put: PutKey, tries: u32) -> Result<(), TurnError> {
        let no = put.0 as u32;
        if put.0 >> 62 == 2
            && let Some(contact) = get(cx.tx, no)?
            && self.paying.insert(no, tries) != Some(tries)
        {
            cx.up(ContactsUp::Notice(Notice::Paying { account: contact.account, tries }));
        }
        Ok(())
    }

    /// The slot holds somebody else's request: take another.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn slot_taken(&mut self, cx: &mut Ctx<'_, '_>, put: PutKey) -> Result<(), TurnError> {
        let no = put.0 as u32;
        let key = no.to_be_bytes();
        if put.0 >> 62 != 2 {
            return Ok(());
        }
        cx.up(ContactsUp::Cancel(put));
        if let Some(RequestRow::Out { link, sealed, placed, mut taken, .. }) =
            rows::get(cx.tx, rows::REQUESTS, &key)?
        {
            taken.extend(placed.as_ref().map(|(_, slot, _)| *slot));
            let parsed = parse_link(&link)?;
            let (posted, stored, trouble) = (Wall(0), false, None);
            let row = RequestRow::Out { link, sealed, placed, taken, posted, stored, trouble };
            rows::put(cx.tx, rows::REQUESTS, &key, &row);
            cx.up(ContactsUp::GetObject(GetKey(u64::from(no)), Box::new(door_keys(&parsed).address())));
        }
        Ok(())
    }

    /// Posts requests again: at start if not yet stored, later every five days, up to ninety.
    // spec: F-16
    pub(super) fn repost(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        for (no, contact) in super::all(cx.tx)? {
            if !matches!(contact.state, ContactState::Requested | ContactState::Accepted)
                || cx.now.wall.since(contact.since) > REPOST_UNTIL_MS
            {
                continue;
            }
            let Some(RequestRow::Out { link, posted, stored, trouble, .. }) =
                rows::get(cx.tx, rows::REQUESTS, &no.to_be_bytes())?
            else {
                continue;
            };
            // A shut door never opens again.
            if trouble == Some(DoorProblem::Withdrawn) {
                continue;
            }
            // Both asked: the other side still has to learn of the log begun here.
            if contact.state == ContactState::Accepted && stored {
                continue;
            }
            if !stored || cx.now.wall.since(posted) >= REPOST_MS {
                let link = parse_link(&link)?;
                cx.up(ContactsUp::GetObject(GetKey(u64::from(no)), Box::new(door_keys(&link).address())));
            }
        }
        Ok(())
    }
}

/// Where the object that a founding waits for is kept within its turn.
fn door_key(contact: u32) -> Vec<u8> {
    [b"door.".as_slice(), &contact.to_be_bytes()].concat()
}

fn slot_box(
    link: &InviteLink,
    object: &VerifiedObject,
    index: u8,
    expiry: u32,
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let to = door_keys(link).address();
    let grant = slot_grant(&to, &slot_secret(link), u16::from(index), object)?;
    let writer = Writer::new(&grant, None).ok()?;
    Some(writer.seal_box(object.e, 0, expiry, sealed).ok()?.wire().to_vec())
}
