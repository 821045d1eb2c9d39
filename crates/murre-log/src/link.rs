//! Naming one entry from another.
//!
//! ```text
//!  Link = [ a: bytes 8 | s: u32 | h: CID ]          a DAG-CBOR array
//!           author's     its      CIDv1, codec 0x71 (dag-cbor), multihash 0x1e (BLAKE3), digest 32 bytes
//!           first bytes  number
//! ```
//!
//! The hash alone would name the entry. Author and number stand beside it so that an entry is looked up by
//! number, in append order, and the hash is only compared: no row of the store is keyed by it.

use cid::Cid;
use multihash::Multihash;
use murre_core::id::{AuthorId, Bytes, EntryId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Multicodec of DAG-CBOR.
const DAG_CBOR: u64 = 0x71;
/// Multihash code of BLAKE3 with 32 bytes.
const BLAKE3: u64 = 0x1e;
/// Bytes of a link as part of a row key.
pub(crate) const LINK_KEY: usize = 8 + 4 + 32;

/// A causal link to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// First 8 bytes of the author's key.
    pub a: Bytes<8>,
    /// The author's number of the entry.
    pub s: u32,
    /// The entry's id, on the wire an IPLD link.
    pub h: EntryId,
}

impl Link {
    /// The link that names entry `id`, number `seq` of `by`.
    #[must_use]
    pub fn new(by: &AuthorId, seq: u32, id: EntryId) -> Self {
        Self { a: prefix(by), s: seq, h: id }
    }

    /// Whether the link claims to name an entry of this author.
    #[must_use]
    pub fn is_of(&self, by: &AuthorId) -> bool {
        self.a == prefix(by)
    }

    /// `a || s BE || h`, for keys of small spaces.
    pub(crate) fn key(&self) -> [u8; LINK_KEY] {
        let mut out = [0; LINK_KEY];
        let (a, rest) = out.split_at_mut(8);
        let (s, h) = rest.split_at_mut(4);
        a.copy_from_slice(&self.a.0);
        s.copy_from_slice(&self.s.to_be_bytes());
        h.copy_from_slice(self.h.as_bytes());
        out
    }

    /// Reads what [`Link::key`] wrote.
    pub(crate) fn from_key(bytes: &[u8]) -> Option<Self> {
        let (a, rest) = bytes.split_first_chunk::<8>()?;
        let (s, h) = rest.split_first_chunk::<4>()?;
        Some(Self { a: Bytes(*a), s: u32::from_be_bytes(*s), h: EntryId::from_slice(h)? })
    }
}

fn prefix(by: &AuthorId) -> Bytes<8> {
    let [a, b, c, d, e, f, g, h, ..] = *by.as_bytes();
    Bytes([a, b, c, d, e, f, g, h])
}

/// The CID of an entry: version 1, dag-cbor, BLAKE3. What any IPLD tool computes over the entry's block.
#[must_use]
pub fn entry_cid(id: &EntryId) -> Cid {
    // A 32-byte digest always fits the 64-byte multihash; the default is an identity hash no decoder accepts.
    Cid::new_v1(DAG_CBOR, Multihash::wrap(BLAKE3, id.as_bytes()).unwrap_or_default())
}

/// The entry a CID names, if it is one of ours.
#[must_use]
pub fn entry_of_cid(cid: &Cid) -> Option<EntryId> {
    let ours = cid.version() == cid::Version::V1 && cid.codec() == DAG_CBOR && cid.hash().code() == BLAKE3;
    ours.then(|| EntryId::from_slice(cid.hash().digest())).flatten()
}

impl Serialize for Link {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.a, self.s, entry_cid(&self.h)).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (a, s, cid) = <(Bytes<8>, u32, Cid)>::deserialize(d)?;
        // spec: L-2
        let h = entry_of_cid(&cid).ok_or_else(|| D::Error::custom("not a dag-cbor BLAKE3 link"))?;
        Ok(Self { a, s, h })
    }
}

