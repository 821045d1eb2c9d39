//! For `crates/murre-fuzz` only: decoders of files and of what people type that nobody else may call.

use crate::handle::{CallError, resolve};
use murre_core::View;

/// A key file of either kind, encoded again.
#[must_use]
pub fn key_file(bytes: &[u8]) -> Option<Vec<u8>> {
    crate::home::again_key(bytes)
}

/// A counter file, encoded again.
#[must_use]
pub fn counter_file(bytes: &[u8]) -> Option<Vec<u8>> {
    crate::home::again_counter(bytes)
}

/// What a person may mean by a text, as each of the things that can be named: the id found, or why none is.
pub fn names(view: &dyn View, given: &str) -> [Result<String, CallError>; 4] {
    [
        resolve::contact(view, given).map(|id| id.to_string()),
        resolve::chat(view, given).map(|id| id.to_string()),
        resolve::message(view, given).map(|id| id.to_string()),
        resolve::invite(view, given).map(|link| link.id().to_string()),
    ]
}
