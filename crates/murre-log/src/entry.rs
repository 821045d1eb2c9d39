//! Entries: unreadable until their signature holds.
//!
//! ```text
//!  wire  = [ header: bytes <= 4 KiB | sig: bytes 64 | body: bytes <= 1 MiB ]     DAG-CBOR array
//!  block = [ header: bytes          | sig: bytes 64 ]                            DAG-CBOR array
//!  id    = BLAKE3(block)            the only hash without a label: IPLD tools must find the same CID
//! ```
//!
//! The signature covers the header bytes exactly as they were sent; nothing is encoded again to verify.

use crate::header::{HEADER_LABEL, Header, HeaderFault, MAX_BODY, MAX_HEADER, body_hash};
use crate::link::Link;
use crate::position::LogNo;
use murre_core::codec::{self, CodecError};
use murre_core::id::EntryId;
use murre_core::{ErrorKind, HasKind, Rng};
use murre_crypto::{AuthorKey, Signature, verify, verify_batch};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Longest wire form of an entry, in bytes: header, signature, body and their CBOR heads.
pub const MAX_ENTRY: usize = MAX_HEADER + MAX_BODY + 64 + 16;

/// Header bytes, signature, body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parts(pub(crate) ByteBuf, pub(crate) Signature, pub(crate) ByteBuf);

/// Header bytes and signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block(pub(crate) ByteBuf, pub(crate) Signature);

impl Block {
    pub(crate) fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }
}

/// The id of an encoded block.
pub(crate) fn block_id(block: &[u8]) -> EntryId {
    EntryId::from_bytes(*blake3::hash(block).as_bytes())
}

/// Why an entry is refused without looking at any other entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The wire form is not one entry in canonical form within the limits.
    #[error("entry: {0}")]
    Wire(CodecError),
    /// The header is over its limit.
    #[error("header of {len} bytes")]
    HeaderTooLong {
        /// Its length.
        len: usize,
    },
    /// The body is over its limit.
    #[error("body of {len} bytes")]
    BodyTooLong {
        /// Its length.
        len: usize,
    },
    /// The header does not decode canonically.
    #[error("header: {0}")]
    Header(CodecError),
    /// The author's signature does not hold.
    #[error("signature does not hold")]
    Signature,
    /// The body is not the one the header names.
    #[error("body does not match the header")]
    Body,
    /// The header contradicts itself.
    #[error("header: {0}")]
    Fault(#[from] HeaderFault),
    /// The key that was to sign is not the header's author.
    #[error("the key is not the author of this header")]
    WrongKey,
}

impl EntryError {
    /// The failure class named by `spec/vectors/log.json`.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Wire(CodecError::TooLong { .. })
            | Self::HeaderTooLong { .. }
            | Self::BodyTooLong { .. } => "too-long",
            Self::Wire(_) => "wire",
            Self::Header(_) => "header",
            Self::Signature => "signature",
            Self::Body => "body",
            Self::Fault(fault) => fault.class(),
            Self::WrongKey => "wrong-key",
        }
    }
}

impl HasKind for EntryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::WrongKey => ErrorKind::Caller,
            _ => ErrorKind::Remote,
        }
    }
}

