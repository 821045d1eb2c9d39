//! A store in memory, for tests and the simulator.
//!
//! It behaves as [`crate::SqliteStore`] does and adds what a disk does at the wrong moment: [`MemoryStore::crash`]
//! drops what was not committed, [`MemoryStore::fail_next`] makes one operation fail, [`MemoryStore::snapshot`]
//! keeps the committed state so that the same machine can be opened from it twice.

use crate::error::{Misuse, StoreError, view_error};
use crate::tx::{Tx, check_key, check_kind};
use crate::{Backlog, Store};
use murre_core::store::MAX_DOC;
use murre_core::store::{Op, Rows};
use murre_core::{Batch, BlobNo, Direction, Query, Range, Search, Space, SpaceKind, View, ViewError};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What [`MemoryStore::fail_next`] makes fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next `get` or `scan`.
    Read,
    /// The next `begin`.
    Begin,
    /// The next `apply`, after half of its operations.
    Apply,
    /// The next `commit`, as a full disk does.
    Commit,
}

#[derive(Clone)]
struct Rowset {
    kind: SpaceKind,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Everything that is stored.
#[derive(Clone, Default)]
struct Data {
    spaces: BTreeMap<u16, Rowset>,
    /// By offset: a blob has gaps until all of it is there.
    blobs: BTreeMap<BlobNo, BTreeMap<u64, Vec<u8>>>,
    texts: BTreeMap<u64, (u32, String)>,
}

/// How to take one change back.
#[derive(Clone)]
enum Undo {
    Row { id: u16, key: Vec<u8>, old: Option<Vec<u8>> },
    NewSpace { id: u16 },
    Blob { blob: BlobNo, offset: u64, old: Option<Vec<u8>> },
    Dropped { blob: BlobNo, old: BTreeMap<u64, Vec<u8>> },
    Text { doc: u64, old: Option<(u32, String)> },
}

/// The committed state at one moment. Also a [`View`] of it.
#[derive(Clone, Default)]
pub struct Snapshot(Data);

/// A [`Store`] in memory.
///
/// A clone is an independent store in the same state, open transaction included.
#[derive(Clone, Default)]
pub struct MemoryStore {
    data: Data,
    undo: Vec<Undo>,
    tx: Tx,
    fault: Cell<Option<Fault>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The power fails: whatever was not committed is gone, and so is the open transaction.
    pub fn crash(&mut self) {
        self.rollback();
        self.fault.set(None);
    }

    /// Makes the next operation of one kind fail, once. A second call replaces the first.
    pub fn fail_next(&self, fault: Fault) {
        self.fault.set(Some(fault));
    }

    /// The committed state, without what an open transaction changed.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut copy = self.clone();
        copy.crash();
        Snapshot(copy.data)
    }

