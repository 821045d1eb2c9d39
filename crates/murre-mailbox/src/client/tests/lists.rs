//! Reading: a liar among those asked hides nothing, a crash loses nothing, nothing comes twice.

use super::world::sealed;
use super::{Kind, World, writer};
use crate::client::limits::{MAX_OBJECT_GETS, MAX_PENDING, MAX_WATCHES, POLL_MS};
use crate::client::place::{Listed, Place};
use crate::client::{ClientEvent, GetKey, PutKey, WatchError, WatchKey, rows};
use crate::frame::Request;
use crate::request::{Cursor, ReadKind};
use crate::{MailboxKind, ReaderKeys, VerifiedBox, Writer};
use murre_core::id::{BoxId, PeerKey};
use murre_core::time::{DAY, HOUR, MINUTE};
use murre_core::{Rng, Wall};
use murre_crypto::Secret;
use std::collections::BTreeSet;

const SEEDS: u8 = 6;

struct Box8 {
    w: World,
    row: Vec<u8>,
    writer: Writer,
    epoch: u64,
    placement: Vec<PeerKey>,
}

fn world(seed: u8) -> Box8 {
    let mut w = World::joined(seed, 14);
    let params = w.file.params;
    let (keys, writer, epoch) = writer(&mut w.rng, &params);
    let placement = w.placement(&keys.at(epoch).unwrap().locator, epoch);
    Box8 { w, row: keys.to_row(), writer, epoch, placement }
}

impl Box8 {
    fn watch(&mut self) {
        let keys = ReaderKeys::from_row(&self.row).unwrap();
        self.w.turn(|c, cx| c.watch(cx, WatchKey(1), keys)).unwrap();
    }

    fn fill(&mut self, epoch: u64, indexes: std::ops::Range<u64>, ranks: &[usize]) -> BTreeSet<BoxId> {
        let params = self.w.file.params;
        let at = {
            let keys = ReaderKeys::from_row(&self.row).unwrap();
            let all = self.w.placement(&keys.at(epoch).unwrap().locator, epoch);
            ranks.iter().map(|r| all[*r]).collect::<Vec<_>>()
        };
        let mut ids = BTreeSet::new();
        for i in indexes {
            let b: VerifiedBox = sealed(&self.writer, epoch, i, &i.to_be_bytes(), &params);
            ids.insert(b.id());
            self.w.place_box(&b, &at);
        }
        ids
    }

    fn delivered(&self) -> BTreeSet<BoxId> {
        let set: BTreeSet<BoxId> = self.w.delivered.iter().copied().collect();
        assert_eq!(set.len(), self.w.delivered.len(), "a box came twice");
        set
    }
}

#[test]
pub fn what_lies_there_is_found_at_start_in_every_living_epoch() {
    let mut b = world(1);
    let epoch = b.epoch;
    let mut ids = b.fill(epoch, 0..30, &[0, 1, 2, 3, 4, 5]);
    ids.extend(b.fill(epoch - 1, 100..130, &[2, 3, 4, 5, 6, 7]));
    ids.extend(b.fill(epoch - 3, 200..203, &[0, 1, 2, 3, 4, 5]));
    b.watch();
    b.w.run(5_000);
    assert_eq!(b.delivered(), ids);
    assert_eq!(b.w.client.status(b.w.now).careful_owed, 0);
}

#[test]
fn two_liars_of_five_hide_nothing() {
    for kind in [Kind::Hiding, Kind::Silent, Kind::Corrupting, Kind::Down] {
        for seed in 0..SEEDS {
            let mut b = world(seed);
            let epoch = b.epoch;
            // Six hold it: of the eight, two hold nothing, and two of the holders lie.
            let ids = b.fill(epoch, 0..10, &[0, 1, 2, 3, 4, 5]);
            for rank in [usize::from(seed) % 6, (usize::from(seed) + 1) % 6] {
                let node = b.placement[rank];
                b.w.set(&node, kind);
            }
            b.watch();
            b.w.run(MINUTE);
            assert_eq!(b.delivered(), ids, "{kind:?} seed {seed}");
        }
    }
}

