//! The JSON lines. Field names and their order are a contract with other people's scripts: add, never rename.

use crate::time::rfc3339;
use murre::v1;
use serde::Serialize;

/// `init`
#[derive(Serialize)]
pub struct Init<'a> {
    pub account: String,
    pub device: String,
    /// Shown once: none when the account was restored from it.
    pub phrase: Option<&'a str>,
}

/// `protect`
#[derive(Serialize)]
pub struct Protect {
    pub protection: &'static str,
    pub was: &'static str,
}

/// `wipe`
#[derive(Serialize)]
pub struct Wiped<'a> {
    pub wiped: bool,
    pub home: String,
    pub keyring: Option<&'static str>,
    pub still_running: Option<u32>,
    pub left: &'a [String],
}

/// `up`
#[derive(Serialize)]
pub struct UpReady<'a> {
    pub event: &'static str,
    pub listen: &'a [String],
    pub web: Option<String>,
}

/// `node`
#[derive(Serialize)]
pub struct NodeReady<'a> {
    pub event: &'static str,
    pub peer: &'a str,
    pub listen: &'a [String],
    pub capacity: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

/// `node`, at its end
#[derive(Serialize)]
pub struct NodeStopped {
    pub event: &'static str,
    /// Everything under way was answered.
    pub finished: bool,
    /// What was not; none if the node did not say.
    pub left: Option<usize>,
}

/// `node --tell`
#[derive(Serialize)]
pub struct NodeNumbers {
    pub event: &'static str,
    pub known: u64,
    pub boxes: u64,
}

/// `devnet`
#[derive(Serialize)]
pub struct DevnetReady<'a> {
    pub event: &'static str,
    pub bootstrap: Vec<&'a str>,
    pub nodes: Vec<DevnetNode<'a>>,
}

/// One node of `devnet`.
#[derive(Serialize)]
pub struct DevnetNode<'a> {
    pub peer: &'a str,
    pub pid: u32,
    pub store: String,
}

/// `devnet`, when a node has ended
#[derive(Serialize)]
pub struct NodeEnded<'a> {
    pub event: &'static str,
    pub peer: &'a str,
    pub left: usize,
}

/// `invite`, `invite list`, `invite withdraw`
#[derive(Serialize)]
pub struct Invite {
    pub link: String,
    pub expires: String,
    pub published: bool,
    pub withdrawn: bool,
    pub link_id: String,
    pub kind: &'static str,
    pub requests: u32,
    pub replaced: bool,
}

impl From<&v1::Invite> for Invite {
    fn from(invite: &v1::Invite) -> Self {
        Self {
            link: invite.link.clone(),
            expires: rfc3339(invite.expires_ms),
            published: invite.published,
            withdrawn: invite.withdrawn,
            link_id: invite.link_id.clone(),
            kind: if invite.public { "public" } else { "personal" },
            requests: invite.requests,
            replaced: invite.replaced,
        }
    }
}

/// `contact add`, `accept`, `block`, `rename`
#[derive(Serialize)]
pub struct ContactChange {
    pub contact: String,
    pub state: &'static str,
    pub chat: Option<String>,
}

impl From<&v1::ContactChange> for ContactChange {
    fn from(change: &v1::ContactChange) -> Self {
        Self { contact: change.contact.clone(), state: change.state().word(), chat: filled(&change.chat) }
    }
}

/// `contact list`
#[derive(Serialize)]
pub struct Contact {
    pub contact: String,
    pub name: String,
    pub state: &'static str,
    pub hello: String,
    pub verified: bool,
    pub chat: Option<String>,
    pub problem: Option<String>,
    pub new_device: bool,
    pub ambiguous: bool,
    pub old_link: bool,
}

impl From<&v1::Contact> for Contact {
    fn from(contact: &v1::Contact) -> Self {
        Self {
            contact: contact.contact.clone(),
            name: contact.name.clone(),
            state: contact.state().word(),
            hello: contact.hello.clone(),
            verified: contact.verified,
            chat: filled(&contact.chat),
            problem: filled(&contact.problem),
            new_device: contact.new_device,
            ambiguous: contact.ambiguous,
            old_link: contact.old_link,
        }
    }
}

/// `verify`
#[derive(Serialize)]
pub struct Safety {
    pub safety_number: String,
    pub verified: bool,
    pub contact: String,
    pub new_device: bool,
    pub qr: String,
}

