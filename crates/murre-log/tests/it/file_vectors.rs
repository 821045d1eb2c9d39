//! `spec/vectors/file.json`: shapes, leaves, roots, ids and chunks, and one chunk for each way to be wrong.
//!
//! To write the file after a change of the format: `cargo test -p murre-log -- --ignored write_file_vectors`.

#![allow(clippy::disallowed_methods, reason = "vectors are files beside the chapters")]

use murre_core::id::Bytes;
use murre_core::{Label, codec};
use murre_crypto::{Secret, seal};
use murre_log::chunk::{CHUNK, PAGE, PageTree, leaf, open_chunk, page_root, seal_chunk};
use murre_log::wire::MAX_PACKET;
use murre_log::{Chunk, OpenError, Shape};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

const KEY: [u8; 32] = [0x42; 32];

// Written out, so that a change of a constant shows here.
const LEAF: Label = Label::new("murre v1 file chunk");
const NODE: Label = Label::new("murre v1 file node");
const FILE_ID: Label = Label::new("murre v1 file id");
const CHUNK_BYTES: u64 = 253_952;
const SEAL_BYTES: u64 = 16;

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
    let chunk = CHUNK as u64;
    // Three chunks are the fewest with an odd one that goes up unchanged.
    let sizes = [0, 1, 100, chunk, chunk + 1, 2 * chunk + 1, 3 * chunk + 77];
    json!(sizes.map(of))
}

/// The short last chunk of a file of two, whole, and with one thing wrong.
fn small() -> (Made, Chunk) {
    let made = make(CHUNK as u64 + 40);
    let chunk =
        Chunk::new(made.shape.id(&KEY), 1, &PageTree::new(made.leaves.clone()), made.sealed[1].clone());
    (made, chunk)
}

#[derive(Clone, Serialize, Deserialize)]
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
        "bad": bad().into_iter().map(written).collect::<Vec<_>>(),
    })
}

fn written((what, class, bytes): (&str, &str, Vec<u8>)) -> Value {
    json!({ "what": what, "class": class, "bytes": hex::encode(bytes) })
}

/// The leaves of a file, from section 11.1.
fn leaves_of(size: u64) -> Vec<[u8; 32]> {
    let leaf = |(chunk, i): (&[u8], u32)| {
        let mut nonce = [0; 24];
        nonce[16..].copy_from_slice(&u64::from(i).to_be_bytes());
        let sealed = seal::seal(&Secret::new(KEY), &nonce, &[], chunk);
        LEAF.hash(&[&i.to_be_bytes(), &sealed])
    };
    plain(size).chunks(CHUNK_BYTES as usize).zip(0u32..).map(leaf).collect()
}

/// Leaves left of the topmost node over so many: pairs from the left leave the largest power of two below.
fn left_of(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// The root of a page, from its top; the code goes up from the leaves.
fn root_of(leaves: &[[u8; 32]]) -> [u8; 32] {
    if let [one] = leaves {
        return *one;
    }
    let (left, right) = leaves.split_at(left_of(leaves.len()));
    NODE.hash(&[&root_of(left), &root_of(right)])
}

/// Where a leaf and its siblings lead, from the top as well; nothing if there are too few or too many.
fn led_to(leaf: [u8; 32], at: usize, count: usize, path: &[Bytes<32>]) -> Option<[u8; 32]> {
    if count == 1 {
        return path.is_empty().then_some(leaf);
    }
    let (top, path) = path.split_last()?;
    let left = left_of(count);
    Some(if at < left {
        NODE.hash(&[&led_to(leaf, at, left, path)?, &top.0])
    } else {
        NODE.hash(&[&top.0, &led_to(leaf, at - left, count - left, path)?])
    })
}

/// A good vector, from section 11.1 instead of the code.
fn restated(size: u64) -> Value {
    let leaves = leaves_of(size);
    let roots: Vec<[u8; 32]> = leaves.chunks(256).map(root_of).collect();
    let joined: Vec<u8> = roots.concat();
    json!({
        "size": size,
        "chunks": size.div_ceil(CHUNK_BYTES),
        "leaves": leaves.iter().map(hex::encode).collect::<Vec<_>>(),
        "roots": roots.iter().map(hex::encode).collect::<Vec<_>>(),
        "id": hex::encode(FILE_ID.hash(&[&KEY, &size.to_be_bytes(), &joined])),
    })
}

/// The class of a chunk that does not belong to a file of one page, from section 11.9.
fn class(raw: &Raw, size: u64, root: [u8; 32]) -> Option<&'static str> {
    let (at, chunks) = (u64::from(raw.i), size.div_ceil(CHUNK_BYTES));
    if at >= chunks {
        return Some("index");
    }
    if raw.d.len() as u64 != (size - at * CHUNK_BYTES).min(CHUNK_BYTES) + SEAL_BYTES {
        return Some("size");
    }
    let leaf = LEAF.hash(&[&raw.i.to_be_bytes(), &raw.d]);
    match led_to(leaf, at as usize, chunks as usize, &raw.h) {
        None => Some("path"),
        Some(reached) => (reached != root).then_some("root"),
    }
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
    let size = file["chunk"]["size"].as_u64().unwrap();
    let root = root_of(&leaves_of(size));
    let raw = |value: &Value| codec::decode::<Raw>(&bytes(value), MAX_PACKET).unwrap();
    let sound = raw(&file["chunk"]);
    assert_eq!(class(&sound, size, root), None);
    assert_eq!(hex::encode(sound.f.0), restated(size)["id"]);
    let chunk = Chunk::decode(&bytes(&file["chunk"])).unwrap().verify(&made.shape).expect("belongs");
    let opened = open_chunk(&KEY, chunk.index, &chunk.sealed).expect("opens");
    assert_eq!(opened, plain(CHUNK as u64 + 40)[CHUNK..]);
    let bad = file["bad"].as_array().unwrap();
    assert!(bad.len() >= 10);
    let mut classes = BTreeSet::new();
    for case in bad {
        let judged = class(&raw(case), size, root);
        assert_eq!(judged, case["class"].as_str(), "{}", case["what"]);
        classes.extend(judged);
        match Chunk::decode(&bytes(case)) {
            Ok(chunk) => assert!(chunk.verify(&made.shape).is_none(), "{}", case["what"]),
            Err(error) => assert_eq!(error, OpenError::Chunk, "{}", case["what"]),
        }
    }
    // The fifth class, `shape`, is of what an entry says, not of a chunk.
    assert_eq!(classes, BTreeSet::from(["index", "path", "root", "size"]));
}

#[test]
fn every_good_file_is_what_chapter_11_makes_of_it() {
    let file: Value = serde_json::from_slice(&std::fs::read(file_path()).unwrap()).unwrap();
    assert_eq!(file["key"], hex::encode(KEY));
    let mut counts = BTreeSet::new();
    for case in file["good"].as_array().unwrap() {
        let made = restated(case["size"].as_u64().unwrap());
        assert_eq!(*case, made);
        counts.extend(made["chunks"].as_u64());
    }
    assert_eq!(counts, BTreeSet::from([0, 1, 2, 3, 4]), "with an odd one on a level, and without");
}
