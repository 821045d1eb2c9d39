//! The only protocol spoken on a connection: one stream, opened by the dialer, for as long as the link lives.
//!
//! ```text
//! dialer                                   acceptor
//!   | connection (TCP+Noise+Yamux, QUIC)      |   gate and limits are asked before the handshake
//!   |---------------------------------------->|
//!   | stream /murre/link/1                    |   the first one is the link, any other is reset
//!   |---------------------------------------->|
//! ```
//! No identify, no ping: a peer learns our throw-away key and our address, and nothing else. Streams are handed out
//! by connection and not by peer, because two links with one peer are two links.

use crate::addr::Parts;
use crate::gate::Gate;
use crate::limits::DIAL_TIMEOUT;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    SubstreamProtocol, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, Stream, StreamProtocol};
use murre_core::LinkKind;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Instant;

/// Name and version of the framing on a link's stream.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/murre/link/1");

/// A stream became a link, or the connection will never have one.
#[derive(Debug)]
pub(crate) struct Carried {
    pub connection: ConnectionId,
    pub peer: PeerId,
    pub outcome: Outcome,
}

/// What became of a connection.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The link's stream.
    Opened { stream: Stream, kind: LinkKind, dialed: bool },
    /// The other end refused the stream.
    Refused,
}

/// Too many inbound connections in too short a time.
#[derive(Debug, thiserror::Error)]
#[error("too many inbound connections per second")]
struct TooFast;

/// Gives each connection its handler and each arriving connection its turn at the gate.
pub(crate) struct Carrier {
    gate: Gate,
    ready: VecDeque<Carried>,
}

impl Carrier {
    pub(crate) fn new() -> Self {
        Self { gate: Gate::new(Instant::now()), ready: VecDeque::new() }
    }
}

impl NetworkBehaviour for Carrier {
    type ConnectionHandler = Handler;
    type ToSwarm = Carried;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let from = Parts::of(remote).ok().map(|parts| parts.ip);
        if self.gate.admit(from, Instant::now()) { Ok(()) } else { Err(ConnectionDenied::new(TooFast)) }
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(false, local))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(true, remote))
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        outcome: THandlerOutEvent<Self>,
    ) {
        self.ready.push_back(Carried { connection, peer, outcome });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Carried, THandlerInEvent<Self>>> {
        // Filled only from within the swarm's own poll, which comes back here: no waker is needed.
        match self.ready.pop_front() {
            Some(carried) => Poll::Ready(ToSwarm::GenerateEvent(carried)),
            None => Poll::Pending,
        }
    }
}

/// Waits for the one stream of one connection.
pub(crate) struct Handler {
    dialed: bool,
    kind: LinkKind,
    asked: bool,
    done: bool,
    outcome: Option<Outcome>,
}

impl Handler {
    fn new(dialed: bool, addr: &Multiaddr) -> Self {
        let kind = Parts::of(addr).map_or(LinkKind::Tcp, |parts| parts.kind);
        Self { dialed, kind, asked: false, done: false, outcome: None }
    }

    /// The first stream in the right direction is the link. Dropping any other resets it.
    fn take(&mut self, stream: Stream, outbound: bool) {
        if outbound == self.dialed && !self.done {
            self.done = true;
            self.outcome = Some(Outcome::Opened { stream, kind: self.kind, dialed: self.dialed });
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Outcome;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Outcome>> {
        if let Some(outcome) = self.outcome.take() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(outcome));
        }
        if self.dialed && !self.asked {
            self.asked = true;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ()).with_timeout(DIAL_TIMEOUT);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>) {
        match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                self.take(protocol, true);
            }
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                self.take(protocol, false);
            }
            ConnectionEvent::DialUpgradeError(_) => self.outcome = Some(Outcome::Refused),
            _ => {}
        }
    }
}