impl From<&v1::Safety> for Safety {
    fn from(safety: &v1::Safety) -> Self {
        Self {
            safety_number: safety.safety_number.clone(),
            verified: safety.verified,
            contact: safety.contact.clone(),
            new_device: safety.new_device,
            qr: safety.code.clone(),
        }
    }
}

/// `chat list`
#[derive(Serialize)]
pub struct Chat {
    pub chat: String,
    pub kind: &'static str,
    pub title: String,
    pub unread: u64,
    pub last: Option<Message>,
    pub with: Option<String>,
}

impl From<&v1::Chat> for Chat {
    fn from(chat: &v1::Chat) -> Self {
        Self {
            chat: chat.chat.clone(),
            kind: chat.kind().word(),
            title: chat.title.clone(),
            unread: chat.unread,
            last: chat.last.as_ref().map(Message::from),
            with: filled(&chat.with),
        }
    }
}

/// `history`, and messages inside other lines
#[derive(Serialize)]
pub struct Message {
    pub message: String,
    pub chat: String,
    pub from: String,
    pub text: Option<String>,
    pub time: String,
    pub state: &'static str,
    pub files: Vec<File>,
    pub reply_to: Option<String>,
    pub reactions: [(); 0],
    pub edited: bool,
    pub from_name: String,
    pub own: bool,
}

impl From<&v1::Message> for Message {
    fn from(message: &v1::Message) -> Self {
        Self {
            message: message.message.clone(),
            chat: message.chat.clone(),
            from: message.from.clone(),
            text: message.text.clone(),
            time: rfc3339(message.time_ms),
            state: message.state().word(),
            files: message.files.iter().map(File::from).collect(),
            reply_to: filled(&message.reply_to),
            reactions: [],
            edited: false,
            from_name: message.from_name.clone(),
            own: message.own,
        }
    }
}

/// A file of a message
#[derive(Serialize)]
pub struct File {
    pub name: String,
    pub size: u64,
    pub state: &'static str,
    pub here: u64,
    pub theirs: Option<&'static str>,
    pub live_only: bool,
    pub mime: String,
}

impl From<&v1::FileInfo> for File {
    fn from(file: &v1::FileInfo) -> Self {
        let theirs = file.theirs();
        Self {
            name: file.name.clone(),
            size: file.size,
            state: file.state().word(),
            here: file.here,
            theirs: (theirs != v1::FileTheirs::Unspecified).then(|| theirs.word()),
            live_only: file.live_only,
            mime: file.mime.clone(),
        }
    }
}

/// `file save`
#[derive(Serialize)]
pub struct Saved<'a> {
    pub bytes: u64,
    pub sha256: &'a str,
    pub path: String,
}

/// Long work on a file
#[derive(Serialize)]
pub struct Progress<'a> {
    pub event: &'static str,
    pub file: &'a str,
    pub bytes: u64,
    pub total: u64,
}

/// `send`
#[derive(Serialize)]
pub struct Sent<'a> {
    pub message: &'a str,
}

/// `read`: the newest message that is now read; none in an empty chat.
#[derive(Serialize)]
pub struct ReadUpTo {
    pub message: Option<String>,
}

/// `receipts`: of the home if there is no chat; `default` says that a chat goes by the home.
#[derive(Serialize)]
pub struct Receipts<'a> {
    receipts: &'static str,
    chat: Option<&'a str>,
    default: bool,
}

impl<'a> From<&'a v1::ReceiptsSetting> for Receipts<'a> {
    fn from(setting: &'a v1::ReceiptsSetting) -> Self {
        let chat = Some(setting.chat.as_str()).filter(|chat| !chat.is_empty());
        let receipts = if setting.on { "on" } else { "off" };
        Self { receipts, chat, default: chat.is_some() && !setting.own }
    }
}

/// `status`
#[derive(Serialize)]
pub struct Status {
    pub message: String,
    pub state: &'static str,
    pub stored_by: u32,
    pub devices: Vec<DeviceStatus>,
    pub why: String,
}

/// One device in `status`.
#[derive(Serialize)]
pub struct DeviceStatus {
    pub device: String,
    pub state: &'static str,
}