    /// Goes back to a committed state, whatever happened since.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        *self = Self { data: snapshot.0.clone(), ..Self::default() };
    }

    /// How many rows are stored in all spaces.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.data.spaces.values().map(|set| set.rows.len()).sum()
    }

    /// How many blobs are stored.
    #[must_use]
    pub fn blobs(&self) -> usize {
        self.data.blobs.len()
    }

    /// Bytes of all keys, values and texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let rows = self.data.spaces.values().flat_map(|set| &set.rows);
        rows.map(|(key, value)| key.len() + value.len()).sum::<usize>()
            + self.data.texts.values().map(|(_, text)| text.len()).sum::<usize>()
    }

    /// Whether `needle` occurs in any stored key, value or text: an oracle for plaintext that must not be there.
    #[must_use]
    pub fn contains_bytes(&self, needle: &[u8]) -> bool {
        let finder = memchr::memmem::Finder::new(needle);
        let has = |bytes: &[u8]| !needle.is_empty() && finder.find(bytes).is_some();
        self.data.spaces.values().any(|set| set.rows.iter().any(|(key, value)| has(key) || has(value)))
            || self.data.blobs.values().any(|parts| parts.values().any(|bytes| has(bytes)))
            || self.data.texts.values().any(|(_, text)| has(text.as_bytes()))
    }

    /// Takes the planted fault if it is this one.
    fn fails(&self, fault: Fault) -> bool {
        if self.fault.get() == Some(fault) {
            self.fault.set(None);
            true
        } else {
            false
        }
    }

    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), Misuse> {
        check_key(space, key)?;
        let undo = &mut self.undo;
        let set = self.data.spaces.entry(space.id).or_insert_with(|| {
            undo.push(Undo::NewSpace { id: space.id });
            Rowset { kind: space.kind, rows: BTreeMap::new() }
        });
        check_kind(space, set.kind)?;
        let old = set.rows.insert(key.to_vec(), value.to_vec());
        undo.push(Undo::Row { id: space.id, key: key.to_vec(), old });
        Ok(())
    }

    fn remove(&mut self, space: Space, key: &[u8]) -> Result<(), Misuse> {
        check_key(space, key)?;
        let Some(set) = self.data.spaces.get_mut(&space.id) else { return Ok(()) };
        check_kind(space, set.kind)?;
        if let Some(old) = set.rows.remove(key) {
            self.undo.push(Undo::Row { id: space.id, key: key.to_vec(), old: Some(old) });
        }
        Ok(())
    }

    fn apply_op(&mut self, op: &Op) -> Result<(), Misuse> {
        match op {
            Op::Put { space, key, value } => self.put(*space, key, value)?,
            Op::Delete { space, key } | Op::Erase { space, key } => self.remove(*space, key)?,
            Op::Index { doc, .. } | Op::Unindex { doc } if *doc >= MAX_DOC => {
                return Err(Misuse::Doc { doc: *doc });
            }
            Op::Index { doc, tag, text } => {
                let old = self.data.texts.insert(*doc, (*tag, text.clone()));
                self.undo.push(Undo::Text { doc: *doc, old });
            }
            Op::Unindex { doc } => {
                let old = self.data.texts.remove(doc);
                self.undo.push(Undo::Text { doc: *doc, old });
            }
            Op::WriteBlob { blob, offset, bytes } => {
                let old = self.data.blobs.entry(*blob).or_default().insert(*offset, bytes.clone());
                self.undo.push(Undo::Blob { blob: *blob, offset: *offset, old });
            }
            Op::DropBlob { blob } => {
                if let Some(old) = self.data.blobs.remove(blob) {
                    self.undo.push(Undo::Dropped { blob: *blob, old });
                }
            }
        }
        Ok(())
    }

    fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::Row { id, key, old } => {
                if let Some(set) = self.data.spaces.get_mut(&id) {
                    match old {
                        Some(value) => set.rows.insert(key, value),
                        None => set.rows.remove(&key),
                    };
                }
            }
            Undo::NewSpace { id } => {
                self.data.spaces.remove(&id);
            }
            Undo::Text { doc, old } => {
                match old {
                    Some(text) => self.data.texts.insert(doc, text),
                    None => self.data.texts.remove(&doc),
                };
            }
            Undo::Blob { blob, offset, old } => {
                let parts = self.data.blobs.entry(blob).or_default();
                match old {
                    Some(bytes) => parts.insert(offset, bytes),
                    None => parts.remove(&offset),
                };
                if parts.is_empty() {
                    self.data.blobs.remove(&blob);
                }
            }
            Undo::Dropped { blob, old } => {
                self.data.blobs.insert(blob, old);
            }
        }
    }
}

