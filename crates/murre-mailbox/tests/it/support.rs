//! Fixtures: a seeded mailbox with a writer, nodes, and a store of one map.

use murre_core::store::Rows;
use murre_core::time::HOUR;
use murre_core::{
    Addr, Direction, Mono, NetworkParams, Now, Op, Range, Rng, Space, Turn, View, ViewError, Wall,
};
use murre_crypto::NodeKey;
use murre_mailbox::network::sign_descriptor;
use murre_mailbox::{
    Descriptor, DescriptorBody, MailboxKind, NetworkFile, PairSecret, ReaderKeys, TagKey, Writer, join_puzzle,
};
use std::collections::BTreeMap;

pub const NOW: Wall = Wall(1_700_000_000_000);
pub const PARAMS: NetworkParams = NetworkParams::cheap();

pub fn rng(seed: u8) -> Rng {
    Rng::from_seed([seed; 32])
}

pub fn at(wall: Wall) -> Now {
    Now { mono: Mono(0), wall }
}

/// A mailbox, one certified writer, and its present epoch.
pub struct Pair {
    pub keys: ReaderKeys,
    pub tag: TagKey,
    pub secret: PairSecret,
    pub writer: Writer,
    pub epoch: u64,
    pub expiry: u32,
}

pub fn pair(kind: MailboxKind, seed: u8) -> Pair {
    let mut rng = rng(seed);
    let keys = ReaderKeys::generate(kind, &mut rng);
    let tag = TagKey::generate(&mut rng);
    let epoch = keys.address().epoch_at(NOW, &PARAMS);
    let grant = keys.grant(&mut rng, &tag.public(), epoch, 3).unwrap();
    let secret = PairSecret::from_bytes(grant.p.0);
    let writer = Writer::new(&grant, Some(&tag)).unwrap();
    Pair { keys, tag, secret, writer, epoch, expiry: NOW.hour() + 720 }
}

/// A store of one map for each space.
#[derive(Default)]
pub struct Map(BTreeMap<(Space, Vec<u8>), Vec<u8>>);

impl Map {
    pub fn turn<T>(&mut self, act: impl FnOnce(&mut Turn<'_>) -> T) -> T {
        let mut turn = Turn::new(&*self);
        let out = act(&mut turn);
        let batch = turn.into_batch();
        for op in batch.ops {
            match op {
                Op::Put { space, key, value } => drop(self.0.insert((space, key), value)),
                Op::Delete { space, key } | Op::Erase { space, key } => drop(self.0.remove(&(space, key))),
                Op::Index { .. } | Op::Unindex { .. } | Op::WriteBlob { .. } | Op::DropBlob { .. } => {}
            }
        }
        out
    }

    pub fn rows(&self) -> usize {
        self.0.len()
    }
}

impl View for Map {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.0.get(&(space, key.to_vec())).cloned())
    }

    fn scan(&self, space: Space, range: &Range, _: Direction, limit: usize) -> Result<Rows, ViewError> {
        let rows = self.0.iter().filter(|((s, k), _)| *s == space && range.contains(k));
        Ok(rows.map(|((_, k), v)| (k.clone(), v.clone())).take(limit).collect())
    }
}

pub fn node(n: u16) -> NodeKey {
    let mut rng = Rng::from_seed([7; 32]);
    let mut seed: [u8; 32] = rng.bytes();
    seed[..2].copy_from_slice(&n.to_be_bytes());
    NodeKey::from_secret(&murre_crypto::Secret::new(seed))
}

pub fn descriptor(file: &NetworkFile, key: &NodeKey, addrs: &[&str], t: Wall) -> Descriptor {
    let join = join_puzzle(file, &key.id()).solve(0, 10_000).unwrap();
    let addrs = addrs.iter().map(|a| Addr((*a).to_owned())).collect();
    sign_descriptor(key, &DescriptorBody::new(file.id(), key.id(), addrs, t, join))
}

pub const DAY: u64 = 24 * HOUR;

/// Every single-bit change of `bytes`, at every `step`-th bit from a bit that walks through the byte.
pub fn flips(bytes: &[u8], step: usize) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len() * 8).step_by(step).map(move |i| {
        let mut out = bytes.to_vec();
        // With a step of 8 this still touches another bit in each byte.
        out[i / 8] ^= 1 << ((i + i / 8) % 8);
        out
    })
}
