//! Inputs to begin with: made by the real encoders, and every vector of `spec/vectors/`, good and bad.
//!
//! They are the same in every process. `cargo xtask fuzz seeds` writes them to `fuzz/corpus/`, where inputs that a
//! fuzzer found lie beside them.

mod made;

use murre_log::WireSecret;
use murre_mailbox::NetworkFile;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

const MAILBOX: &str = include_str!("../../../spec/vectors/mailbox.json");
const LOG: &str = include_str!("../../../spec/vectors/log.json");
const INVITE: &str = include_str!("../../../spec/vectors/invite.json");
const CRYPTO: &str = include_str!("../../../spec/vectors/crypto.json");

/// Inputs by target. Longer ones than this are left to mutation.
pub(crate) type Seeds = BTreeMap<&'static str, Vec<Vec<u8>>>;

/// Every seed; the first call makes them.
pub fn all() -> &'static Seeds {
    static ALL: OnceLock<Seeds> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut seeds = Seeds::new();
        vectors(&mut seeds);
        made::add(&mut seeds);
        for list in seeds.values_mut() {
            let mut seen = BTreeSet::new();
            list.retain(|bytes| seen.insert(bytes.clone()));
        }
        seeds
    })
}

/// The seeds of one target.
#[must_use]
pub fn of(target: &str) -> &'static [Vec<u8>] {
    all().get(target).map_or(&[], Vec::as_slice)
}

/// Whether these very bytes were made by somebody who held the key. Whatever else verifies was forged.
#[must_use]
pub fn genuine(target: &str, data: &[u8]) -> bool {
    static MADE: OnceLock<BTreeSet<[u8; 32]>> = OnceLock::new();
    let name = |target: &str, data: &[u8]| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(target.as_bytes()).update(&[0]).update(data);
        *hasher.finalize().as_bytes()
    };
    let made = MADE.get_or_init(|| {
        all().iter().flat_map(|(target, list)| list.iter().map(move |bytes| name(target, bytes))).collect()
    });
    made.contains(&name(target, data))
}

/// The network of the mailbox vectors.
///
/// # Panics
/// The vectors are damaged.
pub fn network() -> &'static NetworkFile {
    static NETWORK: OnceLock<NetworkFile> = OnceLock::new();
    NETWORK.get_or_init(|| {
        let file = hex_of(&json(MAILBOX)["network"]).expect("the vectors name their network");
        NetworkFile::decode(&file).expect("a network file")
    })
}

/// Key of the file whose chunks are seeds.
pub const FILE_KEY: [u8; 32] = [0x42; 32];

/// A file of two chunks: what checks them, and the two.
#[must_use]
pub fn file() -> (murre_log::Shape, Vec<Vec<u8>>) {
    use murre_log::chunk::{CHUNK, leaf, page_root, seal_chunk};
    use std::sync::OnceLock;
    static FILE: OnceLock<(murre_log::Shape, Vec<Vec<u8>>)> = OnceLock::new();
    FILE.get_or_init(|| {
        let sealed = vec![seal_chunk(&FILE_KEY, 0, &vec![7; CHUNK]), seal_chunk(&FILE_KEY, 1, &[8; 100])];
        let leaves: Vec<[u8; 32]> = (0..).zip(&sealed).map(|(i, s)| leaf(i, s)).collect();
        let roots = page_root(&leaves).into_iter().map(murre_core::id::Bytes).collect();
        let shape = murre_log::Shape::new(CHUNK as u64 + 100, roots);
        #[allow(clippy::expect_used, reason = "a file made here")]
        (shape.expect("one page"), sealed)
    })
    .clone()
}

/// The short one of those chunks, as it travels.
#[must_use]
pub fn short_chunk() -> Vec<u8> {
    let (shape, sealed) = file();
    let leaves: Vec<[u8; 32]> = (0..).zip(&sealed).map(|(i, s)| murre_log::chunk::leaf(i, s)).collect();
    let tree = murre_log::chunk::PageTree::new(leaves);
    let bytes = sealed.last().cloned().unwrap_or_default();
    murre_log::Chunk::new(shape.id(&FILE_KEY), 1, &tree, bytes).encode()
}

