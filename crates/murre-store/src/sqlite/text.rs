//! Full text: what is kept, what is indexed, how both are searched.
//!
//! ```text
//!  texts    doc INTEGER PRIMARY KEY, tag, text        every text, as it was given
//!           |<------ in the index ------>|<--- tail --->|
//!                                     upto            newest
//!  indexed  upto                                      all up to here are in the index
//!  words    FTS5, contentless: the words of a text, and its tag, under its number
//! ```
//!
//! The turn that brings a text writes one row in append order. The index follows in steps of its own, when nothing
//! else is to be done: at most [`STEP`] texts and one bounded merge each. A search scans the tail and asks the
//! index for the rest. FTS5 sees only words cut by [`murre_core::words`], joined by spaces; so index and tail find
//! the same, and nothing that anybody types reaches FTS5 as syntax.

use super::table::to_doc;
use crate::error::StoreError;
use murre_core::words::{Query, words};
use rusqlite::{Connection, OptionalExtension, params};
use std::fmt::Write;

/// Texts of one step.
pub(super) const STEP: usize = 200;
/// Bytes of text after which a step ends early.
const STEP_BYTES: usize = 256 << 10;
/// Pages one step merges. With 16, as many as it takes to keep up while nothing waits, each longest step is 10 ms.
const MERGE_PAGES: i64 = 16;
/// The tail is as long as this before a busy store puts a step in between.
pub(super) const CROWD: usize = 4_000;
/// The same in bytes.
pub(super) const CROWD_BYTES: usize = 4 << 20;

/// `prefix`: one and two letters begin so many words that they have lists of their own. `columnsize`: nothing ranks.
pub(super) const SCHEMA: &str = "
    CREATE TABLE texts(doc INTEGER PRIMARY KEY, tag INTEGER NOT NULL, text TEXT NOT NULL);
    CREATE TABLE indexed(one INTEGER PRIMARY KEY CHECK(one = 1), upto INTEGER NOT NULL);
    INSERT INTO indexed(one, upto) VALUES(1, -1);
    CREATE VIRTUAL TABLE words USING fts5(
        text, tag, content = '', columnsize = 0, prefix = '1 2', tokenize = 'ascii');
    INSERT INTO words(words, rank) VALUES('secure-delete', 1);
    INSERT INTO words(words, rank) VALUES('automerge', 0);
    INSERT INTO words(words, rank) VALUES('crisismerge', 1000);
    INSERT INTO words(words, rank) VALUES('pgsz', 3800);";

/// What the writer remembers of the index, so that a text costs no extra read.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Everything up to here is in the index.
    upto: i64,
    /// Texts and bytes that came in since the last step or are left of before.
    tail: (usize, usize),
    /// The same, of the open transaction.
    fresh: (usize, usize),
    /// The last step found nothing to index and nothing to merge, and nothing came since.
    settled: bool,
}

impl Texts {
    pub fn open(conn: &Connection) -> Result<Self, StoreError> {
        let upto = upto(conn)?;
        let tail = "SELECT count(*), ifnull(sum(length(text)), 0) FROM texts WHERE doc > ?1";
        let tail = conn.query_row(tail, [upto], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { upto, tail, fresh: (0, 0), settled: false })
    }

    /// Whether a step would do something.
    pub const fn wants_step(&self) -> bool {
        !self.settled
    }

    /// Whether so much waits that searching it begins to take time.
    pub const fn is_crowded(&self) -> bool {
        self.tail.0 >= CROWD || self.tail.1 >= CROWD_BYTES
    }

    pub fn committed(&mut self) {
        let (texts, bytes) = std::mem::take(&mut self.fresh);
        self.tail = (self.tail.0 + texts, self.tail.1 + bytes);
    }

    pub fn rolled_back(&mut self) {
        self.fresh = (0, 0);
    }

    /// Keeps a text. True if it replaced another one.
    pub fn put(&mut self, conn: &Connection, doc: u64, tag: u32, text: &str) -> Result<bool, StoreError> {
        let doc = to_doc(doc)?;
        let replaced = self.remove_row(conn, doc)?;
        conn.prepare_cached("INSERT INTO texts(doc, tag, text) VALUES(?1, ?2, ?3)")?
            .execute(params![doc, tag, text])?;
        if doc <= self.upto {
            // Behind the cursor: nobody will come by again.
            add(conn, doc, tag, text)?;
        } else {
            self.fresh = (self.fresh.0 + 1, self.fresh.1 + text.len());
        }
        self.settled = false;
        Ok(replaced)
    }

    /// Forgets a text, and takes its words out of the index.
    // spec: M-16, M-28
    pub fn remove(&mut self, conn: &Connection, doc: u64) -> Result<(), StoreError> {
        self.remove_row(conn, to_doc(doc)?).map(drop)
    }

