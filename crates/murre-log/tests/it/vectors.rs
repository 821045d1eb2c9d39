//! `spec/vectors/log.json`: built here from fixed keys, compared with the file, and judged from its bytes alone.
//!
//! To write the file after a change of the format: `cargo test -p murre-log -- --ignored write_vectors`.

#![allow(clippy::disallowed_methods, reason = "vectors are files beside the chapters")]

use crate::world::{Device, LOG, STATE, key, rng, root, sign};
use murre_core::id::{Bytes, EntryId, LogId};
use murre_core::{Label, codec};
use murre_crypto::{AuthorKey, Signature};
use murre_log::link::{entry_cid, skip_target};
use murre_log::pack::padded_len;
use murre_log::{Accept, Entry, Header, Link, Pack, Packet, Signal, VerifiedEntry, WireSecret, message_id};
use serde::Serialize;
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Written out, so that a change of the constant shows here.
const HEADER_LABEL: Label = Label::new("murre v1 log header");

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/log.json")
}

/// Any header bytes over any body, signed as an entry is.
fn raw(header: Vec<u8>, key: &AuthorKey, body: &[u8]) -> Vec<u8> {
    let sig = key.sign(HEADER_LABEL, &header);
    codec::encode(&(ByteBuf::from(header), sig, ByteBuf::from(body.to_vec())))
}

/// A whole header over a body, whatever rules it breaks.
fn any(header: &Header, key: &AuthorKey) -> Vec<u8> {
    Entry::sign(header, key, b"body".to_vec()).wire()
}

/// Five entries of one author, two of another that saw the third.
fn story() -> Vec<VerifiedEntry> {
    let mut device = Device::new();
    let mut out = Vec::new();
    for n in 0..3u8 {
        out.push(device.write(&key(1), &[n; 4]).unwrap());
    }
    out.push(device.write(&key(2), b"I am here").unwrap());
    for n in 3..5u8 {
        out.push(device.write(&key(1), &[n; 4]).unwrap());
    }
    out.push(device.write(&key(2), b"and still").unwrap());
    out
}

fn good() -> Value {
    let entries = story();
    let mut device = Device::new();
    for entry in &entries {
        device.accept(entry);
    }
    let list: Vec<Value> = entries
        .iter()
        .map(|e| {
            json!({
                "bytes": hex::encode(e.wire()),
                "id": e.id().to_string(),
                "cid": entry_cid(&e.id()).to_string(),
                "by": e.header().by.to_string(),
                "seq": e.header().seq,
                "time": e.header().time,
                "skip": e.header().skip.map(|s| s.s),
            })
        })
        .collect();
    let seen = device.seen();
    let pack = Pack::new(vec![b"hello".to_vec(), b"world".to_vec()], &mut rng(9)).unwrap();
    let c = pack.commitment();
    let secret = WireSecret::from_bytes([0x42; 32]);
    let packet = Packet::Entry(entries[0].to_entry());
    let signal = Signal::sign(LOG, STATE, &key(1), b"typing".to_vec(), &mut rng(5));
    let frontier: Vec<Value> = seen.frontier.iter().map(|(by, seq)| json!([by.to_string(), seq])).collect();
    let order: Vec<String> = seen.order.iter().map(ToString::to_string).collect();
    let heads: Vec<String> = seen.heads.iter().map(|l| l.h.to_string()).collect();
    let skip: Vec<Option<u32>> = (0..45).map(skip_target).collect();
    let padded = [1, 128, 129, 2048, 2049, 2560, 4097, 16_384, 16_385, 81_920].map(|n| [n, padded_len(n)]);
    let messages = [0u16, 1].map(|i| message_id(LOG, &c, i).to_string());
    json!({
        "entries": list,
        "order": order,
        "heads": heads,
        "frontier": frontier,
        "skip": skip,
        "padded": padded,
        "pack": {
            "log": LOG.to_string(),
            "bytes": hex::encode(pack.encode_padded()),
            "c": hex::encode(c),
            "messages": messages,
        },
        "sealed": {
            "secret": hex::encode([0x42u8; 32]),
            "week": 2_900,
            "packet": hex::encode(packet.encode()),
            "bytes": hex::encode(packet.seal(&secret, 2_900)),
        },
        "signal": { "bytes": hex::encode(signal.wire()), "id": hex::encode(signal.id()), "body": hex::encode("typing") },
    })
}