impl Store for MemoryStore {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.tx.may_begin()?;
        if self.fails(Fault::Begin) {
            return Err(StoreError::Busy);
        }
        self.tx = Tx::Open;
        Ok(())
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.tx.may_write()?;
        let fails_after = self.fails(Fault::Apply).then_some(batch.ops.len() / 2);
        let done = batch.ops.iter().enumerate().try_for_each(|(i, op)| {
            if fails_after == Some(i) {
                return Err(StoreError::Io { code: 0, what: "planted fault".to_owned() });
            }
            Ok(self.apply_op(op)?)
        });
        // An empty batch has no operation to fail at.
        let done = match fails_after {
            Some(_) if done.is_ok() => Err(StoreError::Io { code: 0, what: "planted fault".to_owned() }),
            _ => done,
        };
        if done.is_err() {
            self.tx = Tx::Failed;
        }
        done
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.tx.may_write()?;
        if self.fails(Fault::Commit) {
            self.rollback();
            return Err(StoreError::Full);
        }
        self.undo.clear();
        self.tx = Tx::None;
        Ok(())
    }

    fn rollback(&mut self) {
        while let Some(undo) = self.undo.pop() {
            self.take_back(undo);
        }
        self.tx = Tx::None;
    }

    /// Texts lie here as they are: there is no index to fill.
    fn wants_index(&self) -> Backlog {
        Backlog::None
    }

    fn index(&mut self) -> Result<(), StoreError> {
        Ok(self.tx.may_begin()?)
    }
}

impl Search for MemoryStore {
    fn search(
        &self,
        query: &Query,
        tag: Option<u32>,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, ViewError> {
        if self.fails(Fault::Read) {
            return Err(view_error("planted fault"));
        }
        let texts = self.data.texts.range(..below.unwrap_or(MAX_DOC)).rev();
        let found = texts.filter(|(_, (of, text))| tag.is_none_or(|tag| tag == *of) && query.finds(text));
        Ok(found.map(|(doc, _)| *doc).take(limit).collect())
    }
}

impl View for MemoryStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        if self.fails(Fault::Read) {
            return Err(view_error("planted fault"));
        }
        self.data.get(space, key)
    }

    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        if self.fails(Fault::Read) {
            return Err(view_error("planted fault"));
        }
        self.data.scan(space, range, dir, limit)
    }

    fn blob(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, ViewError> {
        if self.fails(Fault::Read) {
            return Err(view_error("planted fault"));
        }
        self.data.blob(blob, offset, len)
    }
}

impl View for Snapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.0.get(space, key)
    }

    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        self.0.scan(space, range, dir, limit)
    }

    fn blob(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, ViewError> {
        self.0.blob(blob, offset, len)
    }
}

impl Data {
    fn rows(&self, space: Space) -> Result<Option<&BTreeMap<Vec<u8>, Vec<u8>>>, ViewError> {
        let Some(set) = self.spaces.get(&space.id) else { return Ok(None) };
        check_kind(space, set.kind).map_err(view_error)?;
        Ok(Some(&set.rows))
    }
}

impl View for Data {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        check_key(space, key).map_err(view_error)?;
        Ok(self.rows(space)?.and_then(|rows| rows.get(key).cloned()))
    }

    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        let Some(rows) = self.rows(space)? else { return Ok(Rows::new()) };
        if is_empty(range) {
            return Ok(Rows::new());
        }
        let rows = rows
            .range::<[u8], _>((range.from.as_ref().map(Vec::as_slice), range.to.as_ref().map(Vec::as_slice)))
            .map(|(key, value)| (key.clone(), value.clone()));
        Ok(match dir {
            Direction::Forward => rows.take(limit).collect(),
            Direction::Backward => rows.rev().take(limit).collect(),
        })
    }

    fn blob(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, ViewError> {
        let Some(parts) = self.blobs.get(&blob) else { return Ok(None) };
        let end = offset.saturating_add(len as u64);
        let mut out = Vec::new();
        // Parts do not overlap: walk them from the one that holds the first byte.
        let first = parts.range(..=offset).next_back().map_or(offset, |(at, _)| *at);
        for (at, bytes) in parts.range(first..end) {
            let reached = offset + out.len() as u64;
            if *at > reached {
                return Ok(None);
            }
            let skip = (reached - at) as usize;
            out.extend(bytes.iter().skip(skip).take(len - out.len()));
        }
        Ok((out.len() == len).then_some(out))
    }
}

/// Whether the ends of a range leave nothing between them; `BTreeMap::range` refuses such a range.
fn is_empty(range: &Range) -> bool {
    match (&range.from, &range.to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => {
            from >= to
        }
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore")
            .field("rows", &self.rows())
            .field("tx", &self.tx)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("spaces", &self.0.spaces.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
