//! Puts that hold no place: who stands in line, who sleeps, who was called.
//!
//! ```text
//!  offered, no place ------------> in line --called, a place is kept for it--> called --offered--> a place
//!                                    ^                                           | CALL_MS over
//!                                    | its time came                             v
//!  gave its place up, without bytes -+- asleep                               forgotten
//! ```
//! A put that gave its place up is kept without its bytes: who signed, how long it waits, what a receipt must be
//! about. So a late receipt still counts, and nobody who signed is asked again.
//!
//! What it does NOT do: decide who gives a place up, or send anything.

use super::events::{PutKey, PuzzleId};
use super::put::Put;
use murre_core::Mono;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Everyone without a place. A key is in one of the three states at most.
#[derive(Default)]
pub struct Waiting {
    line: VecDeque<PutKey>,
    /// Those in line, with what is known of them if they had a place before.
    in_line: BTreeMap<PutKey, Option<Box<Put>>>,
    asleep: BTreeMap<PutKey, Box<Put>>,
    /// When each sleeper with a time gets up.
    wakes: BTreeSet<(Mono, PutKey)>,
    /// Asked for, with the moment from which the place is no longer kept.
    called: BTreeMap<PutKey, (Mono, Option<Box<Put>>)>,
}

impl Waiting {
    /// How many wait in any way.
    pub fn len(&self) -> usize {
        self.line.len() + self.asleep.len() + self.called.len()
    }

    /// How many would take a place now.
    pub fn line_len(&self) -> usize {
        self.line.len()
    }

    /// How many places are kept.
    pub fn called_len(&self) -> usize {
        self.called.len()
    }

    /// Whether it waits in any way.
    pub fn contains(&self, key: &PutKey) -> bool {
        self.in_line.contains_key(key) || self.asleep.contains_key(key) || self.called.contains_key(key)
    }

    /// Whether a place is kept for it.
    pub fn is_called(&self, key: &PutKey) -> bool {
        self.called.contains_key(key)
    }

    /// Whether it waits for its time.
    pub fn is_asleep(&self, key: &PutKey) -> bool {
        self.asleep.contains_key(key)
    }

    /// What is known of it, if it had a place before.
    pub fn known(&self, key: &PutKey) -> Option<&Put> {
        let line = || self.in_line.get(key).and_then(Option::as_deref);
        let called = || self.called.get(key).and_then(|(_, put)| put.as_deref());
        self.asleep.get(key).map(Box::as_ref).or_else(line).or_else(called)
    }

    /// As [`Waiting::known`], to be changed; not its times.
    pub fn known_mut(&mut self, key: &PutKey) -> Option<&mut Put> {
        if let Some(put) = self.asleep.get_mut(key) {
            return Some(put);
        }
        let called = self.called.get_mut(key).and_then(|(_, put)| put.as_deref_mut());
        called.or_else(|| self.in_line.get_mut(key).and_then(Option::as_deref_mut))
    }

    /// Stands in line, at its end, unless it waits already.
    pub fn join(&mut self, key: PutKey) {
        if !self.contains(&key) {
            self.line.push_back(key);
            self.in_line.insert(key, None);
        }
    }

    /// A put without answers under way gave its place up.
    pub fn sleep(&mut self, key: PutKey, mut put: Put) {
        put.give_up_bytes();
        self.wakes.extend(put.retry_at.map(|at| (at, key)));
        self.asleep.insert(key, Box::new(put));
    }

    fn get_up(&mut self, key: &PutKey) -> Option<Box<Put>> {
        let put = self.asleep.remove(key)?;
        if let Some(at) = put.retry_at {
            self.wakes.remove(&(at, *key));
        }
        Some(put)
    }

    /// A sleeper goes to the end of the line.
    pub fn wake(&mut self, key: &PutKey) {
        if let Some(put) = self.get_up(key) {
            self.line.push_back(*key);
            self.in_line.insert(*key, Some(put));
        }
    }

    /// Every sleeper that waits for a time goes to the end of the line, and has waited for nothing.
    pub fn wake_all(&mut self) {
        for (_, key) in std::mem::take(&mut self.wakes) {
            if let Some(put) = self.asleep.get_mut(&key) {
                put.backoff = 0;
            }
            self.wake(&key);
        }
    }

    /// Sleepers whose time has come.
    pub fn due(&self, now: Mono) -> Vec<PutKey> {
        self.wakes.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| *key).collect()
    }

    /// Sleepers that wait for this puzzle.
    pub fn paying(&self, id: PuzzleId) -> Vec<PutKey> {
        self.asleep.iter().filter(|(_, put)| put.paying == Some(id)).map(|(key, _)| *key).collect()
    }

    /// Takes it out of whatever state it is in.
    pub fn remove(&mut self, key: &PutKey) -> Option<Box<Put>> {
        if let Some(put) = self.in_line.remove(key) {
            self.line.retain(|k| k != key);
            return put;
        }
        self.called.remove(key).and_then(|(_, put)| put).or_else(|| self.get_up(key))
    }

    /// Calls the first of the line; a place is kept for each until `until`.
    pub fn call(&mut self, count: usize, until: Mono) -> Vec<PutKey> {
        let keys: Vec<PutKey> = self.line.drain(..count.min(self.line.len())).collect();
        for key in &keys {
            let put = self.in_line.remove(key).flatten();
            self.called.insert(*key, (until, put));
        }
        keys
    }

    /// Forgets who was called and did not come.
    pub fn lapse(&mut self, now: Mono) {
        self.called.retain(|_, (until, _)| *until > now);
    }

    /// When somebody gets up, or a place is no longer kept.
    pub fn next_timeout(&self) -> Option<Mono> {
        let called = self.called.values().map(|(until, _)| *until).min();
        self.wakes.first().map(|(at, _)| *at).into_iter().chain(called).min()
    }
}
