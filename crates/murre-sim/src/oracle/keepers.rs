//! Honest custodians keep their word, and keep nothing that they should not.

use crate::oracle::history::all;
use crate::shell::Sim;
use murre_core::id::{Locator, PeerKey};
use murre_core::{NetworkParams, View};
use murre_custodian::rows::{BOXES, IDS, OBJECTS};
use murre_mailbox::limits::MAX_SLOTS;
use murre_mailbox::{Directory, MailboxKind, NetworkFile, SealedBox, SignedObject};
use murre_store::MemoryStore;
use std::collections::BTreeMap;

/// Looks into every custodian.
pub fn check(sim: &mut Sim, nodes: &[(usize, PeerKey, bool)]) {
    let planted = sim.watch.planted.clone();
    let found = planted.soundly(|| {
        let leaks = nodes.iter().find_map(|(host, _, _)| {
            let what = sim.watch.leak.find_in_store(&sim.hosts[*host].store)?;
            Some(("no plaintext", format!("{what} in the store of {}", sim.hosts[*host].name)))
        });
        let kept = leaks.or_else(|| words_kept(sim, nodes)).or_else(|| only_valid_boxes(sim, nodes));
        kept.or_else(|| within_quota(sim, nodes))
    });
    if let Some((oracle, what)) = found {
        sim.watch.fail(oracle, what);
    }
}

