//! One process per home.

use super::{HomeError, names};
use fs4::fs_std::FileExt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Longest text of a lock file that is read, bytes.
const MAX_PID_TEXT: u64 = 16;

/// The exclusive hold on a home. The operating system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of a directory, without waiting.
    ///
    /// # Errors
    /// [`HomeError::AlreadyRunning`] if another process, or another part of this one, holds it.
    // spec: H-3
    pub fn take(dir: &Path) -> Result<Self, HomeError> {
        let path = dir.join(names::LOCK);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(HomeError::io(&path))?;
        let held = FileExt::try_lock_exclusive(&file).map_err(HomeError::io(&path))?;
        if !held || !same_file(&file, &path) {
            return Err(HomeError::AlreadyRunning { pid: read_pid(&mut file) });
        }
        let pid = std::process::id().to_string();
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(pid.as_bytes()))
            .map_err(HomeError::io(&path))?;
        Ok(Self { file, path })
    }

    /// Gives the hold back; the file stays, so that its name always means the same file.
    pub fn release(self) {
        let _ = self.file.set_len(0);
        let _ = FileExt::unlock(&self.file);
    }

    /// Removes the file as well: for a home that did not come to be, or is no more.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
        self.release();
    }
}

/// Whether the name still means the file that was locked: a failed `init` removes its lock file.
fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(MAX_PID_TEXT).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