#[test]
pub fn a_careful_read_asks_r_custodians_for_signed_answers() {
    for seed in 0..SEEDS {
        let mut b = world(seed);
        b.watch();
        b.w.run(10_000);
        let careful = |r: &Request| match r {
            Request::List { r, .. } => {
                matches!(r.clone().verify().unwrap().kind, ReadKind::List { careful: true, .. })
            }
            _ => false,
        };
        assert!(b.w.sent.iter().any(|(_, r)| careful(r)));
        assert_eq!(b.w.client.status(b.w.now).careful_owed, 0);
        // With only four custodians that answer it stays owed.
        let before = b.w.sent.len();
        for node in &b.placement[4..] {
            b.w.set(node, Kind::Silent);
        }
        b.w.turn(|c, cx| c.careful(cx, WatchKey(1)));
        b.w.run(2 * MINUTE);
        assert!(b.w.sent.len() > before);
        assert!(b.w.client.status(b.w.now).careful_owed >= 1, "seed {seed}");
    }
}

#[test]
fn new_mail_comes_at_once_over_a_waiting_list() {
    let mut b = world(2);
    b.watch();
    b.w.run(5_000);
    let epoch = b.epoch;
    let ids = b.fill(epoch, 0..1, &[0, 1, 2, 3, 4, 5, 6, 7]);
    b.w.run(200);
    assert_eq!(b.delivered(), ids);
}

#[test]
fn a_custodian_that_hides_in_the_waiting_list_only_delays() {
    for seed in 0..SEEDS {
        let mut b = world(seed);
        b.watch();
        b.w.run(5_000);
        let hiding = b.w.client.watches.all[&WatchKey(1)].places[&b.epoch].long.unwrap();
        b.w.set(&hiding, Kind::Hiding);
        let epoch = b.epoch;
        let ids = b.fill(epoch, 0..3, &[0, 1, 2, 3, 4, 5, 6, 7]);
        b.w.run(POLL_MS + 5_000);
        assert_eq!(b.delivered(), ids, "seed {seed}");
    }
}

#[test]
fn what_was_taken_never_comes_again_and_what_was_not_does() {
    let mut b = world(3);
    let epoch = b.epoch;
    let taken = b.fill(epoch, 0..130, &[0, 1, 2, 3, 4, 5]);
    b.watch();
    b.w.run(5_000);
    assert_eq!(b.delivered(), taken);
    b.w.taking = false;
    let lost = b.fill(epoch, 200..210, &[0, 1, 2, 3, 4, 5]);
    b.w.run(2 * MINUTE);
    assert!(b.delivered().is_superset(&lost));
    // The crash comes before the parent stored them.
    b.w.restart();
    b.w.taking = true;
    b.w.run(2_000);
    b.watch();
    b.w.run(MINUTE);
    assert_eq!(b.delivered(), lost);
    b.w.restart();
    b.w.run(2_000);
    b.watch();
    b.w.run(MINUTE);
    assert_eq!(b.delivered(), BTreeSet::new());
}

#[test]
fn released_boxes_come_again_at_the_next_poll_in_the_same_run() {
    let mut b = world(6);
    let epoch = b.epoch;
    b.w.taking = false;
    let ids = b.fill(epoch, 0..5, &[0, 1, 2, 3, 4, 5]);
    let old = b.fill(epoch - 3, 50..52, &[0, 1, 2, 3, 4, 5]);
    b.watch();
    b.w.run(5_000);
    let all: BTreeSet<BoxId> = ids.union(&old).copied().collect();
    assert_eq!(b.delivered(), all);
    b.w.delivered.clear();
    b.w.run(10 * MINUTE);
    assert_eq!(b.delivered(), BTreeSet::new(), "what was not released does not come again");
    // Two of an open epoch, one of an old one, one that nobody ever delivered.
    let mut some: Vec<BoxId> = ids.iter().take(2).chain(old.iter().take(1)).copied().collect();
    some.push(BoxId::from_bytes([9; 32]));
    b.w.turn(|c, cx| c.release(cx, WatchKey(1), &some));
    b.w.run(50);
    assert_eq!(b.delivered(), BTreeSet::new(), "not at once");
    b.w.run(POLL_MS + 1_000);
    some.pop();
    assert_eq!(b.delivered(), some.iter().copied().collect());
    b.w.delivered.clear();
    b.w.turn(|c, cx| c.boxes_taken(cx, WatchKey(1), &some));
    b.w.turn(|c, cx| c.release(cx, WatchKey(1), &some));
    b.w.run(5 * MINUTE);
    assert_eq!(b.delivered(), BTreeSet::new(), "taken is taken");
}

