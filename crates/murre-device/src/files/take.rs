//! What is theirs: asked for, checked, stored.

use super::progress::bytes_of;
use super::rows::{self, Bitmap, FileRow, FileState};
use super::{Ctx, Files, FilesUp};
use crate::command::{Answer, CommandError};
use crate::content::{FileAsk, FileRef, Word};
use crate::due::Due;
use crate::event::{FileStep, ProgressKind};
use crate::limits::{
    ASK_AGAIN_MS, ASK_MAIL_MAX_MS, ASK_MAIL_MS, ASK_MAIL_SOON_MS, ASK_MAX_MS, ASK_PART, AUTO_FETCH, FAST_MS,
    FILE_WINDOW, MAX_ASK_RANGES, MAX_AUTO_BYTES, MAX_AUTO_DAY, MAX_AUTO_FILES, MAX_FILES, MAX_PARALLEL,
    MAX_STRAYS, SLOW_WINDOW, goes_by_mail,
};
use crate::rows as device_rows;
use murre_core::id::{Bytes, MessageId};
use murre_core::sabotage::active;
use murre_core::{CommandId, Mono, TurnError};
use murre_log::chunk::{PAGE, SEALED_CHUNK};
use murre_log::{Chunk, Shape};
use std::collections::BTreeSet;

/// A file that is being fetched.
#[derive(Debug)]
pub(super) struct Fetch {
    pub contact: u32,
    id: Bytes<32>,
    shape: Shape,
    have: Bitmap,
    /// Asked for over the present link, and not here yet.
    asked: BTreeSet<u32>,
    /// Everything before it is here or asked for.
    next: u32,
    /// How many to ask for: one at first, more as they come, so that a slow link is not flooded.
    window: usize,
    /// When the last one came, or the first was asked for.
    heard: Mono,
    /// How long one may take on this link, ms.
    patience: u64,
    /// When to ask again over the link.
    again: Option<Due>,
    /// When to ask by mailbox.
    mail: Option<Due>,
}

impl Fetch {
    pub(super) fn due(&self) -> Option<Mono> {
        [self.again, self.mail].into_iter().flatten().map(|due| due.at).min()
    }

    /// The next chunks to ask for, so that at most `window` are on their way.
    fn choose(&mut self, window: usize) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        while self.asked.len() < window && self.next < self.shape.chunks() {
            let index = self.next;
            self.next += 1;
            if self.have.has(index) || !self.asked.insert(index) {
                continue;
            }
            push(&mut ranges, index);
        }
        ranges
    }

    /// Everything that is missing, as far as one asking can say.
    fn missing(&self) -> Vec<(u32, u32)> {
        let mut ranges = Vec::new();
        for index in (0..self.shape.chunks()).filter(|index| !self.have.has(*index)) {
            push(&mut ranges, index);
            if ranges.len() > MAX_ASK_RANGES {
                ranges.pop();
                break;
            }
        }
        ranges
    }

    /// Forgets what was asked for: the link is gone, or does not keep up.
    fn start_over(&mut self) {
        self.asked.clear();
        self.next = 0;
        self.window = 1;
    }

    /// A chunk that was asked for came: the link bears more, and shows how long one takes.
    fn came(&mut self, now: Mono) {
        let took = now.since(self.heard);
        self.heard = now;
        self.patience = (took * 2).clamp(ASK_AGAIN_MS, ASK_MAX_MS);
        self.window = (self.window * 2).min(if took <= FAST_MS { FILE_WINDOW } else { SLOW_WINDOW });
        self.again = self.again.map(|_| Due::after(now, self.patience));
        self.mail = self.mail.map(|_| Due::after(now, ASK_MAIL_MS));
    }
}

fn push(ranges: &mut Vec<(u32, u32)>, index: u32) {
    match ranges.last_mut() {
        Some((from, count)) if *from + *count == index => *count += 1,
        _ => ranges.push((index, 1)),
    }
}

