use super::mail::{Mail, cheap, door, holders};
use super::wire::World;
use crate::limits::REPAIR_EVERY_MS;
use crate::query;
use murre_mailbox::{MailboxKind, Reply, Request};
use murre_store::MemoryStore;

#[test]
fn a_new_node_pulls_what_is_placed_on_it() {
    let mut world = World::new(4, cheap());
    let mail = Mail::new(MailboxKind::Account, 40, &world);
    let wall = world.wall();
    let boxes: Vec<_> = (0..90).map(|i| mail.boxed(wall, i, format!("{i}").as_bytes())).collect();
    for b in &boxes {
        mail.put(&mut world, 0, b);
    }
    let new = world.add_node();
    world.run(15_000);
    assert!(mail.placement(&world, new).contains(&world.nodes[new].peer));
    assert_eq!(query::status(&world.nodes[new].store).unwrap().boxes, 90);
    assert!(boxes.iter().all(|b| holders(&world, b).contains(&world.nodes[new].peer)));
}

#[test]
fn a_node_that_lost_its_disk_gets_everything_back() {
    let mut world = World::new(5, cheap());
    let (keys, link) = door(41);
    let epoch = keys.address().epoch_at(world.wall(), &world.network.params);
    let at = keys.at(epoch).unwrap();
    let object = at.object(&link, 2, world.wall().hour() + 300, b"p".to_vec()).unwrap();
    world.ask(0, Request::PutObject { o: object.wire().into(), fan: true });
    let mail = Mail::new(MailboxKind::Group, 42, &world);
    let b = mail.boxed(world.wall(), 1, b"precious");
    mail.put(&mut world, 1, &b);
    let before = query::status(&world.nodes[2].store).unwrap();
    world.stop(2);
    world.nodes[2].store = MemoryStore::new();
    world.start(2);
    world.run(60_000);
    let after = query::status(&world.nodes[2].store).unwrap();
    assert_eq!((after.boxes, after.bytes, after.locators), (before.boxes, before.bytes, before.locators));
    match world.ask(2, Request::GetObject { place: at.place, e: epoch, fan: false }) {
        Reply::Object { objects } => assert_eq!(objects.len(), 1),
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn a_box_that_missed_some_nodes_reaches_them_within_a_round() {
    let mut world = World::new(6, cheap());
    let mail = Mail::new(MailboxKind::Account, 43, &world);
    let b = mail.boxed(world.wall(), 1, b"few copies");
    world.ask(4, super::mail::put(&b, Some(mail.proof(0)), false));
    assert_eq!(holders(&world, &b).len(), 1);
    world.run(4 * REPAIR_EVERY_MS);
    assert_eq!(holders(&world, &b).len(), 6);
}

#[test]
fn a_shut_door_reaches_a_node_that_was_away_and_an_open_one_comes_back_to_none() {
    let mut world = World::new(4, cheap());
    let (keys, link) = door(45);
    let epoch = keys.address().epoch_at(world.wall(), &world.network.params);
    let at = keys.at(epoch).unwrap();
    let hour = world.wall().hour() + 300;
    let open = at.object(&link, 2, hour, b"p".to_vec()).unwrap();
    let shut = at.closed_object(hour).unwrap();
    world.ask(0, Request::PutObject { o: open.wire().into(), fan: true });
    world.stop(3);
    world.ask(0, Request::PutObject { o: shut.wire().into(), fan: true });
    world.start(3);
    world.run(3 * REPAIR_EVERY_MS);
    for node in 0..4 {
        match world.ask(node, Request::GetObject { place: at.place, e: epoch, fan: false }) {
            Reply::Object { objects } => assert_eq!(objects, [serde_bytes::ByteBuf::from(shut.wire())]),
            reply => panic!("{reply:?}"),
        }
    }
    let fetched: Vec<u64> = world.nodes.iter().map(|n| query::status(&n.store).unwrap().bytes).collect();
    assert!(fetched.iter().all(|bytes| *bytes == shut.wire().len() as u64), "{fetched:?}");
}

#[test]
fn a_tombstone_reaches_a_node_that_was_away_and_its_box_goes() {
    let mut world = World::new(4, cheap());
    let mail = Mail::new(MailboxKind::Account, 44, &world);
    let b = mail.boxed(world.wall(), 1, b"drop me");
    mail.put(&mut world, 0, &b);
    world.stop(3);
    let t = mail.at().sign_tombstone(vec![b.id()]).unwrap();
    assert_eq!(world.ask(0, Request::Tombstone { t, fan: true }), Reply::Ok);
    assert_eq!(holders(&world, &b), [world.nodes[3].peer]);
    world.start(3);
    world.run(3 * REPAIR_EVERY_MS);
    assert!(holders(&world, &b).is_empty(), "neither kept there nor brought back from there");
}

#[test]
fn a_node_under_pressure_repairs_only_what_is_open_on_it() {
    let mut world = World::new(2, cheap());
    world.stop(1);
    world.nodes[1].disk = 1_000_000;
    world.start(1);
    world.run(1_000);
    let [open, new] = [46, 47].map(|seed| Mail::new(MailboxKind::Group, seed, &world));
    let wall = world.wall();
    for index in 0..3 {
        let b = open.boxed(wall, index, &[1; 200_000]);
        assert_eq!(open.put(&mut world, 0, &b).len(), 2);
    }
    world.stop(1);
    let [known, unknown] = [open.boxed(wall, 9, b"known"), new.boxed(wall, 9, b"unknown")];
    world.ask(0, super::mail::put(&known, None, false));
    world.ask(0, super::mail::put(&unknown, Some(new.proof(0)), false));
    world.start(1);
    world.run(20_000);
    assert_eq!((holders(&world, &known).len(), holders(&world, &unknown).len()), (2, 1));
}

#[test]
fn one_seed_makes_one_history() {
    let run = || {
        let mut world = World::new(4, cheap());
        let mail = Mail::new(MailboxKind::Account, 45, &world);
        let b = mail.boxed(world.wall(), 1, b"x");
        mail.put(&mut world, 0, &b);
        world.run(2 * REPAIR_EVERY_MS);
        (world.frames, world.nodes.iter().map(|n| n.store.rows()).collect::<Vec<_>>())
    };
    assert_eq!(run(), run());
}
