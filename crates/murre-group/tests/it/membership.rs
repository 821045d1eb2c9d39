//! Key packages, creating and joining.

use crate::world::{Person, log};
use crate::{open, pair, seal};
use murre_core::id::StateId;
use murre_crypto::{AccountKey, DeviceCertBody};
use murre_group::{
    CreateError, GroupEngine, Identity, JoinError, KeyPackageError, LeafError, MAX_KEY_PACKAGE, MAX_LEAVES,
    MAX_WELCOME, NewKeyPackageError, check_key_package,
};

#[test]
fn a_key_package_names_its_owner() {
    let mut bob = Person::new(2);
    let (reference, bytes) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    assert_eq!(check_key_package(&bytes), Ok(bob.who()));
    assert!(bob.engine.has_key_package(&bob.rows, &reference).unwrap());
    assert!(bytes.len() < 3_200, "{} bytes", bytes.len());
}

#[test]
fn members_are_everybody_and_the_inviter_is_named() {
    let mut people: Vec<_> = (1..=4).map(Person::new).collect();
    let packages: Vec<_> = people[1..]
        .iter_mut()
        .map(|p| p.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap().1)
        .collect();
    let made = people[0].turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &packages)).unwrap();
    let everybody: Vec<_> = people.iter().map(Person::who).collect();
    for person in &mut people[1..] {
        let joined =
            person.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), made.state, &made.welcome)).unwrap();
        assert_eq!(joined.members, everybody);
        assert_eq!(joined.inviter, everybody[0]);
    }
    for person in &people {
        let members = GroupEngine::new().members(&person.rows, log(1), made.state).unwrap();
        assert_eq!(members, everybody);
    }
    let bytes = seal(&mut people[2], made.state, b"hello all").unwrap();
    for n in [0, 1, 3] {
        let opened = open(&mut people[n], made.state, &bytes).unwrap();
        assert_eq!((opened.account, opened.device), everybody[2]);
    }
}

#[test]
fn one_key_package_serves_several_requests_until_it_is_forgotten() {
    let mut bob = Person::new(2);
    let (reference, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let mut created: Vec<_> = (3u8..6)
        .map(|n| {
            let mut inviter = Person::new(n);
            let packages = [package.clone()];
            let made = inviter.turn(|e, tx, rng, id| e.create(tx, rng, id, log(n), &packages)).unwrap();
            (n, made)
        })
        .collect();
    let last = created.pop().unwrap();
    for (n, made) in &created {
        bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(*n), made.state, &made.welcome)).unwrap();
    }
    bob.turn(|e, tx, _, _| {
        e.forget_key_package(tx, &reference);
        Ok::<_, ()>(())
    })
    .unwrap();
    let late = bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(last.0), last.1.state, &last.1.welcome));
    assert_eq!(late, Err(JoinError::NotForUs));
}

#[test]
fn a_state_is_joined_once_under_whatever_name() {
    let (mut alice, mut bob) = (Person::new(1), Person::new(2));
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let made = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[package])).unwrap();
    let join = |bob: &mut Person, state| {
        bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), state, &made.welcome))
    };
    join(&mut bob, made.state).unwrap();
    let before = bob.rows.clone();
    assert_eq!(join(&mut bob, made.state), Err(JoinError::Known));
    // The same keys under another name would begin the sending ratchet anew.
    assert_eq!(join(&mut bob, StateId::from_bytes([5; 32])), Err(JoinError::Known));
    assert_eq!(bob.rows, before);
    // Not even after the state was erased.
    bob.turn(|e, tx, _, _| e.erase(tx, log(1), made.state)).unwrap();
    assert_eq!(join(&mut bob, made.state), Err(JoinError::Known));
}

#[test]
fn a_welcome_is_for_one_log_and_for_its_addressees() {
    let (mut alice, mut bob, mut eve) = (Person::new(1), Person::new(2), Person::new(3));
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    eve.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let made = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[package])).unwrap();
    let other = bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(2), made.state, &made.welcome));
    assert_eq!(other, Err(JoinError::OtherLog));
    let stranger = eve.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), made.state, &made.welcome));
    assert_eq!(stranger, Err(JoinError::NotForUs));
    bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), made.state, &made.welcome)).unwrap();
}

