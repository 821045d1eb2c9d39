//! Homes: made once, run once, opened only with the right key.

use crate::person::Person;
use crate::rig::{LIMIT, Rig, dir, pen, refused, text};
use std::path::{Path, PathBuf};
use std::time::Instant;

fn store(home: &Path) -> PathBuf {
    home.join("store.db")
}

#[test]
fn a_home_is_made_once_and_only_in_an_empty_place() {
    let (pen, dir) = (pen(), dir());
    let ann = Person::new(&pen, dir.path(), "ann");
    let made = ann.init("Ann").expect("init");
    assert_eq!(text(&made, "account").len(), 64);
    assert_eq!(text(&made, "device").len(), 64);
    assert_eq!(text(&made, "phrase").split(' ').count(), 24);
    let before = std::fs::read(store(ann.home())).expect("store");
    refused(&pen, ann.home(), &["init", "--name", "Eve"], b"").says(1, "caller", "an account in");
    assert!(std::fs::read(store(ann.home())).expect("store") == before, "the home was changed");

    let other = dir.path().join("other");
    std::fs::create_dir(&other).expect("dir");
    std::fs::write(other.join("thesis.txt"), "years of work").expect("file");
    refused(&pen, &other, &["init", "--name", "Eve"], b"").says(1, "caller", "other files");
    assert_eq!(std::fs::read_dir(&other).expect("dir").count(), 1, "something was left behind");
}

#[test]
fn an_account_is_made_again_from_its_words() {
    let (pen, dir) = (pen(), dir());
    let made = Person::new(&pen, dir.path(), "a").init("Ann").expect("init");
    let words = dir.path().join("words");
    std::fs::write(&words, format!("{}\n", text(&made, "phrase"))).expect("file");
    let again = Person::new(&pen, dir.path(), "b");
    let words = words.to_string_lossy().into_owned();
    let restored = again.one(&["init", "--name", "Ann", "--restore-phrase-file", &words]).expect("restore");
    assert_eq!(restored["account"], made["account"]);
    assert_ne!(restored["device"], made["device"]);

    let wrong = dir.path().join("wrong");
    std::fs::write(&wrong, "abandon ability able").expect("file");
    let wrong = wrong.to_string_lossy().into_owned();
    let third = dir.path().join("c");
    refused(&pen, &third, &["init", "--name", "Ann", "--restore-phrase-file", &wrong], b"")
        .says(1, "caller", "");
    assert!(!third.exists(), "a refused init leaves nothing");
}

#[test]
fn a_home_runs_once_and_again_after_a_crash() {
    let (pen, dir) = (pen(), dir());
    let mut ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    ann.start(&[]).expect("up");
    refused(&pen, ann.home(), &["up", "--no-web"], b"").says(
        1,
        "caller",
        "in use by another process (process ",
    );
    ann.one(&["doctor"]).expect("the first one is still there");
    ann.kill();
    ann.start(&[]).expect("up after a crash");
    ann.one(&["doctor"]).expect("doctor");
    ann.stop().expect("a clean end");
    ann.start(&[]).expect("up after a clean end");
}