type Found = Option<(&'static str, String)>;

/// After a whole round of repair every honest custodian of a box's placement holds it, unless it is gone for all.
pub fn repaired(sim: &mut Sim, nodes: &[(usize, PeerKey, bool)], file: &NetworkFile) {
    let planted = sim.watch.planted.clone();
    if let Some(what) = planted.soundly(|| unrepaired(sim, nodes, file).unwrap_or_else(Some)) {
        sim.watch.fail("repair", what);
    }
}

fn unrepaired(
    sim: &Sim,
    nodes: &[(usize, PeerKey, bool)],
    file: &NetworkFile,
) -> Result<Option<String>, String> {
    let honest =
        |key: &PeerKey| nodes.iter().find(|(h, k, honest)| k == key && *honest && sim.hosts[*h].is_up());
    for (host, _, _) in nodes.iter().filter(|(h, _, honest)| *honest && sim.hosts[*h].is_up()) {
        let holder = &sim.hosts[*host];
        let wall = holder.clocks(sim.now).wall;
        let directory = Directory::open(&holder.store, file.clone())
            .map_err(|e| format!("the directory of {} cannot be read: {e:?}", holder.name))?;
        let k = directory.quorum(wall).k;
        for (_, bytes) in all(&holder.store, BOXES)? {
            let b = SealedBox::parse(&bytes).ok().and_then(|b| b.verify(&file.params).ok());
            let b = b.ok_or_else(|| format!("{} stores a box that nobody may write", holder.name))?;
            // What expires soon may be gone at one and not yet at the other.
            if b.expiry_hour() <= wall.hour() + 3 {
                continue;
            }
            let (place, epoch, hours) = (b.place().k, b.epoch(), b.expiry_hour() - wall.hour());
            let ring = directory.placement(&b.locator(), b.epoch(), wall);
            for (other, _, _) in ring.iter().take(k).filter_map(honest) {
                let lacks = &sim.hosts[*other].store;
                let held = lacks
                    .get(IDS, b.id().as_bytes())
                    .map_err(|e| format!("a row of {} cannot be read: {e:?}", sim.hosts[*other].name))?;
                // A request at a door is taken only beside the owner object that certifies its slot.
                let object = |store: &MemoryStore| {
                    let bytes = store.get(OBJECTS, b.locator().as_bytes()).ok().flatten()?;
                    let object = SignedObject::parse(&bytes).ok()?.verify(&file.params).ok()?;
                    (object.x > wall.hour() + 3).then_some(())
                };
                let closed = place == MailboxKind::Door && object(lacks).is_none();
                if held.is_none() && !(closed && object(&holder.store).is_none()) {
                    let (a, b) = (&holder.name, &sim.hosts[*other].name);
                    let seen = (object(&holder.store).is_some(), object(lacks).is_some());
                    let what = format!(
                        "(object: {seen:?}) a {:?} box of epoch {} that expires in {} h",
                        place, epoch, hours
                    );
                    return Ok(Some(format!("{a} holds {what}, which {b} lacks although it should")));
                }
            }
        }
    }
    Ok(None)
}

/// What an honest custodian signed for is there until its hour has come.
fn words_kept(sim: &Sim, nodes: &[(usize, PeerKey, bool)]) -> Found {
    let honest: BTreeMap<PeerKey, usize> =
        nodes.iter().filter(|(_, _, honest)| *honest).map(|(host, key, _)| (*key, *host)).collect();
    for (id, words) in sim.watch.wire.words() {
        for (key, word) in words {
            let Some(host) = honest.get(key).map(|h| &sim.hosts[*h]) else { continue };
            let over = host.clocks(sim.now).wall.hour() >= word.expiry_hour;
            let held = host.store.get(IDS, id.as_bytes()).is_ok_and(|row| row.is_some());
            if !over && !held {
                return Some(("words are kept", format!("{} lost {id:?} that it signed for", host.name)));
            }
        }
    }
    None
}

/// No mailbox, and no writer in it, holds more at an honest custodian than the network's numbers allow.
fn within_quota(sim: &Sim, nodes: &[(usize, PeerKey, bool)]) -> Found {
    let params = sim.watch.wire.params();
    for (host, _, _) in nodes.iter().filter(|(_, _, honest)| *honest) {
        let host = &sim.hosts[*host];
        let mut places: BTreeMap<Locator, Held> = BTreeMap::new();
        let rows = match all(&host.store, BOXES) {
            Ok(rows) => rows,
            Err(what) => return Some(("bounds", format!("{}: {what}", host.name))),
        };
        for (_, bytes) in rows {
            let Some(b) = SealedBox::parse(&bytes).ok().and_then(|b| b.verify(params).ok()) else {
                return Some(("only valid boxes", format!("{} stores what is no box", host.name)));
            };
            let held = places.entry(b.locator()).or_insert_with(|| Held::new(b.place().k));
            held.boxes += 1;
            held.bytes += bytes.len() as u64;
            *held.by_tag.entry(b.tag().as_bytes().to_vec()).or_default() += 1;
        }
        if let Some(over) = places.values().find_map(|held| held.over(params)) {
            return Some(("bounds", format!("{} holds {over}", host.name)));
        }
    }
    None
}

/// What one mailbox holds at one custodian.
struct Held {
    kind: MailboxKind,
    boxes: u32,
    bytes: u64,
    by_tag: BTreeMap<Vec<u8>, u32>,
}

impl Held {
    const fn new(kind: MailboxKind) -> Self {
        Self { kind, boxes: 0, bytes: 0, by_tag: BTreeMap::new() }
    }

    fn over(&self, p: &NetworkParams) -> Option<String> {
        // Boxes, boxes of one writer, bytes.
        let (most, of_one, bytes) = match self.kind {
            MailboxKind::Account => (p.account_boxes, p.account_boxes / 4, p.account_bytes),
            MailboxKind::Drop => (p.account_boxes, p.account_boxes, p.account_bytes),
            MailboxKind::Group => (p.group_boxes, p.group_boxes, p.group_bytes),
            MailboxKind::Door => (MAX_SLOTS as u32, 1, p.account_bytes),
        };
        let one = self.by_tag.values().max().copied().unwrap_or(0);
        let over = self.boxes > most || one > of_one || self.bytes > bytes;
        over.then(|| format!("{} boxes in one {:?} mailbox, {one} of one writer", self.boxes, self.kind))
    }
}

/// An honest custodian stores only boxes whose writer may write there.
fn only_valid_boxes(sim: &Sim, nodes: &[(usize, PeerKey, bool)]) -> Found {
    for (host, _, _) in nodes.iter().filter(|(_, _, honest)| *honest) {
        let host = &sim.hosts[*host];
        let rows = match all(&host.store, BOXES) {
            Ok(rows) => rows,
            Err(what) => return Some(("only valid boxes", format!("{}: {what}", host.name))),
        };
        for (_, bytes) in rows {
            let valid = SealedBox::parse(&bytes).is_ok_and(|b| b.verify(sim.watch.wire.params()).is_ok());
            if !valid {
                return Some((
                    "only valid boxes",
                    format!("{} stores a box that nobody may write", host.name),
                ));
            }
        }
    }
    None
}
