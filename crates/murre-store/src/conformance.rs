//! The one suite that every store has to pass.
//!
//! Public and free of features, so that a store written elsewhere can be held to the same rules. Every function
//! panics at the first deviation, naming it.

mod text;

use crate::Store;
use murre_core::store::{Op, Rows};
use murre_core::{Batch, BlobNo, Direction, Range, Rng, Space, Turn, View};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Spaces the suite writes to: two of each kind, far from the numbers of any machine.
pub const SPACES: [Space; 4] = [
    Space::seq(60_000, "suite seq"),
    Space::seq(60_001, "suite seq 2"),
    Space::any(60_002, "suite any"),
    Space::any(60_003, "suite any 2"),
];
const SEQ: Space = SPACES[0];
const ANY: Space = SPACES[2];

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `Op::Put` of a value of so many bytes.
    Put(u16),
    /// `Op::Delete`.
    Delete,
    /// `Op::Erase`.
    Erase,
}

/// One step of a random run. [`replay`] opens transactions where they are needed.
#[derive(Clone, Debug)]
pub enum Step {
    /// Apply one batch: index into [`SPACES`], key number, change.
    Apply(Vec<(usize, u8, Change)>),
    /// Commit, if a transaction is open.
    Commit,
    /// Roll back, also without a transaction.
    Rollback,
    /// Compare one scan: index into [`SPACES`], range, direction, limit.
    Scan(usize, Range, Direction, usize),
}

type Model = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

/// The key with this number: 16 for each kind, close together and at the ends of the range, so that keys collide
/// and ranges cut between them.
#[must_use]
pub fn key(space: Space, number: u8) -> Vec<u8> {
    let number = number % 16;
    match space.kind {
        murre_core::SpaceKind::Seq => {
            let edges = [0, (1 << 32) - 2, (1 << 63) - 2, u64::MAX - 3];
            let edge = edges.iter().cycle().nth(usize::from(number / 4)).copied().unwrap_or(0);
            (edge + u64::from(number % 4)).to_be_bytes().to_vec()
        }
        // Lengths 0 to 3, of bytes at both ends.
        murre_core::SpaceKind::Any => {
            let bytes = [[0x00, 0x00, 0x01], [0x00, 0xff, 0x00], [0x7f, 0x80, 0x00], [0xff, 0xff, 0xff]];
            let length = usize::from(number % 4);
            bytes
                .iter()
                .cycle()
                .nth(usize::from(number / 4))
                .into_iter()
                .flatten()
                .take(length)
                .copied()
                .collect()
        }
    }
}

/// Runs the steps on a store and on a map, and compares every row after each step.
///
/// # Panics
/// At the first difference, and if the store fails.
pub fn replay(store: &mut dyn Store, steps: &[Step]) {
    let mut committed = Model::new();
    let mut model = Model::new();
    let mut open = false;
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Apply(changes) => {
                if !open {
                    store.begin().expect("begin");
                    open = true;
                }
                let batch = batch_of(changes, at, &mut model);
                store.apply(&batch).expect("apply");
            }
            Step::Commit => {
                if open {
                    store.commit().expect("commit");
                    committed = model.clone();
                    open = false;
                }
            }
            Step::Rollback => {
                store.rollback();
                model = committed.clone();
                open = false;
            }
            Step::Scan(space, range, dir, limit) => {
                let space = SPACES[space % SPACES.len()];
                let found = store.scan(space, range, *dir, *limit).expect("scan");
                assert_eq!(found, model_scan(&model, space, range, *dir, *limit), "step {at}: {step:?}");
            }
        }
        compare(store, &model, at);
    }
    store.rollback();
    compare(store, &committed, steps.len());
}

fn batch_of(changes: &[(usize, u8, Change)], at: usize, model: &mut Model) -> Batch {
    let mut batch = Batch::default();
    for (space, number, change) in changes {
        let space = SPACES[space % SPACES.len()];
        let key = key(space, *number);
        batch.ops.push(match change {
            Change::Put(length) => {
                let value: Vec<u8> = (0..*length).map(|i| (usize::from(i) ^ at) as u8).collect();
                model.insert((space, key.clone()), value.clone());
                Op::Put { space, key, value }
            }
            Change::Delete => {
                model.remove(&(space, key.clone()));
                Op::Delete { space, key }
            }
            Change::Erase => {
                model.remove(&(space, key.clone()));
                Op::Erase { space, key }
            }
        });
    }
    batch
}

