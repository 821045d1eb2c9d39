//! A second connection for history, search and lists: it never waits for the machine, nor the machine for it.

use super::open::{self, Config, unknown_table};
use super::table::Table;
use crate::error::{StoreError, view_error};
use crate::tx::{check_key, check_kind};
use murre_core::store::Rows;
use murre_core::{BlobNo, Direction, Query, Range, Search, Space, View, ViewError};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A read-only [`View`] of what is committed at the moment of each read. Two reads may see two states.
pub struct SqliteReader {
    conn: Connection,
    /// Tables seen so far. A table that was seen stays, because committed tables are never dropped.
    tables: RefCell<BTreeMap<u16, Arc<Table>>>,
    blobs: PathBuf,
}

impl SqliteReader {
    pub(super) fn open(path: &Path, key: Option<&[u8; 32]>, config: Config) -> Result<Self, StoreError> {
        let conn = open::connect(path, key, config, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        conn.execute_batch(&format!(
            "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{};",
            config.cache_kib
        ))?;
        Ok(Self { conn, tables: RefCell::default(), blobs: super::blobs::directory(path) })
    }

    fn table(&self, space: Space) -> Result<Option<Arc<Table>>, StoreError> {
        let known = self.tables.borrow().get(&space.id).cloned();
        let table = match known {
            Some(table) => table,
            None => {
                let name = format!("s{}", space.id);
                let sql: Option<String> = self
                    .conn
                    .prepare_cached("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1")?
                    .query_row([&name], |row| row.get(0))
                    .optional()?;
                let Some(sql) = sql else { return Ok(None) };
                let table = Arc::new(Table::from_schema(space.id, &sql).ok_or_else(|| unknown_table(&name))?);
                self.tables.borrow_mut().insert(space.id, Arc::clone(&table));
                table
            }
        };
        check_kind(space, table.kind())?;
        Ok(Some(table))
    }
}

impl View for SqliteReader {
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
        super::blobs::read_once(&self.blobs, blob, offset, len).map_err(view_error)
    }
}

impl Search for SqliteReader {
    fn search(
        &self,
        query: &Query,
        tag: Option<u32>,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, ViewError> {
        super::text::search(&self.conn, query, tag, below, limit).map_err(view_error)
    }
}

impl std::fmt::Debug for SqliteReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteReader").field("tables", &self.tables.borrow().len()).finish_non_exhaustive()
    }
}
