//! The Unix socket of a home: where it is, and who may connect.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

use crate::home::names;

/// Longest path a Unix socket may have on every system we know, bytes.
const MAX_PATH: usize = 100;

/// A path short enough for the system, however deep the home lies.
struct Short {
    path: PathBuf,
    /// The path leads through this open directory.
    _dir: Option<File>,
}

fn short(home: &Path) -> io::Result<Short> {
    let path = home.join(names::SOCKET);
    if path.as_os_str().len() <= MAX_PATH {
        return Ok(Short { path, _dir: None });
    }
    let dir = File::open(home)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(names::SOCKET);
    Ok(Short { path, _dir: Some(dir) })
}

/// Listens on the home's socket. The caller holds the home's lock, so a socket that is there already is a dead one.
///
/// Gives back the user who may connect: the one this process runs as.
// spec: A-1
pub(crate) fn listen(home: &Path) -> io::Result<(UnixListener, u32)> {
    let socket = home.join(names::SOCKET);
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&short(home)?.path)?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
    Ok((listener, std::fs::metadata(&socket)?.uid()))
}

/// Connects to the home's socket.
pub(crate) async fn connect(home: &Path) -> io::Result<UnixStream> {
    let short = short(home)?;
    UnixStream::connect(&short.path).await
}

/// Whether the other end runs as the same user as this process: only such a home is spoken to.
// spec: A-3
pub(crate) fn is_ours(stream: &UnixStream) -> bool {
    let own = std::fs::metadata("/proc/self").map(|own| own.uid()).ok();
    let other = stream.peer_cred().map(|cred| cred.uid()).ok();
    // Where there is no /proc the rights of the directory have to do.
    own.is_none() || own == other
}
