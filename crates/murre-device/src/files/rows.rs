//! The rows of files.
//!
//! A file's sealed chunks lie in a blob, chunk `i` at `i * SEALED_CHUNK`; which of them are there, and their leaves,
//! stand in [`PAGES`], one row for 256 chunks. Looking a file up by its id is once per chunk, but adding one is as rare
//! as a message that names one: [`BY_ID`] and [`BY_PLAIN`] stay small.

use crate::content::FileRef;
use crate::rows;
use murre_core::id::{Bytes, MessageId};
use murre_core::{BlobNo, Direction, Range, Space, Turn, TurnError, View, Wall};
use murre_log::chunk::PAGE;
use murre_log::{Chunk, Shape};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Files: number -> [`FileRow`].
pub const FILES: Space = Space::any(340, "device.files");
/// Contact, file id -> number.
pub const BY_ID: Space = Space::any(341, "device.file_ids");
/// Contact, hash of the plaintext -> number of a file of ours that they were sent.
pub const BY_PLAIN: Space = Space::any(342, "device.file_plains");
/// Number, page -> [`PageRow`].
pub const PAGES: Space = Space::seq(343, "device.file_pages");
/// Numbers of files with which something is still to be done -> empty.
pub const WORK: Space = Space::any(344, "device.file_work");
/// Chunks that came before the entry that names their file: contact, count -> chunk.
pub const STRAYS: Space = Space::seq(345, "device.file_strays");
/// Which of them are of a file: contact, file id, count -> empty.
pub const STRAY_IDS: Space = Space::any(346, "device.file_stray_ids");
/// Messages of ours that offer a file which is not there yet: number, message id, place -> empty.
pub const USES: Space = Space::any(347, "device.file_uses");
/// How many chunks of a file that is being fetched are here: number -> count.
pub const HERE: Space = Space::any(348, "device.file_here");

/// Rows read at once where all of a file's are looked at.
const ROWS_PAGE: usize = 256;

/// Where a file stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileState {
    /// A program is handing it over; no message names it yet.
    #[serde(rename = "l")]
    Loading,
    /// A contact offers it; it is fetched when the user asks for it.
    #[serde(rename = "o")]
    Offered,
    /// It is being fetched.
    #[serde(rename = "w")]
    Wanted,
    /// All of it is here.
    #[serde(rename = "c")]
    Complete,
    /// The user gave it up here.
    #[serde(rename = "x")]
    Cancelled,
    /// Its sender has it no more.
    #[serde(rename = "g")]
    Gone,
}

/// Where a file of ours stands at the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Theirs {
    /// They do not have all of it.
    #[serde(rename = "w")]
    Waiting,
    /// They said that they have it.
    #[serde(rename = "h")]
    Has,
    /// They do not want it.
    #[serde(rename = "n")]
    Declined,
    /// We no longer offer it.
    #[serde(rename = "x")]
    Withdrawn,
}

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileRow {
    /// Whose chat it is in.
    pub contact: u32,
    /// Its id.
    pub id: Bytes<32>,
    /// Its key.
    pub key: Bytes<32>,
    /// Its length in bytes.
    pub size: u64,
    /// Its page roots.
    pub roots: Vec<Bytes<32>>,
    /// The blob of its sealed chunks.
    pub blob: u64,
    /// Where it stands here.
    pub state: FileState,
    /// For a file of ours: where it stands there.
    pub theirs: Option<Theirs>,
    /// Chunks handed to the outbox; none while it waits for a live link.
    pub mailed: Option<u32>,
    /// The first message that names it, and its place there.
    pub at: Option<(MessageId, u16)>,
    /// When it came to be.
    pub since: Wall,
    /// For a file of ours: the hash by which it is recognised when it is handed over again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Bytes<32>>,
}

impl FileRow {
    /// What checks its chunks.
    ///
    /// # Errors
    /// [`TurnError::Damaged`].
    pub fn shape(&self) -> Result<Shape, TurnError> {
        Shape::new(self.size, self.roots.clone()).ok_or(TurnError::Damaged { space: FILES.name })
    }

    /// The blob of its sealed chunks.
    #[must_use]
    pub const fn blob(&self) -> BlobNo {
        BlobNo(self.blob)
    }

    /// Whether all its bytes are here and may be handed on.
    #[must_use]
    pub fn can_serve(&self) -> bool {
        self.state == FileState::Complete && self.theirs != Some(Theirs::Withdrawn)
    }
}

/// Up to 256 chunks of a file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PageRow {
    /// Which chunks are here, bit 0 of byte 0 first.
    pub have: ByteBuf,
    /// Their leaves, 32 bytes each; zeros for what is not here.
    pub leaves: ByteBuf,
}

impl PageRow {
    /// Nothing of a page of `count` chunks.
    #[must_use]
    pub fn empty(count: u32) -> Self {
        let bytes = |n: usize| ByteBuf::from(vec![0; n]);
        Self { have: bytes((count as usize).div_ceil(8)), leaves: bytes(count as usize * 32) }
    }

