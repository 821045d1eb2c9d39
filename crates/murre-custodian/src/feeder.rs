//! Keeps the directory of nodes the same everywhere, and this node in it.
//!
//! ```text
//!  A  --Hello{digest}-->        B     equal digests: done
//!     <--Hello{digest, time}--        else
//!     --Descriptors{have}-->          which keys A knows, and how fresh
//!     <--Descriptors{send, want}--    what A lacks, what B lacks
//!     --Announce{...}-->              B passes on what is new to it
//! ```
//!
//! Everybody holds the whole set, so no look-up ever tells anyone which locator somebody is interested in.
//!
//! Not here: what a descriptor must look like, which nodes count, where a locator lies (`murre-mailbox`).

use crate::calls::Caller;
use crate::command::PuzzleId;
use crate::limits::{
    BOOTSTRAP_EVERY_MS, DESCRIPTOR_EVERY_MS, DESCRIPTORS_PER_FRAME, FLOOD_FANOUT, HELLO_EVERY_MS,
    MAX_BOOTSTRAP,
};
use crate::route::{Asker, Up};
use crate::rows::{self, JOIN, META};
use murre_core::codec::encode_row;
use murre_core::id::{Bytes, NetworkId, PeerKey};
use murre_core::link::{MAX_ADDR, MAX_ADDRS};
use murre_core::{Addr, Cx, Mono, PeerRef, TurnError, View};
use murre_crypto::NodeKey;
use murre_crypto::puzzle::Solution;
use murre_mailbox::limits::MAX_DESCRIPTOR;
use murre_mailbox::network::sign_descriptor;
use murre_mailbox::{
    Descriptor, DescriptorBody, Directory, Inserted, Refusal, RefusedDescriptor, Reply, Request, join_puzzle,
};

/// The directory and what keeps it fed.
#[derive(Debug)]
pub struct Feeder {
    /// The set of nodes.
    pub directory: Directory,
    me: PeerKey,
    adopted: bool,
    fixed: Vec<Addr>,
    listening: Vec<Addr>,
    bootstrap: Vec<PeerRef>,
    solution: Option<Solution>,
    puzzle: Option<PuzzleId>,
    next_puzzle: u64,
    /// Somebody answered a greeting in this run.
    greeted: bool,
    hello_at: Mono,
    bootstrap_at: Mono,
    issue_at: Option<Mono>,
    told: usize,
}

impl Feeder {
    /// Reads the directory and the solution of the join puzzle.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails or a row is damaged.
    pub fn open(
        view: &dyn View,
        directory: Directory,
        me: PeerKey,
        fixed: Vec<Addr>,
        bootstrap: Vec<PeerRef>,
    ) -> Result<Self, TurnError> {
        let told = directory.len();
        let mut feeder = Self {
            directory,
            me,
            adopted: Directory::stored_network(view)?.is_some(),
            fixed,
            listening: Vec::new(),
            bootstrap: Vec::new(),
            solution: rows::get(view, META, JOIN)?,
            puzzle: None,
            next_puzzle: 1,
            greeted: false,
            hello_at: Mono(0),
            bootstrap_at: Mono(0),
            issue_at: None,
            told,
        };
        feeder.add_bootstrap(bootstrap);
        Ok(feeder)
    }

    /// Greets these nodes as well, until one node answered in this run.
    pub fn add_bootstrap(&mut self, peers: Vec<PeerRef>) {
        for peer in peers {
            let known = self.bootstrap.iter().any(|b| b.key == peer.key);
            if peer.key != self.me && !known && self.bootstrap.len() < MAX_BOOTSTRAP {
                self.bootstrap.push(peer);
            }
        }
        self.bootstrap_at = Mono(0);
    }

