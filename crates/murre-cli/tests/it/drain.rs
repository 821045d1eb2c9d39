//! A node that is told to stop: what it signed for is there afterwards, and what it did not sign for it refused.

use crate::bare::{Bare, Mailbox, Said, said};
use crate::rig::{LIMIT, Rig};
use murre_mailbox::{Refusal, Reply, VerifiedBox};
use std::collections::BTreeMap;
use std::time::Instant;

/// Puts under way when the signal comes.
const PUTS: u64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_under_way_when_a_node_is_told_to_stop_are_receipted_and_there_or_refused() {
    let mut rig = Rig::new(1);
    let mailbox = Mailbox::new(1);
    let boxes: Vec<VerifiedBox> = (0..PUTS).map(|n| mailbox.boxed(n, 1_000)).collect();
    let mut bare = Bare::new(rig.nodes[0].address(), 1).await;
    // Nothing lies there yet, so this waits.
    let waiting = bare.send(mailbox.list(50_000));
    let mut asked: BTreeMap<u64, &VerifiedBox> = BTreeMap::new();
    for (n, b) in boxes.iter().enumerate() {
        asked.insert(bare.send(mailbox.put(b, n % 2 == 0)), b);
    }
    let (mut held, mut refused, mut listed) = (Vec::new(), 0, false);
    let mut told = false;
    while let Some((id, reply)) = bare.reply().await {
        if id == waiting {
            listed = matches!(reply, Reply::List { .. });
            continue;
        }
        let b = asked.remove(&id).expect("an answer to a put");
        match said(reply, b) {
            Said::Receipts(_) => held.push(b),
            // One link may have 256 coordinated requests under way.
            Said::No(Refusal::Leaving | Refusal::Busy) => refused += 1,
            other => panic!("{other:?}"),
        }
        if !std::mem::replace(&mut told, true) {
            rig.nodes[0].proc.signal("TERM").expect("a signal");
        }
    }
    let (lines, code) = rig.nodes[0].proc.ended(Instant::now() + LIMIT).expect("an end");
    let last = lines.last().expect("a last line");
    assert_eq!(
        (last["event"].as_str(), last["finished"].as_bool(), code),
        (Some("stopped"), Some(true), Some(0))
    );
    assert!(listed, "who waited was answered");
    assert!(!held.is_empty());
    // Those that came to a link which was being closed have no answer, and so no receipt.
    eprintln!("{} receipted, {refused} refused, {} unanswered", held.len(), asked.len());

    let node = rig.nodes.remove(0);
    let store = node.store.to_string_lossy().into_owned();
    let args = [
        "--json",
        "node",
        "--devnet",
        "--while-stdin",
        "--store",
        &store,
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
    ];
    let again = rig.pen.spawn(&args, &rig.dir.path().join("again.log")).expect("a node");
    let ready = again.line(Instant::now() + LIMIT).expect("ready");
    let mut bare = Bare::new(ready["listen"][0].as_str().expect("an address"), 2).await;
    for b in held {
        match bare.ask(mailbox.get(vec![b.id()])).await {
            Some(Reply::Get { boxes }) => assert_eq!(boxes.first().map(|got| &got[..]), Some(b.wire())),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_a_node_at_once() {
    let mut rig = Rig::new(2);
    let mailbox = Mailbox::new(3);
    let mut bare = Bare::new(rig.nodes[0].address(), 1).await;
    // The other node does not answer any more, so this put takes its two seconds.
    rig.nodes[1].proc.signal("STOP").expect("a signal");
    bare.send(mailbox.put(&mailbox.boxed(1, 100), true));
    let late = mailbox.boxed(2, 100);
    let mut signalled = false;
    loop {
        let reply = bare.ask(mailbox.put(&late, false)).await.expect("it is not gone yet");
        match said(reply, &late) {
            Said::No(Refusal::Leaving) => break,
            Said::Receipts(1) if !std::mem::replace(&mut signalled, true) => {
                rig.nodes[0].proc.signal("TERM").expect("a signal");
            }
            Said::Receipts(1) => {}
            other => panic!("{other:?}"),
        }
    }
    rig.nodes[0].proc.signal("INT").expect("a signal");
    let (lines, code) = rig.nodes[0].proc.ended(Instant::now() + LIMIT).expect("an end");
    assert!(lines.iter().all(|line| line["event"] != "stopped"), "{lines:?}");
    assert_eq!(code, Some(1));
    let log = std::fs::read_to_string(rig.nodes[0].proc.log()).expect("a log");
    assert!(log.contains("before everything under way was answered"), "{log}");
}
