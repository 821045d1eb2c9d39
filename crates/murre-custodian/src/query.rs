//! What can be asked about a node beside the machine: pure reads on any connection.

use crate::Tally;
use crate::rows::{self, EPOCHS, EpochRow, JOIN, META};
use murre_core::{Direction, Range, TurnError, View};
use murre_mailbox::limits::MAX_NODES;

/// Most epochs that can have rows: the past ones whose boxes live, and those ahead.
pub const MAX_EPOCH_ROWS: usize = 64;

/// A node in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Boxes held.
    pub boxes: u64,
    /// Bytes of boxes and owner objects held.
    pub bytes: u64,
    /// Bytes in use as the price of space reckons them; zero when read beside the machine.
    pub used: u64,
    /// Bytes it may hold; zero when read beside the machine.
    pub capacity: u64,
    /// How many times the network's price a block of space costs now; zero when read beside the machine.
    pub factor: u32,
    /// Locators open.
    pub locators: u64,
    /// Epochs with anything in them.
    pub epochs: u64,
    /// Nodes known, this one included.
    pub nodes: u64,
    /// Whether the join puzzle is solved.
    pub joined: bool,
    /// Links up; zero when read beside the machine.
    pub links: u64,
    /// Lists that wait; zero when read beside the machine.
    pub waiting: u64,
    /// Requests being coordinated; zero when read beside the machine.
    pub coordinating: u64,
    /// The store has no room to write more: nothing is taken in. Never when read beside the machine.
    pub without_room: bool,
    /// It begins nothing new. Never when read beside the machine.
    pub leaving: bool,
    /// What was asked of it since it was opened; zero when read beside the machine.
    pub tally: Tally,
}

/// Reads the numbers that are in rows.
///
/// # Errors
/// [`TurnError`] if the store fails or a row is damaged.
pub fn status(view: &dyn View) -> Result<NodeStatus, TurnError> {
    let mut status = NodeStatus::default();
    for (_, value) in view.scan(EPOCHS, &Range::all(), Direction::Forward, MAX_EPOCH_ROWS)? {
        let epoch: EpochRow = rows::row(EPOCHS, &value)?;
        status.boxes = status.boxes.saturating_add(epoch.b);
        status.bytes = status.bytes.saturating_add(epoch.z);
        status.locators = status.locators.saturating_add(epoch.l);
        status.epochs = status.epochs.saturating_add(1);
    }
    let nodes = view.scan(murre_mailbox::rows::NODES, &Range::all(), Direction::Forward, MAX_NODES)?;
    status.nodes = nodes.len() as u64;
    status.joined = view.get(META, JOIN)?.is_some();
    Ok(status)
}
