//! A small deterministic world: real custodians and real devices over memory stores, one virtual clock, a constant
//! delay. Faults are the simulator's business; here the paths are walked one by one.

use murre_core::id::PeerKey;
use murre_core::store::Rows;
use murre_core::{
    Addr, BlobNo, CommandId, Dest, Direction, Input, LinkCaps, LinkDownReason, LinkId, LinkKind, LinkUp,
    Mono, NetworkParams, Now, Output, PeerRef, Range, Rng, Space, Transmit, TurnError, View, ViewError, Wall,
};
use murre_crypto::{NodeKey, Phrase, Secret};
use murre_custodian::{Config as NodeConfig, Custodian};
use murre_device::{
    Answer, Command, CommandError, Config, Device, Event, Init, NetworkCommand, Notice, Progress, rows,
};
use murre_mailbox::NetworkFile;
use murre_store::{MemoryStore, Store};
use std::cell::Cell;
use std::collections::BTreeMap;

const DELAY: u64 = 5;
pub const START: u64 = 1_790_000_000_000;

enum Machine {
    Device(Box<Device>),
    Node(Box<Custodian>),
    Off,
}

pub struct Host {
    pub store: MemoryStore,
    machine: Machine,
    key: PeerKey,
    timeout: Option<Mono>,
    secret: Option<[u8; 32]>,
    pub answers: BTreeMap<u64, Result<Answer, CommandError>>,
    pub notices: Vec<Notice>,
    /// How files went on, and when that was told.
    pub progress: Vec<(u64, Progress)>,
    /// Turns of its device that stored something.
    pub writes: u64,
    /// Rows of the outbox that its device has read.
    pub outbox_rows: u64,
    /// The most that one turn read.
    pub outbox_turn: u64,
}

enum Happening {
    Input(usize, Input),
    Solved(usize, Command),
    NodeSolved(usize, murre_custodian::Command),
}

pub struct World {
    pub hosts: Vec<Host>,
    pub now: u64,
    /// So much longer did the clock on the wall run than the one that counts: machines slept.
    pub slept: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    next: u64,
    links: BTreeMap<LinkId, (usize, usize)>,
    rng: Rng,
    network: NetworkFile,
    /// Large frames between devices so far: chunks of files.
    pub chunk_frames: u64,
    /// Two who never find each other.
    pub isolate: Option<(HostNo, HostNo)>,
}

pub type HostNo = usize;

impl World {
    /// `n` custodians that know the first one, settled.
    pub fn new(n: usize) -> Self {
        Self::with(n, NetworkParams::cheap())
    }

    /// The same, in a network of other numbers.
    pub fn with(n: usize, params: NetworkParams) -> Self {
        let mut world = Self {
            hosts: Vec::new(),
            now: 1_000,
            slept: 0,
            queue: BTreeMap::new(),
            next: 1,
            links: BTreeMap::new(),
            rng: Rng::from_seed([9; 32]),
            network: NetworkFile::new("test", params),
            chunk_frames: 0,
            isolate: None,
        };
        for i in 0..n {
            let secret: [u8; 32] = world.rng.bytes();
            let key = NodeKey::from_secret(&Secret::new(secret)).id();
            world.hosts.push(Host::new(key, Some(secret)));
            world.start(i);
        }
        world.run(30_000);
        world
    }

    /// Time passes while nobody looks.
    pub fn jump(&mut self, ms: u64) {
        self.run(1_000);
        self.now += ms;
    }

    /// Everybody sleeps between two turns: a monotonic clock may stand still meanwhile, the other never does.
    pub fn sleep(&mut self, ms: u64) {
        self.run(1_000);
        self.slept += ms;
    }

    /// A phrase nobody has yet.
    pub fn phrase(&mut self) -> Phrase {
        Phrase::generate(&mut self.rng)
    }

    pub fn clock(&self) -> Now {
        Now { mono: Mono(self.now), wall: Wall(START + self.now + self.slept) }
    }

    /// A new person with one device, running.
    pub fn person(&mut self, name: &str) -> HostNo {
        let phrase = Phrase::generate(&mut self.rng);
        self.person_of(name, &phrase)
    }

