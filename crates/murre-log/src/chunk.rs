//! Chunks of files: what is too large for an entry travels in pieces, each of which proves itself.
//!
//! ```text
//!  file       | chunk 0 | chunk 1 | ... | chunk n-1 |      CHUNK plaintext bytes each, the last one 1 to CHUNK
//!  sealed     AEAD(file key, nonce = 16 zeros || index u64 BE), no associated data
//!
//!  leaf i     = H("file chunk"; i u32 BE, sealed chunk)
//!  node       = H("file node"; left, right)         an odd one at the end of a level goes up unchanged
//!  page root  = the node over the leaves of up to PAGE chunks
//!  file id    = H("file id"; file key, size u64 BE, page roots one after the other)
//!
//!  chunk      { d: sealed bytes, f: file id, h: [siblings from the leaf up to its page root], i: index }
//! ```
//!
//! Who holds a file's [`Shape`] (it came in a verified entry) can check any chunk from anybody at once, keep it as
//! it came, and hand it on. What a content says about a file is the device's matter; here are only its bytes.
//!
//! What this does NOT do: keep chunks, or say who may have them.

use crate::wire::{MAX_PACKET, OpenError};
use murre_core::Label;
use murre_core::codec;
use murre_core::id::Bytes;
use murre_crypto::{Secret, seal};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Plaintext bytes of a chunk: what fits, sealed and packed, into the largest box.
pub const CHUNK: usize = 248 << 10;
/// A sealed chunk.
pub const SEALED_CHUNK: usize = CHUNK + seal::OVERHEAD;
/// Chunks under one page root.
pub const PAGE: u32 = 256;
/// Siblings on the way from a leaf to its page root, at most.
pub const MAX_PATH: usize = 8;
/// Page roots of one file, at most.
pub const MAX_PAGES: usize = 1_024;
/// Largest file, bytes.
pub const MAX_FILE: u64 = MAX_PAGES as u64 * PAGE as u64 * CHUNK as u64;

const LEAF: Label = Label::new("murre v1 file chunk");
const NODE: Label = Label::new("murre v1 file node");
const FILE_ID: Label = Label::new("murre v1 file id");

/// Hash of one sealed chunk.
#[must_use]
// spec: L-53
pub fn leaf(index: u32, sealed: &[u8]) -> [u8; 32] {
    LEAF.hash(&[&index.to_be_bytes(), sealed])
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    NODE.hash(&[left, right])
}

/// One level up.
fn level(hashes: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let up = |pair: &[[u8; 32]]| match pair {
        [left, right] => node(left, right),
        [odd] => *odd,
        _ => [0; 32],
    };
    hashes.chunks(2).map(up).collect()
}

/// The root over the leaves of one page; of no leaves, nothing.
#[must_use]
pub fn page_root(leaves: &[[u8; 32]]) -> Option<[u8; 32]> {
    let mut hashes = leaves.to_vec();
    while hashes.len() > 1 {
        hashes = level(&hashes);
    }
    hashes.first().copied()
}

/// All hashes over the leaves of one page: made once for as many chunks of it as are handed out together.
#[derive(Clone, Debug)]
pub struct PageTree {
    levels: Vec<Vec<[u8; 32]>>,
}

impl PageTree {
    /// The tree over the leaves of one page.
    #[must_use]
    pub fn new(leaves: Vec<[u8; 32]>) -> Self {
        let mut levels = vec![leaves];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let next = level(last);
            levels.push(next);
        }
        Self { levels }
    }

    /// The siblings that lead from leaf `at` to the root.
    #[must_use]
    pub fn path(&self, at: usize) -> Vec<Bytes<32>> {
        let up =
            |(height, hashes): (usize, &Vec<[u8; 32]>)| hashes.get((at >> height) ^ 1).copied().map(Bytes);
        self.levels.iter().enumerate().filter_map(up).collect()
    }
}

/// The root that a leaf and its siblings lead to, if there are exactly as many as a page of `count` leaves needs.
fn climb(leaf: [u8; 32], at: usize, count: usize, path: &[Bytes<32>]) -> Option<[u8; 32]> {
    let (mut hash, mut at, mut count, mut path) = (leaf, at, count, path.iter());
    while count > 1 {
        if at ^ 1 < count {
            let sibling = &path.next()?.0;
            hash = if at % 2 == 0 { node(&hash, sibling) } else { node(sibling, &hash) };
        }
        (at, count) = (at / 2, count.div_ceil(2));
    }
    path.next().is_none().then_some(hash)
}

/// What one has to know of a file to check its chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    size: u64,
    roots: Vec<Bytes<32>>,
}

impl Shape {
    /// A file of `size` bytes with these page roots; nothing if there are too few or too many of them, or the file is
    /// larger than [`MAX_FILE`].
    #[must_use]
    pub fn new(size: u64, roots: Vec<Bytes<32>>) -> Option<Self> {
        let fits = size <= MAX_FILE && chunks_of(size).div_ceil(PAGE) as usize == roots.len();
        fits.then_some(Self { size, roots })
    }

