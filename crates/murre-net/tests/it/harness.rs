//! Nodes on loopback and what they are told.

use murre_core::id::PeerKey;
use murre_core::{Addr, Class, Dest, Input, LinkDownReason, LinkId, LinkUp, PeerRef, Transmit};
use murre_net::{Net, NetConfig, NetHandle, parse_peer};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// A test that waits longer than this is stuck.
const STUCK: Duration = Duration::from_secs(60);

pub const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

pub struct Node {
    pub net: NetHandle,
    pub inputs: Receiver<Input>,
}

pub fn config(seed: u8, listen: &[&str]) -> NetConfig {
    NetConfig { key: [seed; 32], listen: listen.iter().map(|text| Addr((*text).to_owned())).collect() }
}

impl Node {
    pub async fn start(seed: u8, listen: &[&str]) -> Self {
        let (net, inputs) = Net::start(config(seed, listen)).await.unwrap();
        let mut node = Self { net, inputs };
        if !listen.is_empty() {
            let own = node.net.peer_key();
            assert_eq!(node.next().await, Input::Listening { own, addrs: node.net.listeners() });
        }
        node
    }

    /// The next input, whatever it is.
    pub async fn next(&mut self) -> Input {
        timeout(STUCK, self.inputs.recv()).await.expect("stuck").expect("the network ended")
    }

    /// The next input of this kind; any other is a failure.
    pub async fn link_up(&mut self) -> LinkUp {
        match self.next().await {
            Input::LinkUp(up) => up,
            other => panic!("expected a link, got {other:?}"),
        }
    }

    /// The next frame. Credit may come between any two.
    pub async fn frame(&mut self) -> (LinkId, Vec<u8>) {
        loop {
            match self.next().await {
                Input::Frame { link, bytes } => return (link, bytes),
                Input::Credit { .. } => {}
                other => panic!("expected a frame, got {other:?}"),
            }
        }
    }

    pub async fn link_down(&mut self) -> (LinkId, LinkDownReason) {
        loop {
            match self.next().await {
                Input::LinkDown { link, why } => return (link, why),
                Input::Credit { .. } => {}
                other => panic!("expected a link going down, got {other:?}"),
            }
        }
    }

    pub async fn unreachable(&mut self) -> PeerKey {
        match self.next().await {
            Input::Unreachable { peer } => peer,
            other => panic!("expected an unreachable peer, got {other:?}"),
        }
    }

    /// How to reach this node.
    pub fn peer(&self) -> PeerRef {
        let addrs = self.net.listeners();
        let mut peer = parse_peer(&addrs[0].0).unwrap();
        peer.addrs = addrs;
        peer
    }

    pub fn send(&self, to: Dest, bytes: &[u8]) {
        self.net.send(Transmit { to, class: Class::Message, bytes: bytes.to_vec() });
    }
}