impl Files {
    /// A message of a contact names these files.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn arrived(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        contact: u32,
        message: MessageId,
        files: &[FileRef],
    ) -> Result<(), TurnError> {
        for (index, file) in files.iter().take(MAX_FILES).enumerate() {
            // spec: X-11
            let Some(shape) = file.shape() else { continue };
            let id = shape.id(&file.k.0);
            match rows::find(cx.tx, contact, &id)? {
                // Sent once more after one side gave it up.
                Some((no, row))
                    if row.theirs.is_none()
                        && matches!(row.state, FileState::Gone | FileState::Cancelled) =>
                {
                    self.named_again(cx, no, row)?;
                }
                Some((_, row)) if row.state == FileState::Complete && row.theirs.is_none() => {
                    Self::write(cx, contact, id, Word::Have)?;
                }
                Some(_) => {}
                None => self.learn(cx, contact, (message, index as u16), file, shape)?,
            }
        }
        Ok(())
    }

    fn learn(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        contact: u32,
        at: (MessageId, u16),
        file: &FileRef,
        shape: Shape,
    ) -> Result<(), TurnError> {
        let no = device_rows::next(cx.tx, "files")? as u32;
        let row = FileRow {
            contact,
            id: shape.id(&file.k.0),
            key: file.k,
            size: file.s,
            roots: file.p.clone(),
            blob: device_rows::next(cx.tx, "blobs")?,
            state: FileState::Offered,
            theirs: None,
            mailed: None,
            at: Some(at),
            since: cx.now.wall,
            plain: None,
        };
        rows::save(cx.tx, no, &row);
        device_rows::put(cx.tx, rows::BY_ID, &rows::hash_key(contact, &row.id.0), &no);
        if self.unasked(cx, contact, file.s)? {
            self.want(cx, no, row)
        } else {
            Self::tell(cx, &row, FileStep::Offered)
        }
    }

    /// A file that was given up is named once more. It begins again as if it were new; but what the user gave up he
    /// asks for himself.
    fn named_again(&mut self, cx: &mut Ctx<'_, '_>, no: u32, mut row: FileRow) -> Result<(), TurnError> {
        if row.state == FileState::Gone && self.unasked(cx, row.contact, row.size)? {
            return self.want(cx, no, row);
        }
        row.blob = device_rows::next(cx.tx, "blobs")?;
        row.state = FileState::Offered;
        rows::save(cx.tx, no, &row);
        Self::tell(cx, &row, FileStep::Offered)
    }

    /// Whether a file of a contact may be fetched although the user did not ask for it; if so it is counted.
    // spec: X-8
    fn unasked(&self, cx: &mut Ctx<'_, '_>, contact: u32, size: u64) -> Result<bool, TurnError> {
        let open: u64 = self.fetches.values().filter(|f| f.contact == contact).map(|f| f.shape.size()).sum();
        let fits = size <= AUTO_FETCH && open.saturating_add(size) <= MAX_AUTO_BYTES;
        Ok(fits && today(cx, contact, size)?)
    }

    /// The user wants a file that is only offered.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn fetch(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        message: MessageId,
        index: u16,
    ) -> Result<(), TurnError> {
        let answer = match crate::query::file_at(cx.tx, message, index)? {
            None => Err(CommandError::UnknownFile),
            Some((_, row)) if row.theirs.is_some() || row.state == FileState::Complete => Ok(Answer::Done),
            Some((no, row)) => {
                // Somebody waits for it now: what was quiet for long is asked for at once.
                if self.fetches.contains_key(&no) {
                    self.ask(cx, no);
                } else {
                    self.want(cx, no, row)?;
                }
                self.ask_by_mail_now(cx.now.mono, no);
                Ok(Answer::Done)
            }
        };
        cx.up(FilesUp::Answer(id, answer));
        Ok(())
    }

    /// The user waits: without a live link a small file is asked for by mailbox at once, unless boxes are coming in.
    fn ask_by_mail_now(&mut self, now: Mono, no: u32) {
        if let Some(fetch) = self.fetches.get_mut(&no)
            && !self.live.contains(&fetch.contact)
            && now.since(fetch.heard) >= ASK_MAIL_SOON_MS
            && let Some(mail) = fetch.mail.as_mut()
        {
            mail.at = mail.at.min(now);
        }
    }

    /// Begins to fetch.
    fn want(&mut self, cx: &mut Ctx<'_, '_>, no: u32, mut row: FileRow) -> Result<(), TurnError> {
        if matches!(row.state, FileState::Cancelled | FileState::Gone) {
            row.blob = device_rows::next(cx.tx, "blobs")?;
        }
        row.state = FileState::Wanted;
        rows::save(cx.tx, no, &row);
        device_rows::put(cx.tx, rows::WORK, &no.to_be_bytes(), &());
        self.fetch_again(cx, no, &row)?;
        self.take_strays(cx, &row)
    }

    /// Goes on fetching.
    pub(super) fn fetch_again(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &FileRow,
    ) -> Result<(), TurnError> {
        let shape = row.shape()?;
        let have = Bitmap::load(cx.tx, no, shape.chunks())?;
        if have.missing() == 0 {
            return self.complete(cx, no, row.clone());
        }
        // Boxes may be on their way: mail is asked for only after a while.
        let mail = goes_by_mail(row.size).then(|| Due::after(cx.now.mono, ASK_MAIL_MS));
        let fetch = Fetch {
            contact: row.contact,
            id: row.id,
            shape,
            have,
            asked: BTreeSet::new(),
            next: 0,
            window: 1,
            heard: cx.now.mono,
            patience: ASK_AGAIN_MS,
            again: None,
            mail,
        };
        self.fetches.insert(no, fetch);
        self.ask(cx, no);
        Ok(())
    }

    /// The files of a contact that are asked for now; the others wait for their turn.
    fn first(&self, contact: u32) -> Vec<u32> {
        let ours = self.fetches.iter().filter(|(_, f)| f.contact == contact).map(|(no, _)| *no);
        ours.take(MAX_PARALLEL).collect()
    }

    /// Asks over the live link for as many chunks as its share of the window holds.
    // spec: X-4
    fn ask(&mut self, cx: &mut Ctx<'_, '_>, no: u32) {
        let Some(contact) = self.fetches.get(&no).map(|f| f.contact) else { return };
        if !self.live.contains(&contact) {
            return;
        }
        let ours = self.first(contact);
        if !ours.contains(&no) {
            return;
        }
        let window = (FILE_WINDOW / ours.len()).max(1);
        let Some(fetch) = self.fetches.get_mut(&no) else { return };
        if fetch.asked.is_empty() {
            fetch.heard = cx.now.mono;
        }
        let ranges = fetch.choose(window.min(fetch.window));
        fetch.again.get_or_insert(Due::after(cx.now.mono, fetch.patience));
        if !ranges.is_empty() {
            cx.up(FilesUp::Ask(contact, FileAsk { f: fetch.id, r: ranges }));
        }
    }

    /// A live link is up: everything that is missing is asked for over it.
    pub(super) fn ask_anew(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        for fetch in self.fetches.values_mut().filter(|f| f.contact == contact) {
            fetch.start_over();
            fetch.again = None;
        }
        for no in self.first(contact) {
            self.ask(cx, no);
        }
        Ok(())
    }

    pub(super) fn stop_asking(&mut self, now: Mono, contact: u32) {
        for fetch in self.fetches.values_mut().filter(|f| f.contact == contact) {
            fetch.start_over();
            fetch.again = None;
            if goes_by_mail(fetch.shape.size()) {
                fetch.mail = Some(Due::after(now, ASK_MAIL_MS));
            }
        }
    }

    /// What was asked for did not come: it is asked for again, and by mailbox if that is possible.
    pub(super) fn fetches_due(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        let now = cx.now.mono;
        let due = |f: &Fetch| f.due().is_some_and(|at| at <= now);
        let files: Vec<u32> = self.fetches.iter().filter(|(_, f)| due(f)).map(|(no, _)| *no).collect();
        for no in files {
            let Some(fetch) = self.fetches.get_mut(&no) else { continue };
            let (contact, live) = (fetch.contact, self.live.contains(&fetch.contact));
            if let Some(mail) = fetch.mail.as_mut().filter(|mail| mail.at <= now) {
                mail.later(now, ASK_MAIL_MAX_MS);
                if !live {
                    let ask = FileAsk { f: fetch.id, r: fetch.missing() };
                    cx.up(FilesUp::Ask(contact, ask));
                }
            }
            if fetch.again.is_some_and(|again| again.at <= now) {
                if let Some(again) = fetch.again.as_mut() {
                    again.later(now, ASK_MAX_MS);
                }
                fetch.start_over();
                self.ask(cx, no);
            }
        }
        Ok(())
    }

    /// A chunk came, over whatever carrier.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails. A chunk that does not belong is dropped.
    pub fn chunk(&mut self, cx: &mut Ctx<'_, '_>, contact: u32, chunk: Chunk) -> Result<(), TurnError> {
        let Some((no, row)) = rows::find(cx.tx, contact, &chunk.file())? else {
            return stray(cx, contact, &chunk);
        };
        match row.state {
            FileState::Wanted => {}
            // They do not know yet.
            FileState::Complete if row.theirs.is_none() => {
                self.counts.twice += 1;
                Self::say(cx, contact, row.id, Word::Have);
                return Ok(());
            }
            FileState::Cancelled => {
                Self::say(cx, contact, row.id, Word::Decline);
                return Ok(());
            }
            FileState::Loading | FileState::Offered | FileState::Complete | FileState::Gone => return Ok(()),
        }
        let Some(fetch) = self.fetches.get_mut(&no) else { return Ok(()) };
        let index = chunk.index();
        fetch.asked.remove(&index);
        if fetch.have.has(index) {
            self.counts.twice += 1;
            return Ok(());
        }
        // spec: X-3
        let Some(chunk) = chunk.verify(&fetch.shape) else {
            self.counts.refused += 1;
            return Ok(());
        };
        self.counts.stored += 1;
        let (of, at) = (index / PAGE, (index % PAGE) as usize);
        let mut page = rows::page(cx.tx, no, of, fetch.shape.page_len(of))?;
        page.set(at, &chunk.leaf);
        device_rows::put(cx.tx, rows::PAGES, &rows::page_key(no, of), &page);
        rows::put_here(cx.tx, no, fetch.shape.chunks() - fetch.have.missing() + 1);
        cx.tx.write_blob(row.blob(), u64::from(index) * SEALED_CHUNK as u64, chunk.sealed);
        fetch.have.set(index);
        fetch.came(cx.now.mono);
        let missing = fetch.have.missing();
        if missing <= u32::from(active("done-without-last")) {
            return self.complete(cx, no, row);
        }
        if active("have-too-early") {
            Self::say(cx, contact, row.id, Word::Have);
        }
        let here = bytes_of(&row, fetch.shape.chunks() - missing);
        if fetch.asked.len() + fetch.window.div_ceil(ASK_PART) <= fetch.window {
            self.ask(cx, no);
        }
        self.progress(cx, no, &row, ProgressKind::Receiving, here)
    }

    fn complete(&mut self, cx: &mut Ctx<'_, '_>, no: u32, mut row: FileRow) -> Result<(), TurnError> {
        row.state = FileState::Complete;
        rows::save(cx.tx, no, &row);
        cx.tx.delete(rows::HERE, &no.to_be_bytes());
        cx.tx.delete(rows::WORK, &no.to_be_bytes());
        self.fetches.remove(&no);
        self.told.remove(&no);
        Self::write(cx, row.contact, row.id, Word::Have)?;
        Self::tell(cx, &row, FileStep::Complete)?;
        self.ask_next(cx, row.contact);
        Ok(())
    }

    /// A file's share of the window is free: the others have it.
    fn ask_next(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) {
        for no in self.first(contact) {
            self.ask(cx, no);
        }
    }

    /// They have it no more.
    pub(super) fn gone(&mut self, cx: &mut Ctx<'_, '_>, no: u32, mut row: FileRow) -> Result<(), TurnError> {
        if !matches!(row.state, FileState::Wanted | FileState::Offered) {
            return Ok(());
        }
        row.state = FileState::Gone;
        self.let_part_go(cx, no, &row);
        Self::tell(cx, &row, FileStep::Gone)
    }

    /// The user does not want it.
    pub(super) fn decline(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        mut row: FileRow,
    ) -> Result<(), TurnError> {
        if matches!(row.state, FileState::Wanted | FileState::Offered) {
            if active("cancel-in-name-only") {
                return Self::tell(cx, &row, FileStep::Cancelled);
            }
            row.state = FileState::Cancelled;
            self.let_part_go(cx, no, &row);
            Self::write(cx, row.contact, row.id, Word::Decline)?;
            Self::tell(cx, &row, FileStep::Cancelled)?;
        }
        Ok(())
    }

    /// The part that is here goes; should it be wanted again, it gets a blob of its own, because no byte of a blob is
    /// written twice.
    fn let_part_go(&mut self, cx: &mut Ctx<'_, '_>, no: u32, row: &FileRow) {
        self.fetches.remove(&no);
        self.told.remove(&no);
        cx.tx.delete(rows::HERE, &no.to_be_bytes());
        cx.tx.drop_blob(row.blob());
        self.drop_pages(cx, no, row);
        rows::save(cx.tx, no, row);
        cx.tx.delete(rows::WORK, &no.to_be_bytes());
        self.ask_next(cx, row.contact);
    }

    /// The entry that names a file has come: its chunks that were early are taken now.
    fn take_strays(&mut self, cx: &mut Ctx<'_, '_>, row: &FileRow) -> Result<(), TurnError> {
        for number in rows::strays(cx.tx, row.contact, &row.id)? {
            if let Some(chunk) = rows::take_stray(cx.tx, row.contact, number)? {
                self.chunk(cx, row.contact, chunk)?;
            }
        }
        Ok(())
    }
}

