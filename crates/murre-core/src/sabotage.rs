//! Planted faults, so that every oracle of the simulator can be shown to fail.
//!
//! Without the feature `sabotage`, which only `murre-sim` turns on, [`active`] is a constant `false` and the
//! planted branch is compiled away. With it, the simulator names one fault for the current thread.

#[cfg(feature = "sabotage")]
mod planted {
    use std::cell::RefCell;

    thread_local! {
        static ACTIVE: RefCell<Option<String>> = const { RefCell::new(None) };
    }

    /// Plants one fault on this thread, or none.
    pub fn plant(name: Option<&str>) {
        ACTIVE.with(|cell| *cell.borrow_mut() = name.map(str::to_owned));
    }

    /// Whether this fault is planted.
    #[must_use]
    pub fn active(name: &str) -> bool {
        ACTIVE.with(|cell| cell.borrow().as_deref() == Some(name))
    }

    /// Whether a check of a crate passes, and fails with the fault: for faults that no simulated run can show.
    #[must_use]
    pub fn catches(fault: &str, check: fn()) -> bool {
        let passes = || std::panic::catch_unwind(check).is_ok();
        let sound = passes();
        plant(Some(fault));
        let planted = passes();
        plant(None);
        sound && !planted
    }
}

#[cfg(feature = "sabotage")]
pub use planted::{active, catches, plant};

/// Whether this fault is planted: never, outside the simulator.
#[cfg(not(feature = "sabotage"))]
#[must_use]
#[inline(always)]
pub const fn active(_name: &str) -> bool {
    false
}
