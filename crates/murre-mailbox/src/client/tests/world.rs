//! A wire of scripted custodians on a virtual clock.

use crate::client::*;
use crate::frame::{Frame, PutRefusal, Reply, Request};
use crate::network::{DescriptorBody, join_puzzle, sign_descriptor};
use crate::receipt::{Expected, Receipt, issue};
use crate::request::{ListBody, ReadBody, ReadKind, SignedRead, read_hash, sign_list};
use crate::{
    MailboxKind, ReaderKeys, SLOT_BLOCK, SealedBox, SignedObject, SpaceProof, TagKey, VerifiedBox, Writer,
    slot_puzzle, space_puzzle,
};
use murre_core::id::{BoxId, Bytes, Locator, PeerKey};
use murre_core::params::PuzzlePrice;
use murre_core::time::{DAY, HOUR};
use murre_core::{
    Addr, Batch, Dest, Direction, LinkCaps, LinkKind, Op, Range, Space, Transmit, Turn, ViewError,
};
use murre_crypto::{NodeKey, Signed};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How a custodian behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Honest,
    /// Never answers.
    Silent,
    /// Dialling fails.
    Down,
    /// Signs receipts of others with its own key, and hands them out as coordinator.
    Forger,
    /// Receipts for other bytes than were put.
    OtherBytes,
    /// Coordinates nothing: its own receipt alone.
    Lazy,
    /// Lists nothing, whatever is there.
    Hiding,
    /// Lists boxes that do not exist.
    Phantoms,
    /// Gives boxes with a flipped bit.
    Corrupting,
    /// Claims a conflict and shows rubbish.
    ConflictLie,
    /// Claims a conflict and shows other bytes under a valid tag signature.
    ConflictTrue,
    /// Speaks of another network.
    Foreign,
    /// Wants each block paid.
    Paid,
    /// Wants this box paid, at so many times the network's price of a request.
    Slot(u32),
    /// Wants a new block paid each time.
    Greedy,
    /// Wants the first block paid at so many times the network's price.
    Pressed(u32),
    /// Wants a block paid that no quota reaches.
    Beyond,
    /// No room.
    Full,
    /// Takes boxes, but as coordinator says that all others have no room.
    Slanderer,
}

pub struct Node {
    pub key: NodeKey,
    pub kind: Kind,
    pub inc: u64,
    /// In order of arrival.
    pub held: Vec<VerifiedBox>,
    pub objects: BTreeMap<Locator, Vec<u8>>,
    pub puts: u64,
}

struct Waiter {
    until: Mono,
    node: PeerKey,
    id: u64,
    read: SignedRead,
}

#[derive(Default)]
pub struct Disk(pub BTreeMap<(u16, Vec<u8>), Vec<u8>>);

impl View for Disk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.0.get(&(space.id, key.to_vec())).cloned())
    }
    fn scan(
        &self,
        space: Space,
        range: &Range,
        dir: Direction,
        limit: usize,
    ) -> Result<murre_core::store::Rows, ViewError> {
        let rows = self.0.iter().filter(|((s, k), _)| *s == space.id && range.contains(k));
        let rows = rows.map(|((_, k), v)| (k.clone(), v.clone()));
        Ok(match dir {
            Direction::Forward => rows.take(limit).collect(),
            Direction::Backward => rows.rev().take(limit).collect(),
        })
    }
}

impl Disk {
    pub fn apply(&mut self, batch: &Batch) {
        for op in &batch.ops {
            match op {
                Op::Put { space, key, value } => {
                    if space.kind == murre_core::SpaceKind::Seq {
                        assert_eq!(key.len(), 8, "{}", space.name);
                    }
                    self.0.insert((space.id, key.clone()), value.clone());
                }
                Op::Delete { space, key } | Op::Erase { space, key } => {
                    self.0.remove(&(space.id, key.clone()));
                }
                _ => {}
            }
        }
    }
}