    /// Bytes of the file.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Chunks of the file.
    #[must_use]
    pub const fn chunks(&self) -> u32 {
        chunks_of(self.size)
    }

    /// Bytes of one chunk, sealed.
    #[must_use]
    pub const fn sealed_len(&self, index: u32) -> usize {
        let rest = self.size.saturating_sub(index as u64 * CHUNK as u64);
        let plain = if rest < CHUNK as u64 { rest as usize } else { CHUNK };
        plain + seal::OVERHEAD
    }

    /// Chunks of one page.
    #[must_use]
    pub const fn page_len(&self, page: u32) -> u32 {
        let rest = self.chunks().saturating_sub(page.saturating_mul(PAGE));
        if rest < PAGE { rest } else { PAGE }
    }

    /// The file's id under its key.
    #[must_use]
    pub fn id(&self, key: &[u8; 32]) -> Bytes<32> {
        let roots: Vec<u8> = self.roots.iter().flat_map(|r| r.0).collect();
        Bytes(FILE_ID.hash(&[key, &self.size.to_be_bytes(), &roots]))
    }
}

/// Chunks of a file of this size.
#[must_use]
pub const fn chunks_of(size: u64) -> u32 {
    size.div_ceil(CHUNK as u64) as u32
}

fn nonce(index: u32) -> [u8; 24] {
    let mut nonce = [0; 24];
    if let Some(tail) = nonce.last_chunk_mut::<4>() {
        *tail = index.to_be_bytes();
    }
    nonce
}

/// Seals one chunk. Under one key each index must be sealed for one plaintext only.
#[must_use]
pub fn seal_chunk(key: &[u8; 32], index: u32, plain: &[u8]) -> Vec<u8> {
    seal::seal(&Secret::new(*key), &nonce(index), &[], plain)
}

/// Opens one chunk that was verified before.
#[must_use]
pub fn open_chunk(key: &[u8; 32], index: u32, sealed: &[u8]) -> Option<Vec<u8>> {
    seal::open(&Secret::new(*key), &nonce(index), &[], sealed).ok()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    d: ByteBuf,
    f: Bytes<32>,
    h: Vec<Bytes<32>>,
    i: u32,
}

/// A chunk as it came. Its bytes cannot be read before [`Chunk::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk(Parts);

/// A chunk that belongs to its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChunk {
    /// Its place in the file.
    pub index: u32,
    /// Its leaf.
    pub leaf: [u8; 32],
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

impl Chunk {
    /// A chunk of a file, of this page.
    #[must_use]
    pub fn new(file: Bytes<32>, index: u32, page: &PageTree, sealed: Vec<u8>) -> Self {
        let h = page.path((index % PAGE) as usize);
        Self(Parts { d: ByteBuf::from(sealed), f: file, h, i: index })
    }

    /// Which file it says to be of.
    #[must_use]
    pub const fn file(&self) -> Bytes<32> {
        self.0.f
    }

