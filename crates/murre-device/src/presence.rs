//! Live links to contacts: who may reach us directly, who is there now.
//!
//! A device tells each accepted contact, sealed, where it listens for the next hour. Whoever reads that dials and
//! both prove that they hold the conversation's wire secret, bound to both transport keys and two nonces:
//!
//! ```text
//!  dialer                                             acceptor
//!    | -- Hello { n, MAC(key, "dial",   dk, ak, n) } --> |     dk, ak: transport keys of this very link
//!    | <-- Ack  { n2, MAC(key, "accept", dk, ak, n, n2)} |
//!    | -- Done  { MAC(key, "done", dk, ak, n, n2) } ---> |
//!    | <============= Packets { .. } =================> |
//! ```
//!
//! The acceptor says nothing before it has recognised the dialer, so a stranger learns only that something
//! listens. The transport keys are throw-away: a replayed Hello names other keys and fails
//! (`spec/07-delivery.md`, D-14, D-15). What goes over the link is wire-sealed, exactly as in a box.

use crate::content::Presence as Where;
use crate::due::Due;
use crate::limits::{
    AHEAD_MS, DIAL_AGAIN_MAX_MS, DIAL_AGAIN_MS, MAX_CONTACTS, MAX_PACKETS, MAX_STRANGER_LINKS, PROVE_MS,
};
use murre_core::codec;
use murre_core::id::{Bytes, PeerKey};
use murre_core::link::{MAX_ADDR, MAX_ADDRS, MAX_FRAME};
use murre_core::params::delivery::PRESENCE_MS;
use murre_core::{Addr, Class, Cx, Dest, Label, LinkId, LinkUp, Mono, Now, PeerRef, Transmit, Wall};
use murre_mailbox::limits::list;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, VecDeque};
use subtle::ConstantTimeEq;

const MAC: Label = Label::new("murre v1 live link proof");
/// First byte of every frame between devices; mailbox frames begin with 0x01.
pub const FRAME_KIND: u8 = 0x02;
/// Packets of one frame, bytes together.
const FRAME_BYTES: usize = 512 << 10;
/// Announced again after this part of its life.
const RENEW_MS: u64 = PRESENCE_MS * 3 / 4;

/// What presence tells its parent.
#[derive(Debug)]
pub enum PresenceUp {
    /// Send this.
    Transmit(Transmit),
    /// A live link to a contact is proven.
    Live(u32),
    /// A contact's live link is gone; what was last handed to it may be lost.
    Lost(u32),
    /// Packets of a contact.
    Packets(u32, Vec<Vec<u8>>),
    /// Tell this contact where we are.
    Announce(u32, Where),
}

type Ctx<'a, 'v> = Cx<'a, 'v, PresenceUp>;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum Frame {
    /// Makes the carrier open a link; says nothing.
    #[serde(rename = "k")]
    Knock,
    #[serde(rename = "h")]
    Hello { n: Bytes<16>, m: Bytes<32> },
    #[serde(rename = "a")]
    Ack { n: Bytes<16>, m: Bytes<32> },
    #[serde(rename = "d")]
    Done { m: Bytes<32> },
    #[serde(rename = "p")]
    Packets {
        /// Counted while they are read: a million empty packets fit into one frame and would fill 24 times its room.
        #[serde(deserialize_with = "list::<MAX_PACKETS, _, _>")]
        p: Vec<ByteBuf>,
    },
}

#[derive(Debug)]
enum Stage {
    /// Up, nothing proven.
    Stranger,
    /// We said Hello with this nonce to this contact.
    Dialed { contact: u32, key: [u8; 32], nonce: [u8; 16] },
    /// They said Hello; we answered.
    Answered { contact: u32, key: [u8; 32], nonces: ([u8; 16], [u8; 16]) },
    /// Both proved it.
    Proven { contact: u32 },
}

#[derive(Debug)]
struct Link {
    dialer: PeerKey,
    acceptor: PeerKey,
    since: Mono,
    stage: Stage,
}

/// Where a contact was last said to be.
#[derive(Debug)]
struct Known {
    peer: PeerRef,
    /// When, by its own clock.
    said: Wall,
    until: Mono,
    /// Since nobody answered there: when it is dialled again. The wait is kept while it is, for the next is longer.
    again: Option<Due>,
    /// Whether that time is waited for.
    waits: bool,
}

impl Known {
    fn next_dial(&self) -> Option<Mono> {
        self.again.filter(|_| self.waits).map(|due| due.at)
    }
}