    fn remove_row(&mut self, conn: &Connection, doc: i64) -> Result<bool, StoreError> {
        let row: Option<(u32, String)> = conn
            .prepare_cached("SELECT tag, text FROM texts WHERE doc = ?1")?
            .query_row([doc], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((tag, text)) = row else { return Ok(false) };
        if doc <= self.upto {
            conn.prepare_cached("INSERT INTO words(words, rowid, text, tag) VALUES('delete', ?1, ?2, ?3)")?
                .execute(params![doc, joined(&text), tag])?;
        }
        conn.prepare_cached("DELETE FROM texts WHERE doc = ?1")?.execute([doc])?;
        self.settled = false;
        Ok(true)
    }

    /// One step of the index, in a transaction of its own. Nothing is changed after an error.
    // spec: M-27
    pub fn step(&mut self, conn: &Connection) -> Result<(), StoreError> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let stepped = step(conn, self.upto).and_then(|done| {
            conn.prepare_cached("COMMIT")?.execute([])?;
            Ok(done)
        });
        if stepped.is_err() && !conn.is_autocommit() {
            let _ = conn.execute_batch("ROLLBACK");
        }
        let done = stepped?;
        self.upto = done.upto;
        // Forgotten texts are not counted off one by one: whoever reaches the end knows that nothing is left.
        let left = (self.tail.0.saturating_sub(done.texts), self.tail.1.saturating_sub(done.bytes));
        self.tail = if done.at_end { (0, 0) } else { left };
        self.settled = done.texts == 0 && !done.merged;
        Ok(())
    }
}

struct Step {
    upto: i64,
    texts: usize,
    bytes: usize,
    at_end: bool,
    merged: bool,
}

fn step(conn: &Connection, mut upto: i64) -> Result<Step, StoreError> {
    let (mut texts, mut bytes) = (0, 0);
    let mut statement =
        conn.prepare_cached("SELECT doc, tag, text FROM texts WHERE doc > ?1 ORDER BY doc LIMIT ?2")?;
    let mut rows = statement.query(params![upto, STEP])?;
    while let Some(row) = rows.next()? {
        let (doc, tag, text): (i64, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        add(conn, doc, tag, &text)?;
        (upto, texts, bytes) = (doc, texts + 1, bytes + text.len());
        if bytes >= STEP_BYTES {
            break;
        }
    }
    let at_end = texts < STEP && bytes < STEP_BYTES;
    if texts > 0 {
        conn.prepare_cached("UPDATE indexed SET upto = ?1")?.execute([upto])?;
    }
    // FTS5 says so: fewer than two changes mean that there was nothing to merge.
    let before = conn.total_changes();
    conn.prepare_cached("INSERT INTO words(words, rank) VALUES('merge', ?1)")?.execute([MERGE_PAGES])?;
    let merged = conn.total_changes() - before >= 2;
    Ok(Step { upto, texts, bytes, at_end, merged })
}

fn upto(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.prepare_cached("SELECT upto FROM indexed")?.query_row([], |row| row.get(0))?)
}

fn add(conn: &Connection, doc: i64, tag: u32, text: &str) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO words(rowid, text, tag) VALUES(?1, ?2, ?3)")?.execute(params![
        doc,
        joined(text),
        tag
    ])?;
    Ok(())
}

fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in words(text) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word);
    }
    out
}

/// Searches tail and index in one state of the store.
// spec: M-27, M-30
pub(super) fn search(
    conn: &Connection,
    query: &Query,
    tag: Option<u32>,
    below: Option<u64>,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    // Inside a transaction all reads see one state anyway. Otherwise a step could move texts from the tail into the
    // index between the two reads.
    let frozen = conn.is_autocommit().then(|| conn.unchecked_transaction()).transpose()?;
    let below = below.and_then(|doc| i64::try_from(doc).ok()).unwrap_or(i64::MAX);
    let upto = upto(conn)?;
    let mut found = scan_tail(conn, query, tag, (upto, below), limit)?;
    if found.len() < limit {
        let below = below.min(upto.saturating_add(1));
        let limit = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
        let mut statement = conn.prepare_cached(
            "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3",
        )?;
        let docs = statement.query_map(params![expression(query, tag), below, limit], |row| row.get(0))?;
        for doc in docs {
            found.push(i64::cast_unsigned(doc?));
        }
    }
    drop(frozen);
    Ok(found)
}

fn scan_tail(
    conn: &Connection,
    query: &Query,
    tag: Option<u32>,
    (after, below): (i64, i64),
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    let mut statement = conn
        .prepare_cached("SELECT doc, tag, text FROM texts WHERE doc > ?1 AND doc < ?2 ORDER BY doc DESC")?;
    let mut rows = statement.query([after, below])?;
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        if tag.is_some_and(|tag| row.get(1) != Ok(tag)) {
            continue;
        }
        let text = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        if query.finds(text) {
            found.push(row.get::<_, i64>(0)?.cast_unsigned());
        }
    }
    Ok(found)
}

/// The query in FTS5's language. Words hold no ASCII but letters and digits, so nothing has to be escaped.
fn expression(query: &Query, tag: Option<u32>) -> String {
    let mut out = String::new();
    for phrase in query.phrases() {
        let and = if out.is_empty() { "" } else { " AND " };
        let open = if phrase.open { " *" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(out, "{and}text : \"{}\"{open}", phrase.words.join(" "));
    }
    if let Some(tag) = tag {
        let _ = write!(out, " AND tag : \"{tag}\"");
    }
    out
}
