//! What the tests share: a store of ordered bytes, devices, and histories.

use murre_core::id::{AuthorId, EntryId, LogId, StateId};
use murre_core::store::Rows;
use murre_core::{Batch, Direction, Op, Range, Rng, Space, Turn, View, ViewError};
use murre_crypto::{AuthorKey, Secret};
use murre_log::{Accept, Entry, Header, Link, LogNo, Logs, Position, VerifiedEntry};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// Rows in memory, counting reads.
#[derive(Default, Clone)]
pub struct Map {
    pub rows: BTreeMap<(Space, Vec<u8>), Vec<u8>>,
    pub reads: Cell<usize>,
}

impl Map {
    pub fn apply(&mut self, batch: Batch) {
        for op in batch.ops {
            match op {
                Op::Put { space, key, value } => {
                    self.rows.insert((space, key), value);
                }
                Op::Delete { space, key } | Op::Erase { space, key } => {
                    self.rows.remove(&(space, key));
                }
                Op::Index { .. } | Op::Unindex { .. } | Op::WriteBlob { .. } | Op::DropBlob { .. } => {
                    panic!("the log indexes nothing")
                }
            }
        }
    }
}

impl View for Map {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.reads.set(self.reads.get() + 1);
        Ok(self.rows.get(&(space, key.to_vec())).cloned())
    }
    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        let all = self.rows.range((space, Vec::new())..=(space, vec![0xff; 257]));
        let rows = all.filter(|((_, k), _)| range.contains(k)).map(|((_, k), v)| (k.clone(), v.clone()));
        let rows: Rows = match dir {
            Direction::Forward => rows.take(limit).collect(),
            Direction::Backward => rows.rev().take(limit).collect(),
        };
        self.reads.set(self.reads.get() + rows.len());
        Ok(rows)
    }
}

pub const LOG: LogId = LogId::from_bytes([0x10; 32]);
pub const STATE: StateId = StateId::from_bytes([0x20; 32]);

pub fn rng(seed: u8) -> Rng {
    Rng::from_seed([seed; 32])
}

pub fn key(n: u8) -> AuthorKey {
    AuthorKey::derive(&Secret::new([n; 32]), LOG)
}

/// One device: rows and the machine over them.
pub struct Device {
    pub store: Map,
    pub logs: Logs,
    pub log: LogNo,
}

impl Device {
    pub fn new() -> Self {
        let mut store = Map::default();
        let mut logs = Logs::open();
        let mut tx = Turn::new(&store);
        // Other logs first, so that numbers differ from zero.
        logs.create(&mut tx, LogId::from_bytes([0xee; 32])).unwrap();
        let log = logs.create(&mut tx, LOG).unwrap();
        let batch = tx.into_batch();
        store.apply(batch);
        Self { store, logs, log }
    }

