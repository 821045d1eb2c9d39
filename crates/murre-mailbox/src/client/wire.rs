//! Requests: choosing a custodian, sending, matching the answer, giving up.
//!
//! One request goes to one node and is answered by one frame with its number, on any link to that node. What is
//! in the answer proves itself or is not believed; the number only says which question it belongs to.

use super::ClientCx;
use super::events::{ClientEvent, GetKey, PutKey, WatchKey};
use super::limits::{
    BEHIND_MS, MAX_BOOTSTRAPS, MAX_INFLIGHT, MAX_INFLIGHT_PER_NODE, MAX_LATE, MAX_LONG_POLLS, OFFLINE_MS,
    QUIET_MAX_ALONE_MS, QUIET_MAX_MS,
};
use super::links::Links;
use super::peers::Peers;
use crate::directory::Directory;
use crate::frame::{Frame, Request};
use crate::network::NetworkFile;
use murre_core::id::{BoxId, Locator, PeerKey};
use murre_core::link::MAX_ADDRS;
use murre_core::params::Quorum;
use murre_core::{Class, Dest, LinkId, Mono, NetworkParams, Now, PeerRef, Transmit, Wall};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How a list was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListWay {
    /// It waits at the custodian.
    Long,
    /// One of a few random custodians.
    Routine,
    /// Part of a careful read, through a coordinator.
    CarefulFan,
    /// Part of a careful read, from this custodian alone.
    CarefulOne,
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Comparing networks, clocks and directories.
    Hello,
    /// Fetching descriptors; how many rounds went before.
    Descriptors(u32),
    /// Storing a box or an object.
    Put {
        /// Which.
        put: PutKey,
        /// Hash of the bytes: the key may carry others by the time of the answer.
        hash: [u8; 32],
        /// As coordinator.
        fan: bool,
    },
    /// Which boxes are there.
    List {
        /// Mailbox.
        watch: WatchKey,
        /// Epoch.
        epoch: u64,
        /// How.
        way: ListWay,
        /// Hash of the signed question, which each answer must name.
        query: [u8; 32],
    },
    /// The boxes themselves.
    Get {
        /// Mailbox.
        watch: WatchKey,
        /// Epoch.
        epoch: u64,
        /// Which.
        ids: Vec<BoxId>,
    },
    /// An owner object.
    Object(GetKey),
    /// Deleting read boxes.
    Tombstone {
        /// Mailbox.
        watch: WatchKey,
        /// Epoch.
        epoch: u64,
    },
}

impl Purpose {
    const fn is_long(&self) -> bool {
        matches!(self, Self::List { way: ListWay::Long, .. })
    }

    const fn class(&self) -> Class {
        match self {
            Self::Hello | Self::Descriptors(_) => Class::Control,
            _ => Class::Mailbox,
        }
    }
}

/// A request under way.
#[derive(Clone, Debug)]
pub struct Inflight {
    /// Who was asked.
    pub node: PeerKey,
    /// What for.
    pub purpose: Purpose,
    /// Given up at.
    pub deadline: Mono,
}

impl Inflight {
    /// What its bytes are counted as.
    pub const fn class(&self) -> Class {
        self.purpose.class()
    }
}

/// A placement that was computed lately.
struct Placed {
    nodes: Vec<PeerKey>,
    at: Mono,
}

/// Nodes as they were counted lately.
#[derive(Clone, Copy)]
struct Counted {
    at: Mono,
    eligible: usize,
    remembered: usize,
}

/// How long a computed placement serves, ms: nodes come of age while time passes.
const PLACED_MS: u64 = 60_000;
/// Computed placements kept.
const MAX_PLACED: usize = 4_096;

