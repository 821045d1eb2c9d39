//! The set of known nodes of one network.
//!
//! Everybody holds the whole set, up to [`MAX_NODES`]: who looks up nothing reveals nothing. It is kept in memory and in
//! rows, and filled by comparing digests, then (key, time) lists, then descriptors.
//!
//! ```text
//!  descriptor --> form, signature --> network, time --> join puzzle --> New | Newer | Known | Refused
//!  counts (is eligible) while: issued within 24 h, first seen node_age ago, an IP address if the network is diverse
//! ```
//!
//! It does not ask anyone, and it remembers no blame: a node cannot be slandered out of it.

use crate::limits::{
    DESCRIPTOR_AHEAD_MS, DESCRIPTOR_FRESH_MS, MAX_DESCRIPTOR, MAX_DESCRIPTORS, MAX_NETWORK_FILE, MAX_NODES,
    NODE_FORGET_MS,
};
use crate::network::{Descriptor, DescriptorBody, NetworkFile, join_puzzle};
use crate::placement::{Prefix, position, prefixes, walk};
use crate::rows::{NETWORK, NETWORK_KEY, NODE_VERSION, NODES, NodeRow};
use murre_core::codec;
use murre_core::id::{Locator, NetworkId, PeerKey};
use murre_core::params::Quorum;
use murre_core::{Direction, Label, NetworkParams, Now, PeerRef, Range, Turn, TurnError, View, Wall};
use murre_crypto::Verified;
use std::cell::RefCell;
use std::collections::BTreeMap;

const DIGEST: Label = Label::new("murre v1 network directory digest");
/// Epochs whose rings are kept ready.
const MAX_RINGS: usize = 8;

/// What became of a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// A node not known before.
    New,
    /// A later descriptor of a known node.
    Newer,
    /// Nothing new.
    Known,
    /// Not taken.
    Refused(RefusedDescriptor),
}

/// Why a descriptor was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedDescriptor {
    /// Malformed, too long, or not signed by its key.
    #[error("descriptor is malformed or not signed by its key")]
    Invalid,
    /// Of another network.
    #[error("descriptor of another network")]
    OtherNetwork,
    /// Issued too far ahead.
    #[error("descriptor is dated ahead")]
    Ahead,
    /// Too old.
    #[error("descriptor is stale")]
    Stale,
    /// The join puzzle is not solved.
    #[error("join puzzle is not solved")]
    Puzzle,
    /// No room.
    #[error("directory is full")]
    Full,
}

#[derive(Debug)]
struct Node {
    descriptor: Verified<DescriptorBody>,
    first_seen: Wall,
    prefixes: Vec<Prefix>,
}

type Ring = Vec<([u8; 32], PeerKey)>;

/// The known nodes.
#[derive(Debug)]
pub struct Directory {
    file: NetworkFile,
    id: NetworkId,
    nodes: BTreeMap<PeerKey, Node>,
    rings: RefCell<BTreeMap<u64, Ring>>,
}

fn damaged() -> TurnError {
    TurnError::Damaged { space: NODES.name }
}

impl Directory {
    /// Reads what is stored of this network's nodes. Rows of another network are passed over.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails or a row is damaged.
    pub fn open(view: &dyn View, file: NetworkFile) -> Result<Self, TurnError> {
        let id = file.id();
        let mut nodes = BTreeMap::new();
        for (_, value) in view.scan(NODES, &Range::all(), Direction::Forward, MAX_NODES)? {
            let row: NodeRow = codec::decode_row(NODE_VERSION, &value).map_err(|_| damaged())?;
            let descriptor = row.d.verify().map_err(|_| damaged())?;
            if descriptor.net == id {
                let prefixes = prefixes(&descriptor.addrs);
                nodes.insert(descriptor.key, Node { first_seen: Wall(row.f), prefixes, descriptor });
            }
        }
        Ok(Self { file, id, nodes, rings: RefCell::default() })
    }

    /// The network file adopted by this home, if any.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails or the file is damaged.
    pub fn stored_network(view: &dyn View) -> Result<Option<NetworkFile>, TurnError> {
        let Some(bytes) = view.get(NETWORK, NETWORK_KEY)? else { return Ok(None) };
        if bytes.len() > MAX_NETWORK_FILE {
            return Err(TurnError::Damaged { space: NETWORK.name });
        }
        NetworkFile::decode(&bytes).map(Some).map_err(|_| TurnError::Damaged { space: NETWORK.name })
    }

