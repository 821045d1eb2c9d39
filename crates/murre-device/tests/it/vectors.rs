//! `spec/vectors/invite.json`: built here from fixed keys, compared with the file, and judged from its texts alone.
//!
//! To write the file after a change of the format: `cargo test -p murre-device -- --ignored write_invite_vectors`.

#![allow(clippy::disallowed_methods, reason = "vectors are read from disk")]

use murre_core::id::{AccountId, NetworkId, PeerKey};
use murre_core::{Addr, Label, PeerRef, Rng, Wall};
use murre_crypto::BlindKey;
use murre_device::invite::{InviteLink, LinkError};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Written out, so that a change of the constants shows here.
const CHECKSUM: Label = Label::new("murre v1 invite checksum");
const PREFIX: &str = "murre:invite/";
const QR_PREFIX: &str = "MURRE:INVITE/";
/// Every class of section 8.10.
const CLASSES: [&str; 6] = ["not-a-link", "encoding", "too-long", "checksum", "newer-version", "field"];

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/invite.json")
}

fn link() -> InviteLink {
    let mut rng = Rng::from_seed([11; 32]);
    InviteLink {
        secret: [0x21; 32],
        owner: BlindKey::generate(&mut rng).public(),
        account: AccountId::from_bytes([0x33; 32]),
        network: NetworkId::from_bytes([0x44; 32]),
        expires: Wall(1_800_000_000_000),
        public: false,
        name: None,
        hints: Vec::new(),
    }
}

fn named() -> InviteLink {
    let hint =
        |n: u8, addr: &str| PeerRef { key: PeerKey::from_bytes([n; 32]), addrs: vec![Addr(addr.into())] };
    InviteLink {
        name: Some("Bob the \u{fc}bermurre".into()),
        hints: vec![hint(5, "/ip4/192.0.2.7/tcp/4001"), hint(6, "/ip6/2001:db8::7/udp/4001/quic-v1")],
        ..link()
    }
}

/// One field as it stands in a link.
fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], len.as_slice(), value].concat()
}

/// The fields that must be there, in order.
fn fields() -> Vec<Vec<u8>> {
    let link = link();
    vec![
        field(1, &link.secret),
        field(2, link.owner.as_bytes()),
        field(3, link.account.as_bytes()),
        field(4, link.network.as_bytes()),
        field(5, &link.expires.0.to_be_bytes()),
    ]
}

/// A version and fields under a checksum that fits.
fn sealed(version: u8, fields: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![version];
    bytes.extend(fields.concat());
    let sum = CHECKSUM.hash(&[&bytes]);
    bytes.extend_from_slice(&sum[..4]);
    bytes
}

fn text(bytes: &[u8]) -> String {
    format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(bytes))
}

/// The whole link with further fields, or with one of its fields in another form.
fn with(more: &[Vec<u8>]) -> String {
    text(&sealed(1, &[fields(), more.to_vec()].concat()))
}

fn instead(at: usize, field: Option<Vec<u8>>) -> String {
    let mut list = fields();
    list.remove(at);
    if let Some(field) = field {
        list.insert(at, field);
    }
    text(&sealed(1, &list))
}

fn good() -> Value {
    let one = |name: &str, link: &InviteLink, text: String| {
        json!({
            "name": name,
            "text": text,
            "bytes": hex::encode(link.to_bytes()),
            "out": {
                "id": link.id().to_string(),
                "secret": hex::encode(link.secret),
                "owner": hex::encode(link.owner.as_bytes()),
                "account": link.account.to_string(),
                "network": link.network.to_string(),
                "expires": link.expires.0,
                "public": link.public,
                "name": link.name,
                "hints": link.hints.iter().map(|h| json!([h.key.to_string(), h.addrs[0].0])).collect::<Vec<_>>(),
            },
        })
    };
    let (bare, full) = (link(), named());
    let public = InviteLink { public: true, ..link() };
    json!([
        one("nothing but what must be there", &bare, bare.to_string()),
        one("a name and two nodes", &full, full.to_string()),
        one("the same for a QR code", &full, full.to_qr_text()),
        one("a public link", &public, public.to_string()),
        one("white space around it", &bare, format!("  {bare}\n")),
        one("an unknown field that may be skipped", &bare, with(&[field(0x90, b"later")])),
        one("a node that does not parse is skipped", &bare, with(&[field(0x81, &[7; 32])])),
        one(
            "the fields in another order",
            &bare,
            text(&sealed(1, &fields().into_iter().rev().collect::<Vec<_>>()))
        ),
    ])
}

