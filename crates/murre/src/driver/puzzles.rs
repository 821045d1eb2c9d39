//! The one thread on which puzzles are solved, so that no turn waits for them.

use super::{Ask, Machine};
use murre_crypto::puzzle::{Puzzle, Solution};
use rand_core::{OsRng, RngCore};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

/// Tries between two looks at whether anybody still wants the solution.
const SLICE: u64 = 16;
/// A puzzle is given up after this many times its expected tries: the chance to miss is e^-64.
const PATIENCE: u64 = 64;

/// Hands puzzles out. Ends its thread when dropped.
pub(super) struct Puzzles {
    jobs: mpsc::Sender<(u64, u64, Puzzle)>,
    /// Puzzles of an earlier generation are not worth solving; at the end nothing is.
    generation: Arc<AtomicU64>,
}

impl Puzzles {
    pub fn start<M: Machine>(back: tokio::sync::mpsc::WeakSender<Ask<M>>) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<(u64, u64, Puzzle)>();
        let generation = Arc::new(AtomicU64::new(0));
        let current = Arc::clone(&generation);
        std::thread::Builder::new().name("murre-puzzles".to_owned()).spawn(move || {
            for (born, id, puzzle) in queue {
                let wanted = || current.load(Ordering::Relaxed) == born;
                let Some(solution) = solve(&puzzle, wanted) else { continue };
                let Some(back) = back.upgrade() else { return };
                if back.blocking_send(Ask::Solved { generation: born, id, solution }).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs, generation })
    }

    /// Work for this generation of the machine.
    pub fn give(&self, generation: u64, id: u64, puzzle: Puzzle) {
        // The thread ends only with the driver.
        let _ = self.jobs.send((generation, id, puzzle));
    }

    /// Forgets what earlier generations wanted.
    pub fn only(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }
}

impl Drop for Puzzles {
    fn drop(&mut self) {
        self.only(u64::MAX);
    }
}

/// `None`: nobody wants it any more. `Some(None)`: given up.
fn solve(puzzle: &Puzzle, wanted: impl Fn() -> bool) -> Option<Option<Solution>> {
    let slices = u64::from(puzzle.price.tries).max(1).saturating_mul(PATIENCE).div_ceil(SLICE);
    // From a random place: two devices with one puzzle do not try the same numbers.
    let mut start = OsRng.next_u64() >> 1;
    for _ in 0..slices {
        if !wanted() {
            return None;
        }
        if let Some(solution) = puzzle.solve(start, SLICE) {
            return Some(Some(solution));
        }
        start += SLICE;
    }
    Some(None)
}
