//! Beginning a conversation: as its creator, or from a request.

use super::{ConvUp, Conversations, Ctx, save};
use crate::account::Account;
use crate::rows::{self, ChatRow, CreateOp, LogRef, SignedCreate};
use murre_core::codec;
use murre_core::id::{AccountId, Bytes, LogId, StateId};
use murre_core::{ErrorKind, HasKind, Label, Turn, TurnError, View, Wall};
use murre_crypto::DeviceCert;
use murre_log::LogNo;
use serde_bytes::ByteBuf;

const LOG_ID: Label = Label::new("murre v1 log id");

/// What a request carries of a new conversation.
#[derive(Debug)]
pub struct Founded {
    /// The signed create operation.
    pub op: Vec<u8>,
    /// State of the group keys after both are in.
    pub state: StateId,
    /// The MLS Welcome for the other device.
    pub welcome: Vec<u8>,
    /// Wire secret.
    pub wire: [u8; 32],
}

/// What a request said of a conversation someone else created.
#[derive(Debug)]
pub struct Joining<'a> {
    /// The signed create operation.
    pub op: &'a [u8],
    /// State of the group keys.
    pub state: StateId,
    /// The MLS Welcome.
    pub welcome: &'a [u8],
    /// Wire secret.
    pub wire: [u8; 32],
    /// Certificate of the creator's device.
    pub cert: &'a DeviceCert,
}

/// Why a request's conversation cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The create operation does not verify or names other people.
    #[error("the conversation's create operation is invalid")]
    Create,
    /// The Welcome does not open or holds other members.
    #[error("the conversation's keys do not open")]
    Welcome,
    /// The store failed.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

impl HasKind for JoinError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Create | Self::Welcome => ErrorKind::Remote,
            Self::Turn(e) => e.kind(),
        }
    }
}

/// The log id a create operation makes.
#[must_use]
pub fn log_id(op: &[u8]) -> LogId {
    LogId::from_bytes(LOG_ID.hash(&[op]))
}

/// Checks a create operation against who is said to have made it, for whom.
pub fn check_create(op: &[u8], creator: &DeviceCert, other: AccountId) -> Option<(LogId, AccountId)> {
    // spec: F-6
    let cert = creator.clone().verify().ok()?;
    let signed: SignedCreate = codec::decode(op, 1_024).ok()?;
    let body = signed.verify().ok()?;
    (body.v == 1 && body.d == cert.d && body.a == cert.a && body.b == other && body.a != other)
        .then(|| (log_id(op), cert.a))
}

/// A store that failed ends the turn; anything else is what the other side sent.
fn join_error(error: &(impl HasKind + std::error::Error)) -> JoinError {
    match error.kind() {
        ErrorKind::Environment | ErrorKind::Bug => JoinError::Turn(super::fatal(error)),
        ErrorKind::Remote | ErrorKind::Caller => JoinError::Welcome,
    }
}

