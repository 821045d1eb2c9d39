//! Same set, same log: whatever the order of arrival, the batches, the restarts.

use crate::world::{Device, Seen, history, key, model, rng};
use murre_log::{Accept, Entry, VerifiedEntry};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn shuffled(entries: &[VerifiedEntry], seed: u8) -> Vec<VerifiedEntry> {
    let mut out = entries.to_vec();
    rng(seed).shuffle(&mut out);
    out
}

/// Takes everything in, in turns of random length, with doubles and restarts between. Returns what `accept` said
/// came in, in the order it said so.
fn replay(entries: &[VerifiedEntry], seed: u8) -> (Device, Vec<murre_log::Position>) {
    let mut dice = rng(seed ^ 0x55);
    let mut device = Device::new();
    let mut told = Vec::new();
    let mut rest = entries;
    while !rest.is_empty() {
        let (turn, later) = rest.split_at((1 + dice.below(7) as usize).min(rest.len()));
        rest = later;
        device.turn(|logs, tx, log| {
            for entry in turn {
                for _ in 0..=dice.below(2) {
                    match logs.accept(tx, log, entry.clone()).unwrap() {
                        Accept::Accepted(p) | Accept::Equivocation { accepted: p, .. } => told.extend(p),
                        Accept::Duplicate | Accept::Pending { .. } => {}
                        Accept::Refused(why) => panic!("a valid entry was refused: {why}"),
                    }
                }
            }
        });
        if dice.below(3) == 0 {
            device.restart();
        }
    }
    (device, told)
}

fn check(entries: &[VerifiedEntry], seed: u8) {
    let (order, heads, frontier, frozen) = model(entries);
    let mut views: Vec<Seen> = Vec::new();
    for arrival in 0..3u8 {
        let (mut device, told) = replay(&shuffled(entries, seed.wrapping_add(arrival)), arrival);
        // Told once each, parents before children.
        let ids: BTreeSet<_> = told.iter().map(|p| p.id).collect();
        assert_eq!((ids.len(), told.len()), (entries.len(), entries.len()));
        let mut before = BTreeSet::new();
        for position in &told {
            let entry = entries.iter().find(|e| e.id() == position.id).unwrap();
            assert!(
                entry.header().parents().all(|p| before.contains(&p.h)),
                "a child came before its parent"
            );
            before.insert(position.id);
        }
        assert!(device.missing().is_empty());
        let counts = device.logs.pending_counts(&device.store, device.log).unwrap();
        assert!(counts.is_empty(), "nothing is pending at the end");
        let live = device.seen();
        device.restart();
        assert_eq!(device.seen(), live, "rows alone say the same");
        views.push(live);
    }
    for seen in &views {
        assert_eq!(seen, &views[0]);
        assert_eq!((&seen.order, &seen.heads), (&order, &heads));
        assert_eq!((&seen.frontier, &seen.frozen), (&frontier, &frozen));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_arrival_of_one_set_gives_one_log(seed in any::<u64>(), writers in 1u8..5, steps in 1usize..30) {
        check(&history(seed, writers, 0, steps), seed as u8);
    }

    #[test]
    fn any_arrival_of_a_forked_set_gives_one_log(seed in any::<u64>(), writers in 2u8..5, steps in 8usize..30) {
        check(&history(seed, writers, writers / 2, steps), seed as u8);
    }

    #[test]
    fn the_order_extends_causality(seed in any::<u64>(), steps in 2usize..30) {
        let entries = history(seed, 4, 1, steps);
        let (order, ..) = model(&entries);
        let at = |id| order.iter().position(|o| *o == id).unwrap();
        for entry in &entries {
            for parent in entry.header().parents() {
                prop_assert!(at(parent.h) < at(entry.id()));
            }
        }
    }
}

#[test]
fn forked_histories_do_fork() {
    let frozen = (0..8u64).filter(|seed| !model(&history(*seed, 4, 2, 24)).3.is_empty()).count();
    assert!(frozen >= 6, "the generator makes forks: {frozen} of 8");
}

#[test]
fn an_entry_written_after_a_join_is_the_only_head() {
    let mut device = Device::new();
    for n in 1..=10 {
        let mut other = Device::new();
        let entry = other.write(&key(n), b"alone").unwrap();
        device.accept(&entry);
    }
    assert_eq!(device.logs.heads(&device.store, device.log).unwrap().len(), 10);
    let entry = device.write(&key(99), b"all").unwrap();
    assert_eq!(device.logs.heads(&device.store, device.log).unwrap(), vec![entry.link()]);
    assert_eq!(entry.header().time, 2);
}

#[test]
fn more_heads_than_links_are_joined_by_the_next_entries() {
    let mut device = Device::new();
    for n in 1..=40 {
        let mut other = Device::new();
        let entry = other.write(&key(n), b"alone").unwrap();
        device.accept(&entry);
    }
    let mut heads = 40;
    for _ in 0..3 {
        let entry = device.write(&key(99), b"some").unwrap();
        assert!(entry.header().next.len() <= murre_log::header::MAX_NEXT);
        assert_eq!(device.order().last(), Some(&entry.id()), "comes after all, named or not");
        let now = device.logs.heads(&device.store, device.log).unwrap().len();
        assert!(now < heads);
        heads = now;
    }
    assert_eq!(heads, 1);
}

#[test]
fn long_chains_carry_skips_that_verify() {
    let (mut writer, mut reader) = (Device::new(), Device::new());
    let mut skips = 0;
    for n in 0..60u32 {
        let entry = writer.write(&key(1), &n.to_be_bytes()).unwrap();
        skips += usize::from(entry.header().skip.is_some());
        assert!(entry.header().encode().len() <= 400, "a header stays small");
        let entry = Entry::parse(&entry.wire()).unwrap().verify().unwrap();
        assert!(matches!(reader.accept(&entry), Accept::Accepted(p) if p.len() == 1));
        if n % 11 == 0 {
            reader.restart();
        }
    }
    assert!(skips >= 15);
    assert_eq!(reader.seen(), writer.seen());
}

#[test]
fn reads_for_one_entry_do_not_grow_with_the_log() {
    let (mut writer, mut reader) = (Device::new(), Device::new());
    let mut reads = Vec::new();
    for n in 0..200u32 {
        let entry = writer.write(&key(1), &n.to_be_bytes()).unwrap();
        reader.restart();
        reader.store.reads.set(0);
        reader.accept(&entry);
        reads.push(reader.store.reads.get());
    }
    let (early, late) = (reads[4..50].iter().max().unwrap(), reads[150..].iter().max().unwrap());
    assert!(late <= early && *late <= 24, "{early} reads early, {late} late");
}
