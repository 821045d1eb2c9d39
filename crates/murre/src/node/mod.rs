//! Running a node: a custodian over a plain store, and its network.
//!
//! ```text
//! DIR/               0700
//!  |_ lock           held while a process uses the directory
//!  |_ node.key       the node's identity, readable by its owner
//!  |_ boxes.db       other people's sealed boxes: nothing here that this node could open
//!  |_ log/           up to five files of 1 MiB: what it did, without content, ids or addresses
//!  |_ reserve        zeros: room for a full disk
//! ```

pub mod capacity;
mod error;
mod kept;
pub mod metrics;
mod room;
#[cfg(test)]
mod tests;

pub use error::NodeError;
pub use metrics::MetricsConfig;

use crate::driver::{AskError, Driver, Opener, Parts, StartError, StopReason};
use crate::home::{Lock, names, node_files};
use crate::machines::NodeNotice;
use crate::record::{self, Recording};
use kept::Kept;
use murre_core::{Addr, Now, PeerRef, Transmit, View};
use murre_crypto::{NodeKey, Secret};
use murre_custodian::{Answer, Command, Config, Custodian, NodeStatus, OpenError};
use murre_mailbox::{Directory, NetworkFile};
use murre_net::{AddrError, Net, NetConfig, NetHandle};
use room::NodeStore;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// Longest network file that is read, bytes.
const MAX_NETWORK_FILE: u64 = 64 << 10;
/// Longest wait for a node that is to finish what is under way: what the machine takes at most, and some.
const DRAIN_LIMIT: Duration = Duration::from_millis(murre_custodian::limits::DRAIN_MS + 5_000);
/// Which network a node belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkChoice {
    /// A network without ageing, anchors and diversity, for one machine or one desk.
    Devnet,
    /// The one that this file describes.
    File(PathBuf),
    /// The one its store belongs to already.
    Stored,
}

/// What a node is run with.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its directory. Made if it does not exist.
    pub store: PathBuf,
    /// Its network.
    pub network: NetworkChoice,
    /// Where to listen, as multiaddrs. Empty: on a free loopback port in a devnet, else on port 4001 everywhere.
    pub listen: Vec<String>,
    /// Addresses to show beside those, such as that of a forwarded port.
    pub public: Vec<String>,
    /// Nodes to begin with, as multiaddrs that end in `/p2p/...`.
    pub bootstrap: Vec<String>,
    /// Bytes it may hold; without a number [`capacity::derived`] from the free disk at start.
    pub capacity: Option<u64>,
    /// Where its numbers are to be had; nowhere if not said.
    pub metrics: Option<MetricsConfig>,
    /// A file that gets every frame that arrives, for an audit. It must not exist yet, and grows without bound.
    pub record_frames: Option<PathBuf>,
}

impl NodeConfig {
    /// A devnet node on a free loopback port.
    #[must_use]
    pub fn devnet(store: PathBuf) -> Self {
        Self {
            store,
            network: NetworkChoice::Devnet,
            listen: Vec::new(),
            public: Vec::new(),
            bootstrap: Vec::new(),
            capacity: None,
            metrics: None,
            record_frames: None,
        }
    }
}

/// Where a running node can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReady {
    /// Its peer id in base58.
    pub peer: String,
    /// Addresses it listens on, each with `/p2p/...`: any of them serves as a bootstrap.
    pub listen: Vec<String>,
    /// Bytes it may hold.
    pub capacity: u64,
    /// Where its numbers are to be had.
    pub metrics: Option<SocketAddr>,
}

/// A running node. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct NodeHandle {
    ready: NodeReady,
    driver: Driver<Custodian>,
    net: NetHandle,
    recording: Option<Recording>,
    kept: Kept,
    drained: watch::Receiver<Option<usize>>,
    metrics: Option<metrics::Serving>,
}

impl NodeHandle {
    /// Where it can be found.
    #[must_use]
    pub const fn ready(&self) -> &NodeReady {
        &self.ready
    }

    /// The node in numbers.
    ///
    /// # Errors
    /// [`AskError`] if it has stopped or its store fails.
    pub async fn status(&self) -> Result<NodeStatus, AskError> {
        match self.driver.ask(Command::Status).await? {
            Answer::Status(status) => Ok(status),
            Answer::Done | Answer::WrongSolution => Err(AskError::Environment),
        }
    }

