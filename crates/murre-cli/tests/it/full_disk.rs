//! The disk is full, and then it is not: a home on a file system of its own, of a few megabytes.

use crate::person::{Person, Seen};
use crate::rig::{LIMIT, Rig, befriend, refused, text};
use crate::skip::skipped;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of the file system.
const SIZE: &str = "size=4m,mode=0700";
/// Sends after which the disk has to be full.
const MANY: usize = 400;

/// A small file system in memory. It goes away with this value.
struct Small(PathBuf);

impl Small {
    /// None where this user may not mount.
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir(&at).expect("dir");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "murre-test"]).arg(&at).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at));
        }
        skipped("a home on a full disk", "this user may not mount a file system");
        None
    }

    /// Takes all room there is.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("ballast")).expect("a file");
        for size in [65_536, 512, 1] {
            let block = vec![7; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("ballast")).expect("ballast");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn texts(history: &[Value]) -> Vec<String> {
    history.iter().map(|message| text(message, "text")).collect()
}

/// Sends long texts until one is refused. Answers those that were confirmed.
fn send_until_full(rig: &Rig, ann: &Person, chat: &str, name: &str) -> Vec<String> {
    let mut confirmed = Vec::new();
    for n in 0..MANY {
        let words = format!("{name} {n} {}", "x".repeat(30_000));
        let home: &Path = ann.home();
        let args = ["--json", "--home", &home.to_string_lossy(), "send", chat, "-"].map(str::to_owned);
        let ran = rig.pen.run(&args, words.as_bytes(), LIMIT).expect("a verb that ends");
        if ran.code == Some(0) {
            confirmed.push(words);
            continue;
        }
        let error: Value =
            serde_json::from_str(ran.stderr.lines().last().unwrap_or_default()).expect("an error");
        let error = &error["error"];
        assert_eq!(
            (text(error, "kind"), text(error, "code")),
            ("environment".into(), "disk-full".into()),
            "{error}"
        );
        assert!(text(error, "message").contains("nothing was changed"), "{error}");
        let hint = text(error, "hint");
        assert!(hint.contains("make room") && hint.contains("is kept"), "{error}");
        return confirmed;
    }
    panic!("the disk took {MANY} texts");
}

#[test]
fn a_full_disk_refuses_in_words_loses_nothing_and_is_forgiven() {
    let rig = Rig::new(3);
    let Some(small) = Small::mount(rig.dir.path().join("small")) else { return };
    let bob = rig.person("Bob");
    let mut ann = Person::new(&rig.pen, &small.0, "ann");
    // Its standard error and its log files lie on the small disk as well.
    ann.init("Ann").expect("init");
    ann.start(&rig.bootstrap()).expect("up");
    ann.knows(3, LIMIT).expect("nodes known");
    let chat = befriend(&ann, &bob);
    ann.one(&["send", &chat, "while there is room"]).expect("send");
    let mut expected = vec!["while there is room".to_owned()];
    for round in ["first", "second"] {
        small.fill();
        expected.extend(send_until_full(&rig, &ann, &chat, round));
        assert_eq!(texts(&ann.history(&chat).expect("history")), expected, "what was confirmed is all there");
        // Still full: still refused, still alive.
        for _ in 0..12 {
            let words = "y".repeat(30_000);
            let again = refused(&rig.pen, ann.home(), &["send", &chat, "-"], words.as_bytes());
            assert_eq!(again.code, "disk-full", "{again:?}");
        }
        small.make_room();
        let words = format!("after the {round} time");
        ann.one(&["send", &chat, &words]).expect("it goes on by itself");
        expected.push(words);
    }
    bob.until("every text that was confirmed", LIMIT, |bob| {
        let there = texts(&bob.history("Ann")?);
        Ok(Seen::when(there == expected, || format!("{} of {}", there.len(), expected.len())))
    })
    .expect("nothing is lost");
    ann.stop().expect("a clean end");
}
