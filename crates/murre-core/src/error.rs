//! Who is at fault.
//!
//! Each crate has a `thiserror` enum per operation; each implements [`HasKind`], so that a shell can decide what
//! to do without knowing every variant, and so that no protocol tells the other side more than "no".

use std::panic::Location;

/// The four answers to "who is at fault".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Disk, network, operating system. Try again or repair the machine.
    Environment,
    /// The other side sent what the protocol does not allow. Drop it.
    Remote,
    /// The program or person asking made a mistake. Say so.
    Caller,
    /// We made a mistake. Report it.
    Bug,
}

/// Errors that know who is at fault.
pub trait HasKind {
    /// Who is at fault.
    fn kind(&self) -> ErrorKind;
}

/// Something that cannot happen did.
#[derive(Clone, Debug, thiserror::Error)]
#[error("internal error at {location}: {what}")]
pub struct Bug {
    what: &'static str,
    location: &'static Location<'static>,
}

impl Bug {
    /// Records where it happened.
    #[must_use]
    #[track_caller]
    pub fn new(what: &'static str) -> Self {
        Self { what, location: Location::caller() }
    }
}

impl PartialEq for Bug {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what && self.location == other.location
    }
}

impl Eq for Bug {}

impl HasKind for Bug {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Bug
    }
}
