//! The contents of one body: commitments, padding, message ids.
//!
//! All texts that wait for a chat go into one entry. Each content gets its own salted commitment, and the header
//! holds one hash over them: a content can be shown or withheld alone, under the same signed header.
//!
//! ```text
//!  commitment(i) = BLAKE3 keyed by H("log content key", salt_i) over content_i
//!  c             = H("log pack", commitment(0) || commitment(1) || ...)
//!  message id    = H("log message", log, c, index u16 BE)
//!
//!  padded = length u32 BE | DAG-CBOR [ {c: content, s: salt}, ... ] | zeros up to the next rung of the ladder
//! ```
//!
//! Sizes leak what was written, so only the rungs of [`padded_len`] are ever sent: 128, 256, 512, 1,024, 2,048,
//! and from there four equal steps to each doubling, so that at most a fifth of what is sent is padding.

use crate::header::Header;
use murre_core::codec::{self, CodecError};
use murre_core::id::{Bytes, LogId, MessageId};
use murre_core::{ErrorKind, HasKind, Label, Rng};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Most contents in one pack.
pub const MAX_ITEMS: usize = 64;
/// Most content bytes of a pack with more than one content.
pub const MAX_TOGETHER: usize = 16 << 10;
/// Longest content, which must then be alone.
pub const MAX_CONTENT: usize = 80 << 10;
/// Smallest rung.
pub const MIN_PADDED: usize = 128;
/// Greatest rung: the first above one content of [`MAX_CONTENT`] with its wrapping.
pub const MAX_PADDED: usize = 96 << 10;
/// Up to here rungs double; above, each doubling has four.
const DOUBLING_UNTIL: usize = 2_048;
/// Bytes of the length in front.
const LENGTH: usize = 4;

const CONTENT_KEY: Label = Label::new("murre v1 log content key");
const PACK: Label = Label::new("murre v1 log pack");
const MESSAGE: Label = Label::new("murre v1 log message");

/// Why contents do not make a pack, or bytes are not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// None or more than 64 contents.
    #[error("{count} contents in one pack")]
    Count {
        /// How many.
        count: usize,
    },
    /// Over 16 KiB together, or over 80 KiB alone.
    #[error("{len} bytes of content")]
    TooLong {
        /// Bytes of content.
        len: usize,
    },
    /// The length is no rung of the ladder, the inner length does not fit it, or padding is not zero.
    #[error("not padded as it must be")]
    Padding,
    /// The encoding inside is not canonical.
    #[error("pack: {0}")]
    Codec(#[from] CodecError),
    /// The contents are not those the signed header names.
    #[error("contents do not match the header")]
    Commitment,
}

impl PackError {
    /// The failure class named by `spec/vectors/log.json`.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Count { .. } => "pack-count",
            Self::TooLong { .. } => "pack-too-long",
            Self::Padding => "padding",
            Self::Codec(_) => "pack",
            Self::Commitment => "commitment",
        }
    }
}

impl HasKind for PackError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// One content with the salt of its commitment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Random, so that nobody can guess a withheld content from its commitment.
    #[serde(rename = "s")]
    pub salt: Bytes<16>,
    /// The encoded content.
    #[serde(rename = "c")]
    pub content: ByteBuf,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item").field("len", &self.content.len()).finish_non_exhaustive()
    }
}

impl Item {
    /// The commitment to this content.
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        // spec: L-30
        *blake3::keyed_hash(&CONTENT_KEY.hash(&[&self.salt.0]), &self.content).as_bytes()
    }
}

/// The contents of one body, within the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    items: Vec<Item>,
}

impl Pack {
    /// Packs contents, with fresh salts.
    ///
    /// # Errors
    /// [`PackError::Count`], [`PackError::TooLong`].
    pub fn new(contents: Vec<Vec<u8>>, rng: &mut Rng) -> Result<Self, PackError> {
        let items = contents
            .into_iter()
            .map(|content| Item { salt: Bytes(rng.bytes()), content: ByteBuf::from(content) })
            .collect();
        Self::from_items(items)
    }

