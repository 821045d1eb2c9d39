//! `file save`, `file cancel`, `file info`, and the files of `send`

use super::{Session, refused};
use crate::args::{FileVerb, WhichFile};
use crate::failure::{Done, Failure};
use crate::{json, text};
use murre::{Client, SaveError, v1};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Progress is printed as JSON at most so often, and never for what is done sooner.
const TELL: Duration = Duration::from_millis(500);

pub(super) async fn run(session: &Session, verb: FileVerb) -> Done {
    match verb {
        FileVerb::Save { file, path, overwrite } => save(session, file, &path, overwrite).await,
        FileVerb::Cancel(WhichFile { message, index }) => {
            let info = session
                .call(|client| async move {
                    client.cancel_file(&message, index.into()).await?;
                    client.file(&message, index.into()).await
                })
                .await?;
            session.out.show(&json::File::from(&info), |style| text::file_row(style, &info))
        }
        FileVerb::Info(WhichFile { message, index }) => {
            let info = session.call(|c| async move { c.file(&message, index.into()).await }).await?;
            session.out.show(&json::File::from(&info), |style| text::file_row(style, &info))
        }
    }
}

async fn save(session: &Session, file: WhichFile, path: &Path, overwrite: bool) -> Done {
    let client = session.client().await?;
    let mut bar = Progress::new(session, "");
    let told = |info: &v1::FileInfo| bar.tell(&info.name, info.here, info.size);
    let saved = client.save_file(&file.message, file.index.into(), path, overwrite, told).await;
    bar.end();
    let saved = saved.map_err(failure)?;
    let line =
        json::Saved { bytes: saved.bytes, sha256: &saved.sha256, path: saved.path.display().to_string() };
    session.out.show(&line, |style| text::saved(style, &saved.path, saved.bytes))
}

/// Hands over the files that a message is to carry.
///
/// # Errors
/// One cannot be read, or the home refused it. No message was sent.
pub(super) async fn hand_over(
    session: &Session,
    client: &Client,
    chat: &str,
    files: &[PathBuf],
) -> Result<Vec<String>, Failure> {
    let mut uploads = Vec::with_capacity(files.len());
    for path in files {
        let unreadable = |error: std::io::Error| Failure::file(path, &error);
        let source = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let about = source.metadata().await.map_err(unreadable)?;
        if about.is_dir() {
            return Err(Failure::caller(text::is_directory(path), text::HINT_DIRECTORY));
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let mut bar = Progress::new(session, &name);
        let told = |sent| bar.tell(&name, sent, about.len());
        let upload = client.upload(chat, &name, "", source, told).await;
        bar.end();
        uploads.push(upload.map_err(failure)?);
    }
    Ok(uploads)
}

fn failure(error: SaveError) -> Failure {
    match error {
        SaveError::Client(error) => refused(error),
        error => Failure { code: error.code().to_owned(), ..Failure::of(&error, error.hint()) },
    }
}

/// A bar on a terminal; lines for programs.
struct Progress<'a> {
    session: &'a Session,
    bar: indicatif::ProgressBar,
    told: Instant,
}

impl<'a> Progress<'a> {
    fn new(session: &'a Session, name: &str) -> Self {
        Self { session, bar: session.out.bar(name), told: Instant::now() }
    }

    fn tell(&mut self, name: &str, bytes: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(bytes);
        if self.session.out.json && self.told.elapsed() >= TELL {
            self.told = Instant::now();
            let line = json::Progress { event: "progress", file: name, bytes, total };
            // Whoever does not listen to the progress may still want the file.
            let _ = self.session.out.show(&line, |_| String::new());
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
