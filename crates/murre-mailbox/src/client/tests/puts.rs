//! Storing: "solid" is never said without w receipts that verify, whatever custodians do.

use super::world::sealed;
use super::{Kind, World, writer};
use crate::client::limits::{MAX_PUTS, MAX_QUEUED_PUTS};
use crate::client::{ClientEvent, PutError, PutKey, PutStart, PutTrouble};
use crate::frame::Request;
use crate::limits::MAX_SLOT_FACTOR;
use crate::{VerifiedBox, Writer};
use murre_core::id::PeerKey;
use murre_core::time::{DAY, MINUTE};
use std::collections::BTreeSet;

const SEEDS: u8 = 6;

fn world(seed: u8) -> (World, Writer, VerifiedBox, Vec<PeerKey>) {
    let mut w = World::joined(seed, 14);
    let params = w.file.params;
    let (_, writer, epoch) = writer(&mut w.rng, &params);
    let b = sealed(&writer, epoch, 5, b"hello", &params);
    let placement = w.placement(&b.locator(), epoch);
    assert_eq!(placement.len(), 12);
    (w, writer, b, placement)
}

fn put(w: &mut World, key: u64, b: &VerifiedBox) {
    let bytes = b.wire().to_vec();
    let start = w.turn(|c, cx| c.put(cx, PutKey(key), &bytes)).unwrap();
    assert_eq!(start, PutStart::Started);
}

/// Every put request for the box carried the very same bytes.
fn bytes_never_change(w: &World, b: &VerifiedBox) -> usize {
    let bytes = w.sent.iter().filter_map(|(_, r)| match r {
        Request::Put { b, .. } => Some(b.as_slice()),
        _ => None,
    });
    let all: Vec<&[u8]> = bytes.collect();
    assert!(all.iter().all(|x| *x == b.wire()));
    all.len()
}

#[test]
fn one_coordinator_is_enough_when_all_are_honest() {
    let (mut w, _, b, placement) = world(1);
    put(&mut w, 1, &b);
    w.run(1_000);
    assert_eq!(w.receipts(1), (8, true));
    assert_eq!(bytes_never_change(&w, &b), 1);
    assert_eq!(w.holders(b.id()), placement[..8].iter().copied().collect::<BTreeSet<_>>());
    assert_eq!(w.client.status(w.now).puts, 0);
}

#[test]
fn silent_custodians_and_coordinators_are_replaced() {
    for seed in 0..SEEDS {
        let (mut w, _, b, placement) = world(seed);
        for node in [0, 2, 5, 7] {
            w.set(&placement[node], if node % 2 == 0 { Kind::Silent } else { Kind::Down });
        }
        put(&mut w, 1, &b);
        w.run(2 * MINUTE);
        let (count, solid) = w.receipts(1);
        assert!(solid && count >= 6, "seed {seed}: {count}");
        assert!(w.holders(b.id()).len() >= 6);
        bytes_never_change(&w, &b);
    }
}

#[test]
fn five_of_eight_are_grey_and_the_put_goes_on_until_there_are_six() {
    let (mut w, _, b, placement) = world(3);
    for node in &placement[5..] {
        w.set(node, Kind::Silent);
    }
    put(&mut w, 1, &b);
    w.run(10 * MINUTE);
    assert_eq!(w.receipts(1), (5, false));
    let trouble = |e: &ClientEvent| {
        matches!(e, ClientEvent::PutProblem { why: PutTrouble::NoCustodian, put: PutKey(1) })
    };
    assert!(w.events.iter().any(trouble));
    assert!(bytes_never_change(&w, &b) > 3);
    w.set(&placement[9], Kind::Honest);
    w.run(30 * MINUTE);
    assert_eq!(w.receipts(1), (6, true));
}

