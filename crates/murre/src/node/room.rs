//! A node's store, and the disk under it as far as a shell sees it.
//!
//! The **reserve** is a file of zeros. When the disk is full all the same, it is removed, and what a node has to write
//! even then, what expired and who its neighbours are, has that much room.
//!
//! Not here: what follows from it. The machine is told and decides (`murre_custodian::room`).

use crate::driver::{DiskSeen, Keeper};
use fs4::fs_std::FileExt;
use murre_core::store::Rows;
use murre_core::{Batch, BlobNo, Direction, Query, Range, Search, Space, View, ViewError};
use murre_custodian::limits::DISK_RESERVE;
use murre_store::{Backlog, Config, SqliteStore, Store, StoreError};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the reserve in the node's directory.
const NAME: &str = "reserve";

/// The store of a node.
pub(super) struct NodeStore {
    store: SqliteStore,
    dir: PathBuf,
    reserved: bool,
}

impl NodeStore {
    /// Opens the store in `file`, in the directory of the node. A disk that is too full for that gets the reserve.
    pub fn open(dir: &Path, file: &Path) -> Result<Self, StoreError> {
        let open = || SqliteStore::open(file, None, Config::default());
        let store = match open() {
            Err(StoreError::Full | StoreError::Io { .. }) if remove(dir) => open()?,
            other => other?,
        };
        let reserved = lay(dir).is_ok();
        Ok(Self { store, dir: dir.to_owned(), reserved })
    }
}

/// Makes the reserve, if it is not there already.
fn lay(dir: &Path) -> io::Result<()> {
    let path = dir.join(NAME);
    if std::fs::metadata(&path).is_ok_and(|there| there.len() == DISK_RESERVE) {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    let laid = file.allocate(DISK_RESERVE).or_else(|_| zeros(&file)).and_then(|()| file.sync_all());
    if laid.is_err() {
        remove(dir);
    }
    laid
}

/// For file systems that cannot set room aside.
fn zeros(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    io::copy(&mut io::repeat(0).take(DISK_RESERVE), &mut file).map(|_| ())
}

/// Whether there was a reserve.
fn remove(dir: &Path) -> bool {
    std::fs::remove_file(dir.join(NAME)).is_ok()
}

impl Keeper for NodeStore {
    fn wants_tidy(&self) -> bool {
        Keeper::wants_tidy(&self.store)
    }

    fn tidy(&mut self) {
        Keeper::tidy(&mut self.store);
    }

    fn disk(&mut self) -> Option<DiskSeen> {
        let free = fs4::available_space(&self.dir).ok()?;
        Some(DiskSeen { free, reserve: self.reserved })
    }

    fn lay_reserve(&mut self) {
        self.reserved = lay(&self.dir).is_ok();
    }

    fn give_reserve(&mut self) {
        remove(&self.dir);
        self.reserved = false;
    }
}

impl View for NodeStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.store.get(space, key)
    }

    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        self.store.scan(space, range, dir, limit)
    }

    fn blob(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, ViewError> {
        self.store.blob(blob, offset, len)
    }
}

impl Store for NodeStore {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.store.begin()
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.store.apply(batch)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.store.commit()
    }

    fn rollback(&mut self) {
        self.store.rollback();
    }

    fn wants_index(&self) -> Backlog {
        self.store.wants_index()
    }

    fn index(&mut self) -> Result<(), StoreError> {
        self.store.index()
    }
}

impl Search for NodeStore {
    fn search(
        &self,
        query: &Query,
        tag: Option<u32>,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, ViewError> {
        self.store.search(query, tag, below, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_lies_there_is_given_up_and_laid_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("boxes.db");
        let size = || std::fs::metadata(dir.path().join(NAME)).map(|m| m.len()).ok();
        let mut store = NodeStore::open(dir.path(), &file).unwrap();
        assert_eq!(size(), Some(DISK_RESERVE));
        let reserve = |store: &mut NodeStore| store.disk().map(|seen| seen.reserve);
        assert_eq!(reserve(&mut store), Some(true));
        store.give_reserve();
        assert_eq!((size(), reserve(&mut store)), (None, Some(false)));
        store.lay_reserve();
        assert_eq!(reserve(&mut store), Some(true));
        assert_eq!(size(), Some(DISK_RESERVE));
        std::fs::write(dir.path().join(NAME), b"cut short").unwrap();
        drop(store);
        NodeStore::open(dir.path(), &file).unwrap();
        assert_eq!(size(), Some(DISK_RESERVE));
    }
}
