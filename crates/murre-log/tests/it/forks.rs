//! One number used twice.

use crate::world::{Device, after, key, rng, root, sign};
use murre_core::codec;
use murre_log::logs::{AppendError, DraftError, Refusal};
use murre_log::{Accept, ForkProof, ForkProofError, VerifiedEntry};
use serde_bytes::ByteBuf;

fn twins() -> (VerifiedEntry, VerifiedEntry, VerifiedEntry) {
    let first = sign(&root(&key(1)), &key(1), b"0");
    let left = sign(&after(&first), &key(1), b"left");
    let right = sign(&after(&first), &key(1), b"right");
    (first, left, right)
}

#[test]
fn both_orders_of_a_fork_give_one_order_one_proof_and_a_frozen_author() {
    let (first, left, right) = twins();
    let mut seen = Vec::new();
    for pair in [[&left, &right], [&right, &left]] {
        let mut device = Device::new();
        device.accept(&first);
        assert!(matches!(device.accept(pair[0]), Accept::Accepted(_)));
        let Accept::Equivocation { accepted, proofs } = device.accept(pair[1]) else { panic!("not noticed") };
        assert_eq!((accepted.len(), proofs.len()), (1, 1));
        let forked = proofs[0].check().unwrap();
        assert_eq!((forked.by, forked.seq, forked.log), (key(1).id(), 1, crate::world::LOG));
        assert_eq!(device.accept(pair[0]), Accept::Duplicate);
        assert_eq!(device.accept(pair[1]), Accept::Duplicate);
        let entry = device.logs.entry_at(&device.store, device.log, &pair[1].link()).unwrap();
        assert_eq!(entry.as_ref(), Some(pair[1]), "both are kept whole");
        seen.push(device.seen());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].frozen, vec![(key(1).id(), 1)]);
}

#[test]
fn a_frozen_author_writes_no_more_here() {
    let (first, left, right) = twins();
    let mut device = Device::new();
    for entry in [&first, &left] {
        device.accept(entry);
    }
    let log = device.log;
    let drafted = device.logs.draft(&device.store, log, key(1).id(), crate::world::STATE, [0; 32]).unwrap();
    device.accept(&right);
    let draft = device.logs.draft(&device.store, log, key(1).id(), crate::world::STATE, [0; 32]);
    assert!(matches!(draft, Err(DraftError::Frozen { seq: 1 })));
    let entry = sign(&drafted, &key(1), b"late");
    let appended = device.turn(|logs, tx, log| logs.append(tx, log, entry));
    assert!(matches!(appended, Err(AppendError::Frozen { seq: 1 })));
}

#[test]
fn a_stale_draft_is_not_appended() {
    let mut device = Device::new();
    let header =
        device.logs.draft(&device.store, device.log, key(1).id(), crate::world::STATE, [0; 32]).unwrap();
    device.write(&key(1), b"meanwhile").unwrap();
    let rows = device.store.rows.clone();
    let appended = device.turn(|logs, tx, log| logs.append(tx, log, sign(&header, &key(1), b"late")));
    assert!(matches!(appended, Err(AppendError::Stale)));
    assert_eq!(device.store.rows, rows, "nothing was written");
}

#[test]
fn others_go_on_above_both_branches() {
    let (first, left, right) = twins();
    let left2 = sign(&after(&left), &key(1), b"left 2");
    let right2 = sign(&after(&right), &key(1), b"right 2");
    let mut device = Device::new();
    for entry in [&first, &left, &left2, &right, &right2] {
        device.accept(entry);
    }
    let entry = device.write(&key(2), b"I saw both").unwrap();
    assert_eq!(entry.header().next.len(), 2);
    assert_eq!(device.seen().heads, vec![entry.link()]);
    // Somebody who has one branch only must fetch the other.
    let mut late = Device::new();
    for known in [&first, &left, &left2] {
        late.accept(known);
    }
    assert_eq!(late.accept(&entry), Accept::Pending { missing: vec![right2.link()] });
    late.accept(&right2);
    assert_eq!(late.missing(), vec![right.link()]);
    let Accept::Equivocation { accepted, proofs } = late.accept(&right) else { panic!("not noticed") };
    assert_eq!((accepted.len(), proofs.len()), (3, 2));
    assert_eq!(late.seen(), device.seen());
}

