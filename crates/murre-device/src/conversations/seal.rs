//! From contents to a durable entry.

use super::{ConvUp, Conversations, Ctx, Draft, Outgoing, chat, save, wire, written};
use crate::account::Account;
use crate::command::{Answer, CommandError};
use crate::content::{
    BINDING_BY_AUTHOR, BINDING_BY_DEVICE, Binding, Content, FileList, FileRef, Fold, MAX_CONTENT, Move, Text,
    kind,
};
use crate::event::Notice;
use crate::limits::{MAX_CLIENT_ID, MAX_TEXT};
use crate::rows::{self, ChatRow, LogRef, MessageRow, WaitingRow};
use murre_core::id::{AuthorId, LogId, MessageId, StateId};
use murre_core::{CommandId, TurnError, View};
use murre_log::{Link, LogNo, Pack, Packet, Signal, VerifiedEntry, message_id};
use serde_bytes::ByteBuf;

/// Where messages that wait for their group stand in the timeline: after everything that has a time.
const WAITING_TIME: u64 = u64::MAX >> 1;

/// Heads looked at for a fold; strangers' heads cannot crowd out more.
const MAX_HEADS_SEEN: usize = 256;

/// One content on its way into a pack.
struct Part {
    bytes: Vec<u8>,
    draft: Option<Draft>,
}

/// Who asks for a text to be sent.
#[derive(Debug)]
pub(crate) struct SendText {
    pub chat: LogId,
    pub text: String,
    pub reply_to: Option<MessageId>,
    pub client_id: Option<String>,
    pub files: Vec<FileRef>,
}

impl Conversations {
    /// Takes a text to send. It is packed by [`Conversations::pack_drafts`] at the end of the turn's commands, so
    /// that everything which waits for one chat travels as one entry.
    pub(crate) fn send(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        id: CommandId,
        send: SendText,
    ) -> Result<(), TurnError> {
        match self.check_send(cx, me, &send)? {
            Err(refused) => cx.up(ConvUp::Answer(id, Err(refused))),
            Ok(Checked::Known(message)) => cx.up(ConvUp::Answer(id, Ok(Answer::Message { id: message }))),
            Ok(Checked::New(no)) => {
                let content = if send.files.is_empty() {
                    Content::new(kind::TEXT, cx.now.wall, &Text { t: send.text, r: send.reply_to })
                } else {
                    let list = FileList { f: send.files, r: send.reply_to, t: send.text };
                    Content::new(kind::FILES, cx.now.wall, &list)
                };
                let len = content.encode().len();
                if len > MAX_CONTENT {
                    let refused =
                        CommandError::TooLong { what: "a text with these files", len, limit: MAX_CONTENT };
                    cx.up(ConvUp::Answer(id, Err(refused)));
                    return Ok(());
                }
                let draft = Draft { content, shown: true, command: Some(id), client_id: send.client_id };
                self.drafts.entry(no).or_default().push(draft);
            }
        }
        Ok(())
    }

    /// The message that this client id made in this chat before.
    // spec: D-21
    pub(crate) fn sent_before(
        view: &dyn View,
        chat: LogId,
        client_id: Option<&str>,
    ) -> Result<Option<MessageId>, TurnError> {
        let Some(client_id) = client_id.filter(|id| id.len() <= MAX_CLIENT_ID) else { return Ok(None) };
        let Some((no, _)) = Self::find(view, chat)? else { return Ok(None) };
        made_by(view, no, client_id)
    }

