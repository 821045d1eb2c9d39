//! The device's paths, walked one by one with real custodians.

mod contact;
mod vectors;
mod world;
