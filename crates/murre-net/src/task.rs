//! The swarm task: starts dials, turns streams into link tasks, tells the machine where we listen and whom we could
//! not reach. It decides nothing, reads no frame and never waits for the machine.

use crate::addr::{Parts, addr_with_peer, peer_id, peer_key};
use crate::board::Shared;
use crate::carrier::{Carried, Carrier, Outcome};
use crate::limits::{CLOSE_TIMEOUT, DIAL_TIMEOUT};
use crate::link::Link;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use libp2p::connection_limits;
use libp2p::core::Multiaddr;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, ListenError, NetworkBehaviour, Swarm, SwarmEvent};
use murre_core::id::PeerKey;
use murre_core::{Addr, Input, PeerRef};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Everything a connection goes through.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub limits: connection_limits::Behaviour,
    pub carrier: Carrier,
}

/// One listen address as asked for, and what came of it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub id: ListenerId,
    pub asked: Addr,
    pub bound: Vec<Multiaddr>,
}

/// The swarm and what is under way in it.
pub(crate) struct Task {
    pub swarm: Swarm<Behaviour>,
    pub shared: Arc<Shared>,
    pub input: mpsc::Sender<Input>,
    pub listeners: Vec<Listener>,
    links: JoinSet<ConnectionId>,
    dialing: BTreeMap<ConnectionId, PeerKey>,
    deadlines: FuturesUnordered<BoxFuture<'static, ConnectionId>>,
    facts: VecDeque<Input>,
}

impl Task {
    pub(crate) fn new(swarm: Swarm<Behaviour>, shared: Arc<Shared>, input: mpsc::Sender<Input>) -> Self {
        Self {
            swarm,
            shared,
            input,
            listeners: Vec::new(),
            links: JoinSet::new(),
            dialing: BTreeMap::new(),
            deadlines: FuturesUnordered::new(),
            facts: VecDeque::new(),
        }
    }

