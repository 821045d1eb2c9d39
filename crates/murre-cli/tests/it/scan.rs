//! Nothing readable lies on any disk: neither in homes, nor at nodes, nor in their logs.
//!
//! The scanner looks for each secret in every common encoding, and must find a planted one in each of them.

use crate::rig::{HELLO, LIMIT, Rig, befriend, dir, pen, text};
use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL, Encoding, HEXLOWER, HEXUPPER};
use std::collections::BTreeMap;
use std::path::Path;

const TEXTS: [&str; 3] =
    ["the meeting is at the old lighthouse", "встречаемся у старого маяка", "灯台の下で会いましょう今夜"];
const NAMES: [&str; 2] = ["Zulmira Quixote", "Balthazar Wren"];

/// Byte strings to look for, by what they are.
#[derive(Default)]
pub struct Scanner {
    needles: Vec<(String, Vec<u8>)>,
    by_head: BTreeMap<[u8; 4], Vec<usize>>,
}

impl Scanner {
    fn add(&mut self, what: &str, encoding: &str, needle: Vec<u8>) {
        let head = needle[..4].try_into().expect("needles are longer than four bytes");
        self.by_head.entry(head).or_default().push(self.needles.len());
        self.needles.push((format!("{what} as {encoding}"), needle));
    }

    /// A secret in every encoding it might lie in.
    pub fn secret(&mut self, what: &str, bytes: &[u8]) {
        self.add(what, "plain bytes", bytes.to_vec());
        self.add(what, "hex", HEXLOWER.encode(bytes).into_bytes());
        self.add(what, "upper-case hex", HEXUPPER.encode(bytes).into_bytes());
        for (name, encoding) in [("base64", &BASE64), ("base64url", &BASE64URL), ("base32", &BASE32_NOPAD)] {
            let group = if name == "base32" { 5 } else { 3 };
            (0..group).for_each(|shift| self.add(what, name, aligned(encoding, bytes, shift, group)));
        }
    }

    /// A text: also in UTF-16.
    pub fn text(&mut self, what: &str, text: &str) {
        self.secret(what, text.as_bytes());
        self.add(what, "UTF-16 LE", text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        self.add(what, "UTF-16 BE", text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }

    pub fn find(&self, bytes: &[u8]) -> Vec<&str> {
        let mut found = Vec::new();
        for at in 0..bytes.len().saturating_sub(3) {
            let Some(candidates) =
                bytes[at..at + 4].try_into().ok().and_then(|head: [u8; 4]| self.by_head.get(&head))
            else {
                continue;
            };
            for (what, needle) in candidates.iter().map(|n| &self.needles[*n]) {
                if bytes[at..].starts_with(needle) {
                    found.push(what.as_str());
                }
            }
        }
        found
    }

    /// Looks through every file below `dir`; answers what was found where, and how many bytes were looked at.
    pub fn scan(&self, dir: &Path) -> (Vec<String>, u64) {
        let (mut found, mut seen) = (Vec::new(), 0);
        let mut left = vec![dir.to_owned()];
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(std::fs::read_dir(&path).expect("dir").map(|entry| entry.expect("entry").path()));
            } else if path.is_file() {
                let Ok(bytes) = std::fs::read(&path) else { continue };
                seen += bytes.len() as u64;
                found.extend(self.find(&bytes).iter().map(|what| format!("{what} in {}", path.display())));
            }
        }
        (found, seen)
    }
}

/// The part of an encoding that does not depend on what stands before (`shift` bytes into a group) and after.
fn aligned(encoding: &Encoding, bytes: &[u8], shift: usize, group: usize) -> Vec<u8> {
    let skip = (group - shift) % group;
    let whole = (bytes.len() - skip) / group * group;
    encoding.encode(&bytes[skip..skip + whole]).into_bytes()
}

#[test]
fn nothing_readable_lies_on_any_disk() {
    // As much as any log can hold.
    let rig = Rig::in_pen(pen().with("MURRE_LOG", "debug,murre=trace,murre_device=trace"), 3);
    let mut scanner = Scanner::default();
    let people = NAMES.map(|name| rig.person(name));
    for name in NAMES {
        scanner.text("a name", name);
    }
    let [ann, bob] = &people;
    let chat = befriend(ann, bob);
    let link = text(&ann.one(&["invite"]).expect("invite"), "link");
    scanner.secret("an invitation", link.strip_prefix("murre:invite/").expect("a link").as_bytes());
    let asked = bob.lines(&["contact", "list"]).expect("contacts");
    let known = ann.lines(&["contact", "list"]).expect("contacts");
    for account in [text(&asked[0], "contact"), text(&known[0], "contact")] {
        scanner.secret("an account", &HEXLOWER.decode(account.as_bytes()).expect("hex"));
    }
    scanner.secret("a chat", &HEXLOWER.decode(chat.as_bytes()).expect("hex"));
    scanner.text("the hello", HELLO);

    let mut sent = Vec::new();
    for words in TEXTS {
        scanner.text("a message", words);
        sent.push(text(&ann.one(&["send", &chat, words]).expect("send"), "message"));
    }
    ann.all_in(&chat, &sent, &["delivered"], LIMIT).expect("delivered");
    let (found, seen) = scanner.scan(rig.dir.path());
    assert!(found.is_empty(), "while running: {found:#?}");
    assert!(seen > 200_000, "only {seen} bytes were looked at");
    for mut person in people {
        person.stop().expect("a clean end");
    }
    let (found, _) = scanner.scan(rig.dir.path());
    assert!(found.is_empty(), "at rest: {found:#?}");
}

#[test]
fn the_scanner_finds_what_is_planted_in_every_encoding() {
    let mut scanner = Scanner::default();
    scanner.text("a marker", "the planted marker");
    let dir = dir();
    for before in 0..5 {
        let mut marked = vec![b'#'; before];
        marked.extend_from_slice(b"the planted marker and more");
        let utf16 = |swap: bool| -> Vec<u8> {
            let text = String::from_utf8(marked.clone()).expect("text");
            text.encode_utf16()
                .flat_map(|unit| if swap { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect()
        };
        let forms: [(&str, Vec<u8>); 8] = [
            ("plain bytes", marked.clone()),
            ("hex", HEXLOWER.encode(&marked).into_bytes()),
            ("upper-case hex", HEXUPPER.encode(&marked).into_bytes()),
            ("base64", BASE64.encode(&marked).into_bytes()),
            ("base64url", BASE64URL.encode(&marked).into_bytes()),
            ("base32", BASE32_NOPAD.encode(&marked).into_bytes()),
            ("UTF-16 LE", utf16(false)),
            ("UTF-16 BE", utf16(true)),
        ];
        for (encoding, bytes) in forms {
            let file = dir.path().join("deep/er/file");
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("dir");
            std::fs::write(&file, &bytes).expect("file");
            let (found, _) = scanner.scan(dir.path());
            let hit = found.iter().any(|hit| hit.starts_with(&format!("a marker as {encoding} ")));
            assert!(hit, "{encoding} after {before} bytes: {found:?}");
        }
    }
}
