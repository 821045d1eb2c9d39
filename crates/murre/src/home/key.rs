//! The database key and what hides it: three forms, of which a home has one.
//!
//! ```text
//! key           DAG-CBOR { c: checksum 8, k: key 32, r?: replaces 8, v: 1 }
//!
//! key.wrapped   DAG-CBOR { c: checksum 8, m: KiB, n: nonce 24, p: lanes, r?: replaces 8, s: salt 16, t: passes, v: 1,
//!                          w: wrapped 48 }
//!
//!   passphrase --Argon2id(salt s; m, t, p)--> 32 bytes --XChaCha20-Poly1305(nonce n)--> w
//!
//! key.keyring   DAG-CBOR { c: checksum 8, i: item 16, n: nonce 24, r?: replaces 8, v: 1, w: wrapped 48 }
//!
//!   item i of the session's keyring --> 32 bytes --XChaCha20-Poly1305(nonce n)--> w
//! ```
//!
//! The checksum is the head of a labelled hash over the other fields. It tells a damaged file from a wrong
//! passphrase; it hides nothing and proves nothing. `r` is the checksum of the file that this one was written to
//! replace: so a change of protection that a crash cut short is told from two files that do not belong together.

use super::keyring::{self, ItemId};
use super::{HomeError, KdfCost, Passphrase, files, names};
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
const AAD_PASSPHRASE: &[u8] = b"murre v1 home key";
const AAD_KEYRING: &[u8] = b"murre v1 home key in keyring";
/// Longest key file that is read, bytes.
const MAX_KEY_FILE: usize = 1_024;

/// What hides the database key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// The rights of a file: whoever copies the home can read it.
    KeyFile,
    /// A passphrase that nobody stores.
    Passphrase,
    /// The keyring of the session, as long as it is locked.
    Keyring,
}

impl Protection {
    pub(super) const ALL: [Self; 3] = [Self::KeyFile, Self::Passphrase, Self::Keyring];

    /// One word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::KeyFile => "key-file",
            Self::Passphrase => "passphrase",
            Self::Keyring => "keyring",
        }
    }

    /// Whether someone who copies the home cannot read it.
    #[must_use]
    pub const fn at_rest(self) -> bool {
        !matches!(self, Self::KeyFile)
    }

    /// The name of the key file.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::KeyFile => names::KEY,
            Self::Passphrase => names::WRAPPED,
            Self::Keyring => names::KEYRING,
        }
    }
}

/// What is to hide a database key.
#[derive(Clone, Debug, Default)]
pub enum Shield {
    /// Nothing but the rights of the file.
    #[default]
    KeyFile,
    /// This passphrase.
    Passphrase(Passphrase),
    /// The keyring of the session (Secret Service).
    Keyring,
}

impl From<Option<Passphrase>> for Shield {
    fn from(passphrase: Option<Passphrase>) -> Self {
        passphrase.map_or(Self::KeyFile, Self::Passphrase)
    }
}

type Sum = Bytes<8>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    c: Sum,
    k: Bytes<32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<Sum>,
    v: u8,
}

