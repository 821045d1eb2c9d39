//! Our own requests to other nodes, until they answer, fall silent or go away.
//!
//! An answer is matched by its request id alone. Ids are drawn at random, so that only who was asked can answer;
//! whatever counts inside an answer is signed or proves itself, so a lucky guess gains nothing.

use crate::limits::{CALL_DEADLINE_MS, MAX_CALLS};
use murre_core::id::PeerKey;
use murre_core::{Mono, Now, Rng};
use rand_core::RngCore;
use std::collections::{BTreeMap, BTreeSet};

/// Which child asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The coordinator, for this job.
    Job(u64),
    /// The directory feeder.
    Directory,
    /// Repair.
    Repair,
}

/// One request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who wants the answer.
    pub caller: Caller,
    /// Who was asked.
    pub peer: PeerKey,
    deadline: Mono,
}

impl Call {
    /// A request that was never sent, for want of room.
    #[must_use]
    pub const fn unheard(caller: Caller, peer: PeerKey) -> Self {
        Self { caller, peer, deadline: Mono(0) }
    }
}

/// All requests under way.
#[derive(Debug, Default)]
pub struct Calls {
    open: BTreeMap<u64, Call>,
    due: BTreeSet<(Mono, u64)>,
}

impl Calls {
    /// Notes a request and names it; nothing if too many are under way. `patience` is added to the usual deadline,
    /// for lists that may wait, ms.
    pub fn begin(
        &mut self,
        now: Now,
        rng: &mut Rng,
        caller: Caller,
        peer: PeerKey,
        patience: u64,
    ) -> Option<u64> {
        if self.open.len() >= MAX_CALLS {
            return None;
        }
        let mut id = rng.next_u64();
        while self.open.contains_key(&id) {
            id = rng.next_u64();
        }
        let deadline = now.mono.plus(CALL_DEADLINE_MS.saturating_add(patience));
        self.open.insert(id, Call { caller, peer, deadline });
        self.due.insert((deadline, id));
        Some(id)
    }

    /// Takes the request that this answer belongs to, once.
    pub fn take(&mut self, id: u64) -> Option<Call> {
        let call = self.open.remove(&id)?;
        self.due.remove(&(call.deadline, id));
        Some(call)
    }

    /// Takes every request to a peer that is gone.
    pub fn take_peer(&mut self, peer: &PeerKey) -> Vec<Call> {
        let ids: Vec<u64> = self.open.iter().filter(|(_, c)| c.peer == *peer).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// Takes every request whose time is over.
    pub fn take_silent(&mut self, now: Mono) -> Vec<Call> {
        let ids: Vec<u64> = self.due.range(..=(now, u64::MAX)).map(|(_, id)| *id).collect();
        ids.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// How many are under way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// When the next one falls silent.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_once_by_answer_loss_or_silence() {
        let mut rng = Rng::from_seed([1; 32]);
        let mut calls = Calls::default();
        let now = Now::default();
        let [a, b] = [PeerKey::from_bytes([1; 32]), PeerKey::from_bytes([2; 32])];
        let first = calls.begin(now, &mut rng, Caller::Job(1), a, 0).unwrap();
        calls.begin(now, &mut rng, Caller::Repair, b, 0).unwrap();
        calls.begin(now, &mut rng, Caller::Directory, b, 500).unwrap();
        assert_eq!(calls.take(first).map(|c| c.caller), Some(Caller::Job(1)));
        assert_eq!(calls.take(first), None);
        let silent = calls.take_silent(Mono(CALL_DEADLINE_MS));
        assert_eq!(silent.iter().map(|c| c.caller).collect::<Vec<_>>(), [Caller::Repair]);
        assert_eq!(calls.take_peer(&b).len(), 1);
        assert_eq!((calls.count(), calls.next_timeout()), (0, None));
    }

    #[test]
    fn calls_are_bounded() {
        let mut rng = Rng::from_seed([2; 32]);
        let mut calls = Calls::default();
        let peer = PeerKey::from_bytes([1; 32]);
        for _ in 0..MAX_CALLS {
            assert!(calls.begin(Now::default(), &mut rng, Caller::Repair, peer, 0).is_some());
        }
        assert!(calls.begin(Now::default(), &mut rng, Caller::Repair, peer, 0).is_none());
    }
}
