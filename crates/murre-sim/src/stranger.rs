//! A stranger who wants to break things and follows no protocol.
//!
//! It is a machine like the others as far as the shell is concerned, so its frames take the same way: many links,
//! garbage, frames over the limit, requests cut off in the middle, puts that nobody paid for, and at its own valid
//! mailbox more boxes than any mailbox may hold.

use crate::dice::Dice;
use crate::machine::{Ev, Machine, Program, Stimulus};
use murre_core::id::PeerKey;
use murre_core::link::MAX_FRAME;
use murre_core::{
    Batch, Class, Dest, Input, LinkId, Mono, NetworkParams, Now, Output, PeerRef, Rng, TurnError, View,
};
use murre_mailbox::{
    Frame, MailboxKind, ReaderKeys, Request, SpaceProof, TagKey, WriteGrant, Writer, space_puzzle,
};
use serde_bytes::ByteBuf;
use std::collections::VecDeque;

/// Boxes the stranger tries to put under one tag: more than a quarter of a small network's mailbox.
pub const BOXES: u64 = 400;
/// Bursts of a stranger's life.
const STEPS: u64 = 40;
/// Frames between two pauses.
const BURST: usize = 12;

/// What a stranger is started with.
#[derive(Debug)]
pub struct StrangerProgram {
    /// Whom to bother.
    pub targets: Vec<PeerRef>,
    /// The network's numbers.
    pub params: NetworkParams,
    /// Its seed.
    pub seed: u64,
    /// Whether it pays for its boxes, and so may fill its own mailbox.
    pub pays: bool,
}

impl Program for StrangerProgram {
    fn transport_key(&mut self, seed: &[u8; 32]) -> PeerKey {
        PeerKey::from_bytes(*seed)
    }

    fn open(&mut self, _: Now, seed: [u8; 32], _: &dyn View) -> Result<Box<dyn Machine>, String> {
        let mut rng = Rng::from_seed(seed);
        let keys = ReaderKeys::generate(MailboxKind::Account, &mut rng);
        Ok(Box::new(Stranger {
            targets: self.targets.clone(),
            params: self.params,
            pays: self.pays,
            dice: Dice::new(self.seed, "stranger"),
            tag: TagKey::generate(&mut rng),
            victim: ReaderKeys::generate(MailboxKind::Account, &mut rng),
            rng,
            keys,
            links: Vec::new(),
            grant: None,
            boxes: 0,
            out: VecDeque::new(),
            steps: 0,
        }))
    }

    fn listens(&self) -> bool {
        false
    }
}

struct Stranger {
    targets: Vec<PeerRef>,
    params: NetworkParams,
    pays: bool,
    dice: Dice,
    rng: Rng,
    keys: ReaderKeys,
    victim: ReaderKeys,
    tag: TagKey,
    links: Vec<LinkId>,
    grant: Option<(u64, WriteGrant)>,
    boxes: u64,
    out: VecDeque<Output<Ev>>,
    steps: u64,
}

impl Machine for Stranger {
    fn turn(&mut self, now: Now, _: &dyn View, stimulus: Stimulus) -> Result<(), TurnError> {
        self.out.push_back(Output::Commit(Batch::default()));
        match stimulus {
            Stimulus::Input(Input::LinkUp(up)) => self.links.push(up.id),
            Stimulus::Input(Input::LinkDown { link, .. }) => self.links.retain(|l| *l != link),
            Stimulus::Timeout => self.flood(now),
            Stimulus::Input(_) | Stimulus::Commands(_) => {}
        }
        let next = (self.steps < STEPS).then(|| Mono(now.mono.0 + 700));
        self.out.push_back(Output::Timeout(next));
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Ev>> {
        self.out.pop_front()
    }
}

impl Stranger {
    fn flood(&mut self, now: Now) {
        self.steps += 1;
        for _ in 0..BURST {
            let target = self.targets[self.dice.index(self.targets.len())].clone();
            let fresh = self.links.is_empty() || self.dice.chance(300);
            let to = if fresh {
                Dest::Peer(target)
            } else {
                Dest::Link(self.links[self.dice.index(self.links.len())])
            };
            let bytes = self.frame(now);
            self.out.push_back(Output::Transmit(murre_core::Transmit { to, class: Class::Mailbox, bytes }));
        }
    }