impl From<&v1::MessageStatus> for Status {
    fn from(status: &v1::MessageStatus) -> Self {
        Self {
            message: status.message.clone(),
            state: status.state().word(),
            stored_by: status.stored_by,
            devices: status
                .devices
                .iter()
                .map(|device| DeviceStatus { device: device.device.clone(), state: device.state().word() })
                .collect(),
            why: status.why.clone(),
        }
    }
}

/// `watch`
#[derive(Serialize)]
pub struct Event {
    pub cursor: u64,
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    MessageArrived { message: Option<Message> },
    MessageSent { message: Option<Message> },
    MessageState { chat: String, messages: Vec<String>, state: &'static str },
    Contact { contact: String, state: &'static str, chat: Option<String> },
    InvitePublished { link_id: String },
    DoorTrouble { contact: String, why: String },
    File { chat: String, message: String, index: u32, step: String },
    FileProgress { chat: String, message: String, index: u32, kind: String, bytes: u64, size: u64 },
    Gap { chat: String },
    Warning { chat: String, what: String },
    NewDevice { contact: String, device: String, verified: bool },
    Verified { contact: String, verified: bool },
    Request { contact: String, placed: bool, tries: u32 },
    Skipped { events: u64 },
}

impl Event {
    /// None for a kind of event that this version does not know.
    pub fn new(event: &v1::Event) -> Option<Self> {
        use v1::event::What as Wire;
        let what = match event.what.as_ref()? {
            Wire::MessageArrived(m) => What::MessageArrived { message: m.message.as_ref().map(Into::into) },
            Wire::MessageSent(m) => What::MessageSent { message: m.message.as_ref().map(Into::into) },
            Wire::MessageMoved(m) => What::MessageState {
                chat: m.chat.clone(),
                messages: m.messages.clone(),
                state: m.state().word(),
            },
            Wire::Contact(c) => {
                What::Contact { contact: c.contact.clone(), state: c.state().word(), chat: filled(&c.chat) }
            }
            Wire::InvitePublished(i) => What::InvitePublished { link_id: i.link_id.clone() },
            Wire::DoorTrouble(d) => What::DoorTrouble { contact: d.contact.clone(), why: d.why.clone() },
            Wire::FileMoved(f) => What::File {
                chat: f.chat.clone(),
                message: f.message.clone(),
                index: f.index,
                step: f.step.clone(),
            },
            Wire::FileProgress(f) => What::FileProgress {
                chat: f.chat.clone(),
                message: f.message.clone(),
                index: f.index,
                kind: f.kind.clone(),
                bytes: f.bytes,
                size: f.size,
            },
            Wire::Gap(gap) => What::Gap { chat: gap.chat.clone() },
            Wire::Warning(w) => What::Warning { chat: w.chat.clone(), what: w.what.clone() },
            Wire::NewDevice(d) => {
                What::NewDevice { contact: d.contact.clone(), device: d.device.clone(), verified: d.verified }
            }
            Wire::Request(r) => {
                What::Request { contact: r.contact.clone(), placed: r.placed, tries: r.tries }
            }
            Wire::Verified(v) => What::Verified { contact: v.contact.clone(), verified: v.verified },
            Wire::Skipped(s) => What::Skipped { events: s.events },
        };
        Some(Self { cursor: event.cursor, what })
    }
}

/// `doctor`: without a running home, what can be said from outside.
#[derive(Default, Serialize)]
pub struct Doctor {
    pub version: String,
    pub home: String,
    pub exists: bool,
    pub running: bool,
    pub protection: Option<String>,
    pub protected_at_rest: Option<bool>,
    pub profile: Option<String>,
    pub network: Option<String>,
    pub nodes_known: Option<u64>,
    pub nodes_eligible: Option<u64>,
    pub small_network: Option<bool>,
    pub reachable: Option<bool>,
    pub links: Option<u64>,
    pub listen: Vec<String>,
    pub counters: std::collections::BTreeMap<String, u64>,
    pub quotas: std::collections::BTreeMap<String, Quota>,
}

/// One limit in `doctor`.
#[derive(Serialize)]
pub struct Quota {
    pub used: u64,
    pub limit: u64,
}

/// `completions`
#[derive(Serialize)]
pub struct Completions<'a> {
    pub shell: &'static str,
    pub script: &'a str,
}

/// An empty string in the API means "none".
fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
