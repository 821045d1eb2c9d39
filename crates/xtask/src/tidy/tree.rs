//! The files of the repository, in memory, so that every check can be tested on a repository that never existed.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Not ours, or made by a build. `.git` is a file in a second work tree of a repository.
const SKIPPED_DIRS: [&str; 4] = [".git", "target", "node_modules", "dist"];
/// Written by a tool.
const SKIPPED_FILES: [&str; 3] = [".git", "Cargo.lock", "package-lock.json"];

/// One text file.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// From the root, with `/`.
    pub path: String,
    pub text: String,
}

/// All text files, and the names of everything there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// Sorted by path.
    pub files: Vec<File>,
    /// Every file and folder, also those whose text is not looked at.
    pub names: BTreeSet<String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn walk(&mut self, dir: &Path, prefix: &str) -> Result<()> {
        for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            self.names.insert(path.clone());
            if kind.is_dir() && !SKIPPED_DIRS.contains(&name.as_str()) {
                self.walk(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() && !SKIPPED_FILES.contains(&name.as_str()) && !name.ends_with(".log") {
                // What is not UTF-8 is not text.
                if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
                    self.files.push(File { path, text });
                }
            }
        }
        Ok(())
    }

    /// Rust sources of the crates, tests included.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.starts_with("crates/") && file.path.ends_with(".rs"))
    }

    /// Rust sources that end up in a library or binary.
    pub(super) fn shipped_rust(&self) -> impl Iterator<Item = &File> {
        self.rust().filter(|file| !is_test_path(&file.path))
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            tree.names.extend(ends.map(|end| path[..end].to_owned()));
            tree.files.push(File { path: (*path).to_owned(), text: (*text).to_owned() });
        }
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree
    }
}

/// `crates/NAME/...`.
pub(super) fn crate_of(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.split('/').next()
}

fn is_test_path(path: &str) -> bool {
    let in_tests = path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples"));
    in_tests || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_from_what_is_shipped() {
        for path in ["crates/a/tests/it/main.rs", "crates/a/src/sqlite/tests.rs", "crates/a/src/tests/x.rs"] {
            assert!(is_test_path(path), "{path}");
        }
        assert!(!is_test_path("crates/a/src/attests.rs"));
        assert_eq!(crate_of("crates/murre-core/src/lib.rs"), Some("murre-core"));
        assert_eq!(crate_of("spec/01.md"), None);
    }
}
