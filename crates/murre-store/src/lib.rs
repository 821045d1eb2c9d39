//! Applies batches of ordered bytes to SQLite or memory.
//!
//! A [`Store`] holds what the spaces of a machine contain. It knows bytes, their order and how to make them
//! vanish; it does not know what a value means, and it decides nothing.
//!
//! | type | for | durable |
//! |---|---|---|
//! | [`SqliteStore`] | devices (encrypted by SQLCipher) and custodians (plain) | after `commit` |
//! | [`SqliteReader`] | history, search and lists beside the machine: sees committed data only | - |
//! | [`MemoryStore`] | tests and the simulator, with crashes and failures on request | never |
//! | [`CountingView`] | tests that bound the reads of a turn | - |
//!
//! One transaction carries many turns; the shell drives it (`spec/01-machines.md`, M-1):
//!
//! ```text
//! begin   turn, apply   turn, apply   ...   commit   release what the turns want to send and say
//!           |_ any failure: rollback, drop the machine, open it again from the store
//! ```
//!
//! Bytes that are too many for rows lie in blobs: files beside the database, tied to its transactions.
//!
//! Texts of `Op::Index` are found from the moment their batch is applied. The index behind them is filled later, in
//! steps ([`Store::index`]) that the shell takes when nothing else is to be done.
//!
//! [`conformance`] is the one suite that every store has to pass.

pub mod conformance;
mod counting;
mod error;
mod memory;
mod sqlite;
mod tx;

pub use counting::{CountingView, Counts};
pub use error::{Misuse, StoreError};
pub use memory::{Fault, MemoryStore, Snapshot};
pub use sqlite::{Config, SqliteReader, SqliteStore};

use murre_core::{Batch, Search, View};

/// What waits for the full-text index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backlog {
    /// Nothing.
    None,
    /// A step would do something.
    Some,
    /// So much that searches begin to take time: a step is due although others wait.
    Crowded,
}

/// Something that keeps the spaces of one machine.
///
/// At most one transaction is open. Reads through [`View`] see every batch applied in it, also before it is
/// committed.
pub trait Store: View + Search {
    /// Opens the transaction.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if one is open already, otherwise what the disk says.
    fn begin(&mut self) -> Result<(), StoreError>;

    /// Applies the batch of one turn, in order.
    ///
    /// # Errors
    /// After any error some operations of the batch may have been applied and [`Store::commit`] is refused: the
    /// only way on is [`Store::rollback`].
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Makes everything applied since [`Store::begin`] durable, all or nothing.
    ///
    /// # Errors
    /// After any error nothing of it is kept and no transaction is open.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Forgets everything applied since [`Store::begin`]. Without an open transaction it does nothing.
    fn rollback(&mut self);

    /// What waits for the full-text index. A search finds it all the same.
    fn wants_index(&self) -> Backlog;

    /// Takes one bounded step of the full-text index, durable by itself. Call it when nothing else is to be done.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] inside a transaction, otherwise what the disk says; nothing is changed then.
    fn index(&mut self) -> Result<(), StoreError>;
}
