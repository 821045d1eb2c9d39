//! What is ours: handed out over a live link to whoever asks, put into boxes if it is small and nobody asks.

use super::progress::bytes_of;
use super::rows::{self, FileRow, FileState, Theirs};
use super::{Ctx, Files, FilesUp};
use crate::content::{FileAsk, FileRef, Word};
use crate::due::Due;
use crate::event::{FileStep, Notice, ProgressKind};
use crate::limits::{
    ASK_MAX_MS, FILE_WINDOW, MAIL_AGAIN_MS, MAIL_WINDOW, MAX_ASK_RANGES, MAX_SERVED, SERVE_AT_ONCE,
    SERVE_TIMES, UNREAD_MS, goes_by_mail,
};
use crate::rows as device_rows;
use murre_core::id::{Bytes, MessageId};
use murre_core::params::delivery::LIVE_RECEIPT_MS;
use murre_core::sabotage::active;
use murre_core::{BlobNo, Mono, TurnError, View};
use murre_log::chunk::{PAGE, PageTree, SEALED_CHUNK};
use murre_log::{Chunk, Shape};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A small file that waits for a live link to ask for it.
#[derive(Debug)]
pub(super) struct Offer {
    pub contact: u32,
    pub until: Mono,
}

/// A small file on its way into boxes.
#[derive(Debug)]
pub(super) struct Mail {
    pub contact: u32,
    /// Chunks not yet handed to the outbox.
    queue: VecDeque<u32>,
    /// Chunks handed over and not yet stored.
    flying: BTreeSet<u32>,
    /// When it was last asked for by mail.
    asked: Option<Mono>,
    /// Chunks sent for the asking, over links and in boxes.
    pub(super) served: u64,
    /// Chunks from the first up to the last one that went over a link.
    reach: u32,
    /// When to go on, if the next chunk could not be read.
    again: Option<Due>,
}

impl Mail {
    /// Whether something of it is still to be stored in boxes.
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty() || !self.flying.is_empty()
    }

    const fn new(contact: u32) -> Self {
        let queue = VecDeque::new();
        Self { contact, queue, flying: BTreeSet::new(), asked: None, served: 0, reach: 0, again: None }
    }

    pub(super) fn due(&self) -> Option<Mono> {
        self.again.map(|due| due.at)
    }

    /// The next chunk, unless it waits.
    fn next(&self, now: Mono) -> Option<u32> {
        let waits = self.again.is_some_and(|due| due.at > now);
        self.queue.front().copied().filter(|_| !waits)
    }

    /// The next chunk cannot be read: it was handed over in this very turn, or the disk does not give it.
    fn wait(&mut self, now: Mono) {
        match self.again.as_mut() {
            Some(due) => due.later(now, ASK_MAX_MS),
            None => self.again = Some(Due { at: now.plus(1), wait: UNREAD_MS }),
        }
    }

    /// As if these were on their way, and no other.
    #[cfg(test)]
    pub(super) fn fill(&mut self, flying: Vec<u32>) {
        self.queue.clear();
        self.flying = flying.into_iter().collect();
    }

    /// Nothing more of it goes into boxes until it is asked for again. What was served stays counted.
    fn stop(&mut self) {
        self.queue.clear();
        self.flying.clear();
        self.again = None;
    }

    fn took(&mut self, index: u32) {
        self.queue.pop_front();
        self.flying.insert(index);
        self.served += 1;
        self.again = None;
    }
}

