//! The link seam: what a carrier tells a machine and what a machine asks of it.
//!
//! TCP, QUIC, the simulator's wire, and later radios and relays all look like this. A carrier moves frames; it
//! never reads them. Nothing about a link (its key, its address, its order) gives a frame any authority: every
//! request proves itself, because the mix will one day stand in between.

use crate::id::PeerKey;
use serde::{Deserialize, Serialize};

/// Largest frame on any link, in bytes. A larger length prefix closes the link.
pub const MAX_FRAME: usize = 1 << 20;
/// Longest address text, in bytes.
pub const MAX_ADDR: usize = 128;
/// Most addresses kept for one peer.
pub const MAX_ADDRS: usize = 8;

/// One link, unique in one run of one shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// A dialable address in multiaddr text form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Addr(pub String);

/// What carries a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// TCP with Noise and Yamux.
    Tcp,
    /// QUIC.
    Quic,
    /// The simulator.
    Virtual,
}

/// What a link can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkCaps {
    /// Largest frame.
    pub mtu: usize,
    /// Frames arrive in the order sent.
    pub ordered: bool,
    /// Frames arrive or the link goes down.
    pub reliable: bool,
    /// Someone pays for bytes.
    pub metered: bool,
}

/// A link came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkUp {
    /// Its name from now on.
    pub id: LinkId,
    /// What carries it.
    pub kind: LinkKind,
    /// What it can do.
    pub caps: LinkCaps,
    /// Key of the other end's transport handshake. For finding the link one asked for, not for trust.
    pub peer: PeerKey,
    /// Key of our own end of the handshake.
    pub own: PeerKey,
    /// True if we dialled.
    pub dialed: bool,
}

/// Why a link went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkDownReason {
    /// The other side or the network closed it.
    Closed,
    /// A frame broke the framing rules.
    Protocol,
    /// We asked for it.
    Local,
}

/// What reaches a machine from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A link came up.
    LinkUp(LinkUp),
    /// A link is gone.
    LinkDown {
        /// Which.
        link: LinkId,
        /// Why.
        why: LinkDownReason,
    },
    /// A whole frame arrived.
    Frame {
        /// On which link.
        link: LinkId,
        /// The frame, at most [`MAX_FRAME`] bytes.
        bytes: Vec<u8>,
    },
    /// The carrier took bytes off its queue for this link and has room for so many more.
    Credit {
        /// On which link.
        link: LinkId,
        /// Free room in bytes.
        bytes: u32,
    },
    /// A [`Dest::Peer`] could not be reached: frames queued for it are dropped.
    Unreachable {
        /// Who.
        peer: PeerKey,
    },
    /// The addresses this shell listens on, told at start and at each change.
    Listening {
        /// Key of our own end of every handshake.
        own: PeerKey,
        /// All of them.
        addrs: Vec<Addr>,
    },
}

/// Someone to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRef {
    /// Key expected in the handshake.
    pub key: PeerKey,
    /// Where to try, in order.
    pub addrs: Vec<Addr>,
}

/// Where a frame goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dest {
    /// Over this link; dropped if it is down.
    Link(LinkId),
    /// To this peer: over a link that is up, else the carrier dials and queues a bounded number of frames.
    Peer(PeerRef),
    /// Close this link. `bytes` is ignored.
    Close(LinkId),
}

/// What a frame is for, so that bytes can be counted and ordered by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Handshakes, directory.
    Control,
    /// Mailbox requests and answers.
    Mailbox,
    /// Entries over a live link.
    Message,
    /// Repair between custodians.
    Repair,
}

/// A frame to send: a wish, no more; only an answer that proves itself says it arrived.
// spec: M-20
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where.
    pub to: Dest,
    /// What for.
    pub class: Class,
    /// The frame.
    pub bytes: Vec<u8>,
}