#[test]
fn skips_stay_on_their_own_branch() {
    // Two whole chains from number 0 on; number 3 skips to number 0.
    let mut chains: Vec<Vec<VerifiedEntry>> = Vec::new();
    for branch in [b"a", b"b"] {
        let mut chain = vec![sign(&root(&key(1)), &key(1), branch)];
        for _ in 0..2 {
            let next = sign(&after(chain.last().unwrap()), &key(1), branch);
            chain.push(next);
        }
        chains.push(chain);
    }
    let mut device = Device::new();
    for entry in chains.iter().flatten() {
        device.accept(entry);
    }
    let mut header = after(&chains[0][2]);
    header.skip = Some(chains[1][0].link());
    assert_eq!(device.accept(&sign(&header, &key(1), b"x")), Accept::Refused(Refusal::Skip));
    header.skip = Some(chains[0][0].link());
    assert!(matches!(device.accept(&sign(&header, &key(1), b"x")), Accept::Accepted(_)));
    header.prev = Some(chains[1][2].link());
    assert_eq!(device.accept(&sign(&header, &key(1), b"x")), Accept::Refused(Refusal::Skip));
}

#[test]
fn forks_end_at_their_limit_unless_somebody_builds_on_one() {
    let mut device = Device::new();
    let fork = |n: u32| sign(&root(&key(1)), &key(1), &n.to_be_bytes());
    let limit = murre_log::logs::MAX_FORKS;
    for n in 0..=limit {
        assert!(!matches!(device.accept(&fork(n)), Accept::Refused(_)), "{n}");
    }
    let one_more = fork(limit + 1);
    assert_eq!(device.accept(&one_more), Accept::Refused(Refusal::TooManyForks));
    // An honest author saw it first: then it is needed, or replicas would differ for ever.
    let mut honest = Device::new();
    honest.accept(&one_more);
    let entry = honest.write(&key(2), b"after it").unwrap();
    assert_eq!(device.accept(&entry), Accept::Pending { missing: vec![one_more.link()] });
    let Accept::Equivocation { accepted, .. } = device.accept(&one_more) else { panic!("needed") };
    assert_eq!(accepted.len(), 2);
}

#[test]
fn false_proofs_are_refused() {
    let (first, left, right) = twins();
    let mut device = Device::new();
    for entry in [&first, &left, &right] {
        device.accept(entry);
    }
    let proof = device.logs.fork_proof(&device.store, device.log, key(1).id()).unwrap().unwrap();
    assert_eq!(ForkProof::decode(&proof.encode()).unwrap().1.seq, 1);
    let made = |x: &VerifiedEntry, y: &VerifiedEntry| {
        #[derive(serde::Serialize)]
        struct Raw {
            a: ByteBuf,
            b: ByteBuf,
        }
        let raw = Raw { a: ByteBuf::from(x.block()), b: ByteBuf::from(y.block()) };
        ForkProof::decode(&codec::encode(&raw)).map(|p| p.1)
    };
    let (low, high) = if left.id() < right.id() { (&left, &right) } else { (&right, &left) };
    assert!(made(low, high).is_ok());
    assert_eq!(made(high, low), Err(ForkProofError::Order));
    assert_eq!(made(low, low), Err(ForkProofError::Order));
    let (a, b) = if first.id() < left.id() { (&first, &left) } else { (&left, &first) };
    assert_eq!(made(a, b), Err(ForkProofError::Unrelated));
    let bytes = proof.encode();
    let mut dice = rng(3);
    for _ in 0..300 {
        let mut bad = bytes.clone();
        bad[dice.below(bytes.len() as u64) as usize] ^= 1 << dice.below(8);
        assert!(ForkProof::decode(&bad).is_err());
    }
}
