//! Time as an argument.
//!
//! Machines never read a clock. The shell reads both clocks once per turn and hands them in; the simulator hands
//! in whatever it likes. [`Mono`] drives timers, [`Wall`] drives days, TTLs and labels. Validity reads neither.

use serde::{Deserialize, Serialize};

/// Milliseconds on a clock that never goes back. Its zero has no meaning outside one run of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// Milliseconds since the Unix epoch, UTC, as the device believes them. May jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub u64);

/// Both clocks, read once for one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For timers.
    pub mono: Mono,
    /// For days, TTLs and labels.
    pub wall: Wall,
}

/// One second in milliseconds.
pub const SECOND: u64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE: u64 = 60 * SECOND;
/// One hour in milliseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// One day in milliseconds.
pub const DAY: u64 = 24 * HOUR;

impl Mono {
    /// This moment plus `ms`, saturating.
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`, zero if `earlier` lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Wall {
    /// This moment plus `ms`, saturating.
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`, zero if `earlier` lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole hours since the Unix epoch, the unit of box expiry.
    #[must_use]
    pub const fn hour(self) -> u32 {
        (self.0 / HOUR) as u32
    }

    /// Number of the UTC week since the Unix epoch, the unit of wire-seal keys.
    #[must_use]
    pub const fn week(self) -> u32 {
        (self.0 / (7 * DAY)) as u32
    }
}
