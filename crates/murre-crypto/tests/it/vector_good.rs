//! Vectors that must be accepted.

use crate::vectors::good;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::{EdwardsPoint, Scalar};
use murre_core::{Label, Rng};
use murre_crypto::puzzle::Puzzle;
use murre_crypto::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

pub const LABEL: &str = "murre v1 test vector";
pub const MESSAGE: &[u8] = b"a message";

/// A signature made by hand: nonce point and scalar, key scalar, and the key's and nonce's bytes as given.
pub fn by_hand(r: Scalar, nonce_bytes: [u8; 32], a: Scalar, key_bytes: [u8; 32]) -> Value {
    let signed = Label::new(LABEL).signed_bytes(MESSAGE);
    let hash =
        Sha512::new().chain_update(nonce_bytes).chain_update(key_bytes).chain_update(&signed).finalize();
    let s = r + Scalar::from_bytes_mod_order_wide(&hash.into()) * a;
    let sig = [nonce_bytes, s.to_bytes()].concat();
    verify_input(&key_bytes, &sig)
}

pub fn verify_input(key: &[u8], sig: &[u8]) -> Value {
    json!({ "key": hex::encode(key), "label": LABEL, "message": hex::encode(MESSAGE), "signature": hex::encode(sig) })
}

pub fn point(scalar: u64) -> EdwardsPoint {
    EdwardsPoint::mul_base(&Scalar::from(scalar))
}

pub fn bytes(point: &EdwardsPoint) -> [u8; 32] {
    point.compress().to_bytes()
}

pub fn all() -> Vec<Value> {
    [names(), signatures(), blinded(), sealed()].concat()
}

fn names() -> Vec<Value> {
    let words = Phrase::from_entropy(Secret::new([0; 32])).words();
    let words2 = Phrase::from_entropy(Secret::new(std::array::from_fn(|i| i as u8))).words();
    let account = AccountKey::from_secret(&Secret::new([1; 32]));
    let device = DeviceKey::from_secret(&Secret::new([2; 32])).id();
    let cert = |add| hex::encode(DeviceCertBody::issue(&account, device, add).bytes());
    let (one, other) = ("01".repeat(32), "02".repeat(32));
    vec![
        good("C-2", "phrase", "entropy all zero", json!({ "words": *words })),
        good("C-2", "phrase", "entropy 00 to 1f", json!({ "words": *words2 })),
        good(
            "C-2",
            "phrase",
            "capitals and odd white space",
            json!({ "words": format!(" {}\n", words2.to_uppercase().replace(' ', "  ")) }),
        ),
        good("C-1", "id-text", "64 lower-case digits", json!({ "text": "0123456789abcdef".repeat(4) })),
        good("C-4", "author-key", "first log", json!({ "log_secret": "05".repeat(32), "log": one })),
        good("C-4", "author-key", "second log", json!({ "log_secret": "05".repeat(32), "log": other })),
        good("C-11", "device-cert", "may add devices", json!({ "bytes": cert(true) })),
        good("C-11", "device-cert", "may not", json!({ "bytes": cert(false) })),
    ]
}

fn signatures() -> Vec<Value> {
    let (r, a) = (Scalar::from(77u64), Scalar::from(1234u64));
    let torsion = EIGHT_TORSION[1];
    let sign =
        |message: &[u8]| json!({ "seed": "07".repeat(32), "label": LABEL, "message": hex::encode(message) });
    // y = 1 + p: the identity, spelled a second way. The signature is S = k*a with a nonce of zero.
    let mut identity_again = [0xff; 32];
    (identity_again[0], identity_again[31]) = (0xee, 0x7f);
    vec![
        good("C-5", "sign", "empty message", sign(b"")),
        good("C-5", "sign", "short message", sign(MESSAGE)),
        good("C-7", "verify", "plain", by_hand(r, bytes(&point(77)), a, bytes(&point(1234)))),
        good(
            "C-7",
            "verify",
            "R with a small-order part",
            by_hand(r, bytes(&(point(77) + torsion)), a, bytes(&point(1234))),
        ),
        good(
            "C-7",
            "verify",
            "key with a small-order part",
            by_hand(r, bytes(&point(77)), a, bytes(&(point(1234) + torsion))),
        ),
        good(
            "C-7",
            "verify",
            "R of small order",
            by_hand(Scalar::ZERO, bytes(&torsion), a, bytes(&point(1234))),
        ),
        good(
            "C-7",
            "verify",
            "R not canonical",
            by_hand(Scalar::ZERO, identity_again, a, bytes(&point(1234))),
        ),
    ]
}

fn blinded() -> Vec<Value> {
    let key = BlindKey::from_secret(&Secret::new([3; 32]));
    let blind = |tweak: &str| json!({ "secret": "03".repeat(32), "tweak": tweak.repeat(32), "label": LABEL, "message": hex::encode(MESSAGE) });
    let public =
        |tweak: &str| json!({ "public": hex::encode(key.public().as_bytes()), "tweak": tweak.repeat(32) });
    let epoch = key.blind(&[4; 32]);
    let sig = epoch.sign(Label::new(LABEL), MESSAGE);
    vec![
        good("C-12", "blind", "one epoch", blind("04")),
        good("C-12", "blind", "another epoch", blind("05")),
        good("C-13", "blind-public", "the first epoch, without the secret", public("04")),
        good("C-13", "blind-public", "the second epoch, without the secret", public("05")),
        good(
            "C-15",
            "verify",
            "signature of an epoch key",
            verify_input(epoch.public().as_bytes(), sig.as_bytes()),
        ),
    ]
}

/// Inputs of a sealed vector: key 08.., nonce 09.., aad "aad", plaintext "text".
pub fn sealed_input() -> Value {
    let sealed = seal::seal(&Secret::new([8; 32]), &[9; 24], b"aad", b"text");
    json!({ "key": "08".repeat(32), "nonce": "09".repeat(24), "aad": hex::encode("aad"), "sealed": hex::encode(sealed) })
}

/// Inputs of an HPKE vector: seed 0a.., info "info", aad "aad", plaintext "text".
pub fn hpke_input() -> Value {
    let key = RequestKey::from_secret(&Secret::new([10; 32]));
    let sealed = hpke_seal(&key.public(), b"info", b"aad", b"text", &mut Rng::from_seed([11; 32])).unwrap();
    json!({ "seed": "0a".repeat(32), "info": hex::encode("info"), "aad": hex::encode("aad"), "sealed": hex::encode(sealed) })
}

/// Inputs of a solved puzzle: context 0c.., 8 KiB, 8 expected tries.
pub fn puzzle_input() -> Value {
    let price = murre_core::params::PuzzlePrice { mem: 8, tries: 8 };
    let solution = Puzzle { context: [12; 32], price }.solve(0, 1_000).unwrap();
    json!({ "context": "0c".repeat(32), "mem": 8, "tries": 8, "solution": solution.0.to_string() })
}

fn sealed() -> Vec<Value> {
    vec![
        good("C-16", "open", "four bytes", sealed_input()),
        good("C-17", "request-key", "from a seed", json!({ "seed": "0a".repeat(32) })),
        good("C-17", "hpke-open", "four bytes", hpke_input()),
        good("C-20", "puzzle", "solved", puzzle_input()),
    ]
}