    fn check_send(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        send: &SendText,
    ) -> Result<Result<Checked, CommandError>, TurnError> {
        if send.text.is_empty() && send.files.is_empty() {
            return Ok(Err(CommandError::EmptyText));
        }
        if send.text.len() > MAX_TEXT {
            return Ok(Err(CommandError::TextTooLong { len: send.text.len(), limit: MAX_TEXT }));
        }
        let Some((no, row)) = Self::find(cx.tx, send.chat)? else {
            return Ok(Err(CommandError::UnknownChat));
        };
        if row.halted {
            return Ok(Err(CommandError::Halted));
        }
        if crate::contacts::get(cx.tx, row.contact)?.is_some_and(|c| c.state == crate::ContactState::Blocked)
        {
            return Ok(Err(CommandError::Blocked));
        }
        if let Some(client_id) = &send.client_id {
            if client_id.len() > MAX_CLIENT_ID {
                let len = client_id.len();
                return Ok(Err(CommandError::TooLong { what: "client id", len, limit: MAX_CLIENT_ID }));
            }
            if self.drafts.get(&no).is_some_and(|d| d.iter().any(|d| d.client_id.as_ref() == Some(client_id)))
            {
                // The same id twice in one turn: pack the first, then find it below.
                self.pack_drafts(cx, me)?;
            }
            // spec: D-21
            if let Some(known) = made_by(cx.tx, no, client_id)? {
                return Ok(Ok(Checked::Known(known)));
            }
        }
        if let Some(answered) = &send.reply_to
            && crate::query::find_number(cx.tx, answered)?.is_none()
        {
            return Ok(Err(CommandError::UnknownMessage));
        }
        Ok(Ok(Checked::New(no)))
    }

    /// Packs and seals everything that waits.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: D-20
    pub fn pack_drafts(&mut self, cx: &mut Ctx<'_, '_>, me: &Account) -> Result<(), TurnError> {
        for (no, drafts) in std::mem::take(&mut self.drafts) {
            let Some(mut row) = chat(cx.tx, no)? else { continue };
            if row.halted {
                for command in drafts.into_iter().filter_map(|d| d.command) {
                    cx.up(ConvUp::Answer(command, Err(CommandError::Halted)));
                }
                continue;
            }
            let at = written(&row);
            let mut parts = self.preamble(cx, me, no, &mut row, at)?;
            parts.extend(drafts.into_iter().map(|d| Part { bytes: d.content.encode(), draft: Some(d) }));
            for pack in split(parts) {
                self.write_pack(cx, me, no, &mut row, at, pack)?;
            }
            save(cx.tx, no, &row);
        }
        Ok(())
    }

    /// What has to precede: the binding in a log's first entry, the fold of a second log, an owed receipt.
    fn preamble(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
        row: &mut ChatRow,
        at: usize,
    ) -> Result<Vec<Part>, TurnError> {
        let mut out = Vec::new();
        let mut push = |content: &Content| out.push(Part { bytes: content.encode(), draft: None });
        if let Some(log) = row.logs.get_mut(at).filter(|l| !l.bound) {
            log.bound = true;
            push(&Content::new(kind::BINDING, cx.now.wall, &binding(me, log.id)));
        }
        if at == 0 && !row.folded && row.logs.len() > 1 {
            row.folded = true;
            if let Some(other) = row.logs.get(1) {
                let fold = Fold { h: self.bound_heads(cx, other)? };
                push(&Content::new(kind::FOLD, cx.now.wall, &fold));
                super::fold::merge_fold(cx.tx, no, row, fold)?;
            }
        }
        let has_keys = row.logs.get(at).is_some_and(|l| l.state.is_some());
        if has_keys && self.owed.contains_key(&no) {
            let receipt = self.receipt(cx.tx, row)?;
            push(&Content::new(kind::RECEIPT, cx.now.wall, &receipt));
            self.receipt_sent(cx, no);
        }
        Ok(out)
    }

    /// The heads of a log that a fold may name: those of its members, as many as are read.
    fn bound_heads(&self, cx: &Ctx<'_, '_>, log: &LogRef) -> Result<Vec<Link>, TurnError> {
        let mut out = Vec::new();
        for link in self.logs.heads(cx.tx, LogNo(log.no))?.into_iter().take(MAX_HEADS_SEEN) {
            let Some(position) = self.logs.position(cx.tx, LogNo(log.no), &link)? else { continue };
            let key = super::receive::author_key(log.no, &position.by);
            let bound = position.by == log.by || cx.tx.get(rows::AUTHORS, &key)?.is_some();
            if bound && out.len() < super::fold::MAX_FOLD {
                out.push(link);
            }
        }
        Ok(out)
    }