    /// Packs contents whose salts are known already: an entry wrapped again.
    ///
    /// # Errors
    /// [`PackError::Count`], [`PackError::TooLong`].
    pub fn from_items(items: Vec<Item>) -> Result<Self, PackError> {
        // spec: L-31
        if items.is_empty() || items.len() > MAX_ITEMS {
            return Err(PackError::Count { count: items.len() });
        }
        let len = items.iter().map(|i| i.content.len()).sum();
        let limit = if items.len() == 1 { MAX_CONTENT } else { MAX_TOGETHER };
        if len > limit {
            return Err(PackError::TooLong { len });
        }
        Ok(Self { items })
    }

    /// Whether one more content of `len` bytes may join `count` contents of `bytes` bytes together.
    #[must_use]
    pub const fn fits(count: usize, bytes: usize, len: usize) -> bool {
        match count {
            0 => len <= MAX_CONTENT,
            _ => count < MAX_ITEMS && bytes.saturating_add(len) <= MAX_TOGETHER,
        }
    }

    /// The contents in order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Takes the contents out.
    #[must_use]
    pub fn into_items(self) -> Vec<Item> {
        self.items
    }

    /// The commitment that goes into [`Header::c`].
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        let each: Vec<[u8; 32]> = self.items.iter().map(Item::commitment).collect();
        pack_commitment(&each)
    }

    /// Encodes and pads to the next rung.
    #[must_use]
    pub fn encode_padded(&self) -> Vec<u8> {
        let inner = codec::encode(&self.items);
        let mut out = Vec::with_capacity(padded_len(LENGTH + inner.len()));
        out.extend_from_slice(&u32::try_from(inner.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&inner);
        out.resize(padded_len(out.len()), 0);
        out
    }

    /// Reads what [`Pack::encode_padded`] made, and nothing else.
    ///
    /// # Errors
    /// [`PackError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, PackError> {
        // spec: L-32
        if bytes.len() > MAX_PADDED {
            return Err(PackError::Padding);
        }
        let (len, rest) = bytes.split_first_chunk::<LENGTH>().ok_or(PackError::Padding)?;
        let len = u32::from_be_bytes(*len) as usize;
        let (inner, zeros) = rest.split_at_checked(len).ok_or(PackError::Padding)?;
        if padded_len(LENGTH + len) != bytes.len() || zeros.iter().any(|b| *b != 0) {
            return Err(PackError::Padding);
        }
        Self::from_items(codec::decode::<Vec<Item>>(inner, MAX_PADDED)?)
    }

    /// Whether these are the contents that the signed header names.
    ///
    /// # Errors
    /// [`PackError::Commitment`].
    pub fn check(&self, header: &Header) -> Result<(), PackError> {
        // spec: L-33
        if self.commitment() == header.c { Ok(()) } else { Err(PackError::Commitment) }
    }
}

/// The commitment over the commitments of all contents in order: what [`Header::c`] holds. For showing some
/// contents of a pack of which others are gone.
#[must_use]
pub fn pack_commitment(each: &[[u8; 32]]) -> [u8; 32] {
    PACK.hash(&[each.as_flattened()])
}

/// The id of content `index` of the pack with commitment `c`: the same in whatever entry or state it is shown.
#[must_use]
pub fn message_id(log: LogId, c: &[u8; 32], index: u16) -> MessageId {
    // spec: L-34
    MessageId::from_bytes(MESSAGE.hash(&[log.as_bytes(), c, &index.to_be_bytes()]))
}

/// The smallest rung of the ladder that holds `len` bytes.
#[must_use]
pub const fn padded_len(len: usize) -> usize {
    if len <= MIN_PADDED {
        return MIN_PADDED;
    }
    let doubled = len.next_power_of_two();
    if doubled <= DOUBLING_UNTIL {
        return doubled;
    }
    // Between doubled / 2 and doubled lie four steps.
    len.next_multiple_of(doubled / 8)
}
