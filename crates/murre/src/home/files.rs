//! Files and directories that only their owner may read, written so that a crash leaves the old or the new.

use super::{HomeError, names};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Most bytes of a key file that are overwritten: ours have two hundred.
const MAX_OVERWRITTEN: u64 = 1 << 20;

/// Makes a directory that only its owner may enter.
pub(crate) fn private_dir(path: &Path) -> Result<(), HomeError> {
    fs::DirBuilder::new().mode(0o700).create(path).map_err(HomeError::io(path))
}

/// Makes a directory, and those above it, that only their owner may enter. One that exists is left as it is.
pub(crate) fn private_dirs(path: &Path) -> Result<(), HomeError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(HomeError::io(path))
}

/// Takes the rights of everybody else off a directory.
// spec: H-1
pub(crate) fn make_private(path: &Path) -> Result<(), HomeError> {
    let mode = fs::metadata(path).map_err(HomeError::io(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(HomeError::io(path))?;
    }
    Ok(())
}

/// Writes a file that only its owner may read, in one step: beside it first, then renamed over it.
// spec: H-2
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(names::BESIDE);
    let beside = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(HomeError::io(&beside))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(HomeError::io(&beside))?;
    fs::rename(&beside, path).map_err(HomeError::io(path))?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Writes zeros over a file, as far as the file system writes in place, and syncs them.
// spec: H-15
pub(crate) fn overwrite(file: &File) -> io::Result<()> {
    let len = file.metadata()?.len().min(MAX_OVERWRITTEN);
    file.write_all_at(&vec![0; usize::try_from(len).unwrap_or_default()], 0)?;
    file.sync_all()
}

/// Overwrites and removes a file. `false` if there is none.
pub(crate) fn shred(path: &Path) -> Result<bool, HomeError> {
    match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.and_then(|file| overwrite(&file)).map_err(HomeError::io(path))?,
    }
    fs::remove_file(path).map_err(HomeError::io(path))?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))?;
    Ok(true)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), HomeError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(HomeError::io(path))
}
