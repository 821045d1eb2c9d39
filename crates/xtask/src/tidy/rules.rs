//! Every MUST of the specification is cited beside the code that fulfils it.
//!
//! A rule begins a line with its bold id (`- **B-3**: ...` or `**B-3:** ...`) and reaches to the next rule, heading
//! or end of file. If it says MUST, some source under `crates/*/src` has to cite it in a comment after `spec:`.

use super::Finding;
use super::tree::{Tree, crate_of};
use std::collections::{BTreeMap, BTreeSet};

/// Put together here, so that this file cites nothing.
const CITES: &str = concat!("spec", ":");

struct Rule {
    file: String,
    line: usize,
    must: bool,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rules = rules(tree, &mut findings);
    let citations = citations(tree);
    for (id, rule) in &rules {
        if rule.must && !citations.contains_key(id) {
            let what = format!("{id} is cited by no source: write `// {CITES} {id}` beside what fulfils it");
            findings.push(Finding::fail(&rule.file, rule.line, what));
        }
    }
    for (id, (file, line)) in &citations {
        if !rules.contains_key(id) {
            findings.push(Finding::fail(file, *line, format!("cites {id}, which no chapter of spec/ has")));
        }
    }
    findings
}

/// How many rules there are and how many are cited.
pub(super) fn summary(tree: &Tree) -> String {
    let rules = rules(tree, &mut Vec::new());
    let musts: BTreeSet<_> = rules.iter().filter(|(_, rule)| rule.must).map(|(id, _)| id).collect();
    let citations = citations(tree);
    let cited = musts.iter().filter(|id| citations.contains_key(**id)).count();
    format!("{} in all, {} with a MUST, {cited} of these cited", rules.len(), musts.len())
}

fn rules(tree: &Tree, findings: &mut Vec<Finding>) -> BTreeMap<String, Rule> {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    let chapters = tree.files.iter().filter(|f| f.path.starts_with("spec/") && f.path.ends_with(".md"));
    for file in chapters {
        let mut current: Option<String> = None;
        for (at, line) in file.text.lines().enumerate() {
            if let Some(id) = rule_id(line) {
                if let Some(first) = rules.get(id) {
                    let what = format!("{id} is a rule already in {}:{}", first.file, first.line);
                    findings.push(Finding::fail(&file.path, at + 1, what));
                }
                let rule = Rule { file: file.path.clone(), line: at + 1, must: false };
                rules.entry(id.to_owned()).or_insert(rule);
                current = Some(id.to_owned());
            } else if line.starts_with('#') {
                current = None;
            }
            if line.contains("MUST")
                && let Some(rule) = current.as_ref().and_then(|id| rules.get_mut(id))
            {
                rule.must = true;
            }
        }
    }
    rules
}

/// The id that a line defines.
fn rule_id(line: &str) -> Option<&str> {
    let bold = line.trim_start_matches([' ', '-', '*', '>', '|']);
    // The asterisks of a list were taken too, but a definition is bold: look again for exactly that.
    let before = line.strip_suffix(bold)?;
    before.ends_with("**").then_some(())?;
    id_at(bold).filter(|id| {
        let rest = bold.get(id.len()..).unwrap_or("");
        rest.starts_with([':', '*', '.', ' '])
    })
}

/// An id at the beginning: one to three capitals, a hyphen, a number.
fn id_at(text: &str) -> Option<&str> {
    let capitals = text.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = text.get(capitals..)?.strip_prefix('-')?.bytes().take_while(u8::is_ascii_digit).count();
    ((1..=3).contains(&capitals) && digits > 0).then(|| text.get(..capitals + 1 + digits)).flatten()
}

/// Every cited id and the first place that cites it.
fn citations(tree: &Tree) -> BTreeMap<String, (String, usize)> {
    let mut citations = BTreeMap::new();
    let sources = tree.rust().filter(|file| {
        let name = crate_of(&file.path).unwrap_or("");
        name != "xtask" && file.path.starts_with(&format!("crates/{name}/src/"))
    });
    for file in sources {
        for (at, line) in file.text.lines().enumerate() {
            for cited in line.split(CITES).skip(1).flat_map(ids) {
                citations.entry(cited.to_owned()).or_insert_with(|| (file.path.clone(), at + 1));
            }
        }
    }
    citations
}

/// `B-3, B-4 and C-1 (why)` are three ids; what follows a word of prose is none.
fn ids(mut text: &str) -> Vec<&str> {
    let mut ids = Vec::new();
    loop {
        text = text.trim_start_matches([' ', ',', ';', '`', '*']);
        text = text.strip_prefix("and ").unwrap_or(text).trim_start_matches('`');
        let Some(id) = id_at(text) else { return ids };
        ids.push(id);
        text = text.get(id.len()..).unwrap_or("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAPTER: &str = "# Boxes\n- **B-1**: A MUST.\n- **B-2:** goes on\n  and MUST NOT.\n**B-3: Title.** MAY.\n\n## Next MUST\n* **BC-10**. MUST\nsee **B-1** and B-9\n";

    fn found(sources: &[(&str, &str)]) -> Vec<(String, usize)> {
        let mut files = vec![("spec/05.md", CHAPTER)];
        files.extend(sources);
        let mut findings = check(&Tree::of(&files));
        findings.sort();
        findings.into_iter().map(|finding| (finding.file, finding.line)).collect()
    }

    #[test]
    fn a_must_without_a_citation_is_found() {
        let all = [("spec/05.md".to_owned(), 2), ("spec/05.md".to_owned(), 3), ("spec/05.md".to_owned(), 8)];
        assert_eq!(found(&[]), all);
        // Tests and other folders do not fulfil a rule.
        let text = concat!("// spec", ": B-1, B-2, BC-10\n");
        assert_eq!(found(&[("crates/murre-a/tests/it/b.rs", text), ("crates/xtask/src/b.rs", text)]), all);
        assert_eq!(found(&[("crates/murre-a/src/b.rs", text)]), []);
    }

    #[test]
    fn lists_of_citations_are_read_and_prose_is_not() {
        let text = concat!("/// Why. spec", ": B-1, B-2 and `BC-10` (as in Q-1)");
        assert_eq!(found(&[("crates/murre-a/src/b.rs", text)]), []);
    }

    #[test]
    fn a_citation_of_no_rule_is_found() {
        let text = concat!("// spec", ": B-1, B-2, BC-10\n// spec", ": B-9\n");
        assert_eq!(found(&[("crates/murre-a/src/b.rs", text)]), [("crates/murre-a/src/b.rs".to_owned(), 2)]);
    }

    #[test]
    fn a_rule_twice_is_found() {
        let tree = Tree::of(&[("spec/1.md", "**A-1** x\n"), ("spec/2.md", "**A-1** y\n")]);
        assert_eq!(check(&tree).len(), 1);
        assert_eq!(summary(&tree), "1 in all, 0 with a MUST, 0 of these cited");
    }
}
