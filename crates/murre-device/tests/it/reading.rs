//! Unread counts, read receipts and their switch.

use crate::contact::{MINUTE, add, befriend, invite, send, state, texts};
use crate::world::{HostNo, World};
use murre_core::id::{LogId, MessageId};
use murre_device::query::{self, MessageInfo};
use murre_device::{Answer, Command, CommandError, ConversationsCommand, MessageState};

/// Alice and Bob in one chat, a live link between them, and one message each way that is read.
fn pair(world: &mut World) -> (HostNo, HostNo, LogId) {
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let chat = befriend(world, bob, alice);
    let live =
        |w: &World| w.device(alice).status(w.clock()).live == 1 && w.device(bob).status(w.clock()).live == 1;
    assert!(world.run_until(10 * MINUTE, live), "a live link comes up");
    for (from, to, text) in [(alice, bob, "hello"), (bob, alice, "hello back")] {
        let id = send(world, from, chat, text);
        assert!(world.run_until(MINUTE, |w| state(w, from, id) == MessageState::Delivered));
        read(world, to, chat);
        assert!(world.run_until(MINUTE, |w| state(w, from, id) == MessageState::Read));
    }
    (alice, bob, chat)
}

fn read(world: &mut World, who: HostNo, chat: LogId) {
    let command = Command::Conversations(ConversationsCommand::Read { chat });
    assert_eq!(world.ask(who, command), Ok(Answer::Done));
}

fn upto(world: &mut World, who: HostNo, chat: LogId, message: MessageId) -> Result<Answer, CommandError> {
    world.ask(who, Command::Conversations(ConversationsCommand::ReadUpTo { chat, message }))
}

fn switch(world: &mut World, who: HostNo, chat: Option<LogId>, set: Option<bool>) {
    let command = Command::Conversations(ConversationsCommand::Receipts { chat, set });
    assert_eq!(world.ask(who, command), Ok(Answer::Done));
}

fn unread(world: &World, who: HostNo) -> u64 {
    query::chats(world.view(who), world.clock().wall).unwrap()[0].unread
}

fn page(world: &World, who: HostNo, chat: LogId) -> Vec<MessageInfo> {
    query::history(world.view(who), chat, None, 1_000, world.clock().wall).unwrap()
}

/// Sends texts one by one, until each has come.
fn each(world: &mut World, from: HostNo, to: HostNo, chat: LogId, names: &[&str]) -> Vec<MessageId> {
    let mut ids = Vec::new();
    for name in names {
        ids.push(send(world, from, chat, name));
        assert!(world.run_until(MINUTE, |w| texts(w, to, chat).iter().any(|t| t == name)));
    }
    world.run(MINUTE);
    ids
}

fn states(world: &World, who: HostNo, ids: &[MessageId]) -> Vec<MessageState> {
    ids.iter().map(|id| state(world, who, *id)).collect()
}

const D: MessageState = MessageState::Delivered;
const R: MessageState = MessageState::Read;

#[test]
fn what_others_wrote_is_counted_until_it_is_read_and_what_one_wrote_is_not() {
    let mut world = World::new(3);
    let (alice, bob, chat) = pair(&mut world);
    assert_eq!((unread(&world, alice), unread(&world, bob)), (0, 0));
    each(&mut world, alice, bob, chat, &["1", "2", "3"]);
    each(&mut world, bob, alice, chat, &["own"]);
    assert_eq!((unread(&world, alice), unread(&world, bob)), (1, 3));
    world.stop(bob);
    world.start(bob);
    world.run(10 * MINUTE);
    assert_eq!(unread(&world, bob), 3, "neither a restart nor what comes again counts twice");
    let listed = page(&world, bob, chat);
    assert!(listed.iter().all(|m| m.state == state(&world, bob, m.id)), "a list and a status say the same");
    let counted = page(&world, bob, chat).iter().filter(|m| !m.own && m.state == D).count();
    assert_eq!(counted, 3, "the count is that of the messages shown as not read");
    read(&mut world, bob, chat);
    assert_eq!(unread(&world, bob), 0);
    assert!(page(&world, bob, chat).iter().filter(|m| !m.own).all(|m| m.state == R));
    each(&mut world, alice, bob, chat, &["4"]);
    assert_eq!(unread(&world, bob), 1, "counting goes on");
}