impl Conversations {
    /// Begins a direct conversation: the log exists at once, its keys come with the other side's key package.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn create(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        with: AccountId,
    ) -> Result<LogId, TurnError> {
        let body = CreateOp { v: 1, d: me.device(), a: me.id(), b: with, n: Bytes(cx.rng.bytes()) };
        let op = codec::encode(&SignedCreate::new(&body, |label, bytes| me.device_key().sign(label, bytes)));
        let id = log_id(&op);
        let log = self.log_ref(cx.tx, me, id, op, Bytes(cx.rng.bytes()))?;
        self.add_log(cx.tx, contact, with, log)?;
        Ok(id)
    }

    /// Makes the group for a conversation we created, from the other side's key packages.
    ///
    /// # Errors
    /// [`JoinError::Welcome`] if a package is not usable; nothing is changed then.
    pub fn found(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        id: LogId,
        packages: &[Vec<u8>],
    ) -> Result<Founded, JoinError> {
        let Some((no, mut chat)) = Self::find(cx.tx, id)? else { return Err(JoinError::Create) };
        // spec: F-11
        for package in packages {
            match murre_group::check_key_package(package) {
                Ok((account, _)) if account == chat.with => {}
                _ => return Err(JoinError::Welcome),
            }
        }
        let made =
            self.groups.create(cx.tx, cx.rng, &me.identity(), id, packages).map_err(|e| join_error(&e))?;
        let Some(log) = chat.logs.iter_mut().find(|l| l.id == id) else { return Err(JoinError::Create) };
        log.state = Some(made.state);
        let founded =
            Founded { op: log.op.to_vec(), state: made.state, welcome: made.welcome, wire: log.wire.0 };
        save(cx.tx, no, &chat);
        self.seal_waiting(cx, me, no)?;
        Ok(founded)
    }

    /// Joins a conversation from a request.
    ///
    /// # Errors
    /// [`JoinError`]; nothing is changed unless the store failed.
    pub fn join(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        joining: &Joining<'_>,
    ) -> Result<LogId, JoinError> {
        let (id, with) = check_create(joining.op, joining.cert, me.id()).ok_or(JoinError::Create)?;
        if let Some((_, chat)) = Self::find(cx.tx, id)? {
            // Posted again and accepted before.
            return if chat.with == with { Ok(id) } else { Err(JoinError::Create) };
        }
        let logs = super::of_contact(cx.tx, contact)?.map_or(0, |(_, c)| c.logs.len());
        if logs >= crate::limits::MAX_LOGS {
            return Err(JoinError::Create);
        }
        let joined = self
            .groups
            .join(cx.tx, cx.rng, &me.identity(), id, joining.state, joining.welcome)
            .map_err(|e| join_error(&e))?;
        // spec: F-7
        let inviter = joining.cert.clone().verify().ok().map(|c| (c.a, c.d));
        let expected = |(account, _): &(AccountId, _)| *account == with || *account == me.id();
        let both = joined.members.iter().all(expected) && joined.members.iter().any(|(a, _)| *a == with);
        if inviter != Some(joined.inviter) || !both {
            self.groups.erase(cx.tx, id, joining.state).map_err(|e| super::fatal(&e))?;
            return Err(JoinError::Welcome);
        }
        let mut log = self.log_ref(cx.tx, me, id, joining.op.to_vec(), Bytes(joining.wire))?;
        log.state = Some(joining.state);
        self.add_log(cx.tx, contact, with, log)?;
        self.unstash(cx, me, contact)?;
        Ok(id)
    }

    fn log_ref(
        &mut self,
        tx: &mut Turn<'_>,
        me: &Account,
        id: LogId,
        op: Vec<u8>,
        wire: Bytes<32>,
    ) -> Result<LogRef, TurnError> {
        let LogNo(no) = self.logs.create(tx, id).map_err(|e| super::fatal(&e))?;
        Ok(LogRef {
            id,
            no,
            op: ByteBuf::from(op),
            state: None,
            wire,
            by: me.author_id(id),
            bound: false,
            waiting: 0,
        })
    }

    /// Puts a log into the contact's chat, the lowest id first, and re-sorts what is shown if that changed.
    fn add_log(
        &mut self,
        tx: &mut Turn<'_>,
        contact: u32,
        with: AccountId,
        log: LogRef,
    ) -> Result<(), TurnError> {
        let (no, mut chat) = match super::of_contact(tx, contact)? {
            Some(found) => found,
            None => (super::chat_of(contact), new_chat(contact, with)),
        };
        rows::put(tx, rows::CHAT_BY_LOG, log.id.as_bytes(), &no);
        chat.logs.push(log);
        let before = chat.logs.first().map(|l| l.no);
        // spec: F-9
        chat.logs.sort_by_key(|l| l.id);
        let displaced = before.filter(|b| chat.logs.first().map(|l| l.no) != Some(*b));
        save(tx, no, &chat);
        match displaced {
            Some(_) => super::fold::demote_timeline(tx, no),
            None => Ok(()),
        }
    }

    /// Says something that is not a message of the user's: handover, renewal.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn say(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        t: u16,
        body: &impl serde::Serialize,
    ) -> Result<(), TurnError> {
        let Some((no, _)) = super::of_contact(cx.tx, contact)? else {
            return Ok(());
        };
        let content = crate::content::Content::new(t, cx.now.wall, body);
        self.drafts.entry(no).or_default().push(super::Draft {
            content,
            shown: false,
            command: None,
            client_id: None,
        });
        self.pack_drafts(cx, me)
    }

    /// Says something in the log, together with whatever else this turn says there.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: D-20
    pub fn say_soon(
        &mut self,
        view: &dyn View,
        now: Wall,
        contact: u32,
        t: u16,
        body: &impl serde::Serialize,
    ) -> Result<(), TurnError> {
        if let Some((no, _)) = super::of_contact(view, contact)? {
            let content = crate::content::Content::new(t, now, body);
            let draft = super::Draft { content, shown: false, command: None, client_id: None };
            self.drafts.entry(no).or_default().push(draft);
        }
        Ok(())
    }

    /// Whether something waits to be packed.
    #[must_use]
    pub fn has_drafts(&self) -> bool {
        !self.drafts.is_empty()
    }

    /// Says something once, outside the log: presence.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn signal(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        t: u16,
        body: &impl serde::Serialize,
        ttl: u32,
    ) -> Result<(), TurnError> {
        let Some(chat) = self.bound(cx, me, super::chat_of(contact))? else { return Ok(()) };
        let content = crate::content::Content::new(t, cx.now.wall, body);
        if let Some(packet) = self.seal_signal(cx, me, &chat, vec![content])? {
            cx.up(ConvUp::Signal { contact, packet, ttl, mailbox: true });
        }
        Ok(())
    }
}

fn new_chat(contact: u32, with: AccountId) -> ChatRow {
    ChatRow {
        contact,
        with,
        logs: Vec::new(),
        fold: Vec::new(),
        folded: false,
        unread: 0,
        read: Vec::new(),
        quiet: Vec::new(),
        seen: 0,
        receipts: None,
        last: None,
        halted: false,
    }
}
