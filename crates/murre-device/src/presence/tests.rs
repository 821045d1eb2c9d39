//! Two ends of one link in one place: the handshake, then every bit of every frame turned in turn.

use super::*;
use murre_core::{LinkCaps, LinkKind, Now, Rng, Turn, Wall};
use murre_store::MemoryStore;

const KEY: [u8; 32] = [9; 32];
const DIALER: PeerKey = PeerKey::from_bytes([1; 32]);
const ACCEPTOR: PeerKey = PeerKey::from_bytes([2; 32]);
const LINK: LinkId = LinkId(7);
const CONTACT: u32 = 3;
const SAID: Wall = Wall(1_800_000_000_000);

/// One end, and what it has said so far.
struct End {
    presence: Presence,
    now: Mono,
    rng: Rng,
    ups: VecDeque<PresenceUp>,
}

impl End {
    fn new(seed: u8) -> Self {
        let presence = Presence::new(vec![(CONTACT, KEY)]);
        Self { presence, now: Mono(1_000), rng: Rng::from_seed([seed; 32]), ups: VecDeque::new() }
    }

    fn turn(&mut self, act: impl FnOnce(&mut Presence, &mut Ctx<'_, '_>)) {
        let store = MemoryStore::new();
        let mut tx = Turn::new(&store);
        let now = Now { mono: self.now, wall: Wall(1_800_000_000_000) };
        act(&mut self.presence, &mut Cx::new(now, &mut self.rng, &mut tx, &mut self.ups));
    }

    fn up(&mut self, dialed: bool) {
        let (own, peer) = if dialed { (DIALER, ACCEPTOR) } else { (ACCEPTOR, DIALER) };
        let caps = LinkCaps { mtu: MAX_FRAME, ordered: true, reliable: true, metered: false };
        let up = LinkUp { id: LINK, kind: LinkKind::Virtual, caps, own, peer, dialed };
        self.turn(|p, cx| p.link_up(cx, &up));
    }

    /// The frames it wants sent over the link, in order; what is left tells the rest.
    fn frames(&mut self) -> Vec<Vec<u8>> {
        let (sent, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.ups)
            .into_iter()
            .partition(|up| matches!(up, PresenceUp::Transmit(t) if matches!(t.to, Dest::Link(_))));
        self.ups = rest.into();
        let bytes = |up| match up {
            PresenceUp::Transmit(t) => t.bytes,
            other => unreachable!("{other:?}"),
        };
        sent.into_iter().map(bytes).collect()
    }

    fn closed(&self) -> bool {
        self.ups.iter().any(|up| matches!(up, PresenceUp::Transmit(t) if matches!(t.to, Dest::Close(_))))
    }

    fn live(&self) -> bool {
        self.ups.iter().any(|up| matches!(up, PresenceUp::Live(CONTACT)))
    }
}

/// Both ends after `steps` frames of the handshake went over whole, and the frame that comes next.
fn after(steps: usize) -> (End, End, Vec<u8>) {
    let (mut dialer, mut acceptor) = (End::new(1), End::new(2));
    let here = Where { k: DIALER, a: vec![Addr("/ip4/127.0.0.1/tcp/1".to_owned())] };
    let there = Where { k: ACCEPTOR, a: vec![Addr("/ip4/127.0.0.1/tcp/2".to_owned())] };
    dialer.turn(|p, cx| p.listening(cx, here.k, here.a));
    dialer.turn(|p, cx| p.learned(cx, CONTACT, there, SAID));
    dialer.ups.clear();
    acceptor.up(false);
    dialer.up(true);
    let mut next = dialer.frames().pop().expect("a hello");
    for step in 0..steps {
        let (to, bytes) = if step % 2 == 0 { (&mut acceptor, next) } else { (&mut dialer, next) };
        to.turn(|p, cx| p.frame(cx, LINK, &bytes));
        if step == 2 {
            dialer.turn(|p, cx| assert!(p.send(cx, CONTACT, vec![0x5a; 40])));
            dialer.turn(Presence::end_turn);
        }
        let from = if step == 1 || step == 2 { &mut dialer } else { &mut acceptor };
        next = from.frames().pop().unwrap_or_default();
    }
    (dialer, acceptor, next)
}

fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut bad = bytes.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        bad
    })
}

#[test]
fn two_who_hold_the_key_prove_it_to_each_other_and_packets_pass() {
    let (dialer, mut acceptor, packets) = after(3);
    assert!(dialer.live() && acceptor.live());
    acceptor.turn(|p, cx| p.frame(cx, LINK, &packets));
    let got =
        acceptor.ups.iter().any(|up| matches!(up, PresenceUp::Packets(CONTACT, p) if p == &[[0x5a; 40]]));
    assert!(got);
}

// Behind the first byte, which says whose frame it is: the root reads that one before presence is asked.
#[test]
fn no_flipped_bit_of_a_handshake_proves_anything() {
    for step in 0..3 {
        let (_, _, frame) = after(step);
        for bad in flips(&frame[1..]) {
            let bad = [&frame[..1], &bad].concat();
            let (mut dialer, mut acceptor, _) = after(step);
            let to = if step == 1 { &mut dialer } else { &mut acceptor };
            to.turn(|p, cx| p.frame(cx, LINK, &bad));
            let answers = to.frames();
            assert!(!to.live(), "step {step}");
            assert!(to.closed() && answers.is_empty(), "step {step}");
        }
    }
}

#[test]
fn a_flipped_bit_among_packets_closes_the_link_or_reaches_only_a_sealed_packet() {
    let (_, _, frame) = after(3);
    for bad in flips(&frame[1..]) {
        let bad = [&frame[..1], &bad].concat();
        let (_, mut acceptor, _) = after(3);
        acceptor.turn(|p, cx| p.frame(cx, LINK, &bad));
        let handed = acceptor.ups.iter().find_map(|up| match up {
            PresenceUp::Packets(_, p) => Some(p.clone()),
            _ => None,
        });
        // A packet is sealed: what changed inside it fails where it is opened. Nothing else may get through.
        assert!(acceptor.closed() != handed.is_some_and(|p| p.len() == 1 && p[0].len() == 40));
    }
}

#[test]
fn a_bad_frame_ends_the_live_link_for_the_siblings_as_well() {
    let (_, mut acceptor, _) = after(3);
    acceptor.ups.clear();
    acceptor.turn(|p, cx| p.frame(cx, LINK, &[FRAME_KIND, 0xff]));
    let lost = |end: &End| end.ups.iter().filter(|up| matches!(up, PresenceUp::Lost(CONTACT))).count();
    assert!(acceptor.closed());
    assert_eq!((lost(&acceptor), acceptor.presence.live()), (1, 0));
    // The carrier says that it is down, which is no news.
    acceptor.turn(|p, cx| p.link_down(cx, LINK));
    assert_eq!(lost(&acceptor), 1);
}

#[test]
fn oversized_truncated_trailing_and_unknown_frames_close_the_link() {
    let (_, _, frame) = after(3);
    let many = encode(&Frame::Packets { p: vec![ByteBuf::from(vec![1]); MAX_PACKETS + 1] });
    let mut huge = encode(&Frame::Packets { p: vec![ByteBuf::from(vec![1; MAX_FRAME])] });
    huge.push(0);
    let unknown = [&[FRAME_KIND][..], &codec::encode(&BTreeMap::from([("z", 1)]))].concat();
    let mut bad = vec![many, huge, unknown, [frame.as_slice(), &[0]].concat(), vec![FRAME_KIND], Vec::new()];
    bad.extend((1..frame.len()).map(|cut| frame[..cut].to_vec()));
    for bytes in bad {
        let (_, mut acceptor, _) = after(3);
        acceptor.turn(|p, cx| p.frame(cx, LINK, &bytes));
        assert!(acceptor.closed(), "{} bytes", bytes.len());
        assert!(!acceptor.ups.iter().any(|up| matches!(up, PresenceUp::Packets(..))));
    }
}

