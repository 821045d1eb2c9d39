//! When nobody can be reached, nothing is lost and nothing is claimed.

use crate::crew;
use crate::person::{Person, Seen};
use crate::rig::{LIMIT, Rig, refused, text};
use std::time::Instant;

#[test]
fn a_fresh_home_without_a_node_says_that_it_knows_no_network() {
    let (pen, dir) = (crate::rig::pen(), crate::rig::dir());
    let mut ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    ann.start(&[]).expect("up");
    let refusal = refused(&pen, ann.home(), &["invite"], b"");
    assert!(refusal.exit == 1 && refusal.hint.contains("--bootstrap"), "{refusal:?}");
    let doctor = ann.one(&["doctor"]).expect("doctor");
    assert!(doctor["reachable"] == false && doctor["network"].is_null(), "{doctor}");
}

#[test]
fn a_message_that_no_node_can_take_waits_says_why_and_goes_on_later() {
    let mut rig = Rig::new(3);
    let (mut ann, mut bob, chat) = rig.pair("Ann", "Bob");
    bob.stop().expect("bob away");
    for node in &mut rig.nodes {
        node.proc.kill();
    }
    ann.until("no link", LIMIT, |ann| {
        let doctor = ann.one(&["doctor"])?;
        Ok(Seen::when(doctor["links"] == 0, || doctor.to_string()))
    })
    .expect("the loss of all nodes is noticed");
    let message =
        text(&ann.one(&["send", &chat, "into the void"]).expect("accepted all the same"), "message");
    let status = ann.one(&["status", &message]).expect("status");
    assert!(status["state"] == "queued" && status["stored_by"] == 0, "{status}");
    assert!(!text(&status, "why").is_empty() && status["devices"] == serde_json::json!([]), "{status}");

    // It survives a crash of the home, and goes on when nodes come back, under other addresses.
    ann.kill();
    rig.nodes =
        crew::start(&rig.pen, rig.dir.path(), 3, Instant::now() + LIMIT).expect("the same nodes again");
    ann.start(&rig.bootstrap()).expect("up");
    ann.all_in(&chat, std::slice::from_ref(&message), &["stored"], LIMIT).expect("stored");
    bob.start(&rig.bootstrap()).expect("up");
    ann.all_in(&chat, std::slice::from_ref(&message), &["delivered"], LIMIT).expect("delivered");
    let history = bob.history("Ann").expect("history");
    assert!(history.len() == 1 && history[0]["text"] == "into the void", "{history:?}");
}
