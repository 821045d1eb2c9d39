//! What is shipped beside the program: the service unit, and what the operators' handbook tells people to type.

use crate::rig::{LIMIT, dir, pen};
use crate::skip::skipped;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn repository(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// Options of `node`: the words with which lines of its help begin.
fn options() -> BTreeSet<String> {
    let nowhere: [&str; 2] = ["node", "--help"];
    let help = pen().run(&nowhere, b"", LIMIT).expect("help").stdout;
    let first =
        |line: &str| line.split_whitespace().next().filter(|word| word.starts_with("--")).map(str::to_owned);
    help.lines().filter_map(first).collect()
}

#[test]
fn the_service_unit_is_valid_and_starts_the_program_with_options_it_has() {
    let unit = repository("packaging/murre-node.service");
    let start = unit.lines().find(|line| line.starts_with("ExecStart=")).expect("a command");
    let has = options();
    for option in start.split_whitespace().filter(|word| word.starts_with("--") && *word != "--json") {
        assert!(has.contains(option), "{option}");
    }
    for kept in ["DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="] {
        assert!(unit.lines().any(|line| line == kept), "{kept}");
    }
    let dir = dir();
    let file = dir.path().join("murre-node.service");
    // The program is not installed here; everything else is as shipped.
    std::fs::write(&file, unit.replace("/usr/bin/murre", env!("CARGO_BIN_EXE_murre"))).expect("a file");
    match Command::new("systemd-analyze").arg("verify").arg(&file).output() {
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(done.status.success() && !said.contains("murre-node.service"), "{said}");
        }
        Err(_) => skipped("the service unit, as systemd reads it", "there is no systemd-analyze here"),
    }
}

#[test]
fn every_option_in_the_operators_handbook_exists() {
    let (book, has) = (repository("docs/operators.md"), options());
    let is_option = |c: char| c.is_ascii_lowercase() || c == '-';
    let mut seen = 0;
    for (at, _) in book.match_indices("--") {
        let word: String = book[at..].chars().take_while(|c| is_option(*c)).collect();
        let begins = book[..at].chars().next_back().is_none_or(|c| !is_option(c) && c != '|');
        // systemctl's own, and lines of tables.
        if begins && word.len() > 3 && !word.starts_with("---") && word != "--now" {
            assert!(has.contains(&word), "{word}");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}
