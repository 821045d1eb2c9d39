//! The virtual shell: hosts, their clocks, and the turn rule.
//!
//! It runs a machine exactly as the real shell does: BEGIN; turn, apply; turn, apply; COMMIT; then it releases the
//! held Transmits and Events in order. Because it is virtual it can also die between any two of these steps:
//!
//! ```text
//!   BEGIN  turn  apply  turn  apply  |A|  COMMIT  |B|  release
//!                                     |            |_ crash after commit: the batch stays, nothing is said
//!                                     |_ crash before commit: neither the batch nor its outputs ever were
//! ```
//!
//! What this module does not know: what a machine is for, who is hostile, what should have happened.

mod nodes;
mod turns;

use crate::agenda::Agenda;
use crate::dice::{Dice, machine_seed};
use crate::liar::Liar;
use crate::machine::{Cmd, Ev, Machine, Program, Stimulus};
use crate::net::{ForHost, HostId, Net};
use crate::oracle::Watch;
use crate::oracle::claims::Claim;
use crate::sabotage::ShellFault;
use crate::totals::Totals;
use crate::trace::Trace;
use murre_core::id::PeerKey;
use murre_core::{Batch, CommandId, Input, Mono, Now, Transmit, Wall};
use murre_store::{Fault, MemoryStore, Snapshot};
use std::collections::VecDeque;

/// Steps after which a run is said not to come to rest.
pub const MAX_STEPS: u64 = 4_000_000;
/// Inputs that may wait for one host: what a real shell leaves in its sockets.
pub const MAX_INBOX: usize = 16_384;
/// Most turns in one transaction.
const MAX_TURNS: u64 = 4;

/// Where in the transaction a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// The batch and its outputs never were.
    BeforeCommit,
    /// The batch stays, its outputs are lost.
    AfterCommit,
    /// The store fails instead; the machine is opened again at once.
    Store(Fault),
}

/// A planned death.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    /// Turns until then.
    pub turns: u64,
    /// Where.
    pub point: CrashPoint,
    /// How long the process stays down, ms.
    pub down: u64,
}

/// One computer with one process.
pub struct Host {
    /// Its name in reports.
    pub name: String,
    /// What survives a crash.
    pub store: MemoryStore,
    /// Wall clock minus true time, ms.
    pub skew: i64,
    /// A planned death.
    pub crash: Option<Crash>,
    /// A planned death at one of the batches that write into a blob: its turns are such batches.
    pub at_blob: Option<Crash>,
    /// A node without room to write.
    pub full: bool,
    /// A node that was asked to leave.
    pub leaving: Option<Leaving>,
    /// Lies on the way in and out.
    pub liar: Option<Liar>,
    /// Follows no protocol at all.
    pub stranger: bool,
    /// Asleep: the process is in memory and does nothing.
    pub frozen: bool,
    /// Gone for good.
    pub dead: bool,
    /// An earlier state of its store, for the planted fault that goes back to it.
    pub old: Option<Snapshot>,
    program: Box<dyn Program>,
    machine: Option<Box<dyn Machine>>,
    inbox: VecDeque<Stimulus>,
    wake: Option<u64>,
    run_at: Option<u64>,
    boot: u64,
    starts: u64,
    next_command: u64,
    in_tx: bool,
    /// Whether the reserve lies on its disk.
    pub reserve: bool,
    /// The last command that told it whether there is room.
    asked_room: Option<CommandId>,
    /// Under a planted fault: blob writes that are made after the commit.
    late: Batch,
}

/// What a node was asked.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    /// In which life.
    pub life: u64,
    /// Whether it never comes back.
    pub for_good: bool,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("name", &self.name).field("up", &self.machine.is_some()).finish()
    }
}

impl Host {
    /// Whether its process runs.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.machine.is_some()
    }

    /// Both clocks at a true time.
    #[must_use]
    pub fn clocks(&self, at: u64) -> Now {
        Now { mono: Mono(at.saturating_sub(self.boot)), wall: Wall(at.saturating_add_signed(self.skew)) }
    }
}

/// What a job of the shell does.
#[derive(Debug)]
enum Job {
    Run(HostId, u64),
    Start(HostId, u64),
}

/// What came out of a host, for the director.
#[derive(Debug)]
pub enum Outcome {
    /// An event.
    Event(HostId, Ev),
    /// The process was started.
    Started(HostId),
    /// The process died: commands without answer will have none.
    Died(HostId),
}

/// What a turn made, until its batch is durable.
enum Held {
    Batch(Batch),
    Transmit(Transmit),
    Event(Ev, Option<Claim>),
}

