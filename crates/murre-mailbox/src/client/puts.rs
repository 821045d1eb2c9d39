//! Storing: every put under way, driven until enough custodians signed for the same bytes.
//!
//! Nothing here is durable. The parent keeps the outbox row with the final bytes and offers it again after a
//! restart; this half never changes them and never makes a second box.

use super::ClientCx;
use super::events::{ClientEvent, PutError, PutKey, PutStart, PutTrouble, PuzzleId};
use super::limits::{MAX_PUTS, MAX_QUEUED_PUTS, REQUEST_MS};
use super::proofs::{Need, Proofs};
use super::put::{Next, Put, What};
use super::wire::{Purpose, Wire};
use crate::boxes::SealedBox;
use crate::frame::{PutRefusal, Reply, Request};
use crate::limits::{takes_objects, takes_puts};
use crate::receipt::{Expected, Receipt, ReceiptBody, check};
use murre_core::Mono;
use murre_core::id::PeerKey;
use murre_core::params::PuzzlePrice;
use murre_crypto::puzzle::Solution;
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Puzzles that one put asks for before it believes that it is being mocked.
const MAX_PUZZLES_PER_PUT: u32 = 4;

/// What one receipt was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    /// A custodian of the placement holds these bytes.
    Counts(PeerKey),
    /// Nobody signed this, or it is about other bytes, another expiry or another epoch.
    Nothing,
    /// A node that does not belong to the placement, as far as we know.
    Foreign,
}

/// Every put.
#[derive(Default)]
pub struct Puts {
    active: BTreeMap<PutKey, Put>,
    queue: VecDeque<PutKey>,
    queued: BTreeSet<PutKey>,
    proofs: Proofs,
    /// Something may be sent before any timer is due.
    pub stirred: bool,
}

impl Puts {
    /// Begins or continues a put.
    ///
    /// # Errors
    /// [`PutError`].
    pub fn offer(
        &mut self,
        wire: &Wire,
        key: PutKey,
        what: What,
        bytes: &[u8],
    ) -> Result<PutStart, PutError> {
        if let Some(put) = self.active.get(&key) {
            // spec: BC-7
            return if put.bytes == bytes { Ok(PutStart::Started) } else { Err(PutError::OtherBytes) };
        }
        // Without a network nothing can be checked yet; the offer waits like one without room.
        let params = wire.params().filter(|_| self.active.len() < MAX_PUTS);
        let Some(params) = params else { return self.enqueue(key) };
        let put = Put::new(what, bytes, params).map_err(|what| PutError::Invalid { what })?;
        self.unqueue(&key);
        self.active.insert(key, put);
        self.stirred = true;
        Ok(PutStart::Started)
    }

    fn enqueue(&mut self, key: PutKey) -> Result<PutStart, PutError> {
        if !self.queued.contains(&key) {
            if self.queue.len() >= MAX_QUEUED_PUTS {
                return Err(PutError::TooMany);
            }
            self.queue.push_back(key);
            self.queued.insert(key);
        }
        Ok(PutStart::Queued)
    }

    fn unqueue(&mut self, key: &PutKey) {
        if self.queued.remove(key) {
            self.queue.retain(|k| k != key);
        }
    }

    /// Ends a put. Answers that still come are ignored.
    pub fn cancel(&mut self, key: &PutKey) {
        self.active.remove(key);
        self.unqueue(key);
        self.stirred = true;
    }

    /// A puzzle came back.
    pub fn puzzle_done(&mut self, cx: &mut ClientCx<'_, '_>, id: PuzzleId, solution: Option<Solution>) {
        let solved = self.proofs.done(id, solution);
        for (key, put) in &mut self.active {
            if put.paying != Some(id) {
                continue;
            }
            put.paying = None;
            if solved {
                put.new_round();
            } else {
                put.back_off(cx.now.mono, cx.rng);
                cx.up(ClientEvent::PutProblem { put: *key, why: PutTrouble::Unpaid });
            }
        }
        self.stirred = true;
    }

    /// Everyone who waits may try at once: a network was adopted, or we came back from silence.
    pub fn hurry(&mut self) {
        for put in self.active.values_mut().filter(|p| p.retry_at.is_some()) {
            put.new_round();
            put.backoff = 0;
        }
        self.stirred = true;
    }

    /// How many are under way, and how many wait for room.
    pub fn counts(&self) -> (usize, usize) {
        (self.active.len(), self.queue.len())
    }