    fn write_pack(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
        row: &mut ChatRow,
        at: usize,
        parts: Vec<Part>,
    ) -> Result<(), TurnError> {
        let Some(log) = row.logs.get(at).cloned() else { return Ok(()) };
        let contents = parts.iter().map(|p| p.bytes.clone()).collect();
        let pack = Pack::new(contents, cx.rng).map_err(|e| super::fatal(&e))?;
        let commitment = pack.commitment();
        let mut numbers = Vec::new();
        for (index, part) in parts.into_iter().enumerate() {
            let Some(draft) = part.draft.filter(|d| d.shown) else { continue };
            let index = index as u16;
            let id = message_id(log.id, &commitment, index);
            let number = rows::next(cx.tx, "messages")?;
            let message = MessageRow {
                id,
                chat: no,
                from: me.id(),
                own: true,
                log: log.no,
                by: log.by,
                seq: None,
                place: (WAITING_TIME, log.waiting, index),
                content: ByteBuf::from(part.bytes),
            };
            super::fold::index_text(cx.tx, number, &message);
            rows::put(cx.tx, rows::MESSAGES, &number.to_be_bytes(), &message);
            numbers.push((index, number));
            row.last = Some(number);
            if let Some(client_id) =
                draft.client_id.as_ref().filter(|_| !murre_core::sabotage::active("forget-client-id"))
            {
                rows::put(cx.tx, rows::CLIENT_IDS, &client_key(no, client_id), &id);
            }
            if let Some(command) = draft.command {
                cx.up(ConvUp::Answer(command, Ok(Answer::Message { id })));
            }
            if let Some(files) = super::fold::files_of(&message.content) {
                cx.up(ConvUp::Files { contact: row.contact, own: true, message: id, files });
            }
            cx.up(ConvUp::Notice(Notice::MessageSent { chat: log.id, message: id }));
            self.index_soon(cx.now.mono);
        }
        if log.state.is_some() && log.waiting == 0 {
            return self.seal_pack(cx, me, row, at, &pack, &numbers);
        }
        // The group is not there yet: the pack waits as it is, its message ids are final.
        let waiting = log.waiting;
        if let Some(log) = row.logs.get_mut(at) {
            log.waiting += 1;
        }
        for (index, number) in &numbers {
            let key = rows::timeline_key(no, 1, WAITING_TIME, &log.by, waiting, *index);
            cx.tx.put(rows::TIMELINE, &key, number.to_be_bytes().to_vec());
        }
        let entry = WaitingRow {
            pack: ByteBuf::from(pack.encode_padded()),
            messages: numbers.iter().map(|(_, n)| *n).collect(),
        };
        rows::put(cx.tx, rows::WAITING, &rows::pair_key(log.no, waiting).to_be_bytes(), &entry);
        Ok(())
    }

