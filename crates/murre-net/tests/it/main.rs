//! Real sockets on loopback. Every wait is for an event; the only clock is the one that fails a stuck test.

mod harness;
mod hostile;
mod links;
mod start;
