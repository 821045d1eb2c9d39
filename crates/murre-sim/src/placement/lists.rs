//! Liars among those who are asked, and lists that are not the network's.

use super::town::{Kept, Town};
use super::{Count, Row, Size};
use crate::dice::Dice;
use murre_core::id::PeerKey;
use std::collections::BTreeSet;

/// Careful reads of one box.
const READS: usize = 4;

/// A careful read: r answers of ranks 1 to k in any order; who lies shows nothing. True if somebody showed the box.
fn careful(
    town: &mut Town,
    ranks: &[PeerKey],
    holders: &BTreeSet<PeerKey>,
    liars: &BTreeSet<PeerKey>,
) -> bool {
    let q = town.quorum();
    let mut asked: Vec<PeerKey> = ranks.iter().take(q.k).copied().collect();
    town.dice.rng().shuffle(&mut asked);
    asked.iter().take(q.r).any(|n| holders.contains(n) && !liars.contains(n))
}

/// Two of the holders lie, or a share of the whole town does.
pub fn liars(dice: Dice, size: Size) -> Vec<Row> {
    let mut town = Town::new(dice, size.nodes);
    let (epoch, q) = (town.epoch(), town.quorum());
    let mut all = [Count::default(); 3];
    let mut many = [Count::default(); 2];
    let shares = [10, 20];
    let crowds = shares.map(|s| town.choose(size.nodes * s / 100).into_iter().collect::<BTreeSet<_>>());
    for _ in 0..size.boxes / READS {
        let locator = town.locator();
        let ranks = town.ranks(&locator, epoch);
        let k: Vec<PeerKey> = ranks.iter().take(q.k).copied().collect();
        let mut six = k.clone();
        town.dice.rng().shuffle(&mut six);
        six.truncate(q.w);
        let held: BTreeSet<PeerKey> = six.iter().copied().collect();
        let full: BTreeSet<PeerKey> = k.iter().copied().collect();
        for _ in 0..READS {
            // The liars are always among those who hold it: elsewhere they could hide nothing.
            for (count, (holders, lying)) in all.iter_mut().zip([(&full, 2), (&held, 2), (&held, 3)]) {
                let liars = six.iter().take(lying).copied().collect();
                count.add(careful(&mut town, &ranks, holders, &liars));
            }
            for (count, crowd) in many.iter_mut().zip(&crowds) {
                count.add(careful(&mut town, &ranks, &held, crowd));
            }
        }
    }
    let [full, six, three] = all;
    let mut rows = vec![
        Row::new("2 liars, k copies: one careful read finds it", full, Some(1.0)),
        Row::new("2 liars, w copies: one careful read finds it", six, Some(1.0)),
        Row::new("3 liars, w copies: one careful read finds it", three, None),
    ];
    for (count, share) in many.into_iter().zip(shares) {
        rows.push(Row::new(
            format!("{share} % of all nodes lie, w copies: one careful read finds it"),
            count,
            None,
        ));
    }
    rows
}

/// Writer and reader each lack so many per cent of the nodes and know as many that are gone.
pub fn stale(dice: Dice, percent: u64, size: Size) -> Vec<Row> {
    let mut town = Town::new(dice, size.nodes);
    let (writer, reader) = (town.stale_list(percent), town.stale_list(percent));
    let (epoch, now) = (town.epoch(), town.now);
    let (mut stored, mut meets, mut later) = (Count::default(), Count::default(), Count::default());
    let mut boxes = Vec::new();
    for _ in 0..size.boxes / 8 {
        let locator = town.locator();
        let q = writer.quorum(now);
        // A custodian takes a box only if its own list places it there; the others count as silent.
        let places: BTreeSet<PeerKey> = town.ranks(&locator, epoch).into_iter().collect();
        let takes = |n: &&PeerKey| town.is_up(n) && places.contains(*n);
        let ranks = writer.placement(&locator, epoch, now);
        let holders: BTreeSet<PeerKey> = ranks.iter().filter(takes).take(q.k).copied().collect();
        stored.add(holders.len() >= q.w);
        if holders.len() >= q.w {
            boxes.push(Kept { locator, epoch, holders });
        }
    }
    let read = |town: &mut Town, boxes: &[Kept], count: &mut Count| {
        for b in boxes {
            let ranks: Vec<PeerKey> = reader.placement(&b.locator, epoch, now);
            // Who is gone is silent and is replaced by a spare rank.
            let there: Vec<PeerKey> = ranks.into_iter().filter(|n| town.is_up(n)).collect();
            count.add(careful(town, &there, &b.holders, &BTreeSet::new()));
        }
    };
    read(&mut town, &boxes, &mut meets);
    for _ in 0..3 {
        town.repair(epoch, boxes.iter_mut());
    }
    read(&mut town, &boxes, &mut later);
    let name = |what: &str| format!("lists {percent} % apart: {what}");
    let target = (percent <= 10).then_some(0.9999);
    vec![
        Row::new(name("stored"), stored, None),
        Row::new(name("stored, and a careful read meets it"), meets, target),
        Row::new(name("the same after three rounds of repair"), later, target),
    ]
}