fn bad() -> Value {
    let whole = link().to_string();
    let mut mistyped = link().to_bytes();
    mistyped[40] ^= 1;
    let mut beyond = fields();
    beyond.push(vec![0x90, 0, 5, 1, 2]);
    let long: Vec<Vec<u8>> = (0..4).map(|_| field(0x90, &[0; 255])).collect();
    let qr = link().to_qr_text();
    let one = |class: &str, rule: &str, name: &str, text: String| json!({ "class": class, "rule": rule, "name": name, "text": text });
    json!([
        one("not-a-link", "F-1", "nothing at all", String::new()),
        one("not-a-link", "F-1", "a web address", "https://example.org/invite".into()),
        one("not-a-link", "F-1", "half of it in capitals", whole.replacen("murre", "Murre", 1)),
        one("encoding", "F-1", "padding", format!("{whole}=")),
        one(
            "encoding",
            "F-1",
            "a character that base64url does not have",
            whole.replacen(PREFIX, "murre:invite/+", 1)
        ),
        one(
            "encoding",
            "F-1",
            "capitals of a QR code before base64url",
            format!("{QR_PREFIX}{}", &whole[PREFIX.len()..])
        ),
        one("encoding", "F-1", "a character that base45 does not have", format!("{qr}!")),
        one(
            "encoding",
            "F-1",
            "three digits of base45 that stand for no two bytes",
            qr.replacen(QR_PREFIX, "MURRE:INVITE/:::", 1)
        ),
        one("too-long", "F-1", "more than 1,024 bytes", with(&long)),
        one("too-long", "F-1", "a text of more than 2,048", format!("{whole}{}", "A".repeat(2_048))),
        one("checksum", "F-2", "nothing behind the beginning", PREFIX.into()),
        one("checksum", "F-2", "the last three bytes missing", whole[..whole.len() - 4].into()),
        one("checksum", "F-2", "one bit of the secret turned", text(&mistyped)),
        one("newer-version", "F-3", "version 2", text(&sealed(2, &fields()))),
        one("newer-version", "F-3", "version 0", text(&sealed(0, &fields()))),
        one("newer-version", "F-4", "an unknown field that must be understood", with(&[field(0x07, b"x")])),
        one("newer-version", "F-36", "a kind of link nobody knows", with(&[field(0x06, &[2])])),
        one("field", "F-36", "a kind of no bytes", with(&[field(0x06, b"")])),
        one("field", "F-36", "two kinds", with(&[field(0x06, &[1]), field(0x06, &[1])])),
        one("newer-version", "F-4", "field 0", with(&[field(0x00, b"")])),
        one("field", "F-3", "no secret", instead(0, None)),
        one("field", "F-3", "no owner key", instead(1, None)),
        one("field", "F-3", "no account", instead(2, None)),
        one("field", "F-3", "no network", instead(3, None)),
        one("field", "F-3", "no end", instead(4, None)),
        one("field", "F-3", "the secret twice", with(&[field(1, &[0x21; 32])])),
        one("field", "F-3", "a secret of 31 bytes", instead(0, Some(field(1, &[0x21; 31])))),
        one("field", "F-3", "an owner key of 33 bytes", instead(1, Some(field(2, &[9; 33])))),
        one("field", "F-3", "an account of no bytes", instead(2, Some(field(3, b"")))),
        one("field", "F-3", "an end of four bytes", instead(4, Some(field(5, &[0, 0, 0, 1])))),
        one("field", "F-3", "a name that is not UTF-8", with(&[field(0x80, &[0xff, 0xfe])])),
        one("field", "F-3", "a name of 129 bytes", with(&[field(0x80, &[b'x'; 129])])),
        one("field", "F-3", "two names", with(&[field(0x80, b"a"), field(0x80, b"b")])),
        one("field", "F-3", "a field that runs past the end", text(&sealed(1, &beyond))),
        one("field", "F-3", "half a field head", text(&sealed(1, &[fields(), vec![vec![0x90, 0]]].concat()))),
    ])
}

fn file() -> Value {
    json!({ "chapter": "spec/08-contacts.md", "good": good(), "bad": bad() })
}

fn class_of(error: &LinkError) -> &'static str {
    match error {
        LinkError::NotALink => "not-a-link",
        LinkError::Encoding => "encoding",
        LinkError::Checksum => "checksum",
        LinkError::NewerVersion => "newer-version",
        LinkError::Field { .. } => "field",
        LinkError::TooLong => "too-long",
    }
}

fn stored() -> Value {
    serde_json::from_slice(&std::fs::read(path()).unwrap()).unwrap()
}

#[test]
fn the_stored_invite_vectors_are_the_ones_built_here() {
    assert!(stored() == file(), "spec/vectors/invite.json is not what this code makes of the same keys");
}

#[test]
fn every_good_link_reads_as_the_file_says() {
    for vector in stored()["good"].as_array().unwrap() {
        let link: InviteLink =
            vector["text"].as_str().unwrap().parse().unwrap_or_else(|e| panic!("{vector}: {e}"));
        let out = &vector["out"];
        assert_eq!(hex::encode(link.to_bytes()), vector["bytes"], "{}", vector["name"]);
        assert_eq!(link.id().to_string(), out["id"]);
        assert_eq!(hex::encode(link.secret), out["secret"]);
        assert_eq!(hex::encode(link.owner.as_bytes()), out["owner"]);
        assert_eq!(link.account.to_string(), out["account"]);
        assert_eq!(link.network.to_string(), out["network"]);
        assert_eq!(link.expires.0, out["expires"].as_u64().unwrap());
        assert_eq!(link.public, out["public"]);
        assert_eq!(link.name.as_deref(), out["name"].as_str());
        let hints: Vec<Value> = link.hints.iter().map(|h| json!([h.key.to_string(), h.addrs[0].0])).collect();
        assert_eq!(json!(hints), out["hints"]);
    }
}

#[test]
fn every_bad_link_fails_in_its_class() {
    let mut seen = BTreeSet::new();
    for vector in stored()["bad"].as_array().unwrap() {
        let error =
            vector["text"].as_str().unwrap().parse::<InviteLink>().expect_err(&vector["name"].to_string());
        assert_eq!(class_of(&error), vector["class"], "{}", vector["name"]);
        assert!(!error.hint().is_empty());
        seen.insert(class_of(&error));
    }
    assert_eq!(seen, CLASSES.into_iter().collect(), "every class has a vector");
}

#[test]
#[ignore = "writes the file; run it after a change of the format"]
fn write_invite_vectors() {
    let mut text = serde_json::to_string_pretty(&file()).unwrap();
    text.push('\n');
    std::fs::write(path(), text).unwrap();
}
