//! Full text on disk: bounded steps, what a crash leaves, what erasing leaves.

use super::*;
use crate::Backlog;
use crate::sqlite::text::{CROWD, STEP};
use murre_core::{Query, Search};

fn index(doc: u64, text: &str) -> Op {
    Op::Index { doc, tag: 1, text: text.to_owned() }
}

fn find(store: &dyn Search, typed: &str) -> Vec<u64> {
    store.search(&Query::parse(typed).unwrap(), None, None, usize::MAX).unwrap()
}

fn settle(store: &mut SqliteStore) {
    while store.wants_index() != Backlog::None {
        store.index().unwrap();
    }
}

/// Texts with this word in the index itself: the tail is not looked at.
fn indexed(store: &SqliteStore, word: &str) -> i64 {
    let count = "SELECT count(*) FROM words WHERE words MATCH ?1";
    store.conn.query_row(count, [format!("text : \"{word}\"")], |row| row.get(0)).unwrap()
}

fn upto(store: &SqliteStore) -> i64 {
    store.conn.query_row("SELECT upto FROM indexed", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_step_takes_no_more_than_its_share_and_goes_on_where_it_stopped() {
    let place = Place::new(Some(KEY));
    let mut store = place.open();
    commit(&mut store, (0..450).map(|doc| index(doc, "word")).collect());
    for expected in [STEP - 1, 2 * STEP - 1, 449] {
        assert_eq!(store.wants_index(), Backlog::Some);
        store.index().unwrap();
        assert_eq!(upto(&store), expected as i64);
        assert_eq!(find(&store, "word").len(), 450, "the tail is searched as well");
    }
    drop(store);
    let mut store = place.open();
    assert_eq!(store.wants_index(), Backlog::Some, "after opening again somebody has to look");
    settle(&mut store);
    assert_eq!((upto(&store), find(&store, "word").len()), (449, 450));
    // Few but large: a step ends early.
    let large = "word ".repeat(12_000);
    commit(&mut store, (450..470).map(|doc| index(doc, &large)).collect());
    store.index().unwrap();
    assert!((450..460).contains(&upto(&store)), "{}", upto(&store));
}

#[test]
fn a_long_tail_asks_for_steps_between_other_work_until_it_is_short() {
    let place = Place::new(None);
    let mut store = place.open();
    commit(&mut store, (0..CROWD as u64 + 10).map(|doc| index(doc, "w")).collect());
    assert_eq!(store.wants_index(), Backlog::Crowded);
    store.index().unwrap();
    assert_eq!(store.wants_index(), Backlog::Some);
    // The same, when the texts are forgotten instead of indexed.
    commit(&mut store, (5_000..5_000 + CROWD as u64).map(|doc| index(doc, "w")).collect());
    assert_eq!(store.wants_index(), Backlog::Crowded);
    commit(&mut store, (0..10_000).map(|doc| Op::Unindex { doc }).collect());
    settle(&mut store);
    assert_eq!(store.wants_index(), Backlog::None);
    store.begin().unwrap();
    let many = (20_000..20_000 + CROWD as u64).map(|doc| index(doc, "w")).collect();
    store.apply(&Batch { ops: many }).unwrap();
    store.rollback();
    assert_ne!(store.wants_index(), Backlog::Crowded, "what was rolled back does not wait");
}

#[test]
fn a_reader_beside_the_machine_finds_a_text_as_soon_as_it_is_committed() {
    for place in both() {
        let mut store = place.open();
        let reader = store.reader().unwrap();
        commit(&mut store, vec![index(1, "fresh word")]);
        assert_eq!(find(&reader, "fresh"), [1]);
        store.begin().unwrap();
        store.apply(&Batch { ops: vec![index(2, "fresh word"), Op::Unindex { doc: 1 }] }).unwrap();
        assert_eq!(find(&store, "fresh"), [2]);
        assert_eq!(find(&reader, "fresh"), [1], "what is not committed is not seen");
        store.commit().unwrap();
        settle(&mut store);
        assert_eq!(find(&reader, "fresh"), [2]);
    }
}

#[test]
fn a_crash_between_two_steps_loses_and_doubles_nothing() {
    let place = Place::new(None);
    let mut store = place.open();
    commit(&mut store, (0..500).map(|doc| index(doc, &format!("word n{doc}"))).collect());
    for _ in 0..4 {
        let after = place.crashed();
        let mut after = after.open();
        assert_eq!(find(&after, "word").len(), 500);
        settle(&mut after);
        assert_eq!((upto(&after), indexed(&after, "word"), indexed(&after, "n77")), (499, 500, 1));
        assert_eq!(find(&after, "word").len(), 500);
        assert_eq!(find(&after, "n77"), [77]);
        store.index().unwrap();
    }
}

/// Every word of `texts` that lies somewhere in the files.
fn left(place: &Place, words: &[String]) -> Vec<String> {
    let bytes = place.bytes();
    let mut heads: std::collections::HashSet<&[u8]> = std::collections::HashSet::new();
    bytes.windows(12).for_each(|window| {
        heads.insert(window);
    });
    words.iter().filter(|word| heads.contains(&word.as_bytes()[..12])).cloned().collect()
}

#[test]
fn a_forgotten_text_leaves_no_word_in_table_index_or_wal() {
    // Random letters: no two words share a beginning that the index could keep for another text.
    let mut rng = murre_core::Rng::from_seed([8; 32]);
    let mut word = || (0..16).map(|_| char::from(b'a' + rng.below(26) as u8)).collect::<String>();
    let texts: Vec<Vec<String>> = (0..3_000).map(|_| (0..6).map(|_| word()).collect()).collect();
    let place = Place::new(None);
    let mut store = place.open();
    for (n, part) in texts.chunks(500).enumerate() {
        let ops = part.iter().enumerate().map(|(i, words)| index((n * 500 + i) as u64, &words.join(" ")));
        commit(&mut store, ops.collect());
        settle(&mut store);
    }
    // Some of the tail as well.
    let tail: Vec<String> = (0..6).map(|_| word()).collect();
    commit(&mut store, vec![index(9_000, &tail.join(" "))]);
    store.checkpoint().unwrap();
    let gone: Vec<usize> = (0..3_000).filter(|n| n % 7 == 3).collect();
    let mut words: Vec<String> = gone.iter().flat_map(|n| texts[*n].clone()).collect();
    words.extend(tail);
    assert!(left(&place, &words).len() > words.len() / 2, "or the test would prove nothing");
    let mut ops: Vec<Op> = gone.iter().map(|n| Op::Unindex { doc: *n as u64 }).collect();
    ops.push(Op::Unindex { doc: 9_000 });
    commit(&mut store, ops);
    assert!(store.wants_checkpoint());
    store.checkpoint().unwrap();
    assert_eq!(left(&place, &words), Vec::<String>::new());
    assert_eq!(find(&store, &texts[4][0]), [4], "the others are found as before");
    store.conn.execute_batch("INSERT INTO words(words) VALUES('integrity-check')").unwrap();
}

#[test]
fn an_edited_text_leaves_no_word_of_the_old_one() {
    let place = Place::new(None);
    let mut store = place.open();
    commit(&mut store, vec![index(1, "secretwordnumberone stays")]);
    settle(&mut store);
    commit(&mut store, vec![index(2, "secretwordnumbertwo stays")]);
    commit(&mut store, vec![index(1, "changed"), index(2, "changed")]);
    assert!(store.wants_checkpoint());
    store.checkpoint().unwrap();
    for old in [&b"secretwordnumber"[..], b"stays"] {
        assert!(!place.holds(old));
    }
    assert_eq!(find(&store, "changed"), [2, 1]);
}
