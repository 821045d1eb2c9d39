//! Files through the shipped binary: sent, fetched, saved, refused.

use crate::person::{Person, Seen};
use crate::rig::{LIMIT, Rig, refused, text};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::Path;

fn path(path: &Path) -> &str {
    path.to_str().expect("ASCII")
}

/// The last line: lines of progress may stand before it.
fn last(person: &Person, verb: &[&str]) -> Value {
    person.lines(verb).expect("lines").pop().expect("a line")
}

fn info(person: &Person, message: &str, index: &str) -> Option<Value> {
    person.one(&["file", "info", message, index]).ok()
}

/// Waits until a file is in this state.
fn becomes(person: &Person, message: &str, index: &str, state: &str) {
    person
        .until(state, LIMIT, |person| {
            let info = info(person, message, index).unwrap_or_default();
            Ok(Seen::when(info["state"] == state, || info.to_string()))
        })
        .expect("in time");
}

#[test]
fn several_files_go_with_a_text_and_are_saved_under_safe_names() {
    let rig = Rig::new(3);
    let (ann, bob, chat) = rig.pair("Ann", "Bob");
    let dir = rig.dir.path();
    let photo: Vec<u8> = (0..700_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
    let (from, note) = (dir.join("a photo.jpg"), dir.join("note.txt"));
    std::fs::write(&from, &photo).expect("write");
    std::fs::write(&note, b"").expect("write");
    let sent = last(&ann, &["send", "Bob", "two of them", "--file", path(&from), "--file", path(&note)]);
    let message = text(&sent, "message");
    becomes(&bob, &message, "0", "complete");
    becomes(&bob, &message, "1", "complete");
    let row = bob.history(&chat).expect("history").pop().expect("a message");
    assert_eq!((&row["text"], &row["message"]), (&"two of them".into(), &message.as_str().into()));
    let names: Vec<&str> =
        row["files"].as_array().expect("files").iter().filter_map(|f| f["name"].as_str()).collect();
    assert_eq!(names, ["a photo.jpg", "note.txt"]);
    assert_eq!(row["files"][0]["size"], photo.len());

    let into = dir.join("saved");
    std::fs::create_dir(&into).expect("dir");
    let saved = last(&bob, &["file", "save", &message, "0", path(&into)]);
    assert_eq!(saved["bytes"], photo.len());
    assert_eq!(text(&saved, "sha256"), hex::encode(Sha256::digest(&photo)));
    assert!(std::fs::read(into.join("a photo.jpg")).expect("saved") == photo);
    // The same name again: nothing is replaced unless that is said.
    let home = bob.home().to_owned();
    refused(&rig.pen, &home, &["file", "save", &message, "0", path(&into)], b"").says(1, "caller", "exists");
    std::fs::write(into.join("a photo.jpg"), b"mine").expect("write");
    last(&bob, &["file", "save", &message, "0", path(&into), "--overwrite"]);
    assert!(std::fs::read(into.join("a photo.jpg")).expect("saved") == photo);
    assert_eq!(std::fs::read_dir(&into).expect("dir").count(), 1, "no half of a file is left");
    // Found by its name, and it says that they have it.
    let found = bob.lines(&["search", "photo"]).expect("search");
    assert_eq!(found.len(), 1);
    ann.until("they have it", LIMIT, |ann| {
        let info = info(ann, &message, "0").unwrap_or_default();
        Ok(Seen::when(info["theirs"] == "has", || info.to_string()))
    })
    .expect("in time");
}

#[test]
fn what_cannot_be_sent_or_saved_is_refused_and_nothing_is_lost() {
    let rig = Rig::new(1);
    let (ann, bob, chat) = rig.pair("Ann", "Bob");
    let dir = rig.dir.path();
    let before = ann.history(&chat).expect("history").len();
    let home = ann.home().to_owned();
    let says = |verb: &[&str], kind: &str, words: &str| {
        refused(&rig.pen, &home, verb, b"").says(1, kind, words);
    };
    says(&["send", "Bob", "x", "--file", path(&dir.join("nothing"))], "environment", "nothing");
    says(&["send", "Bob", "x", "--file", path(dir)], "caller", "is a directory");
    let small = dir.join("small");
    std::fs::write(&small, b"small").expect("write");
    let many: Vec<&str> = std::iter::repeat_n(["--file", path(&small)], 17).flatten().collect();
    says(&[&["send", "Bob"], many.as_slice()].concat(), "caller", "at most 16");
    says(&["send", "Nobody", "--file", path(&small)], "caller", "Nobody");
    assert_eq!(ann.history(&chat).expect("history").len(), before, "no message came of it");

    let message = text(&last(&ann, &["send", "Bob", "--file", path(&small)]), "message");
    becomes(&bob, &message, "0", "complete");
    says(&["file", "info", &message, "1"], "caller", "no such file");
    says(&["file", "save", "ffffffff", "0", path(dir)], "caller", "no message");
    let missing = dir.join("no").join("such").join("place");
    says(&["file", "save", &message, "0", path(&missing)], "environment", "place");
    let words = text(&ann.one(&["send", "Bob", "only words"]).expect("send"), "message");
    says(&["file", "info", &words, "0"], "caller", "no such file");
}

#[test]
fn a_file_is_on_no_disk_in_the_clear_and_its_sender_may_take_it_back() {
    let rig = Rig::new(3);
    let (ann, mut bob, _) = rig.pair("Ann", "Bob");
    let dir = rig.dir.path();
    let marker = b"the plans of the lighthouse are in the second drawer";
    let mut plans = vec![0; 9 << 20];
    plans[4 << 20..(4 << 20) + marker.len()].copy_from_slice(marker);
    let outside = tempfile::tempdir().expect("dir");
    let from = outside.path().join("plans");
    std::fs::write(&from, &plans).expect("write");
    let message = text(&last(&ann, &["send", "Bob", "--file", path(&from)]), "message");
    becomes(&bob, &message, "0", "complete");
    bob.stop().expect("stop");
    let mut scanner = crate::scan::Scanner::default();
    scanner.secret("the marker", marker);
    let (found, seen) = scanner.scan(dir);
    assert_eq!(found, Vec::<String>::new());
    assert!(seen > 18 << 20, "both copies were looked at: {seen}");

    // More than mailboxes take: it waits for Bob, and Ann takes it back before he comes.
    plans[0] = 1;
    std::fs::write(&from, &plans).expect("write");
    let message = text(&last(&ann, &["send", "Bob", "--file", path(&from)]), "message");
    let waiting = info(&ann, &message, "0").expect("info");
    assert!(waiting["live_only"] == true && waiting["theirs"] == "waiting", "{waiting}");
    assert_eq!(ann.one(&["file", "cancel", &message, "0"]).expect("cancel")["theirs"], "withdrawn");
    bob.start(&rig.bootstrap()).expect("start");
    becomes(&bob, &message, "0", "gone");
    let home = bob.home().to_owned();
    let place = outside.path().join("got");
    refused(&rig.pen, &home, &["file", "save", &message, "0", path(&place)], b"").says(
        1,
        "remote",
        "will not come",
    );
}

#[test]
fn a_watch_for_programs_tells_how_a_file_goes_on() {
    let rig = Rig::new(3);
    let (ann, mut bob, chat) = rig.pair("Ann", "Bob");
    bob.stop().expect("stops");
    let film = rig.dir.path().join("film");
    std::fs::write(&film, vec![7; 9_000_000]).expect("write");
    let home = ann.home().to_string_lossy().into_owned();
    let log = rig.dir.path().join("watch.log");
    let watch = rig.pen.spawn(&["--json", "--home", &home, "watch", "--since", "0"], &log).expect("watch");
    let until = |event: &str, kind: &str| loop {
        let line = watch.line(std::time::Instant::now() + LIMIT).expect("an event");
        if line["event"] == event && (kind.is_empty() || line["kind"] == kind || line["step"] == kind) {
            return line;
        }
    };
    // The watch has begun when it has told what is there already.
    until("contact", "");
    let message = text(&last(&ann, &["send", &chat, "--file", path(&film)]), "message");
    let waiting = until("file_progress", "waiting");
    assert_eq!((&waiting["message"], &waiting["size"]), (&message.as_str().into(), &9_000_000.into()));
    bob.start(&rig.bootstrap()).expect("starts");
    // A file that is through before the next telling is due is only told as delivered.
    until("file", "delivered");
}
