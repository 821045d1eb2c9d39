//! The store on disk: SQLite, encrypted by SQLCipher when there is a key.
//!
//! ```text
//! file                        application_id = "Murr", user_version = SCHEMA_VERSION
//!  |_ texts, indexed, words   full text, see [`text`]
//!  |_ s100, s101, ...         one table per space, made by its first write
//!       Seq   k INTEGER PRIMARY KEY, v BLOB NOT NULL                     k = key with its top bit flipped
//!       Any   k BLOB PRIMARY KEY,    v BLOB NOT NULL   WITHOUT ROWID
//!  |_ blobs                   id INTEGER PRIMARY KEY                     which blobs there are
//! file-blobs/                 their bytes, a file each
//! ```
//!
//! WAL with `synchronous=FULL`: a commit that returned survives a power failure (`spec/01-machines.md`, M-1).
//! `secure_delete` overwrites what is removed, and [`scrub`] what that forgets; the last copy of an erased row then
//! lies in the WAL until [`SqliteStore::checkpoint`], which the shell calls when [`SqliteStore::wants_checkpoint`] says
//! so.
//!
//! The key is a raw 32-byte key: no password, no stretching here. Whoever holds the file without the key sees a
//! file of random bytes and its size.

mod blobs;
mod open;
mod reader;
mod scrub;
mod table;
mod text;

pub use open::Config;
pub use reader::SqliteReader;

use crate::error::{StoreError, view_error};
use crate::tx::{Tx, check_key, check_kind};
use crate::{Backlog, Store};
use blobs::Blobs;
use murre_core::store::{Op, Rows};
use murre_core::{Batch, BlobNo, Direction, Query, Range, Search, Space, View, ViewError};
use rusqlite::Connection;
use scrub::Scrubber;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use table::Table;
use text::Texts;
use zeroize::Zeroizing;

/// A [`Store`] in one SQLite file.
pub struct SqliteStore {
    conn: Connection,
    path: PathBuf,
    key: Option<Zeroizing<[u8; 32]>>,
    config: Config,
    /// Every table that exists, also in the open transaction. Only this connection makes any, so it is complete.
    tables: BTreeMap<u16, Table>,
    /// Tables made in the open transaction: a rollback takes them back.
    fresh: Vec<u16>,
    texts: Texts,
    tx: Tx,
    /// The open transaction erases something.
    erases: bool,
    /// Something was erased since the last checkpoint.
    wants_checkpoint: bool,
    blobs: Blobs,
    scrubber: Scrubber,
}

impl SqliteStore {
    /// Opens the store in the file `path`, or makes it. With a key the file is encrypted, without one it is plain.
    ///
    /// A new file is readable by its owner only. Whatever a crash left in the WAL is brought into the file, so an
    /// erase that the crash interrupted is finished here.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`], [`StoreError::Foreign`] and [`StoreError::Version`] leave the file as it was.
    /// Otherwise what the disk says.
    pub fn open(path: &Path, key: Option<&[u8; 32]>, config: Config) -> Result<Self, StoreError> {
        let (conn, tables) = open::writer(path, key, config)?;
        let texts = Texts::open(&conn)?;
        let mut store = Self {
            conn,
            texts,
            path: path.to_owned(),
            key: key.map(|key| Zeroizing::new(*key)),
            config,
            tables,
            fresh: Vec::new(),
            tx: Tx::None,
            erases: false,
            wants_checkpoint: false,
            blobs: Blobs::new(path),
            scrubber: Scrubber::new(path),
        };
        store.blobs.sweep(&store.known_blobs()?)?;
        match store.truncate_wal() {
            Ok(()) => {}
            // Another connection reads in the WAL at this moment. An erase may wait in it.
            Err(StoreError::Busy) => store.wants_checkpoint = true,
            Err(error) => return Err(error),
        }
        Ok(store)
    }

    /// A second connection that only reads, and only what is committed. It may move to another thread.
    ///
    /// # Errors
    /// What the disk says.
    pub fn reader(&self) -> Result<SqliteReader, StoreError> {
        SqliteReader::open(&self.path, self.key.as_deref(), self.config)
    }

    /// Whether something was erased whose last copy may still lie in the WAL.
    #[must_use]
    pub const fn wants_checkpoint(&self) -> bool {
        self.wants_checkpoint
    }

