//! Proof that an author used one number twice.
//!
//! ```text
//!  {a: block, b: block}     two blocks, a's id < b's id; same log, by and seq; both signatures hold
//! ```
//!
//! The proof needs no body and no other entry: anybody can check it, and nobody can make one for somebody else.

use crate::entry::{Block, block_id};
use crate::header::{HEADER_LABEL, Header, MAX_HEADER};
use murre_core::codec::{self, CodecError};
use murre_core::id::{AuthorId, LogId};
use murre_core::{ErrorKind, HasKind};
use murre_crypto::verify;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Longest block, in bytes.
pub const MAX_BLOCK: usize = MAX_HEADER + 64 + 8;
/// Longest proof, in bytes.
pub const MAX_PROOF: usize = 2 * MAX_BLOCK + 16;

/// Two different entries with one (by, seq).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForkProof {
    a: ByteBuf,
    b: ByteBuf,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForkProofError {
    /// Not canonical.
    #[error("fork proof: {0}")]
    Codec(#[from] CodecError),
    /// The same block twice, or the greater id first.
    #[error("blocks are equal or in the wrong order")]
    Order,
    /// Not the same log, author and number.
    #[error("the blocks are not two entries of one number")]
    Unrelated,
    /// A signature does not hold.
    #[error("signature does not hold")]
    Signature,
}

impl HasKind for ForkProofError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// What a checked proof says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forked {
    /// The log.
    pub log: LogId,
    /// The author that forked.
    pub by: AuthorId,
    /// The number that was used twice.
    pub seq: u32,
}

impl ForkProof {
    /// From two blocks in any order.
    pub(crate) fn new(x: Vec<u8>, y: Vec<u8>) -> Self {
        let (a, b) = if block_id(&x) <= block_id(&y) { (x, y) } else { (y, x) };
        Self { a: ByteBuf::from(a), b: ByteBuf::from(b) }
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a proof and checks it.
    ///
    /// # Errors
    /// [`ForkProofError`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, Forked), ForkProofError> {
        let proof: Self = codec::decode(bytes, MAX_PROOF)?;
        let forked = proof.check()?;
        Ok((proof, forked))
    }

    /// Checks the proof.
    ///
    /// # Errors
    /// [`ForkProofError`].
    pub fn check(&self) -> Result<Forked, ForkProofError> {
        // spec: L-22
        if block_id(&self.a) >= block_id(&self.b) {
            return Err(ForkProofError::Order);
        }
        let (a, b) = (read(&self.a)?, read(&self.b)?);
        if (a.log, a.by, a.seq) != (b.log, b.by, b.seq) {
            return Err(ForkProofError::Unrelated);
        }
        Ok(Forked { log: a.log, by: a.by, seq: a.seq })
    }
}

fn read(bytes: &[u8]) -> Result<Header, ForkProofError> {
    let Block(header, sig) = codec::decode(bytes, MAX_BLOCK)?;
    let read: Header = codec::decode(&header, MAX_HEADER)?;
    verify(read.by.as_bytes(), HEADER_LABEL, &header, &sig).map_err(|_| ForkProofError::Signature)?;
    Ok(read)
}
