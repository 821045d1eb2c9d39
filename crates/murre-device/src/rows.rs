//! The device's rows: which spaces there are, how they are keyed, what a row holds.
//!
//! Written per message, and therefore in append order: [`MESSAGES`], [`WAITING`], [`OUTBOX`], [`BOXES`],
//! [`NOTICES`]. [`TIMELINE`] is the one ordered index per message; its keys grow with time at the end of each
//! chat, so it dirties few pages. Message ids are hashes: their index [`MESSAGE_IDS`] is filled behind a cursor by
//! idle turns in sorted runs, and look-ups scan the tail that is not yet indexed.

use crate::command::ContactState;
use crate::event::{DoorProblem, Notice};
use murre_core::codec;
use murre_core::id::{AccountId, AuthorId, Bytes, DeviceId, LogId, MessageId, StateId};
use murre_core::{Space, Turn, TurnError, View, Wall};
use murre_crypto::{DeviceCert, Signed};
use murre_log::Link;
use murre_mailbox::{NetworkFile, TagPublic, WriteGrant};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

/// Counters and single values: name -> u64 or row.
pub const META: Space = Space::any(300, "device.meta");
/// Open invitations: link id -> [`InviteRow`].
pub const INVITES: Space = Space::any(301, "device.invites");
/// Contacts: number -> [`ContactRow`].
pub const CONTACTS: Space = Space::any(302, "device.contacts");
/// Account -> contact number.
pub const CONTACT_BY_ACCOUNT: Space = Space::any(303, "device.contact_by_account");
/// Chats: number -> [`ChatRow`].
pub const CHATS: Space = Space::any(304, "device.chats");
/// Log id -> chat number.
pub const CHAT_BY_LOG: Space = Space::any(305, "device.chat_by_log");
/// Requests, in and out: contact number -> [`RequestRow`].
pub const REQUESTS: Space = Space::any(306, "device.requests");
/// Chats that owe a receipt: chat number -> empty.
pub const OWED: Space = Space::any(307, "device.owed");
/// How to reach a contact's mailboxes: contact number -> [`RouteRow`].
pub const ROUTES: Space = Space::any(308, "device.routes");
/// Who an author is: log number, author -> [`AuthorRow`].
pub const AUTHORS: Space = Space::any(309, "device.authors");
/// Messages: number -> [`MessageRow`].
pub const MESSAGES: Space = Space::seq(310, "device.messages");
/// Order of a chat: chat number, part, time, author, seq, index -> message number.
pub const TIMELINE: Space = Space::any(311, "device.timeline");
/// Message id -> message number, behind the cursor `indexed`.
pub const MESSAGE_IDS: Space = Space::any(312, "device.message_ids");
/// How far each device of the other side is: chat number, device -> [`AckRow`].
pub const ACKS: Space = Space::any(313, "device.acks");
/// Packs that wait for their group: chat number, count -> [`WaitingRow`].
pub const WAITING: Space = Space::seq(314, "device.waiting");
/// Packets that no known log opens: contact number, count -> packet.
pub const STASH: Space = Space::seq(316, "device.stash");
/// Client ids: log, client id -> message id.
pub const CLIENT_IDS: Space = Space::any(315, "device.client_ids");
/// Entries not yet receipted: log number, seq -> [`OutboxRow`].
pub const OUTBOX: Space = Space::seq(320, "device.outbox");
/// The final bytes of a box, by its put key.
pub const BOXES: Space = Space::seq(321, "device.boxes");
/// Parcels: number -> [`ParcelRow`].
pub const PARCELS: Space = Space::seq(322, "device.parcels");
/// Messages of others that nobody has read: chat number, message number -> empty.
pub const UNREAD: Space = Space::seq(331, "device.unread");
/// Notices: cursor -> [`Notice`].
pub const NOTICES: Space = Space::seq(330, "device.notices");
/// What was compared and seen of a contact: contact number -> [`TrustRow`].
pub const TRUST: Space = Space::any(334, "device.trust");
/// Contacts that are blocked: contact number -> [`BlockRow`].
pub const BLOCKED: Space = Space::any(335, "device.blocked");
/// Account mailboxes that were replaced and are still read: number -> [`OldMailboxRow`].
pub const OLD_MAILBOXES: Space = Space::any(336, "device.old_mailboxes");
/// Whose tags count in them: mailbox number, contact number -> [`FormerRow`].
pub const FORMER: Space = Space::any(337, "device.former");

