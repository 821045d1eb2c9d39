//! Adopting a network, learning its nodes, and staying within every limit.

use super::world::sealed;
use super::{Kind, World, writer};
use crate::client::limits::{BEHIND_MS, MAX_INFLIGHT, MAX_LONG_POLLS};
use crate::client::{ClientEvent, PutKey, PutStart, PutTrouble, WatchKey};
use crate::{MailboxKind, NetworkFile, ReaderKeys};
use murre_core::id::PeerKey;
use murre_core::params::delivery::RETRY_MAX_MS;
use murre_core::time::{DAY, HOUR, MINUTE};
use proptest::prelude::*;

#[test]
fn the_first_bootstraps_network_is_adopted_for_good() {
    let mut w = World::new(1, 5);
    assert!(w.client.network().is_none());
    w.run(2_000);
    assert_eq!(w.client.network(), Some(&w.file));
    assert!(w.events.iter().any(|e| matches!(e, ClientEvent::NetworkChanged { .. })));
    let status = w.client.status(w.now);
    assert_eq!((status.nodes_known, status.eligible, status.small), (5, 5, true));
    w.restart();
    assert_eq!(w.client.network(), Some(&w.file));
    assert_eq!(w.client.status(w.now).nodes_known, 5);
}

#[test]
fn a_node_of_another_network_is_ignored_and_reported() {
    let mut w = World::joined(2, 14);
    let node = *w.nodes.keys().nth(3).unwrap();
    w.set(&node, Kind::Foreign);
    w.links.remove(&node);
    w.link(node);
    w.run(100);
    let reported = |e: &ClientEvent| {
        matches!(e, ClientEvent::OtherNetwork { node: n, network }
            if *n == node && *network == NetworkFile::devnet().id())
    };
    assert!(w.events.iter().any(reported));
    assert_eq!(w.client.network(), Some(&w.file));
    assert!(w.client.wire.peers.avoided(&node, w.now.mono));
}

#[test]
fn a_put_offered_before_there_is_a_network_is_asked_for_later() {
    let mut w = World::new(3, 12);
    let params = w.file.params;
    let (_, writer, epoch) = writer(&mut w.rng, &params);
    let b = sealed(&writer, epoch, 1, b"early", &params);
    let start = w.turn(|c, cx| c.put(cx, PutKey(1), b.wire())).unwrap();
    assert_eq!(start, PutStart::Queued);
    let why = |e: &ClientEvent| matches!(e, ClientEvent::PutProblem { why: PutTrouble::NoNetwork, .. });
    assert!(w.events.iter().any(why));
    w.run(2_000);
    let asked = |e: &ClientEvent| matches!(e, ClientEvent::PutRoom { puts } if *puts == vec![PutKey(1)]);
    assert!(w.events.iter().any(asked));
    w.turn(|c, cx| c.put(cx, PutKey(1), b.wire())).unwrap();
    w.run(2_000);
    assert!(w.receipts(1).1);
}

#[test]
fn a_small_network_serves_with_what_it_has() {
    for nodes in [1, 2, 3, 5] {
        let mut w = World::joined(4, nodes);
        let params = w.file.params;
        let (keys, writer, epoch) = writer(&mut w.rng, &params);
        let b = sealed(&writer, epoch, 1, b"few", &params);
        w.turn(|c, cx| c.watch(cx, WatchKey(1), keys)).unwrap();
        w.turn(|c, cx| c.put(cx, PutKey(1), b.wire())).unwrap();
        w.run(5_000);
        assert!(w.receipts(1).1, "{nodes} nodes");
        assert_eq!(w.delivered, vec![b.id()], "{nodes} nodes");
    }
}

#[test]
fn weeks_offline_do_not_strand_the_client() {
    let mut w = World::joined(5, 14);
    w.cut();
    w.run(3 * DAY);
    assert_eq!(w.client.status(w.now).eligible, 0, "every descriptor is stale");
    w.cut = false;
    w.run(15 * MINUTE);
    assert_eq!(w.client.status(w.now).eligible, 14);
}

