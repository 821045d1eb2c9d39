//! Storing: every put under way, driven until enough custodians signed for the same bytes.
//!
//! Nothing here is durable. The parent keeps the outbox row with the final bytes and offers it again after a
//! restart; this half never changes them and never makes a second box.
//!
//! At most [`MAX_PUTS`] hold a place and with it their bytes. Who only waits, for its time or for a puzzle, gives its
//! place to whoever stands in line, so a mailbox that is full, or custodians that are silent, hold up nobody else.

use super::ClientCx;
use super::events::{ClientEvent, PutError, PutKey, PutStart, PutTrouble, PuzzleId};
use super::limits::{CALL_MS, MAX_PUTS, MAX_QUEUED_PUTS, MAX_YIELDS, REQUEST_MS, YIELD_MS};
use super::proofs::{Need, Paid, Proofs};
use super::put::{Next, Put, What, Worth, weigh};
use super::waiting::Waiting;
use super::wire::{Purpose, Wire};
use crate::boxes::{SLOT_BLOCK, SealedBox};
use crate::frame::{PutRefusal, Reply, Request};
use crate::limits::{takes_objects, takes_puts};
use crate::receipt::Receipt;
use crate::request::SpaceProof;
use murre_core::id::PeerKey;
use murre_core::params::PuzzlePrice;
use murre_core::{Mono, NetworkParams, Wall};
use murre_crypto::puzzle::Solution;
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet};

/// Puzzles that one put asks for before it believes that it is being mocked.
const MAX_PUZZLES_PER_PUT: u32 = 4;

