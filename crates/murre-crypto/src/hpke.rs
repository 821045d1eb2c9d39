//! Encryption to a public key: HPKE (RFC 9180, base mode) over X-Wing.
//!
//! ```text
//! sealed:  | KEM ciphertext 1120 = ML-KEM-768 1088 || X25519 32 | AEAD ciphertext: plaintext + 16 |
//! suite:   KEM 0x647a X-Wing, KDF 0x0001 HKDF-SHA256, AEAD 0x0003 ChaCha20-Poly1305; one message per context
//! ```
//! X-Wing is safe as long as either ML-KEM-768 or X25519 is, so a request recorded today stays closed to a later
//! quantum computer. The sender is not authenticated: what is inside must prove itself.
//!
//! The KEM step is taken here and not by hpke-rs, whose KEM draws from the operating system; only its key schedule
//! and AEAD are used. A test opens our output with hpke-rs' own receiver and the reverse. The decapsulation key is
//! expanded from its seed for each opening; `x-wing` does not wipe that expansion.

use crate::Secret;
use crate::seal::OpenError;
use hpke_rs::{Context, Hpke, Mode};
use hpke_rs_crypto::types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs_rust_crypto::HpkeRustCrypto;
use murre_core::id::Bytes;
use murre_core::{Bug, ErrorKind, HasKind, Rng};
use serde::{Deserialize, Serialize};
use x_wing::{DecapsulationKeyRejectNonContrib, Decapsulator, EncapsulationKey, KeyExport, TryDecapsulate};
use zeroize::Zeroizing;

/// Length of a request key's public half, bytes.
pub const REQUEST_PUBLIC_LEN: usize = 1_216;
/// Length of the KEM ciphertext, bytes.
pub const ENCAPSULATED_LEN: usize = 1_120;
/// Bytes that [`hpke_seal`] adds.
pub const HPKE_OVERHEAD: usize = ENCAPSULATED_LEN + 16;

/// Why nothing could be sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HpkeSealError {
    /// The public key is malformed (a coefficient of its ML-KEM half is not reduced).
    #[error("request key is malformed")]
    BadKey,
    /// We made a mistake.
    #[error(transparent)]
    Bug(#[from] Bug),
}

impl HasKind for HpkeSealError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::BadKey => ErrorKind::Remote,
            Self::Bug(_) => ErrorKind::Bug,
        }
    }
}

/// The public half of a request key; on the wire a byte string of 1,216 bytes. Checked by [`hpke_seal`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestPublic(Box<Bytes<REQUEST_PUBLIC_LEN>>);

impl RequestPublic {
    /// Takes a slice of exactly 1,216 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Box::new(Bytes(bytes))))
    }

    /// The 1,216 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; REQUEST_PUBLIC_LEN] {
        &self.0.0
    }
}

impl std::fmt::Debug for RequestPublic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, ..] = self.as_bytes();
        write!(f, "RequestPublic({a:02x}{b:02x}{c:02x}{d:02x})")
    }
}

/// The secret half: a 32-byte X-Wing seed.
pub struct RequestKey(Secret<32>);

impl RequestKey {
    /// A new key.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self(Secret::generate(rng))
    }

    /// The key with this seed.
    #[must_use]
    pub fn from_secret(seed: &Secret<32>) -> Self {
        Self(Secret::new(*seed.expose()))
    }

    /// The seed, for storing the key.
    #[must_use]
    pub fn secret(&self) -> Secret<32> {
        Secret::new(*self.0.expose())
    }

    /// The public half, computed anew (some 50 microseconds).
    #[must_use]
    pub fn public(&self) -> RequestPublic {
        RequestPublic(Box::new(Bytes(self.expand().encapsulation_key().to_bytes().into())))
    }

    fn expand(&self) -> DecapsulationKeyRejectNonContrib {
        DecapsulationKeyRejectNonContrib::from(*self.0.expose())
    }
}

impl std::fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RequestKey(..)")
    }
}

/// The suite. (`Hpke::new` seeds a generator of its own that is never asked for a byte.)
fn suite() -> Hpke<HpkeRustCrypto> {
    Hpke::new(
        Mode::Base,
        KemAlgorithm::XWingDraft06,
        KdfAlgorithm::HkdfSha256,
        AeadAlgorithm::ChaCha20Poly1305,
    )
}

fn context(shared: &[u8], info: &[u8]) -> Option<Context<HpkeRustCrypto>> {
    suite().key_schedule(shared, info, &[], &[]).ok()
}

/// Seals `pt` so that only the holder of the request key can open it.
///
/// `info` names the purpose and what the message is bound to; `aad` is authenticated and not contained.
///
/// # Errors
/// [`HpkeSealError::BadKey`] if `to` is malformed.
// spec: C-17
pub fn hpke_seal(
    to: &RequestPublic,
    info: &[u8],
    aad: &[u8],
    pt: &[u8],
    rng: &mut Rng,
) -> Result<Vec<u8>, HpkeSealError> {
    let key = EncapsulationKey::try_from(to.as_bytes().as_slice()).map_err(|_| HpkeSealError::BadKey)?;
    let randomness = Zeroizing::new(rng.bytes::<64>());
    let (enc, shared) = key.encapsulate_deterministic(&(*randomness).into());
    let shared = Zeroizing::new(<[u8; 32]>::from(shared));
    let mut context = context(shared.as_slice(), info).ok_or_else(|| Bug::new("HPKE key schedule"))?;
    let ct = context.seal(aad, pt).map_err(|_| Bug::new("HPKE seal"))?;
    let mut out = Vec::with_capacity(ENCAPSULATED_LEN + ct.len());
    out.extend_from_slice(&enc);
    out.extend_from_slice(&ct);
    Ok(out)
}

/// Opens what [`hpke_seal`] made.
///
/// # Errors
/// [`OpenError`] if it was made for another key, with other `info` or `aad`, or was changed.
// spec: C-17, C-18
pub fn hpke_open(key: &RequestKey, info: &[u8], aad: &[u8], ct: &[u8]) -> Result<Vec<u8>, OpenError> {
    let (enc, ct) = ct.split_at_checked(ENCAPSULATED_LEN).ok_or(OpenError)?;
    let enc = x_wing::Ciphertext::try_from(enc).map_err(|_| OpenError)?;
    let shared = key.expand().try_decapsulate(&enc).map_err(|_| OpenError)?;
    let shared = Zeroizing::new(<[u8; 32]>::from(shared));
    let mut context = context(shared.as_slice(), info).ok_or(OpenError)?;
    context.open(aad, ct).map_err(|_| OpenError)
}
