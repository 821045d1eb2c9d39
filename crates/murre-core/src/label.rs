//! Domain separation: every hash, derived key and signature names its purpose.
//!
//! A [`Label`] is the only way to hash in Murre, so two values of different meaning can never collide by having
//! the same bytes. Parts are length-prefixed, so `("ab", "c")` and `("a", "bc")` differ as well.

/// The name of one purpose. Labels are constants beside the code that owns the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(&'static str);

impl Label {
    /// Names a purpose. By convention `"murre v1 <layer> <what>"`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The label's text.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.0
    }

    /// BLAKE3 in key-derivation mode with this label as context, over the length-prefixed parts.
    ///
    /// Serves both for ids (public parts) and for keys (a secret among the parts): BLAKE3's `derive_key` is a
    /// KDF as well as a collision-resistant hash (BLAKE3 paper, section 2.4).
    #[must_use]
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        self.fill(parts, &mut out);
        out
    }

    /// Like [`Label::hash`], with as many output bytes as `out` has.
    // spec: M-21, M-23
    pub fn fill(&self, parts: &[&[u8]], out: &mut [u8]) {
        let mut hasher = blake3::Hasher::new_derive_key(self.0);
        for part in parts {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.finalize_xof().fill(out);
    }

    /// The bytes a signature under this label covers: `name || 0x00 || message`.
    #[must_use]
    // spec: M-22
    pub fn signed_bytes(&self, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() + 1 + message.len());
        out.extend_from_slice(self.0.as_bytes());
        out.push(0);
        out.extend_from_slice(message);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let label = Label::new("murre v1 test");
        assert_ne!(label.hash(&[b"ab", b"c"]), label.hash(&[b"a", b"bc"]));
        assert_ne!(label.hash(&[b"x"]), Label::new("murre v1 other").hash(&[b"x"]));
    }
}
