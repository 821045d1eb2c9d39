use super::mail::{Mail, boxes, cheap, holders, parts, put};
use super::wire::World;
use crate::limits::MAX_WAITERS_PER_LINK;
use murre_core::time::HOUR;
use murre_core::{NetworkParams, Wall};
use murre_mailbox::{Cursor, MailboxKind, NetworkFile, Refusal, Reply, Request};
use std::collections::BTreeSet;

#[test]
fn a_reader_lists_and_gets_what_was_put() {
    let mut world = World::new(5, cheap());
    let mail = Mail::new(MailboxKind::Account, 20, &world);
    let wall = world.wall();
    let put: Vec<_> = (0..3).map(|i| mail.boxed(wall, i, format!("text {i}").as_bytes())).collect();
    for (i, b) in put.iter().enumerate() {
        mail.put(&mut world, i, b);
    }
    let ids: BTreeSet<_> = put.iter().map(|b| b.id()).collect();
    for (careful, want) in [(false, 2), (true, 2)] {
        let wall = world.wall();
        let answers =
            parts(world.ask(4, Request::List { r: mail.list(wall, vec![], 0, careful), fan: true }));
        assert!(answers.len() >= want);
        for part in &answers {
            assert_eq!(BTreeSet::from_iter(part.ids.clone()), ids);
            assert_eq!(part.seq, 3);
        }
    }
    let wall = world.wall();
    let all = ids.iter().copied().collect();
    let got = boxes(world.ask(3, Request::Get { r: mail.get(wall, all), fan: true }));
    assert_eq!(BTreeSet::from_iter(got), put.iter().map(|b| b.wire().to_vec()).collect());
}

#[test]
fn a_cursor_continues_a_list_and_a_restart_begins_it_again() {
    let mut world = World::new(1, cheap());
    let mail = Mail::new(MailboxKind::Account, 21, &world);
    let me = world.nodes[0].peer;
    let wall = world.wall();
    let [a, b] = [0, 1].map(|i| mail.boxed(wall, i, b"x"));
    mail.put(&mut world, 0, &a);
    let first =
        parts(world.ask(0, Request::List { r: mail.list(wall, vec![], 0, false), fan: true })).remove(0);
    assert_eq!(first.ids, [a.id()]);
    mail.put(&mut world, 0, &b);
    let cursor = vec![(me, Cursor { inc: first.inc, seq: first.seq })];
    let r = mail.list(wall, cursor.clone(), 0, false);
    let second = parts(world.ask(0, Request::List { r, fan: true })).remove(0);
    assert_eq!((second.ids, second.inc), (vec![b.id()], first.inc));
    world.stop(0);
    world.start(0);
    world.run(1_000);
    let r = mail.list(wall, cursor, 0, false);
    let third = parts(world.ask(0, Request::List { r, fan: true })).remove(0);
    assert_eq!(third.ids, [a.id(), b.id()], "another incarnation");
    assert_ne!(third.inc, first.inc);
}

#[test]
fn a_long_list_comes_in_pages() {
    let p = NetworkParams { group_boxes: 2_000, ..NetworkParams::cheap() };
    let mut world = World::new(1, NetworkFile::new("long", p));
    let mail = Mail::new(MailboxKind::Group, 22, &world);
    let wall = world.wall();
    let link = world.dial(0);
    for index in 0..1_030 {
        let b = mail.boxed(wall, index, b"");
        let proof = mail.proof((index * b.wire().len() as u64 / p.block_bytes) as u32);
        world.send(link, put(&b, Some(proof), false));
    }
    world.run(1_000);
    let one =
        parts(world.ask(0, Request::List { r: mail.list(wall, vec![], 0, false), fan: false })).remove(0);
    assert!(one.more && one.ids.len() == 1_024);
    let cursor = vec![(world.nodes[0].peer, Cursor { inc: one.inc, seq: one.seq })];
    let two =
        parts(world.ask(0, Request::List { r: mail.list(wall, cursor, 0, false), fan: false })).remove(0);
    assert_eq!((two.more, two.ids.len()), (false, 6));
}

