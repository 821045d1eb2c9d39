//! One space as one table.
//!
//! SQLite orders integers as signed numbers; a key of a [`SpaceKind::Seq`] space is unsigned. Flipping the top bit
//! maps one order onto the other:
//!
//! ```text
//! key   0000000000000000 ... 7fffffffffffffff   8000000000000000 ... ffffffffffffffff
//! k     i64::MIN         ... -1                 0                ... i64::MAX
//! ```

use crate::error::{Misuse, StoreError};
use murre_core::store::{MAX_DOC, Rows};
use murre_core::{Direction, Range, SpaceKind};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params};
use std::ops::Bound;

const TOP_BIT: u64 = 1 << 63;

/// An unsigned number as the signed one with the same place in the order.
pub(super) const fn to_integer(key: u64) -> i64 {
    (key ^ TOP_BIT).cast_signed()
}

const fn from_integer(k: i64) -> u64 {
    k.cast_unsigned() ^ TOP_BIT
}

/// A document number as SQLite's row number: the same number, so that small ones stay small in the index.
pub(super) fn to_doc(doc: u64) -> Result<i64, StoreError> {
    if doc < MAX_DOC { Ok(doc.cast_signed()) } else { Err(Misuse::Doc { doc }.into()) }
}

/// The statements of one space. Their texts are kept because SQLite's statements are cached by text, and writing a
/// text anew for every row costs as much as the row.
#[derive(Debug)]
pub(super) struct Table {
    kind: SpaceKind,
    create: String,
    get: String,
    put: String,
    remove: String,
    forward: String,
    backward: String,
    forward_open: String,
    backward_open: String,
}

