//! The database key and what hides it.
//!
//! ```text
//! key           DAG-CBOR { c: checksum 8, k: key 32, v: 1 }
//!
//! key.wrapped   DAG-CBOR { c: checksum 8, m: KiB, n: nonce 24, p: lanes, s: salt 16, t: passes, v: 1, w: wrapped 48 }
//!
//!   passphrase --Argon2id(salt s; m, t, p)--> 32 bytes --XChaCha20-Poly1305(nonce n)--> w
//! ```
//!
//! The checksum is the head of a labelled hash over the other fields. It tells a damaged file from a wrong
//! passphrase; it hides nothing and proves nothing.

use super::{HomeError, files, names};
use argon2::{Algorithm, Argon2, Params, Version};
use murre_core::id::Bytes;
use murre_core::{Label, codec};
use murre_crypto::{Secret, seal};
use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const CHECKSUM: Label = Label::new("murre v1 home key checksum");
const AAD: &[u8] = b"murre v1 home key";
/// Longest key file that is read, bytes.
const MAX_KEY_FILE: usize = 1_024;
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

    // spec: H-6
    fn allowed(self) -> bool {
        let (least, most) = (Self::LEAST, Self::MOST);
        (least.mem..=most.mem).contains(&self.mem)
            && (least.passes..=most.passes).contains(&self.passes)
            && (least.lanes..=most.lanes).contains(&self.lanes)
            && self.mem >= 8 * self.lanes
    }
}

/// What hides the database key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// A passphrase that nobody stores.
    Passphrase,
    /// The rights of a file: whoever copies the home can read it.
    KeyFile,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    c: Bytes<8>,
    k: Bytes<32>,
    v: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrapped {
    c: Bytes<8>,
    m: u32,
    n: Bytes<24>,
    p: u32,
    s: Bytes<16>,
    t: u32,
    v: u8,
    w: Bytes<48>,
}

impl Wrapped {
    fn cost(&self) -> KdfCost {
        KdfCost { mem: self.m, passes: self.t, lanes: self.p }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes, MAX_KEY_FILE).ok().filter(|file: &Self| file.v == 1 && file.sum() == file.c)
    }

    fn sum(&self) -> Bytes<8> {
        let numbers = [self.m, self.t, self.p].map(u32::to_be_bytes).concat();
        checksum(&[&[self.v], &numbers, &self.n.0, &self.s.0, &self.w.0])
    }
}

fn checksum(parts: &[&[u8]]) -> Bytes<8> {
    let mut out = [0; 8];
    CHECKSUM.fill(parts, &mut out);
    Bytes(out)
}

/// The key file of a home, read but not opened.
pub(super) enum KeyFile {
    Plain(Zeroizing<[u8; 32]>),
    Wrapped(PathBuf, Box<Wrapped>),
}

impl KeyFile {
    /// Reads whichever key file the home has.
    // spec: H-4, H-5
    pub fn read(home: &Path) -> Result<Self, HomeError> {
        let (plain, wrapped) = (home.join(names::KEY), home.join(names::WRAPPED));
        match (plain.exists(), wrapped.exists()) {
            (true, true) => Err(HomeError::TwoKeys { home: home.to_owned() }),
            (false, false) => Err(HomeError::KeyMissing { home: home.to_owned() }),
            (true, false) => Ok(Self::Plain(read_plain(&plain)?)),
            (false, true) => match Wrapped::decode(&load(&wrapped)?) {
                Some(file) => Ok(Self::Wrapped(wrapped, Box::new(file))),
                None => Err(HomeError::KeyDamaged { file: wrapped }),
            },
        }
    }

    pub const fn protection(&self) -> Protection {
        match self {
            Self::Plain(_) => Protection::KeyFile,
            Self::Wrapped(..) => Protection::Passphrase,
        }
    }

    /// The database key.
    pub fn open(self, passphrase: Option<&Passphrase>) -> Result<Zeroizing<[u8; 32]>, HomeError> {
        match (self, passphrase) {
            (Self::Plain(key), None) => Ok(key),
            (Self::Plain(_), Some(_)) => Err(HomeError::NotProtected),
            (Self::Wrapped(..), None) => Err(HomeError::PassphraseNeeded),
            (Self::Wrapped(path, file), Some(passphrase)) => {
                if !file.cost().allowed() {
                    return Err(HomeError::KeyCost { file: path });
                }
                let outer = stretch(passphrase, &file.s.0, file.cost())?;
                let opened = seal::open(&outer, &file.n.0, AAD, &file.w.0);
                let opened = Zeroizing::new(opened.map_err(|_| HomeError::WrongPassphrase)?);
                let mut key = Zeroizing::new([0; 32]);
                match <[u8; 32]>::try_from(opened.as_slice()) {
                    Ok(bytes) => *key = bytes,
                    Err(_) => return Err(HomeError::KeyDamaged { file: path }),
                }
                Ok(key)
            }
        }
    }
}

