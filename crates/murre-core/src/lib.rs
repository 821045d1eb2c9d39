//! The vocabulary every Murre crate speaks.
//!
//! Nothing in here decides, signs, stores or sends. It fixes the words that the machines and the shells around
//! them share, so that a machine can be run on a phone, in a daemon or in the simulator without knowing which:
//!
//! | module | what it fixes |
//! |---|---|
//! | [`time`] | [`Now`]: monotonic and wall time, handed in, never read |
//! | [`id`] | one newtype for each 32-byte name |
//! | [`label`] | domain separation: every hash, key and signature names its purpose |
//! | [`codec`] | the one canonical encoding (strict DAG-CBOR) |
//! | [`store`] | [`Space`], [`Batch`], [`View`] and [`Turn`]: durable state as ordered bytes |
//! | [`words`] | from a text to the words it is found by, and [`Query`] |
//! | [`link`] | what a carrier tells a machine and what a machine asks of it |
//! | [`machine`] | [`Output`] and the turn rule |
//! | [`params`] | [`NetworkParams`]: every number two nodes must agree on |
//! | [`error`] | who is at fault: remote, environment, caller, bug |
//!
//! The rules behind these words are in `spec/01-machines.md`.

pub mod codec;
pub mod cx;
pub mod error;
pub mod id;
pub mod label;
pub mod link;
pub mod machine;
pub mod params;
pub mod rng;
pub mod sabotage;
pub mod store;
pub mod time;
pub mod words;

pub use cx::Cx;
pub use error::{Bug, ErrorKind, HasKind};
pub use label::Label;
pub use link::{
    Addr, Class, Dest, Input, LinkCaps, LinkDownReason, LinkId, LinkKind, LinkUp, PeerRef, Transmit,
};
pub use machine::{CommandId, Output, TurnError};
pub use params::NetworkParams;
pub use rng::Rng;
pub use store::{Batch, BlobNo, Direction, Op, Range, Search, Space, SpaceKind, Turn, View, ViewError};
pub use time::{Mono, Now, Wall};
pub use words::{BadQuery, Query};
