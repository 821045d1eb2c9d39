//! What is asked in each watched place, and what the answers are worth.

use super::ClientCx;
use super::events::{ClientEvent, WatchKey};
use super::limits::{
    LONG_POLL_MS, LONG_POLL_PAUSE_MS, MAX_COORDINATORS, MAX_GETS_PER_PLACE, POLL_MS, POLL_NODES, QUIET_MS,
    REPEAT_MS, REQUEST_MS, TOMBSTONE_TRIES,
};
use super::place::{Listed, Place};
use super::watches::Watches;
use super::wire::{ListWay, Purpose, Wire};
use crate::boxes::{SealedBox, VerifiedBox};
use crate::frame::{Refusal, Reply, Request};
use crate::limits::MAX_IDS;
use crate::request::{Cursor, ListPart, ReadKind};
use murre_core::id::{BoxId, PeerKey};
use murre_core::params::delivery::RETRY_MS;
use murre_core::{Mono, NetworkParams};
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;

/// One place in one turn.
struct At<'p> {
    watch: WatchKey,
    epoch: u64,
    place: &'p mut Place,
    placement: Vec<PeerKey>,
    k: usize,
    r: usize,
    /// A careful read may have met nobody but a liar.
    thin: bool,
}

impl Watches {
    /// Earliest moment at which some place has something to do.
    pub fn next_timeout(&self, wire: &Wire) -> Option<Mono> {
        if !wire.has_room() {
            // The next answer, or its deadline, brings us back.
            return self.calendar_due(wire);
        }
        let due = |p: &Place, current: bool, open: bool| {
            let careful = p.careful.as_ref().and_then(|c| c.retry_at);
            let poll = open.then_some(p.poll_at);
            let long = (current && p.long.is_none() && wire.has_long_room()).then_some(p.long_at);
            let tombstone = p.tombstone_at.filter(|_| !p.tombstones.is_empty());
            [careful, poll, long, tombstone, p.get_retry_at, p.again_at].into_iter().flatten().min()
        };
        let places = self.all.values().flat_map(|w| {
            let last = w.places.keys().next_back().copied();
            w.places.iter().filter_map(move |(e, p)| {
                let current = Some(*e) == last;
                due(p, current, current || last == e.checked_add(1))
            })
        });
        places.chain(self.calendar_due(wire)).min()
    }

    /// Sends whatever can be sent now.
    pub fn drive(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire) {
        let due = self.next_timeout(wire).is_some_and(|at| at <= cx.now.mono);
        if !std::mem::take(&mut self.stirred) && !due {
            return;
        }
        let Some(params) = wire.params().copied() else { return };
        let after = self.all.keys().filter(|k| self.served.is_some_and(|s| **k > s));
        let before = self.all.keys().filter(|k| self.served.is_none_or(|s| **k <= s));
        let order: Vec<WatchKey> = after.chain(before).copied().collect();
        for key in order {
            if !wire.has_room() {
                // The next answer makes room and comes back here.
                self.stirred = true;
                return;
            }
            self.served = Some(key);
            self.drive_watch(cx, wire, key, &params);
        }
    }

    fn drive_watch(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        key: WatchKey,
        params: &NetworkParams,
    ) {
        let time = wire.time(cx.now);
        let Some(watch) = self.all.get_mut(&key) else { return };
        let open = watch.address.open_epochs(time, params);
        let current = watch.address.epoch_at(time, params);
        // Newest first: that is where mail is.
        for (epoch, place) in watch.places.iter_mut().rev() {
            let placement = wire.placement(&place.reader.locator, *epoch, cx.now);
            let q = wire.quorum(cx.now);
            // Where address ranges are crowded there may be fewer custodians than reads; a directory that is behind
            // will have more.
            let r = if wire.is_behind(cx.now) { q.r } else { q.r.min(placement.len()) };
            let mut at = At { watch: key, epoch: *epoch, place, placement, k: q.k, r, thin: q.is_thin() };
            at.place.want_again(cx.now.mono);
            at.gets(cx, wire);
            at.careful(cx, wire);
            at.routine(cx, wire, open.contains(epoch));
            at.long_poll(cx, wire, *epoch == current);
            at.tombstones(cx, wire);
            at.place.save(cx.tx);
        }
    }

