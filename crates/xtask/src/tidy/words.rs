//! Words that must not stand in the repository: leftovers of work, and places only one machine has.

use super::Finding;
use super::source::has_word;
use super::tree::Tree;

/// Put together here, so that this file passes its own check.
const WORDS: [(&str, &str); 3] = [
    (concat!("TO", "DO"), "finish it or leave it out"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("XX", "X"), "say what is meant"),
];

const PLACES: [&str; 3] = [concat!("/wo", "rk/"), concat!("sha", "red/"), concat!("fa", "rm-")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (at, line) in file.text.lines().enumerate() {
            for (word, instead) in WORDS {
                if has_word(line, word) {
                    findings.push(Finding::fail(&file.path, at + 1, format!("`{word}`: {instead}")));
                }
            }
            for place in PLACES {
                if line.contains(place) {
                    let what = format!("`{place}` is no place of this repository");
                    findings.push(Finding::fail(&file.path, at + 1, what));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_and_foreign_places_are_found_in_every_file() {
        for bad in [
            concat!("// TO", "DO: later"),
            concat!("FIX", "ME"),
            concat!("a XX", "X b"),
            concat!("see /wo", "rk/x"),
            concat!("sha", "red/design"),
            concat!("fa", "rm-tool"),
        ] {
            for path in ["README.md", "crates/xtask/src/main.rs", "scripts/x.sh"] {
                assert_eq!(check(&Tree::of(&[(path, bad)])).len(), 1, "{bad}");
            }
        }
        let good = concat!("12D3KooXX", "XY, network/x, farmer");
        assert_eq!(check(&Tree::of(&[("a.md", good)])), []);
    }
}
