//! Standard output: JSON lines for programs, or words for people.

use crate::failure::{Done, Failure};
use crate::text;
use indicatif::{ProgressBar, ProgressFinish};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// How to print.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    /// One JSON object per line and nothing else.
    pub json: bool,
    /// What a terminal can show.
    pub style: Style,
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    color: bool,
}

impl Out {
    /// Looks at the terminal and at `NO_COLOR`.
    pub fn new(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self { json, style: Style { color: !plain && std::io::stdout().is_terminal() } }
    }

    /// Prints one answer: `value` as a JSON line, or `words`.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn show(&self, value: &impl Serialize, words: impl FnOnce(Style) -> String) -> Done {
        if self.json { self.json_line(value) } else { self.line(&words(self.style)) }
    }

    /// Prints something that only people need.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn words(&self, words: impl FnOnce(Style) -> String) -> Done {
        if self.json { Ok(()) } else { self.line(&words(self.style)) }
    }

    /// Shows that something takes time: on a terminal only, and never among JSON lines. It goes away when dropped.
    pub fn busy(&self, what: &'static str) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        // Draws on standard error, and nothing if that is no terminal.
        let bar = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear).with_message(what);
        bar.enable_steady_tick(TICK);
        bar
    }

    /// A bar for something that is counted in bytes: on a terminal only, and never among JSON lines.
    pub fn bar(&self, what: &str) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(0).with_finish(ProgressFinish::AndClear).with_message(safe(what, false));
        let form = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        match indicatif::ProgressStyle::with_template(form) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    fn json_line(&self, value: &impl Serialize) -> Done {
        let line = serde_json::to_string(value).map_err(|error| Failure {
            kind: "bug".into(),
            ..Failure::caller(error.to_string(), text::HINT_BUG)
        })?;
        self.line(&line)
    }

    /// Prints one line of whatever kind.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn line(&self, line: &str) -> Done {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .map_err(|error| Failure::environment(text::stdout_closed(&error), text::HINT_STDOUT))
    }
}

impl Style {
    /// No colours, for words inside other words.
    pub const fn none() -> Self {
        Self { color: false }
    }

    /// No colours, for files and pipes.
    #[cfg(test)]
    pub const fn plain() -> Self {
        Self { color: false }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Bold.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Grey.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Green.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Red.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Blue and bold: a filled tick.
    pub fn filled(self, text: &str) -> String {
        self.paint("1;34", text)
    }
}

/// Makes text of other people safe to print: what steers a terminal, or turns the reading direction of what
/// follows, is shown as its number. Line feeds stay where the caller allows them.
pub fn safe(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let steers = c.is_control() && !(lines && c == '\n');
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers || turns {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_and_not_obeyed() {
        assert_eq!(safe("a\x1b[2Jb\nc", true), "a\\u{1b}[2Jb\nc");
        assert_eq!(safe("a\nb", false), "a\\u{a}b");
        assert_eq!(safe("x\u{202e}gnp", false), "x\\u{202e}gnp");
        assert_eq!(safe("שלום 👩‍👩‍👧 é", false), "שלום 👩‍👩‍👧 é");
    }
}
