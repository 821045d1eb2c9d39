//! The scenario of a seed: who is there, what goes wrong, and when.
//!
//! A run has a beginning (nodes find each other), a few *episodes* of minutes in which people write while processes
//! die and the network fails, *gaps* of hours to weeks between them, and a quiet end in which everybody is there.
//! In a gap every process is stopped or asleep; once a day the nodes wake for a few minutes, as a real network of
//! home computers does, so that descriptors, expiry and repair go on without the cost of simulating every second.
//!
//! Most seeds are *short* (two people, few nodes, two episodes of about a minute): faults that need no size or length
//! show in them at a third of the price. In each [`ROUND`] of seeds nine are *long* and have everything.

pub mod files;
pub mod rooms;

use crate::cast::{Act, Cast};
use crate::dice::Dice;
use crate::liar::{LIES, Lie};
use crate::net::{HostId, Weather};
use crate::shell::{Crash, CrashPoint, Sim};
use murre_core::NetworkParams;
use murre_core::time::{DAY, HOUR, MINUTE, SECOND};
use murre_store::Fault;

/// Seeds after which the kinds of runs come round again.
pub const ROUND: u64 = 128;
/// In each round: strangers who pay and one who does not, a leaked link, repair, four ordinary long runs.
const PAYING: [u64; 2] = [3, 35];
const FLOODING: u64 = 19;
const LEAKED: u64 = 5;
const REPAIRED: u64 = 6;
/// Somebody is blocked at the end, and a third goes on.
const BLOCKING: [u64; 4] = [9, 25, 41, 57];
/// And the block is taken back.
const UNBLOCKING: [u64; 2] = [25, 57];
const LONG: [u64; 9] = [0, 3, LEAKED, REPAIRED, 9, FLOODING, 20, 35, 46];

/// How someone leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The process ends.
    Stop,
    /// The process sleeps in memory.
    Sleep,
    /// The process runs, the network is gone.
    Unplug,
}

/// Something that happens to the world.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A process will die.
    Crash(HostId, Crash),
    /// A host leaves.
    Leave(HostId, Leave),
    /// A host comes back, however it left.
    Back(HostId),
    /// Two hosts do not reach each other any more.
    Cut(HostId, HostId),
    /// All cuts heal.
    Heal,
    /// A node dies for good.
    Die(HostId),
    /// The weather changes.
    Weather(Weather),
    /// A process will die at a batch that writes into a blob.
    CrashAtBlob(HostId, Crash),
    /// The disk of a node is full, or has room again.
    Room(HostId, bool),
    /// A node is asked to leave, for good or not.
    Drain(HostId, bool),
    /// By now a node that was asked to leave must have said that it can.
    Left(HostId),
}

/// Lets a deed happen.
pub fn perform(sim: &mut Sim, deed: Deed) {
    match deed {
        Deed::Crash(host, crash) => sim.hosts[host].crash = Some(crash),
        Deed::Leave(host, how) => leave(sim, host, how),
        Deed::Back(host) => back(sim, host),
        Deed::Cut(a, b) => {
            sim.totals.partitions += 1;
            sim.net.set_cut(sim.now, a, b, true);
        }
        Deed::Heal => sim.net.heal(),
        Deed::Die(host) => {
            sim.totals.nodes_lost += 1;
            sim.stop(host);
            sim.hosts[host].dead = true;
        }
        Deed::Weather(weather) => sim.net.weather = weather,
        Deed::CrashAtBlob(host, crash) => sim.hosts[host].at_blob = Some(crash),
        Deed::Room(host, there_is) => sim.room(host, there_is),
        Deed::Drain(host, for_good) => sim.drain(host, for_good),
        Deed::Left(host) => sim.left(host),
    }
}

fn leave(sim: &mut Sim, host: HostId, how: Leave) {
    match how {
        Leave::Stop => {
            sim.totals.restarts += 1;
            sim.stop(host);
        }
        Leave::Sleep => {
            sim.totals.suspends += 1;
            sim.freeze(host, true);
        }
        Leave::Unplug => {
            sim.totals.partitions += 1;
            sim.net.set_off(sim.now, host, true);
        }
    }
}

/// Whatever kept a host away is over.
pub fn back(sim: &mut Sim, host: HostId) {
    sim.freeze(host, false);
    sim.net.set_off(sim.now, host, false);
    sim.start(host);
}

