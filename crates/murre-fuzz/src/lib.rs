//! Hostile bytes for every decoder: what a peer, a file or a person can give.
//!
//! ```text
//!   fuzz/corpus/NAME/*  --replay--.
//!   mutate (seeded)     ----------+--> check(target, bytes) --> fuzz_NAME(bytes) --> refused | accepted
//!   libFuzzer (fuzz/)   ----------'         |
//!                                           '--> peak of allocations <= factor * input + constant
//! ```
//!
//! A target does more than not panic. Each says what it holds of what it accepts:
//!
//! - **one value, one byte string**: what was decoded is encoded to the same bytes (M-24);
//! - **limit first**: one byte over the limit is refused before anything is allocated (M-25);
//! - **nobody forges**: what verifies or opens is byte for byte something that was really signed or sealed
//!   ([`seeds::genuine`]); a mutated input that still verifies is a finding;
//! - **damage is an answer**: a store with a damaged row yields errors, never a panic.
//!
//! | module | what it holds |
//! |---|---|
//! | [`targets`] | the targets, their bounds, and which source file each stands for |
//! | [`mutate`] | deterministic mutation: one seed, one run |
//! | [`seeds`] | inputs from real encoders and from `spec/vectors/` |
//! | [`snapshot`] | stores of a device and a node in the middle of a chat, with one row replaced |
//! | [`memory`] | the allocator that counts |
//!
//! What is NOT here: bytes inside a TLS, Noise, QUIC or SQLite layer, which have suites of their own. Nothing may
//! depend on this crate.

pub mod memory;
pub mod mutate;
pub mod seeds;
pub mod snapshot;
pub mod targets;

use std::cell::RefCell;
use std::collections::BTreeSet;

pub use targets::{TARGETS, Target};

/// Runs one input and holds the target to its word.
///
/// # Panics
/// The target panicked, or used more memory than its bound allows, or the counting allocator is not installed. A panic
/// is what each driver understands: the test fails, libFuzzer keeps the input.
pub fn check(target: &Target, data: &[u8]) -> bool {
    warm(target);
    let (accepted, peak) = memory::measure(|| (target.run)(data));
    let allowed = target.bound.allowed(data.len());
    assert!(peak <= allowed, "{}: {peak} bytes for {} of input, {allowed} allowed", target.name, data.len());
    accepted
}

/// What a target makes once (keys, stores) is no cost of its first input.
fn warm(target: &Target) {
    thread_local! {
        static WARM: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
    }
    if WARM.with_borrow_mut(|warm| warm.insert(target.name)) {
        seeds::all();
        let _ = seeds::genuine(target.name, &[]);
        (target.run)(&[]);
    }
}

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