#[test]
fn who_holds_another_key_is_told_nothing() {
    let (_, _, hello) = after(0);
    let mut other = End { presence: Presence::new(vec![(CONTACT, [8; 32])]), ..End::new(2) };
    other.up(false);
    other.turn(|p, cx| p.frame(cx, LINK, &hello));
    assert!(other.closed() && other.frames().is_empty() && !other.live());
}

#[test]
fn packets_are_counted_while_they_are_read() {
    let frame = |count: usize| encode(&Frame::Packets { p: vec![ByteBuf::new(); count] });
    assert!(decode(&frame(MAX_PACKETS)).is_some());
    assert!(decode(&frame(MAX_PACKETS + 1)).is_none());
    // What costs one byte each on the wire must not fill memory before it is refused.
    assert!(decode(&frame(500_000)).is_none());
}

fn at(key: u8, addr: &str) -> Where {
    Where { k: PeerKey::from_bytes([key; 32]), a: vec![Addr(addr.to_owned())] }
}

/// Whom it wants dialled.
fn dialled(end: &mut End) -> Vec<PeerKey> {
    let keys = std::mem::take(&mut end.ups).into_iter().filter_map(|up| match up {
        PresenceUp::Transmit(Transmit { to: Dest::Peer(peer), .. }) => Some(peer.key),
        _ => None,
    });
    keys.collect()
}

fn listener(seed: u8) -> End {
    let mut end = End::new(seed);
    end.turn(|p, cx| p.listening(cx, DIALER, at(1, "/ip4/127.0.0.1/tcp/1").a));
    end
}

// spec: D-39
#[test]
fn what_a_contact_said_before_it_moved_does_not_lead_away_from_where_it_is() {
    let mut end = listener(1);
    end.turn(|p, cx| p.learned(cx, CONTACT, at(5, "/ip4/127.0.0.1/tcp/5"), SAID.plus(10)));
    assert_eq!(dialled(&mut end), [PeerKey::from_bytes([5; 32])]);
    end.turn(|p, cx| p.learned(cx, CONTACT, at(4, "/ip4/127.0.0.1/tcp/4"), SAID));
    assert!(dialled(&mut end).is_empty(), "the older one came later");
    end.turn(|p, cx| p.learned(cx, CONTACT, at(6, "/ip4/127.0.0.1/tcp/6"), SAID.plus(20)));
    assert_eq!(dialled(&mut end), [PeerKey::from_bytes([6; 32])]);
}

// spec: D-39
#[test]
fn a_contact_that_does_not_answer_is_dialled_again_at_doubling_waits() {
    let mut end = listener(2);
    end.turn(|p, cx| p.learned(cx, CONTACT, at(5, "/ip4/127.0.0.1/tcp/5"), SAID));
    assert_eq!(dialled(&mut end).len(), 1);
    let mut due = Vec::new();
    for _ in 0..40 {
        let now = end.now;
        end.presence.unreachable(now, PeerKey::from_bytes([5; 32]));
        let Some(next) = end.presence.next_timeout() else { break };
        due.push(next.since(now));
        end.now = next;
        end.turn(Presence::handle_timeout);
        if dialled(&mut end).is_empty() {
            break;
        }
    }
    assert_eq!(&due[..3], [DIAL_AGAIN_MS, 2 * DIAL_AGAIN_MS, 4 * DIAL_AGAIN_MS]);
    assert_eq!(due.iter().max(), Some(&DIAL_AGAIN_MAX_MS));
    assert!(due.len() < 20, "it ends with the hour for which the place is believed: {due:?}");
}

// spec: D-39
#[test]
fn a_contact_that_is_somewhere_else_is_dialled_there_over_a_link_that_still_counts_as_up() {
    let (mut dialer, _, _) = after(3);
    assert_eq!(dialer.presence.live(), 1);
    dialer.ups.clear();
    let more = Where {
        k: ACCEPTOR,
        a: vec![Addr("/ip4/127.0.0.1/tcp/2".to_owned()), Addr("/ip4/127.0.0.1/tcp/3".to_owned())],
    };
    dialer.turn(|p, cx| p.learned(cx, CONTACT, more, SAID.plus(1)));
    assert_eq!((dialer.presence.live(), dialer.closed()), (1, false), "one address more is no move");
    dialer.turn(|p, cx| p.learned(cx, CONTACT, at(2, "/ip4/127.0.0.1/tcp/3"), SAID.plus(2)));
    assert_eq!((dialer.presence.live(), dialer.closed()), (0, true));
    assert_eq!(dialled(&mut dialer), [ACCEPTOR]);
}

