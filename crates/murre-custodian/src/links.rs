//! The open links and what each may still ask for.
//!
//! A link's peer key is used for two things only: to find a link to a node again, and to answer a repair page
//! with what the directory places on that node. It authorises nothing.
//!
//! Not here: what a request means. This only counts.

use crate::limits::{MAX_HELD_PER_LINK, MAX_LINKS, MAX_OBJECTS_PER_MINUTE, MAX_PENDING_PER_LINK};
use murre_core::id::PeerKey;
use murre_core::time::MINUTE;
use murre_core::{LinkId, LinkUp, Mono};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
struct Link {
    peer: PeerKey,
    pending: BTreeMap<u64, usize>,
    held: usize,
    /// Start of the present minute of objects, and how many came in it.
    objects: (Mono, u32),
}

/// All open links.
#[derive(Debug, Default)]
pub struct Links {
    links: BTreeMap<LinkId, Link>,
    by_peer: BTreeMap<PeerKey, BTreeSet<LinkId>>,
}

impl Links {
    /// Takes a link in; false means there are too many and it must be closed.
    pub fn up(&mut self, up: &LinkUp) -> bool {
        if self.links.len() >= MAX_LINKS && !self.links.contains_key(&up.id) {
            return false;
        }
        self.links
            .insert(up.id, Link { peer: up.peer, pending: BTreeMap::new(), held: 0, objects: (Mono(0), 0) });
        self.by_peer.entry(up.peer).or_default().insert(up.id);
        true
    }

    /// Forgets a link; tells its peer if that was the last link to it.
    pub fn down(&mut self, id: LinkId) -> Option<PeerKey> {
        let link = self.links.remove(&id)?;
        let rest = self.by_peer.get_mut(&link.peer)?;
        rest.remove(&id);
        if rest.is_empty() {
            self.by_peer.remove(&link.peer);
            return Some(link.peer);
        }
        None
    }

    /// Key at the other end.
    #[must_use]
    pub fn peer(&self, id: LinkId) -> Option<PeerKey> {
        self.links.get(&id).map(|l| l.peer)
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.links.len()
    }

    /// Everyone linked, in key order.
    pub fn peers(&self) -> impl Iterator<Item = PeerKey> + '_ {
        self.by_peer.keys().copied()
    }

    /// Whether this request of the link still waits for its answer.
    #[must_use]
    pub fn is_pending(&self, id: LinkId, request: u64) -> bool {
        self.links.get(&id).is_some_and(|l| l.pending.contains_key(&request))
    }

    /// Notes a request that will be answered later; false means this link already has too much pending, or uses
    /// a request id twice.
    pub fn begin(&mut self, id: LinkId, request: u64, bytes: usize) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let full = link.pending.len() >= MAX_PENDING_PER_LINK
            || link.held.saturating_add(bytes) > MAX_HELD_PER_LINK
            || link.pending.contains_key(&request);
        if full {
            return false;
        }
        link.pending.insert(request, bytes);
        link.held = link.held.saturating_add(bytes);
        true
    }

    /// Notes an owner object; false means this link brought too many in this minute.
    pub fn object(&mut self, id: LinkId, now: Mono) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let (from, count) = link.objects;
        let (from, count) = if now.since(from) >= MINUTE { (now, 0) } else { (from, count) };
        link.objects = (from, count.saturating_add(1));
        count < MAX_OBJECTS_PER_MINUTE
    }

    /// A request was answered; false if the link is gone meanwhile.
    pub fn end(&mut self, id: LinkId, request: u64) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        if let Some(bytes) = link.pending.remove(&request) {
            link.held = link.held.saturating_sub(bytes);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use murre_core::{LinkCaps, LinkKind};

    fn link(id: u64, peer: u8) -> LinkUp {
        LinkUp {
            id: LinkId(id),
            kind: LinkKind::Virtual,
            caps: LinkCaps { mtu: 1 << 20, ordered: true, reliable: true, metered: false },
            peer: PeerKey::from_bytes([peer; 32]),
            own: PeerKey::from_bytes([0; 32]),
            dialed: false,
        }
    }

    #[test]
    fn a_link_may_not_hold_more_than_its_share() {
        let mut links = Links::default();
        assert!(links.up(&link(1, 1)) && links.up(&link(2, 2)));
        for n in 0..MAX_PENDING_PER_LINK as u64 {
            assert!(links.begin(LinkId(1), n, 1));
        }
        assert!(!links.begin(LinkId(1), 9_999, 1), "too many pending");
        assert!(links.begin(LinkId(2), 1, MAX_HELD_PER_LINK), "the other link is not affected");
        assert!(!links.begin(LinkId(2), 2, 1), "too many bytes held");
        assert!(links.end(LinkId(2), 1));
        assert!(links.begin(LinkId(2), 2, 1), "room again");
        assert!(!links.begin(LinkId(2), 2, 1), "one id, one request");
    }

    #[test]
    fn the_peer_is_lost_with_its_last_link() {
        let mut links = Links::default();
        links.up(&link(1, 7));
        links.up(&link(2, 7));
        assert_eq!(links.down(LinkId(1)), None);
        assert_eq!(links.down(LinkId(2)), Some(PeerKey::from_bytes([7; 32])));
        assert_eq!(links.down(LinkId(2)), None);
    }

    #[test]
    fn owner_objects_of_a_link_are_bounded_in_each_minute() {
        let mut links = Links::default();
        links.up(&link(1, 1));
        let later = Mono(MINUTE);
        let taken = |links: &mut Links, at| (0..700).filter(|_| links.object(LinkId(1), at)).count();
        assert_eq!(taken(&mut links, Mono(5)), MAX_OBJECTS_PER_MINUTE as usize);
        assert_eq!(taken(&mut links, Mono(6)), 0);
        assert_eq!(taken(&mut links, later), MAX_OBJECTS_PER_MINUTE as usize);
    }

    #[test]
    fn there_is_a_last_link() {
        let mut links = Links::default();
        for n in 0..MAX_LINKS as u64 {
            assert!(links.up(&link(n, (n % 250) as u8)));
        }
        assert!(!links.up(&link(u64::MAX, 1)));
    }
}