/// Reads a key that only the rights of its file protect.
pub(super) fn read_plain(path: &Path) -> Result<Zeroizing<[u8; 32]>, HomeError> {
    decode_plain(&load(path)?).ok_or_else(|| HomeError::KeyDamaged { file: path.to_owned() })
}

fn decode_plain(bytes: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let file: Plain = codec::decode(bytes, MAX_KEY_FILE).ok()?;
    let key = Zeroizing::new(file.k.0);
    (file.v == 1 && checksum(&[&[file.v], key.as_slice()]) == file.c).then_some(key)
}

/// What a key file is encoded to after it was decoded: the same bytes, or there are two for one key.
pub(super) fn again(bytes: &[u8]) -> Option<Vec<u8>> {
    let plain_again = || decode_plain(bytes).map(|key| plain(&key).to_vec());
    Wrapped::decode(bytes).map(|file| codec::encode(&file)).or_else(plain_again)
}

/// Draws such a key and writes its file.
pub(super) fn make_plain(path: &Path) -> Result<Zeroizing<[u8; 32]>, HomeError> {
    let key = draw();
    files::write_private(path, &plain(&key))?;
    Ok(key)
}

fn draw() -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(key.as_mut_slice());
    key
}

fn plain(key: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let file = Plain { c: checksum(&[&[1], key.as_slice()]), k: Bytes(*key), v: 1 };
    Zeroizing::new(codec::encode(&file))
}

/// A file as it is, but never more of it than a key file has and one byte.
fn load(path: &Path) -> Result<Zeroizing<Vec<u8>>, HomeError> {
    let mut bytes = Zeroizing::new(Vec::new());
    fs::File::open(path)
        .and_then(|file| file.take(MAX_KEY_FILE as u64 + 1).read_to_end(&mut bytes))
        .map_err(HomeError::io(path))?;
    Ok(bytes)
}

fn stretch(passphrase: &Passphrase, salt: &[u8; 16], cost: KdfCost) -> Result<Secret<32>, HomeError> {
    let params = Params::new(cost.mem, cost.passes, cost.lanes, Some(32)).map_err(|_| HomeError::Stretch)?;
    let mut out = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.0.as_bytes(), salt, out.as_mut_slice())
        .map_err(|_| HomeError::Stretch)?;
    Ok(Secret::new(*out))
}

/// What a new home will put in place: the name of the key file, its bytes, and the key itself.
pub(super) struct NewKey {
    pub name: &'static str,
    pub file: Zeroizing<Vec<u8>>,
    pub key: Zeroizing<[u8; 32]>,
}

impl NewKey {
    /// Draws a key from the operating system and hides it.
    pub fn generate(passphrase: Option<&Passphrase>, cost: KdfCost) -> Result<Self, HomeError> {
        let key = draw();
        let Some(passphrase) = passphrase else {
            return Ok(Self { name: names::KEY, file: plain(&key), key });
        };
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        OsRng.fill_bytes(&mut salt);
        OsRng.fill_bytes(&mut nonce);
        let outer = stretch(passphrase, &salt, cost)?;
        let sealed = seal::seal(&outer, &nonce, AAD, key.as_slice());
        let wrapped = <[u8; 48]>::try_from(sealed.as_slice()).map_err(|_| HomeError::Stretch)?;
        let mut file = Wrapped {
            c: Bytes([0; 8]),
            m: cost.mem,
            n: Bytes(nonce),
            p: cost.lanes,
            s: Bytes(salt),
            t: cost.passes,
            v: 1,
            w: Bytes(wrapped),
        };
        file.c = file.sum();
        Ok(Self { name: names::WRAPPED, file: Zeroizing::new(codec::encode(&file)), key })
    }

    /// Writes the key file into a directory.
    pub fn write(&self, dir: &Path) -> Result<(), HomeError> {
        files::write_private(&dir.join(self.name), &self.file)
    }
}
