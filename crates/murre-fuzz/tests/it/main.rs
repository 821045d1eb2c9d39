//! The corpus replayed, a second of mutation for each target, and proof that the harness can fail.

mod faults;
mod lists;

use murre_fuzz::mutate::Mutator;
use murre_fuzz::{Target, check, memory, seeds, target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// Every input of a target's folder, by name.
fn inputs(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = corpus().join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut all: Vec<_> = files
        .map(|file| {
            let path = file.expect("a folder that can be read").path();
            (path.display().to_string(), std::fs::read(&path).expect("a file that can be read"))
        })
        .collect();
    all.sort();
    all
}

/// Runs one input; if it fails, says which in a form that can be kept.
fn judge(target: &Target, what: &str, data: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| check(target, data))).unwrap_or_else(|why| {
        let shown = hex::encode(data.get(..2_048).unwrap_or(data));
        eprintln!("{}: {what} ({} bytes): {shown}", target.name, data.len());
        std::panic::resume_unwind(why)
    })
}

fn replay(name: &str) {
    let target = target(name).expect("a target of this name");
    let inputs = inputs(name);
    let accepted = inputs.iter().filter(|(file, bytes)| judge(target, file, bytes)).count();
    assert!(accepted > 0, "{name}: no input is accepted, so nothing behind the first check is tried");
    // spec: M-25
    if let Some(limit) = target.limit {
        for (_, bytes) in &inputs {
            let mut long = bytes.clone();
            long.resize(limit + 1, 0);
            judge(target, "longer than its limit", &long);
            let (accepted, peak) = memory::measure(|| (target.run)(&long));
            assert!(!accepted, "{name}: takes {} bytes, its limit is {limit}", limit + 1);
            assert!(peak <= REFUSAL, "{name}: {peak} bytes allocated for what is over its limit");
        }
    }
}

/// What refusing may allocate: an error and its words.
const REFUSAL: usize = 4_096;

fn mutate(name: &str) {
    let target = target(name).expect("a target of this name");
    let inputs: Vec<Vec<u8>> = inputs(name).into_iter().map(|(_, bytes)| bytes).collect();
    let mut mutator = Mutator::new(1, &inputs);
    for round in 0..target.rounds {
        judge(target, &format!("mutation {round}"), &mutator.next_input());
    }
}

macro_rules! every {
    ($($name:ident)*) => {
        /// One test for each, so that they run side by side.
        const TESTED: &[&str] = &[$(stringify!($name)),*];
        $(mod $name {
            #[test]
            fn corpus_is_replayed() {
                super::replay(stringify!($name));
            }

            #[test]
            fn mutations_hold() {
                super::mutate(stringify!($name));
            }
        })*
    };
}

every! {
    invite_text invite_bytes door_payload request content parcel live_frame
    mailbox_frame sealed_box door_object signed network_file
    chunk log_entry log_header log_packet log_seal log_pack log_signal fork_proof
    key_package welcome group_message
    rows device_store node_store device_input node_input
    names address stream key_file counter_file scenario
}

#[test]
fn seeds_are_in_the_corpus_as_they_would_be_made_now() {
    for (name, made) in seeds::all() {
        let held: Vec<Vec<u8>> = inputs(name).into_iter().map(|(_, bytes)| bytes).collect();
        let missing = made.iter().filter(|bytes| !held.contains(bytes)).count();
        assert_eq!(missing, 0, "{name}: run `cargo xtask fuzz seeds`");
    }
}
