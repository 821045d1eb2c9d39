//! Places: a put that only waits holds up nobody, forgets nothing, and its key is free when it ended.

use super::world::sealed;
use super::{Kind, World, writer};
use crate::client::limits::{MAX_PUTS, MAX_YIELDS};
use crate::client::{ClientEvent, PutError, PutKey, PutStart, PutTrouble, WatchKey};
use crate::frame::Request;
use crate::{VerifiedBox, Writer};
use murre_core::time::{DAY, MINUTE};
use std::collections::BTreeSet;

/// A world, a writer of one mailbox, and `count` of its boxes in the world's outbox under the keys from 0 on.
fn crowd(seed: u8, count: u64) -> (World, Writer, Vec<VerifiedBox>) {
    let mut w = World::joined(seed, 14);
    let params = w.file.params;
    let (_, writer, epoch) = writer(&mut w.rng, &params);
    let boxes: Vec<VerifiedBox> =
        (0..count).map(|i| sealed(&writer, epoch, i, &i.to_be_bytes(), &params)).collect();
    w.outbox = boxes.iter().zip(0..).map(|(b, i)| (PutKey(i), b.wire().to_vec())).collect();
    (w, writer, boxes)
}

fn offer(w: &mut World, key: u64) -> Result<PutStart, PutError> {
    let bytes = w.outbox[&PutKey(key)].clone();
    w.turn(|c, cx| c.put(cx, PutKey(key), &bytes))
}

fn offer_all(w: &mut World, count: u64) {
    for key in 0..count {
        offer(w, key).unwrap();
    }
}

/// A box for another mailbox, put under this key.
fn offer_elsewhere(w: &mut World, key: u64) {
    let params = w.file.params;
    let (_, other, epoch) = writer(&mut w.rng, &params);
    let b = sealed(&other, epoch, 1, b"elsewhere", &params);
    w.outbox.insert(PutKey(key), b.wire().to_vec());
    offer(w, key).unwrap();
}

fn troubles(w: &World, key: u64, what: PutTrouble) -> usize {
    let is =
        |e: &&ClientEvent| matches!(e, ClientEvent::PutProblem { put, why } if put.0 == key && *why == what);
    w.events.iter().filter(is).count()
}

#[test]
fn a_full_mailbox_holds_up_no_other_one() {
    const CROWD: u64 = 80;
    let (mut w, _, boxes) = crowd(1, CROWD);
    w.full.insert(boxes[0].locator());
    // Somebody is heard all the time, as by any device that reads: no pause is cut short.
    let (read, _, _) = writer(&mut w.rng, &w.file.params);
    w.turn(|c, cx| c.watch(cx, WatchKey(1), read)).unwrap();
    offer_all(&mut w, CROWD);
    w.run(1_500);
    offer_elsewhere(&mut w, 1_000);
    w.run(3_000);
    assert!(w.receipts(1_000).1, "solid within seconds");
    // Fair between keys: each had its turn, was told, and comes back.
    w.run(4_000);
    for key in 0..CROWD {
        assert!(troubles(&w, key, PutTrouble::Full) >= 1, "key {key}");
    }
    let status = w.client.status(w.now);
    assert_eq!(status.puts + status.puts_queued, CROWD as usize, "none is lost");
    assert!(status.puts <= MAX_PUTS);
    w.run(3 * MINUTE);
    // Waits of 5 s, doubled each time, make at most seven rounds in three minutes.
    for key in 0..CROWD {
        let told = troubles(&w, key, PutTrouble::Full);
        assert!((3..=7).contains(&told), "key {key}: {told}");
    }
    w.full.clear();
    w.run(6 * MINUTE);
    for key in 0..CROWD {
        assert!(w.receipts(key).1, "key {key}");
    }
    let status = w.client.status(w.now);
    assert_eq!((status.puts, status.puts_queued), (0, 0));
}

#[test]
fn places_go_round_at_a_bounded_pace_while_nobody_can_be_asked() {
    let count = 4 * MAX_PUTS as u64;
    let (mut w, _, _) = crowd(2, count);
    for node in w.nodes.keys().copied().collect::<Vec<_>>() {
        w.set(&node, Kind::Down);
    }
    offer_all(&mut w, count);
    w.run(10_000);
    w.events.clear();
    let turns = w.turns;
    w.run(MINUTE);
    let called: usize = w
        .events
        .iter()
        .map(|e| match e {
            ClientEvent::PutRoom { puts } => puts.len(),
            _ => 0,
        })
        .sum();
    assert!((1..=61 * MAX_YIELDS).contains(&called), "{called}");
    assert!(w.turns - turns < 6_000, "{}", w.turns - turns);
    let status = w.client.status(w.now);
    assert_eq!(status.puts + status.puts_queued, count as usize);
}

