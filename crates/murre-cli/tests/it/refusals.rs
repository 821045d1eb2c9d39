//! What the command line refuses, and in which words.

use crate::person::Person;
use crate::rig::{LIMIT, Refusal, Rig, dir, pen, refused, text};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

#[test]
fn a_wrong_command_line_exits_2_and_says_why() {
    let (pen, dir) = (pen(), dir());
    let usage = |verb: &[&str]| refused(&pen, dir.path(), verb, b"");
    usage(&["frobnicate"]).says(2, "usage", "frobnicate");
    usage(&["send", "bob"]).says(2, "usage", "required");
    usage(&["up", "--no-web", "--web", "80"]).says(2, "usage", "cannot be used with");
    usage(&["node", "--store", "/nonexistent/node"]).says(2, "usage", "no network was named");
    usage(&["history", "bob", "--limit", "0"]).says(2, "usage", "--limit");
    usage(&["history", "bob", "--before", "aaaa", "--after", "bbbb"]).says(2, "usage", "cannot be used with");
    usage(&["search", "x", "--limit", "1001"]).says(2, "usage", "--limit");
    usage(&["receipts", "bob", "maybe"]).says(2, "usage", "maybe");
    // Verbs of later versions are unknown, not accepted and ignored.
    for later in [
        "react", "edit", "delete", "group", "device", "bundle", "backup", "restore", "export", "profile",
        "tui",
    ] {
        usage(&[later, "x"]).says(2, "usage", later);
    }
    let ran = pen.run(&["frobnicate"], b"", LIMIT).expect("a verb that ends");
    assert!(ran.code == Some(2) && ran.stdout.is_empty() && ran.stderr.contains("Usage"), "{ran:?}");
    let ran = pen.run(&["--help"], b"", LIMIT).expect("a verb that ends");
    assert!(ran.code == Some(0) && ran.stdout.contains("First steps"), "{ran:?}");
}

#[test]
fn without_a_running_home_every_verb_says_how_to_start_it() {
    let (pen, dir) = (pen(), dir());
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    let verbs: [&[&str]; 19] = [
        &["invite"],
        &["invite", "list"],
        &["contact", "add", "murre:invite/x"],
        &["contact", "list"],
        &["accept", "bob"],
        &["block", "bob"],
        &["unblock", "bob"],
        &["verify", "bob"],
        &["rename", "bob", "Bobby"],
        &["chat", "list"],
        &["send", "bob", "hi"],
        &["history", "bob"],
        &["status", "00000000"],
        &["read", "bob"],
        &["search", "hi"],
        &["receipts"],
        &["file", "info", "00000000", "0"],
        &["file", "save", "00000000", "0", "x"],
        &["watch"],
    ];
    for verb in verbs {
        let refusal = refused(&pen, ann.home(), verb, b"");
        assert!(refusal.exit == 1 && refusal.hint.contains("murre up"), "{verb:?}: {refusal:?}");
    }
    let doctor = ann.one(&["doctor"]).expect("doctor works without one");
    assert!(doctor["running"] == false && doctor["exists"] == true, "{doctor}");
    refused(&pen, &dir.path().join("nobody"), &["up"], b"").says(1, "caller", "no account");
}

#[test]
fn what_cannot_be_run_is_refused_before_anything_starts() {
    let rig = Rig::new(1);
    let ann = Person::new(&rig.pen, rig.dir.path(), "ann");
    ann.init("Ann").expect("init");
    let up = |options: &[&str]| {
        let mut verb = vec!["up"];
        verb.extend(options);
        refused(&rig.pen, ann.home(), &verb, b"")
    };
    let taken = rig.nodes[0].address().split("/p2p/").next().expect("an address").to_owned();
    up(&["--listen", &taken]).says(1, "environment", "in use");
    up(&["--listen", "nonsense"]).says(1, "caller", "nonsense");
    up(&["--listen", "/ip4/127.0.0.1/udp/1/utp"]).says(1, "caller", "/utp");
    up(&["--bootstrap", "/ip4/127.0.0.1/tcp/1"]).says(1, "caller", "/ip4/127.0.0.1/tcp/1");
    up(&["--bootstrap", "nonsense"]).says(1, "caller", "nonsense");
    up(&["--profile", "maximum"]).says(1, "caller", "maximum");
    up(&["--web", "8080"]).says(1, "caller", "web app");
    let node = |options: &[&str]| {
        let store = rig.dir.path().join("extra").to_string_lossy().into_owned();
        let mut verb = vec!["node", "--store", &store];
        verb.extend(options);
        refused(&rig.pen, ann.home(), &verb, b"")
    };
    node(&["--devnet", "--listen", &taken]).says(1, "environment", "in use");
    node(&["--devnet", "--bootstrap", "nonsense"]).says(1, "caller", "nonsense");
    node(&["--network", "/nonexistent"]).says(1, "environment", "/nonexistent");
    let busy = rig.nodes[0].store.to_string_lossy().into_owned();
    let second = refused(&rig.pen, ann.home(), &["node", "--devnet", "--store", &busy], b"");
    second.says(1, "caller", "in use");
}

