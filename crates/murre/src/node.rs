//! Running a node: a custodian over a plain store, and its network.
//!
//! ```text
//! DIR/               0700
//!  |_ lock           held while a process uses the directory
//!  |_ node.key       the node's identity, readable by its owner
//!  |_ boxes.db       other people's sealed boxes: nothing here that this node could open
//! ```

use crate::driver::{AskError, Driver, Opener, Parts, StartError, StopReason};
use crate::home::{HomeError, Lock, node_files};
use crate::machines::NodeNotice;
use crate::record::{self, Recording};
use murre_core::{Addr, ErrorKind, HasKind, Now, PeerRef, Transmit, View};
use murre_crypto::{NodeKey, Secret};
use murre_custodian::{Answer, Command, Config, Custodian, NodeStatus, OpenError};
use murre_mailbox::{NetworkError, NetworkFile};
use murre_net::{AddrError, Net, NetConfig, NetError, NetHandle};
use murre_store::{SqliteStore, StoreError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes a node holds when nothing else is said: 10 GiB.
pub const DEFAULT_DISK: u64 = 10 << 30;
/// Longest network file that is read, bytes.
const MAX_NETWORK_FILE: u64 = 64 << 10;

/// Which network a node belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkChoice {
    /// A network without ageing, anchors and diversity, for one machine or one desk.
    Devnet,
    /// The one that this file describes.
    File(PathBuf),
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
    /// Bytes it may hold.
    pub disk: u64,
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
            disk: DEFAULT_DISK,
            record_frames: None,
        }
    }
}

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Directory, lock or key cannot be used.
    #[error(transparent)]
    Dir(#[from] HomeError),
    /// The store cannot be opened.
    #[error("{}: {source}", file.display())]
    Store {
        /// The store.
        file: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// The file for recorded frames cannot be made.
    #[error("frames cannot be recorded in {}: {source}", file.display())]
    Record {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The network file cannot be read.
    #[error("the network file {} cannot be read: {source}", file.display())]
    NetworkFile {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The network file breaks its rules.
    #[error("the network file {} cannot be used: {why}", file.display())]
    BadNetwork {
        /// Which file.
        file: PathBuf,
        /// Why.
        why: NetworkError,
    },
    /// An address cannot be used.
    #[error("the address {text:?} cannot be used: {why}")]
    BadAddr {
        /// As given.
        text: String,
        /// What is wrong with it.
        why: AddrError,
    },
    /// The network does not start.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The custodian does not open.
    #[error(transparent)]
    Open(OpenError),
    /// The system gave no thread.
    #[error("the system gave no thread")]
    Thread,
}

impl NodeError {
    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Dir(HomeError::AlreadyRunning { .. }) => "name another directory with --store",
            Self::Dir(HomeError::KeyMissing { .. }) => {
                "put node.key back; without it this would be another node, so begin in an empty directory"
            }
            Self::Dir(error) => error.hint(),
            Self::Store { .. } => "check the disk, or name another directory with --store",
            Self::Record { .. } => "name a file that does not exist yet, where this user may write",
            Self::NetworkFile { .. } => "check the path given with --network",
            Self::BadNetwork { .. } => "ask whoever runs the network for its file",
            Self::BadAddr { .. } => {
                "write it like /ip4/0.0.0.0/tcp/4001; a bootstrap ends in /p2p/12D3Koo..."
            }
            Self::Net(NetError::AddrInUse { .. }) => "choose another port, or 0 to let the system choose",
            Self::Net(_) => "check the address and the rights of this user",
            Self::Open(OpenError::OtherNetwork) => "name another directory with --store",
            Self::Open(_) => "check the disk; a node can begin again in an empty directory",
            Self::Thread => "free some memory and try again",
        }
    }
}

impl HasKind for NodeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Dir(error) => error.kind(),
            Self::Store { source, .. } => source.kind(),
            Self::Net(error) => error.kind(),
            Self::Open(error) => error.kind(),
            Self::BadNetwork { .. } | Self::BadAddr { .. } => ErrorKind::Caller,
            Self::Record { .. } | Self::NetworkFile { .. } | Self::Thread => ErrorKind::Environment,
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
}

/// A running node. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct NodeHandle {
    ready: NodeReady,
    driver: Driver<Custodian>,
    net: NetHandle,
    recording: Option<Recording>,
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
        self.driver.stop().await;
        self.net.close().await;
    }
}

/// Runs a node until its handle is shut down. Call it inside a tokio runtime.
///
/// # Errors
/// [`NodeError`]; nothing is left running.
pub async fn run(config: NodeConfig) -> Result<NodeHandle, NodeError> {
    let network = read_network(&config.network)?;
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
    let listen = match (config.listen.is_empty(), &config.network) {
        (false, _) => config.listen,
        (true, NetworkChoice::Devnet) => vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        (true, NetworkChoice::File(_)) => {
            vec!["/ip4/0.0.0.0/tcp/4001".to_owned(), "/ip4/0.0.0.0/udp/4001/quic-v1".to_owned()]
        }
    };
    let dir = config.store;
    let opened = tokio::task::spawn_blocking(move || open_dir(&dir)).await;
    let (lock, key, store) = opened.map_err(|_| NodeError::Thread)??;
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
    let parts = Parts::<Custodian, _, _> {
        store,
        opener: OpenNode { key, network, addrs: public, bootstrap, disk: config.disk },
        inputs,
        transmit: Box::new(move |transmit: Transmit| carrier.send(transmit)),
        notice: Box::new(|notice: NodeNotice| match notice {
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
    let ready =
        NodeReady { peer: peer_text(&net), listen: net.listeners().into_iter().map(|addr| addr.0).collect() };
    Ok(NodeHandle { ready, driver, net, recording })
}

fn bad_addr(text: &str) -> impl FnOnce(AddrError) -> NodeError + '_ {
    move |why| NodeError::BadAddr { text: text.to_owned(), why }
}

fn create_record(file: PathBuf) -> Result<std::fs::File, NodeError> {
    record::create(&file).map_err(|source| NodeError::Record { file, source })
}

fn read_network(choice: &NetworkChoice) -> Result<NetworkFile, NodeError> {
    let file = match choice {
        NetworkChoice::Devnet => return Ok(NetworkFile::devnet()),
        NetworkChoice::File(file) => file.clone(),
    };
    let mut bytes = Vec::new();
    std::fs::File::open(&file)
        .and_then(|open| open.take(MAX_NETWORK_FILE).read_to_end(&mut bytes))
        .map_err(|source| NodeError::NetworkFile { file: file.clone(), source })?;
    NetworkFile::decode(&bytes).map_err(|why| NodeError::BadNetwork { file, why })
}

fn open_dir(dir: &Path) -> Result<(Lock, Zeroizing<[u8; 32]>, SqliteStore), NodeError> {
    let (lock, key, file) = node_files(dir)?;
    let store = SqliteStore::open(&file, None, murre_store::Config::default());
    Ok((lock, key, store.map_err(|source| NodeError::Store { file, source })?))
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
        };
        Custodian::open(seed, view, config)
    }
}
