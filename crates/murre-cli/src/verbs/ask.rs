//! Asking for a passphrase on a terminal.

use crate::failure::Failure;
use crate::text;
use murre::Passphrase;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Turns the terminal's echo back on, whatever happens in between.
struct Silent;

impl Silent {
    fn start() -> Self {
        stty("-echo");
        Self
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        stty("echo");
        eprintln!();
    }
}

/// `stty` is on every system with a terminal; setting it ourselves would need foreign calls.
fn stty(flag: &str) {
    let _ = Command::new("stty").arg(flag).stdin(Stdio::inherit()).stderr(Stdio::null()).status();
}

/// Reads one line without showing it. None if there is none.
pub(super) fn passphrase() -> Option<Passphrase> {
    prompt(text::PASSPHRASE_PROMPT)
}

/// A new one: twice on a terminal, where nobody sees what he types; else the first line of standard input.
///
/// # Errors
/// There is none, or the two differ.
pub(super) fn new_passphrase() -> Result<Passphrase, Failure> {
    let none = || Failure::caller(text::NO_PASSPHRASE, text::HINT_PASSPHRASE);
    if !super::interactive() {
        let read = Passphrase::read_line(std::io::stdin().lock());
        return read.map_err(|error| Failure::file(Path::new("-"), &error));
    }
    let first = prompt(text::NEW_PASSPHRASE_PROMPT).ok_or_else(none)?;
    match prompt(text::AGAIN_PROMPT) {
        Some(second) if second.same(&first) => Ok(first),
        _ => Err(Failure::caller(text::PASSPHRASES_DIFFER, text::HINT_PASSPHRASE)),
    }
}

fn prompt(words: &str) -> Option<Passphrase> {
    // Silent first: who types ahead of the question is not shown either.
    let silent = Silent::start();
    eprint!("{words}");
    let _ = std::io::stderr().flush();
    let read = Passphrase::read_line(std::io::stdin().lock());
    drop(silent);
    read.ok()
}
