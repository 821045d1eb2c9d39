//! Every row struct by itself: a damaged row is refused or is another row, and a row that is read is written as one
//! that reads the same.

use murre_core::id::{BoxId, Bytes, StateId};
use murre_core::{Space, codec};
use murre_custodian::rows as node;
use murre_device::event::Notice;
use murre_device::files::rows as files;
use murre_device::rows as device;
use murre_log::rows as log;
use murre_mailbox::client::rows as client;
use murre_mailbox::{NetworkFile, ReaderKeys, rows as mailbox};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;

/// Version byte of every row in the tree.
const V: u8 = 1;

fn row<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(value) = codec::decode_row::<T>(V, bytes) else { return false };
    let written = codec::encode_row(V, &value);
    let again = codec::decode_row::<T>(V, &written).map(|value| codec::encode_row(V, &value));
    assert_eq!(again.ok().as_deref(), Some(written.as_slice()), "a row does not survive being written");
    true
}

fn reader_keys(bytes: &[u8]) -> bool {
    let Ok(keys) = ReaderKeys::from_row(bytes) else { return false };
    let written = keys.to_row();
    assert!(ReaderKeys::from_row(&written).is_ok_and(|keys| keys.to_row() == written));
    true
}

fn repair_key(bytes: &[u8]) -> bool {
    let Ok((epoch, hour, id)) = node::repair_parts(bytes) else { return false };
    assert_eq!(node::repair_key(epoch, hour, &id), bytes);
    true
}

/// A row: its name, the space whose rows it is, if one space has it alone, and what reads it.
pub type RowTarget = (&'static str, Option<Space>, fn(&[u8]) -> bool);

/// The row structs of every crate. A first byte chooses; new ones go to the end, or the corpus means something else.
pub const ROWS: &[RowTarget] = &[
    ("device AccountRow", None, row::<device::AccountRow>),
    ("device InviteRow", Some(device::INVITES), row::<device::InviteRow>),
    ("device ContactRow", Some(device::CONTACTS), row::<device::ContactRow>),
    ("device RequestRow", Some(device::REQUESTS), row::<device::RequestRow>),
    ("device LogRef", None, row::<device::LogRef>),
    ("device ChatRow", Some(device::CHATS), row::<device::ChatRow>),
    ("device RouteRow", Some(device::ROUTES), row::<device::RouteRow>),
    ("device AuthorRow", Some(device::AUTHORS), row::<device::AuthorRow>),
    ("device MessageRow", Some(device::MESSAGES), row::<device::MessageRow>),
    ("device AckRow", Some(device::ACKS), row::<device::AckRow>),
    ("device WaitingRow", Some(device::WAITING), row::<device::WaitingRow>),
    ("device OutboxRow", Some(device::OUTBOX), row::<device::OutboxRow>),
    ("device BoxedRow", None, row::<device::BoxedRow>),
    ("device ParcelRow", Some(device::PARCELS), row::<device::ParcelRow>),
    ("device Notice", Some(device::NOTICES), row::<Notice>),
    ("device counter", None, row::<u64>),
    ("device box", Some(device::BOXES), row::<ByteBuf>),
    ("device network", None, row::<NetworkFile>),
    ("node IdRow", Some(node::IDS), row::<node::IdRow>),
    ("node ObjectRow", Some(node::OBJECTS), row::<node::ObjectRow>),
    ("node LocRow", Some(node::LOCATORS), row::<node::LocRow>),
    ("node TagRow", Some(node::TAGS), row::<node::TagRow>),
    ("node EpochRow", Some(node::EPOCHS), row::<node::EpochRow>),
    ("node repair key", None, repair_key),
    ("mailbox NodeRow", Some(mailbox::NODES), row::<mailbox::NodeRow>),
    ("mailbox PlaceRow", Some(client::PLACES), row::<client::PlaceRow>),
    ("mailbox taken", Some(client::TAKEN), row::<Vec<BoxId>>),
    ("mailbox ReaderKeys", None, reader_keys),
    ("log LogRow", Some(log::LOGS), row::<log::LogRow>),
    ("log AuthorRow", Some(log::AUTHORS), row::<log::AuthorRow>),
    ("log HeadRow", Some(log::HEADS), row::<log::HeadRow>),
    ("log ForkRow", Some(log::FORKS), row::<log::ForkRow>),
    ("log Counts", Some(log::COUNTS), row::<log::Counts>),
    ("device client id", Some(device::CLIENT_IDS), row::<Bytes<32>>),
    ("group state", None, row::<StateId>),
    ("device TrustRow", Some(device::TRUST), row::<device::TrustRow>),
    ("device BlockRow", Some(device::BLOCKED), row::<device::BlockRow>),
    ("device OldMailboxRow", Some(device::OLD_MAILBOXES), row::<device::OldMailboxRow>),
    ("device FormerRow", Some(device::FORMER), row::<device::FormerRow>),
    ("device FileRow", Some(files::FILES), row::<files::FileRow>),
    ("device PageRow", Some(files::PAGES), row::<files::PageRow>),
];

/// A row of the kind the first byte chooses.
#[must_use]
pub fn fuzz_rows(data: &[u8]) -> bool {
    let Some((which, bytes)) = data.split_first() else { return false };
    ROWS.get(usize::from(*which) % ROWS.len()).is_some_and(|(_, _, read)| read(bytes))
}