/// Everything that lies between the machines of this half and the carriers.
pub struct Wire {
    pub network: Option<NetworkFile>,
    pub directory: Option<Directory>,
    pub links: Links,
    pub peers: Peers,
    pub bootstraps: Vec<PeerRef>,
    /// How many of them it was opened with: those of links that came later are others' words.
    pub told: usize,
    /// A node whose directory seems to differ from ours: compare soon.
    pub doubt: Option<PeerKey>,
    inflight: BTreeMap<u64, Inflight>,
    pub late: VecDeque<(u64, PeerKey, Purpose)>,
    per_node: BTreeMap<PeerKey, usize>,
    long_polls: usize,
    next_id: u64,
    placed: BTreeMap<(Locator, u64), Placed>,
    /// Nodes that counted lately, and those remembered: counting them walks the whole directory.
    counted: Option<Counted>,
    /// Since when fewer than three quarters of the remembered nodes have counted.
    behind: Option<Mono>,
    /// The directory remembered nobody, or was just opened, and has not caught up with the bootstraps since.
    blank: bool,
    /// When a custodian was last heard, on both clocks: a suspended machine's first clock may stand still.
    heard: Option<Now>,
}

impl Wire {
    pub fn new(first_id: u64, network: Option<NetworkFile>, directory: Option<Directory>) -> Self {
        Self {
            network,
            directory,
            links: Links::default(),
            peers: Peers::default(),
            bootstraps: Vec::new(),
            told: 0,
            doubt: None,
            inflight: BTreeMap::new(),
            late: VecDeque::new(),
            per_node: BTreeMap::new(),
            long_polls: 0,
            next_id: first_id,
            placed: BTreeMap::new(),
            counted: None,
            behind: None,
            blank: true,
            heard: None,
        }
    }

    /// Remembers an address to begin at.
    pub fn add_bootstrap(&mut self, peer: PeerRef) {
        if let Some(known) = self.bootstraps.iter_mut().find(|b| b.key == peer.key) {
            *known = peer;
        } else if self.bootstraps.len() < MAX_BOOTSTRAPS {
            self.bootstraps.push(peer);
        }
    }

    pub fn params(&self) -> Option<&NetworkParams> {
        self.network.as_ref().map(|n| &n.params)
    }

    /// Own clock, corrected by what custodians say.
    pub fn time(&self, now: Now) -> Wall {
        let offset = self.peers.offset();
        Wall(now.wall.0.saturating_add_signed(offset))
    }

    /// Whether this node may be a node at all, as far as we know.
    pub fn is_node(&self, peer: &PeerKey) -> bool {
        self.bootstraps.iter().any(|b| b.key == *peer)
            || self.directory.as_ref().is_some_and(|d| d.get(peer).is_some())
    }

    /// Nodes that are linked.
    pub fn node_links(&self) -> usize {
        self.links.peers().filter(|p| self.is_node(p)).count()
    }

    /// The directory changed: placements are computed anew.
    pub fn forget_placements(&mut self) {
        self.placed.clear();
        self.counted = None;
    }

    /// Custodians of a place in rank order, with the spare ranks.
    pub fn placement(&mut self, locator: &Locator, epoch: u64, now: Now) -> Vec<PeerKey> {
        let key = (*locator, epoch);
        if let Some(placed) = self.placed.get(&key)
            && now.mono.since(placed.at) < PLACED_MS
        {
            return placed.nodes.clone();
        }
        let time = self.time(now);
        let Some(directory) = &self.directory else { return Vec::new() };
        let nodes = directory.placement(locator, epoch, time);
        if self.placed.len() >= MAX_PLACED {
            self.placed.clear();
        }
        self.placed.insert(key, Placed { nodes: nodes.clone(), at: now.mono });
        nodes
    }

    fn count(&mut self, now: Now) -> Counted {
        if let Some(counted) = self.counted
            && now.mono.since(counted.at) < PLACED_MS
        {
            return counted;
        }
        let time = self.time(now);
        let directory = self.directory.as_ref();
        let (eligible, remembered) =
            directory.map_or((0, 0), |d| (d.eligible(time).len(), d.remembered(time)));
        // Whoever is new, or comes back after weeks, knows of the network what it was told to begin at.
        let late = self.behind.is_some_and(|since| now.mono.since(since) >= BEHIND_MS);
        self.blank = remembered == 0 || self.blank && !late;
        let told = if self.told > 0 { self.told } else { self.bootstraps.len() };
        let remembered = if self.blank { remembered.max(told) } else { remembered };
        if 4 * eligible >= 3 * remembered {
            (self.behind, self.blank) = (None, remembered == 0);
        } else {
            self.behind.get_or_insert(now.mono);
        }
        let counted = Counted { at: now.mono, eligible, remembered };
        self.counted = Some(counted);
        counted
    }

