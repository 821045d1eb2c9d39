//! The home directory: where one account of one device lives.
//!
//! ```text
//! HOME/                 0700
//!  |_ lock              held while a process uses the home; its text is that process's id
//!  |_ key.wrapped       the database key under a passphrase       } exactly one of the three;
//!  |_ key.keyring       the database key under the keyring's item } the last file that `init` puts in place
//!  |_ key               the database key, readable by its owner   }
//!  |_ store.db (+ WAL)  SQLCipher, the machine's rows
//!  |_ sent              the send counter: a store older than this never sends again
//!  |_ api.sock          the local API while `up` runs
//!  |_ new/              an `init` that has not finished; removed by the next one
//! ```
//!
//! Nothing here knows what the rows mean. The law is `spec/10-home.md`.

pub mod counter;
mod error;
mod files;
pub(crate) mod holder;
mod init;
mod key;
pub(crate) mod keyring;
mod lock;
mod log;
mod passphrase;
mod protect;
pub mod wipe;

pub use error::HomeError;
pub use init::{MakeError, make};
pub use key::{Protection, Shield};
pub use keyring::KeyringError;
pub use lock::Lock;
pub use log::{LOG_FILES, LogFile, MAX_LOG};
pub use passphrase::{KdfCost, Passphrase};
pub use protect::{Protected, protect};

use counter::SendCounter;
use key::Found;
use murre_store::{Config, SqliteStore};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Names of the files in a home.
pub(crate) mod names {
    pub const LOCK: &str = "lock";
    pub const KEY: &str = "key";
    pub const WRAPPED: &str = "key.wrapped";
    pub const KEYRING: &str = "key.keyring";
    /// Ends the name under which a file is written before it gets its own.
    pub const BESIDE: &str = ".tmp";
    pub const STORE: &str = "store.db";
    pub const BLOBS: &str = "store.db-blobs";
    pub const SENT: &str = "sent";
    pub const SOCKET: &str = "api.sock";
    pub const LOG: &str = "log";
    pub const NEW: &str = "new";
    pub const NODE_KEY: &str = "node.key";
    pub const BOXES: &str = "boxes.db";
}

/// A home that this process has opened and holds.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    protection: Protection,
    lock: Lock,
}

impl Home {
    /// Locks the home, opens its key and its store.
    ///
    /// # Errors
    /// [`HomeError`]. Nothing but the lock file is touched before the key opens the store.
    pub fn open(
        path: &Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<(Self, SqliteStore, SendCounter), HomeError> {
        if !exists(path) {
            return Err(HomeError::NoHome { home: path.to_owned() });
        }
        let lock = Lock::take(path)?;
        files::make_private(path)?;
        let found = Found::read(path)?;
        let protection = found.key.protection();
        let key = found.key.open(passphrase)?;
        let db = path.join(names::STORE);
        if !db.is_file() {
            return Err(HomeError::NoStore { home: path.to_owned() });
        }
        let store = SqliteStore::open(&db, Some(&key), Config::default())
            .map_err(|source| HomeError::store(path, source))?;
        let counter = SendCounter::open(&path.join(names::SENT), &store)?;
        protect::settle(path, found, &key, passphrase)?;
        Ok((Self { path: path.to_owned(), protection, lock }, store, counter))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What hides the database key.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.protection
    }

    /// Where the local API listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path.join(names::SOCKET)
    }

    /// Gives the home back. Also done when the value is dropped.
    pub fn close(self) {
        self.lock.release();
    }
}

pub(crate) fn again_key(bytes: &[u8]) -> Option<Vec<u8>> {
    key::again(bytes)
}

pub(crate) fn again_counter(bytes: &[u8]) -> Option<Vec<u8>> {
    counter::again(bytes)
}

/// Whether an account lives in this directory, whole or damaged.
#[must_use]
pub fn exists(path: &Path) -> bool {
    [names::KEY, names::WRAPPED, names::KEYRING, names::STORE].iter().any(|name| path.join(name).exists())
}

/// What hides the key of a home, told without opening it.
///
/// # Errors
/// [`HomeError`] if that cannot be told.
pub fn protection(path: &Path) -> Result<Protection, HomeError> {
    Ok(Found::read(path)?.key.protection())
}

/// Locks a node's directory, making it if need be, and reads or draws the node's key. Also says where its store is.
///
/// # Errors
/// [`HomeError`]; [`HomeError::KeyMissing`] for a store without a key.
// spec: H-11
pub fn node_files(dir: &Path) -> Result<(Lock, Zeroizing<[u8; 32]>, PathBuf), HomeError> {
    files::private_dirs(dir)?;
    let lock = Lock::take(dir)?;
    files::make_private(dir)?;
    let store = dir.join(names::BOXES);
    let file = dir.join(names::NODE_KEY);
    let key = match (file.exists(), store.exists()) {
        (true, _) => key::read_plain(&file)?,
        (false, true) => return Err(HomeError::KeyMissing { home: dir.to_owned() }),
        (false, false) => key::make_plain(&file)?,
    };
    Ok((lock, key, store))
}
