//! One thread, one machine, one store.
//!
//! ```text
//!   asks (commands, looks) --+                               +--> answers
//!   inputs from the network -+--> [ driver thread ] ---------+--> transmits
//!   the machine's timer -----+      machine + store          +--> notices
//!                                                            +--> puzzles --> one blocking thread --> asks
//!
//!   BEGIN   turn, apply   turn, apply  ...   COMMIT   raise the send counter   release, in order
//!           |_ until nothing waits, or 1,024 turns, or 5 ms
//! ```
//!
//! When nothing has happened for a while, the store's full-text index takes a step.
//!
//! All commands that wait go into one turn, so that a machine can pack what belongs together. When a read, an
//! apply, the COMMIT or the counter fails, nothing of the transaction leaves: the thread rolls back, answers what
//! waits with [`AskError::Environment`], drops the machine and opens it again from the store.
//!
//! The driver decides nothing. It does not look into a command, a frame or an event.

mod clock;
mod counters;
mod machine;
mod puzzles;
mod runner;

pub use clock::Clock;
pub use counters::{Counters, Counts};
pub use machine::{DiskSeen, Keeper, Machine, Opener, Told};

use crate::home::counter::SendCounter;
use murre_core::{ErrorKind, HasKind, Input, Now, Transmit};
use murre_crypto::puzzle::Solution;
use runner::Runner;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Most turns in one transaction.
pub const MAX_TURNS: usize = 1_024;
/// Longest time turns are gathered before a COMMIT.
pub const WINDOW: Duration = Duration::from_millis(5);
/// Asks that may wait; beyond this callers wait.
pub const MAX_ASKS: usize = 4_096;
/// Most commands of one turn.
pub const MAX_COMMANDS: usize = 1_024;
/// Failures in a row, each within [`CALM`] of the last, after which the driver stops.
pub const MAX_FAILURES: u32 = 8;
/// After this long without a failure earlier ones are forgotten.
pub const CALM: Duration = Duration::from_secs(60);

/// Why an ask has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The store failed; nothing of the command was kept.
    #[error("the store failed, nothing was changed")]
    Environment,
    /// No room for what was to be stored; nothing of the command was kept.
    #[error("the disk is full, nothing was changed")]
    DiskFull,
    /// The machine is not running any more. The command may have been kept.
    #[error("the machine has stopped")]
    Stopped,
}

impl HasKind for AskError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Environment
    }
}

/// Why a driver ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    /// It was asked to.
    #[error("stopped")]
    Asked,
    /// The home was wiped.
    #[error("this home was wiped")]
    Wiped,
    /// Its store or its machine failed again and again.
    #[error("stopped after {failures} failures, the last one: {last}")]
    Failing {
        /// How many in a row.
        failures: u32,
        /// Words of the last one.
        last: String,
    },
    /// The thread died: a fault of ours.
    #[error("stopped by an internal error")]
    Died,
}

impl StopReason {
    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Asked => "start it again when you like",
            Self::Wiped => "make a new home with `murre init --name NAME`",
            Self::Failing { .. } => {
                "check the disk (space, health), then start again; what was confirmed is kept"
            }
            Self::Died => "please report this, then start again; what was confirmed is kept",
        }
    }
}

impl HasKind for StopReason {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Asked | Self::Wiped => ErrorKind::Caller,
            Self::Failing { .. } => ErrorKind::Environment,
            Self::Died => ErrorKind::Bug,
        }
    }
}

/// Why a driver did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError<E> {
    /// The machine does not open from this store.
    #[error("{0}")]
    Open(E),
    /// The system gave no thread.
    #[error("the system gave no thread")]
    Thread,
}

/// What a driver is made of.
pub struct Parts<M: Machine, K, O> {
    /// The store, opened. The driver is its only writer.
    pub store: K,
    /// Opens the machine, at start and after each failure.
    pub opener: O,
    /// What arrives from the network.
    pub inputs: mpsc::Receiver<Input>,
    /// Takes each transmit, after it is durable. Must not wait.
    pub transmit: Box<dyn FnMut(Transmit) + Send>,
    /// Takes each notice, after it is durable. Must not wait.
    pub notice: Box<dyn FnMut(M::Notice) + Send>,
    /// Raised before anything is sent; none for a node, which holds no ratchets.
    pub counter: Option<SendCounter>,
    /// Dropped after the store is closed: the lock of its directory.
    pub hold: Box<dyn Any + Send>,
}

