//! Links that cannot be opened.

use crate::person::{Person, Seen};
use crate::rig::{LIMIT, Rig, refused, text};
use data_encoding::BASE64URL_NOPAD;
use murre_core::Label;

const CHECKSUM: Label = Label::new("murre v1 invite checksum");
const PREFIX: &str = "murre:invite/";

/// The link's bytes without their checksum.
fn open(link: &str) -> Vec<u8> {
    let text = link.strip_prefix(PREFIX).expect("a link");
    let mut bytes = BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url");
    bytes.truncate(bytes.len() - 4);
    bytes
}

/// A link of these bytes with the right checksum: what a later or a lying program could make.
fn close(mut bytes: Vec<u8>) -> String {
    let sum = CHECKSUM.hash(&[&bytes]);
    bytes.extend_from_slice(&sum[..4]);
    format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
}

/// Changes the value of one field.
fn with_field(link: &str, kind: u8, change: impl FnOnce(&mut [u8])) -> String {
    let mut bytes = open(link);
    let mut at = 1;
    loop {
        let len = usize::from(u16::from_be_bytes([bytes[at + 1], bytes[at + 2]]));
        if bytes[at] == kind {
            change(&mut bytes[at + 3..at + 3 + len]);
            return close(bytes);
        }
        at += 3 + len;
    }
}

/// One public link at a time, which another may take the place of; asking through it costs a puzzle.
fn public(rig: &Rig, ann: &Person) {
    let first = ann.one(&["invite", "--public"]).expect("public");
    assert!(first["kind"] == "public" && first["published"] == true, "{first}");
    assert_eq!(ann.one(&["invite", "--public"]).expect("public")["link"], first["link"], "the one there is");
    let cal = rig.person("Cal");
    cal.one(&["contact", "add", &text(&first, "link")]).expect("add");
    let asked = |name: &str, old: bool| {
        let seen = ann.until("a request", LIMIT, |ann| {
            let contacts = ann.lines(&["contact", "list"])?;
            let found = contacts.iter().any(|c| c["name"] == name && c["old_link"] == old);
            Ok(Seen::when(found, || format!("{contacts:?}")))
        });
        assert!(seen.is_ok(), "{seen:?}");
    };
    asked("Cal", false);
    let second = ann.one(&["invite", "--public", "--new"]).expect("new");
    assert_ne!(second["link"], first["link"]);
    let dan = rig.person("Dan");
    dan.one(&["contact", "add", &text(&first, "link")]).expect("the old one is read for a week more");
    asked("Dan", true);
    let list = ann.lines(&["invite", "list"]).expect("list");
    let old = list.iter().find(|i| i["link"] == first["link"]).expect("the old one");
    assert!(old["replaced"] == true && old["requests"] == 2 && old["kind"] == "public", "{old}");
}

#[test]
fn links_that_cannot_be_opened_are_refused_and_say_why() {
    let rig = Rig::new(1);
    let (ann, bob) = (rig.person("Ann"), rig.person("Bob"));
    let link = text(&bob.one(&["invite"]).expect("invite"), "link");
    let own = text(&ann.one(&["invite"]).expect("invite"), "link");
    assert_eq!(close(open(&link)), link, "the test knows how links are made");
    let add = |link: &str| refused(&rig.pen, ann.home(), &["contact", "add", link], b"");

    let cut = PREFIX.len() + (link.len() - PREFIX.len()) / 2 / 4 * 4;
    assert_eq!(add(&link[..cut]).says(1, "caller", "incomplete").code, "link-checksum");
    let middle = link.len() / 2;
    let other = if link.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let mistyped = format!("{}{other}{}", &link[..middle], &link[middle + 1..]);
    assert_eq!(add(&mistyped).says(1, "caller", "mistyped").code, "link-checksum");
    assert_eq!(add(&format!("{link}!")).says(1, "caller", "characters").code, "link-encoding");
    assert_eq!(
        add("https://example.org").says(1, "caller", "not a Murre invitation").code,
        "link-not-a-link"
    );
    assert_eq!(add(&"x".repeat(5_000)).exit, 1);
    let mut newer = open(&link);
    newer[0] = 2;
    let refusal = add(&close(newer));
    assert_eq!(refusal.says(1, "caller", "newer version").code, "link-newer-version");
    assert!(refusal.hint.contains("update"), "{refusal:?}");
    let expired = with_field(&link, 5, |value| value.copy_from_slice(&1u64.to_be_bytes()));
    assert_eq!(add(&expired).says(1, "caller", "expired").code, "link-expired");
    let elsewhere = with_field(&link, 4, |value| value[0] ^= 1);
    assert_eq!(add(&elsewhere).says(1, "caller", "another network").code, "other-network");
    assert_eq!(add(&own).says(1, "caller", "your own").code, "own-link");

    assert!(ann.lines(&["contact", "list"]).expect("contacts").is_empty(), "a refused link left a contact");
    // Pasted with blanks around it, the link works; and asking twice is the same request.
    let first = ann.one(&["contact", "add", &format!(" {link}\n"), "--hello", "hi"]).expect("add");
    assert_eq!(first["state"], "requested");
    let again = ann.one(&["contact", "add", &link]).expect("add");
    assert_eq!(again["contact"], first["contact"]);
    assert_eq!(ann.lines(&["contact", "list"]).expect("contacts").len(), 1);
}

#[test]
fn invitations_are_listed_withdrawn_and_limited() {
    let rig = Rig::new(1);
    let ann = rig.person("Ann");
    let link = text(&ann.one(&["invite"]).expect("invite"), "link");
    let listed = ann.lines(&["invite", "list"]).expect("list");
    assert!(
        listed.len() == 1 && listed[0]["link"] == link.as_str() && listed[0]["withdrawn"] == false,
        "{listed:?}"
    );
    assert!(text(&listed[0], "expires").ends_with('Z'));
    let gone = ann.one(&["invite", "withdraw", &link]).expect("withdraw");
    assert_eq!(gone["withdrawn"], true);
    let open = ann.lines(&["invite", "list"]).expect("list");
    assert!(open.iter().all(|invite| invite["withdrawn"] == true), "{open:?}");
    let ben = rig.person("Ben");
    ben.one(&["contact", "add", &link]).expect("add");
    let told = ben.until("that the link was withdrawn", LIMIT, |ben| {
        let contact = ben.one(&["contact", "list"])?;
        Ok(Seen::when(contact["problem"] == "withdrawn", || contact.to_string()))
    });
    assert!(told.is_ok(), "{told:?}");
    let unknown = refused(&rig.pen, ann.home(), &["invite", "withdraw", "murre:invite/abcd"], b"");
    assert_eq!(unknown.exit, 1);
    public(&rig, &ann);
    let home = ann.home().to_string_lossy().into_owned();
    let ran = rig.pen.run(&["--home", &home, "invite", "--qr"], b"", crate::rig::LIMIT).expect("invite");
    let drawn = ran.stdout.lines().filter(|line| line.contains('█') || line.contains('▀')).count();
    assert!(ran.code == Some(0) && drawn > 20, "{}", ran.stdout);
}