fn model_scan(model: &Model, space: Space, range: &Range, dir: Direction, limit: usize) -> Rows {
    let rows = model
        .iter()
        .filter(|((s, key), _)| *s == space && range.contains(key))
        .map(|((_, key), value)| (key.clone(), value.clone()));
    match dir {
        Direction::Forward => rows.take(limit).collect(),
        Direction::Backward => rows.rev().take(limit).collect(),
    }
}

/// Every row of every space, by scan and by get.
fn compare(view: &dyn Store, model: &Model, at: usize) {
    for space in SPACES {
        let found = view.scan(space, &Range::all(), Direction::Forward, usize::MAX).expect("scan");
        let expected = model_scan(model, space, &Range::all(), Direction::Forward, usize::MAX);
        assert_eq!(found, expected, "after step {at}: {}", space.name);
        for number in 0..16 {
            let key = key(space, number);
            let found = view.get(space, &key).expect("get");
            assert_eq!(found.as_ref(), model.get(&(space, key)), "after step {at}: {}", space.name);
        }
    }
}

/// A random run of `count` steps.
#[must_use]
pub fn steps(rng: &mut Rng, count: usize) -> Vec<Step> {
    (0..count)
        .map(|_| match rng.below(10) {
            0..4 => {
                let changes = rng.below(6);
                Step::Apply((0..changes).map(|_| change(rng)).collect())
            }
            4 | 5 => Step::Commit,
            6 => Step::Rollback,
            _ => {
                let space = rng.below(4) as usize;
                let range = Range { from: bound(rng, space), to: bound(rng, space) };
                let dir = if rng.below(2) == 0 { Direction::Forward } else { Direction::Backward };
                Step::Scan(space, range, dir, rng.below(8) as usize)
            }
        })
        .collect()
}

fn change(rng: &mut Rng) -> (usize, u8, Change) {
    let change = match rng.below(6) {
        0 => Change::Delete,
        1 => Change::Erase,
        // Mostly small and empty values, now and then one that needs several pages.
        2 => Change::Put(rng.below(20_000) as u16),
        _ => Change::Put(rng.below(20) as u16),
    };
    (rng.below(4) as usize, rng.below(16) as u8, change)
}

fn bound(rng: &mut Rng, space: usize) -> Bound<Vec<u8>> {
    let mut end = key(SPACES[space % SPACES.len()], rng.below(16) as u8);
    // Ends need not be keys: they may be shorter or longer than any.
    match rng.below(4) {
        0 => end.truncate(rng.below(9) as usize),
        1 => end.push(rng.below(256) as u8),
        _ => {}
    }
    match rng.below(3) {
        0 => Bound::Unbounded,
        1 => Bound::Included(end),
        _ => Bound::Excluded(end),
    }
}

/// The whole suite for stores that `make` makes, each of them empty.
///
/// # Panics
/// At the first deviation.
pub fn run(mut make: impl FnMut() -> Box<dyn Store>) {
    random_runs_agree_with_a_map(&mut *make());
    a_batch_is_applied_in_order(&mut *make());
    transactions_are_opened_and_closed_once(&mut *make());
    a_rollback_takes_back_new_spaces(&mut *make());
    a_failed_batch_leaves_no_trace(&mut *make());
    integers_are_ordered_over_the_whole_range(&mut *make());
    ranges_and_limits_cut_where_they_say(&mut *make());
    keys_that_do_not_fit_are_refused(&mut *make());
    a_space_keeps_its_kind(&mut *make());
    a_turn_reads_through_the_store(&mut *make());
    blobs_are_written_read_and_dropped_with_their_transaction(&mut *make());
    text::run(&mut make);
}

