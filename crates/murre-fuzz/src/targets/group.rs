//! MLS from outside: key packages, Welcomes, messages.

use crate::seeds;
use crate::snapshot::{Rows, group};
use murre_core::{Rng, Turn, View};
use murre_group::{GroupEngine, check_key_package};

/// A key package: only one whose owner signed it passes.
#[must_use]
pub fn fuzz_key_package(data: &[u8]) -> bool {
    let passes = check_key_package(data).is_ok();
    assert!(!passes || seeds::genuine("key_package", data), "a key package that nobody signed passes");
    passes
}

/// A Welcome: only one that a member made is joined, and a refused one writes nothing.
#[must_use]
pub fn fuzz_welcome(data: &[u8]) -> bool {
    let group = group();
    let mut tx = Turn::new(&group.invited as &dyn View);
    let (mut engine, mut rng) = (GroupEngine::new(), Rng::from_seed([5; 32]));
    let joined = engine.join(&mut tx, &mut rng, &group.identity(), group.log, group.state, data).is_ok();
    assert!(!joined || seeds::genuine("welcome", data), "a Welcome that nobody made is joined");
    assert!(joined || tx.into_batch().is_empty(), "a refused Welcome wrote rows");
    joined
}

/// A message: only one that a member sealed opens, and a refused one changes nothing.
#[must_use]
pub fn fuzz_group_message(data: &[u8]) -> bool {
    let group = group();
    let rows: &Rows = &group.joined;
    let mut tx = Turn::new(rows);
    let mut engine = GroupEngine::new();
    let opened = engine.open(&mut tx, group.log, group.state, data).is_ok();
    assert!(!opened || seeds::genuine("group_message", data), "a message that nobody sealed opens");
    assert!(engine.flush(&mut tx).is_ok());
    assert!(opened || tx.into_batch().is_empty(), "a refused message wrote rows");
    opened
}
