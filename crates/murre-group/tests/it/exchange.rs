//! Application messages between two members, with crashes in every place.

use crate::world::{Person, log};
use crate::{open, pair, seal};
use murre_core::Turn;
use murre_group::{
    GroupEngine, Identity, LOADED_GROUPS, MAX_AAD, MAX_CIPHERTEXT, MAX_FORWARD_DISTANCE, MAX_PLAINTEXT,
    OUT_OF_ORDER_TOLERANCE, OpenError, Refusal, SealError,
};

#[test]
fn two_members_talk_and_restart_between_every_two_steps() {
    let (mut alice, mut bob, state) = pair();
    for round in 0u8..6 {
        for (from, to) in [(0, 1), (1, 0)] {
            let people = [&mut alice, &mut bob];
            let [a, b] = people;
            let (from, to) = if from < to { (a, b) } else { (b, a) };
            from.restart();
            to.restart();
            let bytes = seal(from, state, &[round; 40]).unwrap();
            from.restart();
            let opened = open(to, state, &bytes).unwrap();
            assert_eq!((opened.account, opened.device), from.who());
            assert_eq!(opened.plaintext, [round; 40]);
            assert_eq!(opened.aad, b"header");
        }
    }
}

#[test]
fn a_loaded_and_a_reloaded_group_are_the_same() {
    let run = |restart: bool| {
        let (mut alice, mut bob, state) = pair();
        let mut wire = Vec::new();
        for n in 0u8..4 {
            let bytes = seal(&mut alice, state, &[n]).unwrap();
            open(&mut bob, state, &bytes).unwrap();
            wire.push(bytes);
            wire.push(seal(&mut bob, state, &[n]).unwrap());
            if restart {
                alice.restart();
                bob.restart();
            }
        }
        (wire, alice.rows, bob.rows)
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_message_opens_once() {
    let (mut alice, mut bob, state) = pair();
    let bytes = seal(&mut alice, state, b"once").unwrap();
    open(&mut bob, state, &bytes).unwrap();
    let before = bob.rows.clone();
    assert_eq!(open(&mut bob, state, &bytes), Err(OpenError::Replay));
    bob.restart();
    assert_eq!(open(&mut bob, state, &bytes), Err(OpenError::Replay));
    assert_eq!(bob.rows, before);
}

#[test]
fn within_one_turn_a_message_opens_once_as_well() {
    let (mut alice, mut bob, state) = pair();
    let (one, two) = (seal(&mut alice, state, b"1").unwrap(), seal(&mut alice, state, b"2").unwrap());
    bob.turn(|e, tx, _, _| {
        e.open(tx, log(1), state, &one)?;
        assert_eq!(e.open(tx, log(1), state, &one), Err(OpenError::Replay));
        assert!(matches!(e.open(tx, log(1), state, &one[1..]), Err(OpenError::Refused(Refusal::Malformed))));
        e.open(tx, log(1), state, &two)
    })
    .unwrap();
    bob.restart();
    for bytes in [&one, &two] {
        assert_eq!(open(&mut bob, state, bytes), Err(OpenError::Replay));
    }
}

#[test]
fn messages_open_in_any_order_within_the_tolerance() {
    let (mut alice, mut bob, state) = pair();
    let wire: Vec<_> = (0u8..20).map(|n| seal(&mut alice, state, &[n]).unwrap()).collect();
    for n in (0..20).rev() {
        bob.restart();
        assert_eq!(open(&mut bob, state, &wire[n]).unwrap().plaintext, [n as u8]);
    }
    for bytes in &wire {
        assert_eq!(open(&mut bob, state, bytes), Err(OpenError::Replay));
    }
}

#[test]
fn behind_the_tolerance_the_key_is_gone() {
    let (mut alice, mut bob, state) = pair();
    let count = OUT_OF_ORDER_TOLERANCE as usize + 2;
    let wire: Vec<_> = (0..count).map(|n| seal(&mut alice, state, &n.to_be_bytes()).unwrap()).collect();
    open(&mut bob, state, &wire[count - 1]).unwrap();
    assert_eq!(open(&mut bob, state, &wire[0]), Err(OpenError::Refused(Refusal::TooOld)));
    assert_eq!(open(&mut bob, state, &wire[1]), Err(OpenError::Refused(Refusal::TooOld)));
    let oldest = count - OUT_OF_ORDER_TOLERANCE as usize;
    assert_eq!(open(&mut bob, state, &wire[oldest]).unwrap().plaintext, oldest.to_be_bytes());
}

#[test]
fn too_far_ahead_is_refused_and_costs_nothing() {
    let (mut alice, mut bob, state) = pair();
    let first = seal(&mut alice, state, b"first").unwrap();
    // One turn for all of them; only the last is kept.
    let far = alice
        .turn(|e, tx, rng, id| {
            let mut last = Ok(Vec::new());
            for _ in 0..=MAX_FORWARD_DISTANCE {
                let mut scratch = Turn::new(&*tx);
                last = e.seal(&mut scratch, rng, id, log(1), state, b"", b"far");
            }
            last
        })
        .unwrap();
    let before = bob.rows.clone();
    assert_eq!(open(&mut bob, state, &far), Err(OpenError::Refused(Refusal::TooFar)));
    assert_eq!(bob.rows, before);
    open(&mut bob, state, &first).unwrap();
}

#[test]
fn opening_is_deferred_to_the_flush_and_forgotten_by_a_crash_before_it() {
    let (mut alice, mut bob, state) = pair();
    let bytes = seal(&mut alice, state, b"deferred").unwrap();
    {
        let mut tx = Turn::new(&bob.rows);
        bob.engine.open(&mut tx, log(1), state, &bytes).unwrap();
        assert!(tx.into_batch().is_empty(), "opening wrote rows before the flush");
    }
    bob.restart();
    assert_eq!(open(&mut bob, state, &bytes).unwrap().plaintext, b"deferred");
    bob.restart();
    assert_eq!(open(&mut bob, state, &bytes), Err(OpenError::Replay));
}

#[test]
fn an_aborted_turn_leaves_no_trace_in_memory() {
    let (mut alice, mut bob, state) = pair();
    let bytes = seal(&mut alice, state, b"twice").unwrap();
    {
        let mut tx = Turn::new(&bob.rows);
        bob.engine.open(&mut tx, log(1), state, &bytes).unwrap();
    }
    bob.engine.abort();
    open(&mut bob, state, &bytes).unwrap();
}

#[test]
fn one_flush_writes_one_row_for_many_opened_messages() {
    let (mut alice, mut bob, state) = pair();
    let wire: Vec<_> = (0u8..30).map(|n| seal(&mut alice, state, &[n]).unwrap()).collect();
    let mut tx = Turn::new(&bob.rows);
    for bytes in &wire {
        bob.engine.open(&mut tx, log(1), state, bytes).unwrap();
    }
    bob.engine.flush(&mut tx).unwrap();
    assert_eq!(tx.into_batch().ops.len(), 1);
}

#[test]
fn sealing_is_in_the_batch_before_the_bytes_and_takes_deferred_opens_with_it() {
    let (mut alice, mut bob, state) = pair();
    let incoming = seal(&mut alice, state, b"question").unwrap();
    let answer = {
        let id = Identity { device: &bob.device, cert: &bob.cert };
        let mut tx = Turn::new(&bob.rows);
        bob.engine.open(&mut tx, log(1), state, &incoming).unwrap();
        let answer =
            bob.engine.seal(&mut tx, &mut bob.rng, &id, log(1), state, b"header", b"answer").unwrap();
        // What sealing wrote must be enough: a flush after it has nothing to add.
        bob.engine.flush(&mut tx).unwrap();
        let batch = tx.into_batch();
        assert_eq!(batch.ops.len(), 1);
        bob.rows.apply(&batch);
        answer
    };
    bob.restart();
    assert_eq!(open(&mut bob, state, &incoming), Err(OpenError::Replay));
    let next = seal(&mut bob, state, b"next").unwrap();
    assert_eq!(open(&mut alice, state, &answer).unwrap().plaintext, b"answer");
    // Had the generation been used again, the second would be a replay of the first.
    assert_eq!(open(&mut alice, state, &next).unwrap().plaintext, b"next");
}

#[test]
fn no_generation_is_used_twice_over_restarts() {
    let (mut alice, mut bob, state) = pair();
    let wire: Vec<_> = (0u8..8)
        .map(|n| {
            alice.restart();
            seal(&mut alice, state, &[n]).unwrap()
        })
        .collect();
    for bytes in wire.iter().rev() {
        open(&mut bob, state, bytes).unwrap();
    }
}

#[test]
fn same_seed_same_bytes_on_the_wire_and_in_the_rows() {
    let run = || {
        let (mut alice, mut bob, state) = pair();
        let mut wire = Vec::new();
        for n in 0u8..3 {
            wire.push(seal(&mut alice, state, &[n]).unwrap());
            wire.push(seal(&mut bob, state, &[n]).unwrap());
            open(&mut bob, state, &wire[wire.len() - 2]).unwrap();
        }
        (state, wire, alice.rows, bob.rows)
    };
    let one = run();
    // OpenMLS stamps its state with the time; rows of two different milliseconds must still be equal.
    assert_eq!(run(), one);
}

#[test]
fn a_larger_group_is_the_same_bytes_however_threads_are_scheduled() {
    let run = || {
        let mut people: Vec<_> = (1..=9).map(Person::new).collect();
        let packages: Vec<_> = people[1..]
            .iter_mut()
            .map(|p| p.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap().1)
            .collect();
        let made = people[0].turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &packages)).unwrap();
        (made, people.swap_remove(0).rows)
    };
    let one = run();
    for _ in 0..3 {
        assert_eq!(run(), one);
    }
}

