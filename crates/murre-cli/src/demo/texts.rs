//! Twenty texts that break what is not careful: scripts, directions, combining marks, sizes.

/// Bytes of the longest text that one message holds.
pub const LONGEST: usize = 65_536;

/// The texts, in the order they are sent.
pub fn all() -> Vec<String> {
    let mut texts: Vec<String> = [
        "Hello Bob!",
        "Grüße aus Köln, à bientôt, señor — naïve façade",
        "Привет, как дела?",
        "Γειά σου Κόσμε",
        "שלום עולם, מה נשמע?",
        "السلام عليكم ورحمة الله",
        "abc שלום 123 العربية xyz",
        "你好,世界。我們見面吧!",
        "こんにちは、元気ですか? カタカナ",
        "안녕하세요, 반갑습니다",
        "नमस्ते दुनिया, क्षत्रिय",
        "สวัสดีชาวโลก ที่นี่",
        "e\u{301} o\u{308} n\u{303} Z\u{351}\u{36b}\u{343}\u{36a}\u{302}a\u{32f}\u{35a}l\u{35b}g\u{489}o",
        "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇺🇳 🫠",
        "𝕸𝖚𝖗𝖗𝖊 𐍈 𠜎𠜱 🀄",
        "  spaces kept, \ttabs too,  and a line\nbreak\r\nor two\n",
        "\u{202e}right to left override\u{202c} and \u{200b}zero width\u{200d} joiners",
        "-\u{0}\u{7}\u{1b}[31m'\"\\ $HOME `id` %s {} <b>&amp;</b>",
        ".",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push(longest());
    texts
}

/// Exactly as long as a text may be, in characters of one to four bytes.
fn longest() -> String {
    let mut text = String::with_capacity(LONGEST);
    while text.len() + "aß語🦆".len() <= LONGEST {
        text.push_str("aß語🦆");
    }
    text.extend(std::iter::repeat_n('.', LONGEST - text.len()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_twenty_different_texts_and_the_last_is_as_long_as_may_be() {
        let texts = all();
        assert_eq!(texts.iter().collect::<std::collections::BTreeSet<_>>().len(), 20);
        assert_eq!(texts.last().map(String::len), Some(LONGEST));
    }
}
