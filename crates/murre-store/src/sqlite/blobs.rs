//! Blobs: one file each, in a directory beside the database.
//!
//! ```text
//! store.db         table blobs(id INTEGER PRIMARY KEY): which blobs there are, in the same transaction as the rows
//! store.db-blobs/  000000000000002a, ...     one file a blob, named by its number
//! ```
//!
//! What a transaction writes into a blob is synced before its COMMIT; what it drops is removed after it. So a row
//! never names bytes that are not there, and a crash leaves at most a file that no row of `blobs` names, which the
//! next start removes. Contents are not encrypted here: a machine puts only what it has sealed into a blob.

use crate::error::StoreError;
use murre_core::BlobNo;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files kept open by one connection.
const MAX_OPEN: usize = 16;

/// The directory of blobs of a database.
pub(super) fn directory(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-blobs");
    PathBuf::from(name)
}

/// The files, and what the open transaction did to them.
pub(super) struct Blobs {
    dir: PathBuf,
    open: RefCell<VecDeque<(BlobNo, Arc<File>)>>,
    written: BTreeMap<BlobNo, Arc<File>>,
    dropped: BTreeSet<BlobNo>,
    /// A file was made whose name is not yet durable.
    named: bool,
}

impl Blobs {
    pub(super) fn new(database: &Path) -> Self {
        Self {
            dir: directory(database),
            open: RefCell::default(),
            written: BTreeMap::new(),
            dropped: BTreeSet::new(),
            named: false,
        }
    }

    fn path(&self, blob: BlobNo) -> PathBuf {
        self.dir.join(format!("{:016x}", blob.0))
    }

    /// Removes every file that `known` does not list: what a crash left.
    // spec: M-42
    pub(super) fn sweep(&self, known: &BTreeSet<BlobNo>) -> Result<(), StoreError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            let entry = entry?;
            let number = entry.file_name().to_str().and_then(|name| u64::from_str_radix(name, 16).ok());
            if number.is_some_and(|number| !known.contains(&BlobNo(number))) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    pub(super) fn read(&self, blob: BlobNo, offset: u64, len: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(file) = self.file(blob)? else { return Ok(None) };
        read_at(&file, offset, len)
    }

    pub(super) fn write(&mut self, blob: BlobNo, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let file = match self.file(blob)? {
            Some(file) => file,
            None => self.create(blob)?,
        };
        write_at(&file, offset, bytes)?;
        self.dropped.remove(&blob);
        self.written.insert(blob, file);
        Ok(())
    }

    pub(super) fn drop_blob(&mut self, blob: BlobNo) {
        self.written.remove(&blob);
        self.dropped.insert(blob);
    }

    /// Makes what was written durable: called before COMMIT.
    // spec: M-41
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        for file in self.written.values() {
            file.sync_data()?;
        }
        if self.named {
            File::open(&self.dir)?.sync_all()?;
            self.named = false;
        }
        self.written.clear();
        Ok(())
    }

    /// Removes what was dropped: called after COMMIT. A file that stays is removed at the next start.
    pub(super) fn committed(&mut self) {
        for blob in std::mem::take(&mut self.dropped) {
            self.open.borrow_mut().retain(|(number, _)| *number != blob);
            // The transaction is durable: a file that cannot be removed now is an orphan, and goes at the next start.
            let _ = fs::remove_file(self.path(blob));
        }
    }

    /// Nothing of the transaction counts. Bytes it wrote may stay: no row names them.
    pub(super) fn rolled_back(&mut self) {
        self.written.clear();
        self.dropped.clear();
    }

    fn file(&self, blob: BlobNo) -> Result<Option<Arc<File>>, StoreError> {
        let known = self.open.borrow().iter().find(|(number, _)| *number == blob).map(|(_, f)| Arc::clone(f));
        if known.is_some() {
            return Ok(known);
        }
        match File::options().read(true).write(true).open(self.path(blob)) {
            Ok(file) => Ok(Some(self.keep(blob, file))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn create(&mut self, blob: BlobNo) -> Result<Arc<File>, StoreError> {
        if !self.dir.is_dir() {
            private_dir(&self.dir)?;
            if let Some(parent) = self.dir.parent() {
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                File::open(parent)?.sync_all()?;
            }
        }
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.path(blob))?;
        self.named = true;
        Ok(self.keep(blob, file))
    }

    fn keep(&self, blob: BlobNo, file: File) -> Arc<File> {
        let file = Arc::new(file);
        let mut open = self.open.borrow_mut();
        if open.len() >= MAX_OPEN {
            open.pop_front();
        }
        open.push_back((blob, Arc::clone(&file)));
        file
    }
}

/// Reads from a blob without keeping its file open: for the connection that only reads.
pub(super) fn read_once(
    dir: &Path,
    blob: BlobNo,
    offset: u64,
    len: usize,
) -> Result<Option<Vec<u8>>, StoreError> {
    match File::open(dir.join(format!("{:016x}", blob.0))) {
        Ok(file) => read_at(&file, offset, len),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read_at(mut file: &File, offset: u64, len: usize) -> Result<Option<Vec<u8>>, StoreError> {
    // Before memory is taken: a length that the file does not have is answered with nothing.
    if file.metadata()?.len() < offset.saturating_add(len as u64) {
        return Ok(None);
    }
    let mut bytes = vec![0; len];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

fn write_at(mut file: &File, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)?;
    Ok(())
}

fn private_dir(path: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    Ok(builder.create(path)?)
}
