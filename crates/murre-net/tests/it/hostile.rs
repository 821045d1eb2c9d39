//! A peer that speaks the transport but not our rules.

use crate::harness::{Node, QUIC, TCP};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, Stream, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use libp2p_stream::{Behaviour, Control, OpenStreamError};
use murre_core::link::MAX_FRAME;
use murre_core::{Dest, Input, LinkDownReason, PeerRef};
use murre_net::limits::MAX_PER_PEER;
use murre_net::parse_peer;

const LINK: StreamProtocol = StreamProtocol::new("/murre/link/1");

/// Any streams, any bytes. Its swarm runs until the test ends.
struct Hostile {
    control: Control,
}

fn swarm() -> Swarm<Behaviour> {
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_quic()
        .with_behaviour(|_| Behaviour::new())
        .unwrap()
        .build()
}

impl Hostile {
    fn dial(node: &Node) -> Self {
        let mut swarm = swarm();
        swarm.dial(node.net.listeners()[0].0.parse::<Multiaddr>().unwrap()).unwrap();
        let control = swarm.behaviour().new_control();
        tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Self { control }
    }

    async fn open(&mut self, node: &Node, protocol: StreamProtocol) -> Result<Stream, OpenStreamError> {
        let addr: Multiaddr = node.net.listeners()[0].0.parse().unwrap();
        let Some(Protocol::P2p(peer)) = addr.iter().last() else { panic!("no peer") };
        self.control.open_stream(peer, protocol).await
    }
}

#[tokio::test]
async fn a_length_out_of_range_closes_the_link() {
    let over = u32::try_from(MAX_FRAME).unwrap() + 1;
    for listen in [TCP, QUIC] {
        for length in [0, over, u32::MAX] {
            let mut node = Node::start(1, &[listen]).await;
            let mut stream = Hostile::dial(&node).open(&node, LINK).await.unwrap();
            stream.write_all(&[0, 0, 0, 2, 7, 7]).await.unwrap();
            stream.write_all(&length.to_be_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let up = node.link_up().await;
            assert_eq!(node.frame().await, (up.id, vec![7, 7]));
            assert_eq!(node.link_down().await, (up.id, LinkDownReason::Protocol));
            // The other end sees it: its stream ends, with an error or without.
            assert!(matches!(stream.read(&mut [0; 8]).await, Ok(0) | Err(_)));
        }
    }
}

#[tokio::test]
async fn a_second_stream_is_refused_and_the_first_lives_on() {
    let mut node = Node::start(1, &[TCP]).await;
    let mut hostile = Hostile::dial(&node);
    let mut first = hostile.open(&node, LINK).await.unwrap();
    first.write_all(&[0, 0, 0, 1, 1]).await.unwrap();
    first.flush().await.unwrap();
    let up = node.link_up().await;
    assert_eq!(node.frame().await, (up.id, vec![1]));

    if let Ok(mut second) = hostile.open(&node, LINK).await {
        second.write_all(&[0, 0, 0, 1, 2]).await.ok();
        second.flush().await.ok();
        assert!(matches!(second.read(&mut [0; 8]).await, Ok(0) | Err(_)));
    }
    first.write_all(&[0, 0, 0, 1, 3]).await.unwrap();
    first.flush().await.unwrap();
    assert_eq!(node.frame().await, (up.id, vec![3]));
}

#[tokio::test]
async fn one_key_cannot_hold_many_connections() {
    let node = Node::start(1, &[TCP]).await;
    let addr: Multiaddr = node.net.listeners()[0].0.parse().unwrap();
    let Some(Protocol::P2p(peer)) = addr.iter().last() else { panic!("no peer") };
    let mut swarm = swarm();
    for _ in 0..=MAX_PER_PEER {
        let opts = DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(vec![addr.clone()]);
        swarm.dial(opts.allocate_new_port().build()).unwrap();
    }
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    while node.net.stats().refused == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.net.stats().refused, 1);
}

#[tokio::test]
async fn no_other_protocol_is_spoken() {
    let mut node = Node::start(1, &[TCP]).await;
    let mut hostile = Hostile::dial(&node);
    for name in ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/murre/link/2"] {
        let refused = hostile.open(&node, StreamProtocol::new(name)).await;
        assert!(matches!(refused, Err(OpenStreamError::UnsupportedProtocol(_))), "{name}");
    }
    let mut stream = hostile.open(&node, LINK).await.unwrap();
    stream.write_all(&[0, 0, 0, 1, 1]).await.unwrap();
    stream.flush().await.unwrap();
    node.link_up().await;
    assert_eq!(node.frame().await.1, [1]);
}

#[tokio::test]
async fn a_stream_cut_in_the_middle_of_a_frame_is_a_closed_link() {
    let mut node = Node::start(1, &[TCP]).await;
    let mut stream = Hostile::dial(&node).open(&node, LINK).await.unwrap();
    stream.write_all(&[0, 0, 0, 9, 1, 2, 3]).await.unwrap();
    stream.close().await.unwrap();
    let up = node.link_up().await;
    assert_eq!(node.link_down().await, (up.id, LinkDownReason::Closed));
}

#[tokio::test]
async fn a_peer_that_refuses_the_stream_is_unreachable() {
    let mut other = swarm();
    other.listen_on(TCP.parse().unwrap()).unwrap();
    let addr = loop {
        if let libp2p::swarm::SwarmEvent::NewListenAddr { address, .. } = other.select_next_some().await {
            break address.with_p2p(*other.local_peer_id()).unwrap();
        }
    };
    tokio::spawn(async move {
        loop {
            other.select_next_some().await;
        }
    });
    let peer: PeerRef = parse_peer(&addr.to_string()).unwrap();
    let mut node = Node::start(1, &[]).await;
    node.send(Dest::Peer(peer.clone()), b"one");
    assert_eq!(node.next().await, Input::Unreachable { peer: peer.key });
}
