//! Asking for a passphrase on a terminal.

use crate::text;
use std::io::Write;
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
pub(super) fn passphrase() -> Option<murre::Passphrase> {
    eprint!("{}", text::PASSPHRASE_PROMPT);
    let _ = std::io::stderr().flush();
    let silent = Silent::start();
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    drop(silent);
    if line.ends_with('\n') {
        line.pop();
    }
    (read.is_ok() && !line.is_empty()).then(|| murre::Passphrase::new(line))
}
