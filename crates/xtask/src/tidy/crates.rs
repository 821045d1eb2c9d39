//! Which crate may use which: arrows point downward only.
//!
//! ```text
//!   murre-cli
//!      |
//!    murre ------------------------------.----------.
//!      |                                 |          |
//!  murre-device   murre-custodian        |          |
//!   |    |    \    /                     |          |
//!  log group  mailbox              murre-store  murre-net
//!     \  |   /                           |          |
//!   murre-crypto ------ murre-core ------'----------'
//! ```

use super::tree::{Tree, crate_of};
use super::{Finding, MACHINES};

/// Each crate and our crates that it may depend on.
const ARROWS: [(&str, &[&str]); 14] = [
    ("murre-core", &[]),
    ("murre-crypto", &["murre-core"]),
    ("murre-log", &["murre-core", "murre-crypto"]),
    ("murre-group", &["murre-core", "murre-crypto"]),
    ("murre-mailbox", &["murre-core", "murre-crypto"]),
    ("murre-custodian", &["murre-core", "murre-crypto", "murre-mailbox"]),
    ("murre-device", &["murre-core", "murre-crypto", "murre-log", "murre-group", "murre-mailbox"]),
    ("murre-store", &["murre-core"]),
    ("murre-net", &["murre-core"]),
    ("murre", BELOW_THE_SHELL),
    ("murre-cli", &["murre", "murre-core"]),
    ("murre-sim", BELOW_THE_SHELL),
    ("murre-fuzz", EVERYTHING_THAT_DECODES),
    ("xtask", &[]),
];

const BELOW_THE_SHELL: &[&str] = &[
    "murre-core",
    "murre-crypto",
    "murre-log",
    "murre-group",
    "murre-mailbox",
    "murre-custodian",
    "murre-device",
    "murre-store",
    "murre-net",
];

/// Attacks every decoder, so it reaches each; nothing reaches it.
const EVERYTHING_THAT_DECODES: &[&str] = &[
    "murre",
    "murre-core",
    "murre-crypto",
    "murre-log",
    "murre-group",
    "murre-mailbox",
    "murre-custodian",
    "murre-device",
    "murre-store",
    "murre-net",
    "murre-sim",
];

/// What a machine crate's tests may use beside what the crate itself may.
const FOR_TESTS: [&str; 2] = ["murre-custodian", "murre-store"];

/// What the command's process tests may use beside: they open the stores of nodes they have stopped, and send nodes
/// frames that no device would.
const FOR_PROCESS_TESTS: [&str; 4] = ["murre-custodian", "murre-mailbox", "murre-net", "murre-store"];

/// Libraries of shells. A machine that could reach one would be one line away from using it.
const SHELL_ONLY: [&str; 9] =
    ["tokio", "async-std", "futures", "libp2p", "rusqlite", "tonic", "rand", "getrandom", "reqwest"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Other,
    Normal,
    Dev,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let Some(name) = crate_of(&file.path) else { continue };
        let Some((_, allowed)) = ARROWS.iter().find(|(arrow, _)| *arrow == name) else {
            findings.push(Finding::fail(&file.path, 0, "this crate has no place in the table of arrows"));
            continue;
        };
        let machine = MACHINES.contains(&name);
        for (line, section, dependency) in dependencies(&file.text) {
            let ours = dependency == "murre" || dependency.starts_with("murre-") || dependency == "xtask";
            let for_tests = section == Section::Dev
                && (machine && FOR_TESTS.contains(&dependency.as_str())
                    || name == "murre-cli" && FOR_PROCESS_TESTS.contains(&dependency.as_str()));
            if ours && !allowed.contains(&dependency.as_str()) && !for_tests {
                findings.push(Finding::fail(&file.path, line, format!("{name} must not use {dependency}")));
            }
            if machine && section == Section::Normal && SHELL_ONLY.contains(&dependency.as_str()) {
                let what = format!("{dependency} belongs to shells; {name} is a machine");
                findings.push(Finding::fail(&file.path, line, what));
            }
        }
    }
    findings
}

/// Every dependency: its line, whether it is for tests only, and the package's name.
fn dependencies(manifest: &str) -> Vec<(usize, Section, String)> {
    let mut section = Section::Other;
    let mut found = Vec::new();
    for (at, line) in manifest.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            let (kind, named) = section_of(header);
            section = kind;
            if let Some(name) = named {
                found.push((at + 1, kind, name.to_owned()));
                // The keys that follow describe this one dependency.
                section = Section::Other;
            }
        } else if section != Section::Other && !line.is_empty() {
            let key = line.split(['.', '=', ' ']).next().unwrap_or(line).trim_matches('"');
            found.push((at + 1, section, renamed(line).unwrap_or(key).to_owned()));
        }
    }
    found
}

/// `[target.'cfg(x)'.dev-dependencies]`, `[dependencies.name]` and what lies between.
fn section_of(header: &str) -> (Section, Option<&str>) {
    for (marker, kind) in [
        ("dev-dependencies", Section::Dev),
        ("build-dependencies", Section::Normal),
        ("dependencies", Section::Normal),
    ] {
        if let Some(at) = header.find(marker) {
            let rest = header.get(at + marker.len()..).unwrap_or("");
            return (kind, rest.strip_prefix('.'));
        }
    }
    (Section::Other, None)
}

/// The real name in `alias = { package = "name" }`.
fn renamed(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("package")?;
    rest.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(name: &str, manifest: &str) -> Vec<usize> {
        let path = format!("crates/{name}/Cargo.toml");
        check(&Tree::of(&[(&path, manifest)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn arrows_point_downward() {
        let manifest = "[package]\nname = \"murre-log\"\n[dependencies]\nmurre-core.workspace = true\nmurre-device = { path = \"x\" }\n";
        assert_eq!(failures("murre-log", manifest), [5]);
        assert_eq!(failures("murre", manifest), []);
        assert_eq!(failures("murre-new", manifest), [0]);
    }

    #[test]
    fn tests_of_machines_may_use_a_store_and_nobody_may_use_the_simulator() {
        let manifest = "[dev-dependencies]\nmurre-store.workspace = true\nmurre-sim.workspace = true\n";
        assert_eq!(failures("murre-device", manifest), [3]);
        assert_eq!(failures("murre-net", manifest), [2, 3]);
        assert_eq!(failures("murre-cli", "[dependencies]\nmurre-device.workspace = true\n"), [2]);
    }

    #[test]
    fn machines_have_no_library_of_a_shell() {
        let manifest = "[dependencies]\ntokio = \"1\"\n[dev-dependencies]\ntokio = \"1\"\n";
        assert_eq!(failures("murre-mailbox", manifest), [2]);
        assert_eq!(failures("murre-net", manifest), []);
    }

    #[test]
    fn every_way_to_write_a_dependency_is_seen() {
        let manifest = "[target.'cfg(unix)'.dependencies]\nx = { package = \"murre-cli\" }\n[dependencies.murre-sim]\npath = \"..\"\n[build-dependencies]\n\"murre-net\" = \"1\" # why\n";
        assert_eq!(failures("murre-core", manifest), [2, 3, 6]);
    }
}
