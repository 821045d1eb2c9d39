//! A tiny deterministic network: custodians over memory stores, one virtual clock, a constant delay, and one
//! client that only records what it is told.

use crate::{Command, Config, Custodian, Event};
use murre_core::id::PeerKey;
use murre_core::{
    CommandId, Cx, Dest, Input, LinkCaps, LinkDownReason, LinkId, LinkKind, LinkUp, Mono, Now, Output,
    PeerRef, Rng, Transmit, Turn, Wall,
};
use murre_crypto::{NodeKey, Secret};
use murre_mailbox::client::{Client, ClientCx, ClientEvent};
use murre_mailbox::{Frame, NetworkFile, Reply, Request};
use murre_store::{MemoryStore, Store};
use std::collections::{BTreeMap, VecDeque};

/// Delay of every frame, ms.
const DELAY: u64 = 5;
/// Where the wall clock starts: some day in 2026.
pub const START: u64 = 1_790_000_000_000;

pub struct Node {
    pub key: [u8; 32],
    pub peer: PeerKey,
    pub store: MemoryStore,
    pub machine: Option<Custodian>,
    pub disk: u64,
    /// What the machine is opened with.
    pub before: crate::Before,
    /// How often the reserve was asked for.
    pub laid: usize,
    /// What was said of the room.
    pub rooms: Vec<bool>,
    timeout: Option<Mono>,
    pub ready: bool,
    /// What it said it left undone when it was drained.
    pub drained: Vec<usize>,
}

enum Happening {
    Input(usize, Input),
    Client(Vec<u8>),
    Device(Input),
}

/// The client half as a device runs it, at the client's end of the wire.
pub struct Device {
    client: Client,
    store: MemoryStore,
    rng: Rng,
    timeout: Option<Mono>,
    pub events: Vec<ClientEvent>,
    /// Tries of the puzzles it was given.
    pub efforts: Vec<u32>,
}

/// The client's place among the ends of links.
const CLIENT: usize = usize::MAX;

pub struct World {
    pub nodes: Vec<Node>,
    pub network: NetworkFile,
    pub now: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    next: u64,
    /// Both ends of each link.
    links: BTreeMap<LinkId, (usize, usize)>,
    pub closed: Vec<LinkId>,
    pub replies: BTreeMap<u64, Vec<Reply>>,
    /// Frames sent by nodes to nodes.
    pub frames: u64,
    pub rng: Rng,
    pub device: Option<Device>,
}

/// Something for one end of a link.
fn input(i: usize, input: Input) -> Happening {
    if i == CLIENT { Happening::Device(input) } else { Happening::Input(i, input) }
}