/// All hosts on one virtual clock.
#[derive(Debug)]
pub struct Sim {
    /// The run's seed.
    pub seed: u64,
    /// True time, ms since the Unix epoch.
    pub now: u64,
    /// All hosts.
    pub hosts: Vec<Host>,
    /// The network between them.
    pub net: Net,
    /// The hash of everything.
    pub trace: Trace,
    /// Counters.
    pub totals: Totals,
    /// What is checked while it happens.
    pub watch: Watch,
    /// What came out since the director last looked.
    pub outcomes: VecDeque<Outcome>,
    /// A planted fault of the shell itself.
    pub fault: Option<ShellFault>,
    /// Print what happens.
    pub verbose: bool,
    /// Steps after which this run is said not to come to rest.
    pub max_steps: u64,
    agenda: Agenda<Job>,
    dice: Dice,
}

impl Sim {
    /// Nothing yet, at a true time.
    #[must_use]
    pub fn new(seed: u64, now: u64, net: Net, watch: Watch) -> Self {
        Self {
            seed,
            now,
            hosts: Vec::new(),
            net,
            trace: Trace::default(),
            totals: Totals::default(),
            watch,
            outcomes: VecDeque::new(),
            fault: None,
            verbose: false,
            max_steps: MAX_STEPS,
            agenda: Agenda::default(),
            dice: Dice::new(seed, "shell"),
        }
    }

    /// Adds a host that is not started.
    pub fn add_host(&mut self, name: &str, program: Box<dyn Program>, skew: i64) -> HostId {
        let id = self.net.add();
        self.hosts.push(Host {
            name: name.to_owned(),
            store: MemoryStore::new(),
            skew,
            crash: None,
            at_blob: None,
            full: false,
            leaving: None,
            liar: None,
            stranger: false,
            frozen: false,
            dead: false,
            old: None,
            program,
            machine: None,
            inbox: VecDeque::new(),
            wake: None,
            run_at: None,
            boot: now_minus_uptime(self.now),
            starts: 0,
            next_command: 1,
            in_tx: false,
            reserve: true,
            asked_room: None,
            late: Batch::default(),
        });
        id
    }

    /// Starts the process, if it is not up.
    pub fn start(&mut self, id: HostId) {
        let at = self.now;
        let Some(host) = self.hosts.get_mut(id).filter(|h| !h.dead && h.machine.is_none()) else { return };
        if let Some(old) = host.old.as_ref().filter(|_| self.fault == Some(ShellFault::StaleRestart)) {
            host.store.restore(old);
        }
        host.starts += 1;
        host.boot = at.saturating_sub(1_000 + host.starts);
        let fresh = if self.fault == Some(ShellFault::SameSeed) { 1 } else { host.starts };
        let seed = machine_seed(self.seed, id, fresh);
        let key = host.program.transport_key(&machine_seed(self.seed, id, host.starts));
        let now = host.clocks(at);
        match host.program.open(now, seed, &host.store) {
            Ok(machine) => host.machine = Some(machine),
            Err(why) => {
                let name = host.name.clone();
                return self.watch.fail("open", format!("{name} cannot be opened from its store: {why}"));
            }
        }
        host.inbox.clear();
        host.wake = None;
        let listens = host.program.listens();
        self.net.plugged(id, key, listens);
        let addrs = if listens { vec![self.net.addr(id)] } else { Vec::new() };
        self.watch.wire.started(id);
        self.trace.note(at, id, "start", key.as_bytes());
        self.say(id, "started");
        self.input(id, Input::Listening { own: key, addrs });
        // A machine says when it wants to be woken only at the end of a turn: the first is for the asking.
        self.stimulus(id, Stimulus::Timeout);
        if self.hosts[id].full {
            self.tell_room(id);
        }
        self.outcomes.push_back(Outcome::Started(id));
    }

    /// The next start is of another program, over the same store: the same node or person, told something else.
    pub fn reconfigure(&mut self, id: HostId, program: Box<dyn Program>) {
        self.hosts[id].program = program;
    }

    /// Starts the process later.
    pub fn start_in(&mut self, id: HostId, ms: u64) {
        let life = self.hosts[id].starts;
        self.agenda.add(self.now + ms, Job::Start(id, life));
    }

    /// Ends the process at once: what was not committed is gone.
    pub fn stop(&mut self, id: HostId) {
        let host = &mut self.hosts[id];
        if host.machine.take().is_none() {
            return;
        }
        host.store.crash();
        host.in_tx = false;
        host.inbox.clear();
        host.wake = None;
        host.run_at = None;
        host.frozen = false;
        host.late.ops.clear();
        // Whoever was asked to leave has left, in order or not.
        host.dead |= host.leaving.take().is_some_and(|leaving| leaving.for_good);
        self.watch.wire.full.remove(&id);
        self.net.unplugged(self.now, id);
        self.trace.note(self.now, id, "stop", b"");
        self.say(id, "stopped");
        self.outcomes.push_back(Outcome::Died(id));
    }

