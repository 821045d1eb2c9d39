//! Pulls what is missing here from neighbours in the ring.
//!
//! ```text
//!  round   every 10 min, and 2 s after the directory changed
//!    epoch   oldest that can have live boxes .. newest that takes objects
//!      neighbour   next before, next after, a random third          in parallel
//!        page   ids placed on us, by (expiry hour, id)  -->  what we lack  -->  fetch, at most 64 at once
//! ```
//!
//! Positions change with each epoch, so each epoch has its own neighbours. A round holds at most three pages of ids
//! in memory, whatever there is to repair.
//!
//! Not here: whether a thing may be stored. What is fetched passes the same door as what a writer brings.

use crate::boxes::Env;
use crate::calls::Caller;
use crate::limits::{REPAIR_EVERY_MS, REPAIR_NEIGHBOURS, REPAIR_SOON_MS};
use crate::route::Up;
use crate::rows::IDS;
use murre_core::id::{BoxId, PeerKey};
use murre_core::{Cx, Mono, NetworkParams, Rng, TurnError, View, Wall, sabotage};
use murre_mailbox::limits::{MAX_IDS, MAX_LIST_IDS, MAX_TTL_HOURS, OBJECT_EPOCHS_AHEAD};
use murre_mailbox::placement::position;
use murre_mailbox::request::sign_repair;
use murre_mailbox::{Directory, RepairKind, Reply, Request};
use std::collections::{BTreeMap, VecDeque};

/// Most epochs of one round, for networks with very short ones.
const MAX_EPOCHS: u64 = 64;
/// Fetches in a row that may bring nothing before a page's rest is given up.
const IDLE_FETCHES: u32 = 2;

/// One neighbour in one epoch.
#[derive(Debug)]
struct Session {
    /// Last id seen.
    after: Option<(u32, BoxId)>,
    /// The neighbour has more ids.
    more: bool,
    /// Ids to fetch.
    lack: VecDeque<BoxId>,
    /// Ids under way.
    asked: Vec<BoxId>,
    idle: u32,
}

/// The state of a round.
#[derive(Debug)]
pub struct Repair {
    /// When the next round begins.
    next_at: Option<Mono>,
    /// Epochs of this round still to do.
    epochs: VecDeque<u64>,
    epoch: u64,
    sessions: BTreeMap<PeerKey, Session>,
    /// Fetched in this run, for people.
    fetched: u64,
}

impl Default for Repair {
    /// A round is due at once: whoever starts may have been away.
    fn default() -> Self {
        Self {
            next_at: Some(Mono(0)),
            epochs: VecDeque::new(),
            epoch: 0,
            sessions: BTreeMap::new(),
            fetched: 0,
        }
    }
}

impl Repair {
    /// The directory changed: rings have moved.
    // spec: K-29
    pub fn soon(&mut self, now: Mono) {
        let at = now.plus(REPAIR_SOON_MS);
        self.next_at = Some(self.next_at.map_or(at, |next| next.min(at)));
    }

    /// When a round is due.
    #[must_use]
    pub const fn next_timeout(&self) -> Option<Mono> {
        self.next_at
    }

    /// Things fetched in this run.
    #[must_use]
    pub const fn fetched(&self) -> u64 {
        self.fetched
    }

    /// Begins a round if one is due and none is under way. A round that `may` not be is left out.
    pub fn timeout(&mut self, cx: &mut Cx<'_, '_, Up>, env: &Env<'_>, may: bool) {
        if self.next_at.is_none_or(|at| at > cx.now.mono) {
            return;
        }
        if !self.sessions.is_empty() {
            self.next_at = Some(cx.now.mono.plus(REPAIR_SOON_MS));
            return;
        }
        // Spread over a tenth of the pause, so that nodes started together do not ask together for ever.
        let pause = REPAIR_EVERY_MS.saturating_add(cx.rng.below(REPAIR_EVERY_MS / 10));
        self.next_at = Some(cx.now.mono.plus(pause));
        if !may || sabotage::active("no-repair") {
            return;
        }
        self.epochs = epochs(cx.now.wall, env.params);
        self.next_epoch(cx, env);
    }

    /// A neighbour answered, or will not (`None`).
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn answered(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        env: &Env<'_>,
        from: PeerKey,
        reply: Option<Reply>,
    ) -> Result<(), TurnError> {
        let Some(session) = self.sessions.get_mut(&from) else { return Ok(()) };
        match reply {
            Some(Reply::RepairIds { ids, more }) => {
                // Ids must go on after the last one, or a neighbour could keep us for ever.
                let goes_on = ids.iter().all(|id| session.after.is_none_or(|after| *id > after));
                session.more = more && goes_on && !ids.is_empty();
                for (hour, id) in ids {
                    session.after = session.after.max(Some((hour, id)));
                    if cx.tx.get(IDS, id.as_bytes())?.is_none() {
                        session.lack.push_back(id);
                    }
                }
            }
            Some(Reply::RepairItems { items }) => {
                session.idle = if items.is_empty() { session.idle.saturating_add(1) } else { 0 };
                self.fetched = self.fetched.saturating_add(items.len() as u64);
                if !items.is_empty() {
                    cx.up(Up::Repaired { from, items });
                    // What did not fit in this answer is asked for again once these are stored.
                    return Ok(());
                }
                session.asked.clear();
            }
            Some(_) | None => {
                self.sessions.remove(&from);
            }
        }
        self.go_on(cx, env, from)
    }