const ROW: u8 = 1;

/// This account and device.
#[derive(Debug, Serialize, Deserialize)]
pub struct AccountRow {
    /// Certificate of this device.
    pub cert: DeviceCert,
    /// Secret of the device key.
    pub device: Bytes<32>,
    /// Secret from which every author key derives.
    pub log: Bytes<32>,
    /// Secret of the tag key.
    pub tag: Bytes<32>,
    /// Reader keys of the account mailbox.
    pub mailbox: ByteBuf,
    /// Its number: one more with each that replaced another.
    pub mailbox_no: u32,
    /// Name offered to others.
    pub name: String,
}

/// An invitation of ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InviteRow {
    /// The link, as given out.
    pub link: ByteBuf,
    /// Scalar of the door's owner key.
    pub owner: Bytes<32>,
    /// Seed of the request key.
    pub request: Bytes<32>,
    /// The key package in the door.
    pub package: ByteBuf,
    /// Its reference, to forget its private part later.
    pub package_ref: Bytes<32>,
    /// First epoch the door was opened for.
    pub from: u64,
    /// Epochs whose object is stored.
    pub stored: Vec<u64>,
    /// No longer read.
    pub withdrawn: bool,
    /// Epochs in which its door is shut, after it was withdrawn.
    pub shut: Vec<u64>,
    /// When another public link took its place.
    pub replaced: Option<Wall>,
    /// Requests that came through it.
    pub requests: u32,
}

/// A contact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContactRow {
    /// Who.
    pub account: AccountId,
    /// Their name here.
    pub name: String,
    /// Where things stand.
    pub state: ContactState,
    /// The hello of the request.
    pub hello: String,
    /// Their chat.
    pub chat: Option<u32>,
    /// When it began.
    pub since: Wall,
}

/// What was compared and seen of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustRow {
    /// When the safety numbers were found equal; none if they were not, or the mark was taken away.
    pub verified: Option<Wall>,
    /// Its devices that have shown their certificate, oldest first.
    pub devices: Vec<DeviceId>,
    /// Another device than the first was seen since the numbers were last compared.
    pub new: bool,
}

/// What a block will have to give back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlockRow {
    /// Where things stood.
    pub before: ContactState,
}

/// An account mailbox that was replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OldMailboxRow {
    /// Reader keys.
    pub keys: ByteBuf,
    /// When it was replaced.
    pub since: Wall,
    /// When every contact was found to know.
    pub done: Option<Wall>,
}

/// How a contact writes into an old mailbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FormerRow {
    /// Its tag key.
    pub tag: TagPublic,
    /// Pair secret of that tag there.
    pub pair: Bytes<32>,
    /// Spare tags given to it there: pair secret and tag secret.
    pub lent: Vec<(Bytes<32>, Bytes<32>)>,
    /// Whether it has receipted that we moved.
    pub done: bool,
}

/// A request, ours or theirs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum RequestRow {
    /// Ours, on its way.
    #[serde(rename = "o")]
    Out {
        /// The link it goes through.
        link: ByteBuf,
        /// The sealed request, once the door was read: identical on every post.
        sealed: Option<ByteBuf>,
        /// The box it lies in and that box's epoch and slot.
        placed: Option<(u64, u8, ByteBuf)>,
        /// Slots found taken in that epoch.
        taken: Vec<u8>,
        /// When it was last posted; zero before the first time.
        posted: Wall,
        /// Whether the box is stored.
        stored: bool,
        /// What was wrong with the door when it was last looked at.
        trouble: Option<DoorProblem>,
    },
    /// Theirs, waiting for an answer.
    #[serde(rename = "i")]
    In {
        /// The opened request.
        request: ByteBuf,
        /// It came through a public link that was replaced.
        old: bool,
    },
}

/// One log of a chat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogRef {
    /// Its id.
    pub id: LogId,
    /// Its local number.
    pub no: u32,
    /// The create operation.
    pub op: ByteBuf,
    /// State of the group keys; none until the group is made.
    pub state: Option<StateId>,
    /// Wire secret.
    pub wire: Bytes<32>,
    /// Our author key here.
    pub by: AuthorId,
    /// Whether our binding is packed already.
    pub bound: bool,
    /// Packs in [`WAITING`] so far.
    pub waiting: u32,
}

