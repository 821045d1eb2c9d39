//! Full text: what is put in is found at once, before and after it is indexed; what is taken out is never found.

use super::commit;
use crate::{Backlog, Store};
use murre_core::store::{MAX_DOC, Op};
use murre_core::{Batch, Query, Rng};
use std::collections::BTreeMap;

/// Steps after which an index that still wants one never comes to rest.
const REST: usize = 10_000;

pub(super) fn run(make: &mut dyn FnMut() -> Box<dyn Store>) {
    a_text_is_found_before_and_after_it_is_indexed(&mut *make());
    results_come_newest_first_and_page_without_a_gap(&mut *make());
    what_is_forgotten_or_replaced_is_found_no_more(&mut *make());
    a_rollback_takes_texts_back(&mut *make());
    a_step_is_refused_inside_a_transaction(&mut *make());
    numbers_that_are_too_large_are_refused(&mut *make());
    random_texts_are_found_as_the_query_says(&mut *make());
}

fn index(doc: u64, tag: u32, text: &str) -> Op {
    Op::Index { doc, tag, text: text.to_owned() }
}

fn query(typed: &str) -> Query {
    Query::parse(typed).expect("a query")
}

fn find(store: &dyn Store, typed: &str) -> Vec<u64> {
    store.search(&query(typed), None, None, usize::MAX).expect("search")
}

/// Takes steps until nothing waits.
fn settle(store: &mut dyn Store) {
    for _ in 0..REST {
        if store.wants_index() == Backlog::None {
            return;
        }
        store.index().expect("a step");
    }
    panic!("the index does not come to rest");
}

/// Of each script a text, and queries that find it and it alone.
const TEXTS: [(&str, &[&str]); 14] = [
    ("Grüße aus der Straße", &["grusse", "STRA", "straße aus"]),
    ("我爱北京天安门", &["爱", "天安", "我爱北京天安门"]),
    ("東京タワーがきれい", &["タ", "ワー", "きれい"]),
    ("สวัสดีชาวโลก", &["ส", "ดีชาว", "โลก"]),
    ("ສະບາຍດີ", &["ບາຍ", "ດີ"]),
    ("សួស្តីពិភពលោក", &["ពិភព", "ក"]),
    ("မင်္ဂလာပါ", &["ဂလာ", "ပါ"]),
    ("السَّلَامُ عليكم", &["السلام", "عليك"]),
    ("שָׁלוֹם עולם", &["שלום", "עול"]),
    ("Съешь ещё этих булок", &["ЕЩЕ", "булок", "этих съе"]),
    ("Ξεσκεπάζω ψυχοφθόρα", &["ψυχοφθορα", "ΞΕΣΚ"]),
    ("नमस्ते दुनिया", &["नमस्ते", "दुनि"]),
    ("well done 👍🏽", &["👍", "👍🏽", "don 👍"]),
    ("say \"NOT\" AND (x OR y) NEAR* col:val", &["\"NOT\"", "AND", "(x", "NEAR*", "col:val", "near col"]),
];

fn all_are_found(store: &dyn Store) {
    for (at, (text, queries)) in TEXTS.iter().enumerate() {
        for typed in *queries {
            assert_eq!(find(store, typed), [at as u64], "{typed:?} finds {text:?} alone");
        }
    }
    for nothing in ["tra", "京北", "OR missing", "булок\u{0}ещё", "vals", "\" OR \"x\" \"missing"] {
        assert_eq!(find(store, nothing), Vec::<u64>::new(), "{nothing:?}");
    }
}

fn a_text_is_found_before_and_after_it_is_indexed(store: &mut dyn Store) {
    store.begin().expect("begin");
    let texts = TEXTS.iter().enumerate().map(|(at, (text, _))| index(at as u64, 1, text));
    store.apply(&Batch { ops: texts.collect() }).expect("apply");
    all_are_found(store);
    store.commit().expect("commit");
    all_are_found(store);
    settle(store);
    all_are_found(store);
    assert_eq!(store.wants_index(), Backlog::None);
    store.index().expect("a step too many does nothing");
    all_are_found(store);
}

fn results_come_newest_first_and_page_without_a_gap(store: &mut dyn Store) {
    // The first half is indexed, the second waits.
    for half in [0..300u64, 300..600] {
        settle(store);
        commit(store, half.map(|doc| index(doc, (doc % 3) as u32, &format!("page {doc}"))).collect());
    }
    for tag in [None, Some(1), Some(9)] {
        let expected: Vec<u64> =
            (0..600).rev().filter(|doc| tag.is_none_or(|tag| doc % 3 == u64::from(tag))).collect();
        let mut paged = Vec::new();
        let mut below = None;
        loop {
            let page = store.search(&query("page"), tag, below, 70).expect("search");
            assert!(page.len() <= 70);
            let Some(last) = page.last() else { break };
            below = Some(*last);
            paged.extend(page);
        }
        assert_eq!(paged, expected, "{tag:?}");
    }
    assert_eq!(store.search(&query("page"), None, None, 0), Ok(Vec::new()));
    assert_eq!(store.search(&query("page"), None, Some(0), 9), Ok(Vec::new()));
    assert_eq!(store.search(&query("page"), None, Some(u64::MAX), 1), Ok(vec![599]));
    assert_eq!(find(store, "page 599"), [599]);
    assert_eq!(find(store, "page 29"), [299, 298, 297, 296, 295, 294, 293, 292, 291, 290, 29]);
}

