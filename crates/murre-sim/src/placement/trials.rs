//! Many die at once, one was away, some come and go for weeks.

use super::town::{Kept, Town};
use super::{Count, Row, Size};
use crate::dice::Dice;
use murre_core::id::PeerKey;
use murre_core::time::{DAY, HOUR};
use std::collections::BTreeSet;

/// Rounds of repair after which it is over, whole or not.
const MAX_ROUNDS: u64 = 24;
/// Nodes that are away together.
const AWAY: usize = 20;

/// Boxes in the present epoch, each at all of its k custodians.
fn settled(town: &mut Town, boxes: usize) -> Vec<Kept> {
    let (epoch, k) = (town.epoch(), town.quorum().k);
    let at = |town: &mut Town| {
        let locator = town.locator();
        let holders = town.ranks(&locator, epoch).into_iter().take(k).collect();
        Kept { locator, epoch, holders }
    };
    (0..boxes).map(|_| at(town)).collect()
}

/// So many per cent of all nodes die for good at one moment. A day later nobody counts them any more; then repair.
pub fn kill(dice: Dice, percent: usize, target: f64, size: Size) -> Vec<Row> {
    let mut town = Town::new(dice, size.nodes);
    let mut boxes = settled(&mut town, size.boxes);
    let w = town.quorum().w;
    let dead = town.choose(size.nodes * percent / 100);
    town.turn(&dead, false);
    let mut at_once = Count::default();
    let mut unrepaired = Count::default();
    for b in &boxes {
        at_once.add(b.is_found(&town));
        // One that had just become "stored" has w copies and was never repaired.
        let mut six: Vec<PeerKey> = b.holders.iter().copied().collect();
        town.dice.rng().shuffle(&mut six);
        unrepaired.add(six.iter().take(w).any(|h| town.is_up(h)));
    }
    town.pass(25 * HOUR);
    let rounds = repair(&mut town, &mut boxes);
    let (mut found, mut careful, mut whole) = (Count::default(), Count::default(), Count::default());
    let r = town.quorum().r;
    for b in &boxes {
        found.add(b.is_found(&town));
        let mut asked = town.ranks(&b.locator, b.epoch);
        asked.truncate(town.quorum().k);
        town.dice.rng().shuffle(&mut asked);
        careful.add(asked.iter().take(r).any(|n| b.holders.contains(n)));
        whole.add(!b.lives(&town) || b.is_whole(&town));
    }
    let name = |what: &str| format!("{percent} % die at once: {what}");
    let in_time = Count { good: u64::from(rounds <= 6), all: 1 };
    vec![
        Row::new(name("delivered after repair"), found, Some(target)),
        Row::new(name("one careful read finds it after repair"), careful, Some(target)),
        Row::new(name("delivered before repair"), at_once, Some(target)),
        Row::new(name("delivered, had only w copies"), unrepaired, None),
        Row::new(name("boxes alive that have all copies again"), whole, Some(1.0)),
        Row::new(name("all copies again within an hour"), in_time, Some(1.0)),
    ]
}

/// Rounds until nothing is lacking.
fn repair(town: &mut Town, boxes: &mut [Kept]) -> u64 {
    let epoch = boxes.first().map_or(0, |b| b.epoch);
    let mut open: Vec<&mut Kept> = boxes.iter_mut().filter(|b| b.lives(town) && !b.is_whole(town)).collect();
    let mut rounds = 0;
    while !open.is_empty() && rounds < MAX_ROUNDS {
        rounds += 1;
        town.repair(epoch, open.iter_mut().map(|b| &mut **b));
        open.retain(|b| !b.is_whole(town));
    }
    rounds
}

/// Some nodes are away for 25 hours, longer than their descriptors count; what came meanwhile is fetched on return:
/// at start, two seconds later because the directory changed, and after ten minutes.
pub fn back(dice: Dice, size: Size) -> Vec<Row> {
    let mut town = Town::new(dice, size.nodes);
    let away = town.choose(AWAY);
    town.turn(&away, false);
    town.pass(25 * HOUR);
    let mut boxes = settled(&mut town, size.boxes);
    let epoch = town.epoch();
    town.turn(&away, true);
    let missed: BTreeSet<PeerKey> = away.iter().copied().collect();
    let k = town.quorum().k;
    let mut rows = Vec::new();
    for round in ["start", "two more seconds", "ten minutes"] {
        town.repair(epoch, boxes.iter_mut());
        let mut has = Count::default();
        for b in &boxes {
            for node in town.ranks(&b.locator, epoch).iter().take(k).filter(|n| missed.contains(*n)) {
                has.add(b.holders.contains(node));
            }
        }
        let target = (round == "ten minutes").then_some(1.0);
        rows.push(Row::new(format!("back after 25 h: what was missed is there after {round}"), has, target));
    }
    rows
}

/// Each hour some leave for good and as many come. Boxes live for 30 days; the last ones are read at the end.
pub fn churn(dice: Dice, per_mille: usize, size: Size) -> Vec<Row> {
    let mut town = Town::new(dice, size.churn_nodes);
    let mut boxes: Vec<(u64, Kept)> = Vec::new();
    let mut stored = Count::default();
    for hour in 0..size.churn_days * 24 {
        // Where a thousandth is less than a node, one goes every few hours.
        let due = |h: u64| h * (size.churn_nodes * per_mille) as u64 / 1_000;
        let moves = (due(hour + 1) - due(hour)) as usize;
        let leaving = town.choose(moves);
        town.turn(&leaving, false);
        (0..moves).for_each(|_| town.arrive());
        town.pass(HOUR);
        for _ in 0..size.churn_boxes {
            let kept = put(&mut town);
            stored.add(kept.is_some());
            boxes.extend(kept.map(|kept| (town.now.0, kept)));
        }
        boxes.retain(|(at, _)| at + 30 * DAY > town.now.0);
        if hour % size.repair_hours == 0 {
            let epochs: BTreeSet<u64> = boxes.iter().map(|(_, b)| b.epoch).collect();
            for epoch in epochs {
                town.repair(epoch, boxes.iter_mut().map(|(_, b)| b).filter(|b| b.epoch == epoch));
            }
        }
    }
    let (mut lives, mut found) = (Count::default(), Count::default());
    for (_, b) in &boxes {
        lives.add(b.lives(&town));
        found.add(b.is_found(&town));
    }
    let share = per_mille as f64 / 10.0;
    let name = |what: &str| format!("{share} % change each hour, {} days: {what}", size.churn_days);
    // At one per cent an hour a seventh of the list is gone at any moment and half of all nodes never count.
    let target = (per_mille <= 5).then_some(0.9999);
    assert_eq!(town.up(), size.churn_nodes, "as many came as went");
    vec![
        Row::new(name("puts stored at the first try"), stored, None),
        Row::new(name("boxes held by somebody"), lives, target),
        Row::new(name("delivered"), found, target),
    ]
}

/// A put as a coordinator does it: ranks 1 to k, spare ranks for the silent, enough once w have signed.
fn put(town: &mut Town) -> Option<Kept> {
    let (locator, epoch, q) = (town.locator(), town.epoch(), town.quorum());
    let ranks = town.ranks(&locator, epoch);
    let holders: BTreeSet<PeerKey> = ranks.iter().filter(|n| town.is_up(n)).take(q.k).copied().collect();
    (holders.len() >= q.w).then_some(Kept { locator, epoch, holders })
}
