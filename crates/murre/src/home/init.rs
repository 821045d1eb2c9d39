//! Making a home, all or nothing.
//!
//! Everything is built in `HOME/new/` under the home's lock; then the files are moved up, the key file last. A
//! crash before that leaves a directory that the next `init` clears; a failure leaves nothing.

use super::counter::SendCounter;
use super::key::{self, NewFile, Shield};
use super::{HomeError, KdfCost, Lock, exists, files, names};
use murre_core::{ErrorKind, HasKind};
use murre_store::{Config, SqliteStore};
use std::fs;
use std::path::{Path, PathBuf};

/// Why no home was made. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum MakeError<E> {
    /// An account lives there already.
    #[error("there is an account in {} already", home.display())]
    Exists {
        /// The directory.
        home: PathBuf,
    },
    /// The directory holds other files.
    #[error("{} holds other files", home.display())]
    NotEmpty {
        /// The directory.
        home: PathBuf,
    },
    /// Files, key or store failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// What was to be stored could not be made.
    #[error("{0}")]
    Fill(E),
}

impl<E: HasKind> HasKind for MakeError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. } | Self::NotEmpty { .. } => ErrorKind::Caller,
            Self::Home(error) => error.kind(),
            Self::Fill(error) => error.kind(),
        }
    }
}

/// Makes a home. `fill` writes the first rows into the empty store and commits them.
///
/// # Errors
/// [`MakeError`]; the directory is then as it was before.
// spec: H-7, H-8
pub fn make<T, E>(
    home: &Path,
    shield: &Shield,
    cost: KdfCost,
    fill: impl FnOnce(&mut SqliteStore) -> Result<T, E>,
) -> Result<T, MakeError<E>> {
    if exists(home) {
        return Err(MakeError::Exists { home: home.to_owned() });
    }
    let made = Made::create(home)?;
    let lock = match Lock::take(home) {
        Ok(lock) => lock,
        Err(error) => {
            made.undo();
            return Err(error.into());
        }
    };
    match build(home, shield, cost, fill) {
        Ok(value) => {
            lock.release();
            Ok(value)
        }
        Err(error) => {
            // Also when another `init` finished between our first look and our lock: its files are not ours.
            if !matches!(error, MakeError::Exists { .. } | MakeError::NotEmpty { .. }) {
                clear(home);
                lock.remove();
                made.undo();
            } else if matches!(error, MakeError::NotEmpty { .. }) {
                lock.remove();
            }
            Err(error)
        }
    }
}

fn build<T, E>(
    home: &Path,
    shield: &Shield,
    cost: KdfCost,
    fill: impl FnOnce(&mut SqliteStore) -> Result<T, E>,
) -> Result<T, MakeError<E>> {
    if exists(home) {
        return Err(MakeError::Exists { home: home.to_owned() });
    }
    let new = home.join(names::NEW);
    if new.exists() {
        fs::remove_dir_all(&new).map_err(HomeError::io(&new))?;
    }
    if !only_lock(home)? {
        return Err(MakeError::NotEmpty { home: home.to_owned() });
    }
    files::make_private(home)?;
    files::private_dir(&new)?;
    let key = key::draw();
    let file = NewFile::make(&key, shield, cost, None)?;
    let built = assemble(home, &new, &key, &file, fill);
    if built.is_err() {
        file.withdraw();
    }
    built
}

/// Everything under `new`, then up.
fn assemble<T, E>(
    home: &Path,
    new: &Path,
    key: &[u8; 32],
    file: &NewFile,
    fill: impl FnOnce(&mut SqliteStore) -> Result<T, E>,
) -> Result<T, MakeError<E>> {
    let db = new.join(names::STORE);
    let mut store = SqliteStore::open(&db, Some(key), Config::default())
        .map_err(|source| HomeError::store(new, source))?;
    let value = fill(&mut store).map_err(MakeError::Fill)?;
    // Everything is in the file itself before it moves: the WAL keeps its old name.
    store.checkpoint().map_err(|source| HomeError::store(new, source))?;
    drop(store);
    SendCounter::create(&new.join(names::SENT))?;
    file.write(new)?;
    for name in [names::SENT, names::STORE, file.protection.file()] {
        let (from, to) = (new.join(name), home.join(name));
        fs::rename(&from, &to).map_err(HomeError::io(&to))?;
        files::sync_dir(home)?;
    }
    fs::remove_dir_all(new).map_err(HomeError::io(new))?;
    Ok(value)
}

/// Removes what a failed build put in place.
fn clear(home: &Path) {
    let _ = fs::remove_dir_all(home.join(names::NEW));
    for name in [names::KEY, names::WRAPPED, names::KEYRING, names::STORE, names::SENT] {
        let _ = fs::remove_file(home.join(name));
    }
}

fn only_lock(home: &Path) -> Result<bool, HomeError> {
    let mut entries = fs::read_dir(home).map_err(HomeError::io(home))?;
    entries.try_fold(true, |only, entry| {
        let entry = entry.map_err(HomeError::io(home))?;
        Ok(only && entry.file_name() == names::LOCK)
    })
}

/// Directories that did not exist before, outermost first.
struct Made(Vec<PathBuf>);

impl Made {
    fn create(home: &Path) -> Result<Self, HomeError> {
        let missing: Vec<PathBuf> = home
            .ancestors()
            .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
            .map(Path::to_owned)
            .collect();
        let mut made = Self(Vec::new());
        for dir in missing.into_iter().rev() {
            if let Err(error) = files::private_dir(&dir) {
                made.undo();
                return Err(error);
            }
            made.0.push(dir);
        }
        Ok(made)
    }

    /// Takes them back; one that something else was put into meanwhile stays.
    fn undo(self) {
        for dir in self.0.iter().rev() {
            let _ = fs::remove_dir(dir);
        }
    }
}