#[test]
fn only_a_reader_of_this_mailbox_may_read_it() {
    let mut world = World::new(2, cheap());
    let [mail, other] = [23, 24].map(|seed| Mail::new(MailboxKind::Account, seed, &world));
    let wall = world.wall();
    let b = mail.boxed(wall, 1, b"private");
    mail.put(&mut world, 0, &b);
    let theirs = other.boxed(wall, 1, b"other");
    other.put(&mut world, 0, &theirs);
    // A valid reader of another mailbox asks for this box by id.
    let got = boxes(world.ask(0, Request::Get { r: other.get(wall, vec![b.id(), theirs.id()]), fan: false }));
    assert_eq!(got, [theirs.wire().to_vec()]);
    // A signature that is not the reader's.
    let mut forged = mail.get(wall, vec![b.id()]).bytes();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let forged = murre_mailbox::SignedRead::from_bytes(&forged).unwrap();
    for fan in [false, true] {
        let reply = world.ask(0, Request::Get { r: forged.clone(), fan });
        assert_eq!(reply, Reply::Refused(Refusal::Denied));
    }
    // An old request, replayed.
    let old = mail.list(Wall(wall.0 - 3 * HOUR), vec![], 0, false);
    for fan in [false, true] {
        let reply = world.ask(1, Request::List { r: old.clone(), fan });
        assert_eq!(reply, Reply::Refused(Refusal::Denied));
    }
    // A list where a get belongs.
    let reply = world.ask(0, Request::Get { r: mail.list(wall, vec![], 0, false), fan: false });
    assert_eq!(reply, Reply::Refused(Refusal::Malformed));
}

#[test]
fn a_waiting_list_is_answered_when_something_new_comes() {
    for fan in [false, true] {
        let mut world = World::new(4, cheap());
        let mail = Mail::new(MailboxKind::Account, 25, &world);
        let wall = world.wall();
        let link = world.dial(0);
        let id = world.send(link, Request::List { r: mail.list(wall, vec![], 50_000, false), fan });
        world.run(20_000);
        assert!(!world.replies.contains_key(&id), "nothing new, so it waits");
        let b = mail.boxed(wall, 1, b"news");
        mail.put(&mut world, 1, &b);
        let reply = world.replies.get_mut(&id).expect("answered").remove(0);
        let answers = parts(reply);
        assert!(answers.iter().any(|part| part.ids == [b.id()]));
        // There is something: a further list with the same cursor answers at once.
        let id = world.send(link, Request::List { r: mail.list(wall, vec![], 50_001, false), fan });
        world.run(100);
        assert!(world.replies.contains_key(&id));
    }
}

#[test]
fn a_list_waits_no_longer_than_it_said() {
    for fan in [false, true] {
        let mut world = World::new(3, cheap());
        let mail = Mail::new(MailboxKind::Account, 26, &world);
        let r = mail.list(world.wall(), vec![], 10_000, false);
        let link = world.dial(0);
        let id = world.send(link, Request::List { r, fan });
        world.run(9_900);
        assert!(!world.replies.contains_key(&id));
        world.run(2_300);
        let answers = parts(world.replies.get_mut(&id).unwrap().remove(0));
        assert!(!answers.is_empty() && answers.iter().all(|part| part.ids.is_empty()));
    }
}

#[test]
fn waiting_lists_of_one_link_are_bounded() {
    let mut world = World::new(1, cheap());
    let link = world.dial(0);
    let count = MAX_WAITERS_PER_LINK + 6;
    let mails: Vec<Mail> =
        (0..count).map(|seed| Mail::new(MailboxKind::Group, 100 + seed as u8, &world)).collect();
    let wall = world.wall();
    let ids: Vec<u64> = mails
        .iter()
        .map(|m| world.send(link, Request::List { r: m.list(wall, vec![], 30_000, false), fan: false }))
        .collect();
    world.run(1_000);
    let answered = ids.iter().filter(|id| world.replies.contains_key(id)).count();
    assert_eq!(answered, 6);
    world.run(30_000);
    assert!(ids.iter().all(|id| world.replies.contains_key(id)));
}

