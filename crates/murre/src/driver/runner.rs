//! The thread itself: wait, gather turns, commit, release; and what happens when that fails.

use super::counters::{Counters, add};
use super::puzzles::Puzzles;
use super::{
    Ask, AskError, CALM, Clock, DiskSeen, Keeper, MAX_COMMANDS, MAX_FAILURES, MAX_TURNS, Machine, Opener,
    Parts, StartError, StopReason, Told, WINDOW,
};
use crate::home::counter::SendCounter;
use murre_core::link::Dest;
use murre_core::{Class, CommandId, Input, LinkId, Mono, Now, Output, Transmit, TurnError, View};
use murre_store::{Backlog, StoreError};
use rand_core::{OsRng, RngCore};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Least time between two tidyings of the store.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// So long nothing has to happen before the full-text index takes a step.
const QUIET: Duration = Duration::from_millis(50);
/// Wait after a step of the index that failed.
const INDEX_AGAIN: Duration = Duration::from_secs(1);
/// Time between two looks at the disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// First wait between two failures in a row, doubled each time; none before the first retry.
const BACK_OFF: Duration = Duration::from_millis(20);

/// What made a transaction fail.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Turn(#[from] TurnError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the send counter: {0}")]
    Counter(std::io::Error),
    #[error("the machine does not open: {0}")]
    Open(String),
}

impl Fault {
    /// What those who wait are told.
    // spec: H-22
    fn told(&self) -> AskError {
        match self {
            Self::Store(StoreError::Full) => AskError::DiskFull,
            _ => AskError::Environment,
        }
    }

    /// Whether nothing is wrong but that there is no room.
    const fn is_want_of_room(&self) -> bool {
        matches!(self, Self::Store(StoreError::Full))
    }
}

/// What leaves once it is durable.
enum Held<E> {
    Transmit(Transmit),
    Event(E),
}

type Waiter<M> = oneshot::Sender<Result<<M as Machine>::Answer, AskError>>;

pub(super) struct Runner<M: Machine, K, O> {
    machine: M,
    store: K,
    opener: O,
    clock: Clock,
    due: Option<Mono>,
    asks: mpsc::Receiver<Ask<M>>,
    inputs: mpsc::Receiver<Input>,
    inputs_open: bool,
    transmit: Box<dyn FnMut(Transmit) + Send>,
    notice: Box<dyn FnMut(M::Notice) + Send>,
    counter: Option<SendCounter>,
    /// Something was stored since the counter was last raised.
    unraised: bool,
    puzzles: Puzzles,
    counters: Arc<Counters>,
    // What waits.
    commands: Vec<(CommandId, M::Command)>,
    looks: Vec<Box<dyn FnOnce(&M, Now) + Send>>,
    queued: VecDeque<Input>,
    waiters: BTreeMap<CommandId, Waiter<M>>,
    next_command: u64,
    stopping: bool,
    tidy_at: Option<Instant>,
    index_at: Option<Instant>,
    /// Not before this, however much waits: the last step failed.
    index_after: Option<Instant>,
    /// What the machine was last told of the disk; nothing if the present one was told nothing.
    disk: Option<DiskSeen>,
    disk_at: Option<Instant>,
    // What outlives a machine.
    generation: u64,
    links: BTreeSet<LinkId>,
    orphans: BTreeSet<LinkId>,
    listening: Option<Input>,
    failures: u32,
    failed_at: Option<Instant>,
    /// The last field: dropped after the store.
    _hold: Box<dyn Any + Send>,
}

