//! What the mailbox layer promises, one module per promise.

mod bad_vectors;
mod boxes;
mod directory;
mod door;
mod frames;
mod keys;
mod receipts;
mod support;
mod vectors;