    /// Runs until every handle is dropped, the machine stops listening to its inputs, or we are told to close.
    pub(crate) async fn run(mut self, mut handles: mpsc::Receiver<Infallible>) {
        let shared = Arc::clone(&self.shared);
        let input = self.input.clone();
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm(event),
                () = shared.rung() => {
                    if self.on_work() {
                        break;
                    }
                }
                Some(ended) = self.links.join_next() => self.on_link_end(ended.ok()),
                Some(connection) = self.deadlines.next() => self.on_deadline(connection),
                room = input.reserve(), if !self.facts.is_empty() => {
                    if let (Ok(room), Some(fact)) = (room, self.facts.pop_front()) {
                        room.send(fact);
                    }
                }
                () = input.closed() => break,
                _ = handles.recv() => break,
            }
        }
        self.close().await;
    }

    /// Lets the links flush, but not for ever.
    async fn close(mut self) {
        self.shared.close_all();
        for listener in std::mem::take(&mut self.listeners) {
            self.swarm.remove_listener(listener.id);
        }
        let end = tokio::time::sleep(2 * CLOSE_TIMEOUT);
        tokio::pin!(end);
        while !self.links.is_empty() {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm(event),
                Some(ended) = self.links.join_next() => self.on_link_end(ended.ok()),
                () = &mut end => return,
            }
        }
    }

    /// One event of the swarm.
    pub(crate) fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Carrier(carried)) => self.on_carried(carried),
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                tracing::debug!(why = dial_error(&error), "dial failed");
                self.on_dial_failed(connection_id);
            }
            // Closed before its stream was open; a link that was open is told by its own task.
            SwarmEvent::ConnectionClosed { connection_id, .. } => self.on_dial_failed(connection_id),
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(why = listen_error(&error), "inbound connection refused");
                self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                if let Some(listener) = self.listener(listener_id) {
                    listener.bound.push(address);
                }
                self.tell_listening();
            }
            SwarmEvent::ExpiredListenAddr { listener_id, address } => {
                if let Some(listener) = self.listener(listener_id) {
                    listener.bound.retain(|bound| *bound != address);
                }
                self.tell_listening();
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => {
                if let Some(listener) = self.listener(listener_id) {
                    listener.bound.clear();
                }
                self.tell_listening();
            }
            _ => {}
        }
    }

    fn listener(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.listeners.iter_mut().find(|listener| listener.id == id)
    }

    /// Tells the machine where we listen, once every asked address is bound.
    fn tell_listening(&mut self) {
        if self.listeners.iter().any(|listener| listener.bound.is_empty())
            && self.shared.listening().is_empty()
        {
            return;
        }
        let own = self.shared.own();
        let bound = self.listeners.iter().flat_map(|listener| &listener.bound);
        let addrs: Vec<Addr> = bound.map(|addr| addr_with_peer(&Addr(addr.to_string()), &own)).collect();
        if self.shared.set_listening(&addrs) {
            self.facts.retain(|fact| !matches!(fact, Input::Listening { .. }));
            self.facts.push_back(Input::Listening { own, addrs });
        }
    }

    fn on_carried(&mut self, carried: Carried) {
        let Carried { connection, peer, outcome } = carried;
        let Outcome::Opened { stream, kind, dialed } = outcome else {
            self.on_dial_failed(connection);
            self.swarm.close_connection(connection);
            return;
        };
        let Some(key) = peer_key(&peer) else {
            self.swarm.close_connection(connection);
            return;
        };
        self.dialing.remove(&connection);
        let (up, out) = self.shared.link_up(key, kind, dialed);
        let link = Link { shared: Arc::clone(&self.shared), out, input: self.input.clone() };
        self.links.spawn(link.run(up, stream).map(move |()| connection));
    }

    fn on_link_end(&mut self, connection: Option<ConnectionId>) {
        // Without an id the task was torn down; its stream went with it, and the idle connection follows.
        if let Some(connection) = connection {
            self.swarm.close_connection(connection);
        }
    }

    /// Work that other threads left on the board. True if it is to close.
    fn on_work(&mut self) -> bool {
        let work = self.shared.take_work();
        for peer in work.unreachable {
            self.tell_unreachable(peer);
        }
        for peer in work.dial {
            self.dial(&peer);
        }
        work.closing
    }

    fn dial(&mut self, peer: &PeerRef) {
        let Some(opts) = dial_opts(peer) else {
            self.fail(peer.key);
            return;
        };
        let connection = opts.connection_id();
        if let Err(error) = self.swarm.dial(opts) {
            tracing::debug!(why = dial_error(&error), "dial refused");
            self.fail(peer.key);
            return;
        }
        self.dialing.insert(connection, peer.key);
        self.deadlines.push(tokio::time::sleep(DIAL_TIMEOUT).map(move |()| connection).boxed());
    }

    fn on_deadline(&mut self, connection: ConnectionId) {
        if self.dialing.contains_key(&connection) {
            self.on_dial_failed(connection);
            self.swarm.close_connection(connection);
        }
    }

    fn on_dial_failed(&mut self, connection: ConnectionId) {
        if let Some(peer) = self.dialing.remove(&connection) {
            self.fail(peer);
        }
    }

    fn fail(&mut self, peer: PeerKey) {
        if self.shared.dial_failed(&peer) {
            self.tell_unreachable(peer);
        }
    }

    fn tell_unreachable(&mut self, peer: PeerKey) {
        // Told once however often it failed while the machine was busy: bounded by the peers that it named.
        let fact = Input::Unreachable { peer };
        if !self.facts.contains(&fact) {
            self.facts.push_back(fact);
        }
    }
}

/// What went wrong, without the addresses and names that the error itself would print into a log.
fn dial_error(error: &DialError) -> &'static str {
    match error {
        DialError::LocalPeerId { .. } => "that is ourselves",
        DialError::NoAddresses => "no address",
        DialError::DialPeerConditionFalse(_) => "condition",
        DialError::Aborted => "aborted",
        DialError::WrongPeerId { .. } => "another key answered",
        DialError::Denied { .. } => "too many connections",
        DialError::Transport(_) => "no address answered",
    }
}

/// The same for a connection that somebody else opened.
fn listen_error(error: &ListenError) -> &'static str {
    match error {
        ListenError::Aborted => "aborted",
        ListenError::WrongPeerId { .. } | ListenError::LocalPeerId { .. } => "wrong key",
        ListenError::Denied { .. } => "too many connections",
        ListenError::Transport(_) => "handshake failed",
    }
}

/// All addresses of a peer that we can dial, all at once; the first that answers with the right key wins.
fn dial_opts(peer: &PeerRef) -> Option<DialOpts> {
    let id = peer_id(&peer.key)?;
    let addrs: Vec<Multiaddr> = peer
        .addrs
        .iter()
        .take(murre_core::link::MAX_ADDRS)
        .filter_map(|addr| Parts::read(&addr.0).ok())
        .filter(|parts| parts.key.is_none_or(|key| key == peer.key))
        .map(|parts| parts.bare)
        .collect();
    if addrs.is_empty() {
        return None;
    }
    // A new port for each: a reused one would tell two peers that we are the same caller.
    Some(DialOpts::peer_id(id).condition(PeerCondition::Always).addresses(addrs).allocate_new_port().build())
}
