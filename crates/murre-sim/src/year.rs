//! A year: two people write every day, each is away for weeks, and every node is replaced while they do.
//!
//! ```text
//!  day     nodes wake  ->  who is there wakes, writes, reads, sleeps  ->  nodes sleep        about a minute and a half
//!  away    Bob | Alice | both, after last words | Bob, and Alice too in the middle of it
//!  nodes   at any time eight; the oldest dies for good, with its store, and a new one comes: each twice in the run
//!  end     everybody is there, and all oracles judge; then nobody for 33 days, and the nodes must have let go of all
//! ```
//!
//! The machines, the shell, the oracles and the model are those of every other run. What differs is time: a day's traffic is
//! one wake, and between two wakes nothing is awake. The first nodes that a device knows are told anew at each start, as a
//! list of anchors would be: a list in a store that is months old may name nobody any more.

use crate::cast::Act;
use crate::dice::Dice;
use crate::node::NodeProgram;
use crate::oracle::{Failure, history};
use crate::person::PersonProgram;
use crate::plan::{NodePlan, PersonPlan, Plan, back};
use crate::run::{Options, World};
use crate::sabotage::Planted;
use crate::shell::{Crash, CrashPoint};
use murre_core::time::{DAY, SECOND};
use murre_core::{Addr, NetworkParams};
use murre_custodian::query::status;
use murre_store::Fault;

/// Nodes at any time.
const NODES: usize = 8;
/// Days after the last word until nothing of it may be held anywhere.
const SILENT_DAYS: u64 = 33;
/// Rows of a device that do not come from messages, and rows that one message may cost.
const ROWS: (u64, u64) = (400, 14);

/// How a year went.
#[derive(Clone, Debug)]
pub struct Year {
    /// What broke, if anything did.
    pub failure: Option<Failure>,
    /// Figures in words.
    pub figures: Vec<(&'static str, u64)>,
}

/// Shares of the run in which somebody is away: who, from, to.
const AWAY: [(usize, f64, f64); 6] =
    [(1, 0.08, 0.27), (0, 0.38, 0.50), (0, 0.60, 0.72), (1, 0.60, 0.72), (1, 0.80, 0.92), (0, 0.84, 0.88)];

fn is_away(who: usize, day: u64, days: u64) -> bool {
    let share = day as f64 / days as f64;
    AWAY.iter().any(|(n, from, to)| *n == who && share >= *from && share < *to)
}

fn plan(seed: u64) -> Plan {
    let mut dice = Dice::new(seed, "year");
    let production = NetworkParams::production();
    Plan {
        blocks: false,
        unblocks: false,
        seed,
        begin: 1_760_000_000_000 + dice.range(0, 400 * DAY),
        nodes: vec![NodePlan { skew: 0, lie: None, dies_in: None }; NODES],
        people: vec![PersonPlan { skew: 0, listens: false }, PersonPlan { skew: 0, listens: true }],
        pairs: vec![(0, 1, false, SECOND, SECOND)],
        gaps: Vec::new(),
        episode: 60 * SECOND,
        stranger: None,
        leaks: 0,
        quota: production.account_boxes,
        tags: (production.tag_epochs, production.tag_renew_below),
        apart: false,
        repair: false,
        long: true,
    }
}

/// The largest and the last of something.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    peak: u64,
    last: u64,
}

impl Mark {
    fn see(&mut self, value: u64) {
        self.peak = self.peak.max(value);
        self.last = value;
    }
}

struct Run {
    world: World,
    dice: Dice,
    days: u64,
    born: Vec<u64>,
    replaced: u64,
    texts_away: u64,
    device: [Mark; 2],
    node: [Mark; 2],
    boxes: Mark,
}

/// Lets so many days pass.
#[must_use]
pub fn run(seed: u64, days: u64) -> Year {
    #[cfg(feature = "sabotage")]
    murre_crypto::memo::reset(true);
    let plan = plan(seed);
    let world = World::new(&plan, Planted::new(None), &Options::default());
    let mut run = Run {
        world,
        dice: Dice::new(seed, "days"),
        days,
        born: vec![0; NODES],
        replaced: 0,
        texts_away: 0,
        device: [Mark::default(); 2],
        node: [Mark::default(); 2],
        boxes: Mark::default(),
    };
    run.world.sim.max_steps = u64::MAX;
    run.world.begin(&plan);
    run.meet();
    let from = run.world.sim.now;
    for day in 0..days {
        run.day(day);
        run.sleep_until(from + (day + 1) * DAY);
        if run.world.sim.watch.is_over() {
            break;
        }
    }
    run.tell_bootstrap();
    run.world.end(&plan);
    run.measure();
    run.bounded();
    run.silence();
    Year { failure: run.world.sim.watch.failure().cloned(), figures: run.figures() }
}

