//! Behaviour of several custodians together, over a virtual wire.

mod client;
mod ending;
mod hostile;
mod mail;
mod pressure;
mod reading;
mod repairing;
mod storing;
mod wire;
