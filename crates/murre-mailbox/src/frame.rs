//! Frames between clients and nodes, and between nodes.
//!
//! ```text
//!  +------+---------+-------------------------------------------------+
//!  | 0x01 | version | strict DAG-CBOR: {q|a: {id, body}}              |   at most 1 MiB
//!  +------+---------+-------------------------------------------------+
//!    family  = 1      q = request, a = reply; id matches them on a link
//! ```
//!
//! Lists are bounded while they are read, so a frame cannot grow in memory beyond a small multiple of itself.
//! What the other side is told when something is wrong is [`Refusal`] or [`PutRefusal`] and no more.

use crate::keys::Place;
use crate::limits::{self, MAX_DESCRIPTORS, MAX_IDS, MAX_LIST_IDS, MAX_NODES, MAX_PARTS};
use crate::network::Descriptor;
use crate::receipt::Receipt;
use crate::request::{ListPart, SignedRead, SignedRepair, SpaceProof, Tombstone};
use murre_core::codec::{self, CodecError};
use murre_core::id::{BoxId, Bytes, NetworkId, PeerKey};
use murre_core::link::MAX_FRAME;
use murre_core::params::PuzzlePrice;
use murre_core::{ErrorKind, HasKind};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// First byte of every frame of this layer.
pub const FAMILY: u8 = 0x01;
/// Second byte.
pub const FRAME_VERSION: u8 = 1;

/// Why a frame was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another family or version.
    #[error("not a mailbox frame of version {FRAME_VERSION}")]
    Family,
    /// Too long, malformed, not canonical, or a list over its limit.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl HasKind for FrameError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Frame {
    /// A question.
    #[serde(rename = "q")]
    Request {
        /// Number that the reply repeats.
        id: u64,
        /// The question.
        #[serde(rename = "b")]
        body: Request,
    },
    /// An answer.
    #[serde(rename = "a")]
    Reply {
        /// Number of the question.
        id: u64,
        /// The answer.
        #[serde(rename = "b")]
        body: Reply,
    },
}

impl Frame {
    /// The bytes to send.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FAMILY, FRAME_VERSION];
        out.extend_from_slice(&codec::encode(self));
        out
    }

    /// Reads a frame. Nothing inside is verified by this.
    ///
    /// # Errors
    /// [`FrameError`]; the link that sent it is closed.
    // spec: B-22, B-23
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        match bytes {
            [FAMILY, FRAME_VERSION, rest @ ..] => Ok(codec::decode(rest, MAX_FRAME - 2)?),
            _ => Err(FrameError::Family),
        }
    }
}

/// A question to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Request {
    /// Greeting: compares networks and directories.
    #[serde(rename = "hi")]
    Hello {
        /// The asker's network, if it has adopted one.
        #[serde(rename = "n")]
        net: Option<NetworkId>,
        /// Digest of the asker's directory.
        #[serde(rename = "g")]
        digest: Bytes<32>,
    },
    /// What the asker's directory holds.
    #[serde(rename = "ds")]
    Descriptors {
        /// Key and time of each descriptor.
        #[serde(rename = "h", deserialize_with = "limits::list::<MAX_NODES, _, _>")]
        have: Vec<(PeerKey, u64)>,
    },
    /// Descriptors that may be new.
    #[serde(rename = "an")]
    Announce {
        /// At most [`MAX_DESCRIPTORS`].
        #[serde(deserialize_with = "limits::list::<MAX_DESCRIPTORS, _, _>")]
        d: Vec<Descriptor>,
    },
    /// Store a box.
    #[serde(rename = "pu")]
    Put {
        /// The box's wire bytes.
        b: ByteBuf,
        /// Payment.
        #[serde(rename = "p")]
        proof: Option<SpaceProof>,
        /// Coordinate (true) or store here only.
        #[serde(rename = "f")]
        fan: bool,
    },
    /// Which boxes are there.
    #[serde(rename = "li")]
    List {
        /// Signed by a reader.
        r: SignedRead,
        /// Ask others too.
        #[serde(rename = "f")]
        fan: bool,
    },
    /// Boxes by id.
    #[serde(rename = "ge")]
    Get {
        /// Signed by a reader.
        r: SignedRead,
        /// Ask others too.
        #[serde(rename = "f")]
        fan: bool,
    },
    /// Store an owner object.
    #[serde(rename = "po")]
    PutObject {
        /// The object's wire bytes.
        o: ByteBuf,
        /// Coordinate or store here only.
        #[serde(rename = "f")]
        fan: bool,
    },
    /// The owner object of a place.
    #[serde(rename = "go")]
    GetObject {
        /// The door in this epoch.
        #[serde(rename = "at")]
        place: Place,
        /// Which epoch.
        e: u64,
        /// Ask others too.
        #[serde(rename = "f")]
        fan: bool,
    },
    /// Drop boxes.
    #[serde(rename = "to")]
    Tombstone {
        /// Signed by the owner.
        t: Tombstone,
        /// Coordinate or drop here only.
        #[serde(rename = "f")]
        fan: bool,
    },
    /// A neighbour keeps the number of copies up.
    #[serde(rename = "re")]
    Repair {
        /// Signed by the neighbour.
        r: SignedRepair,
    },
}

