//! Scripted custodians.