/// The number that the skip link of entry `seq` names, if it has one.
///
/// Counting from 1 (n = seq + 1) and with g(k) = (3^k - 1) / 2 = 1, 4, 13, 40 ..., an n equal to some g(k) skips
/// to n - 3^(k-1), any other n to n - g(f(n)), where f(n) = k for n = g(k), else f(n - g(k-1)) for the k with
/// g(k-1) < n < g(k). So from any entry every earlier one is reached in O(log n) hops. A skip to the entry just
/// before, which `prev` names already, is left out.
///
/// The construction is the skip link of Bamboo (Meyer, after Lipmaa).
#[must_use]
pub fn skip_target(seq: u32) -> Option<u32> {
    // spec: L-9
    let n = u64::from(seq) + 1;
    let target = match rank(n) {
        (k, true) => n - 3u64.pow(k - 1),
        (mut k, false) => {
            let mut rest = n;
            loop {
                rest -= g(k - 1);
                match rank(rest) {
                    (exact, true) => break n - g(exact),
                    (next, false) => k = next,
                }
            }
        }
    };
    // `target` counts from 1; 0 means there is nothing before the first entry.
    let target = target.checked_sub(1)?;
    (target + 1 < u64::from(seq)).then_some(target as u32)
}

const fn g(k: u32) -> u64 {
    (3u64.pow(k) - 1) / 2
}

/// The smallest k with g(k) >= n, and whether they are equal. `n` is at least 1 and at most 2^32.
fn rank(n: u64) -> (u32, bool) {
    let mut k = 1;
    while g(k) < n {
        k += 1;
    }
    (k, g(k) == n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use murre_core::codec::{decode, encode};

    #[test]
    fn skips_follow_the_published_sequence() {
        // Bamboo's table for n = 1..=13, 40, 41, then minus one for counting from 0; None where it equals prev.
        let want = [0u32, 1, 2, 1, 4, 5, 6, 4, 8, 9, 10, 8, 4];
        for (i, to) in want.iter().enumerate() {
            let seq = i as u32;
            let expected = to.checked_sub(1).filter(|t| t + 1 != seq && seq > 0);
            assert_eq!(skip_target(seq), expected, "seq {seq}");
        }
        assert_eq!(skip_target(39), Some(12));
        assert_eq!(skip_target(40), None);
        assert!(skip_target(u32::MAX).is_none_or(|t| t < u32::MAX - 1));
    }

    #[test]
    fn every_earlier_entry_is_few_hops_away() {
        for from in (1..3_000u32).step_by(7) {
            for target in (0..from).step_by(53) {
                let (mut at, mut hops) = (from, 0);
                while at != target {
                    at = skip_target(at).filter(|t| *t >= target).unwrap_or(at - 1);
                    hops += 1;
                }
                assert!(hops <= 40, "{from} -> {target}: {hops}");
            }
        }
    }

    #[test]
    fn a_link_is_an_ipld_link() {
        let link = Link::new(&AuthorId::from_bytes([7; 32]), 300, EntryId::from_bytes([9; 32]));
        let bytes = encode(&link);
        assert_eq!(decode::<Link>(&bytes, 100), Ok(link));
        assert_eq!(Link::from_key(&link.key()), Some(link));
        let ipld: ipld_core::ipld::Ipld = serde_ipld_dagcbor::from_slice(&bytes).unwrap();
        let ipld_core::ipld::Ipld::List(parts) = ipld else { panic!("array") };
        assert!(matches!(&parts[2], ipld_core::ipld::Ipld::Link(c) if *c == entry_cid(&link.h)));
    }

    #[test]
    fn links_to_other_kinds_of_blocks_are_refused() {
        let raw = Cid::new_v1(0x55, Multihash::wrap(BLAKE3, &[1; 32]).unwrap());
        let sha = Cid::new_v1(DAG_CBOR, Multihash::wrap(0x12, &[1; 32]).unwrap());
        let short = Cid::new_v1(DAG_CBOR, Multihash::wrap(BLAKE3, &[1; 20]).unwrap());
        for cid in [raw, sha, short] {
            assert!(decode::<Link>(&encode(&(Bytes([0u8; 8]), 1u32, cid)), 100).is_err());
        }
    }
}
