//! What other people's scripts rely on: names of fields, and what is taken on a command line.

use crate::person::Person;
use crate::rig::{LIMIT, Rig, dir, pen, text};
use serde_json::Value;

fn fields(line: &Value) -> Vec<&str> {
    line.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn has(line: &Value, wanted: &[&str]) {
    let there = fields(line);
    for field in wanted {
        assert!(there.contains(field), "{field} is not in {line}");
    }
}

#[test]
fn a_script_for_a_shell_is_one_line_of_json_when_json_is_asked_for() {
    let pen = pen();
    for shell in ["bash", "zsh", "fish"] {
        let plain = pen.run(&["completions", shell], b"", LIMIT).expect("completions").stdout;
        let lines = pen.json(&["--json", "completions", shell], b"", LIMIT).expect("json");
        assert_eq!(lines.len(), 1);
        assert_eq!(text(&lines[0], "shell"), shell);
        assert_eq!(text(&lines[0], "script"), plain.trim_end());
    }
}

#[test]
fn a_phrase_is_shown_once() {
    let (pen, dir) = (pen(), dir());
    let made = Person::new(&pen, dir.path(), "a").init("Ann").expect("init");
    assert_eq!(text(&made, "phrase").split_whitespace().count(), 24);
    let words = dir.path().join("words");
    std::fs::write(&words, text(&made, "phrase")).expect("file");
    let words = words.to_string_lossy().into_owned();
    let restored = Person::new(&pen, dir.path(), "b");
    let restored = restored.one(&["init", "--restore-phrase-file", &words]).expect("restore");
    has(&restored, &["account", "device", "phrase"]);
    assert_eq!(restored["phrase"], Value::Null, "whoever gave it has it");
}

#[test]
fn links_chats_and_limits_are_told_as_the_contract_says() {
    let rig = Rig::new(1);
    let ann = rig.person("Ann");
    let first = ann.one(&["invite"]).expect("invite");
    let second = ann.one(&["invite", "--new"]).expect("a personal link is always new");
    assert!(first["link"] != second["link"] && second["kind"] == "personal");
    let link = text(&first, "link");
    let gone = ann.one(&["invite", "withdraw", &link]).expect("withdraw");
    has(&gone, &["link", "expires", "published"]);
    assert_eq!((text(&gone, "link"), text(&gone, "expires")), (link, text(&first, "expires")));
    assert_eq!(gone["withdrawn"], true);

    let ben = rig.person("Ben");
    let added = ben.one(&["contact", "add", &text(&second, "link")]).expect("add");
    has(&added, &["contact", "state"]);
    let read = ben.one(&["read", &text(&added, "chat")]).expect("read");
    assert_eq!(read, serde_json::json!({ "message": null }), "there is nothing to read in an empty chat");

    let doctor = ann.one(&["doctor"]).expect("doctor");
    let quota =
        |name: &str| (doctor["quotas"][name]["used"].as_u64(), doctor["quotas"][name]["limit"].as_u64());
    assert_eq!(quota("invitations"), (Some(1), Some(16)), "{doctor}");
    assert_eq!(quota("contacts").1, Some(4_096));
    for name in
        ["requests", "files_under_way", "events", "boxes_under_way", "messages_under_way", "mailboxes_read"]
    {
        let (used, limit) = quota(name);
        assert!(used.is_some() && used <= limit, "{name}: {doctor}");
    }
}

#[test]
fn a_node_goes_on_in_its_network_without_being_told_and_begins_in_none() {
    let (pen, dir) = (pen(), dir());
    let store = dir.path().join("node");
    let path = store.to_string_lossy().into_owned();
    let ran = pen.run(&["--json", "node", "--store", &path], b"", LIMIT).expect("a refusal");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--devnet") && ran.stderr.contains("--network"), "{}", ran.stderr);
    assert!(!store.exists(), "nothing was made");
    let log = dir.path().join("node.log");
    let mut peers = Vec::new();
    for more in [&["--devnet"][..], &[]] {
        let mut args = vec!["--json", "node", "--while-stdin", "--store", &path];
        args.extend(more);
        let mut node = pen.spawn(&args, &log).expect("a node");
        let ready = node.line(std::time::Instant::now() + LIMIT).expect("ready");
        has(&ready, &["event", "peer", "listen"]);
        assert!(ready["listen"][0].as_str().is_some_and(|at| at.contains("/ip4/127.0.0.1/")), "{ready}");
        peers.push(text(&ready, "peer"));
        node.terminate(std::time::Instant::now() + LIMIT).expect("a clean end");
    }
    assert_eq!(peers[0], peers[1]);
}
