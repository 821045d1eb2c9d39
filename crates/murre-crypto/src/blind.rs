//! Keys that change their face every epoch.
//!
//! ```text
//!   m --------------------- M = m*B           long-lived; never shown to a custodian
//!   |  h = H(M, tweak)      |
//!   v                       v
//!   m_e = h*m mod l ------- M_e = h*M         one epoch; who knows M and the tweak can compute M_e,
//!                                             who knows m as well can sign with m_e,
//!                                             who knows neither cannot link M_e to M or to another M_e
//! ```
//! Signatures by `m_e` are plain Ed25519 signatures and verify by the one rule of [`crate::signature`]. The
//! tweak is 32 bytes that the caller derives under its own label from an address secret and an epoch number.
//!
//! A blinded key hides nothing from those who hold `M`: they are the readers and writers of a mailbox. Who holds
//! `m_e` *and* the tweak can compute `m`; so an epoch key is never given away, it is recomputed.

use crate::Secret;
use crate::ed25519::{prime_order_point, sign};
use crate::memo;
use crate::signature::{BadSignature, Signature, verify};
use curve25519_dalek::Scalar;
use murre_core::id::Bytes;
use murre_core::{ErrorKind, HasKind, Label, Rng};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

const KEY: Label = Label::new("murre v1 crypto blind key");
const TWEAK: Label = Label::new("murre v1 crypto blind tweak");
const NONCE: Label = Label::new("murre v1 crypto blind nonce");

/// A public key that must not be blinded: not a point, not canonical, or not in the prime-order group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a public key of the prime-order group")]
pub struct BlindError;

impl HasKind for BlindError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// 64 bytes of KDF output reduced modulo the group order: uniform but for a bias below 2^-250.
fn wide_scalar(label: Label, parts: &[&[u8]]) -> Scalar {
    let mut wide = Zeroizing::new([0; 64]);
    label.fill(parts, wide.as_mut_slice());
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// The blinding factor of this public key under this tweak.
// spec: C-13
fn factor(public: &[u8; 32], tweak: &[u8; 32]) -> Scalar {
    wide_scalar(TWEAK, &[public, tweak])
}

/// The long-lived secret half `m`.
pub struct BlindKey {
    scalar: Scalar,
    public: BlindPublic,
}

impl BlindKey {
    /// A new key.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self::from_secret(&Secret::generate(rng))
    }

    /// The key derived from a secret that two parties share.
    #[must_use]
    // spec: C-12
    pub fn from_secret(secret: &Secret<32>) -> Self {
        Self::from_scalar(wide_scalar(KEY, &[secret.expose()]))
    }

    /// The key with this scalar, as [`BlindKey::secret`] gave it. `None` if it is zero or not reduced.
    #[must_use]
    pub fn from_scalar_bytes(bytes: &Secret<32>) -> Option<Self> {
        let scalar = Option::<Scalar>::from(Scalar::from_canonical_bytes(*bytes.expose()))?;
        (scalar != Scalar::ZERO).then(|| Self::from_scalar(scalar))
    }

    fn from_scalar(scalar: Scalar) -> Self {
        let own = || crate::memo::mul_base(&scalar).compress().to_bytes();
        Self { scalar, public: BlindPublic(Bytes(memo::public(&scalar.to_bytes(), own))) }
    }

    /// The scalar, 32 bytes little-endian, reduced; for storing the key.
    #[must_use]
    pub fn secret(&self) -> Secret<32> {
        Secret::new(self.scalar.to_bytes())
    }

    /// The public half `M`.
    #[must_use]
    pub const fn public(&self) -> BlindPublic {
        self.public
    }

    /// The signing key under this tweak. Its public half is `self.public().blind(tweak)`.
    #[must_use]
    pub fn blind(&self, tweak: &[u8; 32]) -> EpochKey {
        let scalar = factor(self.public.as_bytes(), tweak) * self.scalar;
        let own = || crate::memo::mul_base(&scalar).compress().to_bytes();
        let known = memo::point(self.public.as_bytes(), tweak, || Some(own()));
        EpochKey { scalar, public: EpochPublic(Bytes(known.unwrap_or_else(own))) }
    }
}

impl Drop for BlindKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

impl std::fmt::Debug for BlindKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlindKey(..)")
    }
}

macro_rules! public_key {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Bytes<32>);

        impl $name {
            /// Takes 32 bytes as such a key. They are checked where they are used.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(Bytes(bytes))
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let [a, b, c, d, ..] = self.as_bytes();
                write!(f, "{}({a:02x}{b:02x}{c:02x}{d:02x})", stringify!($name))
            }
        }
    )*};
}

public_key! {
    /// The long-lived public half `M`, known to readers and writers, never shown to a custodian.
    BlindPublic;
    /// The public half of one epoch's key: what a custodian sees.
    EpochPublic;
}

impl BlindPublic {
    /// The public key under this tweak.
    ///
    /// # Errors
    /// [`BlindError`] for bytes that are no point, have another canonical form, or lie outside the prime-order
    /// group: verification ignores the small-order part of a key, so several keys would answer to one secret.
    // spec: C-13, C-14
    pub fn blind(&self, tweak: &[u8; 32]) -> Result<EpochPublic, BlindError> {
        let blinded = memo::point(self.as_bytes(), tweak, || {
            let point = prime_order_point(self.as_bytes())?;
            Some((factor(self.as_bytes(), tweak) * point).compress().to_bytes())
        });
        blinded.map(|point| EpochPublic(Bytes(point))).ok_or(BlindError)
    }
}

impl EpochPublic {
    /// Verifies by the one rule.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, label: Label, msg: &[u8], sig: &Signature) -> Result<(), BadSignature> {
        verify(self.as_bytes(), label, msg, sig)
    }
}

/// The secret half of one epoch's key. Recomputed when needed, never stored or sent.
pub struct EpochKey {
    scalar: Scalar,
    public: EpochPublic,
}

impl EpochKey {
    /// Signs `label || 0x00 || msg`. The nonce is derived from key and message, so one message always gets one
    /// signature and no bad generator can leak the key.
    #[must_use]
    // spec: C-15
    pub fn sign(&self, label: Label, msg: &[u8]) -> Signature {
        let bytes = label.signed_bytes(msg);
        let secret = Zeroizing::new(self.scalar.to_bytes());
        let r = wide_scalar(NONCE, &[secret.as_slice(), self.public.as_bytes(), &bytes]);
        Signature::from_bytes(sign(&self.scalar, self.public.as_bytes(), r, &bytes))
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> EpochPublic {
        self.public
    }
}

impl Drop for EpochKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

impl std::fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EpochKey").field(&self.public).finish()
    }
}
