//! Why something was refused, and whose fault it is: one enum per operation.

use crate::crypto::NoRandomness;
use murre_core::{Bug, ErrorKind, HasKind, ViewError};

/// A row could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The store failed.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A row does not open under its state's key, or does not decode.
    #[error("damaged row of the group state: {entity}")]
    Damaged {
        /// Which entity.
        entity: &'static str,
    },
    /// OpenMLS asked for something this provider does not keep.
    #[error("the group state has no {entity}")]
    Unsupported {
        /// Which entity.
        entity: &'static str,
    },
    /// A value could not be written.
    #[error("could not encode {entity}")]
    Encode {
        /// Which entity.
        entity: &'static str,
    },
}

impl HasKind for RowError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::View(_) | Self::Damaged { .. } => ErrorKind::Environment,
            Self::Unsupported { .. } | Self::Encode { .. } => ErrorKind::Bug,
        }
    }
}

/// A leaf does not belong to a device of an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// The credential is not an encoded device certificate, or longer than the limit.
    #[error("the credential is not a device certificate")]
    Malformed,
    /// The certificate's signature does not verify.
    #[error("the device certificate is not signed by its account")]
    BadCert,
    /// The leaf is signed by another key than the device in the certificate.
    #[error("the leaf's key is not the certified device's")]
    KeyMismatch,
    /// The leaf of a key package has a lifetime other than (0, 2^64-1).
    #[error("the lifetime is not unlimited")]
    Lifetime,
    /// The leaf does not say that it can do the suite.
    #[error("the leaf does not support the suite")]
    Capabilities,
}

impl HasKind for LeafError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// A key package was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyPackageError {
    /// Longer than [`crate::MAX_KEY_PACKAGE`].
    #[error("{len} bytes are too many for a key package")]
    TooLong {
        /// Length that was offered.
        len: usize,
    },
    /// Not one key package in the one form it may have.
    #[error("not a key package")]
    Malformed,
    /// Another suite or MLS version.
    #[error("another suite")]
    Suite,
    /// A signature or an MLS rule does not hold.
    #[error("the key package does not verify")]
    Invalid,
    /// Its leaf was refused.
    #[error(transparent)]
    Leaf(#[from] LeafError),
}

impl HasKind for KeyPackageError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// An own key package could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewKeyPackageError {
    /// The certificate is not for this device, or does not verify.
    #[error("own identity: {0}")]
    Identity(LeafError),
    /// Reading or writing rows failed.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// OpenMLS refused values that are ours.
    #[error(transparent)]
    Bug(#[from] Bug),
}

impl HasKind for NewKeyPackageError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Identity(_) => ErrorKind::Caller,
            Self::Rows(e) => e.kind(),
            Self::Bug(e) => e.kind(),
        }
    }
}

/// A group could not be created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The certificate is not for this device, or does not verify.
    #[error("own identity: {0}")]
    Identity(LeafError),
    /// No key package, or more than fit beside the creator.
    #[error("{count} members to add")]
    Count {
        /// How many were given.
        count: usize,
    },
    /// One key package was refused.
    #[error("key package {index}: {error}")]
    KeyPackage {
        /// Which one.
        index: usize,
        /// Why.
        error: KeyPackageError,
    },
    /// Two key packages of one device, or one of the creator's own device.
    #[error("key package {index} is of a device that is already there")]
    Duplicate {
        /// Which one.
        index: usize,
    },
    /// Reading or writing rows failed.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// OpenMLS refused values that were checked.
    #[error(transparent)]
    Bug(#[from] Bug),
}

impl HasKind for CreateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Identity(_) | Self::Count { .. } | Self::Duplicate { .. } => ErrorKind::Caller,
            Self::KeyPackage { error, .. } => error.kind(),
            Self::Rows(e) => e.kind(),
            Self::Bug(e) => e.kind(),
        }
    }
}

