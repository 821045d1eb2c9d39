//! What `secure_delete` of SQLite leaves behind, and how it goes.
//!
//! `secure_delete` zeroes a row where it is removed. But when the tree is balanced, a page is built anew from the rows
//! that stay on it, and the copies of those that moved to a sibling are left in the room between the page's list of
//! cells and its first cell. Once such a row is erased at its new place, nothing ever zeroes the old copy.
//!
//! ```text
//!  page   | header | list of cells |  room: stale copies of rows that were moved  | cells ...  | (encryption's own) |
//!                                  `------------- zeroed here -------------------'
//! ```
//!
//! The WAL says which pages were written since the last look; only these are looked at, before the WAL that names
//! them is overwritten. Pages are read and written through SQLite (`sqlite_dbpage`), so that caches, encryption and
//! transactions stay right.

use crate::error::StoreError;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const PAGE: u64 = 4096;
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: usize = 24;
/// Pages that are looked at in one go.
const CHUNK: usize = 256;
/// From so many pages on, the first byte of an overflow page could look like that of a page with cells.
const MOST_PAGES: u32 = 0x0200_0000;

/// Looks after one store.
#[derive(Debug)]
pub(super) struct Scrubber {
    wal: PathBuf,
    /// Which WAL was looked at: each one has other salts.
    salts: [u8; 8],
    /// So many of its frames were looked at.
    frames: u64,
    /// A look failed, so nobody knows which pages to look at.
    all: bool,
}

impl Scrubber {
    pub fn new(store: &Path) -> Self {
        let mut wal = store.as_os_str().to_owned();
        wal.push("-wal");
        Self { wal: wal.into(), salts: [0; 8], frames: 0, all: false }
    }

    /// Whether this SQLite can do it.
    pub fn check(conn: &Connection) -> Result<(), StoreError> {
        conn.prepare(READ).map(drop).map_err(|_| StoreError::Io {
            code: 0,
            what: "this SQLite lacks SQLITE_ENABLE_DBPAGE_VTAB; build with LIBSQLITE3_FLAGS as in .cargo/config.toml"
                .to_owned(),
        })
    }

    /// Bytes of the WAL.
    pub fn wal_len(&self) -> u64 {
        std::fs::metadata(&self.wal).map_or(0, |wal| wal.len())
    }

    /// Zeroes the room on every page that was written since the last call. Not inside a transaction.
    // spec: M-16
    pub fn run(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let done = self.look(conn);
        // What could not be looked at now is not known later.
        self.all = done.is_err();
        done
    }

    fn look(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let pages: Vec<u32> = if self.all {
            self.changed()?;
            (1..=conn.query_row("PRAGMA page_count", [], |row| row.get(0))?).collect()
        } else {
            self.changed()?.into_iter().collect()
        };
        for some in pages.chunks(CHUNK) {
            let stale = stale(conn, some)?;
            if !stale.is_empty() {
                write(conn, &stale)?;
            }
        }
        Ok(())
    }

    /// The pages in those frames of the WAL that were not looked at yet.
    fn changed(&mut self) -> Result<BTreeSet<u32>, StoreError> {
        let wal = match File::open(&self.wal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            opened => opened?,
        };
        let mut header = [0; WAL_HEADER as usize];
        if !filled(&wal, &mut header, 0)? {
            return Ok(BTreeSet::new());
        }
        if header[16..24] != self.salts {
            self.salts.copy_from_slice(&header[16..24]);
            self.frames = 0;
        }
        let (mut pages, mut at) = (BTreeSet::new(), self.frames);
        let mut frame = [0; FRAME_HEADER];
        while filled(&wal, &mut frame, WAL_HEADER + at * (FRAME_HEADER as u64 + PAGE))?
            && frame[8..16] == self.salts
        {
            at += 1;
            pages.insert(number(&frame[..4]));
            // The last frame of a transaction says how large the file is. What comes after the last such frame was
            // rolled back, and its place will be written again.
            if number(&frame[4..8]) > 0 {
                self.frames = at;
            }
        }
        Ok(pages)
    }
}

const READ: &str = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
const WRITE: &str = "UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1";

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// `false` at the end of the file.
fn filled(file: &File, out: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(out, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        done => done.map(|()| true),
    }
}

/// Those of the pages that have something in their room, and what they should be.
fn stale(conn: &Connection, pages: &[u32]) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
    let mut statement = conn.prepare_cached(READ)?;
    let mut found = Vec::new();
    for page in pages.iter().copied().filter(|page| *page < MOST_PAGES) {
        let mut rows = statement.query([page])?;
        let Some(row) = rows.next()? else { continue };
        let bytes = row.get_ref(0)?.as_blob().unwrap_or_default();
        let Some(room) = room(page, bytes) else { continue };
        if bytes[room.clone()].iter().any(|byte| *byte != 0) {
            let mut clean = bytes.to_vec();
            clean[room].fill(0);
            found.push((page, clean));
        }
    }
    Ok(found)
}

fn write(conn: &Connection, pages: &[(u32, Vec<u8>)]) -> Result<(), StoreError> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let all = || -> rusqlite::Result<()> {
        let mut statement = conn.prepare_cached(WRITE)?;
        pages.iter().try_for_each(|(page, bytes)| statement.execute((page, bytes)).map(drop))
    };
    let done = all().and_then(|()| conn.execute_batch("COMMIT"));
    if done.is_err() && !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    Ok(done?)
}

/// The room of a page that has cells: where its list of cells ends, to where its first cell begins.
fn room(page: u32, bytes: &[u8]) -> Option<Range<usize>> {
    let header = if page == 1 { 100 } else { 0 };
    let list = header
        + match bytes.get(header)? {
            2 | 5 => 12,
            10 | 13 => 8,
            _ => return None,
        };
    let short = |at: usize| bytes.get(at..at + 2).map(|two| number(two) as usize);
    let cells = short(header + 3)?;
    let first = match short(header + 5)? {
        0 => 65_536,
        first => first,
    };
    let from = list + 2 * cells;
    (from <= first && first <= bytes.len()).then_some(from..first)
}
