//! What the shell of a custodian tells it of its computer: a full disk, and that it is asked to leave.

use super::{Leaving, Sim};
use crate::machine::Cmd;
use crate::net::HostId;
use murre_custodian::{Command, Event};

/// Bytes free on the disk of a node that is not full.
const FREE: u64 = 1 << 40;

impl Sim {
    /// The disk of a node is full, or has room again.
    pub fn room(&mut self, id: HostId, there_is: bool) {
        let host = &mut self.hosts[id];
        if host.dead || host.full != there_is {
            return;
        }
        host.full = !there_is;
        // What is full has eaten the reserve as well.
        host.reserve &= there_is;
        self.totals.full_nodes += u64::from(!there_is);
        self.watch.wire.full.remove(&id);
        self.tell_room(id);
    }

    /// A node has room until its shell says otherwise, so it is told at each start.
    pub(super) fn tell_room(&mut self, id: HostId) {
        let host = &self.hosts[id];
        if host.is_up() {
            let free = if host.full { 0 } else { FREE };
            let look = Command::Disk { free, reserve: host.reserve };
            let number = self.command(id, Cmd::Node(look));
            self.hosts[id].asked_room = Some(number);
        }
    }

    /// A node is asked to leave: its process ends when it says that it can.
    pub fn drain(&mut self, id: HostId, for_good: bool) {
        if self.hosts[id].is_up() {
            self.hosts[id].leaving = Some(Leaving { life: self.hosts[id].starts, for_good });
            self.command(id, Cmd::Node(Command::Drain));
        }
    }

    /// By now it must have said so.
    pub fn left(&mut self, id: HostId) {
        let host = &self.hosts[id];
        if host.is_up() && host.leaving.is_some_and(|leaving| leaving.life == host.starts) {
            let what = format!("{} was asked to leave and is still there", host.name);
            self.watch.fail("drain", what);
        }
    }

    /// A node says something to its shell.
    pub fn node_says(&mut self, id: HostId, event: Event) {
        match event {
            Event::Solve { id: puzzle, puzzle: work } => {
                let solution = work.solve(0, 1 << 16);
                self.command(id, Cmd::Node(Command::PuzzleDone { id: puzzle, solution }));
            }
            Event::Answer { id: number, .. } => {
                // From here on it knows.
                let host = &self.hosts[id];
                if host.full && host.asked_room == Some(number) {
                    self.watch.wire.full.insert(id);
                }
            }
            Event::LayReserve => {
                self.hosts[id].reserve = true;
                self.tell_room(id);
            }
            Event::Drained { left } => {
                let asked = self.hosts[id].leaving.is_some();
                if !asked {
                    let what = format!("{} says that it leaves, unasked", self.hosts[id].name);
                    return self.watch.fail("drain", what);
                }
                self.totals.drained += 1;
                self.say(id, &format!("leaves, {left} unfinished"));
                self.stop(id);
            }
            Event::Ready { .. } | Event::DirectoryChanged { .. } | Event::Room { .. } => {}
        }
    }
}