    /// Which chunk it says to be.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.0.i
    }

    /// Checks it against what a verified entry said of the file.
    #[must_use]
    // spec: L-54
    pub fn verify(self, shape: &Shape) -> Option<VerifiedChunk> {
        let Parts { d, h, i, .. } = self.0;
        let root = shape.roots.get((i / PAGE) as usize)?;
        if i >= shape.chunks() || d.len() != shape.sealed_len(i) {
            return None;
        }
        let leaf = leaf(i, &d);
        let reached = climb(leaf, (i % PAGE) as usize, shape.page_len(i / PAGE) as usize, &h)?;
        (reached == root.0 || murre_core::sabotage::active("take-any-chunk")).then(|| VerifiedChunk {
            index: i,
            leaf,
            sealed: d.into_vec(),
        })
    }

    /// The canonical bytes, for a row.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&self.0)
    }

    /// Reads what [`Chunk::encode`] made.
    ///
    /// # Errors
    /// [`OpenError::Packet`], [`OpenError::Chunk`].
    pub fn decode(bytes: &[u8]) -> Result<Self, OpenError> {
        Self::from_parts(codec::decode(bytes, MAX_PACKET).map_err(OpenError::Packet)?)
    }

    pub(crate) fn from_parts(parts: Parts) -> Result<Self, OpenError> {
        let fits = parts.d.len() <= SEALED_CHUNK && parts.h.len() <= MAX_PATH;
        if fits { Ok(Self(parts)) } else { Err(OpenError::Chunk) }
    }

    pub(crate) const fn parts(&self) -> &Parts {
        &self.0
    }

    pub(crate) fn packet_id(&self) -> [u8; 32] {
        leaf(self.0.i, &self.0.d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of so many bytes: its shape, its id and its chunks.
    fn file(size: usize) -> (Shape, Vec<Chunk>) {
        let (key, plain) = ([7; 32], (0..size).map(|i| (i % 251) as u8).collect::<Vec<_>>());
        let sealed: Vec<Vec<u8>> =
            plain.chunks(CHUNK).enumerate().map(|(i, c)| seal_chunk(&key, i as u32, c)).collect();
        let leaves: Vec<[u8; 32]> = sealed.iter().enumerate().map(|(i, s)| leaf(i as u32, s)).collect();
        let roots = leaves.chunks(PAGE as usize).filter_map(page_root).map(Bytes).collect();
        let shape = Shape::new(size as u64, roots).expect("fits");
        let id = shape.id(&key);
        let pages: Vec<PageTree> =
            leaves.chunks(PAGE as usize).map(|leaves| PageTree::new(leaves.to_vec())).collect();
        let page = |i: usize| &pages[i / PAGE as usize];
        let chunks = sealed.iter().enumerate().map(|(i, s)| Chunk::new(id, i as u32, page(i), s.clone()));
        (shape.clone(), chunks.collect())
    }

    #[test]
    fn every_chunk_of_files_of_every_shape_proves_itself() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 9, 7 * CHUNK, 8 * CHUNK] {
            let (shape, chunks) = file(size);
            assert_eq!(chunks.len(), shape.chunks() as usize, "{size}");
            let mut whole = Vec::new();
            for chunk in chunks {
                let back = Chunk::decode(&chunk.encode()).expect("decodes");
                let verified = back.verify(&shape).expect("belongs");
                whole.extend(open_chunk(&[7; 32], verified.index, &verified.sealed).expect("opens"));
            }
            assert_eq!(whole.len(), size);
            assert!(whole.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8));
        }
    }

    #[test]
    fn leaves_lead_to_their_root_for_every_count_of_a_page() {
        for count in 1..=PAGE as usize {
            let leaves: Vec<[u8; 32]> = (0..count).map(|i| leaf(i as u32, b"x")).collect();
            let root = page_root(&leaves).expect("some");
            for at in [0, count / 3, count / 2, count - 1] {
                let way = PageTree::new(leaves.clone()).path(at);
                assert!(way.len() <= MAX_PATH);
                assert_eq!(climb(leaves[at], at, count, &way), Some(root), "{count} {at}");
                let longer = [way.clone(), vec![Bytes([0; 32])]].concat();
                assert_eq!(climb(leaves[at], at, count, &longer), None);
                if !way.is_empty() {
                    assert_eq!(climb(leaves[at], at, count, &way[1..]), None);
                }
            }
        }
    }

    #[test]
    fn a_changed_moved_cut_or_foreign_chunk_is_refused() {
        let (shape, chunks) = file(3 * CHUNK + 5);
        let (other, _) = file(2 * CHUNK + 5);
        let sound = chunks[1].clone();
        assert!(sound.clone().verify(&shape).is_some());
        assert!(sound.clone().verify(&other).is_none());
        for bit in [0, 8 * CHUNK / 2, 8 * CHUNK] {
            let mut changed = sound.clone();
            changed.0.d[bit / 8] ^= 1;
            assert!(changed.verify(&shape).is_none());
        }
        for index in [0, 2, 3, 4, 256, u32::MAX] {
            let mut moved = sound.clone();
            moved.0.i = index;
            assert!(moved.verify(&shape).is_none(), "{index}");
        }
        let mut cut = sound.clone();
        cut.0.d.pop();
        assert!(cut.verify(&shape).is_none());
        let mut lost = sound;
        lost.0.h.pop();
        assert!(lost.verify(&shape).is_none());
    }

    #[test]
    fn a_shape_has_as_many_roots_as_pages() {
        assert!(Shape::new(0, vec![]).is_some());
        assert!(Shape::new(1, vec![]).is_none());
        assert!(Shape::new(0, vec![Bytes([0; 32])]).is_none());
        let page = u64::from(PAGE) * CHUNK as u64;
        assert!(Shape::new(page, vec![Bytes([0; 32])]).is_some());
        assert!(Shape::new(page + 1, vec![Bytes([0; 32])]).is_none());
        assert!(Shape::new(MAX_FILE, vec![Bytes([0; 32]); MAX_PAGES]).is_some());
        assert!(Shape::new(MAX_FILE + 1, vec![Bytes([0; 32]); MAX_PAGES + 1]).is_none());
        assert!(Shape::new(u64::MAX, vec![]).is_none());
    }

    #[test]
    fn too_many_bytes_or_siblings_do_not_decode() {
        let big =
            Chunk(Parts { d: ByteBuf::from(vec![0; SEALED_CHUNK + 1]), f: Bytes([0; 32]), h: vec![], i: 0 });
        assert_eq!(Chunk::decode(&big.encode()), Err(OpenError::Chunk));
        let long = Chunk(Parts { d: ByteBuf::new(), f: Bytes([0; 32]), h: vec![Bytes([0; 32]); 9], i: 0 });
        assert_eq!(Chunk::decode(&long.encode()), Err(OpenError::Chunk));
    }
}
