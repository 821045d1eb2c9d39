//! Requests that prove themselves, and signed answers.
//!
//! Nothing about a link gives a request authority. A reader signs with the epoch key of the mailbox, an owner
//! with the owner's, a node with its own key; the other side answers with a signature over the request's hash.
//!
//! ```text
//!  read       { at: place, e: epoch, q: list | get, t: network time }                   signed by m_e
//!  tombstone  { at: place, e: epoch, i: box ids }                                       signed by d_e
//!  repair     { e: epoch, n: asker, o: asked node, q: ids | items, t: network time }    signed by the asker
//!  list part  { i: box ids, m: more, n: node, q: request hash, r: incarnation, s: seq } signed by the node
//! ```

use crate::keys::{AddressError, EpochReader, Place};
use crate::limits::{self, MAX_CURSORS, MAX_IDS, MAX_LIST_IDS};
use murre_core::id::{BoxId, Bytes, PeerKey};
use murre_core::{ErrorKind, HasKind, Label, NetworkParams, Wall};
use murre_crypto::puzzle::Solution;
use murre_crypto::{NodeKey, Signed, SignedBody, SignedError, Verified};
use serde::{Deserialize, Serialize};

const REQUEST_HASH: Label = Label::new("murre v1 mailbox request hash");

/// Payment for one block of space at a locator in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaceProof {
    /// Number of the block, counted from 0 in units of [`NetworkParams::block_bytes`].
    #[serde(rename = "b")]
    pub block: u32,
    /// What solves [`crate::space_puzzle`].
    #[serde(rename = "s")]
    pub solution: Solution,
}

/// How far a reader has read at one custodian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Incarnation of the custodian's store. Another one means that its list must be read from the beginning.
    #[serde(rename = "i")]
    pub inc: u64,
    /// Place in its list.
    #[serde(rename = "s")]
    pub seq: u64,
}

/// What a reader wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ReadKind {
    /// Ids of the boxes there.
    #[serde(rename = "l")]
    List {
        /// What was read before, by custodian.
        #[serde(rename = "c", deserialize_with = "limits::list::<MAX_CURSORS, _, _>")]
        cursors: Vec<(PeerKey, Cursor)>,
        /// How long the custodian may wait for something new, ms.
        #[serde(rename = "w")]
        wait_ms: u32,
        /// Whether the coordinator asks r custodians instead of two.
        #[serde(rename = "r")]
        careful: bool,
    },
    /// These boxes.
    #[serde(rename = "g")]
    Get {
        /// Ids, at most [`MAX_IDS`].
        #[serde(rename = "i", deserialize_with = "limits::list::<MAX_IDS, _, _>")]
        ids: Vec<BoxId>,
    },
}

/// A reader's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBody {
    /// The mailbox in this epoch.
    #[serde(rename = "at")]
    pub place: Place,
    /// Which epoch.
    pub e: u64,
    /// Network time, ms.
    pub t: u64,
    /// What is wanted.
    #[serde(rename = "q")]
    pub kind: ReadKind,
}

impl SignedBody for ReadBody {
    const LABEL: Label = Label::new("murre v1 mailbox read");
    const LIMIT: usize = 4 << 10;

    fn signer(&self) -> [u8; 32] {
        *self.place.m.as_bytes()
    }

    fn well_formed(&self) -> bool {
        self.place.check().is_ok()
    }
}

/// A reader's signed request.
pub type SignedRead = Signed<ReadBody>;

/// The owner's order to drop the bytes of boxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TombstoneBody {
    /// The mailbox in this epoch.
    #[serde(rename = "at")]
    pub place: Place,
    /// Which epoch.
    pub e: u64,
    /// Which boxes, at most [`MAX_IDS`].
    #[serde(rename = "i", deserialize_with = "limits::list::<MAX_IDS, _, _>")]
    pub ids: Vec<BoxId>,
}

impl SignedBody for TombstoneBody {
    const LABEL: Label = Label::new("murre v1 mailbox tombstone");
    const LIMIT: usize = 4 << 10;

    fn signer(&self) -> [u8; 32] {
        self.place.d.map_or([0xff; 32], |d| *d.as_bytes())
    }

    // A body without owner key must never come as far as its signature: it names no signer.
    fn well_formed(&self) -> bool {
        self.place.check().is_ok() && self.place.d.is_some()
    }
}

/// A signed tombstone.
pub type Tombstone = Signed<TombstoneBody>;

/// What a node wants of a neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum RepairKind {
    /// Ids of what is placed on the asker, in the order (expiry hour, id).
    #[serde(rename = "i")]
    Ids {
        /// The last one already known.
        #[serde(rename = "a")]
        after: Option<(u32, BoxId)>,
        /// At most so many, and at most [`MAX_LIST_IDS`].
        #[serde(rename = "l")]
        limit: u16,
    },
    /// The things themselves.
    #[serde(rename = "f")]
    Fetch {
        /// Ids, at most [`MAX_IDS`].
        #[serde(rename = "i", deserialize_with = "limits::list::<MAX_IDS, _, _>")]
        ids: Vec<BoxId>,
    },
}