#[test]
fn a_chat_of_two_logs_counts_both() {
    let mut world = World::new(4);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let (from_bob, from_alice) = (invite(&mut world, bob), invite(&mut world, alice));
    let at_alice = add(&mut world, alice, &from_bob);
    let at_bob = add(&mut world, bob, &from_alice);
    let early = send(&mut world, alice, at_alice, "from alice, early");
    send(&mut world, bob, at_bob, "from bob, early");
    let both = |w: &World| texts(w, bob, at_bob).len() == 2 && texts(w, alice, at_alice).len() == 2;
    assert!(world.run_until(20 * MINUTE, both));
    let chat = query::chats(world.view(alice), world.clock().wall).unwrap()[0].chat;
    let later = each(&mut world, alice, bob, chat, &["a", "b"]);
    assert_eq!(unread(&world, bob), 3);
    assert_eq!(upto(&mut world, bob, chat, later[0]), Ok(Answer::Done));
    assert_eq!(unread(&world, bob), 1);
    assert!(world.run_until(MINUTE, |w| state(w, alice, early) == R && state(w, alice, later[0]) == R));
    assert_eq!(state(&world, alice, later[1]), D);
    read(&mut world, bob, chat);
    assert_eq!(unread(&world, bob), 0);
    assert!(world.run_until(MINUTE, |w| state(w, alice, later[1]) == R));
}

#[test]
fn reading_up_to_a_message_marks_those_before_it_and_never_an_entry_half_read() {
    let mut world = World::new(3);
    let (alice, bob, chat) = pair(&mut world);
    let first = each(&mut world, alice, bob, chat, &["1"])[0];
    // Five messages of one turn travel as one entry.
    let text = |i| format!("pack {i}");
    let many: Vec<Command> = (0..5)
        .map(|i| {
            let (text, reply_to, client_id) = (text(i), None, None);
            Command::Conversations(ConversationsCommand::Send {
                chat,
                text,
                reply_to,
                client_id,
                files: Vec::new(),
            })
        })
        .collect();
    world.give(alice, many);
    assert!(world.run_until(MINUTE, |w| texts(w, bob, chat).contains(&text(4))));
    world.run(MINUTE);
    let pack: Vec<MessageId> = page(&world, bob, chat).iter().rev().take(5).rev().map(|m| m.id).collect();
    assert_eq!(unread(&world, bob), 6);
    assert_eq!(upto(&mut world, bob, chat, pack[2]), Ok(Answer::Done));
    assert_eq!(unread(&world, bob), 2);
    assert_eq!(states(&world, bob, &pack), [R, R, R, D, D], "here each message counts");
    world.run(MINUTE);
    assert_eq!(state(&world, alice, first), R);
    assert_eq!(states(&world, alice, &pack), [D; 5], "a receipt names whole entries");
    // Up to something earlier takes nothing back.
    assert_eq!(upto(&mut world, bob, chat, first), Ok(Answer::Done));
    assert_eq!(unread(&world, bob), 2);
    assert_eq!(upto(&mut world, bob, chat, pack[4]), Ok(Answer::Done));
    assert_eq!(unread(&world, bob), 0);
    assert!(world.run_until(MINUTE, |w| states(w, alice, &pack) == [R; 5]));
    let unknown = MessageId::from_bytes([7; 32]);
    assert_eq!(upto(&mut world, bob, chat, unknown), Err(CommandError::UnknownMessage));
    let foreign = LogId::from_bytes([7; 32]);
    assert_eq!(upto(&mut world, bob, foreign, first), Err(CommandError::UnknownChat));
}