impl Files {
    /// A message of ours names these files.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn shared(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        contact: u32,
        message: MessageId,
        files: &[FileRef],
    ) -> Result<(), TurnError> {
        for (index, file) in files.iter().enumerate() {
            let Some((no, mut row)) = rows::named(cx.tx, contact, file)? else { continue };
            let at = (message, index as u16);
            row.state = FileState::Complete;
            row.at.get_or_insert(at);
            if row.theirs != Some(Theirs::Has) {
                row.theirs = Some(Theirs::Waiting);
                rows::put_use(cx.tx, no, at);
            }
            rows::save(cx.tx, no, &row);
            if row.theirs == Some(Theirs::Waiting) {
                self.give_again(cx, no, &row)?;
            } else {
                cx.tx.delete(rows::WORK, &no.to_be_bytes());
            }
        }
        Ok(())
    }

    /// Offers a file that they do not have yet.
    pub(super) fn give_again(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &FileRow,
    ) -> Result<(), TurnError> {
        // spec: X-6
        if !goes_by_mail(row.size) {
            cx.tx.delete(rows::WORK, &no.to_be_bytes());
            serving(&mut self.mails, no, row.contact);
            if self.live.contains(&row.contact) {
                return Ok(());
            }
            return self.progress(cx, no, row, ProgressKind::Waiting, 0);
        }
        device_rows::put(cx.tx, rows::WORK, &no.to_be_bytes(), &());
        if let Some(mailed) = row.mailed {
            let mail = self.mails.entry(no).or_insert_with(|| Mail::new(row.contact));
            mail.queue = (mailed..row.shape()?.chunks()).collect();
            return self.feed(cx, row.contact);
        }
        if self.live.contains(&row.contact) {
            let until = cx.now.mono.plus(LIVE_RECEIPT_MS);
            self.offers.insert(no, Offer { contact: row.contact, until });
            return Ok(());
        }
        self.mail(cx, no)
    }

    /// Begins to put a file into boxes.
    fn mail(&mut self, cx: &mut Ctx<'_, '_>, no: u32) -> Result<(), TurnError> {
        self.offers.remove(&no);
        let Some(mut row) = rows::file(cx.tx, no)?.filter(|r| r.theirs == Some(Theirs::Waiting)) else {
            return Ok(());
        };
        row.mailed = Some(0);
        rows::save(cx.tx, no, &row);
        let mail = self.mails.entry(no).or_insert_with(|| Mail::new(row.contact));
        mail.queue = (0..row.shape()?.chunks()).collect();
        self.feed(cx, row.contact)
    }

    /// A live link is gone: what was only offered over it goes into boxes.
    pub(super) fn mail_offers(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        let of = |offer: &Offer| offer.contact == contact;
        let files: Vec<u32> = self.offers.iter().filter(|(_, o)| of(o)).map(|(no, _)| *no).collect();
        files.into_iter().try_for_each(|no| self.mail(cx, no))
    }

    /// Nobody asked in time.
    pub(super) fn offers_over(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        let now = cx.now.mono;
        let over: Vec<u32> = self.offers.iter().filter(|(_, o)| o.until <= now).map(|(no, _)| *no).collect();
        over.into_iter().try_for_each(|no| self.mail(cx, no))
    }

    /// Hands a contact's next chunks to the outbox, as long as few of them are under way.
    // spec: X-7
    fn feed(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        let flying: usize =
            self.mails.values().filter(|m| m.contact == contact).map(|m| m.flying.len()).sum();
        let mut room = MAIL_WINDOW.saturating_sub(flying);
        let files: Vec<u32> =
            self.mails.iter().filter(|(_, m)| m.contact == contact).map(|(no, _)| *no).collect();
        for no in files {
            let Some(mut row) = rows::file(cx.tx, no)? else { continue };
            let (before, mut reader) = (row.mailed, Reader::new(no, &row)?);
            while room > 0 {
                let Some(mail) = self.mails.get_mut(&no) else { break };
                let Some(index) = mail.next(cx.now.mono) else { break };
                let Some(chunk) = reader.chunk(cx, index)? else {
                    mail.wait(cx.now.mono);
                    break;
                };
                mail.took(index);
                self.counts.sent += 1;
                row.mailed = Some(row.mailed.unwrap_or(0).max(index + 1));
                cx.up(FilesUp::Mail { contact, file: no, chunk });
                room -= 1;
            }
            if row.mailed != before {
                rows::save(cx.tx, no, &row);
            }
        }
        Ok(())
    }

    /// Chunks that could not be read are tried again.
    pub(super) fn mails_due(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        let now = cx.now.mono;
        let due = |mail: &Mail| mail.due().is_some_and(|at| at <= now);
        let contacts: BTreeSet<u32> = self.mails.values().filter(|m| due(m)).map(|m| m.contact).collect();
        for contact in contacts {
            self.feed(cx, contact)?;
            // Others of the contact's had the room: this one has its turn when one of them is stored.
            for mail in self.mails.values_mut().filter(|m| m.contact == contact && due(m)) {
                mail.again = None;
            }
        }
        Ok(())
    }

    /// A chunk's box is stored, or can go no further: there is room for the next.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn stored(&mut self, cx: &mut Ctx<'_, '_>, no: u32, index: u32) -> Result<(), TurnError> {
        let Some(mail) = self.mails.get_mut(&no) else { return Ok(()) };
        mail.flying.remove(&index);
        let (contact, flying) = (mail.contact, mail.flying.len() as u32);
        if let Some(row) = rows::file(cx.tx, no)?.filter(|row| row.theirs == Some(Theirs::Waiting)) {
            let stored = bytes_of(&row, row.mailed.unwrap_or(0).saturating_sub(flying));
            self.progress(cx, no, &row, ProgressKind::Storing, stored)?;
        }
        self.feed(cx, contact)
    }

    /// A live link is gone: what was to go over it and is too large for boxes waits.
    pub(super) fn tell_waiting(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        let of = |mail: &Mail| mail.contact == contact;
        let files: Vec<(u32, u32)> =
            self.mails.iter().filter(|(_, m)| of(m)).map(|(no, m)| (*no, m.reach)).collect();
        for (no, reach) in files {
            let Some(row) = rows::file(cx.tx, no)? else { continue };
            if row.theirs == Some(Theirs::Waiting) && !goes_by_mail(row.size) {
                self.progress(cx, no, &row, ProgressKind::Waiting, bytes_of(&row, reach))?;
            }
        }
        Ok(())
    }

    /// How many chunks a contact's next asking is given over its live link: one frame holds many askings, and each
    /// chunk is read and sealed before the turn ends.
    // spec: X-5
    fn room(&self, now: Mono, contact: u32) -> usize {
        let handed = self.handed.get(&contact).filter(|(at, _)| *at == now).map_or(0, |(_, count)| *count);
        SERVE_AT_ONCE.saturating_sub(handed).min(FILE_WINDOW)
    }

    /// A contact asks for chunks.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn asked(&mut self, cx: &mut Ctx<'_, '_>, contact: u32, ask: &FileAsk) -> Result<(), TurnError> {
        let found = rows::find(cx.tx, contact, &ask.f)?;
        let Some((no, row)) = found.filter(|(_, row)| row.can_serve()) else {
            Self::say(cx, contact, ask.f, Word::Gone);
            return Ok(());
        };
        if let Some(offer) = self.offers.get_mut(&no) {
            offer.until = cx.now.mono.plus(LIVE_RECEIPT_MS);
        }
        let shape = row.shape()?;
        let wanted = ask
            .r
            .iter()
            .take(MAX_ASK_RANGES)
            .flat_map(|(from, count)| *from..from.saturating_add((*count).min(PAGE)));
        let wanted = wanted.filter(|index| *index < shape.chunks());
        let live = self.live.contains(&contact);
        let most = if live { self.room(cx.now.mono, contact) } else { PAGE as usize };
        let wanted: Vec<u32> = wanted.take(most).collect();
        let mail = serving(&mut self.mails, no, contact);
        // spec: X-5
        if mail.served + wanted.len() as u64 > SERVE_TIMES * u64::from(shape.chunks()) + FILE_WINDOW as u64 {
            return Ok(());
        }
        if live {
            mail.served += wanted.len() as u64;
            let handed = self.handed.entry(contact).or_default();
            if handed.0 != cx.now.mono {
                *handed = (cx.now.mono, 0);
            }
            handed.1 += wanted.len();
            mail.reach = mail.reach.max(wanted.iter().max().map_or(0, |last| last + 1));
            let (reach, mut reader) = (mail.reach, Reader::new(no, &row)?);
            for index in wanted {
                if let Some(chunk) = reader.chunk(cx, index)? {
                    self.counts.sent += 1;
                    cx.up(FilesUp::Live(contact, chunk));
                }
            }
            if row.theirs != Some(Theirs::Waiting) {
                return Ok(());
            }
            return self.progress(cx, no, &row, ProgressKind::Sending, bytes_of(&row, reach));
        }
        let lately = mail.asked.is_some_and(|at| cx.now.mono.since(at) < MAIL_AGAIN_MS);
        if !goes_by_mail(row.size) || lately {
            return Ok(());
        }
        mail.asked = Some(cx.now.mono);
        for index in wanted {
            if !mail.flying.contains(&index) && !mail.queue.contains(&index) {
                mail.queue.push_back(index);
            }
        }
        self.feed(cx, contact)
    }

    /// They have it, or do not want it.
    pub(super) fn given(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        mut row: FileRow,
        theirs: Theirs,
    ) -> Result<(), TurnError> {
        if row.theirs == Some(theirs) {
            // spec: X-13
            // An asking from before came after the word: what went into boxes since is withdrawn. Who declined may have asked
            // anew since, and the word may be the older one.
            let lately = |at: Mono| cx.now.mono.since(at) < MAIL_AGAIN_MS;
            let anew = self.mails.get(&no).is_some_and(|mail| mail.asked.is_some_and(lately));
            if theirs == Theirs::Declined && anew {
                return Ok(());
            }
            self.offers.remove(&no);
            if let Some(mail) = self.mails.get_mut(&no) {
                mail.stop();
            }
            cx.up(FilesUp::Withdraw(no));
            return self.feed(cx, row.contact);
        }
        if row.theirs.is_none_or(|t| t == Theirs::Has) {
            return Ok(());
        }
        // spec: X-13
        row.theirs = Some(theirs);
        let mut offered = self.let_go(cx, no, &row)?;
        if offered.is_empty() {
            // Declined before, and wanted after all.
            offered.extend(row.at);
        }
        let step = if theirs == Theirs::Has { FileStep::Delivered } else { FileStep::Declined };
        let Some(chat) = Self::chat(cx, row.contact)? else { return Ok(()) };
        for (message, index) in offered {
            cx.up(FilesUp::Notice(Notice::File { chat, message, index, step }));
        }
        Ok(())
    }

    /// A message of ours no longer offers it. Others that do still may: then it goes on.
    // spec: X-15
    pub(super) fn take_back(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        mut row: FileRow,
        at: (MessageId, u16),
    ) -> Result<(), TurnError> {
        let offered = row.theirs == Some(Theirs::Waiting) && rows::take_use(cx.tx, no, at)?;
        if !offered || !rows::uses(cx.tx, no, 1)?.is_empty() {
            return Ok(());
        }
        row.theirs = Some(Theirs::Withdrawn);
        self.let_go(cx, no, &row)?;
        Self::write(cx, row.contact, row.id, Word::Gone)
    }

    /// Nothing more is done with it, and its places are the next file's; answers which messages offered it.
    fn let_go(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &FileRow,
    ) -> Result<Vec<(MessageId, u16)>, TurnError> {
        self.offers.remove(&no);
        self.mails.remove(&no);
        self.told.remove(&no);
        rows::save(cx.tx, no, row);
        cx.tx.delete(rows::WORK, &no.to_be_bytes());
        cx.up(FilesUp::Withdraw(no));
        self.feed(cx, row.contact)?;
        rows::end_uses(cx.tx, no)
    }
}

