//! A virtual network in which the real machines live, and everything that may go wrong around them.
//!
//! ```text
//!          plan (a seed's scenario)                                      oracles
//!            |  who, when, what fails                              every frame, batch, event
//!            v                                                                ^
//!   +----- cast -----+   commands    +------------- shell -------------+      |
//!   | people and     | ------------> | BEGIN turn apply ... COMMIT     |------+
//!   | their wishes   | <------------ | release, crash, clocks, seeds   |
//!   | + model        |    events     +--+----------------------+-------+
//!   +----------------+                  | Device, Custodian    | frames
//!                                       v (the shipped ones)   v
//!                                    MemoryStore       liars -> net (links, loss, cuts)
//! ```
//!
//! A run is a function of one number. Time, latency, losses, crashes, clocks that are wrong, randomness inside the
//! machines: all come from the seed, nothing from the computer it runs on, so two processes yield the same
//! [`trace`] hash for one seed and a failing seed fails for ever.
//!
//! | module | what it is |
//! |---|---|
//! | [`dice`], [`agenda`], [`trace`], [`totals`] | chance, the queue over virtual time, the hash of everything, counters |
//! | [`net`] | links as `murre-net` makes them, and their weather |
//! | [`machine`], [`node`], [`person`] | the real root machines behind one face |
//! | [`shell`] | the turn rule, group commit, crashes between any two steps |
//! | [`liar`], [`stranger`] | hostile custodians, a flood from outside |
//! | [`cast`], [`plan`], [`model`] | people, the scenario of a seed, what should be (without a key in it) |
//! | [`oracle`] | what must be true |
//! | [`sabotage`], [`campaign`], [`run`] | planted faults, many seeds, one seed |
//! | [`placement`] | a thousand nodes without machines: who keeps what when many die, come and lie |
//! | [`year`] | two people for a year, while every node is replaced |
//!
//! What is not simulated: bytes of TCP, QUIC and SQLite (their crates have suites of their own), and processes
//! killed by an operating system (the shipped binary is tested with that).
//!
//! `docs/simulator.md` says how to use it.

pub mod agenda;
pub mod campaign;
pub mod cast;
pub mod dice;
pub mod liar;
pub mod machine;
pub mod model;
pub mod net;
pub mod node;
pub mod oracle;
pub mod person;
pub mod placement;
pub mod plan;
pub mod run;
pub mod sabotage;
pub mod scenario;
pub mod shell;
pub mod stranger;
pub mod totals;
pub mod trace;
pub mod year;