    /// How many nodes count.
    pub fn eligible(&mut self, now: Now) -> usize {
        self.count(now).eligible
    }

    /// Whether the directory has not been kept up: after days away the few nodes that are heard first are not the
    /// network. It ends by itself, so that a network that did shrink goes on.
    // spec: BC-25
    pub fn is_behind(&mut self, now: Now) -> bool {
        self.count(now);
        self.behind.is_some_and(|since| now.mono.since(since) < BEHIND_MS)
    }

    /// Copies, receipts and reads: while the directory is behind, those of the network that is remembered.
    pub fn quorum(&mut self, now: Now) -> Quorum {
        let counted = self.count(now);
        let behind = self.is_behind(now) && !murre_core::sabotage::active("trust-the-first-heard");
        NetworkParams::quorum(if behind { counted.remembered } else { counted.eligible })
    }

    /// This node was silent or could not be reached. While nobody is heard, the silence is rather ours.
    pub fn silent(&mut self, node: PeerKey, now: Now) {
        let most = if self.reachable(now) { QUIET_MAX_MS } else { QUIET_MAX_ALONE_MS };
        self.peers.quiet(node, now.mono, most);
    }

    fn room(&self, node: &PeerKey) -> bool {
        self.per_node.get(node).is_none_or(|n| *n < MAX_INFLIGHT_PER_NODE)
    }

    /// Whether one more ordinary request may be sent at all.
    pub fn has_room(&self) -> bool {
        self.inflight.len().saturating_sub(self.long_polls) < MAX_INFLIGHT
    }

    /// Whether one more waiting list may be sent.
    pub fn has_long_room(&self) -> bool {
        self.long_polls < MAX_LONG_POLLS
    }

    /// Whether this node may be asked now.
    pub fn usable(&self, node: &PeerKey, now: Mono) -> bool {
        self.room(node) && !self.peers.avoided(node, now) && !self.peers.is_quiet(node, now)
    }

    /// One of the candidates: a random linked one, else a random one.
    // spec: BC-6
    pub fn choose(
        &self,
        cx: &mut ClientCx<'_, '_>,
        candidates: &[PeerKey],
        not: &BTreeSet<PeerKey>,
    ) -> Option<PeerKey> {
        let usable: Vec<PeerKey> =
            candidates.iter().filter(|n| !not.contains(*n) && self.usable(n, cx.now.mono)).copied().collect();
        let linked: Vec<PeerKey> = usable.iter().filter(|n| self.links.to(n).is_some()).copied().collect();
        let from = if linked.is_empty() { usable } else { linked };
        from.get(cx.rng.below(from.len() as u64) as usize).copied()
    }

    /// Sends a request. False if the limits are reached or nobody knows where the node is.
    pub fn request(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        node: PeerKey,
        purpose: Purpose,
        body: Request,
        wait_ms: u64,
    ) -> bool {
        let free = if purpose.is_long() { self.has_long_room() } else { self.has_room() };
        if !free || !self.room(&node) {
            return false;
        }
        let to = match self.links.to(&node) {
            Some(link) => Dest::Link(link),
            None => match self.peer_ref(&node) {
                Some(peer) => Dest::Peer(peer),
                None => return false,
            },
        };
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let bytes = Frame::Request { id, body }.encode();
        let class = purpose.class();
        self.links.sent(class, bytes.len());
        if let (Dest::Link(link), false) = (&to, purpose.is_long()) {
            self.links.ask(*link, cx.now.mono);
        }
        self.long_polls += usize::from(purpose.is_long());
        if !purpose.is_long() {
            *self.per_node.entry(node).or_default() += 1;
        }
        self.inflight.insert(id, Inflight { node, purpose, deadline: cx.now.mono.plus(wait_ms) });
        cx.up(ClientEvent::Transmit(Transmit { to, class, bytes }));
        true
    }

