//! Signed bytes cannot be read until they became verified.
//!
//! ```text
//! Signed<T> on the wire:  { p: canonical encoding of T (byte string), s: signature over LABEL || 0x00 || p }
//!
//!   bytes --from_bytes--> Signed<T> --verify--> Verified<T> --deref--> T
//!                         no way to T here      keeps the signed bytes, to be passed on
//! ```
//! The body is carried as bytes and not as a nested value, so that what was signed is what is forwarded, whatever
//! a later version of the type would encode. The signer is named inside the body: there is no "verify by this
//! key" to get wrong. Whether that signer may say such a thing is the caller's question.

use crate::signature::{BadSignature, Signature, verify, verify_batch};
use murre_core::codec::{self, CodecError};
use murre_core::{ErrorKind, HasKind, Label, Rng};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;
use std::marker::PhantomData;

/// Most bytes that [`Signed`] adds to its payload: map and keys 5, payload head 5, signature 66.
pub const SIGNED_OVERHEAD: usize = 76;

/// A value that is always signed by a key named in it.
pub trait SignedBody: Serialize + DeserializeOwned {
    /// The purpose of the signature.
    const LABEL: Label;
    /// Longest encoding of the body, in bytes.
    const LIMIT: usize;

    /// The Ed25519 key that must have signed.
    fn signer(&self) -> [u8; 32];

    /// Whether the fields hold together (version known, no unknown flag). Checked by [`Signed::verify`].
    fn well_formed(&self) -> bool {
        true
    }
}

/// Why signed bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// The payload is too long, not of this type, or not canonical.
    #[error("signed value: {0}")]
    Codec(#[from] CodecError),
    /// The fields do not hold together, or the version is unknown.
    #[error("signed value is ill-formed or of an unknown version")]
    IllFormed,
    /// Not signed by whom it names.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

impl HasKind for SignedError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// A signed, UNVERIFIED value.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
// spec: M-26
pub struct Signed<T> {
    p: ByteBuf,
    s: Signature,
    #[serde(skip)]
    body: PhantomData<fn() -> T>,
}

impl<T: SignedBody> Signed<T> {
    /// Encodes and signs. `sign` is the `sign` method of the key that [`SignedBody::signer`] names.
    #[must_use]
    pub fn new(body: &T, sign: impl FnOnce(Label, &[u8]) -> Signature) -> Self {
        let payload = codec::encode(body);
        let s = sign(T::LABEL, &payload);
        Self { p: ByteBuf::from(payload), s, body: PhantomData }
    }

    /// Reads the wire form. Nothing is verified by this.
    ///
    /// # Errors
    /// [`CodecError`] if it is not a canonical `{p, s}` or too long for this kind of body.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, T::LIMIT.saturating_add(SIGNED_OVERHEAD))
    }

    /// Checks size, form and signature, and only then yields the value.
    ///
    /// # Errors
    /// [`SignedError`] naming the first check that failed.
    // spec: C-9, C-10
    pub fn verify(self) -> Result<Verified<T>, SignedError> {
        let body = self.decode()?;
        verify(&body.signer(), T::LABEL, &self.p, &self.s)?;
        Ok(Verified { signed: self, body })
    }

    /// Verifies many at once. If the batch as a whole fails, each is verified alone, so one bad value costs time
    /// but never spoils the others.
    pub fn verify_all(values: Vec<Self>, rng: &mut Rng) -> Vec<Result<Verified<T>, SignedError>> {
        let decoded: Vec<_> =
            values.into_iter().map(|signed| signed.decode().map(|body| (signed, body))).collect();
        let items: Vec<_> = decoded
            .iter()
            .flatten()
            .map(|(signed, body)| (body.signer(), T::LABEL, signed.p.as_slice(), signed.s))
            .collect();
        let all_good = verify_batch(&items, rng).is_ok();
        drop(items);
        let finish = |(signed, body): (Self, T)| {
            if !all_good {
                verify(&body.signer(), T::LABEL, &signed.p, &signed.s)?;
            }
            Ok(Verified { signed, body })
        };
        decoded.into_iter().map(|item| item.and_then(finish)).collect()
    }

    fn decode(&self) -> Result<T, SignedError> {
        let body: T = codec::decode(&self.p, T::LIMIT)?;
        if body.well_formed() { Ok(body) } else { Err(SignedError::IllFormed) }
    }
}

impl<T> Signed<T> {
    /// The wire form.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Length of the wire form, in bytes.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        self.bytes().len()
    }
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self { p: self.p.clone(), s: self.s, body: PhantomData }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.p == other.p && self.s == other.s
    }
}

impl<T> Eq for Signed<T> {}

impl<T> std::fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signed({} bytes, unverified)", self.p.len())
    }
}

/// A value whose size, form and signature were checked. Only [`Signed::verify`] makes one.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    signed: Signed<T>,
    body: T,
}

impl<T> Verified<T> {
    /// The signed form, to store or pass on.
    #[must_use]
    pub const fn signed(&self) -> &Signed<T> {
        &self.signed
    }

    /// Gives up the proof and keeps the signed form.
    #[must_use]
    pub fn into_signed(self) -> Signed<T> {
        self.signed
    }

    /// Gives up the proof and keeps the value.
    #[must_use]
    pub fn into_body(self) -> T {
        self.body
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.body
    }
}
