//! What was said, by whom to whom, and whether it is known to be said: the reference that knows nothing of Murre.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Add;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// From whom to whom.
type Way = (&'static str, &'static str);

/// Everything that got an id, in the order in which each author got them.
#[derive(Default)]
pub struct Ledger {
    said: Mutex<BTreeMap<Way, Vec<Said>>>,
}

/// A message that got an id.
#[derive(Clone)]
pub struct Said {
    /// Its id.
    pub id: String,
    /// Its text, unlike every other one.
    pub text: String,
    /// The file that came with it.
    pub file: Option<PathBuf>,
}

/// What somebody's chat with somebody shows: own or not, and the text.
pub type History = Vec<(bool, String)>;

impl Ledger {
    /// An id was printed: from now on this has to arrive.
    pub fn note(&self, way: Way, said: Said) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).entry(way).or_default().push(said);
    }

    /// Everything that somebody said to somebody.
    pub fn said(&self, way: Way) -> Vec<Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).get(&way).cloned().unwrap_or_default()
    }

    /// Compares both sides of each chat of `me` with what was said.
    pub fn compare(&self, me: &'static str, histories: &BTreeMap<&'static str, History>) -> Verdict {
        let mut verdict = Verdict::default();
        for (other, history) in histories {
            let theirs = history.iter().filter(|(own, _)| !own).map(|(_, text)| text.as_str());
            verdict = verdict + weigh(&self.said((*other, me)), theirs);
            let own = history.iter().filter(|(own, _)| *own).map(|(_, text)| text.as_str());
            let own = weigh(&self.said((me, *other)), own);
            verdict.own_wrong += own.lost + own.doubled + own.unknown + own.out_of_order;
        }
        verdict
    }
}

/// What was said, against what is there.
fn weigh<'a>(said: &[Said], there: impl Iterator<Item = &'a str>) -> Verdict {
    let place: BTreeMap<&str, usize> = said.iter().enumerate().map(|(n, s)| (s.text.as_str(), n)).collect();
    let mut seen = vec![0usize; said.len()];
    let mut verdict = Verdict { said: said.len(), ..Verdict::default() };
    let mut newest = None;
    for text in there {
        match place.get(text) {
            None => verdict.unknown += 1,
            Some(&n) => {
                seen[n] += 1;
                if seen[n] == 1 {
                    verdict.out_of_order += usize::from(newest.is_some_and(|newest| n < newest));
                    newest = newest.max(Some(n));
                }
            }
        }
    }
    verdict.delivered = seen.iter().filter(|times| **times > 0).count();
    verdict.lost = said.len() - verdict.delivered;
    verdict.doubled = seen.iter().map(|times| times.saturating_sub(1)).sum();
    verdict
}

/// How said and delivered compare.
#[derive(Default)]
pub struct Verdict {
    said: usize,
    delivered: usize,
    lost: usize,
    doubled: usize,
    unknown: usize,
    out_of_order: usize,
    own_wrong: usize,
}

impl Verdict {
    /// Everything said was delivered, once, in order; and an author sees what he said.
    pub fn holds(&self) -> bool {
        let wrong = self.lost + self.doubled + self.unknown + self.out_of_order + self.own_wrong;
        wrong == 0 && self.said > 0 && self.said == self.delivered
    }
}

impl Add for Verdict {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            said: self.said + other.said,
            delivered: self.delivered + other.delivered,
            lost: self.lost + other.lost,
            doubled: self.doubled + other.doubled,
            unknown: self.unknown + other.unknown,
            out_of_order: self.out_of_order + other.out_of_order,
            own_wrong: self.own_wrong + other.own_wrong,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "messages: {} sent, {} delivered, {} lost, {} doubled, {} unknown, {} out of order, {} wrong at their author",
            self.said,
            self.delivered,
            self.lost,
            self.doubled,
            self.unknown,
            self.out_of_order,
            self.own_wrong
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(texts: &[&str]) -> Vec<Said> {
        texts.iter().map(|text| Said { id: String::new(), text: (*text).to_owned(), file: None }).collect()
    }

    #[test]
    fn what_is_lost_doubled_unknown_or_out_of_order_is_counted() {
        assert!(weigh(&said(&["a", "b"]), ["a", "b"].into_iter()).holds());
        assert_eq!(weigh(&said(&["a", "b"]), ["b"].into_iter()).lost, 1);
        assert_eq!(weigh(&said(&["a"]), ["a", "a"].into_iter()).doubled, 1);
        assert_eq!(weigh(&said(&["a"]), ["a", "x"].into_iter()).unknown, 1);
        assert_eq!(weigh(&said(&["a", "b"]), ["b", "a"].into_iter()).out_of_order, 1);
        assert!(!weigh(&[], [].into_iter()).holds(), "a run in which nobody spoke shows nothing");
    }
}
