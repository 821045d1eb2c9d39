//! The virtual network: links are reliable ordered streams until they break.
//!
//! ```text
//!  Dest::Peer --dial--> (half a second) --> LinkUp at both ends, waiting frames follow
//!                           |_ off, cut or unknown: Unreachable (after up to 5 s)
//!  frame --> bandwidth + latency of its link, in order --> Input::Frame
//!  loss  --> the link is dead: frames under way vanish, both ends hear of it within 30 s, not at once
//! ```
//!
//! It has the limits of `murre-net` (bytes per link, frames per dial) and like it reads no frame. What it does not
//! have: partial frames, congestion between links, name resolution.

use crate::agenda::Agenda;
use crate::dice::Dice;
use crate::totals::Totals;
use murre_core::id::PeerKey;
use murre_core::link::MAX_FRAME;
use murre_core::time::SECOND;
use murre_core::{Addr, Dest, Input, LinkCaps, LinkDownReason, LinkId, LinkKind, LinkUp, PeerRef, Transmit};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most bytes under way on one link in one direction; a peer that reads so slowly loses the link.
pub const MAX_LINK_QUEUE: usize = 4 << 20;
/// A queue that held more than this and then drained is reported with `Input::Credit`.
pub const CREDIT_MARK: usize = MAX_LINK_QUEUE / 4;
/// Most bytes queued for one peer that is being dialled.
pub const MAX_DIAL_QUEUE: usize = 2 << 20;
/// Most frames queued for one peer that is being dialled.
pub const MAX_DIAL_FRAMES: usize = 256;
/// Most links of one host.
pub const MAX_LINKS: usize = 512;
/// Longest time until an end notices that the other is gone, ms.
const NOTICE_MS: u64 = 30 * SECOND;
/// Longest time until a dial is given up, ms.
const DIAL_MS: u64 = 5 * SECOND;

/// A host of the network, by number.
pub type HostId = usize;

/// What the network will do later.
#[derive(Debug)]
pub enum NetJob {
    /// A frame reaches the far end.
    Deliver {
        /// Which link.
        link: u64,
        /// Which end gets it.
        to: HostId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// A dial ends.
    Dialed {
        /// Who dialled.
        from: HostId,
        /// Whom.
        peer: PeerKey,
        /// Number of the dial.
        no: u64,
    },
    /// An end notices that its link is gone.
    Notice {
        /// Which link.
        link: u64,
        /// Which end.
        at: HostId,
        /// What it is told.
        why: LinkDownReason,
    },
}

/// One end's place in the network.
#[derive(Debug)]
struct Place {
    addr: Addr,
    key: Option<PeerKey>,
    listens: bool,
    off: bool,
}

#[derive(Debug)]
struct End {
    host: HostId,
    key: PeerKey,
    alive: bool,
    /// Bytes sent by this end that have not arrived.
    queued: usize,
    peak: usize,
    /// When the last byte sent by this end arrives.
    busy_until: u64,
}

#[derive(Debug)]
struct Link {
    ends: [End; 2],
    latency: u64,
    /// Bytes per ms.
    rate: u64,
    /// Frames until this link breaks by chance.
    breaks_in: u64,
    broken: bool,
}

#[derive(Debug)]
struct Dial {
    no: u64,
    target: PeerRef,
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
}

/// How bad this network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// One-way latency, from and to, ms.
    pub latency: (u64, u64),
    /// A link breaks after up to so many frames; zero for never.
    pub breaks_after: u64,
    /// Dials that fail by chance, per mille.
    pub dial_loss: u64,
    /// Dials that make two links, per mille.
    pub doubles: u64,
}

impl Weather {
    /// A network that works.
    pub const CALM: Self = Self { latency: (5, 60), breaks_after: 0, dial_loss: 0, doubles: 0 };
}

