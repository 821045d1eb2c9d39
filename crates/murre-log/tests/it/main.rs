//! The log seen from outside.

mod entries;
mod faults;
mod forks;
mod packs;
mod pending;
mod replicas;
mod vectors;
mod wire;
mod world;
