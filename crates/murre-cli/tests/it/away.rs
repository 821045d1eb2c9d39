//! A machine that sleeps while everybody else moves: what a laptop does every day.

use crate::person::Person;
use crate::rig::{LIMIT, Rig, text};

/// Both have written and everything has arrived, in both directions.
fn talk(one: &Person, other: &Person, chat: &str, words: &str) {
    for (from, to) in [(one, other), (other, one)] {
        let said = format!("{words}, {}", from.home().display());
        let id = text(&from.one(&["send", chat, &said]).expect("send"), "message");
        from.all_in(chat, &[id], &["delivered"], 3 * LIMIT).expect(words);
        let there = to.history(chat).expect("history");
        assert_eq!(there.iter().filter(|m| m["text"] == said.as_str()).count(), 1, "{there:?}");
    }
}

#[test]
fn a_process_that_slept_through_a_change_of_everybody_elses_addresses_finds_them_again() {
    let rig = Rig::new(3);
    let (mut ann, bob, chat) = rig.pair("Ann", "Bob");
    talk(&ann, &bob, &chat, "before");
    bob.signal("STOP").expect("a signal");
    // Bob's system still takes what comes over the links; only the mailbox is a promise.
    let during = text(&ann.one(&["send", &chat, "while you sleep"]).expect("send"), "message");
    ann.all_in(&chat, std::slice::from_ref(&during), &["stored"], 3 * LIMIT)
        .expect("it waits in the mailbox");
    // Ann is somewhere else when he wakes up: another port, no link, and nobody has told him.
    ann.stop().expect("a clean end");
    ann.start(&rig.bootstrap()).expect("up");
    ann.knows(3, LIMIT).expect("nodes known");
    bob.signal("CONT").expect("a signal");
    ann.all_in(&chat, &[during], &["delivered"], 3 * LIMIT).expect("what came meanwhile");
    talk(&ann, &bob, &chat, "after");
}
