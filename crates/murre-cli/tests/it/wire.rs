//! Nothing readable reaches a node, and nothing readable crosses the wire.
//!
//! Two people meet, talk, are away and come back. Each node records every frame it is shown, as the transport
//! decrypted it; a capture of the loopback device holds every packet of everybody. Markers are planted in both, and
//! the scan that must find nothing else has to find those.

use crate::capture::{Capture, Captured};
use crate::crew;
use crate::person::Person;
use crate::rig::{HELLO, LIMIT, Rig, befriend, dir, pen, text};
use crate::scan::Scanner;
use data_encoding::HEXLOWER;
use murre_core::{Class, Dest, Input, Transmit};
use murre_net::{Net, NetConfig, parse_peer};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

const NODES: usize = 4;
const NAMES: [&str; 2] = ["Philomena Starling", "Ottokar Kittiwake"];
/// In every text, wherever it stands in it.
const MARKER: &str = "the lantern behind the third pier";

/// Sent to each node in a frame: on record there, and encrypted on the wire.
const IN_FRAME: &str = "planted in a frame by no device";
/// Sent in the open, in one packet and in two.
const IN_PACKET: &str = "planted on the wire in the open";
const IN_HALVES: &str = "planted on the wire in two halves";
/// Sent in the open after everything else.
const LAST: &[u8] = b"nothing after this matters";

#[test]
fn neither_nodes_nor_the_wire_are_shown_anything_readable() {
    let capture = Capture::start(LAST);
    let mut rig = recorded_network();
    let mut scanner = Scanner::default();
    scanner.text("the plant in a frame", IN_FRAME);
    scanner.text("the plant in a packet", IN_PACKET);
    scanner.text("the plant in halves", IN_HALVES);
    let mut people = NAMES.map(|name| rig.person(name));
    talk(&rig, &mut people, &mut scanner);
    plant_frames(&rig.bootstrap());
    for person in &mut people {
        person.stop().expect("a clean end");
    }
    for node in &mut rig.nodes {
        node.proc.terminate(Instant::now() + LIMIT).expect("a clean end");
    }

    let mut recorded = 0;
    for n in 0..NODES {
        let record = std::fs::read(record_of(rig.dir.path(), n)).expect("a record");
        let frames = frames(&record);
        assert!(frames.len() > 20, "node {n} was shown {} frames: too few to say anything", frames.len());
        assert_eq!(scanner.find(&record), ["the plant in a frame as plain bytes"], "shown to node {n}");
        recorded += frames.iter().map(|frame| frame.len()).sum::<usize>();
    }
    match capture {
        Ok(capture) => {
            plant_packets();
            on_the_wire(&scanner, &capture.finish(), recorded);
        }
        // Past the harness, which would swallow it.
        Err(why) => {
            writeln!(std::io::stderr(), "wire: NOT CAPTURED, only nodes were audited: {why}").expect("stderr")
        }
    }
}

/// Finds the plants, and nothing else.
fn on_the_wire(scanner: &Scanner, captured: &Captured, recorded: usize) {
    let carried: usize = captured.flows.iter().map(Vec::len).sum();
    assert!(carried > recorded, "{carried} bytes captured, but {recorded} recorded: the capture has a hole");
    // Encrypted links repeat nothing, so the plant in the frames must not be here.
    assert_eq!(scanner.find(&captured.file), ["the plant in a packet as plain bytes"]);
    let mut joined: Vec<&str> = captured.flows.iter().flat_map(|said| scanner.find(said)).collect();
    joined.sort_unstable();
    assert_eq!(joined, ["the plant in a packet as plain bytes", "the plant in halves as plain bytes"]);
}

/// A network whose nodes record what they are shown.
fn recorded_network() -> Rig {
    let (pen, dir) = (pen(), dir());
    let record = |n: usize| {
        let file = record_of(dir.path(), n).to_string_lossy().into_owned();
        vec!["--record-frames".to_owned(), file]
    };
    let nodes = crew::start_with(&pen, dir.path(), NODES, Instant::now() + LIMIT, record).expect("nodes");
    Rig { nodes, pen, dir }
}

fn record_of(dir: &Path, n: usize) -> PathBuf {
    dir.join(format!("frames-{n}"))
}

/// A first contact, texts both ways while both are there, texts to somebody who is away. All that is said and all
/// that it is said by goes into the scanner.
fn talk(rig: &Rig, people: &mut [Person; 2], scanner: &mut Scanner) {
    let [ann, bob] = people;
    let chat = befriend(ann, bob);
    NAMES.iter().for_each(|name| scanner.text("a name", name));
    scanner.text("the hello", HELLO);
    scanner.text("a text", MARKER);
    scanner.secret("a chat", &HEXLOWER.decode(chat.as_bytes()).expect("hex"));
    for person in [&*ann, &*bob] {
        let contacts = person.lines(&["contact", "list"]).expect("contacts");
        let account = text(&contacts[0], "contact");
        scanner.secret("an account", &HEXLOWER.decode(account.as_bytes()).expect("hex"));
    }

    let say = |person: &Person, chat: &str, words: &str| {
        text(&person.one(&["send", chat, words]).expect("send"), "message")
    };
    let mut said = vec![say(ann, &chat, MARKER), say(ann, &chat, &format!("behind it, {MARKER}"))];
    let reply = say(bob, NAMES[0], &format!("{MARKER}? I know it"));
    bob.all_in(NAMES[0], &[reply], &["delivered"], LIMIT).expect("delivered");
    ann.all_in(&chat, &said, &["delivered"], LIMIT).expect("delivered");

    bob.stop().expect("a clean end");
    said.push(say(ann, &chat, &format!("while you are away: {MARKER}")));
    said.push(say(ann, &chat, &format!("{MARKER} ").repeat(100)));
    ann.all_in(&chat, &said[2..], &["stored"], LIMIT).expect("stored at nodes");
    bob.start(&rig.bootstrap()).expect("up");
    ann.all_in(&chat, &said, &["delivered"], LIMIT).expect("delivered");
}

/// Shows each node a frame over a real link. It is not a request, so the node hangs up: then it has seen it.
fn plant_frames(nodes: &[String]) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let config = NetConfig { key: [7; 32], listen: Vec::new() };
        let (net, mut inputs) = Net::start(config).await.expect("a network");
        for node in nodes {
            let to = Dest::Peer(parse_peer(node).expect("an address"));
            net.send(Transmit { to, class: Class::Mailbox, bytes: IN_FRAME.into() });
            loop {
                match tokio::time::timeout(LIMIT, inputs.recv()).await.expect("an answer") {
                    Some(Input::LinkDown { .. }) => break,
                    Some(Input::Unreachable { .. }) | None => panic!("{node} is not there"),
                    Some(_) => {}
                }
            }
        }
        net.close().await;
    });
}

/// Sends markers in the open.
fn plant_packets() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut here = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    let (mut there, _) = listener.accept().expect("a connection");
    let (first, second) = IN_HALVES.as_bytes().split_at(IN_HALVES.len() / 2);
    // Each is read before the next is written, so that no two share a packet.
    for bytes in [IN_PACKET.as_bytes(), first, second, LAST] {
        here.write_all(bytes).expect("a write");
        there.read_exact(&mut vec![0; bytes.len()]).expect("a read");
    }
}

/// The frames of a record; panics if it does not end with a whole one.
fn frames(mut record: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = record.split_first_chunk() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        frames.push(frame);
        record = rest;
    }
    assert!(record.is_empty(), "a torn record");
    frames
}
