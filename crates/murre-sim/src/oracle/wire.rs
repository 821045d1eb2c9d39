//! Boxes and receipts, as they pass by.

use crate::net::HostId;
use crate::totals::Totals;
use murre_core::id::{BoxId, Locator, PeerKey};
use murre_core::time::HOUR;
use murre_core::{Batch, NetworkParams, Op, View};
use murre_custodian::rows as node_rows;
use murre_device::files::file_of;
use murre_device::rows as device_rows;
use murre_mailbox::{Frame, MailboxKind, PutRefusal, Receipt, ReceiptBody, Reply, Request, SealedBox};
use murre_store::MemoryStore;
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet};

/// A box sent again within this is the same put still going on, ms.
const SAME_PUT_MS: u64 = 4_000;

/// One receipt's word, once its signature was checked.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// First hour in which the box may be gone.
    pub expiry_hour: u32,
}

/// What is remembered of a verified box.
#[derive(Clone, Debug)]
struct Passing {
    id: BoxId,
    locator: Locator,
    hash: [u8; 32],
    kind: MailboxKind,
    words: String,
}

#[derive(Debug)]
struct Known {
    hash: [u8; 32],
    sent_at: u64,
}

/// What was seen so far.
#[derive(Debug)]
pub struct Wire {
    params: NetworkParams,
    nodes: BTreeMap<HostId, PeerKey>,
    /// By the writing host at a door, where every link holder has the same tags; else by id alone.
    boxes: BTreeMap<(Option<HostId>, BoxId), Known>,
    entries: BTreeMap<(HostId, Vec<u8>, Locator), BoxId>,
    keys: BTreeMap<(HostId, Vec<u8>), BoxId>,
    receipts: BTreeMap<BoxId, BTreeMap<PeerKey, Word>>,
    checked: BTreeSet<[u8; 32]>,
    /// Boxes already verified, by the hash of their bytes: most frames carry one that was seen before.
    verified: BTreeMap<[u8; 32], Passing>,
    starts: BTreeMap<HostId, u64>,
    requests: BTreeMap<(HostId, u64), u64>,
    /// Entries that got another box later.
    pub re_boxed: u64,
    /// Chunks written into blobs, and chunks put into boxes.
    pub chunks: (u64, u64),
    /// Nodes that know that they have no room.
    pub full: BTreeSet<HostId>,
}

impl Wire {
    /// Nothing seen.
    #[must_use]
    pub fn new(params: NetworkParams) -> Self {
        Self {
            params,
            nodes: BTreeMap::new(),
            boxes: BTreeMap::new(),
            entries: BTreeMap::new(),
            keys: BTreeMap::new(),
            receipts: BTreeMap::new(),
            checked: BTreeSet::new(),
            verified: BTreeMap::new(),
            starts: BTreeMap::new(),
            requests: BTreeMap::new(),
            re_boxed: 0,
            chunks: (0, 0),
            full: BTreeSet::new(),
        }
    }

    /// The network's numbers.
    #[must_use]
    pub const fn params(&self) -> &NetworkParams {
        &self.params
    }

    /// This host is a node under this key.
    pub fn node(&mut self, host: HostId, key: PeerKey) {
        self.nodes.insert(host, key);
    }

    /// A process of this host starts: its randomness must be new.
    pub fn started(&mut self, host: HostId) {
        *self.starts.entry(host).or_default() += 1;
    }

    /// Requests are numbered at random; two lives of one process never draw the same numbers.
    fn fresh(&mut self, host: HostId, id: u64) -> Result<(), (&'static str, String)> {
        let life = self.starts.get(&host).copied().unwrap_or_default();
        let before = self.requests.insert((host, id), life);
        if before.is_some_and(|before| before != life) {
            return Err(("fresh randomness", format!("host {host} draws in two lives the same numbers")));
        }
        Ok(())
    }

    /// Nodes that signed for a box, with true signatures.
    #[must_use]
    pub fn signers(&self, id: &BoxId) -> BTreeMap<PeerKey, Word> {
        self.receipts.get(id).cloned().unwrap_or_default()
    }

    /// Everything that was signed for.
    pub fn words(&self) -> impl Iterator<Item = (&BoxId, &BTreeMap<PeerKey, Word>)> {
        self.receipts.iter()
    }