    /// A list came back.
    pub fn list_answered(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        node: PeerKey,
        asked: &Purpose,
        reply: Reply,
    ) {
        self.stirred = true;
        let Purpose::List { watch, epoch, way, query } = asked else { return };
        let Some(place) = self.place(watch, *epoch) else { return };
        let placement = wire.placement(&place.reader.locator, *epoch, cx.now);
        let fan = *way == ListWay::CarefulFan;
        let mut refused = false;
        let mut read = Vec::new();
        let mut more = Vec::new();
        match reply {
            Reply::List { parts } => {
                for part in parts {
                    match read_part(place, &placement, query, part) {
                        Some((n, _)) if !fan && n != node => wire.peers.avoid(node, cx.now.mono),
                        Some((n, Listed::End)) => read.push(n),
                        Some((n, Listed::More)) => more.push(n),
                        Some((_, Listed::Later)) => {}
                        Some((n, Listed::Lie)) => wire.peers.avoid(n, cx.now.mono),
                        // Whoever passes on a part that does not verify either made it or does not look.
                        None => wire.peers.avoid(node, cx.now.mono),
                    }
                }
            }
            // It has no room for those who wait: look in each minute.
            Reply::Refused(Refusal::Busy) if *way == ListWay::Long => refused = true,
            Reply::Refused(why) => {
                // Our clock or our directory may be wrong.
                if matches!(why, Refusal::Denied | Refusal::NotMine) {
                    wire.doubt = Some(node);
                }
                wire.silent(node, cx.now);
            }
            _ => wire.peers.avoid(node, cx.now.mono),
        }
        let Some(place) = self.place(watch, *epoch) else { return };
        let pause = if refused { POLL_MS } else { LONG_POLL_PAUSE_MS };
        settle(place, *way, cx.now.mono.plus(pause));
        // An answer to a question that was asked before the careful read began is not part of it.
        let counts = matches!(way, ListWay::CarefulFan | ListWay::CarefulOne);
        if let Some(careful) = place.careful.as_mut().filter(|_| counts) {
            careful.have.extend(read);
            for n in &more {
                careful.asked.remove(n);
            }
            careful.coordinated |= fan;
        } else if !more.is_empty() {
            place.poll_at = cx.now.mono;
        }
        place.save(cx.tx);
    }

    /// A list was not answered.
    pub fn list_failed(&mut self, now: Mono, asked: &Purpose) {
        self.stirred = true;
        let Purpose::List { watch, epoch, way, .. } = asked else { return };
        if let Some(place) = self.place(watch, *epoch) {
            settle(place, *way, now.plus(QUIET_MS));
        }
    }

    /// Boxes came.
    pub fn get_answered(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        node: PeerKey,
        asked: &Purpose,
        reply: Reply,
    ) {
        self.stirred = true;
        let Purpose::Get { watch, epoch, ids } = asked else { return };
        let (Some(params), Some(place)) = (wire.params().copied(), self.place(watch, *epoch)) else { return };
        place.gets = place.gets.saturating_sub(1);
        let mut boxes = Vec::new();
        let mut lied = false;
        let mut has_none = false;
        match reply {
            Reply::Get { boxes: found } => {
                has_none = found.is_empty();
                for bytes in found.into_iter().take(MAX_IDS) {
                    match verify_box(place, *epoch, ids, &bytes, &params) {
                        Some(b) if place.deliver(&b.id()) => boxes.push(b),
                        Some(_) => {}
                        None => lied = true,
                    }
                }
            }
            Reply::Refused(_) => wire.silent(node, cx.now),
            _ => lied = true,
        }
        if lied {
            wire.peers.avoid(node, cx.now.mono);
        }
        place.not_got(ids, (lied || has_none).then_some(node));
        if !boxes.is_empty() {
            cx.up(ClientEvent::Boxes { watch: *watch, epoch: *epoch, boxes });
        }
    }

    /// Boxes did not come.
    pub fn get_failed(&mut self, asked: &Purpose) {
        self.stirred = true;
        let Purpose::Get { watch, epoch, ids } = asked else { return };
        if let Some(place) = self.place(watch, *epoch) {
            place.gets = place.gets.saturating_sub(1);
            place.not_got(ids, None);
        }
    }

    /// Tombstones were taken, or not.
    pub fn tombstone_done(&mut self, now: Mono, watch: &WatchKey, epoch: u64, done: bool) {
        self.stirred = true;
        let Some(place) = self.place(watch, epoch) else { return };
        place.tombstone_flying = false;
        if done {
            let sent: Vec<BoxId> = place.tombstones.iter().take(MAX_IDS).copied().collect();
            for id in sent {
                place.tombstones.remove(&id);
            }
            place.tombstone_tries = 0;
        } else if place.tombstone_tries >= TOMBSTONE_TRIES {
            // What is not deleted expires by itself.
            place.tombstones.clear();
        } else {
            place.tombstone_at = Some(now.plus(RETRY_MS << place.tombstone_tries.min(6)));
        }
    }
}

