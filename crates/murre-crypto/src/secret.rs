//! Bytes that never print and are wiped.

use murre_core::{Label, Rng};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// `N` secret bytes.
///
/// No `Clone`, no `Serialize`, and a `Debug` that says nothing; wiped when dropped. Who must copy or store one
/// writes [`Secret::expose`] and so shows the reader of the code where a secret leaves its wrapper.
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Wraps bytes. The caller wipes its own copy if it keeps one.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Draws `N` bytes.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self(rng.bytes())
    }

    /// Derives `N` bytes for one purpose (`Label::fill`); a secret must be among the parts.
    #[must_use]
    pub fn derive(label: Label, parts: &[&[u8]]) -> Self {
        let mut bytes = [0; N];
        label.fill(parts, &mut bytes);
        Self(bytes)
    }

    /// Wraps a slice of exactly `N` bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes, to be used at once and not kept.
    #[must_use]
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

/// Equal in time that does not depend on the bytes.
impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> std::fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}
