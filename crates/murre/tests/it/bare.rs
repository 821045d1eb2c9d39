//! Somebody who speaks to a node in its own frames: no home, no client, no retries.

use murre_core::id::BoxId;
use murre_core::{Class, Dest, Input, NetworkParams, PeerRef, Rng, Transmit, Wall};
use murre_mailbox::receipt::{self, Expected};
use murre_mailbox::{
    Frame, MailboxKind, PutRefusal, ReadKind, ReaderKeys, Reply, Request, SealedBox, SpaceProof, TagKey,
    VerifiedBox, Writer, space_puzzle,
};
use murre_net::{Net, NetConfig, NetHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn now() -> Wall {
    Wall(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64)
}

/// Waits until a node that was just started has solved its puzzle: before that nothing is placed on it.
#[allow(dead_code, reason = "not every user of this file asks")]
pub async fn takes_part(node: &murre::NodeHandle) {
    let looking = async {
        while !node.status().await.expect("a running node").joined {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, looking).await.expect("it takes part");
}

/// A link to one node.
pub struct Bare {
    net: NetHandle,
    inputs: mpsc::Receiver<Input>,
    node: PeerRef,
    next: u64,
}

impl Bare {
    /// Whoever has this seed as its key; the link is dialled with the first request.
    pub async fn new(addr: &str, seed: u8) -> Self {
        let (net, inputs) = Net::start(NetConfig { key: [seed; 32], listen: vec![] }).await.unwrap();
        Self { net, inputs, node: murre_net::parse_peer(addr).unwrap(), next: 1 }
    }

    pub fn send(&mut self, body: Request) -> u64 {
        let id = self.next;
        self.next += 1;
        let bytes = Frame::Request { id, body }.encode();
        self.net.send(Transmit { to: Dest::Peer(self.node.clone()), class: Class::Mailbox, bytes });
        id
    }

    /// The next answer; none when the link is gone.
    pub async fn reply(&mut self) -> Option<(u64, Reply)> {
        loop {
            match timeout(PATIENCE, self.inputs.recv()).await.expect("stuck")? {
                Input::Frame { bytes, .. } => match Frame::decode(&bytes).expect("a frame") {
                    Frame::Reply { id, body } => return Some((id, body)),
                    // A node tells everybody of nodes that are new to it.
                    Frame::Request { .. } => {}
                },
                Input::LinkDown { .. } | Input::Unreachable { .. } => return None,
                Input::LinkUp(_) | Input::Credit { .. } | Input::Listening { .. } => {}
            }
        }
    }

    /// Asks and waits for this answer; none when the link is gone.
    pub async fn ask(&mut self, body: Request) -> Option<Reply> {
        let asked = self.send(body);
        loop {
            let (id, reply) = self.reply().await?;
            if id == asked {
                return Some(reply);
            }
        }
    }
}

/// A mailbox with one writer, in a development network.
pub struct Mailbox {
    reader: ReaderKeys,
    writer: Writer,
    epoch: u64,
    params: NetworkParams,
    proof: SpaceProof,
}

impl Mailbox {
    pub fn new(seed: u8) -> Self {
        let mut rng = Rng::from_seed([seed; 32]);
        let params = NetworkParams::devnet();
        let reader = ReaderKeys::generate(MailboxKind::Group, &mut rng);
        let epoch = reader.address().epoch_at(now(), &params);
        let tag = TagKey::generate(&mut rng);
        let grant = reader.grant(&mut rng, &tag.public(), epoch, 2).unwrap();
        let writer = Writer::new(&grant, Some(&tag)).unwrap();
        let puzzle = space_puzzle(&reader.at(epoch).unwrap().locator, epoch, 0, params.space);
        let proof = SpaceProof { block: 0, solution: puzzle.solve(0, 100_000).unwrap() };
        Self { reader, writer, epoch, params, proof }
    }

    /// A box of so many bytes that lives for a day.
    pub fn boxed(&self, index: u64, len: usize) -> VerifiedBox {
        let sealed = self.writer.seal_box(self.epoch, index, now().hour() + 24, &vec![7; len]).unwrap();
        SealedBox::parse(sealed.wire()).unwrap().verify(&self.params).unwrap()
    }

    pub fn put(&self, b: &VerifiedBox, fan: bool) -> Request {
        Request::Put { b: b.wire().to_vec().into(), proof: Some(self.proof), fan }
    }

    pub fn get(&self, ids: Vec<BoxId>) -> Request {
        let r = self.reader.at(self.epoch).unwrap().sign_read(now(), ReadKind::Get { ids });
        Request::Get { r, fan: false }
    }

    pub fn list(&self, wait_ms: u32) -> Request {
        let kind = ReadKind::List { cursors: vec![], wait_ms, careful: false };
        Request::List { r: self.reader.at(self.epoch).unwrap().sign_read(now(), kind), fan: false }
    }
}

/// What a put was answered with, receipts checked.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Receipts(usize),
    Refused(PutRefusal),
    No(murre_mailbox::Refusal),
}

pub fn said(reply: Reply, b: &VerifiedBox) -> Said {
    match reply {
        Reply::Put { receipts, mut refused } if receipts.is_empty() => Said::Refused(refused.remove(0).1),
        Reply::Put { receipts, .. } => {
            let count = receipts.len();
            for receipt in receipts {
                receipt::check(receipt, &Expected::from(b)).expect("a valid receipt");
            }
            Said::Receipts(count)
        }
        Reply::Refused(why) => Said::No(why),
        other => panic!("not an answer to a put: {other:?}"),
    }
}
