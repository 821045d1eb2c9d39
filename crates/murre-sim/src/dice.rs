//! The one source of chance in a run.

use murre_core::{Label, Rng};
use rand_core::RngCore;

const DICE: Label = Label::new("murre v1 simulator dice");
const START: Label = Label::new("murre v1 simulator machine seed");

/// Seeded chance. Each part of a run forks its own by name, so that a change in one part does not move the others.
#[derive(Debug)]
pub struct Dice(Rng);

impl Dice {
    /// The dice of one part of one seed.
    #[must_use]
    pub fn new(seed: u64, part: &str) -> Self {
        Self(Rng::from_seed(DICE.hash(&[&seed.to_be_bytes(), part.as_bytes()])))
    }

    /// A number from `from` up to and including `to`.
    pub fn range(&mut self, from: u64, to: u64) -> u64 {
        from + self.0.below(to.saturating_sub(from).saturating_add(1))
    }

    /// A number below `bound`, for indexes; 0 if `bound` is 0.
    pub fn index(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    /// True in `per_mille` of 1,000 cases.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.0.below(1_000) < per_mille
    }

    /// Fresh bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        self.0.bytes()
    }

    /// As many fresh bytes.
    pub fn vec(&mut self, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.0.fill_bytes(&mut out);
        out
    }

    /// The generator itself, for key generation.
    pub const fn rng(&mut self) -> &mut Rng {
        &mut self.0
    }
}

/// The seed of a machine's own generator at its `start`-th start: fresh at each, and the same in every run.
#[must_use]
pub fn machine_seed(seed: u64, host: usize, start: u64) -> [u8; 32] {
    START.hash(&[&seed.to_be_bytes(), &(host as u64).to_be_bytes(), &start.to_be_bytes()])
}