// spec: BC-28
#[test]
fn a_link_that_is_open_in_name_only_is_closed_and_dialled_anew() {
    let mut w = World::joined(10, 3);
    let (keys, _, _) = writer(&mut w.rng, &w.file.params.clone());
    w.turn(|c, cx| c.watch(cx, WatchKey(1), keys)).unwrap();
    w.run(MINUTE);
    assert_eq!((w.links.len(), w.closed), (3, 0));
    for node in w.nodes.keys().copied().collect::<Vec<_>>() {
        w.set(&node, Kind::Silent);
    }
    w.run(5 * MINUTE);
    assert!(w.closed >= 3, "{}", w.closed);
    for node in w.nodes.keys().copied().collect::<Vec<_>>() {
        w.set(&node, Kind::Honest);
    }
    // What was asked before they answered runs out.
    w.run(MINUTE);
    let before = w.closed;
    w.run(5 * MINUTE);
    assert_eq!((w.links.len(), w.closed), (3, before));
}

/// A network of seven that nobody heard of for a day; one of them is back, and knows of itself alone.
fn one_is_back() -> (World, PeerKey) {
    let mut w = World::joined(9, 7);
    let (_, writer, epoch) = writer(&mut w.rng, &w.file.params.clone());
    let b = sealed(&writer, epoch, 1, b"first heard", &w.file.params.clone());
    w.cut();
    w.run(DAY + 2 * HOUR);
    let first = *w.nodes.keys().next().unwrap();
    for node in w.nodes.keys().copied().filter(|n| *n != first).collect::<Vec<_>>() {
        w.set(&node, Kind::Silent);
    }
    (w.alone, w.cut) = (true, false);
    w.turn(|c, cx| c.put(cx, PutKey(1), b.wire())).unwrap();
    w.run(10 * MINUTE);
    assert_eq!(w.client.status(w.now).eligible, 1);
    (w, first)
}

pub(super) fn the_first_that_answers_is_not_the_network() {
    let (mut w, first) = one_is_back();
    assert_eq!(w.receipts(1), (1, false), "one of seven has signed");
    for node in w.nodes.keys().copied().filter(|n| *n != first).collect::<Vec<_>>() {
        w.set(&node, Kind::Honest);
    }
    w.run(40 * MINUTE);
    assert!(w.client.status(w.now).eligible >= 6, "each knew of itself alone");
    let (signed, solid) = w.receipts(1);
    assert!(solid && signed >= 5, "{signed}");
}

// spec: BC-25
#[test]
fn after_a_day_away_the_first_that_answers_is_not_the_network() {
    the_first_that_answers_is_not_the_network();
}

/// A new client that was told of three of seven nodes; one of them is there, and knows of itself alone.
fn one_bootstrap_is_there() -> (World, Vec<PeerKey>) {
    let mut w = World::new(10, 7);
    let nodes: Vec<PeerKey> = w.nodes.keys().copied().collect();
    (w.boots, w.alone) = (3, true);
    w.restart();
    for node in &nodes[1..] {
        w.set(node, Kind::Silent);
    }
    w.run(10_000);
    (w, nodes)
}

fn put_one(w: &mut World) {
    let params = w.file.params;
    let (_, writer, epoch) = writer(&mut w.rng, &params);
    let b = sealed(&writer, epoch, 1, b"first heard", &params);
    w.turn(|c, cx| c.put(cx, PutKey(1), b.wire())).unwrap();
}

// spec: BC-25
#[test]
fn to_whoever_is_new_the_first_bootstrap_that_answers_is_not_the_network() {
    let (mut w, nodes) = one_bootstrap_is_there();
    put_one(&mut w);
    w.run(10 * MINUTE);
    assert_eq!((w.client.status(w.now).eligible, w.receipts(1)), (1, (1, false)), "one of three has signed");
    for node in &nodes[1..] {
        w.set(node, Kind::Honest);
    }
    w.run(40 * MINUTE);
    let (signed, solid) = w.receipts(1);
    assert!(solid && signed >= 2, "{signed}");
}

// spec: BC-25
#[test]
fn a_start_within_the_hour_does_not_believe_the_one_node_that_was_heard() {
    let (mut w, _) = one_bootstrap_is_there();
    w.run(MINUTE);
    w.restart();
    w.run(10_000);
    put_one(&mut w);
    w.run(10 * MINUTE);
    assert_eq!((w.client.status(w.now).eligible, w.receipts(1)), (1, (1, false)));
}

