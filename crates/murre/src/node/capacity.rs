//! How much a node may hold when nobody says.
//!
//! ```text
//!  disk of the directory   |--- others' ---|--- this node's store ---|------------- free -------------|
//!                                          |<------- half of this is its capacity, at most 10 GiB ---->|
//! ```
//! Taken once, at start. What the store takes already counts as free, or a node that fills up would get less at each
//! start.

use std::io;
use std::path::Path;

/// Least capacity of a node: a few of the largest boxes.
pub const LEAST: u64 = 1 << 20;
/// Most that a node takes of a disk when nothing else is said: 10 GiB.
pub const MOST_DERIVED: u64 = 10 << 30;

/// What a node may hold when `free` bytes are free and its store takes `own`.
// spec: K-42
#[must_use]
pub const fn derived(free: u64, own: u64) -> u64 {
    let half = free.saturating_add(own) / 2;
    if half < LEAST {
        LEAST
    } else if half > MOST_DERIVED {
        MOST_DERIVED
    } else {
        half
    }
}

/// The same, of the directory of a node.
pub(super) fn of(dir: &Path) -> io::Result<u64> {
    let mut own = 0u64;
    for entry in std::fs::read_dir(dir)? {
        own = own.saturating_add(entry?.metadata()?.len());
    }
    Ok(derived(fs4::available_space(dir)?, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_default_is_half_of_what_is_free_or_its_own_and_bounded() {
        assert_eq!(derived(8 * GIB, 0), 4 * GIB);
        assert_eq!(derived(3 * GIB, 5 * GIB), 4 * GIB, "what it holds itself is not lost to it");
        assert_eq!(derived(800 * GIB, 0), MOST_DERIVED);
        assert_eq!(derived(0, 0), LEAST);
        assert_eq!(derived(u64::MAX, u64::MAX), MOST_DERIVED);
    }

    #[test]
    fn a_real_directory_has_a_capacity() {
        let dir = tempfile::tempdir().unwrap();
        assert!((LEAST..=MOST_DERIVED).contains(&of(dir.path()).unwrap()));
        assert!(of(&dir.path().join("absent")).is_err());
    }
}