#[test]
fn a_released_box_that_expired_meanwhile_makes_no_liars() {
    let mut b = world(7);
    let epoch = b.epoch;
    b.w.taking = false;
    let ids = b.fill(epoch, 0..70, &[0, 1, 2, 3, 4, 5]);
    b.watch();
    b.w.run(5_000);
    assert_eq!(b.delivered(), ids);
    for node in b.w.nodes.values_mut() {
        node.held.clear();
        node.inc += 1;
    }
    let ids: Vec<BoxId> = ids.into_iter().collect();
    b.w.turn(|c, cx| c.release(cx, WatchKey(1), &ids));
    b.w.run(5 * MINUTE);
    assert_eq!(b.w.client.watches.all[&WatchKey(1)].places[&epoch].pending_count(), 0);
    assert_eq!(b.w.client.status(b.w.now).avoided, 0);
}

#[test]
fn unwatching_with_boxes_in_the_air_forgets_none() {
    let mut b = world(4);
    let epoch = b.epoch;
    b.w.taking = false;
    let ids = b.fill(epoch, 0..5, &[0, 1, 2, 3, 4, 5]);
    b.watch();
    b.w.run(5_000);
    assert_eq!(b.delivered(), ids);
    b.w.turn(|c, cx| c.unwatch(cx, WatchKey(1)));
    b.w.delivered.clear();
    b.w.taking = true;
    b.watch();
    b.w.run(5_000);
    assert_eq!(b.delivered(), ids);
}

#[test]
fn after_silence_everything_open_is_read_carefully() {
    let mut b = world(5);
    b.watch();
    b.w.run(5_000);
    b.w.cut();
    b.w.run(HOUR);
    assert!(!b.w.client.status(b.w.now).reachable);
    // What came meanwhile lies at the six that hide least from r = 5.
    let epoch = b.epoch;
    let ids = b.fill(epoch, 0..4, &[2, 3, 4, 5, 6, 7]);
    b.w.cut = false;
    b.w.run(2 * MINUTE);
    assert!(b.w.client.status(b.w.now).reachable);
    assert_eq!(b.delivered(), ids);
    assert_eq!(b.w.client.status(b.w.now).careful_owed, 0);
}

#[test]
fn listed_boxes_that_nobody_has_are_dropped_and_their_lister_avoided() {
    let mut b = world(6);
    let node = b.placement[0];
    b.w.set(&node, Kind::Phantoms);
    b.watch();
    b.w.run(5 * MINUTE);
    assert!(b.w.client.wire.peers.avoided(&node, b.w.now.mono));
    let place = &b.w.client.watches.all[&WatchKey(1)].places[&b.epoch];
    assert_eq!(place.pending_count(), 0);
}

#[test]
fn epochs_turn_are_closed_out_and_die() {
    let mut b = world(7);
    b.watch();
    b.w.run(5_000);
    let epoch = b.epoch;
    let row = |w: &World| rows::places(&w.disk).unwrap();
    assert!(row(&b.w).len() >= 5);
    b.w.sleep(8 * DAY);
    b.w.run(15 * MINUTE);
    // Late mail in the old epoch is found as long as it takes puts; new mail in the new one.
    let ids = b.fill(epoch + 1, 500..502, &[0, 1, 2, 3, 4, 5]);
    b.w.run(2 * MINUTE);
    assert!(b.delivered().is_superset(&ids));
    b.w.sleep(10 * DAY);
    b.w.run(15 * MINUTE);
    let places = &b.w.client.watches.all[&WatchKey(1)].places;
    assert!(places[&epoch].closed());
    assert!(!places[&(epoch + 2)].closed());
    b.w.sleep(40 * DAY);
    b.w.run(15 * MINUTE);
    assert!(!b.w.client.watches.all[&WatchKey(1)].places.contains_key(&epoch));
    assert!(row(&b.w).len() <= 8);
}