// spec: D-39
#[test]
fn whoever_loses_an_address_closes_its_live_links() {
    let (mut dialer, _, _) = after(3);
    dialer.ups.clear();
    let two = vec![Addr("/ip4/127.0.0.1/tcp/1".to_owned()), Addr("/ip4/127.0.0.1/tcp/9".to_owned())];
    dialer.turn(|p, cx| p.listening(cx, DIALER, two));
    assert_eq!((dialer.presence.live(), dialer.closed()), (1, false));
    dialer.turn(|p, cx| p.listening(cx, DIALER, at(1, "/ip4/127.0.0.1/tcp/9").a));
    assert_eq!((dialer.presence.live(), dialer.closed()), (0, true));
    assert!(dialer.ups.iter().any(|up| matches!(up, PresenceUp::Lost(CONTACT))));
}

/// Adds a second proven link, opened a second later by the other side under this key.
fn second(end: &mut End, peer: PeerKey) -> LinkId {
    end.now = end.now.plus(1_000);
    let id = LinkId(8);
    let link =
        Link { dialer: peer, acceptor: DIALER, since: end.now, stage: Stage::Proven { contact: CONTACT } };
    end.presence.links.insert(id, link);
    end.presence.live.insert(CONTACT, id);
    end.ups.clear();
    id
}

fn gone(end: &mut End) -> Vec<LinkId> {
    let links = std::mem::take(&mut end.ups).into_iter().filter_map(|up| match up {
        PresenceUp::Transmit(Transmit { to: Dest::Close(link), .. }) => Some(link),
        _ => None,
    });
    links.collect()
}

// spec: D-39
#[test]
fn of_two_links_the_one_to_where_it_was_does_not_take_the_part_of_the_other() {
    // It came back under another key and nobody is at either link.
    let (mut dialer, _, _) = after(3);
    let link = second(&mut dialer, ACCEPTOR);
    dialer.turn(|p, cx| p.learned(cx, CONTACT, at(5, "/ip4/127.0.0.1/tcp/5"), SAID.plus(9)));
    assert_eq!(dialer.presence.live(), 0);
    assert!(!dialer.ups.iter().any(|up| matches!(up, PresenceUp::Live(_))));
    assert_eq!(gone(&mut dialer), [LINK, link]);
    // And if the older one was the one in use.
    let (mut dialer, _, _) = after(3);
    let link = second(&mut dialer, ACCEPTOR);
    dialer.presence.live.insert(CONTACT, LINK);
    dialer.turn(|p, cx| p.learned(cx, CONTACT, at(5, "/ip4/127.0.0.1/tcp/5"), SAID.plus(9)));
    assert!(!dialer.ups.iter().any(|up| matches!(up, PresenceUp::Live(_))));
    assert_eq!(gone(&mut dialer), [link, LINK]);
    // It moved and has already opened a link from there.
    let (mut dialer, _, _) = after(3);
    let link = second(&mut dialer, ACCEPTOR);
    dialer.turn(|p, cx| p.learned(cx, CONTACT, at(2, "/ip4/127.0.0.1/tcp/3"), SAID));
    assert_eq!((dialer.presence.live.get(&CONTACT).copied(), gone(&mut dialer)), (Some(link), vec![LINK]));
    // The same under another key.
    let (mut dialer, _, _) = after(3);
    let link = second(&mut dialer, PeerKey::from_bytes([5; 32]));
    dialer.turn(|p, cx| p.learned(cx, CONTACT, at(5, "/ip4/127.0.0.1/tcp/5"), SAID.plus(9)));
    assert_eq!((dialer.presence.live.get(&CONTACT).copied(), gone(&mut dialer)), (Some(link), vec![LINK]));
}