/// What follows from a turn at once.
enum Act {
    Solved(PuzzleId, Option<murre_crypto::puzzle::Solution>),
    Taken(WatchKey, Vec<BoxId>),
    Unreachable(PeerKey),
    Up(LinkUp),
    Offer(PutKey),
}

pub struct World {
    pub file: NetworkFile,
    pub directory: Directory,
    pub nodes: BTreeMap<PeerKey, Node>,
    pub client: Client,
    pub disk: Disk,
    pub rng: Rng,
    pub now: Now,
    pub links: BTreeMap<PeerKey, LinkId>,
    next_link: u64,
    queue: VecDeque<(Mono, PeerKey, Vec<u8>)>,
    waiters: Vec<Waiter>,
    acts: VecDeque<Act>,
    issued: Wall,
    /// What reached the parent, Transmits aside.
    pub events: Vec<ClientEvent>,
    /// Every request sent.
    pub sent: Vec<(PeerKey, Request)>,
    /// Boxes delivered, in order.
    pub delivered: Vec<BoxId>,
    /// Whether the parent takes what is delivered.
    pub taking: bool,
    /// Whether puzzles are solved.
    pub solving: bool,
    /// Places whose quota is used up at every custodian.
    pub full: BTreeSet<Locator>,
    /// Places whose space must be paid.
    pub paid: BTreeSet<Locator>,
    /// What the parent offers when it is asked for a put's bytes.
    pub outbox: BTreeMap<PutKey, Vec<u8>>,
    /// The wire is cut: nobody can be dialled.
    pub cut: bool,
    /// Each custodian has only its own descriptor, as after days in which none of them ran.
    pub alone: bool,
    /// How many of the nodes a client that is opened is told of.
    pub boots: usize,
    /// Links that the client closed.
    pub closed: u64,
    pub turns: u64,
}

pub const START: Wall = Wall(1_700_000_000_000);

fn run_turn<R>(
    client: &mut Client,
    disk: &mut Disk,
    rng: &mut Rng,
    now: Now,
    f: impl FnOnce(&mut Client, &mut ClientCx<'_, '_>) -> R,
) -> (R, VecDeque<ClientEvent>) {
    let mut up = VecDeque::new();
    let (result, batch) = {
        let mut tx = Turn::new(&*disk);
        let result = f(client, &mut Cx::new(now, rng, &mut tx, &mut up));
        (result, tx.into_batch())
    };
    disk.apply(&batch);
    (result, up)
}

impl World {
    /// `nodes` honest custodians; the client knows only the first one's address.
    pub fn new(seed: u8, nodes: usize) -> Self {
        let mut rng = Rng::from_seed([seed; 32]);
        let file = NetworkFile::new("test", NetworkParams::cheap());
        let disk = Disk::default();
        let directory = Directory::open(&disk, file.clone()).unwrap();
        let all = (0..nodes).map(|i| {
            let key = NodeKey::from_secret(&murre_crypto::Secret::new([i as u8 + 1; 32]));
            let node =
                Node { kind: Kind::Honest, inc: 7, held: Vec::new(), objects: BTreeMap::new(), puts: 0, key };
            (node.key.id(), node)
        });
        let nodes: BTreeMap<PeerKey, Node> = all.collect();
        let first = *nodes.keys().next().unwrap();
        let boot = PeerRef { key: first, addrs: vec![Addr("/ip4/127.0.0.1/tcp/1".to_owned())] };
        let client = Client::open(&disk, &mut rng, None, vec![boot]).unwrap();
        let now = Now { mono: Mono(1_000), wall: START };
        let mut world = Self {
            file,
            directory,
            nodes,
            client,
            disk,
            rng,
            now,
            links: BTreeMap::new(),
            next_link: 1,
            queue: VecDeque::new(),
            waiters: Vec::new(),
            acts: VecDeque::new(),
            issued: Wall(0),
            events: Vec::new(),
            sent: Vec::new(),
            delivered: Vec::new(),
            taking: true,
            solving: true,
            full: BTreeSet::new(),
            paid: BTreeSet::new(),
            outbox: BTreeMap::new(),
            cut: false,
            alone: false,
            boots: 1,
            closed: 0,
            turns: 0,
        };
        world.issue();
        world
    }