impl Run {
    /// They get to know each other.
    fn meet(&mut self) {
        for _ in 0..120 {
            self.world.cast.pursue(&mut self.world.sim);
            self.world.advance(5 * SECOND);
            if self.world.cast.model.agreed(0, 1) {
                return;
            }
        }
        self.world.sim.watch.fail("all converge", "two people did not meet in ten minutes".to_owned());
    }

    fn day(&mut self, day: u64) {
        let every = (self.days / (2 * NODES as u64)).max(1);
        if day > 0 && day.is_multiple_of(every) {
            self.replace(day);
        }
        self.tell_bootstrap();
        for host in self.world.node_hosts() {
            back(&mut self.world.sim, host);
        }
        self.world.advance(12 * SECOND);
        let people = self.world.people_hosts();
        let there: Vec<usize> = (0..people.len()).filter(|who| !is_away(*who, day, self.days)).collect();
        for who in &there {
            let host = people[*who];
            back(&mut self.world.sim, host);
            self.wishes(*who, day);
            if self.dice.chance(150) {
                let points = [
                    CrashPoint::BeforeCommit,
                    CrashPoint::AfterCommit,
                    CrashPoint::Store(Fault::Commit),
                    CrashPoint::Store(Fault::Read),
                ];
                let point = points[self.dice.index(points.len())];
                let turns = self.dice.range(1, 60);
                self.world.sim.hosts[host].crash = Some(Crash { turns, point, down: 3 * SECOND });
            }
        }
        self.world.advance(55 * SECOND);
        history::glance(&mut self.world.sim, &mut self.world.cast);
        history::bounds(&mut self.world.sim, &self.world.cast);
        for who in there {
            self.world.sim.hosts[people[who]].crash = None;
            self.world.sim.stop(people[who]);
        }
        self.world.advance(12 * SECOND);
        self.measure();
    }

    /// What somebody who is there does today.
    fn wishes(&mut self, who: usize, day: u64) {
        let now = self.world.sim.now;
        let other_away = is_away(1 - who, day, self.days);
        for _ in 0..self.dice.range(1, 2) {
            let texts = self.dice.range(1, 3) as usize;
            let size = if self.dice.chance(60) { self.dice.range(2_000, 30_000) as usize } else { 0 };
            let at = now + self.dice.range(8, 45) * SECOND;
            self.world.cast.acts.add(at, Act::Send { from: who, to: 1 - who, texts, size });
            self.texts_away += if other_away { texts as u64 } else { 0 };
        }
        self.world.cast.acts.add(now + 20 * SECOND, Act::Read { who });
    }

    /// The oldest node dies with its store, and a new one comes.
    fn replace(&mut self, day: u64) {
        let living: Vec<usize> = (0..self.world.nodes.len())
            .filter(|n| !self.world.sim.hosts[self.world.nodes[*n].0].dead)
            .collect();
        let Some(oldest) = living.into_iter().min_by_key(|n| self.born[*n]) else { return };
        let host = self.world.nodes[oldest].0;
        self.world.sim.stop(host);
        self.world.sim.hosts[host].dead = true;
        self.replaced += 1;
        let secret = self.dice.bytes();
        let program = self.node(secret);
        let key = program.key().id();
        let name = format!("node{}", self.world.nodes.len());
        let host = self.world.sim.add_host(&name, Box::new(program), 0);
        self.world.sim.watch.wire.node(host, key);
        self.world.nodes.push((host, key, true));
        self.born.push(day);
    }

    fn node(&self, secret: [u8; 32]) -> NodeProgram {
        NodeProgram {
            secret,
            network: self.world.file.clone(),
            bootstrap: self.living(2),
            addr: Addr(String::new()),
            disk: 1 << 30,
        }
    }

    /// Nodes that are not dead, the newest first.
    fn living(&self, most: usize) -> Vec<murre_core::PeerRef> {
        let sim = &self.world.sim;
        let living = self.world.nodes.iter().rev().filter(|(host, _, _)| !sim.hosts[*host].dead);
        living.take(most).map(|(host, key, _)| sim.peer_ref(*host, *key)).collect()
    }

