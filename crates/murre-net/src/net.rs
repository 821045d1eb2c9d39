//! Starting and holding the network.

use crate::addr::{Parts, peer_key};
use crate::board::{NetStats, Shared};
use crate::carrier::Carrier;
use crate::error::NetError;
use crate::limits;
use crate::task::{Behaviour, Listener, Task};
use futures::StreamExt;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::transport::TransportError;
use libp2p::identity::{Keypair, ed25519};
use libp2p::swarm::SwarmEvent;
use libp2p::{Swarm, SwarmBuilder, noise, quic, tcp, yamux};
use murre_core::id::PeerKey;
use murre_core::{Addr, Input, LinkKind, Transmit};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What the network is started with. No `Debug`: it holds a secret.
pub struct NetConfig {
    /// Ed25519 secret of the transport handshake. Throw-away for a device, kept for a node.
    pub key: [u8; 32],
    /// Where to listen, as multiaddrs; port 0 lets the system choose. May be empty: then we only dial.
    pub listen: Vec<Addr>,
}

/// Where the network is started.
pub struct Net;

impl Net {
    /// Binds every listen address, then starts the swarm on the current tokio runtime.
    ///
    /// The receiver gets everything the machine must know, [`Input::Listening`] among the first. It is bounded:
    /// while it is full, no socket is read.
    ///
    /// # Errors
    /// Which address was refused and why; nothing stays bound.
    pub async fn start(config: NetConfig) -> Result<(NetHandle, mpsc::Receiver<Input>), NetError> {
        let listen = check(&config.listen)?;
        let keypair = keypair(config.key)?;
        let own = peer_key(&keypair.public().to_peer_id()).ok_or_else(|| transport("not an Ed25519 key"))?;
        let shared = Arc::new(Shared::new(own));
        let (to_machine, input) = mpsc::channel(limits::INPUT_QUEUE);
        let mut task = Task::new(swarm(keypair)?, Arc::clone(&shared), to_machine);
        for (asked, parts) in listen {
            bind(&mut task, asked, &parts)?;
        }
        while let Some(waiting) = task.listeners.iter().find(|listener| listener.bound.is_empty()) {
            let late = NetError::ListenTimeout { addr: waiting.asked.clone() };
            let event =
                timeout(limits::LISTEN_TIMEOUT, task.swarm.select_next_some()).await.map_err(|_| late)?;
            if let Some(error) = refused(&task.listeners, &event) {
                return Err(error);
            }
            task.on_swarm(event);
        }
        let (alive, handles) = mpsc::channel(1);
        tokio::spawn(task.run(handles));
        Ok((NetHandle { shared, alive }, input))
    }
}

/// A hold on the running network. It ends when all holds are dropped, when [`NetHandle::close`] is called, or when
/// the receiver of inputs is dropped.
#[derive(Clone)]
pub struct NetHandle {
    shared: Arc<Shared>,
    alive: mpsc::Sender<Infallible>,
}

/// Not what is queued: frames are content, and content is never printed.
impl fmt::Debug for NetHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetHandle").field("own", &self.peer_key()).finish_non_exhaustive()
    }
}

impl NetHandle {
    /// Takes one transmit. Never waits and never fails: what cannot be sent is answered with an input
    /// (`LinkDown`, `Unreachable`), and a frame for a link that is down is dropped.
    pub fn send(&self, transmit: Transmit) {
        self.shared.send(transmit);
    }

    /// Where we listen now, each address with `/p2p/` and our key.
    #[must_use]
    pub fn listeners(&self) -> Vec<Addr> {
        self.shared.listening()
    }

    /// Our own key in every handshake.
    #[must_use]
    pub fn peer_key(&self) -> PeerKey {
        self.shared.own()
    }

    /// Counters for `doctor`.
    #[must_use]
    pub fn stats(&self) -> NetStats {
        self.shared.stats()
    }

    /// Stops listening, flushes and closes every link, and returns when the network is gone: at once if nothing is
    /// queued, within twice [`limits::CLOSE_TIMEOUT`] in any case.
    pub async fn close(&self) {
        self.shared.close_all();
        self.alive.closed().await;
    }
}

/// Reads all listen addresses before anything is bound.
fn check(listen: &[Addr]) -> Result<Vec<(Addr, Parts)>, NetError> {
    if listen.len() > limits::MAX_LISTEN {
        return Err(NetError::TooManyAddrs { count: listen.len() });
    }
    let read = |addr: &Addr| match Parts::read(&addr.0) {
        Ok(parts) => Ok((addr.clone(), parts)),
        Err(why) => Err(NetError::BadAddr { addr: addr.clone(), why }),
    };
    listen.iter().map(read).collect()
}

