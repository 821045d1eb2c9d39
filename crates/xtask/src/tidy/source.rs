//! Lines of formatted Rust: which are tests, what is code in them, where functions end.

/// One line that is not inside a test module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub number: usize,
    pub text: &'a str,
}

/// The lines outside `#[cfg(test)]` items.
///
/// rustfmt closes an item in the column where it opened it, so the end of a test item is the first `}` there.
pub(super) fn shipped_lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = text.lines().enumerate().map(|(at, text)| Line { number: at + 1, text });
    let mut shipped = Vec::new();
    while let Some(line) = lines.next() {
        if line.text.trim() == "#[cfg(test)]" {
            let column = indent(line.text);
            // Further attributes, then the item itself, which may be one line or a block.
            let item = lines.find(|line| !line.text.trim_start().starts_with("#["));
            if item.is_some_and(|item| !ends_item(item.text)) {
                lines.find(|line| indent(line.text) == column && closes(line.text));
            }
        } else {
            shipped.push(line);
        }
    }
    shipped
}

/// A function and how long it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function<'a> {
    pub name: &'a str,
    /// Where it begins, from 1.
    pub line: usize,
    /// From its `fn` to its closing brace, both counted.
    pub length: usize,
}

/// The functions with a body among these lines, nested ones as well.
pub(super) fn functions<'a>(lines: &[Line<'a>]) -> Vec<Function<'a>> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line.text) else { continue };
        if ends_item(line.text) {
            continue;
        }
        let column = indent(line.text);
        let same_column = |line: &&Line<'_>| indent(line.text) == column && !line.text.trim().is_empty();
        // In its own column: parts of a long signature, then either `;` (no body) or the closing brace.
        let end = lines.iter().skip(at + 1).filter(same_column).find(|line| {
            let text = line.text.trim();
            closes(text) || text.ends_with(';')
        });
        if let Some(end) = end.filter(|end| closes(end.text)) {
            found.push(Function { name, line: line.number, length: end.number - line.number + 1 });
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        let word = rest.split([' ', '(', '<']).next()?;
        match word {
            "fn" => {
                let name = rest.strip_prefix("fn ")?;
                return name.split(['(', '<']).next();
            }
            "pub" | "async" | "const" | "unsafe" | "extern" | "\"C\"" => {
                rest = rest.strip_prefix(word)?;
                if let Some(scope) = rest.strip_prefix('(') {
                    rest = scope.split_once(')')?.1;
                }
                rest = rest.trim_start();
            }
            _ => return None,
        }
    }
}

/// The code of a line: without its comment and without what stands in its string literals.
pub(super) fn code(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => {
                chars.next();
            }
            // The character '"' opens no string.
            '\'' if !in_string && chars.peek() == Some(&'"') => {
                chars.next();
            }
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '/' if !in_string && chars.peek() == Some(&'/') => break,
            c if !in_string => out.push(c),
            _ => {}
        }
    }
    out
}

/// Whether `word` stands in `text` by itself and not inside a longer name.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn closes(line: &str) -> bool {
    line.trim_start().starts_with('}')
}

/// An item that ends on the line where it begins.
fn ends_item(line: &str) -> bool {
    let code = code(line);
    let code = code.trim_end();
    code.ends_with(';') || (code.ends_with('}') && code.matches('{').count() == code.matches('}').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"use a::b;

#[cfg(test)]
use c::d;

pub(crate) async fn long(
    a: u8,
) -> u8
where
    A: B,
{
    if a {
        "}"
    }
}

trait T {
    fn declared(
        &self,
    ) -> u8;
    fn short(&self) -> u8 { 1 }
    const fn middle(&self) -> u8 {
        // }
        1
    }
}

#[cfg(test)]
mod tests {
    fn not_shipped() {
    }
}

fn last() {
}
"#;

    #[test]
    fn test_items_are_left_out() {
        let lines = shipped_lines(SOURCE);
        assert!(lines.iter().all(|line| !line.text.contains("not_shipped") && !line.text.contains("c::d")));
        assert_eq!(lines.last().map(|line| line.text), Some("}"));
        assert!(lines.iter().any(|line| line.text == "fn last() {"));
    }

    #[test]
    fn functions_are_measured_from_fn_to_brace() {
        let lines = shipped_lines(SOURCE);
        let seen: Vec<_> = functions(&lines).into_iter().map(|f| (f.name, f.line, f.length)).collect();
        assert_eq!(seen, [("long", 6, 10), ("middle", 22, 4), ("last", 34, 2)]);
    }

    #[test]
    fn code_has_no_comments_and_no_strings() {
        assert_eq!(code(r#"let a = "tokio \" // x"; // tokio"#), r#"let a = ""; "#);
        assert_eq!(code(r#"if c == '"' { tokio } // y"#), "if c == ' { tokio } ");
        assert!(has_word("use tokio::x", "tokio"));
        assert!(!has_word("my_tokio tokios", "tokio"));
        assert!(has_word("std::time::Instant", "std::time"));
    }
}
