//! `spec/vectors/mailbox.json`: what another implementation is held to.
//!
//! Each vector names its rule, its kind and its input; a good one its outcome, a bad one the single thing it breaks
//! and the failure class. `MURRE_WRITE_VECTORS=1` writes the file anew from `good_ones` and `bad_vectors`.
#![allow(clippy::disallowed_methods, reason = "the vectors are a file")]

use crate::support::{NOW, PARAMS, Pair, descriptor, node, pair, rng};
use crate::{bad_vectors, frames};
use murre_core::codec;
use murre_core::id::{BoxId, Bytes};
use murre_crypto::{Secret, SignedError};
use murre_mailbox::placement::position;
use murre_mailbox::receipt::{self, Expected};
use murre_mailbox::{
    BoxError, Descriptor, DoorError, Frame, MailboxAddress, MailboxKind, NetworkError, NetworkFile,
    PairSecret, ReadKind, ReaderKeys, Receipt, ReceiptError, RequestError, SealedBox, SignedObject,
    SignedRead, TagPublic, Tombstone, WriteGrant, check_read, join_puzzle, tag_at,
};
use serde_json::{Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/mailbox.json");

/// The network of all vectors.
pub fn file() -> NetworkFile {
    NetworkFile::new("vectors", PARAMS)
}

struct In<'a>(&'a Value);

impl In<'_> {
    fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.0[name].as_str().unwrap()).unwrap()
    }

    fn b32(&self, name: &str) -> [u8; 32] {
        self.bytes(name).try_into().unwrap()
    }

    fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap()
    }

    fn expected(&self) -> Expected {
        Expected {
            id: BoxId::from_bytes(self.b32("id")),
            hash: self.b32("hash"),
            expiry_hour: self.number("hour") as u32,
            epoch: self.number("epoch"),
        }
    }
}

type Outcome = Result<Value, &'static str>;

fn signed_class(e: &SignedError) -> &'static str {
    match e {
        SignedError::Codec(_) => "malformed",
        SignedError::IllFormed => "ill-formed",
        SignedError::Signature(_) => "signature",
    }
}

fn box_class(e: &BoxError) -> &'static str {
    match e {
        BoxError::Codec(_) => "malformed",
        BoxError::Version { .. } => "version",
        BoxError::Place(_) => "place",
        BoxError::Size { .. } => "size",
        BoxError::Expiry { .. } => "expiry",
        BoxError::DoorIndex { .. } => "door-index",
        BoxError::Certificate => "certificate",
        BoxError::Signature => "signature",
    }
}

fn object_class(e: &DoorError) -> &'static str {
    match e {
        DoorError::Signed(e) => signed_class(e),
        DoorError::Slots { .. } => "slots",
        DoorError::Payload { .. } => "payload",
        DoorError::Certificate { .. } => "certificate",
        DoorError::Expiry { .. } => "expiry",
        DoorError::NotADoor | DoorError::NotOwner => "place",
    }
}

fn network_class(e: &NetworkError) -> &'static str {
    match e {
        NetworkError::Codec(_) => "malformed",
        NetworkError::Version { .. } => "version",
        NetworkError::Name => "name",
        NetworkError::Param { .. } => "parameter",
    }
}

fn run(kind: &str, input: &In<'_>) -> Outcome {
    match kind {
        "place" => place(input),
        "tag" => tag(input),
        "box" => sealed(input),
        "open" => open(input),
        "object" => object(input),
        "receipt" => {
            let receipt = Receipt::from_bytes(&input.bytes("wire")).map_err(|_| "malformed")?;
            let node = receipt::check(receipt, &input.expected()).map_err(|e| match e {
                ReceiptError::Signed(e) => signed_class(&e),
                ReceiptError::Other => "other",
            })?;
            Ok(json!({ "node": node.to_string() }))
        }
        "read" => {
            let read = SignedRead::from_bytes(&input.bytes("wire")).map_err(|_| "malformed")?;
            let body =
                check_read(read, murre_core::Wall(input.number("now")), &PARAMS).map_err(|e| match e {
                    RequestError::Signed(e) => signed_class(&e),
                    RequestError::Time { .. } => "time",
                    RequestError::Place(_) | RequestError::OtherNode => "place",
                })?;
            Ok(json!({ "locator": body.place.locator().to_string(), "epoch": body.e }))
        }
        "tombstone" => {
            let stone = Tombstone::from_bytes(&input.bytes("wire")).map_err(|_| "malformed")?;
            let body = stone.verify().map_err(|e| signed_class(&e))?;
            Ok(json!({ "locator": body.place.locator().to_string(), "boxes": body.ids.len() }))
        }
        "network" => {
            let file = NetworkFile::decode(&input.bytes("wire")).map_err(|e| network_class(&e))?;
            Ok(json!({ "id": file.id().to_string(), "name": file.name }))
        }
        "descriptor" => descriptor_of(input),
        "frame" => {
            Frame::decode(&input.bytes("wire")).map_err(|e| match e {
                murre_mailbox::FrameError::Family => "family",
                murre_mailbox::FrameError::Codec(_) => "malformed",
            })?;
            Ok(json!({}))
        }
        other => panic!("unknown kind {other}"),
    }
}

