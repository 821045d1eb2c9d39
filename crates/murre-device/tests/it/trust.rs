//! Safety numbers, devices not seen before, names.

use crate::contact::{MINUTE, account, add, befriend, has_contact, invite, send};
use crate::world::{HostNo, World};
use murre_core::id::AccountId;
use murre_device::query::{self, ContactInfo};
use murre_device::{Answer, Check, Command, CommandError, ContactState, ContactsCommand, Notice};

fn verify(world: &mut World, who: HostNo, account: AccountId, check: Check) -> Result<Answer, CommandError> {
    world.ask(who, Command::Contacts(ContactsCommand::Verify { account, check }))
}

fn info(world: &World, who: HostNo, account: AccountId) -> ContactInfo {
    query::contacts(world.view(who)).unwrap().into_iter().find(|c| c.account == account).unwrap()
}

/// Bob and Alice, who know each other.
fn pair(world: &mut World) -> (HostNo, HostNo) {
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    befriend(world, bob, alice);
    let b = account(world, bob);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, alice, b, ContactState::Accepted)));
    (bob, alice)
}

#[test]
fn two_who_compare_their_numbers_are_verified_and_stay_so() {
    let mut world = World::new(1);
    let (bob, alice) = pair(&mut world);
    let (a, b) = (account(&world, alice), account(&world, bob));
    let at_bob = query::safety(world.view(bob), a).unwrap();
    let at_alice = query::safety(world.view(alice), b).unwrap();
    assert_eq!(at_bob.number, at_alice.number);
    assert!(!at_bob.verified && !info(&world, bob, a).verified);

    assert_eq!(verify(&mut world, bob, a, Check::Number(at_alice.number.clone())), Ok(Answer::Done));
    assert_eq!(verify(&mut world, alice, b, Check::Code(at_bob.code.clone())), Ok(Answer::Done));
    for (who, other) in [(bob, a), (alice, b)] {
        assert!(info(&world, who, other).verified);
        assert!(world.hosts[who].notices.contains(&Notice::Verified { account: other, verified: true }));
        world.stop(who);
        world.start(who);
        assert!(info(&world, who, other).verified, "after a restart as well");
    }
    assert_eq!(verify(&mut world, bob, a, Check::Clear), Ok(Answer::Done));
    assert!(!info(&world, bob, a).verified);
    assert!(world.hosts[bob].notices.contains(&Notice::Verified { account: a, verified: false }));
}

#[test]
fn a_comparison_that_fails_says_so_and_changes_nothing() {
    let mut world = World::new(1);
    let (bob, alice) = pair(&mut world);
    let a = account(&world, alice);
    let right = query::safety(world.view(bob), a).unwrap();
    let mut wrong = right.number.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    let differ = |verified| Err(CommandError::SafetyMismatch { verified });
    assert_eq!(verify(&mut world, bob, a, Check::Number(wrong.clone())), differ(false));
    assert_eq!(verify(&mut world, bob, a, Check::Code(right.code.clone())), Err(CommandError::OwnSafetyCode));
    for rubbish in ["", "12345", "MURRE:VERIFY/AAAA", &right.number[1..]] {
        let number = verify(&mut world, bob, a, Check::Number(rubbish.to_owned()));
        assert_eq!(number, Err(CommandError::NoSafetyNumber), "{rubbish}");
        let code = verify(&mut world, bob, a, Check::Code(rubbish.to_owned()));
        assert_eq!(code, Err(CommandError::NoSafetyNumber), "{rubbish}");
    }
    assert!(!info(&world, bob, a).verified);
    assert_eq!(verify(&mut world, bob, a, Check::Number(right.number)), Ok(Answer::Done));
    assert_eq!(verify(&mut world, bob, a, Check::Number(wrong)), differ(true));
    assert!(info(&world, bob, a).verified, "a mark goes only when it is told to");
    let nobody = AccountId::from_bytes([3; 32]);
    assert_eq!(verify(&mut world, bob, nobody, Check::Clear), Err(CommandError::UnknownContact));
}

