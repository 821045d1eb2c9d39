//! The rows of the log.
//!
//! | space | kind | key | value |
//! |---|---|---|---|
//! | [`LOGS`] | any | log no. | [`LogRow`] |
//! | [`LOG_IDS`] | any | log id | log no. |
//! | [`AUTHORS`] | any | author no. | [`AuthorRow`] |
//! | [`AUTHOR_IDS`] | any | log no., author key | author no. |
//! | [`BLOCKS`] | seq | author no., seq | block: header bytes and signature |
//! | [`BODIES`] | seq | author no., seq | body; erased alone, the block stays |
//! | [`HEADS`] | any | log no., author no., seq, id | [`HeadRow`] |
//! | [`FORKS`] | any | author no., seq, id | [`ForkRow`]: the second and later entries of one number |
//! | [`PENDING`] | any | log no., link | wire form of an entry whose parents are missing |
//! | [`WAITING`] | any | log no., parent link, child link | nothing |
//! | [`WANTED`] | any | log no., link | why it is wanted |
//! | [`COUNTS`] | any | log no. | [`Counts`] of the three above |
//!
//! Numbers are big-endian `u32`. Per accepted entry one row is appended to `BLOCKS` and `BODIES`, and one row each
//! of `AUTHORS` and `HEADS` is replaced; no row is keyed by a hash unless entries arrive early or forked.

use crate::entry::{Block, VerifiedEntry, block_id};
use crate::link::{LINK_KEY, Link};
use crate::position::{AuthorNo, LogNo};
use murre_core::codec::{self, CodecError};
use murre_core::id::{AuthorId, EntryId, LogId};
use murre_core::{Direction, Range, Space, Turn, TurnError, View};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Logs by number.
pub const LOGS: Space = Space::any(100, "log.logs");
/// Numbers of logs.
pub const LOG_IDS: Space = Space::any(101, "log.log_ids");
/// Authors by number.
pub const AUTHORS: Space = Space::any(102, "log.authors");
/// Numbers of authors.
pub const AUTHOR_IDS: Space = Space::any(103, "log.author_ids");
/// Headers and signatures of accepted entries.
pub const BLOCKS: Space = Space::seq(104, "log.blocks");
/// Bodies of accepted entries.
pub const BODIES: Space = Space::seq(105, "log.bodies");
/// Entries that no other entry names as a parent.
pub const HEADS: Space = Space::any(106, "log.heads");
/// Second and later entries of one (author, number).
pub const FORKS: Space = Space::any(107, "log.forks");
/// Entries whose parents are missing.
pub const PENDING: Space = Space::any(108, "log.pending");
/// Which pending entry waits for which link.
pub const WAITING: Space = Space::any(109, "log.waiting");
/// Links to fetch.
pub const WANTED: Space = Space::any(110, "log.wanted");
/// How much is pending.
pub const COUNTS: Space = Space::any(111, "log.counts");

const V: u8 = 1;

/// One log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRow {
    /// The log's id.
    pub i: LogId,
    /// Authors with an entry in it.
    pub a: u32,
}

/// State of one author in one log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorRow {
    /// Local number of the log.
    pub l: u32,
    /// The author's key.
    pub b: AuthorId,
    /// Numbers 0..n are held.
    pub n: u64,
    /// Id of the entry number n - 1 in [`BLOCKS`].
    pub h: EntryId,
    /// Its time.
    pub t: u64,
    /// Lowest number that was used twice.
    pub f: Option<u32>,
    /// Entries in [`FORKS`].
    pub k: u32,
}

/// A head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadRow {
    /// The author's key.
    pub b: AuthorId,
    /// Time of the entry.
    pub t: u64,
}

/// An entry beside the one in [`BLOCKS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkRow {
    /// The block.
    pub h: ByteBuf,
    /// The body, unless erased.
    pub b: Option<ByteBuf>,
}

/// How much is pending in one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Entries held.
    pub n: u32,
    /// Bytes of them.
    pub b: u64,
    /// Links wanted.
    pub w: u32,
}

impl Counts {
    /// Nothing is pending.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.n == 0 && self.w == 0
    }
}

pub(crate) fn damaged(space: Space) -> TurnError {
    TurnError::Damaged { space: space.name }
}

fn row<T: serde::de::DeserializeOwned>(
    view: &dyn View,
    space: Space,
    key: &[u8],
) -> Result<Option<T>, TurnError> {
    let Some(bytes) = view.get(space, key)? else { return Ok(None) };
    codec::decode_row(V, &bytes).map(Some).map_err(|_| damaged(space))
}