    fn frame(&mut self, now: Now) -> Vec<u8> {
        // Who pays wants to see where it ends: most of what it sends are boxes.
        if self.pays && self.dice.chance(700) {
            return self.put(now, true);
        }
        match self.dice.range(0, 9) {
            0 => self.dice.vec(MAX_FRAME + 1),
            1 => {
                let len = self.dice.range(0, 300) as usize;
                self.dice.vec(len)
            }
            2 => {
                // The right first bytes, then nonsense.
                let mut bytes = vec![0x01, 0x01, 0xa1];
                let len = self.dice.range(0, 300) as usize;
                bytes.extend(self.dice.vec(len));
                bytes
            }
            3 => {
                let mut bytes = vec![murre_device::presence::FRAME_KIND];
                bytes.extend(self.dice.vec(60));
                bytes
            }
            4 => {
                let whole = self.put(now, false);
                let cut = self.dice.index(whole.len().max(1));
                whole[..cut].to_vec()
            }
            5 => {
                let mut bytes = self.put(now, false);
                let at = self.dice.index(bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.dice.index(8);
                }
                bytes
            }
            6 => self.trespass(now),
            _ => self.put(now, self.pays),
        }
    }

    /// A put of a box into a mailbox that somebody else certifies for.
    fn trespass(&mut self, now: Now) -> Vec<u8> {
        let address = self.victim.address();
        let epoch = address.epoch_at(now.wall, &self.params);
        let grant = self.keys.grant(&mut self.rng, &self.tag.public(), epoch, 1);
        let Ok(grant) = grant.map(|g| WriteGrant { to: address, ..g }) else { return Vec::new() };
        match Writer::new(&grant, Some(&self.tag)) {
            Ok(writer) => self.sealed(&writer, epoch, 0, now, true),
            Err(_) => Vec::new(),
        }
    }

    /// A put of a box that its own mailbox would take, paid for or not.
    fn put(&mut self, now: Now, paid: bool) -> Vec<u8> {
        let address = self.keys.address();
        let epoch = address.epoch_at(now.wall, &self.params);
        if self.grant.as_ref().is_none_or(|(e, _)| *e != epoch) {
            let grant = self.keys.grant(&mut self.rng, &self.tag.public(), epoch, 1);
            self.grant = grant.ok().map(|grant| (epoch, grant));
        }
        let writer = self.grant.as_ref().and_then(|(_, g)| Writer::new(g, Some(&self.tag)).ok());
        self.boxes += u64::from(paid);
        let index = self.boxes.min(BOXES);
        writer.map_or_else(Vec::new, |w| self.sealed(&w, epoch, index, now, paid))
    }

    fn sealed(&mut self, writer: &Writer, epoch: u64, index: u64, now: Now, paid: bool) -> Vec<u8> {
        let sealed = writer.seal_box(epoch, index, now.wall.hour() + 24, b"flood");
        let (Ok(sealed), Ok(place)) = (sealed, writer.address().at(epoch)) else { return Vec::new() };
        let puzzle = space_puzzle(&place.locator(), epoch, 0, self.params.space);
        let proof = puzzle.solve(0, 1 << 12).filter(|_| paid).map(|s| SpaceProof { block: 0, solution: s });
        let id = self.dice.range(0, u64::from(u32::MAX));
        let b = ByteBuf::from(sealed.wire().to_vec());
        Frame::Request { id, body: Request::Put { b, proof, fan: self.dice.chance(500) } }.encode()
    }
}
