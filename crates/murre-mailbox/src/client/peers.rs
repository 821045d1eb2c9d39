//! What is remembered of each custodian's behaviour, and what their clocks say.
//!
//! A custodian that lied is *avoided* for an hour; one that cannot be reached or is busy is left *quiet* for a
//! while that doubles. Neither is a judgement that others hear of: a node cannot be slandered.

use super::limits::{AVOID_MS, CLOCK_SAMPLES, MAX_PEERS, MAX_PHANTOMS, QUIET_MS};
use murre_core::id::PeerKey;
use murre_core::{Mono, Wall};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
struct Peer {
    avoid_until: Option<Mono>,
    quiet_until: Option<Mono>,
    quiet_ms: u64,
    phantoms: u32,
}

impl Peer {
    fn matters_until(&self) -> Mono {
        self.avoid_until.max(self.quiet_until).unwrap_or_default()
    }
}

/// Behaviour of at most [`MAX_PEERS`] custodians.
#[derive(Debug, Default)]
pub struct Peers {
    known: BTreeMap<PeerKey, Peer>,
    clocks: VecDeque<(PeerKey, i64)>,
}

impl Peers {
    fn entry(&mut self, peer: PeerKey) -> &mut Peer {
        if !self.known.contains_key(&peer) && self.known.len() >= MAX_PEERS {
            let least = self.known.iter().min_by_key(|(_, p)| p.matters_until()).map(|(k, _)| *k);
            if let Some(least) = least {
                self.known.remove(&least);
            }
        }
        self.known.entry(peer).or_default()
    }

    /// It lied, or sent what cannot be verified.
    // spec: BC-5
    pub fn avoid(&mut self, peer: PeerKey, now: Mono) {
        let entry = self.entry(peer);
        entry.avoid_until = Some(now.plus(AVOID_MS));
        entry.phantoms = 0;
    }

    /// It listed a box that nobody had. Too many of these are a lie.
    pub fn phantom(&mut self, peer: PeerKey, now: Mono) {
        let entry = self.entry(peer);
        entry.phantoms += 1;
        if entry.phantoms >= MAX_PHANTOMS {
            self.avoid(peer, now);
        }
    }

    /// It could not be reached, was silent, or has no time.
    pub fn quiet(&mut self, peer: PeerKey, now: Mono, most: u64) {
        if self.is_quiet(&peer, now) {
            // Many requests that fail together are one failure.
            return;
        }
        let entry = self.entry(peer);
        entry.quiet_ms = if entry.quiet_ms == 0 { QUIET_MS } else { (entry.quiet_ms * 2).min(most) };
        entry.quiet_until = Some(now.plus(entry.quiet_ms));
    }

    /// We were away ourselves: silence was not theirs.
    pub fn forgive_silence(&mut self) {
        for entry in self.known.values_mut() {
            entry.quiet_ms = 0;
            entry.quiet_until = None;
        }
    }

    /// It answered.
    pub fn heard(&mut self, peer: &PeerKey) {
        if let Some(entry) = self.known.get_mut(peer) {
            entry.quiet_ms = 0;
            entry.quiet_until = None;
        }
    }

    /// Whether it is avoided now.
    pub fn avoided(&self, peer: &PeerKey, now: Mono) -> bool {
        self.known.get(peer).and_then(|p| p.avoid_until).is_some_and(|until| until > now)
    }

    /// Whether it is left alone now.
    pub fn is_quiet(&self, peer: &PeerKey, now: Mono) -> bool {
        self.known.get(peer).and_then(|p| p.quiet_until).is_some_and(|until| until > now)
    }

    /// How many are avoided now.
    pub fn avoided_count(&self, now: Mono) -> usize {
        self.known.values().filter(|p| p.avoid_until.is_some_and(|until| until > now)).count()
    }

    /// A node told its time.
    pub fn clock(&mut self, peer: PeerKey, told: u64, own: Wall) {
        let offset = i128::from(told) - i128::from(own.0);
        let bound = i128::from(i64::MAX / 2);
        let offset = offset.clamp(-bound, bound) as i64;
        self.clocks.retain(|(p, _)| *p != peer);
        self.clocks.push_back((peer, offset));
        if self.clocks.len() > CLOCK_SAMPLES {
            self.clocks.pop_front();
        }
    }

    /// Network time minus own clock: the median of the last few nodes heard, the lower one of two.
    // spec: BC-4
    pub fn offset(&self) -> i64 {
        let mut all: Vec<i64> = self.clocks.iter().map(|(_, o)| *o).collect();
        all.sort_unstable();
        all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u64) -> PeerKey {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        PeerKey::from_bytes(bytes)
    }

    #[test]
    fn liars_are_avoided_for_an_hour_and_memory_is_bounded() {
        let mut peers = Peers::default();
        peers.avoid(peer(0), Mono(5));
        assert!(peers.avoided(&peer(0), Mono(4 + AVOID_MS)));
        assert!(!peers.avoided(&peer(0), Mono(5 + AVOID_MS)));
        for n in 1..2 * MAX_PEERS as u64 {
            peers.quiet(peer(n), Mono(0), QUIET_MS);
        }
        assert_eq!(peers.known.len(), MAX_PEERS);
        assert!(peers.avoided(&peer(0), Mono(6)), "what matters longest is kept");
    }

    #[test]
    fn many_requests_that_fail_together_are_one_failure() {
        let mut peers = Peers::default();
        for _ in 0..32 {
            peers.quiet(peer(1), Mono(0), 16 * QUIET_MS);
        }
        assert!(peers.is_quiet(&peer(1), Mono(QUIET_MS - 1)));
        assert!(!peers.is_quiet(&peer(1), Mono(QUIET_MS)));
        peers.quiet(peer(1), Mono(QUIET_MS), 16 * QUIET_MS);
        assert!(peers.is_quiet(&peer(1), Mono(3 * QUIET_MS - 1)));
    }

    #[test]
    fn phantoms_make_a_liar_only_in_numbers() {
        let mut peers = Peers::default();
        for _ in 1..MAX_PHANTOMS {
            peers.phantom(peer(1), Mono(0));
        }
        assert!(!peers.avoided(&peer(1), Mono(1)));
        peers.phantom(peer(1), Mono(0));
        assert!(peers.avoided(&peer(1), Mono(1)));
    }

    #[test]
    fn two_wild_clocks_of_five_do_not_move_network_time() {
        let mut peers = Peers::default();
        for (n, told) in [(1, 1_000), (2, u64::MAX), (3, 1_010), (4, 1_020), (5, 0)] {
            peers.clock(peer(n), told, Wall(1_000));
        }
        assert_eq!(peers.offset(), 10);
        peers.clock(peer(6), 1_015, Wall(1_000));
        assert_eq!(peers.clocks.len(), CLOCK_SAMPLES);
    }
}
