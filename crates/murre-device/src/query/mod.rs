//! Pure functions from stored rows to answers. They never queue behind the machine: a shell runs them on a second,
//! read-only connection.

mod files;
mod pages;
mod quotas;
mod safety;
mod types;

pub(crate) use files::file_at;
pub use files::{file, file_part};

pub use pages::{history, history_after, search};
pub use quotas::{Quota, quotas};
pub use safety::{SafetyInfo, safety};
pub use types::*;

use crate::account;
use crate::command::ContactState;
use crate::content::{Content, FileList, Text, clean_line, kind};
use crate::conversations::{all_chats, chat};
use crate::event::{DoorProblem, MessageState, Notice};
use crate::invite::InviteLink;
use crate::limits::{MAX_NOTICES, MAX_PAGE};
use crate::rows::{self, AckRow, ChatRow, InviteRow, MessageRow, OutboxRow, RequestRow, pair_key};
use crate::{contacts, conversations};
use murre_core::id::{AccountId, DeviceId, LogId, MessageId};
use murre_core::params::delivery::FAILED_AFTER_MS;
use murre_core::time::HOUR;
use murre_core::{BadQuery, Direction, ErrorKind, HasKind, Range, TurnError, View, Wall};
use std::collections::BTreeMap;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// This store has no account.
    #[error("there is no account in this store")]
    NoAccount,
    /// No such chat.
    #[error("there is no such chat")]
    UnknownChat,
    /// No such message.
    #[error("there is no such message")]
    UnknownMessage,
    /// No such file.
    #[error("there is no such file in this message")]
    UnknownFile,
    /// Part of the file is not here.
    #[error("the file is not here yet")]
    FileIncomplete,
    /// The stored bytes of the file are not those that were stored.
    #[error("the stored bytes of this file are damaged")]
    FileDamaged,
    /// There is nothing to search for, or too much.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// No such contact.
    #[error("there is no such contact")]
    UnknownContact,
    /// The store failed or is damaged.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

impl From<murre_core::ViewError> for QueryError {
    fn from(error: murre_core::ViewError) -> Self {
        Self::Turn(error.into())
    }
}

impl HasKind for QueryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoAccount
            | Self::UnknownChat
            | Self::UnknownMessage
            | Self::UnknownContact
            | Self::UnknownFile
            | Self::FileIncomplete
            | Self::Query(_) => ErrorKind::Caller,
            Self::FileDamaged => ErrorKind::Environment,
            Self::Turn(e) => e.kind(),
        }
    }
}

/// Messages of the unindexed tail that a look-up scans at most.
const TAIL: usize = 100_000;

/// Who this home is.
///
/// # Errors
/// [`QueryError`].
pub fn me(view: &dyn View) -> Result<Me, QueryError> {
    let row = account::row(view)?.ok_or(QueryError::NoAccount)?;
    let cert = row.cert.verify().map_err(|_| TurnError::Damaged { space: rows::META.name })?;
    let network = rows::network(view)?.map(|n| (n.id(), n.name));
    Ok(Me { account: cert.a, device: cert.d, name: row.name, network })
}

/// Every contact, oldest first.
///
/// # Errors
/// [`QueryError`].
pub fn contacts(view: &dyn View) -> Result<Vec<ContactInfo>, QueryError> {
    let mut out = Vec::new();
    for (no, row) in contacts::all(view)? {
        let chat = match row.chat {
            Some(no) => chat(view, no)?.and_then(|c| shown(&c)),
            None => None,
        };
        let name = display_name(&row.name, row.account);
        let problem = door_problem(view, no)?;
        let trust = contacts::trust(view, no)?;
        let request = rows::get(view, rows::REQUESTS, &no.to_be_bytes())?;
        let old_link = matches!(request, Some(RequestRow::In { old: true, .. }));
        out.push(ContactInfo {
            verified: trust.verified.is_some(),
            new_device: trust.new,
            ambiguous: false,
            old_link,
            account: row.account,
            name,
            state: row.state,
            hello: row.hello,
            chat,
            problem,
        });
    }
    // spec: F-26
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for info in &out {
        *names.entry(info.name.to_lowercase()).or_default() += 1;
    }
    for info in &mut out {
        info.ambiguous = names.get(&info.name.to_lowercase()).is_some_and(|n| *n > 1);
    }
    Ok(out)
}

/// What is wrong with the door through which this contact is asked.
fn door_problem(view: &dyn View, contact: u32) -> Result<Option<DoorProblem>, QueryError> {
    Ok(match rows::get(view, rows::REQUESTS, &contact.to_be_bytes())? {
        Some(RequestRow::Out { trouble, .. }) => trouble,
        Some(RequestRow::In { .. }) | None => None,
    })
}