/// What is committed survives closing; what is not does not. `open(true)` makes a new store, `open(false)` opens
/// the last one again, which has been dropped by then.
///
/// # Panics
/// At the first deviation.
pub fn run_durable(mut open: impl FnMut(bool) -> Box<dyn Store>) {
    let mut store = open(true);
    commit(&mut *store, vec![put(SEQ, &7u64.to_be_bytes(), b"kept"), put(ANY, b"a", b"")]);
    commit(&mut *store, vec![blob(7, 0, b"kept"), blob(9, 0, b"gone")]);
    commit(&mut *store, vec![Op::DropBlob { blob: BlobNo(9) }]);
    store.begin().expect("begin");
    let ops = vec![
        put(SEQ, &8u64.to_be_bytes(), b"lost"),
        put(SPACES[1], &[0; 8], b"lost"),
        blob(8, 0, b"lost"),
        Op::DropBlob { blob: BlobNo(7) },
    ];
    store.apply(&Batch { ops }).expect("apply");
    drop(store);

    let mut store = open(false);
    assert_eq!(store.get(SEQ, &7u64.to_be_bytes()), Ok(Some(b"kept".to_vec())), "committed rows stay");
    assert_eq!(store.get(ANY, b"a"), Ok(Some(Vec::new())), "an empty value is a value");
    assert_eq!(store.get(SEQ, &8u64.to_be_bytes()), Ok(None), "rows of an open transaction go");
    assert_eq!(all(&*store, SPACES[1]), Rows::new(), "and so does a space made in it");
    commit(
        &mut *store,
        vec![put(SPACES[1], &[0; 8], b"second run"), Op::Delete { space: ANY, key: b"a".to_vec() }],
    );
    drop(store);

    let store = open(false);
    assert_eq!(store.get(SPACES[1], &[0; 8]), Ok(Some(b"second run".to_vec())));
    assert_eq!(store.blob(BlobNo(7), 1, 3), Ok(Some(b"ept".to_vec())), "a committed blob stays");
    assert_eq!(store.blob(BlobNo(8), 0, 4), Ok(None), "one of an open transaction goes");
    assert_eq!(store.blob(BlobNo(9), 0, 4), Ok(None), "a dropped one is gone for good");
    assert_eq!(store.get(ANY, b"a"), Ok(None), "a deletion is durable as well");
    let other = Space::any(SEQ.id, "suite other");
    assert!(store.get(other, b"x").is_err(), "the kind of a space is durable");
}

fn put(space: Space, key: &[u8], value: &[u8]) -> Op {
    Op::Put { space, key: key.to_vec(), value: value.to_vec() }
}

fn blob(number: u64, offset: u64, bytes: &[u8]) -> Op {
    Op::WriteBlob { blob: BlobNo(number), offset, bytes: bytes.to_vec() }
}

fn blobs_are_written_read_and_dropped_with_their_transaction(store: &mut dyn Store) {
    let read =
        |store: &dyn Store, number, offset, len| store.blob(BlobNo(number), offset, len).expect("read");
    assert_eq!(read(store, 1, 0, 0), None, "no blob, not even nothing of it");
    // Pieces in any order, with a gap in between for a while.
    commit(store, vec![blob(1, 4, b"5678"), blob(2, 0, b"x")]);
    commit(store, vec![blob(1, 0, b"1234")]);
    assert_eq!(read(store, 1, 0, 8), Some(b"12345678".to_vec()));
    assert_eq!(read(store, 1, 2, 4), Some(b"3456".to_vec()), "across two pieces");
    assert_eq!(read(store, 1, 4, 5), None, "more than there is");
    assert_eq!(read(store, 1, u64::MAX, 2), None, "far beyond its end");
    store.begin().expect("begin");
    let ops = vec![blob(1, 8, b"9"), blob(3, 0, b"new"), Op::DropBlob { blob: BlobNo(2) }];
    store.apply(&Batch { ops }).expect("apply");
    assert_eq!(read(store, 3, 0, 3), Some(b"new".to_vec()), "seen before it is committed");
    store.rollback();
    assert_eq!(read(store, 1, 0, 8), Some(b"12345678".to_vec()), "what was there is untouched");
    assert_eq!(read(store, 2, 0, 1), Some(b"x".to_vec()), "what was dropped is back");
    commit(store, vec![Op::DropBlob { blob: BlobNo(1) }, Op::DropBlob { blob: BlobNo(77) }]);
    assert_eq!(read(store, 1, 0, 1), None, "gone");
    assert_eq!(read(store, 2, 0, 1), Some(b"x".to_vec()), "its neighbour is not");
}

fn commit(store: &mut dyn Store, ops: Vec<Op>) {
    store.begin().expect("begin");
    store.apply(&Batch { ops }).expect("apply");
    store.commit().expect("commit");
}

fn all(view: &dyn Store, space: Space) -> Rows {
    view.scan(space, &Range::all(), Direction::Forward, usize::MAX).expect("scan")
}

fn random_runs_agree_with_a_map(store: &mut dyn Store) {
    let steps = steps(&mut Rng::from_seed([7; 32]), 400);
    let (mut applied, mut rolled_back, mut found) = (0, 0, 0);
    for step in &steps {
        match step {
            Step::Apply(changes) => applied += changes.len(),
            Step::Rollback => rolled_back += 1,
            Step::Scan(..) => found += 1,
            Step::Commit => {}
        }
    }
    assert!(applied > 100 && rolled_back > 10 && found > 50, "the generator has become too tame");
    replay(store, &steps);
}

