//! Links: libp2p in, frames out