#[test]
fn receipts_of_spare_ranks_alone_do_not_make_it_solid() {
    let (mut w, _, b, placement) = world(4);
    // Three of ranks 1..8 and all four spares: seven receipts, but fewer than four from the first ranks.
    for node in &placement[3..8] {
        w.set(node, Kind::Silent);
    }
    put(&mut w, 1, &b);
    w.run(30 * MINUTE);
    assert_eq!(w.receipts(1), (7, false));
    w.set(&placement[3], Kind::Honest);
    w.run(30 * MINUTE);
    assert!(w.receipts(1).1);
}

#[test]
fn forged_receipts_and_receipts_for_other_bytes_never_count() {
    for kind in [Kind::Forger, Kind::OtherBytes] {
        for seed in 0..SEEDS {
            let (mut w, _, b, placement) = world(seed);
            for node in &placement[3..] {
                w.set(node, kind);
            }
            put(&mut w, 1, &b);
            w.run(10 * MINUTE);
            let (count, solid) = w.receipts(1);
            assert!(!solid && count <= 3, "{kind:?} seed {seed}: {count}");
            assert!(w.client.status(w.now).avoided > 0);
        }
    }
}

#[test]
fn liars_are_not_asked_again_for_an_hour() {
    let (mut w, _, b, placement) = world(5);
    for node in &placement {
        w.set(node, Kind::Forger);
    }
    put(&mut w, 1, &b);
    w.run(50 * MINUTE);
    let asked: Vec<PeerKey> =
        w.sent.iter().filter(|(_, r)| matches!(r, Request::Put { .. })).map(|(n, _)| *n).collect();
    assert_eq!(asked.len(), asked.iter().collect::<BTreeSet<_>>().len());
    assert_eq!(asked.len(), 12);
}

#[test]
fn a_lazy_coordinator_is_made_up_for() {
    for seed in 0..SEEDS {
        let (mut w, _, b, placement) = world(seed);
        for node in &placement {
            w.set(node, Kind::Lazy);
        }
        put(&mut w, 1, &b);
        w.run(2_000);
        let (count, solid) = w.receipts(1);
        assert!(solid && count == 6, "seed {seed}: {count}");
    }
}

#[test]
fn a_late_receipt_still_counts_and_an_unasked_one_does_not() {
    let (mut w, _, b, placement) = world(6);
    for node in &placement {
        w.set(node, Kind::Silent);
    }
    put(&mut w, 1, &b);
    let node = w.sent.last().map(|(n, _)| *n).unwrap();
    w.run(5_000);
    let reply = |w: &World, of: &PeerKey| crate::Reply::Put {
        receipts: vec![crate::receipt::issue(&w.nodes[of].key, &crate::receipt::Expected::from(&b))],
        refused: Vec::new(),
    };
    // An answer to a question that was never asked.
    let early = reply(&w, &node);
    w.reply(node, 12_345, early);
    w.run(20);
    assert_eq!(w.receipts(1), (0, false));
    let id = w.client.wire.late.iter().find(|(_, n, _)| *n == node).map(|(id, _, _)| *id).unwrap();
    let late = reply(&w, &node);
    w.reply(node, id, late);
    w.run(20);
    assert_eq!(w.receipts(1), (1, false));
}

#[test]
fn space_is_paid_once_and_the_proof_is_shared() {
    let (mut w, writer, b, placement) = world(7);
    let params = w.file.params;
    for node in &placement {
        w.set(node, Kind::Paid);
    }
    w.solving = false;
    put(&mut w, 1, &b);
    w.run(MINUTE);
    assert_eq!(w.receipts(1), (0, false));
    let puzzles: Vec<_> = w
        .events
        .iter()
        .filter_map(|e| match e {
            ClientEvent::Solve { id, puzzle } => Some((*id, *puzzle)),
            _ => None,
        })
        .collect();
    assert_eq!(puzzles.len(), 1);
    let (id, puzzle) = puzzles[0];
    w.turn(|c, cx| c.puzzle_done(cx, id, puzzle.solve(0, 10_000)));
    w.run(1_000);
    assert_eq!(w.receipts(1), (8, true));
    // The second box of the place comes with the proof.
    let second = sealed(&writer, b.epoch(), 6, b"again", &params);
    put(&mut w, 2, &second);
    w.run(1_000);
    assert_eq!(w.receipts(2), (8, true));
    assert_eq!(w.events.iter().filter(|e| matches!(e, ClientEvent::Solve { .. })).count(), 1);
}

