//! First contact with nobody online together, and what follows.

use crate::world::{HostNo, World};
use murre_core::id::{AccountId, LogId, MessageId};
use murre_device::invite::InviteLink;
use murre_device::{
    Answer, Command, CommandError, ContactState, ContactsCommand, ConversationsCommand, LinkKind,
    MessageState, Notice, query,
};

pub const MINUTE: u64 = 60_000;

pub fn invite(world: &mut World, who: HostNo) -> InviteLink {
    let command =
        ContactsCommand::Invite { name: Some("Bob".into()), hints: vec![], kind: LinkKind::Personal };
    let link = match world.ask(who, Command::Contacts(command)) {
        Ok(Answer::Invite { link, .. }) => link,
        other => panic!("{other:?}"),
    };
    let id = link.id();
    let published = |w: &World| w.hosts[who].notices.contains(&Notice::InvitePublished { link: id });
    assert!(world.run_until(5 * MINUTE, published), "the door is stored");
    link
}

pub fn add(world: &mut World, who: HostNo, link: &InviteLink) -> LogId {
    let command = ContactsCommand::Add { link: link.clone(), hello: "it is Alice".into() };
    match world.ask(who, Command::Contacts(command)) {
        Ok(Answer::Contact { chat: Some(chat), .. }) => chat,
        other => panic!("{other:?}"),
    }
}

pub fn account(world: &World, who: HostNo) -> AccountId {
    query::me(world.view(who)).unwrap().account
}

pub fn send(world: &mut World, who: HostNo, chat: LogId, text: &str) -> MessageId {
    match world.ask(who, text_to(chat, text)) {
        Ok(Answer::Message { id }) => id,
        other => panic!("{other:?}"),
    }
}

pub fn text_to(chat: LogId, text: &str) -> Command {
    let (text, reply_to, client_id) = (text.to_owned(), None, None);
    Command::Conversations(ConversationsCommand::Send { chat, text, reply_to, client_id, files: Vec::new() })
}

pub fn texts(world: &World, who: HostNo, chat: LogId) -> Vec<String> {
    query::history(world.view(who), chat, None, 1_000, world.clock().wall)
        .unwrap()
        .into_iter()
        .filter_map(|m| m.text)
        .collect()
}

pub fn state(world: &World, who: HostNo, id: MessageId) -> MessageState {
    query::status(world.view(who), id, world.clock().wall).unwrap().state
}

pub fn accept(world: &mut World, who: HostNo, other: AccountId) {
    let command = Command::Contacts(ContactsCommand::Accept { account: other });
    assert!(matches!(world.ask(who, command), Ok(Answer::Contact { state: ContactState::Accepted, .. })));
}

pub fn has_contact(world: &World, who: HostNo, other: AccountId, state: ContactState) -> bool {
    query::contacts(world.view(who)).unwrap().iter().any(|c| c.account == other && c.state == state)
}

/// Alice asks through a link of Bob's, and he accepts; answers their chat. What she is told comes later.
pub fn befriend(world: &mut World, bob: HostNo, alice: HostNo) -> LogId {
    let link = invite(world, bob);
    let chat = add(world, alice, &link);
    let a = account(world, alice);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    accept(world, bob, a);
    chat
}