    /// Puts the process to sleep in memory, or wakes it.
    pub fn freeze(&mut self, id: HostId, frozen: bool) {
        if self.hosts[id].machine.is_none() {
            return;
        }
        self.hosts[id].frozen = frozen;
        self.net.set_off(self.now, id, frozen);
        if !frozen {
            self.wake_host(id);
        }
    }

    /// Gives a host a command and says under which number its answer will come.
    pub fn command(&mut self, id: HostId, command: Cmd) -> CommandId {
        let host = &mut self.hosts[id];
        let number = CommandId(host.next_command);
        host.next_command += 1;
        match host.inbox.back_mut() {
            Some(Stimulus::Commands(waiting)) => waiting.push((number, command)),
            _ => host.inbox.push_back(Stimulus::Commands(vec![(number, command)])),
        }
        self.wake_host(id);
        number
    }

    fn input(&mut self, id: HostId, input: Input) {
        let bytes = match &input {
            Input::Frame { bytes, .. } => bytes.as_slice(),
            _ => &[],
        };
        self.trace.note(self.now, id, "in", bytes);
        self.stimulus(id, Stimulus::Input(input));
    }

    fn stimulus(&mut self, id: HostId, stimulus: Stimulus) {
        let host = &mut self.hosts[id];
        if host.machine.is_none() {
            return;
        }
        host.inbox.push_back(stimulus);
        if host.inbox.len() > MAX_INBOX {
            let name = host.name.clone();
            self.watch.fail("bounds", format!("{} inputs wait for {name}", MAX_INBOX));
        }
        self.wake_host(id);
    }

    fn wake_host(&mut self, id: HostId) {
        let at = self.now + self.dice.range(0, 2);
        self.run_at(id, at);
    }

    fn run_at(&mut self, id: HostId, at: u64) {
        let host = &mut self.hosts[id];
        if host.run_at.is_none_or(|planned| planned > at || planned < self.now) {
            host.run_at = Some(at);
            self.agenda.add(at, Job::Run(id, at));
        }
    }

    /// Runs until a true time. What comes out on the way is given to `react`, which may give commands.
    pub fn run_until(&mut self, until: u64, react: &mut dyn FnMut(&mut Self, Outcome)) {
        loop {
            while let Some(outcome) = self.outcomes.pop_front() {
                react(self, outcome);
            }
            if self.watch.is_over() {
                return;
            }
            let (net, own) = (self.net.agenda.next_at(), self.agenda.next_at());
            let next = [net, own].into_iter().flatten().min();
            match next.filter(|at| *at <= until) {
                None => break,
                Some(at) => self.now = self.now.max(at),
            }
            if net == next {
                self.run_net();
            } else if let Some((_, job)) = self.agenda.pop() {
                match job {
                    Job::Run(id, at) if self.hosts[id].run_at == Some(at) => self.run_host(id),
                    Job::Start(id, life) if self.hosts[id].starts == life => self.start(id),
                    Job::Run(..) | Job::Start(..) => {}
                }
            }
            if self.trace.steps() > self.max_steps {
                self.watch.fail("rest", format!("no rest after {} steps", self.max_steps));
            }
        }
        self.now = self.now.max(until);
    }

    /// Time goes by while every process is stopped or asleep.
    pub fn jump(&mut self, ms: u64) {
        self.now += ms;
    }

    fn run_net(&mut self) {
        let Some((_, job)) = self.net.agenda.pop() else { return };
        let mut inputs: Vec<ForHost> = Vec::new();
        self.net.run(self.now, job, &mut inputs, &mut self.totals);
        for (id, input) in inputs {
            let lied = match (&mut self.hosts[id].liar, &input) {
                (Some(liar), Input::Frame { link, bytes }) => liar.incoming(*link, bytes),
                _ => None,
            };
            match lied {
                None => self.input(id, input),
                Some(said) => {
                    self.totals.lies += 1;
                    for t in said {
                        self.transmit(id, t);
                    }
                }
            }
        }
    }

    /// Prints, if anybody listens.
    pub fn say(&self, id: HostId, what: &str) {
        if self.verbose {
            println!(
                "{:>12.3} {:<8} {what}",
                (self.now % 100_000_000_000) as f64 / 1_000.0,
                self.hosts[id].name
            );
        }
    }

    /// The transport key that a host's next frames come from, for tests.
    #[must_use]
    pub fn peer_ref(&self, id: HostId, key: PeerKey) -> murre_core::PeerRef {
        murre_core::PeerRef { key, addrs: vec![self.net.addr(id)] }
    }
}

fn now_minus_uptime(now: u64) -> u64 {
    now.saturating_sub(1_000)
}
