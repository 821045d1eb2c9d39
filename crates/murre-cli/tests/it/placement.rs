//! Where boxes lie in a network that is larger than a placement.

use crate::person::Seen;
use crate::rig::{LIMIT, Rig, text};
use murre_core::id::{BoxId, Locator, PeerKey};
use murre_core::{Direction, NetworkParams, Range, View, Wall};
use murre_custodian::rows::{self, IDS, IdRow, REPAIR, What, repair_parts};
use murre_mailbox::{Directory, NetworkFile};
use murre_store::{Config, SqliteStore};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const NODES: usize = 20;
const MESSAGES: usize = 5;
/// A node looks at its numbers about as often.
const LOOK: Duration = Duration::from_millis(110);

/// What one node holds: box or door object, its locator, its epoch. What a tombstone took away goes to `gone`.
fn held(store: &SqliteStore, gone: &mut BTreeSet<BoxId>) -> Vec<(BoxId, Locator, u64)> {
    let mut all = Vec::new();
    for (key, value) in store.scan(REPAIR, &Range::all(), Direction::Forward, 10_000).expect("rows") {
        let (epoch, _, id) = repair_parts(&key).expect("a key");
        let row: Option<IdRow> = rows::get(store, IDS, id.as_bytes()).expect("a row");
        match row.map(|row| row.w) {
            Some(What::Box | What::Object) => {
                all.push((id, Locator::from_slice(&value).expect("a locator"), epoch));
            }
            Some(What::Gone) => {
                gone.insert(id);
            }
            Some(What::Tombstone) | None => {}
        }
    }
    all
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
    settle(&rig);
    for node in &mut rig.nodes {
        node.proc.terminate(Instant::now() + LIMIT).expect("a clean end");
    }

    let now = Wall(SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as u64);
    let mut holders: BTreeMap<(BoxId, Locator, u64), BTreeSet<PeerKey>> = BTreeMap::new();
    let (mut directory, mut gone) = (None, BTreeSet::new());
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
        for item in held(&store, &mut gone) {
            holders.entry(item).or_default().insert(key);
        }
        directory = Some(known);
    }
    let directory = directory.expect("nodes");
    assert!(holders.len() > MESSAGES, "too few boxes to say anything: {}", holders.len());
    let mut used: BTreeSet<PeerKey> = BTreeSet::new();
    let (mut whole, mut exact) = (0, 0);
    for ((id, locator, epoch), holders) in &holders {
        let ranks = directory.placement(locator, *epoch, now);
        let first: BTreeSet<PeerKey> = ranks.iter().take(quorum.k).copied().collect();
        let all: BTreeSet<PeerKey> = ranks.into_iter().collect();
        assert!(holders.is_subset(&all), "{id:?} lies where nobody looks for it");
        used.extend(holders);
        // Some custodians have already been told that its reader is done with it.
        if gone.contains(id) {
            continue;
        }
        whole += 1;
        assert!(holders.len() >= quorum.w, "{id:?} has {} copies", holders.len());
        exact += usize::from(*holders == first);
    }
    // A custodian that is slow on a busy machine is replaced by a spare: that may happen, but is no rule.
    assert!(
        whole > MESSAGES && exact * 4 >= whole * 3,
        "{exact} of {whole} lie at exactly their first ranks"
    );
    assert!(used.len() > quorum.k, "all boxes lie at the same nodes: the placement does not spread");
}

/// "Stored" is said at the quorum; the last copies may still be on their way. Waits until no node's number of boxes
/// changes any more.
fn settle(rig: &Rig) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut news = 0;
        for node in &rig.nodes {
            while node.proc.line(Instant::now() + LOOK).is_ok() {
                news += 1;
            }
        }
        // One round looks at each node in turn, for longer than a coordinator waits before it asks a spare.
        if news == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "the nodes do not come to rest");
    }
}

/// The directory's address of a node, with or without its peer id, is the one it printed.
fn same_place(known: &[murre_core::Addr], printed: &murre_core::Addr) -> bool {
    let bare = |addr: &murre_core::Addr| addr.0.split("/p2p/").next().unwrap_or_default().to_owned();
    known.iter().any(|addr| bare(addr) == bare(printed))
}
