//! The words between the client half and its parent.

use crate::boxes::VerifiedBox;
use crate::door::VerifiedObject;
use crate::network::NetworkFile;
use murre_core::id::{NetworkId, PeerKey};
use murre_core::{Class, ErrorKind, HasKind, Transmit, TurnError};
use murre_crypto::puzzle::Puzzle;

/// The parent's name for one box or object to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PutKey(pub u64);

/// The parent's name for one question for an owner object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GetKey(pub u64);

/// The parent's name for one mailbox under watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchKey(pub u64);

/// Names a puzzle that the parent has solved elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PuzzleId(pub u64);

/// Why a put makes no progress, or ended without being stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutTrouble {
    /// No network adopted yet. It goes on by itself.
    NoNetwork,
    /// Every custodian was tried and too few answered. It goes on by itself, later.
    NoCustodian,
    /// Custodians answer, but too many refuse for want of room: told after each round. It goes on by itself, later;
    /// cancel it to put the content into another epoch or mailbox.
    Full,
    /// The puzzle was not solved. It is asked for again, later.
    Unpaid,
    /// Its door is a paid one: a puzzle is being solved. It goes on by itself.
    Paying {
        /// Tries that it takes on average.
        tries: u32,
    },
    /// Its expiry has passed. The put ended: make a new box.
    Expired,
    /// It speaks of another time: no custodian takes puts for its epoch. The put ended: make a new box.
    EpochOver,
}

impl PutTrouble {
    /// Whether the put ended here; otherwise it goes on by itself.
    #[must_use]
    pub const fn ended(self) -> bool {
        matches!(self, Self::Expired | Self::EpochOver)
    }
}

/// What the client half tells its parent.
#[derive(Debug)]
pub enum ClientEvent {
    /// Send this frame.
    Transmit(Transmit),
    /// More custodians have signed for a put. Each growth is told, and the last one says `solid`.
    Receipts {
        /// Which put.
        put: PutKey,
        /// Distinct custodians of its placement whose receipt was verified, ascending.
        signed_by: Vec<PeerKey>,
        /// Enough of them: it is stored, and the put ended.
        solid: bool,
    },
    /// A custodian says that other bytes lie under this box's id.
    Conflict {
        /// Which put.
        put: PutKey,
        /// The held bytes carry the tag's valid signature: this store was rolled back or copied. The put ended:
        /// stop sending and re-key (at a door: someone else took the slot). If not proven the custodian lied;
        /// the put goes on without it.
        proven: bool,
        /// The held box, if proven.
        held: Option<VerifiedBox>,
    },
    /// A put makes no progress, or ended without being stored ([`PutTrouble::ended`]).
    PutProblem {
        /// Which put.
        put: PutKey,
        /// Why.
        why: PutTrouble,
    },
    /// There is room for these waiting puts, kept for [`super::limits::CALL_MS`]: call `put` (or `put_object`) with
    /// their bytes, or `cancel`. They may have been started before and have given their place up.
    PutRoom {
        /// Which, in the order of the line.
        puts: Vec<PutKey>,
    },
    /// Boxes that were found, verified, and not yet taken. Call `boxes_taken` in the turn that stores them.
    Boxes {
        /// In which mailbox.
        watch: WatchKey,
        /// In which epoch.
        epoch: u64,
        /// At least one.
        boxes: Vec<VerifiedBox>,
    },
    /// The answer to `get_object`: at least one custodian was heard.
    Object {
        /// Which question.
        get: GetKey,
        /// The newest valid one, if any custodian had one.
        result: Option<VerifiedObject>,
    },
    /// There is no room for this question now: `get_object` again later.
    ObjectLater {
        /// Which question.
        get: GetKey,
    },
    /// Work to be done outside of the machine: answer with `puzzle_done`.
    Solve {
        /// Its name.
        id: PuzzleId,
        /// The work.
        puzzle: Puzzle,
    },
    /// A network was adopted: it is kept and never changes.
    NetworkChanged {
        /// The adopted network.
        network: NetworkFile,
    },
    /// A node of another network answered. It is ignored.
    OtherNetwork {
        /// Which node.
        node: PeerKey,
        /// Its network.
        network: NetworkId,
    },
}

/// What became of an offered put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutStart {
    /// It is under way; or was already, with these very bytes.
    Started,
    /// No room, or it waits for its time: only its key is kept, and [`ClientEvent::PutRoom`] will ask for it again.
    Queued,
}

/// Why an offered put was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// Not a valid box or object of this network.
    #[error("not a valid box: {what}")]
    Invalid {
        /// The decoder's words.
        what: String,
    },
    /// Other bytes are under way under this key. A put never changes its bytes.
    #[error("other bytes are under way under this key")]
    OtherBytes,
    /// Too many wait already; offer it again later.
    #[error("too many puts wait")]
    TooMany,
}

impl HasKind for PutError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Caller
    }
}

/// Why a mailbox cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Its keys do not make an address.
    #[error("mailbox keys are not usable")]
    Keys,
    /// It is watched under another key already.
    #[error("mailbox is watched already")]
    Twice,
    /// Too many mailboxes are watched.
    #[error("too many mailboxes are watched")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

impl HasKind for WatchError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Keys | Self::Twice | Self::TooMany => ErrorKind::Caller,
            Self::Turn(e) => e.kind(),
        }
    }
}

/// Bytes of one class since start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassBytes {
    /// What for.
    pub class: Class,
    /// Sent.
    pub sent: u64,
    /// Received.
    pub received: u64,
}

/// How things stand, for `doctor` and the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    /// The adopted network: id and name.
    pub network: Option<(NetworkId, String)>,
    /// Nodes in the directory.
    pub nodes_known: usize,
    /// Those that count for placement.
    pub eligible: usize,
    /// Fewer than the number from which the protocol's promises hold in full.
    pub small: bool,
    /// Open links to nodes.
    pub links: usize,
    /// A custodian was heard of lately.
    pub reachable: bool,
    /// Network time minus own clock, ms.
    pub clock_offset_ms: i64,
    /// Nodes that are avoided for lies or failures.
    pub avoided: usize,
    /// Puts that hold a place.
    pub puts: usize,
    /// Puts that wait without a place.
    pub puts_queued: usize,
    /// Mailboxes under watch.
    pub watches: usize,
    /// Places whose careful read is still owed.
    pub careful_owed: usize,
    /// Requests under way.
    pub inflight: usize,
    /// Bytes by class.
    pub bytes: Vec<ClassBytes>,
}