    /// Begins nothing new and finishes what is under way, within ten seconds. Answers with what was left; nothing if the
    /// node did not say. Then shut it down.
    // spec: K-45
    pub async fn drain(&self) -> Option<usize> {
        self.kept.leave();
        match self.driver.ask(Command::Drain).await {
            Err(AskError::Stopped) => return None,
            // After a failure of the store the machine is opened anew, and leaves as well.
            Ok(_) | Err(AskError::Environment | AskError::DiskFull) => {}
        }
        let mut drained = self.drained.clone();
        let said = drained.wait_for(Option::is_some);
        tokio::time::timeout(DRAIN_LIMIT, said).await.ok()?.ok().and_then(|left| *left)
    }

    /// Waits until the node has stopped by itself, and says why.
    pub async fn stopped(&self) -> StopReason {
        let unrecorded = async {
            match &self.recording {
                Some(recording) => recording.failed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            reason = self.driver.stopped() => reason,
            last = unrecorded => StopReason::Failing { failures: 1, last },
        }
    }

    /// Stops it: what was handed in is finished, links are flushed.
    pub async fn shutdown(self) {
        if let Some(metrics) = self.metrics {
            metrics.stop().await;
        }
        self.driver.stop().await;
        self.net.close().await;
    }
}

/// Runs a node until its handle is shut down. Call it inside a tokio runtime.
///
/// # Errors
/// [`NodeError`]; nothing is left running.
pub async fn run(config: NodeConfig) -> Result<NodeHandle, NodeError> {
    if let Some(asked) = config.capacity.filter(|asked| *asked < capacity::LEAST) {
        return Err(NodeError::Capacity { asked });
    }
    let life = config.metrics.map_or(metrics::PAGE_LIFE, |metrics| metrics.life);
    let listener = match config.metrics {
        Some(config) => Some(metrics::bind(config).await?),
        None => None,
    };
    let network = read_network(&config.network, &config.store)?;
    let bootstrap = config
        .bootstrap
        .iter()
        .map(|text| murre_net::parse_peer(text).map_err(bad_addr(text)))
        .collect::<Result<Vec<_>, _>>()?;
    let public = config
        .public
        .iter()
        .map(|text| Ok(murre_net::parse_addr(text).map_err(bad_addr(text))?.addr))
        .collect::<Result<Vec<_>, NodeError>>()?;
    let listen = match (config.listen.is_empty(), network == NetworkFile::devnet()) {
        (false, _) => config.listen,
        (true, true) => vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        (true, false) => vec!["/ip4/0.0.0.0/tcp/4001".to_owned(), "/ip4/0.0.0.0/udp/4001/quic-v1".to_owned()],
    };
    let dir = config.store;
    let opened = tokio::task::spawn_blocking(move || open_dir(&dir, config.capacity)).await;
    let Opened { lock, key, store, capacity } = opened.map_err(|_| NodeError::Thread)??;
    let record = config.record_frames.map(create_record).transpose()?;

    let listen = listen.into_iter().map(Addr).collect();
    let (net, inputs) = Net::start(NetConfig { key: *key, listen }).await?;
    let (inputs, recording) = match record {
        None => (inputs, None),
        Some(file) => {
            let (inputs, recording) = record::tee(file, inputs).map_err(|_| NodeError::Thread)?;
            (inputs, Some(recording))
        }
    };
    let carrier = net.clone();
    let (tell_drained, drained) = watch::channel(None);
    let kept = Kept::default();
    let learned = kept.clone();
    let parts = Parts::<Custodian, _, _> {
        store,
        opener: OpenNode { key, network, addrs: public, bootstrap, disk: capacity, kept: kept.clone() },
        inputs,
        transmit: Box::new(move |transmit: Transmit| carrier.send(transmit)),
        notice: Box::new(move |notice: NodeNotice| match notice {
            NodeNotice::Drained(left) => {
                tracing::info!(left, "nothing is under way any more");
                let _ = tell_drained.send(Some(left));
            }
            NodeNotice::Room(there_is) => {
                tracing::warn!(there_is, "room to write on the disk");
                learned.room(there_is);
            }
            NodeNotice::Ready => tracing::info!("the node takes part"),
            NodeNotice::Nodes(nodes) => tracing::info!(nodes, "the directory changed"),
        }),
        counter: None,
        hold: Box::new(lock),
    };
    let driver = Driver::start(parts).await.map_err(|error| match error {
        StartError::Open(error) => NodeError::Open(error),
        StartError::Thread => NodeError::Thread,
    })?;
    let listen = net.listeners().into_iter().map(|addr| addr.0).collect();
    let ready = NodeReady {
        peer: peer_text(&net),
        listen,
        capacity,
        metrics: listener.as_ref().and_then(|l| l.local_addr().ok()),
    };
    let serving = listener.map(|listener| metrics::serve(listener, driver.clone(), life));
    Ok(NodeHandle { ready, driver, net, recording, kept, drained, metrics: serving })
}

fn bad_addr(text: &str) -> impl FnOnce(AddrError) -> NodeError + '_ {
    move |why| NodeError::BadAddr { text: text.to_owned(), why }
}

