//! What the driver counts, for `doctor` and for tests.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters that grow while the driver runs.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub(crate) $name: AtomicU64,)* }

        /// Counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Counters {
            /// Reads all of them.
            #[must_use]
            pub fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Relaxed),)* }
            }
        }

        impl Counts {
            /// Each with its name.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counters! {
    /// Turns taken.
    turns,
    /// Transactions made durable.
    commits,
    /// Commands handed in.
    commands,
    /// Inputs taken.
    inputs,
    /// Transmits released.
    transmits,
    /// Steps of the full-text index.
    index_steps,
    /// Puzzles worked on.
    puzzles,
    /// Transactions that failed and left nothing.
    failures,
    /// Inputs dropped because their link belongs to a machine that is gone.
    stale,
}

/// Adds one.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Relaxed);
}
