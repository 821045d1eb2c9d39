//! `protect`: what hides a home's key is changed, and the messages stay.

use crate::person::Person;
use crate::rig::{dir, opens, pen, refused, text};
use crate::skip::skipped;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn a_passphrase_is_set_changed_and_taken_away() {
    let (pen, dir) = (pen(), dir());
    let file = |name: &str, words: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, words).expect("file");
        path.to_string_lossy().into_owned()
    };
    let (first, second) = (file("first", "correct horse\n"), file("second", "battery staple\n"));
    let empty = file("empty", "\n");
    let mut ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    ann.start(&[]).expect("up");
    refused(&pen, ann.home(), &["protect", "--new-passphrase-file", &first], b"").says(
        1,
        "caller",
        "in use by",
    );
    ann.stop().expect("a clean end");

    let try_ = |options: &[&str]| {
        let mut verb = vec!["protect"];
        verb.extend(options);
        refused(&pen, ann.home(), &verb, b"")
    };
    try_(&[]).says(2, "usage", "required");
    try_(&["--keyring", "--key-file"]).says(2, "usage", "cannot be used with");
    try_(&["--new-passphrase-file", &empty]).says(1, "environment", "no text");
    try_(&["--new-passphrase-file", "/nonexistent"]).says(1, "environment", "/nonexistent");
    let done = ann.one(&["protect", "--new-passphrase-file", &first]).expect("protect");
    assert_eq!((text(&done, "was"), text(&done, "protection")), ("key-file".into(), "passphrase".into()));
    try_(&["--key-file"]).says(1, "caller", "protected by a passphrase");
    try_(&["--key-file", "--passphrase-file", &second]).says(1, "caller", "passphrase is wrong");
    let change = ["protect", "--new-passphrase-file", &second, "--passphrase-file", &first];
    ann.one(&change).expect("protect");
    let opens = |options: &[&str]| opens(&pen, ann.home(), options);
    assert!(!opens(&["--passphrase-file", &first]) && opens(&["--passphrase-file", &second]));
    let offline = ann.one(&["doctor"]).expect("doctor");
    assert_eq!(
        (text(&offline, "protection"), &offline["protected_at_rest"]),
        ("passphrase".into(), &true.into())
    );

    let done = ann.one(&["protect", "--key-file", "--passphrase-file", &second]).expect("protect");
    assert_eq!((text(&done, "was"), text(&done, "protection")), ("passphrase".into(), "key-file".into()));
    ann.start(&[]).expect("up without a passphrase");
    let doctor = ann.one(&["doctor"]).expect("doctor");
    assert_eq!(
        (text(&doctor, "protection"), &doctor["protected_at_rest"]),
        ("key-file".into(), &false.into())
    );
    ann.stop().expect("a clean end");
    refused(&pen, &dir.path().join("nobody"), &["protect", "--key-file"], b"").says(
        1,
        "caller",
        "no account",
    );
}

/// Runs a verb with a terminal of its own (`script` gives one), types these lines, and answers the exit status and what the
/// terminal showed.
fn typed(home: &Path, verb: &[&str], lines: &[&str]) -> Option<(i32, String)> {
    let mut words = vec![env!("CARGO_BIN_EXE_murre").to_owned(), "--home".into(), home.display().to_string()];
    words.extend(verb.iter().map(|word| (*word).to_owned()));
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--echo", "always", "--command", &quoted.join(" "), "/dev/null"])
        .env_remove("MURRE_PASSPHRASE_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let (mut keys, mut screen) = (child.stdin.take()?, child.stdout.take()?);
    let mut shown = String::new();
    for line in lines {
        // Nothing is typed before it is asked for.
        let asked = shown.len();
        let mut byte = [0];
        while !shown[asked..].ends_with(": ") && screen.read(&mut byte).is_ok_and(|n| n == 1) {
            shown.push(char::from(byte[0]));
        }
        keys.write_all(format!("{line}\n").as_bytes()).ok()?;
    }
    let mut rest = Vec::new();
    screen.read_to_end(&mut rest).ok()?;
    shown.push_str(&String::from_utf8_lossy(&rest));
    Some((child.wait().ok()?.code()?, shown))
}

#[test]
fn a_new_passphrase_is_asked_for_twice_on_a_terminal_and_not_shown() {
    let (pen, dir) = (pen(), dir());
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    let differ = typed(ann.home(), &["protect", "--new-passphrase"], &["correct horse", "correct house"]);
    let Some((status, shown)) = differ else { return skipped("a terminal", "there is no `script` here") };
    assert!(status == 1 && shown.contains("differ"), "{status}: {shown}");
    assert!(opens(&pen, ann.home(), &[]), "nothing was changed");
    let same = ["correct horse", "correct horse"];
    let (status, shown) = typed(ann.home(), &["protect", "--new-passphrase"], &same).expect("a terminal");
    assert_eq!(status, 0, "{shown}");
    assert!(!shown.contains("correct horse") && shown.matches(": ").count() >= 2, "{shown}");
    let words = dir.path().join("words");
    std::fs::write(&words, "correct horse\n").expect("file");
    let words = words.to_string_lossy().into_owned();
    assert!(!opens(&pen, ann.home(), &[]) && opens(&pen, ann.home(), &["--passphrase-file", &words]));
}

#[test]
fn without_a_terminal_a_passphrase_comes_over_standard_input_or_a_descriptor() {
    let (pen, dir) = (pen(), dir());
    let ann = Person::new(&pen, dir.path(), "ann");
    refused(&pen, ann.home(), &["init", "--name", "Ann", "--passphrase"], b"\n").says(
        1,
        "environment",
        "no passphrase",
    );
    assert!(!ann.home().exists(), "nothing was made");
    ann.one_with(&["init", "--name", "Ann", "--passphrase"], b"correct horse\n").expect("init");
    let words = dir.path().join("words");
    std::fs::write(&words, "correct horse\n").expect("file");
    let words = words.to_string_lossy().into_owned();
    assert!(!opens(&pen, ann.home(), &[]) && opens(&pen, ann.home(), &["--passphrase-file", &words]));
    // The new one first, then the old one.
    let both = ["protect", "--new-passphrase-file", "-", "--passphrase-file", "-"];
    ann.one_with(&both, b"battery staple\ncorrect horse\n").expect("protect");
    let change = ["protect", "--key-file", "--passphrase-file", "/dev/stdin"];
    ann.one_with(&change, b"battery staple\n").expect("protect");
    assert!(opens(&pen, ann.home(), &[]));
}
