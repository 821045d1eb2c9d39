//! The client against scripted custodians: honest, silent, lying in every way the protocol names.

mod lists;
mod networks;
#[cfg(feature = "sabotage")]
mod planted;
mod prices;
mod puts;
mod repeats;
mod room;
mod world;

pub use world::{Kind, World, writer};
