//! The turn rule.
//!
//! Every root machine has the same verbs:
//!
//! ```text
//! handle_commands(now, view, Vec<(CommandId, Command)>)   what the user or the shell wants, all that waits
//! handle_input(now, view, Input)                          bytes or facts from outside
//! handle_timeout(now, view)                               the moment that was asked for has come
//! poll_output() -> Option<Output<Event>>
//! ```
//!
//! One `handle_*` call is one turn. Its outputs are, in this order: exactly one `Commit` (maybe empty), then
//! Transmits and Events, then one `Timeout`. Only then may the next turn begin. The shell MUST make the batch
//! durable before it releases any Transmit or Event of the turn (`spec/01-machines.md`, M-1).

use crate::{Batch, Bug, ErrorKind, HasKind, Mono, Transmit, ViewError};

/// Correlates a command with its answer. Given by the shell, unique in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// What a turn yields.
#[derive(Debug)]
pub enum Output<E> {
    /// Make this durable before releasing anything that follows.
    Commit(Batch),
    /// Send this.
    Transmit(Transmit),
    /// Tell this.
    Event(E),
    // spec: M-5
    /// Call `handle_timeout` at this moment, or never. Replaces the earlier wish. Ends the turn.
    Timeout(Option<Mono>),
}

/// A turn that cannot be finished. Nothing of it may be released: the shell rolls back, drops the machine and
/// opens it again from the store.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// A read failed.
    #[error("reading durable state failed")]
    View(#[from] ViewError),
    /// A stored row does not decode.
    #[error("stored row in {space} is damaged")]
    Damaged {
        /// Name of the space.
        space: &'static str,
    },
    /// We made a mistake.
    #[error(transparent)]
    Bug(#[from] Bug),
}

impl HasKind for TurnError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::View(_) | Self::Damaged { .. } => ErrorKind::Environment,
            Self::Bug(_) => ErrorKind::Bug,
        }
    }
}
