use super::mail::{DAY_MS, Mail, cheap, door, holders, put, put_reply, refusal};
use super::wire::World;
use crate::{Answer, Command, Custodian, Event, OpenError, query, rows};
use murre_core::id::{Bytes, NetworkId};
use murre_core::params::PuzzlePrice;
use murre_core::time::HOUR;
use murre_core::{CommandId, Direction, NetworkParams, Output, Range, Rng, View};
use murre_mailbox::limits::{MAX_SLOT_FACTOR, slot_price};
use murre_mailbox::{
    MailboxKind, NetworkFile, PutRefusal, Refusal, Reply, Request, SLOT_BLOCK, SealedBox, SpaceProof, Writer,
    slot_grant, slot_puzzle,
};
use murre_store::CountingView;
use std::collections::BTreeSet;

#[test]
fn nodes_find_each_other_and_join() {
    let world = World::new(5, cheap());
    assert!(world.nodes.iter().all(|n| n.ready));
    for node in &world.nodes {
        let machine = node.machine.as_ref().unwrap();
        assert_eq!(machine.feeder.directory.len(), 5);
        assert_eq!(query::status(&node.store).unwrap().nodes, 5);
    }
}

#[test]
fn a_put_through_a_coordinator_is_stored_at_exactly_the_placement() {
    let mut world = World::new(8, cheap());
    let extra = world.add_node();
    for _ in 0..4 {
        world.add_node();
    }
    world.run(20_000);
    let mail = Mail::new(MailboxKind::Account, 1, &world);
    let b = mail.boxed(world.wall(), 1, b"hello");
    let ranks = mail.placement(&world, extra);
    let q = NetworkParams::quorum(13);
    let signed = mail.put(&mut world, extra, &b);
    assert!(signed.len() >= q.w);
    assert_eq!(BTreeSet::from_iter(signed.clone()).len(), signed.len());
    assert_eq!(BTreeSet::from_iter(holders(&world, &b)), BTreeSet::from_iter(ranks[..q.k].to_vec()));
    for node in signed {
        assert!(ranks[..q.k].contains(&node));
    }
}

#[test]
fn spare_ranks_stand_in_for_nodes_that_are_gone() {
    let mut world = World::new(12, cheap());
    let mail = Mail::new(MailboxKind::Account, 2, &world);
    let b = mail.boxed(world.wall(), 1, b"x");
    let ranks = mail.placement(&world, 0);
    let coordinator = world.index(&ranks[7]);
    for gone in &ranks[..3] {
        let i = world.index(gone);
        world.stop(i);
    }
    let signed = mail.put(&mut world, coordinator, &b);
    assert!(signed.len() >= 6, "{}", signed.len());
    assert!(signed.iter().any(|n| ranks[8..].contains(n)), "a spare rank signed");
    assert!(signed.iter().filter(|n| ranks[..8].contains(n)).count() >= 4);
}

#[test]
fn a_second_put_gets_the_same_receipt_and_other_bytes_a_conflict() {
    let mut world = World::new(1, cheap());
    let mail = Mail::new(MailboxKind::Account, 3, &world);
    let wall = world.wall();
    let b = mail.boxed(wall, 1, b"first");
    let (first, _) = put_reply(world.ask(0, put(&b, Some(mail.proof(0)), false)));
    world.stop(0);
    world.start(0);
    world.run(1_000);
    let (again, _) = put_reply(world.ask(0, put(&b, None, false)));
    assert_eq!(first, again);
    let other = mail.boxed(wall, 1, b"second");
    assert_eq!(other.id(), b.id());
    for fan in [false, true] {
        let why = refusal(world.ask(0, put(&other, None, fan)));
        assert_eq!(why, PutRefusal::Conflict { held: b.wire().to_vec().into() });
    }
    assert_eq!(holders(&world, &other), []);
}