/// What reaches the thread from its own process.
pub(crate) enum Ask<M: Machine> {
    Command { command: M::Command, answer: oneshot::Sender<Result<M::Answer, AskError>> },
    Look(Box<dyn FnOnce(&M, Now) + Send>),
    Solved { generation: u64, id: u64, solution: Option<Solution> },
    Stop,
}

/// A hold on a running driver.
pub struct Driver<M: Machine> {
    asks: mpsc::Sender<Ask<M>>,
    stopped: watch::Receiver<Option<StopReason>>,
    counters: Arc<Counters>,
}

impl<M: Machine> Clone for Driver<M> {
    fn clone(&self) -> Self {
        Self { asks: self.asks.clone(), stopped: self.stopped.clone(), counters: Arc::clone(&self.counters) }
    }
}

impl<M: Machine> std::fmt::Debug for Driver<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("counts", &self.counters.read()).finish_non_exhaustive()
    }
}

impl<M: Machine> Driver<M> {
    /// Opens the machine on a thread of its own and runs it.
    ///
    /// # Errors
    /// [`StartError`] if the machine does not open.
    pub async fn start<K: Keeper, O: Opener<M>>(parts: Parts<M, K, O>) -> Result<Self, StartError<O::Error>> {
        let (asks, inbox) = mpsc::channel(MAX_ASKS);
        let (tell_stopped, stopped) = watch::channel(None);
        let (tell_opened, opened) = oneshot::channel();
        let counters = Arc::new(Counters::default());
        // Weak, so that the driver ends when the last hold on it is dropped.
        let (own, counts) = (asks.downgrade(), Arc::clone(&counters));
        std::thread::Builder::new()
            .name("murre-machine".to_owned())
            .spawn(move || {
                let guard = StopGuard(Some(tell_stopped));
                match Runner::open(parts, inbox, own, counts) {
                    Ok(runner) => {
                        let _ = tell_opened.send(Ok(()));
                        let reason = runner.run();
                        guard.tell(reason);
                    }
                    Err(error) => {
                        let _ = tell_opened.send(Err(error));
                        guard.tell(StopReason::Asked);
                    }
                }
            })
            .map_err(|_| StartError::Thread)?;
        match opened.await {
            Ok(Ok(())) => Ok(Self { asks, stopped, counters }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StartError::Thread),
        }
    }

    /// Hands a command in and waits for its answer, which comes after the command is durable.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(&self, command: M::Command) -> Result<M::Answer, AskError> {
        let (answer, wait) = oneshot::channel();
        self.asks.send(Ask::Command { command, answer }).await.map_err(|_| AskError::Stopped)?;
        wait.await.map_err(|_| AskError::Stopped)?
    }

    /// Looks at the machine between two transactions.
    ///
    /// # Errors
    /// [`AskError::Stopped`].
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&M, Now) -> T + Send + 'static,
    ) -> Result<T, AskError> {
        let (tell, wait) = oneshot::channel();
        let look = Box::new(move |machine: &M, now: Now| {
            let _ = tell.send(look(machine, now));
        });
        self.asks.send(Ask::Look(look)).await.map_err(|_| AskError::Stopped)?;
        wait.await.map_err(|_| AskError::Stopped)
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Waits until the driver has ended, for whatever reason.
    pub async fn stopped(&self) -> StopReason {
        let mut stopped = self.stopped.clone();
        let reason = stopped.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or(StopReason::Died)
    }

    /// Finishes what was handed in before, then ends the thread and closes the store.
    pub async fn stop(&self) -> StopReason {
        let _ = self.asks.send(Ask::Stop).await;
        self.stopped().await
    }
}

/// Says why the thread ended, also when it panicked.
struct StopGuard(Option<watch::Sender<Option<StopReason>>>);

impl StopGuard {
    fn tell(mut self, reason: StopReason) {
        if let Some(tell) = self.0.take() {
            let _ = tell.send(Some(reason));
        }
    }
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            let _ = tell.send(Some(StopReason::Died));
        }
    }
}