#[test]
fn a_message_waits_for_someone_who_is_off() {
    let mut world = World::new(4);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    world.stop(bob);

    let chat = add(&mut world, alice, &link);
    let written: Vec<String> = (0..20).map(|i| format!("message {i}")).collect();
    let ids: Vec<MessageId> = written.iter().map(|t| send(&mut world, alice, chat, t)).collect();
    let last = *ids.last().unwrap();
    let stored = |w: &World| state(w, alice, last) == MessageState::Stored;
    assert!(
        world.run_until(5 * MINUTE, stored),
        "{:?}",
        query::status(world.view(alice), last, world.clock().wall)
    );
    world.stop(alice);

    world.start(bob);
    let (a, b) = (account(&world, alice), account(&world, bob));
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    accept(&mut world, bob, a);
    assert!(
        world.run_until(10 * MINUTE, |w| texts(w, bob, chat).len() >= 20),
        "{:?}",
        texts(&world, bob, chat)
    );
    assert_eq!(texts(&world, bob, chat), written);

    let reply = send(&mut world, bob, chat, "and back");
    assert!(world.run_until(10 * MINUTE, |w| state(w, bob, reply) == MessageState::Stored));
    world.stop(bob);
    world.start(alice);
    assert!(
        world.run_until(10 * MINUTE, |w| texts(w, alice, chat).len() >= 21),
        "{:?}",
        texts(&world, alice, chat)
    );
    assert!(has_contact(&world, alice, b, ContactState::Accepted));
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, last) == MessageState::Delivered));
    world.start(bob);
    assert!(world.run_until(10 * MINUTE, |w| state(w, bob, reply) == MessageState::Delivered));
    assert_eq!(texts(&world, bob, chat), texts(&world, alice, chat));
}

#[test]
fn two_who_are_there_talk_over_a_live_link() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let chat = befriend(&mut world, bob, alice);
    let live =
        |w: &World| w.device(alice).status(w.clock()).live == 1 && w.device(bob).status(w.clock()).live == 1;
    assert!(world.run_until(10 * MINUTE, live), "a live link comes up");
    let id = send(&mut world, alice, chat, "hello over there");
    assert!(world.run_until(200, |w| texts(w, bob, chat).contains(&"hello over there".to_owned())));
    assert!(world.run_until(5_000, |w| state(w, alice, id) == MessageState::Delivered));
    let read = Command::Conversations(ConversationsCommand::Read { chat });
    assert_eq!(world.ask(bob, read), Ok(Answer::Done));
    assert!(world.run_until(5_000, |w| state(w, alice, id) == MessageState::Read));
}

#[test]
fn sends_that_wait_together_travel_as_one_entry() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let chat = befriend(&mut world, bob, alice);
    world.run(MINUTE);
    let before = world.device(alice).status(world.clock()).in_flight;
    let many: Vec<Command> = (0..50).map(|i| text_to(chat, &format!("burst {i}"))).collect();
    world.give(alice, many);
    let after = world.device(alice).status(world.clock()).in_flight;
    assert!(after <= before + 1, "{before} -> {after}: one outbox row for one entry");
    assert!(world.run_until(10 * MINUTE, |w| texts(w, bob, chat).len() == 50));
}

#[test]
fn both_ask_at_once_and_end_in_one_chat() {
    let mut world = World::new(4);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let (from_bob, from_alice) = (invite(&mut world, bob), invite(&mut world, alice));
    let at_alice = add(&mut world, alice, &from_bob);
    let at_bob = add(&mut world, bob, &from_alice);
    send(&mut world, alice, at_alice, "from alice, early");
    send(&mut world, bob, at_bob, "from bob, early");
    let (a, b) = (account(&world, alice), account(&world, bob));
    let agreed = |w: &World| {
        has_contact(w, bob, a, ContactState::Accepted)
            && has_contact(w, alice, b, ContactState::Accepted)
            && texts(w, alice, at_alice).len() == 2
            && texts(w, bob, at_bob).len() == 2
    };
    assert!(world.run_until(20 * MINUTE, agreed));
    let (one, other) = (
        query::chats(world.view(alice), world.clock().wall).unwrap(),
        query::chats(world.view(bob), world.clock().wall).unwrap(),
    );
    assert_eq!((one.len(), other.len()), (1, 1));
    assert_eq!(one[0].chat, other[0].chat, "both write the same log");
    let chat = one[0].chat;
    send(&mut world, alice, chat, "later");
    assert!(world.run_until(10 * MINUTE, |w| texts(w, bob, chat).len() == 3));
    assert_eq!(texts(&world, alice, chat), texts(&world, bob, chat));
}