// spec: BC-13
#[test]
fn an_epoch_that_began_and_ended_while_the_machine_slept_is_read() {
    let mut b = world(9);
    b.watch();
    b.w.run(5_000);
    let epoch = b.epoch;
    b.w.sleep(22 * DAY);
    let ids = b.fill(epoch + 1, 500..502, &[0, 1, 2, 3, 4, 5]);
    b.w.run(15 * MINUTE);
    assert!(b.delivered().is_superset(&ids), "the process was never ended");
    assert!(b.w.client.watches.all[&WatchKey(1)].places.contains_key(&(epoch + 3)));
}

#[test]
fn a_tombstone_needs_the_owner_and_reaches_custodians() {
    let mut b = world(8);
    let epoch = b.epoch;
    let ids: Vec<BoxId> = b.fill(epoch, 0..70, &[0, 1, 2, 3, 4, 5]).into_iter().collect();
    b.watch();
    b.w.run(5_000);
    b.w.turn(|c, cx| c.tombstone(cx, WatchKey(1), &ids));
    b.w.run(5_000);
    assert!(b.w.holders(ids[0]).is_empty() && b.w.holders(ids[69]).is_empty());
}

#[test]
fn objects_are_put_and_the_newest_valid_one_is_read() {
    let mut w = World::joined(9, 14);
    let params = w.file.params;
    let keys = ReaderKeys::generate(MailboxKind::Door, &mut w.rng);
    let (address, secret) = (keys.address(), Secret::generate(&mut w.rng));
    let reader = keys.at(address.epoch_at(w.now.wall, &params)).unwrap();
    let hour = w.now.wall.hour();
    let old = reader.object(&secret, 4, hour + 50, vec![1]).unwrap();
    let new = reader.object(&secret, 4, hour + 60, vec![2]).unwrap();
    w.turn(|c, cx| c.put_object(cx, PutKey(1), &old.wire())).unwrap();
    w.run(1_000);
    assert!(w.receipts(1).1);
    // Only two of the eight hold the newer one, one gives rubbish, one is silent.
    let placement = w.placement(&reader.locator, reader.epoch);
    for (rank, bytes) in [(0, new.wire()), (1, new.wire()), (2, new.wire()), (3, new.wire()), (4, vec![9])] {
        w.nodes.get_mut(&placement[rank]).unwrap().objects.insert(reader.locator, bytes);
    }
    w.set(&placement[5], Kind::Silent);
    w.turn(|c, cx| c.get_object(cx, GetKey(1), address));
    w.run(30_000);
    assert_eq!(found(&w, GetKey(1)), Some(Some(vec![2])));
}

fn found(w: &World, key: GetKey) -> Option<Option<Vec<u8>>> {
    w.events.iter().find_map(|e| match e {
        ClientEvent::Object { get, result } if *get == key => Some(result.as_ref().map(|o| o.p.to_vec())),
        _ => None,
    })
}

