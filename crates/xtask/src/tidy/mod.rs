//! What a reader should never have to check by hand.
//!
//! | check | fails on | warns on |
//! |---|---|---|
//! | [`sizes`] | a file over 800 lines, a function over 120 | over 500, over 70 |
//! | [`crates`] | a dependency that points upward, a shell's library in a machine | |
//! | [`banned`] | clocks, system randomness, hash order, sockets and files in a machine crate | |
//! | [`words`] | leftovers and names of places outside this repository | |
//! | [`rules`] | a MUST of `spec/` that no source cites, a citation of no rule, a rule twice | |
//! | [`paths`] | a document that names a file which is not there | |

mod banned;
mod crates;
mod paths;
mod rules;
mod sizes;
mod source;
mod tree;
mod words;

use anyhow::{Result, bail};
use std::fmt;
use std::path::Path;
use tree::Tree;

/// The crates that decide and therefore must not touch the world.
const MACHINES: [&str; 7] = [
    "murre-core",
    "murre-crypto",
    "murre-log",
    "murre-group",
    "murre-mailbox",
    "murre-custodian",
    "murre-device",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Warn,
    Fail,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    level: Level,
    file: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    what: String,
}

impl Finding {
    fn fail(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { level: Level::Fail, file: file.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warn => "warning",
            Level::Fail => "error",
        };
        match self.line {
            0 => write!(f, "{level}: {}: {}", self.file, self.what),
            line => write!(f, "{level}: {}:{line}: {}", self.file, self.what),
        }
    }
}

/// Runs every check over the repository.
///
/// # Errors
/// The number of failures, after all of them are printed.
pub fn run(root: &Path, all_sizes: bool) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut findings = Vec::new();
    for check in [sizes::check, crates::check, banned::check, words::check, rules::check, paths::check] {
        findings.extend(check(&tree));
    }
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    print!("{}", sizes::table(&tree, all_sizes));
    println!("rules of spec/: {}", rules::summary(&tree));
    let failures = findings.iter().filter(|finding| finding.level == Level::Fail).count();
    if failures > 0 {
        bail!("tidy: {failures} failures");
    }
    println!("tidy: {} files, {} warnings, no failures", tree.files.len(), findings.len());
    Ok(())
}
