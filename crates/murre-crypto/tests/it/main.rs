//! What the crate promises, seen from outside.

mod blind;
mod hpke;
mod keys;
mod puzzle;
mod seal;
mod signed;
mod vector_bad;
mod vector_good;
mod vectors;

use murre_core::Rng;

/// A generator for one test.
fn rng(n: u8) -> Rng {
    Rng::from_seed([n; 32])
}

/// The bytes with one bit turned.
fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[bit / 8] ^= 1 << (bit % 8);
    out
}
