//! Every number that keeps a stranger, a slow peer or a busy machine from filling our memory.
//!
//! | what grows | who can make it grow | limit |
//! |---|---|---|
//! | connections | anyone | [`MAX_LINKS`], [`MAX_INBOUND`], [`MAX_PER_PEER`], [`MAX_HANDSHAKES`] |
//! | connection attempts per second | anyone | [`INBOUND_BURST`], [`PREFIX_BURST`] and their refill rates |
//! | frames waiting for a peer that does not read | that peer | [`MAX_LINK_QUEUE`] |
//! | frames waiting for a dial | our machine | [`MAX_DIAL_QUEUE`], [`MAX_DIAL_FRAMES`], [`MAX_DIALS`] |
//! | frames waiting for our machine | any peer | [`INPUT_QUEUE`] in all, then sockets are not read |
//! | time without progress | any peer | [`DIAL_TIMEOUT`], [`STALL_TIMEOUT`], [`CLOSE_TIMEOUT`], [`IDLE_TIMEOUT`] |

use std::time::Duration;

/// Most bytes queued for one link. A peer that reads so slowly loses the link.
pub const MAX_LINK_QUEUE: usize = 4 << 20;
/// A queue that held more than this and then drained is reported with `Input::Credit`.
pub const CREDIT_MARK: usize = MAX_LINK_QUEUE / 4;
/// Most bytes queued for one peer that is being dialled.
pub const MAX_DIAL_QUEUE: usize = 2 << 20;
/// Most frames queued for one peer that is being dialled.
pub const MAX_DIAL_FRAMES: usize = 256;
/// Most peers being dialled at once. One more is unreachable at once.
pub const MAX_DIALS: usize = 64;
/// Most links, inbound and outbound.
pub const MAX_LINKS: u32 = 512;
/// Most links that others opened, fewer than [`MAX_LINKS`] so that strangers can never use up what we dial with.
pub const MAX_INBOUND: u32 = 384;
/// Most links with one peer key.
pub const MAX_PER_PEER: u32 = 4;
/// Most inbound connections in the middle of their handshake.
pub const MAX_HANDSHAKES: u32 = 64;
/// Inbound connections admitted in one instant, from everywhere.
pub const INBOUND_BURST: u32 = 256;
/// Inbound connections admitted per second after the burst, from everywhere.
pub const INBOUND_PER_SECOND: u32 = 64;
/// Inbound connections admitted in one instant from one /24 (IPv4) or /48 (IPv6).
pub const PREFIX_BURST: u32 = 32;
/// Inbound connections admitted per second after the burst from one prefix.
pub const PREFIX_PER_SECOND: u32 = 4;
/// Most address prefixes remembered.
pub const MAX_PREFIXES: usize = 1024;
/// Most addresses one shell listens on.
pub const MAX_LISTEN: usize = 16;
/// Inputs that may wait for the machine. When it is full nothing more is read from any socket.
pub const INPUT_QUEUE: usize = 64;
/// Longest time from a dial to an open link.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a listen address to be bound.
pub const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time a write may make no progress, or one frame may take to arrive after its length.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time a closing link may take to flush, and again to hear that the other end has read everything.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection without a link stream is closed after this long.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
