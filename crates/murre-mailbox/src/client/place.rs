//! One watched mailbox in one epoch: what was listed, what was taken, how far each custodian was read.
//!
//! ```text
//!  listed by a custodian --> pending --Get, verified--> delivered to the parent --boxes_taken--> taken (durable)
//!                               | nobody has it
//!                               v
//!                            dropped, its listers remembered
//! ```
//! A cursor becomes durable only when nothing is pending: after a crash everything that the parent had not
//! stored is listed, fetched and delivered again.

use super::limits::{CLOSE_OUT_MS, MAX_PENDING, MAX_TAKEN, TAKEN_CHUNK};
use super::rows::{self, PlaceRow};
use crate::keys::EpochReader;
use crate::limits::{MAX_CURSORS, MAX_IDS, MAX_TTL_HOURS};
use crate::request::Cursor;
use murre_core::id::{BoxId, PeerKey};
use murre_core::params::delivery::{RETRY_MAX_MS, RETRY_MS};
use murre_core::time::HOUR;
use murre_core::{Mono, NetworkParams, Rng, Turn, TurnError, View, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// A box that was listed and is not yet taken.
#[derive(Debug, Default)]
struct Pending {
    listed_by: BTreeSet<PeerKey>,
    without: BTreeSet<PeerKey>,
    asked: bool,
    delivered: bool,
    /// It was delivered at some time, so those who listed it did not invent it.
    seen: bool,
    /// The parent wants it once more.
    released: bool,
}

/// A careful read that is owed or under way.
#[derive(Debug, Default)]
pub struct Careful {
    /// Custodians whose signed answer was read to its end.
    pub have: BTreeSet<PeerKey>,
    pub asked: BTreeSet<PeerKey>,
    pub flying: usize,
    /// A coordinator is asking others.
    pub fanning: bool,
    pub coordinators: usize,
    pub coordinated: bool,
    /// Network time when it began.
    pub since: Wall,
    pub retry_at: Option<Mono>,
    pub backoff: u64,
    /// It repeats one that was complete; it is not repeated itself.
    pub repeats: bool,
}

impl Careful {
    pub fn new(since: Wall) -> Self {
        Self { since, ..Self::default() }
    }

    /// Begins anew: what was answered before does not count. What flies still comes back.
    pub fn restart(&mut self, since: Wall) {
        *self = Self { since, flying: self.flying, fanning: self.fanning, ..Self::default() };
    }

    /// Too few answered: again later.
    pub fn back_off(&mut self, now: Mono, rng: &mut Rng) {
        self.backoff = if self.backoff == 0 { RETRY_MS } else { (self.backoff * 2).min(RETRY_MAX_MS) };
        self.retry_at = Some(now.plus(self.backoff + rng.below(self.backoff / 8 + 1)));
        self.asked.clear();
        self.coordinators = 0;
        self.coordinated = false;
    }
}

/// What one custodian's part of a list led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Read to its end.
    End,
    /// There is more to ask for.
    More,
    /// Too much is pending: this part was not read and must be asked for again.
    Later,
    /// It contradicts what this custodian said before, or itself.
    Lie,
}

/// A place.
#[derive(Debug)]
pub struct Place {
    pub number: u32,
    pub reader: EpochReader,
    /// End of the epoch.
    end: Wall,
    grace_ms: u64,
    /// From when nothing alive is in it.
    pub dead: Wall,
    cursors: BTreeMap<PeerKey, Cursor>,
    moved: bool,
    taken: BTreeSet<BoxId>,
    chunks: u32,
    last_chunk: Vec<BoxId>,
    pending: BTreeMap<BoxId, Pending>,
    pub gets: usize,
    pub get_retry_at: Option<Mono>,
    /// When released boxes are fetched again.
    pub again_at: Option<Mono>,
    pub careful: Option<Careful>,
    /// When the next careful read falls due by itself.
    pub close_at: Option<Wall>,
    /// When a careful read that found too little company is repeated.
    pub repeat_at: Option<Mono>,
    /// Of how many answers the last complete careful read was.
    met: usize,
    closed: bool,
    pub poll_at: Mono,
    pub long: Option<PeerKey>,
    pub long_at: Mono,
    pub tombstones: BTreeSet<BoxId>,
    pub tombstone_tries: u32,
    pub tombstone_flying: bool,
    pub tombstone_at: Option<Mono>,
}

