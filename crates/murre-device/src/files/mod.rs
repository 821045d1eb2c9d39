//! Files: handed over by a program, kept sealed, carried in chunks, fetched, handed out again.
//!
//! ```text
//!  a program --pieces--> seal, hash --> blob + pages --(message names it)--> give --> live link, when they ask
//!                                                                              '---> boxes, if it is small
//!  their message --> take: ask for what is missing --> chunk verified --> blob + page --> complete --> "have it"
//! ```
//!
//! The receiver decides what travels over a live link: it asks for a few chunks, and for the next ones when those are
//! durable here. So nothing is sent that was not asked for, a link is never flooded, and after any interruption the
//! asking goes on where the rows say. What is small enough for mailboxes also goes into boxes, through the one outbox,
//! when no live link asks for it.
//!
//! What this does NOT do: read a plaintext file, know a disk, a link or a mailbox; say what a message is.

mod give;
pub mod rows;
mod take;
mod upload;

use crate::command::{Answer, CommandError};
use crate::content::{FileAsk, FileWord, Word};
use crate::event::{FileStep, Notice};
use crate::limits::MAX_FILE_WORK;
use give::{Mail, Offer};
use murre_core::id::{Bytes, LogId, MessageId};
use murre_core::{CommandId, Cx, Direction, Mono, Range, TurnError, View};
use murre_log::Chunk;
use rows::{FileRow, FileState, Theirs};
use std::collections::{BTreeMap, BTreeSet};
use take::Fetch;
use upload::Upload;

/// Outbox rows of a file's chunks carry this bit in place of a log number, and the file's number beside it.
pub const FILE_LOG: u32 = 1 << 29;

/// The file whose chunk lies under this key of the outbox.
#[must_use]
pub const fn file_of(key: u64) -> Option<u32> {
    let log = (key >> 32) as u32;
    if log >> 29 == 1 { Some(log & (FILE_LOG - 1)) } else { None }
}

/// What files tell their parent.
#[derive(Debug)]
pub enum FilesUp {
    /// A command is answered.
    Answer(CommandId, Result<Answer, CommandError>),
    /// Something to tell the user.
    Notice(Notice),
    /// Ask a contact for chunks.
    Ask(u32, FileAsk),
    /// Tell a contact a word about a file.
    Say(u32, FileWord),
    /// Hand a chunk to a contact's live link.
    Live(u32, Chunk),
    /// Put a chunk of this file into the outbox.
    Mail {
        /// To whom.
        contact: u32,
        /// Number of the file.
        file: u32,
        /// The chunk.
        chunk: Chunk,
    },
    /// What lies in the outbox of this file is not needed any more.
    Withdraw(u32),
}

type Ctx<'a, 'v> = Cx<'a, 'v, FilesUp>;

/// The files of one device.
#[derive(Debug, Default)]
pub struct Files {
    live: BTreeSet<u32>,
    uploads: BTreeMap<u64, Upload>,
    offers: BTreeMap<u32, Offer>,
    mails: BTreeMap<u32, Mail>,
    fetches: BTreeMap<u32, Fetch>,
    /// The last moment at which a contact's askings were answered over its live link, and with how many chunks.
    handed: BTreeMap<u32, (Mono, usize)>,
    counts: FileCounts,
    started: bool,
}

/// Chunks since the start, for `doctor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Handed to live links and to the outbox.
    pub sent: u64,
    /// Checked and stored.
    pub stored: u64,
    /// Came although they were here.
    pub twice: u64,
    /// Did not belong to their file.
    pub refused: u64,
    /// Files that are still to go into boxes.
    pub mailing: u64,
}

impl Files {
    /// Chunks since the start.
    #[must_use]
    pub fn counts(&self) -> FileCounts {
        let mailing = self.offers.len() + self.mails.values().filter(|mail| mail.is_busy()).count();
        FileCounts { mailing: mailing as u64, ..self.counts }
    }