    /// A world whose client has the network and every descriptor.
    pub fn joined(seed: u8, nodes: usize) -> Self {
        let mut world = Self::new(seed, nodes);
        world.run(2_000);
        assert_eq!(world.client.status(world.now).eligible, nodes);
        world
    }

    /// Signs every descriptor anew.
    fn issue(&mut self) {
        self.issued = self.now.wall;
        for (id, node) in &self.nodes {
            let join = join_puzzle(&self.file, id).solve(0, 10_000).unwrap();
            let addrs = vec![Addr("/ip4/127.0.0.1/tcp/1".to_owned())];
            let body = DescriptorBody::new(self.file.id(), *id, addrs, self.now.wall, join);
            let empty = Disk::default();
            let mut tx = Turn::new(&empty);
            let signed = sign_descriptor(&node.key, &body);
            self.directory.insert(&mut tx, self.now, signed).unwrap();
        }
    }

    pub fn placement(&self, locator: &Locator, epoch: u64) -> Vec<PeerKey> {
        self.directory.placement(locator, epoch, self.now.wall)
    }

    pub fn set(&mut self, node: &PeerKey, kind: Kind) {
        self.nodes.get_mut(node).unwrap().kind = kind;
    }

    /// One turn of the client, and every turn that it causes at once.
    pub fn turn<R>(&mut self, f: impl FnOnce(&mut Client, &mut ClientCx<'_, '_>) -> R) -> R {
        let result = self.once(f);
        while let Some(act) = self.acts.pop_front() {
            let bytes = match &act {
                Act::Offer(key) => self.outbox[key].clone(),
                _ => Vec::new(),
            };
            self.once(|c, cx| match act {
                Act::Solved(id, solution) => c.puzzle_done(cx, id, solution),
                Act::Taken(watch, ids) => c.boxes_taken(cx, watch, &ids),
                Act::Unreachable(node) => c.unreachable(cx, node).unwrap(),
                Act::Up(up) => c.handle_link_up(cx, &up).unwrap(),
                Act::Offer(key) => {
                    assert_eq!(c.put(cx, key, &bytes).unwrap(), PutStart::Started, "it was called");
                }
            });
        }
        result
    }

    fn once<R>(&mut self, f: impl FnOnce(&mut Client, &mut ClientCx<'_, '_>) -> R) -> R {
        self.turns += 1;
        let (result, mut up) = run_turn(&mut self.client, &mut self.disk, &mut self.rng, self.now, f);
        while let Some(event) = up.pop_front() {
            match event {
                ClientEvent::Transmit(transmit) => self.transmit(transmit),
                ClientEvent::Solve { id, puzzle } if self.solving => {
                    let solution = puzzle.solve(0, 100_000);
                    self.acts.push_back(Act::Solved(id, solution));
                }
                ClientEvent::Boxes { watch, epoch, boxes } => {
                    let ids: Vec<BoxId> = boxes.iter().map(VerifiedBox::id).collect();
                    self.delivered.extend(&ids);
                    if self.taking {
                        self.acts.push_back(Act::Taken(watch, ids));
                    }
                    self.events.push(ClientEvent::Boxes { watch, epoch, boxes });
                }
                ClientEvent::PutRoom { puts } => {
                    let known = puts.iter().filter(|key| self.outbox.contains_key(key));
                    self.acts.extend(known.map(|key| Act::Offer(*key)));
                    self.events.push(ClientEvent::PutRoom { puts });
                }
                other => self.events.push(other),
            }
        }
        result
    }

