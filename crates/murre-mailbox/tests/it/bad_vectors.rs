//! Vectors that break one thing each.

use crate::support::{NOW, PARAMS, descriptor, node, pair};
use crate::vectors::{about, door_object, file, grant};
use murre_core::codec;
use murre_core::id::{BoxId, Bytes, NetworkId};
use murre_core::{Addr, NetworkParams};
use murre_crypto::puzzle::Solution;
use murre_crypto::{Signature, Signed};
use murre_mailbox::network::sign_descriptor;
use murre_mailbox::receipt::{self, Expected};
use murre_mailbox::{
    CertRun, DescriptorBody, Frame, MailboxAddress, MailboxKind, NetworkFile, ObjectBody, Place, ReadBody,
    ReadKind, Refusal, Reply, TombstoneBody, WriteGrant, Writer, join_puzzle,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};

fn bad(rule: &str, kind: &str, breaks: &str, class: &str, input: Value) -> Value {
    json!({ "rule": rule, "kind": kind, "breaks": breaks, "in": input, "class": class })
}

fn wire(bytes: &[u8]) -> Value {
    json!({ "wire": hex::encode(bytes) })
}

/// A box's or signed value's outer form, opened so that one thing can be changed.
#[derive(Clone, Serialize, Deserialize)]
struct Outer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h: Option<ByteBuf>,
    p: ByteBuf,
    s: Signature,
}

/// A box's head, likewise.
#[derive(Clone, Serialize, Deserialize)]
struct Head {
    at: Place,
    c: Signature,
    e: u64,
    i: u64,
    n: u8,
    t: murre_crypto::EpochPublic,
    v: u8,
    x: u32,
}

fn boxes() -> Vec<Value> {
    let p = pair(MailboxKind::Account, 0);
    let good = p.writer.seal_box(p.epoch, 0, p.expiry, b"murre").unwrap().wire().to_vec();
    let outer: Outer = codec::decode(&good, 10_000).unwrap();
    let head: Head = codec::decode(outer.h.as_ref().unwrap(), 1_000).unwrap();
    let with = |h: Head| codec::encode(&Outer { h: Some(ByteBuf::from(codec::encode(&h))), ..outer.clone() });
    let sealed = |g: &WriteGrant, e: u64, x: u32| {
        Writer::new(g, Some(&p.tag)).unwrap().seal_box(e, 0, x, b"murre").unwrap().wire().to_vec()
    };
    let own = grant(&p);
    let moved = WriteGrant { certs: CertRun { f: p.epoch + 1, c: own.certs.c.clone() }, ..own.clone() };
    let paired = WriteGrant { p: Bytes([9; 32]), ..own.clone() };
    let stranger = WriteGrant { to: pair(MailboxKind::Account, 9).keys.address(), ..own.clone() };
    let mut flipped = good.clone();
    flipped[1_000] ^= 1;
    let short = Outer { p: ByteBuf::from(outer.p[1..].to_vec()), ..outer.clone() };
    let group = Place { k: MailboxKind::Group, ..head.at };
    let bare = Place { d: None, ..head.at };
    let door = pair(MailboxKind::Door, 0);
    let second = door.writer.seal_box(door.epoch, 1, door.expiry, b"murre").unwrap();
    let cases = [
        ("B-4", "last byte missing", "malformed", good[..good.len() - 1].to_vec()),
        ("B-4", "one byte more", "malformed", [good.as_slice(), &[0]].concat()),
        ("B-4", "a bit of the payload", "signature", flipped),
        ("B-4", "version 2", "version", with(Head { v: 2, ..head.clone() })),
        ("B-4", "another index", "signature", with(Head { i: 1, ..head.clone() })),
        ("B-4", "another expiry hour", "signature", with(Head { x: head.x - 1, ..head.clone() })),
        ("B-2", "a group with an owner key", "place", with(Head { at: group, ..head.clone() })),
        ("B-2", "an account without owner key", "place", with(Head { at: bare, ..head.clone() })),
        ("B-5", "class 2", "size", with(Head { n: 2, ..head.clone() })),
        ("B-5", "class 4 with the payload of class 1", "size", with(Head { n: 4, ..head.clone() })),
        ("B-5", "payload one byte short", "size", codec::encode(&short)),
        ("B-6", "expiry before the epoch", "expiry", sealed(&own, p.epoch, p.expiry - 60 * 24)),
        ("B-6", "expiry long after the epoch", "expiry", sealed(&own, p.epoch, p.expiry + 60 * 24)),
        ("B-3", "certificate of the epoch before", "certificate", sealed(&moved, p.epoch + 1, p.expiry)),
        ("B-3", "certificate of another tag", "certificate", sealed(&paired, p.epoch, p.expiry)),
        ("B-3", "certificate of another mailbox", "certificate", sealed(&stranger, p.epoch, p.expiry)),
        ("B-8", "second box in a slot", "door-index", second.wire().to_vec()),
    ];
    let mut out: Vec<Value> =
        cases.into_iter().map(|(rule, breaks, class, b)| bad(rule, "box", breaks, class, wire(&b))).collect();
    let input = json!({ "wire": hex::encode(&good), "pair": hex::encode([9; 32]) });
    out.push(bad("B-10", "open", "another pair secret", "open", input));
    out
}