/// An answer of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Reply {
    /// To a greeting.
    #[serde(rename = "hi")]
    Hello {
        /// The node's network file.
        #[serde(rename = "n")]
        net: ByteBuf,
        /// Digest of its directory.
        #[serde(rename = "g")]
        digest: Bytes<32>,
        /// Its network time, ms.
        #[serde(rename = "t")]
        time: u64,
    },
    /// To a directory.
    #[serde(rename = "ds")]
    Descriptors {
        /// What the asker lacks, at most [`MAX_DESCRIPTORS`].
        #[serde(rename = "s", deserialize_with = "limits::list::<MAX_DESCRIPTORS, _, _>")]
        send: Vec<Descriptor>,
        /// What the node lacks.
        #[serde(rename = "w", deserialize_with = "limits::list::<MAX_NODES, _, _>")]
        want: Vec<PeerKey>,
    },
    /// Done.
    #[serde(rename = "ok")]
    Ok,
    /// To a put of a box or an owner object.
    #[serde(rename = "pu")]
    Put {
        /// Receipts, each signed by its custodian.
        #[serde(rename = "r", deserialize_with = "limits::list::<MAX_PARTS, _, _>")]
        receipts: Vec<Receipt>,
        /// Who refused, and why.
        #[serde(rename = "x", deserialize_with = "limits::list::<MAX_PARTS, _, _>")]
        refused: Vec<(PeerKey, PutRefusal)>,
    },
    /// To a list.
    #[serde(rename = "li")]
    List {
        /// Answers, each signed by its custodian.
        #[serde(rename = "p", deserialize_with = "limits::list::<MAX_PARTS, _, _>")]
        parts: Vec<ListPart>,
    },
    /// To a get.
    #[serde(rename = "ge")]
    Get {
        /// Wire bytes of boxes, [`limits::MAX_BOXES_BYTES`] in all. What is missing is asked for again.
        #[serde(rename = "b", deserialize_with = "limits::list::<MAX_IDS, _, _>")]
        boxes: Vec<ByteBuf>,
    },
    /// To a request for an owner object.
    #[serde(rename = "go")]
    Object {
        /// Wire bytes, one for each custodian that has one, equal ones once.
        #[serde(rename = "o", deserialize_with = "limits::list::<MAX_PARTS, _, _>")]
        objects: Vec<ByteBuf>,
    },
    /// To a repair request for ids.
    #[serde(rename = "ri")]
    RepairIds {
        /// Expiry hour and id, ascending, at most [`MAX_LIST_IDS`].
        #[serde(rename = "i", deserialize_with = "limits::list::<MAX_LIST_IDS, _, _>")]
        ids: Vec<(u32, BoxId)>,
        /// Whether there are more after these.
        #[serde(rename = "m")]
        more: bool,
    },
    /// To a repair request for things.
    #[serde(rename = "rf")]
    RepairItems {
        /// [`limits::MAX_BOXES_BYTES`] in all.
        #[serde(rename = "i", deserialize_with = "limits::list::<MAX_IDS, _, _>")]
        items: Vec<RepairItem>,
    },
    /// No.
    #[serde(rename = "no")]
    Refused(Refusal),
}

/// What repair moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum RepairItem {
    /// Wire bytes of a box.
    #[serde(rename = "b")]
    Box(ByteBuf),
    /// Wire bytes of an owner object.
    #[serde(rename = "o")]
    Object(ByteBuf),
    /// A tombstone.
    #[serde(rename = "t")]
    Tombstone(Tombstone),
}

/// Why a custodian did not store something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum PutRefusal {
    /// It must be paid for.
    #[serde(rename = "p")]
    NeedProof {
        /// How much.
        #[serde(rename = "p")]
        price: PuzzlePrice,
        /// For which block.
        #[serde(rename = "b")]
        block: u32,
    },
    /// The mailbox is full in this epoch.
    #[serde(rename = "q")]
    Quota,
    /// Not placed here, as far as this node knows.
    #[serde(rename = "m")]
    NotMine,
    /// Epoch or expiry out of range at this node's time.
    #[serde(rename = "x")]
    Expired,
    /// Other bytes lie here under this id.
    #[serde(rename = "c")]
    Conflict {
        /// Their wire bytes, which prove it. Empty if the reply already holds the bytes of another conflict.
        #[serde(rename = "h")]
        held: ByteBuf,
    },
    /// Not now: too much at once.
    #[serde(rename = "b")]
    Busy,
    /// This node has no room: its capacity or its disk is used up, or kept for others. Nothing that it holds makes way.
    #[serde(rename = "f")]
    NoRoom,
}

/// Why a request was refused. All that the other side learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It is not valid.
    #[serde(rename = "m")]
    Malformed,
    /// Signature, time or place do not allow it.
    #[serde(rename = "d")]
    Denied,
    /// Not placed here.
    #[serde(rename = "n")]
    NotMine,
    /// No such thing here.
    #[serde(rename = "u")]
    Unknown,
    /// Too much at once.
    #[serde(rename = "b")]
    Busy,
    /// Another network.
    #[serde(rename = "o")]
    OtherNetwork,
    /// This node is being stopped: ask another.
    #[serde(rename = "l")]
    Leaving,
}
