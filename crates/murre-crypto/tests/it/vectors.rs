//! `spec/vectors/crypto.json`: what another implementation is held to.
//!
//! The file is written by the two builders beside this one and read back here without them: each vector's inputs
//! are taken from the file alone, run through the public functions, and the outcome compared. To write it again
//! after a deliberate change: `MURRE_WRITE_VECTORS=1 cargo test -p murre-crypto`.

#![allow(clippy::disallowed_methods, reason = "vectors are files beside the chapters")]

use crate::{vector_bad, vector_good};
use murre_core::codec::CodecError;
use murre_core::id::{AccountId, LogId};
use murre_core::params::PuzzlePrice;
use murre_core::{Label, Rng};
use murre_crypto::puzzle::{Puzzle, Solution, price_allowed};
use murre_crypto::*;
use serde_json::{Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/crypto.json");

/// The inputs of one vector.
struct In<'a>(&'a Value);

impl In<'_> {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_else(|| panic!("text field {field} in {}", self.0))
    }
    fn bytes(&self, field: &str) -> Vec<u8> {
        hex::decode(self.text(field)).unwrap()
    }
    fn array<const N: usize>(&self, field: &str) -> [u8; N] {
        self.bytes(field).try_into().unwrap_or_else(|_| panic!("{field} is not {N} bytes"))
    }
    fn secret(&self, field: &str) -> Secret<32> {
        Secret::new(self.array(field))
    }
    fn label(&self) -> Label {
        Label::new(self.text("label").to_owned().leak())
    }
    fn number(&self, field: &str) -> u32 {
        self.0[field].as_u64().unwrap().try_into().unwrap()
    }
}