fn a_batch_is_applied_in_order(store: &mut dyn Store) {
    let gone = Op::Delete { space: ANY, key: b"k".to_vec() };
    commit(store, vec![put(ANY, b"k", b"1"), gone.clone(), put(ANY, b"k", b"2"), put(ANY, b"k", b"3")]);
    assert_eq!(store.get(ANY, b"k"), Ok(Some(b"3".to_vec())), "the last write wins");
    commit(store, vec![put(ANY, b"k", b"4"), gone]);
    assert_eq!(store.get(ANY, b"k"), Ok(None));
}

fn transactions_are_opened_and_closed_once(store: &mut dyn Store) {
    let batch = Batch { ops: vec![put(ANY, b"k", b"v")] };
    assert!(store.apply(&batch).is_err(), "apply needs a transaction");
    assert!(store.commit().is_err(), "commit needs a transaction");
    store.rollback();
    store.begin().expect("begin");
    assert!(store.begin().is_err(), "one transaction at a time");
    store.apply(&batch).expect("a refused begin leaves the transaction alone");
    assert_eq!(store.get(ANY, b"k"), Ok(Some(b"v".to_vec())), "reads see what is applied");
    store.commit().expect("commit");
    assert!(store.commit().is_err(), "committed once");
    store.rollback();
    assert_eq!(store.get(ANY, b"k"), Ok(Some(b"v".to_vec())), "what is committed is not rolled back");
    store.begin().expect("begin");
    store.commit().expect("an empty transaction");
}

fn a_rollback_takes_back_new_spaces(store: &mut dyn Store) {
    for round in 0..3u8 {
        store.begin().expect("begin");
        store
            .apply(&Batch { ops: vec![put(SEQ, &[0; 8], &[round]), put(ANY, b"", &[round])] })
            .expect("apply");
        assert_eq!(store.get(SEQ, &[0; 8]), Ok(Some(vec![round])), "a new space is there at once");
        store.rollback();
        assert_eq!(store.get(SEQ, &[0; 8]), Ok(None));
        assert_eq!(all(store, ANY), Rows::new());
    }
    // Its kind was rolled back with it.
    let other = Space::any(SEQ.id, "suite other");
    commit(store, vec![put(other, b"x", b"y")]);
    assert_eq!(store.get(other, b"x"), Ok(Some(b"y".to_vec())));
}

fn a_failed_batch_leaves_no_trace(store: &mut dyn Store) {
    commit(store, vec![put(ANY, b"before", b"1")]);
    store.begin().expect("begin");
    let broken = Batch { ops: vec![put(ANY, b"half", b"2"), put(SEQ, b"not 8", b"3")] };
    assert!(store.apply(&broken).is_err());
    assert!(store.apply(&Batch::default()).is_err(), "a failed transaction takes nothing more");
    assert!(store.commit().is_err(), "and is never committed");
    store.rollback();
    assert_eq!(all(store, ANY), vec![(b"before".to_vec(), b"1".to_vec())]);
    commit(store, vec![put(ANY, b"after", b"4")]);
    assert_eq!(all(store, ANY).len(), 2, "the store goes on");
}

fn integers_are_ordered_over_the_whole_range(store: &mut dyn Store) {
    let top = 1u64 << 63;
    let mut keys = vec![0, 1, 255, 256, u64::from(u32::MAX), top - 1, top, top + 1, u64::MAX - 1, u64::MAX];
    Rng::from_seed([3; 32]).shuffle(&mut keys);
    commit(store, keys.iter().map(|key| put(SEQ, &key.to_be_bytes(), &key.to_le_bytes())).collect());
    keys.sort_unstable();
    let expected: Rows =
        keys.iter().map(|key| (key.to_be_bytes().to_vec(), key.to_le_bytes().to_vec())).collect();
    assert_eq!(all(store, SEQ), expected);
    let last = store.scan(SEQ, &Range::all(), Direction::Backward, 1).expect("scan");
    assert_eq!(last, expected[expected.len() - 1..], "the greatest key comes first backward");
    let middle = store.scan(SEQ, &Range::seq(top - 1, top + 1), Direction::Forward, 9).expect("scan");
    assert_eq!(middle.len(), 2, "a range over the sign bit");
}