    /// Earliest moment at which a put has something to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        self.active.values().filter_map(|p| p.retry_at).min()
    }

    /// Sends whatever can be sent now.
    pub fn drive(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire) {
        let due = self.next_timeout().is_some_and(|at| at <= cx.now.mono);
        if !std::mem::take(&mut self.stirred) && !due {
            return;
        }
        let keys: Vec<PutKey> = self.active.keys().copied().collect();
        for key in keys {
            if let Some(why) = self.drive_one(cx, wire, key) {
                if why.ended() {
                    self.active.remove(&key);
                }
                cx.up(ClientEvent::PutProblem { put: key, why });
            }
        }
        self.announce_room(cx, wire);
    }

    fn announce_room(&mut self, cx: &mut ClientCx<'_, '_>, wire: &Wire) {
        if wire.network.is_none() {
            return;
        }
        let free = MAX_PUTS.saturating_sub(self.active.len()).min(self.queue.len());
        let puts: Vec<PutKey> = self.queue.drain(..free).collect();
        for key in &puts {
            self.queued.remove(key);
        }
        if !puts.is_empty() {
            cx.up(ClientEvent::PutRoom { puts });
        }
    }

    fn drive_one(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire, key: PutKey) -> Option<PutTrouble> {
        let put = self.active.get_mut(&key)?;
        if put.retry_at.is_some_and(|at| at > cx.now.mono) {
            return None;
        }
        if put.retry_at.is_some() {
            put.new_round();
        }
        if put.paying.is_some() {
            return None;
        }
        let params = *wire.params()?;
        let time = wire.time(cx.now);
        let open = match put.what {
            What::Box => takes_puts(put.expect.epoch, time, &params),
            What::Object => takes_objects(put.expect.epoch, time, &params),
        };
        if put.expect.expiry_hour <= time.hour() {
            return Some(PutTrouble::Expired);
        }
        if !open {
            return Some(PutTrouble::EpochOver);
        }
        let placement = wire.placement(&put.locator, put.expect.epoch, cx.now);
        let q = wire.quorum(cx.now);
        if put.solid(&placement, &q) {
            // The set of nodes changed, and with it who belongs to the placement.
            self.tell(cx, wire, key, &placement);
            return None;
        }
        let put = self.active.get_mut(&key)?;
        loop {
            let next = put.next(&placement, &q, |n| wire.usable(n, cx.now.mono));
            match next {
                Next::Wait => return None,
                Next::Coordinate(_) | Next::Fill(_) if !wire.has_room() => {
                    self.stirred = true;
                    return None;
                }
                Next::Coordinate(ranks) => {
                    let node = wire.choose(cx, &ranks, &BTreeSet::new())?;
                    put.coordinators += 1;
                    send(put, &self.proofs, cx, wire, key, node, true);
                }
                Next::Fill(nodes) => {
                    for node in nodes {
                        send(put, &self.proofs, cx, wire, key, node, false);
                    }
                }
                Next::RoundOver => {
                    let full = put.full.len() > q.k.saturating_sub(q.w);
                    put.back_off(cx.now.mono, cx.rng);
                    return Some(if full { PutTrouble::Full } else { PutTrouble::NoCustodian });
                }
            }
        }
    }

    /// A custodian was silent or unreachable.
    pub fn failed(&mut self, key: PutKey, node: &PeerKey) {
        if let Some(put) = self.active.get_mut(&key) {
            put.flying.remove(node);
        }
        self.stirred = true;
    }

    /// A custodian answered.
    pub fn answered(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        key: PutKey,
        node: PeerKey,
        reply: Reply,
    ) {
        self.stirred = true;
        let Some(put) = self.active.get_mut(&key) else { return };
        let fan = put.flying.remove(&node).unwrap_or(false);
        match reply {
            Reply::Put { receipts, refused } => {
                put.coordinated |= fan;
                // First of all: a conflict may end the put, whatever the others signed.
                let (conflicts, refused): (Vec<_>, Vec<_>) =
                    refused.into_iter().partition(|(_, r)| matches!(r, PutRefusal::Conflict { .. }));
                for (who, refusal) in conflicts {
                    self.refused(cx, wire, key, node, who, refusal);
                }
                if self.receipted(cx, wire, key, node, receipts) {
                    return;
                }
                for (who, refusal) in refused {
                    self.refused(cx, wire, key, node, who, refusal);
                }
            }
            Reply::Refused(_) => wire.silent(node, cx.now),
            _ => wire.peers.avoid(node, cx.now.mono),
        }
    }

    /// Counts receipts. True if the put is over.
    fn receipted(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        key: PutKey,
        node: PeerKey,
        receipts: Vec<Receipt>,
    ) -> bool {
        let Some(put) = self.active.get_mut(&key) else { return true };
        let placement = wire.placement(&put.locator, put.expect.epoch, cx.now);
        let before = put.signed.len();
        for receipt in receipts {
            match weigh(&put.expect, &placement, receipt) {
                Worth::Counts(n) => {
                    put.signed.insert(n);
                }
                // Whoever passes this on either made it or does not look. The node it names is not
                // blamed: it may be an old word of its own, replayed.
                Worth::Nothing => wire.peers.avoid(node, cx.now.mono),
                Worth::Foreign => wire.doubt = Some(node),
            }
        }
        put.signed.len() > before && self.tell(cx, wire, key, &placement)
    }

    /// Tells the growth. True if the put is solid and over.
    fn tell(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        key: PutKey,
        placement: &[PeerKey],
    ) -> bool {
        let Some(put) = self.active.get(&key) else { return true };
        let solid = put.solid(placement, &wire.quorum(cx.now));
        let signed_by = put.signed.iter().filter(|n| placement.contains(n)).copied().collect();
        cx.up(ClientEvent::Receipts { put: key, signed_by, solid });
        if solid {
            self.active.remove(&key);
        }
        solid
    }

    fn refused(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        key: PutKey,
        told_by: PeerKey,
        who: PeerKey,
        refusal: PutRefusal,
    ) {
        let Some(put) = self.active.get_mut(&key) else { return };
        match refusal {
            PutRefusal::NeedProof { price, block } => {
                self.need_proof(cx, wire, key, told_by == who, who, price, block);
            }
            PutRefusal::Conflict { held } => self.conflict(cx, wire, key, told_by == who, who, &held),
            PutRefusal::Quota => {
                put.full.insert(who);
            }
            // Its directory is not ours: compare them.
            PutRefusal::NotMine => wire.doubt = Some(told_by),
            PutRefusal::Expired | PutRefusal::Busy => {}
        }
    }

    fn need_proof(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        key: PutKey,
        direct: bool,
        who: PeerKey,
        price: PuzzlePrice,
        block: u32,
    ) {
        let (Some(put), Some(params)) = (self.active.get_mut(&key), wire.params().copied()) else { return };
        if put.puzzles >= MAX_PUZZLES_PER_PUT {
            return;
        }
        let known = self.proofs.for_place(&put.locator, put.expect.epoch, Some(block));
        let attached = put.needs.insert(who, block) == Some(block) && known.is_some_and(|p| p.block == block);
        match self.proofs.need(cx, (put.locator, put.expect.epoch, block), price, &params) {
            // It has what it asks for and asks again: that custodian only wastes our time.
            Need::Have if attached && direct => wire.peers.avoid(who, cx.now.mono),
            Need::Have => {
                put.asked.remove(&who);
            }
            Need::Solving(id) => {
                put.puzzles += u32::from(put.paying != Some(id));
                put.paying = Some(id);
            }
            Need::TooDear if direct => wire.peers.avoid(who, cx.now.mono),
            Need::TooDear | Need::Later => {}
        }
    }

    /// Someone says that other bytes lie under this id. Only the tag's own signature can prove it.
    // spec: BC-11
    fn conflict(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        key: PutKey,
        direct: bool,
        who: PeerKey,
        held: &[u8],
    ) {
        let (Some(put), Some(params)) = (self.active.get(&key), wire.params()) else { return };
        if held.is_empty() {
            // The proof stands elsewhere in this answer, or does not and then nothing was said.
            return;
        }
        let held = SealedBox::parse(held).ok().and_then(|b| b.verify(params).ok());
        let held = held.filter(|b| b.id() == put.expect.id && b.hash() != put.expect.hash);
        let proven = held.is_some();
        if proven {
            self.active.remove(&key);
        } else if direct {
            // What a coordinator says of another proves nothing against either.
            wire.peers.avoid(who, cx.now.mono);
        }
        cx.up(ClientEvent::Conflict { put: key, proven, held });
    }
}

