//! Vectors that must be refused. Each breaks one thing of a vector that is good.

use crate::flipped;
use crate::hpke::suite;
use crate::vector_good::{
    LABEL, MESSAGE, by_hand, bytes, hpke_input, point, puzzle_input, sealed_input, verify_input,
};
use crate::vectors::bad;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::{EdwardsPoint, Scalar};
use murre_core::id::DeviceId;
use murre_core::{Label, codec};
use murre_crypto::*;
use serde_json::{Value, json};
use x_wing::Decapsulate;

pub fn all() -> Vec<Value> {
    [names(), signatures(), certificates(), blinded(), sealed(), requests(), puzzles()].concat()
}

/// The vector with one field replaced.
fn with(input: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut out = input.clone();
    out[field] = value.into();
    out
}

fn field(input: &Value, name: &str) -> Vec<u8> {
    hex::decode(input[name].as_str().unwrap()).unwrap()
}

fn names() -> Vec<Value> {
    let words = Phrase::from_entropy(Secret::new([0; 32])).words();
    let text = |text: &str| json!({ "text": text });
    let phrase = |words: String| json!({ "words": words });
    vec![
        bad("C-1", "id-text", "upper case", "bad-id", text(&"AB".repeat(32))),
        bad("C-1", "id-text", "62 digits", "bad-id", text(&"ab".repeat(31))),
        bad("C-1", "id-text", "a space in front", "bad-id", text(&format!(" {}", "ab".repeat(32)))),
        bad("C-2", "phrase", "23 words", "word-count", phrase(words.rsplit_once(' ').unwrap().0.to_owned())),
        bad(
            "C-2",
            "phrase",
            "a word outside the list",
            "unknown-word",
            phrase(words.replacen("abandon", "murre", 1)),
        ),
        bad("C-2", "phrase", "one word wrong", "checksum", phrase(words.replacen("abandon", "zoo", 1))),
    ]
}

fn signatures() -> Vec<Value> {
    let (r, a) = (Scalar::from(77u64), Scalar::from(1234u64));
    let key = bytes(&point(1234));
    let input = by_hand(r, bytes(&point(77)), a, key);
    let class = "bad-signature";
    let sig = field(&input, "signature");
    // S + l: the same equation, another spelling. l = 2^252 + 277...; carried byte by byte.
    let mut malleated = sig.clone();
    let l_minus_1 = (Scalar::ZERO - Scalar::ONE).to_bytes();
    let mut carry = 1u16;
    for (byte, add) in malleated[32..].iter_mut().zip(l_minus_1) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry as u8;
        carry >>= 8;
    }
    let mut not_a_point = [0; 32];
    not_a_point[0] = 2;
    vec![
        bad("C-5", "verify", "another label", class, with(&input, "label", "murre v1 test other")),
        bad("C-5", "verify", "another message", class, with(&input, "message", hex::encode("b message"))),
        bad("C-7", "verify", "one bit of R", class, verify_input(&key, &flipped(&sig, 9))),
        bad("C-7", "verify", "one bit of S", class, verify_input(&key, &flipped(&sig, 300))),
        bad("C-7", "verify", "S not reduced", class, verify_input(&key, &malleated)),
        bad("C-7", "verify", "another key", class, verify_input(&bytes(&point(1235)), &sig)),
        bad("C-7", "verify", "the key is not a point", class, verify_input(&not_a_point, &sig)),
        bad("C-6", "verify", "key of order 8", class, under_a_weak_key(bytes(&EIGHT_TORSION[1]))),
        bad("C-6", "verify", "key is the identity", class, under_a_weak_key(bytes(&EdwardsPoint::default()))),
        bad("C-6", "verify", "key in a second encoding", class, under_a_weak_key(second_encoding(1))),
    ]
}

/// Signatures that ZIP-215 itself takes, so that only the test of the key can refuse them: under a key of small
/// order the nonce r is its own S, and order 8 leaves nothing of k after the cofactor.
fn under_a_weak_key(key: [u8; 32]) -> Value {
    let r = Scalar::from(77u64);
    let input = by_hand(r, bytes(&point(77)), Scalar::ZERO, key);
    let sig = ed25519_consensus::Signature::try_from(field(&input, "signature").as_slice()).unwrap();
    let signed = Label::new(LABEL).signed_bytes(MESSAGE);
    ed25519_consensus::VerificationKey::try_from(key)
        .unwrap()
        .verify(&sig, &signed)
        .expect("ZIP-215 takes it");
    input
}

