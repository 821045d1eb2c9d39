//! A machine that sleeps, and one that changes its network: what a laptop does every day.

use crate::crew::{self, NodeProc};
use crate::person::{Person, Seen};
use crate::process::Pen;
use crate::rig::{LIMIT, Rig, befriend, dir, pen, text};
use crate::skip::skipped;
use std::process::Command;
use std::time::Instant;

/// Both have written and everything has arrived, in both directions.
fn talk(one: &Person, other: &Person, chat: &str, words: &str) {
    for (from, to) in [(one, other), (other, one)] {
        let said = format!("{words}, {}", from.home().display());
        let id = text(&from.one(&["send", chat, &said]).expect("send"), "message");
        from.all_in(chat, &[id], &["delivered"], 3 * LIMIT).expect(words);
        let there = to.history(chat).expect("history");
        assert_eq!(there.iter().filter(|m| m["text"] == said.as_str()).count(), 1, "{there:?}");
    }
}

#[test]
fn a_process_that_slept_through_a_change_of_everybody_elses_addresses_finds_them_again() {
    let rig = Rig::new(3);
    let (mut ann, bob, chat) = rig.pair("Ann", "Bob");
    talk(&ann, &bob, &chat, "before");
    bob.signal("STOP").expect("a signal");
    // Bob's system still takes what comes over the links; only the mailbox is a promise.
    let during = text(&ann.one(&["send", &chat, "while you sleep"]).expect("send"), "message");
    ann.all_in(&chat, std::slice::from_ref(&during), &["stored"], 3 * LIMIT)
        .expect("it waits in the mailbox");
    // Ann is somewhere else when he wakes up: another port, no link, and nobody has told him.
    ann.stop().expect("a clean end");
    ann.start(&rig.bootstrap()).expect("up");
    ann.knows(3, LIMIT).expect("nodes known");
    bob.signal("CONT").expect("a signal");
    ann.all_in(&chat, &[during], &["delivered"], 3 * LIMIT).expect("what came meanwhile");
    talk(&ann, &bob, &chat, "after");
}

/// A network namespace of its own for one person, joined to this one by a pair of devices. It goes away with this value.
struct Elsewhere {
    name: String,
    near: String,
    far: String,
    /// The first three numbers of its addresses.
    net: String,
}

fn ip(words: &[&str]) -> bool {
    Command::new("ip").args(words).output().is_ok_and(|done| done.status.success())
}

impl Elsewhere {
    /// None where this user may not make one.
    fn new() -> Option<Self> {
        let number = std::process::id() % 200;
        let here = Self {
            name: format!("murre-it-{number}"),
            near: format!("mrn{number}"),
            far: format!("mrf{number}"),
            net: format!("10.213.{number}"),
        };
        let made = ip(&["netns", "add", &here.name])
            && ip(&[
                "link", "add", &here.near, "type", "veth", "peer", "name", &here.far, "netns", &here.name,
            ])
            && ip(&["addr", "add", &here.at(1), "dev", &here.near])
            && ip(&["link", "set", &here.near, "up"])
            && ip(&["-n", &here.name, "link", "set", "lo", "up"])
            && ip(&["-n", &here.name, "link", "set", &here.far, "up"]);
        made.then_some(here)
    }

    fn at(&self, host: u8) -> String {
        format!("{}.{host}/24", self.net)
    }

    /// Takes the address `from` away, if there is one, and gives `to`.
    fn moves(&self, from: Option<u8>, to: u8) {
        if let Some(from) = from {
            assert!(ip(&["-n", &self.name, "addr", "del", &self.at(from), "dev", &self.far]));
        }
        assert!(ip(&["-n", &self.name, "addr", "add", &self.at(to), "dev", &self.far]));
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        ip(&["link", "del", &self.near]);
        ip(&["netns", "del", &self.name]);
    }
}

#[test]
fn an_address_that_goes_and_another_that_comes_cost_no_message() {
    let Some(elsewhere) = Elsewhere::new() else {
        return skipped("a change of network", "this user may not make a network namespace");
    };
    elsewhere.moves(None, 2);
    let (pen, dir) = (pen(), dir());
    let listen = vec!["--listen".to_owned(), format!("/ip4/{}.1/tcp/0", elsewhere.net)];
    let nodes: Vec<NodeProc> =
        crew::start_with(&pen, dir.path(), 3, Instant::now() + 3 * LIMIT, |_| listen.clone()).expect("nodes");
    let reachable = |node: &NodeProc| {
        let at = node.listen.iter().find(|at| at.contains(&elsewhere.net));
        at.expect("an address on that network").clone()
    };
    let bootstrap: Vec<String> = nodes.iter().map(reachable).collect();
    let mut ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    ann.start_in(&pen, &[], &format!("/ip4/{}.1/tcp/0", elsewhere.net), &bootstrap).expect("up");
    let mut bob = Person::new(&pen, dir.path(), "bob");
    bob.init("Bob").expect("init");
    // His process lives in the namespace; its socket is a file, so that verbs reach it from here.
    let inside = Pen::new("ip");
    let murre = env!("CARGO_BIN_EXE_murre");
    let before = ["netns", "exec", &elsewhere.name, murre];
    bob.start_in(&inside, &before, "/ip4/0.0.0.0/tcp/0", &bootstrap).expect("up");
    for person in [&ann, &bob] {
        person.knows(3, LIMIT).expect("nodes known");
    }
    let chat = befriend(&ann, &bob);
    talk(&ann, &bob, &chat, "before");
    let mut at = 2;
    for to in [3, 4] {
        elsewhere.moves(Some(at), to);
        at = to;
        talk(&bob, &ann, &chat, &format!("from address {to}"));
    }
    bob.until("a node that answers", 3 * LIMIT, |bob| {
        let doctor = bob.one(&["doctor"])?;
        Ok(Seen::when(doctor["reachable"] == true, || doctor.to_string()))
    })
    .expect("links over the new address");
}
