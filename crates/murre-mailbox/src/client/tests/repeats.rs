//! Careful reads in small networks, where one liar can be all that a writer and a reader have in common.

use super::world::sealed;
use super::{Kind, World, writer};
use crate::client::WatchKey;
use crate::client::limits::REPEAT_MS;
use crate::client::place::Careful;
use crate::frame::Request;
use crate::request::ReadKind;
use murre_core::id::PeerKey;
use murre_core::time::MINUTE;
use murre_core::{Mono, Wall};
use std::collections::BTreeSet;

/// Careful lists sent so far for epochs of the past, each with its node.
fn careful_lists(w: &World) -> usize {
    let careful = |r: &Request| match r {
        Request::List { r, .. } => {
            matches!(r.clone().verify().unwrap().kind, ReadKind::List { careful: true, .. })
        }
        _ => false,
    };
    w.sent.iter().filter(|(_, r)| careful(r)).count()
}

/// A box of an epoch that nobody polls any more lies at one honest node of five while two others are read. Repair
/// brings it to all of them. Gives whether the reader has it then.
fn found_after_repair(seed: u8) -> bool {
    let mut w = World::joined(seed, 5);
    let params = w.file.params;
    let (keys, writer, epoch) = writer(&mut w.rng, &params);
    let placement = w.placement(&keys.at(epoch - 3).unwrap().locator, epoch - 3);
    assert_eq!(placement.len(), 5);
    let (honest, away) = (placement[4], [placement[2], placement[3], placement[4]]);
    let b = sealed(&writer, epoch - 3, 0, b"one copy", &params);
    w.place_box(&b, &[honest]);
    for node in &away {
        w.set(node, Kind::Silent);
    }
    w.turn(|c, cx| c.watch(cx, WatchKey(1), keys)).unwrap();
    w.run(5 * MINUTE);
    assert_eq!(w.client.status(w.now).careful_owed, 0, "two of five answered");
    assert!(w.delivered.is_empty());
    for node in &away {
        w.set(node, Kind::Honest);
    }
    w.place_box(&b, &placement[..4]);
    w.run(REPEAT_MS + 5 * MINUTE);
    w.delivered == [b.id()]
}

pub(super) fn what_one_liar_hid_is_found_when_repair_had_time() {
    for seed in 0..4 {
        assert!(found_after_repair(seed), "seed {seed}");
    }
}

// spec: BC-26
#[test]
fn a_box_that_the_first_careful_read_missed_is_found_by_its_repetition() {
    what_one_liar_hid_is_found_when_repair_had_time();
}

// spec: BC-26
#[test]
fn a_careful_read_is_repeated_once_and_only_where_one_liar_suffices() {
    for (nodes, repeats) in [(2, true), (5, true), (14, false)] {
        let mut w = World::joined(3, nodes);
        let (keys, _, epoch) = writer(&mut w.rng, &w.file.params.clone());
        // A coordinator asks everybody: somebody must be away for the read not to be of all.
        let away = w.placement(&keys.at(epoch).unwrap().locator, epoch)[1];
        w.set(&away, Kind::Silent);
        w.turn(|c, cx| c.watch(cx, WatchKey(1), keys)).unwrap();
        w.run(5 * MINUTE);
        let first = careful_lists(&w);
        w.run(REPEAT_MS);
        let second = careful_lists(&w);
        assert_eq!(second > first, repeats, "{nodes} nodes");
        w.run(2 * REPEAT_MS);
        assert_eq!(careful_lists(&w), second, "{nodes} nodes");
    }
}

// spec: BC-26
#[test]
fn a_careful_read_that_met_everybody_is_not_repeated() {
    let mut w = World::joined(4, 1);
    let (keys, _, _) = writer(&mut w.rng, &w.file.params.clone());
    w.turn(|c, cx| c.watch(cx, WatchKey(1), keys)).unwrap();
    w.run(5 * MINUTE);
    let first = careful_lists(&w);
    w.run(2 * REPEAT_MS);
    assert_eq!(careful_lists(&w), first);
}

// spec: BC-27
#[test]
fn what_was_read_while_one_node_was_known_is_read_again_when_there_are_more() {
    let mut w = World::new(6, 5);
    w.alone = true;
    w.run(2_000);
    assert_eq!(w.client.status(w.now).eligible, 1);
    let params = w.file.params;
    let (keys, writer, epoch) = writer(&mut w.rng, &params);
    let first = *w.links.keys().next().unwrap();
    let b = sealed(&writer, epoch - 3, 0, b"where it does not look", &params);
    let others: Vec<PeerKey> = w.nodes.keys().copied().filter(|n| *n != first).collect();
    w.place_box(&b, &others);
    w.turn(|c, cx| c.watch(cx, WatchKey(1), keys)).unwrap();
    w.run(5 * MINUTE);
    assert_eq!((w.client.status(w.now).careful_owed, w.delivered.len()), (0, 0));
    w.alone = false;
    w.run(15 * MINUTE);
    assert_eq!(w.client.status(w.now).eligible, 5);
    assert_eq!(w.delivered, [b.id()]);
}

// spec: BC-12
#[test]
fn a_careful_read_begun_anew_forgets_who_answered_the_former_one() {
    let nodes: BTreeSet<PeerKey> = World::new(1, 2).nodes.keys().copied().collect();
    let mut careful = Careful::new(Wall(1));
    careful.have.clone_from(&nodes);
    careful.asked = nodes;
    careful.flying = 2;
    careful.fanning = true;
    careful.retry_at = Some(Mono(9));
    careful.restart(Wall(5));
    assert!(careful.have.is_empty() && careful.asked.is_empty() && careful.retry_at.is_none());
    assert_eq!((careful.since, careful.flying, careful.fanning), (Wall(5), 2, true));
}
