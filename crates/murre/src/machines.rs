//! Device and custodian as the driver sees them. Nothing is decided here.

use crate::driver::{DiskSeen, Machine, Told};
use murre_core::{CommandId, Input, Now, Output, TurnError, View};
use murre_crypto::puzzle::Solution;
use murre_custodian::{Custodian, PuzzleId};
use murre_device::{CommandError, Device, NetworkCommand, Notice, Progress};

/// What a device tells unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceNotice {
    /// Stored under this cursor.
    Durable(u64, Notice),
    /// For whoever listens now.
    Passing(Progress),
}

impl Machine for Device {
    type Command = murre_device::Command;
    type Answer = Result<murre_device::Answer, CommandError>;
    type Notice = DeviceNotice;
    type Event = murre_device::Event;

    fn handle_commands(
        &mut self,
        now: Now,
        view: &dyn View,
        commands: Vec<(CommandId, Self::Command)>,
    ) -> Result<(), TurnError> {
        Device::handle_commands(self, now, view, commands)
    }

    fn handle_input(&mut self, now: Now, view: &dyn View, input: Input) -> Result<(), TurnError> {
        Device::handle_input(self, now, view, input)
    }

    fn handle_timeout(&mut self, now: Now, view: &dyn View) -> Result<(), TurnError> {
        Device::handle_timeout(self, now, view)
    }

    fn poll_output(&mut self) -> Option<Output<Self::Event>> {
        Device::poll_output(self)
    }

    fn sort(event: Self::Event) -> Told<Self::Answer, Self::Notice> {
        match event {
            murre_device::Event::Answer { id, result } => Told::Answer(id, result),
            murre_device::Event::Notice { cursor, notice } => {
                Told::Notice(DeviceNotice::Durable(cursor, notice))
            }
            murre_device::Event::Progress(progress) => Told::Notice(DeviceNotice::Passing(progress)),
            murre_device::Event::Solve { id, puzzle } => Told::Solve(id, puzzle),
        }
    }

    fn solved(id: u64, solution: Option<Solution>) -> Self::Command {
        murre_device::Command::Network(NetworkCommand::PuzzleDone { id, solution })
    }
}

/// What a node tells unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeNotice {
    /// It has issued a descriptor and takes part.
    Ready,
    /// So many nodes are known, itself included.
    Nodes(usize),
    /// Room to write on its disk came or went.
    Room(bool),
    /// It was asked to stop, and nothing is under way any more; or so much is, and its time is up.
    Drained(usize),
}

impl Machine for Custodian {
    type Command = murre_custodian::Command;
    type Answer = murre_custodian::Answer;
    type Notice = NodeNotice;
    type Event = murre_custodian::Event;

    fn handle_commands(
        &mut self,
        now: Now,
        view: &dyn View,
        commands: Vec<(CommandId, Self::Command)>,
    ) -> Result<(), TurnError> {
        Custodian::handle_commands(self, now, view, commands)
    }

    fn handle_input(&mut self, now: Now, view: &dyn View, input: Input) -> Result<(), TurnError> {
        Custodian::handle_input(self, now, view, input)
    }

    fn handle_timeout(&mut self, now: Now, view: &dyn View) -> Result<(), TurnError> {
        Custodian::handle_timeout(self, now, view)
    }

    fn poll_output(&mut self) -> Option<Output<Self::Event>> {
        Custodian::poll_output(self)
    }

    fn sort(event: Self::Event) -> Told<Self::Answer, Self::Notice> {
        match event {
            murre_custodian::Event::Answer { id, answer } => Told::Answer(id, answer),
            murre_custodian::Event::Solve { id, puzzle } => Told::Solve(id.0, puzzle),
            murre_custodian::Event::Ready { .. } => Told::Notice(NodeNotice::Ready),
            murre_custodian::Event::Room { there_is } => Told::Notice(NodeNotice::Room(there_is)),
            murre_custodian::Event::LayReserve => Told::LayReserve,
            murre_custodian::Event::Drained { left } => Told::Notice(NodeNotice::Drained(left)),
            murre_custodian::Event::DirectoryChanged { nodes } => Told::Notice(NodeNotice::Nodes(nodes)),
        }
    }

    fn solved(id: u64, solution: Option<Solution>) -> Self::Command {
        murre_custodian::Command::PuzzleDone { id: PuzzleId(id), solution }
    }

    fn disk(seen: DiskSeen) -> Option<Self::Command> {
        let DiskSeen { free, reserve } = seen;
        Some(murre_custodian::Command::Disk { free, reserve })
    }
}
