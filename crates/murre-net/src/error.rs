//! What can go wrong at start. After start nothing fails: links go down and peers are unreachable, as inputs.

use crate::addr::AddrError;
use murre_core::{Addr, ErrorKind, HasKind};
use std::io;

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A listen address cannot be read or is of a kind this build does not carry.
    #[error("cannot listen on {:?}: {why}", addr.0)]
    BadAddr {
        /// As given.
        addr: Addr,
        /// What is wrong with it.
        why: AddrError,
    },
    /// More listen addresses than [`crate::limits::MAX_LISTEN`].
    #[error("{count} listen addresses are too many")]
    TooManyAddrs {
        /// How many were given.
        count: usize,
    },
    /// Another program, or this one, already listens there.
    #[error("{} is in use by another program", addr.0)]
    AddrInUse {
        /// As given.
        addr: Addr,
    },
    /// The system refused the address for another reason.
    #[error("cannot listen on {}: {source}", addr.0)]
    Listen {
        /// As given.
        addr: Addr,
        /// What the system said.
        source: io::Error,
    },
    /// The system did not report the address as bound within [`crate::limits::LISTEN_TIMEOUT`].
    #[error("listening did not begin in time on {}", addr.0)]
    ListenTimeout {
        /// As given.
        addr: Addr,
    },
    /// The transport could not be built from the key.
    #[error("the transport could not be built: {why}")]
    Transport {
        /// What the transport library said.
        why: String,
    },
}

impl HasKind for NetError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::BadAddr { .. } | Self::TooManyAddrs { .. } => ErrorKind::Caller,
            Self::AddrInUse { .. } | Self::Listen { .. } | Self::ListenTimeout { .. } => {
                ErrorKind::Environment
            }
            Self::Transport { .. } => ErrorKind::Bug,
        }
    }
}