// spec: D-39
#[test]
fn what_is_sent_meanwhile_neither_dials_nor_makes_the_wait_longer() {
    let mut end = listener(3);
    end.turn(|p, cx| p.learned(cx, CONTACT, at(5, "/ip4/127.0.0.1/tcp/5"), SAID));
    let now = end.now;
    end.presence.unreachable(now, PeerKey::from_bytes([5; 32]));
    end.ups.clear();
    for _ in 0..9 {
        end.turn(|p, cx| assert!(!p.send(cx, CONTACT, vec![1])));
        end.presence.unreachable(now, PeerKey::from_bytes([5; 32]));
    }
    assert!(dialled(&mut end).is_empty());
    assert_eq!(end.presence.next_timeout(), Some(now.plus(DIAL_AGAIN_MS)));
    // Another address of our own: it may be reached from there.
    end.turn(|p, cx| p.listening(cx, DIALER, at(1, "/ip4/127.0.0.1/tcp/7").a));
    end.turn(Presence::handle_timeout);
    assert_eq!(dialled(&mut end), [PeerKey::from_bytes([5; 32])]);
}

// spec: D-39
#[test]
fn a_date_to_come_or_a_place_where_nobody_answers_wins_no_order() {
    let mut end = listener(4);
    end.turn(|p, cx| p.learned(cx, CONTACT, at(5, "/ip4/127.0.0.1/tcp/5"), SAID.plus(7_200_000)));
    end.ups.clear();
    end.turn(|p, cx| p.learned(cx, CONTACT, at(6, "/ip4/127.0.0.1/tcp/6"), SAID));
    assert_eq!(dialled(&mut end), [PeerKey::from_bytes([6; 32])]);
    let now = end.now;
    end.presence.unreachable(now, PeerKey::from_bytes([6; 32]));
    end.turn(|p, cx| p.learned(cx, CONTACT, at(4, "/ip4/127.0.0.1/tcp/4"), Wall(SAID.0 - 1)));
    assert_eq!(dialled(&mut end), [PeerKey::from_bytes([4; 32])]);
}

// spec: D-39
#[test]
fn an_address_more_pushes_out_none_that_was_told() {
    let addr = |n: u32| Addr(format!("/ip4/10.0.0.1/tcp/{n}"));
    let (mut dialer, _, _) = after(3);
    let eight: Vec<Addr> =
        std::iter::once(Addr("/ip4/127.0.0.1/tcp/1".to_owned())).chain((2..9).map(addr)).collect();
    dialer.turn(|p, cx| p.listening(cx, DIALER, eight.clone()));
    dialer.ups.clear();
    let nine: Vec<Addr> = (100..101).map(addr).chain(eight.clone()).collect();
    dialer.turn(|p, cx| p.listening(cx, DIALER, nine));
    assert_eq!((dialer.presence.live(), dialer.closed()), (1, false));
    assert_eq!(dialer.presence.own.as_ref().unwrap().a, eight);
}

// spec: D-39
#[test]
fn where_nothing_was_known_a_link_from_before_the_word_is_closed_and_a_younger_one_is_not() {
    let elsewhere = || at(5, "/ip4/127.0.0.1/tcp/5");
    let (_, mut acceptor, _) = after(3);
    assert_eq!(acceptor.presence.live(), 1);
    acceptor.turn(|p, cx| p.listening(cx, ACCEPTOR, at(2, "/ip4/127.0.0.1/tcp/2").a));
    acceptor.ups.clear();
    // An old box: the link came up later.
    acceptor.turn(|p, cx| p.learned(cx, CONTACT, elsewhere(), Wall(SAID.0 - 60_000)));
    assert_eq!((acceptor.presence.live(), gone(&mut acceptor)), (1, Vec::new()));
    acceptor.presence.known.clear();
    acceptor.turn(|p, cx| p.learned(cx, CONTACT, elsewhere(), SAID.plus(1)));
    assert_eq!((acceptor.presence.live(), gone(&mut acceptor)), (0, vec![LINK]));
}
