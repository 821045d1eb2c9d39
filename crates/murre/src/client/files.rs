//! Files: handing one over, saving one.

use super::place::give_name;
use super::{Client, ClientError, MAX_ANSWER};
use crate::v1::files_client::FilesClient;
use crate::v1::{self, FileRequest};
use futures::{Stream, StreamExt};
use murre_core::{ErrorKind, HasKind};
use rand_core::{OsRng, RngCore};
use sha2::{Digest, Sha256};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Where.
    pub path: PathBuf,
    /// How many bytes.
    pub bytes: u64,
    /// SHA-256 of them, 64 hexadecimal digits.
    pub sha256: String,
}

/// Why a file was not handed over or saved. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The home refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is something of this name.
    #[error("{} exists", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file will not come.
    #[error("the file will not come: {why}")]
    Gone {
        /// Why.
        why: &'static str,
    },
}

impl SaveError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Client(error) => error.hint(),
            Self::Exists { .. } => "choose another name, or say --overwrite; nothing was changed".to_owned(),
            Self::Io { .. } => {
                "check the path, its rights and the room on the disk; what was received is kept".to_owned()
            }
            Self::Gone { .. } => "ask the sender to send it again".to_owned(),
        }
    }

    /// The cause in one word.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Client(error) => error.code(),
            Self::Exists { .. } => "exists",
            Self::Io { .. } => "disk",
            Self::Gone { .. } => "file-gone",
        }
    }
}

impl HasKind for SaveError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Client(error) => error.kind(),
            Self::Exists { .. } => ErrorKind::Caller,
            Self::Io { .. } => ErrorKind::Environment,
            Self::Gone { .. } => ErrorKind::Remote,
        }
    }
}

impl Client {
    fn files(&self) -> FilesClient<tonic::transport::Channel> {
        FilesClient::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER)
    }

    /// Hands over everything that `source` yields, as a file for a chat. Answers the name of the upload for
    /// [`v1::SendRequest::uploads`]. `progress` is told the bytes handed over so far. At no time is more than one
    /// piece in memory.
    ///
    /// # Errors
    /// [`SaveError`].
    pub async fn upload(
        &self,
        chat: &str,
        name: &str,
        mime: &str,
        mut source: impl AsyncRead + Unpin,
        mut progress: impl FnMut(u64),
    ) -> Result<String, SaveError> {
        let mut files = self.files();
        let request = v1::FileOpenRequest { chat: chat.into(), name: name.into(), mime: mime.into() };
        let opened = files.open(request).await.map_err(ClientError::from)?.into_inner();
        let size = opened.piece_bytes as usize;
        let broken = |source| SaveError::Io { path: PathBuf::from(name), source };
        let (mut offset, mut piece) = (0, read_piece(&mut source, size).await.map_err(broken)?);
        loop {
            // One piece ahead: only so is it known which is the last.
            let next = if piece.len() < size {
                Vec::new()
            } else {
                read_piece(&mut source, size).await.map_err(broken)?
            };
            let (len, last) = (piece.len() as u64, next.is_empty());
            let request = v1::FilePieceRequest { upload: opened.upload.clone(), offset, bytes: piece, last };
            files.piece(request).await.map_err(ClientError::from)?;
            offset += len;
            progress(offset);
            if last {
                return Ok(opened.upload);
            }
            piece = next;
        }
    }

    /// How a file of a message stands.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn file(&self, message: &str, index: u32) -> Result<v1::FileInfo, ClientError> {
        Ok(self.files().info(named(message, index)).await.map_err(ClientError::from)?.into_inner())
    }

    /// How a file stands, now and after each change, until nothing more will happen by itself.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn watch_file(
        &self,
        message: &str,
        index: u32,
    ) -> Result<impl Stream<Item = Result<v1::FileInfo, ClientError>> + use<>, ClientError> {
        let infos = self.files().watch(named(message, index)).await.map_err(ClientError::from)?.into_inner();
        Ok(infos.map(|info| info.map_err(ClientError::from)))
    }

    /// Fetches a file that is only offered.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn fetch_file(&self, message: &str, index: u32) -> Result<(), ClientError> {
        self.files().fetch(named(message, index)).await.map(drop).map_err(ClientError::from)
    }

    /// Gives a file up.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel_file(&self, message: &str, index: u32) -> Result<(), ClientError> {
        self.files().cancel(named(message, index)).await.map(drop).map_err(ClientError::from)
    }

    /// Saves a file once it is here, fetching it if need be. `to` is a path, or a directory in which the file gets
    /// its own name, made safe. What is there is not overwritten unless `overwrite`; the new file appears whole or
    /// not at all. `progress` is told how the fetching goes.
    ///
    /// # Errors
    /// [`SaveError`].
    pub async fn save_file(
        &self,
        message: &str,
        index: u32,
        to: &Path,
        overwrite: bool,
        mut progress: impl FnMut(&v1::FileInfo),
    ) -> Result<Saved, SaveError> {
        let info = self.file(message, index).await?;
        let size = info.size;
        let path = if to.is_dir() { to.join(&info.name) } else { to.to_owned() };
        // Before anything is fetched: whoever named a wrong path learns it at once.
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(SaveError::Exists { path });
        }
        if info.state() != v1::FileState::Complete {
            self.fetch_file(message, index).await?;
            let mut infos = self.watch_file(message, index).await?;
            let mut last = info;
            while let Some(next) = infos.next().await {
                last = next?;
                progress(&last);
            }
            match last.state() {
                v1::FileState::Complete => {}
                v1::FileState::Cancelled => return Err(SaveError::Gone { why: "it was given up here" }),
                v1::FileState::Fetching | v1::FileState::Offered => return Err(ClientError::Lost.into()),
                _ => return Err(SaveError::Gone { why: "its sender has it no more" }),
            }
        }
        let parts = self.files().save(named(message, index)).await.map_err(ClientError::from)?.into_inner();
        write_whole(&path, overwrite, size, parts.map(|p| p.map(|p| p.bytes).map_err(ClientError::from)))
            .await
    }
}

