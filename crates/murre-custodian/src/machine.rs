//! The root: verbs, fields, outputs. Everything that decides is in a child, everything that connects in `route`.

use crate::boxes::{Boxes, Env};
use crate::calls::Calls;
use crate::command::{Answer, Command, Config, Event, OpenError};
use crate::coordinator::Coordinator;
use crate::feeder::Feeder;
use crate::leaving::Leaving;
use crate::links::Links;
use crate::query::{self, NodeStatus};
use crate::repair::Repair;
use crate::room::Room;
use crate::route::Up;
use crate::tally::Tally;
use crate::waiters::Waiters;
use murre_core::id::PeerKey;
use murre_core::{CommandId, Cx, Input, Mono, NetworkParams, Now, Output, Rng, Turn, TurnError, View};
use murre_crypto::NodeKey;
use murre_mailbox::Directory;
use rand_core::RngCore;
use std::collections::VecDeque;

/// One turn under way: its rows, what children said, what will leave.
pub(crate) struct Work<'v> {
    pub now: Now,
    pub tx: Turn<'v>,
    pub up: VecDeque<Up>,
    pub out: Vec<Output<Event>>,
}

impl<'v> Work<'v> {
    /// A child's context.
    pub fn cx<'a>(&'a mut self, rng: &'a mut Rng) -> Cx<'a, 'v, Up> {
        Cx::new(self.now, rng, &mut self.tx, &mut self.up)
    }
}

/// A node that stores boxes and works for those who want to store or read some.
pub struct Custodian {
    pub(crate) rng: Rng,
    pub(crate) key: NodeKey,
    pub(crate) me: PeerKey,
    pub(crate) params: NetworkParams,
    pub(crate) feeder: Feeder,
    pub(crate) boxes: Boxes,
    pub(crate) coordinator: Coordinator,
    pub(crate) repair: Repair,
    pub(crate) waiters: Waiters,
    pub(crate) calls: Calls,
    pub(crate) links: Links,
    pub(crate) leaving: Leaving,
    pub(crate) room: Room,
    pub(crate) tally: Tally,
    outputs: VecDeque<Output<Event>>,
}

impl std::fmt::Debug for Custodian {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Custodian").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Custodian {
    /// Opens the node from its store. `seed` comes from the operating system at each start and is not stored.
    ///
    /// # Errors
    /// [`OpenError`] if the store cannot be read or belongs to another network.
    pub fn open(seed: [u8; 32], view: &dyn View, config: Config) -> Result<Self, OpenError> {
        config.network.check().map_err(|_| OpenError::Network)?;
        let stored = Directory::stored_network(view)?;
        if stored.is_some_and(|stored| stored != config.network) {
            return Err(OpenError::OtherNetwork);
        }
        let mut rng = Rng::from_seed(seed);
        let me = config.key.id();
        let params = config.network.params;
        let directory = Directory::open(view, config.network)?;
        let feeder = Feeder::open(view, directory, me, config.addrs, config.bootstrap)?;
        let room = Room::opened(config.before.without_room);
        let boxes = Boxes::open(view, config.disk, rng.next_u64(), room.there_is())?;
        Ok(Self {
            rng,
            key: config.key,
            me,
            params,
            feeder,
            boxes,
            coordinator: Coordinator::default(),
            repair: Repair::default(),
            waiters: Waiters::default(),
            calls: Calls::default(),
            links: Links::default(),
            // spec: K-45
            leaving: Leaving::opened(config.before.leaving),
            room,
            tally: Tally::default(),
            outputs: VecDeque::new(),
        })
    }

    /// The node's name.
    #[must_use]
    pub const fn peer_key(&self) -> PeerKey {
        self.me
    }

    /// What the shell wants.
    ///
    /// # Errors
    /// [`TurnError`]: nothing of the turn may be released; open the node again.
    pub fn handle_commands(
        &mut self,
        now: Now,
        view: &dyn View,
        commands: Vec<(CommandId, Command)>,
    ) -> Result<(), TurnError> {
        self.turn(now, view, |node, work| {
            for (id, command) in commands {
                let answer = node.command(work, command)?;
                work.out.push(Output::Event(Event::Answer { id, answer }));
            }
            Ok(())
        })
    }

    /// Bytes or facts from outside.
    ///
    /// # Errors
    /// [`TurnError`]: nothing of the turn may be released; open the node again.
    pub fn handle_input(&mut self, now: Now, view: &dyn View, input: Input) -> Result<(), TurnError> {
        self.turn(now, view, |node, work| node.input(work, input))
    }