/// Live links of one device.
#[derive(Debug, Default)]
pub struct Presence {
    keys: BTreeMap<u32, Vec<[u8; 32]>>,
    links: BTreeMap<LinkId, Link>,
    live: BTreeMap<u32, LinkId>,
    known: BTreeMap<u32, Known>,
    own: Option<Where>,
    /// Every address this device listens at; `own` tells the first few.
    bound: Vec<Addr>,
    announced: BTreeMap<u32, Mono>,
    dialing: BTreeMap<u32, (PeerKey, Mono)>,
    queue: VecDeque<(u32, Vec<u8>)>,
}

impl Presence {
    /// Begins with the link keys of every chat.
    #[must_use]
    pub fn new(keys: Vec<(u32, [u8; 32])>) -> Self {
        let mut this = Self::default();
        for (contact, key) in keys {
            this.add_key(contact, key);
        }
        this
    }

    /// A chat came to be: its contact may prove itself with this key.
    pub fn add_key(&mut self, contact: u32, key: [u8; 32]) {
        let keys = self.keys.entry(contact).or_default();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }

    /// A contact is blocked: its link goes down and it is told nothing more.
    // spec: F-23
    pub fn forget(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) {
        self.keys.remove(&contact);
        self.known.remove(&contact);
        self.dialing.remove(&contact);
        self.announced.remove(&contact);
        self.live.remove(&contact);
        let of = |l: &Link| match &l.stage {
            Stage::Stranger => false,
            Stage::Dialed { contact: c, .. }
            | Stage::Answered { contact: c, .. }
            | Stage::Proven { contact: c } => *c == contact,
        };
        let links: Vec<LinkId> = self.links.iter().filter(|(_, l)| of(l)).map(|(id, _)| *id).collect();
        for link in links {
            self.close(cx, link);
        }
    }