/// All links and everything under way.
#[derive(Debug)]
pub struct Net {
    /// What comes later.
    pub agenda: Agenda<NetJob>,
    /// How bad it is now.
    pub weather: Weather,
    dice: Dice,
    places: Vec<Place>,
    links: BTreeMap<u64, Link>,
    dials: BTreeMap<(HostId, PeerKey), Dial>,
    cut: BTreeSet<(HostId, HostId)>,
    next: u64,
    /// Largest number of bytes that was under way on one link.
    pub peak_queue: usize,
    /// Links cut because of their queue.
    pub queue_cuts: u64,
}

/// An input for a host.
pub type ForHost = (HostId, Input);

impl Net {
    /// An empty network.
    #[must_use]
    pub fn new(dice: Dice, weather: Weather) -> Self {
        Self {
            agenda: Agenda::default(),
            weather,
            dice,
            places: Vec::new(),
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            cut: BTreeSet::new(),
            next: 1,
            peak_queue: 0,
            queue_cuts: 0,
        }
    }

    /// Adds a host; it is off until it is [`Net::plugged`] in.
    pub fn add(&mut self) -> HostId {
        let host = self.places.len();
        let addr = Addr(format!("/ip4/10.{}.{}.{}/tcp/4001", host / 200, host % 200, 1 + host % 250));
        self.places.push(Place { addr, key: None, listens: false, off: false });
        host
    }

    /// Where a host listens.
    #[must_use]
    pub fn addr(&self, host: HostId) -> Addr {
        self.places[host].addr.clone()
    }

    /// A process of this host is up under this transport key.
    pub fn plugged(&mut self, host: HostId, key: PeerKey, listens: bool) {
        self.places[host].key = Some(key);
        self.places[host].listens = listens;
    }

    /// The process of this host is gone: its links break, the other ends notice later.
    pub fn unplugged(&mut self, now: u64, host: HostId) {
        self.places[host].key = None;
        self.dials.retain(|(from, _), _| *from != host);
        for id in self.links_of(host) {
            self.kill_end(id, host);
            self.break_link(now, id, NOTICE_MS);
        }
    }

    /// Takes a host off the network, or puts it back.
    pub fn set_off(&mut self, now: u64, host: HostId, off: bool) {
        self.places[host].off = off;
        if off {
            for id in self.links_of(host) {
                self.break_link(now, id, NOTICE_MS);
            }
        }
    }

    /// Whether a host is off the network.
    #[must_use]
    pub fn is_off(&self, host: HostId) -> bool {
        self.places[host].off
    }

    /// Cuts or heals the way between two hosts.
    pub fn set_cut(&mut self, now: u64, a: HostId, b: HostId, cut: bool) {
        let pair = (a.min(b), a.max(b));
        if !cut {
            self.cut.remove(&pair);
            return;
        }
        self.cut.insert(pair);
        for id in self.links_of(a) {
            if self.links[&id].ends.iter().any(|e| e.host == b) {
                self.break_link(now, id, NOTICE_MS);
            }
        }
    }

