//! The signing half of Ed25519 and the test which public keys are taken at all.
//!
//! Signing is written here because blinded keys need it: they have a scalar and no seed, which no Ed25519 crate
//! signs with. Role keys use the same four lines, so there is one signer; a property test holds it against
//! ed25519-consensus. Verification is not written here.
//!
//! ```text
//! signature, 64 bytes:  | R = r*B, 32 | S = r + SHA-512(R || A || message) * a  mod l, 32 |
//! ```

use curve25519_dalek::{EdwardsPoint, Scalar, edwards::CompressedEdwardsY};
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

/// The half of a signature that differs between signers: `r` is the secret nonce, wiped here.
pub(crate) fn sign(a: &Scalar, public: &[u8; 32], mut r: Scalar, message: &[u8]) -> [u8; 64] {
    let commitment = crate::memo::mul_base(&r).compress().to_bytes();
    let hash = Sha512::new().chain_update(commitment).chain_update(public).chain_update(message).finalize();
    let k = Scalar::from_bytes_mod_order_wide(&hash.into());
    let s = (r + k * a).to_bytes();
    r.zeroize();
    let mut out = [0; 64];
    let (head, tail) = out.split_at_mut(32);
    head.copy_from_slice(&commitment);
    tail.copy_from_slice(&s);
    crate::memo::signed(public, message, &out);
    out
}

/// An Ed25519 key expanded from its 32-byte seed (RFC 8032, section 5.1.5).
pub(crate) struct SeedKey {
    seed: Zeroizing<[u8; 32]>,
    scalar: Scalar,
    prefix: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl SeedKey {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(seed)));
        let (mut low, mut prefix) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        let (left, right) = hash.split_at(32);
        low.copy_from_slice(left);
        prefix.copy_from_slice(right);
        let scalar =
            Scalar::from_bytes_mod_order(*Zeroizing::new(curve25519_dalek::scalar::clamp_integer(*low)));
        let public = crate::memo::mul_base(&scalar).compress().to_bytes();
        Self { seed: Zeroizing::new(*seed), scalar, prefix, public }
    }

    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    pub(crate) fn public(&self) -> &[u8; 32] {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let hash = Zeroizing::new(<[u8; 64]>::from(
            Sha512::new().chain_update(*self.prefix).chain_update(message).finalize(),
        ));
        let r = Scalar::from_bytes_mod_order_wide(&hash);
        sign(&self.scalar, &self.public, r, message)
    }
}

impl Drop for SeedKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

/// The prime 2^255 - 19, little-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

/// The y coordinates of the eight points of small order, little-endian: of order 1, 2, 4 (both), 8 (twice two).
const SMALL_ORDER: [[u8; 32]; 5] = [
    small(0x01, 0x00, 0x00),
    small(0xec, 0xff, 0x7f),
    [0; 32],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn small(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut y = [middle; 32];
    y[0] = first;
    y[31] = last;
    y
}

/// Whether a public key may be used at all: canonically encoded and not of small order.
///
/// ZIP-215 itself takes any encoding of any point. Under a small-order key, though, one signature fits every
/// message, and under two encodings of one point one signer has two names. Both are refused before the equation
/// is looked at, by bytes alone, so single and batch verification cannot differ here. Whether the bytes are a
/// point at all is left to the verifier.
// spec: C-6
pub(crate) fn acceptable(key: &[u8; 32]) -> bool {
    let mut y = *key;
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    // Compared without the sign bit: the points with x = 0 are also encoded with it set.
    y.iter().rev().lt(P.iter().rev()) && !SMALL_ORDER.contains(&y)
}

/// Decodes a point of the prime-order subgroup other than the identity, from its one canonical encoding.
pub(crate) fn prime_order_point(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    if !acceptable(bytes) {
        return None;
    }
    CompressedEdwardsY(*bytes).decompress().filter(EdwardsPoint::is_torsion_free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn role_keys_sign_exactly_like_ed25519_consensus(seed: [u8; 32], message in proptest::collection::vec(any::<u8>(), 0..200)) {
            let ours = SeedKey::new(&seed);
            let theirs = ed25519_consensus::SigningKey::from(seed);
            prop_assert_eq!(*ours.public(), theirs.verification_key().to_bytes());
            prop_assert_eq!(ours.sign(&message), theirs.sign(&message).to_bytes());
        }
    }

    #[test]
    fn keys_of_small_order_and_second_encodings_are_refused() {
        for point in EIGHT_TORSION {
            let mut bytes = point.compress().to_bytes();
            assert!(!acceptable(&bytes));
            bytes[31] ^= 0x80;
            assert!(!acceptable(&bytes));
        }
        for y in SMALL_ORDER {
            assert!(CompressedEdwardsY(y).decompress().is_some_and(|point| point.is_small_order()));
        }
        // y = p + 3 and y = p + 18 fit in 255 bits and are second names of 3 and 18.
        for excess in [3u8, 18] {
            let mut bytes = P;
            bytes[0] = bytes[0].wrapping_add(excess);
            assert!(!acceptable(&bytes));
        }
        let mut below = P;
        below[0] -= 2;
        assert!(acceptable(&below), "p - 2 is the canonical encoding of itself");
        assert!(acceptable(SeedKey::new(&[1; 32]).public()));
    }

    #[test]
    fn a_torsion_component_is_refused_where_a_key_is_blinded() {
        let good = EdwardsPoint::mul_base(&Scalar::from(5u64));
        assert!(prime_order_point(&good.compress().to_bytes()).is_some());
        let mixed = good + EIGHT_TORSION[1];
        assert!(acceptable(&mixed.compress().to_bytes()));
        assert!(prime_order_point(&mixed.compress().to_bytes()).is_none());
    }
}
