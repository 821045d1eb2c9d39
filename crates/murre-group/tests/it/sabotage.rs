//! The planted faults of this layer do what the simulator's oracles look for.

use crate::{open, pair, seal};
use murre_core::sabotage::plant;
use murre_group::OpenError;

#[test]
fn reuse_generation_is_a_second_message_under_one_key() {
    let (mut alice, mut bob, state) = pair();
    plant(Some("reuse-generation"));
    let one = seal(&mut alice, state, b"one").unwrap();
    alice.restart();
    let two = seal(&mut alice, state, b"two").unwrap();
    plant(None);
    open(&mut bob, state, &one).unwrap();
    assert_eq!(open(&mut bob, state, &two), Err(OpenError::Replay));
}

#[test]
fn no_flush_is_a_message_that_opens_twice() {
    let (mut alice, mut bob, state) = pair();
    let bytes = seal(&mut alice, state, b"one").unwrap();
    plant(Some("no-flush"));
    open(&mut bob, state, &bytes).unwrap();
    plant(None);
    bob.restart();
    assert!(open(&mut bob, state, &bytes).is_ok());
}