fn put<T: Serialize>(tx: &mut Turn<'_>, space: Space, key: &[u8], value: &T) {
    tx.put(space, key, codec::encode_row(V, value));
}

/// Bytes behind the version byte.
fn raw(space: Space, value: Vec<u8>) -> Result<Vec<u8>, TurnError> {
    match value.split_first() {
        Some((&V, rest)) => Ok(rest.to_vec()),
        _ => Err(damaged(space)),
    }
}

fn put_raw(tx: &mut Turn<'_>, space: Space, key: &[u8], value: &[u8]) {
    let mut out = Vec::with_capacity(1 + value.len());
    out.push(V);
    out.extend_from_slice(value);
    tx.put(space, key, out);
}

fn number(space: Space, bytes: &[u8]) -> Result<u32, TurnError> {
    bytes.try_into().map(u32::from_be_bytes).map_err(|_| damaged(space))
}

/// The number after the greatest that a space keyed by number holds.
fn next_number(view: &dyn View, space: Space) -> Result<u32, TurnError> {
    match view.scan(space, &Range::all(), Direction::Backward, 1)?.first() {
        None => Ok(0),
        Some((key, _)) => number(space, key)?.checked_add(1).ok_or_else(|| damaged(space)),
    }
}

fn two(log: LogNo, rest: &[u8]) -> Vec<u8> {
    [&log.0.to_be_bytes()[..], rest].concat()
}

// ---- logs

pub(crate) fn log_no(view: &dyn View, log: LogId) -> Result<Option<LogNo>, TurnError> {
    view.get(LOG_IDS, log.as_bytes())?.map(|v| number(LOG_IDS, &v).map(LogNo)).transpose()
}

pub(crate) fn log(view: &dyn View, log: LogNo) -> Result<Option<LogRow>, TurnError> {
    row(view, LOGS, &log.0.to_be_bytes())
}

pub(crate) fn put_log(tx: &mut Turn<'_>, log: LogNo, value: &LogRow) {
    put(tx, LOGS, &log.0.to_be_bytes(), value);
}

pub(crate) fn add_log(tx: &mut Turn<'_>, log: LogId) -> Result<LogNo, TurnError> {
    let no = LogNo(next_number(tx, LOGS)?);
    put_log(tx, no, &LogRow { i: log, a: 0 });
    tx.put(LOG_IDS, log.as_bytes(), no.0.to_be_bytes().to_vec());
    Ok(no)
}

// ---- authors

pub(crate) fn author_no(view: &dyn View, log: LogNo, by: &AuthorId) -> Result<Option<AuthorNo>, TurnError> {
    let bytes = view.get(AUTHOR_IDS, &two(log, by.as_bytes()))?;
    bytes.map(|v| number(AUTHOR_IDS, &v).map(AuthorNo)).transpose()
}

pub(crate) fn author(view: &dyn View, no: AuthorNo) -> Result<Option<AuthorRow>, TurnError> {
    row(view, AUTHORS, &no.0.to_be_bytes())
}

pub(crate) fn put_author(tx: &mut Turn<'_>, no: AuthorNo, value: &AuthorRow) {
    put(tx, AUTHORS, &no.0.to_be_bytes(), value);
}

pub(crate) fn add_author(tx: &mut Turn<'_>, log: LogNo, by: &AuthorId) -> Result<AuthorNo, TurnError> {
    let no = next_number(tx, AUTHORS)?;
    tx.put(AUTHOR_IDS, &two(log, by.as_bytes()), no.to_be_bytes().to_vec());
    Ok(AuthorNo(no))
}

/// Authors of a log whose key begins with `prefix`, in the order of their keys.
pub(crate) fn authors(
    view: &dyn View,
    log: LogNo,
    prefix: &[u8],
    limit: usize,
) -> Result<Vec<AuthorNo>, TurnError> {
    let rows = view.scan(AUTHOR_IDS, &Range::prefix(&two(log, prefix)), Direction::Forward, limit)?;
    rows.iter().map(|(_, v)| number(AUTHOR_IDS, v).map(AuthorNo)).collect()
}

// ---- entries

fn fork_key(author: AuthorNo, seq: u32, id: &EntryId) -> [u8; 40] {
    let mut key = [0; 40];
    let (head, tail) = key.split_at_mut(8);
    head.copy_from_slice(&author.row(seq).to_be_bytes());
    tail.copy_from_slice(id.as_bytes());
    key
}

