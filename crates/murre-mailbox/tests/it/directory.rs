//! Which nodes are known, which count, and where a locator lies.

use crate::support::{DAY, Map, NOW, PARAMS, at, descriptor, flips, node};
use murre_core::id::{Locator, PeerKey};
use murre_core::{Addr, NetworkParams, Wall};
use murre_crypto::puzzle::Solution;
use murre_mailbox::limits::{
    DESCRIPTOR_AHEAD_MS, DESCRIPTOR_FRESH_MS, MAX_DESCRIPTOR, MAX_DESCRIPTORS, MAX_NETWORK_FILE, MAX_NODES,
    NODE_FORGET_MS,
};
use murre_mailbox::network::sign_descriptor;
use murre_mailbox::placement::{Prefix, prefixes};
use murre_mailbox::{
    Descriptor, DescriptorBody, Directory, Inserted, NetworkError, NetworkFile, RefusedDescriptor,
    join_puzzle,
};
use std::collections::BTreeMap;

fn file() -> NetworkFile {
    NetworkFile::new("test", PARAMS)
}

fn aged() -> NetworkFile {
    NetworkFile::new("aged", NetworkParams { node_age_ms: 2 * DAY, ..PARAMS })
}

fn diverse() -> NetworkFile {
    NetworkFile::new("diverse", NetworkParams { diverse: true, ..PARAMS })
}

struct Home {
    map: Map,
    dir: Directory,
}

impl Home {
    fn new(file: NetworkFile) -> Self {
        let map = Map::default();
        let dir = Directory::open(&map, file).unwrap();
        Self { map, dir }
    }

    fn insert(&mut self, now: Wall, d: Descriptor) -> Inserted {
        self.map.turn(|tx| self.dir.insert(tx, at(now), d)).unwrap()
    }

    fn with_nodes(file: NetworkFile, nodes: u16, addr: impl Fn(u16) -> String) -> Self {
        let mut home = Self::new(file);
        for n in 0..nodes {
            let d = descriptor(home.dir.file(), &node(n), &[&addr(n)], NOW);
            assert_eq!(home.insert(NOW, d), Inserted::New);
        }
        home
    }
}

fn locator(n: u64) -> Locator {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&n.to_be_bytes());
    Locator::from_bytes(murre_core::Rng::from_seed(seed).bytes())
}

#[test]
fn descriptors_are_taken_once_renewed_and_kept() {
    let mut home = Home::new(file());
    let key = node(1);
    let first = descriptor(&file(), &key, &["/ip4/1.2.3.4/tcp/1"], NOW);
    let empty = home.dir.digest();
    assert_eq!(home.insert(NOW, first.clone()), Inserted::New);
    assert_eq!(home.insert(NOW, first.clone()), Inserted::Known);
    let later = descriptor(&file(), &key, &["/ip4/1.2.3.4/tcp/2"], NOW.plus(5));
    let one = home.dir.digest();
    assert_eq!(home.insert(NOW, later), Inserted::Newer);
    assert_eq!(home.insert(NOW, first), Inserted::Known);
    assert_ne!(home.dir.digest(), one);
    assert_ne!(one, empty);
    let again = Directory::open(&home.map, file()).unwrap();
    assert_eq!(again.digest(), home.dir.digest());
    assert_eq!(again.peer_ref(&key.id()).unwrap().addrs, [Addr("/ip4/1.2.3.4/tcp/2".to_owned())]);
    assert!(Directory::open(&home.map, aged()).unwrap().is_empty(), "another network's rows");
}

#[test]
fn bad_descriptors_are_refused_each_for_its_reason() {
    let mut home = Home::new(file());
    let key = node(1);
    let join = join_puzzle(&file(), &key.id()).solve(0, 10_000).unwrap();
    let body = DescriptorBody::new(file().id(), key.id(), vec![], NOW, join);
    let unpaid = (0..).map(Solution).find(|s| !join_puzzle(&file(), &key.id()).check(s)).unwrap();
    let many = vec![Addr("/ip4/1.2.3.4/tcp/1".to_owned()); 9];
    let long = vec![Addr("a".repeat(129))];
    let ugly = vec![Addr("/ip4/1.2.3.4\n".to_owned())];
    let fat = vec![Addr("a".repeat(128)); 5];
    use RefusedDescriptor as No;
    let cases = [
        (DescriptorBody { net: aged().id(), ..body.clone() }, No::OtherNetwork),
        (DescriptorBody { t: NOW.0 + DESCRIPTOR_AHEAD_MS + 1, ..body.clone() }, No::Ahead),
        (DescriptorBody { t: NOW.0 - DESCRIPTOR_FRESH_MS - 1, ..body.clone() }, No::Stale),
        (DescriptorBody { join: unpaid, ..body.clone() }, No::Puzzle),
        (DescriptorBody { v: 2, ..body.clone() }, No::Invalid),
        (DescriptorBody { addrs: many, ..body.clone() }, No::Invalid),
        (DescriptorBody { addrs: long, ..body.clone() }, No::Invalid),
        (DescriptorBody { addrs: ugly, ..body.clone() }, No::Invalid),
        (DescriptorBody { addrs: fat, ..body.clone() }, No::Invalid),
        (DescriptorBody { key: node(2).id(), ..body.clone() }, No::Invalid),
    ];
    for (bad, why) in cases {
        assert_eq!(home.insert(NOW, sign_descriptor(&key, &bad)), Inserted::Refused(why));
    }
    assert_eq!((home.dir.len(), home.map.rows()), (0, 0));
    assert_eq!(home.insert(NOW, sign_descriptor(&key, &body)), Inserted::New);
}

