//! A view that counts, so that a test can bound what a turn or an open reads.
//!
//! A count guards a log of a million entries where a timing would only notice a slow machine.

use murre_core::store::Rows;
use murre_core::{BlobNo, Direction, Range, Space, View, ViewError};
use std::cell::Cell;

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `get`.
    pub gets: u64,
    /// Calls of `scan`.
    pub scans: u64,
    /// Rows that came back, from either.
    pub rows: u64,
}

/// Counts the reads of another view.
pub struct CountingView<'a> {
    inner: &'a dyn View,
    counts: Cell<Counts>,
}

impl<'a> CountingView<'a> {
    /// Counts from zero.
    #[must_use]
    pub fn new(inner: &'a dyn View) -> Self {
        Self { inner, counts: Cell::default() }
    }

    /// What was read so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// What was read so far; counts from zero again.
    pub fn take(&self) -> Counts {
        self.counts.take()
    }
}

impl std::fmt::Debug for CountingView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CountingView").field("counts", &self.counts.get()).finish_non_exhaustive()
    }
}

impl View for CountingView<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let value = self.inner.get(space, key)?;
        let mut counts = self.counts.get();
        counts.gets += 1;
        counts.rows += u64::from(value.is_some());
        self.counts.set(counts);
        Ok(value)
    }

    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        let rows = self.inner.scan(space, range, dir, limit)?;
        let mut counts = self.counts.get();
        counts.scans += 1;
        counts.rows += rows.len() as u64;
        self.counts.set(counts);
        Ok(rows)
    }

    fn blob(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, ViewError> {
        let mut counts = self.counts.get();
        counts.gets += 1;
        self.counts.set(counts);
        self.inner.blob(blob, offset, len)
    }
}
