//! A price in memory and time, paid once and checked with one try.
//!
//! ```text
//! try(n) = Argon2id v1.3( password = n as u64 BE, salt = H(context), m = price.mem KiB, t = 1, p = 1 ) -> 32 bytes
//! n solves the puzzle  <=>  first 8 bytes of try(n) as u64 BE  *  price.tries  <  2^64
//! ```
//! The context binds a solution to what it pays for: callers derive it under their own label. A try costs the
//! solver and the checker the same, and needs `price.mem` KiB of memory, which is what makes machines that hash
//! fast pay like everybody. Expected tries: `price.tries`.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use murre_core::Label;
use murre_core::params::PuzzlePrice;
use serde::{Deserialize, Serialize};

const SALT: Label = Label::new("murre v1 crypto puzzle");

/// Least memory of a try, KiB: what Argon2 needs.
pub const PUZZLE_MEM_MIN: u32 = 8;
/// Most memory of a try, KiB. A network file or a custodian that asks for more is refused, so that a price cannot
/// exhaust a phone.
pub const PUZZLE_MEM_MAX: u32 = 64 << 10;

/// A puzzle: what is paid for, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Puzzle {
    /// Hash of what the solution is bound to.
    pub context: [u8; 32],
    /// How hard.
    pub price: PuzzlePrice,
}

/// The number that solves a puzzle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Solution(pub u64);

/// Whether a price is one that anybody may be asked.
#[must_use]
// spec: C-19
pub const fn price_allowed(price: &PuzzlePrice) -> bool {
    price.mem >= PUZZLE_MEM_MIN && price.mem <= PUZZLE_MEM_MAX && price.tries >= 1
}

impl Puzzle {
    /// Tries `max_tries` numbers from `start` on, wrapping. `None`: none of them, go on at `start + max_tries`.
    /// Also `None` for a price outside the limits ([`price_allowed`]), which no number solves.
    ///
    /// Blocks the thread for about 0.5 ms per MiB and try; shells run it beside the machine, in slices.
    #[must_use]
    pub fn solve(&self, start: u64, max_tries: u64) -> Option<Solution> {
        let mut bench = Bench::new(self)?;
        (0..max_tries).map(|i| start.wrapping_add(i)).find(|n| bench.solves(*n)).map(Solution)
    }

    /// Whether this number solves the puzzle. Costs one try.
    #[must_use]
    // spec: C-20
    pub fn check(&self, solution: &Solution) -> bool {
        Bench::new(self).is_some_and(|mut bench| bench.solves(solution.0))
    }
}

/// Argon2's memory, kept from try to try.
struct Bench {
    argon: Argon2<'static>,
    blocks: Vec<Block>,
    salt: [u8; 32],
    tries: u32,
}

impl Bench {
    fn new(puzzle: &Puzzle) -> Option<Self> {
        if !price_allowed(&puzzle.price) {
            return None;
        }
        let params = Params::new(puzzle.price.mem, 1, 1, Some(32)).ok()?;
        let blocks = vec![Block::new(); params.block_count()];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Some(Self { argon, blocks, salt: SALT.hash(&[&puzzle.context]), tries: puzzle.price.tries })
    }

    fn solves(&mut self, n: u64) -> bool {
        let mut out = [0; 32];
        let done = self.argon.hash_password_into_with_memory(
            &n.to_be_bytes(),
            &self.salt,
            &mut out,
            &mut self.blocks,
        );
        let head = out.first_chunk::<8>().map_or(u64::MAX, |head| u64::from_be_bytes(*head));
        done.is_ok() && u128::from(head) * u128::from(self.tries) < 1 << 64
    }
}
