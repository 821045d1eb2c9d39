//! Files as shown, and their bytes.

use super::QueryError;
use super::types::FileInfo;
use crate::content::{Content, FileList, FileRef, clean_file_name, kind};
use crate::files::rows::{self, FileRow, FileState, Theirs};
use crate::limits::goes_by_mail;
use crate::rows as device_rows;
use murre_core::id::MessageId;
use murre_core::{TurnError, View};
use murre_log::chunk::{SEALED_CHUNK, open_chunk};

/// The files a message names.
fn list(view: &dyn View, message: MessageId) -> Result<Option<(u32, Vec<FileRef>)>, TurnError> {
    let Some(number) = super::find_number(view, &message)? else { return Ok(None) };
    let row =
        device_rows::get::<device_rows::MessageRow>(view, device_rows::MESSAGES, &number.to_be_bytes())?;
    let Some(row) = row else { return Ok(None) };
    let content = Content::decode(&row.content).ok();
    let list = content.and_then(|content| content.body::<FileList>(kind::FILES));
    // A direct chat has the number of its contact.
    Ok(list.map(|list| (row.chat, list.f)))
}

/// One file of a message: its number and row.
pub(crate) fn file_at(
    view: &dyn View,
    message: MessageId,
    index: u16,
) -> Result<Option<(u32, FileRow)>, TurnError> {
    let Some((contact, files)) = list(view, message)? else { return Ok(None) };
    match files.get(usize::from(index)) {
        Some(file) => rows::named(view, contact, file),
        None => Ok(None),
    }
}

/// What is shown of the files that a content names.
pub(super) fn infos(
    view: &dyn View,
    message: MessageId,
    contact: u32,
    files: &[FileRef],
) -> Result<Vec<FileInfo>, TurnError> {
    (0..).zip(files).map(|(index, file)| info(view, (message, index), contact, file)).collect()
}

fn info(view: &dyn View, at: (MessageId, u16), contact: u32, file: &FileRef) -> Result<FileInfo, TurnError> {
    let known = rows::named(view, contact, file)?;
    let (here, theirs) = match &known {
        Some((no, row)) => (rows::bytes_here(view, *no, row)?, theirs(view, *no, row, at)?),
        None => (0, None),
    };
    Ok(FileInfo {
        name: clean_file_name(&file.n),
        mime: crate::content::clean_line(&file.m),
        size: file.s,
        state: known.as_ref().map_or(FileState::Gone, |(_, row)| row.state),
        theirs,
        here,
        live_only: !goes_by_mail(file.s),
    })
}

/// Where a file of ours stands there, as far as this message is concerned.
// spec: X-15
fn theirs(
    view: &dyn View,
    no: u32,
    row: &FileRow,
    at: (MessageId, u16),
) -> Result<Option<Theirs>, TurnError> {
    let waits = row.theirs == Some(Theirs::Waiting);
    let taken_back = waits && !rows::is_used(view, no, at)?;
    Ok(if taken_back { Some(Theirs::Withdrawn) } else { row.theirs })
}

/// One file of a message, as it stands.
///
/// # Errors
/// [`QueryError::UnknownFile`], and what reading says.
pub fn file(view: &dyn View, message: MessageId, index: u16) -> Result<FileInfo, QueryError> {
    let (contact, files) = list(view, message)?.ok_or(QueryError::UnknownFile)?;
    let file = files.get(usize::from(index)).ok_or(QueryError::UnknownFile)?;
    Ok(info(view, (message, index), contact, file)?)
}

/// The plaintext of one chunk of a file, or nothing after the last.
///
/// # Errors
/// [`QueryError::UnknownFile`], [`QueryError::FileIncomplete`], [`QueryError::FileDamaged`], and what reading says.
pub fn file_part(
    view: &dyn View,
    message: MessageId,
    index: u16,
    part: u32,
) -> Result<Option<Vec<u8>>, QueryError> {
    let (_, row) = file_at(view, message, index)?.ok_or(QueryError::UnknownFile)?;
    if row.state != FileState::Complete {
        return Err(QueryError::FileIncomplete);
    }
    let shape = row.shape()?;
    if part >= shape.chunks() {
        return Ok(None);
    }
    let sealed = view.blob(row.blob(), u64::from(part) * SEALED_CHUNK as u64, shape.sealed_len(part))?;
    // Sealed under the file's key: bytes that the disk changed do not open.
    let plain = sealed.and_then(|sealed| open_chunk(&row.key.0, part, &sealed));
    plain.map(Some).ok_or(QueryError::FileDamaged)
}