/// Block of the first entry that was accepted under this number.
pub(crate) fn main_block(view: &dyn View, author: AuthorNo, seq: u32) -> Result<Option<Vec<u8>>, TurnError> {
    view.get(BLOCKS, &author.row(seq).to_be_bytes())?.map(|v| raw(BLOCKS, v)).transpose()
}

pub(crate) fn fork(
    view: &dyn View,
    author: AuthorNo,
    seq: u32,
    id: &EntryId,
) -> Result<Option<ForkRow>, TurnError> {
    row(view, FORKS, &fork_key(author, seq, id))
}

/// All second and later entries under one number, by id.
pub(crate) fn forks(
    view: &dyn View,
    author: AuthorNo,
    seq: u32,
    limit: usize,
) -> Result<Vec<ForkRow>, TurnError> {
    let range = Range::prefix(&author.row(seq).to_be_bytes());
    let rows = view.scan(FORKS, &range, Direction::Forward, limit)?;
    rows.iter().map(|(_, v)| codec::decode_row(V, v).map_err(|_| damaged(FORKS))).collect()
}

pub(crate) fn put_main(tx: &mut Turn<'_>, author: AuthorNo, entry: &VerifiedEntry) {
    let key = author.row(entry.header().seq).to_be_bytes();
    put_raw(tx, BLOCKS, &key, &entry.block());
    put_raw(tx, BODIES, &key, entry.body());
}

pub(crate) fn put_fork(tx: &mut Turn<'_>, author: AuthorNo, entry: &VerifiedEntry) {
    let value = ForkRow { h: ByteBuf::from(entry.block()), b: Some(ByteBuf::from(entry.body())) };
    put(tx, FORKS, &fork_key(author, entry.header().seq, &entry.id()), &value);
}

/// Block of exactly this entry, wherever it lies.
pub(crate) fn block(
    view: &dyn View,
    author: AuthorNo,
    seq: u32,
    id: &EntryId,
) -> Result<Option<Vec<u8>>, TurnError> {
    match main_block(view, author, seq)? {
        None => Ok(None),
        Some(block) if block_id(&block) == *id => Ok(Some(block)),
        Some(_) => Ok(fork(view, author, seq, id)?.map(|row| row.h.into_vec())),
    }
}

pub(crate) fn body(view: &dyn View, author: AuthorNo, seq: u32) -> Result<Option<Vec<u8>>, TurnError> {
    view.get(BODIES, &author.row(seq).to_be_bytes())?.map(|v| raw(BODIES, v)).transpose()
}

pub(crate) fn erase_body(
    tx: &mut Turn<'_>,
    author: AuthorNo,
    seq: u32,
    id: &EntryId,
) -> Result<bool, TurnError> {
    let key = author.row(seq).to_be_bytes();
    if main_block(tx, author, seq)?.is_some_and(|b| block_id(&b) == *id) {
        let there = tx.get(BODIES, &key)?.is_some();
        if there {
            tx.erase(BODIES, &key);
        }
        return Ok(there);
    }
    let Some(ForkRow { h, b: Some(_) }) = fork(tx, author, seq, id)? else { return Ok(false) };
    let key = fork_key(author, seq, id);
    tx.erase(FORKS, &key);
    put(tx, FORKS, &key, &ForkRow { h, b: None });
    Ok(true)
}

/// Puts a stored block and its body together again.
pub(crate) fn assemble(block: &[u8], body: Vec<u8>) -> Result<VerifiedEntry, TurnError> {
    let block: Block = codec::decode(block, crate::fork::MAX_BLOCK).map_err(|_| damaged(BLOCKS))?;
    VerifiedEntry::from_rows(block, body).map_err(|_| damaged(BLOCKS))
}

/// The header inside a stored block.
pub(crate) fn header_of(block: &[u8]) -> Result<crate::Header, TurnError> {
    let read = || -> Result<crate::Header, CodecError> {
        let Block(header, _) = codec::decode(block, crate::fork::MAX_BLOCK)?;
        codec::decode(&header, crate::header::MAX_HEADER)
    };
    read().map_err(|_| damaged(BLOCKS))
}

// ---- heads

fn head_key(log: LogNo, author: AuthorNo, link: &Link) -> Vec<u8> {
    two(log, &fork_key(author, link.s, &link.h))
}

pub(crate) fn put_head(tx: &mut Turn<'_>, log: LogNo, author: AuthorNo, link: &Link, value: &HeadRow) {
    put(tx, HEADS, &head_key(log, author, link), value);
}

pub(crate) fn drop_head(tx: &mut Turn<'_>, log: LogNo, author: AuthorNo, link: &Link) {
    tx.delete(HEADS, &head_key(log, author, link));
}

