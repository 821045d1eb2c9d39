//! Meeting people with nobody online together: invitations, doors, requests, acceptance.
//!
//! ```text
//!   Bob (maker of the link)                         custodians                     Alice (holder of the link)
//!   door object per epoch, signed --------------->  [object]  ---------------->  key package, request key, slots
//!                                                   [slot 0..3] <--------------  request, sealed to the request key
//!   sees the hello; nothing is revealed  <--------  [slot i]
//!   accept: joins, answers into the drop -------->  [drop]  ------------------>  handover: Bob's mailbox
//!                                                   [drop] <-------------------  everything she wrote meanwhile
//! ```
//!
//! A door is a mailbox whose keys derive from the link's secret, so every holder of the link can read the object
//! and fill a slot; only the maker, who holds the owner key, can sign the object. The request itself opens only
//! with the maker's request key.
//!
//! What this does NOT do: hold the conversation's keys, write into a chat, or choose custodians.

mod block;
mod doors;
mod incoming;
mod requests;
mod trust;

pub use doors::{DoorPayload, Wish};
pub use requests::RequestBody;
pub(crate) use trust::trust;

use crate::account::Account;
use crate::command::{Answer, CommandError, ContactState};
use crate::content::clean_line;
use crate::event::Notice;
use crate::invite::InviteLink;
use crate::limits::{MAX_CONTACTS, MAX_NAME};
use crate::rows::{self, ContactRow};
use murre_core::id::{AccountId, BoxId, Bytes, LinkSecretId, LogId, NetworkId};
use murre_core::params::delivery::RETRY_MS;
use murre_core::{CommandId, Cx, Direction, Mono, NetworkParams, Range, TurnError, View, Wall};
use murre_mailbox::client::{GetKey, PutKey, WatchKey};
use murre_mailbox::{MailboxAddress, ReaderKeys, TagPublic};
use std::collections::BTreeMap;

/// What contacts tell their parent.
#[derive(Debug)]
pub enum ContactsUp {
    /// A command is answered.
    Answer(CommandId, Result<Answer, CommandError>),
    /// Something to tell the user.
    Notice(Notice),
    /// Read a door of ours.
    Watch(WatchKey, Box<ReaderKeys>),
    /// Stop reading it.
    Unwatch(WatchKey),
    /// There is room now for boxes that were left where they lie.
    Release(WatchKey, Vec<BoxId>),
    /// What these boxes held is durable with this turn.
    Taken(WatchKey, Vec<BoxId>),
    /// Store a door's object.
    PutObject(PutKey, Vec<u8>),
    /// Store a request.
    Put(PutKey, Vec<u8>),
    /// No longer needed.
    Cancel(PutKey),
    /// Fetch the object of someone's door.
    GetObject(GetKey, Box<MailboxAddress>),
    /// We ask someone: a conversation and a drop begin.
    Begin {
        /// The contact's number.
        contact: u32,
        /// Who.
        account: AccountId,
        /// Secret of the drop.
        drop: Bytes<32>,
        /// Until when the drop is read.
        until: Wall,
        /// The command that asked.
        command: CommandId,
    },
    /// A door was read: found the group and seal the request.
    Found {
        /// The contact's number.
        contact: u32,
        /// The conversation.
        log: LogId,
        /// Their key packages.
        packages: Vec<Vec<u8>>,
        /// Their tag key.
        tag: TagPublic,
    },
    /// Join what a request offers.
    Join {
        /// The contact's number.
        contact: u32,
        /// The request.
        request: Box<RequestBody>,
        /// The command that accepted it, if one did.
        command: Option<CommandId>,
    },
    /// A link ended long ago: forget the private part of its key package.
    ForgetPackage(Bytes<32>),
    /// Stop reading a contact.
    Block(u32),
    /// Read it again; this is where things stand.
    Unblock(u32, ContactState),
}

type Ctx<'a, 'v> = Cx<'a, 'v, ContactsUp>;

const DOOR_WATCH: u64 = 2 << 62;
const REQUEST_PUT: u64 = 2 << 62;
const OBJECT_PUT: u64 = 3 << 62;
const LOW: u64 = (1 << 62) - 1;

/// Whether a put is a request's or a door's.
#[must_use]
pub fn owns_put(put: PutKey) -> bool {
    put.0 >> 62 >= 2
}

/// Whether a watch is a door's.
#[must_use]
pub fn owns_watch(watch: WatchKey) -> bool {
    watch.0 >> 62 == 2
}

/// Contacts of one device.
#[derive(Debug)]
pub struct Contacts {
    params: NetworkParams,
    network: Option<NetworkId>,
    doors: BTreeMap<u64, LinkSecretId>,
    objects: BTreeMap<u64, (LinkSecretId, u64)>,
    /// Requests left at our doors for want of room, by the watch that brought them.
    left: BTreeMap<u64, Vec<BoxId>>,
    /// What requests of ours are being paid with: tries, by contact.
    paying: BTreeMap<u32, u32>,
    sweep: Mono,
}

impl Contacts {
    /// Opens over stored rows.
    #[must_use]
    pub fn open(now: Mono, params: NetworkParams, network: Option<NetworkId>) -> Self {
        Self {
            params,
            network,
            doors: BTreeMap::new(),
            objects: BTreeMap::new(),
            left: BTreeMap::new(),
            paying: BTreeMap::new(),
            sweep: now,
        }
    }

    /// Sets the agreed numbers once a network is adopted.
    pub fn set_network(&mut self, now: Mono, params: NetworkParams, network: NetworkId) {
        self.params = params;
        self.network = Some(network);
        self.sweep = now;
    }