fn named(message: &str, index: u32) -> FileRequest {
    FileRequest { message: message.to_owned(), index }
}

/// Reads until a piece is full or the source ends.
async fn read_piece(source: &mut (impl AsyncRead + Unpin), size: usize) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(size);
    source.take(size as u64).read_to_end(&mut piece).await?;
    Ok(piece)
}

/// Writes beside the name, then gives it the name.
async fn write_whole(
    path: &Path,
    overwrite: bool,
    size: u64,
    mut parts: impl Stream<Item = Result<Vec<u8>, ClientError>> + Unpin,
) -> Result<Saved, SaveError> {
    let broken = |source| SaveError::Io { path: path.to_owned(), source };
    let name = path.file_name().ok_or_else(|| broken(io::Error::from(io::ErrorKind::IsADirectory)))?;
    let (part, mut file) = Part::create(path, name).await.map_err(broken)?;
    let mut hash = Sha256::new();
    let bytes = pour(&mut file, &mut hash, &mut parts).await?.map_err(broken)?;
    file.sync_all().await.map_err(broken)?;
    drop(file);
    if bytes != size {
        return Err(ClientError::Lost.into());
    }
    if overwrite {
        tokio::fs::rename(&part.path, path).await.map_err(broken)?;
    } else {
        let (from, to) = (part.path.clone(), path.to_owned());
        let named = tokio::task::spawn_blocking(move || give_name(&from, &to)).await;
        match named.map_err(io::Error::from).flatten() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(SaveError::Exists { path: path.to_owned() });
            }
            Err(error) => return Err(broken(error)),
        }
    }
    let sha256 = hex::encode(hash.finalize());
    Ok(Saved { path: path.to_owned(), bytes, sha256 })
}

