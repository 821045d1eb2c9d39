//! Giving a finished file its name without ever replacing what is there.
//!
//! ```text
//!   rename that refuses --(not here)--> hard link --(not here)--> a new file of that name, filled by copying
//! ```
//!
//! Each way is one that the system itself makes exclusive: nothing is looked at first and done afterwards, so nothing
//! that comes to the place meanwhile is lost.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// One way to give `part` the name `path`; an error of the kind `AlreadyExists` if there is something.
type Way = fn(part: &Path, path: &Path) -> io::Result<()>;

/// The best first. Not every file system has the first two.
const WAYS: [Way; 3] = [rename_new, link_new, copy_new];

/// Gives a finished file its name. The part may be left, and may be removed.
///
/// # Errors
/// `AlreadyExists` if there is something of this name, which stays as it is; otherwise what the last way says.
// spec: X-12
pub(super) fn give_name(part: &Path, path: &Path) -> io::Result<()> {
    first_of(&WAYS, part, path)
}

fn first_of(ways: &[Way], part: &Path, path: &Path) -> io::Result<()> {
    let mut failed = io::Error::from(io::ErrorKind::Unsupported);
    for way in ways {
        match way(part, path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_new(part: &Path, path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, part, CWD, path, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_new(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn link_new(part: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(part, path)
}

/// A crash in the middle leaves a file that is cut; an error leaves none.
fn copy_new(part: &Path, path: &Path) -> io::Result<()> {
    let mut from = File::open(part)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut to = options.open(path)?;
    let copied = io::copy(&mut from, &mut to).and_then(|_| to.sync_all());
    if copied.is_err() {
        // Made by us a moment ago, and by nobody else: it was new.
        let _ = fs::remove_file(path);
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const NAMES: [&str; 3] = ["rename", "link", "copy"];

    fn unsupported(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn desk() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (part, path) = (dir.path().join(".part"), dir.path().join("a.txt"));
        fs::write(&part, b"new").unwrap();
        (dir, part, path)
    }

    #[test]
    fn each_way_gives_the_name_and_none_replaces_what_is_there() {
        for (name, way) in NAMES.into_iter().zip(WAYS) {
            let (_dir, part, path) = desk();
            way(&part, &path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new", "{name}");
            fs::write(&part, b"newer").unwrap();
            // A hard link is the same file: give the place one of its own.
            fs::remove_file(&path).unwrap();
            fs::write(&path, b"old").unwrap();
            assert_eq!(way(&part, &path).unwrap_err().kind(), io::ErrorKind::AlreadyExists, "{name}");
            assert_eq!(fs::read(&path).unwrap(), b"old", "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_way_follows_a_link_at_the_place_wherever_it_leads() {
        for (name, way) in NAMES.into_iter().zip(WAYS) {
            for there in [true, false] {
                let (dir, part, path) = desk();
                let victim = dir.path().join("victim");
                if there {
                    fs::write(&victim, b"precious").unwrap();
                }
                std::os::unix::fs::symlink(&victim, &path).unwrap();
                assert_eq!(way(&part, &path).unwrap_err().kind(), io::ErrorKind::AlreadyExists, "{name}");
                assert_eq!(
                    fs::read(&victim).ok().as_deref(),
                    there.then_some(b"precious".as_slice()),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn where_the_first_ways_do_not_exist_the_next_is_taken() {
        let (_dir, part, path) = desk();
        first_of(&[unsupported, unsupported, copy_new], &part, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let again = first_of(&[unsupported, unsupported, copy_new], &part, &path);
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(first_of(&[unsupported], &part, &path).is_err());
    }

    #[test]
    fn what_came_to_the_place_is_never_lost_to_a_later_way() {
        // The first way fails for another reason, and somebody takes the name before the next is tried.
        fn taken(_: &Path, path: &Path) -> io::Result<()> {
            fs::write(path, b"theirs").unwrap();
            Err(io::ErrorKind::Unsupported.into())
        }
        for way in WAYS {
            let (_dir, part, path) = desk();
            assert_eq!(
                first_of(&[taken, way], &part, &path).unwrap_err().kind(),
                io::ErrorKind::AlreadyExists
            );
            assert_eq!(fs::read(&path).unwrap(), b"theirs");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_copy_that_fails_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        // A directory opens and cannot be read.
        let path = dir.path().join("a.txt");
        assert!(copy_new(dir.path(), &path).is_err());
        assert!(!path.exists());
    }
}
