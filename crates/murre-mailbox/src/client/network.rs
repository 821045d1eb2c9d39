//! Adopting a network, comparing directories, telling the time.
//!
//! ```text
//!  us -> node   Hello { our network or none, digest of our directory }
//!  node -> us   Hello { network file, its digest, its time }
//!               no network yet, and we asked a bootstrap: adopt it, for good
//!               another network: ignore the node for an hour, tell the parent
//!               same digest: done
//!  us -> node   Descriptors { what we have }
//!  node -> us   Descriptors { what we lack }        repeated while something new comes
//! ```
//! A client only takes descriptors; it never announces any, so that its directory says nothing about it.

use super::ClientCx;
use super::events::ClientEvent;
use super::limits::{DIRECTORY_MS, REQUEST_MS};
use super::wire::{Purpose, Wire};
use crate::directory::{Directory, Inserted};
use crate::frame::{Reply, Request};
use crate::network::NetworkFile;
use murre_core::id::{Bytes, PeerKey};
use murre_core::params::delivery::{RETRY_MAX_MS, RETRY_MS};
use murre_core::{Mono, Now, TurnError};
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;

/// Rounds of descriptors fetched from one node at a time.
const MAX_ROUNDS: u32 = 16;
/// Nodes greeted at once while nobody is known who counts, or too few.
const STRANGERS: usize = 4;
/// Soonest comparison after a doubt, ms: a node that always doubts costs us one greeting in this time.
const DOUBT_MS: u64 = 30_000;

/// What a reply about the network led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// Nothing that concerns others.
    Nothing,
    /// A network was adopted, or the set of nodes changed.
    Changed,
}

/// When to compare with whom.
#[derive(Debug, Default)]
pub struct Directories {
    /// Next comparison with some node.
    compare_at: Option<Mono>,
    /// Next try of the bootstraps while nobody else is known.
    boot_at: Option<Mono>,
    boot_wait: u64,
    doubt_at: Option<Mono>,
    greeted: bool,
    /// Enough nodes are known that count.
    company: bool,
}

impl Directories {
    /// When something is to be done.
    pub fn next_timeout(&self, wire: &Wire) -> Option<Mono> {
        let doubt = wire.doubt.and(Some(self.doubt_at.unwrap_or_default()));
        let boot = self.alone(wire).then(|| self.boot_at.unwrap_or_default());
        let compare = wire.directory.as_ref().map(|_| self.compare_at.unwrap_or_default());
        [doubt, boot, compare].into_iter().flatten().min()
    }

    /// A link to a node came up: greet it.
    pub fn link_up(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire, node: PeerKey) {
        hello(cx, wire, node);
    }

    /// Whether nobody is known who counts, or too few do, but somebody can be asked.
    fn alone(&self, wire: &Wire) -> bool {
        let anyone = !wire.bootstraps.is_empty() || wire.directory.as_ref().is_some_and(|d| !d.is_empty());
        anyone && !self.company
    }

    /// Whom to ask then: every bootstrap, and a few of the nodes, stale ones among them.
    fn strangers(cx: &mut ClientCx<'_, '_>, wire: &Wire) -> Vec<PeerKey> {
        let mut stale: Vec<PeerKey> =
            wire.directory.iter().flat_map(Directory::summary).map(|(node, _)| node).collect();
        cx.rng.shuffle(&mut stale);
        stale.truncate(STRANGERS);
        stale.extend(wire.bootstraps.iter().map(|b| b.key));
        stale.sort_unstable();
        stale.dedup();
        stale
    }

    /// Whoever can be asked is asked without a pause, the next time that nobody is known.
    pub fn begin_anew(&mut self) {
        self.boot_at = None;
        self.boot_wait = 0;
    }

    /// Greets whom it is time to greet.
    pub fn drive(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire) {
        let now = cx.now.mono;
        self.company = wire.eligible(cx.now) > 0 && !wire.is_behind(cx.now);
        if self.company {
            self.begin_anew();
        }
        if self.alone(wire) && self.boot_at.is_none_or(|at| at <= now) {
            self.boot_wait =
                if self.boot_wait == 0 { RETRY_MS } else { (self.boot_wait * 2).min(RETRY_MAX_MS) };
            self.boot_at = Some(now.plus(self.boot_wait));
            for node in Self::strangers(cx, wire) {
                if !wire.peers.avoided(&node, now) {
                    hello(cx, wire, node);
                }
            }
        }
        if wire.doubt.is_some() && self.doubt_at.is_none_or(|at| at <= now) {
            self.doubt_at = Some(now.plus(DOUBT_MS));
            if let Some(node) = wire.doubt.take().filter(|n| !wire.peers.avoided(n, now)) {
                hello(cx, wire, node);
            }
        }
        if wire.directory.is_some() && self.compare_at.is_none_or(|at| at <= now) {
            self.compare_at = Some(now.plus(DIRECTORY_MS));
            let time = wire.time(cx.now);
            let nodes = wire.directory.as_ref().map(|d| d.eligible(time)).unwrap_or_default();
            if let Some(node) = wire.choose(cx, &nodes, &BTreeSet::new()) {
                hello(cx, wire, node);
            }
            self.sweep(cx, wire);
        }
    }

