//! Log files of homes and nodes: there, private, and silent about everything that matters.

use crate::person::Person;
use crate::rig::{HELLO, LIMIT, Rig, befriend, dir, pen, refused, text};
use crate::scan::Scanner;
use data_encoding::HEXLOWER;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SAID: &str = "the cellar door is left unlocked on thursdays";
const NAMES: [&str; 2] = ["Ottilie Winterbourne", "Casimir Hollander"];
/// Everything that our own code can say.
const ALL: &str = "info,murre=trace,murre_net=trace,murre_device=trace,murre_mailbox=trace,murre_custodian=trace,murre_store=trace";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

#[test]
fn log_files_are_private_and_hold_no_content_names_or_ids() {
    let rig = Rig::in_pen(pen().with("MURRE_LOG", ALL), 3);
    let mut scanner = Scanner::default();
    let mut people = NAMES.map(|name| {
        let mut person = Person::new(&rig.pen, rig.dir.path(), &name[..3]);
        let made = person.init(name).expect("init");
        for id in ["account", "device"] {
            scanner.secret(id, &HEXLOWER.decode(text(&made, id).as_bytes()).expect("hex"));
        }
        person.start(&rig.bootstrap()).expect("up");
        person.knows(3, LIMIT).expect("nodes known");
        person
    });
    let chat = {
        let [ann, bob] = &people;
        let chat = befriend(ann, bob);
        let sent =
            ["one", SAID].map(|words| text(&ann.one(&["send", &chat, words]).expect("send"), "message"));
        ann.all_in(&chat, &sent, &["delivered"], LIMIT).expect("delivered");
        for id in sent {
            scanner.secret("a message", &HEXLOWER.decode(id.as_bytes()).expect("hex"));
        }
        // What is refused is logged nowhere either.
        refused(&rig.pen, ann.home(), &["send", &chat, "-"], &[SAID.as_bytes(), b"\xff"].concat());
        refused(&rig.pen, ann.home(), &["history", NAMES[0]], b"");
        chat
    };
    scanner.secret("a chat", &HEXLOWER.decode(chat.as_bytes()).expect("hex"));
    NAMES.iter().for_each(|name| scanner.text("a name", name));
    scanner.text("a message", SAID);
    scanner.text("the hello", HELLO);
    rig.nodes.iter().for_each(|node| scanner.text("a peer", &node.peer));
    // Again, so that a second process goes on in the same file.
    for person in &mut people {
        person.stop().expect("a clean end");
        person.start(&rig.bootstrap()).expect("up again");
    }
    let homes = people.iter().map(|person| person.home().to_owned());
    let mut starts = 0;
    for place in homes.chain(rig.nodes.iter().map(|node| node.store.clone())) {
        let dir = place.join("log");
        let file = dir.join("murre.log");
        assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600), "{}", file.display());
        let log = std::fs::read_to_string(&file).expect("a log");
        starts += log.matches(" up ").count();
        assert!(log.lines().all(|line| line.contains(" murre")), "only what is ours: {log}");
        let (found, seen) = scanner.scan(&dir);
        assert!(found.is_empty() && seen > 50, "{found:?} in {log}");
    }
    assert_eq!(starts, 7, "two homes twice, three nodes once");
}

#[test]
fn a_home_whose_log_cannot_be_written_runs_all_the_same() {
    let (pen, dir) = (pen(), dir());
    let mut ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    std::fs::write(ann.home().join("log"), "in the way").expect("file");
    ann.start(&[]).expect("up");
    ann.stop().expect("a clean end");
    let said = std::fs::read_to_string(dir.path().join("ann.log")).expect("standard error");
    assert!(said.contains("no log files"), "{said}");
}

#[test]
fn a_refused_up_leaves_no_log_behind() {
    let (pen, dir) = (pen(), dir());
    let nobody = dir.path().join("nobody");
    refused(&pen, &nobody, &["up", "--no-web"], b"").says(1, "caller", "no account");
    assert!(!nobody.exists());
}