#[test]
fn every_flipped_bit_of_a_descriptor_is_refused() {
    let mut home = Home::new(file());
    let wire = descriptor(&file(), &node(1), &["/ip4/1.2.3.4/tcp/1"], NOW).bytes();
    assert!(wire.len() <= MAX_DESCRIPTOR);
    for flipped in flips(&wire, 1) {
        if let Ok(d) = Descriptor::from_bytes(&flipped) {
            assert!(matches!(home.insert(NOW, d), Inserted::Refused(_)));
        }
    }
    assert!(home.dir.is_empty());
}

#[test]
fn nodes_count_while_fresh_and_once_aged() {
    let mut home = Home::new(aged());
    let renew = |home: &mut Home, n: u64| {
        let t = NOW.plus(n * DAY / 2);
        let d = descriptor(&aged(), &node(1), &[], t);
        home.insert(t, d);
        home.dir.eligible(t).len()
    };
    assert_eq!([0, 1, 2, 3].map(|n| renew(&mut home, n)), [0; 4]);
    assert_eq!(renew(&mut home, 4), 1);
    let t = NOW.plus(2 * DAY);
    assert_eq!(home.dir.eligible(t.plus(DESCRIPTOR_FRESH_MS)).len(), 1);
    assert_eq!(home.dir.eligible(t.plus(DESCRIPTOR_FRESH_MS + 1)).len(), 0);
    assert_eq!(home.dir.placement(&locator(1), 5, t.plus(DAY + 1)), []);
    let reopened = Directory::open(&home.map, aged()).unwrap();
    assert_eq!(reopened.eligible(t).len(), 1, "the time it was first seen survives");
}

#[test]
fn another_solution_of_the_puzzle_starts_a_nodes_age_anew() {
    let mut home = Home::new(aged());
    let key = node(1);
    let issue = |t: Wall, from: u64| {
        let join = join_puzzle(&aged(), &key.id()).solve(from, 10_000).unwrap();
        (join, sign_descriptor(&key, &DescriptorBody::new(aged().id(), key.id(), vec![], t, join)))
    };
    let (first, d) = issue(NOW, 0);
    home.insert(NOW, d);
    let t = NOW.plus(2 * DAY);
    home.insert(t, issue(t, 0).1);
    assert_eq!(home.dir.eligible(t).len(), 1);
    let (second, d) = issue(t.plus(1), first.0 + 1);
    assert_ne!(first, second);
    assert_eq!(home.insert(t.plus(1), d), Inserted::Newer);
    assert_eq!(home.dir.eligible(t.plus(1)).len(), 0);
}

#[test]
fn silent_nodes_are_forgotten_after_a_week() {
    let mut home = Home::with_nodes(file(), 3, |_| "/ip4/1.2.3.4/tcp/1".to_owned());
    let t = NOW.plus(NODE_FORGET_MS);
    assert_eq!(home.map.turn(|tx| home.dir.sweep(tx, t)), 0);
    assert_eq!(home.map.turn(|tx| home.dir.sweep(tx, t.plus(1))), 3);
    assert_eq!((home.dir.len(), home.map.rows()), (0, 0));
}

