//! The other half of the protocol, as devices run it, against real nodes.

use super::mail::{Mail, cheap, door, holders};
use super::wire::World;
use murre_core::NetworkParams;
use murre_mailbox::MailboxKind;
use murre_mailbox::client::{ClientEvent, GetKey, PutKey, WatchKey};

#[test]
fn a_device_stores_and_reads_through_the_nodes_it_finds() {
    for n in [1, 5, 12] {
        let mut world = World::new(n, cheap());
        world.add_device();
        world.run(5_000);
        let mail = Mail::new(MailboxKind::Account, 60, &world);
        let b = mail.boxed(world.wall(), 1, b"to whom it may concern");
        let reader = Mail::new(MailboxKind::Account, 60, &world).reader;
        world.device(|client, cx| client.watch(cx, WatchKey(1), reader).unwrap());
        world.run(10_000);
        world.device(|client, cx| {
            client.put(cx, PutKey(1), b.wire()).unwrap();
        });
        world.run(10_000);
        let events = &world.device.as_ref().unwrap().events;
        let solid = events.iter().any(|e| matches!(e, ClientEvent::Receipts { solid: true, .. }));
        assert!(solid, "{n} nodes: {events:?}");
        let read = events.iter().any(|e| match e {
            ClientEvent::Boxes { boxes, .. } => boxes.iter().any(|got| got.id() == b.id()),
            _ => false,
        });
        assert!(read, "{n} nodes: read while it waited");
        assert!(holders(&world, &b).len() >= NetworkParams::quorum(n).w);
    }
}

#[test]
fn a_device_opens_a_door_and_finds_its_object() {
    let mut world = World::new(4, cheap());
    world.add_device();
    world.run(5_000);
    let (keys, link) = door(61);
    let epoch = keys.address().epoch_at(world.wall(), &world.network.params);
    let object = keys.at(epoch).unwrap().object(&link, 4, world.wall().hour() + 200, vec![1; 900]).unwrap();
    world.device(|client, cx| {
        client.put_object(cx, PutKey(1), &object.wire()).unwrap();
    });
    world.run(10_000);
    world.device(|client, cx| client.get_object(cx, GetKey(1), keys.address()));
    world.run(10_000);
    let events = &world.device.as_ref().unwrap().events;
    assert!(events.iter().any(|e| matches!(e, ClientEvent::Receipts { solid: true, .. })), "{events:?}");
    let found = events.iter().any(|e| match e {
        ClientEvent::Object { result: Some(found), .. } => found.wire() == object.wire(),
        _ => false,
    });
    assert!(found, "{events:?}");
}
