//! Scenario files: seeds that once failed, and what they failed for.
//!
//! `spec/scenarios/*.json` holds one object each. A file stays when its fault is mended: it runs with every test.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One seed worth keeping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// The oracle that failed.
    pub oracle: String,
    /// What was wrong, in words.
    pub found: String,
    /// The planted fault under which it must fail; without one it must be green.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sabotage: Option<String>,
}

impl Scenario {
    /// Reads one file.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }
}

/// Where they lie.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/scenarios")
}

/// Reads every scenario file, in order of their names.
///
/// # Errors
/// A file that cannot be read or is no scenario.
pub fn all() -> anyhow::Result<Vec<(String, Scenario)>> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(directory())? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "json") {
            let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            out.push((name, Scenario::decode(&std::fs::read(&path)?)?));
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}