#[test]
fn one_conflict_of_a_ring_carries_the_bytes() {
    let mut world = World::new(6, cheap());
    let mail = Mail::new(MailboxKind::Account, 33, &world);
    let wall = world.wall();
    let b = mail.boxed(wall, 1, &[1; 200_000]);
    mail.put(&mut world, 0, &b);
    let (receipts, refused) = put_reply(world.ask(0, put(&mail.boxed(wall, 1, b"other"), None, true)));
    assert!(receipts.is_empty());
    let held: Vec<usize> = refused
        .iter()
        .map(|(_, why)| match why {
            PutRefusal::Conflict { held } => held.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(held.len(), 6);
    assert_eq!(held.iter().filter(|len| **len > 0).collect::<Vec<_>>(), [&b.wire().len()]);
}

#[test]
fn a_restart_keeps_boxes_and_counters() {
    let mut world = World::new(1, cheap());
    let mail = Mail::new(MailboxKind::Group, 4, &world);
    for index in 0..5 {
        let b = mail.boxed(world.wall(), index, b"kept");
        mail.put(&mut world, 0, &b);
    }
    let before = query::status(&world.nodes[0].store).unwrap();
    assert_eq!((before.boxes, before.locators, before.joined), (5, 1, true));
    let disk = world.nodes[0].machine.as_ref().unwrap().boxes.disk();
    world.stop(0);
    world.start(0);
    world.run(1_000);
    assert_eq!(query::status(&world.nodes[0].store).unwrap(), before);
    assert_eq!(world.nodes[0].machine.as_ref().unwrap().boxes.disk(), disk);
    let b = mail.boxed(world.wall(), 5, b"next");
    mail.put(&mut world, 0, &b);
    assert_eq!(query::status(&world.nodes[0].store).unwrap().boxes, 6);
}

#[test]
fn a_node_stores_only_what_is_placed_on_it() {
    let mut world = World::new(14, cheap());
    let mail = Mail::new(MailboxKind::Account, 5, &world);
    let ranks = mail.placement(&world, 0);
    assert_eq!(ranks.len(), 12);
    let stranger = world.nodes.iter().position(|n| !ranks.contains(&n.peer)).unwrap();
    let b = mail.boxed(world.wall(), 1, b"x");
    let why = refusal(world.ask(stranger, put(&b, Some(mail.proof(0)), false)));
    assert_eq!(why, PutRefusal::NotMine);
    let spare = world.index(&ranks[11]);
    let (receipts, _) = put_reply(world.ask(spare, put(&b, Some(mail.proof(0)), false)));
    assert_eq!(receipts.len(), 1);
}

#[test]
fn quotas_hold_for_the_locator_and_for_the_tag() {
    let p = NetworkParams { account_boxes: 8, ..NetworkParams::cheap() };
    let mut world = World::new(1, NetworkFile::new("small", p));
    let mail = Mail::new(MailboxKind::Account, 6, &world);
    let wall = world.wall();
    let mut stored = 0;
    for writer in 0..5u8 {
        let mut rng = Rng::from_seed([writer; 32]);
        let tag = Mail::writer_of(&mail.reader, &mut rng, mail.epoch);
        for index in 0..3 {
            let b = mail.seal(&tag, wall, index, b"x");
            let (receipts, refused) = put_reply(world.ask(0, put(&b, Some(mail.proof(0)), false)));
            stored += receipts.len();
            if stored < 8 || !receipts.is_empty() {
                assert_eq!(receipts.is_empty(), index == 2, "a tag has a quarter");
            }
            if receipts.is_empty() {
                assert_eq!(refused[0].1, PutRefusal::Quota);
            }
        }
    }
    assert_eq!(stored, 8);
    assert_eq!(query::status(&world.nodes[0].store).unwrap().boxes, 8, "nothing was evicted");
}

#[test]
fn space_is_paid_once_for_each_block() {
    let p = NetworkParams { block_bytes: 300_000, ..NetworkParams::cheap() };
    let mut world = World::new(1, NetworkFile::new("blocks", p));
    let mail = Mail::new(MailboxKind::Drop, 7, &world);
    let wall = world.wall();
    let big = |index| mail.boxed(wall, index, &[7; 200_000]);
    let want = |block| PutRefusal::NeedProof { price: p.space, block };
    assert_eq!(refusal(world.ask(0, put(&big(0), None, false))), want(0));
    assert_eq!(refusal(world.ask(0, put(&big(0), Some(mail.proof(1)), false))), want(0));
    assert_eq!(put_reply(world.ask(0, put(&big(0), Some(mail.proof(0)), false))).0.len(), 1);
    // The second begins in block 0, which is paid; the third in block 1.
    assert_eq!(put_reply(world.ask(0, put(&big(1), None, false))).0.len(), 1);
    assert_eq!(refusal(world.ask(0, put(&big(2), None, false))), want(1));
    assert_eq!(put_reply(world.ask(0, put(&big(2), Some(mail.proof(1)), false))).0.len(), 1);
    let fresh = Mail::new(MailboxKind::Drop, 8, &world);
    let puzzle = murre_mailbox::space_puzzle(&fresh.at().locator, fresh.epoch, 0, p.space);
    let mut wrong = fresh.proof(0);
    while puzzle.check(&wrong.solution) {
        wrong.solution.0 = wrong.solution.0.wrapping_add(1);
    }
    let b = fresh.boxed(wall, 0, b"x");
    assert_eq!(refusal(world.ask(0, put(&b, Some(wrong), false))), want(0), "solves nothing");
}

#[test]
fn a_full_disk_asks_for_more_and_then_refuses_but_evicts_nothing() {
    let mut world = World::new(1, cheap());
    world.stop(0);
    world.nodes[0].disk = 1_000_000;
    world.start(0);
    world.run(1_000);
    let wall = world.wall();
    let mail = Mail::new(MailboxKind::Group, 9, &world);
    for index in 0..2 {
        let b = mail.boxed(wall, index, &[1; 200_000]);
        mail.put(&mut world, 0, &b);
    }
    let b = mail.boxed(wall, 2, &[1; 200_000]);
    mail.put(&mut world, 0, &b);
    // 78 % in use: dearer, and a new locator may not pass 80 %.
    let other = Mail::new(MailboxKind::Group, 10, &world);
    let small = other.boxed(wall, 0, b"x");
    let price = murre_core::params::PuzzlePrice { tries: 4, ..other.p.space };
    assert_eq!(refusal(world.ask(0, put(&small, None, false))), PutRefusal::NeedProof { price, block: 0 });
    let large = other.boxed(wall, 0, &[1; 50_000]);
    assert_eq!(refusal(world.ask(0, put(&large, None, false))), PutRefusal::NoRoom);
    let b = mail.boxed(wall, 3, &[1; 50_000]);
    assert_eq!(put_reply(world.ask(0, put(&b, None, false))).0.len(), 1, "an open locator goes on");
    let b = mail.boxed(wall, 4, &[1; 200_000]);
    assert_eq!(refusal(world.ask(0, put(&b, None, false))), PutRefusal::NoRoom);
    assert_eq!(query::status(&world.nodes[0].store).unwrap().boxes, 4);
}

#[test]
fn what_has_expired_is_swept_and_nothing_is_left() {
    let mut world = World::new(1, cheap());
    let mail = Mail::new(MailboxKind::Account, 11, &world);
    let wall = world.wall();
    let short = mail.writer.seal_box(mail.epoch, 1, wall.hour() + 2, b"short").unwrap();
    let short = SealedBox::parse(short.wire()).unwrap().verify(&mail.p).unwrap();
    let long = mail.boxed(wall, 2, b"long");
    mail.put(&mut world, 0, &short);
    mail.put(&mut world, 0, &long);
    world.run(HOUR);
    assert_eq!(query::status(&world.nodes[0].store).unwrap().boxes, 2);
    world.run(HOUR + 11 * 60_000);
    assert_eq!(query::status(&world.nodes[0].store).unwrap().boxes, 1);
    assert!(holders(&world, &short).is_empty() && !holders(&world, &long).is_empty());
    world.run(60 * DAY_MS);
    let store = &world.nodes[0].store;
    for space in rows::ALL.into_iter().filter(|s| *s != rows::META) {
        assert_eq!(store.scan(space, &Range::all(), Direction::Forward, 9).unwrap(), [], "{}", space.name);
    }
}

#[test]
fn expired_boxes_and_closed_epochs_are_refused() {
    let mut world = World::new(1, cheap());
    let mail = Mail::new(MailboxKind::Account, 12, &world);
    let wall = world.wall();
    let b = mail.boxed(wall, 1, b"x");
    world.run(30 * DAY_MS);
    assert_eq!(refusal(world.ask(0, put(&b, Some(mail.proof(0)), false))), PutRefusal::Expired);
    // A fresh expiry does not help an epoch that is over.
    let late = mail.writer.seal_box(mail.epoch, 2, world.wall().hour() + 24, b"x").unwrap();
    let request = Request::Put { b: late.wire().to_vec().into(), proof: Some(mail.proof(0)), fan: false };
    assert_eq!(refusal(world.ask(0, request)), PutRefusal::Expired);
}

#[test]
fn a_door_takes_one_box_in_each_slot_its_owner_gave() {
    let mut world = World::new(3, cheap());
    let (keys, link) = door(13);
    let p = world.network.params;
    let epoch = keys.address().epoch_at(world.wall(), &p);
    let at = keys.at(epoch).unwrap();
    let hour = world.wall().hour() + 24 * 20;
    let object = at.object(&link, 2, hour, b"for link holders".to_vec()).unwrap();
    let seal = |slot: u16, index: u64| -> Option<SealedBox> {
        let verified = object.clone().verify(&p).unwrap();
        let grant = slot_grant(&keys.address(), &link, slot, &verified)?;
        Writer::new(&grant, None).unwrap().seal_box(epoch, index, hour, b"request").ok()
    };
    let put_box = |b: &SealedBox, fan| Request::Put { b: b.wire().to_vec().into(), proof: None, fan };
    let first = seal(0, 0).unwrap();
    assert_eq!(refusal(world.ask(0, put_box(&first, false))), PutRefusal::NotMine, "no object yet");
    let put_object = |fan| Request::PutObject { o: object.wire().into(), fan };
    let (receipts, refused) = put_reply(world.ask(0, put_object(true)));
    assert!(receipts.len() >= 2 && refused.is_empty());
    assert!(put_reply(world.ask(0, put_box(&first, true))).0.len() >= 2, "space at a door is free");
    assert!(put_reply(world.ask(1, put_box(&seal(1, 0).unwrap(), true))).0.len() >= 2);
    assert_eq!(seal(2, 0).map(|_| ()), None, "there is no third slot");
    // An owner who certifies one more tag than the object lists: valid box, no slot.
    let mut rng = Rng::from_seed([99; 32]);
    let extra = Mail::writer_of(&keys, &mut rng, epoch).seal_box(epoch, 0, hour, b"x").unwrap();
    assert_eq!(refusal(world.ask(0, put_box(&extra, false))), PutRefusal::NotMine);
    // Another object for the same place, and the held one shown.
    let other = at.object(&link, 3, hour, b"changed".to_vec()).unwrap();
    let why = refusal(world.ask(0, Request::PutObject { o: other.wire().into(), fan: false }));
    assert_eq!(why, PutRefusal::Conflict { held: object.wire().into() });
    match world.ask(2, Request::GetObject { place: at.place, e: epoch, fan: true }) {
        Reply::Object { objects } => assert_eq!(objects, [serde_bytes::ByteBuf::from(object.wire())]),
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn a_door_that_its_owner_shut_takes_nothing_and_stays_shut() {
    let mut world = World::new(3, cheap());
    let (keys, link) = door(14);
    let p = world.network.params;
    let epoch = keys.address().epoch_at(world.wall(), &p);
    let at = keys.at(epoch).unwrap();
    let hour = world.wall().hour() + 24 * 20;
    let open = at.object(&link, 2, hour, b"for link holders".to_vec()).unwrap();
    let verified = open.clone().verify(&p).unwrap();
    let request = |slot: u16| {
        let grant = slot_grant(&keys.address(), &link, slot, &verified).unwrap();
        let b = Writer::new(&grant, None).unwrap().seal_box(epoch, 0, hour, b"request").unwrap();
        Request::Put { b: b.wire().to_vec().into(), proof: None, fan: false }
    };
    let put = |o: &murre_mailbox::SignedObject| Request::PutObject { o: o.wire().into(), fan: false };
    let shut = at.closed_object(hour).unwrap();
    // Node 0 held it open, node 1 never did.
    assert_eq!(put_reply(world.ask(0, put(&open))).0.len(), 1);
    assert_eq!(put_reply(world.ask(0, request(0))).0.len(), 1);
    for node in [0, 1] {
        assert_eq!(put_reply(world.ask(node, put(&shut))).0.len(), 1);
        assert_eq!(put_reply(world.ask(node, put(&shut))).0.len(), 1, "again");
        assert_eq!(refusal(world.ask(node, request(1))), PutRefusal::NotMine);
        let why = refusal(world.ask(node, put(&open)));
        assert_eq!(why, PutRefusal::Conflict { held: shut.wire().into() }, "never open again");
        match world.ask(node, Request::GetObject { place: at.place, e: epoch, fan: false }) {
            Reply::Object { objects } => assert_eq!(objects, [serde_bytes::ByteBuf::from(shut.wire())]),
            reply => panic!("{reply:?}"),
        }
    }
    // What was asked before stays readable.
    assert_eq!(crate::query::status(&world.nodes[0].store).unwrap().boxes, 1);
}

/// A stranger with a leaked public link: 64 boxes cost 8 * (1 + 2 + ... + 128) = 2,040 requests' work, and what is
/// held stays.
#[test]
fn a_paid_door_takes_no_box_without_its_work_and_asks_more_as_it_fills() {
    let link_price = PuzzlePrice { mem: 8, tries: 16 };
    let file = NetworkFile::new("test", NetworkParams { link: link_price, ..NetworkParams::cheap() });
    let mut world = World::new(1, file);
    let (keys, link) = door(16);
    let p = world.network.params;
    let epoch = keys.address().epoch_at(world.wall(), &p);
    let at = keys.at(epoch).unwrap();
    let hour = world.wall().hour() + 24 * 20;
    let object = at.paid_object(&link, 64, hour, b"for whoever comes".to_vec()).unwrap();
    let verified = object.clone().verify(&p).unwrap();
    let seal = |slot: u16, text: &[u8]| {
        let grant = slot_grant(&keys.address(), &link, slot, &verified).unwrap();
        Writer::new(&grant, None).unwrap().seal_box(epoch, 0, hour, text).unwrap()
    };
    let request = |b: &SealedBox, proof| Request::Put { b: b.wire().to_vec().into(), proof, fan: false };
    let solve = |b: &SealedBox, price: PuzzlePrice| {
        let b = b.clone().verify(&p).unwrap();
        let solution = slot_puzzle(&b.id(), &b.hash(), price).solve(0, u64::MAX).unwrap();
        Some(SpaceProof { block: SLOT_BLOCK, solution })
    };
    let put_object = Request::PutObject { o: object.wire().into(), fan: false };
    assert_eq!(put_reply(world.ask(0, put_object)).0.len(), 1);
    let mut work = 0;
    for slot in 0..64u16 {
        let b = seal(slot, b"flood");
        let price = slot_price(link_price, slot.into());
        let wanted = PutRefusal::NeedProof { price, block: SLOT_BLOCK };
        assert_eq!(refusal(world.ask(0, request(&b, None))), wanted, "slot {slot}");
        if slot == 60 {
            // Work for another box, for space, or at the price of an empty door.
            let other = solve(&seal(slot, b"other"), price);
            let cheap = solve(&b, link_price);
            let space = other.map(|proof| SpaceProof { block: 0, ..proof });
            for proof in [other, cheap, space] {
                assert_eq!(refusal(world.ask(0, request(&b, proof))), wanted);
            }
        }
        work += u64::from(price.tries / link_price.tries);
        assert_eq!(put_reply(world.ask(0, request(&b, solve(&b, price)))).0.len(), 1, "slot {slot}");
        // A retry is the same box: it needs no further work.
        assert_eq!(put_reply(world.ask(0, request(&b, None))).0.len(), 1);
    }
    assert_eq!(work, 2_040);
    assert_eq!(slot_price(link_price, 63).tries, link_price.tries * MAX_SLOT_FACTOR);
    // All are taken: who comes now is shown what is held, and nothing of it goes.
    let late = seal(7, b"late");
    assert!(matches!(refusal(world.ask(0, request(&late, None))), PutRefusal::Conflict { .. }));
    assert_eq!(query::status(&world.nodes[0].store).unwrap().boxes, 64);
}

#[test]
fn owner_objects_may_lie_nine_epochs_ahead_and_no_more() {
    let mut world = World::new(1, cheap());
    let (keys, link) = door(14);
    let p = world.network.params;
    let now = keys.address().epoch_at(world.wall(), &p);
    for (ahead, taken) in [(1, true), (9, true), (12, false)] {
        let at = keys.at(now + ahead).unwrap();
        let (_, end) = keys.address().epoch_span(now + ahead, &p);
        let object = at.object(&link, 1, end.hour() + 24, vec![]).unwrap();
        let (receipts, _) =
            put_reply(world.ask(0, Request::PutObject { o: object.wire().into(), fan: false }));
        assert_eq!(!receipts.is_empty(), taken, "{ahead} ahead");
    }
}

#[test]
fn an_answer_to_no_puzzle_and_a_guest_of_another_network_are_refused() {
    let mut world = World::new(1, cheap());
    let mut answers = Vec::new();
    let now = murre_core::Now { mono: murre_core::Mono(world.now), wall: world.wall() };
    let node = &mut world.nodes[0];
    let machine = node.machine.as_mut().unwrap();
    let command = Command::PuzzleDone { id: crate::PuzzleId(77), solution: None };
    machine.handle_commands(now, &node.store, vec![(CommandId(5), command)]).unwrap();
    while let Some(output) = machine.poll_output() {
        if let Output::Event(Event::Answer { id, answer }) = output {
            answers.push((id, answer));
        }
    }
    assert_eq!(answers, [(CommandId(5), Answer::WrongSolution)]);
    let hello = Request::Hello { net: Some(NetworkId::from_bytes([1; 32])), digest: Bytes([0; 32]) };
    assert_eq!(world.ask(0, hello), Reply::Refused(Refusal::OtherNetwork));
}

#[test]
fn opening_reads_counters_and_not_boxes() {
    let mut world = World::new(1, cheap());
    let mail = Mail::new(MailboxKind::Group, 15, &world);
    let link = world.dial(0);
    for index in 0..200 {
        let b = mail.boxed(world.wall(), index, b"x");
        world.send(link, put(&b, Some(mail.proof(0)), false));
    }
    world.run(1_000);
    assert_eq!(query::status(&world.nodes[0].store).unwrap().boxes, 200);
    let view = CountingView::new(&world.nodes[0].store);
    let config = world.config(0);
    Custodian::open([1; 32], &view, config).unwrap();
    let reads = view.counts();
    assert!(reads.gets + reads.scans < 10 && reads.rows < 10, "{reads:?}");
}

#[test]
fn a_store_of_another_network_is_not_opened() {
    let mut world = World::new(1, cheap());
    world.stop(0);
    world.network = NetworkFile::new("other", NetworkParams::cheap());
    let opened = Custodian::open([1; 32], &world.nodes[0].store, world.config(0));
    assert!(matches!(opened, Err(OpenError::OtherNetwork)));
}