#[test]
fn a_custodian_that_always_wants_more_work_gets_little() {
    let (mut w, _, b, placement) = world(8);
    for node in &placement {
        w.set(node, Kind::Greedy);
    }
    w.solving = false;
    put(&mut w, 1, &b);
    let mut solved = 0;
    for _ in 0..50 {
        w.run(1_000);
        let ids: Vec<_> = w
            .events
            .drain(..)
            .filter_map(|e| match e {
                ClientEvent::Solve { id, puzzle } => Some((id, puzzle)),
                _ => None,
            })
            .collect();
        for (id, puzzle) in ids {
            solved += 1;
            w.turn(|c, cx| c.puzzle_done(cx, id, puzzle.solve(0, 10_000)));
        }
    }
    assert!((1..=24).contains(&solved), "{solved}");
}

/// What was to be solved, and what was told of it.
fn slot_work(w: &World) -> (Vec<u32>, usize) {
    let tries = w.events.iter().filter_map(|e| match e {
        ClientEvent::PutProblem { why: PutTrouble::Paying { tries }, .. } => Some(*tries),
        _ => None,
    });
    (tries.collect(), w.events.iter().filter(|e| matches!(e, ClientEvent::Solve { .. })).count())
}

#[test]
fn a_box_at_a_paid_door_is_worked_for_at_the_lowest_price_that_suffices() {
    let (mut w, ..) = world(21);
    let b = super::prices::door_box(&mut w);
    let placement = w.placement(&b.locator(), b.epoch());
    let link = w.file.params.link.tries;
    for (n, node) in placement.iter().enumerate() {
        // One of them asks for as much as may be asked; a quorum is had without it.
        w.set(node, Kind::Slot(if n == 0 { MAX_SLOT_FACTOR } else { 2 }));
    }
    put(&mut w, 1, &b);
    w.run(MINUTE);
    assert!(w.receipts(1).1, "stored");
    assert!(w.receipts(1).0 >= 6);
    let (tries, _) = slot_work(&w);
    assert_eq!(tries.first(), Some(&(2 * link)));
}

#[test]
fn work_beyond_the_ceiling_is_never_done() {
    let (mut w, ..) = world(22);
    let b = super::prices::door_box(&mut w);
    let placement = w.placement(&b.locator(), b.epoch());
    for node in &placement {
        w.set(node, Kind::Slot(MAX_SLOT_FACTOR * 2));
    }
    put(&mut w, 1, &b);
    w.run(10 * MINUTE);
    assert_eq!(w.receipts(1), (0, false));
    let (tries, puzzles) = slot_work(&w);
    assert!(
        tries.is_empty() && !w.events.iter().any(|e| matches!(e, ClientEvent::Solve { .. })),
        "{puzzles}"
    );
}

#[test]
fn a_full_network_is_told_as_full() {
    let (mut w, _, b, placement) = world(9);
    for node in &placement {
        w.set(node, Kind::Full);
    }
    put(&mut w, 1, &b);
    w.run(MINUTE);
    let full = |e: &ClientEvent| matches!(e, ClientEvent::PutProblem { why: PutTrouble::Full, .. });
    assert!(w.events.iter().any(full));
}

#[test]
fn a_claimed_conflict_without_the_tags_signature_is_a_lie() {
    let (mut w, _, b, placement) = world(10);
    w.set(&placement[1], Kind::ConflictLie);
    put(&mut w, 1, &b);
    w.run(MINUTE);
    assert!(w.receipts(1).1);
    let lie = |e: &ClientEvent| matches!(e, ClientEvent::Conflict { proven: false, held: None, .. });
    assert!(w.events.iter().any(lie));
    assert!(!w.events.iter().any(|e| matches!(e, ClientEvent::Conflict { proven: true, .. })));
}

