//! Where boxes lie in a network that is larger than a placement.

use crate::person::Seen;
use crate::rig::{LIMIT, Rig, text};
use murre_core::id::{BoxId, Locator, PeerKey};
use murre_core::{Direction, NetworkParams, Range, View, Wall};
use murre_custodian::rows::{REPAIR, repair_parts};
use murre_mailbox::{Directory, NetworkFile};
use murre_store::{Config, SqliteStore};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const NODES: usize = 20;
const MESSAGES: usize = 5;
/// A node looks at its numbers about as often.
const LOOK: Duration = Duration::from_millis(110);

/// What one node holds: box, its locator, its epoch.
fn held(store: &SqliteStore) -> Vec<(BoxId, Locator, u64)> {
    let rows = store.scan(REPAIR, &Range::all(), Direction::Forward, 10_000).expect("rows");
    rows.iter()
        .map(|(key, value)| {
            let (epoch, _, id) = repair_parts(key).expect("a key");
            (id, Locator::from_slice(value).expect("a locator, not a tombstone"), epoch)
        })
        .collect()
}

#[test]
fn each_box_lies_at_exactly_its_placement() {
    let mut rig = Rig::new(NODES);
    let (ann, mut bob, chat) = rig.pair("Ann", "Bob");
    for person in [&ann, &bob] {
        person
            .until("nothing left to put", LIMIT, |me| {
                let counters = &me.one(&["doctor"])?["counters"];
                let left = [&counters["client.puts"], &counters["client.puts_queued"]];
                Ok(Seen::when(left.iter().all(|n| **n == 0), || format!("{left:?}")))
            })
            .expect("doors and answers are stored");
    }
    bob.stop().expect("bob away");
    let quorum = NetworkParams::quorum(NODES);
    for n in 0..MESSAGES {
        let message = text(&ann.one(&["send", &chat, &format!("box {n}")]).expect("send"), "message");
        ann.all_in(&chat, &[message], &["stored"], LIMIT).expect("stored");
    }
    settle(&rig, quorum.k);
    for node in &mut rig.nodes {
        node.proc.terminate(Instant::now() + LIMIT).expect("a clean end");
    }

    let now = Wall(SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as u64);
    let mut holders: BTreeMap<(BoxId, Locator, u64), BTreeSet<PeerKey>> = BTreeMap::new();
    let mut directory = None;
    for node in &rig.nodes {
        let store = SqliteStore::open(&node.store.join("boxes.db"), None, Config::default()).expect("store");
        let known = Directory::open(&store, NetworkFile::devnet()).expect("directory");
        assert_eq!(known.eligible(now).len(), NODES);
        let address = murre_core::Addr(node.address().to_owned());
        let key = known
            .eligible(now)
            .into_iter()
            .find(|key| known.peer_ref(key).is_some_and(|peer| same_place(&peer.addrs, &address)))
            .expect("each node knows itself");
        for item in held(&store) {
            holders.entry(item).or_default().insert(key);
        }
        directory = Some(known);
    }
    let directory = directory.expect("nodes");
    assert!(holders.len() > MESSAGES, "too few boxes to say anything: {}", holders.len());
    let mut used: BTreeSet<PeerKey> = BTreeSet::new();
    for ((id, locator, epoch), holders) in &holders {
        let placement: BTreeSet<PeerKey> =
            directory.placement(locator, *epoch, now).into_iter().take(quorum.k).collect();
        assert_eq!(holders, &placement, "{id:?} of {locator:?}");
        used.extend(holders);
    }
    assert!(used.len() > quorum.k, "all boxes lie at the same nodes: the placement does not spread");
}

/// "Stored" is said at the quorum; the last copies may still be on their way. Waits until all nodes together hold a
/// whole number of copies of everything.
fn settle(rig: &Rig, copies: usize) {
    let mut boxes = vec![0; rig.nodes.len()];
    let deadline = Instant::now() + LIMIT;
    for turn in 0.. {
        let node = turn % boxes.len();
        while let Ok(line) = rig.nodes[node].proc.line(Instant::now() + LOOK) {
            boxes[node] = line["boxes"].as_u64().unwrap_or_default() as usize;
        }
        let all: usize = boxes.iter().sum();
        // One whole round first: what was said since the start has to be read.
        if turn >= boxes.len() && all > copies * MESSAGES && all.is_multiple_of(copies) {
            return;
        }
        assert!(Instant::now() < deadline, "{all} copies do not become a multiple of {copies}: {boxes:?}");
    }
}

/// The directory's address of a node, with or without its peer id, is the one it printed.
fn same_place(known: &[murre_core::Addr], printed: &murre_core::Addr) -> bool {
    let bare = |addr: &murre_core::Addr| addr.0.split("/p2p/").next().unwrap_or_default().to_owned();
    known.iter().any(|addr| bare(addr) == bare(printed))
}