/// Every put.
#[derive(Default)]
pub struct Puts {
    active: BTreeMap<PutKey, Put>,
    waiting: Waiting,
    /// Since when yields are counted, and how many there were.
    yields: (Mono, usize),
    /// When more of them may follow, if some are owed.
    yield_at: Option<Mono>,
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
        let Some(params) = wire.params() else { return self.wait(key) };
        let place = self.waiting.is_called(&key) || self.free() > 0;
        if !place && self.waiting.known(&key).is_none() {
            return self.wait(key);
        }
        let put = match Put::new(what, bytes, params) {
            Ok(put) => put,
            Err(what) => {
                if self.waiting.known(&key).is_none() {
                    self.cancel(&key);
                }
                return Err(PutError::Invalid { what });
            }
        };
        if let Some(before) = self.waiting.known(&key) {
            if before.what != put.what || before.expect != put.expect {
                return Err(PutError::OtherBytes);
            }
            if !place || self.waiting.is_asleep(&key) {
                return Ok(PutStart::Queued);
            }
        }
        let put = match self.waiting.remove(&key) {
            Some(before) => put.resume(*before),
            None => put,
        };
        self.active.insert(key, put);
        self.stirred = true;
        Ok(PutStart::Started)
    }

    fn wait(&mut self, key: PutKey) -> Result<PutStart, PutError> {
        if self.waiting.len() >= MAX_QUEUED_PUTS && !self.waiting.contains(&key) {
            return Err(PutError::TooMany);
        }
        self.waiting.join(key);
        Ok(PutStart::Queued)
    }

    /// Places that nobody holds and that are kept for nobody.
    fn free(&self) -> usize {
        MAX_PUTS.saturating_sub(self.active.len() + self.waiting.called_len())
    }

    /// Ends a put. Answers that still come are ignored.
    pub fn cancel(&mut self, key: &PutKey) {
        self.active.remove(key);
        self.waiting.remove(key);
        self.stirred = true;
    }

    /// A put that has a place or had one, if it still carries the bytes with this hash.
    fn find(&mut self, (key, hash): (PutKey, [u8; 32])) -> Option<&mut Put> {
        let put = self.active.get_mut(&key).or_else(|| self.waiting.known_mut(&key))?;
        (put.expect.hash == hash).then_some(put)
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
        for key in self.waiting.paying(id) {
            if solved {
                self.waiting.wake(&key);
            } else if let Some(mut put) = self.waiting.remove(&key) {
                put.paying = None;
                put.back_off(cx.now.mono, cx.rng);
                self.waiting.sleep(key, *put);
                cx.up(ClientEvent::PutProblem { put: key, why: PutTrouble::Unpaid });
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
        self.waiting.wake_all();
        self.stirred = true;
    }

    /// Whether it gave its place up and waits for its time.
    #[cfg(test)]
    pub fn is_asleep(&self, key: &PutKey) -> bool {
        self.waiting.is_asleep(key)
    }

    /// How many hold a place, and how many wait without one.
    pub fn counts(&self) -> (usize, usize) {
        (self.active.len(), self.waiting.len())
    }

    /// Earliest moment at which a put has something to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        let active = self.active.values().filter_map(|p| p.retry_at).min();
        [active, self.waiting.next_timeout(), self.yield_at].into_iter().flatten().min()
    }

    /// Sends whatever can be sent now.
    pub fn drive(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire) {
        let due = self.next_timeout().is_some_and(|at| at <= cx.now.mono);
        if !std::mem::take(&mut self.stirred) && !due {
            if self.waiting.line_len() > 0 && wire.network.is_some() {
                self.make_room(cx.now.mono);
                self.announce_room(cx);
            }
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
        let Some(params) = wire.params().copied() else { return };
        self.wake(cx, wire.time(cx.now), &params);
        self.make_room(cx.now.mono);
        self.announce_room(cx);
    }

    /// Sleepers whose time has come stand in line again; those whose time is over end.
    fn wake(&mut self, cx: &mut ClientCx<'_, '_>, time: Wall, params: &NetworkParams) {
        self.waiting.lapse(cx.now.mono);
        for key in self.waiting.due(cx.now.mono) {
            match self.waiting.known(&key).and_then(|put| over(put, time, params)) {
                Some(why) => {
                    self.waiting.remove(&key);
                    cx.up(ClientEvent::PutProblem { put: key, why });
                }
                None => self.waiting.wake(&key),
            }
        }
    }

    /// Who only waits gives its place to who stands in line: first those that would have waited longest. Not all
    /// in one turn, because each costs the parent a look for bytes, and while nobody can be asked every put that
    /// is started waits at once.
    // spec: BC-20
    fn make_room(&mut self, now: Mono) {
        self.yield_at = None;
        let wanted = self.waiting.line_len().saturating_sub(self.free());
        if wanted == 0 {
            return;
        }
        let idle = self.active.iter().filter(|(_, put)| put.idle(now));
        let mut idle: Vec<(Mono, PutKey)> =
            idle.map(|(key, put)| (put.retry_at.unwrap_or(Mono(u64::MAX)), *key)).collect();
        idle.sort_unstable();
        for (_, key) in idle.into_iter().rev().take(wanted) {
            if now.since(self.yields.0) >= YIELD_MS {
                self.yields = (now, 0);
            }
            if self.yields.1 >= MAX_YIELDS {
                self.yield_at = Some(self.yields.0.plus(YIELD_MS));
                return;
            }
            self.yields.1 += 1;
            if let Some(put) = self.active.remove(&key) {
                self.waiting.sleep(key, put);
            }
        }
    }

    fn announce_room(&mut self, cx: &mut ClientCx<'_, '_>) {
        let puts = self.waiting.call(self.free(), cx.now.mono.plus(CALL_MS));
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
        let params = *wire.params()?;
        if let Some(why) = over(put, wire.time(cx.now), &params) {
            return Some(why);
        }
        if put.paying.is_some() {
            return None;
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
    pub fn failed(&mut self, of: (PutKey, [u8; 32]), node: &PeerKey) {
        if let Some(put) = self.find(of) {
            put.flying.remove(node);
        }
        self.stirred = true;
    }

    /// A custodian answered.
    pub fn answered(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        of: (PutKey, [u8; 32]),
        node: PeerKey,
        reply: Reply,
    ) {
        self.stirred = true;
        let key = of.0;
        // spec: BC-21
        // It ended, or its key carries other bytes by now: the answer says nothing against anybody.
        let Some(put) = self.find(of) else { return };
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
                let mut refused = refused;
                refused.sort_by_key(|(_, refusal)| effort(refusal));
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
        let Some(put) = self.active.get_mut(&key).or_else(|| self.waiting.known_mut(&key)) else {
            return true;
        };
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
        let Some(put) = self.active.get(&key).or_else(|| self.waiting.known(&key)) else { return true };
        let solid = put.solid(placement, &wire.quorum(cx.now));
        let signed_by = put.signed.iter().filter(|n| placement.contains(n)).copied().collect();
        cx.up(ClientEvent::Receipts { put: key, signed_by, solid });
        if solid {
            self.cancel(&key);
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
        match refusal {
            PutRefusal::NeedProof { price, block } => {
                self.need_proof(cx, wire, key, told_by == who, who, price, block);
            }
            PutRefusal::Conflict { held } => self.conflict(cx, wire, key, told_by == who, who, &held),
            // What a coordinator says of others does not make the place full: they are asked.
            // spec: BC-5, BC-22
            PutRefusal::Quota | PutRefusal::NoRoom if told_by == who => {
                if let Some(put) = self.active.get_mut(&key) {
                    put.full.insert(who);
                }
            }
            // Its directory is not ours: compare them.
            PutRefusal::NotMine => wire.doubt = Some(told_by),
            PutRefusal::Quota | PutRefusal::NoRoom | PutRefusal::Expired | PutRefusal::Busy => {}
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
        let placement = wire.placement(&put.locator, put.expect.epoch, cx.now);
        if put.puzzles >= MAX_PUZZLES_PER_PUT || !placement.contains(&who) {
            return;
        }
        let slot = block == SLOT_BLOCK;
        let known = proof(put, &self.proofs, Some(block));
        let attached = put.needs.insert(who, block) == Some(block) && known.is_some_and(|p| p.block == block);
        // What is cheaper is paid first: it may be enough. Whoever asks for more is asked again afterwards. At a paid door
        // one puzzle at a time.
        // spec: BC-23, BC-24
        if put.paying.is_some_and(|id| slot || self.proofs.is_no_dearer(id, price)) {
            return;
        }
        let paid = if slot {
            Paid::Slot(put.expect.id, put.expect.hash)
        } else {
            Paid::Space(put.locator, put.expect.epoch, block)
        };
        match self.proofs.need(cx, paid, put.kind, price, &params) {
            // It has what it asks for and asks again: that custodian only wastes our time.
            Need::Have if attached && direct => wire.peers.avoid(who, cx.now.mono),
            Need::Have => {
                put.asked.remove(&who);
            }
            Need::Solving(id) => {
                put.puzzles += u32::from(put.paying != Some(id));
                put.paying = Some(id);
                if slot {
                    let why = PutTrouble::Paying { tries: price.tries };
                    cx.up(ClientEvent::PutProblem { put: key, why });
                }
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
        let put = self.active.get(&key).or_else(|| self.waiting.known(&key));
        let (Some(put), Some(params)) = (put, wire.params()) else { return };
        if held.is_empty() {
            // The proof stands elsewhere in this answer, or does not and then nothing was said.
            return;
        }
        let held = SealedBox::parse(held).ok().and_then(|b| b.verify(params).ok());
        let held = held.filter(|b| b.id() == put.expect.id && b.hash() != put.expect.hash);
        let proven = held.is_some();
        if proven {
            self.cancel(&key);
        } else if direct {
            // What a coordinator says of another proves nothing against either.
            wire.peers.avoid(who, cx.now.mono);
        }
        cx.up(ClientEvent::Conflict { put: key, proven, held });
    }
}

/// How much work a refusal asks for.
const fn effort(refusal: &PutRefusal) -> u32 {
    match refusal {
        PutRefusal::NeedProof { price, .. } => price.tries,
        PutRefusal::Quota
        | PutRefusal::NotMine
        | PutRefusal::Expired
        | PutRefusal::Conflict { .. }
        | PutRefusal::Busy
        | PutRefusal::NoRoom => 0,
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
    let proof = proof(put, proofs, wanted);
    let body = match put.what {
        What::Box => Request::Put { b: bytes, proof, fan },
        What::Object => Request::PutObject { o: bytes, fan },
    };
    // A node whose address nobody knows counts as asked: the round goes on without it.
    put.asked.insert(node);
    if wire.request(cx, node, Purpose::Put { put: key, hash: put.expect.hash, fan }, body, REQUEST_MS) {
        put.flying.insert(node, fan);
    }
}

/// What pays for a box: for this very one at a paid door, else for the space it takes.
fn proof(put: &Put, proofs: &Proofs, wanted: Option<u32>) -> Option<SpaceProof> {
    let slot = proofs.for_slot(put.expect.id, put.expect.hash);
    slot.or_else(|| proofs.for_place(&put.locator, put.expect.epoch, wanted))
}

/// Whether its time is over, and why.
fn over(put: &Put, time: Wall, params: &NetworkParams) -> Option<PutTrouble> {
    let open = match put.what {
        What::Box => takes_puts(put.expect.epoch, time, params),
        What::Object => takes_objects(put.expect.epoch, time, params),
    };
    if put.expect.expiry_hour <= time.hour() {
        Some(PutTrouble::Expired)
    } else {
        (!open).then_some(PutTrouble::EpochOver)
    }
}