fn places() -> Vec<Value> {
    let address = pair(MailboxKind::Account, 0).keys.address();
    let mut low = [0; 32];
    low[0] = 1;
    let low = murre_crypto::BlindPublic::from_bytes(low);
    let cases = [
        ("reader key of small order", "point", MailboxAddress { m: low, ..address }),
        ("owner key of small order", "point", MailboxAddress { d: Some(low), ..address }),
        ("owner key missing", "place", MailboxAddress { d: None, ..address }),
        ("owner key in a drop", "place", MailboxAddress { k: MailboxKind::Drop, ..address }),
    ];
    let input = |a: &MailboxAddress| json!({ "address": hex::encode(codec::encode(a)), "epoch": 1 });
    cases.into_iter().map(|(breaks, class, a)| bad("B-2", "place", breaks, class, input(&a))).collect()
}

fn signed() -> Vec<Value> {
    let p = pair(MailboxKind::Account, 0);
    let reader = p.keys.at(p.epoch).unwrap();
    let of = Expected { id: BoxId::from_bytes([1; 32]), hash: [2; 32], expiry_hour: 3, epoch: 4 };
    let good = receipt::issue(&node(1), &of).bytes();
    let body = murre_mailbox::ReceiptBody { n: node(1).id(), b: of.id, h: Bytes(of.hash), x: 3, e: 4 };
    let forged = Signed::new(&body, |label, msg| node(2).sign(label, msg)).bytes();
    let mut out = vec![
        bad("B-13", "receipt", "signed by another node", "signature", about(&forged, &of)),
        bad("B-13", "receipt", "about another box", "other", about(&good, &Expected { hash: [3; 32], ..of })),
        bad("B-13", "receipt", "last byte missing", "malformed", about(&good[..good.len() - 1], &of)),
    ];
    let read = |bytes: &[u8], now: u64| json!({ "wire": hex::encode(bytes), "now": now });
    let get = reader.sign_read(NOW, ReadKind::Get { ids: vec![of.id] });
    let late = NOW.0 + PARAMS.skew_ms + 1;
    out.push(bad("B-18", "read", "a time too long ago", "time", read(&get.bytes(), late)));
    let body = ReadBody { place: reader.place, e: 1, t: NOW.0, kind: ReadKind::Get { ids: vec![] } };
    let owner = Signed::new(&body, |label, msg| reader.sign_owner(label, msg).unwrap());
    out.push(bad("B-18", "read", "signed by the owner key", "signature", read(&owner.bytes(), NOW.0)));
    let many = reader.sign_read(NOW, ReadKind::Get { ids: vec![of.id; 65] });
    out.push(bad("B-23", "read", "65 ids", "malformed", read(&many.bytes(), NOW.0)));
    let stone = TombstoneBody { place: reader.place, e: p.epoch, ids: vec![of.id] };
    let reader_stone = Signed::new(&stone, |label, msg| reader.sign_reader(label, msg));
    out.push(bad("B-20", "tombstone", "signed by the reader key", "signature", wire(&reader_stone.bytes())));
    let group = pair(MailboxKind::Group, 0).keys.at(1).unwrap();
    let stone = TombstoneBody { place: group.place, e: 1, ids: vec![of.id] };
    let stone = Signed::new(&stone, |label, msg| group.sign_reader(label, msg));
    out.push(bad("B-20", "tombstone", "in a group", "ill-formed", wire(&stone.bytes())));
    out
}