/// Heads with what orders them.
pub(crate) fn heads(view: &dyn View, log: LogNo, limit: usize) -> Result<Vec<(HeadRow, Link)>, TurnError> {
    let rows = view.scan(HEADS, &Range::prefix(&two(log, &[])), Direction::Forward, limit)?;
    rows.iter()
        .map(|(key, value)| {
            let head: HeadRow = codec::decode_row(V, value).map_err(|_| damaged(HEADS))?;
            let tail = key.get(8..).and_then(|k| k.split_first_chunk::<4>());
            let (seq, id) = tail.ok_or_else(|| damaged(HEADS))?;
            let id = EntryId::from_slice(id).ok_or_else(|| damaged(HEADS))?;
            Ok((head, Link::new(&head.b, u32::from_be_bytes(*seq), id)))
        })
        .collect()
}

// ---- pending

fn pair(log: LogNo, parent: &Link, child: &Link) -> Vec<u8> {
    two(log, &[parent.key(), child.key()].concat())
}

pub(crate) fn counts(view: &dyn View, log: LogNo) -> Result<Counts, TurnError> {
    Ok(row(view, COUNTS, &log.0.to_be_bytes())?.unwrap_or_default())
}

pub(crate) fn put_counts(tx: &mut Turn<'_>, log: LogNo, counts: &Counts) {
    let key = log.0.to_be_bytes();
    if counts.is_empty() { tx.delete(COUNTS, &key) } else { put(tx, COUNTS, &key, counts) }
}

pub(crate) fn pending(view: &dyn View, log: LogNo, link: &Link) -> Result<Option<Vec<u8>>, TurnError> {
    view.get(PENDING, &two(log, &link.key()))?.map(|v| raw(PENDING, v)).transpose()
}

pub(crate) fn put_pending(tx: &mut Turn<'_>, log: LogNo, link: &Link, wire: &[u8]) {
    put_raw(tx, PENDING, &two(log, &link.key()), wire);
}

pub(crate) fn drop_pending(tx: &mut Turn<'_>, log: LogNo, link: &Link) {
    tx.delete(PENDING, &two(log, &link.key()));
}

pub(crate) fn put_waiting(tx: &mut Turn<'_>, log: LogNo, parent: &Link, child: &Link) {
    tx.put(WAITING, &pair(log, parent, child), vec![V]);
}

pub(crate) fn drop_waiting(tx: &mut Turn<'_>, log: LogNo, parent: &Link, child: &Link) {
    tx.delete(WAITING, &pair(log, parent, child));
}

/// Pending entries that wait for `parent`.
pub(crate) fn waiting(
    view: &dyn View,
    log: LogNo,
    parent: &Link,
    limit: usize,
) -> Result<Vec<Link>, TurnError> {
    let range = Range::prefix(&two(log, &parent.key()));
    let rows = view.scan(WAITING, &range, Direction::Forward, limit)?;
    let child =
        |key: &Vec<u8>| key.get(4 + LINK_KEY..).and_then(Link::from_key).ok_or_else(|| damaged(WAITING));
    rows.iter().map(|(key, _)| child(key)).collect()
}

/// Why a link is wanted: 0 because a pending entry names it, 1 because its entry was here and had no room.
pub(crate) fn wanted(view: &dyn View, log: LogNo, link: &Link) -> Result<Option<u8>, TurnError> {
    Ok(view.get(WANTED, &two(log, &link.key()))?.and_then(|v| v.first().copied()))
}

pub(crate) fn put_wanted(tx: &mut Turn<'_>, log: LogNo, link: &Link, why: u8) {
    tx.put(WANTED, &two(log, &link.key()), vec![why]);
}

pub(crate) fn drop_wanted(tx: &mut Turn<'_>, log: LogNo, link: &Link) {
    tx.delete(WANTED, &two(log, &link.key()));
}

/// Wanted links after `after`.
pub(crate) fn wanted_links(
    view: &dyn View,
    log: LogNo,
    after: Option<&Link>,
    limit: usize,
) -> Result<Vec<Link>, TurnError> {
    let mut range = Range::prefix(&two(log, &[]));
    if let Some(after) = after {
        range.from = std::ops::Bound::Excluded(two(log, &after.key()));
    }
    let rows = view.scan(WANTED, &range, Direction::Forward, limit)?;
    rows.iter().map(|(key, _)| key.get(4..).and_then(Link::from_key).ok_or_else(|| damaged(WANTED))).collect()
}
