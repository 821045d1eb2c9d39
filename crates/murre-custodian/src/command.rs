//! What the shell says to a custodian and what it hears.

use crate::query::NodeStatus;
use murre_core::{Addr, CommandId, ErrorKind, HasKind, PeerRef, TurnError};
use murre_crypto::NodeKey;
use murre_crypto::puzzle::{Puzzle, Solution};
use murre_mailbox::{Descriptor, NetworkFile};

/// What a custodian is opened with. Not stored: the shell hands it in at each start.
#[derive(Debug)]
pub struct Config {
    /// The node's key: its name in the directory, in receipts and in the transport handshake.
    pub key: NodeKey,
    /// The network it belongs to.
    pub network: NetworkFile,
    /// Addresses to show beside those it listens on, such as that of a forwarded port.
    pub addrs: Vec<Addr>,
    /// Nodes to greet while no other node is known.
    pub bootstrap: Vec<PeerRef>,
    /// Bytes it may hold.
    pub disk: u64,
    /// What it was before, in the same process.
    pub before: Before,
}

/// What a node goes on with that is opened anew in the same process: a store that failed takes the machine away, not
/// what it was told. At the start of a process: the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// It was told to [`Command::Drain`].
    pub leaving: bool,
    /// It had no room to write, see [`Event::Room`].
    pub without_room: bool,
}

/// Names one puzzle that was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PuzzleId(pub u64);

/// What the shell wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Greet these nodes as well.
    AddBootstrap {
        /// Who, with where.
        peers: Vec<PeerRef>,
    },
    /// A puzzle was solved, or given up.
    PuzzleDone {
        /// Which.
        id: PuzzleId,
        /// Its solution; nothing if the shell stopped trying. Then it is given out again at the next change of
        /// addresses.
        solution: Option<Solution>,
    },
    /// How is the node?
    Status,
    /// What the shell sees of the disk under the store. A write that failed for want of room says zero and `false`.
    Disk {
        /// Bytes free for this node.
        free: u64,
        /// Whether the reserve ([`DISK_RESERVE`](crate::limits::DISK_RESERVE)) lies on it.
        reserve: bool,
    },
    /// Begin nothing new and say [`Event::Drained`] when what is under way is answered.
    Drain,
}

/// What a command is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// The solution solves nothing that is open.
    WrongSolution,
    /// The node's state.
    Status(NodeStatus),
}

/// What a custodian tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A command's answer.
    Answer {
        /// Which command.
        id: CommandId,
        /// The answer.
        answer: Answer,
    },
    /// Solve this beside the machine and say [`Command::PuzzleDone`].
    Solve {
        /// Its name.
        id: PuzzleId,
        /// The puzzle.
        puzzle: Puzzle,
    },
    /// The node has issued its descriptor and takes part.
    Ready {
        /// The descriptor.
        descriptor: Descriptor,
    },
    /// Room to write came or went: while there is none, nothing new is taken in.
    Room {
        /// Whether there is.
        there_is: bool,
    },
    /// There is room for the reserve: lay it and say so with the next [`Command::Disk`].
    LayReserve,
    /// Nothing is under way any more, or the time for it is up.
    Drained {
        /// What was not finished.
        left: usize,
    },
    /// The number of known nodes changed.
    DirectoryChanged {
        /// Nodes known, this one included.
        nodes: usize,
    },
}

/// Why a custodian cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The stored state cannot be read.
    #[error(transparent)]
    Stored(#[from] TurnError),
    /// The store belongs to another network.
    #[error("the store belongs to another network; use another directory")]
    OtherNetwork,
    /// The network file breaks its own rules.
    #[error("the network file cannot be used")]
    Network,
}

impl HasKind for OpenError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Stored(e) => e.kind(),
            Self::OtherNetwork | Self::Network => ErrorKind::Caller,
        }
    }
}