/// Every chat, the one with the newest message first, as things stand at `now` (network time).
///
/// # Errors
/// [`QueryError`].
pub fn chats(view: &dyn View, now: Wall) -> Result<Vec<ChatInfo>, QueryError> {
    let mut out = Vec::new();
    for (_, row) in all_chats(view)? {
        let Some(id) = shown(&row) else { continue };
        let Some(contact) = contacts::get(view, row.contact)? else { continue };
        let last = match row.last {
            Some(number) => message_at(view, number, now)?,
            None => None,
        };
        let title = display_name(&contact.name, contact.account);
        let unread = if contact.state == ContactState::Blocked { 0 } else { row.unread };
        out.push((row.last, ChatInfo { chat: id, with: row.with, title, unread, last }));
    }
    out.sort_by_key(|(last, _)| std::cmp::Reverse(*last));
    Ok(out.into_iter().map(|(_, info)| info).collect())
}

/// Whether there is such a message.
///
/// # Errors
/// [`QueryError`].
pub fn known(view: &dyn View, id: MessageId) -> Result<bool, QueryError> {
    Ok(find_number(view, &id)?.is_some())
}

/// One message, as it stands at `now`.
///
/// # Errors
/// [`QueryError`].
pub fn message(view: &dyn View, id: MessageId, now: Wall) -> Result<Option<MessageInfo>, QueryError> {
    match find_number(view, &id)? {
        Some(number) => message_at(view, number, now),
        None => Ok(None),
    }
}

/// How far a message is, and why one of ours is not further.
///
/// # Errors
/// [`QueryError`].
pub fn status(view: &dyn View, id: MessageId, now: Wall) -> Result<StatusInfo, QueryError> {
    let number = find_number(view, &id)?.ok_or(QueryError::UnknownMessage)?;
    let row: MessageRow =
        rows::get(view, rows::MESSAGES, &number.to_be_bytes())?.ok_or(QueryError::UnknownMessage)?;
    if !row.own {
        let state = their_state(view, &row, number)?;
        return Ok(StatusInfo { id, state, stored_by: 0, devices: Vec::new(), why: "" });
    }
    let outbox = outbox_of(view, &row)?;
    let state = own_state(view, &row, outbox.as_ref(), now)?;
    let stored_by = outbox.as_ref().and_then(|o| o.boxed.as_ref()).map_or(0, |b| b.signed as usize);
    let devices = match row.seq {
        Some(seq) => devices(view, row.chat, row.log, seq)?,
        None => Vec::new(),
    };
    let door = match chat(view, row.chat)? {
        Some(chat) => door_problem(view, chat.contact)?,
        None => None,
    };
    let why = match (&outbox, state) {
        (None, MessageState::Queued) if door == Some(DoorProblem::Withdrawn) => {
            "the invitation was withdrawn; ask for another link and add it"
        }
        (None, MessageState::Queued) if door == Some(DoorProblem::Full) => {
            "all places at the other side's door are taken; it is tried again"
        }
        (None, MessageState::Queued) if door == Some(DoorProblem::Invalid) => {
            "what lies at the other side's door is not valid; it is tried again"
        }
        (None, MessageState::Queued) => "waiting for the other side's door to be read",
        (Some(o), MessageState::Queued) if o.boxed.is_none() => "waiting for a way to the other side",
        (Some(OutboxRow { boxed: Some(b), .. }), MessageState::Queued | MessageState::Sent) if b.full => {
            "the other side's mailbox is full this week; it is tried again"
        }
        (Some(_), MessageState::Queued) => "no custodian has answered yet",
        (_, MessageState::Sent) => "not enough custodians have signed for it yet",
        (_, MessageState::Stored) => "waiting for the other side to fetch it",
        (_, MessageState::Delivered) => "not read yet, or read receipts are off",
        (_, MessageState::Read) => "",
        (_, MessageState::Failed) => "not fetched within 180 days",
    };
    Ok(StatusInfo { id, state, stored_by, devices, why })
}

fn devices(
    view: &dyn View,
    no: u32,
    log: u32,
    seq: u32,
) -> Result<Vec<(DeviceId, MessageState)>, QueryError> {
    let mut out = Vec::new();
    let shows = match chat(view, no)? {
        Some(row) => conversations::receipts_on(view, &row)?,
        None => true,
    };
    for (key, value) in view.scan(rows::ACKS, &Range::prefix(&no.to_be_bytes()), Direction::Forward, 256)? {
        let acks: AckRow = rows::decode(rows::ACKS, &value)?;
        let Some(device) = key.get(4..).and_then(DeviceId::from_slice) else { continue };
        if let Some(state) = acked(&acks, log, seq, shows) {
            out.push((device, state));
        }
    }
    Ok(out)
}

