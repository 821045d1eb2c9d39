//! What a person or a program may ask of a device, and what it is told.

use crate::invite::InviteLink;
use murre_core::id::{AccountId, LogId, MessageId};
use murre_core::{Bug, ErrorKind, HasKind, PeerRef, Wall};
use murre_crypto::puzzle::Solution;

/// A request to the device. One variant per child; the root only forwards.
#[derive(Debug)]
pub enum Command {
    /// Invitations, requests, contacts.
    Contacts(ContactsCommand),
    /// Messages.
    Conversations(ConversationsCommand),
    /// Files.
    Files(FilesCommand),
    /// Nodes and work done outside the machine.
    Network(NetworkCommand),
}

/// Invitations, requests, contacts.
#[derive(Debug)]
pub enum ContactsCommand {
    /// Makes an invitation link, or names the public one there is. Answers [`Answer::Invite`] once it is durable; the notice
    /// [`crate::Notice::InvitePublished`] follows when its door is stored.
    Invite {
        /// Shown to whoever opens the link; none hides it.
        name: Option<String>,
        /// Nodes named in the link so that a fresh home can begin.
        hints: Vec<PeerRef>,
        /// Whether it is for one person, or for many.
        kind: LinkKind,
    },
    /// Withdraws a link: its door is no longer read.
    Withdraw {
        /// The link itself.
        link: InviteLink,
    },
    /// Asks the maker of a link to talk. Answers [`Answer::Contact`].
    Add {
        /// The link.
        link: InviteLink,
        /// Shown beside the request, at most [`crate::limits::MAX_HELLO`] bytes.
        hello: String,
    },
    /// Accepts an incoming request. Answers [`Answer::Contact`].
    Accept {
        /// Who.
        account: AccountId,
    },
    /// Silences someone until they are unblocked.
    Block {
        /// Who.
        account: AccountId,
    },
    /// Takes a block back. Answers [`Answer::Contact`].
    Unblock {
        /// Who.
        account: AccountId,
    },
    /// Compares safety numbers, or takes the mark away.
    Verify {
        /// Who.
        account: AccountId,
        /// What is done.
        check: Check,
    },
    /// Gives someone another name, on this device only.
    Rename {
        /// Who.
        account: AccountId,
        /// The new name.
        name: String,
    },
}

/// For whom a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// For one person: a new link each time.
    Personal,
    /// For whoever comes upon it: the one there is.
    Public,
    /// For whoever comes upon it, in place of the one there is.
    NewPublic,
}

/// What is done about a safety number.
#[derive(Debug)]
pub enum Check {
    /// Compares digits.
    Number(String),
    /// Compares the text of a code that the other side shows.
    Code(String),
    /// Takes the mark away.
    Clear,
}

/// Messages.
#[derive(Debug)]
pub enum ConversationsCommand {
    /// Sends a text. Answers [`Answer::Message`] once it is durable. All sends that wait in one turn for one
    /// chat travel as one entry.
    Send {
        /// Which chat.
        chat: LogId,
        /// The text, 1 byte to [`crate::limits::MAX_TEXT`].
        text: String,
        /// The message it answers.
        reply_to: Option<MessageId>,
        /// The same client id never makes a second message.
        client_id: Option<String>,
        /// Uploads whose files go with it, in their order. With files the text may be empty.
        files: Vec<u64>,
    },
    /// Marks everything received in a chat as read.
    Read {
        /// Which chat.
        chat: LogId,
    },
    /// Marks what was received in a chat as read, up to and including a message in the order of the chat.
    ReadUpTo {
        /// Which chat.
        chat: LogId,
        /// The last one.
        message: MessageId,
    },
    /// Switches read receipts, both told and shown.
    Receipts {
        /// Of one chat, or of the home.
        chat: Option<LogId>,
        /// None: a chat goes by the home, the home by the default, which is on.
        set: Option<bool>,
    },
}

