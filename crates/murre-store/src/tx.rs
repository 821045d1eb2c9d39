//! What every store checks in the same way: the order of calls, and the shape of keys.

use crate::error::Misuse;
use murre_core::store::MAX_KEY;
use murre_core::{Space, SpaceKind};

/// Where a store stands in its transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tx {
    /// No transaction.
    #[default]
    None,
    /// Open and sound.
    Open,
    /// A batch failed halfway: only `rollback` leads on.
    Failed,
}

impl Tx {
    /// Whether `begin` is allowed.
    pub(crate) fn may_begin(self) -> Result<(), Misuse> {
        match self {
            Self::None => Ok(()),
            Self::Open | Self::Failed => Err(Misuse::AlreadyOpen),
        }
    }

    /// Whether `apply` and `commit` are allowed.
    pub(crate) fn may_write(self) -> Result<(), Misuse> {
        match self {
            Self::Open => Ok(()),
            Self::None => Err(Misuse::NotOpen),
            Self::Failed => Err(Misuse::Failed),
        }
    }
}

/// Whether `space` can have this key.
// spec: M-13, M-14
pub(crate) fn check_key(space: Space, key: &[u8]) -> Result<(), Misuse> {
    let fits = match space.kind {
        SpaceKind::Seq => key.len() == 8,
        SpaceKind::Any => key.len() <= MAX_KEY,
    };
    if fits { Ok(()) } else { Err(Misuse::KeyLength { space: space.name, len: key.len() }) }
}

/// Whether `space` is of the kind it was first written with.
// spec: M-15
pub(crate) fn check_kind(space: Space, stored: SpaceKind) -> Result<(), Misuse> {
    if space.kind == stored { Ok(()) } else { Err(Misuse::OtherKind { id: space.id, space: space.name }) }
}
