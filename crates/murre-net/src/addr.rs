//! Addresses and peer names as text.
//!
//! ```text
//! /ip4/127.0.0.1/tcp/4001                      TCP, then Noise and Yamux
//! /ip6/::1/udp/4001/quic-v1                    QUIC
//! /ip4/127.0.0.1/tcp/4001/p2p/12D3KooW...      the same, and whose key must answer
//! ```
//! Nothing else is dialled or listened on. A peer id is the Ed25519 key itself in libp2p's clothing (an identity
//! multihash), so [`PeerKey`] and peer id convert both ways without a look-up.

use libp2p::identity::{PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use murre_core::id::PeerKey;
use murre_core::link::MAX_ADDR;
use murre_core::{Addr, ErrorKind, HasKind, LinkKind, PeerRef};
use std::net::IpAddr;

/// Multihash code of "the digest is the data".
const IDENTITY: u64 = 0;

/// Why an address was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddrError {
    /// Not a multiaddr.
    #[error("not an address of the form /ip4/127.0.0.1/tcp/4001")]
    Malformed,
    /// Longer than [`MAX_ADDR`].
    #[error("longer than {MAX_ADDR} bytes")]
    TooLong,
    /// A multiaddr, but neither TCP nor QUIC over IP.
    #[error("only /ip4 or /ip6 with /tcp/PORT or /udp/PORT/quic-v1 is supported")]
    Unsupported,
    /// Its `/p2p/` part is not an Ed25519 key.
    #[error("the /p2p/ part is not an Ed25519 peer id")]
    BadPeer,
    /// It has no `/p2p/` part, and one is needed here.
    #[error("the address does not say who answers: /p2p/... is missing")]
    MissingPeer,
}

impl HasKind for AddrError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Caller
    }
}

/// An address that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedAddr {
    /// Where, without `/p2p/`.
    pub addr: Addr,
    /// Who must answer, if the address said so.
    pub key: Option<PeerKey>,
}

impl ParsedAddr {
    /// The peer to dial, if the address said who must answer.
    #[must_use]
    pub fn peer_ref(self) -> Option<PeerRef> {
        let key = self.key?;
        Some(PeerRef { key, addrs: vec![self.addr] })
    }
}

/// Reads an address, with or without `/p2p/`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_addr(text: &str) -> Result<ParsedAddr, AddrError> {
    let parts = Parts::read(text)?;
    Ok(ParsedAddr { addr: Addr(parts.bare.to_string()), key: parts.key })
}

/// Reads an address that must say who answers: the form of a bootstrap.
///
/// # Errors
/// What is wrong with the text, or [`AddrError::MissingPeer`].
pub fn parse_peer(text: &str) -> Result<PeerRef, AddrError> {
    parse_addr(text)?.peer_ref().ok_or(AddrError::MissingPeer)
}

/// The same address with the peer who answers there. An address that names a peer already is returned unchanged.
#[must_use]
pub fn addr_with_peer(addr: &Addr, key: &PeerKey) -> Addr {
    match (Parts::read(&addr.0), peer_id(key)) {
        (Ok(parts), Some(id)) if parts.key.is_none() => Addr(parts.bare.with(Protocol::P2p(id)).to_string()),
        _ => addr.clone(),
    }
}

/// The libp2p name of a key; `None` if the bytes are no Ed25519 key.
pub(crate) fn peer_id(key: &PeerKey) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(key.as_bytes()).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// The key behind a libp2p name; `None` if it is not an Ed25519 key.
pub(crate) fn peer_key(id: &PeerId) -> Option<PeerKey> {
    let hash = id.as_ref();
    if hash.code() != IDENTITY {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(hash.digest()).ok()?.try_into_ed25519().ok()?;
    Some(PeerKey::from_bytes(key.to_bytes()))
}

/// An address taken apart.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Without `/p2p/`.
    pub bare: Multiaddr,
    /// From `/p2p/`.
    pub key: Option<PeerKey>,
    /// Which transport.
    pub kind: LinkKind,
    /// IP address.
    pub ip: IpAddr,
    /// TCP or UDP port.
    pub port: u16,
}

impl Parts {
    pub(crate) fn read(text: &str) -> Result<Self, AddrError> {
        if text.len() > MAX_ADDR {
            return Err(AddrError::TooLong);
        }
        let addr: Multiaddr = text.parse().map_err(|_| AddrError::Malformed)?;
        Self::of(&addr)
    }

    pub(crate) fn of(addr: &Multiaddr) -> Result<Self, AddrError> {
        let mut bare = addr.clone();
        let key = match addr.iter().last() {
            Some(Protocol::P2p(id)) => {
                bare.pop();
                Some(peer_key(&id).ok_or(AddrError::BadPeer)?)
            }
            _ => None,
        };
        let mut steps = bare.iter();
        let ip = match steps.next() {
            Some(Protocol::Ip4(ip)) => IpAddr::V4(ip),
            Some(Protocol::Ip6(ip)) => IpAddr::V6(ip),
            _ => return Err(AddrError::Unsupported),
        };
        let (kind, port) = match (steps.next(), steps.next(), steps.next()) {
            (Some(Protocol::Tcp(port)), None, _) => (LinkKind::Tcp, port),
            (Some(Protocol::Udp(port)), Some(Protocol::QuicV1), None) => (LinkKind::Quic, port),
            _ => return Err(AddrError::Unsupported),
        };
        Ok(Self { bare, key, kind, ip, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn an_address_survives_with_and_without_its_peer() {
        for bare in ["/ip4/127.0.0.1/tcp/4001", "/ip6/::1/udp/4001/quic-v1"] {
            let parsed = parse_addr(bare).unwrap();
            assert_eq!((parsed.addr.0.as_str(), parsed.key), (bare, None));
            assert_eq!(parse_peer(bare), Err(AddrError::MissingPeer));

            let full = format!("{bare}/p2p/{PEER}");
            let peer = parse_peer(&full).unwrap();
            assert_eq!(peer.addrs, [Addr(bare.to_owned())]);
            assert_eq!(addr_with_peer(&peer.addrs[0], &peer.key).0, full);
            assert_eq!(addr_with_peer(&Addr(full.clone()), &peer.key).0, full);
            assert_eq!(peer_id(&peer.key).unwrap().to_string(), PEER);
        }
    }

    #[test]
    fn what_we_cannot_dial_is_refused_by_its_own_name() {
        let long = format!("/ip4/127.0.0.1/tcp/{}", "0".repeat(MAX_ADDR));
        let sha256 = "/ip4/127.0.0.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
        for (text, why) in [
            ("", AddrError::Unsupported),
            ("127.0.0.1:4001", AddrError::Malformed),
            ("/ip4/127.0.0.1/tcp/70000", AddrError::Malformed),
            (long.as_str(), AddrError::TooLong),
            ("/ip4/127.0.0.1", AddrError::Unsupported),
            ("/ip4/127.0.0.1/udp/4001", AddrError::Unsupported),
            ("/dns4/example.org/tcp/4001", AddrError::Unsupported),
            ("/ip4/127.0.0.1/tcp/4001/ws", AddrError::Unsupported),
            (sha256, AddrError::BadPeer),
        ] {
            assert_eq!(parse_addr(text), Err(why), "{text}");
        }
    }
}
