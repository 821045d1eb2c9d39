//! Chats: what is said, in which log, under which keys, and in what order it is shown.
//!
//! ```text
//!  out:  content -> pack -> MLS seal -> signed entry -> wire seal -> up: Outgoing
//!  in:   packet -> wire open -> entry verified, ordered -> MLS open -> pack checked -> content folded
//! ```
//!
//! A direct chat is the group of both accounts' devices over one log. If both asked at once there are two logs:
//! both are read, the one with the lower id is written and shown last (`spec/08-contacts.md`, F-9).
//!
//! What this does NOT do: choose a carrier, keep an outbox, know mailboxes. It is told which packets came for
//! which chat and says what is to be carried.

mod create;
mod fold;
mod reading;
mod receipts;
mod receive;
mod seal;

pub use create::{Founded, JoinError, Joining};
pub(crate) use create::{check_create, log_id};
pub(crate) use reading::{home_receipts, is_unread, receipts_on, timeline_place};
pub(crate) use receipts::in_range;
pub(crate) use seal::SendText;

use crate::command::{Answer, CommandError};
use crate::content::{Content, FileAsk, FileRef, FileWord, Handover, Move, Presence, Renewal};
use crate::event::Notice;
use crate::rows::{self, ChatRow, LogRef};
use murre_core::id::{DeviceId, LogId, MessageId};
use murre_core::{CommandId, Cx, Mono, Turn, TurnError, View, Wall};
use murre_group::GroupEngine;
use murre_log::{Chunk, LogNo, Logs, WireSecret};
use std::collections::BTreeMap;

/// What the conversations tell their parent.
#[derive(Debug)]
pub enum ConvUp {
    /// A command is answered.
    Answer(CommandId, Result<Answer, CommandError>),
    /// Something to tell the user.
    Notice(Notice),
    /// An entry of ours is durable with this turn and wants to be carried.
    Outgoing(Outgoing),
    /// A signal wants to be carried once.
    Signal {
        /// To whom.
        contact: u32,
        /// Wire-sealed.
        packet: Vec<u8>,
        /// How long it is worth anything, in hours.
        ttl: u32,
        /// Whether it is worth a box when no live link is up.
        mailbox: bool,
    },
    /// They opened our entries up to this one.
    Acked {
        /// Log number.
        log: u32,
        /// Last entry, inclusive; nothing if only more was read.
        upto: Option<u32>,
        /// What is read as well. It takes the same way, so that it is told after it was told that it arrived.
        read: Option<Notice>,
    },
    /// The contact gave us what we need to write to them.
    Handover(u32, Box<Handover>),
    /// The contact renewed our certificates.
    Renewal(u32, Renewal),
    /// The contact can be reached directly, as it said at this time of its clock.
    Presence(u32, Presence, Wall),
    /// The contact wrote, so it reads what we send.
    Heard(u32),
    /// The contact is read in another mailbox from now on; these are our logs with it.
    Move(u32, Box<Move>, Vec<u32>),
    /// A device of the contact has bound an author.
    Device(u32, DeviceId),
    /// The contact dropped what came for a while: everything of these logs that it has not receipted goes again.
    Resend(u32, Vec<u32>),
    /// This store was rolled back or copied: nothing more may go out to this contact.
    Halted(u32),
    /// Something of this contact's is missing: look carefully.
    Careful(u32),
    /// A message with files is durable with this turn.
    Files {
        /// In the chat with whom.
        contact: u32,
        /// Whether this account wrote it.
        own: bool,
        /// The message.
        message: MessageId,
        /// Its files.
        files: Vec<FileRef>,
    },
    /// A chunk of a file came.
    Chunk(u32, Chunk),
    /// The contact asks for chunks.
    FileAsk(u32, FileAsk),
    /// The contact says something about a file.
    FileWord(u32, FileWord),
}

/// An entry to carry until it is receipted.
#[derive(Debug)]
pub struct Outgoing {
    /// To whom.
    pub contact: u32,
    /// Log number.
    pub log: u32,
    /// Number of the entry.
    pub seq: u32,
    /// Wire-sealed.
    pub packet: Vec<u8>,
    /// The chat, for notices.
    pub chat: LogId,
    /// The messages in it.
    pub messages: Vec<MessageId>,
    /// The number of our account mailbox that it tells the contact of, if it does.
    pub moved: Option<u32>,
}

type Ctx<'a, 'v> = Cx<'a, 'v, ConvUp>;

