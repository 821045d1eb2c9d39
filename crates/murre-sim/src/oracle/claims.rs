//! States never overclaim: each tick is checked against what is so at the moment it appears.

use crate::net::HostId;
use crate::shell::Sim;
use murre_core::id::{BoxId, MessageId};
use murre_core::{Direction, NetworkParams, Range, View, Wall};
use murre_device::rows::{self, OutboxRow};
use murre_device::{Event, MessageState, Notice};
use murre_mailbox::{Directory, SealedBox};
use murre_store::MemoryStore;
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;

/// Who has what, as devices told it after it was durable.
#[derive(Debug, Default)]
pub struct Seen {
    arrived: BTreeMap<(HostId, MessageId), u64>,
    read_until: BTreeMap<HostId, u64>,
}

impl Seen {
    /// A message is durable at a device of its recipient.
    pub fn arrived(&mut self, host: HostId, message: MessageId, at: u64) {
        self.arrived.entry((host, message)).or_insert(at);
    }

    /// A person asked to mark as read; it may be done at any moment from now on.
    pub fn read_asked(&mut self, host: HostId) {
        self.read_until.insert(host, u64::MAX);
    }

    /// It was done, or its process died.
    pub fn read_done(&mut self, host: HostId, at: u64) {
        if let Some(until) = self.read_until.get_mut(&host) {
            *until = at;
        }
    }
}

/// What an event claims.
#[derive(Debug)]
pub enum Claim {
    /// Enough custodians signed for the box of these messages.
    Stored {
        /// The box, if the row is still there.
        id: BoxId,
        /// How many are enough in the network this device knows.
        enough: usize,
    },
    /// The other side's device has these.
    Delivered(Vec<MessageId>),
    /// The other person marked these as read.
    Read(Vec<MessageId>),
}

/// Reads out of the store what an event of this very turn claims.
#[must_use]
pub fn resolve(event: &Event, walls: &[Wall], store: &MemoryStore, params: &NetworkParams) -> Option<Claim> {
    let Event::Notice { notice: Notice::MessageState { messages, state, .. }, .. } = event else {
        return None;
    };
    match state {
        MessageState::Delivered => Some(Claim::Delivered(messages.clone())),
        MessageState::Read => Some(Claim::Read(messages.clone())),
        MessageState::Stored => stored(messages, walls, store, params),
        MessageState::Queued | MessageState::Sent | MessageState::Failed => None,
    }
}

fn stored(
    messages: &[MessageId],
    walls: &[Wall],
    store: &MemoryStore,
    params: &NetworkParams,
) -> Option<Claim> {
    let page = store.scan(rows::OUTBOX, &Range::all(), Direction::Forward, usize::MAX).ok()?;
    let (key, _) = page.into_iter().find(|(_, value)| {
        rows::decode::<OutboxRow>(rows::OUTBOX, value).is_ok_and(|row| row.messages == messages)
    })?;
    let bytes: ByteBuf = rows::get(store, rows::BOXES, &key).ok()??;
    let id = SealedBox::parse(&bytes).ok()?.verify(params).ok()?.id();
    let network = rows::network(store).ok()??;
    let directory = Directory::open(store, network).ok()?;
    // Who counts depends on the time; a device may go by its own clock or by the network's.
    let enough = walls.iter().map(|wall| directory.quorum(*wall).w).min()?;
    Some(Claim::Stored { id, enough })
}

/// Checks a claim that has just been released.
pub fn check(sim: &mut Sim, host: HostId, claim: &Claim) {
    let broken = match claim {
        Claim::Stored { id, enough } => stored_is_true(sim, id, *enough),
        Claim::Delivered(messages) => messages.iter().find_map(|m| delivered_is_true(sim, host, *m)),
        Claim::Read(messages) => messages.iter().find_map(|m| read_is_true(sim, host, *m)),
    };
    match claim {
        Claim::Stored { .. } => sim.totals.stored += 1,
        Claim::Read(messages) => sim.totals.read += messages.len() as u64,
        Claim::Delivered(_) => {}
    }
    if let Some(what) = broken {
        let name = sim.hosts[host].name.clone();
        sim.watch.fail("ticks are true", format!("{name} {what}"));
    }
}

fn stored_is_true(sim: &Sim, id: &BoxId, enough: usize) -> Option<String> {
    let signed = sim.watch.wire.signers(id).len();
    (signed < enough).then(|| format!("shows stored: {signed} custodians signed where {enough} are enough"))
}

/// Which host, other than the writer's, has this message durable.
fn holder(sim: &Sim, writer: HostId, message: MessageId) -> Option<(HostId, u64)> {
    let told = sim.watch.seen.arrived.iter().find(|((h, m), _)| *h != writer && *m == message);
    if let Some(((h, _), at)) = told {
        return Some((*h, *at));
    }
    // The notice may have died with the process; the row has not.
    sim.hosts.iter().enumerate().filter(|(h, _)| *h != writer).find_map(|(h, host)| {
        let known = murre_device::query::message(&host.store, message, murre_core::Wall(0)).ok().flatten()?;
        (!known.own).then_some((h, 0))
    })
}

fn delivered_is_true(sim: &Sim, host: HostId, message: MessageId) -> Option<String> {
    holder(sim, host, message).is_none().then(|| format!("shows {message:?} as delivered; nobody has it"))
}

fn read_is_true(sim: &Sim, host: HostId, message: MessageId) -> Option<String> {
    let Some((reader, at)) = holder(sim, host, message) else {
        return Some(format!("shows {message:?} as read; nobody has it"));
    };
    let until = sim.watch.seen.read_until.get(&reader).copied();
    until.is_none_or(|until| at > until).then(|| format!("shows {message:?} as read; nobody read it"))
}
