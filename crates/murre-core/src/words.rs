//! From a text to the words it can be found by, and from what somebody types to a [`Query`].
//!
//! ```text
//!  "Straße 東京タワー 👍🏽"  --fold-->  "strasse 東京タワー 👍🏽"  --cut-->  strasse | 東 | 京 | タ | ワ | ー | 👍 | 🏽
//!
//!  query "STRAS 京タ"  -->  begins a word: stras          and          in this order, side by side: 京 タ
//! ```
//!
//! A store cuts the texts it indexes and those it scans with the same function, so both find the same. There is no
//! query language: whatever is typed stands for itself, and punctuation stands for nothing.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest query, bytes.
pub const MAX_QUERY: usize = 1_024;
/// Words of a query; each character of a script without spaces is one.
pub const MAX_TERMS: usize = 64;
/// Characters of one indexed word. A longer one is cut into several that stand side by side.
pub const MAX_WORD: usize = 64;

/// Why there is nothing to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// No letter, digit or symbol in it.
    #[error("there is no letter, digit or symbol to look for")]
    NothingToFind,
    /// More bytes than a query may have.
    #[error("the query has {len} bytes, at most {limit} are allowed")]
    QueryTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// More words than a query may have.
    #[error(
        "the query has {terms} words (a character of a script without spaces is one), at most {limit} are allowed"
    )]
    TooManyTerms {
        /// How many.
        terms: usize,
        /// The limit.
        limit: usize,
    },
}

/// Words that have to stand side by side, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// The words, folded: lower-case ASCII letters, ASCII digits, and characters beyond ASCII.
    pub words: Vec<String>,
    /// Whether the last one may go on.
    pub open: bool,
}

/// What has to occur in a text: every phrase, anywhere in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    phrases: Vec<Phrase>,
}

/// One word, and whether it is a character that stands alone.
struct Word {
    text: String,
    alone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Part of a word.
    Inside,
    /// A word by itself: scripts that put no spaces between words, and symbols.
    Alone,
    /// Between words.
    Apart,
}

impl Query {
    /// Reads what was typed. What stands between spaces is one phrase; its last word may go on, unless it is a
    /// character of a script without spaces.
    ///
    /// # Errors
    /// [`BadQuery`].
    // spec: M-30
    pub fn parse(typed: &str) -> Result<Self, BadQuery> {
        if typed.len() > MAX_QUERY {
            return Err(BadQuery::QueryTooLong { len: typed.len(), limit: MAX_QUERY });
        }
        let folded = fold(typed);
        let mut phrases = Vec::new();
        for part in folded.split(char::is_whitespace) {
            let words = cut(part);
            if let Some(last) = words.last() {
                let open = !last.alone;
                phrases.push(Phrase { words: words.into_iter().map(|word| word.text).collect(), open });
            }
        }
        match phrases.iter().map(|phrase| phrase.words.len()).sum() {
            0 => Err(BadQuery::NothingToFind),
            terms if terms > MAX_TERMS => Err(BadQuery::TooManyTerms { terms, limit: MAX_TERMS }),
            _ => Ok(Self { phrases }),
        }
    }

    /// What has to occur, each somewhere. Never empty.
    #[must_use]
    pub fn phrases(&self) -> &[Phrase] {
        &self.phrases
    }

    /// Whether a text is found by this query.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        let words: Vec<String> = words(text).collect();
        self.phrases.iter().all(|phrase| words.windows(phrase.words.len()).any(|at| phrase.is(at)))
    }
}

impl Phrase {
    fn is(&self, at: &[String]) -> bool {
        let Some((last, head)) = self.words.split_last() else { return true };
        let Some((end, begin)) = at.split_last() else { return false };
        head == begin && if self.open { end.starts_with(last.as_str()) } else { end == last }
    }
}

/// The words of a text, in their order.
// spec: M-29
pub fn words(text: &str) -> impl Iterator<Item = String> {
    cut(&fold(text)).into_iter().map(|word| word.text)
}

/// Without regard to case, diacritics, compatibility forms, and marks that steer the display only.
fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfkd().flat_map(char::to_lowercase).filter(|c| !is_dropped(*c)) {
        match c {
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'ς' => out.push('σ'),
            'ı' => out.push('i'),
            'ø' => out.push('o'),
            'đ' => out.push('d'),
            'ł' => out.push('l'),
            c => out.push(c),
        }
    }
    // Put together again what has to stay together: Hangul, and the voiced kana.
    if out.is_ascii() { out } else { out.nfc().collect() }
}