/// y = p + `y`, which fits in 255 bits for y < 19: the second encoding of a point.
fn second_encoding(y: u8) -> [u8; 32] {
    let mut key = [0xff; 32];
    (key[0], key[31]) = (0xed + y, 0x7f);
    key
}

#[derive(serde::Serialize)]
struct Wire {
    p: serde_bytes::ByteBuf,
    s: Signature,
}

fn certificates() -> Vec<Value> {
    let account = AccountKey::from_secret(&Secret::new([1; 32]));
    let device = DeviceKey::from_secret(&Secret::new([2; 32])).id();
    let good = DeviceCertBody { v: 1, a: account.id(), d: device, f: 0 };
    let wire = |p: Vec<u8>| {
        let s = account.sign(DeviceCertBody::LABEL, &p);
        json!({ "bytes": hex::encode(codec::encode(&Wire { p: p.into(), s })) })
    };
    let ill = |what, body| bad("C-11", "device-cert", what, "ill-formed", wire(codec::encode(&body)));
    let payload = codec::encode(&good);
    // `v` is the last field: its one byte 01 may also be written 18 01.
    let mut long_form = payload.clone();
    long_form.truncate(payload.len() - 1);
    long_form.extend([0x18, 0x01]);
    // The map's head says five fields: x: 0 more.
    let mut extra = payload.clone();
    extra[0] += 1;
    extra.extend([0x61, b'x', 0x00]);
    let mut sig_flip =
        codec::encode(&Wire { p: payload.clone().into(), s: account.sign(DeviceCertBody::LABEL, &payload) });
    let last = sig_flip.len() - 1;
    sig_flip[last] ^= 1;
    let other = AccountKey::from_secret(&Secret::new([6; 32]));
    let forged = Signed::new(&good, |label, bytes| other.sign(label, bytes));
    vec![
        bad(
            "C-10",
            "device-cert",
            "signed by another account",
            "bad-signature",
            json!({ "bytes": hex::encode(forged.bytes()) }),
        ),
        bad(
            "C-10",
            "device-cert",
            "one bit of the signature",
            "bad-signature",
            json!({ "bytes": hex::encode(sig_flip) }),
        ),
        bad(
            "C-9",
            "device-cert",
            "an integer not in shortest form",
            non_canonical_class(&long_form),
            wire(long_form),
        ),
        bad("C-9", "device-cert", "an unknown field", "malformed", wire(extra)),
        bad("C-9", "device-cert", "payload over its limit", "too-long", wire(vec![0; 97])),
        ill("version 2", DeviceCertBody { v: 2, ..good }),
        ill("an unknown flag", DeviceCertBody { f: 2, ..good }),
        ill(
            "the device is the account",
            DeviceCertBody { d: DeviceId::from_bytes(*account.id().as_bytes()), ..good },
        ),
        ill("a device key of small order", DeviceCertBody { d: DeviceId::from_bytes([0; 32]), ..good }),
    ]
}

/// A strict decoder may notice a long integer itself or leave it to the comparison; both refuse it, and the file
/// names the class that this implementation gives.
fn non_canonical_class(payload: &[u8]) -> &'static str {
    match codec::decode::<DeviceCertBody>(payload, 96) {
        Err(codec::CodecError::NotCanonical) => "not-canonical",
        _ => "malformed",
    }
}

fn blinded() -> Vec<Value> {
    let key = |bytes: [u8; 32]| json!({ "public": hex::encode(bytes), "tweak": "04".repeat(32) });
    let mut not_a_point = [0; 32];
    not_a_point[0] = 2;
    let epoch = BlindKey::from_secret(&Secret::new([3; 32]));
    let sig = epoch.blind(&[4; 32]).sign(Label::new(LABEL), MESSAGE);
    let next = epoch.blind(&[5; 32]).public();
    let long_lived = epoch.public();
    vec![
        bad("C-14", "blind-public", "the identity", "bad-key", key(bytes(&EdwardsPoint::default()))),
        bad("C-14", "blind-public", "a point of order 8", "bad-key", key(bytes(&EIGHT_TORSION[1]))),
        bad(
            "C-14",
            "blind-public",
            "a point with a small-order part",
            "bad-key",
            key(bytes(&(point(5) + EIGHT_TORSION[1]))),
        ),
        bad("C-14", "blind-public", "not a point", "bad-key", key(not_a_point)),
        bad("C-14", "blind-public", "the identity in a second encoding", "bad-key", key(second_encoding(1))),
        bad(
            "C-15",
            "verify",
            "another epoch's key",
            "bad-signature",
            verify_input(next.as_bytes(), sig.as_bytes()),
        ),
        bad(
            "C-15",
            "verify",
            "the key that was blinded",
            "bad-signature",
            verify_input(long_lived.as_bytes(), sig.as_bytes()),
        ),
    ]
}