fn place(input: &In<'_>) -> Outcome {
    let address: MailboxAddress = codec::decode(&input.bytes("address"), 512).map_err(|_| "malformed")?;
    let place = address.at(input.number("epoch")).map_err(|e| match e {
        murre_mailbox::AddressError::Point => "point",
        murre_mailbox::AddressError::Owner => "place",
    })?;
    let out = json!({
        "offset": address.offset(&PARAMS),
        "place": hex::encode(codec::encode(&place)),
        "locator": place.locator().to_string(),
    });
    Ok(out)
}

fn tag(input: &In<'_>) -> Outcome {
    let tag = TagPublic(murre_crypto::BlindPublic::from_bytes(input.b32("tag")));
    let pair = PairSecret::from_bytes(input.b32("pair"));
    let tag = tag_at(&pair, &tag, input.number("epoch")).map_err(|_| "point")?;
    Ok(json!({ "tag": hex::encode(tag.as_bytes()) }))
}

fn sealed(input: &In<'_>) -> Outcome {
    let parsed = SealedBox::parse(&input.bytes("wire")).map_err(|e| box_class(&e))?;
    let b = parsed.verify(&PARAMS).map_err(|e| box_class(&e))?;
    Ok(json!({
        "id": b.id().to_string(),
        "locator": b.locator().to_string(),
        "epoch": b.epoch(),
        "tag": hex::encode(b.tag().as_bytes()),
        "index": b.index(),
        "hour": b.expiry_hour(),
        "class": b.class(),
        "hash": hex::encode(b.hash()),
    }))
}

fn open(input: &In<'_>) -> Outcome {
    let b = SealedBox::parse(&input.bytes("wire")).unwrap().verify(&PARAMS).unwrap();
    let pair = PairSecret::from_bytes(input.b32("pair"));
    let reader = ReaderKeys::generate(MailboxKind::Group, &mut rng(1));
    let plain = reader.open_box(&pair, b.epoch(), &b).map_err(|_| "open")?;
    Ok(json!({ "plain": hex::encode(plain) }))
}

fn object(input: &In<'_>) -> Outcome {
    let parsed = SignedObject::parse(&input.bytes("wire")).map_err(|e| object_class(&e))?;
    let o = parsed.verify(&PARAMS).map_err(|e| object_class(&e))?;
    Ok(json!({
        "id": o.id().to_string(),
        "locator": o.locator().to_string(),
        "slots": o.slots.len(),
        "paid": o.paid,
        "hash": hex::encode(o.hash()),
    }))
}

fn descriptor_of(input: &In<'_>) -> Outcome {
    let d = Descriptor::from_bytes(&input.bytes("wire")).map_err(|_| "malformed")?;
    let body = d.verify().map_err(|e| signed_class(&e))?;
    if body.net != file().id() {
        return Err("network");
    }
    if !join_puzzle(&file(), &body.key).check(&body.join) {
        return Err("puzzle");
    }
    Ok(json!({ "key": body.key.to_string(), "position": hex::encode(position(&body.join, &body.key, 1)) }))
}

/// A good vector whose outcome is what the functions say now.
fn good(rule: &str, kind: &str, name: &str, input: Value) -> Value {
    let out = run(kind, &In(&input)).unwrap_or_else(|class| panic!("{name}: {class}"));
    json!({ "rule": rule, "kind": kind, "name": name, "in": input, "out": out })
}

fn wire(bytes: &[u8]) -> Value {
    json!({ "wire": hex::encode(bytes) })
}

/// The grant of a pair's only writer, made anew.
pub fn grant(p: &Pair) -> WriteGrant {
    let certs = p.keys.renew(&p.secret, &p.tag.public(), p.epoch, 1).unwrap();
    WriteGrant { to: p.keys.address(), p: Bytes(*p.secret.expose()), t: None, certs }
}

