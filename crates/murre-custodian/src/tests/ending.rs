//! A node that cannot write, and one that is being stopped: what each still does, and that it says so.

use super::mail::{Mail, boxes, cheap, door, holders, parts, put, put_reply, refusal};
use super::wire::World;
use crate::limits::{DISK_BACK, DISK_LOW, DRAIN_MS};
use crate::{Answer, Before, Command, Event};
use murre_core::{CommandId, Mono, Now, Output};
use murre_mailbox::client::{ClientEvent, PutKey};
use murre_mailbox::{MailboxKind, PutRefusal, Refusal, Reply, Request};

/// A write failed for want of room.
const FULL: Command = Command::Disk { free: 0, reserve: false };
/// Room is back.
const FREE: Command = Command::Disk { free: DISK_BACK, reserve: true };

fn status(world: &mut World, i: usize) -> crate::NodeStatus {
    let now = Now { mono: Mono(world.now), wall: world.wall() };
    let node = &mut world.nodes[i];
    let machine = node.machine.as_mut().unwrap();
    machine.handle_commands(now, &node.store, vec![(CommandId(3), Command::Status)]).unwrap();
    let mut found = None;
    while let Some(output) = machine.poll_output() {
        if let Output::Event(Event::Answer { answer: Answer::Status(status), .. }) = output {
            found = Some(status);
        }
    }
    found.unwrap()
}

#[test]
fn without_room_puts_are_refused_reads_served_and_receipts_repeated() {
    let mut world = World::new(1, cheap());
    let wall = world.wall();
    let mail = Mail::new(MailboxKind::Account, 80, &world);
    let b = mail.boxed(wall, 1, b"before");
    let (first, _) = put_reply(world.ask(0, put(&b, Some(mail.proof(0)), false)));
    world.command(0, FULL);
    let more = mail.boxed(wall, 2, b"more");
    assert_eq!(refusal(world.ask(0, put(&more, None, false))), PutRefusal::NoRoom);
    assert!(holders(&world, &more).is_empty());
    let (keys, link) = door(81);
    let epoch = keys.address().epoch_at(wall, &world.network.params);
    let object = keys.at(epoch).unwrap().object(&link, 2, wall.hour() + 24, vec![]).unwrap();
    let object = Request::PutObject { o: object.wire().into(), fan: false };
    assert_eq!(refusal(world.ask(0, object.clone())), PutRefusal::NoRoom);
    // What is held is receipted again, listed and handed out.
    assert_eq!(put_reply(world.ask(0, put(&b, None, false))).0, first);
    let listed = parts(world.ask(0, Request::List { r: mail.list(wall, vec![], 0, false), fan: false }));
    assert_eq!(listed[0].ids, [b.id()]);
    let got = boxes(world.ask(0, Request::Get { r: mail.get(wall, vec![b.id()]), fan: false }));
    assert_eq!(got, [b.wire().to_vec()]);
    let said = status(&mut world, 0);
    assert!(said.without_room);
    assert_eq!((said.tally.put_stored, said.tally.put_known, said.tally.put_no_room), (1, 1, 2));
    assert_eq!((said.tally.list_answered, said.tally.get_answered), (1, 1));
    world.command(0, FREE);
    assert_eq!(put_reply(world.ask(0, put(&more, None, false))).0.len(), 1);
    assert_eq!(put_reply(world.ask(0, object)).0.len(), 1);
    assert!(!status(&mut world, 0).without_room);
}

#[test]
fn between_the_marks_a_node_stays_as_it_was_also_when_it_is_opened_anew() {
    let mut world = World::new(1, cheap());
    let between = || Command::Disk { free: DISK_LOW, reserve: true };
    world.command(0, between());
    assert!(!status(&mut world, 0).without_room);
    world.command(0, Command::Disk { free: DISK_LOW - 1, reserve: true });
    world.command(0, between());
    assert!(status(&mut world, 0).without_room);
    // A store that failed takes the machine away, not what was found out.
    world.stop(0);
    world.nodes[0].before = Before { without_room: true, ..Before::default() };
    world.start(0);
    world.command(0, between());
    assert!(status(&mut world, 0).without_room);
    world.command(0, Command::Disk { free: DISK_BACK, reserve: false });
    assert_eq!(
        (status(&mut world, 0).without_room, world.nodes[0].laid),
        (true, 1),
        "the reserve comes first"
    );
    world.command(0, FREE);
    assert!(!status(&mut world, 0).without_room);
    assert_eq!(world.nodes[0].rooms, [false, true], "told when it changes");
}

#[test]
fn a_node_without_room_fetches_nothing_by_repair_until_room_is_back() {
    let mut world = World::new(2, cheap());
    let mail = Mail::new(MailboxKind::Account, 82, &world);
    world.command(0, FULL);
    let b = mail.boxed(world.wall(), 1, b"only there");
    assert_eq!(put_reply(world.ask(1, put(&b, Some(mail.proof(0)), false))).0.len(), 1);
    world.run(2 * 11 * 60_000);
    assert_eq!(holders(&world, &b), [world.nodes[1].peer]);
    assert_eq!(status(&mut world, 0).tally.repair_fetched, 0);
    world.command(0, FREE);
    world.run(12 * 60_000);
    assert_eq!(holders(&world, &b).len(), 2);
    assert_eq!(status(&mut world, 0).tally.repair_stored, 1);
}