/// Something that waits to be packed.
#[derive(Debug)]
struct Draft {
    content: Content,
    shown: bool,
    command: Option<CommandId>,
    client_id: Option<String>,
}

/// A hole we know of.
#[derive(Clone, Copy, Debug)]
struct Gap {
    since: Mono,
    ask: Mono,
    wait: u64,
    asked: u32,
    told: bool,
}

/// The chats of one device.
pub struct Conversations {
    logs: Logs,
    groups: GroupEngine,
    drafts: BTreeMap<u32, Vec<Draft>>,
    owed: BTreeMap<u32, Mono>,
    receipted: BTreeMap<u32, Mono>,
    gaps: BTreeMap<u32, Gap>,
    /// What each contact asked us to send again: since when, how many, how many bytes.
    wanted: BTreeMap<u32, (Mono, usize, usize)>,
    index_due: Option<Mono>,
    /// An author was bound in this call: signals kept for it can be taken.
    newly_bound: bool,
}

impl std::fmt::Debug for Conversations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversations").field("owed", &self.owed.len()).finish_non_exhaustive()
    }
}

impl Conversations {
    /// Opens over stored rows: which chats owe a receipt, which have holes.
    ///
    /// # Errors
    /// [`TurnError`] for a failed read or a damaged row.
    pub fn open(now: Mono, view: &dyn View) -> Result<Self, TurnError> {
        let mut this = Self {
            logs: Logs::open(),
            groups: GroupEngine::new(),
            drafts: BTreeMap::new(),
            owed: BTreeMap::new(),
            receipted: BTreeMap::new(),
            gaps: BTreeMap::new(),
            wanted: BTreeMap::new(),
            index_due: Some(now),
            newly_bound: false,
        };
        for (key, _) in view.scan(
            rows::OWED,
            &murre_core::Range::all(),
            murre_core::Direction::Forward,
            crate::limits::MAX_CONTACTS,
        )? {
            if let Some(chat) = u32_key(&key) {
                this.owed.insert(chat, now);
            }
        }
        for (no, chat) in all_chats(view)? {
            for log in &chat.logs {
                if !this.logs.missing(view, LogNo(log.no), 1)?.is_empty() {
                    this.note_gap(now, no);
                }
            }
        }
        Ok(this)
    }

    /// Ends the turn: ratchets that moved are written into it.
    ///
    /// # Errors
    /// [`TurnError`] if the group state cannot be written.
    pub fn end_turn(&mut self, tx: &mut Turn<'_>) -> Result<(), TurnError> {
        self.groups.flush(tx).map_err(|e| fatal(&e))
    }

    /// Forgets everything a failed turn may have touched.
    pub fn abort(&mut self) {
        self.groups.abort();
        self.logs.abort();
        self.newly_bound = false;
        self.drafts.clear();
    }

    /// The next moment something is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        let owed = self.owed.values().min().copied();
        let gaps = self.gaps.values().map(|g| g.ask).min();
        [owed, gaps, self.index_due].into_iter().flatten().min()
    }

    /// Live-link keys of every chat: contact number and the key both sides derive (`spec/07-delivery.md`, D-14).
    ///
    /// # Errors
    /// [`TurnError`] for a failed read or a damaged row.
    pub fn link_keys(view: &dyn View) -> Result<Vec<(u32, [u8; 32])>, TurnError> {
        let mut out = Vec::new();
        for (_, chat) in all_chats(view)? {
            let blocked = |c: crate::rows::ContactRow| c.state == crate::ContactState::Blocked;
            if crate::contacts::get(view, chat.contact)?.is_none_or(blocked) {
                continue;
            }
            out.extend(chat.logs.iter().map(|log| (chat.contact, link_key(log))));
        }
        Ok(out)
    }

    /// The chat of a log id.
    pub(crate) fn find(view: &dyn View, id: LogId) -> Result<Option<(u32, ChatRow)>, TurnError> {
        let Some(no) = rows::get::<u32>(view, rows::CHAT_BY_LOG, id.as_bytes())? else { return Ok(None) };
        Ok(chat(view, no)?.map(|row| (no, row)))
    }
}

// spec: D-14
const LINK_KEY: murre_core::Label = murre_core::Label::new("murre v1 live link key");

fn link_key(log: &LogRef) -> [u8; 32] {
    LINK_KEY.hash(&[&log.wire.0, log.id.as_bytes()])
}

fn wire(log: &LogRef) -> WireSecret {
    WireSecret::from_bytes(log.wire.0)
}

