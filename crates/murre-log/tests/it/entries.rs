//! Entries on the wire: what is changed is refused.

use crate::world::{Device, after, key, rng, root, sign};
use murre_core::codec;
use murre_core::id::{Bytes, EntryId};
use murre_log::header::{HeaderFault, MAX_BODY};
use murre_log::{Entry, EntryError, Header, Link, VerifiedEntry};
use proptest::prelude::*;

fn sample() -> VerifiedEntry {
    let mut device = Device::new();
    device.write(&key(2), b"other").unwrap();
    for n in 0..4u8 {
        device.write(&key(1), &[n; 20]).unwrap();
    }
    device.write(&key(1), b"body of some bytes").unwrap()
}

#[test]
fn every_flipped_bit_is_refused() {
    let entry = sample();
    let wire = entry.wire();
    for bit in 0..wire.len() * 8 {
        let mut bad = wire.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Entry::parse(&bad).and_then(Entry::verify).is_err(), "bit {bit} of {}", wire.len() * 8);
    }
}

#[test]
fn every_cut_is_refused() {
    let wire = sample().wire();
    for cut in 0..wire.len() {
        assert!(Entry::parse(&wire[..cut]).is_err());
    }
    assert!(Entry::parse(&[wire.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn the_id_is_the_digest_of_an_ipld_block() {
    let entry = sample();
    assert_eq!(entry.id(), EntryId::from_bytes(*blake3::hash(&entry.block()).as_bytes()));
    let cid = murre_log::link::entry_cid(&entry.id());
    assert!(cid.to_string().starts_with("bafyr4i"), "CIDv1, dag-cbor, BLAKE3: {cid}");
    // A generic DAG walker finds every parent in the header.
    let ipld: ipld_core::ipld::Ipld = serde_ipld_dagcbor::from_slice(&entry.header().encode()).unwrap();
    let mut links = Vec::new();
    ipld.references(&mut links);
    for parent in entry.header().parents().chain(&entry.header().skip) {
        assert!(links.contains(&murre_log::link::entry_cid(&parent.h)));
    }
}

#[test]
fn many_at_once_are_judged_like_each_alone() {
    let mut entries: Vec<Entry> = Vec::new();
    for n in 0..12u8 {
        let good = sign(&root(&key(n)), &key(n), &[n]);
        entries.push(match n {
            3 => Entry::sign(&root(&key(n)), &key(99), vec![n]), // another key
            7 => Entry::sign(&Header { time: 2, ..root(&key(n)) }, &key(n), vec![n]),
            _ => good.to_entry(),
        });
    }
    let alone: Vec<_> = entries.iter().map(|e| e.clone().verify()).collect();
    assert_eq!(alone[3], Err(EntryError::Signature));
    assert_eq!(alone[7], Err(EntryError::Fault(HeaderFault::Time)));
    assert_eq!(alone.iter().filter(|r| r.is_ok()).count(), 10);
    assert_eq!(Entry::verify_all(entries.clone(), &mut rng(1)), alone);
    // Without the bad signature the batch holds, and the bad rule is still found.
    entries.remove(3);
    let alone: Vec<_> = entries.iter().map(|e| e.clone().verify()).collect();
    assert_eq!(Entry::verify_all(entries, &mut rng(1)), alone);
}

#[test]
fn bodies_end_at_one_mebibyte() {
    let entry = VerifiedEntry::sign(&root(&key(1)), &key(1), vec![7; MAX_BODY]).unwrap();
    assert_eq!(Entry::parse(&entry.wire()).unwrap().verify().unwrap(), entry);
    let long = Entry::sign(&root(&key(1)), &key(1), vec![7; MAX_BODY + 1]);
    assert_eq!(Entry::parse(&long.wire()).unwrap_err().class(), "too-long");
    let more = Entry::sign(&root(&key(1)), &key(1), vec![7; MAX_BODY + 5_000]);
    assert_eq!(Entry::parse(&more.wire()).unwrap_err().class(), "too-long");
    let own = VerifiedEntry::sign(&root(&key(1)), &key(1), vec![7; MAX_BODY + 1]);
    assert_eq!(own.unwrap_err().class(), "too-long");
}

#[test]
fn a_full_header_fits_its_limit() {
    let first = sign(&root(&key(1)), &key(1), b"");
    let mut next: Vec<Link> =
        (0..16u8).map(|n| Link { a: Bytes([n; 8]), s: u32::MAX, h: EntryId::from_bytes([n; 32]) }).collect();
    next.sort();
    let header = Header { next, time: u64::MAX, ..after(&first) };
    assert!(header.encode().len() < murre_log::header::MAX_HEADER);
    sign(&header, &key(1), b"x");
}

#[test]
fn only_the_author_signs() {
    assert_eq!(VerifiedEntry::sign(&root(&key(1)), &key(2), vec![]), Err(EntryError::WrongKey));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Entry::parse(&bytes).map(Entry::verify);
        let _ = codec::decode::<Header>(&bytes, 4096);
        let _ = murre_log::ForkProof::decode(&bytes);
        let _ = murre_log::Signal::parse(&bytes).map(murre_log::Signal::verify);
    }

    #[test]
    fn damaged_entries_do_not_panic(at in any::<prop::sample::Index>(), with in any::<[u8; 4]>()) {
        let mut wire = sign(&root(&key(1)), &key(1), b"body").wire();
        let at = at.index(wire.len() - 4);
        let before = wire[at..at + 4].to_vec();
        wire[at..at + 4].copy_from_slice(&with);
        let answer = Entry::parse(&wire).and_then(Entry::verify);
        prop_assert_eq!(answer.is_ok(), before == with);
    }
}