/// The wire secret of the log vectors.
///
/// # Panics
/// The vectors are damaged.
#[must_use]
pub fn wire_secret() -> WireSecret {
    static SECRET: OnceLock<[u8; 32]> = OnceLock::new();
    WireSecret::from_bytes(*SECRET.get_or_init(|| {
        let bytes = hex_of(&json(LOG)["good"]["sealed"]["secret"]).unwrap_or_default();
        bytes.try_into().expect("32 bytes")
    }))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("vectors are JSON")
}

fn hex_of(value: &Value) -> Option<Vec<u8>> {
    hex::decode(value.as_str()?).ok()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn chosen(which: u8, bytes: Vec<u8>) -> Vec<u8> {
    [vec![which], bytes].concat()
}

fn vectors(seeds: &mut Seeds) {
    let mut add = |target, bytes: Option<Vec<u8>>| {
        if let Some(bytes) = bytes {
            seeds.entry(target).or_default().push(bytes);
        }
    };
    let (mailbox, log, invite, crypto) = (json(MAILBOX), json(LOG), json(INVITE), json(CRYPTO));
    for vector in list(&mailbox["vectors"]) {
        let wire = || hex_of(&vector["in"]["wire"]);
        let signed = |which| wire().map(|bytes| chosen(which, bytes));
        match vector["kind"].as_str() {
            Some("box" | "open") => add("sealed_box", wire()),
            Some("object") => add("door_object", wire()),
            Some("network") => add("network_file", wire()),
            Some("frame") => {
                add("mailbox_frame", wire());
                add("device_input", wire());
                add("node_input", wire());
            }
            Some("receipt") => add("signed", signed(1)),
            Some("read") => add("signed", signed(2)),
            Some("tombstone") => add("signed", signed(3)),
            Some("descriptor") => add("signed", signed(6)),
            _ => {}
        }
    }
    for vector in list(&crypto["vectors"]).filter(|v| v["kind"] == "device-cert") {
        add("signed", hex_of(&vector["in"]["bytes"]).map(|bytes| chosen(0, bytes)));
    }
    for vector in list(&invite["good"]).chain(list(&invite["bad"])) {
        add("invite_text", vector["text"].as_str().map(|text| text.as_bytes().to_vec()));
        add("invite_bytes", hex_of(&vector["bytes"]));
    }
    let good = &log["good"];
    for entry in list(&good["entries"]) {
        add("log_entry", hex_of(&entry["bytes"]));
    }
    add("log_pack", hex_of(&good["pack"]["bytes"]));
    add("log_seal", hex_of(&good["sealed"]["bytes"]));
    add("log_packet", hex_of(&good["sealed"]["packet"]));
    add("log_signal", hex_of(&good["signal"]["bytes"]));
    for bad in list(&log["bad"]) {
        let target = match bad["kind"].as_str() {
            // Those that are wrong only for a log, or as a signal, are entries that somebody signed.
            Some("entry" | "log") => "log_entry",
            Some("signal") => {
                add("log_entry", hex_of(&bad["bytes"]));
                "log_signal"
            }
            Some("pack") => "log_pack",
            Some("sealed") => "log_seal",
            Some("packet") => "log_packet",
            _ => continue,
        };
        add(target, hex_of(&bad["bytes"]));
    }
    add(
        "log_seal",
        undamaged(
            &list(&log["bad"])
                .filter(|v| v["kind"] == "sealed")
                .filter_map(|v| hex_of(&v["bytes"]))
                .collect::<Vec<_>>(),
        ),
    );
}

/// What several vectors were before each was damaged in another place. It was really sealed, and mutation that undoes
/// the damage of one comes upon it, as it did: that is no forgery.
fn undamaged(bad: &[Vec<u8>]) -> Option<Vec<u8>> {
    let longest = bad.iter().map(Vec::len).max()?;
    let whole: Vec<&Vec<u8>> = bad.iter().filter(|bytes| bytes.len() == longest).collect();
    let most = |at: usize| {
        let here: Vec<u8> = whole.iter().filter_map(|bytes| bytes.get(at).copied()).collect();
        here.iter().copied().max_by_key(|byte| here.iter().filter(|other| *other == byte).count())
    };
    (whole.len() > 2).then(|| (0..longest).filter_map(most).collect())
}