    /// Seals what waited for its group, in the order it was written.
    pub(super) fn seal_waiting(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
    ) -> Result<(), TurnError> {
        let Some(mut row) = chat(cx.tx, no)?.filter(|r| !r.halted) else { return Ok(()) };
        for at in 0..row.logs.len() {
            let Some(log) = row.logs.get(at).filter(|l| l.state.is_some()).cloned() else { continue };
            for waiting in 0..log.waiting {
                let key = rows::pair_key(log.no, waiting).to_be_bytes();
                let Some(entry) = rows::get::<WaitingRow>(cx.tx, rows::WAITING, &key)? else { continue };
                let damaged = || TurnError::Damaged { space: rows::WAITING.name };
                let pack = Pack::decode(&entry.pack).map_err(|_| damaged())?;
                let mut numbers = Vec::new();
                for number in &entry.messages {
                    let index = self.waiting_index(cx, &log, &pack, *number)?.ok_or_else(damaged)?;
                    // Part 0 if a log with a lower id was joined since.
                    for part in 0..=1 {
                        let key = rows::timeline_key(no, part, WAITING_TIME, &log.by, waiting, index);
                        cx.tx.delete(rows::TIMELINE, &key);
                    }
                    numbers.push((index, *number));
                }
                cx.tx.delete(rows::WAITING, &key);
                if !murre_core::sabotage::active("forget-waiting") {
                    self.seal_pack(cx, me, &mut row, at, &pack, &numbers)?;
                }
            }
            if let Some(log) = row.logs.get_mut(at) {
                log.waiting = 0;
            }
        }
        save(cx.tx, no, &row);
        Ok(())
    }

    fn waiting_index(
        &self,
        cx: &Ctx<'_, '_>,
        log: &LogRef,
        pack: &Pack,
        number: u64,
    ) -> Result<Option<u16>, TurnError> {
        let row: Option<MessageRow> = rows::get(cx.tx, rows::MESSAGES, &number.to_be_bytes())?;
        let commitment = pack.commitment();
        Ok(row.and_then(|r| (0..64).find(|i| message_id(log.id, &commitment, *i) == r.id)))
    }

    /// MLS-seals a pack, signs it into the log and hands it up.
    fn seal_pack(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        row: &mut ChatRow,
        at: usize,
        pack: &Pack,
        numbers: &[(u16, u64)],
    ) -> Result<(), TurnError> {
        let Some(log) = row.logs.get(at).cloned() else { return Ok(()) };
        let Some(state) = log.state else { return Ok(()) };
        let commitment = pack.commitment();
        let body = self
            .groups
            .seal(cx.tx, cx.rng, &me.identity(), log.id, state, &commitment, &pack.encode_padded())
            .map_err(|e| super::fatal(&e))?;
        let draft =
            self.logs.draft(cx.tx, LogNo(log.no), log.by, state, commitment).map_err(|e| super::fatal(&e))?;
        // Drafted from the rows of the log: what does not verify comes of rows that do not fit together.
        let entry = VerifiedEntry::sign(&draft, &me.author(log.id), body)
            .map_err(|_| TurnError::Damaged { space: rows::CHATS.name })?;
        let position = self.logs.append(cx.tx, LogNo(log.no), entry.clone()).map_err(|e| super::fatal(&e))?;
        let chat_no = row_number(cx, &log)?;
        let part = super::fold::part_of(row, at, &position.by, position.seq);
        let mut messages = Vec::new();
        for (index, number) in numbers {
            let key = rows::timeline_key(chat_no, part, position.time, &log.by, position.seq, *index);
            cx.tx.put(rows::TIMELINE, &key, number.to_be_bytes().to_vec());
            if let Some(mut message) = rows::get::<MessageRow>(cx.tx, rows::MESSAGES, &number.to_be_bytes())?
            {
                message.seq = Some(position.seq);
                message.place = (position.time, position.seq, *index);
                rows::put(cx.tx, rows::MESSAGES, &number.to_be_bytes(), &message);
                messages.push(message.id);
            }
        }
        let sealed = Packet::Entry(entry.to_entry()).seal(&wire(&log), cx.now.wall.week());
        let chat = row.logs.first().map_or(log.id, |l| l.id);
        cx.up(ConvUp::Outgoing(Outgoing {
            contact: row.contact,
            log: log.no,
            seq: position.seq,
            packet: sealed,
            chat,
            messages,
            moved: told_move(me, pack)?,
        }));
        Ok(())
    }

