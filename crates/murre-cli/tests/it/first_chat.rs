//! Two people who are both there: every verb's JSON, every state, every event.

use crate::person::{Person, Seen};
use crate::rig::{LIMIT, Rig, text};
use serde_json::Value;

/// Asserts that a line has at least these fields: scripts rely on their names.
#[track_caller]
fn has(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "{field} is missing in {value}");
    }
}

fn arrived(person: &Person, chat: &str, message: &str) -> Value {
    person
        .until("a message", LIMIT, |me| {
            let history = me.history(chat)?;
            let found = history.into_iter().find(|m| m["message"] == message);
            Ok(found.map_or_else(|| Seen::NotYet(String::new()), Seen::Yes))
        })
        .expect("a message")
}

#[test]
fn a_first_chat_goes_through_every_state_and_every_line_has_its_fields() {
    let rig = Rig::new(3);
    let (ann, bob, chat) = rig.pair("Ann", "Bob");
    let contacts = ann.lines(&["contact", "list"]).expect("contacts");
    has(&contacts[0], &["contact", "name", "state", "hello", "verified"]);
    assert_eq!(contacts[0]["name"], "Bob");

    let first = text(&ann.one(&["send", "Bob", "one"]).expect("send"), "message");
    let got = arrived(&bob, "Ann", &first);
    let fields =
        ["message", "chat", "from", "text", "time", "state", "files", "reply_to", "reactions", "edited"];
    has(&got, &fields);
    assert!(got["text"] == "one" && got["reply_to"].is_null() && got["own"] == false, "{got}");
    let time = text(&got, "time");
    assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    let chats = bob.lines(&["chat", "list"]).expect("chats");
    has(&chats[0], &["chat", "kind", "title", "unread", "last"]);
    assert!(
        chats[0]["unread"] == 1 && chats[0]["title"] == "Ann" && chats[0]["kind"] == "direct",
        "{chats:?}"
    );
    assert_eq!(chats[0]["last"]["text"], "one");

    let reply = text(&bob.one(&["send", "Ann", "two", "--reply-to", &first]).expect("send"), "message");
    assert_eq!(arrived(&ann, &chat, &reply)["reply_to"], first.as_str());
    ann.all_in(&chat, std::slice::from_ref(&first), &["delivered"], LIMIT).expect("delivered, not read");
    assert_eq!(bob.one(&["read", "Ann"]).expect("read")["message"], reply.as_str());
    ann.all_in(&chat, std::slice::from_ref(&first), &["read"], LIMIT).expect("read");
    let status = ann.one(&["status", &first]).expect("status");
    has(&status, &["message", "state", "stored_by", "devices", "why"]);
    assert_eq!(status["state"], "read");
    has(&status["devices"][0], &["device", "state"]);
    assert_eq!(bob.lines(&["chat", "list"]).expect("chats")[0]["unread"], 0);

    // The same client id, the same message; another one, another message.
    let once = ann.one(&["send", &chat, "three", "--client-id", "x"]).expect("send");
    let twice = ann.one(&["send", &chat, "three", "--client-id", "x"]).expect("send");
    assert_eq!(once, twice);
    assert_ne!(ann.one(&["send", &chat, "three", "--client-id", "y"]).expect("send"), once);
    let last = ann.lines(&["history", &chat, "--limit", "2"]).expect("history");
    assert!(last.len() == 2 && last[0] == ann.history(&chat).expect("history")[2], "{last:?}");
    let before = ann.lines(&["history", &chat, "--before", &text(&last[0], "message")]).expect("history");
    assert_eq!(before.len(), 2);

    let doctor = ann.one(&["doctor"]).expect("doctor");
    assert!(
        doctor["running"] == true && doctor["reachable"] == true && doctor["protected_at_rest"] == false,
        "{doctor}"
    );
    assert_eq!(doctor["nodes_eligible"], 3);

    // A blocked contact is not heard, and cannot be written to.
    bob.one(&["block", "Ann"]).expect("block");
    let refusal = crate::rig::refused(&rig.pen, bob.home(), &["send", "Ann", "still there?"], b"");
    assert_eq!(refusal.says(1, "caller", "blocked").code, "blocked");
    ann.one(&["send", &chat, "during the block"]).expect("send");
    let back = bob.one(&["unblock", "Ann"]).expect("unblock");
    has(&back, &["contact", "state"]);
    assert_eq!(back["state"], "accepted");
    let again = crate::rig::refused(&rig.pen, bob.home(), &["unblock", "Ann"], b"");
    assert_eq!(again.says(1, "caller", "not blocked").code, "not-blocked");
    bob.until("what was written during the block", LIMIT, |bob| {
        let there = bob.history(&chat)?.iter().any(|m| m["text"] == "during the block");
        Ok(if there { Seen::Yes(()) } else { Seen::NotYet("not yet".to_owned()) })
    })
    .expect("nothing is lost");
    compare(&rig, &ann, &bob);
}

