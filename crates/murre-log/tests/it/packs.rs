//! Contents: limits, commitments, padding, message ids.

use crate::world::{LOG, key, rng, root};
use murre_core::id::LogId;
use murre_log::pack::{
    MAX_CONTENT, MAX_ITEMS, MAX_PADDED, MAX_TOGETHER, MIN_PADDED, pack_commitment, padded_len,
};
use murre_log::{Item, Pack, PackError, message_id};
use proptest::prelude::*;

fn pack(contents: Vec<Vec<u8>>) -> Result<Pack, PackError> {
    Pack::new(contents, &mut rng(1))
}

#[test]
fn the_ladder_climbs_by_doubling_and_then_by_a_quarter_at_most() {
    let rungs: Vec<usize> = {
        let mut at = 0;
        std::iter::from_fn(|| {
            at = padded_len(at + 1);
            (at <= MAX_PADDED).then_some(at)
        })
        .collect()
    };
    assert_eq!(rungs[..10], [128, 256, 512, 1024, 2048, 2560, 3072, 3584, 4096, 5120]);
    assert_eq!(rungs.last(), Some(&MAX_PADDED));
    for pair in rungs.windows(2).skip(4) {
        assert!(pair[1] * 4 <= pair[0] * 5, "{pair:?}");
    }
    for len in 1..MAX_PADDED {
        let padded = padded_len(len);
        assert!(padded >= len && rungs.contains(&padded) && padded_len(padded) == padded);
    }
}

#[test]
fn limits_are_kept() {
    assert_eq!(pack(vec![]), Err(PackError::Count { count: 0 }));
    assert!(pack(vec![vec![1]; MAX_ITEMS]).is_ok());
    assert_eq!(pack(vec![vec![1]; MAX_ITEMS + 1]), Err(PackError::Count { count: MAX_ITEMS + 1 }));
    assert!(pack(vec![vec![1; MAX_TOGETHER - 1], vec![2]]).is_ok());
    assert_eq!(pack(vec![vec![1; MAX_TOGETHER], vec![2]]), Err(PackError::TooLong { len: MAX_TOGETHER + 1 }));
    let single = pack(vec![vec![1; MAX_CONTENT]]).unwrap();
    assert_eq!(single.encode_padded().len(), MAX_PADDED);
    assert_eq!(Pack::decode(&single.encode_padded()), Ok(single));
    assert_eq!(pack(vec![vec![1; MAX_CONTENT + 1]]), Err(PackError::TooLong { len: MAX_CONTENT + 1 }));
    assert!(Pack::fits(0, 0, MAX_CONTENT) && Pack::fits(1, 10, MAX_TOGETHER - 10));
    assert!(!Pack::fits(1, 10, MAX_TOGETHER - 9) && !Pack::fits(MAX_ITEMS, 64, 1));
}

#[test]
fn a_pack_is_bound_to_its_header() {
    let pack = pack(vec![b"one".to_vec(), b"two".to_vec()]).unwrap();
    let mut header = root(&key(1));
    header.c = pack.commitment();
    assert_eq!(pack.check(&header), Ok(()));
    let items = || pack.items().to_vec();
    let changes: [fn(&mut Vec<Item>); 4] =
        [|i| i.swap(0, 1), |i| i[0].content[0] ^= 1, |i| i[1].salt.0[15] ^= 1, |i| i.truncate(1)];
    for change in changes {
        let mut items = items();
        change(&mut items);
        assert_eq!(Pack::from_items(items).unwrap().check(&header), Err(PackError::Commitment));
    }
    // With one content gone, its commitment stands in.
    let shown = [items()[0].commitment(), items()[1].commitment()];
    assert_eq!(pack_commitment(&shown), header.c);
}

#[test]
fn equal_contents_have_unequal_commitments() {
    let pack = pack(vec![b"same".to_vec(), b"same".to_vec()]).unwrap();
    assert_ne!(pack.items()[0].commitment(), pack.items()[1].commitment());
    assert_ne!(pack.commitment(), Pack::new(vec![b"same".to_vec(); 2], &mut rng(2)).unwrap().commitment());
}

#[test]
fn message_ids_name_log_commitment_and_position() {
    let id = message_id(LOG, &[1; 32], 0);
    assert_eq!(id, message_id(LOG, &[1; 32], 0), "the same in whatever entry it stands");
    assert_ne!(id, message_id(LOG, &[1; 32], 1));
    assert_ne!(id, message_id(LOG, &[2; 32], 0));
    assert_ne!(id, message_id(LogId::from_bytes([9; 32]), &[1; 32], 0));
    assert_eq!(id.to_string(), "1e7c3560c2bf18605636e64696f9bd51333dcb3d6b82fb0980b5195e55d29ff2");
}

proptest! {
    #[test]
    fn packs_come_back(contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..20)) {
        let pack = pack(contents).unwrap();
        let bytes = pack.encode_padded();
        prop_assert!(bytes.len() >= MIN_PADDED);
        prop_assert_eq!(Pack::decode(&bytes), Ok(pack));
    }

    #[test]
    fn arbitrary_packs_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Pack::decode(&bytes);
    }

    #[test]
    fn another_padding_is_refused(extra in 1usize..600, at in any::<prop::sample::Index>()) {
        let bytes = pack(vec![b"hello".to_vec()]).unwrap().encode_padded();
        let longer = [bytes.as_slice(), &vec![0; extra]].concat();
        prop_assert_eq!(Pack::decode(&longer), Err(PackError::Padding));
        let used = 4 + u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        let mut dirty = bytes.clone();
        let at = used + at.index(bytes.len() - used);
        dirty[at] = 1;
        prop_assert_eq!(Pack::decode(&dirty), Err(PackError::Padding));
        prop_assert!(Pack::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