    fn transmit(&mut self, transmit: Transmit) {
        let node = match transmit.to {
            Dest::Link(link) => match self.links.iter().find(|(_, l)| **l == link) {
                Some((node, _)) => *node,
                None => return,
            },
            Dest::Peer(peer) => peer.key,
            Dest::Close(link) => {
                self.links.retain(|_, l| *l != link);
                self.closed += 1;
                return;
            }
        };
        let Ok(Frame::Request { id, body }) = Frame::decode(&transmit.bytes) else { panic!("not a request") };
        self.sent.push((node, body.clone()));
        let kind = self.nodes.get(&node).map_or(Kind::Down, |n| n.kind);
        if kind == Kind::Down || self.cut {
            self.acts.push_back(Act::Unreachable(node));
            return;
        }
        if !self.links.contains_key(&node) {
            let up = self.link_up(node);
            self.acts.push_back(Act::Up(up));
        }
        if kind != Kind::Silent {
            self.serve(node, id, body);
        }
    }

    pub fn link(&mut self, node: PeerKey) {
        let up = self.link_up(node);
        self.turn(|c, cx| c.handle_link_up(cx, &up)).unwrap();
    }

    fn link_up(&mut self, node: PeerKey) -> LinkUp {
        let id = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(node, id);
        let caps = LinkCaps { mtu: 1 << 20, ordered: true, reliable: true, metered: false };
        let own = PeerKey::from_bytes([0xee; 32]);
        LinkUp { id, kind: LinkKind::Virtual, caps, peer: node, own, dialed: true }
    }

    /// Every link goes down and nobody can be dialled.
    pub fn cut(&mut self) {
        self.cut = true;
        for (_, link) in std::mem::take(&mut self.links) {
            self.turn(|c, cx| c.handle_link_down(cx, link)).unwrap();
        }
        self.waiters.clear();
    }

    pub fn reply(&mut self, node: PeerKey, id: u64, body: Reply) {
        let bytes = Frame::Reply { id, body }.encode();
        self.queue.push_back((self.now.mono.plus(10), node, bytes));
    }

    /// Runs for `ms` of virtual time.
    pub fn run(&mut self, ms: u64) {
        let end = self.now.mono.plus(ms);
        let mut stuck = 0;
        loop {
            let waiter = self.waiters.iter().map(|w| w.until).min();
            let frame = self.queue.front().map(|(at, _, _)| *at);
            let next = [self.client.next_timeout(), waiter, frame].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            stuck = if at > self.now.mono { 0 } else { stuck + 1 };
            assert!(stuck < 20_000, "time stands still");
            self.advance(at.max(self.now.mono));
            self.answer_waiters();
            if self.queue.front().is_some_and(|(at, _, _)| *at <= self.now.mono) {
                let (_, node, bytes) = self.queue.pop_front().unwrap();
                if let Some(link) = self.links.get(&node).copied() {
                    self.turn(|c, cx| c.handle_frame(cx, link, &bytes)).unwrap();
                }
            } else if self.client.next_timeout().is_some_and(|t| t <= self.now.mono) {
                self.turn(|c, cx| c.handle_timeout(cx)).unwrap();
            }
        }
        self.advance(end);
    }

    /// The machine sleeps for `ms`: time passes and nobody is asked anything.
    pub fn sleep(&mut self, ms: u64) {
        self.queue.clear();
        self.waiters.clear();
        self.advance(self.now.mono.plus(ms));
    }

    fn advance(&mut self, to: Mono) {
        let by = to.since(self.now.mono);
        self.now = Now { mono: to, wall: self.now.wall.plus(by) };
        if self.now.wall.since(self.issued) > 6 * HOUR {
            self.issue();
        }
    }

    /// The client is killed and opened again from disk.
    pub fn restart(&mut self) {
        let addrs = vec![Addr("/ip4/127.0.0.1/tcp/1".to_owned())];
        let boots = self.nodes.keys().take(self.boots).map(|key| PeerRef { key: *key, addrs: addrs.clone() });
        self.client = Client::open(&self.disk, &mut self.rng, None, boots.collect()).unwrap();
        self.links.clear();
        self.waiters.clear();
        self.queue.clear();
        self.delivered.clear();
    }

    /// Puts a box at these nodes, behind the client's back.
    pub fn place_box(&mut self, b: &VerifiedBox, at: &[PeerKey]) {
        for node in at {
            self.nodes.get_mut(node).unwrap().held.push(b.clone());
        }
        self.answer_waiters();
    }

