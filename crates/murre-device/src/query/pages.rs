//! Pages of messages: of a chat in its order, of a search from the newest.

use super::{MessageInfo, QueryError, find_number, message_at};
use crate::conversations::{Conversations, timeline_place};
use crate::limits::MAX_PAGE;
use crate::rows::{self, MessageRow};
use murre_core::id::{LogId, MessageId};
use murre_core::{Direction, Query, Range, Search, View, Wall};
use std::ops::Bound;

/// A page of a chat, oldest first: the newest `limit` messages, or those that stand right before `before`, as they
/// stand at `now`.
///
/// # Errors
/// [`QueryError`].
// spec: A-12
pub fn history(
    view: &dyn View,
    id: LogId,
    before: Option<MessageId>,
    limit: usize,
    now: Wall,
) -> Result<Vec<MessageInfo>, QueryError> {
    let (no, _) = Conversations::find(view, id)?.ok_or(QueryError::UnknownChat)?;
    let mut range = Range::prefix(&no.to_be_bytes());
    if let Some(before) = before {
        range.to = Bound::Excluded(place(view, no, &before)?);
    }
    let mut page = view.scan(rows::TIMELINE, &range, Direction::Backward, limit.min(MAX_PAGE))?;
    page.reverse();
    shown(view, &page, now)
}

/// A page of a chat, oldest first: the `limit` messages that stand right after `after`, as they stand at `now`.
///
/// # Errors
/// [`QueryError`].
// spec: A-12
pub fn history_after(
    view: &dyn View,
    id: LogId,
    after: MessageId,
    limit: usize,
    now: Wall,
) -> Result<Vec<MessageInfo>, QueryError> {
    let (no, _) = Conversations::find(view, id)?.ok_or(QueryError::UnknownChat)?;
    let mut range = Range::prefix(&no.to_be_bytes());
    range.from = Bound::Excluded(place(view, no, &after)?);
    let page = view.scan(rows::TIMELINE, &range, Direction::Forward, limit.min(MAX_PAGE))?;
    shown(view, &page, now)
}

/// Messages that a query finds, in one chat or in all, the one that arrived here last first; with `before` only those
/// that arrived earlier than it.
///
/// # Errors
/// [`QueryError`].
// spec: A-13
pub fn search(
    view: &dyn Search,
    query: &str,
    chat: Option<LogId>,
    before: Option<MessageId>,
    limit: usize,
    now: Wall,
) -> Result<Vec<MessageInfo>, QueryError> {
    let query = Query::parse(query)?;
    let chat = match chat {
        Some(id) => Some(Conversations::find(view, id)?.ok_or(QueryError::UnknownChat)?.0),
        None => None,
    };
    let below = match before {
        Some(id) => {
            let number = find_number(view, &id)?.ok_or(QueryError::UnknownMessage)?;
            let row: Option<MessageRow> = rows::get(view, rows::MESSAGES, &number.to_be_bytes())?;
            row.filter(|row| chat.is_none_or(|no| no == row.chat)).ok_or(QueryError::UnknownMessage)?;
            Some(number)
        }
        None => None,
    };
    let mut out = Vec::new();
    for number in view.search(&query, chat, below, limit.min(MAX_PAGE))? {
        out.extend(message_at(view, number, now)?);
    }
    Ok(out)
}

/// Where a message stands; one of another chat is unknown in this one.
fn place(view: &dyn View, no: u32, id: &MessageId) -> Result<Vec<u8>, QueryError> {
    let number = find_number(view, id)?.ok_or(QueryError::UnknownMessage)?;
    let row: MessageRow =
        rows::get(view, rows::MESSAGES, &number.to_be_bytes())?.ok_or(QueryError::UnknownMessage)?;
    timeline_place(view, no, &row, number)?.ok_or(QueryError::UnknownMessage)
}

fn shown(view: &dyn View, page: &[(Vec<u8>, Vec<u8>)], now: Wall) -> Result<Vec<MessageInfo>, QueryError> {
    let mut out = Vec::with_capacity(page.len());
    for (_, number) in page {
        let Ok(number) = number.as_slice().try_into().map(u64::from_be_bytes) else { continue };
        out.extend(message_at(view, number, now)?);
    }
    Ok(out)
}