    /// The next moment something is due.
    #[must_use]
    pub const fn next_timeout(&self) -> Option<Mono> {
        Some(self.sweep)
    }

    /// Gives someone another name, on this device only.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn rename(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        account: AccountId,
        name: &str,
    ) -> Result<(), TurnError> {
        let result = match by_account(cx.tx, account)? {
            None => Err(CommandError::UnknownContact),
            Some(_) if name.len() > MAX_NAME => {
                Err(CommandError::TooLong { what: "name", len: name.len(), limit: MAX_NAME })
            }
            Some((no, mut row)) => {
                row.name = clean_line(name);
                save(cx, no, &row);
                Ok(Answer::Done)
            }
        };
        cx.up(ContactsUp::Answer(id, result));
        Ok(())
    }

    /// The other side joined and handed over its mailbox: both agreed.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: F-20
    pub fn agreed(&mut self, cx: &mut Ctx<'_, '_>, no: u32, name: &str) -> Result<(), TurnError> {
        let Some(mut row) = get(cx.tx, no)? else { return Ok(()) };
        if row.state == ContactState::Blocked || row.state == ContactState::Accepted {
            return Ok(());
        }
        row.state = ContactState::Accepted;
        self.room_returned(cx);
        if row.name.is_empty() {
            row.name = clean_line(name);
            crate::account::truncate(&mut row.name, MAX_NAME);
        }
        save(cx, no, &row);
        cx.tx.erase(rows::REQUESTS, &no.to_be_bytes());
        cx.up(ContactsUp::Cancel(request_put(no)));
        cx.up(ContactsUp::Notice(Notice::Contact { account: row.account, state: row.state }));
        Ok(())
    }

    /// A put could not go on; the sweep takes it up again.
    pub fn put_refused(&mut self, now: Mono, put: PutKey) {
        self.objects.remove(&put.0);
        self.get_refused(now);
    }

    /// A question could not be asked; the sweep asks again.
    pub fn get_refused(&mut self, now: Mono) {
        self.sweep = self.sweep.min(now.plus(RETRY_MS));
    }

    /// One request fewer waits: those that were left at the doors are looked at again.
    // spec: F-24
    fn room_returned(&mut self, cx: &mut Ctx<'_, '_>) {
        for (watch, ids) in std::mem::take(&mut self.left) {
            cx.up(ContactsUp::Release(WatchKey(watch), ids));
        }
    }

    /// Makes or finds a contact.
    fn meet(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        account: AccountId,
        name: &str,
        state: ContactState,
        hello: &str,
    ) -> Result<(u32, ContactRow), TurnError> {
        let no = u32::try_from(rows::next(cx.tx, "contacts")?)
            .map_err(|_| murre_core::Bug::new("contact numbers are used up"))?;
        let mut name = clean_line(name);
        crate::account::truncate(&mut name, MAX_NAME);
        let row =
            ContactRow { account, name, state, hello: hello.to_owned(), chat: None, since: cx.now.wall };
        rows::put(cx.tx, rows::CONTACT_BY_ACCOUNT, account.as_bytes(), &no);
        save(cx, no, &row);
        Ok((no, row))
    }

    /// Everything that is due: doors to keep open, requests to post again.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn handle_timeout(&mut self, cx: &mut Ctx<'_, '_>, me: &Account) -> Result<(), TurnError> {
        if self.sweep > cx.now.mono {
            return Ok(());
        }
        self.sweep = cx.now.mono.plus(murre_core::time::HOUR);
        if self.network.is_some() {
            self.keep_doors(cx, me)?;
            self.repost(cx)?;
        }
        Ok(())
    }
}

pub(crate) fn get(view: &dyn View, no: u32) -> Result<Option<ContactRow>, TurnError> {
    rows::get(view, rows::CONTACTS, &no.to_be_bytes())
}

pub(crate) fn by_account(
    view: &dyn View,
    account: AccountId,
) -> Result<Option<(u32, ContactRow)>, TurnError> {
    let Some(no) = rows::get::<u32>(view, rows::CONTACT_BY_ACCOUNT, account.as_bytes())? else {
        return Ok(None);
    };
    Ok(get(view, no)?.map(|row| (no, row)))
}

pub(crate) fn all(view: &dyn View) -> Result<Vec<(u32, ContactRow)>, TurnError> {
    view.scan(rows::CONTACTS, &Range::all(), Direction::Forward, MAX_CONTACTS)?
        .iter()
        .map(|(key, value)| {
            let no = crate::conversations::u32_key(key)
                .ok_or(TurnError::Damaged { space: rows::CONTACTS.name })?;
            Ok((no, rows::decode(rows::CONTACTS, value)?))
        })
        .collect()
}

fn save(cx: &mut Ctx<'_, '_>, no: u32, row: &ContactRow) {
    rows::put(cx.tx, rows::CONTACTS, &no.to_be_bytes(), row);
}

fn request_put(contact: u32) -> PutKey {
    PutKey(REQUEST_PUT | u64::from(contact))
}

fn answer(view: &dyn View, row: &ContactRow) -> Result<Answer, TurnError> {
    let chat = match row.chat {
        Some(no) => crate::conversations::chat(view, no)?.and_then(|c| c.logs.first().map(|l| l.id)),
        None => None,
    };
    Ok(Answer::Contact { account: row.account, chat, state: row.state })
}

fn parse_link(bytes: &[u8]) -> Result<InviteLink, TurnError> {
    InviteLink::from_bytes(bytes).map_err(|_| TurnError::Damaged { space: rows::INVITES.name })
}
