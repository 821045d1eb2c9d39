//! What this person has read, and who is told of it.
//!
//! ```text
//!  unread row, key = chat u32 BE || message number u32 BE        one for each message of others that waits
//!                                                                 rows below the chat's `seen` count no more
//!  receipt r:  [ author, from, upto ]    from = after the last entry read while receipts were off
//! ```
//!
//! The count of unread messages, the state of each, and how far a receipt may say "read" all come from these rows.

use super::receipts::raise_author;
use super::{ConvUp, Conversations, Ctx, save};
use crate::command::{Answer, CommandError};
use crate::limits::{MAX_READ_LOOK, MAX_READ_SWEEP};
use crate::rows::{self, ChatRow, MessageRow};
use murre_core::id::{AuthorId, LogId, MessageId};
use murre_core::{CommandId, Direction, Range, Turn, TurnError, View};
use std::collections::BTreeMap;

/// Name of the home's own setting among the single values.
const RECEIPTS: &[u8] = b"receipts";

/// Whether a chat tells and shows what is read: its own setting, else the home's, else yes.
// spec: D-31
pub(crate) fn receipts_on(view: &dyn View, chat: &ChatRow) -> Result<bool, TurnError> {
    match chat.receipts {
        Some(on) => Ok(on),
        None => home_receipts(view),
    }
}

/// The home's setting.
pub(crate) fn home_receipts(view: &dyn View) -> Result<bool, TurnError> {
    Ok(rows::get(view, rows::META, RECEIPTS)?.unwrap_or(true))
}

/// Whether a message of somebody else still waits to be read.
pub(crate) fn is_unread(view: &dyn View, chat: &ChatRow, no: u32, number: u64) -> Result<bool, TurnError> {
    Ok(number >= chat.seen && view.get(rows::UNREAD, &unread_key(no, number))?.is_some())
}

fn unread_key(no: u32, number: u64) -> [u8; 8] {
    // Four thousand million messages of one home are out of reach.
    rows::pair_key(no, number as u32).to_be_bytes()
}

/// Counts a message of somebody else that has just come.
// spec: D-29
pub(super) fn note_unread(tx: &mut Turn<'_>, no: u32, row: &mut ChatRow, number: u64) {
    tx.put(rows::UNREAD, &unread_key(no, number), Vec::new());
    row.unread += 1;
}