fn sealed() -> Vec<Value> {
    let good = sealed_input();
    let sealed = field(&good, "sealed");
    let open = |breaks, input| bad("C-16", "open", breaks, "does-not-open", input);
    vec![
        open("another key", with(&good, "key", "18".repeat(32))),
        open("another nonce", with(&good, "nonce", "19".repeat(24))),
        open("other associated data", with(&good, "aad", hex::encode("aid"))),
        open("one bit of the text", with(&good, "sealed", hex::encode(flipped(&sealed, 0)))),
        open(
            "one bit of the tag",
            with(&good, "sealed", hex::encode(flipped(&sealed, sealed.len() * 8 - 1))),
        ),
        open("shorter than a tag", with(&good, "sealed", hex::encode(&sealed[..15]))),
    ]
}

fn requests() -> Vec<Value> {
    let good = hpke_input();
    let sealed = field(&good, "sealed");
    let open = |rule, breaks, input| bad(rule, "hpke-open", breaks, "does-not-open", input);
    let changed = |bit| with(&good, "sealed", hex::encode(flipped(&sealed, bit)));
    vec![
        open("C-17", "another key", with(&good, "seed", "1a".repeat(32))),
        open("C-17", "other info", with(&good, "info", hex::encode("inf0"))),
        open("C-17", "other associated data", with(&good, "aad", hex::encode("aid"))),
        open("C-17", "one bit of the ML-KEM ciphertext", changed(8)),
        open("C-17", "the masked bit of the X25519 share", changed(1_120 * 8 - 1)),
        open("C-17", "one bit of the tag", changed(sealed.len() * 8 - 1)),
        open("C-17", "shorter than a KEM ciphertext", with(&good, "sealed", hex::encode(&sealed[..1_119]))),
        open(
            "C-18",
            "X25519 share of small order",
            with(&good, "sealed", hex::encode(small_order_share(&sealed))),
        ),
        bad(
            "C-17",
            "hpke-seal",
            "public key not reduced",
            "bad-key",
            json!({ "public": "ff".repeat(1_216) }),
        ),
    ]
}

/// A ciphertext that opens in every respect but that its X25519 share is zero: made with a decapsulation that
/// does not look at that.
fn small_order_share(sealed: &[u8]) -> Vec<u8> {
    let mut enc: [u8; 1_120] = sealed[..1_120].try_into().unwrap();
    enc[1_088..].fill(0);
    let shared = x_wing::DecapsulationKey::from([10; 32]).decapsulate(&enc.into());
    let mut context = suite().key_schedule(&shared, b"info", &[], &[]).unwrap();
    [enc.to_vec(), context.seal(b"aad", b"text").unwrap()].concat()
}

fn puzzles() -> Vec<Value> {
    let good = puzzle_input();
    let first: u64 = good["solution"].as_str().unwrap().parse().unwrap();
    assert!(first > 0, "no smaller number solves it, so the one before is no solution");
    vec![
        bad(
            "C-20",
            "puzzle",
            "the number before",
            "unsolved",
            with(&good, "solution", (first - 1).to_string()),
        ),
        bad("C-20", "puzzle", "many more tries expected", "unsolved", with(&good, "tries", u32::MAX)),
        bad("C-19", "puzzle", "memory below the least", "price-not-allowed", with(&good, "mem", 7)),
        bad("C-19", "puzzle", "memory above the most", "price-not-allowed", with(&good, "mem", 65_537)),
        bad("C-19", "puzzle", "no tries", "price-not-allowed", with(&good, "tries", 0)),
    ]
}
