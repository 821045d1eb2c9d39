//! Files and functions that can be read in one sitting.

use super::source::{functions, shipped_lines};
use super::tree::{Tree, crate_of};
use super::{Finding, Level};
use std::collections::BTreeMap;
use std::fmt::Write;

const FILE_FAILS: usize = 800;
const FILE_WARNS: usize = 500;
const FUNCTION_FAILS: usize = 120;
const FUNCTION_WARNS: usize = 70;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.shipped_rust() {
        let lines = shipped_lines(&file.text);
        if let Some(level) = level(lines.len(), FILE_WARNS, FILE_FAILS) {
            let what = format!("{} lines without tests; split it along what it says", lines.len());
            findings.push(Finding { level, ..Finding::fail(&file.path, 0, what) });
        }
        for function in functions(&lines) {
            if let Some(level) = level(function.length, FUNCTION_WARNS, FUNCTION_FAILS) {
                let what = format!("`{}` has {} lines", function.name, function.length);
                findings.push(Finding { level, ..Finding::fail(&file.path, function.line, what) });
            }
        }
    }
    findings
}

fn level(lines: usize, warns: usize, fails: usize) -> Option<Level> {
    match lines {
        lines if lines > fails => Some(Level::Fail),
        lines if lines > warns => Some(Level::Warn),
        _ => None,
    }
}

/// Per crate: how many files, the median and the largest, in lines without tests.
pub(super) fn table(tree: &Tree, all: bool) -> String {
    let mut crates: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
    for file in tree.shipped_rust() {
        let lines = shipped_lines(&file.text).len();
        for name in [crate_of(&file.path).unwrap_or(""), "all crates"] {
            crates.entry(name).or_default().push((lines, &file.path));
        }
    }
    let mut out = format!("{:<16} {:>5} {:>6} {:>7}\n", "lines", "files", "median", "largest");
    for (name, files) in &mut crates {
        files.sort_unstable();
        let median = files.get(files.len() / 2).map_or(0, |(lines, _)| *lines);
        let largest = files.last().map_or(0, |(lines, _)| *lines);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<16} {:>5} {median:>6} {largest:>7}", files.len());
    }
    if all {
        for (lines, path) in crates.get("all crates").into_iter().flatten().rev() {
            let _ = writeln!(out, "{lines:>6} {path}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(text: &str) -> Vec<Level> {
        let tree = Tree::of(&[("crates/murre-core/src/a.rs", text)]);
        check(&tree).into_iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn long_files_warn_and_longer_ones_fail() {
        assert_eq!(levels(&"x();\n".repeat(FILE_WARNS)), []);
        assert_eq!(levels(&"x();\n".repeat(FILE_WARNS + 1)), [Level::Warn]);
        assert_eq!(levels(&"x();\n".repeat(FILE_FAILS + 1)), [Level::Fail]);
    }

    #[test]
    fn tests_are_not_counted() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    x();\n".repeat(FILE_FAILS));
        assert_eq!(levels(&tests), []);
        let elsewhere = "x();\n".repeat(FILE_FAILS + 1);
        assert_eq!(check(&Tree::of(&[("crates/murre-core/tests/it/a.rs", &elsewhere)])), []);
    }

    #[test]
    fn long_functions_warn_and_longer_ones_fail() {
        let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    x();\n".repeat(lines - 2));
        assert_eq!(levels(&function(FUNCTION_WARNS)), []);
        assert_eq!(levels(&function(FUNCTION_WARNS + 1)), [Level::Warn]);
        assert_eq!(levels(&function(FUNCTION_FAILS + 1)), [Level::Fail]);
    }

    #[test]
    fn the_median_is_listed_by_crate() {
        let files: Vec<_> =
            [1, 2, 9].map(|lines| (format!("crates/murre-core/src/{lines}.rs"), "x\n".repeat(lines))).into();
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let table = table(&Tree::of(&files), true);
        assert!(table.contains("murre-core           3      2       9"), "{table}");
        assert!(table.contains("     9 crates/murre-core/src/9.rs"), "{table}");
    }
}
