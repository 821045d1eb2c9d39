//! Group keys: who can read a conversation, by MLS (RFC 9420), without a server.
//!
//! MLS expects a delivery service that puts commits into one order. Murre has none, so group states form a tree:
//! each commit makes a new *state*, named by the hash of that commit, and a device keeps several of them. A message
//! names the state it was sealed in. This crate hides OpenMLS behind a handful of verbs over such states:
//!
//! ```text
//!    key_package  create  join            who is in            membership.rs
//!    seal  open  flush  abort             application messages engine.rs
//!         |
//!         v
//!    OpenMLS --- randomness, one suite -- crypto.rs
//!         \----- reads and writes ------- storage.rs -- compact.rs (codec)
//!                                              \------- rows.rs   (a key per state)
//! ```
//!
//! What it guarantees (`spec/04-group.md`):
//! - every member is a device certified by its account, and every message comes from such a member;
//! - a sealing key is in the turn's batch as used before the sealed bytes can leave;
//! - a message opens once; what was refused changed nothing;
//! - the same seed and inputs give the same bytes, on the wire and in the rows;
//! - nothing depends on a clock.
//!
//! What it does not do: it makes no commits but the first one (nobody is added or removed later), chooses between
//! no forks, knows no contents, stores no plaintext, and sends nothing.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod compact;
mod crypto;
mod engine;
mod error;
mod leaf;
mod membership;
pub mod rows;
mod storage;
mod suite;

pub use crypto::NoRandomness;
pub use engine::{GroupEngine, LOADED_GROUPS, Opened};
pub use error::{
    CreateError, JoinError, KeyPackageError, LeafError, NewKeyPackageError, OpenError, Refusal, RowError,
    SealError, StateError,
};
pub use leaf::{Identity, KeyPackageRef, check_key_package};
pub use membership::{Created, Joined, state_id};
pub use suite::{
    MAX_AAD, MAX_CIPHERTEXT, MAX_CREDENTIAL, MAX_FORWARD_DISTANCE, MAX_KEY_PACKAGE, MAX_LEAVES,
    MAX_PLAINTEXT, MAX_WELCOME, OUT_OF_ORDER_TOLERANCE, SUITE,
};