#[test]
fn a_door_is_not_called_absent_while_nobody_is_heard() {
    let mut w = World::new(11, 14);
    let params = w.file.params;
    let keys = ReaderKeys::generate(MailboxKind::Door, &mut w.rng);
    let (address, secret) = (keys.address(), Secret::generate(&mut w.rng));
    let reader = keys.at(address.epoch_at(w.now.wall, &params)).unwrap();
    let object = reader.object(&secret, 4, w.now.wall.hour() + 50, vec![1]).unwrap();
    for node in w.nodes.values_mut() {
        node.objects.insert(reader.locator, object.wire());
    }
    // A network that was joined once, and now nobody is known who could be asked.
    w.alone = true;
    w.run(2_000);
    let nodes: Vec<PeerKey> = w.nodes.keys().copied().collect();
    for node in &nodes {
        w.set(node, Kind::Silent);
    }
    w.turn(|c, cx| c.get_object(cx, GetKey(1), address));
    w.run(2 * MINUTE);
    assert_eq!(found(&w, GetKey(1)), None, "silence is no answer");
    w.turn(|c, cx| c.get_object(cx, GetKey(1), address));
    for node in &nodes {
        w.set(node, Kind::Honest);
    }
    w.run(5 * MINUTE);
    assert_eq!(found(&w, GetKey(1)), Some(Some(vec![1])));
    assert_eq!(w.events.iter().filter(|e| matches!(e, ClientEvent::Object { .. })).count(), 1, "once");
}

#[test]
fn a_question_for_an_object_that_finds_no_room_is_put_off() {
    let mut w = World::joined(12, 8);
    w.cut = true;
    for n in 0..=MAX_OBJECT_GETS as u64 {
        let address = ReaderKeys::generate(MailboxKind::Door, &mut w.rng).address();
        w.turn(|c, cx| c.get_object(cx, GetKey(n), address));
    }
    let later = |e: &&ClientEvent| matches!(e, ClientEvent::ObjectLater { get: GetKey(n) } if *n == MAX_OBJECT_GETS as u64);
    assert_eq!(w.events.iter().filter(later).count(), 1);
    assert!(!w.events.iter().any(|e| matches!(e, ClientEvent::Object { .. })), "nobody was heard");
}

#[test]
fn watches_are_bounded_and_not_doubled() {
    let mut b = world(10);
    b.watch();
    let keys = ReaderKeys::from_row(&b.row).unwrap();
    let twice = b.w.turn(|c, cx| c.watch(cx, WatchKey(2), keys));
    assert!(matches!(twice, Err(WatchError::Twice)));
    let mut w = World::new(1, 1);
    for i in 0..MAX_WATCHES as u64 {
        let keys = ReaderKeys::generate(MailboxKind::Group, &mut w.rng);
        w.turn(|c, cx| c.watch(cx, WatchKey(i), keys)).unwrap();
    }
    let keys = ReaderKeys::generate(MailboxKind::Group, &mut w.rng);
    let over = w.turn(|c, cx| c.watch(cx, WatchKey(u64::MAX), keys));
    assert!(matches!(over, Err(WatchError::TooMany)));
}

#[test]
fn pending_boxes_are_bounded_and_a_custodian_cannot_go_back() {
    let params = murre_core::NetworkParams::cheap();
    let mut rng = Rng::from_seed([1; 32]);
    let keys = ReaderKeys::generate(MailboxKind::Group, &mut rng);
    let disk = super::world::Disk::default();
    let mut place = Place::open(&disk, keys.at(1).unwrap(), Wall(0), &params, 0, None).unwrap();
    let node = PeerKey::from_bytes([1; 32]);
    let ids = |n: u16| -> Vec<BoxId> {
        (0..1_000u16)
            .map(|i| {
                let mut id = [0; 32];
                id[..2].copy_from_slice(&n.to_be_bytes());
                id[2..4].copy_from_slice(&i.to_be_bytes());
                BoxId::from_bytes(id)
            })
            .collect()
    };
    let at = |seq| Cursor { inc: 1, seq };
    for n in 0..4u16 {
        assert_eq!(place.listed(node, at(u64::from(n) + 1), &ids(n), true, &[node]), Listed::More);
    }
    assert_eq!(place.listed(node, at(5), &ids(4), true, &[node]), Listed::Later);
    assert!(place.pending_count() <= MAX_PENDING);
    assert_eq!(place.cursors_of(&[node]), vec![(node, at(4))]);
    assert_eq!(place.listed(node, at(3), &[], false, &[node]), Listed::Lie);
    assert_eq!(place.listed(node, at(9), &[], true, &[node]), Listed::Lie);
    assert_eq!(place.listed(node, Cursor { inc: 2, seq: 0 }, &[], false, &[node]), Listed::End);
}
