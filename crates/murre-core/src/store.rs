//! Durable state as ordered bytes.
//!
//! A [`Space`] is an ordered map from keys to values. There are two kinds, because pages dirtied per commit
//! decide the speed of an encrypted store:
//!
//! - [`SpaceKind::Seq`]: the key is exactly 8 bytes, big-endian, and rows are appended: everything that is
//!   written per message lives in such a space.
//! - [`SpaceKind::Any`]: any key, for small or rarely written spaces only.
//!
//! A machine reads through a [`View`] and writes into a [`Turn`], which reads back its own writes. The finished
//! [`Batch`] is applied by the shell in one transaction.

use std::collections::BTreeMap;
use std::ops::Bound;

/// How a space is keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpaceKind {
    /// 8-byte big-endian integer keys in append order.
    Seq,
    /// Any key up to [`MAX_KEY`] bytes.
    Any,
}

/// Longest key in a [`SpaceKind::Any`] space.
pub const MAX_KEY: usize = 256;

/// An ordered map of bytes. Constants of this type live in each crate's `rows.rs`; numbers are unique in the
/// workspace (core's table in `spec/01-machines.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space {
    /// Number of the space: its table in the store.
    pub id: u16,
    /// How it is keyed.
    pub kind: SpaceKind,
    /// Name for people.
    pub name: &'static str,
}

impl Space {
    /// A space with 8-byte keys.
    // spec: M-11
    #[must_use]
    pub const fn seq(id: u16, name: &'static str) -> Self {
        Self { id, kind: SpaceKind::Seq, name }
    }

    /// A space with free keys.
    #[must_use]
    pub const fn any(id: u16, name: &'static str) -> Self {
        Self { id, kind: SpaceKind::Any, name }
    }
}

/// Direction of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Forward,
    /// Greatest key first.
    Backward,
}

/// A key range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Lower end.
    pub from: Bound<Vec<u8>>,
    /// Upper end.
    pub to: Bound<Vec<u8>>,
}

impl Range {
    /// Every key.
    #[must_use]
    pub const fn all() -> Self {
        Self { from: Bound::Unbounded, to: Bound::Unbounded }
    }

    /// Every key that begins with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while let Some(last) = end.pop() {
            if last < 0xff {
                end.push(last + 1);
                return Self { from: Bound::Included(prefix.to_vec()), to: Bound::Excluded(end) };
            }
        }
        Self { from: Bound::Included(prefix.to_vec()), to: Bound::Unbounded }
    }

    /// Integer keys from `from` up to but not including `to`, for [`SpaceKind::Seq`].
    #[must_use]
    pub fn seq(from: u64, to: u64) -> Self {
        Self {
            from: Bound::Included(from.to_be_bytes().to_vec()),
            to: Bound::Excluded(to.to_be_bytes().to_vec()),
        }
    }

    /// Keys strictly after `key`.
    #[must_use]
    pub fn after(key: &[u8]) -> Self {
        Self { from: Bound::Excluded(key.to_vec()), to: Bound::Unbounded }
    }

    /// Whether `key` lies inside.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        let low = match &self.from {
            Bound::Included(k) => key >= k.as_slice(),
            Bound::Excluded(k) => key > k.as_slice(),
            Bound::Unbounded => true,
        };
        let high = match &self.to {
            Bound::Included(k) => key <= k.as_slice(),
            Bound::Excluded(k) => key < k.as_slice(),
            Bound::Unbounded => true,
        };
        low && high
    }
}

/// Reading failed: a matter of the disk, never of the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("store: {what}")]
pub struct ViewError {
    /// The store's words.
    pub what: String,
}

/// Rows of a scan.
pub type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// Synchronous, bounded reads that see every batch drained so far.
pub trait View {
    /// One value.
    ///
    /// # Errors
    /// [`ViewError`] if the store fails.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;

    /// At most `limit` rows of `range` in key order.
    ///
    /// # Errors
    /// [`ViewError`] if the store fails.
    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError>;

    /// `len` bytes of a blob from `offset` on, or nothing if it does not hold so many there. A view of something
    /// without blobs holds none.
    ///
    /// # Errors
    /// [`ViewError`] if the store fails.
    fn blob(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, ViewError> {
        let _ = (blob, offset, len);
        Ok(None)
    }
}

/// Number of a blob: bytes that are too many for a row, and are written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobNo(pub u64);

/// The full-text index, beside the rows.
pub trait Search: View {
    /// Numbers of at most `limit` texts that `query` finds, the greatest first: of this tag if one is given, and
    /// below `below` if that is given. Finds every text put in by a batch drained so far, indexed already or not.
    ///
    /// # Errors
    /// [`ViewError`] if the store fails.
    fn search(
        &self,
        query: &crate::words::Query,
        tag: Option<u32>,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, ViewError>;
}

/// Greatest document number plus one.
pub const MAX_DOC: u64 = (1 << 63) - 1;

/// One durable change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Insert or replace.
    Put {
        /// Where.
        space: Space,
        /// Key.
        key: Vec<u8>,
        /// Value.
        value: Vec<u8>,
    },
    /// Remove.
    Delete {
        /// Where.
        space: Space,
        /// Key.
        key: Vec<u8>,
    },
    /// Remove so that the bytes are gone from the file as well.
    Erase {
        /// Where.
        space: Space,
        /// Key.
        key: Vec<u8>,
    },
    /// Make a text findable under a document number.
    Index {
        /// Document number, below [`MAX_DOC`]. A later text has a greater one, or it costs more.
        doc: u64,
        /// A search can be narrowed to one tag.
        tag: u32,
        /// The text.
        text: String,
    },
    /// Forget a text.
    Unindex {
        /// Document number.
        doc: u64,
    },
    /// Write bytes into a blob, which is made by its first write. No byte is written twice.
    WriteBlob {
        /// Which blob.
        blob: BlobNo,
        /// Where in it.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Remove a whole blob. Its number is not used again.
    DropBlob {
        /// Which blob.
        blob: BlobNo,
    },
}

/// The ordered changes of one turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// In the order they are applied.
    pub ops: Vec<Op>,
}

impl Batch {
    /// Nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// One turn's writes over a view: reads see them at once.
pub struct Turn<'v> {
    view: &'v dyn View,
    batch: Batch,
    written: BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>,
}

impl std::fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("ops", &self.batch.ops.len()).finish_non_exhaustive()
    }
}

