//! The sender is killed at seeded points of its way.
//!
//! ```text
//!  send starts ---- command ---- durable ---- id printed ---- handed to nodes ---- stored ---- delivered
//!       ^                ^            ^             ^                  ^               ^
//!       '--- odd cases: a seeded time after the start      even cases: a seeded number of events later
//! ```
//!
//! `MURRE_KILL_POINTS` plays another number of cases.

use crate::person::Seen;
use crate::rig::{Dice, LIMIT, Rig, text};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Events between "printed" and "delivered" are not more than these.
const EVENTS: u64 = 4;
/// An event that does not come within this will not come before the kill.
const EVENT: Duration = Duration::from_millis(300);

fn cases() -> u64 {
    std::env::var("MURRE_KILL_POINTS").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

#[test]
fn kill_points() {
    let rig = Rig::new(3);
    let (mut ann, bob, chat) = rig.pair("Ann", "Bob");
    let home = ann.home().to_string_lossy().into_owned();
    let log = rig.dir.path().join("send.log");
    let begun = Instant::now();
    ann.one(&["send", &chat, "how long this takes"]).expect("send");
    let typical = begun.elapsed();

    let mut expected: BTreeMap<String, Option<String>> = BTreeMap::new();
    let (mut printed, mut unprinted, mut retried) = (0, 0, 0);
    for case in 0..cases() {
        let mut dice = Dice::new(case + 1);
        let (body, client) = (format!("case {case}"), format!("client {case}"));
        let verb = ["--json", "--home", &home, "send", &chat, &body, "--client-id", &client];
        let send = rig.pen.spawn(&verb, &log).expect("send");
        let id = if case % 2 == 1 {
            let micros = dice.below(typical.as_micros() as u64);
            send.line(Instant::now() + Duration::from_micros(micros)).ok()
        } else {
            let id = send.line(Instant::now() + LIMIT).expect("an id");
            for _ in 0..dice.below(EVENTS) {
                ann.event(Instant::now() + EVENT);
            }
            Some(id)
        };
        ann.kill();
        // What was printed before the death of the home counts as printed.
        let id = id.or_else(|| send.line(Instant::now() + LIMIT).ok()).map(|line| text(&line, "message"));
        ann.start(&rig.bootstrap()).expect("up again");
        if id.is_some() {
            printed += 1
        } else {
            unprinted += 1
        }
        let id = if dice.below(2) == 0 {
            retried += 1;
            let again = ann.one(&["send", &chat, &body, "--client-id", &client]).expect("send again");
            let again = text(&again, "message");
            assert!(id.is_none_or(|id| id == again), "case {case}: the same client id made a second message");
            Some(again)
        } else {
            id
        };
        expected.insert(body, id);
    }

    let wanted = expected.values().filter(|id| id.is_some()).count();
    let history = bob
        .until("every message whose id was printed", LIMIT, |bob| {
            let history = bob.history("Ann")?;
            let there = |id: &&String| history.iter().any(|m| m["message"] == id.as_str());
            let here = expected.values().flatten().filter(there).count();
            Ok(if here == wanted { Seen::Yes(history) } else { Seen::NotYet(format!("{here} of {wanted}")) })
        })
        .expect("nothing is lost");
    for (body, id) in &expected {
        let copies: Vec<String> =
            history.iter().filter(|m| m["text"] == body.as_str()).map(|m| text(m, "message")).collect();
        match id {
            Some(id) => assert_eq!(&copies, std::slice::from_ref(id), "{body}: exactly once"),
            None => assert!(copies.len() <= 1, "{body}: at most once"),
        }
    }
    // Both sides show the same, in the same order, and nothing is stuck on the way.
    let own = ann.history(&chat).expect("history");
    let ids = |history: &[serde_json::Value]| history.iter().map(|m| text(m, "message")).collect::<Vec<_>>();
    bob.until("the same chat on both sides", LIMIT, |bob| {
        let theirs = bob.history("Ann")?;
        Ok(Seen::when(ids(&theirs) == ids(&own), || format!("{} and {}", theirs.len(), own.len())))
    })
    .expect("both sides agree");
    ann.all_in(&chat, &ids(&own), &["delivered"], LIMIT).expect("delivered");
    println!("{printed} printed, {unprinted} not printed, {retried} sent again");
    assert!(printed > 0 && unprinted > 0 && retried > 0, "the points do not cover the way");
}