fn cut(folded: &str) -> Vec<Word> {
    let mut out: Vec<Word> = Vec::new();
    let mut room = 0;
    for c in folded.chars() {
        match (class(c), out.last_mut()) {
            (Class::Apart, _) => room = 0,
            (Class::Alone, _) => {
                out.push(Word { text: c.into(), alone: true });
                room = 0;
            }
            (Class::Inside, Some(word)) if room > 0 => {
                word.text.push(c);
                room -= 1;
            }
            (Class::Inside, _) => {
                out.push(Word { text: c.into(), alone: false });
                room = MAX_WORD - 1;
            }
        }
    }
    out
}

fn class(c: char) -> Class {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() { Class::Inside } else { Class::Apart };
    }
    if is_spaceless(c) || is_symbol(c) {
        Class::Alone
    } else if c.is_alphanumeric() || is_combining_mark(c) {
        Class::Inside
    } else {
        Class::Apart
    }
}

/// Scripts that put no spaces between words: Han, kana and bopomofo; Thai, Lao, Tibetan, Burmese, Khmer and their
/// neighbours.
const fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0fff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{1950}'..='\u{19ff}'
        | '\u{1a20}'..='\u{1aaf}'
        | '\u{1b00}'..='\u{1b7f}'
        | '\u{2e80}'..='\u{2fdf}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3031}'..='\u{3035}'
        | '\u{3038}'..='\u{312f}'
        | '\u{31a0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{a4cf}'
        | '\u{a980}'..='\u{a9ff}'
        | '\u{aa60}'..='\u{aadf}'
        | '\u{f900}'..='\u{faff}'
        | '\u{1aff0}'..='\u{1b2ff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Emoji, arrows, signs of currency and of mathematics.
const fn is_symbol(c: char) -> bool {
    matches!(c,
        '\u{a2}'..='\u{a5}' | '\u{a9}' | '\u{ae}' | '\u{b0}' | '\u{b1}' | '\u{d7}' | '\u{f7}'
        | '\u{20a0}'..='\u{20cf}'
        | '\u{2190}'..='\u{2bff}'
        | '\u{1f000}'..='\u{1fbff}')
}

/// Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic, nukta; and what is not seen at all: joiners,
/// direction marks, soft hyphens, variation selectors, tags.
const fn is_dropped(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}'
        | '\u{0591}'..='\u{05bd}' | '\u{05bf}' | '\u{05c1}' | '\u{05c2}' | '\u{05c4}' | '\u{05c5}' | '\u{05c7}'
        | '\u{0610}'..='\u{061a}' | '\u{0640}' | '\u{064b}'..='\u{065f}' | '\u{0670}'
        | '\u{06d6}'..='\u{06dc}' | '\u{06df}'..='\u{06e4}' | '\u{06e7}' | '\u{06e8}' | '\u{06ea}'..='\u{06ed}'
        | '\u{093c}' | '\u{09bc}' | '\u{0a3c}' | '\u{0abc}' | '\u{0b3c}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{00ad}' | '\u{061c}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn found(query: &str, text: &str) {
        assert!(Query::parse(query).unwrap().finds(text), "{query:?} in {text:?}");
    }

    #[track_caller]
    fn hidden(query: &str, text: &str) {
        assert!(!Query::parse(query).unwrap().finds(text), "{query:?} in {text:?}");
    }

    #[test]
    fn scripts_with_spaces_are_found_by_word_and_by_its_beginning() {
        for (text, queries) in [
            ("Grüße aus der Straße", &["grusse", "GRÜ", "strasse", "STRASSE", "aus grü"][..]),
            ("Ωραία Ελλάδα, ο λόγος", &["ωραια", "ΕΛΛ", "λογοσ", "λόγος"]),
            ("Ёлка и йод", &["елка", "ЁЛ", "йод"]),
            ("שָׁלוֹם עולם", &["שלום", "עול"]),
            ("السَّلَامُ عَلَيْكُم أحمد", &["السلام", "عليكم", "احمد"]),
            ("नमस्ते दुनिया ज़रूर", &["नमस्ते", "नमस", "दुनिया", "जरूर"]),
            ("İstanbul ISPARTA ısı", &["istanbul", "ısparta", "isi"]),
            ("안녕하세요 세계", &["안녕", "세계"]),
            ("ﬁne ｆｕｌｌ Å", &["fine", "full", "å"]),
            ("don't, e-mail me@example.org", &["don't", "e-mail", "me@example.org", "mail", "exam"]),
        ] {
            queries.iter().for_each(|query| found(query, text));
        }
        hidden("unia", "दुनिया");
        hidden("rasse", "Straße");
        hidden("ु", "दुनिया");
        hidden("grüßer", "Grüße");
    }

    #[test]
    fn scripts_without_spaces_are_found_by_every_part_of_whole_characters() {
        let texts = [
            "我爱北京天安门",
            "東京タワーがきれい",
            "ｶﾀｶﾅ",
            "สวัสดีชาวโลก",
            "ສະບາຍດີ",
            "សួស្តីពិភពលោក",
            "မင်္ဂလာပါ",
            "𠮷野家",
        ];
        for text in texts {
            let starts: Vec<usize> =
                text.char_indices().filter(|(_, c)| !is_combining_mark(*c)).map(|(i, _)| i).collect();
            for (n, from) in starts.iter().enumerate() {
                for to in starts[n + 1..].iter().chain([&text.len()]) {
                    found(&text[*from..*to], text);
                }
            }
        }
        hidden("天京", "我爱北京天安门");
        hidden("か", "がきれい");
        found("iphone手", "新iPhone手机");
        hidden("phone手", "新iPhone手机");
    }

    #[test]
    fn emoji_are_found_one_by_one_and_together() {
        found("👍", "gut 👍🏽!");
        found("👍🏽", "gut 👍🏽!");
        hidden("👍🏽", "gut 👍 🏾");
        found("👩", "👩‍👩‍👧");
        found("❤", "❤️");
        found("🇩🇪", "ab nach 🇩🇪");
        found("€", "5€");
    }

    #[test]
    fn nothing_that_is_typed_is_syntax() {
        let text = "this AND that OR near* \"quoted\" -minus (x) col:val ^top";
        for query in ["AND", "\"quoted\"", "near*", "-minus", "(x)", "col:val", "^top", "NEAR(\"quoted"] {
            found(query, text);
        }
        hidden("x) OR (y", text);
        hidden("NEAR(this", text);
        hidden("this NOT missing", text);
        found("\u{202e}this\u{202c} \u{200b}that", text);
        found("a\u{0}b", "a b");
    }

    #[test]
    fn a_query_has_limits_and_says_which() {
        let bad = |query: &str| Query::parse(query).unwrap_err();
        for nothing in ["", " \t\n", "\"*\" -- ()", "\u{0}\u{7}", "\u{202e}\u{200b}", "、。！"] {
            assert_eq!(bad(nothing), BadQuery::NothingToFind, "{nothing:?}");
        }
        assert!(Query::parse(&"a".repeat(MAX_QUERY)).is_ok());
        assert_eq!(bad(&"a".repeat(MAX_QUERY + 1)), BadQuery::QueryTooLong { len: 1_025, limit: 1_024 });
        assert!(Query::parse(&"字".repeat(MAX_TERMS)).is_ok());
        assert_eq!(bad(&"字".repeat(MAX_TERMS + 1)), BadQuery::TooManyTerms { terms: 65, limit: 64 });
    }

    #[test]
    fn a_word_of_any_length_is_found_whole_and_by_its_beginning_only() {
        let long: String = ('a'..='z').cycle().take(1_000).collect();
        for end in [1, 63, 64, 65, 128, 129, 1_000] {
            found(&long[..end], &long);
        }
        hidden(&format!("{}x", &long[..100]), &long);
        hidden(&long[1..100], &long);
        assert!(words(&long).all(|word| word.len() <= MAX_WORD));
    }

    proptest! {
        #[test]
        fn every_text_that_has_words_is_found_by_each_of_them(text in "\\PC{0,40}|[a-zA-Zéß東ทि่ 👍\u{301}\u{200d}]{0,40}") {
            for word in words(&text) {
                prop_assert!(!word.is_empty());
                let plain = |c: char| !c.is_ascii() || c.is_ascii_digit() || c.is_ascii_lowercase();
                prop_assert!(word.chars().all(plain), "{word:?}");
                if let Ok(query) = Query::parse(&word) {
                    prop_assert!(query.finds(&text), "{word:?} in {text:?}");
                }
            }
        }
    }
}