fn objects() -> Vec<Value> {
    let good = door_object();
    let outer: Outer = codec::decode(&good.wire(), 100_000).unwrap();
    let body: ObjectBody = codec::decode(&outer.p, 100_000).unwrap();
    let door = murre_mailbox::ReaderKeys::from_secret(MailboxKind::Door, &murre_crypto::Secret::new([3; 32]))
        .with_owner(murre_crypto::BlindKey::generate(&mut crate::support::rng(1)));
    let at = door.at(body.e).unwrap();
    let sign = |b: &ObjectBody| Signed::new(b, |label, msg| at.sign_owner(label, msg).unwrap()).bytes();
    let twice = vec![body.slots[0], body.slots[0]];
    let swapped = vec![(body.slots[0].0, body.slots[1].1)];
    let by_reader = Signed::new(&body, |label, msg| at.sign_reader(label, msg)).bytes();
    let bare = Place { d: None, ..body.place };
    let cases = [
        ("B-15", "version 2", "ill-formed", sign(&ObjectBody { v: 2, ..body.clone() })),
        ("B-15", "no owner key", "ill-formed", sign(&ObjectBody { place: bare, ..body.clone() })),
        ("B-15", "signed by a reader", "signature", by_reader),
        ("B-16", "a slot twice", "slots", sign(&ObjectBody { slots: twice, ..body.clone() })),
        (
            "B-16",
            "certificate of another slot",
            "certificate",
            sign(&ObjectBody { slots: swapped, ..body.clone() }),
        ),
        (
            "B-24",
            "a closed object that is paid",
            "payload",
            sign(&ObjectBody { slots: Vec::new(), p: Default::default(), paid: true, ..body.clone() }),
        ),
        (
            "B-6",
            "expiry long after the epoch",
            "expiry",
            sign(&ObjectBody { x: body.x + 1_440, ..body.clone() }),
        ),
    ];
    cases.into_iter().map(|(rule, breaks, class, b)| bad(rule, "object", breaks, class, wire(&b))).collect()
}

fn network() -> Vec<Value> {
    let file = file();
    let no_time = NetworkParams { epoch_ms: 0, ..PARAMS };
    let dear = NetworkParams { join: murre_core::params::PuzzlePrice { mem: 1 << 20, tries: 1 }, ..PARAMS };
    let files = [
        ("version 2", "version", NetworkFile { v: 2, ..file.clone() }),
        ("empty name", "name", NetworkFile { name: String::new(), ..file.clone() }),
        ("epochs of no length", "parameter", NetworkFile { params: no_time, ..file.clone() }),
        ("a puzzle that no phone has memory for", "parameter", NetworkFile { params: dear, ..file.clone() }),
    ];
    let mut out: Vec<Value> = files
        .into_iter()
        .map(|(breaks, class, f)| bad("N-2", "network", breaks, class, wire(&f.bytes())))
        .collect();
    let key = node(1);
    let join = join_puzzle(&file, &key.id()).solve(0, 10_000).unwrap();
    let unpaid = (0..).map(Solution).find(|s| !join_puzzle(&file, &key.id()).check(s)).unwrap();
    let body = DescriptorBody::new(file.id(), key.id(), vec![], NOW, join);
    let nodes = [
        (
            "N-4",
            "another network",
            "network",
            DescriptorBody { net: NetworkId::from_bytes([0; 32]), ..body.clone() },
        ),
        ("N-4", "another key", "signature", DescriptorBody { key: node(2).id(), ..body.clone() }),
        (
            "N-4",
            "a space in an address",
            "ill-formed",
            DescriptorBody { addrs: vec![Addr("/ip4 1".to_owned())], ..body.clone() },
        ),
        ("N-4", "version 2", "ill-formed", DescriptorBody { v: 2, ..body.clone() }),
        ("N-5", "unsolved puzzle", "puzzle", DescriptorBody { join: unpaid, ..body.clone() }),
    ];
    out.extend(nodes.into_iter().map(|(rule, breaks, class, b)| {
        bad(rule, "descriptor", breaks, class, wire(&sign_descriptor(&key, &b).bytes()))
    }));
    let cut = descriptor(&file, &key, &[], NOW).bytes();
    out.push(bad("N-4", "descriptor", "last byte missing", "malformed", wire(&cut[..cut.len() - 1])));
    out
}

fn frames() -> Vec<Value> {
    let good = Frame::Reply { id: 1, body: Reply::Refused(Refusal::Busy) }.encode();
    let family = [&[2], &good[1..]].concat();
    let version = [&[1, 2], &good[2..]].concat();
    let unknown = [good[..good.len() - 1].to_vec(), vec![b'z']].concat();
    let trailing = [good.as_slice(), &[0xf6]].concat();
    let many = Frame::Reply { id: 1, body: Reply::Get { boxes: vec![ByteBuf::new(); 65] } }.encode();
    let cases = [
        ("B-22", "another family", "family", family),
        ("B-22", "version 2", "family", version),
        ("B-22", "an unknown refusal", "malformed", unknown),
        ("B-22", "one value more", "malformed", trailing),
        ("B-23", "65 boxes", "malformed", many),
    ];
    cases.into_iter().map(|(rule, breaks, class, b)| bad(rule, "frame", breaks, class, wire(&b))).collect()
}

/// All of them.
pub fn all() -> Vec<Value> {
    [places(), boxes(), signed(), objects(), network(), frames()].concat()
}