#[test]
fn a_device_joins_only_as_itself() {
    let (mut alice, mut bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let made = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[package])).unwrap();
    let account = AccountKey::generate(&mut murre_core::Rng::from_seed([60; 32]));
    let moved = DeviceCertBody::issue(&account, bob.device.id(), false);
    let mut join = |device, cert| {
        let id = Identity { device, cert };
        let mut tx = murre_core::Turn::new(&bob.rows);
        let result = bob.engine.join(&mut tx, &mut bob.rng, &id, log(1), made.state, &made.welcome);
        (result.map(drop), tx.into_batch().is_empty())
    };
    assert_eq!(join(&carol.device, &carol.cert), (Err(JoinError::NotOwnLeaf), true));
    assert_eq!(join(&bob.device, &moved), (Err(JoinError::NotOwnLeaf), true));
    let identity = JoinError::Identity(LeafError::KeyMismatch);
    assert_eq!(join(&bob.device, &carol.cert), (Err(identity), true));
    assert_eq!(join(&bob.device, &bob.cert), (Ok(()), false));
}

#[test]
fn a_certificate_must_be_this_devices() {
    let (mut alice, bob) = (Person::new(1), Person::new(2));
    let wrong =
        alice.turn(|e, tx, rng, id| e.key_package(tx, rng, &Identity { device: id.device, cert: &bob.cert }));
    assert_eq!(wrong, Err(NewKeyPackageError::Identity(LeafError::KeyMismatch)));
    let wrong = alice.turn(|e, tx, rng, id| {
        e.create(tx, rng, &Identity { device: id.device, cert: &bob.cert }, log(1), &[])
    });
    assert_eq!(wrong, Err(CreateError::Identity(LeafError::KeyMismatch)));
}

#[test]
fn a_group_has_at_least_two_devices_and_each_once() {
    let (mut alice, mut bob) = (Person::new(1), Person::new(2));
    let none = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[]));
    assert_eq!(none, Err(CreateError::Count { count: 0 }));
    let many = vec![Vec::new(); MAX_LEAVES];
    let many = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &many));
    assert_eq!(many, Err(CreateError::Count { count: MAX_LEAVES }));
    let (_, one) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let (_, two) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let twice = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[one, two]));
    assert_eq!(twice, Err(CreateError::Duplicate { index: 1 }));
    let (_, own) = alice.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let own = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[own]));
    assert_eq!(own, Err(CreateError::Duplicate { index: 0 }));
}

#[test]
fn sizes_are_checked_before_anything_is_decoded() {
    let long = vec![0; MAX_KEY_PACKAGE + 1];
    assert_eq!(check_key_package(&long), Err(KeyPackageError::TooLong { len: long.len() }));
    let mut bob = Person::new(2);
    let long = vec![0; MAX_WELCOME + 1];
    let refused = bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), StateId::from_bytes([0; 32]), &long));
    assert_eq!(refused, Err(JoinError::TooLong { len: long.len() }));
}

#[test]
fn an_erased_state_is_unknown_and_the_others_stay() {
    let (mut alice, mut bob, state) = pair();
    let bytes = seal(&mut alice, state, b"x").unwrap();
    alice.turn(|e, tx, _, _| e.erase(tx, log(1), state)).unwrap();
    assert!(seal(&mut alice, state, b"y").is_err());
    open(&mut bob, state, &bytes).unwrap();
}

#[test]
fn the_account_may_certify_several_devices_of_one_person() {
    let mut rng = murre_core::Rng::from_seed([40; 32]);
    let account = AccountKey::generate(&mut rng);
    let mut devices: Vec<_> = (1..=3).map(Person::new).collect();
    for d in &mut devices {
        d.cert = DeviceCertBody::issue(&account, d.device.id(), false);
        d.account = account.id();
    }
    let packages: Vec<_> = devices[1..]
        .iter_mut()
        .map(|p| p.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap().1)
        .collect();
    let made = devices[0].turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &packages)).unwrap();
    let joined =
        devices[1].turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), made.state, &made.welcome)).unwrap();
    assert!(joined.members.iter().all(|(a, _)| *a == account.id()));
}
