//! A machine of a few lines and a store that the test can look into while the driver owns it.

use murre::driver::{DiskSeen, Keeper, Machine, Told};
use murre_core::link::Dest;
use murre_core::store::{Op, Rows};
use murre_core::{
    Batch, Bug, Class, CommandId, Direction, Input, LinkId, Mono, Now, Output, Query, Range, Search, Space,
    Transmit, TurnError, View, ViewError,
};
use murre_crypto::puzzle::{Puzzle, Solution};
use murre_store::{Backlog, Fault, MemoryStore, Store, StoreError};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub const ROWS: Space = Space::seq(300, "toy.rows");

/// What the toy can be asked.
#[derive(Debug)]
pub enum Ask {
    /// Store this number, send it, tell it, answer with how many commands came in the same turn.
    Keep(u64),
    /// Solve a puzzle and keep its answer as a row.
    Puzzle(Puzzle),
    Solved(u64, Option<Solution>),
    /// Fail as a machine does.
    Fail,
    /// Keep and never answer.
    Silent(u64),
    /// Be called again after this many milliseconds.
    Later(u64),
    /// What the disk looks like.
    Disk(DiskSeen),
}

/// What the toy tells unasked.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Kept(u64),
    Solved(bool),
    Frame(Vec<u8>),
    Timeout,
    Disk(DiskSeen),
}

pub enum Event {
    Answer(CommandId, u64),
    Said(Said),
    Solve(u64, Puzzle),
    LayReserve,
}

/// Keeps numbers. Reads them all at open, so that a lost one shows.
pub struct Toy {
    pub kept: Vec<u64>,
    out: VecDeque<Output<Event>>,
    timer: Option<Mono>,
}

impl Toy {
    pub fn open(_seed: [u8; 32], _now: Now, view: &dyn View) -> Result<Self, TurnError> {
        let rows = view.scan(ROWS, &Range::all(), Direction::Forward, 1 << 20)?;
        let kept = rows.into_iter().map(|(k, _)| u64::from_be_bytes(k.try_into().unwrap())).collect();
        Ok(Self { kept, out: VecDeque::new(), timer: None })
    }

    fn end(&mut self, batch: Batch, rest: Vec<Output<Event>>) {
        self.out.push_back(Output::Commit(batch));
        self.out.extend(rest);
        self.out.push_back(Output::Timeout(self.timer));
    }
}

fn put(n: u64) -> Op {
    Op::Put { space: ROWS, key: n.to_be_bytes().to_vec(), value: vec![1] }
}

pub fn frame(n: u64) -> Transmit {
    Transmit { to: Dest::Link(LinkId(1)), class: Class::Message, bytes: n.to_be_bytes().to_vec() }
}

impl Machine for Toy {
    type Command = Ask;
    type Answer = u64;
    type Notice = Said;
    type Event = Event;

    fn handle_commands(
        &mut self,
        now: Now,
        view: &dyn View,
        commands: Vec<(CommandId, Ask)>,
    ) -> Result<(), TurnError> {
        let (mut batch, mut rest) = (Batch::default(), Vec::new());
        let together = commands.len() as u64;
        for (id, command) in commands {
            match command {
                Ask::Keep(n) => {
                    // A machine reads before it writes, and a read may fail.
                    view.get(ROWS, &n.to_be_bytes())?;
                    self.kept.push(n);
                    batch.ops.push(put(n));
                    rest.push(Output::Transmit(frame(n)));
                    rest.push(Output::Event(Event::Said(Said::Kept(n))));
                    rest.push(Output::Event(Event::Answer(id, together)));
                }
                Ask::Silent(n) => batch.ops.push(put(n)),
                Ask::Puzzle(puzzle) => {
                    rest.push(Output::Event(Event::Solve(7, puzzle)));
                    rest.push(Output::Event(Event::Answer(id, together)));
                }
                Ask::Solved(puzzle, solution) => {
                    assert_eq!(puzzle, 7);
                    rest.push(Output::Event(Event::Said(Said::Solved(solution.is_some()))));
                }
                Ask::Fail => return Err(Bug::new("asked for").into()),
                Ask::Disk(seen) => {
                    rest.push(Output::Event(Event::Said(Said::Disk(seen))));
                    if !seen.reserve && seen.free > 0 {
                        rest.push(Output::Event(Event::LayReserve));
                    }
                }
                Ask::Later(ms) => {
                    self.timer = Some(now.mono.plus(ms));
                    rest.push(Output::Event(Event::Answer(id, together)));
                }
            }
        }
        self.end(batch, rest);
        Ok(())
    }