impl<'v> Turn<'v> {
    /// Begins a turn over what is stored.
    #[must_use]
    pub fn new(view: &'v dyn View) -> Self {
        Self { view, batch: Batch::default(), written: BTreeMap::new() }
    }

    /// Ends the turn.
    #[must_use]
    pub fn into_batch(self) -> Batch {
        self.batch
    }

    /// Insert or replace.
    pub fn put(&mut self, space: Space, key: &[u8], value: Vec<u8>) {
        self.written.insert((space, key.to_vec()), Some(value.clone()));
        self.batch.ops.push(Op::Put { space, key: key.to_vec(), value });
    }

    /// Remove.
    pub fn delete(&mut self, space: Space, key: &[u8]) {
        self.written.insert((space, key.to_vec()), None);
        self.batch.ops.push(Op::Delete { space, key: key.to_vec() });
    }

    /// Remove beyond recovery.
    pub fn erase(&mut self, space: Space, key: &[u8]) {
        self.written.insert((space, key.to_vec()), None);
        self.batch.ops.push(Op::Erase { space, key: key.to_vec() });
    }

    /// Make a text findable.
    pub fn index(&mut self, doc: u64, tag: u32, text: &str) {
        self.batch.ops.push(Op::Index { doc, tag, text: text.to_owned() });
    }

    /// Forget a text.
    pub fn unindex(&mut self, doc: u64) {
        self.batch.ops.push(Op::Unindex { doc });
    }

    /// Write into a blob. Unlike rows, what a turn writes into a blob can be read from the next turn on.
    pub fn write_blob(&mut self, blob: BlobNo, offset: u64, bytes: Vec<u8>) {
        self.batch.ops.push(Op::WriteBlob { blob, offset, bytes });
    }

    /// Remove a whole blob.
    pub fn drop_blob(&mut self, blob: BlobNo) {
        self.batch.ops.push(Op::DropBlob { blob });
    }
}

impl View for Turn<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        match self.written.get(&(space, key.to_vec())) {
            Some(value) => Ok(value.clone()),
            None => self.view.get(space, key),
        }
    }

    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        let own: Vec<(&Vec<u8>, &Option<Vec<u8>>)> = self
            .written
            .range((space, Vec::new())..)
            .take_while(|((s, _), _)| *s == space)
            .filter(|((_, k), _)| range.contains(k))
            .map(|((_, k), v)| (k, v))
            .collect();
        if own.is_empty() {
            return self.view.scan(space, range, dir, limit);
        }
        // Each own row hides or precedes at most one stored row, so this many stored rows always suffice.
        let mut rows: BTreeMap<Vec<u8>, Vec<u8>> =
            self.view.scan(space, range, dir, limit.saturating_add(own.len()))?.into_iter().collect();
        for (key, value) in own {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(match dir {
            Direction::Forward => rows.into_iter().take(limit).collect(),
            Direction::Backward => rows.into_iter().rev().take(limit).collect(),
        })
    }

    fn blob(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, ViewError> {
        self.view.blob(blob, offset, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Map(BTreeMap<Vec<u8>, Vec<u8>>);

    impl View for Map {
        fn get(&self, _: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
            Ok(self.0.get(key).cloned())
        }
        fn scan(&self, _: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
            let rows = self.0.iter().filter(|(k, _)| range.contains(k)).map(|(k, v)| (k.clone(), v.clone()));
            Ok(match dir {
                Direction::Forward => rows.take(limit).collect(),
                Direction::Backward => rows.rev().take(limit).collect(),
            })
        }
    }

    const SPACE: Space = Space::any(1, "test");

    proptest! {
        #[test]
        fn a_turn_reads_its_own_writes(
            stored in proptest::collection::btree_map(proptest::collection::vec(0u8..4, 1..3), proptest::collection::vec(any::<u8>(), 1), 0..12),
            writes in proptest::collection::vec((proptest::collection::vec(0u8..4, 1..3), proptest::option::of(any::<u8>())), 0..12),
            prefix in proptest::collection::vec(0u8..4, 0..2),
            limit in 0usize..6,
            back in any::<bool>(),
        ) {
            let base = Map(stored.clone());
            let mut turn = Turn::new(&base);
            let mut model = stored;
            for (key, value) in writes {
                match value {
                    Some(v) => { turn.put(SPACE, &key, vec![v]); model.insert(key, vec![v]); }
                    None => { turn.delete(SPACE, &key); model.remove(&key); }
                }
            }
            let model = Map(model);
            let dir = if back { Direction::Backward } else { Direction::Forward };
            let range = Range::prefix(&prefix);
            prop_assert_eq!(turn.scan(SPACE, &range, dir, limit), model.scan(SPACE, &range, dir, limit));
        }
    }

    #[test]
    fn a_prefix_of_only_ff_has_no_upper_end() {
        assert_eq!(Range::prefix(&[0xff]).to, Bound::Unbounded);
        assert!(Range::prefix(&[1, 0xff]).contains(&[1, 0xff, 9]));
        assert!(!Range::prefix(&[1, 0xff]).contains(&[2]));
    }
}