impl<M: Machine, K: Keeper, O: Opener<M>> Runner<M, K, O> {
    pub fn open(
        parts: Parts<M, K, O>,
        asks: mpsc::Receiver<Ask<M>>,
        own: mpsc::WeakSender<Ask<M>>,
        counters: Arc<Counters>,
    ) -> Result<Self, StartError<O::Error>> {
        let Parts { store, mut opener, inputs, transmit, notice, counter, hold } = parts;
        let clock = Clock::start();
        let puzzles = Puzzles::start(own).map_err(|_| StartError::Thread)?;
        let now = clock.now();
        let machine = opener.open(fresh_seed(), now, &store).map_err(StartError::Open)?;
        Ok(Self {
            machine,
            store,
            opener,
            clock,
            // A machine says when it wants to be called only at the end of a turn: give it a first one.
            due: Some(now.mono),
            asks,
            inputs,
            inputs_open: true,
            transmit,
            notice,
            counter,
            unraised: false,
            puzzles,
            counters,
            commands: Vec::new(),
            looks: Vec::new(),
            queued: VecDeque::new(),
            waiters: BTreeMap::new(),
            next_command: 0,
            stopping: false,
            tidy_at: None,
            index_at: None,
            index_after: None,
            disk: None,
            disk_at: M::disk(DiskSeen::FULL).map(|_| Instant::now()),
            generation: 0,
            links: BTreeSet::new(),
            orphans: BTreeSet::new(),
            listening: None,
            failures: 0,
            failed_at: None,
            _hold: hold,
        })
    }