// spec: BC-25
#[test]
fn hours_offline_at_the_start_are_not_the_hour() {
    let mut w = World::new(13, 7);
    (w.boots, w.alone, w.cut) = (3, true, true);
    w.restart();
    for node in w.nodes.keys().copied().skip(1).collect::<Vec<_>>() {
        w.set(&node, Kind::Silent);
    }
    w.run(3 * HOUR);
    w.cut = false;
    w.run(15 * MINUTE);
    assert_eq!(w.client.status(w.now).eligible, 1);
    put_one(&mut w);
    w.run(10 * MINUTE);
    assert_eq!(w.receipts(1), (1, false));
}

// spec: BC-25
#[test]
fn nodes_named_in_a_link_are_not_taken_for_the_network_by_who_was_told_another_way() {
    let mut w = World::new(12, 1);
    let dead = (100..104).map(|n| murre_core::PeerRef {
        key: PeerKey::from_bytes([n; 32]),
        addrs: vec![murre_core::Addr("/ip4/127.0.0.1/tcp/9".to_owned())],
    });
    for hint in dead {
        w.turn(|c, cx| c.add_bootstrap(cx, hint));
    }
    w.run(10_000);
    put_one(&mut w);
    w.run(10_000);
    assert_eq!(w.receipts(1), (1, true));
}

// spec: BC-25
#[test]
fn bootstraps_that_are_gone_cost_an_hour_at_the_start_and_no_other() {
    let (mut w, _) = one_bootstrap_is_there();
    w.run(BEHIND_MS + MINUTE);
    // A night away, and one of one is there again.
    w.cut();
    w.run(8 * HOUR);
    w.cut = false;
    w.run(2 * MINUTE);
    assert_eq!(w.client.status(w.now).eligible, 1);
    put_one(&mut w);
    w.run(MINUTE);
    assert_eq!(w.receipts(1), (1, true));
}

// spec: BC-25
#[test]
fn a_network_that_shrank_stores_after_an_hour() {
    let (mut w, _) = one_is_back();
    w.run(BEHIND_MS + RETRY_MAX_MS);
    assert_eq!(w.receipts(1), (1, true));
}

#[test]
fn requests_under_way_are_bounded_with_many_mailboxes_and_silent_nodes() {
    let mut w = World::joined(6, 14);
    for node in w.nodes.keys().copied().collect::<Vec<_>>() {
        w.set(&node, Kind::Silent);
    }
    let mut most = 0;
    for i in 0..50 {
        let keys = ReaderKeys::generate(MailboxKind::Group, &mut w.rng);
        w.turn(|c, cx| c.watch(cx, WatchKey(i), keys)).unwrap();
        most = most.max(w.client.status(w.now).inflight);
    }
    assert!((MAX_INFLIGHT..=MAX_INFLIGHT + MAX_LONG_POLLS).contains(&most), "{most}");
    w.run(MINUTE);
    assert!(w.client.status(w.now).inflight <= MAX_INFLIGHT + MAX_LONG_POLLS);
    // They answer again: everybody is served in the end.
    for node in w.nodes.keys().copied().collect::<Vec<_>>() {
        w.set(&node, Kind::Honest);
    }
    w.run(5 * MINUTE);
    assert_eq!(w.client.status(w.now).careful_owed, 0);
}

#[test]
fn an_idle_hour_costs_few_turns() {
    let mut w = World::joined(7, 14);
    let (keys, _, _) = writer(&mut w.rng, &w.file.params.clone());
    w.turn(|c, cx| c.watch(cx, WatchKey(1), keys)).unwrap();
    w.run(MINUTE);
    let before = w.turns;
    w.run(60 * MINUTE);
    assert!(w.turns - before < 1_500, "{} turns", w.turns - before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn frames_of_any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut w = World::joined(8, 1);
        let link = *w.links.values().next().unwrap();
        let mut frame = vec![1, 1];
        frame.extend_from_slice(&bytes);
        w.turn(|c, cx| c.handle_frame(cx, link, &bytes)).unwrap();
        w.turn(|c, cx| c.handle_frame(cx, link, &frame)).unwrap();
    }
}
