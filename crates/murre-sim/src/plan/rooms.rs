//! Nodes whose disk is full for a while, and nodes that are asked to leave (K-43 to K-45), from dice of their own.

use super::{Deed, NodePlan, Plan, ROUND};
use crate::cast::{Act, Cast};
use crate::dice::Dice;
use murre_core::time::SECOND;

/// Kinds of runs in which that happens.
const TROUBLED: [u64; 12] = [8, 13, 15, 21, 23, 29, 32, 37, 38, 44, 51, 59];
/// How long a node that leaves is looked at, ms: its time is up after ten seconds.
const LEFT_MS: u64 = 12 * SECOND;

/// Whether nodes of this seed are full or leave.
#[must_use]
pub fn happens(seed: u64) -> bool {
    TROUBLED.contains(&(seed % ROUND))
}

/// A node without room, or one that leaves, is one of those that a network can bear: in a small one nobody lies or
/// dies beside it.
pub(super) fn make_room(seed: u64, nodes: &mut [NodePlan]) {
    if !happens(seed) {
        return;
    }
    let worse = usize::from(nodes.len() >= 8);
    let mut left = worse;
    for node in nodes.iter_mut().filter(|n| n.lie.is_some() || n.dies_in.is_some()) {
        if left == 0 {
            (node.lie, node.dies_in) = (None, None);
        }
        left = left.saturating_sub(1);
    }
}

/// Plans it for one episode that begins now: one node, in one of the two ways.
pub(super) fn plan(plan: &Plan, number: usize, cast: &mut Cast, now: u64) {
    if !happens(plan.seed) {
        return;
    }
    let mut dice = Dice::new(plan.seed, &format!("rooms {number}"));
    let sound: Vec<usize> = (1..plan.nodes.len())
        .filter(|n| plan.nodes[*n].lie.is_none() && plan.nodes[*n].dies_in.is_none())
        .collect();
    let Some(node) = sound.get(dice.index(sound.len())) else { return };
    let host = Plan::node_host(*node);
    let from = now + dice.range(0, plan.episode / 2);
    if dice.chance(500) {
        cast.acts.add(from, Act::World(Deed::Room(host, false)));
        // Some are full over the gap as well.
        let until = from + dice.range(5 * SECOND, plan.episode);
        cast.acts.add(until, Act::World(Deed::Room(host, true)));
        return;
    }
    // For good only in the last episode: what it alone held would be lost with the next.
    let for_good = number == plan.gaps.len() && dice.chance(500);
    cast.acts.add(from, Act::World(Deed::Drain(host, for_good)));
    cast.acts.add(from + LEFT_MS, Act::World(Deed::Left(host)));
    cast.acts.add(from + LEFT_MS + dice.range(0, plan.episode), Act::World(Deed::Back(host)));
}