    /// Runs until it is asked to stop, all holds are dropped, or the store fails for good.
    pub fn run(mut self) -> StopReason {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return StopReason::Failing { failures: 1, last: error.to_string() },
        };
        loop {
            runtime.block_on(self.wait());
            if self.gather()
                && let Err(fault) = self.transaction()
                && let Err(reason) = self.recover(fault)
            {
                return self.end(reason);
            }
            let now = self.clock.now();
            for look in std::mem::take(&mut self.looks) {
                look(&self.machine, now);
            }
            self.tidy();
            self.index();
            self.look_at_disk();
            if self.stopping {
                return self.end(StopReason::Asked);
            }
        }
    }

    fn end(mut self, reason: StopReason) -> StopReason {
        for (_, waiter) in std::mem::take(&mut self.waiters) {
            let _ = waiter.send(Err(AskError::Stopped));
        }
        reason
    }

    /// Sleeps until something is to be done.
    async fn wait(&mut self) {
        if self.work_waits() {
            return;
        }
        let due = self.due.and_then(|at| self.clock.instant(at));
        let wake = [due, self.tidy_at, self.index_at, self.disk_at].into_iter().flatten().min();
        tokio::select! {
            biased;
            ask = self.asks.recv() => match ask {
                Some(ask) => self.take_ask(ask),
                None => self.stopping = true,
            },
            input = self.inputs.recv(), if self.inputs_open => match input {
                Some(input) => self.take_input(input),
                None => self.inputs_open = false,
            },
            () = sleep_until(wake) => {}
        }
    }

    fn work_waits(&self) -> bool {
        !self.commands.is_empty() || !self.queued.is_empty() || !self.looks.is_empty() || self.stopping
    }

    fn take_ask(&mut self, ask: Ask<M>) {
        match ask {
            Ask::Command { command, answer } => {
                let id = self.next_id();
                self.waiters.insert(id, answer);
                self.commands.push((id, command));
            }
            Ask::Look(look) => self.looks.push(look),
            Ask::Solved { generation, id, solution } if generation == self.generation => {
                let command = (self.next_id(), M::solved(id, solution));
                self.commands.push(command);
            }
            Ask::Solved { .. } => {}
            Ask::Stop => self.stopping = true,
        }
    }

    fn next_id(&mut self) -> CommandId {
        self.next_command += 1;
        CommandId(self.next_command)
    }

    /// Takes what waits without waiting. `true` if there is a turn to take.
    fn gather(&mut self) -> bool {
        while self.commands.len() < MAX_COMMANDS && !self.stopping {
            match self.asks.try_recv() {
                Ok(ask) => self.take_ask(ask),
                Err(_) => break,
            }
        }
        while self.queued.is_empty() {
            match self.inputs.try_recv() {
                Ok(input) => self.take_input(input),
                Err(_) => break,
            }
        }
        !self.commands.is_empty() || !self.queued.is_empty() || self.is_due()
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|at| at <= self.clock.now().mono)
    }

    /// BEGIN, turns, COMMIT, counter, release.
    // spec: M-1, M-3
    fn transaction(&mut self) -> Result<(), Fault> {
        let began = Instant::now();
        let (mut held, mut turns) = (Vec::new(), 0);
        self.store.begin()?;
        while self.gather() && turns < MAX_TURNS && (turns == 0 || began.elapsed() < WINDOW) {
            turns += self.round(&mut held)?;
        }
        let sends = held.iter().any(|held| matches!(held, Held::Transmit(_)));
        let raise = self.counter.as_ref().filter(|_| sends && self.unraised).map(SendCounter::next);
        if let Some(batch) = &raise {
            self.store.apply(batch)?;
        }
        self.store.commit()?;
        self.index_at = None;
        add(&self.counters.commits, 1);
        if raise.is_some()
            && let Some(counter) = &mut self.counter
        {
            counter.raise().map_err(Fault::Counter)?;
            self.unraised = false;
        }
        self.release(held);
        Ok(())
    }

    /// One turn for all waiting commands, one for the next input, one for the timer, whichever there are.
    fn round(&mut self, held: &mut Vec<Held<M::Event>>) -> Result<usize, Fault> {
        let mut turns = 0;
        if !self.commands.is_empty() {
            let commands = std::mem::take(&mut self.commands);
            add(&self.counters.commands, commands.len());
            self.turn(held, |machine, now, view| machine.handle_commands(now, view, commands))?;
            turns += 1;
        }
        if let Some(input) = self.queued.pop_front() {
            add(&self.counters.inputs, 1);
            self.turn(held, |machine, now, view| machine.handle_input(now, view, input))?;
            turns += 1;
        }
        if self.is_due() {
            self.turn(held, |machine, now, view| machine.handle_timeout(now, view))?;
            turns += 1;
        }
        Ok(turns)
    }

    // spec: M-2
    fn turn(
        &mut self,
        held: &mut Vec<Held<M::Event>>,
        verb: impl FnOnce(&mut M, Now, &dyn View) -> Result<(), TurnError>,
    ) -> Result<(), Fault> {
        add(&self.counters.turns, 1);
        verb(&mut self.machine, self.clock.now(), &self.store)?;
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Commit(batch) => {
                    self.unraised |= !batch.is_empty();
                    self.store.apply(&batch)?;
                }
                Output::Transmit(transmit) => held.push(Held::Transmit(transmit)),
                Output::Event(event) => held.push(Held::Event(event)),
                Output::Timeout(at) => self.due = at,
            }
        }
        Ok(())
    }

    fn release(&mut self, held: Vec<Held<M::Event>>) {
        for held in held {
            match held {
                Held::Transmit(transmit) => {
                    add(&self.counters.transmits, 1);
                    (self.transmit)(transmit);
                }
                Held::Event(event) => match M::sort(event) {
                    Told::Answer(id, answer) => {
                        // Commands of our own (solutions) have nobody waiting, and callers may have gone.
                        if let Some(waiter) = self.waiters.remove(&id) {
                            let _ = waiter.send(Ok(answer));
                        }
                    }
                    Told::Notice(notice) => (self.notice)(notice),
                    Told::Solve(id, puzzle) => {
                        add(&self.counters.puzzles, 1);
                        self.puzzles.give(self.generation, id, puzzle);
                    }
                    Told::LayReserve => self.store.lay_reserve(),
                },
            }
        }
    }

    /// Rolls back, answers what waits, opens the machine again.
    // spec: M-4
    fn recover(&mut self, mut fault: Fault) -> Result<(), StopReason> {
        self.store.rollback();
        let full = fault.is_want_of_room();
        if full {
            self.store.give_reserve();
        }
        for (_, waiter) in std::mem::take(&mut self.waiters) {
            let _ = waiter.send(Err(fault.told()));
        }
        self.commands.clear();
        loop {
            tracing::error!(error = %fault, "a transaction failed; nothing of it was kept or sent");
            self.count_failure(&fault)?;
            let now = self.clock.now();
            match self.opener.open(fresh_seed(), now, &self.store) {
                Ok(machine) => {
                    self.machine = machine;
                    self.due = Some(now.mono);
                    self.start_over();
                    self.disk = None;
                    if full {
                        self.tell_disk(DiskSeen::FULL);
                    }
                    return Ok(());
                }
                Err(error) => fault = Fault::Open(error.to_string()),
            }
        }
    }

    fn count_failure(&mut self, fault: &Fault) -> Result<(), StopReason> {
        add(&self.counters.failures, 1);
        if self.failed_at.is_none_or(|at| at.elapsed() > CALM) {
            self.failures = 0;
        }
        self.failures += 1;
        self.failed_at = Some(Instant::now());
        if fault.is_want_of_room() {
            // No reason to give up: somebody makes room, and then all goes on. Until then it is tried ever more rarely.
            self.failures = self.failures.min(MAX_FAILURES - 2);
        }
        if self.failures >= MAX_FAILURES {
            return Err(StopReason::Failing { failures: self.failures, last: fault.to_string() });
        }
        if let Some(doublings) = self.failures.checked_sub(2) {
            std::thread::sleep(BACK_OFF * 2u32.pow(doublings));
        }
        Ok(())
    }

    /// The new machine knows no link: those that are up are closed, so that both ends begin again.
    fn start_over(&mut self) {
        self.generation += 1;
        self.puzzles.only(self.generation);
        self.queued.clear();
        for link in std::mem::take(&mut self.links) {
            self.orphans.insert(link);
            (self.transmit)(Transmit { to: Dest::Close(link), class: Class::Control, bytes: Vec::new() });
        }
        self.queued.extend(self.listening.clone());
    }

    /// Keeps the list of links, and drops what comes from links that the present machine never knew.
    fn take_input(&mut self, input: Input) {
        let orphan = match &input {
            Input::LinkUp(up) => {
                self.links.insert(up.id);
                false
            }
            Input::LinkDown { link, .. } => {
                self.links.remove(link);
                self.orphans.remove(link)
            }
            Input::Frame { link, .. } | Input::Credit { link, .. } => self.orphans.contains(link),
            Input::Listening { .. } => {
                self.listening = Some(input.clone());
                false
            }
            Input::Unreachable { .. } => false,
        };
        if orphan {
            add(&self.counters.stale, 1);
        } else {
            self.queued.push_back(input);
        }
    }

    /// Between two transactions, once in [`LOOK_EVERY`]: the machine is told what is new about the disk.
    fn look_at_disk(&mut self) {
        let Some(at) = self.disk_at else { return };
        let now = Instant::now();
        if at > now {
            return;
        }
        self.disk_at = Some(now + LOOK_EVERY);
        // A disk that does not say is believed to be as it was. A missing reserve is news each time: it may have been
        // asked for.
        if let Some(seen) = self.store.disk().filter(|seen| !seen.reserve || Some(*seen) != self.disk) {
            self.tell_disk(seen);
        }
    }

    fn tell_disk(&mut self, seen: DiskSeen) {
        self.disk = Some(seen);
        let id = self.next_id();
        self.commands.extend(M::disk(seen).map(|command| (id, command)));
    }

    /// Between two transactions, and at most once in [`TIDY_EVERY`]: emptying a WAL costs as much as many COMMITs.
    fn tidy(&mut self) {
        if self.tidy_at.is_some_and(|at| at > Instant::now()) {
            return;
        }
        self.tidy_at = None;
        if self.store.wants_tidy() {
            self.store.tidy();
            self.tidy_at = Some(Instant::now() + TIDY_EVERY);
        }
    }

    /// A step of the full-text index: when nothing has happened for a while and nothing waits, or when so much waits
    /// for the index that searches would take time. It is no turn, and nothing of the machine depends on it.
    // spec: M-27
    fn index(&mut self) {
        let backlog = self.store.wants_index();
        if backlog == Backlog::None {
            self.index_at = None;
            return;
        }
        let now = Instant::now();
        let soonest = self.index_after.map_or(now, |after| after.max(now));
        let quiet = if backlog == Backlog::Crowded { now } else { now + QUIET };
        let at = *self.index_at.get_or_insert(quiet.max(soonest));
        if at > now || (backlog != Backlog::Crowded && self.work_waits()) {
            return;
        }
        match self.store.index() {
            // The next one at once, unless somebody asks for something in between.
            Ok(()) => {
                add(&self.counters.index_steps, 1);
                (self.index_at, self.index_after) = (Some(now), None);
            }
            Err(error) => {
                tracing::warn!(%error, "the search index could not be written; it is tried again");
                let again = Some(now + INDEX_AGAIN);
                (self.index_at, self.index_after) = (again, again);
            }
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// From the operating system, at each start, never stored.
// spec: M-7
fn fresh_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    seed
}
