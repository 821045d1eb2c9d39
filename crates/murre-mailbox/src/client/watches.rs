//! Watched mailboxes: which epochs of each are read, and when.
//!
//! | epoch | read how |
//! |---|---|
//! | current | one list waits at a custodian; two random ones each minute |
//! | previous, until its grace ends | two random ones each minute |
//! | each that can still hold live boxes | carefully at start, when its grace ends, and 48 h after that |
//! | each that was read carefully in a small network | once more when there was time for repair |
//! | each that is not closed out | carefully when we come back from silence |
//!
//! What is done in one place lies in `reads.rs`; this file only opens and forgets places.

use super::ClientCx;
use super::events::{WatchError, WatchKey};
use super::limits::{MAX_EPOCHS_BACK, MAX_TOMBSTONES, MAX_WATCHES, POLL_MS};
use super::place::{Careful, Place, dead};
use super::rows::{self, PlaceRow};
use super::wire::Wire;
use crate::keys::{MailboxAddress, ReaderKeys};
use murre_core::id::{BoxId, Locator};
use murre_core::time::MINUTE;
use murre_core::{Mono, NetworkParams, Turn, TurnError, View, Wall};
use std::collections::BTreeMap;

/// Between two looks at the calendar, ms: new epochs, close-outs, dead places.
const CALENDAR_MS: u64 = MINUTE;
/// Dead places forgotten in one turn.
const SWEEP: usize = 16;

/// One mailbox under watch.
pub struct Watch {
    keys: ReaderKeys,
    pub address: MailboxAddress,
    pub places: BTreeMap<u64, Place>,
    /// Whether the places of the past were opened.
    begun: bool,
}

/// Every watched mailbox.
pub struct Watches {
    pub all: BTreeMap<WatchKey, Watch>,
    /// Rows of places that are not watched at this moment.
    idle: BTreeMap<Locator, (u32, PlaceRow)>,
    next_number: u32,
    calendar_at: Option<Mono>,
    /// Something may be sent before any timer is due.
    pub stirred: bool,
    /// Served last, so that a full wire does not always serve the first.
    pub served: Option<WatchKey>,
}

impl Watches {
    /// Reads the rows.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails or a row is damaged.
    pub fn open(view: &dyn View) -> Result<Self, TurnError> {
        let rows = rows::places(view)?;
        let next_number = rows.last().map_or(0, |(n, _)| n.saturating_add(1));
        let idle = rows.into_iter().map(|(n, row)| (row.l, (n, row))).collect();
        Ok(Self { all: BTreeMap::new(), idle, next_number, calendar_at: None, stirred: false, served: None })
    }

    /// Begins to watch.
    ///
    /// # Errors
    /// [`WatchError`].
    pub fn watch(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &Wire,
        key: WatchKey,
        keys: ReaderKeys,
    ) -> Result<(), WatchError> {
        let address = keys.address();
        if self.all.get(&key).is_some_and(|w| w.address == address) {
            return Ok(());
        }
        if !self.all.contains_key(&key) && self.all.len() >= MAX_WATCHES {
            return Err(WatchError::TooMany);
        }
        if self.all.iter().any(|(k, w)| *k != key && w.address == address) {
            return Err(WatchError::Twice);
        }
        // The keys must make a place at all; the epoch does not matter.
        keys.at(0).map_err(|_| WatchError::Keys)?;
        self.unwatch(&key);
        self.all.insert(key, Watch { keys, address, places: BTreeMap::new(), begun: false });
        self.stirred = true;
        Ok(self.calendar_of(cx, wire, key)?)
    }

    /// Ends a watch. What was read of it is remembered until its epochs are dead.
    pub fn unwatch(&mut self, key: &WatchKey) {
        let Some(watch) = self.all.remove(key) else { return };
        for place in watch.places.into_values() {
            let locator = place.reader.locator;
            self.idle.insert(locator, place.into_row());
        }
    }

    /// Owes a careful read of every epoch of this mailbox that can hold live boxes.
    pub fn careful(&mut self, cx: &mut ClientCx<'_, '_>, wire: &Wire, key: &WatchKey) {
        let time = wire.time(cx.now);
        let Some(watch) = self.all.get_mut(key) else { return };
        for place in watch.places.values_mut() {
            if place.careful.as_ref().is_none_or(|c| c.retry_at.is_some()) {
                place.careful = Some(Careful::new(time));
            }
        }
        self.stirred = true;
    }

    /// We were away: every place that is not closed out is read carefully.
    pub fn returned(&mut self, cx: &mut ClientCx<'_, '_>, wire: &Wire) {
        let time = wire.time(cx.now);
        for place in self.all.values_mut().flat_map(|w| w.places.values_mut()) {
            if !place.closed() {
                place.careful.get_or_insert_default().restart(time);
            }
        }
        self.stirred = true;
    }

    /// The parent has stored these.
    pub fn taken(&mut self, tx: &mut Turn<'_>, key: &WatchKey, ids: &[BoxId]) {
        let Some(watch) = self.all.get_mut(key) else { return };
        for place in watch.places.values_mut() {
            let here: Vec<BoxId> = ids.iter().filter(|id| place.knows(id)).copied().collect();
            if !here.is_empty() {
                place.take(tx, &here);
            }
        }
        self.stirred = true;
    }

    /// The parent wants these again.
    pub fn release(&mut self, now: Mono, key: &WatchKey, ids: &[BoxId]) {
        let Some(watch) = self.all.get_mut(key) else { return };
        for place in watch.places.values_mut() {
            place.release(ids, now, now.plus(POLL_MS));
        }
    }

