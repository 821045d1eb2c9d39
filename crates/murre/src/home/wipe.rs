//! Removing a home for good: first the key, then whatever else there is.
//!
//! ```text
//!   every key file overwritten, synced | names removed, synced | who runs the home ends | the rest | lock | directory
//!  ------------------------------------+-------------------------------------------------------------------> time
//!                                      ^ from here on nothing opens the store, nor any copy of it
//! ```
//!
//! No step reads what it removes, except for the name of the keyring's item: a damaged home is removed like a whole
//! one. A wipe that dies in the middle is finished by the next one.

use super::key::{KeyFile, Protection};
use super::keyring::ItemId;
use super::{HomeError, Lock, files, names};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Files of a home beside its keys. What a later version adds to a home has to be added here.
const FILES: [&str; 7] = [
    names::STORE,
    "store.db-wal",
    "store.db-shm",
    "store.db-journal",
    names::SOCKET,
    names::SENT,
    "sent.tmp",
];
/// Directories of a home.
const DIRS: [&str; 3] = [names::LOG, names::NEW, names::BLOBS];

/// Called before each step with its name. Tests let the program die there.
type Steps<'a> = &'a mut dyn FnMut(&str) -> Result<(), HomeError>;

/// Never dies.
pub(crate) fn on(_: &str) -> Result<(), HomeError> {
    Ok(())
}

/// What a wipe would remove from this directory; nothing if it is no home, not even a damaged one.
///
/// A directory counts as a home if two of its files have names that a home's have: one alone, such as a file `key`
/// in a directory that was named by mistake, does not.
// spec: H-19
#[must_use]
pub fn remains(home: &Path) -> Vec<String> {
    let there = |name: &str| home.join(name).symlink_metadata().is_ok();
    let mut found: Vec<String> = Vec::new();
    let keys = Protection::ALL.map(Protection::file);
    for name in keys {
        let beside = format!("{name}{}", names::BESIDE);
        found.extend([name.to_owned(), beside].into_iter().filter(|name| there(name)));
    }
    for name in FILES.into_iter().chain(DIRS).chain([names::LOCK]) {
        found.extend(Some(name.to_owned()).filter(|name| there(name)));
    }
    let tell = |name: &String| {
        keys.contains(&name.as_str())
            || [names::STORE, names::SENT, names::LOCK, names::NEW].contains(&name.as_str())
    };
    if found.iter().filter(|name| tell(name)).count() < 2 {
        found.clear();
    }
    found
}

/// Destroys every form of the key, whoever runs the home. Answers the keyring's item, which opens nothing any more.
///
/// # Errors
/// The first trouble; everything else was done all the same.
// spec: H-17
pub(crate) fn destroy_key(home: &Path, steps: Steps<'_>) -> Result<Option<ItemId>, HomeError> {
    let item = KeyFile::item_of(home);
    let dirs = [home.to_owned(), home.join(names::NEW)];
    let mut paths: Vec<PathBuf> = Vec::new();
    for dir in &dirs {
        for name in Protection::ALL.map(Protection::file) {
            paths.extend([dir.join(name), dir.join(format!("{name}{}", names::BESIDE))]);
        }
    }
    let mut trouble = Trouble(None);
    for path in &paths {
        steps("overwrite")?;
        let over = OpenOptions::new().write(true).open(path).and_then(|file| files::overwrite(&file));
        trouble.note(path, over);
    }
    for path in &paths {
        steps("remove key")?;
        trouble.note(path, fs::remove_file(path));
    }
    for dir in dirs.iter().filter(|dir| dir.is_dir()) {
        files::sync_dir(dir)?;
    }
    trouble.or(item)
}

/// Removes everything else. Answers the names of what stays, because it is not a home's.
///
/// # Errors
/// The first trouble; everything else was done all the same.
// spec: H-19
pub(crate) fn remove_rest(
    home: &Path,
    lock: Option<Lock>,
    steps: Steps<'_>,
) -> Result<Vec<String>, HomeError> {
    let mut trouble = Trouble(None);
    // The counter last: it tells a half wiped home from a directory that never was one.
    for name in DIRS {
        steps(name)?;
        trouble.note(&home.join(name), fs::remove_dir_all(home.join(name)));
    }
    for name in FILES {
        steps(name)?;
        trouble.note(&home.join(name), fs::remove_file(home.join(name)));
    }
    steps(names::LOCK)?;
    match lock {
        Some(lock) => lock.remove(),
        None => trouble.note(home, fs::remove_file(home.join(names::LOCK))),
    }
    steps("directory")?;
    // It may hold what is not ours, or be a link: then it stays.
    let _ = fs::remove_dir(home);
    let left = fs::read_dir(home).into_iter().flatten().flatten();
    trouble.or(left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// The first trouble on the way, which ends nothing.
struct Trouble(Option<HomeError>);

impl Trouble {
    fn note(&mut self, path: &Path, done: io::Result<()>) {
        match done {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.0.get_or_insert(HomeError::io(path)(error));
            }
            _ => {}
        }
    }

    fn or<T>(self, value: T) -> Result<T, HomeError> {
        self.0.map_or(Ok(value), Err)
    }
}

#[cfg(test)]
mod tests;