    /// Notes a chunk. False if it was there.
    pub fn set(&mut self, at: usize, leaf: &[u8; 32]) -> bool {
        let Some(byte) = self.have.get_mut(at / 8) else { return false };
        let fresh = *byte & (1 << (at % 8)) == 0;
        *byte |= 1 << (at % 8);
        if let Some(slot) = self.leaves.get_mut(at * 32..at * 32 + 32) {
            slot.copy_from_slice(leaf);
        }
        fresh
    }

    /// Whether a chunk is here.
    #[must_use]
    pub fn has(&self, at: usize) -> bool {
        self.have.get(at / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0)
    }

    /// How many are here.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.have.iter().map(|byte| byte.count_ones()).sum()
    }

    /// The leaves as an array.
    #[must_use]
    pub fn leaves(&self) -> Vec<[u8; 32]> {
        self.leaves.as_chunks::<32>().0.to_vec()
    }
}

/// Key of a page.
#[must_use]
pub fn page_key(file: u32, page: u32) -> [u8; 8] {
    rows::pair_key(file, page).to_be_bytes()
}

/// A page of a file; an empty one of `count` chunks if nothing of it is here.
pub fn page(view: &dyn View, file: u32, page: u32, count: u32) -> Result<PageRow, TurnError> {
    Ok(rows::get(view, PAGES, &page_key(file, page))?.unwrap_or_else(|| PageRow::empty(count)))
}

/// Every page row of a file.
pub fn pages(view: &dyn View, file: u32) -> Result<Vec<(u32, PageRow)>, TurnError> {
    let range = Range::seq(rows::pair_key(file, 0), rows::pair_key(file.saturating_add(1), 0));
    let limit = murre_log::chunk::MAX_PAGES;
    view.scan(PAGES, &range, Direction::Forward, limit)?
        .iter()
        .map(|(key, value)| {
            let no = key.last_chunk::<4>().map(|b| u32::from_be_bytes(*b));
            Ok((no.unwrap_or(0), rows::decode(PAGES, value)?))
        })
        .collect()
}

/// Notes how many chunks of a file are here.
pub fn put_here(tx: &mut Turn<'_>, file: u32, chunks: u32) {
    rows::put(tx, HERE, &file.to_be_bytes(), &chunks);
}

/// Bytes of a file that are here.
pub fn bytes_here(view: &dyn View, file: u32, row: &FileRow) -> Result<u64, TurnError> {
    if row.state == FileState::Complete {
        return Ok(row.size);
    }
    let chunks: u32 = rows::get(view, HERE, &file.to_be_bytes())?.unwrap_or(0);
    Ok((u64::from(chunks) * murre_log::chunk::CHUNK as u64).min(row.size))
}

/// A file.
pub fn file(view: &dyn View, no: u32) -> Result<Option<FileRow>, TurnError> {
    rows::get(view, FILES, &no.to_be_bytes())
}

/// Stores a file.
pub fn save(tx: &mut Turn<'_>, no: u32, row: &FileRow) {
    rows::put(tx, FILES, &no.to_be_bytes(), row);
}

/// Key in [`BY_ID`] and [`BY_PLAIN`].
#[must_use]
pub fn hash_key(contact: u32, hash: &[u8; 32]) -> Vec<u8> {
    [contact.to_be_bytes().as_slice(), hash].concat()
}

/// Forgets the ways to a file that is erased.
pub fn forget_hashes(tx: &mut Turn<'_>, no: u32, row: &FileRow) -> Result<(), TurnError> {
    let plain = row.plain.map(|plain| (BY_PLAIN, plain));
    for (space, hash) in [(BY_ID, row.id)].into_iter().chain(plain) {
        let key = hash_key(row.contact, &hash.0);
        // The same bytes handed over once more may have taken the place.
        if rows::get::<u32>(tx, space, &key)? == Some(no) {
            tx.delete(space, &key);
        }
    }
    Ok(())
}

fn use_key(no: u32, (message, index): (MessageId, u16)) -> Vec<u8> {
    [no.to_be_bytes().as_slice(), message.as_bytes(), &index.to_be_bytes()].concat()
}

/// A message offers a file.
pub fn put_use(tx: &mut Turn<'_>, no: u32, at: (MessageId, u16)) {
    rows::put(tx, USES, &use_key(no, at), &());
}

/// A message offers a file no longer. False if it did not.
pub fn take_use(tx: &mut Turn<'_>, no: u32, at: (MessageId, u16)) -> Result<bool, TurnError> {
    let there = is_used(tx, no, at)?;
    tx.delete(USES, &use_key(no, at));
    Ok(there)
}

/// Whether a message offers a file still.
pub fn is_used(view: &dyn View, no: u32, at: (MessageId, u16)) -> Result<bool, TurnError> {
    Ok(view.get(USES, &use_key(no, at))?.is_some())
}