    fn answer_waiters(&mut self) {
        let waiters = std::mem::take(&mut self.waiters);
        for waiter in waiters {
            let body = waiter.read.clone().verify().unwrap().into_body();
            let part = self.part(&waiter.node, &waiter.read, &body);
            if part.ids.is_empty() && waiter.until > self.now.mono {
                self.waiters.push(waiter);
            } else {
                let signed = sign_list(&self.nodes[&waiter.node].key, &part);
                self.reply(waiter.node, waiter.id, Reply::List { parts: vec![signed] });
            }
        }
    }

    fn serve(&mut self, node: PeerKey, id: u64, body: Request) {
        let kind = self.nodes[&node].kind;
        let reply = match body {
            Request::Hello { .. } => {
                let file = if kind == Kind::Foreign { NetworkFile::devnet() } else { self.file.clone() };
                let digest = Bytes(self.directory.digest());
                Reply::Hello { net: ByteBuf::from(file.bytes()), digest, time: self.now.wall.0 }
            }
            Request::Descriptors { have } => {
                let (mut send, want) = self.directory.compare(&have);
                if self.alone {
                    let own = self.directory.get(&node).map(|d| d.signed().bytes());
                    send.retain(|d| Some(d.bytes()) == own);
                }
                Reply::Descriptors { send, want }
            }
            Request::Put { b, proof, fan } => self.put(node, &b, proof, fan),
            Request::PutObject { o, fan } => self.put_object(node, &o, fan),
            Request::GetObject { place, .. } => {
                let objects = self.nodes[&node].objects.get(&place.locator()).cloned();
                Reply::Object { objects: objects.into_iter().map(ByteBuf::from).collect() }
            }
            Request::List { r, fan } => {
                let body = r.clone().verify().unwrap().into_body();
                let ReadKind::List { wait_ms, .. } = body.kind else { panic!("not a list") };
                let part = self.part(&node, &r, &body);
                if wait_ms > 0 && part.ids.is_empty() {
                    let until = self.now.mono.plus(wait_ms.into());
                    self.waiters.push(Waiter { until, node, id, read: r });
                    return;
                }
                Reply::List { parts: self.parts(node, &r, &body, fan) }
            }
            Request::Get { r, .. } => self.get(node, &r),
            Request::Tombstone { t, .. } => {
                let body = t.verify().unwrap().into_body();
                for node in self.nodes.values_mut() {
                    node.held.retain(|b| !body.ids.contains(&b.id()));
                }
                Reply::Ok
            }
            Request::Announce { .. } | Request::Repair { .. } => panic!("a client never sends this"),
        };
        self.reply(node, id, reply);
    }

    fn parts(&self, node: PeerKey, r: &SignedRead, body: &ReadBody, fan: bool) -> Vec<crate::ListPart> {
        let mut of = vec![node];
        if fan {
            let around = self.placement(&body.place.locator(), body.e);
            let alive = |n: &PeerKey| !matches!(self.nodes[n].kind, Kind::Silent | Kind::Down);
            of.extend(around.into_iter().filter(|n| *n != node && alive(n)).take(4));
        }
        of.iter().map(|n| sign_list(&self.nodes[n].key, &self.part(n, r, body))).collect()
    }

    fn part(&self, node: &PeerKey, r: &SignedRead, body: &ReadBody) -> ListBody {
        let ReadKind::List { cursors, .. } = &body.kind else { panic!("not a list") };
        let custodian = &self.nodes[node];
        let from = cursors.iter().find(|(n, c)| n == node && c.inc == custodian.inc).map_or(0, |c| c.1.seq);
        let here = |b: &&VerifiedBox| b.locator() == body.place.locator();
        let mut ids: Vec<BoxId> =
            custodian.held.iter().skip(from as usize).filter(here).map(VerifiedBox::id).collect();
        let mut seq = custodian.held.len() as u64;
        if custodian.kind == Kind::Hiding {
            ids.clear();
        }
        if custodian.kind == Kind::Phantoms {
            ids = (0..100u8).map(|i| BoxId::from_bytes([i; 32])).collect();
            seq = from + 100;
        }
        ListBody { n: *node, q: Bytes(read_hash(r)), inc: custodian.inc, seq, ids, more: false }
    }

