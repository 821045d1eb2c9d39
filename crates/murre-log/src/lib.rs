//! The causal Merkle-CRDT log: what a conversation is made of.
//!
//! A log is a set of signed entries that name their parents by hash. Any two devices that hold the same set see
//! the same order, the same heads and the same frontier, however the entries came. Nothing here reads a clock,
//! decrypts, or knows what a message is: the body is opaque, padded ciphertext.
//!
//! ```text
//!             signed as sent                       hashed by the header
//!  Entry = [ header bytes | signature 64 ]  +  body (MLS ciphertext, <= 1 MiB)
//!            \__________ block _________/
//!                 BLAKE3 of it = EntryId = digest inside the entry's CID
//!
//!  a0 <--prev-- a1 <--prev-- a2          one author's entries: seq 0, 1, 2 ...
//!   ^            ^
//!   +---next---- b0 <--prev-- b1         `next` names the heads of the others
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`link`] | [`Link`]: who, which number, which hash; the skip rule |
//! | [`header`] | [`Header`] and the rules that need nothing else |
//! | [`entry`] | [`Entry`] (unreadable) and [`VerifiedEntry`] |
//! | [`pack`] | [`Pack`]: the contents of one body, commitments, padding, message ids |
//! | [`signal`] | [`Signal`]: sealed and signed like an entry, but never in the log |
//! | [`chunk`] | [`Chunk`]: pieces of files, each provable against its file's [`Shape`] |
//! | [`wire`] | the wire seal and [`Packet`] |
//! | [`logs`] | [`Logs`]: the machine over rows; accepting, pending, heads, order |
//! | [`fork`] | [`ForkProof`]: two entries with one number |
//!
//! What it does NOT do: say who may write (the roster does), ask for missing entries (delivery does), or keep a
//! timeline (the conversation does, from [`Position`]s). The law is `spec/03-log.md`.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod chunk;
pub mod entry;
pub mod fork;
pub mod header;
pub mod link;
pub mod logs;
pub mod pack;
pub mod position;
pub mod rows;
pub mod signal;
pub mod wire;

pub use chunk::{Chunk, Shape, VerifiedChunk};
pub use entry::{Entry, EntryError, VerifiedEntry};
pub use fork::{ForkProof, ForkProofError};
pub use header::{Header, HeaderFault};
pub use link::Link;
pub use logs::{Accept, AppendError, Author, DraftError, Frozen, Logs, Refusal};
pub use pack::{Item, Pack, PackError, message_id};
pub use position::{AuthorNo, LogNo, Position};
pub use signal::{Signal, SignalError, SignalHeader, VerifiedSignal};
pub use wire::{OpenError, Packet, WireSecret, wire_open, wire_seal, wire_week};