    /// These may be deleted at the custodians.
    pub fn tombstone(&mut self, key: &WatchKey, ids: &[BoxId]) {
        let Some(watch) = self.all.get_mut(key) else { return };
        for place in watch.places.values_mut() {
            for id in ids {
                if place.knows(id) && place.tombstones.len() < MAX_TOMBSTONES {
                    place.tombstones.insert(*id);
                }
            }
            place.tombstone_tries = 0;
            place.tombstone_at = None;
        }
        self.stirred = true;
    }

    /// A place of a watch.
    pub fn place(&mut self, key: &WatchKey, epoch: u64) -> Option<&mut Place> {
        self.all.get_mut(key)?.places.get_mut(&epoch)
    }

    /// Places whose careful read is owed.
    pub fn careful_owed(&self) -> usize {
        self.all.values().flat_map(|w| w.places.values()).filter(|p| p.careful.is_some()).count()
    }

    /// Looks at the calendar of every mailbox when it is time to.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn calendar(&mut self, cx: &mut ClientCx<'_, '_>, wire: &Wire) -> Result<(), TurnError> {
        if self.calendar_at.is_some_and(|at| at > cx.now.mono) || wire.network.is_none() {
            return Ok(());
        }
        self.calendar_at = Some(cx.now.mono.plus(CALENDAR_MS));
        let keys: Vec<WatchKey> = self.all.keys().copied().collect();
        for key in keys {
            self.calendar_of(cx, wire, key)?;
        }
        self.sweep(cx, wire)
    }

    /// There is somebody to ask again: look at once, and wait out no pause.
    pub fn hurry(&mut self) {
        self.calendar_at = None;
        self.stirred = true;
        for place in self.all.values_mut().flat_map(|w| w.places.values_mut()) {
            place.long_at = Mono(0);
            place.get_retry_at = None;
            if let Some(careful) = &mut place.careful {
                careful.retry_at = None;
                careful.backoff = 0;
            }
        }
    }

    fn calendar_of(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &Wire,
        key: WatchKey,
    ) -> Result<(), TurnError> {
        let Some(params) = wire.params().copied() else { return Ok(()) };
        let time = wire.time(cx.now);
        let Some(watch) = self.all.get_mut(&key) else { return Ok(()) };
        let current = watch.address.epoch_at(time, &params);
        // A machine that slept for weeks is in another epoch than before, and there are some in between.
        let last = watch.places.keys().next_back().copied().filter(|_| watch.begun);
        let since = last.map_or(0, |last| last.min(current.saturating_sub(1)));
        let oldest = since.max(oldest_live(watch, time, &params));
        for epoch in oldest..=current {
            if !watch.places.contains_key(&epoch) {
                let opened = open_place(cx, watch, &params, epoch, &mut self.idle, &mut self.next_number)?;
                if let Some(mut place) = opened {
                    // Written at once, so that its number is never given to another place.
                    place.save(cx.tx);
                    watch.places.insert(epoch, place);
                    self.stirred = true;
                }
            }
        }
        watch.begun = true;
        for place in watch.places.values_mut() {
            let due = place.close_at.is_some_and(|at| at <= time) && place.careful.is_none();
            let repeats = place.repeat_at.is_some_and(|at| at <= cx.now.mono) && place.careful.is_none();
            if place.poll_at == Mono(0) || due || repeats {
                // New to us: everything that lies there has to be found.
                place.poll_at = place.poll_at.max(cx.now.mono.plus(POLL_MS));
                let repeats = repeats && !due;
                place.careful = Some(Careful { repeats, ..Careful::new(time) });
                self.stirred = true;
            }
        }
        watch.places.retain(|_, place| {
            let alive = place.dead > time;
            if !alive {
                place.forget(cx.tx);
            }
            alive
        });
        Ok(())
    }

    /// Forgets dead places that nobody watches any more.
    fn sweep(&mut self, cx: &mut ClientCx<'_, '_>, wire: &Wire) -> Result<(), TurnError> {
        let time = wire.time(cx.now);
        let gone: Vec<Locator> =
            self.idle.iter().filter(|(_, (_, row))| row.x <= time).map(|(l, _)| *l).take(SWEEP).collect();
        for locator in gone {
            if let Some((number, _)) = self.idle.remove(&locator) {
                let chunks = rows::taken(cx.tx, number)?.len();
                rows::forget(cx.tx, number, u32::try_from(chunks).unwrap_or(u32::MAX));
            }
        }
        Ok(())
    }

    /// When the calendar is looked at next.
    pub fn calendar_due(&self, wire: &Wire) -> Option<Mono> {
        wire.network.as_ref()?;
        Some(self.calendar_at.unwrap_or_default())
    }
}

/// The oldest epoch that can still hold live boxes.
// spec: BC-13
fn oldest_live(watch: &Watch, time: Wall, params: &NetworkParams) -> u64 {
    let current = watch.address.epoch_at(time, params);
    let first = current.saturating_sub(MAX_EPOCHS_BACK);
    let alive = |e: &u64| dead(watch.address.epoch_span(*e, params).1, params) > time;
    (first..=current).find(alive).unwrap_or(current)
}

fn open_place(
    cx: &mut ClientCx<'_, '_>,
    watch: &Watch,
    params: &NetworkParams,
    epoch: u64,
    idle: &mut BTreeMap<Locator, (u32, PlaceRow)>,
    next_number: &mut u32,
) -> Result<Option<Place>, TurnError> {
    let Ok(reader) = watch.keys.at(epoch) else { return Ok(None) };
    let (number, row) = match idle.remove(&reader.locator) {
        Some((number, row)) => (number, Some(row)),
        None => {
            let number = *next_number;
            *next_number = number.saturating_add(1);
            (number, None)
        }
    };
    let end = watch.address.epoch_span(epoch, params).1;
    Place::open(cx.tx, reader, end, params, number, row).map(Some)
}