#[test]
fn a_full_directory_takes_a_node_only_in_place_of_one_that_no_longer_counts() {
    let mut home = Home::new(file());
    for n in 0..MAX_NODES as u16 {
        let t = NOW.plus(u64::from(n > 0));
        home.insert(NOW, descriptor(&file(), &node(n), &[], t));
    }
    assert_eq!(home.dir.len(), MAX_NODES);
    let one_more = |t| descriptor(&file(), &node(MAX_NODES as u16), &[], t);
    assert_eq!(home.insert(NOW, one_more(NOW)), Inserted::Refused(RefusedDescriptor::Full));
    let t = NOW.plus(DESCRIPTOR_FRESH_MS + 1);
    assert_eq!(home.insert(t, one_more(t)), Inserted::New);
    assert_eq!((home.dir.len(), home.map.rows()), (MAX_NODES, MAX_NODES));
    assert!(home.dir.get(&node(0).id()).is_none(), "the one unheard of for longest made room");
    let (send, want) = home.dir.compare(&[]);
    assert_eq!((send.len(), want.len()), (MAX_DESCRIPTORS, 0));
}

#[test]
fn two_directories_meet_after_one_exchange() {
    let mut a = Home::with_nodes(file(), 6, |_| "/ip4/1.2.3.4/tcp/1".to_owned());
    let mut b = Home::new(file());
    for n in 4..9 {
        let d = descriptor(&file(), &node(n), &[], NOW.plus(1));
        b.insert(NOW, d);
    }
    let (send, want) = a.dir.compare(&b.dir.summary());
    let (back, _) = b.dir.compare(&a.dir.summary());
    assert_eq!((send.len(), want.len()), (4, 5));
    for d in send {
        assert_eq!(b.insert(NOW, d), Inserted::New);
    }
    for d in back {
        assert!(matches!(a.insert(NOW, d), Inserted::New | Inserted::Newer));
    }
    assert_eq!(a.dir.digest(), b.dir.digest());
    assert_eq!(a.dir.compare(&b.dir.summary()), (vec![], vec![]));
}

#[test]
fn placement_is_the_same_everywhere_and_changes_with_the_epoch() {
    let home = Home::with_nodes(file(), 30, |_| "/ip4/1.2.3.4/tcp/1".to_owned());
    let again = Directory::open(&home.map, file()).unwrap();
    let mut moved = 0;
    for n in 0..50 {
        let here = home.dir.placement(&locator(n), n, NOW);
        assert_eq!(here, again.placement(&locator(n), n, NOW));
        assert_eq!(here.len(), 12);
        let distinct: std::collections::BTreeSet<&PeerKey> = here.iter().collect();
        assert_eq!(distinct.len(), 12);
        moved += usize::from(home.dir.placement(&locator(n), n + 1, NOW) != here);
    }
    assert!(moved > 45);
}

#[test]
fn placement_spreads_over_all_nodes() {
    let home = Home::with_nodes(file(), 20, |_| "/ip4/1.2.3.4/tcp/1".to_owned());
    let mut load: BTreeMap<PeerKey, u32> = BTreeMap::new();
    for n in 0..600 {
        for key in home.dir.placement(&locator(n), n % 40, NOW).into_iter().take(8) {
            *load.entry(key).or_default() += 1;
        }
    }
    // 240 each on average; one ring of 20 random arcs is uneven, forty of them are not.
    assert!(load.len() == 20 && load.values().all(|n| (140..360).contains(n)), "{load:?}");
}

#[test]
fn small_networks_place_on_every_node_and_ask_for_what_they_have() {
    for nodes in 1..=13u16 {
        let home = Home::with_nodes(file(), nodes, |_| "/ip4/1.2.3.4/tcp/1".to_owned());
        let q = home.dir.quorum(NOW);
        assert_eq!(q, NetworkParams::quorum(nodes.into()));
        let placed = home.dir.placement(&locator(1), 1, NOW);
        assert_eq!(placed.len(), usize::from(nodes).min(q.k + NetworkParams::SPARE_RANKS));
    }
}

#[test]
fn a_stale_node_is_passed_over_and_the_others_keep_their_order() {
    let mut home = Home::with_nodes(file(), 15, |_| "/ip4/1.2.3.4/tcp/1".to_owned());
    let before = home.dir.placement(&locator(3), 9, NOW);
    let later = NOW.plus(DAY / 2);
    for n in (0..15).filter(|n| node(*n).id() != before[2]) {
        let d = descriptor(&file(), &node(n), &[], later);
        home.insert(later, d);
    }
    let after = home.dir.placement(&locator(3), 9, NOW.plus(DAY + 1));
    assert!(!after.contains(&before[2]));
    let rest: Vec<&PeerKey> = before.iter().filter(|k| **k != before[2]).collect();
    assert_eq!(after.iter().take(11).collect::<Vec<_>>(), rest);
}

