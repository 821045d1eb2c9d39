//! What this crate keeps in the store: the directory of nodes and the network it belongs to.
//!
//! | space | key | value (version 1) |
//! |---|---|---|
//! | 140 `node` | node key, 32 bytes | `{d: descriptor, f: wall ms first seen}` |
//! | 141 `network` | `file` | the network file's own bytes, without row version |
//!
//! Spaces 142-149 are free for the directory, 150-159 belong to the client half.

use crate::network::Descriptor;
use murre_core::Space;
use serde::{Deserialize, Serialize};

/// Known nodes. Rarely written: a row per node and renewal.
pub const NODES: Space = Space::any(140, "node");
/// The adopted network file, one row.
pub const NETWORK: Space = Space::any(141, "network");
/// Key of the one row in [`NETWORK`].
pub const NETWORK_KEY: &[u8] = b"file";
/// Version of the rows of [`NODES`].
pub const NODE_VERSION: u8 = 1;

/// Row of [`NODES`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRow {
    /// The descriptor as it was signed. Checked before it was stored.
    pub d: Descriptor,
    /// Wall time in ms at which this node was first seen.
    pub f: u64,
}
