//! Remembers what pure functions of points and signatures answered, for the simulator.
//!
//! In one simulated process ten nodes check the same signature and blind the same key; doing it ten times tells nothing
//! new. With the feature `memo`, which only `murre-sim` turns on, an answer is kept by the hash of everything that
//! went into it, so what is answered is what would have been computed. What was signed here is remembered as verifying,
//! except one signature in [`CHECKED`], which goes the whole way like a foreign one.
//!
//! And multiples of the base point are added up from a table there, in a time that depends on the scalar: a simulator has
//! nobody to hide it from, and a third of what a run costs was signing.
//!
//! Without the feature the functions below only call what they are given. A secret is in a table by its hash at most.

#[cfg(feature = "memo")]
mod tables {
    use curve25519_dalek::traits::Identity;
    use curve25519_dalek::{EdwardsPoint, Scalar};
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    /// Most answers in one table; a full one is emptied.
    const MAX_ANSWERS: usize = 1 << 16;
    /// One signature of so many is verified although it was made here.
    pub const CHECKED: u8 = 16;

    #[derive(Default)]
    struct Tables {
        verdicts: BTreeMap<[u8; 32], bool>,
        points: BTreeMap<[u8; 32], Option<[u8; 32]>>,
        publics: BTreeMap<[u8; 32], [u8; 32]>,
        off: bool,
    }

    thread_local! {
        static TABLES: RefCell<Tables> = RefCell::default();
    }

    /// Empties this thread's tables and says whether they are used from now on.
    pub fn reset(on: bool) {
        TABLES.with_borrow_mut(|t| *t = Tables { off: !on, ..Tables::default() });
    }

    /// `j * 256^i * B` in row `i`, 1.3 MB.
    static MULTIPLES: LazyLock<Vec<Vec<EdwardsPoint>>> = LazyLock::new(|| {
        let mut step = EdwardsPoint::mul_base(&Scalar::ONE);
        let mut rows = Vec::new();
        for _ in 0..32 {
            let (mut row, mut at) = (Vec::new(), EdwardsPoint::identity());
            for _ in 0..=u8::MAX {
                row.push(at);
                at += step;
            }
            rows.push(row);
            step = at;
        }
        rows
    });

    /// A multiple of the base point, in variable time.
    pub(crate) fn mul_base(scalar: &Scalar) -> EdwardsPoint {
        if TABLES.with_borrow(|t| t.off) {
            return EdwardsPoint::mul_base(scalar);
        }
        let digits = MULTIPLES.iter().zip(scalar.as_bytes());
        let points = digits.filter_map(|(row, digit)| row.get(usize::from(*digit)));
        points.fold(EdwardsPoint::identity(), |sum, point| sum + point)
    }

    fn print(parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }

    fn keep<T>(table: &mut BTreeMap<[u8; 32], T>, key: [u8; 32], value: T) {
        if table.len() >= MAX_ANSWERS {
            table.clear();
        }
        table.insert(key, value);
    }

    pub(crate) fn signed(public: &[u8; 32], message: &[u8], sig: &[u8; 64]) {
        let key = print(&[public, message, sig]);
        let [first, ..] = key;
        if !first.is_multiple_of(CHECKED) {
            TABLES.with_borrow_mut(|t| keep(&mut t.verdicts, key, true));
        }
    }

    pub(crate) fn verdict(
        public: &[u8; 32],
        message: &[u8],
        sig: &[u8; 64],
        check: impl FnOnce() -> bool,
    ) -> bool {
        let key = print(&[public, message, sig]);
        let (known, off) = TABLES.with_borrow(|t| (t.verdicts.get(&key).copied(), t.off));
        if off {
            return check();
        }
        known.unwrap_or_else(|| {
            let verdict = check();
            TABLES.with_borrow_mut(|t| keep(&mut t.verdicts, key, verdict));
            verdict
        })
    }

    pub(crate) fn public(scalar: &[u8; 32], half: impl FnOnce() -> [u8; 32]) -> [u8; 32] {
        let key = print(&[scalar]);
        let (known, off) = TABLES.with_borrow(|t| (t.publics.get(&key).copied(), t.off));
        if off {
            return half();
        }
        known.unwrap_or_else(|| {
            let half = half();
            TABLES.with_borrow_mut(|t| keep(&mut t.publics, key, half));
            half
        })
    }

    pub(crate) fn point(
        public: &[u8; 32],
        tweak: &[u8; 32],
        blind: impl FnOnce() -> Option<[u8; 32]>,
    ) -> Option<[u8; 32]> {
        let key = print(&[public, tweak]);
        let (known, off) = TABLES.with_borrow(|t| (t.points.get(&key).copied(), t.off));
        if off {
            return blind();
        }
        known.unwrap_or_else(|| {
            let point = blind();
            TABLES.with_borrow_mut(|t| keep(&mut t.points, key, point));
            point
        })
    }
}

#[cfg(feature = "memo")]
pub use tables::{CHECKED, reset};
#[cfg(feature = "memo")]
pub(crate) use tables::{mul_base, point, public, signed, verdict};

#[cfg(not(feature = "memo"))]
mod plain {
    use curve25519_dalek::{EdwardsPoint, Scalar};

    #[inline(always)]
    pub(crate) fn mul_base(scalar: &Scalar) -> EdwardsPoint {
        EdwardsPoint::mul_base(scalar)
    }

    #[inline(always)]
    pub(crate) const fn signed(_public: &[u8; 32], _message: &[u8], _sig: &[u8; 64]) {}

    #[inline(always)]
    pub(crate) fn verdict(
        _public: &[u8; 32],
        _message: &[u8],
        _sig: &[u8; 64],
        check: impl FnOnce() -> bool,
    ) -> bool {
        check()
    }

    #[inline(always)]
    pub(crate) fn public(_scalar: &[u8; 32], half: impl FnOnce() -> [u8; 32]) -> [u8; 32] {
        half()
    }

    #[inline(always)]
    pub(crate) fn point(
        _public: &[u8; 32],
        _tweak: &[u8; 32],
        blind: impl FnOnce() -> Option<[u8; 32]>,
    ) -> Option<[u8; 32]> {
        blind()
    }
}

#[cfg(not(feature = "memo"))]
pub(crate) use plain::{mul_base, point, public, signed, verdict};
