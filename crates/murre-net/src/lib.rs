//! Links: libp2p in, frames out.
//!
//! This crate carries bytes. It opens sockets, shakes hands, cuts the byte stream into frames and tells a machine
//! what happened as [`murre_core::Input`]; it takes [`murre_core::Transmit`] and finds or dials the link for it. It
//! never looks into a frame, retries nothing, remembers no peer and decides nothing.
//!
//! ```text
//!  machine thread          this crate                                     peers
//!  --------------          -------------------------------------------    -----
//!  NetHandle::send  --->   board: link queues, dial queues  --> link task --> stream
//!  Receiver<Input>  <---   bounded channel  <------------------ link task <-- stream
//!                          swarm task: listen, dial, accept, limits
//! ```
//!
//! For the machine, each link is `LinkUp`, then any number of `Frame` and `Credit`, then one `LinkDown`. A
//! `Dest::Peer` ends in a link, in frames handed to a link that is open already, or in one `Unreachable`.
//!
//! The key of a handshake names the other end and proves nothing about a person; see [`murre_core::link`].

mod addr;
mod board;
mod carrier;
mod error;
mod frame;
mod gate;
pub mod limits;
mod link;
mod net;
mod queue;
mod task;

pub use addr::{AddrError, ParsedAddr, addr_with_peer, parse_addr, parse_peer};
pub use board::NetStats;
pub use error::NetError;
#[doc(hidden)]
pub use frame::{read_frame, write_frame};
pub use net::{Net, NetConfig, NetHandle};