/// Writes every piece; the first result is the source's, the second the disk's.
async fn pour(
    file: &mut File,
    hash: &mut Sha256,
    parts: &mut (impl Stream<Item = Result<Vec<u8>, ClientError>> + Unpin),
) -> Result<io::Result<u64>, ClientError> {
    let mut bytes = 0;
    while let Some(next) = parts.next().await {
        let next = next?;
        if let Err(error) = file.write_all(&next).await {
            return Ok(Err(error));
        }
        hash.update(&next);
        bytes += next.len() as u64;
    }
    // The last piece is only on its way until it is flushed, and syncing says nothing of a write that failed.
    Ok(file.flush().await.map(|()| bytes))
}

/// A file that is not finished. It goes away with this, whatever happens.
struct Part {
    path: PathBuf,
}

impl Part {
    /// A new file beside the name. Its own name is drawn, so that two who save under one name never meet, and nobody's
    /// file is ever taken for a part.
    async fn create(path: &Path, name: &OsStr) -> io::Result<(Self, File)> {
        let mut drawn = [0; 4];
        OsRng.fill_bytes(&mut drawn);
        let mut beside = OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}.murre-part", hex::encode(drawn)));
        let path = path.with_file_name(beside);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&path).await?;
        Ok((Self { path }, file))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::SinkExt;

    fn parts(bytes: &[u8]) -> impl Stream<Item = Result<Vec<u8>, ClientError>> + Unpin {
        futures::stream::iter([Ok(bytes.to_vec())])
    }

    #[tokio::test]
    async fn what_is_there_is_not_overwritten_unless_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let saved = write_whole(&path, false, 3, parts(b"one")).await.unwrap();
        assert_eq!((saved.bytes, saved.sha256.len()), (3, 64));
        let refused = write_whole(&path, false, 3, parts(b"two")).await;
        assert!(matches!(refused, Err(SaveError::Exists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write_whole(&path, true, 5, parts(b"three")).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[tokio::test]
    async fn a_file_whose_source_ends_early_does_not_appear() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let broken = futures::stream::iter([Ok(b"half".to_vec()), Err(ClientError::Lost)]);
        assert!(matches!(
            write_whole(&path, false, 8, broken).await,
            Err(SaveError::Client(ClientError::Lost))
        ));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_that_is_shorter_than_was_said_does_not_appear() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        assert!(write_whole(&path, true, 9, parts(b"half")).await.is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn two_who_save_under_one_name_do_not_mix() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("photo.jpg");
        let (mut send, slow) = futures::channel::mpsc::channel(1);
        let there = path.clone();
        let first = tokio::spawn(async move { write_whole(&there, false, 8, slow).await });
        send.send(Ok(b"firs".to_vec())).await.unwrap();
        while std::fs::read_dir(dir.path()).unwrap().count() == 0 {
            tokio::task::yield_now().await;
        }
        // The second begins while the first is under way, and breaks off.
        let broken = futures::stream::iter([Ok(b"other".to_vec()), Err(ClientError::Lost)]);
        assert!(write_whole(&path, false, 9, broken).await.is_err());
        send.send(Ok(b"t ok".to_vec())).await.unwrap();
        drop(send);
        assert_eq!(first.await.unwrap().unwrap().bytes, 8);
        assert_eq!(std::fs::read(&path).unwrap(), b"first ok");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_last_piece_that_does_not_fit_is_an_error() {
        let mut full = OpenOptions::new().write(true).open("/dev/full").await.unwrap();
        let poured = pour(&mut full, &mut Sha256::new(), &mut parts(b"x")).await.unwrap();
        assert_eq!(poured.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[tokio::test]
    async fn a_link_at_the_place_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("a.txt"), dir.path().join("victim"));
        std::fs::write(&victim, b"precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(matches!(write_whole(&path, false, 1, parts(b"x")).await, Err(SaveError::Exists { .. })));
        write_whole(&path, true, 1, parts(b"x")).await.unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }
}
