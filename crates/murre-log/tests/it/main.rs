//! The log seen from outside.

mod entries;
mod faults;
mod file_vectors;
mod forks;
mod packs;
mod pending;
#[cfg(feature = "sabotage")]
mod planted;
mod replicas;
mod vectors;
mod wire;
mod world;