#[test]
fn who_gave_its_place_up_keeps_its_receipts() {
    let count = MAX_PUTS as u64 + 8;
    let (mut w, _, boxes) = crowd(3, count);
    let placement = w.placement(&boxes[0].locator(), boxes[0].epoch());
    for node in &placement[5..] {
        w.set(node, Kind::Full);
    }
    offer_all(&mut w, count);
    w.run(5_000);
    assert!((0..count).all(|key| w.receipts(key) == (5, false)));
    let asked = |w: &World| {
        let of = |(n, r): &&(_, Request)| matches!(r, Request::Put { .. }) && placement[..5].contains(n);
        w.sent.iter().filter(of).count()
    };
    w.set(&placement[9], Kind::Honest);
    let before = asked(&w);
    w.run(5 * MINUTE);
    assert!((0..count).all(|key| w.receipts(key) == (6, true)));
    // As coordinators they may be asked again, to store they are not: at most a few for each round.
    assert!(asked(&w) - before <= 3 * count as usize, "{}", asked(&w) - before);
}

#[test]
fn a_put_without_a_place_ends_when_its_epoch_is_over_and_takes_no_other_bytes_before() {
    let count = MAX_PUTS as u64 + 1;
    let (mut w, writer, boxes) = crowd(4, count);
    w.full.insert(boxes[0].locator());
    offer_all(&mut w, count);
    w.run(2_000);
    let asleep = (0..count).find(|k| w.client.puts.is_asleep(&PutKey(*k))).unwrap();
    assert_eq!(offer(&mut w, asleep).unwrap(), PutStart::Queued);
    let other = sealed(&writer, boxes[0].epoch(), 500, b"other", &w.file.params).wire().to_vec();
    let refused = w.turn(|c, cx| c.put(cx, PutKey(asleep), &other));
    assert!(matches!(refused, Err(PutError::OtherBytes)));
    // Whoever is called and does not come is forgotten, and its place is not kept.
    w.outbox.remove(&PutKey(asleep));
    w.sleep(9 * DAY);
    w.run(2 * MINUTE);
    for key in (0..count).filter(|k| *k != asleep) {
        let ended = troubles(&w, key, PutTrouble::Expired) + troubles(&w, key, PutTrouble::EpochOver);
        assert_eq!(ended, 1, "key {key}");
    }
    let status = w.client.status(w.now);
    assert_eq!((status.puts, status.puts_queued), (0, 0));
}

#[test]
fn puts_that_wait_for_a_puzzle_hold_up_nobody() {
    let count = MAX_PUTS as u64;
    let (mut w, _, boxes) = crowd(5, count);
    w.paid.insert(boxes[0].locator());
    w.solving = false;
    offer_all(&mut w, count);
    w.run(1_000);
    offer_elsewhere(&mut w, 1_000);
    w.run(3_000);
    assert!(w.receipts(1_000).1);
    let solve = w.events.iter().find_map(|e| match e {
        ClientEvent::Solve { id, puzzle } => Some((*id, *puzzle)),
        _ => None,
    });
    let (id, puzzle) = solve.unwrap();
    w.turn(|c, cx| c.puzzle_done(cx, id, puzzle.solve(0, 10_000)));
    w.run(10_000);
    assert!((0..count).all(|key| w.receipts(key).1));
}

#[test]
fn a_coordinator_cannot_call_others_full() {
    for seed in 0..6 {
        let (mut w, _, _) = crowd(seed, 1);
        for node in w.nodes.keys().copied().collect::<Vec<_>>() {
            w.set(&node, Kind::Slanderer);
        }
        offer(&mut w, 0).unwrap();
        w.run(5_000);
        assert!(w.receipts(0).1, "seed {seed}");
        assert_eq!(troubles(&w, 0, PutTrouble::Full), 0);
    }
}

#[test]
fn a_key_whose_put_ended_carries_other_bytes_at_once_and_old_answers_blame_nobody() {
    let (mut w, writer, boxes) = crowd(6, 1);
    let placement = w.placement(&boxes[0].locator(), boxes[0].epoch());
    for node in &placement {
        w.set(node, Kind::Lazy);
    }
    offer(&mut w, 0).unwrap();
    // The first answer is under way when the parent thinks better of it.
    w.turn(|c, cx| c.cancel(cx, PutKey(0)));
    let other = sealed(&writer, boxes[0].epoch(), 77, b"other", &w.file.params);
    assert_eq!(w.turn(|c, cx| c.put(cx, PutKey(0), other.wire())).unwrap(), PutStart::Started);
    w.run(2_000);
    assert!(w.receipts(0).1);
    assert_eq!(w.client.status(w.now).avoided, 0, "an answer about the old bytes is no lie");
    assert!(w.holders(other.id()).len() >= 6);
    // Solid: the key is free again.
    let third = sealed(&writer, boxes[0].epoch(), 78, b"third", &w.file.params);
    assert_eq!(w.turn(|c, cx| c.put(cx, PutKey(0), third.wire())).unwrap(), PutStart::Started);
    w.run(2_000);
    assert!(w.holders(third.id()).len() >= 6);
    let all: BTreeSet<_> = w.sent.iter().map(|(n, _)| *n).collect();
    assert!(all.iter().all(|n| w.client.is_node(n)));
    assert!(!w.client.is_node(&murre_core::id::PeerKey::from_bytes([9; 32])));
}