fn keypair(mut key: [u8; 32]) -> Result<Keypair, NetError> {
    // Takes the bytes and clears them.
    let secret = ed25519::SecretKey::try_from_bytes(&mut key).map_err(transport)?;
    Ok(ed25519::Keypair::from(secret).into())
}

fn transport(why: impl ToString) -> NetError {
    NetError::Transport { why: why.to_string() }
}

fn swarm(keypair: Keypair) -> Result<Swarm<Behaviour>, NetError> {
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits::MAX_HANDSHAKES))
        .with_max_pending_outgoing(Some(limits::MAX_DIALS as u32))
        .with_max_established_incoming(Some(limits::MAX_INBOUND))
        .with_max_established(Some(limits::MAX_LINKS))
        .with_max_established_per_peer(Some(limits::MAX_PER_PEER));
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, one_stream_yamux)
        .map_err(transport)?
        .with_quic_config(one_stream_quic)
        .with_behaviour(|_| Behaviour {
            limits: connection_limits::Behaviour::new(limits),
            carrier: Carrier::new(),
        })
        .map_err(transport)?
        .with_swarm_config(|config| {
            config
                .with_idle_connection_timeout(limits::IDLE_TIMEOUT)
                .with_max_negotiating_inbound_streams(MAX_STREAMS)
        })
        .with_connection_timeout(limits::DIAL_TIMEOUT)
        .build();
    Ok(swarm)
}

/// Streams one peer may hold in negotiation: one is used, the others are on their way to being refused.
const MAX_STREAMS: usize = 4;

fn one_stream_yamux() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    config
}

/// Windows sized for one stream of frames: what a peer may send before our machine has taken anything.
fn one_stream_quic(mut config: quic::Config) -> quic::Config {
    config.handshake_timeout = limits::DIAL_TIMEOUT;
    config.max_concurrent_stream_limit = MAX_STREAMS as u32;
    config.max_stream_data = 2 << 20;
    config.max_connection_data = 3 << 20;
    config.keep_alive_interval = Duration::from_secs(10);
    config.max_idle_timeout = 30_000;
    config
}

fn bind(task: &mut Task, asked: Addr, parts: &Parts) -> Result<(), NetError> {
    probe(parts).map_err(|source| listen_error(&asked, source))?;
    let id = task.swarm.listen_on(parts.bare.clone()).map_err(|error| match error {
        TransportError::Other(source) => listen_error(&asked, source),
        TransportError::MultiaddrNotSupported(_) => {
            NetError::BadAddr { addr: asked.clone(), why: crate::addr::AddrError::Unsupported }
        }
    })?;
    task.listeners.push(Listener { id, asked, bound: Vec::new() });
    Ok(())
}

/// Asks the system for the address with plain sockets, and gives it back.
///
/// The TCP transport binds with `SO_REUSEPORT`, by which two of our own processes would share a port in silence; and
/// the transports wrap what the system said until "in use" cannot be told from anything else.
fn probe(parts: &Parts) -> io::Result<()> {
    let addr = SocketAddr::new(parts.ip, parts.port);
    match parts.kind {
        LinkKind::Tcp => TcpListener::bind(addr).map(drop),
        LinkKind::Quic | LinkKind::Virtual => UdpSocket::bind(addr).map(drop),
    }
}

fn listen_error(asked: &Addr, source: io::Error) -> NetError {
    let addr = asked.clone();
    match source.kind() {
        io::ErrorKind::AddrInUse => NetError::AddrInUse { addr },
        _ => NetError::Listen { addr, source },
    }
}

/// Whether this event says that a listener failed.
fn refused<E>(listeners: &[Listener], event: &SwarmEvent<E>) -> Option<NetError> {
    let (id, source) = match event {
        SwarmEvent::ListenerClosed { listener_id, reason, .. } => match reason {
            Ok(()) => (listener_id, io::ErrorKind::ConnectionAborted.into()),
            Err(error) => (listener_id, io::Error::new(error.kind(), error.to_string())),
        },
        SwarmEvent::ListenerError { listener_id, error } => {
            (listener_id, io::Error::new(error.kind(), error.to_string()))
        }
        _ => return None,
    };
    let asked = &listeners.iter().find(|listener| listener.id == *id)?.asked;
    Some(listen_error(asked, source))
}
