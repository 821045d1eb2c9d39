//! What comes too early waits, within limits, and is never forgotten silently.

use crate::world::{Device, LOG, after, key, root, sign};
use murre_core::id::{Bytes, EntryId};
use murre_log::logs::{MAX_PENDING, MAX_PENDING_BYTES, MAX_WANTED, Refusal};
use murre_log::{Accept, Header, Link, VerifiedEntry};

fn chain(n: usize) -> Vec<VerifiedEntry> {
    let mut writer = Device::new();
    (0..n).map(|i| writer.write(&key(1), &[i as u8]).unwrap()).collect()
}

/// An entry whose parents nobody has.
fn orphan(n: u32, body: usize) -> VerifiedEntry {
    let mut h = [0xcc; 32];
    h[..4].copy_from_slice(&n.to_be_bytes());
    let parent = Link { a: Bytes([0xdd; 8]), s: 0, h: EntryId::from_bytes(h) };
    sign(&Header { next: vec![parent], time: 2, ..root(&key(2)) }, &key(2), &vec![0; body])
}

fn counts(device: &Device) -> murre_log::rows::Counts {
    device.logs.pending_counts(&device.store, device.log).unwrap()
}

#[test]
fn a_chain_backwards_waits_and_comes_out_forwards() {
    let chain = chain(10);
    let mut device = Device::new();
    for entry in chain.iter().skip(1).rev() {
        let Accept::Pending { missing } = device.accept(entry) else { panic!("too early") };
        assert_eq!(missing, vec![entry.header().prev.unwrap()]);
        assert_eq!(device.missing(), missing, "only the deepest hole is wanted");
        assert!(device.logs.is_pending(&device.store, device.log, &entry.link()).unwrap());
        assert!(!device.logs.knows(&device.store, device.log, &entry.link()).unwrap());
        let again = device.accept(entry);
        assert_eq!(again, Accept::Pending { missing }, "twice is once");
        device.restart();
    }
    assert_eq!(counts(&device).n, 9);
    let Accept::Accepted(freed) = device.accept(&chain[0]) else { panic!("complete now") };
    assert_eq!(freed.iter().map(|p| p.seq).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert!(counts(&device).is_empty());
}

#[test]
fn a_full_pending_set_keeps_the_link_and_fetches_again() {
    let mut device = Device::new();
    device.turn(|logs, tx, log| {
        for n in 0..MAX_PENDING {
            assert!(matches!(logs.accept(tx, log, orphan(n, 0)).unwrap(), Accept::Pending { .. }));
        }
    });
    let full = counts(&device);
    assert_eq!((full.n, full.w), (MAX_PENDING, MAX_PENDING));
    let chain = chain(3);
    assert_eq!(device.accept(&chain[2]), Accept::Pending { missing: vec![chain[1].link()] });
    assert_eq!(counts(&device).n, MAX_PENDING, "no more entries");
    let missing = device.missing();
    assert!(missing.contains(&chain[2].link()) && missing.contains(&chain[1].link()), "but both links");
    // Entries that come in order do not need the pending set.
    assert!(matches!(device.accept(&chain[0]), Accept::Accepted(_)));
    assert!(matches!(device.accept(&chain[1]), Accept::Accepted(_)));
    assert!(device.missing().contains(&chain[2].link()), "still known to be missing");
    assert!(matches!(device.accept(&chain[2]), Accept::Accepted(p) if p.len() == 1));
    assert_eq!(counts(&device), full);
}

#[test]
fn pending_bytes_have_a_limit() {
    let mut device = Device::new();
    let body = 1 << 19;
    let fit = (MAX_PENDING_BYTES / body as u64) as u32;
    for n in 0..fit + 3 {
        assert!(matches!(device.accept(&orphan(n, body)), Accept::Pending { .. }));
    }
    assert!(counts(&device).b <= MAX_PENDING_BYTES && counts(&device).n < fit + 1);
    assert_eq!(
        counts(&device).n + counts(&device).w,
        2 * counts(&device).n + 2 * (fit + 3 - counts(&device).n)
    );
}

#[test]
fn without_room_for_a_link_the_sender_is_told() {
    let mut device = Device::new();
    // 16 parents each fill the wanted set faster.
    let many = |n: u32| {
        let mut next: Vec<Link> = (0..16u8)
            .map(|i| {
                let mut h = [i; 32];
                h[4..8].copy_from_slice(&n.to_be_bytes());
                Link { a: Bytes([1; 8]), s: 7, h: EntryId::from_bytes(h) }
            })
            .collect();
        next.sort();
        sign(&Header { next, time: 9, ..root(&key(3)) }, &key(3), b"")
    };
    let mut n = 0;
    let refused = loop {
        let answer = device.turn(|logs, tx, log| {
            for _ in 0..64 {
                n += 1;
                let answer = logs.accept(tx, log, many(n)).unwrap();
                if !matches!(answer, Accept::Pending { .. }) {
                    return Some(answer);
                }
            }
            None
        });
        if let Some(answer) = answer {
            break answer;
        }
        assert!(n < MAX_WANTED, "never full");
    };
    assert_eq!(refused, Accept::Refused(Refusal::Full));
    assert!(!Refusal::Full.is_final());
    assert!(counts(&device).w <= MAX_WANTED && counts(&device).w > MAX_WANTED - 17);
    let page = device.logs.missing(&device.store, device.log, 5).unwrap();
    let next = device.logs.missing_after(&device.store, device.log, &page[4], 5).unwrap();
    assert!(page.len() == 5 && next.len() == 5 && page[4] < next[0]);
}

#[test]
fn what_builds_on_an_invalid_entry_goes_with_it() {
    let mut device = Device::new();
    let first = sign(&root(&key(1)), &key(1), b"0");
    let bad = sign(&Header { time: 9, ..after(&first) }, &key(1), b"wrong time");
    let child = sign(&after(&bad), &key(1), b"child");
    let elsewhere = Link { a: Bytes([5; 8]), s: 1, h: EntryId::from_bytes([5; 32]) };
    let mut next = vec![child.link(), elsewhere];
    next.sort();
    let grandchild = sign(&Header { next, time: 11, ..root(&key(2)) }, &key(2), b"grandchild");
    for entry in [&grandchild, &child, &bad] {
        assert!(matches!(device.accept(entry), Accept::Pending { .. }));
    }
    assert_eq!(counts(&device).n, 3);
    assert!(matches!(device.accept(&first), Accept::Accepted(p) if p.len() == 1));
    assert!(counts(&device).is_empty(), "nothing waits for what can never come: {:?}", counts(&device));
    assert_eq!(device.order(), vec![first.id()]);
    let refused = device.accept(&bad);
    assert_eq!(refused, Accept::Refused(Refusal::Time { expected: 2, found: 9 }));
}

#[test]
fn entries_of_another_log_are_refused() {
    let other = murre_core::id::LogId::from_bytes([0x77; 32]);
    let entry = sign(&Header { log: other, ..root(&key(1)) }, &key(1), b"");
    let mut device = Device::new();
    assert_ne!(other, LOG);
    let child = sign(&Header { next: vec![entry.link()], time: 2, ..root(&key(2)) }, &key(2), b"");
    device.accept(&child);
    assert_eq!(device.accept(&entry), Accept::Refused(Refusal::WrongLog));
    assert!(counts(&device).is_empty(), "what builds on it can never come");
}

#[test]
fn erased_bodies_are_gone_and_do_not_come_back() {
    let chain = chain(3);
    let mut device = Device::new();
    for entry in &chain {
        device.accept(entry);
    }
    let link = chain[1].link();
    let before = device.logs.heads(&device.store, device.log).unwrap();
    assert!(device.turn(|logs, tx, log| logs.erase_body(tx, log, &link)).unwrap());
    assert!(!device.turn(|logs, tx, log| logs.erase_body(tx, log, &link)).unwrap());
    assert_eq!(device.accept(&chain[1]), Accept::Duplicate);
    let (logs, view, log) = (&device.logs, &device.store, device.log);
    assert_eq!(logs.entry(view, log, key(1).id(), 1).unwrap(), None);
    assert_eq!(logs.entry_at(view, log, &link).unwrap(), None);
    let (id, header) = logs.header(view, log, key(1).id(), 1).unwrap().unwrap();
    assert_eq!((id, &header), (chain[1].id(), chain[1].header()));
    assert_eq!(logs.heads(view, log).unwrap(), before);
    assert!(logs.knows(view, log, &link).unwrap());
    let body = chain[1].body().to_vec();
    assert!(!device.store.rows.values().any(|v| v[1..] == body), "no row holds it");
}

#[test]
fn an_erased_fork_keeps_its_block_as_proof() {
    let first = sign(&root(&key(1)), &key(1), b"left");
    let second = sign(&root(&key(1)), &key(1), b"right");
    let mut device = Device::new();
    device.accept(&first);
    device.accept(&second);
    assert!(device.turn(|logs, tx, log| logs.erase_body(tx, log, &second.link())).unwrap());
    assert_eq!(device.logs.entry_at(&device.store, device.log, &second.link()).unwrap(), None);
    assert!(device.logs.fork_proof(&device.store, device.log, key(1).id()).unwrap().is_some());
    assert_eq!(device.accept(&second), Accept::Duplicate);
}

#[test]
fn a_made_up_link_can_be_given_up() {
    let chain = chain(4);
    let mut device = Device::new();
    for n in 0..3 {
        device.accept(&orphan(n, 10));
    }
    device.accept(&chain[3]);
    device.accept(&chain[2]);
    let made_up: Vec<Link> = device.missing().into_iter().filter(|l| l.a == Bytes([0xdd; 8])).collect();
    assert_eq!(made_up.len(), 3);
    for link in &made_up {
        device.turn(|logs, tx, log| logs.give_up(tx, log, link)).unwrap();
    }
    assert_eq!((counts(&device).n, device.missing()), (2, vec![chain[1].link()]));
    device.accept(&chain[1]);
    assert!(matches!(device.accept(&chain[0]), Accept::Accepted(p) if p.len() == 4));
    assert!(counts(&device).is_empty());
}

#[test]
fn a_turn_that_is_given_up_leaves_nothing_after_abort() {
    let chain = chain(3);
    let mut device = Device::new();
    device.accept(&chain[0]);
    let mut tx = murre_core::Turn::new(&device.store);
    let lost = device.logs.accept(&mut tx, device.log, chain[1].clone()).unwrap();
    assert!(matches!(lost, Accept::Accepted(_)));
    drop(tx);
    device.logs.abort();
    assert_eq!(device.accept(&chain[2]), Accept::Pending { missing: vec![chain[1].link()] });
    assert!(matches!(device.accept(&chain[1]), Accept::Accepted(p) if p.len() == 2));
}
