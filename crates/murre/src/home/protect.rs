//! Changing what hides the database key. The key stays the same, so nothing is encrypted again.
//!
//! ```text
//!   old form          old form + new form, which names          new form
//!   alone             the checksum of the old one in `r`        alone
//!  ---------------+------------------------------------------+-----------------> time
//!                 ^ renamed into place, synced                ^ old one overwritten, synced, removed, synced
//!
//!   the same form again: one rename, then the bytes of the file that had the name are overwritten
//! ```
//!
//! A crash in the middle leaves two files of which one says that it replaces the other: the next program that opens
//! the home under it removes the other.

use super::key::{Found, KeyFile, NewFile, Protection, Shield};
use super::{Home, HomeError, KdfCost, Passphrase, files, keyring, names};
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use zeroize::Zeroizing;

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protected {
    /// What hid the key before.
    pub from: Protection,
    /// What hides it now.
    pub to: Protection,
}

/// A place in the change at which the program may die. Tests let it die there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Made,
    Written,
    ItemRemoved,
    Overwritten,
}

type Steps<'a> = &'a mut dyn FnMut(Step) -> Result<(), HomeError>;

/// Changes what hides the key of a home that nobody runs. `passphrase` is the one of now, if there is one.
///
/// # Errors
/// [`HomeError`]; the old form still opens the home, or, if the new one was in place already, the new one does.
// spec: H-15
pub fn protect(
    path: &Path,
    passphrase: Option<&Passphrase>,
    shield: &Shield,
) -> Result<Protected, HomeError> {
    // Under the lock, and with a key that was seen to open the store.
    let (home, store, _) = Home::open(path, passphrase)?;
    drop(store);
    let found = Found::read(path)?;
    let key = found.key.open(passphrase)?;
    let from = found.key.protection();
    let to = change(path, found.key, &key, shield, KdfCost::default(), &mut |_| Ok(()))?;
    home.close();
    Ok(Protected { from, to })
}

fn change(
    home: &Path,
    old: KeyFile,
    key: &Zeroizing<[u8; 32]>,
    shield: &Shield,
    cost: KdfCost,
    steps: Steps<'_>,
) -> Result<Protection, HomeError> {
    // Held open: after the rename the old bytes have no name any more.
    let held = OpenOptions::new().write(true).open(&old.path).map_err(HomeError::io(&old.path))?;
    let new = NewFile::make(key, shield, cost, Some(old.sum()))?;
    steps(Step::Made)?;
    if let Err(error) = new.write(home) {
        // Whether the name is in place is not known; if it is not, the item serves nobody.
        if !home.join(new.protection.file()).exists() {
            new.withdraw();
        }
        return Err(error);
    }
    steps(Step::Written)?;
    if new.protection == old.protection() {
        if let Some(item) = old.item() {
            keyring::forget(item);
        }
        steps(Step::ItemRemoved)?;
        files::overwrite(&held).map_err(HomeError::io(&old.path))?;
    } else {
        discard(home, &old, &held, steps)?;
    }
    Ok(new.protection)
}

/// Removes a form that another one has replaced.
fn discard(home: &Path, old: &KeyFile, held: &File, steps: Steps<'_>) -> Result<(), HomeError> {
    if let Some(item) = old.item() {
        keyring::forget(item);
    }
    steps(Step::ItemRemoved)?;
    files::overwrite(held).map_err(HomeError::io(&old.path))?;
    steps(Step::Overwritten)?;
    fs::remove_file(&old.path).map_err(HomeError::io(&old.path))?;
    files::sync_dir(home)
}

/// After the key has opened the store: finishes a change that a crash cut short, removes what it left, and raises
/// costs that are below today's.
// spec: H-13, H-16
pub(super) fn settle(
    home: &Path,
    found: Found,
    key: &Zeroizing<[u8; 32]>,
    passphrase: Option<&Passphrase>,
) -> Result<(), HomeError> {
    if let Some(old) = &found.old {
        let held = OpenOptions::new().write(true).open(&old.path).map_err(HomeError::io(&old.path))?;
        discard(home, old, &held, &mut |_| Ok(()))?;
    }
    for protection in Protection::ALL {
        let name = protection.file();
        if name != found.key.protection().file() {
            // Overwritten already, by a change that died before it removed the name.
            files::shred(&home.join(name))?;
        }
        files::shred(&home.join(name).with_file_name(format!("{name}{}", names::BESIDE)))?;
    }
    if let (Some(cost), Some(passphrase)) = (found.key.cheap(), passphrase) {
        let shield = Shield::Passphrase(passphrase.clone());
        if let Err(error) = change(home, found.key, key, &shield, cost, &mut |_| Ok(())) {
            // The old file opens the home as before; the next start tries again.
            tracing::warn!(%error, "the costs of guessing the passphrase could not be raised");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