/// A chat. The first log is the one that is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChatRow {
    /// The contact.
    pub contact: u32,
    /// The contact's account.
    pub with: AccountId,
    /// Its logs, the written one first.
    pub logs: Vec<LogRef>,
    /// Heads of a second log that are shown before the first log's entries.
    pub fold: Vec<Link>,
    /// Whether our own fold is packed already.
    pub folded: bool,
    /// Messages not yet read.
    pub unread: u64,
    /// Entries of which we have read everything, up to these.
    pub read: Vec<(AuthorId, u32)>,
    /// Up to these something was read while receipts were off: never to be told.
    pub quiet: Vec<(AuthorId, u32)>,
    /// Messages with lower numbers are read.
    pub seen: u64,
    /// Whether reading is told and shown here; none goes by the home.
    pub receipts: Option<bool>,
    /// Newest message number.
    pub last: Option<u64>,
    /// Whether sending stopped because this store was rolled back or copied.
    pub halted: bool,
}

/// How to reach a contact's mailboxes, and how they reach ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteRow {
    /// Who.
    pub account: AccountId,
    /// Into their account mailbox.
    pub grant: Option<WriteGrant>,
    /// Next index under our tag there, and the epoch it counts in: each epoch begins at a random place.
    pub index: u64,
    /// See `index`.
    pub index_at: u64,
    /// Whether they have shown that they read what we wrote, or gave us the grant in answer to us.
    pub settled: bool,
    /// Drops of requests between us: secret and the moment we stop reading.
    pub drops: Vec<(Bytes<32>, Wall)>,
    /// Next index under our tag in a drop, and the drop and epoch it counts in.
    pub drop_index: u64,
    /// See `drop_index`.
    pub drop_at: Option<(Bytes<32>, u64)>,
    /// Their tag key.
    pub tag: Option<TagPublic>,
    /// Pair secret of the tag we certified for them in our account mailbox.
    pub pair: Option<Bytes<32>>,
    /// First epoch for which they hold no certificate.
    pub issued: u64,
    /// Spare tags they gave us for a later device of ours.
    pub spares: Vec<WriteGrant>,
    /// Spare tags we gave them: pair secret and tag secret.
    pub lent: Vec<(Bytes<32>, Bytes<32>)>,
    /// Name of our mailbox that they were last given.
    pub given: Option<Bytes<32>>,
    /// Whether they still have to be told that we moved.
    pub owes_move: bool,
    /// Names of their mailboxes that were replaced.
    pub gone: Vec<Bytes<32>>,
    /// Whether we no longer read their tags.
    pub blocked: bool,
    /// Whether this store was rolled back or copied: no box is sealed any more.
    pub halted: bool,
}

/// Who an author is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorRow {
    /// Account.
    pub account: AccountId,
    /// Device.
    pub device: DeviceId,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// Chat number.
    pub chat: u32,
    /// Who wrote it.
    pub from: AccountId,
    /// Whether this account wrote it.
    pub own: bool,
    /// Log number.
    pub log: u32,
    /// Author in that log.
    pub by: AuthorId,
    /// Entry number of that author; none while it waits for its group.
    pub seq: Option<u32>,
    /// Time, entry number and index of its key in [`TIMELINE`].
    pub place: (u64, u32, u16),
    /// The encoded content.
    pub content: ByteBuf,
}

/// How far a device of the other side is in our entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckRow {
    /// Opened up to, by log number.
    pub delivered: Vec<(u32, u32)>,
    /// Which entries they have read.
    pub read: Vec<ReadRange>,
    /// Up to these they said "read" while receipts were off here, by log number: never to be shown.
    pub hidden: Vec<(u32, u32)>,
}

/// Log number, first and last entry.
pub type ReadRange = (u32, u32, u32);

/// A pack that waits for its group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaitingRow {
    /// The encoded pack.
    pub pack: ByteBuf,
    /// Numbers of the messages in it.
    pub messages: Vec<u64>,
}

/// An entry not yet receipted by the recipient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboxRow {
    /// To whom.
    pub contact: u32,
    /// The wire-sealed packet.
    pub packet: ByteBuf,
    /// When it was written.
    pub created: Wall,
    /// Messages in it.
    pub messages: Vec<MessageId>,
    /// Chat, for notices.
    pub chat: LogId,
    /// Went over a live link at least once.
    pub live: bool,
    /// Its box, if it went to a mailbox.
    pub boxed: Option<BoxedRow>,
    /// The number of our account mailbox that it tells the contact of, if it does.
    pub moved: Option<u32>,
}

