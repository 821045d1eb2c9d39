//! A new account mailbox after a block.

use crate::block::{acquainted, block, unblock};
use crate::contact::{MINUTE, account, send, state, texts};
use crate::world::{HostNo, World};
use murre_core::id::AccountId;
use murre_core::{Direction, Range, Space};
use murre_device::limits::MAX_OLD_MAILBOXES;
use murre_device::rows::{self, AccountRow, RouteRow};
use murre_device::{Command, ContactState, ContactsCommand, MessageState};
use murre_mailbox::{MailboxAddress, ReaderKeys};

const DAY: u64 = 24 * 60 * MINUTE;

/// Where somebody's account mailbox is now.
fn mailbox(world: &World, who: HostNo) -> MailboxAddress {
    let row: AccountRow = rows::get(world.view(who), rows::META, b"self").unwrap().unwrap();
    ReaderKeys::from_row(&row.mailbox).unwrap().address()
}

/// The mailbox into which somebody writes to another.
fn writes_to(world: &World, who: HostNo, other: AccountId) -> MailboxAddress {
    let no: u32 = rows::get(world.view(who), rows::CONTACT_BY_ACCOUNT, other.as_bytes()).unwrap().unwrap();
    let row: RouteRow = rows::get(world.view(who), rows::ROUTES, &no.to_be_bytes()).unwrap().unwrap();
    row.grant.unwrap().to
}

fn count(world: &World, who: HostNo, space: Space) -> usize {
    world.view(who).scan(space, &Range::all(), Direction::Forward, usize::MAX).unwrap().len()
}

fn off(world: &mut World, people: &[HostNo]) {
    people.iter().for_each(|who| world.stop(*who));
}

#[test]
fn after_a_block_the_others_write_to_a_new_mailbox_and_the_blocked_one_cannot() {
    let mut world = World::new(3);
    let (bob, alice, mallory) = (world.person("Bob"), world.person("Alice"), world.person("Mallory"));
    world.run(MINUTE);
    let chat = acquainted(&mut world, bob, alice);
    let bad = acquainted(&mut world, bob, mallory);
    let (b, m) = (account(&world, bob), account(&world, mallory));
    let before = mailbox(&world, bob);
    assert_eq!(writes_to(&world, alice, b), before);
    off(&mut world, &[alice]);
    block(&mut world, bob, m);
    let after = mailbox(&world, bob);
    assert_ne!(before, after);
    assert_eq!((count(&world, bob, rows::OLD_MAILBOXES), count(&world, bob, rows::FORMER)), (1, 1));
    world.run(10 * MINUTE);
    off(&mut world, &[bob]);

    // Alice hears of it from her own mailbox, with Bob off, and what she writes then waits in the new one.
    world.start(alice);
    assert!(world.run_until(10 * MINUTE, |w| writes_to(w, alice, b) == after));
    let id = send(&mut world, alice, chat, "to the new place");
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, id) == MessageState::Stored));
    off(&mut world, &[alice]);
    let shut = send(&mut world, mallory, bad, "let me in");
    assert!(world.run_until(10 * MINUTE, |w| state(w, mallory, shut) == MessageState::Stored));
    assert_eq!(writes_to(&world, mallory, b), before, "nobody told the blocked one");
    world.start(bob);
    assert!(world.run_until(10 * MINUTE, |w| texts(w, bob, chat).contains(&"to the new place".to_owned())));
    world.run(10 * MINUTE);
    assert!(!texts(&world, bob, bad).contains(&"let me in".to_owned()));
    // And back: Mallory is told where to write, and loses nothing.
    assert_eq!(unblock(&mut world, bob, m), Ok(ContactState::Accepted));
    assert!(world.run_until(10 * MINUTE, |w| writes_to(w, mallory, b) == after));
    assert!(world.run_until(10 * MINUTE, |w| texts(w, bob, bad).contains(&"let me in".to_owned())));
}

#[test]
fn what_lies_in_the_old_mailbox_is_read_even_if_its_writer_never_hears_of_the_move() {
    let mut world = World::new(3);
    let (bob, alice, mallory) = (world.person("Bob"), world.person("Alice"), world.person("Mallory"));
    world.run(MINUTE);
    let chat = acquainted(&mut world, bob, alice);
    acquainted(&mut world, bob, mallory);
    let m = account(&world, mallory);
    off(&mut world, &[bob, mallory]);
    let ids: Vec<_> = (0..5).map(|n| send(&mut world, alice, chat, &format!("old place {n}"))).collect();
    assert!(
        world.run_until(10 * MINUTE, |w| ids.iter().all(|id| state(w, alice, *id) == MessageState::Stored))
    );
    off(&mut world, &[alice]);
    world.start(bob);
    // In the first turn of this run, before anything was read; and the process dies right after it.
    block(&mut world, bob, m);
    world.stop(bob);
    world.start(bob);
    assert!(
        world.run_until(10 * MINUTE, |w| texts(w, bob, chat).len() == 7),
        "{:?}",
        texts(&world, bob, chat)
    );
    world.start(alice);
    assert!(
        world
            .run_until(10 * MINUTE, |w| ids.iter().all(|id| state(w, alice, *id) == MessageState::Delivered))
    );
}

#[test]
fn a_block_of_somebody_who_was_given_nothing_moves_nothing() {
    let mut world = World::new(3);
    let (bob, alice, carol) = (world.person("Bob"), world.person("Alice"), world.person("Carol"));
    world.run(MINUTE);
    acquainted(&mut world, bob, alice);
    let link = crate::contact::invite(&mut world, bob);
    crate::contact::add(&mut world, carol, &link);
    let c = account(&world, carol);
    let asked = |w: &World| crate::contact::has_contact(w, bob, c, ContactState::Incoming);
    assert!(world.run_until(10 * MINUTE, asked));
    let before = mailbox(&world, bob);
    block(&mut world, bob, c);
    assert_eq!(mailbox(&world, bob), before);
    assert_eq!(count(&world, bob, rows::OLD_MAILBOXES), 0);
}

