//! Doors that were shut, and doors before which more wait than there is room for.

use crate::contact::{MINUTE, accept, account, add, has_contact, invite, send, state, texts};
use crate::world::{HostNo, World};
use murre_core::Turn;
use murre_core::id::AccountId;
use murre_device::invite::InviteLink;
use murre_device::limits::MAX_INCOMING;
use murre_device::rows::{self, ContactRow};
use murre_device::{
    Answer, Command, ContactState, ContactsCommand, DoorProblem, MessageState, Notice, query,
};
use murre_store::Store;

fn withdraw(world: &mut World, who: HostNo, link: &InviteLink) {
    let command = Command::Contacts(ContactsCommand::Withdraw { link: link.clone() });
    assert_eq!(world.ask(who, command), Ok(Answer::Done));
}

fn problem(world: &World, who: HostNo) -> Option<DoorProblem> {
    query::contacts(world.view(who)).unwrap().first().and_then(|c| c.problem)
}

#[test]
fn who_asks_through_a_withdrawn_link_is_told_and_another_link_helps() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    withdraw(&mut world, bob, &link);
    world.run(MINUTE);
    world.stop(bob);
    let chat = add(&mut world, alice, &link);
    let waiting = send(&mut world, alice, chat, "still there?");
    assert!(world.run_until(5 * MINUTE, |w| problem(w, alice) == Some(DoorProblem::Withdrawn)));
    let told = Notice::DoorProblem { account: link.account, why: DoorProblem::Withdrawn };
    assert_eq!(world.hosts[alice].notices.iter().filter(|n| **n == told).count(), 1);
    let why = query::status(world.view(alice), waiting, world.clock().wall).unwrap().why;
    assert!(why.contains("withdrawn"), "{why}");

    world.stop(alice);
    world.start(alice);
    world.start(bob);
    let other = invite(&mut world, bob);
    assert_eq!(add(&mut world, alice, &other), chat, "the same chat goes on");
    let a = account(&world, alice);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    assert_eq!(problem(&world, alice), None);
    accept(&mut world, bob, a);
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, waiting) == MessageState::Delivered));
    assert_eq!(texts(&world, bob, chat), ["still there?"]);
}

#[test]
fn a_link_that_is_used_while_no_node_answers_is_not_called_absent_and_works_when_one_does() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    world.run(MINUTE);
    (0..3).for_each(|node| world.stop(node));
    world.stop(bob);
    add(&mut world, alice, &link);
    world.run(10 * MINUTE);
    assert_eq!(problem(&world, alice), None, "nobody has said anything about the door");
    (0..3).for_each(|node| world.start(node));
    world.start(bob);
    let a = account(&world, alice);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    assert!(!world.hosts[alice].notices.iter().any(|n| matches!(n, Notice::DoorProblem { .. })));
}

#[test]
fn a_door_is_shut_even_if_its_owner_stops_at_once_and_comes_back_later() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    withdraw(&mut world, bob, &link);
    world.stop(bob);
    world.run(MINUTE);
    world.start(bob);
    world.run(MINUTE);
    world.stop(bob);
    add(&mut world, alice, &link);
    assert!(world.run_until(5 * MINUTE, |w| problem(w, alice) == Some(DoorProblem::Withdrawn)));
}

/// Requests of people who are not there: only what a device counts.
fn crowd(world: &mut World, who: HostNo, n: usize) -> Vec<AccountId> {
    let mut made = Vec::new();
    world.stop(who);
    let store = &mut world.hosts[who].store;
    let mut tx = Turn::new(store);
    for i in 0..n {
        let no = u32::try_from(rows::next(&mut tx, "contacts").unwrap()).unwrap();
        let account = AccountId::from_bytes([100 + i as u8; 32]);
        let (state, since) = (ContactState::Incoming, murre_core::Wall(0));
        let row =
            ContactRow { account, name: format!("{i}"), state, hello: String::new(), chat: None, since };
        rows::put(&mut tx, rows::CONTACTS, &no.to_be_bytes(), &row);
        rows::put(&mut tx, rows::CONTACT_BY_ACCOUNT, account.as_bytes(), &no);
        made.push(account);
    }
    let batch = tx.into_batch();
    store.begin().unwrap();
    store.apply(&batch).unwrap();
    store.commit().unwrap();
    world.start(who);
    made
}

#[test]
fn a_request_that_found_no_room_is_shown_when_another_is_answered() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    let waiting = crowd(&mut world, bob, MAX_INCOMING);
    world.run(MINUTE);
    add(&mut world, alice, &link);
    world.run(10 * MINUTE);
    let a = account(&world, alice);
    assert!(!has_contact(&world, bob, a, ContactState::Incoming), "there is no room");
    let block = Command::Contacts(ContactsCommand::Block { account: waiting[0] });
    assert!(matches!(world.ask(bob, block), Ok(Answer::Contact { state: ContactState::Blocked, .. })));
    assert!(world.run_until(5 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
}