/// Which of a contact's mailboxes a box is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mailbox {
    /// Their account mailbox.
    #[serde(rename = "a")]
    Account,
    /// The drop with this secret.
    #[serde(rename = "d")]
    Drop(Bytes<32>),
    /// An account mailbox that they have replaced since.
    #[serde(rename = "f")]
    Former,
}

/// Where an entry's box stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxedRow {
    /// In which mailbox it lies.
    pub place: Mailbox,
    /// Its epoch.
    pub epoch: u64,
    /// First hour in which it is gone.
    pub expiry: u32,
    /// Custodians that signed for it.
    pub signed: u32,
    /// Enough of them.
    pub solid: bool,
    /// Until which hour an earlier, stored box of the same entry lives: a re-put is still stored meanwhile.
    pub kept: u32,
    /// Its custodians say that the mailbox has no room left in this epoch.
    pub full: bool,
}

/// A box that carries no new entry: a lone receipt, presence, a want, an entry sent again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ParcelRow {
    /// For whom.
    pub contact: u32,
    /// The final bytes.
    pub bytes: ByteBuf,
    /// First hour in which it is useless.
    pub expiry: u32,
}

/// The create operation of a direct conversation; its hash is the log id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateOp {
    /// Version, 1.
    pub v: u8,
    /// The creator's device.
    pub d: DeviceId,
    /// The creator.
    pub a: AccountId,
    /// The other person.
    pub b: AccountId,
    /// Makes it unique.
    pub n: Bytes<16>,
}

impl murre_crypto::SignedBody for CreateOp {
    const LABEL: murre_core::Label = murre_core::Label::new("murre v1 create direct conversation");
    const LIMIT: usize = 512;

    fn signer(&self) -> [u8; 32] {
        *self.d.as_bytes()
    }
}

/// A signed create operation.
pub type SignedCreate = Signed<CreateOp>;

/// Reads a typed row.
pub fn get<T: DeserializeOwned>(view: &dyn View, space: Space, key: &[u8]) -> Result<Option<T>, TurnError> {
    view.get(space, key)?.map(|bytes| decode(space, &bytes)).transpose()
}

/// Decodes a typed row.
pub fn decode<T: DeserializeOwned>(space: Space, bytes: &[u8]) -> Result<T, TurnError> {
    codec::decode_row(ROW, bytes).map_err(|_| TurnError::Damaged { space: space.name })
}

/// Writes a typed row.
pub fn put<T: Serialize>(tx: &mut Turn<'_>, space: Space, key: &[u8], row: &T) {
    tx.put(space, key, codec::encode_row(ROW, row));
}

/// Reads a counter, 0 if it was never written.
pub fn counter(view: &dyn View, name: &str) -> Result<u64, TurnError> {
    Ok(get(view, META, name.as_bytes())?.unwrap_or(0))
}

/// Takes the next value of a counter.
pub fn next(tx: &mut Turn<'_>, name: &str) -> Result<u64, TurnError> {
    let value = counter(tx, name)?;
    put(tx, META, name.as_bytes(), &(value + 1));
    Ok(value)
}

/// Key of (u32, u32) in a [`murre_core::SpaceKind::Seq`] space.
#[must_use]
pub fn pair_key(high: u32, low: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}

/// Key in [`TIMELINE`].
#[must_use]
pub fn timeline_key(chat: u32, part: u8, time: u64, by: &AuthorId, seq: u32, index: u16) -> Vec<u8> {
    let mut key = Vec::with_capacity(51);
    key.extend_from_slice(&chat.to_be_bytes());
    key.push(part);
    key.extend_from_slice(&time.to_be_bytes());
    key.extend_from_slice(by.as_bytes());
    key.extend_from_slice(&seq.to_be_bytes());
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// The adopted network, if any.
pub fn network(view: &dyn View) -> Result<Option<NetworkFile>, TurnError> {
    get(view, META, b"network")
}

/// Appends a notice and returns its cursor.
// spec: D-24
pub fn notice(tx: &mut Turn<'_>, notice: &Notice) -> Result<u64, TurnError> {
    let cursor = next(tx, "notices")? + 1;
    put(tx, NOTICES, &cursor.to_be_bytes(), notice);
    if let Some(old) = cursor.checked_sub(crate::limits::MAX_NOTICES) {
        tx.delete(NOTICES, &old.to_be_bytes());
    }
    Ok(cursor)
}
