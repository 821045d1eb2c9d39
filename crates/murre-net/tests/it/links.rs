//! Links between two of us.

use crate::harness::{Node, QUIC, TCP};
use murre_core::link::MAX_FRAME;
use murre_core::{Dest, Input, LinkDownReason, LinkKind, PeerRef};
use murre_net::limits::{CREDIT_MARK, INPUT_QUEUE, MAX_DIAL_FRAMES, MAX_LINK_QUEUE};

async fn frames_go_both_ways(listen: &str, kind: LinkKind) {
    let mut a = Node::start(1, &[]).await;
    let mut b = Node::start(2, &[listen]).await;
    a.send(Dest::Peer(b.peer()), b"from a");

    let (at_a, at_b) = (a.link_up().await, b.link_up().await);
    assert_eq!(
        (at_a.kind, at_a.dialed, at_a.own, at_a.peer),
        (kind, true, a.net.peer_key(), b.net.peer_key())
    );
    assert_eq!(
        (at_b.kind, at_b.dialed, at_b.own, at_b.peer),
        (kind, false, b.net.peer_key(), a.net.peer_key())
    );
    assert_eq!(b.frame().await, (at_b.id, b"from a".to_vec()));

    // The largest frame, and many small ones behind it, in order, in both directions.
    let big: Vec<u8> = (0..MAX_FRAME).map(|i| (i % 251) as u8).collect();
    b.send(Dest::Link(at_b.id), &big);
    a.send(Dest::Link(at_a.id), &big);
    for i in 0..200u8 {
        a.send(Dest::Link(at_a.id), &[i]);
        b.send(Dest::Peer(PeerRef { key: a.net.peer_key(), addrs: Vec::new() }), &[i]);
    }
    for (node, id) in [(&mut a, at_a.id), (&mut b, at_b.id)] {
        assert!(node.frame().await == (id, big.clone()));
        for i in 0..200u8 {
            assert_eq!(node.frame().await, (id, vec![i]));
        }
    }
    let sent = a.net.stats().bytes_out;
    assert_eq!(sent, [0, 0, (6 + MAX_FRAME + 200) as u64, 0]);
}

#[tokio::test]
async fn frames_go_both_ways_over_tcp() {
    frames_go_both_ways(TCP, LinkKind::Tcp).await;
}

#[tokio::test]
async fn frames_go_both_ways_over_quic() {
    frames_go_both_ways(QUIC, LinkKind::Quic).await;
}

#[tokio::test]
async fn what_is_queued_before_the_connection_arrives_in_order() {
    let mut b = Node::start(2, &[TCP, QUIC]).await;
    let mut a = Node::start(1, &[]).await;
    for i in 0..MAX_DIAL_FRAMES {
        a.send(Dest::Peer(b.peer()), &(i as u32).to_be_bytes());
    }
    let (at_a, at_b) = (a.link_up().await, b.link_up().await);
    assert!(at_a.dialed && !at_b.dialed);
    for i in 0..MAX_DIAL_FRAMES {
        assert_eq!(b.frame().await, (at_b.id, (i as u32).to_be_bytes().to_vec()));
    }
    assert_eq!(a.net.stats().dropped, 0);
}

#[tokio::test]
async fn a_dial_queue_is_bounded() {
    let mut b = Node::start(2, &[TCP]).await;
    let mut a = Node::start(1, &[]).await;
    // On one thread, so the dial cannot begin before all of these are sent.
    for i in 0..MAX_DIAL_FRAMES + 7 {
        a.send(Dest::Peer(b.peer()), &(i as u32).to_be_bytes());
    }
    assert_eq!(a.net.stats().dropped, 7);
    a.link_up().await;
    b.link_up().await;
    for i in 0..MAX_DIAL_FRAMES {
        assert_eq!(b.frame().await.1, (i as u32).to_be_bytes());
    }
}