    /// Seals contents as a signal: same seals, no place in the log.
    pub(super) fn seal_signal(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        row: &ChatRow,
        contents: Vec<Content>,
    ) -> Result<Option<Vec<u8>>, TurnError> {
        let at = written(row);
        let Some(log) = row.logs.get(at).filter(|_| !row.halted) else { return Ok(None) };
        let Some(state) = log.state else { return Ok(None) };
        // What one signal may hold is bounded by its maker; one that does not fit is not sent.
        let Ok(pack) = Pack::new(contents.iter().map(Content::encode).collect(), cx.rng) else {
            return Ok(None);
        };
        let key = self.groups.signal_key(cx.tx, log.id, state).map_err(|e| super::fatal(&e))?;
        let nonce: [u8; 24] = cx.rng.bytes();
        let aad = signal_aad(log.id, state, &log.by);
        let mut body = nonce.to_vec();
        body.extend_from_slice(&murre_crypto::seal::seal(&key, &nonce, &aad, &pack.encode_padded()));
        let signal = Signal::sign(log.id, state, &me.author(log.id), body, cx.rng);
        Ok(Some(Packet::Signal(signal).seal(&wire(log), cx.now.wall.week())))
    }
}

/// The present account mailbox's number, if a pack tells of it. One that tells of an older mailbox counts for nothing:
/// the contact will hear of the present one in another.
fn told_move(me: &Account, pack: &Pack) -> Result<Option<u32>, TurnError> {
    for item in pack.items() {
        let content = Content::decode(&item.content).ok();
        if let Some(told) = content.and_then(|c| c.body::<Move>(kind::MOVE))
            && told.g.to == me.mailbox()?.address()
        {
            return Ok(Some(me.mailbox_no()));
        }
    }
    Ok(None)
}

/// What a signal's body is bound to beside its author's signature.
pub(super) fn signal_aad(log: LogId, state: StateId, by: &AuthorId) -> Vec<u8> {
    [log.as_bytes().as_slice(), state.as_bytes(), by.as_bytes()].concat()
}

enum Checked {
    Known(MessageId),
    New(u32),
}

fn row_number(cx: &Ctx<'_, '_>, log: &LogRef) -> Result<u32, TurnError> {
    rows::get(cx.tx, rows::CHAT_BY_LOG, log.id.as_bytes())?
        .ok_or(TurnError::Damaged { space: rows::CHAT_BY_LOG.name })
}

fn made_by(view: &dyn View, chat: u32, client_id: &str) -> Result<Option<MessageId>, TurnError> {
    rows::get(view, rows::CLIENT_IDS, &client_key(chat, client_id))
}

fn client_key(chat: u32, client_id: &str) -> Vec<u8> {
    let mut key = chat.to_be_bytes().to_vec();
    key.extend_from_slice(client_id.as_bytes());
    key
}

fn binding(me: &Account, log: LogId) -> Binding {
    let author = me.author(log);
    let mut by_device = log.as_bytes().to_vec();
    by_device.extend_from_slice(author.id().as_bytes());
    let mut by_author = log.as_bytes().to_vec();
    by_author.extend_from_slice(me.device().as_bytes());
    Binding {
        c: me.cert().clone(),
        d: me.device_key().sign(BINDING_BY_DEVICE, &by_device),
        a: author.sign(BINDING_BY_AUTHOR, &by_author),
    }
}

/// Cuts a queue of contents into packs: at most 64 and 16 KiB together, a larger one alone.
fn split(parts: Vec<Part>) -> Vec<Vec<Part>> {
    let mut packs: Vec<Vec<Part>> = Vec::new();
    let mut bytes = 0;
    for part in parts {
        let fits = packs.last().is_some_and(|p| {
            p.len() < murre_log::pack::MAX_ITEMS && bytes + part.bytes.len() <= murre_log::pack::MAX_TOGETHER
        });
        bytes = if fits { bytes + part.bytes.len() } else { part.bytes.len() };
        match packs.last_mut() {
            Some(pack) if fits => pack.push(part),
            _ => packs.push(vec![part]),
        }
    }
    packs
}