    /// A new device of whoever has this phrase.
    pub fn person_of(&mut self, name: &str, phrase: &Phrase) -> HostNo {
        let mut host = Host::new(PeerKey::from_bytes(self.rng.bytes()), None);
        let seed = self.rng.bytes();
        let init = Init { name, phrase };
        let (batch, _) = murre_device::init(self.clock(), seed, &host.store, &init).unwrap();
        host.store.begin().unwrap();
        host.store.apply(&batch).unwrap();
        host.store.commit().unwrap();
        self.hosts.push(host);
        let no = self.hosts.len() - 1;
        self.start(no);
        no
    }

    pub fn start(&mut self, i: HostNo) {
        let bootstrap = vec![PeerRef { key: self.hosts[0].key, addrs: vec![Addr("/memory/0".into())] }];
        let seed = self.rng.bytes();
        let now = self.clock();
        let host = &mut self.hosts[i];
        host.machine = match host.secret {
            Some(secret) => {
                let config = NodeConfig {
                    key: NodeKey::from_secret(&Secret::new(secret)),
                    network: self.network.clone(),
                    addrs: vec![],
                    bootstrap: if i == 0 { vec![] } else { bootstrap },
                    disk: 1 << 40,
                    before: murre_custodian::Before::default(),
                };
                Machine::Node(Box::new(Custodian::open(seed, &host.store, config).unwrap()))
            }
            None => {
                host.key = PeerKey::from_bytes(self.rng.bytes());
                Machine::Device(Box::new(Device::open(now, seed, &host.store, Config { bootstrap }).unwrap()))
            }
        };
        host.timeout = Some(now.mono);
        let addrs = vec![Addr(format!("/memory/{i}"))];
        let own = self.hosts[i].key;
        self.at(0, Happening::Input(i, Input::Listening { own, addrs }));
    }

    pub fn stop(&mut self, i: HostNo) {
        self.hosts[i].machine = Machine::Off;
        self.hosts[i].timeout = None;
        let gone: Vec<LinkId> =
            self.links.iter().filter(|(_, (a, b))| *a == i || *b == i).map(|(l, _)| *l).collect();
        gone.into_iter().for_each(|l| self.down(l));
    }

    /// The link between two breaks; they may find each other again.
    pub fn cut(&mut self, a: HostNo, b: HostNo) {
        for link in self.between(a, b) {
            self.down(link);
        }
    }

    /// Bytes come to `to` over a link to `from`, as if `from` had sent them.
    pub fn forge(&mut self, from: HostNo, to: HostNo, bytes: &[u8]) {
        for link in self.between(from, to) {
            self.at(0, Happening::Input(to, Input::Frame { link, bytes: bytes.to_vec() }));
        }
    }

    fn between(&self, a: HostNo, b: HostNo) -> Vec<LinkId> {
        let of = |ends: &(usize, usize)| *ends == (a, b) || *ends == (b, a);
        self.links.iter().filter(|(_, ends)| of(ends)).map(|(link, _)| *link).collect()
    }

    fn down(&mut self, link: LinkId) {
        if let Some((a, b)) = self.links.remove(&link) {
            for end in [a, b] {
                self.at(DELAY, Happening::Input(end, Input::LinkDown { link, why: LinkDownReason::Closed }));
            }
        }
    }

    fn at(&mut self, delay: u64, what: Happening) {
        self.next += 1;
        self.queue.insert((self.now + delay, self.next), what);
    }

    /// Gives a command and runs until it is answered.
    pub fn ask(&mut self, i: HostNo, command: Command) -> Result<Answer, CommandError> {
        let ids = self.give(i, vec![command]);
        self.hosts[i].answers.get(&ids[0]).cloned().expect("answered in its turn")
    }

    /// Gives commands in one turn.
    pub fn give(&mut self, i: HostNo, commands: Vec<Command>) -> Vec<u64> {
        let mut ids = Vec::new();
        let mut list = Vec::new();
        for command in commands {
            self.next += 1;
            ids.push(self.next);
            list.push((CommandId(self.next), command));
        }
        let now = self.clock();
        let host = &mut self.hosts[i];
        host.turn(|device, view| device.handle_commands(now, view, list));
        self.drain(i);
        ids
    }

    /// Runs for so long.
    pub fn run(&mut self, ms: u64) {
        self.run_until(ms, |_| false);
    }

