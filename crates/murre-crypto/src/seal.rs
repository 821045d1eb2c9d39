//! Authenticated encryption under a shared key: XChaCha20-Poly1305.
//!
//! ```text
//! sealed:  | ciphertext, as long as the plaintext | tag 16 |      the nonce, 24 bytes, is the caller's
//! ```
//! A nonce must never be used for two different plaintexts under one key. Callers derive it from what they seal
//! or draw it; 24 bytes are enough for either. The associated data is authenticated but not contained.

use crate::Secret;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use murre_core::{ErrorKind, HasKind};

/// Bytes that sealing adds.
pub const OVERHEAD: usize = 16;

/// The bytes were not sealed by this key with this nonce and associated data, or were changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open")]
pub struct OpenError;

impl HasKind for OpenError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// Seals `pt`; the result is [`OVERHEAD`] bytes longer.
///
/// The cipher fails only for more than 256 GiB at once, which nobody can hand over; the result would then be
/// empty, which never opens.
#[must_use]
// spec: C-16
pub fn seal(key: &Secret<32>, nonce: &[u8; 24], aad: &[u8], pt: &[u8]) -> Vec<u8> {
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    cipher.encrypt(XNonce::from_slice(nonce), Payload { msg: pt, aad }).unwrap_or_default()
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`OpenError`] if key, nonce, associated data or any bit differs.
pub fn open(key: &Secret<32>, nonce: &[u8; 24], aad: &[u8], ct: &[u8]) -> Result<Vec<u8>, OpenError> {
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: ct, aad }).map_err(|_| OpenError)
}
