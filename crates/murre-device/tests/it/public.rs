//! Public links: one at a time, many slots, a puzzle for each request.

use crate::contact::{MINUTE, accept, account, add, has_contact, send, state};
use crate::world::{HostNo, World};
use murre_device::invite::InviteLink;
use murre_device::limits::MAX_REPLACED;
use murre_device::query::{self, ContactInfo, InviteInfo};
use murre_device::{
    Answer, Command, ContactState, ContactsCommand, DoorProblem, LinkKind, MessageState, Notice,
};

const DAY: u64 = 24 * 60 * MINUTE;

fn invite(world: &mut World, who: HostNo, kind: LinkKind) -> InviteLink {
    let command = ContactsCommand::Invite { name: None, hints: vec![], kind };
    let link = match world.ask(who, Command::Contacts(command)) {
        Ok(Answer::Invite { link, .. }) => link,
        other => panic!("{other:?}"),
    };
    let id = link.id();
    let published = |w: &World| w.hosts[who].notices.contains(&Notice::InvitePublished { link: id });
    assert!(world.run_until(5 * MINUTE, published), "the door is stored");
    link
}

fn info(world: &World, who: HostNo, link: &InviteLink) -> InviteInfo {
    query::invites(world.view(who)).unwrap().into_iter().find(|i| i.link == *link).unwrap()
}

/// How `who` shows `other`.
fn shown(world: &World, who: HostNo, other: HostNo) -> Option<ContactInfo> {
    let account = account(world, other);
    query::contacts(world.view(who)).unwrap().into_iter().find(|c| c.account == account)
}

fn asked(world: &mut World, who: HostNo, other: HostNo) {
    let account = account(world, other);
    assert!(world.run_until(20 * MINUTE, |w| has_contact(w, who, account, ContactState::Incoming)));
}

#[test]
fn more_people_than_a_personal_link_takes_ask_through_a_public_one_and_each_pays() {
    let mut world = World::new(3);
    let bob = world.person("Bob");
    world.run(MINUTE);
    let link = invite(&mut world, bob, LinkKind::Public);
    assert!(link.public && link.to_string().parse::<InviteLink>().unwrap().public);
    let guests: Vec<HostNo> = (0..9).map(|n| world.person(&format!("Guest {n}"))).collect();
    world.run(MINUTE);
    let mut chats = Vec::new();
    for guest in &guests {
        chats.push(add(&mut world, *guest, &link));
        asked(&mut world, bob, *guest);
        let told = |n: &&Notice| matches!(n, Notice::Paying { .. } | Notice::Placed { .. });
        let told: Vec<Notice> = world.hosts[*guest].notices.iter().filter(told).cloned().collect();
        assert!(matches!(told.first(), Some(Notice::Paying { tries, .. }) if *tries >= 2), "{told:?}");
        let account = link.account;
        assert_eq!(told.last(), Some(&Notice::Placed { account }));
    }
    assert_eq!(info(&world, bob, &link).requests, 9);
    // The ninth found eight there: it cost twice as much as the first.
    let paid = |n: &Notice| match n {
        Notice::Paying { tries, .. } => Some(*tries),
        _ => None,
    };
    let most = |who: HostNo| world.hosts[who].notices.iter().filter_map(paid).max();
    assert_eq!((most(guests[0]), most(guests[8])), (Some(2), Some(4)));
    let last = account(&world, guests[8]);
    accept(&mut world, bob, last);
    let id = send(&mut world, guests[8], chats[8], "thank you");
    assert!(world.run_until(20 * MINUTE, |w| state(w, guests[8], id) == MessageState::Delivered));
}

#[test]
fn there_is_one_public_link_until_another_takes_its_place() {
    let mut world = World::new(3);
    let (bob, alice, carol) = (world.person("Bob"), world.person("Alice"), world.person("Carol"));
    world.run(MINUTE);
    let first = invite(&mut world, bob, LinkKind::Public);
    assert_eq!(invite(&mut world, bob, LinkKind::Public), first);
    world.stop(bob);
    world.start(bob);
    assert_eq!(invite(&mut world, bob, LinkKind::Public), first);
    let second = invite(&mut world, bob, LinkKind::NewPublic);
    assert_ne!(second, first);
    assert_eq!(invite(&mut world, bob, LinkKind::Public), second);
    assert!(info(&world, bob, &first).replaced && !info(&world, bob, &second).replaced);

    // The old one is read for a week more, and what comes through it is marked.
    add(&mut world, alice, &first);
    asked(&mut world, bob, alice);
    assert!(shown(&world, bob, alice).unwrap().old_link);
    for who in [bob, alice, carol] {
        world.stop(who);
    }
    world.jump(8 * DAY);
    world.start(bob);
    world.run(10 * MINUTE);
    assert!(info(&world, bob, &first).withdrawn && !info(&world, bob, &second).withdrawn);
    world.stop(bob);
    world.start(carol);
    world.run(MINUTE);
    add(&mut world, carol, &first);
    let problem = |w: &World| shown(w, carol, bob).and_then(|c| c.problem);
    assert!(world.run_until(10 * MINUTE, |w| problem(w) == Some(DoorProblem::Withdrawn)));
    // The one in its place helps, and nothing is marked.
    add(&mut world, carol, &second);
    world.start(bob);
    asked(&mut world, bob, carol);
    assert!(!shown(&world, bob, carol).unwrap().old_link);
}

#[test]
fn links_replaced_one_after_the_other_are_not_all_read() {
    let mut world = World::new(1);
    let bob = world.person("Bob");
    world.run(MINUTE);
    let links: Vec<InviteLink> =
        (0..MAX_REPLACED + 2).map(|_| invite(&mut world, bob, LinkKind::NewPublic)).collect();
    let withdrawn: Vec<bool> = links.iter().map(|l| info(&world, bob, l).withdrawn).collect();
    assert_eq!(withdrawn.iter().filter(|w| **w).count(), 1);
    assert!(withdrawn[0], "the oldest goes");
    // Personal ones are counted apart.
    assert!(!invite(&mut world, bob, LinkKind::Personal).public);
}