    /// Adopts a network for this home.
    pub fn store_network(tx: &mut Turn<'_>, file: &NetworkFile) {
        tx.put(NETWORK, NETWORK_KEY, file.bytes());
    }

    /// Takes a descriptor in, if everything is right with it.
    ///
    /// Cheap checks come first: one that fails costs a signature at most, and one of a known node with an
    /// unchanged join solution costs no puzzle.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: N-3, N-4, N-5, N-6, N-7
    pub fn insert(&mut self, tx: &mut Turn<'_>, now: Now, d: Descriptor) -> Result<Inserted, TurnError> {
        let refused = |why| Ok(Inserted::Refused(why));
        if d.wire_len() > MAX_DESCRIPTOR {
            return refused(RefusedDescriptor::Invalid);
        }
        let Ok(descriptor) = d.verify() else { return refused(RefusedDescriptor::Invalid) };
        if descriptor.net != self.id {
            return refused(RefusedDescriptor::OtherNetwork);
        }
        if descriptor.t > now.wall.plus(DESCRIPTOR_AHEAD_MS).0 {
            return refused(RefusedDescriptor::Ahead);
        }
        let known = self.nodes.get(&descriptor.key);
        if known.is_some_and(|k| k.descriptor.t >= descriptor.t) {
            return Ok(Inserted::Known);
        }
        if !fresh(descriptor.t, now.wall) {
            return refused(RefusedDescriptor::Stale);
        }
        let paid = known.is_some_and(|k| k.descriptor.join == descriptor.join);
        // Another solution is another place in the ring: its age begins anew, or an old key could be moved beside
        // a locator that its operator has just learned.
        let first_seen = known.map(|k| if paid { k.first_seen } else { now.wall });
        if !paid && !join_puzzle(&self.file, &descriptor.key).check(&descriptor.join) {
            return refused(RefusedDescriptor::Puzzle);
        }
        let (first_seen, result) = match first_seen {
            Some(at) => (at, Inserted::Newer),
            None if self.nodes.len() >= MAX_NODES && !self.make_room(tx, now.wall) => {
                return refused(RefusedDescriptor::Full);
            }
            None => (now.wall, Inserted::New),
        };
        let row = NodeRow { d: descriptor.signed().clone(), f: first_seen.0 };
        tx.put(NODES, descriptor.key.as_bytes(), codec::encode_row(NODE_VERSION, &row));
        let prefixes = prefixes(&descriptor.addrs);
        self.nodes.insert(descriptor.key, Node { first_seen, prefixes, descriptor });
        self.rings.borrow_mut().clear();
        Ok(result)
    }

    /// Forgets the node unheard of for the longest time, if it no longer counts.
    fn make_room(&mut self, tx: &mut Turn<'_>, now: Wall) -> bool {
        let oldest = self.nodes.iter().min_by_key(|(_, n)| n.descriptor.t);
        let Some(key) = oldest.filter(|(_, n)| !fresh(n.descriptor.t, now)).map(|(k, _)| *k) else {
            return false;
        };
        self.forget(tx, &key);
        true
    }

    fn forget(&mut self, tx: &mut Turn<'_>, key: &PeerKey) {
        self.nodes.remove(key);
        tx.delete(NODES, key.as_bytes());
        self.rings.borrow_mut().clear();
    }

    /// Forgets nodes unheard of for [`NODE_FORGET_MS`]. Returns how many.
    pub fn sweep(&mut self, tx: &mut Turn<'_>, now: Wall) -> usize {
        let gone = |n: &Node| n.descriptor.t.saturating_add(NODE_FORGET_MS) < now.0;
        let keys: Vec<PeerKey> = self.nodes.iter().filter(|(_, n)| gone(n)).map(|(k, _)| *k).collect();
        for key in &keys {
            self.forget(tx, key);
        }
        keys.len()
    }

    /// Its network's id.
    #[must_use]
    pub const fn network(&self) -> NetworkId {
        self.id
    }

    /// Its network's file.
    #[must_use]
    pub const fn file(&self) -> &NetworkFile {
        &self.file
    }