impl Table {
    pub(super) fn new(id: u16, kind: SpaceKind) -> Self {
        let upper = match kind {
            SpaceKind::Seq => "<=",
            SpaceKind::Any => "<",
        };
        let bounded = format!("SELECT k, v FROM s{id} WHERE k >= ?1 AND k {upper} ?2");
        let open = format!("SELECT k, v FROM s{id} WHERE k >= ?1");
        Self {
            kind,
            create: match kind {
                SpaceKind::Seq => format!("CREATE TABLE s{id}(k INTEGER PRIMARY KEY, v BLOB NOT NULL)"),
                SpaceKind::Any => {
                    format!("CREATE TABLE s{id}(k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
                }
            },
            get: format!("SELECT v FROM s{id} WHERE k = ?1"),
            put: format!("INSERT OR REPLACE INTO s{id}(k, v) VALUES(?1, ?2)"),
            remove: format!("DELETE FROM s{id} WHERE k = ?1"),
            forward: format!("{bounded} ORDER BY k LIMIT ?3"),
            backward: format!("{bounded} ORDER BY k DESC LIMIT ?3"),
            forward_open: format!("{open} ORDER BY k LIMIT ?2"),
            backward_open: format!("{open} ORDER BY k DESC LIMIT ?2"),
        }
    }

    /// The table that `sql` made, as SQLite keeps it. `None` if no space of ours is made like that.
    pub(super) fn from_schema(id: u16, sql: &str) -> Option<Self> {
        [SpaceKind::Seq, SpaceKind::Any]
            .into_iter()
            .map(|kind| Self::new(id, kind))
            .find(|table| table.create == sql)
    }

    pub(super) const fn kind(&self) -> SpaceKind {
        self.kind
    }

    pub(super) fn create(&self) -> &str {
        &self.create
    }

    pub(super) fn get(&self, conn: &Connection, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = conn.prepare_cached(&self.get)?;
        let value = match seq_key(self.kind, key) {
            Some(k) => statement.query_row([k], |row| row.get(0)),
            None => statement.query_row([key], |row| row.get(0)),
        };
        Ok(value.optional()?)
    }

    pub(super) fn put(&self, conn: &Connection, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut statement = conn.prepare_cached(&self.put)?;
        match seq_key(self.kind, key) {
            Some(k) => statement.execute(params![k, value])?,
            None => statement.execute(params![key, value])?,
        };
        Ok(())
    }

    pub(super) fn remove(&self, conn: &Connection, key: &[u8]) -> Result<(), StoreError> {
        let mut statement = conn.prepare_cached(&self.remove)?;
        match seq_key(self.kind, key) {
            Some(k) => statement.execute([k])?,
            None => statement.execute([key])?,
        };
        Ok(())
    }

    pub(super) fn scan(
        &self,
        conn: &Connection,
        range: &Range,
        dir: Direction,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (bounded, open) = match dir {
            Direction::Forward => (&self.forward, &self.forward_open),
            Direction::Backward => (&self.backward, &self.backward_open),
        };
        match self.kind {
            SpaceKind::Seq => {
                let Some((from, to)) = seq_bounds(range) else { return Ok(Rows::new()) };
                let (from, to) = (to_integer(from), to_integer(to));
                collect(conn.prepare_cached(bounded)?, params![from, to, limit], |row| {
                    Ok((from_integer(row.get(0)?).to_be_bytes().to_vec(), row.get(1)?))
                })
            }
            SpaceKind::Any => {
                let from = match &range.from {
                    Bound::Included(key) => key.clone(),
                    Bound::Excluded(key) => successor(key),
                    Bound::Unbounded => Vec::new(),
                };
                let to = match &range.to {
                    Bound::Included(key) => successor(key),
                    Bound::Excluded(key) => key.clone(),
                    Bound::Unbounded => {
                        return collect(conn.prepare_cached(open)?, params![from, limit], pair);
                    }
                };
                collect(conn.prepare_cached(bounded)?, params![from, to, limit], pair)
            }
        }
    }
}

fn pair(row: &Row<'_>) -> rusqlite::Result<(Vec<u8>, Vec<u8>)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn collect<P: Params>(
    mut statement: CachedStatement<'_>,
    params: P,
    row: impl FnMut(&Row<'_>) -> rusqlite::Result<(Vec<u8>, Vec<u8>)>,
) -> Result<Rows, StoreError> {
    Ok(statement.query_map(params, row)?.collect::<rusqlite::Result<Rows>>()?)
}

/// The integer for a key of a `Seq` space. The length was checked before.
fn seq_key(kind: SpaceKind, key: &[u8]) -> Option<i64> {
    match kind {
        SpaceKind::Seq => key.try_into().ok().map(|bytes| to_integer(u64::from_be_bytes(bytes))),
        SpaceKind::Any => None,
    }
}

/// The next byte string after `key`: nothing sorts between the two.
fn successor(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// First and last 8-byte key inside a range whose ends may have any length, e.g. `Range::prefix` of 4 bytes.
/// `None` if there is no such key.
fn seq_bounds(range: &Range) -> Option<(u64, u64)> {
    let from = match &range.from {
        Bound::Unbounded => 0,
        Bound::Included(key) => first_from(key, true)?,
        Bound::Excluded(key) => first_from(key, false)?,
    };
    // What lies below an end is everything before the first key at or above it.
    let to = match &range.to {
        Bound::Unbounded => u64::MAX,
        Bound::Included(key) => last_before(first_from(key, false))?,
        Bound::Excluded(key) => last_before(first_from(key, true))?,
    };
    (from <= to).then_some((from, to))
}

/// The smallest 8-byte key that is at least `key`, or greater than `key` if it is not `included`.
/// `None` if all are smaller.
fn first_from(key: &[u8], included: bool) -> Option<u64> {
    let mut head = [0; 8];
    for (to, from) in head.iter_mut().zip(key) {
        *to = *from;
    }
    let head = u64::from_be_bytes(head);
    match key.len() {
        // A shorter key sorts before every key it begins.
        0..8 => Some(head),
        8 if included => Some(head),
        // A longer key sorts after its own first 8 bytes.
        _ => head.checked_add(1),
    }
}

/// The key before the first one that is out.
fn last_before(first_out: Option<u64>) -> Option<u64> {
    match first_out {
        Some(key) => key.checked_sub(1),
        None => Some(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
        let byte = prop_oneof![Just(0u8), Just(1), Just(0x7f), Just(0x80), Just(0xff)];
        let key = proptest::collection::vec(byte, 0..11);
        prop_oneof![
            Just(Bound::Unbounded),
            key.clone().prop_map(Bound::Included),
            key.prop_map(Bound::Excluded)
        ]
    }

    proptest! {
        #[test]
        fn integer_bounds_hold_exactly_the_keys_of_the_range(from in bound(), to in bound(), near in -2i64..3, at in any::<bool>(), any_key in any::<u64>()) {
            let range = Range { from, to };
            let bounds = seq_bounds(&range);
            let end = bounds.map_or(any_key, |(from, to)| if at { from } else { to });
            for key in [any_key, end.wrapping_add_signed(near)] {
                let inside = bounds.is_some_and(|(from, to)| from <= key && key <= to);
                prop_assert_eq!(inside, range.contains(&key.to_be_bytes()), "{:016x} in {:?}", key, range);
            }
        }

        #[test]
        fn integers_keep_the_order_of_keys(a in any::<u64>(), b in any::<u64>()) {
            prop_assert_eq!(a.cmp(&b), to_integer(a).cmp(&to_integer(b)));
            prop_assert_eq!(from_integer(to_integer(a)), a);
        }
    }
}