/// What this run counts of a file that is given.
fn serving(mails: &mut BTreeMap<u32, Mail>, no: u32, contact: u32) -> &mut Mail {
    if mails.len() >= MAX_SERVED {
        mails.retain(|_, mail| mail.is_busy());
    }
    mails.entry(no).or_insert_with(|| Mail::new(contact))
}

/// Reads chunks of one file that is here. The tree of a page is made once for those that follow each other.
struct Reader {
    no: u32,
    id: Bytes<32>,
    blob: BlobNo,
    shape: Shape,
    page: Option<(u32, PageTree)>,
}

impl Reader {
    fn new(no: u32, row: &FileRow) -> Result<Self, TurnError> {
        Ok(Self { no, id: row.id, blob: row.blob(), shape: row.shape()?, page: None })
    }

    /// A chunk with its way to its root, if it can be read.
    fn chunk(&mut self, cx: &Ctx<'_, '_>, index: u32) -> Result<Option<Chunk>, TurnError> {
        let wrong = active("give-wrong-chunk") || active("take-any-chunk");
        // The planted faults: the bytes of the chunk before.
        let offset = u64::from(if wrong { index.saturating_sub(1) } else { index }) * SEALED_CHUNK as u64;
        let Some(sealed) = cx.tx.blob(self.blob, offset, self.shape.sealed_len(index))? else {
            return Ok(None);
        };
        let of = index / PAGE;
        let tree = match self.page.take() {
            Some((page, tree)) if page == of => tree,
            _ => PageTree::new(rows::page(cx.tx, self.no, of, self.shape.page_len(of))?.leaves()),
        };
        let (_, tree) = self.page.insert((of, tree));
        Ok(Some(Chunk::new(self.id, index, tree, sealed)))
    }
}
