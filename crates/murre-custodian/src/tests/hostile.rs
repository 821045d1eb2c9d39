use super::mail::{Mail, cheap, holders, put, put_reply};
use super::wire::World;
use crate::limits::MAX_PENDING_PER_LINK;
use crate::query;
use murre_core::id::BoxId;
use murre_core::{NetworkParams, Rng, Wall};
use murre_crypto::{NodeKey, Secret};
use murre_mailbox::request::sign_repair;
use murre_mailbox::{
    Frame, MailboxKind, Refusal, RepairKind, Reply, Request, SealedBox, SignedObject, SignedRead,
};
use proptest::prelude::*;

#[test]
fn a_forged_box_is_refused_wherever_it_is_changed() {
    let mut world = World::new(1, cheap());
    let mail = Mail::new(MailboxKind::Account, 50, &world);
    let b = mail.boxed(world.wall(), 1, b"x");
    let wire = b.wire().to_vec();
    for at in (0..wire.len()).step_by(61) {
        let mut forged = wire.clone();
        forged[at] ^= 0x10;
        for fan in [false, true] {
            let request = Request::Put { b: forged.clone().into(), proof: Some(mail.proof(0)), fan };
            match world.ask(0, request) {
                Reply::Refused(_) => {}
                Reply::Put { receipts, .. } => assert!(receipts.is_empty(), "byte {at}"),
                reply => panic!("{reply:?}"),
            }
        }
    }
    assert_eq!(query::status(&world.nodes[0].store).unwrap().boxes, 0);
}

#[test]
fn a_certificate_of_another_mailbox_opens_nothing() {
    let mut world = World::new(1, cheap());
    let [mine, theirs] = [51, 52].map(|seed| Mail::new(MailboxKind::Account, seed, &world));
    // A grant that names their address with certificates of mine.
    let mut rng = Rng::from_seed([1; 32]);
    let tag = murre_mailbox::TagKey::generate(&mut rng);
    let mut grant = mine.reader.grant(&mut rng, &tag.public(), mine.epoch.min(theirs.epoch), 4).unwrap();
    grant.to = theirs.reader.address();
    let writer = murre_mailbox::Writer::new(&grant, Some(&tag)).unwrap();
    let forged = writer.seal_box(theirs.epoch, 1, world.wall().hour() + 24, b"x").unwrap();
    assert!(SealedBox::parse(forged.wire()).unwrap().verify(&theirs.p).is_err());
    let request = Request::Put { b: forged.wire().to_vec().into(), proof: Some(theirs.proof(0)), fan: false };
    assert_eq!(world.ask(0, request), Reply::Refused(Refusal::Malformed));
}

#[test]
fn a_frame_that_does_not_decode_closes_the_link() {
    let mut world = World::new(1, cheap());
    let good = Frame::Reply { id: 1, body: Reply::Ok }.encode();
    let mut long = good.clone();
    long.resize((1 << 20) + 1, 0);
    let mut trailing = good.clone();
    trailing.push(0);
    for bytes in [vec![], vec![2, 1, 0], long, trailing] {
        let link = world.dial(0);
        world.send_raw(link, bytes);
        world.run(50);
        assert_eq!(world.closed.pop(), Some(link));
    }
    let link = world.dial(0);
    world.send_raw(link, good);
    world.run(50);
    assert_eq!(world.closed, []);
}

#[test]
fn a_link_with_too_much_pending_is_told_so_and_a_repeated_id_closes_it() {
    let mut world = World::new(2, cheap());
    let mail = Mail::new(MailboxKind::Group, 53, &world);
    let wall = world.wall();
    let link = world.dial(0);
    let ids: Vec<u64> = (0..MAX_PENDING_PER_LINK as u64 + 10)
        .map(|i| {
            let r = mail.list(Wall(wall.0 + i), vec![], 60_000, false);
            world.send(link, Request::List { r, fan: true })
        })
        .collect();
    world.run(1_000);
    let busy = ids
        .iter()
        .filter(|id| world.replies.get(id).is_some_and(|r| r[0] == Reply::Refused(Refusal::Busy)))
        .count();
    assert_eq!(busy, 10);
    let r = mail.list(wall, vec![], 1, false);
    let waiting = ids.iter().find(|id| !world.replies.contains_key(id)).copied().unwrap();
    world.send_raw(link, Frame::Request { id: waiting, body: Request::List { r, fan: true } }.encode());
    world.run(50);
    assert_eq!(world.closed, [link]);
}

#[test]
fn a_repair_page_is_for_the_key_that_signed_it() {
    let mut world = World::new(2, cheap());
    let mail = Mail::new(MailboxKind::Account, 54, &world);
    let b = mail.boxed(world.wall(), 1, b"x");
    mail.put(&mut world, 0, &b);
    let (wall, to) = (world.wall(), world.nodes[0].peer);
    let ids = |limit| RepairKind::Ids { after: None, limit };
    let page = |world: &mut World, key: [u8; 32], to, at: Wall, kind| {
        let r = sign_repair(&NodeKey::from_secret(&Secret::new(key)), to, mail.epoch, at, kind);
        world.ask(0, Request::Repair { r })
    };
    let neighbour = world.nodes[1].key;
    let full = Reply::RepairIds { ids: vec![(b.expiry_hour(), b.id())], more: false };
    assert_eq!(page(&mut world, neighbour, to, wall, ids(10)), full);
    let none = Reply::RepairIds { ids: vec![], more: false };
    assert_eq!(page(&mut world, [0xaa; 32], to, wall, ids(10)), none, "a key that is no node");
    let denied = Reply::Refused(Refusal::Denied);
    let other = world.nodes[1].peer;
    assert_eq!(page(&mut world, neighbour, other, wall, ids(10)), denied, "for another node");
    assert_eq!(page(&mut world, neighbour, to, Wall(0), ids(10)), denied, "of another time");
    let fetch = RepairKind::Fetch { ids: vec![b.id(), BoxId::from_bytes([9; 32])] };
    match page(&mut world, [0xaa; 32], to, wall, fetch) {
        Reply::RepairItems { items } => assert!(items.is_empty()),
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn silence_of_the_whole_ring_is_answered_with_what_there_is() {
    let mut world = World::new(5, cheap());
    let mail = Mail::new(MailboxKind::Account, 55, &world);
    let b = mail.boxed(world.wall(), 1, b"x");
    for i in 1..5 {
        world.stop(i);
    }
    let (receipts, _) = put_reply(world.ask(0, put(&b, Some(mail.proof(0)), true)));
    assert_eq!(receipts.len(), 1, "too few for anybody to call it stored, but said");
    assert_eq!(holders(&world, &b), [world.nodes[0].peer]);
    assert!(NetworkParams::quorum(5).w > 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_a_node_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), flip in any::<u16>()) {
        let mut world = World::new(1, cheap());
        let mail = Mail::new(MailboxKind::Account, 56, &world);
        let link = world.dial(0);
        world.send_raw(link, bytes.clone());
        let r = mail.list(world.wall(), vec![], 0, false);
        let mut frame = Frame::Request { id: 1, body: Request::List { r, fan: true } }.encode();
        let at = usize::from(flip) % frame.len();
        frame[at] ^= 1 << (flip % 8);
        let link = world.dial(0);
        world.send_raw(link, frame);
        world.run(3_000);
        prop_assert!(SealedBox::parse(&bytes).is_err());
        prop_assert!(SignedObject::parse(&bytes).is_err());
        prop_assert!(SignedRead::from_bytes(&bytes).is_err());
    }
}
