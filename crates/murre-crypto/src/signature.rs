//! The one signature rule.
//!
//! A signature covers `label || 0x00 || message`: what is signed for one purpose never verifies for another.
//! Verification is Ed25519 by ZIP-215, single and in a batch, because two honest devices that disagree about one
//! signature would hold two different logs for ever. Before the equation, the key itself must be acceptable:
//! canonically encoded and not of small order (`spec/02-crypto.md`, C-6).

use crate::ed25519::acceptable;
use crate::memo;
use ed25519_consensus::{VerificationKey, VerificationKeyBytes, batch};
use murre_core::id::Bytes;
use murre_core::{ErrorKind, HasKind, Label, Rng, sabotage};
use serde::{Deserialize, Serialize};

/// The signature is not by this key over this message for this purpose. Says no more, because nobody may act
/// differently on the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify")]
pub struct BadSignature;

impl HasKind for BadSignature {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// 64 bytes `R || S`; on the wire a byte string. Unchecked until [`verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(Bytes<64>);

impl Signature {
    /// Takes 64 bytes as a signature.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(Bytes(bytes))
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0.0
    }
}

/// Verifies one signature over `label || 0x00 || msg`.
///
/// # Errors
/// [`BadSignature`], whatever is wrong: key, purpose, message or signature.
// spec: C-5, C-6, C-7
pub fn verify(key: &[u8; 32], label: Label, msg: &[u8], sig: &Signature) -> Result<(), BadSignature> {
    if sabotage::active("accept-any-signature") {
        return Ok(());
    }
    if !acceptable(key) {
        return Err(BadSignature);
    }
    let bytes = label.signed_bytes(msg);
    let holds = || {
        let sig = ed25519_consensus::Signature::from(*sig.as_bytes());
        VerificationKey::try_from(*key).is_ok_and(|key| key.verify(&sig, &bytes).is_ok())
    };
    if memo::verdict(key, &bytes, sig.as_bytes(), holds) { Ok(()) } else { Err(BadSignature) }
}

/// Verifies many signatures at once, in about half the time, by the same rule as [`verify`]: `Ok` if and only if
/// each would be `Ok` alone (but for a chance below 2^-120).
///
/// The generator only randomises the check; it has no influence on the answer. An empty batch is `Ok`.
///
/// # Errors
/// [`BadSignature`] if at least one is bad. To learn which, verify them one by one.
// spec: C-8
pub fn verify_batch(
    items: &[([u8; 32], Label, &[u8], Signature)],
    rng: &mut Rng,
) -> Result<(), BadSignature> {
    if sabotage::active("accept-any-signature") {
        return Ok(());
    }
    let mut batch = batch::Verifier::new();
    for (key, label, msg, sig) in items {
        if !acceptable(key) {
            return Err(BadSignature);
        }
        let sig = ed25519_consensus::Signature::from(*sig.as_bytes());
        batch.queue((VerificationKeyBytes::from(*key), sig, &label.signed_bytes(msg)));
    }
    batch.verify(rng).map_err(|_| BadSignature)
}
