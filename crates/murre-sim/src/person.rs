//! A device as a program of the virtual shell.

use crate::machine::{Cmd, Ev, Machine, Program, Stimulus};
use murre_core::id::PeerKey;
use murre_core::{Label, Now, Output, PeerRef, TurnError, View};
use murre_device::{Config, Device};

const KEY: Label = Label::new("murre v1 simulator device transport key");

/// Everything a device is started with.
#[derive(Debug)]
pub struct PersonProgram {
    /// Nodes to begin with.
    pub bootstrap: Vec<PeerRef>,
    /// Whether others may dial it: then it has live links.
    pub listens: bool,
}

impl Program for PersonProgram {
    fn transport_key(&mut self, seed: &[u8; 32]) -> PeerKey {
        // A device's transport key is thrown away at each start.
        PeerKey::from_bytes(KEY.hash(&[seed]))
    }

    fn open(&mut self, now: Now, seed: [u8; 32], view: &dyn View) -> Result<Box<dyn Machine>, String> {
        let config = Config { bootstrap: self.bootstrap.clone() };
        let device = Device::open(now, seed, view, config).map_err(|e| format!("{e:?}"))?;
        Ok(Box::new(DeviceMachine(device)))
    }

    fn listens(&self) -> bool {
        self.listens
    }
}

struct DeviceMachine(Device);

impl Machine for DeviceMachine {
    fn turn(&mut self, now: Now, view: &dyn View, stimulus: Stimulus) -> Result<(), TurnError> {
        match stimulus {
            Stimulus::Input(input) => self.0.handle_input(now, view, input),
            Stimulus::Timeout => self.0.handle_timeout(now, view),
            Stimulus::Commands(commands) => {
                let mine = commands.into_iter().filter_map(|(id, c)| match c {
                    Cmd::Device(c) => Some((id, c)),
                    Cmd::Node(_) => None,
                });
                self.0.handle_commands(now, view, mine.collect())
            }
        }
    }

    fn poll(&mut self) -> Option<Output<Ev>> {
        Some(match self.0.poll_output()? {
            Output::Commit(batch) => Output::Commit(batch),
            Output::Transmit(t) => Output::Transmit(t),
            Output::Event(e) => Output::Event(Ev::Device(e)),
            Output::Timeout(at) => Output::Timeout(at),
        })
    }
}
