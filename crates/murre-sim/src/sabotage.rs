//! Planted faults: an oracle that was never seen to fail is not believed.
//!
//! Two kinds. Faults *inside* the machines sit behind `murre_core::sabotage::active(name)` and exist only with the
//! feature `sabotage`. Faults of the *shell* are the simulator's own: what happens if the program around correct
//! machines breaks the turn rule.

/// What can be wrong with a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellFault {
    /// Transmits and Events leave before COMMIT: a crash makes the sender forget what others have seen.
    ReleaseBeforeCommit,
    /// COMMIT is forgotten: everything works until the first crash.
    NoCommit,
    /// A process is started over an earlier state of its store.
    StaleRestart,
    /// Each start draws the same randomness.
    SameSeed,
    /// Nobody calls `handle_timeout`.
    ForgetTimers,
    /// Half of some batches is applied.
    HalfBatch,
    /// The text under the fingers reaches the wire.
    LeakText,
    /// What goes into blobs is written after the commit of the rows that speak of it.
    BlobAfterCommit,
}

/// Every shell fault with its name.
pub const SHELL: &[(&str, ShellFault)] = &[
    ("release-before-commit", ShellFault::ReleaseBeforeCommit),
    ("no-commit", ShellFault::NoCommit),
    ("stale-restart", ShellFault::StaleRestart),
    ("same-seed", ShellFault::SameSeed),
    ("forget-timers", ShellFault::ForgetTimers),
    ("half-batch", ShellFault::HalfBatch),
    ("leak-text", ShellFault::LeakText),
    ("blob-after-commit", ShellFault::BlobAfterCommit),
];

/// Faults planted in the machines that a run must catch. Faults that only a hostile member of a conversation, or
/// only a latency, would show are not here: the crates that plant them have tests that catch them.
pub const MACHINE: &[&str] = &[
    "accept-any-signature",
    "accept-forged-receipt",
    "cancel-in-name-only",
    "count-forged-receipt",
    "done-without-last",
    "double-append",
    "drop-outbox-row",
    "drop-pending",
    "evict-on-full",
    "forget-client-id",
    "forget-old-mailbox",
    "forget-parents",
    "forget-waiting",
    "give-wrong-chunk",
    "have-too-early",
    "hear-the-blocked",
    "ignore-quota",
    "live-only",
    "no-flush",
    "no-repair",
    "receipt-without-room",
    "receipt-without-store",
    "reuse-generation",
    "reuse-index",
    "skip-cert-check",
    "solid-too-early",
    "stored-at-one",
    "take-any-chunk",
];

/// The shell fault of this name.
#[must_use]
pub fn shell(name: &str) -> Option<ShellFault> {
    SHELL.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
}

/// Whether this build has the faults inside the machines.
pub const PLANTABLE: bool = cfg!(feature = "sabotage");

/// Plants a fault in the machines of this thread, or none.
pub fn plant(name: Option<&str>) {
    #[cfg(feature = "sabotage")]
    murre_core::sabotage::plant(name.filter(|n| MACHINE.contains(n)));
    #[cfg(not(feature = "sabotage"))]
    let _ = name;
}

/// Names what is planted while a run goes on, so that oracles can look with sound eyes.
#[derive(Clone, Debug, Default)]
pub struct Planted(Option<String>);

impl Planted {
    /// Plants `name` on this thread and remembers it.
    #[must_use]
    pub fn new(name: Option<&str>) -> Self {
        plant(name);
        Self(name.map(str::to_owned))
    }

    /// Runs an oracle's own check without the planted fault.
    pub fn soundly<T>(&self, check: impl FnOnce() -> T) -> T {
        if self.0.is_none() {
            return check();
        }
        plant(None);
        let out = check();
        plant(self.0.as_deref());
        out
    }
}