    /// How many nodes are known, whether they count or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no node is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Equal for equal sets of descriptors, and only for those.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut all = Vec::with_capacity(self.nodes.len() * 40);
        for (key, node) in &self.nodes {
            all.extend_from_slice(key.as_bytes());
            all.extend_from_slice(&node.descriptor.t.to_be_bytes());
        }
        DIGEST.hash(&[self.id.as_bytes(), &all])
    }

    /// Key and time of every descriptor, by key.
    #[must_use]
    pub fn summary(&self) -> Vec<(PeerKey, u64)> {
        self.nodes.iter().map(|(key, node)| (*key, node.descriptor.t)).collect()
    }

    /// Compares with another's summary: what to send it, and what to ask it for. Both bounded by a frame.
    #[must_use]
    pub fn compare(&self, have: &[(PeerKey, u64)]) -> (Vec<Descriptor>, Vec<PeerKey>) {
        let theirs: BTreeMap<PeerKey, u64> = have.iter().copied().collect();
        let newer = |key: &PeerKey, t: u64| theirs.get(key).is_none_or(|other| *other < t);
        let send = self.nodes.iter().filter(|(key, n)| newer(key, n.descriptor.t));
        let send = send.map(|(_, n)| n.descriptor.signed().clone()).take(MAX_DESCRIPTORS).collect();
        let lack = |key: &PeerKey, t: u64| self.nodes.get(key).is_none_or(|n| n.descriptor.t < t);
        let want = theirs.iter().filter(|(key, t)| lack(key, **t)).map(|(key, _)| *key);
        (send, want.take(MAX_DESCRIPTORS).collect())
    }

    /// One node's descriptor.
    #[must_use]
    pub fn get(&self, key: &PeerKey) -> Option<&Verified<DescriptorBody>> {
        self.nodes.get(key).map(|n| &n.descriptor)
    }

    /// Where to dial a node.
    #[must_use]
    pub fn peer_ref(&self, key: &PeerKey) -> Option<PeerRef> {
        self.nodes.get(key).map(|n| PeerRef { key: *key, addrs: n.descriptor.addrs.clone() })
    }

    fn counts(&self, node: &Node, now: Wall) -> bool {
        fresh(node.descriptor.t, now) && self.may_count(node, now)
    }

    fn may_count(&self, node: &Node, now: Wall) -> bool {
        let p = &self.file.params;
        now.since(node.first_seen) >= p.node_age_ms && (!p.diverse || !node.prefixes.is_empty())
    }

    /// How many nodes would count at network time `now` if every descriptor were fresh: those of the last
    /// [`NODE_FORGET_MS`]. Far more than [`Directory::eligible`] means that this directory has not been kept up.
    #[must_use]
    pub fn remembered(&self, now: Wall) -> usize {
        self.nodes.values().filter(|n| self.may_count(n, now)).count()
    }

    /// The nodes that count at network time `now`, by key.
    // spec: N-6
    #[must_use]
    pub fn eligible(&self, now: Wall) -> Vec<PeerKey> {
        self.nodes.iter().filter(|(_, n)| self.counts(n, now)).map(|(key, _)| *key).collect()
    }

    /// Copies, receipts and reads at network time `now`.
    // spec: N-10
    #[must_use]
    pub fn quorum(&self, now: Wall) -> Quorum {
        NetworkParams::quorum(self.nodes.values().filter(|n| self.counts(n, now)).count())
    }

    /// The custodians of a locator in rank order: k of them and the spare ranks, or as many as there are.
    // spec: N-7, N-8, N-9
    #[must_use]
    pub fn placement(&self, locator: &Locator, epoch: u64, now: Wall) -> Vec<PeerKey> {
        let len = self.quorum(now).k + NetworkParams::SPARE_RANKS;
        let admit = |key: &PeerKey| {
            let node = self.nodes.get(key).filter(|n| self.counts(n, now))?;
            Some(if self.file.params.diverse { node.prefixes.clone() } else { Vec::new() })
        };
        let mut rings = self.rings.borrow_mut();
        if !rings.contains_key(&epoch) {
            if rings.len() >= MAX_RINGS {
                rings.pop_first();
            }
            let place = |(key, n): (&PeerKey, &Node)| (position(&n.descriptor.join, key, epoch), *key);
            let mut ring: Ring = self.nodes.iter().map(place).collect();
            ring.sort_unstable();
            rings.insert(epoch, ring);
        }
        rings.get(&epoch).map(|ring| walk(ring, locator, len, admit)).unwrap_or_default()
    }
}

fn fresh(t: u64, now: Wall) -> bool {
    t.saturating_add(DESCRIPTOR_FRESH_MS) >= now.0
}
