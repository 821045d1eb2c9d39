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

#[cfg(test)]
mod tests {
    use super::*;
    use murre_core::{Rng, Wall};
    use murre_crypto::{NodeKey, Secret};
    use murre_mailbox::receipt::issue;
    use murre_mailbox::request::sign_list;
    use murre_mailbox::{ListBody, MailboxKind, ReaderKeys, TagKey, VerifiedBox, Writer};

    const P: NetworkParams = NetworkParams::cheap();

    fn node(n: u8) -> NodeKey {
        NodeKey::from_secret(&Secret::new([n; 32]))
    }

    fn a_box(index: u64) -> VerifiedBox {
        let mut rng = Rng::from_seed([5; 32]);
        let now = Wall(1_790_000_000_000);
        let reader = ReaderKeys::generate(MailboxKind::Group, &mut rng);
        let tag = TagKey::generate(&mut rng);
        let epoch = reader.address().epoch_at(now, &P);
        let grant = reader.grant(&mut rng, &tag.public(), epoch, 1).unwrap();
        let writer = Writer::new(&grant, Some(&tag)).unwrap();
        let sealed = writer.seal_box(epoch, index, now.hour() + 24, b"x").unwrap();
        sealed.verify(&P).unwrap()
    }

    fn put_goal(b: &VerifiedBox, need: usize) -> Goal {
        let first = (1..=4).map(|n| node(n).id()).collect();
        Goal::Put { expected: b.into(), first, need, receipts: vec![], refused: vec![] }
    }

    fn put_reply(receipt: Receipt) -> Reply {
        Reply::Put { receipts: vec![receipt], refused: vec![] }
    }

    #[test]
    fn only_receipts_of_who_gave_them_for_this_very_box_count() {
        let (b, other) = (a_box(1), a_box(2));
        let good = issue(&node(1), &(&b).into());
        let mut altered = good.bytes();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        let altered = Receipt::from_bytes(&altered).unwrap();
        let mut goal = put_goal(&b, 1);
        let p1 = node(1).id();
        for bad in [altered, issue(&node(2), &(&b).into()), issue(&node(1), &(&other).into())] {
            assert_eq!(goal.absorb(p1, put_reply(bad), &P), Verdict::Failed);
        }
        assert_eq!(goal.absorb(p1, put_reply(good), &P), Verdict::Enough);
    }

    #[test]
    fn spare_ranks_alone_are_not_enough() {
        let b = a_box(1);
        let mut goal = put_goal(&b, 5);
        let mut give = |n| goal.absorb(node(n).id(), put_reply(issue(&node(n), &(&b).into())), &P);
        for n in [9, 10, 1, 2, 3] {
            assert_eq!(give(n), Verdict::More, "{n}");
        }
        assert_eq!(give(4), Verdict::Enough);
    }

    #[test]
    fn a_list_counts_for_its_own_request_and_node_only() {
        let mut goal = Goal::List { request: Bytes([7; 32]), need: 1, waiting: false, parts: vec![] };
        let part = |signer: u8, n: u8, q: u8| {
            let body =
                ListBody { n: node(n).id(), q: Bytes([q; 32]), inc: 1, seq: 0, ids: vec![], more: false };
            Reply::List { parts: vec![sign_list(&node(signer), &body)] }
        };
        for bad in [part(1, 1, 8), part(2, 1, 7), part(2, 2, 7)] {
            assert_eq!(goal.absorb(node(1).id(), bad, &P), Verdict::Failed);
        }
        assert_eq!(goal.absorb(node(1).id(), part(1, 1, 7), &P), Verdict::Enough);
    }

    #[test]
    fn a_get_takes_nothing_but_the_boxes_asked_for() {
        let (b, other) = (a_box(1), a_box(2));
        let mut goal = Goal::Get { missing: BTreeSet::from([b.id()]), boxes: vec![], bytes: 0 };
        let get = |wire: &[u8]| Reply::Get { boxes: vec![ByteBuf::from(wire.to_vec())] };
        let mut forged = b.wire().to_vec();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        for bad in [get(&forged), get(other.wire()), get(b"rubbish"), Reply::Ok] {
            assert_eq!(goal.absorb(node(1).id(), bad, &P), Verdict::Failed);
        }
        assert_eq!(goal.absorb(node(2).id(), get(b.wire()), &P), Verdict::Enough);
        assert_eq!(goal.into_reply(), get(b.wire()));
    }
}