    /// Heals every cut.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    fn reaches(&self, a: HostId, b: HostId) -> bool {
        !self.places[a].off && !self.places[b].off && !self.cut.contains(&(a.min(b), a.max(b)))
    }

    /// Links of a host that are up at its end.
    #[must_use]
    pub fn links_of(&self, host: HostId) -> Vec<u64> {
        let at = |l: &Link| l.ends.iter().any(|e| e.host == host && e.alive);
        self.links.iter().filter(|(_, l)| at(l)).map(|(id, _)| *id).collect()
    }

    /// A host sends.
    pub fn send(&mut self, now: u64, from: HostId, t: Transmit, totals: &mut Totals) {
        match t.to {
            Dest::Link(link) => self.push(now, link.0, from, t.bytes, totals),
            Dest::Close(link) => self.close(now, link.0, from),
            Dest::Peer(peer) => match self.link_to(from, &peer.key) {
                Some(link) => self.push(now, link, from, t.bytes, totals),
                None => self.dial(now, from, peer, t.bytes),
            },
        }
    }

    fn link_to(&self, from: HostId, peer: &PeerKey) -> Option<u64> {
        let fits = |l: &Link| {
            let [a, b] = &l.ends;
            (a.host == from && a.alive && b.key == *peer) || (b.host == from && b.alive && a.key == *peer)
        };
        self.links.iter().find(|(_, l)| fits(l)).map(|(id, _)| *id)
    }

    fn dial(&mut self, now: u64, from: HostId, target: PeerRef, bytes: Vec<u8>) {
        let key = (from, target.key);
        if !self.dials.contains_key(&key) {
            let no = self.take_number();
            let reached = self.target(from, &target).is_some() && !self.dice.chance(self.weather.dial_loss);
            let took = if reached { self.latency() * 3 } else { self.dice.range(50, DIAL_MS) };
            // A dial that fails by chance is one to nobody.
            let target = if reached { target } else { PeerRef { key: target.key, addrs: Vec::new() } };
            self.agenda.add(now + took, NetJob::Dialed { from, peer: target.key, no });
            self.dials.insert(key, Dial { no, target, frames: VecDeque::new(), bytes: 0 });
        }
        let room = |d: &Dial| d.frames.len() < MAX_DIAL_FRAMES && d.bytes + bytes.len() <= MAX_DIAL_QUEUE;
        if let Some(dial) = self.dials.get_mut(&key).filter(|d| room(d)) {
            dial.bytes += bytes.len();
            dial.frames.push_back(bytes);
        }
    }

    /// The host behind a dial, if it is there and can be reached.
    fn target(&self, from: HostId, peer: &PeerRef) -> Option<HostId> {
        let to = self.places.iter().position(|p| p.key == Some(peer.key) && p.listens)?;
        let named = peer.addrs.iter().any(|a| a.0.starts_with(&self.places[to].addr.0));
        (named && to != from && self.reaches(from, to)).then_some(to)
    }

    /// One job is due. Inputs for hosts are appended to `out`.
    pub fn run(&mut self, now: u64, job: NetJob, out: &mut Vec<ForHost>, totals: &mut Totals) {
        match job {
            NetJob::Deliver { link, to, bytes } => self.deliver(link, to, bytes, out, totals),
            NetJob::Dialed { from, peer, no } => self.dialed(now, from, peer, no, out, totals),
            NetJob::Notice { link, at, why } => {
                if self.kill_end(link, at) {
                    out.push((at, Input::LinkDown { link: LinkId(link), why }));
                }
            }
        }
    }

    fn deliver(&mut self, id: u64, to: HostId, bytes: Vec<u8>, out: &mut Vec<ForHost>, totals: &mut Totals) {
        let Some(link) = self.links.get_mut(&id) else {
            totals.frames_lost += 1;
            return;
        };
        let side = usize::from(link.ends[1].host == to);
        let sender = &mut link.ends[1 - side];
        sender.queued -= bytes.len().min(sender.queued);
        let credit = sender.queued == 0 && sender.peak > CREDIT_MARK && sender.alive;
        let from = sender.host;
        if credit {
            sender.peak = 0;
        }
        if link.broken || !link.ends[side].alive {
            totals.frames_lost += 1;
            return;
        }
        totals.frames += 1;
        out.push((to, Input::Frame { link: LinkId(id), bytes }));
        if credit {
            out.push((from, Input::Credit { link: LinkId(id), bytes: MAX_LINK_QUEUE as u32 }));
        }
    }

    fn dialed(
        &mut self,
        now: u64,
        from: HostId,
        peer: PeerKey,
        no: u64,
        out: &mut Vec<ForHost>,
        totals: &mut Totals,
    ) {
        if self.dials.get(&(from, peer)).is_none_or(|d| d.no != no) {
            return;
        }
        let Some(dial) = self.dials.remove(&(from, peer)) else { return };
        let own = self.places[from].key;
        let full = |net: &Self, host| net.links_of(host).len() >= MAX_LINKS;
        let to = self.target(from, &dial.target).filter(|to| !full(self, *to) && !full(self, from));
        let (Some(to), Some(own)) = (to, own) else {
            totals.refused_dials += 1;
            out.push((from, Input::Unreachable { peer }));
            return;
        };
        let twice = self.dice.chance(self.weather.doubles);
        let id = self.link(now, (from, own), (to, peer), out);
        if twice {
            totals.duplicates += 1;
            self.link(now, (from, own), (to, peer), out);
        }
        for bytes in dial.frames {
            self.push(now, id, from, bytes, totals);
        }
    }

    fn link(
        &mut self,
        now: u64,
        dialer: (HostId, PeerKey),
        acceptor: (HostId, PeerKey),
        out: &mut Vec<ForHost>,
    ) -> u64 {
        let id = self.take_number();
        let caps = LinkCaps { mtu: MAX_FRAME, ordered: true, reliable: true, metered: false };
        let up = |own: PeerKey, peer, dialed| {
            Input::LinkUp(LinkUp { id: LinkId(id), kind: LinkKind::Virtual, caps, peer, own, dialed })
        };
        out.push((dialer.0, up(dialer.1, acceptor.1, true)));
        out.push((acceptor.0, up(acceptor.1, dialer.1, false)));
        let end = |(host, key): (HostId, PeerKey)| End {
            host,
            key,
            alive: true,
            queued: 0,
            peak: 0,
            busy_until: now,
        };
        let breaks_in = match self.weather.breaks_after {
            0 => u64::MAX,
            n => self.dice.range(1, n),
        };
        let link = Link {
            ends: [end(dialer), end(acceptor)],
            latency: self.latency(),
            rate: self.dice.range(100, 4_000),
            breaks_in,
            broken: false,
        };
        self.links.insert(id, link);
        id
    }

    fn latency(&mut self) -> u64 {
        let (from, to) = self.weather.latency;
        self.dice.range(from, to)
    }

    fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn push(&mut self, now: u64, id: u64, from: HostId, bytes: Vec<u8>, totals: &mut Totals) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(side) = link.ends.iter().position(|e| e.host == from && e.alive) else { return };
        let to = link.ends[1 - side].host;
        if bytes.len() > MAX_FRAME {
            // The framing does not allow it: the far end cuts the link.
            return self.break_with(now, id, 100, LinkDownReason::Protocol);
        }
        link.breaks_in = link.breaks_in.saturating_sub(1);
        if link.breaks_in == 0 && !link.broken {
            totals.link_losses += 1;
            return self.break_link(now, id, NOTICE_MS);
        }
        let (rate, latency) = (link.rate, link.latency);
        let end = &mut link.ends[side];
        end.queued += bytes.len();
        end.peak = end.peak.max(end.queued);
        if end.queued > MAX_LINK_QUEUE {
            self.queue_cuts += 1;
            return self.break_link(now, id, 100);
        }
        self.peak_queue = self.peak_queue.max(end.queued);
        end.busy_until = end.busy_until.max(now) + bytes.len() as u64 / rate;
        let at = end.busy_until + latency;
        self.agenda.add(at, NetJob::Deliver { link: id, to, bytes });
    }

    /// Frames already under way still arrive; then the far end hears of it.
    fn close(&mut self, now: u64, id: u64, from: HostId) {
        let Some(link) = self.links.get(&id) else { return };
        let Some(side) = link.ends.iter().position(|e| e.host == from && e.alive) else { return };
        let (to, at) = (link.ends[1 - side].host, link.ends[side].busy_until.max(now) + link.latency);
        self.agenda.add(now, NetJob::Notice { link: id, at: from, why: LinkDownReason::Local });
        self.agenda.add(at, NetJob::Notice { link: id, at: to, why: LinkDownReason::Closed });
    }

    fn break_link(&mut self, now: u64, id: u64, within: u64) {
        self.break_with(now, id, within, LinkDownReason::Closed);
    }

    fn break_with(&mut self, now: u64, id: u64, within: u64, why: LinkDownReason) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.broken = true;
        let alive: Vec<HostId> = link.ends.iter().filter(|e| e.alive).map(|e| e.host).collect();
        for at in alive {
            let notice = now + self.dice.range(1, within);
            self.agenda.add(notice, NetJob::Notice { link: id, at, why });
        }
    }

    /// One end is gone. False if it was gone before.
    fn kill_end(&mut self, id: u64, host: HostId) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let Some(end) = link.ends.iter_mut().find(|e| e.host == host && e.alive) else { return false };
        end.alive = false;
        if link.ends.iter().all(|e| !e.alive) {
            self.links.remove(&id);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use murre_core::Class;

    fn net() -> (Net, Totals) {
        let mut net = Net::new(Dice::new(1, "net test"), Weather::CALM);
        for n in 0..2 {
            net.add();
            net.plugged(n, key(n), true);
        }
        (net, Totals::default())
    }

    fn key(n: usize) -> PeerKey {
        PeerKey::from_bytes([n as u8 + 1; 32])
    }

    fn run(net: &mut Net, totals: &mut Totals) -> Vec<ForHost> {
        let mut out = Vec::new();
        while let Some((at, job)) = net.agenda.pop() {
            net.run(at, job, &mut out, totals);
        }
        out
    }

    fn send(net: &mut Net, totals: &mut Totals, bytes: Vec<u8>) {
        let to = Dest::Peer(PeerRef { key: key(1), addrs: vec![net.addr(1)] });
        net.send(0, 0, Transmit { to, class: Class::Control, bytes }, totals);
    }

    fn frames(inputs: &[ForHost]) -> Vec<usize> {
        let len = |(_, input): &ForHost| match input {
            Input::Frame { bytes, .. } => Some(bytes.len()),
            _ => None,
        };
        inputs.iter().filter_map(len).collect()
    }

    #[test]
    fn frames_of_a_dial_arrive_in_order_after_the_link_is_up() {
        let (mut net, mut totals) = net();
        for len in [3, 900_000, 1] {
            send(&mut net, &mut totals, vec![0; len]);
        }
        let inputs = run(&mut net, &mut totals);
        assert!(matches!(inputs.first(), Some((0, Input::LinkUp(up))) if up.dialed));
        assert_eq!(frames(&inputs), [3, 900_000, 1]);
    }

    #[test]
    fn who_is_cut_off_hears_that_nobody_answers() {
        let (mut net, mut totals) = net();
        net.set_cut(0, 0, 1, true);
        send(&mut net, &mut totals, vec![1]);
        assert_eq!(run(&mut net, &mut totals), [(0, Input::Unreachable { peer: key(1) })]);
        assert_eq!(totals.refused_dials, 1);
    }

    #[test]
    fn a_frame_over_the_limit_or_a_queue_over_the_limit_costs_the_link() {
        for (count, len) in [(1, MAX_FRAME + 1), (5, MAX_FRAME)] {
            let (mut net, mut totals) = net();
            send(&mut net, &mut totals, vec![1]);
            let up = run(&mut net, &mut totals);
            assert_eq!(frames(&up), [1]);
            for _ in 0..count {
                send(&mut net, &mut totals, vec![0; len]);
            }
            let downs = run(&mut net, &mut totals);
            let downs = downs.iter().filter(|(_, i)| matches!(i, Input::LinkDown { .. })).count();
            assert_eq!(downs, 2, "both ends hear of it");
            assert!(net.peak_queue <= MAX_LINK_QUEUE);
        }
    }

    #[test]
    fn a_broken_link_takes_its_frames_with_it_and_a_closed_one_does_not() {
        let (mut net, mut totals) = net();
        send(&mut net, &mut totals, vec![1]);
        run(&mut net, &mut totals);
        send(&mut net, &mut totals, vec![2; 2]);
        let link = net.links_of(0)[0];
        let close = Transmit { to: Dest::Close(LinkId(link)), class: Class::Control, bytes: Vec::new() };
        net.send(0, 0, close, &mut totals);
        assert_eq!(frames(&run(&mut net, &mut totals)), [2]);
        assert!(net.links_of(1).is_empty());

        send(&mut net, &mut totals, vec![1]);
        run(&mut net, &mut totals);
        send(&mut net, &mut totals, vec![3; 3]);
        net.unplugged(0, 0);
        assert!(frames(&run(&mut net, &mut totals)).is_empty());
        assert_eq!(totals.frames_lost, 1);
    }
}
