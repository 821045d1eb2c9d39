//! Owner objects and slots.

use crate::support::{NOW, PARAMS, flips, rng};
use murre_crypto::Secret;
use murre_mailbox::limits::{MAX_OBJECT, MAX_OBJECT_PAYLOAD, MAX_SLOTS, OBJECT_EPOCHS_AHEAD, takes_objects};
use murre_mailbox::{
    BoxError, DoorError, MailboxKind, ReaderKeys, SignedObject, VerifiedObject, Writer, door_slot, slot_grant,
};

struct Door {
    owner: ReaderKeys,
    secret: Secret<32>,
    epoch: u64,
}

fn door() -> Door {
    let secret = Secret::new([3; 32]);
    let d = murre_crypto::BlindKey::generate(&mut rng(1));
    let owner = ReaderKeys::from_secret(MailboxKind::Door, &secret).with_owner(d);
    let epoch = owner.address().epoch_at(NOW, &PARAMS);
    Door { owner, secret, epoch }
}

fn object(door: &Door, slots: u16) -> VerifiedObject {
    let made = door.owner.at(door.epoch).unwrap().object(&door.secret, slots, NOW.hour() + 700, vec![8; 300]);
    SignedObject::parse(&made.unwrap().wire()).unwrap().verify(&PARAMS).unwrap()
}

#[test]
fn a_link_holder_writes_one_box_into_a_slot() {
    let door = door();
    let object = object(&door, 4);
    let reader = ReaderKeys::from_secret(MailboxKind::Door, &door.secret)
        .with_owner_public(door.owner.address().d.unwrap());
    let address = reader.address();
    assert_eq!(object.locator(), reader.at(door.epoch).unwrap().locator);
    for slot in 0..4 {
        let grant = slot_grant(&address, &door.secret, slot, &object).unwrap();
        let b =
            Writer::new(&grant, None).unwrap().seal_box(door.epoch, 0, NOW.hour() + 24, b"hello").unwrap();
        let b = b.verify(&PARAMS).unwrap();
        assert!(object.has_slot(&b.tag()));
        assert_eq!(reader.open_box(&door_slot(&door.secret, slot).0, door.epoch, &b).unwrap(), b"hello");
    }
    assert!(slot_grant(&address, &door.secret, 4, &object).is_none());
    assert!(slot_grant(&address, &Secret::new([4; 32]), 0, &object).is_none());
}

#[test]
fn only_the_owner_shuts_a_door_and_a_shut_one_has_nothing_to_read() {
    let door = door();
    let open = object(&door, 4);
    let at = door.owner.at(door.epoch).unwrap();
    let shut = at.closed_object(NOW.hour() + 700).unwrap().verify(&PARAMS).unwrap();
    assert!(shut.closed() && !open.closed());
    assert_eq!((shut.locator(), shut.open_id()), (open.locator(), open.id()));
    assert_ne!(shut.id(), open.id());
    let holder = ReaderKeys::from_secret(MailboxKind::Door, &door.secret)
        .with_owner_public(door.owner.address().d.unwrap());
    let forged = holder.at(door.epoch).unwrap().closed_object(NOW.hour() + 700);
    assert_eq!(forged.err(), Some(DoorError::NotOwner));
    let none = at.object(&door.secret, 0, NOW.hour() + 700, vec![8]);
    assert_eq!(none.err(), Some(DoorError::Slots { slots: 0 }));
}

#[test]
fn a_slot_the_owner_did_not_certify_is_worth_nothing() {
    let door = door();
    let object = object(&door, 2);
    let address = door.owner.address();
    let mut grant = slot_grant(&address, &door.secret, 1, &object).unwrap();
    let (pair, tag) = door_slot(&door.secret, 2);
    grant.p = murre_core::id::Bytes(*pair.expose());
    grant.t = Some(murre_core::id::Bytes(*tag.secret().expose()));
    let b = Writer::new(&grant, None).unwrap().seal_box(door.epoch, 0, NOW.hour() + 24, b"x").unwrap();
    assert_eq!(b.verify(&PARAMS).err(), Some(BoxError::Certificate));
}

#[test]
fn every_flipped_bit_of_an_object_is_refused() {
    let wire = object(&door(), 2).wire();
    for flipped in flips(&wire, 1) {
        let refused = SignedObject::parse(&flipped).and_then(|o| o.verify(&PARAMS));
        assert!(refused.is_err());
    }
    for cut in 0..wire.len() {
        assert!(SignedObject::parse(&wire[..cut]).is_err());
    }
}

#[test]
fn only_the_owner_makes_objects_and_only_at_doors() {
    let door = door();
    let reader = ReaderKeys::from_secret(MailboxKind::Door, &door.secret)
        .with_owner_public(door.owner.address().d.unwrap());
    let made = reader.at(door.epoch).unwrap().object(&door.secret, 1, NOW.hour() + 9, vec![]);
    assert_eq!(made.err(), Some(DoorError::NotOwner));
    let account = ReaderKeys::generate(MailboxKind::Account, &mut rng(5));
    let made = account.at(door.epoch).unwrap().object(&door.secret, 1, NOW.hour() + 9, vec![]);
    assert_eq!(made.err(), Some(DoorError::NotADoor));
}

#[test]
fn the_limits_of_an_object_hold() {
    let door = door();
    let at = door.owner.at(door.epoch).unwrap();
    let make = |slots: u16, len: usize, x: u32| at.object(&door.secret, slots, x, vec![1; len]);
    let x = NOW.hour() + 700;
    let largest = make(MAX_SLOTS as u16, MAX_OBJECT_PAYLOAD, x).unwrap();
    assert!(largest.wire().len() <= MAX_OBJECT);
    assert!(SignedObject::parse(&largest.wire()).unwrap().verify(&PARAMS).is_ok());
    assert!(matches!(make(MAX_SLOTS as u16 + 1, 0, x), Err(DoorError::Slots { .. })));
    assert!(matches!(make(1, MAX_OBJECT_PAYLOAD + 1, x), Err(DoorError::Payload { .. })));
    assert!(matches!(make(1, 0, x + 2_000).unwrap().verify(&PARAMS), Err(DoorError::Expiry { .. })));
}

#[test]
fn an_object_is_taken_nine_epochs_ahead_and_not_ten() {
    let address = door().owner.address();
    let e = address.epoch_at(NOW, &PARAMS);
    assert!((0..=OBJECT_EPOCHS_AHEAD).all(|n| takes_objects(e + n, NOW, &PARAMS)));
    assert!(!takes_objects(e + OBJECT_EPOCHS_AHEAD + 3, NOW, &PARAMS));
    assert!(!takes_objects(e - 3, NOW, &PARAMS));
}
