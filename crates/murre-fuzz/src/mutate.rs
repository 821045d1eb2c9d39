//! Deterministic mutation: what a fuzzer without coverage does, the same in every process.
//!
//! Bits turned, bytes set, tails cut, pieces of other inputs put in, and above all lengths: heads of DAG-CBOR items
//! and big-endian numbers that announce more than there is.

use murre_core::Rng;

/// Longest input that mutation makes.
const MAX_GROWN: usize = 128 << 10;
/// Numbers near which decoders go wrong.
const EDGES: [u64; 12] = [0, 1, 23, 24, 127, 255, 256, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
/// Major types of DAG-CBOR items: numbers, which may be written too long, what has a length, and a tag.
const MAJORS: [u8; 7] = [0x00, 0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0];

/// Mutates inputs of one target.
pub struct Mutator<'a> {
    rng: Rng,
    seeds: &'a [Vec<u8>],
}

impl<'a> Mutator<'a> {
    /// Over these inputs; an empty list yields noise.
    #[must_use]
    pub fn new(seed: u64, seeds: &'a [Vec<u8>]) -> Self {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(seed.to_be_bytes()).for_each(|(to, from)| *to = from);
        Self { rng: Rng::from_seed(bytes), seeds }
    }

    fn pick(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap_or(0)
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.pick(self.seeds.len());
        match self.seeds.get(at) {
            Some(seed) => seed.clone(),
            None => self.noise(64),
        }
    }

    fn noise(&mut self, most: usize) -> Vec<u8> {
        let len = self.pick(most + 1);
        (0..len).map(|_| self.rng.below(256) as u8).collect()
    }

    /// The next input: one seed, changed one to four times.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut data = self.seed();
        for _ in 0..1 + self.pick(4) {
            self.change(&mut data);
        }
        data.truncate(MAX_GROWN);
        data
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        let at = self.pick(data.len());
        match self.pick(10) {
            0 | 1 => {
                let bit = self.pick(8);
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            2 => {
                let value = self.rng.below(256) as u8;
                if let Some(byte) = data.get_mut(at) {
                    *byte = value;
                }
            }
            3 => data.truncate(at),
            4 => {
                let tail = self.noise(16);
                data.extend(tail);
            }
            5 => self.announce(data, at),
            6 => self.number(data, at),
            7 => {
                let end = at + self.pick(data.len() - at.min(data.len()) + 1);
                data.drain(at..end.min(data.len()));
            }
            8 => {
                let end = (at + self.pick(64)).min(data.len());
                let piece = data.get(at..end).unwrap_or_default().to_vec();
                for _ in 0..1 + self.pick(4) {
                    data.splice(at..at, piece.iter().copied());
                }
            }
            _ => self.splice(data, at),
        }
    }

    /// The head of an item that announces a length.
    fn announce(&mut self, data: &mut Vec<u8>, at: usize) {
        let major = MAJORS.get(self.pick(MAJORS.len())).copied().unwrap_or(0x40);
        let edge = EDGES.get(self.pick(EDGES.len())).copied().unwrap_or(0);
        let mut head = match self.pick(5) {
            0 => vec![major | (edge.min(23) as u8)],
            1 => vec![major | 24, edge as u8],
            2 => [&[major | 25][..], &(edge as u16).to_be_bytes()].concat(),
            3 => [&[major | 26][..], &(edge as u32).to_be_bytes()].concat(),
            _ => [&[major | 27][..], &edge.to_be_bytes()].concat(),
        };
        let replaced = if self.pick(2) == 0 { 1.min(data.len() - at.min(data.len())) } else { 0 };
        data.splice(at..at + replaced, head.drain(..));
    }

    /// A number of one to eight bytes, big-endian.
    fn number(&mut self, data: &mut [u8], at: usize) {
        let edge = EDGES.get(self.pick(EDGES.len())).copied().unwrap_or(0);
        let width = [1, 2, 4, 8].get(self.pick(4)).copied().unwrap_or(1);
        let bytes = edge.to_be_bytes();
        let tail = bytes.get(8 - width..).unwrap_or_default();
        data.iter_mut().skip(at).zip(tail).for_each(|(to, from)| *to = *from);
    }

    /// A piece of another input, in place of what is here or between it.
    fn splice(&mut self, data: &mut Vec<u8>, at: usize) {
        let other = self.seed();
        let from = self.pick(other.len());
        let to = (from + 1 + self.pick(256)).min(other.len());
        let piece = other.get(from..to).unwrap_or_default();
        let end = if self.pick(2) == 0 { at } else { (at + piece.len()).min(data.len()) };
        data.splice(at..end.max(at), piece.iter().copied());
    }
}