    /// The shell listens on these addresses.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn listening(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        key: &NodeKey,
        addrs: Vec<Addr>,
        linked: &[PeerKey],
    ) -> Result<(), TurnError> {
        self.listening = addrs;
        if !self.adopted {
            self.adopted = true;
            Directory::store_network(cx.tx, self.directory.file());
        }
        self.issue(cx, key, linked)
    }

    /// A puzzle was solved or given up; false if this solves nothing.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn puzzle_done(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        key: &NodeKey,
        id: PuzzleId,
        solution: Option<Solution>,
        linked: &[PeerKey],
    ) -> Result<bool, TurnError> {
        if self.puzzle != Some(id) {
            return Ok(false);
        }
        self.puzzle = None;
        let Some(solution) = solution else { return Ok(true) };
        if !join_puzzle(self.directory.file(), &self.me).check(&solution) {
            return Ok(false);
        }
        cx.tx.put(META, JOIN, encode_row(rows::V, &solution));
        self.solution = Some(solution);
        self.issue(cx, key, linked)?;
        Ok(true)
    }

    /// Issues the own descriptor, or asks for its puzzle to be solved first.
    // spec: K-36
    fn issue(&mut self, cx: &mut Cx<'_, '_, Up>, key: &NodeKey, linked: &[PeerKey]) -> Result<(), TurnError> {
        let Some(solution) = self.solution else {
            if self.puzzle.is_none() {
                let id = PuzzleId(self.next_puzzle);
                self.next_puzzle = self.next_puzzle.wrapping_add(1);
                self.puzzle = Some(id);
                cx.up(Up::Solve { id, puzzle: join_puzzle(self.directory.file(), &self.me) });
            }
            return Ok(());
        };
        let mut addrs: Vec<Addr> = Vec::new();
        for addr in self.fixed.iter().chain(&self.listening) {
            if addr.0.len() <= MAX_ADDR && !addrs.contains(addr) && addrs.len() < MAX_ADDRS {
                addrs.push(addr.clone());
            }
        }
        let descriptor = loop {
            let body =
                DescriptorBody::new(self.directory.network(), self.me, addrs.clone(), cx.now.wall, solution);
            let descriptor = sign_descriptor(key, &body);
            if descriptor.wire_len() <= MAX_DESCRIPTOR || addrs.pop().is_none() {
                break descriptor;
            }
        };
        self.issue_at = Some(cx.now.mono.plus(DESCRIPTOR_EVERY_MS));
        self.take(cx, self.me, vec![descriptor.clone()], linked)?;
        cx.up(Up::Ready(descriptor));
        Ok(())
    }

    /// We dialled someone who answered.
    pub fn dialed(&self, cx: &mut Cx<'_, '_, Up>, peer: PeerKey) {
        self.greet(cx, PeerRef { key: peer, addrs: Vec::new() });
    }

    fn greet(&self, cx: &mut Cx<'_, '_, Up>, to: PeerRef) {
        let request =
            Request::Hello { net: Some(self.directory.network()), digest: Bytes(self.directory.digest()) };
        cx.up(Up::Ask { caller: Caller::Directory, to, request, patience: 0 });
    }

    fn ask(cx: &mut Cx<'_, '_, Up>, peer: PeerKey, request: Request) {
        let to = PeerRef { key: peer, addrs: Vec::new() };
        cx.up(Up::Ask { caller: Caller::Directory, to, request, patience: 0 });
    }

    /// Takes descriptors in and passes on what is new, except to whom it came from.
    fn take(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        from: PeerKey,
        descriptors: Vec<Descriptor>,
        linked: &[PeerKey],
    ) -> Result<(), TurnError> {
        let mut fresh = Vec::new();
        // spec: K-39
        for descriptor in descriptors {
            match self.directory.insert(cx.tx, cx.now, descriptor.clone())? {
                Inserted::New | Inserted::Newer => fresh.push(descriptor),
                // A false puzzle costs its maker nothing and us a try: one is enough of them in a frame.
                Inserted::Refused(RefusedDescriptor::Puzzle) => break,
                Inserted::Known | Inserted::Refused(_) => {}
            }
        }
        self.flood(cx, from, &fresh, linked);
        self.tell(cx);
        Ok(())
    }

    // spec: K-35
    fn flood(&self, cx: &mut Cx<'_, '_, Up>, from: PeerKey, fresh: &[Descriptor], linked: &[PeerKey]) {
        if fresh.is_empty() {
            return;
        }
        // A bootstrap is a node even while its descriptor is on its way: our own must not miss it.
        let named = |peer: &PeerKey| self.bootstrap.iter().any(|b| b.key == *peer);
        let known = |peer: &PeerKey| self.directory.get(peer).is_some() || named(peer);
        let mut peers: Vec<PeerKey> =
            linked.iter().copied().filter(|p| *p != from && *p != self.me && known(p)).collect();
        cx.rng.shuffle(&mut peers);
        for peer in peers.into_iter().take(FLOOD_FANOUT) {
            for chunk in fresh.chunks(DESCRIPTORS_PER_FRAME) {
                Self::ask(cx, peer, Request::Announce { d: chunk.to_vec() });
            }
        }
    }

    fn tell(&mut self, cx: &mut Cx<'_, '_, Up>) {
        let nodes = self.directory.len();
        if nodes != self.told {
            self.told = nodes;
            cx.up(Up::DirectoryChanged(nodes));
        }
    }

    /// Somebody greets us.
    pub fn serve_hello(&self, cx: &mut Cx<'_, '_, Up>, asker: Asker, net: Option<NetworkId>) {
        let reply = match net {
            Some(net) if net != self.directory.network() => Reply::Refused(Refusal::OtherNetwork),
            Some(_) | None => Reply::Hello {
                net: self.directory.file().bytes().into(),
                digest: Bytes(self.directory.digest()),
                time: cx.now.wall.0,
            },
        };
        cx.up(Up::Reply { to: asker, reply });
    }

    /// Somebody tells what it has: what it lacks, and what we lack.
    pub fn serve_descriptors(&self, cx: &mut Cx<'_, '_, Up>, asker: Asker, have: &[(PeerKey, u64)]) {
        let (mut send, mut want) = self.directory.compare(have);
        send.truncate(DESCRIPTORS_PER_FRAME);
        want.truncate(DESCRIPTORS_PER_FRAME);
        let reply = Reply::Descriptors { send, want };
        cx.up(Up::Reply { to: asker, reply });
    }

    fn signed(&self, keys: &[PeerKey]) -> Vec<Descriptor> {
        keys.iter().filter_map(|key| self.directory.get(key)).map(|v| v.signed().clone()).collect()
    }

    /// Somebody passes descriptors on.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn serve_announce(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        asker: Asker,
        from: PeerKey,
        descriptors: Vec<Descriptor>,
        linked: &[PeerKey],
    ) -> Result<(), TurnError> {
        self.take(cx, from, descriptors, linked)?;
        cx.up(Up::Reply { to: asker, reply: Reply::Ok });
        Ok(())
    }

    /// Somebody answered us.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn answered(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        from: PeerKey,
        reply: Reply,
        linked: &[PeerKey],
    ) -> Result<(), TurnError> {
        match reply {
            Reply::Hello { digest, .. } => {
                self.greeted = true;
                // spec: K-34
                if digest.0 != self.directory.digest() {
                    Self::ask(cx, from, Request::Descriptors { have: self.directory.summary() });
                }
            }
            Reply::Descriptors { send, want } => {
                let full = send.len() >= DESCRIPTORS_PER_FRAME;
                let before = self.directory.digest();
                self.take(cx, from, send, linked)?;
                let wanted = self.signed(&want);
                if !wanted.is_empty() {
                    Self::ask(cx, from, Request::Announce { d: wanted });
                }
                // A full page that taught us something is followed by the next one.
                if full && self.directory.digest() != before {
                    Self::ask(cx, from, Request::Descriptors { have: self.directory.summary() });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Greets and renews what is due.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn timeout(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        key: &NodeKey,
        linked: &[PeerKey],
    ) -> Result<(), TurnError> {
        let now = cx.now.mono;
        if self.hello_at <= now {
            self.hello_at = now.plus(HELLO_EVERY_MS);
            let others: Vec<PeerKey> =
                self.directory.summary().into_iter().map(|(k, _)| k).filter(|k| *k != self.me).collect();
            let pick = cx.rng.below(others.len() as u64) as usize;
            if let Some(to) = others.get(pick).and_then(|k| self.directory.peer_ref(k)) {
                self.greet(cx, to);
            }
        }
        if self.bootstrap_due() && self.bootstrap_at <= now {
            self.bootstrap_at = now.plus(BOOTSTRAP_EVERY_MS);
            for peer in &self.bootstrap {
                self.greet(cx, peer.clone());
            }
        }
        if self.issue_at.is_some_and(|at| at <= now) {
            self.directory.sweep(cx.tx, cx.now.wall);
            self.issue(cx, key, linked)?;
        }
        Ok(())
    }

    const fn bootstrap_due(&self) -> bool {
        !self.greeted && !self.bootstrap.is_empty()
    }

    /// When something is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        let bootstrap = self.bootstrap_due().then_some(self.bootstrap_at);
        [Some(self.hello_at), bootstrap, self.issue_at].into_iter().flatten().min()
    }
}