#[test]
fn those_blocked_before_anybody_was_told_share_one_new_mailbox() {
    let mut world = World::new(3);
    let bob = world.person("Bob");
    let crowd: Vec<HostNo> = (0..3).map(|n| world.person(&format!("Mallory {n}"))).collect();
    world.run(MINUTE);
    for m in &crowd {
        acquainted(&mut world, bob, *m);
    }
    let account = |m: &HostNo| account(&world, *m);
    let accounts: Vec<AccountId> = crowd.iter().map(account).collect();
    let block = |account: &AccountId| Command::Contacts(ContactsCommand::Block { account: *account });
    world.give(bob, accounts.iter().map(block).collect());
    assert_eq!((count(&world, bob, rows::OLD_MAILBOXES), count(&world, bob, rows::FORMER)), (1, 0));
}

#[test]
fn the_old_mailbox_is_forgotten_when_all_have_known_for_37_days() {
    let mut world = World::new(3);
    let (bob, alice, mallory) = (world.person("Bob"), world.person("Alice"), world.person("Mallory"));
    world.run(MINUTE);
    let chat = acquainted(&mut world, bob, alice);
    acquainted(&mut world, bob, mallory);
    let m = account(&world, mallory);
    block(&mut world, bob, m);
    // The hourly look finds that all know.
    world.run(70 * MINUTE);
    for (days, left) in [(36, 1), (2, 0)] {
        off(&mut world, &[bob, alice, mallory]);
        world.jump(days * DAY);
        world.start(bob);
        world.run(5 * MINUTE);
        assert_eq!(count(&world, bob, rows::OLD_MAILBOXES), left, "{days}");
        assert_eq!(count(&world, bob, rows::FORMER), left, "{days}");
    }
    world.start(alice);
    let id = send(&mut world, alice, chat, "still friends");
    assert!(world.run_until(20 * MINUTE, |w| state(w, alice, id) == MessageState::Delivered));
}

#[test]
fn a_contact_who_was_away_for_100_days_gets_through_and_after_180_days_nobody_is_waited_for() {
    let mut world = World::new(3);
    let (bob, alice, mallory) = (world.person("Bob"), world.person("Alice"), world.person("Mallory"));
    world.run(MINUTE);
    let chat = acquainted(&mut world, bob, alice);
    acquainted(&mut world, bob, mallory);
    let (b, m) = (account(&world, bob), account(&world, mallory));
    let before = mailbox(&world, bob);
    off(&mut world, &[alice]);
    block(&mut world, bob, m);
    world.run(5 * MINUTE);
    off(&mut world, &[bob, mallory]);
    world.jump(100 * DAY);
    world.run(10 * MINUTE);
    // The box that told her of the move has expired long ago: she writes where she always did.
    world.start(alice);
    world.run(5 * MINUTE);
    let id = send(&mut world, alice, chat, "I am back");
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, id) == MessageState::Stored));
    assert_eq!(writes_to(&world, alice, b), before);
    off(&mut world, &[alice]);
    world.start(bob);
    assert!(world.run_until(10 * MINUTE, |w| texts(w, bob, chat).contains(&"I am back".to_owned())));
    world.run(10 * MINUTE);
    off(&mut world, &[bob]);
    world.start(alice);
    let after = mailbox(&world, bob);
    assert!(world.run_until(10 * MINUTE, |w| writes_to(w, alice, b) == after), "told anew");
    off(&mut world, &[alice]);
    // Bob hears nothing of that receipt: 180 days are the end all the same.
    world.jump(81 * DAY);
    world.start(bob);
    world.run(5 * MINUTE);
    assert_eq!(count(&world, bob, rows::OLD_MAILBOXES), 0);
}

#[test]
fn many_blocks_in_a_row_make_no_more_mailboxes_than_may_be_read_and_the_rest_follows() {
    let mut world = World::new(1);
    let bob = world.person("Bob");
    let alice = world.person("Alice");
    world.run(MINUTE);
    let chat = acquainted(&mut world, bob, alice);
    let mut crowd = Vec::new();
    for n in 0..=MAX_OLD_MAILBOXES {
        let one = world.person(&format!("Mallory {n}"));
        world.run(MINUTE);
        acquainted(&mut world, bob, one);
        crowd.push(account(&world, one));
        world.stop(one);
    }
    world.stop(alice);
    for m in &crowd {
        block(&mut world, bob, *m);
        // Everybody else, the next one among them, is told of the new mailbox before that is replaced as well.
        world.run(MINUTE);
    }
    assert_eq!(count(&world, bob, rows::OLD_MAILBOXES), MAX_OLD_MAILBOXES);
    let last = mailbox(&world, bob);
    world.run(10 * MINUTE);
    // Alice, who was away, hears of all at once and gets through.
    world.start(alice);
    let b = account(&world, bob);
    assert!(world.run_until(10 * MINUTE, |w| writes_to(w, alice, b) == last));
    let id = send(&mut world, alice, chat, "there you are");
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, id) == MessageState::Delivered));
    world.run(70 * MINUTE);
    // The last block had to wait for a place.
    off(&mut world, &[bob, alice]);
    world.jump(38 * DAY);
    world.start(bob);
    world.run(5 * MINUTE);
    assert_ne!(mailbox(&world, bob), last);
    assert_eq!(count(&world, bob, rows::OLD_MAILBOXES), 1);
    world.start(alice);
    let now = mailbox(&world, bob);
    assert!(world.run_until(10 * MINUTE, |w| writes_to(w, alice, b) == now));
}