impl At<'_> {
    fn first(&self) -> Vec<PeerKey> {
        self.placement.iter().take(self.k).copied().collect()
    }

    fn list(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire, node: PeerKey, way: ListWay) -> bool {
        let fan = way == ListWay::CarefulFan;
        let about = if fan { self.placement.clone() } else { vec![node] };
        let wait = if way == ListWay::Long { LONG_POLL_MS } else { 0 };
        let careful = matches!(way, ListWay::CarefulFan | ListWay::CarefulOne);
        let time = wire.time(cx.now);
        let wait_ms = u32::try_from(wait).unwrap_or(u32::MAX);
        let kind = ReadKind::List { cursors: self.place.cursors_of(&about), wait_ms, careful };
        let read = self.place.reader.sign_read(time, kind);
        let query = crate::request::read_hash(&read);
        let purpose = Purpose::List { watch: self.watch, epoch: self.epoch, way, query };
        wire.request(cx, node, purpose, Request::List { r: read, fan }, wait + REQUEST_MS)
    }

    /// Fetches listed boxes, each from a custodian that listed it while there is one.
    // spec: BC-17
    fn gets(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire) {
        if self.place.get_retry_at.is_some_and(|at| at > cx.now.mono) {
            return;
        }
        self.place.get_retry_at = None;
        while self.place.gets < MAX_GETS_PER_PLACE && wire.has_room() {
            let Some((first, listed_by, without)) = self.place.wanted() else { return };
            let denied = listed_by.iter().all(|n| without.contains(n) || wire.peers.avoided(n, cx.now.mono));
            let others = without.difference(&listed_by).count();
            if denied && (others >= self.r || self.placement.iter().all(|n| without.contains(n))) {
                for lister in self.place.drop_pending(&first) {
                    wire.peers.phantom(lister, cx.now.mono);
                }
                continue;
            }
            let listers: Vec<PeerKey> = listed_by.into_iter().collect();
            let node =
                wire.choose(cx, &listers, &without).or_else(|| wire.choose(cx, &self.placement, &without));
            let Some(node) = node else {
                self.place.get_retry_at = Some(cx.now.mono.plus(QUIET_MS));
                return;
            };
            let ids = self.place.take_wanted(&node, first);
            let read = self.place.reader.sign_read(wire.time(cx.now), ReadKind::Get { ids: ids.clone() });
            let purpose = Purpose::Get { watch: self.watch, epoch: self.epoch, ids: ids.clone() };
            if !wire.request(cx, node, purpose, Request::Get { r: read, fan: false }, REQUEST_MS) {
                self.place.not_got(&ids, None);
                self.place.get_retry_at = Some(cx.now.mono.plus(QUIET_MS));
                return;
            }
            self.place.gets += 1;
        }
    }

    /// Reads r custodians' signed parts: through a coordinator first, then those that are lacking one by one.
    // spec: BC-12
    fn careful(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire) {
        let trusting = murre_core::sabotage::active("trust-one-list");
        let need = if trusting { 1 } else { self.r };
        self.place.grown(need, wire.time(cx.now));
        let first = self.first();
        let room = self.place.has_room();
        loop {
            let Some(careful) = &mut self.place.careful else { return };
            if careful.retry_at.is_some_and(|at| at > cx.now.mono) {
                return;
            }
            careful.retry_at = None;
            // Who was caught since does not count.
            let counts = |n: &&PeerKey| careful.have.contains(*n) && !wire.peers.avoided(n, cx.now.mono);
            let have = self.placement.iter().filter(counts).count();
            if need > 0 && have >= need {
                let whole = first.iter().all(|n| careful.have.contains(n));
                let again = self.thin && !whole && !murre_core::sabotage::active("read-once");
                self.place.careful_done(need, again.then(|| cx.now.mono.plus(REPEAT_MS)));
                return;
            }
            let waits = careful.fanning || (careful.flying > 0 && have + careful.flying >= need);
            if waits || !wire.has_room() {
                return;
            }
            let coordinate =
                need > 1 && have == 0 && !careful.coordinated && careful.coordinators < MAX_COORDINATORS;
            let not: BTreeSet<PeerKey> = careful.asked.union(&careful.have).copied().collect();
            let choice = if room { wire.choose(cx, &first, &not) } else { None };
            // Silent custodians are replaced by the spare ranks.
            let choice = choice.or_else(|| if room { wire.choose(cx, &self.placement, &not) } else { None });
            let Some(node) = choice else {
                if careful.flying > 0 {
                    return;
                }
                careful.back_off(cx.now.mono, cx.rng);
                return;
            };
            careful.asked.insert(node);
            let way = if coordinate { ListWay::CarefulFan } else { ListWay::CarefulOne };
            careful.coordinators += usize::from(coordinate);
            if self.list(cx, wire, node, way)
                && let Some(careful) = &mut self.place.careful
            {
                careful.flying += 1;
                careful.fanning = coordinate;
                if coordinate {
                    // Its own part comes with the others; if not it is asked again alone.
                    careful.asked.remove(&node);
                }
            }
        }
    }

    /// Two random custodians each minute.
    fn routine(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire, open: bool) {
        if self.place.poll_at > cx.now.mono {
            return;
        }
        self.place.poll_at = cx.now.mono.plus(POLL_MS);
        if !open || !self.place.has_room() {
            return;
        }
        let mut nodes = self.first();
        nodes.retain(|n| self.place.long != Some(*n) && wire.usable(n, cx.now.mono));
        cx.rng.shuffle(&mut nodes);
        for node in nodes.into_iter().take(POLL_NODES) {
            self.list(cx, wire, node, ListWay::Routine);
        }
    }

    /// One list that waits.
    fn long_poll(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire, current: bool) {
        if self.place.long.is_some() || self.place.long_at > cx.now.mono || !wire.has_long_room() {
            return;
        }
        if !current || !self.place.has_room() {
            self.place.long_at = cx.now.mono.plus(POLL_MS);
            return;
        }
        let first = self.first();
        match wire.choose(cx, &first, &BTreeSet::new()) {
            Some(node) if self.list(cx, wire, node, ListWay::Long) => self.place.long = Some(node),
            _ => self.place.long_at = cx.now.mono.plus(QUIET_MS),
        }
    }

    /// Deletes what every device of the owner has read.
    fn tombstones(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire) {
        let waits = self.place.tombstone_at.is_some_and(|at| at > cx.now.mono);
        if self.place.tombstones.is_empty() || self.place.tombstone_flying || waits {
            return;
        }
        self.place.tombstone_at = None;
        let ids: Vec<BoxId> = self.place.tombstones.iter().take(MAX_IDS).copied().collect();
        let Some(tombstone) = self.place.reader.sign_tombstone(ids) else {
            // Without the owner key nothing can be deleted.
            self.place.tombstones.clear();
            return;
        };
        let first = self.first();
        self.place.tombstone_tries += 1;
        let purpose = Purpose::Tombstone { watch: self.watch, epoch: self.epoch };
        let body = Request::Tombstone { t: tombstone, fan: true };
        let sent = match wire.choose(cx, &first, &BTreeSet::new()) {
            Some(node) => wire.request(cx, node, purpose, body, REQUEST_MS),
            None => false,
        };
        self.place.tombstone_flying = sent;
        if !sent {
            self.place.tombstone_at = Some(cx.now.mono.plus(RETRY_MS << self.place.tombstone_tries.min(6)));
        }
    }
}