/// One broken thing each: (name, what the bytes are, bytes, failure class).
type Bad = (&'static str, &'static str, Vec<u8>, &'static str);

/// The same map with one more field.
fn with_extra_field(header: &Header) -> Vec<u8> {
    let mut bytes = header.encode();
    // A map of 12 becomes a map of 13; `x` is shorter than every key but `c` and `v` and sorts after both.
    bytes[0] += 1;
    let at = bytes.windows(2).position(|w| w == [0x61, b'v']).unwrap() + 3;
    bytes.splice(at..at, [0x61, b'x', 0x00]);
    bytes
}

fn bad_forms() -> Vec<Bad> {
    let k = key(1);
    let plain = root(&k);
    let whole = any(&plain, &k);
    let mut header = plain.clone();
    header.cover(b"body");
    let bytes = header.encode();
    let mut long_int = bytes.clone();
    let at = long_int.windows(2).position(|w| w == [0x61, b'v']).unwrap() + 2;
    long_int.splice(at..=at, [0x18, 0x01]);
    let mut long_body = whole[..whole.len() - 5].to_vec();
    long_body.extend_from_slice(b"\x58\x04body");
    let parts = |sig: [u8; 64], body: &[u8]| {
        let sig = Signature::from_bytes(sig);
        codec::encode(&(ByteBuf::from(bytes.clone()), sig, ByteBuf::from(body.to_vec())))
    };
    let sig = *k.sign(HEADER_LABEL, &bytes).as_bytes();
    let mut flipped = sig;
    flipped[40] ^= 1;
    let other_label = *k.sign(Label::new("murre v1 log signal"), &bytes).as_bytes();
    let mut raw_cid = crate::world::after(&sign(&plain, &k, b"0")).encode();
    let at = raw_cid.windows(3).position(|w| w == [0x01, 0x71, 0x1e]).unwrap() + 1;
    raw_cid[at] = 0x55;
    vec![
        ("a byte after the end", "entry", [whole.as_slice(), &[0]].concat(), "wire"),
        ("the last byte missing", "entry", whole[..whole.len() - 1].to_vec(), "wire"),
        ("the body's length in a longer form", "entry", long_body, "wire"),
        ("4,097 bytes of header", "entry", raw(vec![0x60; 4_097], &k, b"body"), "too-long"),
        ("an unknown field", "entry", raw(with_extra_field(&header), &k, b"body"), "header"),
        ("a number in a longer form", "entry", raw(long_int, &k, b"body"), "header"),
        ("a link to a raw block", "entry", raw(raw_cid, &k, b"body"), "header"),
        ("a flipped bit in the signature", "entry", parts(flipped, b"body"), "signature"),
        ("signed for another purpose", "entry", parts(other_label, b"body"), "signature"),
        ("signed by another key", "entry", any(&plain, &key(2)), "signature"),
        ("another body", "entry", parts(sig, b"bodx"), "body"),
        ("a longer body", "entry", parts(sig, b"body\0"), "body"),
        (
            "a wrong body length",
            "entry",
            raw(Header { bl: 5, ..header.clone() }.encode(), &k, b"body"),
            "body",
        ),
        (
            "a body length over the limit",
            "entry",
            raw(Header { bl: (1 << 20) + 1, ..header.clone() }.encode(), &k, b"body"),
            "body-length",
        ),
    ]
}

fn bad_rules() -> Vec<Bad> {
    let k = key(1);
    let plain = root(&k);
    let story = story();
    let [zero, one, two] = [&story[0], &story[1], &story[2]];
    let second = crate::world::after(zero);
    let third = crate::world::after(one);
    let fourth = crate::world::after(two);
    let far = |n: u8| Link { a: Bytes([n; 8]), s: 0, h: EntryId::from_bytes([n; 32]) };
    let next = |n: Vec<Link>| any(&Header { next: n, time: 2, ..plain.clone() }, &k);
    let foreign = Link { a: Bytes([9; 8]), ..zero.link() };
    vec![
        ("version 2", "entry", any(&Header { v: 2, ..plain.clone() }, &k), "version"),
        ("number 1 without prev", "entry", any(&Header { prev: None, ..second.clone() }, &k), "prev"),
        ("number 0 with prev", "entry", any(&Header { seq: 0, ..second.clone() }, &k), "prev"),
        (
            "prev two numbers back",
            "entry",
            any(&Header { prev: Some(zero.link()), ..third.clone() }, &k),
            "prev",
        ),
        (
            "prev of another author",
            "entry",
            any(&Header { prev: Some(foreign), ..second.clone() }, &k),
            "prev",
        ),
        ("17 parents in next", "entry", next((1..=17).map(far).collect()), "next"),
        ("next unsorted", "entry", next(vec![far(2), far(1)]), "next"),
        ("a parent twice in next", "entry", next(vec![far(1), far(1)]), "next"),
        (
            "prev again in next",
            "entry",
            any(&Header { next: vec![zero.link()], ..second.clone() }, &k),
            "next",
        ),
        ("number 3 without skip", "entry", any(&fourth, &k), "skip"),
        (
            "number 2 with a skip",
            "entry",
            any(&Header { skip: Some(zero.link()), ..third.clone() }, &k),
            "skip",
        ),
        (
            "skip to a wrong number",
            "entry",
            any(&Header { skip: Some(one.link()), ..fourth.clone() }, &k),
            "skip",
        ),
        (
            "skip to another author",
            "entry",
            any(&Header { skip: Some(foreign), ..fourth.clone() }, &k),
            "skip",
        ),
        ("no parents and time 2", "entry", any(&Header { time: 2, ..plain.clone() }, &k), "time"),
        ("a parent and time 1", "entry", any(&Header { next: vec![far(1)], ..plain.clone() }, &k), "time"),
        ("number 2 at time 2", "entry", any(&Header { time: 2, ..third.clone() }, &k), "time"),
        // Against the good entries:
        ("time one too late", "log", any(&Header { time: 3, ..second.clone() }, &k), "time"),
        (
            "time below a parent in next",
            "log",
            any(&Header { next: vec![story[6].link()], ..second.clone() }, &k),
            "time",
        ),
        (
            "skip to no entry of the chain",
            "log",
            any(
                &Header { skip: Some(Link { h: EntryId::from_bytes([1; 32]), ..zero.link() }), ..fourth },
                &k,
            ),
            "skip",
        ),
        (
            "an entry of another log",
            "log",
            any(&Header { log: LogId::from_bytes([0x99; 32]), ..plain.clone() }, &k),
            "wrong-log",
        ),
    ]
}

fn bad_beside() -> Vec<Bad> {
    let k = key(1);
    let good = Pack::new(vec![b"hello".to_vec(), b"world".to_vec()], &mut rng(9)).unwrap().encode_padded();
    let mut dirty = good.clone();
    *dirty.last_mut().unwrap() = 1;
    let mut short = good.clone();
    short[3] -= 1;
    #[derive(Serialize)]
    struct Loose {
        c: ByteBuf,
        s: Bytes<16>,
    }
    let pack = |sizes: &[usize]| {
        let items: Vec<Loose> =
            sizes.iter().map(|n| Loose { c: ByteBuf::from(vec![b'x'; *n]), s: Bytes([7; 16]) }).collect();
        let inner = codec::encode(&items);
        let mut out = [&(inner.len() as u32).to_be_bytes()[..], &inner].concat();
        out.resize(padded_len(out.len()), 0);
        out
    };
    let secret = WireSecret::from_bytes([0x42; 32]);
    let packet = Packet::Entry(sign(&root(&k), &k, b"body").to_entry());
    let sealed = packet.seal(&secret, 2_900);
    let flip = |at: usize| {
        let mut bytes = sealed.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut unknown = packet.encode();
    unknown[2] = b'z';
    let signal = Signal::sign(LOG, STATE, &k, b"typing".to_vec(), &mut rng(5)).wire();
    let mut other_body = signal.clone();
    *other_body.last_mut().unwrap() ^= 1;
    vec![
        ("padding that is not zero", "pack", dirty, "padding"),
        ("a length that leaves bytes over", "pack", short, "padding"),
        ("no rung of the ladder", "pack", [good.as_slice(), &[0]].concat(), "padding"),
        ("no content", "pack", pack(&[]), "pack-count"),
        ("65 contents", "pack", pack(&[1; 65]), "pack-count"),
        ("two contents over 16 KiB together", "pack", pack(&[16_384, 1]), "pack-too-long"),
        ("another week", "sealed", flip(3), "seal"),
        ("a flipped nonce", "sealed", flip(20), "seal"),
        ("a flipped ciphertext", "sealed", flip(60), "seal"),
        ("too short for a nonce", "sealed", sealed[..27].to_vec(), "too-long"),
        ("an unknown kind of packet", "packet", unknown, "packet"),
        ("an entry as a signal", "signal", any(&root(&k), &k), "header"),
        ("a signal with another body", "signal", other_body, "body"),
        ("a signal as an entry", "entry", signal, "header"),
    ]
}

fn build() -> Value {
    let bad: Vec<Value> = [bad_forms(), bad_rules(), bad_beside()]
        .into_iter()
        .flatten()
        .map(|(name, kind, bytes, class)| json!({ "name": name, "kind": kind, "bytes": hex::encode(bytes), "class": class }))
        .collect();
    json!({ "chapter": "03-log", "log": LOG.to_string(), "good": good(), "bad": bad })
}

fn file() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}

#[test]
#[ignore = "writes spec/vectors/log.json"]
fn write_vectors() {
    let text = serde_json::to_string_pretty(&build()).unwrap();
    std::fs::write(path(), text + "\n").unwrap();
}

#[test]
fn the_file_is_what_this_code_builds() {
    let (file, built) = (file(), build());
    assert_eq!(file["good"], built["good"]);
    assert_eq!(file, built);
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn loaded() -> (Device, Vec<VerifiedEntry>) {
    let mut device = Device::new();
    let entries: Vec<VerifiedEntry> = file()["good"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| Entry::parse(&bytes(&v["bytes"])).unwrap().verify().unwrap())
        .collect();
    for entry in &entries {
        assert!(matches!(device.accept(entry), Accept::Accepted(_)));
    }
    (device, entries)
}

#[test]
fn good_vectors_are_accepted_with_their_values() {
    let file = file();
    let good = &file["good"];
    let (device, entries) = loaded();
    for (entry, v) in entries.iter().zip(good["entries"].as_array().unwrap()) {
        assert_eq!(v["id"], entry.id().to_string());
        assert_eq!(v["cid"], entry_cid(&entry.id()).to_string());
        assert_eq!((&v["seq"], &v["time"]), (&json!(entry.header().seq), &json!(entry.header().time)));
    }
    let order: Vec<String> = device.order().iter().map(ToString::to_string).collect();
    assert_eq!(good["order"], json!(order));
    let pack = Pack::decode(&bytes(&good["pack"]["bytes"])).unwrap();
    assert_eq!(good["pack"]["c"], hex::encode(pack.commitment()));
    let secret = WireSecret::from_bytes(bytes(&good["sealed"]["secret"]).try_into().unwrap());
    let packet = Packet::open(&secret, &bytes(&good["sealed"]["bytes"])).unwrap();
    assert_eq!(good["sealed"]["packet"], hex::encode(packet.encode()));
    let signal = Signal::parse(&bytes(&good["signal"]["bytes"])).unwrap().verify().unwrap();
    assert_eq!(good["signal"]["body"], hex::encode(signal.body()));
}

/// The failure class of some bytes, or "accepted".
fn class(kind: &str, bytes: &[u8], device: &mut Device) -> &'static str {
    let secret = WireSecret::from_bytes([0x42; 32]);
    match kind {
        "entry" => Entry::parse(bytes).and_then(Entry::verify).err().map_or("accepted", |e| e.class()),
        "log" => match device.accept(&Entry::parse(bytes).unwrap().verify().unwrap()) {
            Accept::Refused(refusal) => refusal.class(),
            _ => "accepted",
        },
        "pack" => Pack::decode(bytes).err().map_or("accepted", |e| e.class()),
        "packet" => Packet::decode(bytes).err().map_or("accepted", |e| e.class()),
        "sealed" => Packet::open(&secret, bytes).err().map_or("accepted", |e| e.class()),
        "signal" => Signal::parse(bytes).and_then(Signal::verify).err().map_or("accepted", |e| e.class()),
        other => panic!("unknown kind {other}"),
    }
}

#[test]
fn bad_vectors_fail_with_their_class() {
    let (mut device, _) = loaded();
    let before = device.store.rows.clone();
    let file = file();
    let bad = file["bad"].as_array().unwrap();
    assert!(bad.len() >= 40);
    for v in bad {
        let found = class(v["kind"].as_str().unwrap(), &bytes(&v["bytes"]), &mut device);
        assert_eq!(v["class"], found, "{}", v["name"]);
    }
    assert_eq!(device.store.rows, before, "nothing bad left a row");
}