    fn sweep(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire) {
        let time = wire.time(cx.now);
        if wire.directory.as_mut().is_some_and(|d| d.sweep(cx.tx, time) > 0) {
            wire.forget_placements();
        }
    }

    /// A node answered a greeting or a comparison.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn answered(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        node: PeerKey,
        purpose: &Purpose,
        reply: Reply,
    ) -> Result<Learned, TurnError> {
        match (purpose, reply) {
            (Purpose::Hello, Reply::Hello { net, digest, time }) => {
                self.greeted(cx, wire, node, &net, &digest.0, time)
            }
            (Purpose::Descriptors(round), Reply::Descriptors { send, .. }) => {
                let now = Now { wall: wire.time(cx.now), ..cx.now };
                let Some(directory) = &mut wire.directory else { return Ok(Learned::Nothing) };
                let mut news = false;
                for descriptor in send {
                    news |=
                        matches!(directory.insert(cx.tx, now, descriptor)?, Inserted::New | Inserted::Newer);
                }
                if !news {
                    return Ok(Learned::Nothing);
                }
                wire.forget_placements();
                if *round < MAX_ROUNDS {
                    fetch(cx, wire, node, round + 1);
                }
                Ok(Learned::Changed)
            }
            (_, Reply::Refused(_)) => Ok(Learned::Nothing),
            _ => {
                wire.peers.avoid(node, cx.now.mono);
                Ok(Learned::Nothing)
            }
        }
    }

    fn greeted(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        node: PeerKey,
        net: &ByteBuf,
        digest: &[u8; 32],
        time: u64,
    ) -> Result<Learned, TurnError> {
        let Ok(file) = NetworkFile::decode(net) else {
            wire.peers.avoid(node, cx.now.mono);
            return Ok(Learned::Nothing);
        };
        let mut learned = Learned::Nothing;
        match &wire.network {
            // spec: BC-2
            Some(ours) if ours.id() != file.id() => {
                wire.peers.avoid(node, cx.now.mono);
                cx.up(ClientEvent::OtherNetwork { node, network: file.id() });
                return Ok(Learned::Nothing);
            }
            Some(_) => {}
            // spec: BC-1
            None if wire.bootstraps.iter().any(|b| b.key == node) => {
                Directory::store_network(cx.tx, &file);
                wire.directory = Some(Directory::open(cx.tx, file.clone())?);
                wire.network = Some(file.clone());
                wire.forget_placements();
                cx.up(ClientEvent::NetworkChanged { network: file });
                learned = Learned::Changed;
            }
            None => return Ok(Learned::Nothing),
        }
        wire.peers.clock(node, time, cx.now.wall);
        // While the directory is behind one answer is not the end: the wait grows until it is.
        if !wire.is_behind(cx.now) {
            self.boot_wait = 0;
        }
        if !self.greeted {
            self.greeted = true;
            self.compare_at = Some(cx.now.mono.plus(DIRECTORY_MS));
        }
        if wire.directory.as_ref().is_some_and(|d| d.digest() != *digest) {
            fetch(cx, wire, node, 0);
        }
        Ok(learned)
    }
}

fn hello(cx: &mut ClientCx<'_, '_>, wire: &mut Wire, node: PeerKey) {
    let net = wire.network.as_ref().map(NetworkFile::id);
    let digest = Bytes(wire.directory.as_ref().map_or([0; 32], Directory::digest));
    wire.request(cx, node, Purpose::Hello, Request::Hello { net, digest }, REQUEST_MS);
}

// spec: BC-3
fn fetch(cx: &mut ClientCx<'_, '_>, wire: &mut Wire, node: PeerKey, round: u32) {
    let have = wire.directory.as_ref().map(Directory::summary).unwrap_or_default();
    wire.request(cx, node, Purpose::Descriptors(round), Request::Descriptors { have }, REQUEST_MS);
}