/// How far a device is. Where receipts are off, what was read is shown as delivered.
// spec: D-33
fn acked(acks: &AckRow, log: u32, seq: u32, shows_read: bool) -> Option<MessageState> {
    let delivered = acks.delivered.iter().any(|(l, upto)| *l == log && *upto >= seq);
    match (conversations::in_range(&acks.read, log, seq), delivered) {
        (true, _) if shows_read => Some(MessageState::Read),
        (false, false) => None,
        _ => Some(MessageState::Delivered),
    }
}

fn outbox_of(view: &dyn View, row: &MessageRow) -> Result<Option<OutboxRow>, QueryError> {
    match row.seq {
        Some(seq) => Ok(rows::get(view, rows::OUTBOX, &pair_key(row.log, seq).to_be_bytes())?),
        None => Ok(None),
    }
}

// spec: D-9
fn own_state(
    view: &dyn View,
    row: &MessageRow,
    outbox: Option<&OutboxRow>,
    now: Wall,
) -> Result<MessageState, QueryError> {
    let Some(seq) = row.seq else { return Ok(MessageState::Queued) };
    if let Some(best) = devices(view, row.chat, row.log, seq)?.into_iter().map(|(_, s)| s).max() {
        return Ok(best);
    }
    Ok(match outbox {
        Some(o) if now.since(o.created) > FAILED_AFTER_MS => MessageState::Failed,
        Some(OutboxRow { boxed: Some(b), .. })
            if b.solid && u64::from(b.expiry) * HOUR > now.0 || u64::from(b.kept) * HOUR > now.0 =>
        {
            MessageState::Stored
        }
        Some(OutboxRow { boxed: Some(b), .. }) if b.signed > 0 => MessageState::Sent,
        Some(OutboxRow { live: true, .. }) => MessageState::Sent,
        _ => MessageState::Queued,
    })
}

/// A message of somebody else is here, and read or not.
fn their_state(view: &dyn View, row: &MessageRow, number: u64) -> Result<MessageState, QueryError> {
    let unread = match chat(view, row.chat)? {
        Some(chat) => conversations::is_unread(view, &chat, row.chat, number)?,
        None => false,
    };
    Ok(if unread { MessageState::Delivered } else { MessageState::Read })
}

fn message_at(view: &dyn View, number: u64, now: Wall) -> Result<Option<MessageInfo>, QueryError> {
    let Some(row) = rows::get::<MessageRow>(view, rows::MESSAGES, &number.to_be_bytes())? else {
        return Ok(None);
    };
    let Some(chat) = chat(view, row.chat)? else { return Ok(None) };
    let content = Content::decode(&row.content).ok();
    let said = said(content.as_ref());
    let files = match &said {
        Some(said) => files::infos(view, row.id, row.chat, &said.f)?,
        None => Vec::new(),
    };
    let from_name = if row.own {
        account::row(view)?.map(|a| a.name).unwrap_or_default()
    } else {
        let contact = contacts::get(view, chat.contact)?;
        display_name(contact.as_ref().map_or("", |c| c.name.as_str()), row.from)
    };
    let state = if row.own {
        own_state(view, &row, outbox_of(view, &row)?.as_ref(), now)?
    } else {
        their_state(view, &row, number)?
    };
    Ok(Some(MessageInfo {
        id: row.id,
        chat: shown(&chat).unwrap_or(LogId::from_bytes([0; 32])),
        from: row.from,
        from_name,
        own: row.own,
        reply_to: said.as_ref().and_then(|said| said.r),
        text: said.map(|said| said.t),
        files,
        time: content.map_or(Wall(0), |c| c.w),
        state,
    }))
}

/// What a message says, with files or without.
fn said(content: Option<&Content>) -> Option<FileList> {
    let content = content?;
    let text = content.body::<Text>(kind::TEXT).map(|text| FileList { f: Vec::new(), r: text.r, t: text.t });
    text.or_else(|| content.body::<FileList>(kind::FILES))
}

/// Whether read receipts are on: of a chat, or of the home.
///
/// # Errors
/// [`QueryError`].
pub fn receipts(view: &dyn View, id: Option<LogId>) -> Result<ReceiptsInfo, QueryError> {
    let Some(id) = id else {
        return Ok(ReceiptsInfo { chat: None, on: conversations::home_receipts(view)?, own: None });
    };
    let (_, row) = conversations::Conversations::find(view, id)?.ok_or(QueryError::UnknownChat)?;
    Ok(ReceiptsInfo { chat: shown(&row), on: conversations::receipts_on(view, &row)?, own: row.receipts })
}