/// A node of the plan.
#[derive(Clone, Copy, Debug)]
pub struct NodePlan {
    /// Wall clock minus true time, ms.
    pub skew: i64,
    /// How it lies, if it does.
    pub lie: Option<Lie>,
    /// Dies for good in this episode.
    pub dies_in: Option<usize>,
}

/// A person of the plan.
#[derive(Clone, Copy, Debug)]
pub struct PersonPlan {
    /// Wall clock minus true time, ms.
    pub skew: i64,
    /// Can be dialled.
    pub listens: bool,
}

/// What comes after an episode.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// How long, ms.
    pub ms: u64,
    /// Whether devices sleep in memory rather than stop.
    pub asleep: bool,
}

/// A whole scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// True time at the beginning.
    pub begin: u64,
    /// The nodes.
    pub nodes: Vec<NodePlan>,
    /// The people.
    pub people: Vec<PersonPlan>,
    /// Pairs: inviter, guest, whether both ask, how long a link travels, how long a request waits.
    pub pairs: Vec<(usize, usize, bool, u64, u64)>,
    /// Gaps; one episode before each, and one after the last.
    pub gaps: Vec<Gap>,
    /// Length of an episode, ms.
    pub episode: u64,
    /// A flooding stranger, and whether it pays.
    pub stranger: Option<bool>,
    /// Strangers with the first pair's link.
    pub leaks: usize,
    /// Boxes a mailbox may hold.
    pub quota: u32,
    /// Certificates issued ahead for a writer's tag, and the number below which new ones are, in epochs.
    pub tags: (u32, u32),
    /// A run that has everything.
    pub long: bool,
    /// At the end devices do not reach each other directly.
    pub apart: bool,
    /// At the end repair is waited for and judged.
    pub repair: bool,
    /// At the end one person blocks another while a third has left something.
    pub blocks: bool,
    /// And takes it back.
    pub unblocks: bool,
}

