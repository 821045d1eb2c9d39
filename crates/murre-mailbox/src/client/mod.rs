//! The client half: how the owner and the writers of mailboxes use custodians they do not trust.
//!
//! ```text
//!        parent (one device)
//!   put, watch, taken |  ^ ClientEvent
//!  +------------------v--+---------------------------------------------+
//!  | Client   puts -----.   watches/reads ---.   objects   directories |
//!  |          proofs     \                    \     |         |        |
//!  |                      '--> wire: choose, send, match, give up <----+
//!  |                           links   peers (avoided, quiet, clocks)  |
//!  +-------------------------------------------------------------------+
//!                              | Transmit            ^ frames, links
//! ```
//!
//! | file | what it decides |
//! |---|---|
//! | `puts`, `put`, `waiting`, `proofs` | who is asked to store, when it is stored, who waits, what is paid |
//! | `watches`, `reads`, `place` | which epochs are read, how carefully, what is new |
//! | `objects` | the owner object of a door |
//! | `network` | which network, which nodes, what time |
//! | `wire`, `links`, `peers` | which custodian, over which link, and which not |
//! | `rows` | cursors and taken boxes |
//!
//! What it does NOT do: open a box (that needs the writer's pair secret), keep the outbox (the parent's rows hold
//! the final bytes and are offered again), read a clock, decide what a conversation is. The law is
//! `spec/05c-mailbox-client.md`.

mod events;
pub mod limits;
mod links;
mod network;
mod objects;
mod peers;
mod place;
mod proofs;
mod put;
mod puts;
mod reads;
pub mod rows;
mod waiting;
mod watches;
mod wire;

#[cfg(test)]
mod tests;

pub use events::{
    ClassBytes, ClientEvent, ClientStatus, GetKey, PutError, PutKey, PutStart, PutTrouble, PuzzleId,
    WatchError, WatchKey,
};

use crate::directory::Directory;
use crate::frame::{Frame, Reply};
use crate::keys::{MailboxAddress, ReaderKeys};
use crate::network::NetworkFile;
use murre_core::id::{BoxId, PeerKey};
use murre_core::{
    Class, Cx, Dest, LinkId, LinkUp, Mono, NetworkParams, Now, PeerRef, Rng, Transmit, TurnError, View, Wall,
};
use murre_crypto::puzzle::Solution;
use network::{Directories, Learned};
use objects::Objects;
use put::What;
use puts::Puts;
use watches::Watches;
use wire::{Inflight, Purpose, Wire};

/// The context of a call on [`Client`].
pub type ClientCx<'a, 'v> = Cx<'a, 'v, ClientEvent>;

/// The client half, as a child machine.
pub struct Client {
    wire: Wire,
    directories: Directories,
    puts: Puts,
    watches: Watches,
    objects: Objects,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("inflight", &self.wire.inflight_count()).finish_non_exhaustive()
    }
}

impl Client {
    /// Opens from rows. `network` is the one this home has adopted; without it the stored one counts, and
    /// without that one the first bootstrap's is adopted.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails or a row is damaged.
    pub fn open(
        view: &dyn View,
        rng: &mut Rng,
        network: Option<NetworkFile>,
        bootstrap: Vec<PeerRef>,
    ) -> Result<Self, TurnError> {
        let network = match network {
            Some(file) => Some(file),
            None => Directory::stored_network(view)?,
        };
        let directory = match &network {
            Some(file) => Some(Directory::open(view, file.clone())?),
            None => None,
        };
        // A random start, so that an answer to an earlier run of this process is not taken for one to this.
        let mut wire = Wire::new(u64::from_be_bytes(rng.bytes()), network, directory);
        for peer in bootstrap {
            wire.add_bootstrap(peer);
        }
        wire.told = wire.bootstraps.len();
        Ok(Self {
            wire,
            directories: Directories::default(),
            puts: Puts::default(),
            watches: Watches::open(view)?,
            objects: Objects::default(),
        })
    }

    /// One more address to begin at.
    pub fn add_bootstrap(&mut self, cx: &mut ClientCx<'_, '_>, peer: PeerRef) {
        self.wire.add_bootstrap(peer);
        self.directories.begin_anew();
        self.drive(cx);
    }