impl World {
    /// `n` nodes that know the first one, started and settled.
    pub fn new(n: usize, network: NetworkFile) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            network,
            now: 0,
            queue: BTreeMap::new(),
            next: 1,
            links: BTreeMap::new(),
            closed: Vec::new(),
            replies: BTreeMap::new(),
            frames: 0,
            rng: Rng::from_seed([77; 32]),
            device: None,
        };
        for _ in 0..n {
            world.add_node();
        }
        world.run(20_000);
        world
    }

    pub fn add_node(&mut self) -> usize {
        let i = self.nodes.len();
        let key = [i as u8 + 1; 32];
        let peer = NodeKey::from_secret(&Secret::new(key)).id();
        self.nodes.push(Node {
            key,
            peer,
            store: MemoryStore::new(),
            machine: None,
            disk: 1 << 40,
            before: crate::Before::default(),
            laid: 0,
            rooms: vec![],
            timeout: None,
            ready: false,
            drained: vec![],
        });
        self.start(i);
        i
    }

    /// Opens a node from its store, as after a start of the process.
    pub fn start(&mut self, i: usize) {
        let config = self.config(i);
        let seed = self.rng.bytes();
        let machine = Custodian::open(seed, &self.nodes[i].store, config).unwrap();
        self.nodes[i].machine = Some(machine);
        let addrs = vec![murre_core::Addr(format!("/memory/{i}"))];
        let own = NodeKey::from_secret(&Secret::new(self.nodes[i].key)).id();
        self.at(0, Happening::Input(i, Input::Listening { own, addrs }));
    }

    pub fn config(&self, i: usize) -> Config {
        let bootstrap = match self.nodes[0].peer {
            _ if i == 0 => vec![],
            key => vec![PeerRef { key, addrs: vec![] }],
        };
        let node = &self.nodes[i];
        Config {
            key: NodeKey::from_secret(&Secret::new(node.key)),
            network: self.network.clone(),
            addrs: vec![],
            bootstrap,
            disk: node.disk,
            before: node.before,
        }
    }

    /// Ends a node's process and its links. Its store stays.
    pub fn stop(&mut self, i: usize) {
        self.nodes[i].machine = None;
        self.nodes[i].timeout = None;
        let gone: Vec<LinkId> =
            self.links.iter().filter(|(_, (a, b))| *a == i || *b == i).map(|(l, _)| *l).collect();
        for link in gone {
            self.down(link);
        }
    }

    fn clock(&self) -> Now {
        Now { mono: Mono(self.now), wall: Wall(START + self.now) }
    }

    pub fn wall(&self) -> Wall {
        self.clock().wall
    }

    fn at(&mut self, delay: u64, what: Happening) {
        self.queue.insert((self.now + delay, self.next), what);
        self.next += 1;
    }

    /// Runs for so many virtual milliseconds.
    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let due = self
                .nodes
                .iter()
                .enumerate()
                .filter_map(|(i, n)| n.timeout.map(|t| (t.0.max(self.now), i)))
                .min();
            let device = self.device.as_ref().and_then(|d| d.timeout).map(|t| t.0.max(self.now));
            let next = [queued, due.map(|(t, _)| t), device].into_iter().flatten().min();
            let Some(next) = next.filter(|t| *t <= end) else { break };
            self.now = next;
            if queued == Some(next) {
                let (_, what) = self.queue.pop_first().unwrap();
                match what {
                    Happening::Input(i, input) => {
                        self.turn(i, |m, now, s| m.handle_input(now, s, input).unwrap())
                    }
                    Happening::Client(bytes) => self.client(&bytes),
                    Happening::Device(input) => self.device(|client, cx| match input {
                        Input::LinkUp(up) => client.handle_link_up(cx, &up).unwrap(),
                        Input::LinkDown { link, .. } => client.handle_link_down(cx, link).unwrap(),
                        Input::Frame { link, bytes } => client.handle_frame(cx, link, &bytes).unwrap(),
                        Input::Unreachable { peer } => client.unreachable(cx, peer).unwrap(),
                        Input::Credit { .. } | Input::Listening { .. } => {}
                    }),
                }
            } else if device == Some(next) {
                self.device(|client, cx| client.handle_timeout(cx).unwrap());
            } else if let Some((_, i)) = due {
                self.nodes[i].timeout = None;
                self.turn(i, |m, now, s| m.handle_timeout(now, s).unwrap());
            }
        }
        self.now = end;
    }

    fn client(&mut self, bytes: &[u8]) {
        if let Ok(Frame::Reply { id, body }) = Frame::decode(bytes) {
            self.replies.entry(id).or_default().push(body);
        }
    }

    pub fn turn(&mut self, i: usize, f: impl FnOnce(&mut Custodian, Now, &MemoryStore)) {
        let now = self.clock();
        let Some(mut machine) = self.nodes[i].machine.take() else { return };
        f(&mut machine, now, &self.nodes[i].store);
        let mut outputs = Vec::new();
        while let Some(output) = machine.poll_output() {
            outputs.push(output);
        }
        self.nodes[i].machine = Some(machine);
        assert!(matches!(outputs.first(), Some(Output::Commit(_))), "a turn begins with its batch");
        assert!(matches!(outputs.last(), Some(Output::Timeout(_))), "a turn ends with its timeout");
        for output in outputs {
            match output {
                Output::Commit(batch) => {
                    let store = &mut self.nodes[i].store;
                    store.begin().unwrap();
                    store.apply(&batch).unwrap();
                    store.commit().unwrap();
                }
                Output::Transmit(t) => self.transmit(i, t),
                Output::Event(e) => self.event(i, e),
                Output::Timeout(t) => self.nodes[i].timeout = t,
            }
        }
    }

    fn event(&mut self, i: usize, event: Event) {
        match event {
            Event::Solve { id, puzzle } => {
                let solution = puzzle.solve(i as u64 * 1_000, 100_000);
                assert!(solution.is_some());
                let command = Command::PuzzleDone { id, solution };
                self.turn(i, |m, now, s| m.handle_commands(now, s, vec![(CommandId(1), command)]).unwrap());
            }
            Event::Ready { .. } => self.nodes[i].ready = true,
            Event::Drained { left } => self.nodes[i].drained.push(left),
            Event::Room { there_is } => self.nodes[i].rooms.push(there_is),
            Event::LayReserve => self.nodes[i].laid += 1,
            Event::Answer { .. } | Event::DirectoryChanged { .. } => {}
        }
    }

    fn transmit(&mut self, i: usize, t: Transmit) {
        assert!(t.bytes.len() <= murre_core::link::MAX_FRAME);
        let link = match t.to {
            Dest::Close(link) => {
                self.closed.push(link);
                return self.down(link);
            }
            Dest::Link(link) => link,
            Dest::Peer(peer) => {
                let up = self.links.iter().find(|(_, (a, b))| {
                    let other = if *a == i { *b } else { *a };
                    (*a == i || *b == i) && other != CLIENT && self.nodes[other].peer == peer.key
                });
                let found = up.map(|(link, _)| *link);
                let target = self.nodes.iter().position(|n| n.peer == peer.key && n.machine.is_some());
                match (found, target) {
                    (Some(link), _) => link,
                    (None, Some(j)) => self.connect(i, j),
                    (None, None) => {
                        return self.at(DELAY, input(i, Input::Unreachable { peer: peer.key }));
                    }
                }
            }
        };
        let Some((a, b)) = self.links.get(&link).copied() else { return };
        let other = if a == i { b } else { a };
        if other == CLIENT {
            let happening = match &self.device {
                Some(_) => Happening::Device(Input::Frame { link, bytes: t.bytes }),
                None => Happening::Client(t.bytes),
            };
            return self.at(DELAY, happening);
        }
        self.frames += 1;
        self.at(DELAY, Happening::Input(other, Input::Frame { link, bytes: t.bytes }));
    }

    fn connect(&mut self, a: usize, b: usize) -> LinkId {
        let link = LinkId(self.next);
        self.links.insert(link, (a, b));
        let (ka, kb) = (self.end(a), self.end(b));
        for (i, own, peer, dialed) in [(a, ka, kb, true), (b, kb, ka, false)] {
            let up = LinkUp {
                id: link,
                kind: LinkKind::Virtual,
                caps: LinkCaps { mtu: 1 << 20, ordered: true, reliable: true, metered: false },
                peer,
                own,
                dialed,
            };
            self.at(1, input(i, Input::LinkUp(up)));
        }
        link
    }

    fn end(&self, i: usize) -> PeerKey {
        self.nodes.get(i).map_or(PeerKey::from_bytes([0xcc; 32]), |n| n.peer)
    }

    fn down(&mut self, link: LinkId) {
        if let Some((a, b)) = self.links.remove(&link) {
            for i in [a, b] {
                let down = Input::LinkDown { link, why: LinkDownReason::Closed };
                self.at(1, input(i, down));
            }
        }
    }

    /// A fresh link of the client to a node.
    pub fn dial(&mut self, node: usize) -> LinkId {
        let link = self.connect(CLIENT, node);
        self.run(2);
        link
    }

    /// Sends raw bytes over a client's link.
    pub fn send_raw(&mut self, link: LinkId, bytes: Vec<u8>) {
        let (_, node) = self.links[&link];
        self.at(DELAY, Happening::Input(node, Input::Frame { link, bytes }));
    }

    /// Sends a request over a client's link.
    pub fn send(&mut self, link: LinkId, body: Request) -> u64 {
        let id = self.next;
        self.next += 1;
        self.send_raw(link, Frame::Request { id, body }.encode());
        id
    }

    /// Asks a node and waits for up to 5 s.
    pub fn ask(&mut self, node: usize, body: Request) -> Reply {
        let link = self.dial(node);
        let id = self.send(link, body);
        self.run(5_000);
        let mut replies = self.replies.remove(&id).unwrap_or_default();
        assert_eq!(replies.len(), 1, "exactly one answer");
        replies.remove(0)
    }

    /// Gives a node a command.
    pub fn command(&mut self, i: usize, command: Command) {
        self.turn(i, |m, now, s| m.handle_commands(now, s, vec![(CommandId(2), command)]).unwrap());
    }

    /// Which node a key is.
    pub fn index(&self, peer: &PeerKey) -> usize {
        self.nodes.iter().position(|n| n.peer == *peer).unwrap()
    }

    /// Puts a device at the client's end that knows the first node.
    pub fn add_device(&mut self) {
        // It knows nothing of the links over which requests were sent by hand.
        let by_hand = self.links.iter().filter(|(_, ends)| ends.0 == CLIENT).map(|(link, _)| *link);
        for link in by_hand.collect::<Vec<_>>() {
            self.down(link);
        }
        let store = MemoryStore::new();
        let mut rng = Rng::from_seed([66; 32]);
        let bootstrap = vec![PeerRef { key: self.nodes[0].peer, addrs: vec![] }];
        let client = Client::open(&store, &mut rng, None, bootstrap).unwrap();
        self.device = Some(Device {
            client,
            store,
            rng,
            timeout: Some(Mono(0)),
            events: Vec::new(),
            efforts: Vec::new(),
        });
    }

    /// One turn of the device.
    pub fn device(&mut self, f: impl FnOnce(&mut Client, &mut ClientCx<'_, '_>)) {
        let now = self.clock();
        let Some(mut device) = self.device.take() else { return };
        let mut up = VecDeque::new();
        let mut tx = Turn::new(&device.store);
        let mut out = Vec::new();
        f(&mut device.client, &mut Cx::new(now, &mut device.rng, &mut tx, &mut up));
        while let Some(event) = up.pop_front() {
            match event {
                ClientEvent::Transmit(t) => out.push(t),
                ClientEvent::Solve { id, puzzle } => {
                    device.efforts.push(puzzle.price.tries);
                    let mut cx = Cx::new(now, &mut device.rng, &mut tx, &mut up);
                    device.client.puzzle_done(&mut cx, id, puzzle.solve(0, 100_000));
                }
                event => device.events.push(event),
            }
        }
        let batch = tx.into_batch();
        device.store.begin().unwrap();
        device.store.apply(&batch).unwrap();
        device.store.commit().unwrap();
        device.timeout = device.client.next_timeout();
        self.device = Some(device);
        for t in out {
            self.transmit(CLIENT, t);
        }
    }
}
