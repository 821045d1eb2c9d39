//! The group layer, from outside.

mod crafted;
mod exchange;
mod hostile;
mod membership;
mod rows;
#[cfg(feature = "sabotage")]
mod sabotage;
mod store_faults;
mod world;

use murre_core::id::StateId;
use murre_group::{OpenError, Opened, SealError};
use world::{Person, log};

/// Alice creates the group of log 1 with Bob in it.
fn pair() -> (Person, Person, StateId) {
    let (mut alice, mut bob) = (Person::new(1), Person::new(2));
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let created = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[package])).unwrap();
    let state = created.state;
    bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), state, &created.welcome)).unwrap();
    (alice, bob, state)
}

fn seal(from: &mut Person, state: StateId, text: &[u8]) -> Result<Vec<u8>, SealError> {
    from.turn(|e, tx, rng, id| e.seal(tx, rng, id, log(1), state, b"header", text))
}

/// A refused message does not fail the turn: the engine goes on as it is.
fn open(at: &mut Person, state: StateId, bytes: &[u8]) -> Result<Opened, OpenError> {
    let before = at.rows.clone();
    let result = at.turn(|e, tx, _, _| Ok::<_, OpenError>(e.open(tx, log(1), state, bytes))).unwrap();
    assert!(result.is_ok() || at.rows == before, "a refused message changed rows");
    result
}