impl Place {
    /// A place as the rows know it, or a new one.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn open(
        view: &dyn View,
        reader: EpochReader,
        end: Wall,
        params: &NetworkParams,
        number: u32,
        row: Option<PlaceRow>,
    ) -> Result<Self, TurnError> {
        let chunks = if row.is_some() { rows::taken(view, number)? } else { Vec::new() };
        let last_chunk = chunks.last().filter(|c| c.len() < TAKEN_CHUNK).cloned().unwrap_or_default();
        let full = chunks.iter().filter(|c| c.len() >= TAKEN_CHUNK).count();
        Ok(Self {
            number,
            reader,
            end,
            grace_ms: params.grace_ms,
            dead: dead(end, params),
            cursors: row.as_ref().map(|r| r.c.iter().copied().collect()).unwrap_or_default(),
            moved: row.is_none(),
            taken: chunks.iter().flatten().copied().collect(),
            chunks: u32::try_from(full).unwrap_or(u32::MAX),
            last_chunk,
            pending: BTreeMap::new(),
            gets: 0,
            get_retry_at: None,
            again_at: None,
            careful: None,
            close_at: None,
            repeat_at: None,
            met: 0,
            closed: row.is_some_and(|r| r.d),
            poll_at: Mono(0),
            long: None,
            long_at: Mono(0),
            tombstones: BTreeSet::new(),
            tombstone_tries: 0,
            tombstone_flying: false,
            tombstone_at: None,
        })
    }

    /// Whether its last careful read is done.
    pub const fn closed(&self) -> bool {
        self.closed
    }

    /// The row as it may be stored now.
    fn row(&self) -> PlaceRow {
        PlaceRow {
            l: self.reader.locator,
            x: self.dead,
            c: self.cursors.iter().map(|(n, c)| (*n, *c)).collect(),
            d: self.closed,
        }
    }

    /// Writes the row if cursors moved and nothing that they passed is still pending.
    // spec: BC-14
    pub fn save(&mut self, tx: &mut Turn<'_>) {
        if self.moved && self.pending.is_empty() {
            rows::put_place(tx, self.number, &self.row());
            self.moved = false;
        }
    }

    /// Forgets the rows.
    pub fn forget(&self, tx: &mut Turn<'_>) {
        rows::forget(tx, self.number, self.chunks.saturating_add(1));
    }

    /// What the rows will say of it once it is no longer watched.
    ///
    /// Cursors that passed a box which is still pending are not to be trusted by whoever watches it next.
    pub fn into_row(self) -> (u32, PlaceRow) {
        let row = self.row();
        let c = if self.pending.is_empty() { row.c } else { Vec::new() };
        (self.number, PlaceRow { c, ..row })
    }

    /// Cursors for a question to these custodians.
    pub fn cursors_of(&self, nodes: &[PeerKey]) -> Vec<(PeerKey, Cursor)> {
        let mut nodes = nodes.to_vec();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.iter().filter_map(|n| self.cursors.get(n).map(|c| (*n, *c))).take(MAX_CURSORS).collect()
    }

    /// Reads one custodian's part of a list.
    pub fn listed(
        &mut self,
        node: PeerKey,
        told: Cursor,
        ids: &[BoxId],
        more: bool,
        placement: &[PeerKey],
    ) -> Listed {
        if more && ids.is_empty() {
            return Listed::Lie;
        }
        let before = self.cursors.get(&node).copied();
        if before.is_some_and(|b| b.inc == told.inc && told.seq < b.seq) {
            return Listed::Lie;
        }
        let unknown = ids.iter().filter(|id| !self.taken.contains(*id) && !self.pending.contains_key(*id));
        let count = unknown.count();
        if count > 0 && self.pending.len() + count > MAX_PENDING {
            return Listed::Later;
        }
        if self.taken.len() + self.pending.len() + count > MAX_TAKEN {
            // More than any quota allows: what lies beyond is not mail.
            return Listed::End;
        }
        for id in ids.iter().filter(|id| !self.taken.contains(*id)) {
            self.pending.entry(*id).or_default().listed_by.insert(node);
        }
        if before != Some(told) {
            if self.cursors.len() >= MAX_CURSORS {
                self.cursors.retain(|n, _| placement.contains(n));
            }
            self.cursors.insert(node, told);
            self.moved = true;
        }
        if more { Listed::More } else { Listed::End }
    }

    /// Whether lists of this place may go on.
    pub fn has_room(&self) -> bool {
        self.pending.len() < MAX_PENDING
    }

    /// The first box that is wanted and not being fetched: who listed it and who has it not.
    pub fn wanted(&self) -> Option<(BoxId, BTreeSet<PeerKey>, BTreeSet<PeerKey>)> {
        let (id, p) = self.pending.iter().find(|(_, p)| !p.asked && !p.delivered)?;
        Some((*id, p.listed_by.clone(), p.without.clone()))
    }

    /// Takes up to one request's worth of boxes to ask this custodian for.
    pub fn take_wanted(&mut self, node: &PeerKey, first: BoxId) -> Vec<BoxId> {
        let mut ids = Vec::new();
        for (id, p) in &mut self.pending {
            let orphan = p.listed_by.is_subset(&p.without);
            let other = (orphan || p.listed_by.contains(node)) && !p.without.contains(node);
            let fits = *id == first || other;
            if ids.len() < MAX_IDS && fits && !p.asked && !p.delivered {
                p.asked = true;
                ids.push(*id);
            }
        }
        ids
    }

    /// A get came back, or did not. `without` says that the custodian has none of them.
    pub fn not_got(&mut self, ids: &[BoxId], without: Option<PeerKey>) {
        for id in ids {
            if let Some(p) = self.pending.get_mut(id).filter(|p| !p.delivered) {
                p.asked = false;
                p.without.extend(without);
            }
        }
    }

    /// A verified box came. False if nobody asked for it or it was delivered before.
    pub fn deliver(&mut self, id: &BoxId) -> bool {
        match self.pending.get_mut(id) {
            Some(p) if !p.delivered => {
                p.delivered = true;
                p.seen = true;
                true
            }
            _ => false,
        }
    }

    /// Gives up a box that nobody has; tells who invented it. One that was delivered before has only expired.
    pub fn drop_pending(&mut self, id: &BoxId) -> BTreeSet<PeerKey> {
        self.pending.remove(id).filter(|p| !p.seen).map(|p| p.listed_by).unwrap_or_default()
    }

    /// The parent has not taken these and wants them again, at the next poll or at `latest`.
    pub fn release(&mut self, ids: &[BoxId], now: Mono, latest: Mono) {
        for id in ids {
            if let Some(p) = self.pending.get_mut(id).filter(|p| p.delivered) {
                p.released = true;
                let poll = if self.poll_at > now { self.poll_at.min(latest) } else { latest };
                self.again_at.get_or_insert(poll);
            }
        }
    }

    /// Released boxes are wanted again, when it is time.
    // spec: BC-19
    pub fn want_again(&mut self, now: Mono) {
        if self.again_at.is_none_or(|at| at > now) {
            return;
        }
        self.again_at = None;
        for p in self.pending.values_mut().filter(|p| p.released) {
            p.released = false;
            p.delivered = false;
            p.asked = false;
            p.without.clear();
        }
    }

    /// Remembers for good that the parent has these.
    // spec: BC-14
    pub fn take(&mut self, tx: &mut Turn<'_>, ids: &[BoxId]) {
        let mut changed = false;
        for id in ids {
            self.pending.remove(id);
            if self.taken.len() >= MAX_TAKEN || !self.taken.insert(*id) {
                continue;
            }
            self.last_chunk.push(*id);
            changed = true;
            if self.last_chunk.len() >= TAKEN_CHUNK {
                rows::put_taken(tx, self.number, self.chunks, &self.last_chunk);
                self.chunks = self.chunks.saturating_add(1);
                self.last_chunk.clear();
                changed = false;
            }
        }
        if changed {
            rows::put_taken(tx, self.number, self.chunks, &self.last_chunk);
        }
        self.save(tx);
    }

    /// Whether this box is known here.
    pub fn knows(&self, id: &BoxId) -> bool {
        self.taken.contains(id) || self.pending.contains_key(id)
    }

    /// Boxes listed and not yet taken.
    #[cfg(test)]
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// A careful read takes so many answers now. One that was complete with fewer was of another network: of the few
    /// nodes that a device knows when it has been away for long.
    // spec: BC-27
    pub fn grown(&mut self, need: usize, time: Wall) {
        if self.careful.is_none() && self.met > 0 && self.met < need {
            self.met = need;
            self.careful = Some(Careful::new(time));
        }
    }

    /// A careful read is complete: when is the next one due. `repeat` is when it has to be repeated, if it may have met
    /// nobody but a liar.
    // spec: BC-16, BC-26
    pub fn careful_done(&mut self, met: usize, repeat: Option<Mono>) {
        let Some(careful) = self.careful.take() else { return };
        self.met = met;
        let since = careful.since;
        self.repeat_at = repeat.filter(|_| !careful.repeats);
        let first = self.end.plus(self.grace_ms);
        let moments = [first, first.plus(CLOSE_OUT_MS)];
        self.close_at = moments.into_iter().find(|m| since < *m);
        let closed = self.close_at.is_none();
        self.moved |= closed != self.closed;
        self.closed = closed;
    }
}

/// From when nothing alive can be in a place whose epoch ends at `end`.
pub fn dead(end: Wall, params: &NetworkParams) -> Wall {
    end.plus(params.grace_ms).plus(params.skew_ms).plus(u64::from(MAX_TTL_HOURS + 1) * HOUR)
}
