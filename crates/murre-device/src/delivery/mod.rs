//! One outbox, one state machine: what must reach a contact, by which carrier, until it is receipted.
//!
//! ```text
//!   Outgoing --> row (durable) --+-- live link up: over it, 10 s for a receipt --+--> receipt: row gone
//!                                |                                               |
//!                                +-- else ------------------> box (bytes final before the first put)
//!                                                               | w signatures: stored
//!                                                               | 5 days before expiry: new box
//!                                                               | 180 days: failed
//! ```
//!
//! The row holds the wire-sealed packet; [`rows::BOXES`] holds a box's final bytes under the same key before the
//! first Transmit, so a retry and a restart send identical bytes. The row lives until a device of the recipient
//! has receipted it: a custodian's word never ends it.
//!
//! What this does NOT do: read what it carries, know custodians (its sibling, the mailbox client, does), or hold a
//! link (its sibling presence does).

mod boxes;
mod moves;
mod outbox;
mod parcels;
mod routes;
mod sweep;

pub(crate) use moves::name_of;
pub use routes::Grants;

use crate::event::Notice;
use crate::rows;
use murre_core::id::{AccountId, BoxId, Bytes};
use murre_core::{Cx, Label, Mono, NetworkParams, TurnError, View};
use murre_crypto::{EpochPublic, Secret};
use murre_mailbox::client::{PutKey, WatchKey};
use murre_mailbox::{CertRun, MailboxKind, PairSecret, ReaderKeys};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet};

/// What delivery tells its parent.
#[derive(Debug)]
pub enum DeliveryUp {
    /// Put these final bytes, until stored or cancelled.
    Put(PutKey, Vec<u8>),
    /// No longer needed.
    Cancel(PutKey),
    /// Read this mailbox.
    Watch(WatchKey, Box<ReaderKeys>),
    /// Stop reading it.
    Unwatch(WatchKey),
    /// What these boxes held is durable with this turn.
    Taken(WatchKey, Vec<BoxId>),
    /// These boxes are not needed by any device of ours.
    Tombstone(WatchKey, Vec<BoxId>),
    /// Packets of a contact.
    Packets(u32, Vec<Vec<u8>>),
    /// Hand this to the live link, if one is up.
    Live(u32, Vec<u8>),
    /// The box of a file's chunk is stored, or the chunk needs none any more.
    ChunkStored(u32, u32),
    /// Send a contact fresh certificates for the mailbox of this name.
    Renew(u32, CertRun, Bytes<32>),
    /// Tell a contact that we moved.
    Move(u32),
    /// Something to tell the user.
    Notice(Notice),
}

type Ctx<'a, 'v> = Cx<'a, 'v, DeliveryUp>;

const DROP_WATCH: u64 = 1 << 62;
const PARCEL_PUT: u64 = 1 << 62;

/// The watch of an account mailbox of ours, by its number.
fn account_watch(no: u32) -> WatchKey {
    WatchKey(u64::from(no))
}

/// Which account mailbox a watch is.
fn watched_account(watch: WatchKey) -> Option<u32> {
    u32::try_from(watch.0).ok()
}

/// Which of a contact's drops a watch is.
fn drop_watch(contact: u32, which: usize) -> WatchKey {
    WatchKey(DROP_WATCH | (u64::from(contact) << 8) | which as u64)
}

fn watched_drop(watch: WatchKey) -> Option<(u32, usize)> {
    (watch.0 >> 62 == 1).then_some(((watch.0 >> 8) as u32, (watch.0 & 0xff) as usize))
}

/// Whether a put is a parcel's, and which.
fn parcel_of(put: PutKey) -> Option<u64> {
    (put.0 >> 62 == 1).then_some(put.0 & !PARCEL_PUT)
}

/// What a box holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parcel {
    /// Version, 1.
    v: u8,
    /// Wire-sealed packets, counted while they are read.
    #[serde(deserialize_with = "murre_mailbox::limits::list::<{ crate::limits::MAX_PACKETS }, _, _>")]
    p: Vec<ByteBuf>,
}

impl Parcel {
    /// Reads what a box held.
    fn decode(plain: &[u8]) -> Option<Self> {
        murre_core::codec::decode(plain, murre_mailbox::limits::MAX_PLAINTEXT).ok()
    }
}