#[test]
fn a_proven_conflict_ends_the_put() {
    let (mut w, writer, b, placement) = world(11);
    // The same index under the same tag with other content: a store that was rolled back.
    let before = sealed(&writer, b.epoch(), 5, b"other", &w.file.params);
    assert_eq!(before.id(), b.id());
    for node in &placement {
        w.place_box(&before, &[*node]);
        w.set(node, Kind::ConflictTrue);
    }
    put(&mut w, 1, &b);
    w.run(MINUTE);
    let proven = |e: &ClientEvent| matches!(e, ClientEvent::Conflict { proven: true, held: Some(_), .. });
    assert!(w.events.iter().any(proven));
    assert_eq!(w.client.status(w.now).puts, 0);
    assert_eq!(w.receipts(1), (0, false));
}

#[test]
fn the_same_put_goes_on_and_other_bytes_are_refused() {
    let (mut w, writer, b, placement) = world(12);
    for node in &placement {
        w.set(node, Kind::Silent);
    }
    put(&mut w, 1, &b);
    put(&mut w, 1, &b);
    let other = sealed(&writer, b.epoch(), 9, b"x", &w.file.params).wire().to_vec();
    let refused = w.turn(|c, cx| c.put(cx, PutKey(1), &other));
    assert!(matches!(refused, Err(PutError::OtherBytes)));
    let rubbish = w.turn(|c, cx| c.put(cx, PutKey(2), b"rubbish"));
    assert!(matches!(rubbish, Err(PutError::Invalid { .. })));
    w.turn(|c, cx| c.cancel(cx, PutKey(1)));
    assert_eq!(w.client.status(w.now).puts, 0);
}

#[test]
fn puts_beyond_the_limit_wait_by_key_and_are_asked_for_again() {
    let (mut w, writer, b, placement) = world(13);
    let params = w.file.params;
    for node in w.nodes.keys().copied().collect::<Vec<_>>() {
        w.set(&node, Kind::Silent);
    }
    let boxes: Vec<VerifiedBox> =
        (0..MAX_PUTS as u64 + 2).map(|i| sealed(&writer, b.epoch(), i, b"x", &params)).collect();
    for (i, b) in boxes.iter().enumerate() {
        let start = w.turn(|c, cx| c.put(cx, PutKey(i as u64), b.wire())).unwrap();
        assert_eq!(start == PutStart::Queued, i >= MAX_PUTS);
    }
    let status = w.client.status(w.now);
    assert_eq!((status.puts, status.puts_queued), (MAX_PUTS, 2));
    let first = boxes[0].wire();
    for key in 1_000..1_000 + MAX_QUEUED_PUTS as u64 - 2 {
        assert_eq!(w.turn(|c, cx| c.put(cx, PutKey(key), first)).unwrap(), PutStart::Queued);
    }
    assert!(matches!(
        w.turn(|c, cx| c.put(cx, PutKey(7), first)),
        Ok(PutStart::Started) | Err(PutError::OtherBytes)
    ));
    assert!(matches!(w.turn(|c, cx| c.put(cx, PutKey(u64::MAX), first)), Err(PutError::TooMany)));
    w.turn(|c, cx| c.cancel(cx, PutKey(3)));
    let room: Vec<PutKey> = w
        .events
        .iter()
        .filter_map(|e| match e {
            ClientEvent::PutRoom { puts } => Some(puts.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(room, vec![PutKey(MAX_PUTS as u64)]);
    let _ = placement;
}

#[test]
fn a_box_whose_time_is_over_ends_with_a_reason() {
    let (mut w, _, b, placement) = world(14);
    for node in &placement {
        w.set(node, Kind::Silent);
    }
    put(&mut w, 1, &b);
    w.run(8 * DAY);
    let over = |e: &ClientEvent| matches!(e, ClientEvent::PutProblem { put: PutKey(1), why } if why.ended());
    assert!(w.events.iter().any(over));
    assert_eq!(w.client.status(w.now).puts, 0);
}