    /// Stores a sealed box, or goes on storing it. `bytes` are its final bytes; they are never changed.
    ///
    /// While others wait, a put that only waits itself gives its place up and is asked for again with
    /// [`ClientEvent::PutRoom`]; offer its bytes within [`limits::CALL_MS`] then. A put that ended (solid, cancelled,
    /// [`PutTrouble::ended`], proven conflict) leaves nothing behind: its key may carry other bytes at once.
    ///
    /// # Errors
    /// [`PutError`].
    pub fn put(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        key: PutKey,
        bytes: &[u8],
    ) -> Result<PutStart, PutError> {
        self.offer(cx, key, What::Box, bytes)
    }

    /// Stores an owner object, in the same way.
    ///
    /// # Errors
    /// [`PutError`].
    pub fn put_object(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        key: PutKey,
        bytes: &[u8],
    ) -> Result<PutStart, PutError> {
        self.offer(cx, key, What::Object, bytes)
    }

    fn offer(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        key: PutKey,
        what: What,
        bytes: &[u8],
    ) -> Result<PutStart, PutError> {
        let start = self.puts.offer(&self.wire, key, what, bytes);
        if start.is_ok() && self.wire.network.is_none() {
            cx.up(ClientEvent::PutProblem { put: key, why: PutTrouble::NoNetwork });
        }
        // A refused one may have left its place to another.
        self.drive(cx);
        start
    }

    /// Ends a put.
    pub fn cancel(&mut self, cx: &mut ClientCx<'_, '_>, key: PutKey) {
        self.puts.cancel(&key);
        self.drive(cx);
    }

    /// Asks for the owner object of a door in its current epoch. Answered once, with [`ClientEvent::Object`]; without a
    /// network, and while no custodian answers, the answer waits.
    pub fn get_object(&mut self, cx: &mut ClientCx<'_, '_>, key: GetKey, address: MailboxAddress) {
        self.objects.get(cx, &self.wire, key, address);
        self.drive(cx);
    }

    /// Reads a mailbox from now on. Everything that lies there and was not taken is delivered.
    ///
    /// # Errors
    /// [`WatchError`].
    pub fn watch(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        key: WatchKey,
        keys: ReaderKeys,
    ) -> Result<(), WatchError> {
        self.watches.watch(cx, &self.wire, key, keys)?;
        self.drive(cx);
        Ok(())
    }

    /// Ends a watch.
    pub fn unwatch(&mut self, cx: &mut ClientCx<'_, '_>, key: WatchKey) {
        self.watches.unwatch(&key);
        self.drive(cx);
    }

    /// A message is missing: read every epoch of this mailbox carefully.
    pub fn careful(&mut self, cx: &mut ClientCx<'_, '_>, key: WatchKey) {
        self.watches.careful(cx, &self.wire, &key);
        self.drive(cx);
    }

    /// The content of these boxes is in this turn's batch, or they are rubbish: never deliver them again.
    pub fn boxes_taken(&mut self, cx: &mut ClientCx<'_, '_>, key: WatchKey, ids: &[BoxId]) {
        self.watches.taken(cx.tx, &key, ids);
        self.drive(cx);
    }

    /// The parent had no room for these boxes and has some now: they are fetched and delivered again at the next
    /// poll, at most a minute later. Boxes that were taken or never delivered are left alone. Each costs its bytes
    /// once more, so call it when there is room, not while there is none.
    pub fn release(&mut self, cx: &mut ClientCx<'_, '_>, key: WatchKey, ids: &[BoxId]) {
        self.watches.release(cx.now.mono, &key, ids);
        self.drive(cx);
    }

    /// Every device has these boxes: delete them at the custodians. Not durable; what is not deleted expires.
    pub fn tombstone(&mut self, cx: &mut ClientCx<'_, '_>, key: WatchKey, ids: &[BoxId]) {
        self.watches.tombstone(&key, ids);
        self.drive(cx);
    }

