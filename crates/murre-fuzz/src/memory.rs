//! An allocator that counts what a thread holds, and the greatest it ever held.
//!
//! Counting per thread lets tests run side by side; decoders are one thread each. Whoever drives targets installs it:
//!
//! ```ignore
//! #[global_allocator]
//! static COUNTING: murre_fuzz::memory::Counting = murre_fuzz::memory::Counting;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

thread_local! {
    // Signed: a thread may free what another allocated.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

fn add(bytes: isize) {
    // At the end of a thread its counters are gone before its last memory is.
    let _ = HELD.try_with(|held| {
        let now = held.get().saturating_add(bytes);
        held.set(now);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now)));
    });
}

fn size(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// A global allocator cannot be written without `unsafe`; nothing here touches the memory itself.
#[allow(unsafe_code)]
// SAFETY: every call goes unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(size(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(size(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        add(-size(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        // While a block moves, both may exist.
        add(size(new));
        // SAFETY: the caller's promise, passed on.
        let moved = unsafe { System.realloc(at, layout, new) };
        add(-size(layout.size()));
        moved
    }
}

/// Runs something and says how much more than before this thread held at the most.
///
/// # Panics
/// [`Counting`] is not the global allocator: then every measurement would be zero and prove nothing.
pub fn measure<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    drop(black_box(Vec::<u8>::with_capacity(black_box(64))));
    assert!(PEAK.get() >= before + 64, "memory::Counting is not the global allocator");
    PEAK.set(before);
    let value = run();
    let peak = usize::try_from(PEAK.get().saturating_sub(before)).unwrap_or(0);
    (value, peak)
}

/// How much memory an input may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Bytes for each byte of input.
    pub factor: usize,
    /// Bytes for the smallest input.
    pub constant: usize,
}

/// What serde reserves at most for a list whose length was only announced.
pub const ANNOUNCED: usize = 1 << 20;

impl Bound {
    /// A decoder of bytes: the values, the bytes they are encoded to again, one announced list.
    pub const DECODER: Self = Self { factor: 16, constant: ANNOUNCED + (64 << 10) };
    /// A whole machine is opened from its store and takes the input.
    pub const MACHINE: Self = Self { factor: 64, constant: 8 << 20 };

    /// What an input of this length may cost.
    #[must_use]
    pub const fn allowed(self, len: usize) -> usize {
        self.factor.saturating_mul(len).saturating_add(self.constant)
    }
}