/// A Welcome was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The certificate is not for this device, or does not verify.
    #[error("own identity: {0}")]
    Identity(LeafError),
    /// Longer than [`crate::MAX_WELCOME`].
    #[error("{len} bytes are too many for a Welcome")]
    TooLong {
        /// Length that was offered.
        len: usize,
    },
    /// Not a Welcome, or of another suite.
    #[error("not a Welcome")]
    Malformed,
    /// None of our key packages was used, or its private part is gone.
    #[error("the Welcome is for no key package of ours")]
    NotForUs,
    /// This state, or the same keys under another state id, was joined before.
    #[error("this state is already known")]
    Known,
    /// The Welcome does not verify.
    #[error("the Welcome does not verify")]
    Invalid,
    /// The group inside is another log's.
    #[error("the Welcome is for another log")]
    OtherLog,
    /// The group has extensions, or more leaves than allowed.
    #[error("the group breaks the group rules")]
    Shape,
    /// A member's leaf was refused.
    #[error("leaf {index}: {error}")]
    Leaf {
        /// Leaf index.
        index: u32,
        /// Why.
        error: LeafError,
    },
    /// The leaf that would be ours is of another device or account.
    #[error("the Welcome does not add this device")]
    NotOwnLeaf,
    /// Reading or writing rows failed.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// OpenMLS refused values that were checked.
    #[error(transparent)]
    Bug(#[from] Bug),
}

impl HasKind for JoinError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Identity(_) => ErrorKind::Caller,
            Self::Rows(e) => e.kind(),
            Self::Bug(e) => e.kind(),
            _ => ErrorKind::Remote,
        }
    }
}

/// A message could not be sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Nothing is known of this state.
    #[error("unknown group state")]
    UnknownState,
    /// The state belongs to another device than the identity given.
    #[error("the state is another device's")]
    NotOwnLeaf,
    /// Plaintext or associated data are over their limit.
    #[error("{plaintext} bytes of plaintext and {aad} of associated data are too many")]
    TooLong {
        /// Length of the plaintext.
        plaintext: usize,
        /// Length of the associated data.
        aad: usize,
    },
    /// Reading or writing rows failed.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// OpenMLS refused.
    #[error(transparent)]
    Bug(#[from] Bug),
}

impl HasKind for SealError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownState | Self::NotOwnLeaf | Self::TooLong { .. } => ErrorKind::Caller,
            Self::Rows(e) => e.kind(),
            Self::Bug(e) => e.kind(),
        }
    }
}

/// What is wrong with a ciphertext that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Longer than [`crate::MAX_CIPHERTEXT`].
    TooLong,
    /// Not an MLS application message in a PrivateMessage.
    Malformed,
    /// It names another group or epoch than the state it was given to.
    OtherGroup,
    /// It claims to come from this very device.
    Own,
    /// Decryption or the sender's signature failed.
    Invalid,
    /// Not among its sender's newest [`crate::OUT_OF_ORDER_TOLERANCE`] generations: the key is gone, used or not.
    TooOld,
    /// More than [`crate::MAX_FORWARD_DISTANCE`] generations ahead of what is expected next from its sender.
    TooFar,
    /// The sender's leaf is not a certified device.
    Sender,
}

/// A message could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Nothing is known of this state (yet).
    #[error("unknown group state")]
    UnknownState,
    /// The key of this message was used before: it was opened already. Says nothing about who sent these bytes.
    #[error("already opened")]
    Replay,
    /// Refused; nothing changed.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// Reading or writing rows failed.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// OpenMLS failed on values that are ours.
    #[error(transparent)]
    Bug(#[from] Bug),
}

impl HasKind for OpenError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownState | Self::Replay | Self::Refused(_) => ErrorKind::Remote,
            Self::Rows(e) => e.kind(),
            Self::Bug(e) => e.kind(),
        }
    }
}

/// A state could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Nothing is known of this state.
    #[error("unknown group state")]
    UnknownState,
    /// Reading or writing rows failed.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// OpenMLS or a stored leaf failed on values that were checked when they were stored.
    #[error(transparent)]
    Bug(#[from] Bug),
}

impl HasKind for StateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownState => ErrorKind::Caller,
            Self::Rows(e) => e.kind(),
            Self::Bug(e) => e.kind(),
        }
    }
}

/// The error type OpenMLS sees from our provider; the real cause is kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("storage failed")]
pub(crate) struct Failed;

impl HasKind for NoRandomness {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Bug
    }
}