#[tokio::test]
async fn both_ends_dialling_gives_two_links() {
    let mut a = Node::start(1, &[TCP]).await;
    let mut b = Node::start(2, &[TCP]).await;
    a.send(Dest::Peer(b.peer()), b"a");
    b.send(Dest::Peer(a.peer()), b"b");
    for node in [&mut a, &mut b] {
        let (mut ups, mut frames) = (0, 0);
        while (ups, frames) != (2, 1) {
            match node.next().await {
                Input::LinkUp(_) => ups += 1,
                Input::Frame { .. } => frames += 1,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn closing_a_link_flushes_what_is_queued() {
    for listen in [TCP, QUIC] {
        let mut a = Node::start(1, &[]).await;
        let mut b = Node::start(2, &[listen]).await;
        a.send(Dest::Peer(b.peer()), b"hello");
        let (at_a, at_b) = (a.link_up().await, b.link_up().await);
        assert_eq!(b.frame().await.1, b"hello");

        let big = vec![5; MAX_FRAME];
        for _ in 0..3 {
            a.send(Dest::Link(at_a.id), &big);
        }
        a.send(Dest::Link(at_a.id), b"last");
        a.send(Dest::Close(at_a.id), b"");
        a.send(Dest::Link(at_a.id), b"too late");
        assert_eq!(a.net.stats().dropped, 1);
        for _ in 0..3 {
            assert!(b.frame().await == (at_b.id, big.clone()));
        }
        assert_eq!(b.frame().await, (at_b.id, b"last".to_vec()));
        assert_eq!(b.link_down().await, (at_b.id, LinkDownReason::Closed));
        assert_eq!(a.link_down().await, (at_a.id, LinkDownReason::Local));
        assert_eq!((a.net.stats().links, b.net.stats().links), (0, 0));

        // And the peer can be dialled again.
        a.send(Dest::Peer(b.peer()), b"again");
        assert_ne!(a.link_up().await.id, at_a.id);
        b.link_up().await;
        assert_eq!(b.frame().await.1, b"again");
    }
}

#[tokio::test]
async fn closing_the_network_flushes_every_link() {
    let mut b = Node::start(2, &[TCP]).await;
    let mut a = Node::start(1, &[]).await;
    a.send(Dest::Peer(b.peer()), b"hello");
    let at_a = a.link_up().await;
    for i in 0..50u8 {
        a.send(Dest::Link(at_a.id), &[i]);
    }
    a.net.close().await;
    b.link_up().await;
    assert_eq!(b.frame().await.1, b"hello");
    for i in 0..50u8 {
        assert_eq!(b.frame().await.1, [i]);
    }
    b.link_down().await;
    assert_eq!(a.next().await, Input::LinkDown { link: at_a.id, why: LinkDownReason::Local });
    assert_eq!(a.inputs.recv().await, None);
}

#[tokio::test]
async fn dropping_the_handle_ends_the_network() {
    let mut b = Node::start(2, &[TCP]).await;
    let mut a = Node::start(1, &[]).await;
    a.send(Dest::Peer(b.peer()), b"hello");
    a.link_up().await;
    let Node { net, mut inputs } = a;
    drop(net);
    assert!(matches!(inputs.recv().await, Some(Input::LinkDown { .. })));
    assert_eq!(inputs.recv().await, None);
    b.link_up().await;
    assert_eq!(b.frame().await.1, b"hello");
    b.link_down().await;
}

#[tokio::test]
async fn a_machine_that_does_not_take_inputs_slows_its_peer_and_loses_nothing() {
    let mut b = Node::start(2, &[TCP]).await;
    let mut a = Node::start(1, &[]).await;
    a.send(Dest::Peer(b.peer()), b"hello");
    let at_a = a.link_up().await;
    // More than fits into the inputs of b (one of which is the link), all in one burst.
    let frame = vec![9; MAX_LINK_QUEUE / (2 * INPUT_QUEUE)];
    for _ in 0..2 * INPUT_QUEUE {
        a.send(Dest::Link(at_a.id), &frame);
    }
    // Nothing is taken from b until its channel is full.
    while b.inputs.len() < INPUT_QUEUE {
        tokio::task::yield_now().await;
    }
    b.link_up().await;
    assert_eq!(b.frame().await.1, b"hello");
    for _ in 0..2 * INPUT_QUEUE {
        assert!(b.frame().await.1 == frame);
    }
    // The queue was long and is empty: its owner is told once.
    assert!(2 * INPUT_QUEUE * frame.len() > CREDIT_MARK);
    assert_eq!(a.next().await, Input::Credit { link: at_a.id, bytes: MAX_LINK_QUEUE as u32 });
}

#[tokio::test]
async fn a_peer_that_does_not_read_loses_the_link() {
    let mut b = Node::start(2, &[TCP]).await;
    let mut a = Node::start(1, &[]).await;
    a.send(Dest::Peer(b.peer()), b"hello");
    let at_a = a.link_up().await;
    let big = vec![9; MAX_FRAME];
    // b takes nothing. Its inputs, the windows and the sockets fill, then our queue, and then the link is cut.
    while a.net.stats().too_slow == 0 {
        a.send(Dest::Link(at_a.id), &big);
        tokio::task::yield_now().await;
    }
    loop {
        match a.next().await {
            Input::Credit { .. } => {}
            other => {
                assert_eq!(other, Input::LinkDown { link: at_a.id, why: LinkDownReason::Closed });
                break;
            }
        }
    }
    b.link_up().await;
}

#[tokio::test]
async fn frames_of_illegal_length_never_leave() {
    let mut b = Node::start(2, &[TCP]).await;
    let mut a = Node::start(1, &[]).await;
    a.send(Dest::Peer(b.peer()), b"");
    a.send(Dest::Peer(b.peer()), &vec![0; MAX_FRAME + 1]);
    a.send(Dest::Peer(b.peer()), b"legal");
    assert_eq!(a.net.stats().dropped, 2);
    a.link_up().await;
    b.link_up().await;
    assert_eq!(b.frame().await.1, b"legal");
}