impl Plan {
    /// The scenario of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "plan");
        let kind = seed % ROUND;
        let (long, pays) = (LONG.contains(&kind), PAYING.contains(&kind));
        let nodes = if long { many_nodes(&mut dice) } else { few_nodes(&mut dice) };
        let blocks = BLOCKING.contains(&kind);
        let people = if long && dice.chance(250) || blocks { 3 } else { 2 };
        let mut pairs = vec![(0, 1)];
        if people == 3 {
            pairs.push((2, 0));
        }
        let leaks = if kind == LEAKED { 4 } else { 0 };
        let mut gaps = if long { plan_gaps(&mut dice) } else { plan_gap(&mut dice) };
        if leaks > 0 {
            // A full door opens again with the next epoch.
            gaps[0].ms = 8 * DAY;
        }
        let begin = 1_760_000_000_000 + dice.range(0, 400 * DAY);
        let waits = if leaks > 0 || long { 30 } else { 8 };
        // Files take their time.
        let episode = match (long, files::sends(seed)) {
            (true, _) => dice.range(40, 90),
            (false, true) => dice.range(24, 44),
            (false, false) => dice.range(14, 26),
        };
        let production = NetworkParams::production();
        let mut nodes = plan_nodes(&mut dice, nodes);
        rooms::make_room(seed, &mut nodes);
        let mut people: Vec<PersonPlan> = (0..people).map(|_| plan_person(&mut dice)).collect();
        // A live link takes two who can be dialled.
        let (large, seen) = (files::sends_large(seed), files::see_each_other(seed));
        people.iter_mut().for_each(|person| person.listens |= seen);
        Self {
            seed,
            begin,
            nodes,
            people,
            pairs: pairs.into_iter().map(|(a, b)| plan_pair(&mut dice, a, b, leaks > 0, waits)).collect(),
            gaps,
            episode: episode * SECOND,
            stranger: (pays || kind == FLOODING).then_some(pays),
            leaks,
            apart: dice.chance(600) && !large,
            repair: kind == REPAIRED,
            blocks,
            unblocks: UNBLOCKING.contains(&kind),
            quota: if pays { 256 } else { 4_096 },
            // Issuing half a year of certificates is what a short run spends most of its time with.
            tags: if long { (production.tag_epochs, production.tag_renew_below) } else { (8, 6) },
            long,
        }
    }

    /// Hosts of the nodes are the first ones, in order.
    #[must_use]
    pub const fn node_host(n: usize) -> HostId {
        n
    }

    /// Hosts of the people follow.
    #[must_use]
    pub fn person_host(&self, n: usize) -> HostId {
        self.nodes.len() + n
    }

    /// Plans what happens in one episode that begins now.
    pub fn episode(&self, number: usize, cast: &mut Cast, sim: &Sim) {
        let mut dice = Dice::new(self.seed, &format!("episode {number}"));
        let now = sim.now;
        let at = |dice: &mut Dice| now + dice.range(SECOND, self.episode - SECOND);
        cast.acts.add(now, Act::World(Deed::Weather(plan_weather(&mut dice))));
        for t in (0..self.episode).step_by(15_000) {
            cast.acts.add(now + t, Act::Pursue);
        }
        self.plan_talk(&mut dice, cast, now);
        for who in 0..self.people.len() {
            let host = self.person_host(who);
            if dice.chance(500) {
                let how = [Leave::Stop, Leave::Sleep, Leave::Unplug][dice.index(3)];
                let from = at(&mut dice);
                let until = from + dice.range(5 * SECOND, self.episode);
                cast.acts.add(from, Act::World(Deed::Leave(host, how)));
                cast.acts.add(until, Act::World(Deed::Back(host)));
            }
            for _ in 0..dice.range(0, 3) {
                let crash = plan_crash(&mut dice);
                cast.acts.add(at(&mut dice), Act::World(Deed::Crash(host, crash)));
            }
        }
        self.plan_nodes_trouble(&mut dice, cast, now, number);
        files::plan(self, number, cast, now);
        rooms::plan(self, number, cast, now);
    }

    /// Where repair is judged, an honest node misses the whole first episode and must get everything from others.
    fn misses_all(&self) -> Option<usize> {
        let lasts = |n: &NodePlan| n.lie.is_none() && n.dies_in.is_none();
        self.nodes.iter().rposition(lasts).filter(|n| self.repair && *n > 0)
    }

    fn plan_talk(&self, dice: &mut Dice, cast: &mut Cast, now: u64) {
        for (a, b, ..) in &self.pairs {
            for (from, to) in [(*a, *b), (*b, *a)] {
                for _ in 0..dice.range(4, 8) {
                    let texts = if dice.chance(250) { dice.range(2, 12) as usize } else { 1 };
                    let size = if dice.chance(60) { dice.range(2_000, 60_000) as usize } else { 0 };
                    let at = now + dice.range(0, self.episode);
                    cast.acts.add(at, Act::Send { from, to, texts, size });
                }
            }
        }
        for who in 0..self.people.len() {
            for _ in 0..dice.range(0, 3) {
                cast.acts.add(now + dice.range(0, self.episode), Act::Read { who });
            }
            cast.acts.add(now + dice.range(0, self.episode), Act::Repeat { who });
        }
    }

    fn plan_nodes_trouble(&self, dice: &mut Dice, cast: &mut Cast, now: u64, number: usize) {
        for (n, node) in self.nodes.iter().enumerate() {
            let host = Self::node_host(n);
            if dice.chance(250) {
                let crash = plan_crash(dice);
                cast.acts.add(now + dice.range(0, self.episode), Act::World(Deed::Crash(host, crash)));
            }
            if dice.chance(100) {
                let from = now + dice.range(0, self.episode);
                cast.acts.add(from, Act::World(Deed::Leave(host, Leave::Unplug)));
                cast.acts.add(from + dice.range(0, self.episode), Act::World(Deed::Back(host)));
            }
            if dice.chance(150) {
                let who = self.person_host(dice.index(self.people.len()));
                cast.acts.add(now + dice.range(0, self.episode), Act::World(Deed::Cut(host, who)));
            }
            if node.dies_in == Some(number) {
                cast.acts.add(now + dice.range(0, self.episode), Act::World(Deed::Die(host)));
            }
        }
        if let Some(n) = self.misses_all().filter(|_| number == 0) {
            let host = Self::node_host(n);
            cast.acts.add(now, Act::World(Deed::Leave(host, Leave::Stop)));
            cast.acts.add(now + self.episode - SECOND, Act::World(Deed::Back(host)));
        }
        cast.acts.add(now + dice.range(self.episode / 2, self.episode), Act::World(Deed::Heal));
    }
}