/// Index of the log that is written: the first that has keys, else the first.
fn written(chat: &ChatRow) -> usize {
    chat.logs.iter().position(|l| l.state.is_some()).unwrap_or(0)
}

pub(crate) fn chat(view: &dyn View, no: u32) -> Result<Option<ChatRow>, TurnError> {
    rows::get(view, rows::CHATS, &no.to_be_bytes())
}

fn save(tx: &mut Turn<'_>, no: u32, row: &ChatRow) {
    rows::put(tx, rows::CHATS, &no.to_be_bytes(), row);
}

/// Number of the direct chat with a contact: the contact's own number, so that neither needs an index.
pub(crate) const fn chat_of(contact: u32) -> u32 {
    contact
}

/// The direct chat with a contact.
fn of_contact(view: &dyn View, contact: u32) -> Result<Option<(u32, ChatRow)>, TurnError> {
    let no = chat_of(contact);
    Ok(chat(view, no)?.map(|row| (no, row)))
}

pub(crate) fn all_chats(view: &dyn View) -> Result<Vec<(u32, ChatRow)>, TurnError> {
    view.scan(
        rows::CHATS,
        &murre_core::Range::all(),
        murre_core::Direction::Forward,
        crate::limits::MAX_CONTACTS,
    )?
    .iter()
    .map(|(key, value)| {
        let no = u32_key(key).ok_or(TurnError::Damaged { space: rows::CHATS.name })?;
        Ok((no, rows::decode(rows::CHATS, value)?))
    })
    .collect()
}

pub(crate) fn u32_key(key: &[u8]) -> Option<u32> {
    key.try_into().ok().map(u32::from_be_bytes)
}

/// An error of a lower layer that ends the turn: storage, or our own mistake.
fn fatal(error: &dyn std::error::Error) -> TurnError {
    TurnError::View(murre_core::ViewError { what: error.to_string() })
}

impl Conversations {
    /// Seals a chunk of a file for the wire. Nothing if the chat is gone or halted.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn seal_chunk(
        view: &dyn View,
        now: Wall,
        contact: u32,
        chunk: Chunk,
    ) -> Result<Option<Vec<u8>>, TurnError> {
        let Some((_, row)) = of_contact(view, contact)?.filter(|(_, row)| !row.halted) else {
            return Ok(None);
        };
        let log = row.logs.get(written(&row));
        Ok(log.map(|log| murre_log::Packet::Chunk(chunk).seal(&wire(log), now.week())))
    }

    /// A fresh key package for a door.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn key_package(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &crate::account::Account,
    ) -> Result<(murre_core::id::Bytes<32>, Vec<u8>), TurnError> {
        let (reference, bytes) =
            self.groups.key_package(cx.tx, cx.rng, &me.identity()).map_err(|e| fatal(&e))?;
        Ok((murre_core::id::Bytes(*reference.as_bytes()), bytes))
    }

    /// Forgets the private part of a key package.
    pub fn forget_key_package(&mut self, tx: &mut Turn<'_>, reference: murre_core::id::Bytes<32>) {
        self.groups.forget_key_package(tx, &murre_group::KeyPackageRef::from_bytes(reference.0));
    }

    /// Log numbers of a contact's chat.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn logs_of(&self, view: &dyn View, contact: u32) -> Result<Vec<u32>, TurnError> {
        Ok(of_contact(view, contact)?.map_or_else(Vec::new, |(_, c)| c.logs.iter().map(|l| l.no).collect()))
    }

    /// Whether the log of this create operation has group keys here.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn has_keys(view: &dyn View, op: &[u8]) -> Result<bool, TurnError> {
        let id = log_id(op);
        let row = Self::find(view, id)?;
        Ok(row.is_some_and(|(_, c)| c.logs.iter().any(|l| l.id == id && l.state.is_some())))
    }

    /// Number of the chat a log belongs to.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn number(view: &dyn View, id: LogId) -> Result<Option<u32>, TurnError> {
        rows::get(view, rows::CHAT_BY_LOG, id.as_bytes())
    }

    /// This store was rolled back or copied: nothing more is sent in this chat, so that no key is used twice.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn halt(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        // spec: D-12
        if let Some((no, mut row)) = of_contact(cx.tx, contact)?.filter(|(_, row)| !row.halted) {
            row.halted = true;
            save(cx.tx, no, &row);
            let Some(id) = row.logs.first().map(|l| l.id) else { return Ok(()) };
            let what = crate::event::Warning::RolledBack;
            cx.up(ConvUp::Notice(Notice::Warning { chat: id, what }));
        }
        Ok(())
    }
}