/// Some messages that offer a file.
pub fn uses(view: &dyn View, no: u32, limit: usize) -> Result<Vec<(MessageId, u16)>, TurnError> {
    let rows = view.scan(USES, &Range::prefix(&no.to_be_bytes()), Direction::Forward, limit)?;
    let read = |key: &Vec<u8>| {
        let (message, index) = key.get(4..)?.split_last_chunk::<2>()?;
        Some((MessageId::from_slice(message)?, u16::from_be_bytes(*index)))
    };
    rows.iter().map(|(key, _)| read(key).ok_or(TurnError::Damaged { space: USES.name })).collect()
}

/// All messages that offer a file; they do so no longer.
pub fn end_uses(tx: &mut Turn<'_>, no: u32) -> Result<Vec<(MessageId, u16)>, TurnError> {
    let mut all = Vec::new();
    loop {
        let page = uses(tx, no, ROWS_PAGE)?;
        page.iter().for_each(|at| tx.delete(USES, &use_key(no, *at)));
        let last = page.len() < ROWS_PAGE;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

fn stray_prefix(contact: u32, file: &Bytes<32>) -> Vec<u8> {
    hash_key(contact, &file.0)
}

/// Keeps a chunk under a number of its contact's.
pub fn put_stray(tx: &mut Turn<'_>, contact: u32, number: u32, chunk: &Chunk) {
    tx.put(STRAYS, &rows::pair_key(contact, number).to_be_bytes(), chunk.encode());
    let key = [stray_prefix(contact, &chunk.file()), number.to_be_bytes().to_vec()].concat();
    rows::put(tx, STRAY_IDS, &key, &());
}

/// Takes a kept chunk away, if it is there.
pub fn take_stray(tx: &mut Turn<'_>, contact: u32, number: u32) -> Result<Option<Chunk>, TurnError> {
    let key = rows::pair_key(contact, number).to_be_bytes();
    let Some(bytes) = tx.get(STRAYS, &key)? else { return Ok(None) };
    tx.delete(STRAYS, &key);
    let chunk = Chunk::decode(&bytes).map_err(|_| TurnError::Damaged { space: STRAYS.name })?;
    let key = [stray_prefix(contact, &chunk.file()), number.to_be_bytes().to_vec()].concat();
    tx.delete(STRAY_IDS, &key);
    Ok(Some(chunk))
}

/// The numbers of the kept chunks of one file.
pub fn strays(view: &dyn View, contact: u32, file: &Bytes<32>) -> Result<Vec<u32>, TurnError> {
    let range = Range::prefix(&stray_prefix(contact, file));
    let rows = view.scan(STRAY_IDS, &range, Direction::Forward, crate::limits::MAX_STRAYS as usize)?;
    Ok(rows.iter().filter_map(|(key, _)| key.last_chunk::<4>().map(|b| u32::from_be_bytes(*b))).collect())
}

/// The file of a contact's chat with this id.
pub fn find(view: &dyn View, contact: u32, id: &Bytes<32>) -> Result<Option<(u32, FileRow)>, TurnError> {
    let Some(no) = rows::get::<u32>(view, BY_ID, &hash_key(contact, &id.0))? else { return Ok(None) };
    Ok(file(view, no)?.map(|row| (no, row)))
}

/// The file that a content names.
pub fn named(view: &dyn View, contact: u32, file: &FileRef) -> Result<Option<(u32, FileRow)>, TurnError> {
    match file.shape() {
        Some(shape) => find(view, contact, &shape.id(&file.k.0)),
        None => Ok(None),
    }
}

/// Which chunks of a file are here, as long as it is fetched.
#[derive(Debug)]
pub struct Bitmap {
    bits: Vec<u8>,
    missing: u32,
}

impl Bitmap {
    /// From the rows.
    pub fn load(view: &dyn View, file: u32, chunks: u32) -> Result<Self, TurnError> {
        let mut this = Self { bits: vec![0; (chunks as usize).div_ceil(8)], missing: chunks };
        for (no, page) in pages(view, file)? {
            let from = (no * PAGE / 8) as usize;
            for (slot, byte) in this.bits.iter_mut().skip(from).zip(page.have.iter()) {
                *slot = *byte;
            }
            this.missing = this.missing.saturating_sub(page.count());
        }
        Ok(this)
    }

    /// Notes a chunk that was not here.
    pub fn set(&mut self, at: u32) {
        if let Some(byte) = self.bits.get_mut(at as usize / 8) {
            *byte |= 1 << (at % 8);
            self.missing = self.missing.saturating_sub(1);
        }
    }

    /// Whether a chunk is here.
    #[must_use]
    pub fn has(&self, at: u32) -> bool {
        self.bits.get(at as usize / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0)
    }

    /// How many are not.
    #[must_use]
    pub const fn missing(&self) -> u32 {
        self.missing
    }
}
