//! Nodes with true descriptors in a true directory.

use crate::dice::Dice;
use murre_core::id::{Locator, PeerKey};
use murre_core::params::{PuzzlePrice, Quorum};
use murre_core::time::HOUR;
use murre_core::{Addr, Mono, NetworkParams, Now, Turn, Wall};
use murre_crypto::puzzle::Solution;
use murre_crypto::{NodeKey, Secret};
use murre_custodian::repair;
use murre_mailbox::network::sign_descriptor;
use murre_mailbox::{Descriptor, DescriptorBody, Directory, NetworkFile, join_puzzle};
use murre_store::{MemoryStore, Store};
use std::collections::{BTreeMap, BTreeSet};

/// A node issues its descriptor again after this.
const ISSUE_MS: u64 = 6 * HOUR;
/// Address ranges /16 from which nodes come; a thousand nodes crowd some of them.
const RANGES: u64 = 400;

/// One node.
struct Node {
    key: NodeKey,
    join: Solution,
    addr: Addr,
    issued: u64,
    up: bool,
}

/// All nodes, what everybody knows of them, and the time.
pub struct Town {
    /// Chance.
    pub dice: Dice,
    /// The list that a node with the newest news has.
    pub directory: Directory,
    /// Network time.
    pub now: Wall,
    file: NetworkFile,
    store: MemoryStore,
    nodes: BTreeMap<PeerKey, Node>,
}

impl Town {
    /// As many nodes, all old enough to count.
    pub fn new(mut dice: Dice, nodes: usize) -> Self {
        let join = PuzzlePrice { mem: 8, tries: 2 };
        let params = NetworkParams { join, ..NetworkParams::production() };
        let file = NetworkFile::new("a town", params);
        let store = MemoryStore::new();
        let now = Wall(1_760_000_000_000 + dice.range(0, 400 * 24) * HOUR);
        let directory = Directory::open(&store, file.clone()).expect("an empty store opens");
        let mut town = Self { dice, directory, now, file, store, nodes: BTreeMap::new() };
        for _ in 0..nodes {
            town.arrive();
        }
        town.issue();
        town.pass(params.node_age_ms + HOUR);
        town
    }

    /// A new node comes.
    pub fn arrive(&mut self) {
        let key = NodeKey::from_secret(&Secret::new(self.dice.bytes()));
        let join = join_puzzle(&self.file, &key.id()).solve(0, 1 << 12).expect("a cheap puzzle");
        let wide = self.dice.range(0, RANGES - 1);
        let (a, b) = (20 + wide / 200, 1 + wide % 200);
        let (c, d) = (self.dice.range(0, 255), self.dice.range(1, 254));
        let addr = Addr(format!("/ip4/{a}.{b}.{c}.{d}/tcp/4001"));
        self.nodes.insert(key.id(), Node { key, join, addr, issued: 0, up: true });
    }