fn good_ones() -> Vec<Value> {
    let kinds = [MailboxKind::Account, MailboxKind::Group, MailboxKind::Drop, MailboxKind::Door];
    let mut out = Vec::new();
    for (n, kind) in kinds.into_iter().enumerate() {
        let p = pair(kind, n as u8);
        let address = hex::encode(codec::encode(&p.keys.address()));
        for epoch in [0, p.epoch, u64::from(u32::MAX)] {
            out.push(good("B-2", "place", "a place", json!({ "address": address, "epoch": epoch })));
        }
        let b = p.writer.seal_box(p.epoch, 0, p.expiry, b"murre").unwrap();
        out.push(good("B-4", "box", "a box of one cell", wire(b.wire())));
        let pair = hex::encode(p.secret.expose());
        let input = json!({ "wire": hex::encode(b.wire()), "pair": pair });
        out.push(good("B-10", "open", "its plaintext", input));
        let tag = hex::encode(p.tag.public().0.as_bytes());
        out.push(good("B-3", "tag", "a tag", json!({ "tag": tag, "pair": pair, "epoch": p.epoch })));
    }
    let p = pair(MailboxKind::Account, 0);
    let reader = p.keys.at(p.epoch).unwrap();
    let of =
        Expected::from(&p.writer.seal_box(p.epoch, 0, p.expiry, b"murre").unwrap().verify(&PARAMS).unwrap());
    out.push(good("B-13", "receipt", "a receipt", about(&receipt::issue(&node(1), &of).bytes(), &of)));
    let read = reader.sign_read(NOW, ReadKind::Get { ids: vec![of.id] });
    out.push(good("B-18", "read", "a get", json!({ "wire": hex::encode(read.bytes()), "now": NOW.0 })));
    let stone = reader.sign_tombstone(vec![of.id]).unwrap();
    out.push(good("B-20", "tombstone", "a tombstone", wire(&stone.bytes())));
    out.push(good("B-15", "object", "a door of two slots", wire(&door_object().wire())));
    let paid = door().paid_object(&Secret::new([3; 32]), 2, NOW.hour() + 700, vec![8; 30]).unwrap();
    out.push(good("B-25", "object", "a paid door of two slots", wire(&paid.wire())));
    out.push(good("N-1", "network", "the network of these vectors", wire(&file().bytes())));
    out.push(good("N-1", "network", "a devnet", wire(&NetworkFile::devnet().bytes())));
    let d = descriptor(&file(), &node(1), &["/ip4/20.1.2.3/udp/9/quic-v1"], NOW);
    out.push(good("N-5", "descriptor", "a node", wire(&d.bytes())));
    for body in frames::requests() {
        let frame = Frame::Request { id: 1, body }.encode();
        out.push(good("B-22", "frame", "a request", wire(&frame)));
    }
    out
}

/// A receipt's bytes and what it must be about.
pub fn about(wire: &[u8], of: &Expected) -> Value {
    json!({
        "wire": hex::encode(wire),
        "id": of.id.to_string(),
        "hash": hex::encode(of.hash),
        "hour": of.expiry_hour,
        "epoch": of.epoch,
    })
}

/// An owner object with two slots.
pub fn door_object() -> SignedObject {
    door().object(&Secret::new([3; 32]), 2, NOW.hour() + 700, vec![8; 30]).unwrap()
}

/// The keys of a door at the moment of the vectors.
fn door() -> murre_mailbox::EpochReader {
    let door = ReaderKeys::from_secret(MailboxKind::Door, &Secret::new([3; 32]))
        .with_owner(murre_crypto::BlindKey::generate(&mut rng(1)));
    door.at(door.address().epoch_at(NOW, &PARAMS)).unwrap()
}

#[test]
fn every_vector_in_the_file_has_the_outcome_it_names() {
    let file: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let (mut good, mut bad) = (0, 0);
    for vector in file["vectors"].as_array().unwrap() {
        let outcome = run(vector["kind"].as_str().unwrap(), &In(&vector["in"]));
        match vector["class"].as_str() {
            Some(class) => {
                assert_eq!(outcome, Err(class), "{}", vector["breaks"]);
                bad += 1;
            }
            None => {
                assert_eq!(outcome.as_ref(), Ok(&vector["out"]), "{}", vector["name"]);
                good += 1;
            }
        }
    }
    assert!(good >= 35 && bad >= 30, "{good} good and {bad} bad vectors");
}

#[test]
fn the_file_is_what_the_code_would_write_today() {
    let mut vectors = good_ones();
    vectors.extend(bad_vectors::all());
    let network = hex::encode(file().bytes());
    let file = json!({ "chapter": "spec/05-mailbox.md, spec/06-network.md", "network": network, "vectors": vectors });
    if std::env::var_os("MURRE_WRITE_VECTORS").is_some() {
        std::fs::write(FILE, format!("{}\n", serde_json::to_string_pretty(&file).unwrap())).unwrap();
    }
    let on_disk: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    assert!(on_disk == file, "the code no longer does what the vectors say, or a vector was added");
}
