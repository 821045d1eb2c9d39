//! Documents name files that are there.
//!
//! Looked at: links in Markdown, relative to their document; and code spans in Markdown and in Rust comments that
//! begin with a folder of this repository.

use super::Finding;
use super::tree::Tree;

/// Folders by which a code span is taken for a path of ours.
const FOLDERS: [&str; 9] =
    [".ci/", "crates/", "docs/", "fuzz/", "proto/", "scripts/", "spec/", "web/", "deploy/"];
/// Made by a build, so not there in a fresh clone.
const MADE: [&str; 1] = ["web/dist"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let markdown = file.path.ends_with(".md");
        if !markdown && !file.path.ends_with(".rs") {
            continue;
        }
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (at, line) in file.text.lines().enumerate() {
            let comment = line.trim_start().strip_prefix("//");
            let Some(text) = (if markdown { Some(line) } else { comment }) else { continue };
            fenced ^= markdown && text.trim_start().starts_with("```");
            let linked = if markdown && !fenced { links(text) } else { Vec::new() };
            let wanted = linked.into_iter().map(|link| resolve(folder, link));
            for path in wanted.chain(spans(text).into_iter().map(str::to_owned)) {
                let made = MADE.iter().any(|made| path.starts_with(made));
                if !made && !tree.names.contains(path.trim_end_matches('/')) {
                    findings.push(Finding::fail(&file.path, at + 1, format!("`{path}` does not exist")));
                }
            }
        }
    }
    findings
}

/// Targets of `[text](target)` inside the repository.
fn links(line: &str) -> Vec<&str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets
        .filter_map(|target| target.split(['#', ' ']).next())
        .filter(|target| !target.is_empty() && !target.contains(':'))
        .collect()
}

/// Code spans that are paths of ours. Patterns and elisions are not.
fn spans(line: &str) -> Vec<&str> {
    let spans = line.split('`').skip(1).step_by(2);
    spans
        .filter(|span| FOLDERS.iter().any(|folder| span.starts_with(folder)))
        .filter(|span| !span.contains(['*', '{', '<', '…', ' ', '$']) && !span.contains("..."))
        .filter(|span| !span.contains("NAME"))
        .filter_map(|span| span.split([':', '#']).next())
        .collect()
}

fn resolve(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if link.starts_with('/') {
        parts.clear();
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text), ("spec/01-machines.md", ""), ("docs/deep/a.md", "")])).len()
    }

    #[test]
    fn links_and_spans_must_lead_somewhere() {
        for (good, bad) in [
            ("[x](spec/01-machines.md#turns)", "[x](spec/02.md)"),
            ("[x](./docs/deep)", "[x](docs/shallow)"),
            ("`spec/01-machines.md`", "`spec/02.md`"),
            ("`docs/deep/`", "`docs/shallow/`"),
            ("`spec/01-machines.md:12`", "`scripts/gone.sh`"),
        ] {
            assert_eq!(missing("README.md", good), 0, "{good}");
            assert_eq!(missing("README.md", bad), 1, "{bad}");
        }
        assert_eq!(missing("docs/b.md", "[x](../spec/01-machines.md) [y](deep/a.md)"), 0);
        assert_eq!(missing("docs/b.md", "[x](spec/01-machines.md)"), 1);
    }

    #[test]
    fn comments_of_sources_count_and_code_does_not() {
        assert_eq!(missing("crates/a/src/b.rs", "//! See `spec/09.md`."), 1);
        assert_eq!(missing("crates/a/src/b.rs", "let a = \"`spec/09.md`\";"), 0);
    }

    #[test]
    fn what_is_no_path_of_ours_is_left_alone() {
        let text = "[x](https://a.org/b) [y](#part) `crates/*/src` `crates/NAME/src` `web/dist/x` `target/debug/murre`";
        assert_eq!(missing("README.md", text), 0);
        assert_eq!(missing("README.md", "```\n[x](gone.md)\n```"), 0);
    }
}
