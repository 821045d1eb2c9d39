use super::*;
use crate::{CountingView, Counts, conformance};

const SPACE: Space = Space::any(1, "test");

fn batch(keys: &[&[u8]]) -> Batch {
    let ops = keys.iter().map(|key| Op::Put { space: SPACE, key: key.to_vec(), value: b"v".to_vec() });
    Batch { ops: ops.collect() }
}

fn store_with(keys: &[&[u8]]) -> MemoryStore {
    let mut store = MemoryStore::new();
    store.begin().unwrap();
    store.apply(&batch(keys)).unwrap();
    store.commit().unwrap();
    store
}

#[test]
fn conforms() {
    conformance::run(|| Box::new(MemoryStore::new()));
}

#[test]
fn a_crash_drops_what_was_not_committed() {
    let mut store = store_with(&[b"kept"]);
    store.begin().unwrap();
    let mut ops = batch(&[b"lost", b"kept"]).ops;
    ops.push(Op::Index { doc: 1, tag: 1, text: "lost".to_owned() });
    store.apply(&Batch { ops }).unwrap();
    assert!(store.contains_bytes(b"lost"));
    store.crash();
    assert!(!store.contains_bytes(b"lost"));
    assert!(store.contains_bytes(b"kept"));
    store.begin().expect("the transaction is gone as well");
}

#[test]
fn each_fault_strikes_once_and_nothing_of_it_stays() {
    let mut store = store_with(&[b"a"]);
    store.fail_next(Fault::Read);
    assert!(store.get(SPACE, b"a").is_err());
    assert!(store.get(SPACE, b"a").is_ok());
    store.fail_next(Fault::Read);
    assert!(store.scan(SPACE, &Range::all(), Direction::Forward, 1).is_err());

    store.fail_next(Fault::Begin);
    assert_eq!(store.begin(), Err(StoreError::Busy));

    for keys in [&[][..], &[&b"b"[..]], &[b"b", b"c", b"d"]] {
        store.begin().unwrap();
        store.fail_next(Fault::Apply);
        assert!(store.apply(&batch(keys)).is_err());
        assert!(store.commit().is_err());
        store.rollback();
        assert_eq!(store.rows(), 1);
    }

    store.begin().unwrap();
    store.apply(&batch(&[b"b"])).unwrap();
    store.fail_next(Fault::Commit);
    assert_eq!(store.commit(), Err(StoreError::Full));
    assert_eq!(store.rows(), 1);
    store.begin().expect("a failed commit leaves no transaction open");
    store.apply(&batch(&[b"b"])).unwrap();
    store.commit().unwrap();
    assert_eq!(store.rows(), 2);
}

#[test]
fn a_snapshot_is_the_committed_state_and_can_be_gone_back_to() {
    let mut store = store_with(&[b"a"]);
    store.begin().unwrap();
    store.apply(&batch(&[b"b"])).unwrap();
    let snapshot = store.snapshot();
    assert_eq!(snapshot.get(SPACE, b"b"), Ok(None));
    assert_eq!((store.rows(), store.bytes()), (2, 4));
    assert_eq!(snapshot.get(SPACE, b"a"), Ok(Some(b"v".to_vec())));
    store.commit().expect("taking a snapshot leaves the transaction alone");
    assert_eq!(store.rows(), 2);
    store.restore(&snapshot);
    assert_eq!(store.rows(), 1);
    store.begin().unwrap();
}

#[test]
fn reads_are_counted() {
    let store = store_with(&[b"a", b"b", b"c"]);
    let view = CountingView::new(&store);
    view.get(SPACE, b"a").unwrap();
    view.get(SPACE, b"absent").unwrap();
    view.scan(SPACE, &Range::all(), Direction::Forward, 2).unwrap();
    assert_eq!(view.take(), Counts { gets: 2, scans: 1, rows: 3 });
    assert_eq!(view.counts(), Counts::default());
}
