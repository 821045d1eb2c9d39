//! One run from beginning to judgement.

use crate::agenda::Agenda;
use crate::cast::{Act, Cast, Pair, Person};
use crate::dice::{Dice, machine_seed};
use crate::liar::Liar;
use crate::model::Model;
use crate::net::{Net, Weather};
use crate::node::NodeProgram;
use crate::oracle::{Failure, Watch, history, keepers, secrecy};
use crate::person::PersonProgram;
use crate::plan::{Gap, Leave, Plan, back};
use crate::sabotage::{self, Planted};
use crate::shell::Sim;
use crate::stranger::StrangerProgram;
use crate::totals::Totals;
use murre_core::id::{AccountId, PeerKey};
use murre_core::time::{DAY, HOUR, MINUTE, SECOND};
use murre_core::{NetworkParams, PeerRef};
use murre_crypto::Phrase;
use murre_device::{Command, ContactsCommand, Init, query};
use murre_mailbox::NetworkFile;
use murre_store::{MemoryStore, Store};
use std::collections::BTreeMap;

/// Fewer messages in one run mean that the generator is broken.
pub const MIN_MESSAGES: u64 = 30;
/// The quiet time at the end is cut short when all is at rest, and never longer than this, ms.
pub const QUIET_MS: u64 = 2 * HOUR;

/// Time in which repair has to be done, ms: four rounds.
pub const REPAIR_MS: u64 = 45 * MINUTE;

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The planted fault.
    pub sabotage: Option<String>,
    /// Print what happens.
    pub verbose: bool,
    /// Compute every signature check anew, where a build would remember them.
    pub anew: bool,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What broke, if anything did.
    pub failure: Option<Failure>,
    /// What the run was made of.
    pub totals: Totals,
    /// Hash over everything that happened.
    pub hash: [u8; 32],
    /// How long the quiet time was, ms.
    pub quiet: u64,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Report {
    #[cfg(feature = "sabotage")]
    murre_crypto::memo::reset(!options.anew);
    let planted = Planted::new(options.sabotage.as_deref());
    let plan = Plan::new(seed);
    let mut world = World::new(&plan, planted, options);
    world.begin(&plan);
    for number in 0..=plan.gaps.len() {
        world.episode(&plan, number);
        if let Some(gap) = plan.gaps.get(number) {
            world.gap(&plan, gap);
        }
    }
    let quiet = world.end(&plan);
    sabotage::plant(None);
    let World { sim, .. } = world;
    Report { seed, failure: sim.watch.failure().cloned(), hash: sim.trace.hash(), totals: sim.totals, quiet }
}

/// Everything of one run.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) cast: Cast,
    pub(crate) nodes: Vec<(usize, PeerKey, bool)>,
    pub(crate) file: NetworkFile,
    mallories: Vec<usize>,
}

impl World {
    pub(crate) fn new(plan: &Plan, planted: Planted, options: &Options) -> Self {
        let (tag_epochs, tag_renew_below) = plan.tags;
        let cheap = NetworkParams::cheap();
        let params = NetworkParams { account_boxes: plan.quota, tag_epochs, tag_renew_below, ..cheap };
        let file = NetworkFile::new("simulated", params);
        let net = Net::new(Dice::new(plan.seed, "net"), Weather::CALM);
        let mut sim = Sim::new(plan.seed, plan.begin, net, Watch::new(params, planted));
        sim.fault = options.sabotage.as_deref().and_then(sabotage::shell);
        sim.verbose = options.verbose;
        let mark = format!("plant7q{:016x}", plan.seed);
        sim.watch.leak.plant("the planted word", mark.as_bytes());
        let cast = Cast {
            people: Vec::new(),
            pairs: plan.pairs.iter().map(|(a, b, both, c, w)| Pair::new(*a, *b, *both, *c, *w)).collect(),
            model: Model::default(),
            acts: Agenda::default(),
            mark,
            dice: Dice::new(plan.seed, "cast"),
            seed: plan.seed,
            files: Vec::new(),
            contents: Vec::new(),
        };
        Self { sim, cast, nodes: Vec::new(), file, mallories: Vec::new() }
    }

    /// Nodes come up and find each other, then people.
    pub(crate) fn begin(&mut self, plan: &Plan) {
        let mut dice = Dice::new(plan.seed, "keys");
        self.add_nodes(plan, &mut dice);
        self.sim.totals.both_asked += plan.pairs.iter().filter(|p| p.2).count() as u64;
        for n in 0..plan.nodes.len() {
            self.sim.start(n);
        }
        self.advance(if plan.long { 20 } else { 12 } * SECOND);
        for (n, person) in plan.people.iter().enumerate() {
            let name = format!("{} {}", ["Alice", "Bob", "Carol"][n % 3], self.cast.mark);
            let host = self.add_person(plan, &mut dice, &name, person.skew, person.listens);
            let account = self.account(host);
            self.sim.watch.leak.plant_account(&name, &account);
            self.cast.people.push(Person { number: n, name, host, account, asks: BTreeMap::new() });
            self.sim.start(host);
        }
        if let Some(pays) = plan.stranger {
            self.add_stranger(plan, pays);
        }
    }

