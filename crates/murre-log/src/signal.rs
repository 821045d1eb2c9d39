//! Signals: signed and sealed like entries, but never in the log.
//!
//! Presence, typing, lone receipts and call set-up have no number, no parents and no place in the order; losing
//! one loses nothing.
//!
//! ```text
//!  wire = [ header: bytes <= 1 KiB | sig: bytes 64 | body: bytes <= 64 KiB ]     DAG-CBOR array
//!  header = { v, log, by, state, n: u64 random, bh, bl }                         canonical map
//! ```

use crate::entry::Parts;
use crate::header::{VERSION, bytes32};
use murre_core::codec::{self, CodecError};
use murre_core::id::{AuthorId, LogId, StateId};
use murre_core::{ErrorKind, HasKind, Label, Rng};
use murre_crypto::{AuthorKey, verify};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Longest header of a signal, in bytes.
pub const MAX_SIGNAL_HEADER: usize = 1 << 10;
/// Longest body of a signal, in bytes.
pub const MAX_SIGNAL_BODY: usize = 64 << 10;
/// Longest wire form of a signal, in bytes.
pub const MAX_SIGNAL: usize = MAX_SIGNAL_HEADER + MAX_SIGNAL_BODY + 64 + 16;

const SIGNAL_LABEL: Label = Label::new("murre v1 log signal");
const BODY_LABEL: Label = Label::new("murre v1 log signal body");
const ID_LABEL: Label = Label::new("murre v1 log signal id");

/// The signed part of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalHeader {
    /// Format version, 1.
    pub v: u8,
    /// The log whose conversation it belongs to.
    pub log: LogId,
    /// The author's key in that log.
    pub by: AuthorId,
    /// State of the group keys under which the body is sealed.
    pub state: StateId,
    /// Random, so that no two signals are equal.
    pub n: u64,
    /// Hash of the body.
    #[serde(with = "bytes32")]
    pub bh: [u8; 32],
    /// Length of the body in bytes.
    pub bl: u32,
}

/// Why a signal is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// The wire form is not one signal in canonical form within the limits.
    #[error("signal: {0}")]
    Wire(CodecError),
    /// Header or body over its limit.
    #[error("signal over its limit")]
    TooLong,
    /// The header does not decode canonically, or is of another version.
    #[error("signal header")]
    Header,
    /// The author's signature does not hold.
    #[error("signature does not hold")]
    Signature,
    /// The body is not the one the header names.
    #[error("body does not match the header")]
    Body,
}

impl SignalError {
    /// The failure class named by `spec/vectors/log.json`.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Wire(CodecError::TooLong { .. }) | Self::TooLong => "too-long",
            Self::Wire(_) => "wire",
            Self::Header => "header",
            Self::Signature => "signature",
            Self::Body => "body",
        }
    }
}

impl HasKind for SignalError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// A signal as it came: unreadable until [`Signal::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Signal(Parts);

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signal").finish_non_exhaustive()
    }
}

impl Signal {
    /// Signs a body.
    #[must_use]
    pub fn sign(log: LogId, state: StateId, key: &AuthorKey, body: Vec<u8>, rng: &mut Rng) -> Self {
        let header = SignalHeader {
            v: VERSION,
            log,
            by: key.id(),
            state,
            n: u64::from_be_bytes(rng.bytes()),
            bh: BODY_LABEL.hash(&[&body]),
            bl: u32::try_from(body.len()).unwrap_or(u32::MAX),
        };
        let bytes = codec::encode(&header);
        let sig = key.sign(SIGNAL_LABEL, &bytes);
        Self(Parts(ByteBuf::from(bytes), sig, ByteBuf::from(body)))
    }

    /// Takes the wire form apart.
    ///
    /// # Errors
    /// [`SignalError`] for anything but one canonical signal within the limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignalError> {
        Self::from_parts(codec::decode::<Parts>(bytes, MAX_SIGNAL).map_err(SignalError::Wire)?)
    }

    pub(crate) fn from_parts(parts: Parts) -> Result<Self, SignalError> {
        // spec: L-41
        if parts.0.len() > MAX_SIGNAL_HEADER || parts.2.len() > MAX_SIGNAL_BODY {
            return Err(SignalError::TooLong);
        }
        Ok(Self(parts))
    }

    pub(crate) const fn parts(&self) -> &Parts {
        &self.0
    }

    /// The wire form.
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        codec::encode(&self.0)
    }

    /// A name for this signal: seeds the wire seal's nonce, lets a receiver drop doubles.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        ID_LABEL.hash(&[&self.0.0, self.0.1.as_bytes()])
    }

    /// Checks signature, version, hash and length of the body.
    ///
    /// # Errors
    /// [`SignalError`].
    pub fn verify(self) -> Result<VerifiedSignal, SignalError> {
        // spec: L-40
        let id = self.id();
        let Parts(bytes, sig, body) = self.0;
        let header =
            codec::decode::<SignalHeader>(&bytes, MAX_SIGNAL_HEADER).map_err(|_| SignalError::Header)?;
        verify(header.by.as_bytes(), SIGNAL_LABEL, &bytes, &sig).map_err(|_| SignalError::Signature)?;
        if header.v != VERSION {
            return Err(SignalError::Header);
        }
        if header.bl as usize != body.len() || header.bh != BODY_LABEL.hash(&[&body]) {
            return Err(SignalError::Body);
        }
        Ok(VerifiedSignal { header, body: body.into_vec(), id })
    }
}

/// A signal whose author's signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSignal {
    header: SignalHeader,
    body: Vec<u8>,
    id: [u8; 32],
}

impl VerifiedSignal {
    /// The header.
    #[must_use]
    pub const fn header(&self) -> &SignalHeader {
        &self.header
    }

    /// The body: MLS ciphertext.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The signal's name.
    #[must_use]
    pub const fn id(&self) -> [u8; 32] {
        self.id
    }
}
