//! What the handle, the swarm task and the link tasks know together.
//!
//! [`Shared::send`] is called from the machine's thread and must not wait, so everything it decides (which link,
//! which dial, which queue) is decided here under one short lock. Frames never pass through the swarm task.

use crate::limits::{MAX_DIAL_FRAMES, MAX_DIAL_QUEUE, MAX_DIALS};
use crate::queue::{Outgoing, Queued};
use murre_core::id::PeerKey;
use murre_core::link::MAX_FRAME;
use murre_core::{Addr, Class, Dest, LinkCaps, LinkId, LinkKind, LinkUp, PeerRef, Transmit};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Counters since start, for `doctor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetStats {
    /// Links that are up.
    pub links: u64,
    /// Peers being dialled.
    pub dials: u64,
    /// Bytes of frames written, by class: control, mailbox, message, repair.
    pub bytes_out: [u64; 4],
    /// Bytes of frames read.
    pub bytes_in: u64,
    /// Inbound connections turned away by a limit, a rate or a failed handshake.
    pub refused: u64,
    /// Links cut because the other end did not read.
    pub too_slow: u64,
    /// Frames dropped because a dial's queue was full, a link was gone or a frame had no legal length.
    pub dropped: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub bytes_out: [AtomicU64; 4],
    pub bytes_in: AtomicU64,
    pub refused: AtomicU64,
    pub too_slow: AtomicU64,
    pub dropped: AtomicU64,
}

impl Counters {
    pub(crate) fn wrote(&self, class: Class, bytes: usize) {
        let [control, mailbox, message, repair] = &self.bytes_out;
        let counter = match class {
            Class::Control => control,
            Class::Mailbox => mailbox,
            Class::Message => message,
            Class::Repair => repair,
        };
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Work for the swarm task.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Dial these.
    pub dial: Vec<PeerRef>,
    /// Tell the machine that these cannot be reached.
    pub unreachable: Vec<PeerKey>,
    /// Close everything and end.
    pub closing: bool,
}

#[derive(Default)]
struct Dial {
    waiting: VecDeque<Queued>,
    bytes: usize,
}

#[derive(Default)]
struct Board {
    links: BTreeMap<LinkId, (PeerKey, Arc<Outgoing>)>,
    by_peer: BTreeMap<PeerKey, BTreeSet<LinkId>>,
    dials: BTreeMap<PeerKey, Dial>,
    work: Work,
    listening: Vec<Addr>,
    last_link: u64,
}

impl Board {
    /// The newest link with this peer that still takes frames: after a silent break the newest is the living one.
    fn open_link(&self, peer: &PeerKey) -> Option<Arc<Outgoing>> {
        let ids = self.by_peer.get(peer)?;
        let open = |id| self.links.get(id).filter(|(_, out)| out.is_open());
        ids.iter().rev().find_map(open).map(|(_, out)| Arc::clone(out))
    }
}

/// The board, its bell and its counters.
pub(crate) struct Shared {
    own: PeerKey,
    board: Mutex<Board>,
    bell: Notify,
    pub counters: Counters,
}

impl Shared {
    pub(crate) fn new(own: PeerKey) -> Self {
        Self { own, board: Mutex::default(), bell: Notify::new(), counters: Counters::default() }
    }

    pub(crate) fn own(&self) -> PeerKey {
        self.own
    }

    /// Takes one transmit. Never waits.
    pub(crate) fn send(&self, transmit: Transmit) {
        let Transmit { to, class, bytes } = transmit;
        let legal = (1..=MAX_FRAME).contains(&bytes.len());
        let frame = Queued { class, bytes };
        let taken = match to {
            Dest::Close(link) => {
                self.close_link(link);
                true
            }
            // Sent anyway it would cost us the link: the other end takes it for an attack.
            _ if !legal => {
                tracing::error!(len = frame.bytes.len(), "a frame of illegal length was not sent");
                false
            }
            Dest::Link(link) => {
                let out = self.lock().links.get(&link).map(|(_, out)| Arc::clone(out));
                out.is_some_and(|out| out.push(frame).is_ok())
            }
            Dest::Peer(peer) => self.send_to_peer(peer, frame),
        };
        if !taken {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn close_link(&self, link: LinkId) {
        if let Some((_, out)) = self.lock().links.get(&link) {
            out.close();
        }
    }

    fn send_to_peer(&self, peer: PeerRef, frame: Queued) -> bool {
        let mut board = self.lock();
        let frame = match board.open_link(&peer.key) {
            Some(out) => match out.push(frame) {
                Ok(()) => return true,
                Err(frame) => frame,
            },
            None => frame,
        };
        if let Some(dial) = board.dials.get_mut(&peer.key) {
            let fits =
                dial.waiting.len() < MAX_DIAL_FRAMES && dial.bytes + frame.bytes.len() <= MAX_DIAL_QUEUE;
            if fits {
                dial.bytes += frame.bytes.len();
                dial.waiting.push_back(frame);
            }
            return fits;
        }
        let room = board.dials.len() < MAX_DIALS;
        if room {
            let bytes = frame.bytes.len();
            board.dials.insert(peer.key, Dial { waiting: VecDeque::from([frame]), bytes });
            board.work.dial.push(peer);
        } else if !board.work.unreachable.contains(&peer.key) {
            board.work.unreachable.push(peer.key);
        }
        drop(board);
        self.bell.notify_one();
        room
    }

    /// A stream became a link: names it, gives it what waited for this peer, and lists it.
    pub(crate) fn link_up(&self, peer: PeerKey, kind: LinkKind, dialed: bool) -> (LinkUp, Arc<Outgoing>) {
        let mut board = self.lock();
        board.last_link += 1;
        let id = LinkId(board.last_link);
        // A link the other end opened serves what waits for our own dial as well.
        let waiting = match board.dials.get_mut(&peer) {
            Some(dial) => {
                dial.bytes = 0;
                std::mem::take(&mut dial.waiting)
            }
            None => VecDeque::new(),
        };
        if dialed {
            board.dials.remove(&peer);
        }
        let out = Arc::new(Outgoing::new(waiting));
        if board.work.closing {
            out.close();
        }
        board.links.insert(id, (peer, Arc::clone(&out)));
        board.by_peer.entry(peer).or_default().insert(id);
        let caps = LinkCaps { mtu: MAX_FRAME, ordered: true, reliable: true, metered: false };
        (LinkUp { id, kind, caps, peer, own: self.own, dialed }, out)
    }

    /// A link is over: nothing is queued for it any more.
    pub(crate) fn link_down(&self, id: LinkId) {
        let mut board = self.lock();
        let Some((peer, _)) = board.links.remove(&id) else { return };
        if let Some(ids) = board.by_peer.get_mut(&peer) {
            ids.remove(&id);
            if ids.is_empty() {
                board.by_peer.remove(&peer);
            }
        }
    }

    /// A dial came to nothing. True if frames were lost, which the machine must be told.
    pub(crate) fn dial_failed(&self, peer: &PeerKey) -> bool {
        self.lock().dials.remove(peer).is_some_and(|dial| !dial.waiting.is_empty())
    }

    pub(crate) fn close_all(&self) {
        let mut board = self.lock();
        board.work.closing = true;
        for (_, out) in board.links.values() {
            out.close();
        }
        drop(board);
        self.bell.notify_one();
    }

    /// What there is to do since the last call.
    pub(crate) fn take_work(&self) -> Work {
        let mut board = self.lock();
        let closing = board.work.closing;
        std::mem::replace(&mut board.work, Work { closing, ..Work::default() })
    }

    /// Waits for work.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    pub(crate) fn listening(&self) -> Vec<Addr> {
        self.lock().listening.clone()
    }

    /// Notes where we listen now. True if that is news.
    pub(crate) fn set_listening(&self, addrs: &[Addr]) -> bool {
        let mut board = self.lock();
        let news = board.listening != addrs;
        board.listening = addrs.to_vec();
        news
    }

    pub(crate) fn stats(&self) -> NetStats {
        let board = self.lock();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        NetStats {
            links: board.links.len() as u64,
            dials: board.dials.len() as u64,
            bytes_out: counters.bytes_out.each_ref().map(read),
            bytes_in: read(&counters.bytes_in),
            refused: read(&counters.refused),
            too_slow: read(&counters.too_slow),
            dropped: read(&counters.dropped),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // Every change under the lock is complete before anything that could panic.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
