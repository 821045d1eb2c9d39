//! Lists that wait on an open link for something new.
//!
//! A waiting list costs memory, so it is bounded at every end: in all, for one asker, for one locator, and in
//! time. Who does not fit is answered at once with what there is; nobody is refused for want of a place here.
//!
//! Not here: reading the list. [`Waiters`] only says whose time has come.

use crate::limits::{MAX_WAITERS, MAX_WAITERS_PER_LINK, MAX_WAITERS_PER_LOCATOR};
use crate::route::Asker;
use murre_core::id::{Bytes, Locator};
use murre_core::{LinkId, Mono};
use murre_mailbox::Cursor;
use std::collections::{BTreeMap, BTreeSet};

/// A verified wish to see a locator's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListAsk {
    /// Whose list.
    pub locator: Locator,
    /// Hash of the signed request, echoed in the answer.
    pub request: Bytes<32>,
    /// What the reader has seen of this node's list.
    pub cursor: Option<Cursor>,
}

#[derive(Debug)]
struct Waiter {
    asker: Asker,
    ask: ListAsk,
    until: Mono,
}

/// Every list that waits.
#[derive(Debug, Default)]
pub struct Waiters {
    next: u64,
    all: BTreeMap<u64, Waiter>,
    by_locator: BTreeMap<Locator, BTreeSet<u64>>,
    by_link: BTreeMap<Option<LinkId>, BTreeSet<u64>>,
    due: BTreeSet<(Mono, u64)>,
}

impl Waiters {
    /// Takes a list in to wait until `until`, or gives it back if there is no room for it.
    ///
    /// # Errors
    /// The arguments, to be answered now.
    pub fn wait(&mut self, asker: Asker, ask: ListAsk, until: Mono) -> Result<(), (Asker, ListAsk)> {
        let count = |set: Option<&BTreeSet<u64>>| set.map_or(0, BTreeSet::len);
        let link = asker.link();
        let own_share = if link.is_some() { MAX_WAITERS_PER_LINK } else { MAX_WAITERS };
        // spec: K-33
        if self.all.len() >= MAX_WAITERS
            || count(self.by_link.get(&link)) >= own_share
            || count(self.by_locator.get(&ask.locator)) >= MAX_WAITERS_PER_LOCATOR
        {
            return Err((asker, ask));
        }
        let n = self.next;
        self.next = self.next.wrapping_add(1);
        self.by_locator.entry(ask.locator).or_default().insert(n);
        self.by_link.entry(link).or_default().insert(n);
        self.due.insert((until, n));
        self.all.insert(n, Waiter { asker, ask, until });
        Ok(())
    }

    /// A new box lies at this locator: everyone who waits for it.
    pub fn wake(&mut self, locator: &Locator) -> Vec<(Asker, ListAsk)> {
        let numbers = self.by_locator.get(locator).cloned().unwrap_or_default();
        numbers.into_iter().filter_map(|n| self.take(n)).collect()
    }

    /// Everyone whose time is over.
    pub fn overdue(&mut self, now: Mono) -> Vec<(Asker, ListAsk)> {
        let numbers: Vec<u64> = self.due.range(..=(now, u64::MAX)).map(|(_, n)| *n).collect();
        numbers.into_iter().filter_map(|n| self.take(n)).collect()
    }

    /// Everyone.
    pub fn all(&mut self) -> Vec<(Asker, ListAsk)> {
        self.overdue(Mono(u64::MAX))
    }

    /// A link is gone and with it who waited there.
    pub fn link_down(&mut self, link: LinkId) {
        for n in self.by_link.get(&Some(link)).cloned().unwrap_or_default() {
            self.take(n);
        }
    }

    /// How many wait.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// When the next one's time is over.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    fn take(&mut self, n: u64) -> Option<(Asker, ListAsk)> {
        let waiter = self.all.remove(&n)?;
        self.due.remove(&(waiter.until, n));
        remove(&mut self.by_locator, &waiter.ask.locator, n);
        remove(&mut self.by_link, &waiter.asker.link(), n);
        Some((waiter.asker, waiter.ask))
    }
}

fn remove<K: Ord>(map: &mut BTreeMap<K, BTreeSet<u64>>, key: &K, n: u64) {
    if let Some(set) = map.get_mut(key) {
        set.remove(&n);
        if set.is_empty() {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(locator: u8) -> ListAsk {
        ListAsk { locator: Locator::from_bytes([locator; 32]), request: Bytes([0; 32]), cursor: None }
    }

    fn from(link: u64, id: u64) -> Asker {
        Asker::Link { link: LinkId(link), id }
    }

    #[test]
    fn a_new_box_wakes_who_waits_there_and_nobody_else() {
        let mut w = Waiters::default();
        w.wait(from(1, 1), ask(1), Mono(10)).unwrap();
        w.wait(from(1, 2), ask(2), Mono(20)).unwrap();
        w.wait(from(2, 1), ask(1), Mono(30)).unwrap();
        let woken: Vec<Asker> = w.wake(&ask(1).locator).into_iter().map(|(a, _)| a).collect();
        assert_eq!(woken, [from(1, 1), from(2, 1)]);
        assert_eq!(w.next_timeout(), Some(Mono(20)));
        assert!(w.overdue(Mono(19)).is_empty());
        assert_eq!(w.overdue(Mono(20)).len(), 1);
        assert_eq!((w.count(), w.next_timeout()), (0, None));
        assert!(w.by_link.is_empty() && w.by_locator.is_empty());
    }

    #[test]
    fn waiting_is_bounded_for_a_link_and_for_a_locator() {
        let mut w = Waiters::default();
        for id in 0..MAX_WAITERS_PER_LINK as u64 {
            w.wait(from(1, id), ask((id / 2) as u8), Mono(10)).unwrap();
        }
        assert!(w.wait(from(1, 999), ask(200), Mono(10)).is_err(), "link full");
        for link in 0..MAX_WAITERS_PER_LOCATOR as u64 {
            w.wait(from(100 + link, 1), ask(201), Mono(10)).unwrap();
        }
        assert!(w.wait(from(900, 1), ask(201), Mono(10)).is_err(), "locator full");
        w.link_down(LinkId(1));
        assert_eq!(w.count(), MAX_WAITERS_PER_LOCATOR);
    }

    #[test]
    fn waiting_is_bounded_in_all() {
        let mut w = Waiters::default();
        for n in 0..MAX_WAITERS as u64 {
            let locator = Locator::from_slice(&[n.to_be_bytes(); 4].concat()).unwrap();
            w.wait(from(n, 1), ListAsk { locator, ..ask(0) }, Mono(10)).unwrap();
        }
        assert!(w.wait(from(u64::MAX, 1), ask(1), Mono(10)).is_err());
    }
}