    /// Contacts with a live link.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.len()
    }

    /// Where this device listens; told to contacts from now on. If an address is gone, so may be every link that is up; if
    /// one is new, who could not be reached may be.
    // spec: D-39
    pub fn listening(&mut self, cx: &mut Ctx<'_, '_>, key: PeerKey, addrs: Vec<Addr>) {
        let before = self.own.take().filter(|own| own.k == key);
        if before.is_some() && self.bound.iter().any(|addr| !addrs.contains(addr)) {
            for link in self.links.keys().copied().collect::<Vec<_>>() {
                self.close(cx, link);
            }
        }
        for known in self.known.values_mut() {
            known.again = known.again.map(|_| Due { at: cx.now.mono, wait: DIAL_AGAIN_MS });
        }
        // What was told stays told while it is true: an address more must not push out another.
        let mut told: Vec<Addr> = before.map(|own| own.a).unwrap_or_default();
        told.retain(|addr| addrs.contains(addr));
        let more: Vec<Addr> = addrs.iter().filter(|addr| !told.contains(addr)).cloned().collect();
        told.extend(more);
        told.truncate(MAX_ADDRS);
        self.own = (!told.is_empty()).then_some(Where { k: key, a: told });
        self.bound = addrs;
        self.announced.clear();
    }

    /// Announces to a contact unless that was done lately.
    pub fn announce(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) {
        let recent = self.announced.get(&contact).is_some_and(|at| cx.now.mono.since(*at) < RENEW_MS);
        if let Some(own) = self.own.clone().filter(|_| !recent && self.keys.contains_key(&contact)) {
            self.announced.insert(contact, cx.now.mono);
            cx.up(PresenceUp::Announce(contact, own));
        }
    }

    /// A contact said, at this time of its clock, where it is: dial, unless a link is up.
    // spec: D-18, D-39
    pub fn learned(&mut self, cx: &mut Ctx<'_, '_>, contact: u32, place: Where, said: Wall) {
        let sane = place.a.len() <= MAX_ADDRS && place.a.iter().all(|a| a.0.len() <= MAX_ADDR);
        let before = self.known.get(&contact);
        // Boxes come in no order: what it said before it moved must not lead away from where it is. A date to come, or a
        // place where nobody answers, is no reason to doubt what is said now.
        let older = before.is_some_and(|known| {
            let believed = known.until > cx.now.mono && known.again.is_none();
            believed && known.said > said && known.said <= cx.now.wall.plus(AHEAD_MS)
        });
        let full = self.known.len() >= MAX_CONTACTS && before.is_none();
        if !sane || self.own.is_none() || full || older {
            return;
        }
        for link in self.stale(cx.now, contact, &place, said) {
            self.close(cx, link);
        }
        let peer = PeerRef { key: place.k, addrs: place.a };
        if self.dialing.get(&contact).is_some_and(|(key, _)| *key != peer.key) {
            self.dialing.remove(&contact);
        }
        let until = cx.now.mono.plus(PRESENCE_MS);
        self.known.insert(contact, Known { peer, said, until, again: None, waits: false });
        self.dial(cx, contact);
    }

    /// Links of a contact to where it no longer is, now that it is at this place; the one in use last, so that no other of
    /// them takes its part.
    fn stale(&self, now: Now, contact: u32, place: &Where, said: Wall) -> Vec<LinkId> {
        let before = self.known.get(&contact);
        let left = before.is_some_and(|known| known.peer.addrs.iter().any(|addr| !place.a.contains(addr)));
        let theirs = |link: &Link| match link.stage {
            Stage::Dialed { contact: c, .. } | Stage::Answered { contact: c, .. } => c == contact,
            Stage::Proven { contact: c } => c == contact,
            Stage::Stranger => false,
        };
        let newest = self.links.values().filter(|link| theirs(link)).map(|link| link.since).max();
        // As far as two clocks can tell: a link that is younger than what was said is to there, or to where it is by now.
        let older = |link: &Link| now.wall.0.saturating_sub(now.mono.since(link.since)) < said.0;
        let stale = |link: &Link| {
            let to_it = link.dialer == place.k || link.acceptor == place.k;
            match before {
                Some(known) if to_it => {
                    left && known.peer.key == place.k && (older(link) || Some(link.since) != newest)
                }
                Some(_) => true,
                None => !to_it && older(link),
            }
        };
        let links = self.links.iter().filter(|(_, link)| theirs(link) && stale(link));
        let mut links: Vec<LinkId> = links.map(|(id, _)| *id).collect();
        links.sort_by_key(|id| self.live.get(&contact) == Some(id));
        links
    }

    /// Asks the carrier for a link. What proves us is said once a link of our own dialling is up: both sides may dial
    /// at once, and then each proves itself on the link it opened.
    fn dial(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) {
        let now = cx.now.mono;
        let Some(own) = self.own.as_ref().map(|o| o.k) else { return };
        let Some(known) = self.known.get(&contact).filter(|k| k.until > now) else { return };
        // What is sent to it meanwhile does not shorten the wait.
        let waits = known.next_dial().is_some_and(|at| at > now);
        let trying = self.dialing.get(&contact).is_some_and(|(_, at)| now.since(*at) < PROVE_MS);
        if self.live.contains_key(&contact) || trying || waits || known.peer.key == own {
            return;
        }
        self.dialing.insert(contact, (known.peer.key, now));
        let to = Dest::Peer(known.peer.clone());
        let bytes = encode(&Frame::Knock);
        cx.up(PresenceUp::Transmit(Transmit { to, class: Class::Control, bytes }));
    }

    /// A link came up.
    pub fn link_up(&mut self, cx: &mut Ctx<'_, '_>, up: &LinkUp) {
        let (dialer, acceptor) = if up.dialed { (up.own, up.peer) } else { (up.peer, up.own) };
        if !up.dialed && self.strangers() >= MAX_STRANGER_LINKS {
            return self.close(cx, up.id);
        }
        let mut stage = Stage::Stranger;
        let mut hello = None;
        if up.dialed {
            // Only what presence dialled is its own; links to nodes are a sibling's.
            let who = self.dialing.iter().find(|(_, (key, _))| *key == up.peer).map(|(c, _)| *c);
            let Some(contact) = who else { return };
            self.dialing.remove(&contact);
            let Some(key) = self.keys.get(&contact).and_then(|k| k.first()).copied() else { return };
            let nonce: [u8; 16] = cx.rng.bytes();
            let proof = mac(&key, "dial", &dialer, &acceptor, &nonce, &[]);
            hello = Some(Frame::Hello { n: Bytes(nonce), m: Bytes(proof) });
            stage = Stage::Dialed { contact, key, nonce };
        }
        self.links.insert(up.id, Link { dialer, acceptor, since: cx.now.mono, stage });
        if let Some(hello) = hello {
            self.transmit(cx, up.id, Class::Control, &hello);
        }
    }

    /// A link is gone.
    pub fn link_down(&mut self, cx: &mut Ctx<'_, '_>, link: LinkId) {
        for contact in self.let_go(cx, link) {
            self.dial(cx, contact);
        }
    }

    /// Counts on a link no longer; answers whose only live link it was.
    fn let_go(&mut self, cx: &mut Ctx<'_, '_>, link: LinkId) -> Vec<u32> {
        self.links.remove(&link);
        let mut lost: Vec<u32> = self.live.iter().filter(|(_, l)| **l == link).map(|(c, _)| *c).collect();
        lost.retain(|contact| {
            self.live.remove(contact);
            cx.up(PresenceUp::Lost(*contact));
            // Another link of theirs may be proven: crossing dials leave two.
            let other = |l: &Link| matches!(l.stage, Stage::Proven { contact: c } if c == *contact);
            let other = self.links.iter().find(|(_, l)| other(l)).map(|(id, _)| *id);
            if let Some(id) = other {
                self.live.insert(*contact, id);
                cx.up(PresenceUp::Live(*contact));
            }
            other.is_none()
        });
        lost
    }

    /// Nobody answers there: not yet, or for this moment. It is tried again as long as it is believed to be there.
    pub fn unreachable(&mut self, now: Mono, peer: PeerKey) {
        self.known.retain(|_, known| known.until > now);
        for known in self.known.values_mut().filter(|known| known.peer.key == peer && !known.waits) {
            match known.again.as_mut() {
                Some(due) => due.later(now, DIAL_AGAIN_MAX_MS),
                None => known.again = Some(Due::after(now, DIAL_AGAIN_MS)),
            }
            known.waits = true;
        }
        self.dialing.retain(|_, (key, _)| *key != peer);
    }

    /// A frame between devices.
    pub fn frame(&mut self, cx: &mut Ctx<'_, '_>, id: LinkId, bytes: &[u8]) {
        let (Some(frame), Some(link)) = (decode(bytes), self.links.get_mut(&id)) else {
            return self.close(cx, id);
        };
        let (dk, ak) = (link.dialer, link.acceptor);
        match (frame, &link.stage) {
            (Frame::Knock, _) => {}
            (Frame::Hello { n, m }, Stage::Stranger) => self.hello(cx, id, n.0, m.0),
            (Frame::Ack { n, m }, Stage::Dialed { contact, key, nonce }) => {
                let (contact, key, nonce) = (*contact, *key, *nonce);
                if !equal(&mac(&key, "accept", &dk, &ak, &nonce, &n.0), &m.0) {
                    return self.close(cx, id);
                }
                let done = Frame::Done { m: Bytes(mac(&key, "done", &dk, &ak, &nonce, &n.0)) };
                self.transmit(cx, id, Class::Control, &done);
                self.proven(cx, id, contact);
            }
            (Frame::Done { m }, Stage::Answered { contact, key, nonces }) => {
                let (contact, ok) =
                    (*contact, equal(&mac(key, "done", &dk, &ak, &nonces.0, &nonces.1), &m.0));
                if ok { self.proven(cx, id, contact) } else { self.close(cx, id) }
            }
            // spec: D-17
            (Frame::Packets { p }, Stage::Proven { contact }) => {
                let contact = *contact;
                cx.up(PresenceUp::Packets(contact, p.into_iter().map(ByteBuf::into_vec).collect()));
            }
            _ => self.close(cx, id),
        }
    }

    fn hello(&mut self, cx: &mut Ctx<'_, '_>, id: LinkId, nonce: [u8; 16], proof: [u8; 32]) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let (dk, ak) = (link.dialer, link.acceptor);
        let who = self.keys.iter().find_map(|(contact, keys)| {
            keys.iter()
                .find(|k| equal(&mac(k, "dial", &dk, &ak, &nonce, &[]), &proof))
                .map(|k| (*contact, *k))
        });
        // spec: D-16
        let Some((contact, key)) = who else { return self.close(cx, id) };
        let own: [u8; 16] = cx.rng.bytes();
        link.stage = Stage::Answered { contact, key, nonces: (nonce, own) };
        let ack = Frame::Ack { n: Bytes(own), m: Bytes(mac(&key, "accept", &dk, &ak, &nonce, &own)) };
        self.transmit(cx, id, Class::Control, &ack);
    }

    fn proven(&mut self, cx: &mut Ctx<'_, '_>, id: LinkId, contact: u32) {
        if let Some(link) = self.links.get_mut(&id) {
            link.stage = Stage::Proven { contact };
        }
        self.dialing.remove(&contact);
        if let Some(known) = self.known.get_mut(&contact) {
            (known.again, known.waits) = (None, false);
        }
        // Both may have dialled: the newer link is used, the older stays until it closes.
        if self.live.insert(contact, id).is_none() {
            cx.up(PresenceUp::Live(contact));
        }
    }

    /// Hands packets to a contact's live link. False if there is none.
    pub fn send(&mut self, cx: &mut Ctx<'_, '_>, contact: u32, packet: Vec<u8>) -> bool {
        if !self.live.contains_key(&contact) {
            self.dial(cx, contact);
            return false;
        }
        self.queue.push_back((contact, packet));
        true
    }

    /// Sends what the turn queued: one frame carries many packets.
    pub fn end_turn(&mut self, cx: &mut Ctx<'_, '_>) {
        let mut frames: BTreeMap<u32, Vec<ByteBuf>> = BTreeMap::new();
        for (contact, packet) in std::mem::take(&mut self.queue) {
            frames.entry(contact).or_default().push(ByteBuf::from(packet));
        }
        for (contact, packets) in frames {
            let Some(link) = self.live.get(&contact).copied() else { continue };
            let mut frame = Vec::new();
            let mut bytes = 0;
            for packet in packets {
                if !frame.is_empty() && (bytes + packet.len() > FRAME_BYTES || frame.len() >= MAX_PACKETS) {
                    let p = std::mem::take(&mut frame);
                    self.transmit(cx, link, Class::Message, &Frame::Packets { p });
                    bytes = 0;
                }
                bytes += packet.len();
                frame.push(packet);
            }
            self.transmit(cx, link, Class::Message, &Frame::Packets { p: frame });
        }
    }

    /// Closes links that never proved themselves and renews announcements.
    pub fn handle_timeout(&mut self, cx: &mut Ctx<'_, '_>) {
        let now = cx.now.mono;
        // spec: D-16
        let unproven = |l: &Link| !matches!(l.stage, Stage::Proven { .. }) && now.since(l.since) >= PROVE_MS;
        let late: Vec<LinkId> = self.links.iter().filter(|(_, l)| unproven(l)).map(|(id, _)| *id).collect();
        for id in late {
            self.close(cx, id);
        }
        let mut again = Vec::new();
        for (contact, known) in &mut self.known {
            if known.next_dial().is_some_and(|at| at <= now) {
                known.waits = false;
                again.push(*contact);
            }
        }
        for contact in again {
            self.dial(cx, contact);
        }
        for contact in self.keys.keys().copied().collect::<Vec<_>>() {
            if self.announced.contains_key(&contact) {
                self.announce(cx, contact);
            }
        }
    }

    /// The next moment something is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        let unproven = self.links.values().filter(|l| !matches!(l.stage, Stage::Proven { .. }));
        let prove = unproven.map(|l| l.since.plus(PROVE_MS)).min();
        let renew = self.announced.values().map(|at| at.plus(RENEW_MS)).min();
        let again = self.known.values().filter_map(Known::next_dial).min();
        [prove, renew, again].into_iter().flatten().min()
    }

    fn strangers(&self) -> usize {
        self.links.values().filter(|l| !matches!(l.stage, Stage::Proven { .. })).count()
    }

    fn transmit(&self, cx: &mut Ctx<'_, '_>, link: LinkId, class: Class, frame: &Frame) {
        cx.up(PresenceUp::Transmit(Transmit { to: Dest::Link(link), class, bytes: encode(frame) }));
    }

    /// Closes a link. If it was somebody's live link the siblings hear of it as if it had broken; it is dialled again
    /// when there is something to send.
    // spec: D-16
    fn close(&mut self, cx: &mut Ctx<'_, '_>, link: LinkId) {
        self.let_go(cx, link);
        let to = Dest::Close(link);
        cx.up(PresenceUp::Transmit(Transmit { to, class: Class::Control, bytes: Vec::new() }));
    }
}

fn encode(frame: &Frame) -> Vec<u8> {
    let mut out = vec![FRAME_KIND];
    out.extend_from_slice(&codec::encode(frame));
    out
}

fn decode(bytes: &[u8]) -> Option<Frame> {
    match bytes {
        [FRAME_KIND, body @ ..] => codec::decode(body, MAX_FRAME - 1).ok(),
        _ => None,
    }
}

/// What a decoded frame is encoded to: the same bytes, or there are two for one value.
pub(crate) fn again(bytes: &[u8]) -> Option<Vec<u8>> {
    decode(bytes).map(|frame| encode(&frame))
}

/// Whether both are equal, in time that does not depend on where they differ.
fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}

// spec: D-15
fn mac(key: &[u8; 32], role: &str, dialer: &PeerKey, acceptor: &PeerKey, n: &[u8], n2: &[u8]) -> [u8; 32] {
    MAC.hash(&[key, role.as_bytes(), dialer.as_bytes(), acceptor.as_bytes(), n, n2])
}

#[cfg(test)]
mod tests;