#[test]
fn names_that_fit_nobody_or_two_are_refused() {
    let rig = Rig::new(1);
    let (ann, bob, cid) = (rig.person("Ann"), rig.person("Bob"), rig.person("Cid"));
    for other in [&bob, &cid] {
        let link = text(&other.one(&["invite"]).expect("invite"), "link");
        let asked = ann.one(&["contact", "add", &link]).expect("add");
        ann.one(&["rename", &text(&asked, "contact"), "Zed"]).expect("rename");
    }
    let try_ = |verb: &[&str]| -> Refusal { refused(&rig.pen, ann.home(), verb, b"") };
    assert_eq!(try_(&["send", "nobody", "hi"]).says(1, "caller", "nobody").code, "unknown-chat");
    assert_eq!(try_(&["history", "nobody"]).says(1, "caller", "nobody").code, "unknown-chat");
    assert_eq!(try_(&["read", "nobody"]).says(1, "caller", "nobody").code, "unknown-chat");
    assert_eq!(try_(&["accept", "nobody"]).says(1, "caller", "nobody").code, "unknown-contact");
    assert_eq!(try_(&["status", "00000000"]).says(1, "caller", "00000000").code, "unknown-message");
    assert_eq!(try_(&["send", "Zed", "hi"]).says(1, "caller", "Zed").code, "ambiguous");
    assert_eq!(try_(&["block", "Zed"]).says(1, "caller", "Zed").code, "ambiguous");
    let far = try_(&["watch", "--since", "99999999"]);
    assert_eq!(far.says(1, "caller", "99999999").code, "cursor-ahead");
    // By id and by prefix they are told apart.
    let chats = ann.lines(&["chat", "list"]).expect("chats");
    assert_eq!(chats.len(), 2);
    let id = text(&chats[0], "chat");
    ann.one(&["send", &id, "whole id"]).expect("send");
    ann.one(&["send", &id[..12], "prefix"]).expect("send");
    assert_eq!(ann.history(&id).expect("history").len(), 2);
}

#[test]
fn texts_that_no_message_holds_are_refused_and_nothing_is_sent() {
    let rig = Rig::new(1);
    let (ann, bob) = (rig.person("Ann"), rig.person("Bob"));
    let link = text(&bob.one(&["invite"]).expect("invite"), "link");
    let chat = text(&ann.one(&["contact", "add", &link]).expect("add"), "chat");
    let send = |text: &[u8]| refused(&rig.pen, ann.home(), &["send", &chat, "-"], text);
    assert_eq!(send(b"").says(1, "caller", "empty").code, "empty-text");
    assert_eq!(refused(&rig.pen, ann.home(), &["send", &chat, ""], b"").code, "empty-text");
    assert_eq!(send(&vec![b'x'; 65_537]).says(1, "caller", "65537 bytes").code, "text-too-long");
    assert_eq!(send(&vec![b'x'; 1 << 20]).says(1, "caller", "1048576 bytes").code, "text-too-long");
    send(&vec![b'x'; 17 << 20]).says(1, "caller", "more than 16777216 bytes");
    send(b"broken \xff\xfe").says(1, "caller", "not valid UTF-8");
    let verb: Vec<OsString> =
        vec!["send".into(), chat.clone().into(), OsString::from_vec(b"broken \xc3\x28".to_vec())];
    refused(&rig.pen, ann.home(), &verb, b"").says(1, "caller", "not valid UTF-8");
    let long = "n".repeat(129);
    refused(&rig.pen, ann.home(), &["send", &chat, "x", "--client-id", &long], b"").says(
        1,
        "caller",
        "129 bytes",
    );
    assert!(ann.history(&chat).expect("history").is_empty(), "a refused text was kept");
    // The longest one that fits, byte for byte; and a text that looks like an option.
    ann.one_with(&["send", &chat, "-"], "é".repeat(32_768).as_bytes()).expect("64 KiB");
    ann.one(&["send", &chat, "--", "--help"]).expect("a dash");
    let history = ann.history(&chat).expect("history");
    assert_eq!(history[0]["text"].as_str().map(str::len), Some(65_536));
    assert_eq!(history[1]["text"], "--help");
}

#[test]
fn completions_name_every_verb() {
    let pen = pen();
    for shell in ["bash", "zsh", "fish"] {
        let ran = pen.run(&["completions", shell], b"", LIMIT).expect("completions");
        assert_eq!(ran.code, Some(0));
        for word in ["init", "invite", "withdraw", "contact", "send", "--reply-to", "devnet"] {
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
        assert!(!ran.stdout.contains("while-stdin"), "{shell}: hidden options stay hidden");
    }
    let script = pen.run(&["completions", "bash"], b"", LIMIT).expect("completions").stdout;
    let ask = format!(
        "{script}\nCOMP_WORDS=(murre --json invite wi) COMP_CWORD=3\n_murre\necho \"${{COMPREPLY[*]}}\"\n\
         COMP_WORDS=(murre de) COMP_CWORD=1\n_murre\necho \"${{COMPREPLY[*]}}\""
    );
    let answer = std::process::Command::new("bash").args(["-c", &ask]).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "withdraw\ndevnet demo\n");
}