    fn get(&self, node: PeerKey, r: &SignedRead) -> Reply {
        let body = r.clone().verify().unwrap().into_body();
        let ReadKind::Get { ids } = body.kind else { panic!("not a get") };
        let custodian = &self.nodes[&node];
        let mut size = 0;
        let found = custodian.held.iter().filter(|b| ids.contains(&b.id())).take_while(|b| {
            size += b.wire().len();
            size < 100_000
        });
        let boxes = found.map(|b| {
            let mut bytes = b.wire().to_vec();
            if custodian.kind == Kind::Corrupting {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            ByteBuf::from(bytes)
        });
        Reply::Get { boxes: boxes.collect() }
    }

    fn put_object(&mut self, node: PeerKey, bytes: &[u8], fan: bool) -> Reply {
        let object = SignedObject::parse(bytes).unwrap().verify(&self.file.params).unwrap();
        let of = if fan { self.placement(&object.locator(), object.e) } else { vec![node] };
        let mut receipts = Vec::new();
        for n in of.iter().take(8) {
            let custodian = self.nodes.get_mut(n).unwrap();
            custodian.objects.insert(object.locator(), bytes.to_vec());
            receipts.push(issue(&custodian.key, &Expected::from(&object)));
        }
        Reply::Put { receipts, refused: Vec::new() }
    }

    fn put(&mut self, node: PeerKey, bytes: &[u8], proof: Option<SpaceProof>, fan: bool) -> Reply {
        let params = self.file.params;
        let b = SealedBox::parse(bytes).unwrap().verify(&params).unwrap();
        let fan = fan && !matches!(self.nodes[&node].kind, Kind::Lazy);
        let of = if fan { self.placement(&b.locator(), b.epoch()) } else { vec![node] };
        let alive = |n: &&PeerKey| !matches!(self.nodes[*n].kind, Kind::Silent | Kind::Down);
        let of: Vec<PeerKey> = of.iter().filter(alive).take(8).copied().collect();
        if self.nodes[&node].kind == Kind::Slanderer && of.len() > 1 {
            return Reply::Put {
                receipts: Vec::new(),
                refused: of.into_iter().map(|n| (n, PutRefusal::Quota)).collect(),
            };
        }
        let mut receipts = Vec::new();
        let mut refused = Vec::new();
        for n in of {
            match self.put_one(n, &b, proof) {
                Ok(more) => receipts.extend(more),
                Err(why) => refused.push((n, why)),
            }
        }
        receipts.truncate(16);
        refused.truncate(16);
        Reply::Put { receipts, refused }
    }

    fn put_one(
        &mut self,
        n: PeerKey,
        b: &VerifiedBox,
        proof: Option<SpaceProof>,
    ) -> Result<Vec<Receipt>, PutRefusal> {
        let price = PuzzlePrice { mem: 8, tries: 3 };
        let others = self.placement(&b.locator(), b.epoch());
        let custodian = self.nodes.get_mut(&n).unwrap();
        custodian.puts += 1;
        let right = Expected::from(b);
        let pays = |block: u32| {
            proof
                .filter(|p| p.block == block)
                .is_some_and(|p| space_puzzle(&b.locator(), b.epoch(), block, price).check(&p.solution))
        };
        let link = self.file.params.link;
        let slot = |factor: u32| PuzzlePrice { mem: link.mem, tries: link.tries * factor };
        let worked = |factor: u32| {
            let puzzle = slot_puzzle(&b.id(), &b.hash(), slot(factor));
            proof.is_some_and(|p| p.block == SLOT_BLOCK && puzzle.check(&p.solution))
        };
        match custodian.kind {
            Kind::Forger => {
                let forge = |other: &PeerKey| {
                    let body = crate::ReceiptBody {
                        n: *other,
                        b: right.id,
                        h: Bytes(right.hash),
                        x: right.expiry_hour,
                        e: right.epoch,
                    };
                    Signed::new(&body, |label, msg| custodian.key.sign(label, msg))
                };
                Ok(others.iter().filter(|other| **other != n).map(forge).collect())
            }
            Kind::OtherBytes => Ok(vec![issue(&custodian.key, &Expected { hash: [1; 32], ..right })]),
            Kind::ConflictLie => {
                let mut held = b.wire().to_vec();
                let last = held.len() - 1;
                held[last] ^= 1;
                Err(PutRefusal::Conflict { held: ByteBuf::from(held) })
            }
            Kind::ConflictTrue => {
                let held = custodian.held.first().unwrap().wire().to_vec();
                Err(PutRefusal::Conflict { held: ByteBuf::from(held) })
            }
            Kind::Slot(factor) if !worked(factor) => {
                Err(PutRefusal::NeedProof { price: slot(factor), block: SLOT_BLOCK })
            }
            Kind::Paid if !pays(0) => Err(PutRefusal::NeedProof { price, block: 0 }),
            _ if self.paid.contains(&b.locator()) && !pays(0) => {
                Err(PutRefusal::NeedProof { price, block: 0 })
            }
            Kind::Pressed(factor) => {
                let space = self.file.params.space;
                let price = PuzzlePrice { tries: space.tries * factor, ..space };
                let puzzle = space_puzzle(&b.locator(), b.epoch(), 0, price);
                if proof.is_some_and(|p| p.block == 0 && puzzle.check(&p.solution)) {
                    custodian.held.push(b.clone());
                    return Ok(vec![issue(&custodian.key, &right)]);
                }
                Err(PutRefusal::NeedProof { price, block: 0 })
            }
            Kind::Beyond => Err(PutRefusal::NeedProof { price, block: 16 }),
            Kind::Greedy => {
                Err(PutRefusal::NeedProof { price, block: u32::try_from(custodian.puts).unwrap() })
            }
            _ if self.full.contains(&b.locator()) => Err(PutRefusal::Quota),
            Kind::Full => Err(PutRefusal::Quota),
            _ => {
                if !custodian.held.contains(b) {
                    custodian.held.push(b.clone());
                }
                Ok(vec![issue(&custodian.key, &right)])
            }
        }
    }

    /// Receipts told for a put so far: how many custodians, and whether it was called solid.
    pub fn receipts(&self, key: u64) -> (usize, bool) {
        let mut told = self.events.iter().filter_map(|e| match e {
            ClientEvent::Receipts { put, signed_by, solid } if *put == PutKey(key) => {
                Some((signed_by.len(), *solid))
            }
            _ => None,
        });
        told.next_back().unwrap_or((0, false))
    }

    /// Nodes that hold this box.
    pub fn holders(&self, id: BoxId) -> BTreeSet<PeerKey> {
        let holds = |n: &Node| n.held.iter().any(|b| b.id() == id);
        self.nodes.iter().filter(|(_, n)| holds(n)).map(|(k, _)| *k).collect()
    }
}

/// A mailbox, and someone who may write into it from its epoch at [`START`] minus six on.
pub fn writer(rng: &mut Rng, params: &NetworkParams) -> (ReaderKeys, Writer, u64) {
    let keys = ReaderKeys::generate(MailboxKind::Account, rng);
    let tag = TagKey::generate(rng);
    let epoch = keys.address().epoch_at(START, params);
    let grant = keys.grant(rng, &tag.public(), epoch - 6, 29).unwrap();
    (keys, Writer::new(&grant, Some(&tag)).unwrap(), epoch)
}

/// A verified box of this writer.
pub fn sealed(w: &Writer, epoch: u64, index: u64, text: &[u8], params: &NetworkParams) -> VerifiedBox {
    let hour = START.plus(7 * DAY).hour();
    w.seal_box(epoch, index, hour, text).unwrap().verify(params).unwrap()
}