    fn add_nodes(&mut self, plan: &Plan, dice: &mut Dice) {
        let secrets: Vec<[u8; 32]> = plan.nodes.iter().map(|_| dice.bytes()).collect();
        let mut keys = Vec::new();
        for (n, node) in plan.nodes.iter().enumerate() {
            let program = NodeProgram {
                secret: secrets[n],
                network: self.file.clone(),
                bootstrap: self.bootstrap(2),
                addr: murre_core::Addr(String::new()),
                disk: 1 << 30,
            };
            let key = program.key().id();
            keys.push(key);
            let host = self.sim.add_host(&format!("node{n}"), Box::new(program), node.skew);
            self.sim.watch.wire.node(host, key);
            self.nodes.push((host, key, node.lie.is_none()));
        }
        for (n, node) in plan.nodes.iter().enumerate() {
            let Some(lie) = node.lie else { continue };
            let key = murre_crypto::NodeKey::from_secret(&murre_crypto::Secret::new(secrets[n]));
            let seed = machine_seed(plan.seed, n, u64::MAX);
            self.sim.totals.liars += 1;
            self.sim.hosts[n].liar = Some(Liar::new(lie, key, keys.clone(), self.file.params, seed));
        }
    }

    /// The first nodes, as everybody knows them.
    fn bootstrap(&self, most: usize) -> Vec<PeerRef> {
        self.nodes.iter().take(most).map(|(host, key, _)| self.sim.peer_ref(*host, *key)).collect()
    }

    fn add_person(&mut self, plan: &Plan, dice: &mut Dice, name: &str, skew: i64, listens: bool) -> usize {
        let program = PersonProgram { bootstrap: self.bootstrap(3), listens };
        let short = name.split(' ').next().unwrap_or_default();
        let host = self.sim.add_host(short, Box::new(program), skew);
        let phrase = Phrase::generate(dice.rng());
        let seed = machine_seed(plan.seed, host, 0);
        let now = self.sim.hosts[host].clocks(self.sim.now);
        let store = &mut self.sim.hosts[host].store;
        let made = murre_device::init(now, seed, store, &Init { name, phrase: &phrase });
        let applied = made.map_err(|e| format!("{e:?}")).and_then(|(batch, _)| commit(store, &batch));
        if let Err(what) = applied {
            self.sim.watch.fail("open", what);
        }
        host
    }

    fn account(&self, host: usize) -> AccountId {
        query::me(&self.sim.hosts[host].store).map_or(AccountId::from_bytes([0; 32]), |me| me.account)
    }

    fn add_stranger(&mut self, plan: &Plan, pays: bool) {
        let targets = self.bootstrap(4);
        let program = StrangerProgram { targets, params: self.file.params, seed: plan.seed, pays };
        let host = self.sim.add_host("stranger", Box::new(program), 0);
        self.sim.hosts[host].stranger = true;
        self.sim.start(host);
    }

    pub(crate) fn advance(&mut self, ms: u64) {
        let until = self.sim.now + ms;
        self.cast.run_until(&mut self.sim, until);
    }

    fn episode(&mut self, plan: &Plan, number: usize) {
        if number == 0 && plan.leaks > 0 {
            self.leak(plan);
        }
        if number == 1 {
            self.keep_old_states();
        }
        plan.episode(number, &mut self.cast, &self.sim);
        self.advance(plan.episode);
        history::glance(&mut self.sim, &mut self.cast);
        history::bounds(&mut self.sim, &self.cast);
    }

    /// For the planted fault that starts a process over an old store.
    fn keep_old_states(&mut self) {
        for person in &self.cast.people {
            let host = &mut self.sim.hosts[person.host];
            host.old = Some(host.store.snapshot());
        }
    }

