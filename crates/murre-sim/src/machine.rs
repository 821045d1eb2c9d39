//! One face for all root machines, so that one virtual shell runs them.

use murre_core::id::PeerKey;
use murre_core::{CommandId, Input, Now, Output, TurnError, View};

/// A command to whichever machine.
#[derive(Debug)]
pub enum Cmd {
    /// To a device.
    Device(murre_device::Command),
    /// To a custodian.
    Node(murre_custodian::Command),
}

/// An event of whichever machine.
#[derive(Debug)]
pub enum Ev {
    /// Of a device.
    Device(murre_device::Event),
    /// Of a custodian.
    Node(murre_custodian::Event),
}

/// What begins a turn.
#[derive(Debug)]
pub enum Stimulus {
    /// All commands that wait.
    Commands(Vec<(CommandId, Cmd)>),
    /// Something from outside.
    Input(Input),
    /// The asked-for moment has come.
    Timeout,
}

/// A root machine.
pub trait Machine {
    /// One turn.
    ///
    /// # Errors
    /// [`TurnError`]: nothing of the turn may be released.
    fn turn(&mut self, now: Now, view: &dyn View, stimulus: Stimulus) -> Result<(), TurnError>;

    /// The turn's outputs, one by one.
    fn poll(&mut self) -> Option<Output<Ev>>;
}

/// What a process is started from, beside its store.
pub trait Program {
    /// The transport key of this start.
    fn transport_key(&mut self, seed: &[u8; 32]) -> PeerKey;

    /// Opens the machine over its store.
    ///
    /// # Errors
    /// Words for the report; a machine that cannot be opened ends the run as failed.
    fn open(&mut self, now: Now, seed: [u8; 32], view: &dyn View) -> Result<Box<dyn Machine>, String>;

    /// Whether the machine is told where it listens.
    fn listens(&self) -> bool;
}