/// A node's request to a neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairBody {
    /// The asker.
    pub n: PeerKey,
    /// Who is asked, so that the request cannot be used elsewhere.
    #[serde(rename = "o")]
    pub to: PeerKey,
    /// Which epoch.
    pub e: u64,
    /// Network time, ms.
    pub t: u64,
    /// What is wanted.
    #[serde(rename = "q")]
    pub kind: RepairKind,
}

impl SignedBody for RepairBody {
    const LABEL: Label = Label::new("murre v1 mailbox repair");
    const LIMIT: usize = 4 << 10;

    fn signer(&self) -> [u8; 32] {
        *self.n.as_bytes()
    }
}

/// A node's signed request.
pub type SignedRepair = Signed<RepairBody>;

/// One custodian's answer to a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListBody {
    /// The custodian.
    pub n: PeerKey,
    /// Hash of the request it answers ([`read_hash`]).
    pub q: Bytes<32>,
    /// Incarnation of its store.
    #[serde(rename = "r")]
    pub inc: u64,
    /// Place in its list after these ids: the next cursor.
    #[serde(rename = "s")]
    pub seq: u64,
    /// Ids in the order in which they came, at most [`MAX_LIST_IDS`].
    #[serde(rename = "i", deserialize_with = "limits::list::<MAX_LIST_IDS, _, _>")]
    pub ids: Vec<BoxId>,
    /// Whether there are more after these.
    #[serde(rename = "m")]
    pub more: bool,
}

impl SignedBody for ListBody {
    const LABEL: Label = Label::new("murre v1 mailbox list part");
    const LIMIT: usize = MAX_LIST_IDS * 34 + 256;

    fn signer(&self) -> [u8; 32] {
        *self.n.as_bytes()
    }
}

/// One custodian's signed answer to a list.
pub type ListPart = Signed<ListBody>;

/// Why a signed request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Malformed or not signed by whom it must be.
    #[error(transparent)]
    Signed(#[from] SignedError),
    /// The place does not hold together.
    #[error(transparent)]
    Place(#[from] AddressError),
    /// Its time is too far from ours.
    #[error("request time differs by {by_ms} ms")]
    Time {
        /// By how much.
        by_ms: u64,
    },
    /// For another node.
    #[error("request for another node")]
    OtherNode,
}

impl HasKind for RequestError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// The hash by which an answer names the request. It covers the signature, so two askers never share one.
// spec: B-19
#[must_use]
pub fn read_hash(read: &SignedRead) -> [u8; 32] {
    REQUEST_HASH.hash(&[&read.bytes()])
}

fn timely(t: u64, now: Wall, p: &NetworkParams) -> Result<(), RequestError> {
    let by_ms = t.abs_diff(now.0);
    if by_ms <= p.skew_ms { Ok(()) } else { Err(RequestError::Time { by_ms }) }
}

/// Checks a reader's request at network time `now`.
///
/// # Errors
/// [`RequestError`].
// spec: B-18
pub fn check_read(
    read: SignedRead,
    now: Wall,
    p: &NetworkParams,
) -> Result<Verified<ReadBody>, RequestError> {
    let body = read.verify()?;
    timely(body.t, now, p)?;
    Ok(body)
}

/// Checks a neighbour's request at network time `now`; `me` is the node that received it.
///
/// # Errors
/// [`RequestError`].
// spec: B-21
pub fn check_repair(
    repair: SignedRepair,
    me: &PeerKey,
    now: Wall,
    p: &NetworkParams,
) -> Result<Verified<RepairBody>, RequestError> {
    let body = repair.verify()?;
    if body.to != *me {
        return Err(RequestError::OtherNode);
    }
    timely(body.t, now, p)?;
    Ok(body)
}

/// Signs a request to a neighbour.
#[must_use]
pub fn sign_repair(key: &NodeKey, to: PeerKey, e: u64, t: Wall, kind: RepairKind) -> SignedRepair {
    let body = RepairBody { n: key.id(), to, e, t: t.0, kind };
    Signed::new(&body, |label, msg| key.sign(label, msg))
}

/// Signs a custodian's answer to a list.
#[must_use]
pub fn sign_list(key: &NodeKey, body: &ListBody) -> ListPart {
    Signed::new(body, |label, msg| key.sign(label, msg))
}

impl EpochReader {
    /// Signs a reader's request at network time `t`.
    #[must_use]
    pub fn sign_read(&self, t: Wall, kind: ReadKind) -> SignedRead {
        let body = ReadBody { place: self.place, e: self.epoch, t: t.0, kind };
        Signed::new(&body, |label, msg| self.sign_reader(label, msg))
    }

    /// Signs a tombstone for at most [`MAX_IDS`] boxes; `None` without the owner key or with more ids.
    // spec: B-20
    #[must_use]
    pub fn sign_tombstone(&self, ids: Vec<BoxId>) -> Option<Tombstone> {
        if !self.owns() || ids.len() > MAX_IDS {
            return None;
        }
        let body = TombstoneBody { place: self.place, e: self.epoch, ids };
        let mut missing = false;
        let signed = Signed::new(&body, |label, msg| {
            self.sign_owner(label, msg).unwrap_or_else(|| {
                missing = true;
                murre_crypto::Signature::from_bytes([0; 64])
            })
        });
        (!missing).then_some(signed)
    }
}
