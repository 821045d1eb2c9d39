//! What the driver needs of a machine and of a store.

use murre_core::{CommandId, Input, Now, Output, TurnError, View};
use murre_crypto::puzzle::{Puzzle, Solution};
use murre_store::{MemoryStore, SqliteStore, Store, StoreError};

/// A root machine as the driver sees it: the verbs of `spec/01-machines.md` and how to read its events.
pub trait Machine: Sized + 'static {
    /// What may be asked.
    type Command: Send + 'static;
    /// What a command yields.
    type Answer: Send + 'static;
    /// What is told without being asked.
    type Notice: Send + 'static;
    /// The machine's own event type.
    type Event;

    /// All commands that wait, in one turn.
    ///
    /// # Errors
    /// [`TurnError`]: the machine is dropped and opened again.
    fn handle_commands(
        &mut self,
        now: Now,
        view: &dyn View,
        commands: Vec<(CommandId, Self::Command)>,
    ) -> Result<(), TurnError>;

    /// One input.
    ///
    /// # Errors
    /// [`TurnError`]: the machine is dropped and opened again.
    fn handle_input(&mut self, now: Now, view: &dyn View, input: Input) -> Result<(), TurnError>;

    /// The moment that was asked for.
    ///
    /// # Errors
    /// [`TurnError`]: the machine is dropped and opened again.
    fn handle_timeout(&mut self, now: Now, view: &dyn View) -> Result<(), TurnError>;

    /// What the last turn yields.
    fn poll_output(&mut self) -> Option<Output<Self::Event>>;

    /// Where an event goes.
    fn sort(event: Self::Event) -> Told<Self::Answer, Self::Notice>;

    /// The command that brings a puzzle's solution back.
    fn solved(id: u64, solution: Option<Solution>) -> Self::Command;

    /// The command that tells what the disk under the store looks like; none for a machine that has no use for it.
    fn disk(_seen: DiskSeen) -> Option<Self::Command> {
        None
    }
}

/// What can be seen of the disk under a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSeen {
    /// Bytes free for this process.
    pub free: u64,
    /// Whether what is kept for a full disk lies there.
    pub reserve: bool,
}

impl DiskSeen {
    /// After a write that failed for want of room.
    pub const FULL: Self = Self { free: 0, reserve: false };
}

/// Where an event goes.
#[derive(Debug)]
pub enum Told<A, N> {
    /// To whoever gave the command.
    Answer(CommandId, A),
    /// To whoever listens.
    Notice(N),
    /// To the blocking thread.
    Solve(u64, Puzzle),
    /// To the store: lay what is kept for a full disk.
    LayReserve,
}

/// Opens a machine from its store.
pub trait Opener<M>: Send + 'static {
    /// Why it does not open.
    type Error: std::fmt::Display + Send + 'static;

    /// Opens it. `seed` is fresh from the operating system each time.
    ///
    /// # Errors
    /// Why it does not open.
    fn open(&mut self, seed: [u8; 32], now: Now, view: &dyn View) -> Result<M, Self::Error>;
}

impl<M, E, F> Opener<M> for F
where
    E: std::fmt::Display + Send + 'static,
    F: FnMut([u8; 32], Now, &dyn View) -> Result<M, E> + Send + 'static,
{
    type Error = E;

    fn open(&mut self, seed: [u8; 32], now: Now, view: &dyn View) -> Result<M, E> {
        self(seed, now, view)
    }
}

/// A store that the driver keeps: between two transactions it may tidy itself.
pub trait Keeper: Store + Send + 'static {
    /// Whether there is something to tidy.
    fn wants_tidy(&self) -> bool {
        false
    }

    /// Tidies what the last transactions left, or leaves it wanted.
    fn tidy(&mut self) {}

    /// What the disk looks like; nothing if it does not say. Asked between two transactions.
    fn disk(&mut self) -> Option<DiskSeen> {
        None
    }

    /// Sets something aside for a full disk, if there is room.
    fn lay_reserve(&mut self) {}

    /// A write failed for want of room: gives up what was kept for this moment.
    fn give_reserve(&mut self) {}
}

impl Keeper for MemoryStore {}

impl Keeper for SqliteStore {
    fn wants_tidy(&self) -> bool {
        self.wants_checkpoint()
    }

    /// Empties the WAL of what was erased. A reader in the middle of a read puts it off.
    fn tidy(&mut self) {
        match self.checkpoint() {
            Ok(()) | Err(StoreError::Busy) => {}
            Err(error) => tracing::warn!(%error, "emptying the WAL failed; it is tried again"),
        }
    }
}