#[test]
fn what_was_read_while_receipts_were_off_is_never_told() {
    let mut world = World::new(3);
    let (alice, bob, chat) = pair(&mut world);
    switch(&mut world, bob, None, Some(false));
    let silent = each(&mut world, alice, bob, chat, &["1", "2", "3"]);
    read(&mut world, bob, chat);
    world.run(10 * MINUTE);
    assert_eq!(unread(&world, bob), 0);
    assert_eq!(states(&world, alice, &silent), [D; 3], "opened is told: delivery needs it");
    switch(&mut world, bob, None, Some(true));
    let loud = each(&mut world, alice, bob, chat, &["4"]);
    read(&mut world, bob, chat);
    assert!(world.run_until(MINUTE, |w| state(w, alice, loud[0]) == R));
    assert_eq!(states(&world, alice, &silent), [D; 3], "not by a later receipt either");
    // Nor after a restart of both, when everything is receipted again.
    for who in [alice, bob] {
        world.stop(who);
        world.start(who);
    }
    each(&mut world, bob, alice, chat, &["by the way"]);
    world.run(10 * MINUTE);
    assert_eq!(states(&world, alice, &silent), [D; 3]);
    assert_eq!(state(&world, alice, loud[0]), R);
}

#[test]
fn who_does_not_tell_does_not_see_either_and_what_came_meanwhile_stays_unseen() {
    let mut world = World::new(3);
    let (alice, bob, chat) = pair(&mut world);
    let before = each(&mut world, alice, bob, chat, &["before"]);
    read(&mut world, bob, chat);
    assert!(world.run_until(MINUTE, |w| state(w, alice, before[0]) == R));
    switch(&mut world, alice, Some(chat), Some(false));
    let device_state = |w: &World, id| query::status(w.view(alice), id, w.clock().wall).unwrap().devices[0].1;
    assert_eq!(
        (state(&world, alice, before[0]), device_state(&world, before[0])),
        (D, D),
        "nothing is shown"
    );
    let during = each(&mut world, alice, bob, chat, &["during"]);
    read(&mut world, bob, chat);
    world.run(10 * MINUTE);
    assert_eq!(state(&world, alice, during[0]), D);
    let told = world.hosts[alice].notices.iter().filter(|n| {
        matches!(n, murre_device::Notice::MessageState { messages, state: R, .. } if messages.contains(&during[0]))
    });
    assert_eq!(told.count(), 0, "no event says so");
    switch(&mut world, alice, Some(chat), None);
    assert_eq!(state(&world, alice, before[0]), R, "what was shown before is shown again");
    let after = each(&mut world, alice, bob, chat, &["after"]);
    read(&mut world, bob, chat);
    assert!(world.run_until(MINUTE, |w| state(w, alice, after[0]) == R));
    assert_eq!(state(&world, alice, during[0]), D, "the switch reveals nothing");
}

#[test]
fn a_chat_goes_by_its_own_setting_and_otherwise_by_the_home() {
    let mut world = World::new(3);
    let (alice, _, chat) = pair(&mut world);
    let is = |w: &World, chat| query::receipts(w.view(alice), chat).unwrap();
    assert!(is(&world, None).on && is(&world, Some(chat)).on && is(&world, Some(chat)).own.is_none());
    switch(&mut world, alice, None, Some(false));
    assert!(!is(&world, None).on && !is(&world, Some(chat)).on);
    switch(&mut world, alice, Some(chat), Some(true));
    assert!(!is(&world, None).on && is(&world, Some(chat)).on && is(&world, Some(chat)).own == Some(true));
    world.stop(alice);
    world.start(alice);
    switch(&mut world, alice, Some(chat), None);
    assert!(!is(&world, Some(chat)).on && is(&world, Some(chat)).own.is_none());
    switch(&mut world, alice, None, None);
    assert!(is(&world, None).on && is(&world, Some(chat)).on);
    let foreign = LogId::from_bytes([7; 32]);
    let command = ConversationsCommand::Receipts { chat: Some(foreign), set: None };
    assert_eq!(world.ask(alice, Command::Conversations(command)), Err(CommandError::UnknownChat));
    assert!(query::receipts(world.view(alice), Some(foreign)).is_err());
}
