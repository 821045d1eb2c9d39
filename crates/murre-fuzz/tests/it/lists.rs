//! No decoder without a target, no target without a corpus.

use crate::{TESTED, corpus};
use murre_fuzz::TARGETS;
use murre_fuzz::snapshot::{self, DEVICE};
use murre_fuzz::targets::{DECODERS, ROWS};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a source says that takes bytes from outside apart.
const MARKS: [&str; 6] = [
    "codec::decode",
    "decode_row",
    "serde_json::from_",
    "tls_deserialize",
    "postcard::from",
    "Frame::decode",
];
/// Room of the corpus in the repository.
const MAX_CORPUS: u64 = 2 << 20;

/// Spaces of a device that an honest chat leaves empty.
const MAY_BE_EMPTY: &[&str] = &[
    "device.owed",
    "device.waiting",
    "device.stash",
    "device.parcels",
    "log.forks",
    "log.pending",
    "log.waiting",
    "log.wanted",
    "log.counts",
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "examples", "target"].contains(&name.as_str()) {
            sources(&path, into);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            into.push(path);
        }
    }
}

/// The file without comments and without its tests, which stand last.
fn shipped(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_source_that_decodes_has_a_target() {
    let mut files = Vec::new();
    sources(&crates(), &mut files);
    let mut decoding = BTreeSet::new();
    for path in files {
        let name = path.strip_prefix(crates()).expect("below crates").display().to_string();
        // What only simulates, drives or reads its own answers decodes nothing of anybody else.
        let ours = [
            "murre-fuzz/",
            "murre-sim/src/oracle/",
            "murre-sim/src/liar.rs",
            "murre-sim/src/placement/",
            "murre-cli/",
            "xtask/",
        ];
        let text = shipped(&std::fs::read_to_string(&path).expect("text"));
        if !ours.iter().any(|own| name.starts_with(own)) && MARKS.iter().any(|mark| text.contains(mark)) {
            decoding.insert(name);
        }
    }
    let listed: BTreeSet<String> = DECODERS.iter().map(|(file, _)| (*file).to_owned()).collect();
    let unlisted: Vec<_> = decoding.difference(&listed).collect();
    assert!(unlisted.is_empty(), "give these a target and a line in DECODERS: {unlisted:?}");
    for (file, targets) in DECODERS {
        assert!(crates().join(file).exists(), "{file} is gone");
        assert!(!targets.is_empty());
        for name in *targets {
            assert!(murre_fuzz::target(name).is_some(), "{file} names {name}, which is no target");
        }
    }
}

#[test]
fn targets_tests_and_corpus_folders_are_the_same_list() {
    let targets: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    let tested: BTreeSet<&str> = TESTED.iter().copied().collect();
    let folders: BTreeSet<String> = std::fs::read_dir(corpus())
        .expect("the corpus")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(targets.len(), TARGETS.len(), "a name twice");
    assert_eq!(targets, tested);
    assert_eq!(targets, folders.iter().map(String::as_str).collect());
}

#[test]
fn every_chapter_with_a_layout_has_a_target() {
    let spec = crates().join("../spec");
    let named: BTreeSet<&str> = TARGETS.iter().map(|target| target.chapter).collect();
    for chapter in &named {
        assert!(spec.join("..").join(chapter).exists(), "{chapter}");
    }
    for entry in std::fs::read_dir(&spec).expect("the chapters").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Chapter 5c is the client that reads what chapters 5 and 5b lay out.
        if name.ends_with(".md") && name != "05c-mailbox-client.md" {
            assert!(named.contains(format!("spec/{name}").as_str()), "{name} has no target");
        }
    }
}

#[test]
fn every_row_struct_is_a_kind_of_row() {
    let known: BTreeSet<&str> = ROWS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(known.len(), ROWS.len(), "a name twice");
    let files = [
        ("device", "murre-device/src/rows.rs"),
        ("device", "murre-device/src/files/rows.rs"),
        ("node", "murre-custodian/src/rows.rs"),
        ("group", "murre-group/src/rows.rs"),
        ("mailbox", "murre-mailbox/src/rows.rs"),
        ("mailbox", "murre-mailbox/src/client/rows.rs"),
        ("log", "murre-log/src/rows.rs"),
    ];
    let mut found = Vec::new();
    sources(&crates(), &mut found);
    found.retain(|path| path.ends_with("rows.rs") && !path.starts_with(crates().join("murre-fuzz")));
    let listed: BTreeSet<PathBuf> = files.iter().map(|(_, file)| crates().join(file)).collect();
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), listed);
    // An operation that is signed, and what only lies in memory.
    let others = ["CreateOp", "Bitmap", "Due"];
    for (owner, file) in files {
        let text = std::fs::read_to_string(crates().join(file)).expect("text");
        for line in text.lines() {
            let Some(name) =
                line.strip_prefix("pub struct ").and_then(|rest| rest.split([' ', '<', '(', ';']).next())
            else {
                continue;
            };
            let row = format!("{owner} {name}");
            assert!(others.contains(&name) || known.contains(row.as_str()), "{file}: {row} is not in ROWS");
        }
    }
}

/// Names of the spaces that a file declares.
fn declared(file: &str) -> Vec<String> {
    let text = shipped(&std::fs::read_to_string(crates().join(file)).expect("text"));
    let mut names = Vec::new();
    for kind in ["Space::any(", "Space::seq("] {
        let places = text.split(kind).skip(1);
        names.extend(places.filter_map(|rest| rest.split('"').nth(1)).map(str::to_owned));
    }
    names
}

#[test]
fn every_space_of_a_device_is_in_the_snapshot_and_has_rows() {
    let mut spaces = BTreeSet::new();
    let mut found = Vec::new();
    sources(&crates(), &mut found);
    for path in found {
        let file = path.strip_prefix(crates()).expect("below crates").display().to_string();
        // Of the shell's own space no machine knows; a node has its own list; the others only read what these declare.
        let others =
            ["murre/", "murre-custodian/", "murre-core/", "murre-store/", "murre-sim/", "murre-fuzz/"];
        if !others.iter().any(|other| file.starts_with(other)) {
            spaces.extend(declared(&file));
        }
    }
    let listed: BTreeSet<String> = DEVICE.iter().map(|space| space.name.to_owned()).collect();
    assert_eq!(listed.len(), DEVICE.len(), "a space twice");
    assert_eq!(spaces, listed, "give a new space a line in DEVICE and rows in `fill`");
    let snap = snapshot::get();
    let filled = |rows: &snapshot::Rows| rows.0.keys().map(|(space, _)| space.name).collect::<BTreeSet<_>>();
    let filled: BTreeSet<&str> = &filled(&snap.device) | &filled(&snap.other);
    let empty: Vec<&str> =
        DEVICE.iter().map(|space| space.name).filter(|name| !filled.contains(name)).collect();
    // Filled only by what is out of order or false; `rows` has a seed for each.
    assert_eq!(empty, MAY_BE_EMPTY, "no row to damage");
}

#[test]
fn the_corpus_stays_small() {
    let mut size = 0;
    for folder in std::fs::read_dir(corpus()).expect("the corpus").flatten() {
        for file in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
            size += file.metadata().expect("a file").len();
        }
    }
    assert!(size < MAX_CORPUS, "{size} bytes");
}
