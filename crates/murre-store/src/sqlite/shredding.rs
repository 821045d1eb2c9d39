//! Tests that look at every raw page, as somebody with the disk and the key would.
//!
//! ```text
//!  file   | page 1 | page 2 | ...                          WAL   | header 32 | frame 24 | page | frame 24 | page | ...
//!
//!  page, encrypted   | AES-256-CBC under the key ... | IV 16 | HMAC 64 |     page 1 begins with a salt of 16 bytes
//! ```

use super::tests::{KEY, Place, SPACE, both, commit, put};
use super::*;
use aes::Aes256;
use cbc::cipher::{Array, BlockModeDecrypt, KeyIvInit};
use std::collections::BTreeSet;

const PAGE: usize = 4096;
const RESERVED: usize = 80;
const SALT: usize = 16;
const PREFIX: &[u8] = b"<marker ";
/// Rows of one run: enough for pages to split, merge, become free and be used again.
const ROWS: u32 = 1_500;

/// Every page of the file and of its WAL, decrypted.
fn pages(place: &Place) -> Vec<Vec<u8>> {
    let [file, wal] = place.raw();
    let frames = wal.get(32..).unwrap_or_default().chunks_exact(24 + PAGE).map(|frame| &frame[24..]);
    let numbered = |page: &[u8]| page.to_vec();
    let all: Vec<Vec<u8>> = file.chunks_exact(PAGE).map(numbered).chain(frames.map(numbered)).collect();
    if place.key.is_none() { all } else { all.iter().flat_map(|page| decrypted(page)).collect() }
}

/// A page as page 1, whose first 16 bytes are the salt, and as any other: which it is need not be known, for what is
/// decrypted wrongly shows nothing.
fn decrypted(page: &[u8]) -> [Vec<u8>; 2] {
    let iv = &page[PAGE - RESERVED..PAGE - RESERVED + 16];
    [SALT, 0].map(|skip| {
        let mut body = page[skip..PAGE - RESERVED].to_vec();
        let key = Array::try_from(KEY.as_slice()).unwrap();
        let mut cipher = cbc::Decryptor::<Aes256>::new(&key, &Array::try_from(iv).unwrap());
        for block in body.chunks_exact_mut(16) {
            cipher.decrypt_block(block.try_into().unwrap());
        }
        body
    })
}

fn marker(n: u32) -> Vec<u8> {
    [PREFIX, format!("{n:08}>").as_bytes()].concat()
}

/// The numbers of all markers that lie anywhere in the raw pages.
fn found(place: &Place) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for page in pages(place) {
        for at in 0..page.len().saturating_sub(PREFIX.len() + 8) {
            if page[at..].starts_with(PREFIX) {
                let digits = &page[at + PREFIX.len()..at + PREFIX.len() + 8];
                all.extend(std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u32>().ok()));
            }
        }
    }
    all
}

/// xorshift64*: a run is told by its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % u64::from(n)) as u32
    }
}

/// A row with its marker at both ends, of some size between a few bytes and three pages.
fn row(n: u32, dice: &mut Dice) -> Vec<u8> {
    let size = match dice.below(10) {
        0 => dice.below(12_000),
        1..=3 => dice.below(900),
        _ => dice.below(90),
    };
    [marker(n), vec![b'.'; size as usize], marker(n)].concat()
}

/// Ways to write a row and to take it back: by a random key, by a growing one, as a text for the index.
fn written(n: u32, dice: &mut Dice) -> Op {
    match n % 3 {
        0 => put(&(n.wrapping_mul(2_654_435_761)).to_be_bytes(), &row(n, dice)),
        1 => Op::Put { space: GROWING, key: u64::from(n).to_be_bytes().to_vec(), value: row(n, dice) },
        _ => Op::Index { doc: u64::from(n), tag: 1, text: String::from_utf8(row(n, dice)).unwrap() },
    }
}