    /// A puzzle was solved, or could not be.
    pub fn puzzle_done(&mut self, cx: &mut ClientCx<'_, '_>, id: PuzzleId, solution: Option<Solution>) {
        self.puts.puzzle_done(cx, id, solution);
        self.drive(cx);
    }

    /// A link came up. Only links to nodes matter here.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn handle_link_up(&mut self, cx: &mut ClientCx<'_, '_>, link: &LinkUp) -> Result<(), TurnError> {
        let alone = self.wire.node_links() == 0;
        // Every link is followed: its other end may become known as a node later.
        if self.wire.links.up(link.id, link.peer) && self.wire.is_node(&link.peer) {
            self.wire.peers.heard(&link.peer);
            self.directories.link_up(cx, &mut self.wire, link.peer);
            if alone {
                self.hurry();
            }
            self.stir();
        }
        self.drive(cx);
        Ok(())
    }

    /// A link is gone: what was asked over it is asked elsewhere.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn handle_link_down(&mut self, cx: &mut ClientCx<'_, '_>, link: LinkId) -> Result<(), TurnError> {
        if let Some(peer) = self.wire.links.down(link) {
            self.lost(cx, peer);
        }
        self.drive(cx);
        Ok(())
    }

    /// A node could not be dialled.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn unreachable(&mut self, cx: &mut ClientCx<'_, '_>, peer: PeerKey) -> Result<(), TurnError> {
        if self.wire.is_node(&peer) {
            self.lost(cx, peer);
        }
        self.drive(cx);
        Ok(())
    }

    fn lost(&mut self, cx: &mut ClientCx<'_, '_>, peer: PeerKey) {
        self.wire.silent(peer, cx.now);
        for gone in self.wire.lost(&peer) {
            self.failed(cx.now.mono, &gone);
        }
    }

    /// A frame of this layer came. What is not an answer to a question of ours is ignored.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn handle_frame(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        link: LinkId,
        bytes: &[u8],
    ) -> Result<(), TurnError> {
        let Some(peer) = self.wire.links.peer(link) else { return Ok(()) };
        self.wire.links.heard(link);
        match Frame::decode(bytes) {
            Ok(Frame::Reply { id, body }) => {
                if let Some(asked) = self.wire.answered(link, id) {
                    self.wire.links.received(asked.class(), bytes.len());
                    self.answered(cx, asked, body)?;
                }
            }
            Ok(Frame::Request { .. }) => {}
            Err(_) => self.wire.peers.avoid(peer, cx.now.mono),
        }
        self.watches.calendar(cx, &self.wire)?;
        self.drive(cx);
        Ok(())
    }

    fn answered(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        asked: Inflight,
        reply: Reply,
    ) -> Result<(), TurnError> {
        let Inflight { node, purpose, .. } = asked;
        let silence = self.wire.heard(&node, cx.now);
        if silence > limits::OFFLINE_MS {
            self.watches.returned(cx, &self.wire);
        }
        if silence > limits::HICCUP_MS {
            self.wire.peers.forgive_silence();
            self.hurry();
        }
        match &purpose {
            Purpose::Hello | Purpose::Descriptors(_) => {
                let learned = self.directories.answered(cx, &mut self.wire, node, &purpose, reply)?;
                if learned == Learned::Changed {
                    self.hurry();
                }
            }
            Purpose::Put { put, hash, .. } => {
                self.puts.answered(cx, &mut self.wire, (*put, *hash), node, reply);
            }
            Purpose::List { .. } => self.watches.list_answered(cx, &mut self.wire, node, &purpose, reply),
            Purpose::Get { .. } => self.watches.get_answered(cx, &mut self.wire, node, &purpose, reply),
            Purpose::Object(get) => self.objects.answered(cx, &mut self.wire, node, *get, reply),
            Purpose::Tombstone { watch, epoch } => {
                self.watches.tombstone_done(cx.now.mono, watch, *epoch, reply == Reply::Ok);
            }
        }
        self.stir();
        Ok(())
    }

    fn failed(&mut self, now: Mono, gone: &Inflight) {
        match &gone.purpose {
            Purpose::Hello | Purpose::Descriptors(_) => {}
            Purpose::Put { put, hash, .. } => self.puts.failed((*put, *hash), &gone.node),
            Purpose::List { .. } => self.watches.list_failed(now, &gone.purpose),
            Purpose::Get { .. } => self.watches.get_failed(&gone.purpose),
            Purpose::Object(get) => self.objects.failed(*get),
            Purpose::Tombstone { watch, epoch } => self.watches.tombstone_done(now, watch, *epoch, false),
        }
        self.stir();
    }

    /// There is somebody to ask again: nobody waits out a pause.
    fn hurry(&mut self) {
        self.puts.hurry();
        self.watches.hurry();
        self.objects.stirred = true;
    }

    /// Room on the wire may have come free: whoever waits for it tries again.
    fn stir(&mut self) {
        self.watches.stirred = true;
        self.objects.stirred = true;
        self.puts.stirred = true;
    }

    /// The moment of [`Client::next_timeout`] has come.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn handle_timeout(&mut self, cx: &mut ClientCx<'_, '_>) -> Result<(), TurnError> {
        for gone in self.wire.expired(cx.now.mono) {
            self.wire.silent(gone.node, cx.now);
            self.failed(cx.now.mono, &gone);
            self.hang_up(cx, &gone.node);
        }
        self.watches.calendar(cx, &self.wire)?;
        self.drive(cx);
        Ok(())
    }

    /// Closes a link that is open in name only: a carrier may not notice for a quarter of an hour that our address, or
    /// the other end, is gone. The next request dials.
    // spec: BC-28
    fn hang_up(&mut self, cx: &mut ClientCx<'_, '_>, node: &PeerKey) {
        let Some(link) = self.wire.links.silent(node, cx.now.mono, limits::LINK_SILENT_MS) else { return };
        let (to, class) = (Dest::Close(link), Class::Control);
        cx.up(ClientEvent::Transmit(Transmit { to, class, bytes: Vec::new() }));
        if let Some(peer) = self.wire.links.down(link) {
            self.lost(cx, peer);
        }
    }

    fn drive(&mut self, cx: &mut ClientCx<'_, '_>) {
        self.directories.drive(cx, &mut self.wire);
        self.puts.drive(cx, &mut self.wire);
        self.objects.drive(cx, &mut self.wire);
        self.watches.drive(cx, &mut self.wire);
    }

    /// When [`Client::handle_timeout`] wants to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        let parts = [
            self.wire.next_deadline(),
            self.objects.again_at,
            self.directories.next_timeout(&self.wire),
            self.puts.next_timeout(),
            self.watches.next_timeout(&self.wire),
        ];
        parts.into_iter().flatten().min()
    }

    /// Whether this key is a node's, as far as the directory and the bootstraps say: a link to it is ours, not a
    /// contact's.
    #[must_use]
    pub fn is_node(&self, peer: &PeerKey) -> bool {
        self.wire.is_node(peer)
    }

    /// The adopted network.
    #[must_use]
    pub fn network(&self) -> Option<&NetworkFile> {
        self.wire.network.as_ref()
    }

    /// Own clock corrected by what custodians say: what boxes and certificates are dated by.
    #[must_use]
    pub fn network_time(&self, now: Now) -> Wall {
        self.wire.time(now)
    }

    /// How things stand.
    #[must_use]
    pub fn status(&self, now: Now) -> ClientStatus {
        let time = self.wire.time(now);
        let directory = self.wire.directory.as_ref();
        let eligible = directory.map_or(0, |d| d.eligible(time).len());
        let (puts, puts_queued) = self.puts.counts();
        ClientStatus {
            network: self.wire.network.as_ref().map(|n| (n.id(), n.name.clone())),
            nodes_known: directory.map_or(0, Directory::len),
            eligible,
            small: eligible < NetworkParams::SMALL_NETWORK,
            links: self.wire.node_links(),
            reachable: self.wire.reachable(now),
            clock_offset_ms: self.wire.peers.offset(),
            avoided: self.wire.peers.avoided_count(now.mono),
            puts,
            puts_queued,
            watches: self.watches.all.len(),
            careful_owed: self.watches.careful_owed(),
            inflight: self.wire.inflight_count(),
            bytes: self.wire.links.bytes(),
        }
    }
}
