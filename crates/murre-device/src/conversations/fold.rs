//! What contents do: messages into the timeline, everything else to whom it concerns.

use super::receive::shown_id;
use super::{ConvUp, Conversations, Ctx};
use crate::account::Account;
use crate::content::{
    Content, FileAsk, FileList, FileRef, FileWord, Fold, Handover, Move, Presence, Receipt, Renewal, Resend,
    Text, Want, kind,
};
use crate::event::Notice;
use crate::limits::{MAX_WANT, WANT_BYTES, WANT_LINKS, WANT_MS};
use crate::rows::{self, AuthorRow, ChatRow, LogRef, MessageRow};
use murre_core::id::AuthorId;
use murre_core::{Direction, Range, Turn, TurnError, View};
use murre_log::{Position, message_id};
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;

/// Rows re-keyed in one step.
const RESTACK_PAGE: usize = 1_000;
/// Authors a fold may name.
pub(super) const MAX_FOLD: usize = 16;

/// Where an entry of log `at` stands: 0 the second log up to the folds, 1 the written log, 2 strays of the second.
///
/// The folds of both sides together decide, so both show one order once they hold the same entries.
pub(super) fn part_of(row: &ChatRow, at: usize, by: &AuthorId, seq: u32) -> u8 {
    // spec: F-9
    if at == 0 {
        return 1;
    }
    let covered = row.fold.iter().any(|l| l.is_of(by) && seq <= l.s);
    if row.fold.is_empty() || covered { 0 } else { 2 }
}

/// Moves a chat's timeline behind a log that was joined later but is written from now on.
pub(super) fn demote_timeline(tx: &mut Turn<'_>, chat: u32) -> Result<(), TurnError> {
    restack(tx, chat, 1, |_, _| 0)
}

