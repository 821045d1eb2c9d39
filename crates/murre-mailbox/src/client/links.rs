//! Which links are open, to whom, and how many bytes went over them.

use super::events::ClassBytes;
use super::limits::MAX_LINKS;
use murre_core::id::PeerKey;
use murre_core::{Class, LinkId, Mono};
use std::collections::BTreeMap;

/// Open links. The key of the other end finds the link one asked for; it proves nothing.
#[derive(Debug, Default)]
pub struct Links {
    by_link: BTreeMap<LinkId, PeerKey>,
    by_peer: BTreeMap<PeerKey, LinkId>,
    /// Since when a request waits on a link over which nothing came since.
    asked: BTreeMap<LinkId, Mono>,
    bytes: BTreeMap<Class, (u64, u64)>,
}

impl Links {
    /// Follows a link; beyond [`MAX_LINKS`] it is ignored, and its peer counts as unlinked.
    pub fn up(&mut self, link: LinkId, peer: PeerKey) -> bool {
        if self.by_link.len() >= MAX_LINKS {
            return false;
        }
        self.by_link.insert(link, peer);
        self.by_peer.insert(peer, link);
        true
    }

    /// Forgets a link; tells the peer if this was the last link to it.
    pub fn down(&mut self, link: LinkId) -> Option<PeerKey> {
        self.asked.remove(&link);
        let peer = self.by_link.remove(&link)?;
        if self.by_peer.get(&peer) != Some(&link) {
            return None;
        }
        self.by_peer.remove(&peer);
        match self.by_link.iter().find(|(_, p)| **p == peer) {
            Some((other, _)) => {
                self.by_peer.insert(peer, *other);
                None
            }
            None => Some(peer),
        }
    }

    /// Who is at the other end.
    pub fn peer(&self, link: LinkId) -> Option<PeerKey> {
        self.by_link.get(&link).copied()
    }

    /// An open link to this peer.
    pub fn to(&self, peer: &PeerKey) -> Option<LinkId> {
        self.by_peer.get(peer).copied()
    }

    /// Everyone linked.
    pub fn peers(&self) -> impl Iterator<Item = &PeerKey> {
        self.by_peer.keys()
    }

    /// A request that is answered at once went over this link.
    pub fn ask(&mut self, link: LinkId, now: Mono) {
        if self.by_link.contains_key(&link) {
            self.asked.entry(link).or_insert(now);
        }
    }

    /// Something came over this link.
    pub fn heard(&mut self, link: LinkId) {
        self.asked.remove(&link);
    }

    /// The link to this peer, if it has been silent for so long after a request.
    pub fn silent(&self, peer: &PeerKey, now: Mono, ms: u64) -> Option<LinkId> {
        let link = self.to(peer)?;
        self.asked.get(&link).filter(|since| now.since(**since) >= ms).map(|_| link)
    }

    /// Counts a frame sent.
    pub fn sent(&mut self, class: Class, bytes: usize) {
        self.bytes.entry(class).or_default().0 += bytes as u64;
    }

    /// Counts a frame received.
    pub fn received(&mut self, class: Class, bytes: usize) {
        self.bytes.entry(class).or_default().1 += bytes as u64;
    }

    /// Bytes by class.
    pub fn bytes(&self) -> Vec<ClassBytes> {
        self.bytes
            .iter()
            .map(|(class, (sent, received))| ClassBytes { class: *class, sent: *sent, received: *received })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_link_keeps_the_peer_and_links_are_bounded() {
        let mut links = Links::default();
        let peer = PeerKey::from_bytes([1; 32]);
        assert!(links.up(LinkId(1), peer) && links.up(LinkId(2), peer));
        assert_eq!(links.down(LinkId(2)), None);
        assert_eq!(links.to(&peer), Some(LinkId(1)));
        assert_eq!(links.down(LinkId(1)), Some(peer));
        assert_eq!(links.down(LinkId(1)), None);
        for i in 0..MAX_LINKS as u64 {
            assert!(links.up(LinkId(i), peer));
        }
        assert!(!links.up(LinkId(u64::MAX), peer));
    }
}