/// A request of this kind is no longer under way.
fn settle(place: &mut Place, way: ListWay, long_at: Mono) {
    match way {
        ListWay::Long => {
            place.long = None;
            place.long_at = long_at;
        }
        ListWay::Routine => {}
        ListWay::CarefulFan | ListWay::CarefulOne => {
            if let Some(careful) = &mut place.careful {
                careful.flying = careful.flying.saturating_sub(1);
                careful.fanning &= way != ListWay::CarefulFan;
            }
        }
    }
}

/// One custodian's part, if it is signed by a custodian of the placement and answers this very question.
// spec: BC-12
fn read_part(
    place: &mut Place,
    placement: &[PeerKey],
    query: &[u8; 32],
    part: ListPart,
) -> Option<(PeerKey, Listed)> {
    let body = part.verify().ok()?;
    if body.q.0 != *query || !placement.contains(&body.n) {
        return None;
    }
    let told = Cursor { inc: body.inc, seq: body.seq };
    Some((body.n, place.listed(body.n, told, &body.ids, body.more, placement)))
}

/// A box that was asked for, lies here, and is what a custodian must have checked.
fn verify_box(
    place: &Place,
    epoch: u64,
    asked: &[BoxId],
    bytes: &ByteBuf,
    params: &NetworkParams,
) -> Option<VerifiedBox> {
    let sealed = SealedBox::parse(bytes).ok()?.verify(params).ok()?;
    let here = sealed.locator() == place.reader.locator && sealed.epoch() == epoch;
    (here && asked.contains(&sealed.id())).then_some(sealed)
}
