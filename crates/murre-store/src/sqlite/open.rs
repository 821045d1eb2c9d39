//! Opening a file: is it ours, under this key, of this version? Only then is anything written.

use super::scrub::Scrubber;
use super::table::Table;
use crate::error::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// "Murr": which application a file belongs to.
pub(super) const APPLICATION_ID: i32 = 0x4d75_7272;
/// Version of the tables above the spaces. Values have versions of their own.
pub(super) const SCHEMA_VERSION: i32 = 2;
/// Statements kept prepared by one connection: a device has some 60 spaces, each used in 3 or 4 ways.
const STATEMENTS: usize = 256;

/// Choices of the shell. They change speed and memory, never what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Page cache of one connection, KiB.
    pub cache_kib: u32,
    /// The WAL is brought into the file when it has so many pages of 4 KiB.
    pub checkpoint_pages: u32,
    /// How long another process may hold the store before [`StoreError::Busy`], ms.
    pub busy_ms: u32,
}

impl Default for Config {
    /// As measured on one million messages: a larger cache or WAL brings no speed, a larger WAL longer stalls.
    fn default() -> Self {
        Self { cache_kib: 4096, checkpoint_pages: 1000, busy_ms: 2000 }
    }
}

/// Opens or makes the file, with every table it has.
pub(super) fn writer(
    path: &Path,
    key: Option<&[u8; 32]>,
    config: Config,
) -> Result<(Connection, BTreeMap<u16, Table>), StoreError> {
    create_private(path)?;
    let conn = connect(path, key, config, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Closing a connection moves its WAL into the file, which would change a file that turns out not to be ours.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let empty = check(&conn)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Scrubber::check(&conn)?;
    settings(&conn, config)?;
    if empty {
        create_schema(&conn)?;
    }
    let tables = tables(&conn)?;
    Ok((conn, tables))
}

/// A connection under the key, before anything was read.
pub(super) fn connect(
    path: &Path,
    key: Option<&[u8; 32]>,
    config: Config,
    mode: OpenFlags,
) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(Duration::from_millis(u64::from(config.busy_ms)))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    if let Some(key) = key {
        conn.execute_batch(&key_pragma(key))?;
        // Its own log goes to standard error, where it would stand beside what the user reads. The key sets the log
        // up anew, so this comes after it; no page has been read yet.
        conn.execute_batch("PRAGMA cipher_log_level = NONE; PRAGMA cipher_log = off")?;
    }
    Ok(conn)
}

/// `PRAGMA key = "x'<64 hexadecimal digits>'"`, in one allocation so that no copy of the key is left behind.
fn key_pragma(key: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(96));
    text.push_str("PRAGMA key = \"x'");
    for byte in key {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push_str("'\"");
    text
}

/// Whose file it is. `true` if it is empty and may become ours.
// spec: M-17
fn check(conn: &Connection) -> Result<bool, StoreError> {
    let objects: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(|error| {
            match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::NotADatabase) => StoreError::WrongKey,
                _ => error.into(),
            }
        })?;
    let application_id: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let found: i32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match (application_id, found) {
        (0, 0) if objects == 0 => Ok(true),
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(false),
        (APPLICATION_ID, _) => Err(StoreError::Version { found, ours: SCHEMA_VERSION }),
        _ => Err(StoreError::Foreign { application_id }),
    }
}

/// What makes commits durable and erased bytes vanish. Holds for this connection; WAL and the page size also for
/// the file.
// spec: M-1
fn settings(conn: &Connection, config: Config) -> Result<(), StoreError> {
    conn.execute_batch(&format!(
        "PRAGMA page_size = 4096;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = OFF;
         PRAGMA cache_size = -{};",
        config.cache_kib
    ))?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Io { code: 0, what: format!("this place cannot hold a WAL (mode {mode})") });
    }
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = {};",
        config.checkpoint_pages
    ))?;
    Ok(())
}

fn create_schema(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {SCHEMA_VERSION};
         CREATE TABLE blobs(id INTEGER PRIMARY KEY);
         {}
         COMMIT;",
        super::text::SCHEMA
    ))?;
    Ok(())
}

/// The tables of all spaces.
fn tables(conn: &Connection) -> Result<BTreeMap<u16, Table>, StoreError> {
    let mut statement =
        conn.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name GLOB 's[0-9]*'")?;
    let mut rows = statement.query([])?;
    let mut tables = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (name, sql): (String, String) = (row.get(0)?, row.get(1)?);
        let id = name.trim_start_matches('s').parse().ok();
        match id.and_then(|id| Some((id, Table::from_schema(id, &sql)?))) {
            Some((id, table)) => tables.insert(id, table),
            None => return Err(unknown_table(&name)),
        };
    }
    Ok(tables)
}

/// A table in our file that no program of this version makes.
pub(super) fn unknown_table(name: &str) -> StoreError {
    StoreError::Corrupt { code: 0, what: format!("table {name} is not one of a space") }
}

/// Makes an empty file that only its owner may read; SQLite gives the WAL the same rights.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => sync_parent(path),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A new file is durable only when its name in the directory is.
fn sync_parent(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}
