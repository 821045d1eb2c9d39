//! What is enough for each kind of request, and what of an answer counts.
//!
//! A goal takes answers in, drops from them whatever is not signed by who gave it or does not prove itself, and
//! says whether to go on. It asks nobody and knows no time.

use murre_core::NetworkParams;
use murre_core::id::{BoxId, Bytes, PeerKey};
use murre_mailbox::limits::MAX_BOXES_BYTES;
use murre_mailbox::receipt::{Expected, check};
use murre_mailbox::{ListPart, PutRefusal, Receipt, Refusal, Reply, SealedBox, SignedObject};
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;

/// What an answer was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The asker can be answered.
    Enough,
    /// It helped, or may yet.
    More,
    /// It was worth nothing: ask another node instead.
    Failed,
}

/// What a fan-out is for.
#[derive(Debug)]
pub enum Goal {
    /// Receipts for a box or an owner object.
    Put {
        /// What each must say.
        expected: Expected,
        /// Ranks 1 to k.
        first: BTreeSet<PeerKey>,
        /// Receipts that are enough.
        need: usize,
        /// Receipts that count.
        receipts: Vec<(PeerKey, Receipt)>,
        /// Who refused and why.
        refused: Vec<(PeerKey, PutRefusal)>,
    },
    /// Signed lists.
    List {
        /// Hash of the request that each must echo.
        request: Bytes<32>,
        /// Answers that are enough.
        need: usize,
        /// Whether one answer with an id is enough.
        waiting: bool,
        /// Answers that count.
        parts: Vec<ListPart>,
    },
    /// Boxes by id.
    Get {
        /// Not found yet.
        missing: BTreeSet<BoxId>,
        /// Found.
        boxes: Vec<ByteBuf>,
        /// Their bytes.
        bytes: usize,
    },
    /// Owner objects.
    Object {
        /// Answers that are enough.
        need: usize,
        /// Answers so far.
        answers: usize,
        /// What came, each bytes once.
        objects: Vec<ByteBuf>,
    },
    /// Tombstones.
    Tombstone {
        /// Nodes that must have done it.
        need: usize,
        /// Nodes that have.
        done: usize,
    },
}

/// Receipts from ranks 1 to k that a put needs among its `w`: with fewer, a careful read of those ranks could
/// miss the box until repair has moved it.
pub const FIRST_RANKS_NEEDED: usize = 4;

impl Goal {
    /// Takes one node's answer in.
    pub fn absorb(&mut self, from: PeerKey, reply: Reply, params: &NetworkParams) -> Verdict {
        match (self, reply) {
            (
                Self::Put { expected, first, need, receipts, refused },
                Reply::Put { receipts: got, refused: no },
            ) => {
                // spec: K-26
                if let Some(receipt) = got.into_iter().find(|r| check((*r).clone(), expected) == Ok(from)) {
                    receipts.push((from, receipt));
                    let in_first = receipts.iter().filter(|(n, _)| first.contains(n)).count();
                    let enough = receipts.len() >= *need && in_first >= FIRST_RANKS_NEEDED.min(*need);
                    return if enough { Verdict::Enough } else { Verdict::More };
                }
                if let Some((_, why)) = no.into_iter().find(|(n, _)| *n == from) {
                    refused.push((from, why));
                }
                Verdict::Failed
            }
            (Self::List { request, need, waiting, parts }, Reply::List { parts: got }) => {
                for part in got {
                    let Ok(body) = part.clone().verify() else { continue };
                    if body.n != from || body.q != *request {
                        continue;
                    }
                    let news = !body.ids.is_empty();
                    parts.push(part);
                    let enough = if *waiting { news } else { parts.len() >= *need };
                    return if enough { Verdict::Enough } else { Verdict::More };
                }
                Verdict::Failed
            }
            (Self::Get { missing, boxes, bytes }, Reply::Get { boxes: got }) => {
                for wire in got {
                    let Ok(sealed) = SealedBox::parse(&wire) else { continue };
                    let Ok(checked) = sealed.verify(params) else { continue };
                    let fits = bytes.saturating_add(wire.len()) <= MAX_BOXES_BYTES;
                    if fits && missing.remove(&checked.id()) {
                        *bytes = bytes.saturating_add(wire.len());
                        boxes.push(wire);
                    }
                }
                // What a node does not have another may: "not enough" asks the next one.
                let full = *bytes > MAX_BOXES_BYTES / 4 * 3;
                if missing.is_empty() || full { Verdict::Enough } else { Verdict::Failed }
            }
            (Self::Object { need, answers, objects }, Reply::Object { objects: got }) => {
                *answers = answers.saturating_add(1);
                if let Some(wire) = got.into_iter().next() {
                    let valid = SignedObject::parse(&wire).is_ok_and(|o| o.verify(params).is_ok());
                    if valid && !objects.contains(&wire) {
                        objects.push(wire);
                    }
                }
                if *answers >= *need && !objects.is_empty() { Verdict::Enough } else { Verdict::More }
            }
            (Self::Tombstone { need, done }, Reply::Ok) => {
                *done = done.saturating_add(1);
                if *done >= *need { Verdict::Enough } else { Verdict::More }
            }
            // A refusal, or an answer to another question.
            (
                Self::Put { .. }
                | Self::List { .. }
                | Self::Get { .. }
                | Self::Object { .. }
                | Self::Tombstone { .. },
                _,
            ) => Verdict::Failed,
        }
    }

    /// The one answer to the asker.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        match self {
            Self::Put { receipts, refused, .. } => {
                let receipts = receipts.into_iter().map(|(_, r)| r).collect();
                Reply::Put { receipts, refused: one_conflict(refused) }
            }
            Self::List { parts, .. } => Reply::List { parts },
            Self::Get { boxes, .. } => Reply::Get { boxes },
            Self::Object { objects, .. } => Reply::Object { objects },
            Self::Tombstone { done, .. } if done > 0 => Reply::Ok,
            Self::Tombstone { .. } => Reply::Refused(Refusal::Busy),
        }
    }
}

/// Keeps the bytes of the first conflict only: a frame has no room for eight.
fn one_conflict(refused: Vec<(PeerKey, PutRefusal)>) -> Vec<(PeerKey, PutRefusal)> {
    let mut shown = false;
    let mut out = refused;
    for (_, why) in &mut out {
        if let PutRefusal::Conflict { held } = why {
            if shown {
                held.clear();
            }
            shown |= !held.is_empty();
        }
    }
    out
}
