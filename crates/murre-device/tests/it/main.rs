//! The device's paths, walked one by one with real custodians.

mod block;
mod contact;
mod doors;
mod file_faults;
mod files;
mod finding;
mod full;
mod long;
mod moves;
mod public;
mod reading;
mod safety_vectors;
mod sleep;
mod trust;
mod vectors;
mod world;