    /// Takes up what an earlier run left, in the first turn.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn begin(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        if std::mem::replace(&mut self.started, true) { Ok(()) } else { self.resume(cx, None) }
    }

    /// Takes up what is not done: of everybody, or of a contact whose block was taken back.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn resume(&mut self, cx: &mut Ctx<'_, '_>, only: Option<u32>) -> Result<(), TurnError> {
        for (key, _) in cx.tx.scan(rows::WORK, &Range::all(), Direction::Forward, MAX_FILE_WORK)? {
            let Some(no) = key.as_slice().try_into().ok().map(u32::from_be_bytes) else { continue };
            let Some(row) = rows::file(cx.tx, no)? else {
                cx.tx.delete(rows::WORK, &key);
                continue;
            };
            if only.is_some_and(|contact| contact != row.contact) {
                continue;
            }
            match (row.state, row.theirs) {
                // Its program is still handing it over.
                (FileState::Loading, _) if only.is_some() => {}
                // The program that handed it over has lost its place: it begins again.
                (FileState::Loading, _) => self.erase(cx, no, &row),
                (FileState::Wanted, _) => self.fetch_again(cx, no, &row)?,
                (FileState::Complete, Some(Theirs::Waiting)) => self.give_again(cx, no, &row)?,
                _ => cx.tx.delete(rows::WORK, &key),
            }
        }
        Ok(())
    }

    /// The next moment something is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        let uploads = self.uploads.values().map(Upload::due);
        let offers = self.offers.values().map(|offer| offer.until);
        let fetches = self.fetches.values().filter_map(Fetch::due);
        uploads.chain(offers).chain(fetches).min()
    }

    /// Does what is due.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn handle_timeout(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        self.expire_uploads(cx)?;
        self.offers_over(cx)?;
        self.fetches_due(cx)
    }

    /// A live link to a contact is proven.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn link_up(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        self.live.insert(contact);
        self.ask_anew(cx, contact)
    }

    /// A contact's live link is gone.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn link_lost(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        self.live.remove(&contact);
        self.handed.remove(&contact);
        self.stop_asking(cx.now.mono, contact);
        self.mail_offers(cx, contact)
    }

    /// A contact is blocked: nothing goes there, nothing is asked for.
    pub fn forget(&mut self, contact: u32) {
        self.live.remove(&contact);
        self.handed.remove(&contact);
        self.offers.retain(|_, offer| offer.contact != contact);
        self.mails.retain(|_, mail| mail.contact != contact);
        self.fetches.retain(|_, fetch| fetch.contact != contact);
    }

    /// A contact says something about a file.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn word(&mut self, cx: &mut Ctx<'_, '_>, contact: u32, word: &FileWord) -> Result<(), TurnError> {
        let Some((no, row)) = rows::find(cx.tx, contact, &word.f)? else { return Ok(()) };
        match word.w {
            Word::Have => self.given(cx, no, row, Theirs::Has),
            Word::Decline => self.given(cx, no, row, Theirs::Declined),
            Word::Gone => self.gone(cx, no, row),
        }
    }

    /// Gives a file up: what is ours is no longer offered, what is theirs is no longer fetched and its part is erased.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn cancel(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        message: MessageId,
        index: u16,
    ) -> Result<(), TurnError> {
        let answer = match crate::query::file_at(cx.tx, message, index)? {
            Some((no, row)) if row.theirs.is_some() => {
                self.withdraw(cx, no, row);
                Ok(Answer::Done)
            }
            Some((no, row)) => {
                self.decline(cx, no, row)?;
                Ok(Answer::Done)
            }
            None => Err(CommandError::UnknownFile),
        };
        cx.up(FilesUp::Answer(id, answer));
        Ok(())
    }

    fn tell(cx: &mut Ctx<'_, '_>, row: &FileRow, step: FileStep) -> Result<(), TurnError> {
        let chat = crate::conversations::chat(cx.tx, row.contact)?.and_then(|c| c.logs.first().map(|l| l.id));
        if let (Some(chat), Some((message, index))) = (chat, row.at) {
            let chat: LogId = chat;
            cx.up(FilesUp::Notice(Notice::File { chat, message, index, step }));
        }
        Ok(())
    }

    fn say(cx: &mut Ctx<'_, '_>, contact: u32, id: Bytes<32>, word: Word) {
        cx.up(FilesUp::Say(contact, FileWord { f: id, w: word }));
    }

    /// Erases everything of a file that no message names.
    fn erase(&self, cx: &mut Ctx<'_, '_>, no: u32, row: &FileRow) {
        cx.tx.drop_blob(row.blob());
        self.drop_pages(cx, no, row);
        cx.tx.erase(rows::FILES, &no.to_be_bytes());
        cx.tx.delete(rows::BY_ID, &rows::hash_key(row.contact, &row.id.0));
        cx.tx.delete(rows::WORK, &no.to_be_bytes());
    }

    fn drop_pages(&self, cx: &mut Ctx<'_, '_>, no: u32, row: &FileRow) {
        let pages = murre_log::chunk::chunks_of(row.size).div_ceil(murre_log::chunk::PAGE);
        for page in 0..pages {
            cx.tx.delete(rows::PAGES, &rows::page_key(no, page));
        }
    }
}

#[cfg(test)]
mod tests;
