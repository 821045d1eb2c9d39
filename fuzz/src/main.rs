//! libFuzzer over one target, whose name is in `MURRE_FUZZ_TARGET`.
//!
//! One binary for all: building and linking everything once for each target would cost an hour on a small machine.
#![no_main]

use libfuzzer_sys::fuzz_target;
use murre_fuzz::{Target, check, memory};
use std::sync::OnceLock;

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("MURRE_FUZZ_TARGET").expect("MURRE_FUZZ_TARGET names a target");
        let target = murre_fuzz::target(&name).expect("a target of this name");
        TARGET.set(target).expect("set once");
    },
    |data: &[u8]| {
        if let Some(target) = TARGET.get() {
            check(target, data);
        }
    }
);