fn ranges_and_limits_cut_where_they_say(store: &mut dyn Store) {
    let keys: [&[u8]; 6] = [b"", b"a", b"a\0", b"ab", b"b", b"\xff\xff"];
    commit(store, keys.iter().map(|key| put(ANY, key, b"v")).collect());
    // Four bytes of chat, four of number: the usual key of a Seq space, scanned by its first half.
    let chat = |chat: u32, number: u32| [chat.to_be_bytes(), number.to_be_bytes()].concat();
    let entries = [chat(1, u32::MAX), chat(2, 0), chat(2, 1), chat(2, u32::MAX), chat(3, 0)];
    commit(store, entries.iter().map(|key| put(SEQ, key, b"v")).collect());

    let scan = |space, range: &Range, dir, limit| -> Vec<Vec<u8>> {
        store.scan(space, range, dir, limit).expect("scan").into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(scan(ANY, &Range::prefix(b"a"), Direction::Forward, 9), [&b"a"[..], b"a\0", b"ab"]);
    assert_eq!(scan(ANY, &Range::prefix(b"a"), Direction::Backward, 2), [&b"ab"[..], b"a\0"]);
    assert_eq!(scan(ANY, &Range::after(b"a"), Direction::Forward, 1), [&b"a\0"[..]]);
    assert_eq!(scan(ANY, &Range::after(b""), Direction::Forward, 1), [&b"a"[..]]);
    assert_eq!(scan(ANY, &Range::prefix(b"\xff"), Direction::Forward, 9), [&b"\xff\xff"[..]]);
    assert_eq!(scan(ANY, &Range::all(), Direction::Forward, 0), Vec::<Vec<u8>>::new());
    assert_eq!(scan(SEQ, &Range::prefix(&2u32.to_be_bytes()), Direction::Forward, 9), entries[1..4]);
    assert_eq!(scan(SEQ, &Range::prefix(&2u32.to_be_bytes()), Direction::Backward, 1), entries[3..4]);
    assert_eq!(scan(SEQ, &Range::after(&entries[1]), Direction::Forward, 2), entries[2..4]);
    let inverted = Range { from: Bound::Excluded(b"b".to_vec()), to: Bound::Included(b"a".to_vec()) };
    assert!(scan(ANY, &inverted, Direction::Forward, 9).is_empty(), "an inverted range is empty");
    let none = Range { from: Bound::Excluded(b"a".to_vec()), to: Bound::Excluded(b"a".to_vec()) };
    assert!(scan(ANY, &none, Direction::Forward, 9).is_empty(), "a range of nothing is empty");
    assert!(scan(SPACES[3], &Range::all(), Direction::Forward, 9).is_empty(), "so is a space never written");
}

fn keys_that_do_not_fit_are_refused(store: &mut dyn Store) {
    let long = vec![b'k'; murre_core::store::MAX_KEY + 1];
    commit(store, vec![put(ANY, &long[1..], b"longest")]);
    assert_eq!(store.get(ANY, &long[1..]), Ok(Some(b"longest".to_vec())));
    for (space, key) in [(ANY, &long[..]), (SEQ, b"7 bytes"), (SEQ, b"nine byte")] {
        for op in [
            put(space, key, b"v"),
            Op::Delete { space, key: key.to_vec() },
            Op::Erase { space, key: key.to_vec() },
        ] {
            store.begin().expect("begin");
            assert!(store.apply(&Batch { ops: vec![op] }).is_err(), "{} bytes in {}", key.len(), space.name);
            store.rollback();
        }
        assert!(store.get(space, key).is_err());
    }
}

fn a_space_keeps_its_kind(store: &mut dyn Store) {
    commit(store, vec![put(SEQ, &[0; 8], b"v")]);
    let other = Space::any(SEQ.id, "suite other");
    store.begin().expect("begin");
    assert!(store.apply(&Batch { ops: vec![put(other, &[0; 8], b"w")] }).is_err());
    store.rollback();
    assert!(store.get(other, &[0; 8]).is_err());
    assert!(store.scan(other, &Range::all(), Direction::Forward, 1).is_err());
    assert_eq!(store.get(SEQ, &[0; 8]), Ok(Some(b"v".to_vec())));
}

fn a_turn_reads_through_the_store(store: &mut dyn Store) {
    commit(store, vec![put(SEQ, &1u64.to_be_bytes(), b"stored"), put(SEQ, &2u64.to_be_bytes(), b"hidden")]);
    let mut turn = Turn::new(&*store);
    turn.put(SEQ, &0u64.to_be_bytes(), b"own".to_vec());
    turn.erase(SEQ, &2u64.to_be_bytes());
    turn.index(1, 7, "a text");
    turn.index(2, 7, "another");
    turn.unindex(1);
    let seen = turn.scan(SEQ, &Range::all(), Direction::Forward, 9).expect("scan");
    let batch = turn.into_batch();
    store.begin().expect("begin");
    store.apply(&batch).expect("apply");
    assert_eq!(all(store, SEQ), seen, "the store shows what the turn saw");
    store.commit().expect("commit");
    assert_eq!(all(store, SEQ), seen);
}