#[test]
fn a_get_finds_at_other_nodes_what_is_missing_here() {
    let mut world = World::new(4, cheap());
    let mail = Mail::new(MailboxKind::Account, 27, &world);
    let wall = world.wall();
    let b = mail.boxed(wall, 1, b"only at one");
    world.ask(3, put(&b, Some(mail.proof(0)), false));
    assert_eq!(holders(&world, &b), [world.nodes[3].peer]);
    let got = boxes(world.ask(0, Request::Get { r: mail.get(wall, vec![b.id()]), fan: true }));
    assert_eq!(got, [b.wire().to_vec()]);
}

#[test]
fn a_large_get_comes_in_parts_that_fit_a_frame() {
    let mut world = World::new(2, cheap());
    let mail = Mail::new(MailboxKind::Account, 28, &world);
    let wall = world.wall();
    let put: Vec<_> = (0..6).map(|i| mail.boxed(wall, i, &[i as u8; 250_000])).collect();
    for b in &put {
        mail.put(&mut world, 0, b);
    }
    let mut missing: BTreeSet<_> = put.iter().map(|b| b.id()).collect();
    let mut rounds = 0;
    while !missing.is_empty() {
        let ids = missing.iter().copied().collect();
        let got = boxes(world.ask(0, Request::Get { r: mail.get(wall, ids), fan: true }));
        assert!(!got.is_empty());
        for wire in got {
            let b = murre_mailbox::SealedBox::parse(&wire).unwrap().verify(&mail.p).unwrap();
            missing.remove(&b.id());
        }
        rounds += 1;
    }
    assert_eq!(rounds, 2);
}

#[test]
fn a_tombstone_takes_the_bytes_and_they_stay_gone() {
    let mut world = World::new(3, cheap());
    let mail = Mail::new(MailboxKind::Account, 29, &world);
    let other = Mail::new(MailboxKind::Account, 30, &world);
    let wall = world.wall();
    let [b, later] = [1, 2].map(|i| mail.boxed(wall, i, b"to be dropped"));
    let foreign = other.boxed(wall, 1, b"not yours");
    mail.put(&mut world, 0, &b);
    other.put(&mut world, 0, &foreign);
    let ids = vec![b.id(), later.id(), foreign.id()];
    let t = mail.at().sign_tombstone(ids).unwrap();
    assert_eq!(world.ask(1, Request::Tombstone { t, fan: true }), Reply::Ok);
    assert!(holders(&world, &b).is_empty());
    assert_eq!(holders(&world, &foreign).len(), 3, "another mailbox's box is not touched");
    // Put again, and put for the first time: acknowledged, never stored.
    assert!(mail.put(&mut world, 0, &b).len() >= 2);
    assert!(mail.put(&mut world, 2, &later).len() >= 2);
    assert!(holders(&world, &b).is_empty() && holders(&world, &later).is_empty());
    let r = mail.list(wall, vec![], 0, true);
    assert!(parts(world.ask(0, Request::List { r, fan: true })).iter().all(|p| p.ids.is_empty()));
    // Someone else's key.
    let t = other.at().sign_tombstone(vec![foreign.id()]).unwrap();
    let mut bytes = t.bytes();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let t = murre_mailbox::Tombstone::from_bytes(&bytes).unwrap();
    assert_eq!(world.ask(1, Request::Tombstone { t, fan: true }), Reply::Refused(Refusal::Denied));
    let group = Mail::new(MailboxKind::Group, 31, &world);
    assert!(group.at().sign_tombstone(vec![]).is_none(), "nothing in a group can be tombstoned");
}
