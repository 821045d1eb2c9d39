//! A mailbox that has no room left.

use crate::contact::{MINUTE, befriend, send, state, texts};
use crate::world::World;
use murre_core::NetworkParams;
use murre_device::{MessageState, query};

const HOUR: u64 = 60 * MINUTE;

#[test]
fn what_a_full_mailbox_does_not_take_lies_in_its_next_epoch_as_soon_as_that_begins() {
    // One writer has a quarter of the boxes. An epoch takes puts for two hours more after its end.
    let params =
        NetworkParams { epoch_ms: 2 * HOUR, grace_ms: 2 * HOUR, account_boxes: 48, ..NetworkParams::cheap() };
    let mut world = World::with(3, params);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let chat = befriend(&mut world, bob, alice);
    let first = send(&mut world, alice, chat, "first");
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, first) == MessageState::Delivered));
    world.stop(bob);
    let mut sent = Vec::new();
    for i in 0..14 {
        sent.push(send(&mut world, alice, chat, &format!("{i}")));
        world.run(1_000);
    }
    let last = sent[13];
    let why = |w: &World| query::status(w.view(alice), last, w.clock().wall).unwrap().why;
    assert!(world.run_until(10 * MINUTE, |w| why(w).contains("full")), "{}", why(&world));
    assert!(state(&world, alice, last) < MessageState::Stored);
    let stored = |w: &World| sent.iter().all(|id| state(w, alice, *id) == MessageState::Stored);
    assert!(world.run_until(2 * HOUR + 15 * MINUTE, stored), "before the first epoch stops taking puts");
    world.start(bob);
    assert!(world.run_until(HOUR, |w| texts(w, bob, chat).len() == 15));
}
