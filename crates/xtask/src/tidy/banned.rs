//! What a machine must be handed instead of taking it.
//!
//! clippy refuses the same per crate, with types resolved; this scan also sees what clippy does not compile (other
//! platforms, features that are off) and cannot be switched off by an attribute.

use super::source::{code, has_word, shipped_lines};
use super::tree::{Tree, crate_of};
use super::{Finding, MACHINES};

/// A name, and what to use in its place.
const BANNED: [(&str, &str); 16] = [
    ("std::time", TIME),
    ("Instant::now", TIME),
    ("SystemTime", TIME),
    ("HashMap", ORDER),
    ("HashSet", ORDER),
    ("RandomState", ORDER),
    ("tokio", SHELL),
    ("std::net", SHELL),
    ("std::fs", SHELL),
    ("std::thread", SHELL),
    ("std::process", SHELL),
    ("OsRng", RANDOM),
    ("thread_rng", RANDOM),
    ("from_entropy", RANDOM),
    ("from_os_rng", RANDOM),
    ("getrandom", RANDOM),
];

const TIME: &str = "time is `murre_core::Now`, handed in with each turn";
const ORDER: &str = "its order differs between runs; use a BTreeMap or BTreeSet";
const SHELL: &str = "sockets, files and threads belong to the shell";
const RANDOM: &str = "randomness is `murre_core::Rng`, seeded by the shell";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let machines =
        tree.shipped_rust().filter(|file| crate_of(&file.path).is_some_and(|n| MACHINES.contains(&n)));
    let mut findings = Vec::new();
    for file in machines {
        let mut import = String::new();
        for line in shipped_lines(&file.text) {
            let code = code(line.text);
            for (name, instead) in BANNED {
                // A function of ours may be called `from_entropy`; taking it from a type is what is meant.
                if has_word(&code, name) && !code.contains(&format!("fn {name}")) {
                    findings.push(Finding::fail(&file.path, line.number, format!("`{name}`: {instead}")));
                }
            }
            // `use std::{fs, net}` hides its names over several lines.
            if code.contains("std::{") || !import.is_empty() {
                import.push_str(&code);
                if import.contains(';') {
                    findings.extend(grouped(&import).map(|name| {
                        Finding::fail(&file.path, line.number, format!("`std::{name}`: a machine has none"))
                    }));
                    import.clear();
                }
            }
        }
    }
    findings
}

/// Banned modules in `use std::{...}`.
fn grouped(import: &str) -> impl Iterator<Item = &'static str> {
    let group = import.split_once("std::{").map_or("", |(_, rest)| rest).to_owned();
    ["fs", "net", "time", "thread", "process"].into_iter().filter(move |name| {
        group.split(['{', ',', '}']).any(|part| {
            let part = part.trim();
            part == *name || part.starts_with(&format!("{name}::"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_machine_takes_nothing_from_the_world() {
        for bad in [
            "use std::time::Duration;",
            "let now = Instant::now();",
            "let map: HashMap<u8, u8>;",
            "tokio::spawn(x);",
            "std::fs::read(x)",
            "OsRng.fill(x)",
            "use std::{fmt, fs};",
            "use std::{net::IpAddr, rc::Rc};",
        ] {
            assert_eq!(lines("crates/murre-log/src/a.rs", bad), [1], "{bad}");
            assert_eq!(lines("crates/murre-net/src/a.rs", bad), [], "{bad}");
        }
    }

    #[test]
    fn grouped_imports_are_seen_over_several_lines() {
        let import = "use std::{\n    collections::BTreeMap,\n    fs,\n};\nuse std::fmt;\n";
        assert_eq!(lines("crates/murre-core/src/a.rs", import), [4]);
    }

    #[test]
    fn comments_strings_tests_and_longer_names_are_free() {
        let good = "// tokio\nlet a = \"HashMap\";\nlet my_tokio = 1;\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(lines("crates/murre-core/src/a.rs", good), []);
        assert_eq!(lines("crates/murre-core/tests/it/a.rs", "use std::fs;"), []);
    }
}
