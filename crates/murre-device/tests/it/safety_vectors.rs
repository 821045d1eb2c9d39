//! `spec/vectors/safety.json`: built here from fixed accounts, compared with the file, and judged from its texts alone.
//!
//! To write the file after a change of the format: `cargo test -p murre-device -- --ignored write_safety_vectors`.

#![allow(clippy::disallowed_methods, reason = "vectors are read from disk")]

use murre_core::Label;
use murre_core::id::AccountId;
use murre_device::safety::{Compared, Safety};
use serde_json::{Value, json};
use std::path::PathBuf;

// Written out, so that a change of a constant shows here.
const NUMBER: Label = Label::new("murre v1 safety number");
const ROUND: Label = Label::new("murre v1 safety round");
const DIGITS: Label = Label::new("murre v1 safety digits");

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/safety.json")
}

fn id(n: u8) -> AccountId {
    AccountId::from_bytes([n; 32])
}

fn words(compared: Compared) -> &'static str {
    match compared {
        Compared::Same => "same",
        Compared::Other => "other",
        Compared::Own => "own",
        Compared::Unreadable => "unreadable",
    }
}

fn build() -> Value {
    let pairs: Vec<Value> = [(1, 2), (2, 1), (7, 7), (0, 255)]
        .map(|(a, b)| {
            let safety = Safety::of(id(a), id(b));
            json!({
                "one": id(a).to_string(),
                "other": id(b).to_string(),
                "number": safety.number(),
                "code shown by one": safety.code(id(a)),
                "code shown by other": safety.code(id(b)),
            })
        })
        .into();
    // All of them given to account 1 about account 2.
    let (me, other) = (id(1), id(2));
    let safety = Safety::of(me, other);
    let (number, code) = (safety.number(), safety.code(other));
    let mut typo = number.clone();
    typo.replace_range(0..1, if number.starts_with('9') { "0" } else { "9" });
    let tight: String = number.split(' ').collect();
    let case = |what: &str, given: &str, class: &str| json!({ "what": what, "given": given, "class": class });
    let numbers = json!([
        case("as shown", &number, "same"),
        case("without spaces", &tight, "same"),
        case("one digit wrong", &typo, "other"),
        case("a digit short", &tight[1..], "unreadable"),
        case("a digit too many", &format!("{tight}0"), "unreadable"),
        case("a letter", &tight.replacen(&tight[..1], "O", 1), "unreadable"),
        case("nothing", "", "unreadable"),
    ]);
    let codes = json!([
        case("the other side's", &code, "same"),
        case("one's own", &safety.code(me), "own"),
        case("of another pair", &Safety::of(other, id(3)).code(other), "other"),
        case("of neither side", &safety.code(id(9)), "unreadable"),
        case("cut", &code[..code.len() - 3], "unreadable"),
        case("small letters", &code.to_lowercase(), "unreadable"),
        case("a number", &number, "unreadable"),
    ]);
    json!({ "me": me.to_string(), "other": other.to_string(), "pairs": pairs, "numbers": numbers, "codes": codes })
}

fn read() -> Value {
    serde_json::from_slice(&std::fs::read(path()).expect("the file is there")).expect("JSON")
}

/// The number of two accounts, from section 8.11 instead of the code.
fn restated(one: AccountId, other: AccountId) -> String {
    let (one, other) = (*one.as_bytes(), *other.as_bytes());
    let (low, high) = (one.min(other), one.max(other));
    let first = NUMBER.hash(&[&low, &high]);
    let value = (1..=4_096).fold(first, |value, _| ROUND.hash(&[&value, &low, &high]));
    let mut out = [0; 96];
    DIGITS.fill(&[&value], &mut out);
    let group = |g: usize| u64::from_be_bytes(out[8 * g..8 * g + 8].try_into().unwrap()) % 100_000;
    (0..12).map(|g| format!("{:05}", group(g))).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_safety_vectors_are_what_this_version_makes() {
    assert_eq!(read(), build());
}

#[test]
fn every_safety_vector_is_judged_as_it_says() {
    let file = read();
    let account = |v: &Value| v.as_str().unwrap().parse::<AccountId>().unwrap();
    let (me, other) = (account(&file["me"]), account(&file["other"]));
    let mut apart = 0;
    for pair in file["pairs"].as_array().unwrap() {
        let (one, two) = (account(&pair["one"]), account(&pair["other"]));
        let safety = Safety::of(one, two);
        assert_eq!(pair["number"], restated(one, two), "{pair}");
        assert_eq!(safety.compare_number(pair["number"].as_str().unwrap()), Compared::Same, "{pair}");
        if one == two {
            continue;
        }
        apart += 1;
        let sides = [("code shown by one", one, two), ("code shown by other", two, one)];
        for (code, shows, looks) in sides {
            let code = pair[code].as_str().unwrap();
            assert_eq!(safety.compare_code(code, looks, shows), Compared::Same, "{pair}");
            assert_eq!(safety.compare_code(code, shows, looks), Compared::Own, "{pair}");
        }
    }
    assert!(apart >= 3, "{apart}");
    let safety = Safety::of(me, other);
    for case in file["numbers"].as_array().unwrap() {
        assert_eq!(words(safety.compare_number(case["given"].as_str().unwrap())), case["class"], "{case}");
    }
    for case in file["codes"].as_array().unwrap() {
        let judged = safety.compare_code(case["given"].as_str().unwrap(), me, other);
        assert_eq!(words(judged), case["class"], "{case}");
    }
}

#[test]
#[ignore = "writes the file"]
fn write_safety_vectors() {
    let text = serde_json::to_string_pretty(&build()).unwrap() + "\n";
    std::fs::write(path(), text).unwrap();
}
