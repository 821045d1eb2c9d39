//! A node that keeps other people's sealed mail, as one state machine.
//!
//! [`Custodian`] is the root; it only routes (`route.rs`). Its children never meet:
//!
//! | child | what it does | what it does not |
//! |---|---|---|
//! | [`boxes`] | stores boxes and owner objects, quotas, price of space, lists, receipts, expiry | talk to nodes |
//! | [`coordinator`] | works for one asker: fans out, collects what is signed, answers once | store |
//! | [`repair`] | pulls what is missing from neighbours in the ring | decide what may be stored |
//! | [`feeder`] | keeps the directory of nodes the same everywhere, issues the own descriptor | use it |
//! | [`leaving`] | ends a node in order | stop anything |
//! | [`room`] | whether the disk has room, from what the shell sees of it | look at a disk |
//! | [`tally`] | counts, without names | |
//! | [`waiters`] | lists that wait for something new | read the list |
//! | [`calls`], [`links`] | requests under way, links and what each may ask for | |
//!
//! Requests authenticate themselves: no link, address or peer key gives anybody a right here. A node sees sealed
//! boxes under locators that change every week; it knows no account and can open nothing.
//!
//! The law is `spec/05b-custodian.md`; what is stored is drawn in [`rows`].
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod boxes;
pub mod calls;
pub mod command;
pub mod coordinator;
pub mod feeder;
pub mod leaving;
pub mod limits;
pub mod links;
mod machine;
pub mod query;
pub mod repair;
pub mod room;
pub mod route;
pub mod rows;
pub mod tally;
pub mod waiters;

#[cfg(test)]
mod tests;

pub use command::{Answer, Before, Command, Config, Event, OpenError, PuzzleId};
pub use machine::Custodian;
pub use query::NodeStatus;
pub use tally::Tally;