    /// Runs until `done` holds or the time is over; true if it holds.
    pub fn run_until(&mut self, ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + ms;
        loop {
            if done(self) {
                return true;
            }
            let event = self.queue.keys().next().map(|(at, _)| *at);
            let timer = self.hosts.iter().filter_map(|h| h.timeout).map(|m| m.0).min();
            let Some(at) = [event, timer].into_iter().flatten().min().filter(|at| *at <= end) else {
                self.now = end;
                return done(self);
            };
            self.now = self.now.max(at);
            if event == Some(at) {
                let (_, what) = self.queue.pop_first().unwrap();
                self.happen(what);
            } else {
                let due: Vec<usize> = (0..self.hosts.len())
                    .filter(|i| self.hosts[*i].timeout.is_some_and(|t| t.0 <= self.now))
                    .collect();
                for i in due {
                    self.hosts[i].timeout = None;
                    let now = self.clock();
                    let host = &mut self.hosts[i];
                    match &mut host.machine {
                        Machine::Device(_) => host.turn(|d, view| d.handle_timeout(now, view)),
                        Machine::Node(n) => n.handle_timeout(now, &host.store).unwrap(),
                        Machine::Off => continue,
                    }
                    self.drain(i);
                }
            }
        }
    }

    fn happen(&mut self, what: Happening) {
        let now = self.clock();
        let i = match what {
            Happening::Input(i, input) => {
                let host = &mut self.hosts[i];
                if let Input::Frame { link, .. } = &input
                    && !self.links.contains_key(link)
                {
                    return;
                }
                match &mut host.machine {
                    Machine::Device(_) => host.turn(|d, view| d.handle_input(now, view, input)),
                    Machine::Node(n) => n.handle_input(now, &host.store, input).unwrap(),
                    Machine::Off => return,
                }
                i
            }
            Happening::Solved(i, command) => {
                let host = &mut self.hosts[i];
                let Machine::Device(d) = &mut host.machine else { return };
                d.handle_commands(now, &host.store, vec![(CommandId(0), command)]).unwrap();
                i
            }
            Happening::NodeSolved(i, command) => {
                let host = &mut self.hosts[i];
                let Machine::Node(n) = &mut host.machine else { return };
                n.handle_commands(now, &host.store, vec![(CommandId(0), command)]).unwrap();
                i
            }
        };
        self.drain(i);
    }

    fn drain(&mut self, i: HostNo) {
        let mut transmits = Vec::new();
        let mut later = Vec::new();
        let host = &mut self.hosts[i];
        let apply = |store: &mut MemoryStore, batch| {
            store.begin().unwrap();
            store.apply(&batch).unwrap();
            store.commit().unwrap();
        };
        match &mut host.machine {
            Machine::Device(d) => {
                while let Some(output) = d.poll_output() {
                    match output {
                        Output::Commit(batch) => {
                            host.writes += u64::from(!batch.is_empty());
                            apply(&mut host.store, batch);
                        }
                        Output::Transmit(t) => transmits.push(t),
                        Output::Event(Event::Answer { id, result }) => {
                            host.answers.insert(id.0, result);
                        }
                        Output::Event(Event::Notice { notice, .. }) => host.notices.push(notice),
                        Output::Event(Event::Progress(progress)) => host.progress.push((self.now, progress)),
                        Output::Event(Event::Solve { id, puzzle }) => {
                            let solution = puzzle.solve(0, u64::MAX);
                            let command = NetworkCommand::PuzzleDone { id, solution };
                            later.push(Happening::Solved(i, Command::Network(command)));
                        }
                        Output::Timeout(at) => host.timeout = at,
                    }
                }
            }
            Machine::Node(n) => {
                while let Some(output) = n.poll_output() {
                    match output {
                        Output::Commit(batch) => apply(&mut host.store, batch),
                        Output::Transmit(t) => transmits.push(t),
                        Output::Event(murre_custodian::Event::Solve { id, puzzle }) => {
                            let solution = puzzle.solve(0, u64::MAX);
                            let command = murre_custodian::Command::PuzzleDone { id, solution };
                            later.push(Happening::NodeSolved(i, command));
                        }
                        Output::Event(_) => {}
                        Output::Timeout(at) => host.timeout = at,
                    }
                }
            }
            Machine::Off => {}
        }
        later.into_iter().for_each(|h| self.at(1, h));
        transmits.into_iter().for_each(|t| self.send(i, t));
    }

