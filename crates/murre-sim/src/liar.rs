//! Hostile custodians: a real custodian whose words are twisted on the way in and out.
//!
//! A liar holds its own node key and follows the protocol where lying would not pay. What it can do to the others
//! is bounded by signatures: it can be silent, show old truths, sign for what it does not hold, and accuse.

use murre_core::id::{Bytes, PeerKey};
use murre_core::{Class, Dest, LinkId, NetworkParams, Rng, Transmit};
use murre_crypto::NodeKey;
use murre_mailbox::receipt::{self, Expected, ReceiptBody};
use murre_mailbox::request::sign_list;
use murre_mailbox::{Frame, ListBody, ListPart, PutRefusal, Reply, Request, SealedBox};
use serde_bytes::ByteBuf;
use std::collections::VecDeque;

/// How a liar lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Puts vanish without an answer.
    DropPuts,
    /// Reads vanish without an answer.
    DropReads,
    /// Lists show what was there long ago.
    StaleLists,
    /// As coordinator it asks nobody and signs in the names of all others.
    ForgedReceipts,
    /// Signs for a box and throws it away.
    EarlyReceipts,
    /// Claims to hold another box under the same id.
    ConflictLies,
    /// Says again what it or others said before.
    Replays,
}

/// All ways.
pub const LIES: [Lie; 7] = [
    Lie::DropPuts,
    Lie::DropReads,
    Lie::StaleLists,
    Lie::ForgedReceipts,
    Lie::EarlyReceipts,
    Lie::ConflictLies,
    Lie::Replays,
];

/// Frames a replaying liar keeps.
const KEPT: usize = 32;

/// What a liar says instead; `None` if the frame goes on to the real custodian.
pub type Instead = Option<Vec<Transmit>>;

/// One hostile custodian.
pub struct Liar {
    /// How it lies.
    pub lie: Lie,
    key: NodeKey,
    others: Vec<PeerKey>,
    params: NetworkParams,
    rng: Rng,
    old_list: Vec<(PeerKey, ListBody)>,
    kept: VecDeque<Vec<u8>>,
    turn: u64,
}

impl std::fmt::Debug for Liar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Liar").field("lie", &self.lie).finish_non_exhaustive()
    }
}

impl Liar {
    /// A liar under a node's key that knows the keys of the other nodes.
    #[must_use]
    pub fn new(lie: Lie, key: NodeKey, others: Vec<PeerKey>, params: NetworkParams, seed: [u8; 32]) -> Self {
        let rng = Rng::from_seed(seed);
        Self { lie, key, others, params, rng, old_list: Vec::new(), kept: VecDeque::new(), turn: 0 }
    }

    /// A frame comes in.
    pub fn incoming(&mut self, link: LinkId, bytes: &[u8]) -> Instead {
        let Ok(Frame::Request { id, body }) = Frame::decode(bytes) else { return None };
        match (self.lie, body) {
            (Lie::DropPuts, Request::Put { .. } | Request::PutObject { .. }) => Some(Vec::new()),
            (Lie::DropReads, Request::List { .. } | Request::Get { .. }) => Some(Vec::new()),
            (Lie::ForgedReceipts, Request::Put { b, fan: true, .. }) => {
                let receipts = self.forge(&b)?;
                Some(answer(link, id, Reply::Put { receipts, refused: Vec::new() }))
            }
            (Lie::EarlyReceipts, Request::Put { b, .. }) => {
                let of = Expected::from(&SealedBox::parse(&b).ok()?.verify(&self.params).ok()?);
                let receipts = vec![receipt::issue(&self.key, &of)];
                Some(answer(link, id, Reply::Put { receipts, refused: Vec::new() }))
            }
            (Lie::ConflictLies, Request::Put { .. }) => {
                let held = ByteBuf::from(self.rng.bytes::<200>().to_vec());
                let refused = vec![(self.key.id(), PutRefusal::Conflict { held })];
                Some(answer(link, id, Reply::Put { receipts: Vec::new(), refused }))
            }
            (Lie::Replays, _) => {
                self.keep(bytes);
                None
            }
            _ => None,
        }
    }

    /// Receipts in everybody's name; only its own signature is real, and that only under its own name.
    fn forge(&mut self, bytes: &[u8]) -> Option<Vec<murre_mailbox::Receipt>> {
        let of = Expected::from(&SealedBox::parse(bytes).ok()?.verify(&self.params).ok()?);
        let sign = |n: PeerKey| {
            let body = ReceiptBody { n, b: of.id, h: Bytes(of.hash), x: of.expiry_hour, e: of.epoch };
            murre_crypto::Signed::new(&body, |label, msg| self.key.sign(label, msg))
        };
        Some(self.others.iter().map(|n| sign(*n)).take(murre_mailbox::limits::MAX_PARTS).collect())
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(bytes.to_vec());
    }

    /// The real custodian says something. True if it was twisted.
    pub fn outgoing(&mut self, t: Transmit) -> (Vec<Transmit>, bool) {
        match self.lie {
            Lie::StaleLists => self.stale(t),
            Lie::Replays if !t.bytes.is_empty() => {
                self.turn += 1;
                let again = self
                    .kept
                    .get((self.turn / 5) as usize % KEPT)
                    .filter(|_| self.turn.is_multiple_of(5))
                    .cloned();
                self.keep(&t.bytes);
                let Some(bytes) = again else { return (vec![t], false) };
                let old = Transmit { to: t.to.clone(), class: t.class, bytes };
                (vec![t, old], true)
            }
            _ => (vec![t], false),
        }
    }

    fn stale(&mut self, t: Transmit) -> (Vec<Transmit>, bool) {
        let Ok(Frame::Reply { id, body: Reply::List { parts } }) = Frame::decode(&t.bytes) else {
            return (vec![t], false);
        };
        let parts: Vec<ListPart> = parts.into_iter().map(|part| self.stale_part(part)).collect();
        let bytes = Frame::Reply { id, body: Reply::List { parts } }.encode();
        (vec![Transmit { to: t.to, class: t.class, bytes }], true)
    }

    /// Its own part says what the first list ever said; it has only its own key to sign with.
    fn stale_part(&mut self, part: ListPart) -> ListPart {
        let Ok(body) = part.clone().verify() else { return part };
        if body.n != self.key.id() {
            return part;
        }
        let mut body = body.into_body();
        match self.old_list.first() {
            Some((_, old)) => body.ids.clone_from(&old.ids),
            None => self.old_list.push((self.key.id(), body.clone())),
        }
        body.more = false;
        sign_list(&self.key, &body)
    }
}

fn answer(link: LinkId, id: u64, body: Reply) -> Vec<Transmit> {
    let bytes = Frame::Reply { id, body }.encode();
    vec![Transmit { to: Dest::Link(link), class: Class::Mailbox, bytes }]
}