/// Where a message stands in its chat's timeline; none if it is not in this chat.
pub(crate) fn timeline_place(
    view: &dyn View,
    no: u32,
    row: &MessageRow,
    number: u64,
) -> Result<Option<Vec<u8>>, TurnError> {
    if row.chat != no {
        return Ok(None);
    }
    let (time, seq, index) = row.place;
    for part in 0..=2 {
        let key = rows::timeline_key(no, part, time, &row.by, seq, index);
        if view.get(rows::TIMELINE, &key)?.is_some_and(|found| found == number.to_be_bytes()) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

impl Conversations {
    /// Marks everything received in a chat as read, or what stands up to and including a message.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn read(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        chat: LogId,
        upto: Option<MessageId>,
    ) -> Result<(), TurnError> {
        let Some((no, mut row)) = Self::find(cx.tx, chat)? else {
            cx.up(ConvUp::Answer(id, Err(CommandError::UnknownChat)));
            return Ok(());
        };
        let (unread, read) = (row.unread, row.read.clone());
        match upto {
            None => self.read_all(cx, no, &mut row)?,
            Some(message) => {
                let Some(end) = place_of(cx.tx, no, &message)? else {
                    cx.up(ConvUp::Answer(id, Err(CommandError::UnknownMessage)));
                    return Ok(());
                };
                self.read_upto(cx, no, &mut row, &end)?;
            }
        }
        if row.unread != unread || row.read != read {
            save(cx.tx, no, &row);
            self.owe(cx, no);
        }
        cx.up(ConvUp::Answer(id, Ok(Answer::Done)));
        Ok(())
    }

    fn read_all(&mut self, cx: &mut Ctx<'_, '_>, no: u32, row: &mut ChatRow) -> Result<(), TurnError> {
        let opened = self.receipt(cx.tx, row)?.d;
        if row.unread > 0 || row.read != opened {
            row.unread = 0;
            row.seen = rows::counter(cx.tx, "messages")?;
            if !receipts_on(cx.tx, row)? {
                opened.iter().for_each(|(by, upto)| raise_author(&mut row.quiet, by, *upto));
            }
            row.read = opened;
        }
        // Rows below `seen` count no more. However many there are, a turn removes only so many.
        let old = Range::seq(rows::pair_key(no, 0), rows::pair_key(no, row.seen as u32));
        for (key, _) in cx.tx.scan(rows::UNREAD, &old, Direction::Forward, MAX_READ_SWEEP)? {
            cx.tx.delete(rows::UNREAD, &key);
        }
        Ok(())
    }

    // spec: D-30
    fn read_upto(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &mut ChatRow,
        end: &[u8],
    ) -> Result<(), TurnError> {
        let range = Range {
            from: std::ops::Bound::Included(unread_key(no, row.seen).to_vec()),
            to: Range::prefix(&no.to_be_bytes()).to,
        };
        let waiting = cx.tx.scan(rows::UNREAD, &range, Direction::Forward, MAX_READ_LOOK + 1)?;
        let whole = waiting.len() <= MAX_READ_LOOK;
        let on = receipts_on(cx.tx, row)?;
        // Of each author: the first entry with a message that still waits, the last one marked now.
        let (mut left, mut marked) = (BTreeMap::<AuthorId, u32>::new(), BTreeMap::<AuthorId, u32>::new());
        for (key, _) in waiting.iter().take(MAX_READ_LOOK) {
            let number = key.get(4..8).and_then(|low| low.try_into().ok()).map(u32::from_be_bytes);
            let Some(number) = number.map(u64::from) else { continue };
            let message: Option<MessageRow> = rows::get(cx.tx, rows::MESSAGES, &number.to_be_bytes())?;
            let Some((message, seq)) = message.and_then(|m| m.seq.map(|seq| (m, seq))) else { continue };
            let place = timeline_place(cx.tx, no, &message, number)?;
            if place.is_some_and(|place| place.as_slice() <= end) {
                cx.tx.delete(rows::UNREAD, key);
                row.unread = row.unread.saturating_sub(1);
                marked.entry(message.by).and_modify(|s| *s = seq.max(*s)).or_insert(seq);
                if !on {
                    raise_author(&mut row.quiet, &message.by, seq);
                }
            } else {
                left.entry(message.by).and_modify(|s| *s = seq.min(*s)).or_insert(seq);
            }
        }
        if marked.is_empty() {
            return Ok(());
        }
        for (by, opened) in self.receipt(cx.tx, row)?.d {
            // An entry is read when all of its messages are. What was not looked at came later.
            let level = match (left.get(&by), marked.get(&by)) {
                (Some(first), _) => first.checked_sub(1),
                (None, _) if whole => Some(opened),
                (None, Some(last)) => last.checked_sub(1),
                (None, None) => None,
            };
            if let Some(level) = level {
                raise_author(&mut row.read, &by, level.min(opened));
            }
        }
        Ok(())
    }

    /// What a receipt may say of reading: nothing while receipts are off, and never what was read while they were.
    // spec: D-32
    pub(super) fn told_read(view: &dyn View, row: &ChatRow) -> Result<Vec<(AuthorId, u32, u32)>, TurnError> {
        if !receipts_on(view, row)? {
            return Ok(Vec::new());
        }
        let from = |by: &AuthorId| {
            row.quiet.iter().find(|(a, _)| a == by).map_or(Some(0), |(_, quiet)| quiet.checked_add(1))
        };
        let told = row.read.iter().filter_map(|(by, upto)| Some((*by, from(by)?, *upto)));
        Ok(told.filter(|(_, from, upto)| from <= upto).collect())
    }

    /// Switches read receipts: of the home, or of one chat, which otherwise goes by the home.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn set_receipts(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        chat: Option<LogId>,
        set: Option<bool>,
    ) -> Result<(), TurnError> {
        match chat {
            None => rows::put(cx.tx, rows::META, RECEIPTS, &set.unwrap_or(true)),
            Some(chat) => {
                let Some((no, mut row)) = Self::find(cx.tx, chat)? else {
                    cx.up(ConvUp::Answer(id, Err(CommandError::UnknownChat)));
                    return Ok(());
                };
                row.receipts = set;
                save(cx.tx, no, &row);
            }
        }
        cx.up(ConvUp::Answer(id, Ok(Answer::Done)));
        Ok(())
    }
}

fn place_of(view: &dyn View, no: u32, message: &MessageId) -> Result<Option<Vec<u8>>, TurnError> {
    let Some(number) = crate::query::find_number(view, message)? else { return Ok(None) };
    let Some(row) = rows::get::<MessageRow>(view, rows::MESSAGES, &number.to_be_bytes())? else {
        return Ok(None);
    };
    timeline_place(view, no, &row, number)
}