    /// Where to reach a node: what the user just said first, then what its descriptor says. A node that moved is
    /// found by the former until its new descriptor is here.
    fn peer_ref(&self, node: &PeerKey) -> Option<PeerRef> {
        let said = self.bootstraps.iter().find(|b| b.key == *node).cloned();
        let known = self.directory.as_ref().and_then(|d| d.peer_ref(node));
        let (mut peer, more) = match (said, known) {
            (Some(said), Some(known)) => (said, known.addrs),
            (said, known) => (said.or(known)?, Vec::new()),
        };
        for addr in more {
            if peer.addrs.len() < MAX_ADDRS && !peer.addrs.contains(&addr) {
                peer.addrs.push(addr);
            }
        }
        Some(peer)
    }

    fn remove(&mut self, id: u64) -> Option<Inflight> {
        let gone = self.inflight.remove(&id)?;
        self.long_polls -= usize::from(gone.purpose.is_long());
        if !gone.purpose.is_long()
            && let Some(n) = self.per_node.get_mut(&gone.node)
        {
            *n = n.saturating_sub(1);
            if *n == 0 {
                self.per_node.remove(&gone.node);
            }
        }
        Some(gone)
    }

    /// Takes the request that an answer on this link belongs to.
    pub fn answered(&mut self, link: LinkId, id: u64) -> Option<Inflight> {
        let peer = self.links.peer(link)?;
        if self.inflight.get(&id).is_some_and(|i| i.node == peer) {
            return self.remove(id);
        }
        // A receipt is as good late as early.
        let at = self.late.iter().position(|(l, p, _)| *l == id && *p == peer)?;
        let (_, node, purpose) = self.late.remove(at)?;
        Some(Inflight { node, purpose, deadline: Mono(0) })
    }

    /// Takes every request whose time is over.
    pub fn expired(&mut self, now: Mono) -> Vec<Inflight> {
        let ids: Vec<u64> =
            self.inflight.iter().filter(|(_, i)| i.deadline <= now).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.give_up(id)).collect()
    }

    /// Takes every request to a node that cannot answer any more.
    pub fn lost(&mut self, node: &PeerKey) -> Vec<Inflight> {
        let ids: Vec<u64> =
            self.inflight.iter().filter(|(_, i)| i.node == *node).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.give_up(id)).collect()
    }

    fn give_up(&mut self, id: u64) -> Option<Inflight> {
        let gone = self.remove(id)?;
        if matches!(gone.purpose, Purpose::Put { .. }) {
            if self.late.len() >= MAX_LATE {
                self.late.pop_front();
            }
            self.late.push_back((id, gone.node, gone.purpose.clone()));
        }
        Some(gone)
    }

    /// A custodian was heard. Tells for how long none was, on the clock that saw more of it.
    // spec: BC-15
    pub fn heard(&mut self, node: &PeerKey, now: Now) -> u64 {
        self.peers.heard(node);
        let before = self.heard.replace(now);
        let silence = before.map_or(0, |h| now.mono.since(h.mono).max(now.wall.since(h.wall)));
        if before.is_none() || silence > BEHIND_MS {
            // The time in which nobody could tell us is not the time in which the directory had to be kept up.
            (self.counted, self.behind) = (None, None);
        }
        silence
    }

    /// Whether a custodian was heard lately.
    pub fn reachable(&self, now: Now) -> bool {
        self.heard.is_some_and(|h| now.mono.since(h.mono) <= OFFLINE_MS)
    }

    /// Requests under way.
    pub fn inflight_count(&self) -> usize {
        self.inflight.len()
    }

    /// Earliest end of a request's time.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.inflight.values().map(|i| i.deadline).min()
    }
}