/// What a decoded parcel is encoded to: the same bytes, or there are two for one value.
pub(crate) fn again(plain: &[u8]) -> Option<Vec<u8>> {
    Parcel::decode(plain).map(|parcel| murre_core::codec::encode(&parcel))
}

const DROP_SEED: Label = Label::new("murre v1 drop mailbox");
const DROP_PAIR: Label = Label::new("murre v1 drop pair secret");

/// The drop both sides of a request can read and certify themselves for.
// spec: F-21
fn drop_keys(secret: &Bytes<32>) -> ReaderKeys {
    ReaderKeys::from_secret(MailboxKind::Drop, &Secret::new(DROP_SEED.hash(&[&secret.0])))
}

/// The pair secret of one writer in a drop.
fn drop_pair(secret: &Bytes<32>, writer: AccountId) -> PairSecret {
    PairSecret::from_bytes(DROP_PAIR.hash(&[&secret.0, writer.as_bytes()]))
}

/// One entry on its way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    /// When a live send must have been receipted; none once a box is on its way.
    live_until: Option<Mono>,
}

/// The part of a sweep that is among the chunks of files.
#[derive(Clone, Copy, Debug)]
struct ChunkSweep {
    /// The next row.
    from: u64,
    /// When to go on; none while it waits for one that is under way to be stored.
    at: Option<Mono>,
}

/// Delivery of one device.
#[derive(Debug)]
pub struct Delivery {
    params: NetworkParams,
    flights: BTreeMap<u64, Flight>,
    /// Parcels under way and for whom.
    parcels: BTreeMap<u64, u32>,
    /// Whose tag it is, by mailbox, epoch and tag.
    tags: BTreeMap<(u32, u64, EpochPublic), (u32, PairAt)>,
    tagged: BTreeSet<(u32, u64)>,
    sweep: Option<(Mono, u64)>,
    /// How far the same sweep is among the chunks of files.
    chunks: Option<ChunkSweep>,
    /// When each contact last made us put everything again.
    resent: BTreeMap<u32, Mono>,
    /// When the next contacts have to be told of a new mailbox, and from which on; none if all are.
    moves: Option<(Mono, u32)>,
}

/// Which pair secret opens boxes under a tag.
#[derive(Clone, Copy, Debug)]
enum PairAt {
    Contact,
    Lent(usize),
}

impl Delivery {
    /// Opens over stored rows. Everything unreceipted is looked at again at once.
    ///
    /// # Errors
    /// [`TurnError`] for a failed read or a damaged row.
    pub fn open(now: Mono, view: &dyn View, params: NetworkParams) -> Result<Self, TurnError> {
        let _ = view;
        Ok(Self {
            params,
            flights: BTreeMap::new(),
            parcels: BTreeMap::new(),
            tags: BTreeMap::new(),
            tagged: BTreeSet::new(),
            sweep: Some((now, 0)),
            chunks: None,
            resent: BTreeMap::new(),
            moves: Some((now, 0)),
        })
    }

    /// Sets the agreed numbers once a network is adopted.
    pub fn set_params(&mut self, params: NetworkParams) {
        self.params = params;
        self.tags.clear();
        self.tagged.clear();
    }

    /// Entries in the air.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// The next moment something is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        let live = self.flights.values().filter_map(|f| f.live_until).min();
        let chunks = self.chunks.and_then(|sweep| sweep.at);
        [live, self.sweep.map(|(at, _)| at), chunks, self.moves.map(|(at, _)| at)].into_iter().flatten().min()
    }

    pub(super) fn route(view: &dyn View, contact: u32) -> Result<Option<rows::RouteRow>, TurnError> {
        rows::get(view, rows::ROUTES, &contact.to_be_bytes())
    }

    pub(super) fn save_route(cx: &mut Ctx<'_, '_>, contact: u32, row: &rows::RouteRow) {
        rows::put(cx.tx, rows::ROUTES, &contact.to_be_bytes(), row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_PACKETS;

    #[test]
    fn packets_of_a_box_are_counted_while_they_are_read() {
        let parcel = |count| murre_core::codec::encode(&Parcel { v: 1, p: vec![ByteBuf::new(); count] });
        assert!(Parcel::decode(&parcel(MAX_PACKETS)).is_some());
        assert!(Parcel::decode(&parcel(MAX_PACKETS + 1)).is_none());
        assert!(Parcel::decode(&parcel(200_000)).is_none());
    }
}
