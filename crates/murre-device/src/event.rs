//! What a device tells.

use crate::command::{Answer, CommandError, ContactState};
use murre_core::CommandId;
use murre_core::id::{AccountId, DeviceId, LinkSecretId, LogId, MessageId};
use murre_crypto::puzzle::Puzzle;
use serde::{Deserialize, Serialize};

/// What leaves the machine towards its shell.
#[derive(Debug)]
pub enum Event {
    /// The answer to one command.
    Answer {
        /// Which command.
        id: CommandId,
        /// How it went.
        result: Result<Answer, CommandError>,
    },
    /// Something happened that a person or program may want to know. Durable, in order, replayable.
    Notice {
        /// Its place in the order.
        cursor: u64,
        /// What.
        notice: Notice,
    },
    /// A file that is under way goes on. It is not stored, has no place in the order, and is for whoever listens now.
    Progress(Progress),
    /// Work for a spare core: solve this and answer with [`crate::NetworkCommand::PuzzleDone`].
    Solve {
        /// Names the work.
        id: u64,
        /// The puzzle.
        puzzle: Puzzle,
    },
}

/// One durable event, kept under a cursor (`watch --since CURSOR` replays them).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// A message came in and can be read.
    #[serde(rename = "m")]
    MessageArrived {
        /// Chat.
        chat: LogId,
        /// Message.
        message: MessageId,
    },
    /// A message was written on this account.
    #[serde(rename = "w")]
    MessageSent {
        /// Chat.
        chat: LogId,
        /// Message.
        message: MessageId,
    },
    /// Messages moved on.
    #[serde(rename = "s")]
    MessageState {
        /// Chat.
        chat: LogId,
        /// Which.
        messages: Vec<MessageId>,
        /// To where.
        state: MessageState,
    },
    /// A contact appeared or moved on.
    #[serde(rename = "c")]
    Contact {
        /// Who.
        account: AccountId,
        /// To where.
        state: ContactState,
    },
    /// An invitation's door is stored: whoever holds the link can ask now.
    #[serde(rename = "i")]
    InvitePublished {
        /// Which link.
        link: LinkSecretId,
    },
    /// A request could not be placed and will be tried again.
    #[serde(rename = "f")]
    DoorProblem {
        /// Whose door.
        account: AccountId,
        /// Why.
        why: DoorProblem,
    },
    /// A device of a contact's account was seen for the first time, beside those known.
    #[serde(rename = "d")]
    NewDevice {
        /// Whose.
        account: AccountId,
        /// Which.
        device: DeviceId,
        /// Whether the contact was marked as verified. The mark stays: the account, which was compared, certifies it.
        verified: bool,
    },
    /// A contact was compared, or the mark was taken away.
    #[serde(rename = "v")]
    Verified {
        /// Who.
        account: AccountId,
        /// Whether it is marked now.
        verified: bool,
    },
    /// A request of ours costs a puzzle, which is being solved.
    #[serde(rename = "p")]
    Paying {
        /// Whom we ask.
        account: AccountId,
        /// Tries that it takes on average.
        tries: u32,
    },
    /// A request of ours is stored at its door.
    #[serde(rename = "l")]
    Placed {
        /// Whom we ask.
        account: AccountId,
    },
    /// Messages of this chat are missing for longer than usual.
    #[serde(rename = "g")]
    Gap {
        /// Chat.
        chat: LogId,
    },
    /// A file moved on.
    #[serde(rename = "a")]
    File {
        /// Chat.
        chat: LogId,
        /// The message that names it.
        message: MessageId,
        /// Its place there.
        index: u16,
        /// What happened.
        step: FileStep,
    },
    /// Something was wrong with a writer of this chat, and its consequence.
    #[serde(rename = "x")]
    Warning {
        /// Chat.
        chat: LogId,
        /// What.
        what: Warning,
    },
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileStep {
    /// A contact offers it; it is too large to be fetched unasked.
    #[serde(rename = "o")]
    Offered,
    /// All of it is here.
    #[serde(rename = "c")]
    Complete,
    /// The other side has all of it.
    #[serde(rename = "d")]
    Delivered,
    /// The other side does not want it.
    #[serde(rename = "n")]
    Declined,
    /// Its sender has it no more.
    #[serde(rename = "g")]
    Gone,
    /// The user gave it up here.
    #[serde(rename = "x")]
    Cancelled,
}

/// How far a file is that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Chat.
    pub chat: LogId,
    /// A message that names it.
    pub message: MessageId,
    /// Its place there.
    pub index: u16,
    /// What is done with it.
    pub kind: ProgressKind,
    /// Bytes for which that is done.
    pub bytes: u64,
    /// Bytes of it in all.
    pub size: u64,
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressKind {
    /// It comes in: bytes that are here, checked and durable.
    Receiving,
    /// It goes over a live link: bytes that were handed to it, as far as the other side has asked.
    Sending,
    /// It goes through mailboxes: bytes that are stored there.
    Storing,
    /// It is too large for mailboxes, and the other side is not there: bytes that were handed to links of this run.
    Waiting,
}

/// Why a request is not placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DoorProblem {
    /// No door is stored under the link.
    #[serde(rename = "n")]
    NotFound,
    /// All slots are taken.
    #[serde(rename = "f")]
    Full,
    /// The door does not verify.
    #[serde(rename = "i")]
    Invalid,
    /// Its owner has withdrawn the link and shut the door.
    #[serde(rename = "w")]
    Withdrawn,
}

/// What is wrong with a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Warning {
    /// A device signed two entries with one number: it was copied, or it lies. It is frozen.
    #[serde(rename = "e")]
    Equivocation,
    /// An entry arrived that this device cannot open.
    #[serde(rename = "u")]
    Unreadable,
    /// Our own store was rolled back or copied: sending in this chat has stopped.
    #[serde(rename = "r")]
    RolledBack,
}

/// What a tick means: never more than a signature shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MessageState {
    /// Durable on this device (hollow).
    #[serde(rename = "q")]
    Queued,
    /// Handed to a carrier (one).
    #[serde(rename = "s")]
    Sent,
    /// Enough custodians signed for it (one, solid).
    #[serde(rename = "t")]
    Stored,
    /// A device of the recipient opened it (two).
    #[serde(rename = "d")]
    Delivered,
    /// Read (filled).
    #[serde(rename = "r")]
    Read,
    /// Given up after 180 days (red).
    #[serde(rename = "f")]
    Failed,
}
