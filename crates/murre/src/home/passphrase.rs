//! Passphrases, and what a guess of one costs.

use super::HomeError;
use argon2::{Algorithm, Argon2, Params, Version};
use murre_crypto::Secret;
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// Longest passphrase file that is read, bytes.
const MAX_PASSPHRASE: u64 = 4_096;

/// A passphrase. Cleared from memory when dropped; never printed.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a text as it is.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The first line of a file, without its end.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] for an empty first line or a text over 4,096 bytes.
    pub fn read_file(path: &Path) -> io::Result<Self> {
        let mut text = Zeroizing::new(String::with_capacity(MAX_PASSPHRASE as usize + 1));
        fs::File::open(path)?.take(MAX_PASSPHRASE + 1).read_to_string(&mut text)?;
        let invalid = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if text.len() as u64 > MAX_PASSPHRASE {
            return invalid("the passphrase file is too long");
        }
        match text.lines().next() {
            None | Some("") => invalid("the passphrase file has no text in its first line"),
            Some(line) => Ok(Self(Zeroizing::new(line.to_owned()))),
        }
    }

    /// The next line of a stream, without its end; nothing after it is waited for.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] for an empty line or one over 4,096 bytes.
    pub fn read_line(source: impl BufRead) -> io::Result<Self> {
        let mut line = Zeroizing::new(String::with_capacity(MAX_PASSPHRASE as usize + 1));
        source.take(MAX_PASSPHRASE + 1).read_line(&mut line)?;
        let invalid = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if line.len() as u64 > MAX_PASSPHRASE {
            return invalid("the passphrase is too long");
        }
        let text = line.trim_end_matches(['\r', '\n']);
        if text.is_empty() { invalid("there is no passphrase") } else { Ok(Self::new(text.to_owned())) }
    }

    /// Whether both are the same text.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl Passphrase {
    /// Makes a key of it, at this cost.
    pub(super) fn stretch(&self, salt: &[u8; 16], cost: KdfCost) -> Result<Secret<32>, HomeError> {
        if self.0.is_empty() {
            return Err(HomeError::EmptyPassphrase);
        }
        let params =
            Params::new(cost.mem, cost.passes, cost.lanes, Some(32)).map_err(|_| HomeError::Stretch)?;
        let mut out = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.0.as_bytes(), salt, out.as_mut_slice())
            .map_err(|_| HomeError::Stretch)?;
        Ok(Secret::new(*out))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// What a guess of the passphrase costs. Stored in the key file, so a later version may raise it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfCost {
    /// Argon2id memory, KiB.
    pub mem: u32,
    /// Argon2id passes.
    pub passes: u32,
    /// Argon2id lanes.
    pub lanes: u32,
}

impl Default for KdfCost {
    /// 64 MiB and 3 passes: RFC 9106's choice for machines without much memory, a phone among them.
    fn default() -> Self {
        Self { mem: 64 << 10, passes: 3, lanes: 1 }
    }
}

impl KdfCost {
    /// Least cost that is accepted, for tests.
    pub const LEAST: Self = Self { mem: 8, passes: 1, lanes: 1 };
    /// Most cost that is accepted from a file: 1 GiB, 16 passes, 4 lanes.
    pub const MOST: Self = Self { mem: 1 << 20, passes: 16, lanes: 4 };

    /// These costs, each raised to today's default where it is below it.
    // spec: H-16
    pub(super) fn raised(self) -> Self {
        let today = Self::default();
        Self {
            mem: self.mem.max(today.mem),
            passes: self.passes.max(today.passes),
            lanes: self.lanes.max(today.lanes),
        }
    }

    // spec: H-6
    pub(super) fn allowed(self) -> bool {
        let (least, most) = (Self::LEAST, Self::MOST);
        (least.mem..=most.mem).contains(&self.mem)
            && (least.passes..=most.passes).contains(&self.passes)
            && (least.lanes..=most.lanes).contains(&self.lanes)
            && self.mem >= 8 * self.lanes
    }
}