/// Open and ended invitations of ours.
///
/// # Errors
/// [`QueryError`].
pub fn invites(view: &dyn View) -> Result<Vec<InviteInfo>, QueryError> {
    let mut out = Vec::new();
    for (_, value) in view.scan(rows::INVITES, &Range::all(), Direction::Forward, MAX_PAGE)? {
        let row: InviteRow = rows::decode(rows::INVITES, &value)?;
        let link = InviteLink::from_bytes(&row.link)
            .map_err(|_| TurnError::Damaged { space: rows::INVITES.name })?;
        let expires = link.expires;
        out.push(InviteInfo {
            link,
            expires,
            published: row.stored.contains(&row.from),
            withdrawn: row.withdrawn,
            replaced: row.replaced.is_some(),
            requests: row.requests,
        });
    }
    out.sort_by_key(|i| i.expires);
    Ok(out)
}

/// Notices after a cursor, oldest first.
///
/// # Errors
/// [`QueryError`].
pub fn notices(view: &dyn View, since: u64, limit: usize) -> Result<Vec<(u64, Notice)>, QueryError> {
    let range = Range::seq(since.saturating_add(1), u64::MAX);
    let page = view.scan(rows::NOTICES, &range, Direction::Forward, limit.min(MAX_NOTICES as usize))?;
    let mut out = Vec::with_capacity(page.len());
    for (key, value) in page {
        let Ok(cursor) = key.as_slice().try_into().map(u64::from_be_bytes) else { continue };
        out.push((cursor, rows::decode(rows::NOTICES, &value)?));
    }
    Ok(out)
}

/// The newest cursor, 0 before the first notice.
///
/// # Errors
/// [`QueryError`].
pub fn last_cursor(view: &dyn View) -> Result<u64, QueryError> {
    Ok(rows::counter(view, "notices")?)
}

/// Message ids that begin with these hexadecimal digits, at most two: enough to say unique, unknown, ambiguous.
///
/// # Errors
/// [`QueryError`].
pub fn find_message(view: &dyn View, prefix: &str) -> Result<Vec<MessageId>, QueryError> {
    let whole = prefix.len() & !1;
    let Some(Ok(bytes)) = prefix.get(..whole).map(|p| data_encoding::HEXLOWER.decode(p.as_bytes())) else {
        return Ok(Vec::new());
    };
    let matches = |id: &MessageId| id.to_string().starts_with(prefix);
    let mut out: Vec<MessageId> = Vec::new();
    // An odd digit more narrows the 16 neighbours of one byte; a page of them is plenty.
    for (key, _) in view.scan(rows::MESSAGE_IDS, &Range::prefix(&bytes), Direction::Forward, MAX_PAGE)? {
        out.extend(MessageId::from_slice(&key).filter(matches));
    }
    let from = rows::counter(view, "indexed")?;
    for (_, value) in view.scan(rows::MESSAGES, &Range::seq(from, u64::MAX), Direction::Forward, TAIL)? {
        let row: MessageRow = rows::decode(rows::MESSAGES, &value)?;
        out.extend(Some(row.id).filter(matches));
    }
    out.sort();
    out.dedup();
    out.truncate(2);
    Ok(out)
}

/// The local number of a message.
pub(crate) fn find_number(view: &dyn View, id: &MessageId) -> Result<Option<u64>, TurnError> {
    if let Some(number) = view.get(rows::MESSAGE_IDS, id.as_bytes())? {
        return Ok(number.as_slice().try_into().ok().map(u64::from_be_bytes));
    }
    let from = rows::counter(view, "indexed")?;
    for (key, value) in view.scan(rows::MESSAGES, &Range::seq(from, u64::MAX), Direction::Forward, TAIL)? {
        let row: MessageRow = rows::decode(rows::MESSAGES, &value)?;
        if row.id == *id {
            return Ok(key.as_slice().try_into().ok().map(u64::from_be_bytes));
        }
    }
    Ok(None)
}

fn shown(chat: &ChatRow) -> Option<LogId> {
    chat.logs.first().map(|l| l.id)
}

/// A name to show: one line, or the head of the account id if there is none.
fn display_name(name: &str, account: AccountId) -> String {
    let name = clean_line(name);
    if name.is_empty() { account.to_string().chars().take(8).collect() } else { name }
}