#[test]
fn a_home_ends_with_whoever_started_it() {
    let (pen, dir) = (pen(), dir());
    let mut ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    ann.start(&[]).expect("up");
    let home = ann.home().as_os_str();
    // Standard input of this one is a pipe that ends at once.
    let args =
        ["--json".as_ref(), "--home".as_ref(), home, "watch".as_ref(), "--since".as_ref(), "0".as_ref()];
    let watch = pen.spawn::<&std::ffi::OsStr>(&args, &dir.path().join("watch.log")).expect("watch");
    ann.stop().expect("a clean end");
    let end = watch.line(Instant::now() + LIMIT).expect_err("nothing happened in this home");
    assert!(format!("{end:?}").contains("Ended"), "a watch ends with its home: {end:?}");
    let devnet = ["--json", "devnet", "--nodes", "2", "--while-stdin"];
    let ran = pen.run(&devnet, b"", LIMIT).expect("a devnet that ends with its standard input");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_protected_home_opens_only_with_its_passphrase() {
    let (pen, dir) = (pen(), dir());
    let file = |name: &str, words: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, words).expect("file");
        path.to_string_lossy().into_owned()
    };
    let (right, wrong) = (file("right", "correct horse\n"), file("wrong", "battery staple\n"));
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.one(&["init", "--name", "Ann", "--passphrase-file", &right]).expect("init");
    let up = |options: &[&str]| {
        let mut verb = vec!["up", "--no-web"];
        verb.extend(options);
        refused(&pen, ann.home(), &verb, b"")
    };
    assert!(up(&[]).says(1, "caller", "protected by a passphrase").hint.contains("--passphrase-file"));
    up(&["--passphrase-file", &wrong]).says(1, "caller", "passphrase is wrong");
    up(&["--passphrase-file", "/nonexistent"]).says(1, "environment", "/nonexistent");
    // With the right one it runs until its standard input ends, which is at once.
    let home = ann.home().to_string_lossy().into_owned();
    let args = ["--json", "--home", &home, "up", "--while-stdin", "--passphrase-file", &right];
    let ran = pen.run(&args, b"", LIMIT).expect("a home that ends");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);

    let open = Person::new(&pen, dir.path(), "open");
    open.init("Open").expect("init");
    refused(&pen, open.home(), &["up", "--passphrase-file", &right], b"").says(1, "caller", "not protected");
}

#[test]
fn a_damaged_or_foreign_database_is_refused_and_left_alone() {
    let (pen, dir) = (pen(), dir());
    let (ann, bea) = (Person::new(&pen, dir.path(), "ann"), Person::new(&pen, dir.path(), "bea"));
    ann.init("Ann").expect("init");
    bea.init("Bea").expect("init");
    let file = store(ann.home());
    let good = std::fs::read(&file).expect("store");
    let mut flipped = good.clone();
    flipped[100] ^= 1;
    let foreign = std::fs::read(store(bea.home())).expect("store");
    let noise: Vec<u8> = (0..good.len()).map(|n| (n * 31 % 251) as u8).collect();
    let cases = [
        ("flipped", flipped),
        ("of another home", foreign),
        ("noise", noise),
        ("cut", good[..5_000].to_vec()),
    ];
    for (what, bytes) in cases {
        std::fs::write(&file, &bytes).expect("file");
        let refusal = refused(&pen, ann.home(), &["up", "--no-web"], b"");
        assert!(refusal.exit == 1 && refusal.message.contains("store.db"), "{what}: {refusal:?}");
        assert!(std::fs::read(&file).expect("store") == bytes, "{what}: the file was changed");
    }
    std::fs::remove_file(&file).expect("file");
    refused(&pen, ann.home(), &["up", "--no-web"], b"").says(1, "environment", "database of");
    std::fs::write(&file, &good).expect("file");
    let mut ann = ann;
    ann.start(&[]).expect("the right database opens again");
}

#[test]
fn yesterdays_database_is_refused_and_the_newer_one_goes_on() {
    let rig = Rig::new(1);
    let mut ann = Person::new(&rig.pen, rig.dir.path(), "ann");
    ann.init("Ann").expect("init");
    let yesterday = std::fs::read(store(ann.home())).expect("store");
    ann.start(&rig.bootstrap()).expect("up");
    // Knowing the nodes and making a door takes words to them.
    ann.knows(1, LIMIT).expect("the node is known");
    ann.one(&["invite"]).expect("invite");
    ann.stop().expect("a clean end");
    let today = std::fs::read(store(ann.home())).expect("store");
    std::fs::write(store(ann.home()), &yesterday).expect("the copy");
    let refusal = refused(&rig.pen, ann.home(), &["up", "--no-web"], b"");
    refusal.says(1, "environment", "older than what this device has sent");
    assert!(
        refusal.hint.contains("murre restore") && refusal.hint.contains("never copy a home back"),
        "{refusal:?}"
    );
    assert!(std::fs::read(store(ann.home())).expect("store") == yesterday, "it is left as it was");
    std::fs::write(store(ann.home()), &today).expect("the newer one");
    ann.start(&rig.bootstrap()).expect("the newer one goes on");
}