/// An entry as it came: nothing of it can be read but its id, until [`Entry::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    parts: Parts,
    id: EntryId,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Entry {
    /// Takes the wire form apart.
    ///
    /// # Errors
    /// [`EntryError`] for anything but one canonical entry within the limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        // spec: L-1
        Self::from_parts(codec::decode::<Parts>(bytes, MAX_ENTRY).map_err(EntryError::Wire)?)
    }

    pub(crate) fn from_parts(parts: Parts) -> Result<Self, EntryError> {
        // spec: L-3
        if parts.0.len() > MAX_HEADER {
            return Err(EntryError::HeaderTooLong { len: parts.0.len() });
        }
        if parts.2.len() > MAX_BODY {
            return Err(EntryError::BodyTooLong { len: parts.2.len() });
        }
        let id = block_id(&codec::encode(&(&parts.0, &parts.1)));
        Ok(Self { parts, id })
    }

    pub(crate) const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Signs a header over this body. Hash and length of the body are filled in.
    #[must_use]
    pub fn sign(header: &Header, key: &AuthorKey, body: Vec<u8>) -> Self {
        let mut header = header.clone();
        header.cover(&body);
        let bytes = header.encode();
        // spec: L-5
        let sig = key.sign(HEADER_LABEL, &bytes);
        let id = block_id(&codec::encode(&(serde_bytes::Bytes::new(&bytes), &sig)));
        Self { parts: Parts(ByteBuf::from(bytes), sig, ByteBuf::from(body)), id }
    }

    /// The wire form.
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        codec::encode(&self.parts)
    }

    /// The entry's id.
    #[must_use]
    pub const fn id(&self) -> EntryId {
        self.id
    }

    /// Checks everything that needs no other entry, and opens it for reading.
    ///
    /// # Errors
    /// [`EntryError`] naming the first rule that is broken.
    pub fn verify(self) -> Result<VerifiedEntry, EntryError> {
        let read = self.read()?;
        let Parts(header, sig, _) = &read.parts;
        // spec: L-5
        verify(read.header.by.as_bytes(), HEADER_LABEL, header, sig).map_err(|_| EntryError::Signature)?;
        read.judge()
    }

    /// Verifies many at once; the result for each is what [`Entry::verify`] gives.
    ///
    /// One batch equation stands for all signatures; only if it fails is each looked at alone.
    pub fn verify_all(entries: Vec<Self>, rng: &mut Rng) -> Vec<Result<VerifiedEntry, EntryError>> {
        let read: Vec<Result<VerifiedEntry, EntryError>> = entries.into_iter().map(Self::read).collect();
        let items: Vec<_> = read
            .iter()
            .flatten()
            .map(|e| (*e.header.by.as_bytes(), HEADER_LABEL, e.parts.0.as_slice(), e.parts.1))
            .collect();
        let all_hold = items.len() > 1 && verify_batch(&items, rng).is_ok();
        read.into_iter()
            .map(|entry| {
                let entry = entry?;
                if !all_hold {
                    verify(entry.header.by.as_bytes(), HEADER_LABEL, &entry.parts.0, &entry.parts.1)
                        .map_err(|_| EntryError::Signature)?;
                }
                entry.judge()
            })
            .collect()
    }

    /// Opens bytes that were verified before they were stored.
    pub(crate) fn trusted(self) -> Result<VerifiedEntry, EntryError> {
        self.read()
    }

    /// Decodes the header; the caller has yet to check signature and rules.
    fn read(self) -> Result<VerifiedEntry, EntryError> {
        let header = codec::decode::<Header>(&self.parts.0, MAX_HEADER).map_err(EntryError::Header)?;
        Ok(VerifiedEntry { parts: self.parts, header, id: self.id })
    }
}

/// An entry whose author's signature holds and which obeys every rule that needs no other entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEntry {
    parts: Parts,
    header: Header,
    id: EntryId,
}

impl VerifiedEntry {
    /// Signs an own entry; no signature has to be checked again.
    ///
    /// # Errors
    /// [`EntryError`] if the header breaks a rule, the body is too long or the key is not `header.by`.
    pub fn sign(header: &Header, key: &AuthorKey, body: Vec<u8>) -> Result<Self, EntryError> {
        if key.id() != header.by {
            return Err(EntryError::WrongKey);
        }
        let entry = Entry::sign(header, key, body);
        if entry.parts.2.len() > MAX_BODY {
            return Err(EntryError::BodyTooLong { len: entry.parts.2.len() });
        }
        entry.read()?.judge()
    }

    fn judge(self) -> Result<Self, EntryError> {
        self.header.check()?;
        // spec: L-10
        let Parts(_, _, body) = &self.parts;
        if self.header.bl as usize != body.len() || self.header.bh != body_hash(body) {
            return Err(EntryError::Body);
        }
        Ok(self)
    }

    /// From our own rows, which hold only what was verified.
    pub(crate) fn from_rows(block: Block, body: Vec<u8>) -> Result<Self, CodecError> {
        let header = codec::decode::<Header>(&block.0, MAX_HEADER)?;
        let id = block_id(&block.encode());
        Ok(Self { parts: Parts(block.0, block.1, ByteBuf::from(body)), header, id })
    }

    /// The entry's id.
    #[must_use]
    pub const fn id(&self) -> EntryId {
        self.id
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The body: MLS ciphertext.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.parts.2
    }

    /// The wire form, the bytes that came.
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        codec::encode(&self.parts)
    }

    /// The block: header bytes and signature, encoded. Its BLAKE3 is the id.
    #[must_use]
    pub fn block(&self) -> Vec<u8> {
        codec::encode(&(&self.parts.0, &self.parts.1))
    }

    /// The link that names this entry.
    #[must_use]
    pub fn link(&self) -> Link {
        Link::new(&self.header.by, self.header.seq, self.id)
    }

    /// As an entry to send on.
    #[must_use]
    pub fn to_entry(&self) -> Entry {
        Entry { parts: self.parts.clone(), id: self.id }
    }

    /// The place in the order, once the log and the author have local numbers.
    pub(crate) const fn position(&self, log: LogNo, author: crate::AuthorNo) -> crate::Position {
        crate::Position {
            log,
            author,
            by: self.header.by,
            seq: self.header.seq,
            time: self.header.time,
            id: self.id,
        }
    }
}
