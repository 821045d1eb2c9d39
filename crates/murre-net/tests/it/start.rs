//! Starting, and dialling those who are not there.

use crate::harness::{Node, QUIC, TCP, config};
use murre_core::id::PeerKey;
use murre_core::{Addr, Dest, ErrorKind, HasKind, PeerRef};
use murre_net::limits::{MAX_DIALS, MAX_LISTEN};
use murre_net::{AddrError, Net, NetError, parse_peer};
use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};

#[tokio::test]
async fn every_listen_address_is_bound_and_names_us() {
    let node = Node::start(1, &[TCP, QUIC]).await;
    let addrs = node.net.listeners();
    assert_eq!(addrs.len(), 2);
    for (addr, part) in addrs.iter().zip(["/tcp/", "/udp/"]) {
        assert!(addr.0.contains(part) && !addr.0.contains("/0"), "{addr:?}");
        assert_eq!(parse_peer(&addr.0).unwrap().key, node.net.peer_key());
    }
}

async fn refusal(listen: &[&str]) -> NetError {
    match Net::start(config(1, listen)).await {
        Ok(_) => panic!("started on {listen:?}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_address_we_cannot_listen_on_is_the_callers_mistake() {
    for (text, expected) in [
        ("127.0.0.1:80", AddrError::Malformed),
        ("/dns4/localhost/tcp/0", AddrError::Unsupported),
        ("/ip4/127.0.0.1/udp/0", AddrError::Unsupported),
    ] {
        let error = refusal(&[TCP, text]).await;
        assert_eq!(error.kind(), ErrorKind::Caller);
        assert!(matches!(error, NetError::BadAddr { addr, why } if addr.0 == text && why == expected));
    }
    let error = refusal(&[TCP; MAX_LISTEN + 1]).await;
    assert!(matches!(error, NetError::TooManyAddrs { count } if count == MAX_LISTEN + 1));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ours = Node::start(2, &[TCP, QUIC]).await;
    let mut taken = vec![
        format!("/ip4/127.0.0.1/tcp/{}", tcp.local_addr().unwrap().port()),
        format!("/ip4/127.0.0.1/udp/{}/quic-v1", udp.local_addr().unwrap().port()),
    ];
    taken
        .extend(ours.net.listeners().into_iter().map(|addr| addr.0.split("/p2p").next().unwrap().to_owned()));
    for text in taken {
        let error = refusal(&[&text]).await;
        assert_eq!(error.kind(), ErrorKind::Environment);
        assert!(matches!(&error, NetError::AddrInUse { addr } if addr.0 == text), "{text}: {error:?}");
    }
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused_by_the_system() {
    let error = refusal(&["/ip4/192.0.2.1/tcp/0"]).await;
    assert!(matches!(error, NetError::Listen { .. }), "{error:?}");
}

#[tokio::test]
async fn a_failed_start_leaves_nothing_bound() {
    // An address of its own, so that no other test can be given the port in between.
    let port = TcpListener::bind("127.0.0.77:0").unwrap().local_addr().unwrap().port();
    let first = format!("/ip4/127.0.0.77/tcp/{port}");
    let error = refusal(&[&first, "/ip4/192.0.2.1/tcp/0"]).await;
    assert!(matches!(error, NetError::Listen { addr, .. } if addr.0.contains("192.0.2.1")));
    TcpListener::bind(("127.0.0.77", port)).unwrap();
}

/// A port of each kind that nobody listens on, held so that nobody else gets it.
fn nobody() -> (Vec<Addr>, UdpSocket) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // A bound UDP socket that never answers: the handshake of QUIC has to time out.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = silent.local_addr().unwrap().port();
    let addrs =
        vec![Addr(format!("/ip4/127.0.0.1/tcp/{tcp}")), Addr(format!("/ip4/127.0.0.1/udp/{udp}/quic-v1"))];
    (addrs, silent)
}

#[tokio::test]
async fn dialling_nobody_is_unreachable() {
    let mut a = Node::start(1, &[]).await;
    let key = Node::start(9, &[]).await.net.peer_key();
    let (addrs, _silent) = nobody();
    for addrs in [addrs[..1].to_vec(), addrs] {
        a.send(Dest::Peer(PeerRef { key, addrs }), b"one");
        assert_eq!(a.unreachable().await, key);
        assert_eq!(a.net.stats().dials, 0);
    }
}

#[tokio::test]
async fn a_peer_with_no_usable_address_or_key_is_unreachable() {
    let mut a = Node::start(1, &[TCP]).await;
    let b = Node::start(2, &[TCP]).await;
    let key = b.net.peer_key();
    let no_key = (0..=255).map(|i| PeerKey::from_bytes([i; 32])).find(|key| {
        murre_net::addr_with_peer(&b.net.listeners()[0], key) == b.net.listeners()[0]
            && murre_net::addr_with_peer(&Addr(TCP.to_owned()), key).0 == TCP
    });
    let garbage = Addr("garbage".to_owned());
    for peer in [
        PeerRef { key, addrs: Vec::new() },
        PeerRef { key, addrs: vec![garbage] },
        // The address says that someone else answers there.
        PeerRef { key, addrs: a.net.listeners() },
        PeerRef { key: no_key.unwrap(), addrs: b.net.listeners() },
        a.peer(),
    ] {
        let expected = peer.key;
        a.send(Dest::Peer(peer), b"one");
        assert_eq!(a.unreachable().await, expected);
    }
}

#[tokio::test]
async fn a_wrong_key_is_unreachable_whoever_answers() {
    for listen in [TCP, QUIC] {
        let mut a = Node::start(1, &[]).await;
        let mut b = Node::start(2, &[listen]).await;
        let other = Node::start(3, &[]).await.net.peer_key();
        let bare =
            b.net.listeners().into_iter().map(|addr| Addr(addr.0.split("/p2p").next().unwrap().to_owned()));
        a.send(Dest::Peer(PeerRef { key: other, addrs: bare.collect() }), b"for other");
        assert_eq!(a.unreachable().await, other);
        // The first thing b hears is the frame that was meant for b.
        a.send(Dest::Peer(b.peer()), b"for b");
        b.link_up().await;
        assert_eq!(b.frame().await.1, b"for b");
    }
}

#[tokio::test]
async fn dials_are_bounded_and_each_peer_beyond_is_unreachable_at_once() {
    let mut a = Node::start(1, &[]).await;
    let (addrs, _silent) = nobody();
    let keys: BTreeSet<PeerKey> = (0..=u8::MAX).map(|i| PeerKey::from_bytes([i; 32])).collect();
    for key in &keys {
        a.send(Dest::Peer(PeerRef { key: *key, addrs: addrs.clone() }), b"one");
    }
    assert_eq!(a.net.stats().dials, MAX_DIALS as u64);
    assert_eq!(a.net.stats().dropped, (keys.len() - MAX_DIALS) as u64);
    let mut told = BTreeSet::new();
    while told.len() < keys.len() {
        assert!(told.insert(a.unreachable().await), "told twice");
    }
    assert_eq!(told, keys);
}