    /// The moment that was asked for has come.
    ///
    /// # Errors
    /// [`TurnError`]: nothing of the turn may be released; open the node again.
    pub fn handle_timeout(&mut self, now: Now, view: &dyn View) -> Result<(), TurnError> {
        self.turn(now, view, |_, _| Ok(()))
    }

    /// What the last turn yields, in the order of the turn rule.
    pub fn poll_output(&mut self) -> Option<Output<Event>> {
        self.outputs.pop_front()
    }

    /// One turn: the work itself, whatever is due, what children have to say to each other, one batch.
    fn turn(
        &mut self,
        now: Now,
        view: &dyn View,
        work: impl FnOnce(&mut Self, &mut Work<'_>) -> Result<(), TurnError>,
    ) -> Result<(), TurnError> {
        let mut turn = Work { now, tx: Turn::new(view), up: VecDeque::new(), out: Vec::new() };
        work(self, &mut turn)?;
        self.drain(&mut turn)?;
        self.timeouts(&mut turn)?;
        self.drain(&mut turn)?;
        self.left(&mut turn);
        self.outputs.push_back(Output::Commit(turn.tx.into_batch()));
        self.outputs.extend(turn.out);
        self.outputs.push_back(Output::Timeout(self.next_timeout()));
        Ok(())
    }

    fn command(&mut self, work: &mut Work<'_>, command: Command) -> Result<Answer, TurnError> {
        Ok(match command {
            Command::AddBootstrap { peers } => {
                self.feeder.add_bootstrap(peers);
                Answer::Done
            }
            Command::PuzzleDone { id, solution } => {
                let linked = self.linked();
                let mut cx = work.cx(&mut self.rng);
                if self.feeder.puzzle_done(&mut cx, &self.key, id, solution, &linked)? {
                    Answer::Done
                } else {
                    Answer::WrongSolution
                }
            }
            Command::Status => Answer::Status(NodeStatus {
                used: self.boxes.disk().used,
                capacity: self.boxes.disk().size,
                factor: self.boxes.disk().factor(),
                without_room: !self.boxes.room(),
                leaving: self.leaving.is(),
                tally: self.tally,
                links: self.links.count() as u64,
                waiting: self.waiters.count() as u64,
                coordinating: self.coordinator.count() as u64,
                ..query::status(&work.tx)?
            }),
            Command::Disk { free, reserve } => {
                self.disk(work, free, reserve);
                Answer::Done
            }
            Command::Drain => {
                self.leave(work)?;
                Answer::Done
            }
        })
    }

    /// What the disk looks like, and what that changes.
    fn disk(&mut self, work: &mut Work<'_>, free: u64, reserve: bool) {
        let look = self.room.look(free, reserve);
        let there_is = self.room.there_is();
        self.boxes.set_room(there_is);
        if look.changed {
            work.out.push(Output::Event(Event::Room { there_is }));
        }
        if look.lay {
            work.out.push(Output::Event(Event::LayReserve));
        }
    }

    /// Begins nothing new from here on, and lets nobody wait.
    // spec: K-45
    fn leave(&mut self, work: &mut Work<'_>) -> Result<(), TurnError> {
        self.leaving.begin(work.now.mono);
        self.coordinator.wait_no_more(&mut work.cx(&mut self.rng));
        for (asker, ask) in self.waiters.all() {
            self.list_now(work, asker, &ask)?;
        }
        Ok(())
    }

    /// Says so when a node that is leaving has nothing under way any more, or no more time for it.
    fn left(&mut self, work: &mut Work<'_>) {
        let left = self.coordinator.count();
        if self.leaving.over(work.now.mono, left) {
            work.out.push(Output::Event(Event::Drained { left }));
        }
    }

    /// Everyone linked, for the feeder to pass news on to.
    pub(crate) fn linked(&self) -> Vec<PeerKey> {
        self.links.peers().collect()
    }

    fn next_timeout(&self) -> Option<Mono> {
        [
            self.feeder.next_timeout(),
            self.coordinator.next_timeout(),
            self.calls.next_timeout(),
            self.waiters.next_timeout(),
            self.repair.next_timeout(),
            self.leaving.next_timeout(),
            Some(self.boxes.next_timeout()),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// What storing depends on, from disjoint fields of the root.
pub(crate) const fn env<'a>(
    key: &'a NodeKey,
    me: PeerKey,
    feeder: &'a Feeder,
    params: &'a NetworkParams,
) -> Env<'a> {
    Env { key, me, directory: &feeder.directory, params }
}
