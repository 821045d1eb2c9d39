//! Search, pages both ways, reading and its switch, through the command line.

use crate::person::{Person, Seen};
use crate::rig::{LIMIT, Rig, refused, text};
use serde_json::Value;

fn ids(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| text(line, "message")).collect()
}

fn there(person: &Person, chat: &str, count: usize) {
    person
        .until("messages", LIMIT, |me| {
            let found = me.history(chat)?.len();
            Ok(Seen::when(found >= count, || format!("{found} of {count}")))
        })
        .expect("messages");
}

#[test]
fn messages_are_found_in_every_script_and_paged_both_ways() {
    let rig = Rig::new(3);
    let (ann, bob, chat) = rig.pair("Ann", "Bob");
    let texts =
        ["Grüße aus der Straße", "我爱北京天安门", "สวัสดีชาวโลก", "good morning \"AND\" 👍🏽", "--help me"];
    let mut sent = Vec::new();
    for written in texts {
        sent.push(text(&ann.one(&["send", &chat, "--", written]).expect("send"), "message"));
    }
    // Ann's own, at once; Bob's when they have come.
    there(&bob, "Ann", texts.len());
    for person in [&ann, &bob] {
        for (query, found) in
            [("strasse", 0), ("京", 1), ("ชาว", 2), ("mor \"AND\"", 3), ("👍", 3), ("help", 4)]
        {
            let lines = person.lines(&["search", query]).expect("search");
            assert_eq!(ids(&lines), [sent[found].clone()], "{query}");
            assert!(lines[0]["text"] == texts[found] && lines[0]["chat"] == chat.as_str(), "{lines:?}");
        }
        assert!(person.lines(&["search", "nowhere OR good"]).expect("search").is_empty());
    }
    let words = ["search", "o", "--chat", "Ann", "--limit", "1"];
    let first = bob.lines(&words).expect("search");
    let rest = bob.lines(&["search", "g", "--before", &sent[3]]).expect("search");
    assert_eq!((first.len(), ids(&rest)), (0, vec![sent[0].clone()]));

    let page = |args: &[&str]| ids(&bob.lines(&[&["history", "Ann"], args].concat()).expect("history"));
    assert_eq!(page(&["--after", &sent[1], "--limit", "2"]), sent[2..4]);
    assert_eq!(page(&["--before", &sent[3], "--limit", "2"]), sent[1..3]);
    assert!(page(&["--after", &sent[4]]).is_empty());

    let no = |args: &[&str]| refused(&rig.pen, bob.home(), args, b"");
    assert_eq!(no(&["search", "*()"]).says(1, "caller", "no letter").code, "nothing-to-find");
    no(&["history", "Ann", "--after", "nothing"]).says(1, "caller", "no message");
}

#[test]
fn reading_is_told_as_far_as_it_went_and_only_while_receipts_are_on() {
    let rig = Rig::new(3);
    let (ann, bob, chat) = rig.pair("Ann", "Bob");
    let send = |name: &str| text(&ann.one(&["send", &chat, name]).expect("send"), "message");
    let state = |id: &String| ann.one(&["status", id]).expect("status")["state"].clone();
    let unread = || bob.lines(&["chat", "list"]).expect("chats")[0]["unread"].clone();
    let all: Vec<String> = ["one", "two", "three"]
        .into_iter()
        .map(|name| {
            let id = send(name);
            ann.all_in(&chat, std::slice::from_ref(&id), &["delivered"], LIMIT).expect("delivered");
            id
        })
        .collect();
    assert_eq!(unread(), 3);
    assert_eq!(bob.one(&["read", "Ann", "--upto", &all[1][..12]]).expect("read")["message"], all[1].as_str());
    assert_eq!(unread(), 1);
    ann.all_in(&chat, &all[..2], &["read"], LIMIT).expect("read");
    assert_eq!(state(&all[2]), "delivered");

    let setting = |args: &[&str]| bob.one(&[&["receipts"], args].concat()).expect("receipts");
    assert_eq!(setting(&[])["receipts"], "on");
    assert_eq!(setting(&["off"])["receipts"], "off");
    let of_chat = setting(&["Ann"]);
    assert!(of_chat["receipts"] == "off" && of_chat["default"] == true && of_chat["chat"] == chat.as_str());
    bob.one(&["read", "Ann"]).expect("read");
    assert_eq!(setting(&["Ann", "on"])["default"], false);
    let loud = send("four");
    there(&bob, "Ann", 4);
    bob.one(&["read", "Ann"]).expect("read");
    ann.all_in(&chat, std::slice::from_ref(&loud), &["read"], LIMIT).expect("read");
    assert_eq!(state(&all[2]), "delivered", "what was read in between is never told");
    assert_eq!(setting(&["Ann", "default"])["receipts"], "off");

    let no = |args: &[&str]| refused(&rig.pen, bob.home(), args, b"");
    no(&["read", "Ann", "--upto", "nothing"]).says(1, "caller", "no message");
    no(&["receipts", "Nobody", "on"]).says(1, "caller", "no chat");
    assert_eq!(no(&["search", &"a".repeat(1_025)]).says(1, "caller", "1025 bytes").code, "query-too-long");
}
