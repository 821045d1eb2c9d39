//! What happens next: a queue over virtual time.

use std::collections::BTreeMap;

/// Jobs by time; jobs of one moment keep the order in which they were added.
#[derive(Debug)]
pub struct Agenda<T> {
    jobs: BTreeMap<(u64, u64), T>,
    added: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { jobs: BTreeMap::new(), added: 0 }
    }
}

impl<T> Agenda<T> {
    /// Adds a job for time `at`, ms.
    pub fn add(&mut self, at: u64, job: T) {
        self.jobs.insert((at, self.added), job);
        self.added += 1;
    }

    /// When the next job is due.
    #[must_use]
    pub fn next_at(&self) -> Option<u64> {
        self.jobs.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next job.
    pub fn pop(&mut self) -> Option<(u64, T)> {
        self.jobs.pop_first().map(|((at, _), job)| (at, job))
    }

    /// How many jobs wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}