fn create_record(file: PathBuf) -> Result<std::fs::File, NodeError> {
    record::create(&file).map_err(|source| NodeError::Record { file, source })
}

fn read_network(choice: &NetworkChoice, dir: &Path) -> Result<NetworkFile, NodeError> {
    let file = match choice {
        NetworkChoice::Devnet => return Ok(NetworkFile::devnet()),
        NetworkChoice::Stored => return stored_network(dir),
        NetworkChoice::File(file) => file.clone(),
    };
    let mut bytes = Vec::new();
    std::fs::File::open(&file)
        .and_then(|open| open.take(MAX_NETWORK_FILE).read_to_end(&mut bytes))
        .map_err(|source| NodeError::NetworkFile { file: file.clone(), source })?;
    NetworkFile::decode(&bytes).map_err(|why| NodeError::BadNetwork { file, why })
}

/// The network of a node that ran before. A directory in which none did is left as it is.
fn stored_network(dir: &Path) -> Result<NetworkFile, NodeError> {
    if !dir.join(names::BOXES).exists() {
        return Err(NodeError::NoNetwork);
    }
    let (_lock, _, file) = node_files(dir)?;
    let failed = |source| NodeError::Store { file: file.clone(), source };
    let store = NodeStore::open(dir, &file).map_err(failed)?;
    let stored =
        Directory::stored_network(&store).map_err(|error| NodeError::Open(OpenError::Stored(error)))?;
    stored.ok_or(NodeError::NoNetwork)
}

/// What a node's directory gives.
struct Opened {
    lock: Lock,
    key: Zeroizing<[u8; 32]>,
    store: NodeStore,
    /// What it may hold if nobody says.
    capacity: u64,
}

fn open_dir(dir: &Path, capacity: Option<u64>) -> Result<Opened, NodeError> {
    let (lock, key, file) = node_files(dir)?;
    let store = NodeStore::open(dir, &file).map_err(|source| NodeError::Store { file, source })?;
    let disk = |source| NodeError::Disk { dir: dir.to_owned(), source };
    // A disk that does not say what is free holds nobody up who says what the node may hold.
    let capacity = capacity.map_or_else(|| capacity::of(dir).map_err(disk), Ok)?;
    Ok(Opened { lock, key, store, capacity })
}

/// The peer id in base58: the last part of any address with it.
fn peer_text(net: &NetHandle) -> String {
    let any = murre_net::addr_with_peer(&Addr("/ip4/127.0.0.1/tcp/1".to_owned()), &net.peer_key());
    any.0.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Opens the custodian, at start and after each failure.
struct OpenNode {
    key: Zeroizing<[u8; 32]>,
    network: NetworkFile,
    addrs: Vec<Addr>,
    bootstrap: Vec<PeerRef>,
    disk: u64,
    kept: Kept,
}

impl Opener<Custodian> for OpenNode {
    type Error = OpenError;

    fn open(&mut self, seed: [u8; 32], _now: Now, view: &dyn View) -> Result<Custodian, OpenError> {
        let config = Config {
            key: NodeKey::from_secret(&Secret::new(*self.key)),
            network: self.network.clone(),
            addrs: self.addrs.clone(),
            bootstrap: self.bootstrap.clone(),
            disk: self.disk,
            before: self.kept.before(),
        };
        Custodian::open(seed, view, config)
    }
}