#[test]
fn the_same_client_id_never_makes_a_second_message() {
    let mut world = World::new(1);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    let chat = add(&mut world, alice, &link);
    let command = || {
        let (text, reply_to, client_id) = ("once".to_owned(), None, Some("k1".to_owned()));
        Command::Conversations(ConversationsCommand::Send {
            chat,
            text,
            reply_to,
            client_id,
            files: Vec::new(),
        })
    };
    let ids = world.give(alice, vec![command(), command()]);
    let first = world.hosts[alice].answers[&ids[0]].clone();
    assert_eq!(world.hosts[alice].answers[&ids[1]], first);
    world.stop(alice);
    world.start(alice);
    assert_eq!(world.ask(alice, command()), first);
    assert_eq!(texts(&world, alice, chat).len(), 1);
}

#[test]
fn wrong_commands_are_refused_in_words() {
    let mut world = World::new(1);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    let own = Command::Contacts(ContactsCommand::Add { link: link.clone(), hello: String::new() });
    assert_eq!(world.ask(bob, own), Err(CommandError::OwnLink));
    let mut late = link.clone();
    late.expires = murre_core::Wall(5);
    let late = Command::Contacts(ContactsCommand::Add { link: late, hello: String::new() });
    assert_eq!(world.ask(alice, late), Err(CommandError::LinkExpired));
    let mut elsewhere = link.clone();
    elsewhere.network = murre_core::id::NetworkId::from_bytes([1; 32]);
    let elsewhere = Command::Contacts(ContactsCommand::Add { link: elsewhere, hello: String::new() });
    assert_eq!(world.ask(alice, elsewhere), Err(CommandError::OtherNetwork));
    let chat = add(&mut world, alice, &link);
    assert_eq!(world.ask(alice, text_to(chat, "")), Err(CommandError::EmptyText));
    let long = "x".repeat(64 * 1024 + 1);
    assert_eq!(
        world.ask(alice, text_to(chat, &long)),
        Err(CommandError::TextTooLong { len: 65_537, limit: 65_536 })
    );
    let nowhere = LogId::from_bytes([7; 32]);
    assert_eq!(world.ask(alice, text_to(nowhere, "x")), Err(CommandError::UnknownChat));
    let stranger = ContactsCommand::Accept { account: AccountId::from_bytes([2; 32]) };
    assert_eq!(world.ask(alice, Command::Contacts(stranger)), Err(CommandError::UnknownContact));
}

#[test]
fn the_blocked_hear_nothing_and_are_not_heard() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    let chat = add(&mut world, alice, &link);
    let a = account(&world, alice);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    let block = Command::Contacts(ContactsCommand::Block { account: a });
    assert!(matches!(world.ask(bob, block), Ok(Answer::Contact { state: ContactState::Blocked, .. })));
    send(&mut world, alice, chat, "are you there?");
    world.run(20 * MINUTE);
    assert!(has_contact(&world, bob, a, ContactState::Blocked));
    assert!(query::chats(world.view(bob), world.clock().wall).unwrap().is_empty());
    let b = account(&world, bob);
    assert!(has_contact(&world, alice, b, ContactState::Requested), "silence, not a refusal");
}

#[test]
fn what_was_read_before_its_writer_came_back_is_told_as_arrived_first() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let chat = befriend(&mut world, bob, alice);
    let b = account(&world, bob);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, alice, b, ContactState::Accepted)));
    world.stop(bob);
    let id = send(&mut world, alice, chat, "read it when you are back");
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, id) == MessageState::Stored));
    world.stop(alice);
    world.start(bob);
    assert!(world.run_until(10 * MINUTE, |w| texts(w, bob, chat).len() == 1));
    let read = Command::Conversations(ConversationsCommand::Read { chat });
    assert_eq!(world.ask(bob, read), Ok(Answer::Done));
    world.run(MINUTE);
    world.start(alice);
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, id) == MessageState::Read));
    let told: Vec<MessageState> = world.hosts[alice]
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::MessageState { messages, state, .. } if messages.contains(&id) => Some(*state),
            _ => None,
        })
        .collect();
    // How many custodians had signed when it was first told is a matter of timing; what comes after is not.
    let after: Vec<MessageState> = told.into_iter().filter(|state| *state > MessageState::Sent).collect();
    assert_eq!(after, [MessageState::Stored, MessageState::Delivered, MessageState::Read]);
}
