//! Blocking and the way back.

use crate::contact::{MINUTE, accept, account, add, befriend, has_contact, invite, send, state, texts};
use crate::world::{HostNo, World};
use murre_core::id::{AccountId, LogId};
use murre_device::{
    Answer, Command, CommandError, ContactState, ContactsCommand, MessageState, Notice, query,
};

pub fn block(world: &mut World, who: HostNo, account: AccountId) {
    let command = Command::Contacts(ContactsCommand::Block { account });
    let blocked = world.ask(who, command);
    assert!(matches!(blocked, Ok(Answer::Contact { state: ContactState::Blocked, .. })), "{blocked:?}");
}

pub fn unblock(world: &mut World, who: HostNo, account: AccountId) -> Result<ContactState, CommandError> {
    let command = Command::Contacts(ContactsCommand::Unblock { account });
    world.ask(who, command).map(|answer| match answer {
        Answer::Contact { state, .. } => state,
        other => panic!("{other:?}"),
    })
}

/// Two who know each other and have both written.
pub fn acquainted(world: &mut World, bob: HostNo, alice: HostNo) -> LogId {
    let chat = befriend(world, bob, alice);
    let b = account(world, bob);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, alice, b, ContactState::Accepted)));
    for (who, text) in [(alice, "hello"), (bob, "hello back")] {
        let id = send(world, who, chat, text);
        assert!(world.run_until(10 * MINUTE, |w| state(w, who, id) == MessageState::Delivered));
    }
    chat
}

#[test]
fn what_was_written_during_a_block_comes_after_it_without_anybody_online_together() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let chat = acquainted(&mut world, bob, alice);
    let a = account(&world, alice);
    block(&mut world, bob, a);
    let during: Vec<String> = (0..5).map(|n| format!("during {n}")).collect();
    let ids: Vec<_> = during
        .iter()
        .map(|text| {
            let id = send(&mut world, alice, chat, text);
            world.run(MINUTE);
            id
        })
        .collect();
    let stored = |w: &World| ids.iter().all(|id| state(w, alice, *id) == MessageState::Stored);
    assert!(world.run_until(10 * MINUTE, stored), "the blocked one is told nothing");
    // Bob has taken and dropped the boxes, and restarts: nothing of them is left with him.
    world.run(10 * MINUTE);
    world.stop(bob);
    world.stop(alice);
    world.start(bob);
    world.run(5 * MINUTE);
    assert_eq!(texts(&world, bob, chat), ["hello", "hello back"]);

    assert_eq!(unblock(&mut world, bob, a), Ok(ContactState::Accepted));
    let after = Notice::Contact { account: a, state: ContactState::Accepted };
    assert!(world.hosts[bob].notices.contains(&after));
    world.run(5 * MINUTE);
    world.stop(bob);
    world.start(alice);
    world.run(10 * MINUTE);
    assert!(stored(&world), "what was stored is still shown so while it goes again");
    world.stop(alice);
    world.start(bob);
    let all: Vec<String> =
        ["hello", "hello back"].iter().map(ToString::to_string).chain(during.clone()).collect();
    assert!(world.run_until(20 * MINUTE, |w| texts(w, bob, chat) == all), "{:?}", texts(&world, bob, chat));
    let back = send(&mut world, bob, chat, "I am back");
    world.start(alice);
    assert!(world.run_until(20 * MINUTE, |w| state(w, bob, back) == MessageState::Delivered));
    let delivered = |w: &World| ids.iter().all(|id| state(w, alice, *id) == MessageState::Delivered);
    assert!(world.run_until(20 * MINUTE, delivered));
    assert_eq!(texts(&world, alice, chat), texts(&world, bob, chat));
}

#[test]
fn live_links_come_back_after_a_block() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let chat = acquainted(&mut world, bob, alice);
    let a = account(&world, alice);
    let live = |w: &World| w.device(bob).status(w.clock()).live == 1;
    assert!(world.run_until(10 * MINUTE, live));
    block(&mut world, bob, a);
    world.run(5 * MINUTE);
    assert!(!live(&world));
    send(&mut world, alice, chat, "during");
    world.run(5 * MINUTE);
    assert_eq!(unblock(&mut world, bob, a), Ok(ContactState::Accepted));
    assert!(world.run_until(5 * MINUTE, live), "known and dialled again");
    assert!(world.run_until(MINUTE, |w| texts(w, bob, chat).contains(&"during".to_owned())));
}

#[test]
fn a_request_that_was_blocked_waits_again_and_only_the_blocked_can_be_unblocked() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    let chat = add(&mut world, alice, &link);
    let (a, b) = (account(&world, alice), account(&world, bob));
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    assert_eq!(unblock(&mut world, bob, a), Err(CommandError::NotBlocked));
    let nobody = AccountId::from_bytes([5; 32]);
    assert_eq!(unblock(&mut world, bob, nobody), Err(CommandError::UnknownContact));
    block(&mut world, bob, a);
    // Twice is once: the state before the first is what comes back.
    block(&mut world, bob, a);
    world.stop(bob);
    world.start(bob);
    assert_eq!(unblock(&mut world, bob, a), Ok(ContactState::Incoming));
    let waiting = send(&mut world, alice, chat, "are you there?");
    accept(&mut world, bob, a);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, alice, b, ContactState::Accepted)));
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, waiting) == MessageState::Delivered));
    assert_eq!(texts(&world, bob, chat), ["are you there?"]);
}

#[test]
fn a_request_is_not_placed_at_the_door_of_somebody_blocked_meanwhile() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    let chat = add(&mut world, alice, &link);
    let (a, b) = (account(&world, alice), account(&world, bob));
    // Before the door was even read.
    block(&mut world, alice, b);
    world.run(20 * MINUTE);
    assert!(query::contacts(world.view(bob)).unwrap().is_empty());
    assert_eq!(unblock(&mut world, alice, b), Ok(ContactState::Requested));
    let waiting = send(&mut world, alice, chat, "now I ask");
    assert!(world.run_until(20 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    accept(&mut world, bob, a);
    assert!(world.run_until(20 * MINUTE, |w| state(w, alice, waiting) == MessageState::Delivered));
}

#[test]
fn an_own_request_rests_while_its_maker_is_blocked_and_goes_on_after() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    world.stop(bob);
    let chat = add(&mut world, alice, &link);
    let b = account(&world, bob);
    let early = send(&mut world, alice, chat, "early");
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, early) == MessageState::Stored));
    block(&mut world, alice, b);
    world.start(bob);
    let a = account(&world, alice);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    accept(&mut world, bob, a);
    let reply = send(&mut world, bob, chat, "yes?");
    world.run(20 * MINUTE);
    assert!(has_contact(&world, alice, b, ContactState::Blocked));
    assert_eq!(texts(&world, alice, chat), ["early"]);
    world.stop(bob);
    assert_eq!(unblock(&mut world, alice, b), Ok(ContactState::Requested));
    // The answer waits in the drop, which is read again.
    assert!(world.run_until(20 * MINUTE, |w| has_contact(w, alice, b, ContactState::Accepted)));
    assert!(world.run_until(20 * MINUTE, |w| texts(w, alice, chat) == ["early", "yes?"]));
    world.start(bob);
    assert!(world.run_until(20 * MINUTE, |w| state(w, bob, reply) == MessageState::Delivered));
    assert!(query::contacts(world.view(alice)).unwrap().iter().all(|c| c.state == ContactState::Accepted));
}
