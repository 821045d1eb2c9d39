//! The thread that reads beside the machine: one connection, one read after another.
//!
//! ```text
//!   calls -- reads --> [ at most MAX_READS wait ] --> thread `murre-reader`: SqliteReader --> answers
//! ```
//! Not the pool for blocking work: there each of a thousand calls that wait for the one connection holds a thread.

use super::CallError;
use murre_core::Search;
use murre_store::SqliteReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::{mpsc, oneshot};

/// Reads that may wait; beyond this callers wait.
const MAX_READS: usize = 1_024;

type Read = Box<dyn FnOnce(&SqliteReader) + Send>;

/// A hold on the thread, which ends with it.
pub(super) struct Reader(mpsc::Sender<Read>);

impl Reader {
    /// Gives the connection to a thread of its own.
    ///
    /// # Errors
    /// The system gave no thread.
    pub fn start(store: SqliteReader) -> std::io::Result<Self> {
        let (reads, mut waiting) = mpsc::channel::<Read>(MAX_READS);
        std::thread::Builder::new().name("murre-reader".to_owned()).spawn(move || {
            while let Some(read) = waiting.blocking_recv() {
                // A panic in a read leaves a connection without a transaction: it can go on.
                let _ = catch_unwind(AssertUnwindSafe(|| read(&store)));
            }
        })?;
        Ok(Self(reads))
    }

    /// Reads, after those who came before.
    ///
    /// # Errors
    /// What `read` says; [`CallError::Stopping`] while the program ends.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Search) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let (tell, wait) = oneshot::channel();
        let read: Read = Box::new(move |store| {
            let _ = tell.send(read(store));
        });
        self.0.send(read).await.map_err(|_| CallError::Stopping)?;
        wait.await.unwrap_or(Err(CallError::Stopping))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use futures::{FutureExt, poll};
    use murre_store::{Config, SqliteStore};
    use std::sync::mpsc::channel;

    fn reader(dir: &tempfile::TempDir) -> Reader {
        let store = SqliteStore::open(&dir.path().join("store"), None, Config::default()).unwrap();
        Reader::start(store.reader().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_read_that_panics_fails_alone() {
        let dir = tempfile::tempdir().unwrap();
        let reader = reader(&dir);
        let failed = reader.read::<()>(|_| panic!("on purpose")).await;
        assert!(matches!(failed, Err(CallError::Stopping)));
        assert_eq!(reader.read(|_| Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn more_reads_than_may_wait_are_all_answered() {
        let dir = tempfile::tempdir().unwrap();
        let reader = reader(&dir);
        let (go, wait) = channel::<()>();
        let mut first = reader.read(move |_| Ok(wait.recv().is_ok())).boxed();
        assert!(poll!(&mut first).is_pending());
        let mut others = join_all((0..2 * MAX_READS).map(|n| reader.read(move |_| Ok(n)))).boxed();
        assert!(poll!(&mut others).is_pending(), "the thread is held by the first");
        go.send(()).unwrap();
        assert!(first.await.unwrap());
        let answers = others.await.into_iter().map(Result::unwrap);
        assert!(answers.eq(0..2 * MAX_READS));
    }
}