fn erased(n: u32) -> Op {
    match n % 3 {
        0 => Op::Erase { space: SPACE, key: n.wrapping_mul(2_654_435_761).to_be_bytes().to_vec() },
        1 => Op::Erase { space: GROWING, key: u64::from(n).to_be_bytes().to_vec() },
        _ => Op::Unindex { doc: u64::from(n) },
    }
}

const GROWING: Space = Space::seq(2, "growing");

/// Erases in random order, while new rows come and large transactions are taken back.
fn churn(store: &mut SqliteStore, gone: &BTreeSet<u32>, dice: &mut Dice) {
    let mut order: Vec<u32> = gone.iter().copied().collect();
    for i in (1..order.len()).rev() {
        order.swap(i, dice.below(i as u32 + 1) as usize);
    }
    for (n, some) in order.chunks(30).enumerate() {
        if n % 7 == 0 {
            store.begin().unwrap();
            let many = (0..40u32).map(|i| put(&[&i.to_be_bytes()[..], b"!"].concat(), &[b'!'; 3_000]));
            store.apply(&Batch { ops: many.collect() }).unwrap();
            store.rollback();
        }
        let mut ops: Vec<Op> = some.iter().map(|n| erased(*n)).collect();
        let fresh = 9_000_000 + dice.below(900_000) / 3 * 3;
        ops.push(put(&fresh.to_be_bytes(), &vec![b'-'; dice.below(3_000) as usize]));
        commit(store, ops);
        assert!(store.wants_checkpoint());
    }
}

#[test]
fn no_raw_page_holds_what_was_erased_once_the_store_is_tidied() {
    // A WAL that begins anew every few commits, and one that hardly ever does; caches from which pages spill.
    for checkpoint_pages in [12, 1_000] {
        for place in both() {
            let config = Config { checkpoint_pages, cache_kib: 64, ..Config::default() };
            for seed in 1..=3 {
                let mut store = SqliteStore::open(&place.path(), place.key.as_ref(), config).unwrap();
                let mut dice = Dice(seed);
                let all: Vec<u32> = (0..ROWS).map(|n| n + seed as u32 * 10_000).collect();
                for some in all.chunks(40) {
                    let ops = some.iter().map(|n| written(*n, &mut dice)).collect();
                    commit(&mut store, ops);
                }
                let there = found(&place);
                assert!(all.iter().all(|n| there.contains(n)), "or the test would prove nothing");
                let gone: BTreeSet<u32> = all.iter().copied().filter(|_| dice.below(4) > 0).collect();
                churn(&mut store, &gone, &mut dice);
                if seed == 1 {
                    // The end of the last connection tidies as well.
                    drop(store);
                } else {
                    store.checkpoint().unwrap();
                }
                let left = found(&place);
                let still: Vec<&u32> = left.intersection(&gone).collect();
                let encrypted = place.key.is_some();
                assert!(still.is_empty(), "encrypted {encrypted}, {checkpoint_pages}, {seed}: {still:?}");
                assert!(all.iter().all(|n| gone.contains(n) || left.contains(n)), "and the others are there");
            }
        }
    }
}

#[test]
fn a_crash_between_an_erase_and_the_tidying_leaves_it_to_the_next_open() {
    for place in both() {
        let (mut store, mut dice) = (place.open(), Dice(7));
        let all: Vec<u32> = (0..300).collect();
        commit(&mut store, all.iter().map(|n| written(*n, &mut dice)).collect());
        store.checkpoint().unwrap();
        commit(&mut store, all.iter().filter(|n| *n % 5 > 0).map(|n| erased(*n)).collect());
        let after = place.crashed();
        assert!(found(&after).contains(&1), "erased in the WAL, still there in the file");
        let _opened = after.open();
        assert!(found(&after).iter().all(|n| n % 5 == 0), "encrypted: {}", place.key.is_some());
        assert_eq!(found(&after).len(), 60);
    }
}