#[test]
fn another_seed_gives_other_bytes() {
    let (mut alice, _, state) = pair();
    let one = seal(&mut alice, state, b"x").unwrap();
    let (mut alice, _, state) = pair();
    alice.rng = murre_core::Rng::from_seed([99; 32]);
    assert_ne!(seal(&mut alice, state, b"x").unwrap(), one);
}

#[test]
fn more_groups_than_fit_in_memory_all_stay_usable() {
    let (mut alice, mut bob) = (Person::new(1), Person::new(2));
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let groups: Vec<_> = (0..LOADED_GROUPS as u8 + 4)
        .map(|n| {
            let packages = [package.clone()];
            let made = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(n), &packages)).unwrap();
            bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(n), made.state, &made.welcome)).unwrap();
            (log(n), made.state)
        })
        .collect();
    let wire: Vec<_> = groups
        .iter()
        .map(|(log, state)| {
            alice.turn(|e, tx, rng, id| e.seal(tx, rng, id, *log, *state, b"", b"hello")).unwrap()
        })
        .collect();
    // All in one turn: the first groups are flushed and dropped while the turn goes on.
    bob.turn(|e, tx, _, _| {
        groups
            .iter()
            .zip(&wire)
            .try_for_each(|((log, state), bytes)| e.open(tx, *log, *state, bytes).map(drop))
    })
    .unwrap();
    bob.restart();
    for ((log, state), bytes) in groups.iter().zip(&wire) {
        let again = bob.turn(|e, tx, _, _| e.open(tx, *log, *state, bytes));
        assert_eq!(again, Err(OpenError::Replay));
    }
}

