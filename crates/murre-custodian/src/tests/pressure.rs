//! A node that fills up: what it asks for, whom it still takes, and that nothing makes way.

use super::mail::{Mail, cheap, holders, put, put_reply, refusal};
use super::wire::World;
use crate::query;
use murre_core::time::{HOUR, MINUTE};
use murre_mailbox::client::{ClientEvent, PutKey, PutTrouble};
use murre_mailbox::{MailboxKind, PutRefusal, VerifiedBox};

/// Bytes that the node of these tests may hold. One large box takes 26 % of them.
const CAPACITY: u64 = 1_000_000;

/// A world of one node with this much room.
fn small(capacity: u64) -> World {
    let mut world = World::new(1, cheap());
    world.stop(0);
    world.nodes[0].disk = capacity;
    world.start(0);
    world.run(1_000);
    world
}

/// Puts large boxes of one mailbox until so many lie there.
fn fill(world: &mut World, seed: u8, count: u64) -> Vec<VerifiedBox> {
    let mail = Mail::new(MailboxKind::Group, seed, world);
    let wall = world.wall();
    let boxes: Vec<VerifiedBox> = (0..count).map(|n| mail.boxed(wall, n, &[1; 200_000])).collect();
    for b in &boxes {
        mail.put(world, 0, b);
    }
    boxes
}

fn boxes(world: &World) -> u64 {
    query::status(&world.nodes[0].store).unwrap().boxes
}

fn device_says(world: &World, what: impl Fn(&ClientEvent) -> bool) -> usize {
    world.device.as_ref().unwrap().events.iter().filter(|e| what(e)).count()
}

fn solid(event: &ClientEvent) -> bool {
    matches!(event, ClientEvent::Receipts { solid: true, .. })
}

#[test]
fn a_device_solves_the_harder_puzzle_of_a_pressed_node_and_the_put_goes_on() {
    let mut world = small(CAPACITY);
    fill(&mut world, 70, 3);
    world.add_device();
    world.run(5_000);
    let mail = Mail::new(MailboxKind::Account, 71, &world);
    let b = mail.boxed(world.wall(), 1, b"under pressure");
    world.device(|client, cx| {
        client.put(cx, PutKey(1), b.wire()).unwrap();
    });
    world.run(10_000);
    assert_eq!(device_says(&world, solid), 1);
    let tries = world.network.params.space.tries;
    assert_eq!(world.device.as_ref().unwrap().efforts, [2 * tries], "what was asked for, once");
    assert_eq!(boxes(&world), 4);
}

#[test]
fn the_reserve_is_for_locators_that_were_open_before_the_pressure() {
    let mut world = small(CAPACITY);
    let wall = world.wall();
    let before = Mail::new(MailboxKind::Account, 72, &world);
    before.put(&mut world, 0, &before.boxed(wall, 1, b"early"));
    fill(&mut world, 73, 2);
    assert!(!world.nodes[0].machine.as_ref().unwrap().boxes.disk().pressed());
    // The third large box brings the pressure: 79 % in use.
    let last = Mail::new(MailboxKind::Group, 74, &world);
    last.put(&mut world, 0, &last.boxed(wall, 1, &[1; 200_000]));
    let late = Mail::new(MailboxKind::Account, 75, &world);
    let dear = murre_mailbox::SpaceProof {
        block: 0,
        solution: {
            let price = murre_core::params::PuzzlePrice { tries: 4, ..late.p.space };
            let at = late.at().locator;
            murre_mailbox::space_puzzle(&at, late.epoch, 0, price).solve(0, 100_000).unwrap()
        },
    };
    let first = late.boxed(wall, 1, b"late");
    assert_eq!(put_reply(world.ask(0, put(&first, Some(dear), false))).0.len(), 1, "below 80 % it is let in");
    // Further up only who was here before goes on: not who came under pressure, not who is new.
    let more = late.boxed(wall, 2, &[1; 50_000]);
    assert_eq!(refusal(world.ask(0, put(&more, None, false))), PutRefusal::NoRoom);
    let goes_on = before.boxed(wall, 2, &[1; 50_000]);
    assert_eq!(put_reply(world.ask(0, put(&goes_on, None, false))).0.len(), 1);
    assert_eq!(boxes(&world), 6, "nothing made way");
    // A restart does not make it older.
    world.stop(0);
    world.start(0);
    world.run(1_000);
    assert_eq!(refusal(world.ask(0, put(&more, None, false))), PutRefusal::NoRoom);
    // When the pressure is over, whoever is open is open.
    world.stop(0);
    world.nodes[0].disk = 10 * CAPACITY;
    world.start(0);
    world.run(1_000);
    assert_eq!(put_reply(world.ask(0, put(&more, None, false))).0.len(), 1);
    world.stop(0);
    world.nodes[0].disk = 1_100_000;
    world.start(0);
    world.run(1_000);
    let again = late.boxed(wall, 3, &[1; 50_000]);
    assert_eq!(put_reply(world.ask(0, put(&again, None, false))).0.len(), 1);
}

/// Fills a node, asks it for more than it has room for, and looks at what it says and at what it holds.
fn a_full_node_keeps_what_it_has() {
    let mut world = small(CAPACITY);
    let held = fill(&mut world, 76, 3);
    let mail = Mail::new(MailboxKind::Group, 76, &world);
    let more = mail.boxed(world.wall(), 9, &[1; 250_000]);
    let (receipts, _) = put_reply(world.ask(0, put(&more, None, false)));
    let holds = |b: &VerifiedBox| !holders(&world, b).is_empty();
    assert!(held.iter().all(holds), "a held box made way");
    assert!(receipts.is_empty() || holds(&more), "a receipt for what is not held");
    assert!(receipts.is_empty(), "more than the capacity");
}

#[test]
fn a_full_node_drops_nothing_and_signs_for_nothing() {
    a_full_node_keeps_what_it_has();
}

#[cfg(feature = "sabotage")]
#[test]
fn planted_faults_of_a_full_node_are_caught() {
    for fault in ["evict-for-room", "receipt-without-room"] {
        assert!(murre_core::sabotage::catches(fault, a_full_node_keeps_what_it_has), "{fault}");
    }
}

#[test]
fn expiry_alone_makes_room_and_a_refused_put_then_goes_on() {
    let mut world = small(CAPACITY);
    let wall = world.wall();
    let mail = Mail::new(MailboxKind::Group, 77, &world);
    let short = |n| {
        let sealed = mail.writer.seal_box(mail.epoch, n, wall.hour() + 2, &[1; 200_000]).unwrap();
        sealed.verify(&mail.p).unwrap()
    };
    for n in 0..3 {
        mail.put(&mut world, 0, &short(n));
    }
    world.add_device();
    world.run(5_000);
    let b = mail.boxed(world.wall(), 9, &[1; 250_000]);
    world.device(|client, cx| {
        client.put(cx, PutKey(1), b.wire()).unwrap();
    });
    world.run(30 * MINUTE);
    let full = |e: &ClientEvent| matches!(e, ClientEvent::PutProblem { why: PutTrouble::Full, .. });
    assert!(device_says(&world, full) >= 1, "it is told");
    assert_eq!((device_says(&world, solid), boxes(&world)), (0, 3));
    world.run(2 * HOUR);
    assert_eq!((device_says(&world, solid), boxes(&world)), (1, 1));
}
