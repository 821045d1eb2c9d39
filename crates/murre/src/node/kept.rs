//! What outlives a machine that a failed store took away.

use murre_custodian::Before;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by who is told (the handle, the notices) and who opens the machine again.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    leaving: AtomicBool,
    without_room: AtomicBool,
}

impl Kept {
    /// The node is asked to stop, and stays so.
    // spec: K-45
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::SeqCst);
    }

    /// Room to write came or went.
    pub fn room(&self, there_is: bool) {
        self.0.without_room.store(!there_is, Ordering::SeqCst);
    }

    /// What a machine that is opened now goes on with.
    pub fn before(&self) -> Before {
        Before {
            leaving: self.0.leaving.load(Ordering::SeqCst),
            without_room: self.0.without_room.load(Ordering::SeqCst),
        }
    }
}
