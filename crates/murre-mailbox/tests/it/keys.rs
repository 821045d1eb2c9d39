//! Epochs, locators, and what they give away.

use crate::support::{NOW, PARAMS, rng};
use murre_core::{NetworkParams, Wall};
use murre_crypto::Secret;
use murre_mailbox::limits::MAX_ADDRESS_ROW;
use murre_mailbox::{MailboxKind, PairSecret, ReaderKeys, TagKey, tag_at};
use std::collections::BTreeSet;

#[test]
fn readers_and_writers_compute_the_same_place() {
    for kind in [MailboxKind::Account, MailboxKind::Group, MailboxKind::Drop, MailboxKind::Door] {
        let keys = ReaderKeys::generate(kind, &mut rng(1));
        for e in [0, 1, 2_810, u64::MAX] {
            let reader = keys.at(e).unwrap();
            assert_eq!(keys.address().at(e).unwrap(), reader.place);
            assert_eq!(reader.place.locator(), reader.locator);
        }
    }
}

#[test]
fn two_epochs_share_no_value() {
    let keys = ReaderKeys::generate(MailboxKind::Account, &mut rng(2));
    let (pair, tag) = (PairSecret::generate(&mut rng(3)), TagKey::generate(&mut rng(4)).public());
    let mut seen = BTreeSet::new();
    for e in 0..20 {
        let place = keys.at(e).unwrap().place;
        seen.insert(*place.m.as_bytes());
        seen.insert(*place.d.unwrap().as_bytes());
        seen.insert(*place.locator().as_bytes());
        seen.insert(*tag_at(&pair, &tag, e).unwrap().as_bytes());
    }
    seen.insert(*keys.address().m.as_bytes());
    seen.insert(*keys.address().d.unwrap().as_bytes());
    assert_eq!(seen.len(), 20 * 4 + 2);
}

#[test]
fn the_kind_is_part_of_the_locator() {
    let secret = Secret::new([5; 32]);
    let group = ReaderKeys::from_secret(MailboxKind::Group, &secret).at(1).unwrap().place;
    let drop = murre_mailbox::Place { k: MailboxKind::Drop, ..group };
    assert_ne!(group.locator(), drop.locator());
}

#[test]
fn a_shared_secret_gives_one_mailbox_and_a_door_needs_its_owner() {
    let secret = Secret::new([5; 32]);
    let (one, two) = [(); 2].map(|()| ReaderKeys::from_secret(MailboxKind::Drop, &secret).address()).into();
    assert_eq!(one, two);
    let door = ReaderKeys::from_secret(MailboxKind::Door, &secret);
    assert!(door.at(1).is_err() && door.address().at(1).is_err());
}

#[test]
fn epochs_follow_each_other_without_gap_or_overlap() {
    for seed in 0..20 {
        let a = ReaderKeys::generate(MailboxKind::Group, &mut rng(seed)).address();
        let e = a.epoch_at(NOW, &PARAMS);
        let (from, to) = a.epoch_span(e, &PARAMS);
        assert!(from <= NOW && NOW < to && to.0 - from.0 == PARAMS.epoch_ms);
        assert_eq!(a.epoch_at(from, &PARAMS), e);
        assert_eq!(a.epoch_at(Wall(to.0 - 1), &PARAMS), e);
        assert_eq!(a.epoch_at(to, &PARAMS), e + 1);
        assert_eq!(a.epoch_span(e + 1, &PARAMS).0, to);
        let grace_end = to.plus(PARAMS.grace_ms);
        assert!(a.takes_puts(e, Wall(grace_end.0 - 1), &PARAMS) && !a.takes_puts(e, grace_end, &PARAMS));
        assert_eq!(a.open_epochs(Wall(grace_end.0 - 1), &PARAMS), [e, e + 1]);
        assert_eq!(a.open_epochs(grace_end, &PARAMS), [e + 1]);
    }
}

#[test]
fn mailboxes_change_their_locators_at_different_moments() {
    let offset = |seed| {
        ReaderKeys::generate(MailboxKind::Group, &mut rng(seed))
            .address()
            .offset(&NetworkParams::production())
    };
    let offsets: BTreeSet<u64> = (0..50).map(offset).collect();
    assert_eq!(offsets.len(), 50);
    assert!(offsets.iter().all(|o| *o < NetworkParams::production().epoch_ms));
    let week = NetworkParams::production().epoch_ms;
    assert!(offsets.range(..week / 4).count() > 3 && offsets.range(week * 3 / 4..).count() > 3);
}

#[test]
fn keys_survive_the_store() {
    for kind in [MailboxKind::Account, MailboxKind::Group, MailboxKind::Door] {
        let keys = ReaderKeys::generate(kind, &mut rng(6));
        let row = keys.to_row();
        assert!(row.len() <= MAX_ADDRESS_ROW);
        let again = ReaderKeys::from_row(&row).unwrap();
        assert_eq!(again.at(7).unwrap().place, keys.at(7).unwrap().place);
        assert_eq!(again.owns(), kind.has_owner());
        assert!(ReaderKeys::from_row(&row[..row.len() - 1]).is_err());
        assert!(ReaderKeys::from_row(&[&row[..], &[0; 600]].concat()).is_err());
    }
    let door = ReaderKeys::generate(MailboxKind::Door, &mut rng(6));
    let reader = ReaderKeys::from_secret(MailboxKind::Door, &Secret::new([1; 32]))
        .with_owner_public(door.address().d.unwrap());
    let again = ReaderKeys::from_row(&reader.to_row()).unwrap();
    assert_eq!(again.address(), reader.address());
    assert!(!again.owns());
}

#[test]
fn secrets_do_not_print() {
    let keys = ReaderKeys::generate(MailboxKind::Account, &mut rng(7));
    let grant = keys.spare(&mut rng(8), 1, 1).unwrap();
    let text = format!("{keys:?} {grant:?} {:?}", keys.at(1).unwrap());
    let secret = hex::encode(&grant.p.0[..8]);
    assert!(!text.contains(&secret) && !text.contains(&hex::encode(&keys.address().a.0[..8])));
    assert!(!text.contains(&format!("{:?}", &grant.p.0[..4])), "not as a list either");
}