/// Files.
#[derive(Debug)]
pub enum FilesCommand {
    /// Begins to hand over a file. Answers [`Answer::Upload`].
    Open {
        /// For which chat.
        chat: LogId,
        /// Its name, 1 to [`crate::limits::MAX_FILE_NAME`] bytes.
        name: String,
        /// Its media type, at most [`crate::limits::MAX_MIME`] bytes, or nothing.
        mime: String,
    },
    /// The next piece: exactly [`murre_log::chunk::CHUNK`] bytes, or fewer if it is the last.
    Piece {
        /// Which upload.
        upload: u64,
        /// Where in the file it begins: pieces come in order.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether the file ends with it.
        last: bool,
    },
    /// Fetches a file that is only offered.
    Fetch {
        /// Which message.
        message: MessageId,
        /// Which of its files.
        index: u16,
    },
    /// Gives a file up: no longer fetched, or no longer offered.
    Cancel {
        /// Which message.
        message: MessageId,
        /// Which of its files.
        index: u16,
    },
}

/// Nodes and work done outside the machine.
#[derive(Debug)]
pub enum NetworkCommand {
    /// Nodes to begin with.
    Bootstrap {
        /// Their keys and addresses.
        nodes: Vec<PeerRef>,
    },
    /// A puzzle that [`crate::Event::Solve`] asked for was worked on.
    PuzzleDone {
        /// Which.
        id: u64,
        /// The solution, or none if it was given up.
        solution: Option<Solution>,
    },
}

/// What a command yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// A link.
    Invite {
        /// The link to pass on.
        link: InviteLink,
        /// When it ends.
        expires: Wall,
    },
    /// A contact and its chat.
    Contact {
        /// Who.
        account: AccountId,
        /// The chat with them.
        chat: Option<LogId>,
        /// Where things stand.
        state: ContactState,
    },
    /// A message that is durable here.
    Message {
        /// Its id, stable for ever.
        id: MessageId,
    },
    /// An upload has begun.
    Upload {
        /// Names it until a message does.
        upload: u64,
    },
}

/// Where things stand with a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ContactState {
    /// We asked; no answer yet.
    #[serde(rename = "r")]
    Requested,
    /// They asked; we have not answered.
    #[serde(rename = "i")]
    Incoming,
    /// Both agreed.
    #[serde(rename = "a")]
    Accepted,
    /// Silenced by us.
    #[serde(rename = "b")]
    Blocked,
}

/// Why a command was refused. Nothing was changed unless it says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such chat.
    #[error("there is no such chat")]
    UnknownChat,
    /// No such contact.
    #[error("there is no such contact")]
    UnknownContact,
    /// No such message.
    #[error("there is no such message")]
    UnknownMessage,
    /// No such invitation.
    #[error("there is no such invitation")]
    UnknownInvite,
    /// One's own link.
    #[error("this is your own invitation")]
    OwnLink,
    /// The link's time is over.
    #[error("this invitation has expired")]
    LinkExpired,
    /// The link was withdrawn by its maker (this device).
    #[error("this invitation was withdrawn")]
    LinkWithdrawn,
    /// The link belongs to another network than this home.
    #[error("this invitation belongs to another network")]
    OtherNetwork,
    /// Too many live links.
    #[error("{limit} invitations are open already")]
    TooManyInvites {
        /// The limit.
        limit: usize,
    },
    /// Too many contacts or open requests.
    #[error("{limit} contacts are known already")]
    TooManyContacts {
        /// The limit.
        limit: usize,
    },
    /// Nothing to send.
    #[error("the text is empty")]
    EmptyText,
    /// More than a text may hold.
    #[error("the text has {len} bytes, at most {limit} fit in one message")]
    TextTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// Hello, name or client id too long.
    #[error("{what} has {len} bytes, at most {limit} are allowed")]
    TooLong {
        /// Which field.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// No such file.
    #[error("there is no such file in this message")]
    UnknownFile,
    /// No such upload, not finished, of another chat, or begun before a restart.
    #[error("this file has not been handed over for this chat")]
    UnknownUpload,
    /// A piece out of order.
    #[error("this is not the next piece of the file")]
    PieceOrder,
    /// A piece of another size.
    #[error("a piece of {len} bytes; each has {size}, only the last may have fewer")]
    PieceSize {
        /// Its length in bytes.
        len: usize,
        /// What it should be.
        size: usize,
    },
    /// More than a file may hold.
    #[error("a file may have at most {limit} bytes")]
    FileTooLarge {
        /// The limit.
        limit: u64,
    },
    /// More than a message may name.
    #[error("a message can have at most {limit} files")]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
    /// Too many at once.
    #[error("{limit} files are being handed over already")]
    TooManyUploads {
        /// The limit.
        limit: usize,
    },
    /// The contact is blocked.
    #[error("this contact is blocked")]
    Blocked,
    /// The contact is not blocked.
    #[error("this contact is not blocked")]
    NotBlocked,
    /// As many requests wait as may.
    #[error("{limit} requests wait for an answer already")]
    TooManyRequests {
        /// The limit.
        limit: usize,
    },
    /// Another safety number.
    #[error("the safety numbers differ: somebody may stand between you; {}", mark_words(*.verified))]
    SafetyMismatch {
        /// Whether the contact was, and still is, marked as verified.
        verified: bool,
    },
    /// The code that this account itself shows.
    #[error("this is the code that you show; nothing was compared")]
    OwnSafetyCode,
    /// Not a safety number, nor a code.
    #[error("this is no safety number of 60 digits and no safety code; nothing was compared")]
    NoSafetyNumber,
    /// Accepting what did not ask.
    #[error("this contact has not asked to talk")]
    NotIncoming,
    /// The request cannot be opened (made for keys this device no longer has).
    #[error("this request cannot be opened on this device")]
    RequestUnusable,
    /// No network is known yet.
    #[error("this home has not joined a network yet")]
    NoNetwork,
    /// Sending has stopped because the store was rolled back or copied.
    #[error("this store is an old copy: sending in this chat has stopped so that no key is used twice")]
    Halted,
    /// The machine had to be reopened from the store; nothing of this command was kept.
    #[error("the store failed, nothing was changed")]
    Environment,
    /// We made a mistake.
    #[error(transparent)]
    Bug(#[from] Bug),
}

/// What a failed comparison left of the mark.
const fn mark_words(verified: bool) -> &'static str {
    if verified { "the contact is still marked as verified" } else { "the contact is not marked as verified" }
}