    /// Boxes that devices made, door boxes of several writers counted apart.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.boxes.len() as u64
    }

    /// A batch: an entry has at most one box in one place, and a node without room takes nothing.
    ///
    /// # Errors
    /// The oracle's name and words for the report.
    pub fn batch(&mut self, host: HostId, batch: &Batch) -> Result<(), (&'static str, String)> {
        self.chunks.0 += batch.ops.iter().filter(|op| matches!(op, Op::WriteBlob { .. })).count() as u64;
        for op in &batch.ops {
            let Op::Put { space, key, value } = op else { continue };
            // spec: K-43
            if *space == node_rows::BOXES && self.full.contains(&host) {
                return Err(("no room", format!("host {host} has no room and stores a box")));
            }
            if *space == device_rows::BOXES {
                self.boxed(host, key, value).map_err(|what| ("one box per entry", what))?;
            }
        }
        Ok(())
    }

    /// A device seals an entry, or a chunk of a file, into a box.
    fn boxed(&mut self, host: HostId, key: &[u8], value: &[u8]) -> Result<(), String> {
        let bytes: ByteBuf = device_rows::decode(device_rows::BOXES, value).map_err(|e| format!("{e:?}"))?;
        let b = self.pass(&bytes).ok_or_else(|| format!("host {host} made a box that is none"))?;
        let chunk = key.try_into().is_ok_and(|key| file_of(u64::from_be_bytes(key)).is_some());
        self.chunks.1 += u64::from(chunk);
        let before = self.entries.insert((host, key.to_vec(), b.locator), b.id);
        // A chunk that is asked for once more has lost its box and gets another.
        if !chunk && before.is_some_and(|id| id != b.id) {
            return Err(format!("host {host} boxed one entry twice in one place"));
        }
        let last = self.keys.insert((host, key.to_vec()), b.id);
        self.re_boxed += u64::from(last.is_some_and(|id| id != b.id));
        self.note_box(host, &b, 0).map_err(|()| format!("host {host} used a number twice: {}", b.words))?;
        Ok(())
    }

    fn note_box(&mut self, host: HostId, b: &Passing, at: u64) -> Result<bool, ()> {
        let at_door = b.kind == MailboxKind::Door;
        let fresh = Known { hash: b.hash, sent_at: 0 };
        let known = self.boxes.entry((at_door.then_some(host), b.id)).or_insert(fresh);
        if known.hash != b.hash {
            return Err(());
        }
        let again = known.sent_at != 0 && at > known.sent_at + SAME_PUT_MS;
        if known.sent_at == 0 || again {
            known.sent_at = known.sent_at.max(at);
        }
        Ok(again)
    }

    /// Verifies a box, once for all frames that carry it.
    fn pass(&mut self, bytes: &[u8]) -> Option<Passing> {
        let print = *blake3::hash(bytes).as_bytes();
        if let Some(known) = self.verified.get(&print) {
            return Some(known.clone());
        }
        let b = SealedBox::parse(bytes).ok()?.verify(&self.params).ok()?;
        let words = format!("{:?} box {} of {:?} in epoch {}", b.place().k, b.index(), b.tag(), b.epoch());
        let passing = Passing { id: b.id(), locator: b.locator(), hash: b.hash(), kind: b.place().k, words };
        self.verified.insert(print, passing.clone());
        Some(passing)
    }

    /// A frame leaves a host.
    ///
    /// # Errors
    /// The oracle's name and words for the report.
    pub fn sent(
        &mut self,
        host: HostId,
        honest: bool,
        store: &MemoryStore,
        bytes: &[u8],
        at: u64,
        totals: &mut Totals,
    ) -> Result<(), (&'static str, String)> {
        if bytes.first() == Some(&murre_device::presence::FRAME_KIND) {
            totals.live_frames += 1;
            return Ok(());
        }
        // Decoding every frame costs more than everything else: only those that speak of puts and repair matter.
        let head = bytes.get(..48.min(bytes.len())).unwrap_or_default();
        let speaks_of = |key: &[u8; 3]| head.windows(3).any(|w| w == key);
        if honest && speaks_of(b"bhi") {
            return match Frame::decode(bytes) {
                Ok(Frame::Request { id, .. }) => self.fresh(host, id),
                _ => Ok(()),
            };
        }
        if !speaks_of(b"bpu") && !speaks_of(b"bri") && !speaks_of(b"bre") {
            return Ok(());
        }
        match Frame::decode(bytes) {
            Ok(Frame::Request { body: Request::Put { b, .. }, .. }) if honest => {
                self.put(host, &b, at, totals)
            }
            Ok(Frame::Request { body: Request::Repair { r }, .. }) => {
                let fetch = r
                    .verify()
                    .is_ok_and(|r| matches!(r.kind, murre_mailbox::request::RepairKind::Fetch { .. }));
                totals.repairs += u64::from(fetch);
                Ok(())
            }
            Ok(Frame::Reply { body: Reply::Put { receipts, refused }, .. }) => {
                let conflict = |(_, why): &&(PeerKey, PutRefusal)| matches!(why, PutRefusal::Conflict { .. });
                totals.conflicts += refused.iter().filter(conflict).count() as u64;
                receipts.into_iter().try_for_each(|r| self.receipt(host, honest, store, r, at))
            }
            _ => Ok(()),
        }
    }

    fn put(
        &mut self,
        host: HostId,
        bytes: &[u8],
        at: u64,
        totals: &mut Totals,
    ) -> Result<(), (&'static str, String)> {
        let Some(b) = self.pass(bytes) else {
            return Err(("boxes are boxes", format!("host {host} puts what is no valid box")));
        };
        let by_device = !self.nodes.contains_key(&host);
        if !by_device {
            // A node passes on what others wrote, strangers and several holders of one link among them.
            return Ok(());
        }
        match self.note_box(host, &b, at) {
            Ok(again) => {
                totals.re_puts += u64::from(again);
                Ok(())
            }
            Err(()) => Err(("no number twice", format!("host {host} puts other bytes as {}", b.words))),
        }
    }

    /// A receipt counts once its signature holds; an honest node's own must be true when it leaves.
    fn receipt(
        &mut self,
        host: HostId,
        honest: bool,
        store: &MemoryStore,
        receipt: Receipt,
        at: u64,
    ) -> Result<(), (&'static str, String)> {
        let print = *blake3::hash(&receipt.bytes()).as_bytes();
        if !self.checked.insert(print) {
            return Ok(());
        }
        let Ok(body) = receipt.verify() else { return Ok(()) };
        let ReceiptBody { n, b, x, .. } = *body;
        self.receipts.entry(b).or_default().insert(n, Word { expiry_hour: x });
        let own = honest && self.nodes.get(&host) == Some(&n);
        let held = store.get(murre_custodian::rows::IDS, b.as_bytes()).is_ok_and(|row| row.is_some());
        // A coordinator that slept may pass on its own word for a box whose hour has come meanwhile.
        let over = at / HOUR + 1 >= u64::from(x);
        if own && !held && !over {
            return Err(("receipts are true", format!("host {host} signs for a box that it does not hold")));
        }
        Ok(())
    }
}