#[test]
fn a_node_that_leaves_answers_who_waits_refuses_what_is_new_and_says_when_it_is_done() {
    let mut world = World::new(1, cheap());
    let wall = world.wall();
    let mail = Mail::new(MailboxKind::Account, 83, &world);
    let link = world.dial(0);
    let waiting = world.send(link, Request::List { r: mail.list(wall, vec![], 50_000, false), fan: false });
    let fanned = world.send(link, Request::List { r: mail.list(wall, vec![], 50_000, false), fan: true });
    world.run(1_000);
    assert!(!world.replies.contains_key(&waiting) && !world.replies.contains_key(&fanned));
    world.command(0, Command::Drain);
    world.run(100);
    for id in [waiting, fanned] {
        assert!(matches!(world.replies[&id][..], [Reply::List { .. }]), "{:?}", world.replies[&id]);
    }
    assert_eq!(world.nodes[0].drained, [0]);
    let b = mail.boxed(wall, 1, b"too late");
    for fan in [false, true] {
        let id = world.send(link, put(&b, Some(mail.proof(0)), fan));
        world.run(100);
        assert_eq!(world.replies[&id], [Reply::Refused(Refusal::Leaving)]);
    }
    // Who reads over an open link is served, and does not wait.
    let id = world.send(link, Request::List { r: mail.list(wall, vec![], 50_000, false), fan: false });
    world.run(100);
    assert!(matches!(world.replies[&id][..], [Reply::List { .. }]));
    let closed = world.closed.len();
    let late = world.dial(0);
    world.run(100);
    assert_eq!(world.closed[closed..], [late], "no new link");
    world.run(2 * DRAIN_MS);
    assert_eq!(world.nodes[0].drained, [0], "said once");
    let said = status(&mut world, 0);
    assert!(said.leaving);
    assert_eq!(said.tally.leaving, 2);
    assert!(holders(&world, &b).is_empty());
}

#[test]
fn a_node_that_leaves_finishes_what_it_coordinates() {
    let mut world = World::new(4, cheap());
    let mail = Mail::new(MailboxKind::Account, 84, &world);
    let b = mail.boxed(world.wall(), 1, b"under way");
    // Two that were just lost, so that the put takes its two seconds.
    let placement = mail.placement(&world, 0);
    let lost = placement.iter().filter(|n| **n != world.nodes[0].peer).take(2).copied().collect::<Vec<_>>();
    let link = world.dial(0);
    let id = world.send(link, put(&b, Some(mail.proof(0)), true));
    world.run(6);
    for node in lost {
        let i = world.index(&node);
        world.nodes[i].machine = None;
    }
    world.command(0, Command::Drain);
    assert!(world.nodes[0].drained.is_empty(), "something is under way");
    world.run(DRAIN_MS);
    assert_eq!(world.nodes[0].drained, [0]);
    let (receipts, _) = put_reply(world.replies.remove(&id).unwrap().remove(0));
    assert!(!receipts.is_empty());
    for receipt in receipts {
        let node = murre_mailbox::receipt::check(receipt, &(&b).into()).unwrap();
        assert!(holders(&world, &b).contains(&node), "signed and held");
    }
}

#[test]
fn a_node_that_was_leaving_when_its_store_failed_is_opened_leaving() {
    let mut world = World::new(1, cheap());
    let mail = Mail::new(MailboxKind::Account, 86, &world);
    world.command(0, Command::Drain);
    world.stop(0);
    world.nodes[0].drained.clear();
    world.nodes[0].before = Before { leaving: true, ..Before::default() };
    world.start(0);
    world.run(100);
    assert_eq!(world.nodes[0].drained, [0], "it says that it is done, as nothing is under way");
    assert!(status(&mut world, 0).leaving);
    let (closed, late) = (world.closed.len(), world.dial(0));
    world.run(100);
    assert_eq!(world.closed[closed..], [late], "no new link");
    let b = mail.boxed(world.wall(), 1, b"too late");
    assert!(holders(&world, &b).is_empty());
}

#[test]
fn a_device_goes_to_others_when_a_node_leaves() {
    let mut world = World::new(5, cheap());
    world.add_device();
    world.run(5_000);
    world.command(0, Command::Drain);
    let mail = Mail::new(MailboxKind::Account, 85, &world);
    let b = mail.boxed(world.wall(), 1, b"through others");
    world.device(|client, cx| {
        client.put(cx, PutKey(1), b.wire()).unwrap();
    });
    world.run(20_000);
    let solid = |e: &ClientEvent| matches!(e, ClientEvent::Receipts { solid: true, .. });
    assert!(world.device.as_ref().unwrap().events.iter().any(solid));
    assert!(!holders(&world, &b).contains(&world.nodes[0].peer));
}
