//! Who holds the lock of a home: what the system knows, and not the number in the file.
//!
//! The number is written by whoever took the lock, as it is called where it runs. In another PID namespace (a container)
//! the same number is somebody else, and after a crash it is an old one. So a process counts as the holder only if it has
//! this very file open **and** the system lists a lock under that descriptor (`/proc/PID/fdinfo/FD`). Processes of a
//! namespace that cannot be seen from here are not found; then nobody is ended.
//!
//! Elsewhere than on Linux nobody is found.

use super::names;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process that holds the lock: its number here, and a descriptor that goes on meaning it when the number is given to
/// another.
pub(crate) struct Holder {
    pub pid: u32,
    process: OwnedFd,
}

impl Holder {
    /// Ends it (SIGKILL). One that is gone already is what was wanted.
    pub fn end(&self) {
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }
}

/// Who else holds the lock of this directory.
pub(crate) fn holders(dir: &Path) -> Vec<Holder> {
    let Ok(lock) = fs::metadata(dir.join(names::LOCK)) else { return Vec::new() };
    let lock = (lock.dev(), lock.ino());
    let own = std::process::id();
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|pid| *pid != own).filter_map(|pid| holder(pid, lock)).collect()
}

/// Opened before it is looked at: what was looked at is then what is ended.
fn holder(pid: u32, lock: (u64, u64)) -> Option<Holder> {
    let raw = i32::try_from(pid).ok().filter(|raw| *raw > 1).and_then(Pid::from_raw)?;
    let process = pidfd_open(raw, PidfdFlags::empty()).ok()?;
    holds(pid, lock).then_some(Holder { pid, process })
}

/// Whether a process has this file open and locked.
fn holds(pid: u32, lock: (u64, u64)) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter(|fd| fs::metadata(fd.path()).is_ok_and(|file| (file.dev(), file.ino()) == lock)).any(|fd| {
        let info = Path::new("/proc").join(pid.to_string()).join("fdinfo").join(fd.file_name());
        fs::read_to_string(info).is_ok_and(|info| info.lines().any(|line| line.starts_with("lock:")))
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::Lock;
    use super::*;

    #[test]
    fn who_has_the_file_open_and_locked_holds_it_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let file = fs::metadata(dir.path().join(names::LOCK)).unwrap();
        let file = (file.dev(), file.ino());
        let own = std::process::id();
        assert!(holds(own, file));
        assert!(holders(dir.path()).is_empty(), "a process does not end itself");
        // Open, and not locked.
        let open = fs::File::open(dir.path().join(names::LOCK)).unwrap();
        lock.release();
        assert!(!holds(own, file));
        drop(open);
        assert!(holders(&dir.path().join("absent")).is_empty());
    }
}
