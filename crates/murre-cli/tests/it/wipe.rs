//! `wipe`: a home that is gone for good, whatever state it was in.

use crate::person::Person;
use crate::process::{Pen, Proc, ProcError};
use crate::rig::{LIMIT, Rig, dir, pen, refused, text};
use std::path::Path;
use std::time::Instant;

/// Starts a home by hand, to see how its process ends.
fn up(pen: &Pen, home: &Path, log: &Path) -> Proc {
    let home = home.to_string_lossy();
    let up = pen.spawn(&["--json", "--home", &home, "up", "--no-web", "--while-stdin"], log).expect("up");
    assert_eq!(up.line(Instant::now() + LIMIT).expect("ready")["event"], "ready");
    up
}

fn ended(up: &Proc) {
    let end = up.line(Instant::now() + LIMIT).expect_err("nothing more is said");
    assert!(matches!(end, ProcError::Ended { .. }), "{end:?}");
}

#[test]
fn without_yes_a_wipe_says_what_it_would_do_and_does_nothing() {
    let (pen, dir) = (pen(), dir());
    let mut ann = Person::new(&pen, dir.path(), "ann");
    refused(&pen, ann.home(), &["wipe"], b"").says(1, "caller", "no account");
    refused(&pen, ann.home(), &["wipe", "--yes"], b"").says(1, "caller", "no account");
    // A directory that was named by mistake.
    std::fs::write(dir.path().join("key"), "to the garden shed").expect("file");
    refused(&pen, dir.path(), &["wipe", "--yes"], b"").says(1, "caller", "no account");
    assert!(dir.path().join("key").exists());
    ann.init("Ann").expect("init");
    let refusal = refused(&pen, ann.home(), &["wipe"], b"");
    refusal.says(2, "usage", "key, store.db, sent, lock");
    assert!(refusal.hint.contains("--yes"), "{refusal:?}");
    ann.start(&[]).expect("nothing was changed");
}

#[test]
fn a_wiped_home_is_no_home_and_a_copy_of_its_store_stays_shut() {
    let (pen, dir) = (pen(), dir());
    let words = dir.path().join("words");
    std::fs::write(&words, "correct horse\n").expect("file");
    let words = words.to_string_lossy().into_owned();
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.one(&["init", "--name", "Ann", "--passphrase-file", &words]).expect("init");
    let copy = dir.path().join("copy");
    std::fs::create_dir(&copy).expect("dir");
    for name in ["store.db", "sent"] {
        std::fs::copy(ann.home().join(name), copy.join(name)).expect("a copy");
    }
    // No passphrase is asked for.
    let wiped = ann.one(&["wipe", "--yes"]).expect("wipe");
    assert_eq!((&wiped["wiped"], text(&wiped, "home")), (&true.into(), ann.home().display().to_string()));
    assert!(
        wiped["left"].as_array().is_some_and(Vec::is_empty) && wiped["still_running"].is_null(),
        "{wiped}"
    );
    assert!(!ann.home().exists());
    refused(&pen, ann.home(), &["up", "--no-web"], b"").says(1, "caller", "no account");
    let doctor = ann.one(&["doctor"]).expect("doctor");
    assert_eq!(doctor["exists"], false);
    let shut = refused(&pen, &copy, &["up", "--no-web", "--passphrase-file", &words], b"");
    shut.says(1, "environment", "key file of");
    assert!(shut.hint.contains("murre wipe --yes"), "what a wipe that died leaves is finished: {shut:?}");
    ann.init("Ann again").expect("the place is free");
}

#[test]
fn a_damaged_home_and_one_in_the_middle_of_a_wipe_are_wiped() {
    let (pen, dir) = (pen(), dir());
    for (name, spoil) in [("key", "rubbish"), ("store.db", "rubbish"), ("sent", ""), ("key", "\0\0\0\0")] {
        let ann = Person::new(&pen, dir.path(), "ann");
        ann.init("Ann").expect("init");
        std::fs::write(ann.home().join(name), spoil).expect("file");
        assert_eq!(ann.one(&["wipe", "--yes"]).expect("wipe")["wiped"], true);
        assert!(!ann.home().exists(), "{name}");
    }
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    std::fs::write(ann.home().join("thesis.txt"), "years of work").expect("file");
    let wiped = ann.one(&["wipe", "--yes"]).expect("wipe");
    assert_eq!(wiped["left"], serde_json::json!(["thesis.txt"]));
    assert_eq!(std::fs::read_dir(ann.home()).expect("dir").count(), 1);
}

#[test]
fn a_running_home_is_wiped_and_its_process_ends() {
    // A real chat, so that every file is there that a home can have.
    let rig = Rig::new(3);
    let (ann, mut bob, chat) = rig.pair("Ann", "Bob");
    let id = text(&ann.one(&["send", &chat, "burn after reading"]).expect("send"), "message");
    ann.all_in(&chat, &[id], &["delivered"], LIMIT).expect("delivered");
    let home = bob.home().to_owned();
    bob.stop().expect("a clean end");
    let log = rig.dir.path().join("by-hand.log");
    let process = up(&rig.pen, &home, &log);
    let wiped = bob.one(&["wipe", "--yes"]).expect("wipe");
    assert!(wiped["still_running"].is_null() && wiped["left"] == serde_json::json!([]), "{wiped}");
    ended(&process);
    assert!(!home.exists(), "every file of a home is known to the wipe");
    let said = std::fs::read_to_string(&log).expect("log");
    assert!(!said.contains("error"), "it ends well: {said}");
    ann.one(&["send", &chat, "are you there?"]).expect("nobody else is harmed");
}

#[test]
fn the_number_in_the_lock_file_is_nobodys_end() {
    let (pen, dir) = (pen(), dir());
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    let process = up(&pen, ann.home(), &dir.path().join("by-hand.log"));
    process.signal("STOP").expect("a signal");
    // As a home that runs in a container looks from outside: the number there is somebody else here.
    let mut bystander = std::process::Command::new("sleep").arg("600").spawn().expect("sleep");
    std::fs::write(ann.home().join("lock"), bystander.id().to_string()).expect("lock");
    let wiped = ann.one(&["wipe", "--yes"]).expect("wipe");
    let lives = bystander.try_wait().expect("a child").is_none();
    bystander.kill().expect("an end");
    bystander.wait().expect("an end");
    assert!(lives, "a bystander was ended");
    assert!(wiped["still_running"].is_null(), "{wiped}");
    ended(&process);
    assert!(!ann.home().exists());
}

#[test]
fn a_process_that_does_not_listen_is_ended() {
    let (pen, dir) = (pen(), dir());
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    let process = up(&pen, ann.home(), &dir.path().join("by-hand.log"));
    let stop = ["-c", "kill -STOP \"$1\"", "sh", &process.pid().to_string()];
    assert!(std::process::Command::new("sh").args(stop).status().expect("sh").success());
    let wiped = ann.one(&["wipe", "--yes"]).expect("wipe");
    assert!(wiped["still_running"].is_null(), "{wiped}");
    ended(&process);
    assert!(!ann.home().exists());
}
