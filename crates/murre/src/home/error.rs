//! Why a home cannot be used.

use super::KeyringError;
use murre_core::{ErrorKind, HasKind, ViewError};
use murre_store::StoreError;
use std::io;
use std::path::{Path, PathBuf};

/// Why a home cannot be opened. The home is as it was.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// No account lives there.
    #[error("there is no account in {}", home.display())]
    NoHome {
        /// The directory asked for.
        home: PathBuf,
    },
    /// Another process uses it.
    #[error("this home is in use by another process{}", pid.map(|p| format!(" (process {p})")).unwrap_or_default())]
    AlreadyRunning {
        /// The other process, if it said who it is.
        pid: Option<u32>,
    },
    /// No key file is there, but a store is.
    #[error("the key file of {} is missing", home.display())]
    KeyMissing {
        /// The directory.
        home: PathBuf,
    },
    /// More than one key file is there, and none says that it replaces the other.
    #[error("{} holds more than one key file (key, key.wrapped, key.keyring)", home.display())]
    TwoKeys {
        /// The directory.
        home: PathBuf,
    },
    /// The key file does not read as one.
    #[error("the key file {} is damaged", file.display())]
    KeyDamaged {
        /// Which file.
        file: PathBuf,
    },
    /// The key file asks for more work than any version of this program wrote.
    #[error("the key file {} asks for an impossible amount of memory or work", file.display())]
    KeyCost {
        /// Which file.
        file: PathBuf,
    },
    /// The key is under a passphrase and none was given.
    #[error("this home is protected by a passphrase")]
    PassphraseNeeded,
    /// The passphrase opens nothing.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// A new passphrase has no text.
    #[error("an empty passphrase protects nothing")]
    EmptyPassphrase,
    /// The keyring does not help.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A passphrase was given for a home without one.
    #[error("a passphrase was given, but this home is not protected by one")]
    NotProtected,
    /// A key is there, but no store.
    #[error("the database of {} is missing", home.display())]
    NoStore {
        /// The directory.
        home: PathBuf,
    },
    /// The store is not a database under this key, or its first page is damaged.
    #[error("{} does not open under the key of this home", file.display())]
    StoreKey {
        /// The store.
        file: PathBuf,
    },
    /// The store is a database of another application.
    #[error("{} is a database of another application; it was not changed", file.display())]
    StoreForeign {
        /// The store.
        file: PathBuf,
    },
    /// The store is of another version.
    #[error("{} has format {found}, this program reads format {ours}; it was not changed", file.display())]
    StoreVersion {
        /// The store.
        file: PathBuf,
        /// Its version.
        found: i32,
        /// Ours.
        ours: i32,
    },
    /// The store is damaged.
    #[error("{} is damaged", file.display())]
    StoreDamaged {
        /// The store.
        file: PathBuf,
    },
    /// The store failed otherwise.
    #[error(transparent)]
    Store(StoreError),
    /// The send counter file does not read as one.
    #[error("the send counter {} is missing or damaged", file.display())]
    CounterDamaged {
        /// Which file.
        file: PathBuf,
    },
    /// The store is older than what was sent from it: it was copied back.
    #[error("the database is older than what this device has sent (it is at {store}, {sent} was sent)")]
    RolledBack {
        /// Count in the store.
        store: u64,
        /// Count outside the store.
        sent: u64,
    },
    /// A stored row cannot be read.
    #[error(transparent)]
    Read(#[from] ViewError),
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The passphrase could not be stretched.
    #[error("deriving a key from the passphrase failed")]
    Stretch,
}

impl HomeError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn store(home: &Path, error: StoreError) -> Self {
        let file = home.join(super::names::STORE);
        match error {
            StoreError::WrongKey => Self::StoreKey { file },
            StoreError::Foreign { .. } => Self::StoreForeign { file },
            StoreError::Version { found, ours } => Self::StoreVersion { file, found, ours },
            StoreError::Corrupt { .. } => Self::StoreDamaged { file },
            other => Self::Store(other),
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoHome { .. } => "make one with `murre init --name NAME`, or name another with --home",
            Self::AlreadyRunning { .. } => "use it through its API, or stop that process first",
            Self::KeyMissing { .. } => {
                "put the key file back from your copy; if `murre init` or `murre wipe` was interrupted here, `murre wipe --yes` removes the rest"
            }
            Self::TwoKeys { .. } => "nothing was changed; move those that do not belong there away",
            Self::KeyDamaged { .. } => {
                "put the key file back from your copy, or restore with `murre restore`"
            }
            Self::KeyCost { .. } => "put the key file back from your copy",
            Self::PassphraseNeeded => "pass --passphrase-file F or set MURRE_PASSPHRASE_FILE",
            Self::WrongPassphrase => "try again; nothing was changed",
            Self::EmptyPassphrase => "give a passphrase with at least one character; nothing was changed",
            Self::Keyring(error) => error.hint(),
            Self::NotProtected => "leave the passphrase out",
            Self::NoStore { .. } => {
                "put store.db back; if `murre init` was interrupted here, empty the directory and run it again"
            }
            Self::StoreKey { .. } => {
                "key file and database belong to different homes, or the file is damaged; put the right ones back"
            }
            Self::StoreForeign { .. } => "name another directory with --home",
            Self::StoreVersion { .. } => "use the version of Murre that made it",
            Self::StoreDamaged { .. } => "check the disk; restore with `murre restore`",
            Self::Store(_) | Self::Read(_) | Self::Io { .. } => {
                "check the disk and the rights of the directory, then try again"
            }
            Self::CounterDamaged { .. } => {
                "without it nobody can tell whether this database was copied back; restore with `murre restore`"
            }
            Self::RolledBack { .. } => {
                "never copy a home back: keys would be used twice. Put the newer database back, or restore with `murre restore`"
            }
            Self::Stretch => "free some memory and try again",
        }
    }
}

impl HasKind for HomeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoHome { .. }
            | Self::AlreadyRunning { .. }
            | Self::PassphraseNeeded
            | Self::WrongPassphrase
            | Self::EmptyPassphrase
            | Self::NotProtected
            | Self::StoreKey { .. }
            | Self::StoreForeign { .. }
            | Self::StoreVersion { .. }
            | Self::TwoKeys { .. } => ErrorKind::Caller,
            Self::Store(error) => error.kind(),
            _ => ErrorKind::Environment,
        }
    }
}