/// Moves rows of one part of a timeline to where `place` says they belong, page by page to the end.
fn restack(
    tx: &mut Turn<'_>,
    chat: u32,
    part: u8,
    place: impl Fn(&AuthorId, u32) -> u8,
) -> Result<(), TurnError> {
    let mut prefix = chat.to_be_bytes().to_vec();
    prefix.push(part);
    let mut range = Range::prefix(&prefix);
    loop {
        let page = tx.scan(rows::TIMELINE, &range, Direction::Forward, RESTACK_PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        range.from = std::ops::Bound::Excluded(last.clone());
        for (key, value) in page {
            let by = key.get(13..45).and_then(AuthorId::from_slice);
            let seq = key.get(45..49).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
            let (Some(by), Some(seq)) = (by, seq) else { continue };
            let wanted = place(&by, seq);
            if wanted != part {
                tx.delete(rows::TIMELINE, &key);
                let mut moved = key;
                if let Some(part) = moved.get_mut(4) {
                    *part = wanted;
                }
                tx.put(rows::TIMELINE, &moved, value);
            }
        }
    }
}

/// The files that an encoded content names, if it is one with files.
pub(super) fn files_of(content: &[u8]) -> Option<Vec<FileRef>> {
    Content::decode(content).ok()?.body::<FileList>(kind::FILES).map(|list| list.f)
}

impl Conversations {
    pub(super) fn fold(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
        row: &mut ChatRow,
        log: &LogRef,
        position: &Position,
        author: &AuthorRow,
        contents: Vec<(Vec<u8>, Option<Content>)>,
        c: &[u8; 32],
    ) -> Result<(), TurnError> {
        let at = row.logs.iter().position(|l| l.no == log.no).unwrap_or(0);
        for (index, (bytes, content)) in contents.into_iter().enumerate() {
            let index = index as u16;
            let t = content.as_ref().map(|c| (c.t, c.v));
            match (t, content) {
                (Some((kind::BINDING, 1)), _) => {}
                (Some((kind::FOLD, 1)), Some(content)) => {
                    if let Some(fold) = content.body::<Fold>(kind::FOLD) {
                        merge_fold(cx.tx, no, row, fold)?;
                    }
                }
                (Some((kind::HANDOVER, 1)), Some(content)) => {
                    if let Some(handover) = content.body::<Handover>(kind::HANDOVER) {
                        cx.up(ConvUp::Handover(row.contact, Box::new(handover)));
                    }
                }
                (Some((kind::RENEWAL, 1)), Some(content)) => {
                    if let Some(renewal) = content.body::<Renewal>(kind::RENEWAL) {
                        cx.up(ConvUp::Renewal(row.contact, renewal));
                    }
                }
                (Some((kind::MOVE, 1)), Some(content)) => {
                    if let Some(told) = content.body::<Move>(kind::MOVE)
                        && author.account == row.with
                    {
                        let logs = row.logs.iter().map(|l| l.no).collect();
                        cx.up(ConvUp::Move(row.contact, Box::new(told), logs));
                    }
                }
                // spec: D-35
                (Some((kind::RESEND, 1)), Some(content)) => {
                    if content.body::<Resend>(kind::RESEND).is_some() && author.account == row.with {
                        let logs = row.logs.iter().map(|l| l.no).collect();
                        cx.up(ConvUp::Resend(row.contact, logs));
                    }
                }
                // spec: X-14
                (Some((kind::FILE_WORD, 1)), Some(content)) => {
                    if let Some(word) = content.body::<FileWord>(kind::FILE_WORD)
                        && author.account == row.with
                    {
                        cx.up(ConvUp::FileWord(row.contact, word));
                    }
                }
                (Some((kind::RECEIPT, 1)), Some(content)) => {
                    if let Some(receipt) = content.body::<Receipt>(kind::RECEIPT) {
                        self.take_receipt(cx, no, row, author, &receipt)?;
                    }
                }
                // spec: D-19
                // Texts, and whatever a newer version says: kept, shown, counted.
                _ => self.add_message(cx, me, no, row, log, at, position, author, index, bytes, c)?,
            }
        }
        Ok(())
    }

    fn add_message(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
        row: &mut ChatRow,
        log: &LogRef,
        at: usize,
        position: &Position,
        author: &AuthorRow,
        index: u16,
        bytes: Vec<u8>,
        c: &[u8; 32],
    ) -> Result<(), TurnError> {
        let id = message_id(log.id, c, index);
        let number = rows::next(cx.tx, "messages")?;
        let files = files_of(&bytes);
        let message = MessageRow {
            id,
            chat: no,
            from: author.account,
            own: author.account == me.id(),
            log: log.no,
            by: position.by,
            seq: Some(position.seq),
            place: (position.time, position.seq, index),
            content: ByteBuf::from(bytes),
        };
        index_text(cx.tx, number, &message);
        rows::put(cx.tx, rows::MESSAGES, &number.to_be_bytes(), &message);
        let part = part_of(row, at, &position.by, position.seq);
        let key = rows::timeline_key(no, part, position.time, &position.by, position.seq, index);
        cx.tx.put(rows::TIMELINE, &key, number.to_be_bytes().to_vec());
        row.last = Some(number);
        if !message.own {
            super::reading::note_unread(cx.tx, no, row, number);
        }
        self.index_soon(cx.now.mono);
        cx.up(ConvUp::Notice(Notice::MessageArrived { chat: shown_id(row, log), message: id }));
        if let Some(files) = files {
            cx.up(ConvUp::Files { contact: row.contact, own: message.own, message: id, files });
        }
        Ok(())
    }

    pub(super) fn fold_signal(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &mut ChatRow,
        author: &AuthorRow,
        content: &Content,
    ) -> Result<(), TurnError> {
        if let Some(receipt) = content.body::<Receipt>(kind::RECEIPT) {
            return self.take_receipt(cx, no, row, author, &receipt);
        }
        if let Some(presence) = content.body::<Presence>(kind::PRESENCE) {
            // spec: D-18
            // A presence read from a mailbox may be old: its label decides, generously.
            if cx.now.wall.since(content.w) <= murre_core::params::delivery::PRESENCE_MS {
                cx.up(ConvUp::Presence(row.contact, presence, content.w));
            }
        }
        if let Some(ask) = content.body::<FileAsk>(kind::FILE_ASK) {
            cx.up(ConvUp::FileAsk(row.contact, ask));
        }
        if let Some(word) = content.body::<FileWord>(kind::FILE_WORD) {
            cx.up(ConvUp::FileWord(row.contact, word));
        }
        // spec: D-23
        if let Some(want) = content.body::<Want>(kind::WANT) {
            self.answer_want(cx, row, &want)?;
        }
        Ok(())
    }
}

impl Conversations {
    /// Sends again what a member misses, from whichever log, within what one contact may ask for in a minute.
    fn answer_want(&mut self, cx: &mut Ctx<'_, '_>, row: &ChatRow, want: &Want) -> Result<(), TurnError> {
        let now = cx.now.mono;
        let (since, links, bytes) = self.wanted.get(&row.contact).copied().unwrap_or((now, 0, 0));
        let fresh = now.since(since) >= WANT_MS;
        let (since, mut links, mut bytes) = if fresh { (now, 0, 0) } else { (since, links, bytes) };
        let mut seen = BTreeSet::new();
        for link in want.l.iter().take(MAX_WANT).filter(|l| seen.insert(**l)) {
            for log in &row.logs {
                if links >= WANT_LINKS || bytes >= WANT_BYTES {
                    break;
                }
                if let Some(packet) = self.packet_of(cx, log, link)? {
                    links += 1;
                    bytes += packet.len();
                    let ttl = murre_core::params::delivery::BOX_TTL_HOURS;
                    cx.up(ConvUp::Signal { contact: row.contact, packet, ttl, mailbox: true });
                    break;
                }
            }
        }
        self.wanted.insert(row.contact, (since, links, bytes));
        Ok(())
    }
}

/// Makes a message findable by its text and the names of its files. What this version does not know has no words to be
/// found by.
// spec: D-34
pub(super) fn index_text(tx: &mut Turn<'_>, number: u64, message: &MessageRow) {
    let Ok(content) = Content::decode(&message.content) else { return };
    if let Some(text) = content.body::<Text>(kind::TEXT) {
        tx.index(number, message.chat, &text.t);
    }
    if let Some(list) = content.body::<FileList>(kind::FILES) {
        let names = list.f.into_iter().take(crate::limits::MAX_FILES).map(|file| file.n);
        let words: Vec<String> = std::iter::once(list.t).chain(names).collect();
        tx.index(number, message.chat, &words.join("\n"));
    }
}

/// Takes a fold: per author the higher number counts. What stands elsewhere by it is moved.
pub(super) fn merge_fold(
    tx: &mut Turn<'_>,
    chat: u32,
    row: &mut ChatRow,
    fold: Fold,
) -> Result<(), TurnError> {
    let before = row.fold.clone();
    for link in fold.h.into_iter().take(MAX_FOLD) {
        let room = row.fold.len() < MAX_FOLD;
        match row.fold.iter_mut().find(|l| l.a == link.a) {
            Some(known) if known.s < link.s => *known = link,
            None if room => row.fold.push(link),
            Some(_) | None => {}
        }
    }
    if row.fold == before {
        return Ok(());
    }
    restack(tx, chat, 0, |by, seq| part_of(row, 1, by, seq))?;
    restack(tx, chat, 2, |by, seq| part_of(row, 1, by, seq))
}