fn send(
    put: &mut Put,
    proofs: &Proofs,
    cx: &mut ClientCx<'_, '_>,
    wire: &mut Wire,
    key: PutKey,
    node: PeerKey,
    fan: bool,
) {
    let bytes = ByteBuf::from(put.bytes.clone());
    let wanted = put.needs.get(&node).copied();
    let proof = proofs.for_place(&put.locator, put.expect.epoch, wanted);
    let body = match put.what {
        What::Box => Request::Put { b: bytes, proof, fan },
        What::Object => Request::PutObject { o: bytes, fan },
    };
    // A node whose address nobody knows counts as asked: the round goes on without it.
    put.asked.insert(node);
    if wire.request(cx, node, Purpose::Put { put: key, fan }, body, REQUEST_MS) {
        put.flying.insert(node, fan);
    }
}

/// What a receipt is worth for what was put.
// spec: BC-8
fn weigh(expect: &Expected, placement: &[PeerKey], receipt: Receipt) -> Worth {
    let signer = if murre_core::sabotage::active("count-forged-receipt") {
        unverified(&receipt).map(|body| body.n)
    } else {
        check(receipt, expect).ok()
    };
    match signer {
        None => Worth::Nothing,
        Some(node) if placement.contains(&node) => Worth::Counts(node),
        Some(_) => Worth::Foreign,
    }
}

/// The planted fault's way around [`murre_crypto::Signed`], which has none.
fn unverified(receipt: &Receipt) -> Option<ReceiptBody> {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Open {
        p: ByteBuf,
        s: murre_crypto::Signature,
    }
    let open: Open = murre_core::codec::decode(&receipt.bytes(), 4_096).ok()?;
    murre_core::codec::decode(&open.p, 4_096).ok()
}