    /// Brings the WAL into the file and empties it, so that erased bytes are in neither.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while a reader is in the middle of a read: try again. [`StoreError::Misuse`] inside a
    /// transaction.
    // spec: M-16
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.tx.may_begin()?;
        self.truncate_wal()?;
        self.wants_checkpoint = false;
        Ok(())
    }

    fn truncate_wal(&mut self) -> Result<(), StoreError> {
        self.scrubber.run(&self.conn)?;
        let busy: i64 = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 { Ok(()) } else { Err(StoreError::Busy) }
    }

    fn known_blobs(&self) -> Result<BTreeSet<BlobNo>, StoreError> {
        let mut statement = self.conn.prepare("SELECT id FROM blobs")?;
        let ids = statement.query_map([], |row| row.get::<_, i64>(0))?;
        ids.map(|id| Ok(BlobNo(id?.cast_unsigned()))).collect()
    }

    /// The table of a space, if it was ever written.
    fn table(&self, space: Space) -> Result<Option<&Table>, StoreError> {
        let Some(table) = self.tables.get(&space.id) else { return Ok(None) };
        check_kind(space, table.kind())?;
        Ok(Some(table))
    }

    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        check_key(space, key)?;
        if !self.tables.contains_key(&space.id) {
            let table = Table::new(space.id, space.kind);
            self.conn.execute(table.create(), [])?;
            self.tables.insert(space.id, table);
            self.fresh.push(space.id);
        }
        match self.table(space)? {
            Some(table) => table.put(&self.conn, key, value),
            None => Ok(()),
        }
    }

    fn remove(&self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        check_key(space, key)?;
        match self.table(space)? {
            Some(table) => table.remove(&self.conn, key),
            None => Ok(()),
        }
    }

    fn apply_op(&mut self, op: &Op) -> Result<(), StoreError> {
        match op {
            Op::Put { space, key, value } => self.put(*space, key, value),
            Op::Delete { space, key } => self.remove(*space, key),
            Op::Erase { space, key } => {
                self.erases = true;
                self.remove(*space, key)
            }
            Op::Index { doc, tag, text } => {
                self.erases |= self.texts.put(&self.conn, *doc, *tag, text)?;
                Ok(())
            }
            Op::Unindex { doc } => {
                // A text is forgotten because its message vanishes: it has to leave the WAL as well.
                self.erases = true;
                self.texts.remove(&self.conn, *doc)
            }
            Op::WriteBlob { blob, offset, bytes } => {
                self.conn
                    .prepare_cached("INSERT OR IGNORE INTO blobs(id) VALUES(?1)")?
                    .execute([blob.0.cast_signed()])?;
                self.blobs.write(*blob, *offset, bytes)
            }
            Op::DropBlob { blob } => {
                self.conn
                    .prepare_cached("DELETE FROM blobs WHERE id = ?1")?
                    .execute([blob.0.cast_signed()])?;
                self.blobs.drop_blob(*blob);
                Ok(())
            }
        }
    }
}

impl Store for SqliteStore {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.tx.may_begin()?;
        // Immediate: if another process writes, it shows here and not in the middle of a turn.
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.tx = Tx::Open;
        self.erases = false;
        Ok(())
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.tx.may_write()?;
        let done = batch.ops.iter().try_for_each(|op| self.apply_op(op));
        if done.is_err() {
            self.tx = Tx::Failed;
        }
        done
    }

    // spec: M-1, M-8
    fn commit(&mut self) -> Result<(), StoreError> {
        self.tx.may_write()?;
        if let Err(error) = self.blobs.sync() {
            self.rollback();
            return Err(error);
        }
        let done = self.conn.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
        if let Err(error) = done {
            self.rollback();
            return Err(error.into());
        }
        self.blobs.committed();
        self.wants_checkpoint |= self.erases;
        self.texts.committed();
        self.fresh.clear();
        self.tx = Tx::None;
        // So long a WAL begins anew with the next write, and then nobody knows any more which pages were written.
        if self.scrubber.wal_len() >= u64::from(self.config.checkpoint_pages) * 4096 {
            // What was committed stays committed. A look that failed is made up for at the next one.
            let _ = self.scrubber.run(&self.conn);
        }
        Ok(())
    }

    fn rollback(&mut self) {
        // After a full disk or a failed write SQLite has rolled back by itself. A rollback cannot fail for another
        // reason, and if it did, the transaction would stay open and the next `begin` would say so.
        if !self.conn.is_autocommit() {
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        for id in self.fresh.drain(..) {
            self.tables.remove(&id);
        }
        self.blobs.rolled_back();
        self.texts.rolled_back();
        self.erases = false;
        self.tx = Tx::None;
    }

    fn wants_index(&self) -> Backlog {
        match (self.texts.wants_step(), self.texts.is_crowded()) {
            (_, true) => Backlog::Crowded,
            (true, false) => Backlog::Some,
            (false, false) => Backlog::None,
        }
    }

    fn index(&mut self) -> Result<(), StoreError> {
        self.tx.may_begin()?;
        self.texts.step(&self.conn)
    }
}

impl Search for SqliteStore {
    fn search(
        &self,
        query: &Query,
        tag: Option<u32>,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, ViewError> {
        text::search(&self.conn, query, tag, below, limit).map_err(view_error)
    }
}

impl View for SqliteStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        check_key(space, key).map_err(view_error)?;
        match self.table(space).map_err(view_error)? {
            Some(table) => table.get(&self.conn, key).map_err(view_error),
            None => Ok(None),
        }
    }

    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        match self.table(space).map_err(view_error)? {
            Some(table) => table.scan(&self.conn, range, dir, limit).map_err(view_error),
            None => Ok(Rows::new()),
        }
    }

    fn blob(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, ViewError> {
        self.blobs.read(blob, offset, len).map_err(view_error)
    }
}

impl Drop for SqliteStore {
    /// An orderly end leaves an empty WAL, also where a reader outlives this connection: else the file alone would be an
    /// older state than it seems. What fails here is done at the next start.
    fn drop(&mut self) {
        self.rollback();
        let _ = self.truncate_wal();
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .field("encrypted", &self.key.is_some())
            .field("tables", &self.tables.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod shredding;
#[cfg(test)]
mod tests;