    fn send(&mut self, from: HostNo, transmit: Transmit) {
        let Transmit { to, bytes, .. } = transmit;
        match to {
            Dest::Link(link) => self.carry(from, link, bytes),
            Dest::Close(link) => self.down(link),
            Dest::Peer(PeerRef { key, addrs }) => {
                let open = self.links.iter().find(|(_, (a, b))| {
                    (*a == from && self.hosts[*b].key == key) || (*b == from && self.hosts[*a].key == key)
                });
                if let Some(link) = open.map(|(l, _)| *l) {
                    return self.carry(from, link, bytes);
                }
                let at = self.hosts.iter().position(|h| h.key == key && !matches!(h.machine, Machine::Off));
                let apart =
                    |i: usize| self.isolate.is_some_and(|(a, b)| [(a, b), (b, a)].contains(&(from, i)));
                let named =
                    |i: usize| !apart(i) && addrs.iter().any(|a| a.0.starts_with(&format!("/memory/{i}")));
                match at.filter(|i| named(*i)) {
                    Some(other) => {
                        let link = self.connect(from, other);
                        self.carry(from, link, bytes);
                    }
                    None => self.at(DELAY, Happening::Input(from, Input::Unreachable { peer: key })),
                }
            }
        }
    }

    fn connect(&mut self, a: HostNo, b: HostNo) -> LinkId {
        self.next += 1;
        let id = LinkId(self.next);
        self.links.insert(id, (a, b));
        for (end, other, dialed) in [(a, b, true), (b, a, false)] {
            let up = LinkUp {
                id,
                kind: LinkKind::Virtual,
                caps: LinkCaps { mtu: 1 << 20, ordered: true, reliable: true, metered: false },
                peer: self.hosts[other].key,
                own: self.hosts[end].key,
                dialed,
            };
            self.at(DELAY, Happening::Input(end, Input::LinkUp(up)));
        }
        id
    }

    fn carry(&mut self, from: HostNo, link: LinkId, bytes: Vec<u8>) {
        if let Some((a, b)) = self.links.get(&link).copied() {
            let to = if a == from { b } else { a };
            let devices = [a, b].iter().all(|end| self.hosts[*end].secret.is_none());
            if devices {
                self.chunk_frames += (bytes.len() / murre_log::chunk::CHUNK) as u64;
            }
            self.at(DELAY, Happening::Input(to, Input::Frame { link, bytes }));
        }
    }

    pub fn view(&self, i: HostNo) -> &dyn View {
        &self.hosts[i].store
    }

    pub fn device(&self, i: HostNo) -> &Device {
        match &self.hosts[i].machine {
            Machine::Device(d) => d,
            _ => panic!("host {i} runs no device"),
        }
    }
}

impl Host {
    fn new(key: PeerKey, secret: Option<[u8; 32]>) -> Self {
        Self {
            store: MemoryStore::new(),
            machine: Machine::Off,
            key,
            timeout: None,
            secret,
            answers: BTreeMap::new(),
            notices: Vec::new(),
            progress: Vec::new(),
            writes: 0,
            outbox_rows: 0,
            outbox_turn: 0,
        }
    }

    /// One turn of its device, whose reads are counted.
    fn turn(&mut self, verb: impl FnOnce(&mut Device, &dyn View) -> Result<(), TurnError>) {
        let Machine::Device(device) = &mut self.machine else { panic!("no device runs here") };
        let view = Reads { inner: &self.store, outbox: Cell::new(0) };
        verb(device, &view).unwrap();
        self.outbox_rows += view.outbox.get();
        self.outbox_turn = self.outbox_turn.max(view.outbox.get());
    }
}

/// A view that counts rows of the outbox.
struct Reads<'a> {
    inner: &'a MemoryStore,
    outbox: Cell<u64>,
}

impl Reads<'_> {
    fn count(&self, space: Space, rows: usize) {
        if space == rows::OUTBOX {
            self.outbox.set(self.outbox.get() + rows as u64);
        }
    }
}

impl View for Reads<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let value = self.inner.get(space, key)?;
        self.count(space, usize::from(value.is_some()));
        Ok(value)
    }

    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        let rows = self.inner.scan(space, range, dir, limit)?;
        self.count(space, rows.len());
        Ok(rows)
    }

    fn blob(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, ViewError> {
        self.inner.blob(blob, offset, len)
    }
}
