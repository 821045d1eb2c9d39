//! Why a store refused.

use murre_core::{ErrorKind, HasKind, ViewError};

/// A rule of the store that its caller broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// `begin` while a transaction is open.
    #[error("a transaction is open already")]
    AlreadyOpen,
    /// `apply` or `commit` without `begin`.
    #[error("no transaction is open")]
    NotOpen,
    /// `apply` or `commit` after a failed `apply`.
    #[error("the transaction has failed and can only be rolled back")]
    Failed,
    /// A key that a space of this kind cannot have.
    #[error("a key of {len} bytes does not fit space {space}")]
    KeyLength {
        /// Name of the space.
        space: &'static str,
        /// Length of the key, bytes.
        len: usize,
    },
    /// A document number that is too large.
    #[error("document number {doc} is too large")]
    Doc {
        /// The number.
        doc: u64,
    },
    /// The space was first written with another kind.
    #[error("space {space} (number {id}) is stored with another kind of key")]
    OtherKind {
        /// Number of the space.
        id: u16,
        /// Name the caller gave it.
        space: &'static str,
    },
}

/// Why a store could not be opened, changed or committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process or connection holds the store.
    #[error("the store is in use by another process")]
    Busy,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// The operating system or SQLite failed.
    #[error("the store failed (code {code}): {what}")]
    Io {
        /// SQLite's extended result code, or the operating system's error number.
        code: i32,
        /// Its words.
        what: String,
    },
    /// The file is damaged.
    #[error("the store is damaged (code {code}): {what}")]
    Corrupt {
        /// SQLite's extended result code.
        code: i32,
        /// Its words.
        what: String,
    },
    /// Not a database under this key, or under no key. A file whose first page is damaged looks the same:
    /// nothing can tell the two apart.
    #[error("not a database under this key")]
    WrongKey,
    /// A database, but of another application. It was not changed.
    #[error("a database of another application (id {application_id:#010x})")]
    Foreign {
        /// What the file says it belongs to; zero if it says nothing.
        application_id: i32,
    },
    /// A store of another version of Murre. It was not changed.
    #[error("a store of version {found}, where this program reads version {ours}")]
    Version {
        /// Version of the file.
        found: i32,
        /// Version of this program.
        ours: i32,
    },
    /// A rule of the store was broken.
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

impl HasKind for StoreError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Busy | Self::Full | Self::Io { .. } | Self::Corrupt { .. } => ErrorKind::Environment,
            Self::WrongKey | Self::Foreign { .. } | Self::Version { .. } => ErrorKind::Caller,
            Self::Misuse(_) => ErrorKind::Bug,
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io { code: error.raw_os_error().unwrap_or(0), what: error.to_string() },
        }
    }
}

/// What SQLite says, in our words.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as C;
        let code = error.sqlite_error().map_or(0, |e| e.extended_code);
        match error.sqlite_error_code() {
            Some(C::DatabaseBusy | C::DatabaseLocked) => Self::Busy,
            Some(C::DiskFull) => Self::Full,
            Some(C::DatabaseCorrupt | C::NotADatabase) => Self::Corrupt { code, what: error.to_string() },
            _ => Self::Io { code, what: error.to_string() },
        }
    }
}

/// Reads know only one error.
pub(crate) fn view_error(error: impl std::fmt::Display) -> ViewError {
    ViewError { what: error.to_string() }
}
