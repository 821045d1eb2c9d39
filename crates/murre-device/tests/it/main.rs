//! The device's paths, walked one by one with real custodians.

mod contact;
mod doors;
mod files;
mod full;
mod vectors;
mod world;
