//! Damaged and crafted bytes: refused, and nothing changes.

use crate::world::{Person, log};
use crate::{open, pair, seal};
use murre_group::{OpenError, Refusal, check_key_package};
use proptest::prelude::*;

/// Every byte of short inputs; of long ones the head, the tail and a sample that hits every part.
fn places(len: usize) -> impl Iterator<Item = usize> {
    let step = (len / 64).max(1);
    (0..len.min(80)).chain((80..len).step_by(step)).chain(len.saturating_sub(80).max(80)..len)
}

#[test]
fn a_flipped_bit_in_a_message_is_refused_and_changes_nothing() {
    let (mut alice, mut bob, state) = pair();
    let bytes = seal(&mut alice, state, b"hello").unwrap();
    let before = bob.rows.clone();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        let refused = open(&mut bob, state, &bad);
        assert!(matches!(refused, Err(OpenError::Refused(_))), "byte {at}: {refused:?}");
        assert_eq!(bob.rows, before, "byte {at}");
    }
    assert_eq!(open(&mut bob, state, &bytes).unwrap().plaintext, b"hello");
}

#[test]
fn after_refusals_the_rows_are_those_of_a_device_that_never_saw_them() {
    let run = |hostile: bool| {
        let (mut alice, mut bob, state) = pair();
        let bytes = seal(&mut alice, state, b"hello").unwrap();
        if hostile {
            let mut bad = bytes.clone();
            let last = bad.len() - 1;
            bad[last] ^= 1;
            open(&mut bob, state, &bad).unwrap_err();
        }
        seal(&mut bob, state, b"mine").unwrap();
        (bob.rows, bytes)
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_truncated_or_extended_message_is_refused() {
    let (mut alice, mut bob, state) = pair();
    let mut bytes = seal(&mut alice, state, b"hello").unwrap();
    for cut in 0..bytes.len() {
        assert!(matches!(open(&mut bob, state, &bytes[..cut]), Err(OpenError::Refused(_))));
    }
    bytes.push(0);
    assert_eq!(open(&mut bob, state, &bytes), Err(OpenError::Refused(Refusal::Malformed)));
}

#[test]
fn a_message_of_another_group_is_refused() {
    let (mut alice, mut bob, state) = pair();
    let mut carol = Person::new(3);
    let (_, package) = carol.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let other = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(7), &[package])).unwrap();
    let bytes =
        alice.turn(|e, tx, rng, id| e.seal(tx, rng, id, log(7), other.state, b"", b"not for bob")).unwrap();
    assert_eq!(open(&mut bob, state, &bytes), Err(OpenError::Refused(Refusal::OtherGroup)));
}

#[test]
fn a_welcome_is_no_message_and_a_message_no_welcome() {
    let (mut alice, mut bob, state) = pair();
    let mut carol = Person::new(3);
    let (_, package) = carol.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let made = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(7), &[package])).unwrap();
    assert_eq!(open(&mut bob, state, &made.welcome), Err(OpenError::Refused(Refusal::Malformed)));
    let bytes = seal(&mut alice, state, b"x").unwrap();
    let refused = carol.turn(|e, tx, rng, id| e.join(tx, rng, id, log(7), made.state, &bytes));
    assert_eq!(refused, Err(murre_group::JoinError::Malformed));
}

#[test]
fn a_flipped_bit_in_a_welcome_is_refused_and_changes_nothing() {
    let (mut alice, mut bob) = (Person::new(1), Person::new(2));
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let made = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[package])).unwrap();
    let before = bob.rows.clone();
    for at in places(made.welcome.len()) {
        let mut bad = made.welcome.clone();
        bad[at] ^= 1 << (at % 8);
        let refused = bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), made.state, &bad));
        assert!(refused.is_err(), "byte {at}");
        let refused = bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), made.state, &made.welcome[..at]));
        assert!(refused.is_err(), "first {at} bytes");
        assert_eq!(bob.rows, before, "byte {at}");
    }
    bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), made.state, &made.welcome)).unwrap();
}

#[test]
fn a_flipped_bit_in_a_key_package_is_refused() {
    let mut bob = Person::new(2);
    let (_, bytes) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    for at in places(bytes.len()) {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(check_key_package(&bad).is_err(), "byte {at}");
        assert!(check_key_package(&bytes[..at]).is_err(), "first {at} bytes");
    }
    let mut long = bytes.clone();
    long.push(0);
    assert!(check_key_package(&long).is_err());
    assert!(check_key_package(&bytes).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut bob = Person::new(2);
        let state = murre_core::id::StateId::from_bytes([1; 32]);
        prop_assert!(check_key_package(&bytes).is_err());
        let joined = bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), state, &bytes));
        prop_assert!(joined.is_err());
        let opened = bob.turn(|e, tx, _, _| e.open(tx, log(1), state, &bytes));
        prop_assert!(opened.is_err());
    }
}
