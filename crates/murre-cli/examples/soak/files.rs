//! Files that are sent along: made before, compared after.

use crate::dice::Dice;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// One message in so many carries a file.
const RARITY: u64 = 25;
/// Longest file, bytes: several chunks, and each goes through mailboxes while its receiver is away.
const LONGEST: u64 = 1 << 20;

/// A file for the next message, or none; no two are alike.
///
/// # Errors
/// The disk.
pub fn perhaps(dice: &mut Dice, dir: &Path, name: &str) -> Result<Option<PathBuf>> {
    if dice.below(RARITY) != 0 {
        return Ok(None);
    }
    let len = dice.below(LONGEST) + 1;
    let mut bytes = Vec::with_capacity(len as usize + 8);
    while (bytes.len() as u64) < len {
        bytes.extend_from_slice(&dice.below(u64::MAX).to_le_bytes());
    }
    bytes.truncate(len as usize);
    fs::create_dir_all(dir)?;
    let path = dir.join(name);
    fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    Ok(Some(path))
}

/// Whether two files hold the same bytes.
///
/// # Errors
/// One of them cannot be read.
pub fn same(one: &Path, other: &Path) -> Result<bool> {
    Ok(fs::read(one)? == fs::read(other)?)
}