impl Plain {
    fn sum(&self) -> Sum {
        let key = Zeroizing::new(self.k.0);
        checksum(self.v, self.r, &[key.as_slice()])
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrapped {
    c: Sum,
    m: u32,
    n: Bytes<24>,
    p: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<Sum>,
    s: Bytes<16>,
    t: u32,
    v: u8,
    w: Bytes<48>,
}

impl Wrapped {
    const fn cost(&self) -> KdfCost {
        KdfCost { mem: self.m, passes: self.t, lanes: self.p }
    }

    fn sum(&self) -> Sum {
        let numbers = [self.m, self.t, self.p].map(u32::to_be_bytes).concat();
        checksum(self.v, self.r, &[&numbers, &self.n.0, &self.s.0, &self.w.0])
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InKeyring {
    c: Sum,
    i: Bytes<16>,
    n: Bytes<24>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<Sum>,
    v: u8,
    w: Bytes<48>,
}

impl InKeyring {
    fn sum(&self) -> Sum {
        checksum(self.v, self.r, &[&self.i.0, &self.n.0, &self.w.0])
    }
}

fn checksum(version: u8, replaces: Option<Sum>, fields: &[&[u8]]) -> Sum {
    let version = [version];
    let mut parts: Vec<&[u8]> = vec![&version];
    parts.extend(fields);
    if let Some(replaces) = &replaces {
        parts.push(&replaces.0);
    }
    let mut out = [0; 8];
    CHECKSUM.fill(&parts, &mut out);
    Bytes(out)
}

enum Form {
    Plain(Zeroizing<[u8; 32]>),
    Wrapped(Box<Wrapped>),
    Keyring(Box<InKeyring>),
}

/// A key file, read but not opened.
pub(super) struct KeyFile {
    pub path: PathBuf,
    form: Form,
    sum: Sum,
    replaces: Option<Sum>,
}

/// The key file that counts, and one that it was written to replace and that is still there.
pub(super) struct Found {
    pub key: KeyFile,
    pub old: Option<KeyFile>,
}

impl Found {
    /// Looks at every key file of a home.
    // spec: H-4, H-13
    pub fn read(home: &Path) -> Result<Self, HomeError> {
        let mut all = Vec::new();
        for protection in Protection::ALL {
            all.extend(KeyFile::read(home, protection).transpose());
        }
        let two = || HomeError::TwoKeys { home: home.to_owned() };
        match all.len() {
            0 => Err(HomeError::KeyMissing { home: home.to_owned() }),
            1 => Ok(Self { key: all.remove(0)?, old: None }),
            2 => {
                let (Ok(second), Ok(first)) = (all.remove(1), all.remove(0)) else { return Err(two()) };
                match (second.replaces == Some(first.sum), first.replaces == Some(second.sum)) {
                    (true, false) => Ok(Self { key: second, old: Some(first) }),
                    (false, true) => Ok(Self { key: first, old: Some(second) }),
                    _ => Err(two()),
                }
            }
            _ => Err(two()),
        }
    }
}

impl KeyFile {
    /// One form of the key; none if there is no such file, or if it was overwritten on the way to its removal.
    // spec: H-5
    fn read(home: &Path, protection: Protection) -> Result<Option<Self>, HomeError> {
        let path = home.join(protection.file());
        let bytes = match slurp(&path) {
            Err(HomeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        if !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let (version, found, sum, replaces, form) = match protection {
            Protection::KeyFile => {
                let file: Plain = decode(&path, &bytes)?;
                let form = Form::Plain(Zeroizing::new(file.k.0));
                (file.v, file.c, file.sum(), file.r, form)
            }
            Protection::Passphrase => {
                let file: Wrapped = decode(&path, &bytes)?;
                (file.v, file.c, file.sum(), file.r, Form::Wrapped(Box::new(file)))
            }
            Protection::Keyring => {
                let file: InKeyring = decode(&path, &bytes)?;
                (file.v, file.c, file.sum(), file.r, Form::Keyring(Box::new(file)))
            }
        };
        if version != 1 || found != sum {
            return Err(HomeError::KeyDamaged { file: path });
        }
        Ok(Some(Self { path, form, sum, replaces }))
    }

    /// The item that a home's key file names, if it can be read.
    pub fn item_of(home: &Path) -> Option<ItemId> {
        Self::read(home, Protection::Keyring).ok()??.item()
    }

    pub const fn protection(&self) -> Protection {
        match &self.form {
            Form::Plain(_) => Protection::KeyFile,
            Form::Wrapped(_) => Protection::Passphrase,
            Form::Keyring(_) => Protection::Keyring,
        }
    }

    /// What a file says that is to replace this one.
    pub const fn sum(&self) -> Sum {
        self.sum
    }

    /// The item of the keyring, if that is the form.
    pub fn item(&self) -> Option<ItemId> {
        match &self.form {
            Form::Keyring(file) => Some(ItemId(file.i.0)),
            Form::Plain(_) | Form::Wrapped(_) => None,
        }
    }

    /// The costs to wrap with from now on, if those of this file are below today's.
    pub fn cheap(&self) -> Option<KdfCost> {
        match &self.form {
            Form::Wrapped(file) => Some(file.cost().raised()).filter(|raised| *raised != file.cost()),
            Form::Plain(_) | Form::Keyring(_) => None,
        }
    }

    /// The database key.
    pub fn open(&self, passphrase: Option<&Passphrase>) -> Result<Zeroizing<[u8; 32]>, HomeError> {
        match (&self.form, passphrase) {
            (Form::Plain(key), None) => Ok(key.clone()),
            (Form::Plain(_) | Form::Keyring(_), Some(_)) => Err(HomeError::NotProtected),
            (Form::Wrapped(_), None) => Err(HomeError::PassphraseNeeded),
            (Form::Wrapped(file), Some(passphrase)) => {
                if !file.cost().allowed() {
                    return Err(HomeError::KeyCost { file: self.path.clone() });
                }
                let outer = passphrase.stretch(&file.s.0, file.cost())?;
                let opened = unwrap(&outer, &file.n, AAD_PASSPHRASE, &file.w);
                opened.ok_or(HomeError::WrongPassphrase)
            }
            (Form::Keyring(file), None) => {
                let outer = Secret::new(*keyring::fetch(ItemId(file.i.0))?);
                let opened = unwrap(&outer, &file.n, AAD_KEYRING, &file.w);
                opened.ok_or(HomeError::Keyring(keyring::KeyringError::OtherItem))
            }
        }
    }
}

/// Reads a node's key, that only the rights of its file protect.
pub(super) fn read_plain(path: &Path) -> Result<Zeroizing<[u8; 32]>, HomeError> {
    let file: Plain = decode(path, &slurp(path)?)?;
    let key = Zeroizing::new(file.k.0);
    if file.v != 1 || file.sum() != file.c {
        return Err(HomeError::KeyDamaged { file: path.to_owned() });
    }
    Ok(key)
}

/// What a key file is encoded to after it was decoded: the same bytes, or there are two for one key.
pub(super) fn again(bytes: &[u8]) -> Option<Vec<u8>> {
    fn sound<T: Serialize + serde::de::DeserializeOwned>(
        bytes: &[u8],
        holds: impl Fn(&T) -> bool,
    ) -> Option<Vec<u8>> {
        codec::decode::<T>(bytes, MAX_KEY_FILE)
            .ok()
            .filter(|file| holds(file))
            .map(|file| codec::encode(&file))
    }
    sound::<Wrapped>(bytes, |file| file.v == 1 && file.sum() == file.c)
        .or_else(|| sound::<InKeyring>(bytes, |file| file.v == 1 && file.sum() == file.c))
        .or_else(|| sound::<Plain>(bytes, |file| file.v == 1 && file.sum() == file.c))
}

/// Draws such a key and writes its file.
pub(super) fn make_plain(path: &Path) -> Result<Zeroizing<[u8; 32]>, HomeError> {
    let key = draw();
    files::write_private(path, &plain(&key, None))?;
    Ok(key)
}

/// 32 bytes of the operating system.
pub(super) fn draw() -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(key.as_mut_slice());
    key
}

fn plain(key: &[u8; 32], replaces: Option<Sum>) -> Zeroizing<Vec<u8>> {
    let mut file = Plain { c: Bytes([0; 8]), k: Bytes(*key), r: replaces, v: 1 };
    file.c = file.sum();
    Zeroizing::new(codec::encode(&file))
}

fn slurp(path: &Path) -> Result<Zeroizing<Vec<u8>>, HomeError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE + 1));
    fs::File::open(path)
        .and_then(|file| file.take(MAX_KEY_FILE as u64 + 1).read_to_end(&mut bytes))
        .map_err(HomeError::io(path))?;
    Ok(bytes)
}

fn decode<T: Serialize + serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, HomeError> {
    codec::decode(bytes, MAX_KEY_FILE).map_err(|_| HomeError::KeyDamaged { file: path.to_owned() })
}

fn wrap(outer: &Secret<32>, aad: &[u8], key: &[u8; 32]) -> Result<(Bytes<24>, Bytes<48>), HomeError> {
    let mut nonce = [0; 24];
    OsRng.fill_bytes(&mut nonce);
    let sealed = seal::seal(outer, &nonce, aad, key);
    let wrapped = <[u8; 48]>::try_from(sealed.as_slice()).map_err(|_| HomeError::Stretch)?;
    Ok((Bytes(nonce), Bytes(wrapped)))
}

fn unwrap(
    outer: &Secret<32>,
    nonce: &Bytes<24>,
    aad: &[u8],
    wrapped: &Bytes<48>,
) -> Option<Zeroizing<[u8; 32]>> {
    let opened = Zeroizing::new(seal::open(outer, &nonce.0, aad, &wrapped.0).ok()?);
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(opened.get(..32)?);
    Some(key)
}

/// A key file to be put in place.
pub(super) struct NewFile {
    pub protection: Protection,
    bytes: Zeroizing<Vec<u8>>,
    item: Option<ItemId>,
}

impl NewFile {
    /// Hides a key. With the keyring, its item exists when this returns.
    // spec: H-14
    pub fn make(
        key: &[u8; 32],
        shield: &Shield,
        cost: KdfCost,
        replaces: Option<Sum>,
    ) -> Result<Self, HomeError> {
        let (protection, bytes, item) = match shield {
            Shield::KeyFile => (Protection::KeyFile, plain(key, replaces), None),
            Shield::Passphrase(passphrase) => {
                let mut salt = [0; 16];
                OsRng.fill_bytes(&mut salt);
                let (n, w) = wrap(&passphrase.stretch(&salt, cost)?, AAD_PASSPHRASE, key)?;
                let (m, t, p) = (cost.mem, cost.passes, cost.lanes);
                let mut file = Wrapped { c: Bytes([0; 8]), m, n, p, r: replaces, s: Bytes(salt), t, v: 1, w };
                file.c = file.sum();
                (Protection::Passphrase, Zeroizing::new(codec::encode(&file)), None)
            }
            Shield::Keyring => {
                let (item, outer) = (ItemId::draw(), draw());
                let (n, w) = wrap(&Secret::new(*outer), AAD_KEYRING, key)?;
                let mut file = InKeyring { c: Bytes([0; 8]), i: Bytes(item.0), n, r: replaces, v: 1, w };
                file.c = file.sum();
                // What may have been stored before it failed opens nothing, and nobody would know whose it is.
                keyring::store(item, &outer).inspect_err(|_| keyring::forget(item))?;
                (Protection::Keyring, Zeroizing::new(codec::encode(&file)), Some(item))
            }
        };
        Ok(Self { protection, bytes, item })
    }

    /// Writes the file into a directory.
    pub fn write(&self, dir: &Path) -> Result<(), HomeError> {
        files::write_private(&dir.join(self.protection.file()), &self.bytes)
    }

    /// Takes the item out of the keyring again: the file is not going to be used.
    pub fn withdraw(&self) {
        if let Some(item) = self.item {
            keyring::forget(item);
        }
    }
}
