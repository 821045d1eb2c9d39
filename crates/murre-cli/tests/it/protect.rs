//! `protect`: what hides a home's key is changed, and the messages stay.

use crate::person::Person;
use crate::rig::{dir, opens, pen, refused, text};

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