#[test]
fn a_diverse_network_takes_one_node_of_a_24_and_two_of_a_16() {
    // 40 nodes in four /16, ten /24 in all.
    let home = Home::with_nodes(diverse(), 40, |n| format!("/ip4/20.{}.{}.{}/tcp/1", n % 4, n % 10, n));
    for n in 0..20 {
        let mut wide: BTreeMap<Prefix, u32> = BTreeMap::new();
        let placed = home.dir.placement(&locator(n), n, NOW);
        for key in &placed {
            for range in prefixes(&home.dir.get(key).unwrap().addrs) {
                *wide.entry(range).or_default() += 1;
            }
        }
        assert_eq!(placed.len(), 8, "two of each /16");
        assert!(wide.iter().all(|(p, n)| *n <= if matches!(p, Prefix::Narrow4(_)) { 1 } else { 2 }));
    }
}

#[test]
fn a_node_cannot_claim_several_ranges_or_none() {
    let ranges =
        |addrs: &[&str]| prefixes(&addrs.iter().map(|a| Addr((*a).to_owned())).collect::<Vec<_>>()).len();
    assert_eq!(ranges(&["/ip4/20.1.2.3/tcp/1", "/ip4/20.1.2.9/udp/1/quic-v1"]), 2);
    assert_eq!(ranges(&["/ip4/20.1.2.3/tcp/1", "/ip6/2a01:4f8:1:2::1/tcp/1"]), 4);
    assert_eq!(ranges(&["/ip4/20.1.2.3/tcp/1", "/ip4/20.1.3.3/tcp/1"]), 0);
    assert_eq!(ranges(&["/ip6/2a01:4f8:1::1/tcp/1", "/ip6/2a01:4f8:2::1/tcp/1"]), 0);
    assert_eq!(ranges(&["/ip6/::ffff:20.1.2.3/tcp/1", "/ip4/20.1.2.4/tcp/1"]), 2);
    for private in [
        "/ip4/127.0.0.1/tcp/1",
        "/ip4/10.1.2.3/tcp/1",
        "/ip4/100.64.0.1/tcp/1",
        "/ip6/::1/tcp/1",
        "/ip6/fd00::1/tcp/1",
        "/dns/a.example/tcp/1",
        "/ip4/999.1.1.1",
        "",
        "/ip4",
    ] {
        assert_eq!(ranges(&[private]), 0, "{private}");
    }
    let home = Home::with_nodes(diverse(), 3, |_| "/dns/a.example/tcp/1".to_owned());
    assert!(home.dir.eligible(NOW).is_empty());
}

#[test]
fn network_files_are_named_by_their_bytes_and_checked() {
    let file = NetworkFile::devnet();
    assert_eq!(NetworkFile::decode(&file.bytes()), Ok(file.clone()));
    assert_ne!(file.id(), NetworkFile::new("devnet", NetworkParams::production()).id());
    let with = |edit: &dyn Fn(&mut NetworkFile)| {
        let mut other = file.clone();
        edit(&mut other);
        NetworkFile::decode(&other.bytes())
    };
    type Edit = fn(&mut NetworkFile);
    let bad: [(Edit, &str); 9] = [
        (|f| f.params.epoch_ms = 0, "epoch_ms"),
        (|f| f.params.grace_ms = f.params.epoch_ms + 1, "grace_ms"),
        (|f| f.params.skew_ms = u64::MAX, "skew_ms"),
        (|f| f.params.space.mem = u32::MAX, "space"),
        (|f| f.params.join.tries = 0, "join"),
        (|f| f.params.node_age_ms = u64::MAX, "node_age_ms"),
        (|f| f.params.tag_epochs = 65, "tag_epochs"),
        (|f| f.params.tag_renew_below = 30, "tag_renew_below"),
        (|f| f.params.block_bytes = 0, "block_bytes"),
    ];
    for (edit, what) in bad {
        assert_eq!(with(&edit), Err(NetworkError::Param { what }));
    }
    assert_eq!(with(&|f| f.v = 2), Err(NetworkError::Version { v: 2 }));
    assert_eq!(with(&|f| f.name = String::new()), Err(NetworkError::Name));
    assert_eq!(with(&|f| f.name = "a\n".to_owned()), Err(NetworkError::Name));
    assert!(with(&|f| f.anchors = vec![murre_core::id::Bytes([0; 32]); 17]).is_err());
    assert!(NetworkFile::decode(&vec![0; MAX_NETWORK_FILE + 1]).is_err());
    for params in [NetworkParams::production(), NetworkParams::devnet(), NetworkParams::cheap()] {
        assert_eq!(NetworkFile::new("n", params).check(), Ok(()));
    }
}

#[test]
fn an_adopted_network_is_kept() {
    let mut map = Map::default();
    assert_eq!(Directory::stored_network(&map).unwrap(), None);
    map.turn(|tx| Directory::store_network(tx, &file()));
    assert_eq!(Directory::stored_network(&map).unwrap(), Some(file()));
}