/// Runs one vector: its outputs, or the class of its failure.
fn run(kind: &str, x: &In<'_>) -> Result<Value, &'static str> {
    match kind {
        "phrase" => {
            let phrase = Phrase::parse(x.text("words")).map_err(|e| match e {
                PhraseError::WordCount { .. } => "word-count",
                PhraseError::UnknownWord { .. } => "unknown-word",
                PhraseError::Checksum => "checksum",
                _ => "other",
            })?;
            Ok(json!({ "account": phrase.account_key().id().to_string() }))
        }
        "id-text" => {
            let id: AccountId = x.text("text").parse().map_err(|_| "bad-id")?;
            Ok(json!({ "bytes": hex::encode(id.as_bytes()) }))
        }
        "author-key" => {
            let key = AuthorKey::derive(&x.secret("log_secret"), LogId::from_bytes(x.array("log")));
            Ok(json!({ "author": key.id().to_string() }))
        }
        "blind" | "blind-public" | "open" => run_shared(kind, x),
        "request-key" | "hpke-open" | "hpke-seal" | "puzzle" => run_public(kind, x),
        "sign" => {
            let key = DeviceKey::from_secret(&x.secret("seed"));
            let sig = key.sign(x.label(), &x.bytes("message"));
            Ok(json!({ "public": key.id().to_string(), "signature": hex::encode(sig.as_bytes()) }))
        }
        "verify" => verified(x),
        "device-cert" => certificate(&x.bytes("bytes")),
        other => panic!("unknown kind {other}"),
    }
}

/// Blinded keys and sealing under a shared key.
fn run_shared(kind: &str, x: &In<'_>) -> Result<Value, &'static str> {
    match kind {
        "blind" => {
            let key = BlindKey::from_secret(&x.secret("secret"));
            let epoch = key.blind(&x.array("tweak"));
            let sig = epoch.sign(x.label(), &x.bytes("message"));
            Ok(json!({
                "scalar": hex::encode(key.secret().expose()),
                "public": hex::encode(key.public().as_bytes()),
                "epoch_public": hex::encode(epoch.public().as_bytes()),
                "signature": hex::encode(sig.as_bytes()),
            }))
        }
        "blind-public" => {
            let epoch = BlindPublic::from_bytes(x.array("public")).blind(&x.array("tweak"));
            Ok(json!({ "epoch_public": hex::encode(epoch.map_err(|_| "bad-key")?.as_bytes()) }))
        }
        "open" => {
            let text = seal::open(&x.secret("key"), &x.array("nonce"), &x.bytes("aad"), &x.bytes("sealed"));
            Ok(json!({ "plaintext": hex::encode(text.map_err(|_| "does-not-open")?) }))
        }
        other => panic!("unknown kind {other}"),
    }
}

/// Request keys and puzzles.
fn run_public(kind: &str, x: &In<'_>) -> Result<Value, &'static str> {
    match kind {
        "request-key" => {
            let key = RequestKey::from_secret(&x.secret("seed"));
            Ok(json!({ "public": hex::encode(key.public().as_bytes()) }))
        }
        "hpke-open" => {
            let key = RequestKey::from_secret(&x.secret("seed"));
            let text = hpke_open(&key, &x.bytes("info"), &x.bytes("aad"), &x.bytes("sealed"));
            Ok(json!({ "plaintext": hex::encode(text.map_err(|_| "does-not-open")?) }))
        }
        "hpke-seal" => {
            let to = RequestPublic::from_slice(&x.bytes("public")).unwrap();
            let sealed = hpke_seal(&to, b"", b"", b"", &mut Rng::from_seed([0; 32]));
            sealed.map(|_| json!({})).map_err(|_| "bad-key")
        }
        "puzzle" => {
            let price = PuzzlePrice { mem: x.number("mem"), tries: x.number("tries") };
            let solution = Solution(x.text("solution").parse().unwrap());
            match (Puzzle { context: x.array("context"), price }).check(&solution) {
                true => Ok(json!({})),
                false if price_allowed(&price) => Err("unsolved"),
                false => Err("price-not-allowed"),
            }
        }
        other => panic!("unknown kind {other}"),
    }
}

/// Single and batch must agree on every vector.
fn verified(x: &In<'_>) -> Result<Value, &'static str> {
    let (key, label, msg) = (x.array("key"), x.label(), x.bytes("message"));
    let sig = Signature::from_bytes(x.array("signature"));
    let single = verify(&key, label, &msg, &sig);
    let honest = DeviceKey::from_secret(&Secret::new([9; 32]));
    let with_good =
        [(*honest.id().as_bytes(), label, &msg[..], honest.sign(label, &msg)), (key, label, &msg, sig)];
    assert_eq!(verify_batch(&with_good, &mut Rng::from_seed([1; 32])), single);
    assert_eq!(verify_batch(&with_good[1..], &mut Rng::from_seed([2; 32])), single);
    single.map(|()| json!({})).map_err(|_| "bad-signature")
}

fn certificate(bytes: &[u8]) -> Result<Value, &'static str> {
    let cert = DeviceCert::from_bytes(bytes).map_err(SignedError::from).and_then(Signed::verify);
    let cert = cert.map_err(|e| match e {
        SignedError::Codec(CodecError::TooLong { .. }) => "too-long",
        SignedError::Codec(CodecError::Malformed { .. }) => "malformed",
        SignedError::Codec(CodecError::NotCanonical) => "not-canonical",
        SignedError::IllFormed => "ill-formed",
        SignedError::Signature(_) => "bad-signature",
    })?;
    let flag = cert.may_add_devices();
    Ok(json!({ "account": cert.a.to_string(), "device": cert.d.to_string(), "may_add_devices": flag }))
}

/// A good vector whose outcome is what the functions say now.
pub fn good(rule: &str, kind: &str, name: &str, input: Value) -> Value {
    let out = run(kind, &In(&input)).unwrap_or_else(|class| panic!("{name}: {class}"));
    json!({ "rule": rule, "kind": kind, "name": name, "in": input, "out": out })
}

/// A vector that must fail in this class because of the one thing it breaks.
pub fn bad(rule: &str, kind: &str, breaks: &str, class: &str, input: Value) -> Value {
    json!({ "rule": rule, "kind": kind, "breaks": breaks, "in": input, "class": class })
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
    assert!(good >= 20 && bad >= 30, "{good} good and {bad} bad vectors");
}

#[test]
fn the_file_is_what_the_code_would_write_today() {
    let mut vectors = vector_good::all();
    vectors.extend(vector_bad::all());
    let file = json!({ "chapter": "spec/02-crypto.md", "vectors": vectors });
    if std::env::var_os("MURRE_WRITE_VECTORS").is_some() {
        std::fs::write(FILE, format!("{}\n", serde_json::to_string_pretty(&file).unwrap())).unwrap();
    }
    let on_disk: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    assert_eq!(on_disk["vectors"].as_array().map(Vec::len), file["vectors"].as_array().map(Vec::len));
    assert!(on_disk == file, "the code no longer does what the vectors say, or a vector was added");
}
