//! The log of a running home or node, in files of a bounded size.
//!
//! ```text
//!  log/murre.log     what is written now       log/murre.log.1 ... log/murre.log.4     what was before, newest first
//! ```
//!
//! A line that cannot be written is counted and told with the next one that can: a full disk stops no messenger.
//! A directory that vanished was wiped and is not made again.

use super::{HomeError, files, names};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Bytes after which a log file is put aside.
pub const MAX_LOG: u64 = 1 << 20;
/// Log files that are kept, the one in use included.
pub const LOG_FILES: u32 = 5;
const NAME: &str = "murre.log";

/// The log of one directory, held by the process that holds the directory's lock.
#[derive(Debug)]
pub struct LogFile(Mutex<Rotating>);

#[derive(Debug)]
struct Rotating {
    dir: PathBuf,
    most: u64,
    kept: u32,
    file: Option<File>,
    len: u64,
    lost: u64,
}

impl LogFile {
    /// Opens the log of a home or of a node's directory, and goes on where it ended.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    // spec: H-20
    pub fn open(home: &Path) -> Result<Self, HomeError> {
        Self::with(home, MAX_LOG, LOG_FILES)
    }

    fn with(home: &Path, most: u64, kept: u32) -> Result<Self, HomeError> {
        let dir = home.join(names::LOG);
        if dir.is_dir() {
            files::make_private(&dir)?;
        } else {
            files::private_dir(&dir)?;
        }
        let path = dir.join(NAME);
        let mut log = Rotating { dir, most, kept, file: None, len: 0, lost: 0 };
        log.reopen().map_err(HomeError::io(&path))?;
        Ok(Self(Mutex::new(log)))
    }

    /// Writes one line, which ends with its line feed.
    pub fn line(&self, line: &[u8]) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.write(line).is_err() {
            log.lost += 1;
        }
    }
}

impl Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.file.is_some() && self.len > 0 && self.len + line.len() as u64 > self.most {
            self.rotate()?;
        }
        if self.file.is_none() {
            self.reopen()?;
        }
        if self.lost > 0 {
            let told = format!("({} lines before this one could not be written)\n", self.lost);
            self.append(told.as_bytes())?;
            self.lost = 0;
        }
        self.append(line)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        let path = self.dir.join(NAME);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        self.len = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    // spec: H-20
    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        for n in (0..self.kept.saturating_sub(1)).rev() {
            match fs::rename(self.old(n), self.old(n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.reopen()
    }

    /// The file that was in use so many rotations ago.
    fn old(&self, n: u32) -> PathBuf {
        self.dir.join(if n == 0 { NAME.to_owned() } else { format!("{NAME}.{n}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names_in(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn line(n: u32) -> String {
        format!("line {n:03}\n")
    }

    #[test]
    fn a_log_has_so_many_files_of_such_a_size_and_keeps_the_newest_lines() {
        let home = tempfile::tempdir().unwrap();
        let log = LogFile::with(home.path(), 27, 3).unwrap();
        (0..100).for_each(|n| log.line(line(n).as_bytes()));
        drop(log);
        let dir = home.path().join("log");
        assert_eq!(names_in(&dir), ["murre.log", "murre.log.1", "murre.log.2"]);
        let kept = ["murre.log.2", "murre.log.1", "murre.log"].map(|name| {
            let path = dir.join(name);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::read_to_string(path).unwrap()
        });
        assert_eq!(kept.concat(), (93..100).map(line).collect::<String>());
        assert!(kept.iter().all(|text| text.len() <= 27));
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        // The next process goes on.
        let log = LogFile::with(home.path(), 27, 3).unwrap();
        log.line(b"again\n");
        assert!(fs::read_to_string(dir.join("murre.log")).unwrap().ends_with("line 099\nagain\n"));
    }

    #[test]
    fn a_line_longer_than_a_file_is_written_whole_and_alone() {
        let home = tempfile::tempdir().unwrap();
        let log = LogFile::with(home.path(), 10, 2).unwrap();
        let long = format!("{}\n", "x".repeat(50));
        [&long, "short\n", &long].iter().for_each(|line| log.line(line.as_bytes()));
        let dir = home.path().join("log");
        assert_eq!(fs::read_to_string(dir.join("murre.log")).unwrap(), long);
        assert_eq!(fs::read_to_string(dir.join("murre.log.1")).unwrap(), "short\n");
    }

    #[test]
    fn lines_that_were_lost_are_told_and_a_wiped_directory_does_not_come_back() {
        let home = tempfile::tempdir().unwrap();
        let log = LogFile::with(home.path(), 20, 2).unwrap();
        log.line(b"before it is gone\n");
        let dir = home.path().join("log");
        fs::remove_dir_all(&dir).unwrap();
        log.line(b"one\n");
        log.line(b"two two two two two two\n");
        assert!(!dir.exists());
        fs::create_dir(&dir).unwrap();
        log.line(b"three\n");
        let told = fs::read_to_string(dir.join("murre.log")).unwrap();
        assert_eq!(told, "(2 lines before this one could not be written)\nthree\n");
    }
}