    /// Time passes, an hour or less at a step; who is up goes on issuing descriptors.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now.plus(ms);
        while self.now < until {
            self.now = Wall((self.now.0 + HOUR).min(until.0));
            self.issue();
        }
    }

    /// Who is up and has not issued its descriptor for a while does it now, and everybody hears of it.
    pub fn issue(&mut self) {
        let now = Now { mono: Mono(0), wall: self.now };
        let mut tx = Turn::new(&self.store);
        for (id, node) in self.nodes.iter_mut().filter(|(_, n)| n.up) {
            if node.issued + ISSUE_MS > self.now.0 {
                continue;
            }
            node.issued = self.now.0;
            let addrs = vec![node.addr.clone()];
            let body = DescriptorBody::new(self.file.id(), *id, addrs, self.now, node.join);
            let taken = self.directory.insert(&mut tx, now, sign_descriptor(&node.key, &body));
            assert!(taken.is_ok(), "a memory store does not fail");
        }
        let batch = tx.into_batch();
        let done = self.store.begin().and_then(|()| self.store.apply(&batch));
        assert!(done.and_then(|()| self.store.commit()).is_ok(), "a memory store does not fail");
    }

    /// Some of those that are up, chosen at random.
    pub fn choose(&mut self, count: usize) -> Vec<PeerKey> {
        let mut up: Vec<PeerKey> = self.nodes.iter().filter(|(_, n)| n.up).map(|(k, _)| *k).collect();
        self.dice.rng().shuffle(&mut up);
        up.truncate(count);
        up
    }

    /// These go, or come back; who comes back says so at once.
    pub fn turn(&mut self, who: &[PeerKey], up: bool) {
        for key in who {
            if let Some(node) = self.nodes.get_mut(key) {
                node.up = up;
                node.issued = 0;
            }
        }
        if up {
            self.issue();
        }
    }

    /// Whether this node is up.
    pub fn is_up(&self, key: &PeerKey) -> bool {
        self.nodes.get(key).is_some_and(|n| n.up)
    }

    /// How many nodes are up.
    pub fn up(&self) -> usize {
        self.nodes.values().filter(|n| n.up).count()
    }

    /// The epoch of the hour.
    pub fn epoch(&self) -> u64 {
        self.now.0 / self.file.params.epoch_ms
    }

    /// A locator that nobody chose.
    pub fn locator(&mut self) -> Locator {
        Locator::from_bytes(self.dice.bytes())
    }

    /// k, w and r of the hour.
    pub fn quorum(&self) -> Quorum {
        self.directory.quorum(self.now)
    }

    /// Ranks of a locator: k and the spare ones.
    pub fn ranks(&self, locator: &Locator, epoch: u64) -> Vec<PeerKey> {
        self.directory.placement(locator, epoch, self.now)
    }

    /// The list of somebody who missed a part: so many per cent of the nodes that are known are not in it, and as
    /// many that are gone for good still are.
    pub fn stale_list(&mut self, percent: u64) -> Directory {
        let mut store = MemoryStore::new();
        let mut list = Directory::open(&store, self.file.clone()).expect("an empty store opens");
        let known: Vec<Descriptor> =
            self.nodes.keys().filter_map(|k| self.directory.get(k)).map(|d| d.signed().clone()).collect();
        let gone = known.len() as u64 * percent / 100;
        // First seen long enough ago to count: the reader had them before.
        let age = self.file.params.node_age_ms + HOUR;
        let then = Now { mono: Mono(0), wall: Wall(self.now.0 - age) };
        let now = Now { mono: Mono(0), wall: self.now };
        let mut tx = Turn::new(&store);
        for d in known {
            if self.dice.range(0, 99) >= percent {
                let _ = list.insert(&mut tx, now, d);
            }
        }
        for _ in 0..gone {
            let key = NodeKey::from_secret(&Secret::new(self.dice.bytes()));
            let join = join_puzzle(&self.file, &key.id()).solve(0, 1 << 12).expect("a cheap puzzle");
            let wide = self.dice.range(0, RANGES - 1);
            let addr = Addr(format!("/ip4/{}.{}.{}.9/tcp/4001", 20 + wide / 200, 1 + wide % 200, wide % 256));
            let body = DescriptorBody::new(self.file.id(), key.id(), vec![addr], self.now, join);
            let _ = list.insert(&mut tx, now, sign_descriptor(&key, &body));
        }
        let batch = aged(tx.into_batch(), then.wall);
        let done = store.begin().and_then(|()| store.apply(&batch)).and_then(|()| store.commit());
        assert!(done.is_ok(), "a memory store does not fail");
        Directory::open(&store, self.file.clone()).expect("just written")
    }

    /// One round of repair of one epoch for these boxes: who is placed and lacks one takes it from a neighbour that has
    /// it. Everybody sees what was there when the round began. Says whether anything moved.
    pub fn repair<'a>(&mut self, epoch: u64, boxes: impl Iterator<Item = &'a mut Kept>) -> bool {
        let ring = repair::ring(&self.directory, epoch, self.now);
        let k = self.quorum().k;
        let mut near: BTreeMap<PeerKey, Vec<PeerKey>> = BTreeMap::new();
        let mut moved = false;
        for b in boxes {
            let ranks = self.ranks(&b.locator, epoch);
            let mut gained = Vec::new();
            for me in ranks.iter().take(k).filter(|me| !b.holders.contains(*me)) {
                if !self.is_up(me) {
                    continue;
                }
                let asked = near.entry(*me).or_insert_with(|| repair::near(&ring, me, k, self.dice.rng()));
                if asked.iter().any(|n| b.holders.contains(n) && self.nodes.get(n).is_some_and(|n| n.up)) {
                    gained.push(*me);
                }
            }
            moved |= !gained.is_empty();
            b.holders.extend(gained);
        }
        moved
    }
}

/// The same rows, of nodes that were first seen at `then`.
fn aged(mut batch: murre_core::Batch, then: Wall) -> murre_core::Batch {
    use murre_mailbox::rows::{NODE_VERSION, NodeRow};
    for op in &mut batch.ops {
        let murre_core::Op::Put { value, .. } = op else { continue };
        let row: Result<NodeRow, _> = murre_core::codec::decode_row(NODE_VERSION, value);
        if let Ok(mut row) = row {
            row.f = then.0;
            *value = murre_core::codec::encode_row(NODE_VERSION, &row);
        }
    }
    batch
}

/// A box and who holds it.
pub struct Kept {
    /// Where it belongs.
    pub locator: Locator,
    /// In which epoch.
    pub epoch: u64,
    /// Who has it, up or not.
    pub holders: BTreeSet<PeerKey>,
}

impl Kept {
    /// Whether anybody who is up still has it.
    pub fn lives(&self, town: &Town) -> bool {
        self.holders.iter().any(|h| town.is_up(h))
    }

    /// Whether a reader with the newest list gets it, asking everybody who is up among all ranks.
    pub fn is_found(&self, town: &Town) -> bool {
        town.ranks(&self.locator, self.epoch).iter().any(|n| town.is_up(n) && self.holders.contains(n))
    }

    /// Whether all who should have it and are up have it.
    pub fn is_whole(&self, town: &Town) -> bool {
        let k = town.quorum().k;
        let ranks = town.ranks(&self.locator, self.epoch);
        ranks.iter().take(k).all(|n| !town.is_up(n) || self.holders.contains(n))
    }
}
