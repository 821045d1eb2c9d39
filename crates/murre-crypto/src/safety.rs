//! The number two people compare.

use murre_core::Label;
use murre_core::id::AccountId;

const SAFETY: Label = Label::new("murre v1 crypto safety number");

/// Digits in a safety number.
pub const SAFETY_DIGITS: usize = 60;

/// 60 digits over both accounts, the same whichever of the two asks: 12 groups of 5, separated by spaces.
///
/// A stranger in the middle would need two accounts whose numbers with each side agree, about 2^99 hashes.
#[must_use]
// spec: C-21
pub fn safety_number(one: &AccountId, other: &AccountId) -> String {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let mut bytes = [0; 96];
    SAFETY.fill(&[low.as_bytes(), high.as_bytes()], &mut bytes);
    let (words, _) = bytes.as_chunks::<8>();
    let groups: Vec<_> =
        words.iter().map(|word| format!("{:05}", u64::from_be_bytes(*word) % 100_000)).collect();
    groups.join(" ")
}
