//! Faults of other logs that this one must not have.

use crate::world::{Device, LOG, STATE, after, key, root, sign};
use murre_core::{Turn, codec};
use murre_crypto::{AuthorKey, Secret};
use murre_log::logs::{MAX_AUTHORS, MAX_HEADS, Refusal};
use murre_log::rows::{LOGS, LogRow};
use murre_log::{Accept, Entry, Header};

#[test]
pub fn a_time_from_the_far_future_is_refused() {
    let first = sign(&root(&key(1)), &key(1), b"0");
    let mut device = Device::new();
    device.accept(&first);
    let far = sign(&Header { time: 9_000_000_000_000_000, ..after(&first) }, &key(1), b"now");
    assert!(matches!(device.accept(&far), Accept::Refused(Refusal::Time { expected: 2, .. })));
}

#[test]
pub fn a_time_before_a_parent_is_refused() {
    let mut device = Device::new();
    for n in 0..5 {
        device.write(&key(1), &[n]).unwrap();
    }
    let head = device.logs.heads(&device.store, device.log).unwrap();
    let early = sign(&Header { next: head.clone(), time: 3, ..root(&key(2)) }, &key(2), b"before");
    assert_eq!(device.accept(&early), Accept::Refused(Refusal::Time { expected: 6, found: 3 }));
    let right = sign(&Header { next: head, time: 6, ..root(&key(2)) }, &key(2), b"after");
    assert!(matches!(device.accept(&right), Accept::Accepted(_)));
}

#[test]
pub fn an_entry_in_another_name_is_refused() {
    // Signed by one key, `by` says another.
    let forged = Entry::sign(&Header { by: key(2).id(), ..root(&key(1)) }, &key(1), vec![]);
    assert_eq!(forged.verify().unwrap_err().class(), "signature");
}

#[test]
fn a_body_of_another_entry_is_refused() {
    let a = sign(&root(&key(1)), &key(1), b"a").wire();
    let b = sign(&root(&key(1)), &key(1), b"b").wire();
    let mixed = [&a[..a.len() - 1], &b[b.len() - 1..]].concat();
    assert_eq!(Entry::parse(&mixed).unwrap().verify().unwrap_err().class(), "body");
}

#[test]
fn a_link_with_the_right_hash_and_a_wrong_number_names_nothing() {
    let mut device = Device::new();
    let entry = device.write(&key(1), b"0").unwrap();
    let mut link = entry.link();
    link.s = 3;
    assert!(!device.logs.knows(&device.store, device.log, &link).unwrap());
    let child = sign(&Header { next: vec![link], time: 2, ..root(&key(2)) }, &key(2), b"");
    assert_eq!(device.accept(&child), Accept::Pending { missing: vec![link] });
}

#[test]
fn authors_end_at_their_limit() {
    let mut device = Device::new();
    let old = device.write(&key(1), b"there before").unwrap();
    let row = LogRow { i: LOG, a: MAX_AUTHORS as u32 };
    device.turn(|_, tx, log| tx.put(LOGS, &log.0.to_be_bytes(), codec::encode_row(1, &row)));
    let late = sign(&root(&key(2)), &key(2), b"");
    assert_eq!(device.accept(&late), Accept::Refused(Refusal::TooManyAuthors));
    assert!(!Refusal::TooManyAuthors.is_final());
    // Who is known goes on, and who waits for the refused one keeps waiting.
    assert!(matches!(device.accept(&sign(&after(&old), &key(1), b"")), Accept::Accepted(_)));
    let child = sign(&Header { next: vec![late.link()], ..after(&after_of(&old)) }, &key(1), b"");
    assert_eq!(device.accept(&child), Accept::Pending { missing: vec![late.link()] });
    assert_eq!(device.accept(&late), Accept::Refused(Refusal::TooManyAuthors));
    assert_eq!(device.missing(), vec![late.link()], "still wanted");
}

fn after_of(entry: &murre_log::VerifiedEntry) -> murre_log::VerifiedEntry {
    sign(&after(entry), &key(1), b"")
}

#[test]
fn heads_end_at_their_limit_and_a_draft_is_still_valid() {
    let mut device = Device::new();
    for n in 0..MAX_HEADS as u32 + 20 {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&n.to_be_bytes());
        let key = AuthorKey::from_secret(&Secret::new(seed));
        assert!(matches!(device.accept(&sign(&root(&key), &key, b"")), Accept::Accepted(_)));
    }
    assert_eq!(device.logs.heads(&device.store, device.log).unwrap().len(), MAX_HEADS);
    let tx = Turn::new(&device.store);
    let header = device.logs.draft(&tx, device.log, key(1).id(), STATE, [0; 32]).unwrap();
    assert_eq!((header.next.len(), header.time), (16, 2));
    assert!(matches!(device.accept(&sign(&header, &key(1), b"")), Accept::Accepted(_)));
}
