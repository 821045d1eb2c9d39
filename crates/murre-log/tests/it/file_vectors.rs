//! `spec/vectors/file.json`: shapes, leaves, roots, ids and chunks, and one chunk for each way to be wrong.
//!
//! To write the file after a change of the format: `cargo test -p murre-log -- --ignored write_file_vectors`.

#![allow(clippy::disallowed_methods, reason = "vectors are files beside the chapters")]

use murre_core::codec;
use murre_core::id::Bytes;
use murre_log::chunk::{CHUNK, PAGE, leaf, open_chunk, page_root, seal_chunk};
use murre_log::{Chunk, OpenError, Shape};
use serde::Serialize;
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use std::path::PathBuf;

const KEY: [u8; 32] = [0x42; 32];

fn file_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/file.json")
}

/// Byte `i` of every file here: a rule, because a file of many chunks is too long to be written out.
fn plain(size: u64) -> Vec<u8> {
    (0..size).map(|i| (i.wrapping_mul(31) >> 3) as u8).collect()
}

struct Made {
    shape: Shape,
    roots: Vec<Bytes<32>>,
    leaves: Vec<[u8; 32]>,
    sealed: Vec<Vec<u8>>,
}

fn make(size: u64) -> Made {
    let sealed: Vec<Vec<u8>> =
        plain(size).chunks(CHUNK).enumerate().map(|(i, c)| seal_chunk(&KEY, i as u32, c)).collect();
    let leaves: Vec<[u8; 32]> = sealed.iter().enumerate().map(|(i, s)| leaf(i as u32, s)).collect();
    let roots: Vec<Bytes<32>> = leaves.chunks(PAGE as usize).filter_map(page_root).map(Bytes).collect();
    let shape = Shape::new(size, roots.clone()).unwrap();
    Made { shape, roots, leaves, sealed }
}

fn good() -> Value {
    let of = |size: u64| {
        let made = make(size);
        json!({
            "size": size,
            "chunks": made.shape.chunks(),
            "leaves": made.leaves.iter().map(hex::encode).collect::<Vec<_>>(),
            "roots": made.roots.iter().map(|r| hex::encode(r.0)).collect::<Vec<_>>(),
            "id": hex::encode(made.shape.id(&KEY).0),
        })
    };
    let sizes = [0, 1, 100, CHUNK as u64, CHUNK as u64 + 1, 3 * CHUNK as u64 + 77];
    json!(sizes.map(of))
}

/// The short last chunk of a file of two, whole, and with one thing wrong.
fn small() -> (Made, Chunk) {
    let made = make(CHUNK as u64 + 40);
    let chunk = Chunk::new(made.shape.id(&KEY), 1, &made.leaves, made.sealed[1].clone());
    (made, chunk)
}

#[derive(Clone, Serialize)]
struct Raw {
    d: ByteBuf,
    f: Bytes<32>,
    h: Vec<Bytes<32>>,
    i: u32,
}

fn bad() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (made, _) = small();
    let sound = Raw {
        d: ByteBuf::from(made.sealed[1].clone()),
        f: made.shape.id(&KEY),
        h: vec![Bytes(made.leaves[0])],
        i: 1,
    };
    let with = |change: &dyn Fn(&mut Raw)| {
        let mut raw = sound.clone();
        change(&mut raw);
        codec::encode(&raw)
    };
    vec![
        ("a byte too few", "size", with(&|r| r.d.truncate(40 + 15))),
        ("a byte too many", "size", with(&|r| r.d.push(0))),
        ("no sibling", "path", with(&|r| r.h.clear())),
        ("a sibling too many", "path", with(&|r| r.h.push(Bytes([0; 32])))),
        ("nine siblings", "path", with(&|r| r.h = vec![Bytes([0; 32]); 9])),
        ("another sibling", "root", with(&|r| r.h[0].0[0] ^= 1)),
        ("a flipped bit", "root", with(&|r| r.d[5] ^= 1)),
        ("the place of the other chunk", "size", with(&|r| r.i = 0)),
        ("beyond the file", "index", with(&|r| r.i = 2)),
        ("beyond the page", "index", with(&|r| r.i = 256)),
    ]
}

fn built() -> Value {
    let (_, chunk) = small();
    json!({
        "chapter": "11",
        "key": hex::encode(KEY),
        "plain": "byte i = low 8 bits of (31 * i mod 2^64) >> 3",
        "good": good(),
        "chunk": { "size": CHUNK + 40, "bytes": hex::encode(chunk.encode()) },
        "bad": bad().into_iter().map(|(what, class, bytes)| json!({ "what": what, "class": class, "bytes": hex::encode(bytes) })).collect::<Vec<_>>(),
    })
}

#[test]
#[ignore = "writes the vectors"]
fn write_file_vectors() {
    std::fs::write(file_path(), serde_json::to_string_pretty(&built()).unwrap() + "\n").unwrap();
}

#[test]
fn the_file_vectors_are_what_this_code_makes() {
    let file: Value = serde_json::from_slice(&std::fs::read(file_path()).unwrap()).unwrap();
    assert_eq!(file, built());
}

#[test]
fn the_file_vectors_are_judged_from_their_bytes() {
    let file: Value = serde_json::from_slice(&std::fs::read(file_path()).unwrap()).unwrap();
    let (made, _) = small();
    let bytes = |value: &Value| hex::decode(value["bytes"].as_str().unwrap()).unwrap();
    let chunk = Chunk::decode(&bytes(&file["chunk"])).unwrap().verify(&made.shape).expect("belongs");
    let opened = open_chunk(&KEY, chunk.index, &chunk.sealed).expect("opens");
    assert_eq!(opened, plain(CHUNK as u64 + 40)[CHUNK..]);
    let bad = file["bad"].as_array().unwrap();
    assert!(bad.len() >= 10);
    for case in bad {
        match Chunk::decode(&bytes(case)) {
            Ok(chunk) => assert!(chunk.verify(&made.shape).is_none(), "{}", case["what"]),
            Err(error) => assert_eq!(error, OpenError::Chunk, "{}", case["what"]),
        }
    }
}