/// Both compare their safety numbers, each in another way.
fn compare(rig: &Rig, ann: &Person, bob: &Person) {
    let at_ann = ann.one(&["verify", "Bob"]).expect("verify");
    let at_bob = bob.one(&["verify", "Ann"]).expect("verify");
    has(&at_ann, &["safety_number", "verified"]);
    let number = text(&at_ann, "safety_number");
    assert!(number == text(&at_bob, "safety_number") && at_ann["verified"] == false, "{at_ann}");
    assert_eq!(number.split(' ').map(str::len).collect::<Vec<_>>(), [5; 12]);
    let mut wrong = number.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    let refuse = |verb: &[&str]| crate::rig::refused(&rig.pen, ann.home(), verb, b"");
    let differ = refuse(&["verify", "Bob", "--number", &wrong]);
    assert_eq!(differ.says(1, "caller", "differ").code, "safety-mismatch");
    let own = refuse(&["verify", "Bob", "--qr", &text(&at_ann, "qr")]);
    assert_eq!(own.says(1, "caller", "you show").code, "own-safety-code");
    let nothing = refuse(&["verify", "Bob", "--number", "12345"]);
    assert_eq!(nothing.says(1, "caller", "60 digits").code, "no-safety-number");
    let listed = |who: &Person| who.lines(&["contact", "list"]).expect("contacts")[0]["verified"].clone();
    assert_eq!(listed(ann), false);
    assert_eq!(ann.one(&["verify", "Bob", "--number", &number]).expect("verify")["verified"], true);
    assert_eq!(bob.one(&["verify", "Ann", "--qr", &text(&at_ann, "qr")]).expect("verify")["verified"], true);
    assert!(listed(ann) == true && listed(bob) == true);
    assert_eq!(ann.one(&["verify", "Bob", "--clear"]).expect("clear")["verified"], false);
}

#[test]
fn events_are_replayed_from_any_cursor_in_the_same_order() {
    let rig = Rig::new(1);
    let (ann, bob, chat) = rig.pair("Ann", "Bob");
    let sent: Vec<String> = (0..5)
        .map(|n| text(&ann.one(&["send", &chat, &format!("event {n}")]).expect("send"), "message"))
        .collect();
    ann.all_in(&chat, &sent, &["delivered"], LIMIT).expect("delivered");
    let log = rig.dir.path().join("watch.log");
    let watch = |person: &Person, since: &str| {
        let home = person.home().to_string_lossy().into_owned();
        rig.pen.spawn(&["--json", "--home", &home, "watch", "--since", since], &log).expect("watch")
    };
    let read = |watch: &crate::process::Proc, until: &str| {
        let mut events: Vec<Value> = Vec::new();
        loop {
            let event = watch.line(std::time::Instant::now() + LIMIT).expect("an event");
            has(&event, &["cursor", "event"]);
            let last = event["event"] == "message_arrived" && event["message"]["message"] == until;
            events.push(event);
            if last {
                return events;
            }
        }
    };
    let last = sent.last().expect("five");
    let all = read(&watch(&bob, "0"), last);
    let cursors: Vec<u64> = all.iter().filter_map(|event| event["cursor"].as_u64()).collect();
    assert!(cursors.windows(2).all(|pair| pair[0] < pair[1]), "{cursors:?}");
    let arrived: Vec<&str> = all
        .iter()
        .filter(|event| event["event"] == "message_arrived")
        .filter_map(|event| event["message"]["message"].as_str())
        .collect();
    assert_eq!(arrived, sent);
    let middle = cursors[cursors.len() / 2];
    let tail = read(&watch(&bob, &middle.to_string()), last);
    assert_eq!(tail, all[cursors.len() / 2 + 1..], "a replay from the middle is the rest of the whole");
    assert!(all.iter().any(|event| event["event"] == "contact" && event["state"] == "incoming"), "{all:?}");
}
