//! Why a node does not run, and what to do about it.

use super::capacity;
use crate::home::HomeError;
use murre_core::{ErrorKind, HasKind};
use murre_custodian::OpenError;
use murre_mailbox::NetworkError;
use murre_net::{AddrError, NetError};
use murre_store::StoreError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// No network was named, and the store belongs to none yet.
    #[error("no network was named, and this node has served none before")]
    NoNetwork,
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
    /// The disk does not say how much room it has.
    #[error("the free space under {} cannot be read: {source}", dir.display())]
    Disk {
        /// Which directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Too little to be of use.
    #[error("a capacity of {asked} bytes is too little, a node needs at least {least}", least = capacity::LEAST)]
    Capacity {
        /// What was asked for.
        asked: u64,
    },
    /// The numbers would be shown to everybody.
    #[error("{addr} can be reached from other machines, and metrics are for this one")]
    MetricsPublic {
        /// Where.
        addr: SocketAddr,
    },
    /// The numbers cannot be served there.
    #[error("metrics cannot be served at {addr}: {source}")]
    Metrics {
        /// Where.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
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
            Self::NoNetwork => {
                "say --devnet for one desk, or --network FILE; there is no public network yet that could be meant"
            }
            Self::BadAddr { .. } => {
                "write it like /ip4/0.0.0.0/tcp/4001; a bootstrap ends in /p2p/12D3Koo..."
            }
            Self::Net(NetError::AddrInUse { .. }) => "choose another port, or 0 to let the system choose",
            Self::Net(_) => "check the address and the rights of this user",
            Self::Open(OpenError::OtherNetwork) => "name another directory with --store",
            Self::Open(_) => "check the disk; a node can begin again in an empty directory",
            Self::Disk { .. } => {
                "name another directory with --store, or say with --capacity what it may hold"
            }
            Self::Capacity { .. } => {
                "say more, such as --capacity 10GiB; or leave it out, then it follows from the free disk"
            }
            Self::MetricsPublic { .. } => {
                "name a loopback address such as 127.0.0.1:9187; or add --metrics-public if a firewall stands before it"
            }
            Self::Metrics { .. } => "choose another port, or 0 to let the system choose",
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
            Self::NoNetwork
            | Self::BadNetwork { .. }
            | Self::BadAddr { .. }
            | Self::Capacity { .. }
            | Self::MetricsPublic { .. } => ErrorKind::Caller,
            Self::Disk { .. }
            | Self::Metrics { .. }
            | Self::Record { .. }
            | Self::NetworkFile { .. }
            | Self::Thread => ErrorKind::Environment,
        }
    }
}