fn what_is_forgotten_or_replaced_is_found_no_more(store: &mut dyn Store) {
    commit(store, (0..10).map(|doc| index(doc, 1, &format!("old{doc} both"))).collect());
    settle(store);
    commit(store, (10..20).map(|doc| index(doc, 1, &format!("old{doc} both"))).collect());
    // One of each half: forgotten, replaced, put again under another tag.
    let change = |doc| [Op::Unindex { doc }, index(doc + 1, 1, "new"), index(doc + 2, 2, "old both")];
    commit(store, [0, 10].into_iter().flat_map(change).collect());
    for _ in 0..2 {
        for gone in ["old0", "old10", "old1 both", "old11"] {
            assert!(!find(store, gone).iter().any(|doc| [0, 10, 11].contains(doc)), "{gone}");
        }
        assert_eq!(find(store, "new"), [11, 1]);
        assert_eq!(store.search(&query("both"), Some(2), None, 9), Ok(vec![12, 2]));
        assert_eq!(find(store, "both").len(), 16);
        settle(store);
    }
    commit(store, vec![Op::Unindex { doc: 0 }, Op::Unindex { doc: 999 }]);
    commit(store, (0..20).map(|doc| Op::Unindex { doc }).collect());
    assert_eq!(find(store, "both"), Vec::<u64>::new());
    commit(store, vec![index(0, 1, "back again")]);
    assert_eq!(find(store, "back"), [0], "a forgotten number can be used again");
}

fn a_rollback_takes_texts_back(store: &mut dyn Store) {
    commit(store, vec![index(1, 1, "kept one"), index(2, 1, "kept two")]);
    settle(store);
    commit(store, vec![index(3, 1, "kept three")]);
    for _ in 0..2 {
        store.begin().expect("begin");
        let ops =
            vec![Op::Unindex { doc: 1 }, index(2, 1, "other"), Op::Unindex { doc: 3 }, index(4, 1, "lost")];
        store.apply(&Batch { ops }).expect("apply");
        assert_eq!(find(store, "kept"), Vec::<u64>::new());
        assert_eq!(find(store, "other"), [2]);
        store.rollback();
        assert_eq!(find(store, "kept"), [3, 2, 1]);
        assert!(find(store, "other").is_empty() && find(store, "lost").is_empty());
        settle(store);
    }
}

fn a_step_is_refused_inside_a_transaction(store: &mut dyn Store) {
    store.begin().expect("begin");
    store.apply(&Batch { ops: vec![index(1, 1, "word")] }).expect("apply");
    assert!(store.index().is_err());
    store.commit().expect("and leaves the transaction alone");
    assert_eq!(find(store, "word"), [1]);
}

fn numbers_that_are_too_large_are_refused(store: &mut dyn Store) {
    commit(store, vec![index(MAX_DOC - 1, u32::MAX, "greatest")]);
    assert_eq!(store.search(&query("greatest"), Some(u32::MAX), None, 9), Ok(vec![MAX_DOC - 1]));
    for op in [index(MAX_DOC, 1, "x"), Op::Unindex { doc: u64::MAX }] {
        store.begin().expect("begin");
        assert!(store.apply(&Batch { ops: vec![op] }).is_err());
        store.rollback();
    }
}

/// Words that share beginnings, scripts of all kinds, joiners and marks.
const WORDS: [&str; 14] = [
    "a",
    "ab",
    "abc",
    "Äb",
    "北",
    "京",
    "北京",
    "ที่",
    "👍🏽",
    "e\u{301}",
    "שׁ",
    "a-b",
    "ब्र",
    "\u{202e}ab\u{202c}",
];

fn random_texts_are_found_as_the_query_says(store: &mut dyn Store) {
    let mut rng = Rng::from_seed([5; 32]);
    let mut model: BTreeMap<u64, (u32, String)> = BTreeMap::new();
    let mut found = 0;
    for _ in 0..120 {
        let ops: Vec<Op> = (0..rng.below(8)).map(|_| change(&mut rng, &mut model)).collect();
        commit(store, ops);
        if rng.below(3) == 0 {
            settle(store);
        }
        for _ in 0..4 {
            let typed = phrase(&mut rng, 3);
            let tag = (rng.below(2) == 0).then(|| rng.below(3) as u32);
            let below = (rng.below(3) == 0).then(|| rng.below(60));
            let limit = rng.below(12) as usize;
            let wanted = query(&typed);
            let expected: Vec<u64> = model
                .iter()
                .rev()
                .filter(|(doc, (of, text))| {
                    tag.is_none_or(|t| t == *of) && below.is_none_or(|b| **doc < b) && wanted.finds(text)
                })
                .map(|(doc, _)| *doc)
                .take(limit)
                .collect();
            found += expected.len();
            let got = store.search(&wanted, tag, below, limit).expect("search");
            assert_eq!(got, expected, "{typed:?} of {tag:?} below {below:?}, at most {limit}");
        }
    }
    assert!(found > 300, "the generator has become too tame: {found}");
}

fn phrase(rng: &mut Rng, most: u64) -> String {
    let count = 1 + rng.below(most);
    let words = (0..count).map(|_| WORDS.iter().cycle().nth(rng.below(14) as usize).copied().unwrap_or("a"));
    words.collect::<Vec<_>>().join(if rng.below(2) == 0 { " " } else { "-" })
}

fn change(rng: &mut Rng, model: &mut BTreeMap<u64, (u32, String)>) -> Op {
    let doc = rng.below(60);
    if rng.below(4) == 0 {
        model.remove(&doc);
        return Op::Unindex { doc };
    }
    let (tag, text) = (rng.below(3) as u32, phrase(rng, 8));
    model.insert(doc, (tag, text.clone()));
    Op::Index { doc, tag, text }
}
