//! What is ours: handed out over a live link to whoever asks, put into boxes if it is small and nobody asks.

use super::rows::{self, FileRow, FileState, Theirs};
use super::{Ctx, Files, FilesUp};
use crate::content::{FileAsk, FileRef, Word};
use crate::event::FileStep;
use crate::limits::{
    FILE_WINDOW, MAIL_AGAIN_MS, MAIL_WINDOW, MAX_ASK_RANGES, MAX_SERVED, SERVE_AT_ONCE, SERVE_TIMES,
    goes_by_mail,
};
use crate::rows as device_rows;
use murre_core::id::MessageId;
use murre_core::params::delivery::LIVE_RECEIPT_MS;
use murre_core::sabotage::active;
use murre_core::{Mono, TurnError, View};
use murre_log::Chunk;
use murre_log::chunk::{PAGE, SEALED_CHUNK};
use std::collections::{BTreeSet, VecDeque};

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
    served: u64,
}

impl Mail {
    /// Whether something of it is still to be stored in boxes.
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty() || !self.flying.is_empty()
    }

    const fn new(contact: u32) -> Self {
        Self { contact, queue: VecDeque::new(), flying: BTreeSet::new(), asked: None, served: 0 }
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
            self.close_uploads(no);
            row.state = FileState::Complete;
            row.at.get_or_insert((message, index as u16));
            if row.theirs != Some(Theirs::Has) {
                row.theirs = Some(Theirs::Waiting);
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
            return Ok(());
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
            while room > 0 {
                let Some(index) = self.mails.get_mut(&no).and_then(|m| m.queue.pop_front()) else { break };
                let Some(chunk) = chunk_of(cx, no, &row, index)? else { continue };
                if let Some(mail) = self.mails.get_mut(&no) {
                    mail.flying.insert(index);
                    mail.served += 1;
                }
                self.counts.sent += 1;
                row.mailed = Some(row.mailed.unwrap_or(0).max(index + 1));
                cx.up(FilesUp::Mail { contact, file: no, chunk });
                room -= 1;
            }
            rows::save(cx.tx, no, &row);
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
        let contact = mail.contact;
        self.feed(cx, contact)
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
        if self.mails.len() >= MAX_SERVED {
            self.mails.retain(|_, mail| mail.is_busy());
        }
        let mail = self.mails.entry(no).or_insert_with(|| Mail::new(contact));
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
            for index in wanted {
                if let Some(chunk) = chunk_of(cx, no, &row, index)? {
                    self.counts.sent += 1;
                    cx.up(FilesUp::Live(contact, chunk));
                }
            }
            return Ok(());
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
        if row.theirs.is_none_or(|t| t == theirs || t == Theirs::Has) {
            return Ok(());
        }
        // spec: X-13
        row.theirs = Some(theirs);
        self.let_go(cx, no, &row);
        let step = if theirs == Theirs::Has { FileStep::Delivered } else { FileStep::Declined };
        Self::tell(cx, &row, step)
    }

    /// We no longer offer it.
    pub(super) fn withdraw(&mut self, cx: &mut Ctx<'_, '_>, no: u32, mut row: FileRow) {
        if row.theirs == Some(Theirs::Waiting) {
            row.theirs = Some(Theirs::Withdrawn);
            self.let_go(cx, no, &row);
            Self::say(cx, row.contact, row.id, Word::Gone);
        }
    }

    fn let_go(&mut self, cx: &mut Ctx<'_, '_>, no: u32, row: &FileRow) {
        self.offers.remove(&no);
        self.mails.remove(&no);
        rows::save(cx.tx, no, row);
        cx.tx.delete(rows::WORK, &no.to_be_bytes());
        cx.up(FilesUp::Withdraw(no));
    }
}

/// A chunk that is here, with its way to its root.
fn chunk_of(cx: &Ctx<'_, '_>, no: u32, row: &FileRow, index: u32) -> Result<Option<Chunk>, TurnError> {
    let shape = row.shape()?;
    let page = rows::page(cx.tx, no, index / PAGE, shape.page_len(index / PAGE))?;
    let wrong = active("give-wrong-chunk") || active("take-any-chunk");
    // The planted faults: the bytes of the chunk before.
    let offset = u64::from(if wrong { index.saturating_sub(1) } else { index }) * SEALED_CHUNK as u64;
    let sealed = cx.tx.blob(row.blob(), offset, shape.sealed_len(index))?;
    Ok(sealed.map(|sealed| Chunk::new(row.id, index, &page.leaves(), sealed)))
}