#[test]
fn another_device_of_a_verified_contact_is_told_and_the_mark_stays_with_the_account() {
    let mut world = World::new(3);
    let phrase = world.phrase();
    let (bob, alice) = (world.person("Bob"), world.person_of("Alice", &phrase));
    world.run(MINUTE);
    befriend(&mut world, bob, alice);
    let a = account(&world, alice);
    let number = query::safety(world.view(bob), a).unwrap().number;
    assert_eq!(verify(&mut world, bob, a, Check::Number(number.clone())), Ok(Answer::Done));
    let new = |w: &World| {
        let told = |n: &&Notice| matches!(n, Notice::NewDevice { .. });
        w.hosts[bob].notices.iter().filter(told).cloned().collect::<Vec<_>>()
    };
    assert_eq!(new(&world), [], "the first device is no news");
    world.stop(alice);

    // Somebody with Alice's words, and another link of Bob's, is taken for Alice (F-22): Bob has to be told.
    let other = world.person_of("Alice", &phrase);
    world.run(MINUTE);
    let second = invite(&mut world, bob);
    let chat = add(&mut world, other, &second);
    send(&mut world, other, chat, "it is me, Alice");
    assert!(world.run_until(20 * MINUTE, |w| !new(w).is_empty()));
    let device = query::me(world.view(other)).unwrap().device;
    assert_eq!(new(&world), [Notice::NewDevice { account: a, device, verified: true }]);
    let shown = info(&world, bob, a);
    assert!(shown.verified && shown.new_device);
    world.run(10 * MINUTE);
    assert_eq!(new(&world).len(), 1, "told once");
    assert_eq!(verify(&mut world, bob, a, Check::Number(number)), Ok(Answer::Done));
    assert!(!info(&world, bob, a).new_device, "comparing again settles it");
}

#[test]
fn names_may_be_empty_or_shared_but_not_long_and_never_steer_a_line() {
    let mut world = World::new(1);
    let (bob, alice) = pair(&mut world);
    let a = account(&world, alice);
    let rename = |world: &mut World, account, name: &str| {
        let name = name.to_owned();
        world.ask(bob, Command::Contacts(ContactsCommand::Rename { account, name }))
    };
    let name = |w: &World| info(w, bob, a).name;
    assert_eq!(rename(&mut world, a, "Al\u{202e}ice\n\u{7}K\t"), Ok(Answer::Done));
    assert_eq!(name(&world), "Al ice  K");
    let id = a.to_string();
    for empty in ["", "  ", "\u{1}\u{2066}"] {
        assert_eq!(rename(&mut world, a, empty), Ok(Answer::Done));
        assert_eq!(name(&world), id[..8], "without a name the id is shown");
    }
    assert_eq!(rename(&mut world, a, &"\u{e9}".repeat(64)), Ok(Answer::Done), "128 bytes");
    let before = name(&world);
    let long = CommandError::TooLong { what: "name", len: 129, limit: 128 };
    assert_eq!(rename(&mut world, a, &"x".repeat(129)), Err(long));
    assert_eq!(name(&world), before);
    let nobody = AccountId::from_bytes([3; 32]);
    assert_eq!(rename(&mut world, nobody, "x"), Err(CommandError::UnknownContact));

    // The same name for two is allowed, and marked at both.
    let carol = world.person("Carol");
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    add(&mut world, carol, &link);
    let c = account(&world, carol);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, c, ContactState::Incoming)));
    assert!(!info(&world, bob, a).ambiguous && !info(&world, bob, c).ambiguous);
    assert_eq!(rename(&mut world, a, "CAROL"), Ok(Answer::Done));
    assert!(info(&world, bob, a).ambiguous && info(&world, bob, c).ambiguous);
    assert_eq!(rename(&mut world, a, "Alice"), Ok(Answer::Done));
    assert!(!info(&world, bob, c).ambiguous);
}
