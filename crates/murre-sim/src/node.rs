//! A custodian as a program of the virtual shell.

use crate::machine::{Cmd, Ev, Machine, Program, Stimulus};
use murre_core::id::PeerKey;
use murre_core::{Addr, Now, Output, PeerRef, TurnError, View};
use murre_crypto::{NodeKey, Secret};
use murre_custodian::{Before, Config, Custodian};
use murre_mailbox::NetworkFile;

/// Everything a custodian is started with.
#[derive(Debug)]
pub struct NodeProgram {
    /// Secret of its key.
    pub secret: [u8; 32],
    /// The network it belongs to.
    pub network: NetworkFile,
    /// Nodes to greet.
    pub bootstrap: Vec<PeerRef>,
    /// Where it listens.
    pub addr: Addr,
    /// Bytes it may hold.
    pub disk: u64,
}

impl NodeProgram {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> NodeKey {
        NodeKey::from_secret(&Secret::new(self.secret))
    }
}

impl Program for NodeProgram {
    fn transport_key(&mut self, _: &[u8; 32]) -> PeerKey {
        self.key().id()
    }

    fn open(&mut self, _: Now, seed: [u8; 32], view: &dyn View) -> Result<Box<dyn Machine>, String> {
        let config = Config {
            key: self.key(),
            network: self.network.clone(),
            addrs: vec![self.addr.clone()],
            bootstrap: self.bootstrap.clone(),
            disk: self.disk,
            before: Before::default(),
        };
        let node = Custodian::open(seed, view, config).map_err(|e| format!("{e:?}"))?;
        Ok(Box::new(NodeMachine(node)))
    }

    fn listens(&self) -> bool {
        true
    }
}

struct NodeMachine(Custodian);

impl Machine for NodeMachine {
    fn turn(&mut self, now: Now, view: &dyn View, stimulus: Stimulus) -> Result<(), TurnError> {
        match stimulus {
            Stimulus::Input(input) => self.0.handle_input(now, view, input),
            Stimulus::Timeout => self.0.handle_timeout(now, view),
            Stimulus::Commands(commands) => {
                let mine = commands.into_iter().filter_map(|(id, c)| match c {
                    Cmd::Node(c) => Some((id, c)),
                    Cmd::Device(_) => None,
                });
                self.0.handle_commands(now, view, mine.collect())
            }
        }
    }

    fn poll(&mut self) -> Option<Output<Ev>> {
        Some(match self.0.poll_output()? {
            Output::Commit(batch) => Output::Commit(batch),
            Output::Transmit(t) => Output::Transmit(t),
            Output::Event(e) => Output::Event(Ev::Node(e)),
            Output::Timeout(at) => Output::Timeout(at),
        })
    }
}
