//! The causal Merkle-CRDT log
