//! The device's paths, walked one by one with real custodians.

mod contact;
mod doors;
mod files;
mod finding;
mod full;
mod reading;
mod vectors;
mod world;