    /// One turn, stored.
    pub fn turn<R>(&mut self, f: impl FnOnce(&mut Logs, &mut Turn<'_>, LogNo) -> R) -> R {
        let mut tx = Turn::new(&self.store);
        let out = f(&mut self.logs, &mut tx, self.log);
        let batch = tx.into_batch();
        self.store.apply(batch);
        out
    }

    /// Drops what is in memory.
    pub fn restart(&mut self) {
        self.logs = Logs::open();
    }

    pub fn accept(&mut self, entry: &VerifiedEntry) -> Accept {
        self.turn(|logs, tx, log| logs.accept(tx, log, entry.clone())).unwrap()
    }

    /// Writes one entry; `None` once the author is frozen.
    pub fn write(&mut self, key: &AuthorKey, text: &[u8]) -> Option<VerifiedEntry> {
        self.turn(|logs, tx, log| {
            let header = logs.draft(tx, log, key.id(), STATE, [0x33; 32]).ok()?;
            let entry = VerifiedEntry::sign(&header, key, text.to_vec()).unwrap();
            let again = Entry::parse(&entry.wire()).unwrap().verify().unwrap();
            assert_eq!(again, entry, "what is drafted and signed here verifies elsewhere");
            let position = logs.append(tx, log, entry.clone()).unwrap();
            assert_eq!(position.id, entry.id());
            Some(entry)
        })
    }

    /// All that can be seen of the log, in a form that two devices can compare.
    pub fn seen(&self) -> Seen {
        let (logs, view, log) = (&self.logs, &self.store, self.log);
        let heads = logs.heads(view, log).unwrap();
        let frozen: Vec<_> = logs.frozen(view, log).unwrap().iter().map(|f| (f.by, f.seq)).collect();
        let proofs = frozen
            .iter()
            .map(|(by, _)| {
                logs.fork_proof(view, log, *by).unwrap().expect("a frozen author has a proof").encode()
            })
            .collect();
        Seen { order: self.order(), heads, frontier: logs.frontier(view, log).unwrap(), frozen, proofs }
    }

    /// Every entry in the order of the log.
    pub fn order(&self) -> Vec<EntryId> {
        self.positions().iter().map(|p| p.id).collect()
    }

    pub fn positions(&self) -> Vec<Position> {
        let (logs, view, log) = (&self.logs, &self.store, self.log);
        let mut out = Vec::new();
        for (by, last) in logs.frontier(view, log).unwrap() {
            for seq in 0..=last {
                let entry = logs.entry(view, log, by, seq).unwrap().expect("contiguous");
                out.push(logs.position(view, log, &entry.link()).unwrap().unwrap());
                for link in logs.forks(view, log, by, seq).unwrap() {
                    assert!(logs.entry_at(view, log, &link).unwrap().is_some());
                    out.push(logs.position(view, log, &link).unwrap().unwrap());
                }
            }
        }
        out.sort();
        out
    }

    pub fn missing(&self) -> Vec<Link> {
        self.logs.missing(&self.store, self.log, usize::MAX).unwrap()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub order: Vec<EntryId>,
    pub heads: Vec<Link>,
    pub frontier: Vec<(AuthorId, u32)>,
    pub frozen: Vec<(AuthorId, u32)>,
    pub proofs: Vec<Vec<u8>>,
}

/// What everybody must see, computed from headers alone: no rows, no machine.
pub fn model(
    entries: &[VerifiedEntry],
) -> (Vec<EntryId>, Vec<Link>, Vec<(AuthorId, u32)>, Vec<(AuthorId, u32)>) {
    let mut order: Vec<_> =
        entries.iter().map(|e| (e.header().time, e.header().by, e.header().seq, e.id())).collect();
    order.sort();
    let named: BTreeSet<Link> = entries.iter().flat_map(|e| e.header().parents().copied()).collect();
    let heads: BTreeSet<Link> =
        entries.iter().map(VerifiedEntry::link).filter(|l| !named.contains(l)).collect();
    let mut frontier = BTreeMap::new();
    let mut frozen = BTreeMap::new();
    let mut slots = BTreeSet::new();
    for entry in entries {
        let Header { by, seq, .. } = *entry.header();
        let last = frontier.entry(by).or_insert(seq);
        *last = seq.max(*last);
        if !slots.insert((by, seq)) {
            let first = frozen.entry(by).or_insert(seq);
            *first = seq.min(*first);
        }
    }
    (
        order.into_iter().map(|o| o.3).collect(),
        heads.into_iter().collect(),
        frontier.into_iter().collect(),
        frozen.into_iter().collect(),
    )
}

/// A history of several writers who hear of each other late, out of order, or never.
///
/// `clones` writers share their key with another one, as after a copied disk.
pub fn history(seed: u64, writers: u8, clones: u8, steps: usize) -> Vec<VerifiedEntry> {
    let mut rng = Rng::from_seed(std::array::from_fn(|i| (seed >> (8 * (i % 8))) as u8));
    let keys: Vec<_> = (0..writers).map(|i| key(1 + i % (writers - clones))).collect();
    let mut devices: Vec<_> = keys.iter().map(|_| Device::new()).collect();
    let mut all: Vec<VerifiedEntry> = Vec::new();
    for step in 0..steps {
        let who = rng.below(u64::from(writers)) as usize;
        // Hear of some of what there is, in any order.
        let mut heard: Vec<usize> = (0..all.len()).collect();
        rng.shuffle(&mut heard);
        heard.truncate(rng.below(all.len() as u64 / 2 + 2) as usize);
        for i in heard {
            devices[who].accept(&all[i]);
        }
        if let Some(entry) = devices[who].write(&keys[who], format!("{seed} {step} {who}").as_bytes()) {
            all.push(entry);
        }
    }
    all
}

/// A header by hand, over nothing.
pub fn root(key: &AuthorKey) -> Header {
    Header {
        v: 1,
        log: LOG,
        by: key.id(),
        seq: 0,
        prev: None,
        next: vec![],
        skip: None,
        time: 1,
        state: STATE,
        c: [0; 32],
        bh: [0; 32],
        bl: 0,
    }
}

/// A header that continues an entry of the same author.
pub fn after(entry: &VerifiedEntry) -> Header {
    let seq = entry.header().seq + 1;
    Header {
        seq,
        prev: Some(entry.link()),
        next: vec![],
        time: entry.header().time + 1,
        ..entry.header().clone()
    }
}

pub fn sign(header: &Header, key: &AuthorKey, body: &[u8]) -> VerifiedEntry {
    VerifiedEntry::sign(header, key, body.to_vec()).unwrap()
}