/// Liars and deaths stay within what the network's size can bear.
fn plan_nodes(dice: &mut Dice, count: usize) -> Vec<NodePlan> {
    let bears: usize = match count {
        0..=2 => 0,
        3..=7 => 1,
        _ => 2,
    };
    let mut nodes: Vec<NodePlan> =
        (0..count).map(|_| NodePlan { skew: skew(dice, 20 * MINUTE), lie: None, dies_in: None }).collect();
    // The first node is everybody's bootstrap: a device that knows only a liar knows nothing.
    for _ in 0..bears {
        let n = 1 + dice.index(count - 1);
        if dice.chance(600) {
            nodes[n].lie = Some(LIES[dice.index(LIES.len())]);
        } else if dice.chance(500) {
            nodes[n].dies_in = Some(dice.index(2));
        }
    }
    nodes
}

fn skew(dice: &mut Dice, most: u64) -> i64 {
    dice.range(0, 2 * most) as i64 - most as i64
}

fn plan_person(dice: &mut Dice) -> PersonPlan {
    PersonPlan { skew: skew(dice, HOUR), listens: dice.chance(450) }
}

fn plan_pair(dice: &mut Dice, a: usize, b: usize, leaks: bool, waits: u64) -> (usize, usize, bool, u64, u64) {
    let both = dice.chance(250) && !leaks;
    let carried = if leaks { 60 * SECOND } else { dice.range(SECOND, waits * SECOND) };
    (a, b, both, carried, dice.range(SECOND, waits * SECOND))
}

fn many_nodes(dice: &mut Dice) -> usize {
    let nodes = match dice.range(0, 19) {
        0..=5 => 3,
        6..=10 => dice.range(4, 5),
        11..=14 => dice.range(6, 7),
        15..=16 => 8,
        17..=18 => dice.range(9, 11),
        _ => 12,
    };
    nodes as usize
}

fn few_nodes(dice: &mut Dice) -> usize {
    let nodes = match dice.range(0, 9) {
        0..=6 => 3,
        7..=8 => dice.range(4, 5),
        _ => dice.range(6, 8),
    };
    nodes as usize
}

/// The one gap of a short run.
fn plan_gap(dice: &mut Dice) -> Vec<Gap> {
    let ms = match dice.range(0, 9) {
        0..=7 => dice.range(HOUR / 4, 3 * HOUR),
        8 => dice.range(3 * HOUR, 30 * HOUR),
        _ => dice.range(2 * DAY, 8 * DAY),
    };
    vec![Gap { ms, asleep: dice.chance(400) }]
}

fn plan_gaps(dice: &mut Dice) -> Vec<Gap> {
    (0..1 + u64::from(dice.chance(300)))
        .map(|_| {
            let ms = match dice.range(0, 9) {
                0..=5 => dice.range(HOUR / 4, 3 * HOUR),
                6..=7 => dice.range(3 * HOUR, 30 * HOUR),
                8 => dice.range(2 * DAY, 8 * DAY),
                _ => dice.range(8 * DAY, 24 * DAY),
            };
            Gap { ms, asleep: dice.chance(400) }
        })
        .collect()
}

fn plan_weather(dice: &mut Dice) -> Weather {
    let breaks_after = if dice.chance(500) { dice.range(40, 400) } else { 0 };
    let slow = if dice.chance(150) { 1_500 } else { 150 };
    Weather {
        latency: (dice.range(1, 20), dice.range(30, slow)),
        breaks_after,
        dial_loss: if dice.chance(400) { dice.range(10, 200) } else { 0 },
        doubles: dice.range(0, 100),
    }
}

fn plan_crash(dice: &mut Dice) -> Crash {
    let point = match dice.range(0, 9) {
        0..=3 => CrashPoint::BeforeCommit,
        4..=6 => CrashPoint::AfterCommit,
        7 => CrashPoint::Store(Fault::Commit),
        8 => CrashPoint::Store(Fault::Apply),
        _ => CrashPoint::Store(Fault::Read),
    };
    Crash { turns: dice.range(1, 60), point, down: dice.range(100, 90 * SECOND) }
}