/// Whether a contact may have one more file, of so many bytes, fetched unasked today; if so it is counted.
// spec: X-8
fn today(cx: &mut Ctx<'_, '_>, contact: u32, size: u64) -> Result<bool, TurnError> {
    let (key, day) = (format!("auto.{contact}"), cx.now.wall.0 / murre_core::time::DAY);
    let row: Option<(u64, u64, u32)> = device_rows::get(cx.tx, device_rows::META, key.as_bytes())?;
    let (bytes, files) = row.filter(|(of, ..)| *of == day).map_or((0, 0), |(_, bytes, files)| (bytes, files));
    let (bytes, files) = (bytes.saturating_add(size), files.saturating_add(1));
    let fits = bytes <= MAX_AUTO_DAY && files <= MAX_AUTO_FILES;
    if fits {
        device_rows::put(cx.tx, device_rows::META, key.as_bytes(), &(day, bytes, files));
    }
    Ok(fits)
}

/// Keeps a chunk whose file is not known yet: boxes come in no order. The newest are kept.
// spec: X-10
fn stray(cx: &mut Ctx<'_, '_>, contact: u32, chunk: &Chunk) -> Result<(), TurnError> {
    let number = device_rows::next(cx.tx, &format!("strays.{contact}"))? as u32;
    rows::put_stray(cx.tx, contact, number, chunk);
    if let Some(old) = number.checked_sub(MAX_STRAYS) {
        rows::take_stray(cx.tx, contact, old)?;
    }
    Ok(())
}