#[test]
fn limits_hold() {
    let (mut alice, mut bob, state) = pair();
    let longest = vec![7; MAX_PLAINTEXT];
    let bytes =
        alice.turn(|e, tx, rng, id| e.seal(tx, rng, id, log(1), state, &[1; MAX_AAD], &longest)).unwrap();
    assert!(bytes.len() <= MAX_CIPHERTEXT);
    assert_eq!(open(&mut bob, state, &bytes).unwrap().plaintext, longest);
    let long = [7; MAX_PLAINTEXT + 1];
    let refused = seal(&mut alice, state, &long);
    assert!(matches!(refused, Err(SealError::TooLong { plaintext, .. }) if plaintext == long.len()));
    let refused = alice.turn(|e, tx, rng, id| e.seal(tx, rng, id, log(1), state, &[0; MAX_AAD + 1], b""));
    assert!(matches!(refused, Err(SealError::TooLong { .. })));
    let refused = open(&mut bob, state, &vec![0; MAX_CIPHERTEXT + 1]);
    assert_eq!(refused, Err(OpenError::Refused(Refusal::TooLong)));
}

#[test]
fn what_is_unknown_is_said_to_be_unknown() {
    let (mut alice, mut bob, state) = pair();
    let other = murre_core::id::StateId::from_bytes([9; 32]);
    let bytes = seal(&mut alice, state, b"x").unwrap();
    assert_eq!(open(&mut bob, other, &bytes), Err(OpenError::UnknownState));
    assert_eq!(seal(&mut bob, other, b"x"), Err(SealError::UnknownState));
    assert!(GroupEngine::new().members(&bob.rows, log(1), other).is_err());
    assert!(!bob.engine.knows(&bob.rows, log(1), other).unwrap());
    assert!(bob.engine.knows(&bob.rows, log(1), state).unwrap());
}

#[test]
fn an_own_message_is_named_as_such() {
    let (mut alice, _, state) = pair();
    let bytes = seal(&mut alice, state, b"mine").unwrap();
    assert_eq!(open(&mut alice, state, &bytes), Err(OpenError::Refused(Refusal::Own)));
}

#[test]
fn another_device_cannot_seal_in_this_devices_place() {
    let (mut alice, bob, state) = pair();
    let refused = alice.turn(|e, tx, rng, _| {
        let id = Identity { device: &bob.device, cert: &bob.cert };
        e.seal(tx, rng, &id, log(1), state, b"", b"x")
    });
    assert_eq!(refused, Err(SealError::NotOwnLeaf));
}

#[test]
fn signals_have_a_key_that_both_share_and_that_moves_no_ratchet() {
    let (mut alice, mut bob, state) = pair();
    let first = seal(&mut alice, state, b"early").unwrap();
    let key = |person: &mut Person| {
        let mut tx = Turn::new(&person.rows);
        let key = person.engine.signal_key(&mut tx, log(1), state).unwrap();
        assert!(tx.into_batch().is_empty(), "nothing to write: nothing moved");
        *key.expose()
    };
    assert_eq!(key(&mut alice), key(&mut bob));
    alice.restart();
    assert_eq!(key(&mut alice), key(&mut bob));
    assert_eq!(open(&mut bob, state, &first).unwrap().plaintext, b"early");
}
