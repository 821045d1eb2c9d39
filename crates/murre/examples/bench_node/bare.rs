//! Bare SQLite beside a node: the very rows that it has written, written and read anew.

use super::table::Result;
use murre_core::codec::decode_row;
use murre_core::id::BoxId;
use murre_custodian::rows::{self as node, IdRow, V};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Bytes of a page of the store.
const PAGE: usize = 4_096;

type Row = (Vec<u8>, Vec<u8>);

/// What one box made the node write.
struct Written {
    number: i64,
    bytes: Vec<u8>,
    id: Row,
    list: Row,
    repair: Row,
}

/// What bare SQLite takes.
pub struct Bare {
    /// Boxes a second.
    pub put: f64,
    pub get: f64,
    /// Of a file with the boxes alone.
    pub bytes: u64,
    /// The same rows in pages of 8 KiB: boxes a second, and bytes of the file.
    pub wide: (f64, u64),
}

impl Bare {
    /// `per_commit`: as many boxes as the node had in one transaction.
    pub fn measure(from: &Path, to: &Path, per_commit: usize, gets: usize) -> Result<Self> {
        let source = Connection::open(from)?;
        let boxes = written(&source)?;
        let counters = [node::LOCATORS, node::TAGS, node::EPOCHS].map(|space| space.id);
        let counters: Vec<(u16, Vec<Row>)> =
            counters.into_iter().map(|space| Ok((space, rows(&source, space)?))).collect::<Result<_>>()?;
        let mut conn = settings(to, PAGE)?;
        let put = puts(&mut conn, &boxes, &counters, per_commit)?;
        let get = reads(&conn, &boxes, gets)?;
        let bytes = alone(&to.with_extension("alone"), &boxes)?;
        let wide = to.with_extension("wide");
        let mut conn = settings(&wide, 2 * PAGE)?;
        let fast = puts(&mut conn, &boxes, &counters, per_commit)?;
        drop(conn);
        Ok(Self { put, get, bytes, wide: (fast, std::fs::metadata(&wide)?.len()) })
    }
}

/// Rows of a space with a key of any kind.
fn rows(conn: &Connection, space: u16) -> Result<Vec<Row>> {
    let mut statement = conn.prepare(&format!("SELECT k, v FROM s{space}"))?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<std::result::Result<_, _>>()?)
}

/// The boxes in the order in which they came, each with its rows.
fn written(conn: &Connection) -> Result<Vec<Written>> {
    let id_of = |bytes: &[u8]| -> Result<BoxId> { Ok(BoxId::from_bytes(bytes.try_into()?)) };
    let mut lists = BTreeMap::new();
    for (k, v) in rows(conn, node::LIST.id)? {
        lists.insert(id_of(&v)?, (k, v));
    }
    let mut repairs = BTreeMap::new();
    for (k, v) in rows(conn, node::REPAIR.id)? {
        repairs.insert(id_of(&k[k.len() - 32..])?, (k, v));
    }
    let mut ids = BTreeMap::new();
    for (k, v) in rows(conn, node::IDS.id)? {
        ids.insert(decode_row::<IdRow>(V, &v)?.n, (k, v));
    }
    let mut boxes = conn.prepare(&format!("SELECT k, v FROM s{} ORDER BY k", node::BOXES.id))?;
    let boxes = boxes.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let boxes: Vec<(i64, Vec<u8>)> = boxes.collect::<std::result::Result<_, _>>()?;
    let mut out = Vec::with_capacity(boxes.len());
    // Both in the order of arrival numbers.
    for ((number, bytes), (_, id)) in boxes.into_iter().zip(ids) {
        let of = id_of(&id.0)?;
        let list = lists.remove(&of).ok_or("a box without a place in a list")?;
        let repair = repairs.remove(&of).ok_or("a box without a row for repair")?;
        out.push(Written { number, bytes, id, list, repair });
    }
    Ok(out)
}

fn puts(
    conn: &mut Connection,
    boxes: &[Written],
    counters: &[(u16, Vec<Row>)],
    per_commit: usize,
) -> Result<f64> {
    let [plain, ids, list, repair] = [node::BOXES, node::IDS, node::LIST, node::REPAIR].map(|s| s.id);
    conn.execute_batch(&format!("CREATE TABLE s{plain}(k INTEGER PRIMARY KEY, v BLOB NOT NULL)"))?;
    for space in [ids, list, repair].into_iter().chain(counters.iter().map(|(space, _)| *space)) {
        conn.execute_batch(&format!(
            "CREATE TABLE s{space}(k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"
        ))?;
    }
    let into = |space: u16| format!("INSERT OR REPLACE INTO s{space}(k, v) VALUES(?1, ?2)");
    let began = Instant::now();
    for (lot, some) in boxes.chunks(per_commit).enumerate() {
        let tx = conn.transaction()?;
        for (n, written) in some.iter().enumerate() {
            tx.prepare_cached(&into(plain))?.execute(params![written.number, written.bytes])?;
            for (space, (k, v)) in [(ids, &written.id), (list, &written.list), (repair, &written.repair)] {
                tx.prepare_cached(&into(space))?.execute(params![k, v])?;
            }
            for (space, rows) in counters {
                let (k, v) = &rows[(lot * per_commit + n) % rows.len()];
                tx.prepare_cached(&into(*space))?.execute(params![k, v])?;
            }
        }
        tx.commit()?;
    }
    Ok(boxes.len() as f64 / began.elapsed().as_secs_f64())
}

fn reads(conn: &Connection, boxes: &[Written], count: usize) -> Result<f64> {
    let find = |space: u16| format!("SELECT v FROM s{space} WHERE k = ?1");
    let (ids, plain) = (find(node::IDS.id), find(node::BOXES.id));
    let began = Instant::now();
    for n in 0..count {
        let wanted = &boxes[n * 7_919 % boxes.len()];
        let id: Vec<u8> = conn.prepare_cached(&ids)?.query_row([&wanted.id.0], |row| row.get(0))?;
        let found: Vec<u8> = conn.prepare_cached(&plain)?.query_row([wanted.number], |row| row.get(0))?;
        if id.is_empty() || found.len() != wanted.bytes.len() {
            return Err("something else was read".into());
        }
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// A connection with the settings of the store; a WAL of as many bytes whatever the page.
fn settings(path: &Path, page: usize) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.execute_batch(&format!(
        "PRAGMA page_size = {page}; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = {};",
        1_000 * PAGE / page
    ))?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// Size of a file that holds the boxes and nothing else.
fn alone(path: &Path, boxes: &[Written]) -> Result<u64> {
    let mut conn = settings(path, PAGE)?;
    conn.execute_batch("CREATE TABLE boxes(k INTEGER PRIMARY KEY, v BLOB NOT NULL)")?;
    let tx = conn.transaction()?;
    for written in boxes {
        let mut insert = tx.prepare_cached("INSERT INTO boxes(k, v) VALUES(?1, ?2)")?;
        insert.execute(params![written.number, written.bytes])?;
    }
    tx.commit()?;
    drop(conn);
    Ok(std::fs::metadata(path)?.len())
}