    /// What a neighbour handed over was looked at.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn stored(&mut self, cx: &mut Cx<'_, '_, Up>, env: &Env<'_>, from: PeerKey) -> Result<(), TurnError> {
        if let Some(session) = self.sessions.get_mut(&from) {
            session.asked.clear();
        }
        self.go_on(cx, env, from)
    }

    /// Asks a neighbour for the next thing, or ends with it.
    fn go_on(&mut self, cx: &mut Cx<'_, '_, Up>, env: &Env<'_>, peer: PeerKey) -> Result<(), TurnError> {
        if let Some(session) = self.sessions.get_mut(&peer) {
            if session.idle > IDLE_FETCHES {
                session.lack.clear();
            }
            while let Some(id) = session.lack.pop_front() {
                // Another neighbour may have brought it meanwhile.
                if cx.tx.get(IDS, id.as_bytes())?.is_none() {
                    session.asked.push(id);
                }
                if session.asked.len() >= MAX_IDS {
                    break;
                }
            }
            let kind = if !session.asked.is_empty() {
                Some(RepairKind::Fetch { ids: session.asked.clone() })
            } else if session.more {
                Some(RepairKind::Ids { after: session.after, limit: MAX_LIST_IDS as u16 })
            } else {
                None
            };
            match kind {
                Some(kind) => ask(cx, env, peer, self.epoch, kind),
                None => {
                    self.sessions.remove(&peer);
                }
            }
        }
        if self.sessions.is_empty() {
            self.next_epoch(cx, env);
        }
        Ok(())
    }

    fn next_epoch(&mut self, cx: &mut Cx<'_, '_, Up>, env: &Env<'_>) {
        while let Some(epoch) = self.epochs.pop_front() {
            let neighbours = neighbours(cx, env, epoch);
            if neighbours.is_empty() {
                continue;
            }
            self.epoch = epoch;
            for peer in neighbours {
                let session =
                    Session { after: None, more: true, lack: VecDeque::new(), asked: Vec::new(), idle: 0 };
                self.sessions.insert(peer, session);
                ask(cx, env, peer, epoch, RepairKind::Ids { after: None, limit: MAX_LIST_IDS as u16 });
            }
            return;
        }
    }
}

fn ask(cx: &mut Cx<'_, '_, Up>, env: &Env<'_>, peer: PeerKey, epoch: u64, kind: RepairKind) {
    let Some(to) = env.directory.peer_ref(&peer) else { return };
    let r = sign_repair(env.key, peer, epoch, cx.now.wall, kind);
    cx.up(Up::Ask { caller: Caller::Repair, to, request: Request::Repair { r }, patience: 0 });
}

/// Every epoch in which something can live, the present one first.
fn epochs(now: Wall, p: &NetworkParams) -> VecDeque<u64> {
    let life = u64::from(MAX_TTL_HOURS).saturating_mul(murre_core::time::HOUR);
    let back = life.saturating_add(p.grace_ms).saturating_add(p.skew_ms);
    let length = p.epoch_ms.max(1);
    let present = now.0 / length;
    let first = present.saturating_sub(back / length + 1).max(present.saturating_sub(MAX_EPOCHS / 2));
    // An epoch's number can be one ahead of the nominal one: the mailbox's offset.
    let last = present.saturating_add(OBJECT_EPOCHS_AHEAD + 1);
    let mut all: VecDeque<u64> = (first..=last).collect();
    all.make_contiguous().sort_by_key(|e| e.abs_diff(present));
    all
}

/// The next node before and after this one in the ring of an epoch, and a random third.
fn neighbours(cx: &mut Cx<'_, '_, Up>, env: &Env<'_>, epoch: u64) -> Vec<PeerKey> {
    let ring = ring(env.directory, epoch, cx.now.wall);
    near(&ring, &env.me, env.directory.quorum(cx.now.wall).k, cx.rng)
}

/// The nodes that count, in the order in which they stand in an epoch.
#[must_use]
pub fn ring(directory: &Directory, epoch: u64, now: Wall) -> Vec<PeerKey> {
    let eligible = directory.eligible(now).into_iter();
    let mut ring: Vec<([u8; 32], PeerKey)> = eligible
        .filter_map(|key| directory.get(&key).map(|d| (position(&d.join, &key, epoch), key)))
        .collect();
    ring.sort_unstable();
    ring.into_iter().map(|(_, key)| key).collect()
}

/// Whom `me` repairs from in one round: its two neighbours in the ring, and a random one near by.
// spec: K-29
#[must_use]
pub fn near(ring: &[PeerKey], me: &PeerKey, k: usize, rng: &mut Rng) -> Vec<PeerKey> {
    let Some(own) = ring.iter().position(|key| key == me) else { return Vec::new() };
    let (before, after) = ring.split_at_checked(own).unwrap_or((ring, &[]));
    let mut others: VecDeque<PeerKey> = after.iter().skip(1).chain(before).copied().collect();
    let mut chosen: Vec<PeerKey> = others.pop_front().into_iter().chain(others.pop_back()).collect();
    // The third shares a ring with us only if it is near: as many on each side as a placement is long.
    let reach = k.saturating_mul(2).min(others.len());
    while chosen.len() < REPAIR_NEIGHBOURS && !others.is_empty() {
        let pick = rng.below(reach as u64) as usize;
        let from_back = pick % 2 == 1;
        let i = pick / 2;
        let i = if from_back { others.len().saturating_sub(1).saturating_sub(i) } else { i };
        chosen.extend(others.remove(i));
    }
    chosen
}