    fn handle_input(&mut self, _now: Now, _view: &dyn View, input: Input) -> Result<(), TurnError> {
        let rest = match input {
            Input::Frame { bytes, .. } => vec![Output::Event(Event::Said(Said::Frame(bytes)))],
            _ => Vec::new(),
        };
        self.end(Batch::default(), rest);
        Ok(())
    }

    fn handle_timeout(&mut self, now: Now, _view: &dyn View) -> Result<(), TurnError> {
        let mut rest = Vec::new();
        if self.timer.is_some_and(|at| at <= now.mono) {
            self.timer = None;
            rest.push(Output::Event(Event::Said(Said::Timeout)));
        }
        self.end(Batch::default(), rest);
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output<Event>> {
        self.out.pop_front()
    }

    fn sort(event: Event) -> Told<u64, Said> {
        match event {
            Event::Answer(id, answer) => Told::Answer(id, answer),
            Event::Said(said) => Told::Notice(said),
            Event::Solve(id, puzzle) => Told::Solve(id, puzzle),
            Event::LayReserve => Told::LayReserve,
        }
    }

    fn solved(id: u64, solution: Option<Solution>) -> Ask {
        Ask::Solved(id, solution)
    }

    fn disk(seen: DiskSeen) -> Option<Ask> {
        Some(Ask::Disk(seen))
    }
}

/// A [`MemoryStore`] that the test holds as well.
#[derive(Clone, Default)]
pub struct Shared(pub Arc<Mutex<MemoryStore>>, pub Arc<AtomicBool>, pub Arc<Index>, pub Disk);

/// What waits for the index of a [`Shared`], and the steps that were taken.
#[derive(Default)]
pub struct Index {
    pub waits: AtomicUsize,
    pub steps: AtomicUsize,
    pub fails: AtomicBool,
}

/// The disk under the store: what it says is free, once it says anything; how often the reserve was given up and laid.
#[derive(Clone, Default)]
pub struct Disk {
    pub free: Arc<AtomicU64>,
    pub given: Arc<AtomicUsize>,
    pub laid: Arc<AtomicUsize>,
}

impl Shared {
    pub fn fail_next(&self, fault: Fault) {
        self.0.lock().unwrap().fail_next(fault);
    }

    /// Whether this number is committed.
    pub fn holds(&self, n: u64) -> bool {
        let snapshot = self.0.lock().unwrap().snapshot();
        snapshot.get(ROWS, &n.to_be_bytes()).unwrap().is_some()
    }
}

impl View for Shared {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.0.lock().unwrap().get(space, key)
    }
    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        self.0.lock().unwrap().scan(space, range, dir, limit)
    }
}

impl Store for Shared {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.0.lock().unwrap().begin()
    }
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.lock().unwrap().apply(batch)
    }
    fn commit(&mut self) -> Result<(), StoreError> {
        self.0.lock().unwrap().commit()
    }
    fn rollback(&mut self) {
        self.0.lock().unwrap().rollback();
    }
    fn wants_index(&self) -> Backlog {
        match self.2.waits.load(Ordering::SeqCst) {
            0 => Backlog::None,
            1..=9 => Backlog::Some,
            _ => Backlog::Crowded,
        }
    }
    fn index(&mut self) -> Result<(), StoreError> {
        self.2.steps.fetch_add(1, Ordering::SeqCst);
        // Only outside a transaction can another one begin.
        self.begin().expect("no transaction is open");
        self.rollback();
        if self.2.fails.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Full);
        }
        self.2.waits.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Search for Shared {
    fn search(
        &self,
        query: &Query,
        tag: Option<u32>,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, ViewError> {
        self.0.lock().unwrap().search(query, tag, below, limit)
    }
}

/// Wants to be tidied when the flag is set, and takes it back once that is done.
impl Keeper for Shared {
    fn wants_tidy(&self) -> bool {
        self.1.load(Ordering::SeqCst)
    }
    fn tidy(&mut self) {
        // Only outside a transaction can another one begin.
        self.begin().expect("no transaction is open");
        self.rollback();
        self.1.store(false, Ordering::SeqCst);
    }
    fn disk(&mut self) -> Option<DiskSeen> {
        let free = self.3.free.load(Ordering::SeqCst);
        let reserve = self.3.laid.load(Ordering::SeqCst) > 0;
        (free > 0).then_some(DiskSeen { free, reserve })
    }
    fn lay_reserve(&mut self) {
        self.3.laid.fetch_add(1, Ordering::SeqCst);
    }
    fn give_reserve(&mut self) {
        self.3.given.fetch_add(1, Ordering::SeqCst);
    }
}
