//! The signed part of an entry and the rules that need nothing but the header itself.
//!
//! Canonical DAG-CBOR map, at most [`MAX_HEADER`] bytes, keys in DAG-CBOR order:
//!
//! ```text
//!  c      bytes 32   commitment to the contents           v      1
//!  bh     bytes 32   hash of the body                     by     bytes 32   author key, signs
//!  bl     u32        length of the body                   log    bytes 32
//!  seq    u32        author's number, from 0              next   [Link] <= 16, sorted, without prev
//!  prev   Link|null  author's entry seq - 1               skip   Link|null  see `link::skip_target`
//!  time   u64        1 + max(time of prev and next)       state  bytes 32   MLS state of the body
//! ```
//!
//! What depends on other entries (time against the parents, skip on the author's chain) is judged by
//! [`crate::Logs::accept`].

use crate::link::{Link, skip_target};
use murre_core::id::{AuthorId, LogId, StateId};
use murre_core::{Label, codec};
use serde::{Deserialize, Serialize};

/// The one version of the format.
pub const VERSION: u8 = 1;
/// Longest header, in bytes.
pub const MAX_HEADER: usize = 4 << 10;
/// Longest body, in bytes.
pub const MAX_BODY: usize = 1 << 20;
/// Most parents beside `prev`.
pub const MAX_NEXT: usize = 16;

/// What an author's signature covers.
pub(crate) const HEADER_LABEL: Label = Label::new("murre v1 log header");
const BODY_LABEL: Label = Label::new("murre v1 log body");

/// The header of an entry. Reading one from the wire is only possible through a verified entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Format version, [`VERSION`].
    pub v: u8,
    /// The log.
    pub log: LogId,
    /// The author's key.
    pub by: AuthorId,
    /// The author's own number of this entry, from 0.
    pub seq: u32,
    /// The author's entry before this one; none for number 0.
    pub prev: Option<Link>,
    /// The other heads the author saw: at most [`MAX_NEXT`], sorted, without `prev`.
    pub next: Vec<Link>,
    /// An earlier entry of the same author, see [`skip_target`].
    pub skip: Option<Link>,
    /// 1 + the greatest time of `prev` and `next`.
    pub time: u64,
    /// State of the group keys under which the body is sealed.
    pub state: StateId,
    /// Commitment to the contents ([`crate::Pack::commitment`]).
    #[serde(with = "bytes32")]
    pub c: [u8; 32],
    /// Hash of the body ([`body_hash`]).
    #[serde(with = "bytes32")]
    pub bh: [u8; 32],
    /// Length of the body in bytes.
    pub bl: u32,
}

/// Which rule a header breaks by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// Not version 1.
    #[error("unknown version")]
    Version,
    /// Number 0 with `prev`, a later number without, or `prev` not number seq - 1 of the same author.
    #[error("prev does not fit seq and author")]
    Prev,
    /// More than 16 parents, unsorted, twice the same, or `prev` among them.
    #[error("next is too long, unsorted, or names an entry twice")]
    Next,
    /// A skip where there must be none, none where there must be one, or one to another number or author.
    #[error("skip does not name the entry it must name")]
    Skip,
    /// No parents and not 1, or below what the author's own chain forces.
    #[error("time is impossible")]
    Time,
    /// Longer than a body may be.
    #[error("body length over the limit")]
    BodyLength,
}

impl HeaderFault {
    /// The failure class named by `spec/vectors/log.json`.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Prev => "prev",
            Self::Next => "next",
            Self::Skip => "skip",
            Self::Time => "time",
            Self::BodyLength => "body-length",
        }
    }
}

impl Header {
    /// `prev` and `next`: the causal parents.
    pub fn parents(&self) -> impl Iterator<Item = &Link> {
        self.prev.iter().chain(&self.next)
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Puts the body's hash and length into the header.
    pub fn cover(&mut self, body: &[u8]) {
        self.bh = body_hash(body);
        self.bl = u32::try_from(body.len()).unwrap_or(u32::MAX);
    }

    /// The rules that need no other entry.
    ///
    /// # Errors
    /// The first [`HeaderFault`] found.
    pub fn check(&self) -> Result<(), HeaderFault> {
        // spec: L-4
        if self.v != VERSION {
            return Err(HeaderFault::Version);
        }
        // spec: L-6
        let prev_fits = match &self.prev {
            None => self.seq == 0,
            Some(prev) => prev.is_of(&self.by) && prev.s.checked_add(1) == Some(self.seq),
        };
        if !prev_fits {
            return Err(HeaderFault::Prev);
        }
        // spec: L-7
        let sorted = self.next.is_sorted_by(|a, b| a < b);
        if self.next.len() > MAX_NEXT || !sorted || self.prev.is_some_and(|p| self.next.contains(&p)) {
            return Err(HeaderFault::Next);
        }
        // spec: L-9
        let skip_fits = match (&self.skip, skip_target(self.seq)) {
            (None, None) => true,
            (Some(skip), Some(seq)) => skip.is_of(&self.by) && skip.s == seq,
            _ => false,
        };
        if !skip_fits {
            return Err(HeaderFault::Skip);
        }
        // spec: L-8 (the part that needs no parents: each entry of the chain adds at least one)
        let alone = self.prev.is_none() && self.next.is_empty();
        if self.time <= u64::from(self.seq) || (alone && self.time != 1) || (!alone && self.time < 2) {
            return Err(HeaderFault::Time);
        }
        // spec: L-3
        if self.bl as usize > MAX_BODY {
            return Err(HeaderFault::BodyLength);
        }
        Ok(())
    }
}

/// Hash of a body as it stands in [`Header::bh`].
#[must_use]
pub fn body_hash(body: &[u8]) -> [u8; 32] {
    BODY_LABEL.hash(&[body])
}

/// 32 bytes as a byte string, where the type is a plain array.
pub(crate) mod bytes32 {
    use murre_core::id::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        Bytes(*value).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        Bytes::<32>::deserialize(d).map(|b| b.0)
    }
}
