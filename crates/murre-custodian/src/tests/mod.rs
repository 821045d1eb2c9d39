//! Behaviour of several custodians together, over a virtual wire.

mod wire;
