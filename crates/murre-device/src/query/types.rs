//! What queries answer.

use crate::command::ContactState;
use crate::event::{DoorProblem, MessageState};
pub use crate::files::rows::{FileState, Theirs};
use murre_core::Wall;
use murre_core::id::{AccountId, DeviceId, LogId, MessageId, NetworkId};

/// Who this home is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// The account.
    pub account: AccountId,
    /// This device.
    pub device: DeviceId,
    /// The name others are offered.
    pub name: String,
    /// The network this home belongs to, once it has joined one.
    pub network: Option<(NetworkId, String)>,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactInfo {
    /// Who.
    pub account: AccountId,
    /// Their name here.
    pub name: String,
    /// Where things stand.
    pub state: ContactState,
    /// What they said, or we said, when asking.
    pub hello: String,
    /// The chat with them.
    pub chat: Option<LogId>,
    /// What is wrong with the door through which we ask.
    pub problem: Option<DoorProblem>,
    /// Whether their safety number was compared.
    pub verified: bool,
    /// Another device of theirs than the first was seen since the numbers were last compared.
    pub new_device: bool,
    /// Whether somebody else here has the same name, upper and lower case aside.
    pub ambiguous: bool,
    /// Whether their request came through a public link that was replaced.
    pub old_link: bool,
}

/// A chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatInfo {
    /// Which.
    pub chat: LogId,
    /// The other person.
    pub with: AccountId,
    /// Their name here.
    pub title: String,
    /// Messages not yet read.
    pub unread: u64,
    /// The newest message.
    pub last: Option<MessageInfo>,
}

/// A message as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageInfo {
    /// Which.
    pub id: MessageId,
    /// Its chat.
    pub chat: LogId,
    /// Who wrote it.
    pub from: AccountId,
    /// Their name here.
    pub from_name: String,
    /// Whether this account wrote it.
    pub own: bool,
    /// The text; none if its type needs a newer version.
    pub text: Option<String>,
    /// The writer's wall clock when it was written: a label, not an order.
    pub time: Wall,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// Own messages: how far it is. Others': `Delivered`, or `Read` once marked.
    pub state: MessageState,
    /// Its files.
    pub files: Vec<FileInfo>,
}

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its name, made safe: never a path.
    pub name: String,
    /// Its media type as the sender names it; may be empty and may be wrong.
    pub mime: String,
    /// Its length in bytes.
    pub size: u64,
    /// Where it stands here.
    pub state: FileState,
    /// For a file of ours: where it stands there.
    pub theirs: Option<Theirs>,
    /// Bytes of it that are here.
    pub here: u64,
    /// Whether it is too large for mailboxes: it travels only while both are there.
    pub live_only: bool,
}

impl FileInfo {
    /// Whether nothing more happens to it by itself.
    // spec: A-21
    #[must_use]
    pub fn rests(&self) -> bool {
        match self.theirs {
            Some(theirs) => theirs != Theirs::Waiting,
            None => self.state != FileState::Wanted,
        }
    }
}

/// How far a message of ours is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusInfo {
    /// Which.
    pub id: MessageId,
    /// How far.
    pub state: MessageState,
    /// Custodians that signed for it.
    pub stored_by: usize,
    /// Each device of the recipient that showed how far it is.
    pub devices: Vec<(DeviceId, MessageState)>,
    /// Words for "why is it not further".
    pub why: &'static str,
}

/// An open invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteInfo {
    /// The link.
    pub link: crate::invite::InviteLink,
    /// When it ends.
    pub expires: Wall,
    /// Whether its door is stored.
    pub published: bool,
    /// Whether it was withdrawn.
    pub withdrawn: bool,
    /// Whether another public link took its place.
    pub replaced: bool,
    /// Requests that came through it.
    pub requests: u32,
}

/// Whether read receipts are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptsInfo {
    /// Of which chat; none is the home.
    pub chat: Option<LogId>,
    /// Whether reading is told and shown.
    pub on: bool,
    /// The chat's own setting, if it has one.
    pub own: Option<bool>,
}