    /// The first pair's link gets into the wrong hands: every slot is taken before the one it was meant for comes.
    fn leak(&mut self, plan: &Plan) {
        for _ in 0..120 {
            self.cast.pursue(&mut self.sim);
            self.advance(SECOND);
            if self.cast.pairs[0].links[0].is_some() {
                break;
            }
        }
        let Some(link) = self.cast.pairs[0].links[0].clone() else { return };
        let mut dice = Dice::new(plan.seed, "leak");
        for n in 0..plan.leaks {
            let host = self.add_person(plan, &mut dice, &format!("Mallory{n} plant"), 0, false);
            self.sim.start(host);
            self.mallories.push(host);
        }
        self.advance(5 * SECOND);
        for host in self.mallories.clone() {
            let add = ContactsCommand::Add { link: link.clone(), hello: "let me in".to_owned() };
            self.sim.command(host, crate::machine::Cmd::Device(Command::Contacts(add)));
            self.sim.totals.slots_filled += 1;
        }
        self.advance(30 * SECOND);
        for host in self.mallories.clone() {
            self.sim.stop(host);
            self.sim.hosts[host].dead = true;
        }
    }

    /// Hours or weeks in which nobody writes: processes are stopped or asleep; nodes wake for minutes each day.
    fn gap(&mut self, plan: &Plan, gap: &Gap) {
        self.sim.totals.gap_days += gap.ms.div_ceil(DAY);
        let mut dice = Dice::new(plan.seed, &format!("gap {}", self.sim.now));
        let (people, nodes) = (self.people_hosts(), self.node_hosts());
        for host in &people {
            if dice.chance(800) {
                let how = if gap.asleep { Leave::Sleep } else { Leave::Stop };
                crate::plan::perform(&mut self.sim, crate::plan::Deed::Leave(*host, how));
            } else {
                crate::plan::perform(&mut self.sim, crate::plan::Deed::Leave(*host, Leave::Unplug));
                self.sim.freeze(*host, true);
            }
        }
        let until = self.sim.now + gap.ms;
        while self.sim.now < until && !self.sim.watch.is_over() {
            for host in &nodes {
                self.sim.stop(*host);
            }
            self.drain();
            let nap = (until - self.sim.now).min(45 * HOUR);
            self.sim.jump(nap);
            for host in &nodes {
                back(&mut self.sim, *host);
            }
            let awake = if plan.long { 75 * SECOND } else { 30 * SECOND };
            let awake = (until.saturating_sub(self.sim.now)).min(awake);
            self.advance(awake);
        }
        for host in people {
            back(&mut self.sim, host);
        }
    }

    /// Lets everything under way come to nothing before time jumps.
    pub(crate) fn drain(&mut self) {
        self.advance(31 * SECOND);
    }

    pub(crate) fn people_hosts(&self) -> Vec<usize> {
        self.cast.people.iter().map(|p| p.host).collect()
    }

    pub(crate) fn node_hosts(&self) -> Vec<usize> {
        self.nodes.iter().map(|(host, _, _)| *host).collect()
    }

