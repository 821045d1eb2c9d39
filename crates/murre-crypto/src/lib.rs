//! Keys by role, signatures that gate reading, sealing, puzzles.
//!
//! ```text
//!  phrase --> AccountKey --signs--> DeviceCert --names--> DeviceKey --signs--> what a device says
//!                                                         log secret -> AuthorKey --signs--> one log
//!  BlindKey m --blind(tweak)--> EpochKey        signs, and cannot be linked to m or to another tweak
//!  BlindPublic M --blind(tweak)--> EpochPublic  the same key's public half, computed without m
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`secret`] | [`Secret`]: bytes that never print and are wiped |
//! | [`signature`] | the one signature rule, single and batch |
//! | [`roles`] | [`AccountKey`], [`DeviceKey`], [`AuthorKey`], [`NodeKey`]: a type for each role |
//! | [`phrase`] | [`Phrase`]: 24 words that are an account |
//! | [`signed`] | [`Signed`] bytes cannot be read until they became [`Verified`] |
//! | [`cert`] | [`DeviceCert`]: this account says that device is its own |
//! | [`blind`] | keys that change their face every epoch |
//! | [`seal`] | authenticated encryption under a shared key |
//! | [`hpke`] | encryption to a public key, safe against a quantum computer that records today |
//! | [`puzzle`] | a price in memory and time |
//! | [`memo`] | answers kept for the simulator; nothing in a shipped binary |
//!
//! What it does not do: it knows no conversation, no mailbox and no log; it draws no randomness (every draw is
//! from a [`murre_core::Rng`] handed in), reads no clock and keeps no state. It invents no primitive: points and
//! scalars are curve25519-dalek's, verification is ed25519-consensus', the KEM is x-wing's, the HPKE key schedule
//! is hpke-rs'. The law behind it is `spec/02-crypto.md`, with vectors in `spec/vectors/crypto.json`.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod blind;
pub mod cert;
mod ed25519;
pub mod hpke;
pub mod memo;
pub mod phrase;
pub mod puzzle;
pub mod roles;
pub mod seal;
pub mod secret;
pub mod signature;
pub mod signed;

pub use blind::{BlindError, BlindKey, BlindPublic, EpochKey, EpochPublic};
pub use cert::{DeviceCert, DeviceCertBody};
pub use hpke::{HpkeSealError, RequestKey, RequestPublic, hpke_open, hpke_seal};
pub use phrase::{Phrase, PhraseError};
pub use roles::{AccountKey, AuthorKey, DeviceKey, NodeKey};
pub use seal::OpenError;
pub use secret::Secret;
pub use signature::{BadSignature, Signature, verify, verify_batch};
pub use signed::{Signed, SignedBody, SignedError, Verified};