    /// People are told who is there now.
    fn tell_bootstrap(&mut self) {
        let bootstrap = self.living(3);
        for (who, host) in self.world.people_hosts().into_iter().enumerate() {
            let program = PersonProgram { bootstrap: bootstrap.clone(), listens: who == 1 };
            self.world.sim.reconfigure(host, Box::new(program));
        }
    }

    /// Nobody is awake until then.
    fn sleep_until(&mut self, until: u64) {
        for host in self.world.node_hosts() {
            self.world.sim.stop(host);
        }
        self.world.drain();
        self.world.sim.jump(until.saturating_sub(self.world.sim.now));
    }

    fn measure(&mut self) {
        let sim = &self.world.sim;
        let stores = |hosts: Vec<usize>| {
            let alive = hosts.into_iter().filter(|h| !sim.hosts[*h].dead).map(|h| &sim.hosts[h].store);
            alive
                .map(|s| (s.rows() as u64, s.bytes() as u64))
                .fold((0, 0), |(r, b), (x, y)| (r.max(x), b.max(y)))
        };
        let (device, node) = (stores(self.world.people_hosts()), stores(self.world.node_hosts()));
        self.device[0].see(device.0);
        self.device[1].see(device.1);
        self.node[0].see(node.0);
        self.node[1].see(node.1);
        let held = self.held();
        self.boxes.see(held);
    }

    /// Most boxes that one living node holds. A node whose state cannot be read fails the run.
    fn held(&mut self) -> u64 {
        let sim = &self.world.sim;
        let alive = self.world.node_hosts().into_iter().filter(|h| !sim.hosts[*h].dead);
        let held: Result<Vec<u64>, _> = alive.map(|h| status(&sim.hosts[h].store).map(|s| s.boxes)).collect();
        match held {
            Ok(held) => held.into_iter().max().unwrap_or(0),
            Err(e) => {
                self.world.sim.watch.fail("bounds", format!("the state of a node cannot be read: {e:?}"));
                0
            }
        }
    }

    /// A device grows with what was written and with nothing else.
    fn bounded(&mut self) {
        let messages = self.world.sim.totals.messages;
        let most = ROWS.0 + ROWS.1 * messages;
        if self.device[0].peak > most {
            let what = format!("a device had {} rows for {messages} messages", self.device[0].peak);
            self.world.sim.watch.fail("bounds", what);
        }
    }

    /// Nobody writes any more: nodes let go of everything whose time is over.
    fn silence(&mut self) {
        for host in self.world.people_hosts() {
            self.world.sim.stop(host);
        }
        let from = self.world.sim.now;
        for day in 0..SILENT_DAYS {
            self.sleep_until(from + (day + 1) * DAY);
            for host in self.world.node_hosts() {
                back(&mut self.world.sim, host);
            }
            self.world.advance(15 * SECOND);
        }
        self.measure();
        let held = self.held();
        if held > 0 {
            let what = format!("a node holds {held} boxes {SILENT_DAYS} days after the last word");
            self.world.sim.watch.fail("bounds", what);
        }
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let totals = &self.world.sim.totals;
        vec![
            ("days", self.days),
            ("messages sent", totals.messages),
            ("of them while the other was away", self.texts_away),
            ("crashes of devices", totals.crashes() + totals.store_faults),
            ("nodes replaced", self.replaced),
            ("boxes made by devices", self.world.sim.watch.wire.made()),
            ("boxes sent again with the same bytes", totals.re_puts),
            ("entries boxed again in a later epoch", totals.re_boxed),
            ("repair fetches", totals.repairs),
            ("frames carried", totals.frames),
            ("rows of a device, at most", self.device[0].peak),
            ("bytes of a device, at most", self.device[1].peak),
            ("rows of a node, at most", self.node[0].peak),
            ("bytes of a node, at most", self.node[1].peak),
            ("boxes of a node, at most", self.boxes.peak),
            ("rows of a node after the silence", self.node[0].last),
            ("bytes of a node after the silence", self.node[1].last),
            ("boxes of a node after the silence", self.boxes.last),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_away_for_a_while_and_there_at_both_ends() {
        for who in 0..2 {
            let days: Vec<u64> = (0..365).filter(|day| is_away(who, *day, 365)).collect();
            assert!(days.len() > 60 && !days.contains(&0) && !days.contains(&364), "{}", days.len());
        }
        assert!((0..365).any(|d| is_away(0, d, 365) && is_away(1, d, 365)));
        assert!((0..56).any(|d| is_away(1, d, 56) && !is_away(0, d, 56)));
    }
}