impl HasKind for CommandError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Environment => ErrorKind::Environment,
            Self::Bug(_) => ErrorKind::Bug,
            _ => ErrorKind::Caller,
        }
    }
}

impl CommandError {
    /// What to do next, in words for people.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownChat => "`murre chat list` shows the chats",
            Self::UnknownContact | Self::NotIncoming => "`murre contact list` shows the contacts",
            Self::UnknownMessage => "`murre history CHAT` shows the messages",
            Self::UnknownInvite => "`murre invite list` shows the invitations",
            Self::OwnLink => "give it to the person you want to talk to",
            Self::LinkExpired | Self::LinkWithdrawn => "ask for a new one",
            Self::OtherNetwork => "use a home of that network: `murre --home DIR init`",
            Self::TooManyInvites { .. } => "withdraw one with `murre invite withdraw LINK`",
            Self::TooManyContacts { .. } => "block or remove old requests first",
            Self::EmptyText => "write something",
            Self::TextTooLong { .. } => "send it as a file, or in parts",
            Self::TooLong { .. } => "make it shorter",
            Self::UnknownFile => "`murre history CHAT` shows the files",
            Self::UnknownUpload | Self::PieceOrder | Self::PieceSize { .. } => {
                "hand the file over again from its start"
            }
            Self::FileTooLarge { .. } => "send it in parts",
            Self::TooManyFiles { .. } => "send them in several messages",
            Self::TooManyUploads { .. } => "wait until one of them is sent",
            Self::Blocked => "`murre contact list` shows who is blocked",
            Self::NotBlocked => "`murre contact list` shows how things stand",
            Self::TooManyRequests { .. } => "accept or block some of them first",
            Self::SafetyMismatch { verified: false } => {
                "compare again in person or by voice; if they still differ, write nothing that others must not read"
            }
            Self::SafetyMismatch { verified: true } => {
                "compare again in person or by voice; if they still differ, `murre verify C --clear` takes the mark away"
            }
            Self::OwnSafetyCode => "scan the code on the other person's screen",
            Self::NoSafetyNumber => "`murre verify C` shows what to compare",
            Self::RequestUnusable => "ask the other side to send a new request",
            Self::NoNetwork => "start with `murre up --bootstrap ADDRESS`, and see `murre doctor`",
            Self::Halted => "restore from a backup as a new device",
            Self::Environment => "check the disk and try again",
            Self::Bug(_) => "please report this",
        }
    }
}
