//! What lies in the rows, and how much of it.

use crate::world::log;
use crate::{open, pair, seal};
use murre_core::{Direction, Range, Space, View};
use murre_group::rows::{GUARDS, KEY_PACKAGES, KEYS, ROWS, STATES};
use murre_group::{GroupEngine, OpenError, RowError};

/// Bytes of a state of two devices: everything in the spaces of this layer, keys of rows included.
const STATE_BYTES_AT_2: usize = 9_500;
/// Bytes that one application message rewrites, in a state of two devices.
const MESSAGE_BYTES_AT_2: usize = 800;

#[test]
fn a_state_of_two_devices_stays_small() {
    let (mut alice, mut bob, state) = pair();
    let bytes = seal(&mut alice, state, b"hello").unwrap();
    open(&mut bob, state, &bytes).unwrap();
    seal(&mut bob, state, b"hello").unwrap();
    for rows in [&alice.rows, &bob.rows] {
        let mut total = 0;
        for space in [STATES, KEYS, ROWS, GUARDS] {
            for (key, value) in rows.scan(space, &Range::all(), Direction::Forward, 1_000).unwrap() {
                println!("{} {}: {} bytes", space.name, key[key.len() - 1], value.len());
                total += key.len() + value.len();
            }
        }
        println!("state of two devices: {total} bytes");
        assert!(total < STATE_BYTES_AT_2, "{total} bytes");
        let secrets = rows.get(ROWS, &[0, 0, 0, 0, 0, 0, 0, 6]).unwrap().unwrap();
        assert!(secrets.len() < MESSAGE_BYTES_AT_2, "{} bytes", secrets.len());
    }
}

#[test]
fn an_application_message_rewrites_one_row() {
    let (mut alice, mut bob, state) = pair();
    let before = alice.rows.clone();
    let bytes = seal(&mut alice, state, b"hello").unwrap();
    let changed = |a: &crate::world::Rows, b: &crate::world::Rows| {
        b.0.iter().filter(|(key, value)| a.0.get(*key) != Some(*value)).count()
    };
    assert_eq!(changed(&before, &alice.rows), 1);
    assert_eq!(before.0.len(), alice.rows.0.len());
    let before = bob.rows.clone();
    open(&mut bob, state, &bytes).unwrap();
    assert_eq!(changed(&before, &bob.rows), 1);
}

#[test]
fn rows_of_a_state_do_not_open_without_its_key_or_in_another_place() {
    let (mut alice, mut bob, state) = pair();
    let bytes = seal(&mut alice, state, b"hello").unwrap();
    let sound = bob.rows.clone();
    // The private keys of the path (entity 9) are read for commits only.
    let needed = |(space, key): &&(Space, Vec<u8>)| *space == ROWS && key[7] != 9;
    let keys: Vec<_> = sound.0.keys().filter(needed).cloned().collect();
    assert!(keys.len() >= 8);
    for key in &keys {
        bob.restart();
        bob.rows = sound.clone();
        bob.rows.0.get_mut(key).unwrap()[30] ^= 1;
        let error = open(&mut bob, state, &bytes).unwrap_err();
        assert!(matches!(error, OpenError::Rows(RowError::Damaged { .. })), "{key:?}: {error}");
        // A row of another entity in this place.
        let other = keys.iter().find(|k| *k != key).unwrap();
        bob.rows.0.insert(key.clone(), sound.0[other].clone());
        assert!(matches!(open(&mut bob, state, &bytes), Err(OpenError::Rows(_))));
    }
    // Two values of one shape in each other's place: only the associated data tells them apart.
    let (hash, tag) = ((ROWS, 3u64.to_be_bytes().to_vec()), (ROWS, 4u64.to_be_bytes().to_vec()));
    bob.restart();
    bob.rows = sound.clone();
    bob.rows.0.insert(hash.clone(), sound.0[&tag].clone());
    bob.rows.0.insert(tag, sound.0[&hash].clone());
    assert!(matches!(open(&mut bob, state, &bytes), Err(OpenError::Rows(RowError::Damaged { .. }))));
    bob.restart();
    bob.rows = sound.clone();
    bob.rows.0.retain(|(space, _), _| *space != KEYS);
    bob.restart();
    assert_eq!(open(&mut bob, state, &bytes), Err(OpenError::UnknownState));
}

#[test]
fn a_missing_row_is_damage_and_not_an_empty_group() {
    let (mut alice, mut bob, state) = pair();
    let bytes = seal(&mut alice, state, b"hello").unwrap();
    let sound = bob.rows.clone();
    for key in sound.0.keys().filter(|(space, _)| *space == ROWS) {
        // The private keys of the path are needed for commits only.
        if key.1[7] == 9 {
            continue;
        }
        bob.restart();
        bob.rows = sound.clone();
        bob.rows.0.remove(key);
        assert!(matches!(open(&mut bob, state, &bytes), Err(OpenError::Rows(_))), "{key:?}");
    }
}

#[test]
fn a_damaged_key_package_row_is_an_error_and_not_a_stranger() {
    let (mut alice, mut bob) = (crate::world::Person::new(1), crate::world::Person::new(2));
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let made = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[package])).unwrap();
    for (_, value) in bob.rows.0.iter_mut().filter(|((space, _), _)| *space == KEY_PACKAGES) {
        value.truncate(20);
    }
    let refused = bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), made.state, &made.welcome));
    assert!(matches!(refused, Err(murre_group::JoinError::Rows(RowError::Damaged { .. }))), "{refused:?}");
}

#[test]
fn erasing_leaves_only_the_guard() {
    let (mut alice, _, state) = pair();
    alice.turn(|e, tx, _, _| e.erase(tx, log(1), state)).unwrap();
    assert!(alice.rows.0.keys().all(|(space, _)| *space == GUARDS));
    assert_eq!(alice.rows.0.len(), 1);
    alice.turn(|e, tx, _, _| e.erase(tx, log(1), state)).unwrap();
}

#[test]
fn no_row_holds_a_secret_of_the_state_in_clear() {
    let (_, bob, state) = pair();
    let members = GroupEngine::new().members(&bob.rows, log(1), state).unwrap();
    // Even the public part is sealed: no device id is found in a row of the state.
    for ((space, _), value) in &bob.rows.0 {
        if *space == ROWS {
            for (_, device) in &members {
                assert!(!value.windows(32).any(|w| w == device.as_bytes()));
            }
        }
    }
}