    /// Devices lose sight of each other for good, just as people write: what went over a live link alone must find
    /// another way.
    fn keep_apart(&mut self) {
        self.advance(20 * SECOND);
        // Where somebody was blocked, nobody writes any more: what was written before has to come by itself.
        let pairs: Vec<(usize, usize)> = self.talking();
        for (from, to) in pairs.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]) {
            self.cast.acts.add(self.sim.now, Act::Send { from, to, texts: 1, size: 0 });
        }
        let hosts = self.people_hosts();
        for (n, a) in hosts.iter().enumerate() {
            for b in &hosts[n + 1..] {
                self.sim.net.set_cut(self.sim.now, *a, *b, true);
            }
        }
    }

    /// Everybody who still writes: once somebody is blocked, nobody.
    fn talking(&self) -> Vec<(usize, usize)> {
        let over = self.cast.pairs.iter().any(|p| p.blocked.is_some());
        self.cast.pairs.iter().filter(|_| !over).map(|p| (p.a, p.b)).collect()
    }

    /// The first person blocks the second, before they have read what a third left in the mailbox that is replaced by
    /// this. The third is away meanwhile, and writes no more: nothing but the old mailbox can bring it.
    fn block_one(&mut self) {
        let until = self.sim.now + 40 * MINUTE;
        while self.sim.now < until && !self.sim.watch.is_over() {
            self.cast.pursue(&mut self.sim);
            self.top_up();
            self.advance(10 * SECOND);
            if history::at_rest(&self.sim, &self.cast) {
                break;
            }
        }
        let hosts = self.people_hosts();
        for (n, a) in hosts.iter().enumerate() {
            for b in &hosts[n + 1..] {
                self.sim.net.set_cut(self.sim.now, *a, *b, true);
            }
        }
        self.sim.stop(hosts[0]);
        for (from, texts) in [(2, 3), (1, 1)] {
            self.cast.acts.add(self.sim.now, Act::Send { from, to: 0, texts, size: 0 });
        }
        self.advance(3 * MINUTE);
        self.sim.stop(hosts[2]);
        self.sim.start(hosts[0]);
        self.cast.block(&mut self.sim, 0);
        self.advance(2 * MINUTE);
        self.cast.acts.add(self.sim.now, Act::Send { from: 1, to: 0, texts: 1, size: 0 });
        self.advance(MINUTE);
        self.sim.start(hosts[2]);
    }

    /// And takes it back some time later: what was written meanwhile comes after all.
    fn unblock_one(&mut self, plan: &Plan) {
        let mut dice = Dice::new(plan.seed, "unblock");
        for _ in 0..dice.range(1, 4) {
            self.cast.acts.add(self.sim.now, Act::Send { from: 1, to: 0, texts: 1, size: 0 });
            self.advance(dice.range(10, 240) * SECOND);
        }
        let since = self.cast.pairs[0].blocked.unwrap_or_default();
        if let Err(what) = history::heard(&self.sim, &self.cast, &self.cast.pairs[0], since) {
            self.sim.watch.fail("the blocked are not heard", what);
        }
        self.cast.unblock(&mut self.sim, 0);
        if dice.chance(500) {
            self.sim.net.heal();
        }
        self.advance(MINUTE);
        for (from, to) in [(1, 0), (0, 1)] {
            self.cast.acts.add(self.sim.now, Act::Send { from, to, texts: 1, size: 0 });
        }
        self.advance(MINUTE);
    }

    /// People who were away too long to write enough do it now.
    fn top_up(&mut self) {
        let pairs = self.talking();
        for (from, to) in pairs.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]) {
            let missing = MIN_MESSAGES.saturating_sub(self.sim.totals.messages) as usize;
            if missing == 0 {
                return;
            }
            let act = Act::Send { from, to, texts: missing.min(16), size: 0 };
            self.cast.acts.add(self.sim.now, act);
            self.advance(2 * SECOND);
        }
    }

    /// The quiet time: everybody is there, nothing fails any more, and then everything is judged.
    pub(crate) fn end(&mut self, plan: &Plan) -> u64 {
        let from = self.sim.now;
        while self.cast.acts.pop().is_some() {}
        self.sim.net.heal();
        self.sim.net.weather = Weather::CALM;
        for host in self.node_hosts().into_iter().chain(self.people_hosts()) {
            (self.sim.hosts[host].crash, self.sim.hosts[host].at_blob) = (None, None);
            self.sim.room(host, true);
            back(&mut self.sim, host);
        }
        if plan.blocks {
            self.block_one();
        }
        if plan.unblocks {
            self.unblock_one(plan);
        }
        if plan.apart {
            self.keep_apart();
        }
        for who in 0..self.cast.people.len() {
            self.cast.acts.add(self.sim.now + 5 * SECOND, Act::Read { who });
        }
        self.advance(10 * SECOND);
        let mut rest = 0;
        let calm = if plan.long { 3 } else { 2 };
        while self.sim.now < from + QUIET_MS && rest < calm && !self.sim.watch.is_over() {
            self.cast.pursue(&mut self.sim);
            self.top_up();
            let step = if self.sim.now < from + 10 * MINUTE { 5 * SECOND } else { MINUTE };
            self.advance(step);
            rest = if history::at_rest(&self.sim, &self.cast) { rest + 1 } else { 0 };
        }
        for who in 0..self.cast.people.len() {
            self.cast.acts.add(self.sim.now, Act::Read { who });
        }
        self.advance(if plan.long { 20 } else { 8 } * SECOND);
        self.sim.totals.re_boxed = self.sim.watch.wire.re_boxed;
        (self.sim.totals.chunks, self.sim.totals.boxed_chunks) = self.sim.watch.wire.chunks;
        if !self.sim.watch.is_over() {
            history::judge(&mut self.sim, &mut self.cast);
            keepers::check(&mut self.sim, &self.nodes);
            secrecy::check(&mut self.sim, &self.cast);
        }
        if plan.repair && !self.sim.watch.is_over() {
            for host in self.people_hosts() {
                self.sim.stop(host);
            }
            self.advance(REPAIR_MS);
            keepers::repaired(&mut self.sim, &self.nodes, &self.file);
        }
        if !self.sim.watch.is_over() && self.sim.totals.messages < MIN_MESSAGES {
            let what = format!("only {} messages were sent", self.sim.totals.messages);
            self.sim.watch.fail("generator", what);
        }
        self.sim.now - from
    }
}

fn commit(store: &mut MemoryStore, batch: &murre_core::Batch) -> Result<(), String> {
    store
        .begin()
        .and_then(|()| store.apply(batch))
        .and_then(|()| store.commit())
        .map_err(|e| format!("{e:?}"))
}
