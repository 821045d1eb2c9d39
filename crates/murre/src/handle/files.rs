//! Files, from inside the process.

use super::{CallError, Handle, odd_answer, resolve};
use futures::Stream;
use murre_core::id::MessageId;
use murre_device::query::{self, FileInfo};
use murre_device::{Answer, Command, FilesCommand};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// How often a file under way is looked at for whoever watches it.
const LOOK: Duration = Duration::from_millis(200);
/// Parts read ahead of whoever saves a file.
const AHEAD: usize = 2;

impl Handle {
    /// Begins to take a file for a chat.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn open_upload(&self, chat: String, name: String, mime: String) -> Result<u64, CallError> {
        let chat = self.chat(chat).await?;
        match self.command(Command::Files(FilesCommand::Open { chat, name, mime })).await? {
            Answer::Upload { upload } => Ok(upload),
            _ => Err(odd_answer()),
        }
    }

    /// Takes the next piece of a file.
    ///
    /// # Errors
    /// [`CallError`].
    // spec: A-20
    pub async fn piece(&self, upload: u64, offset: u64, bytes: Vec<u8>, last: bool) -> Result<(), CallError> {
        let piece = FilesCommand::Piece { upload, offset, bytes, last };
        self.command(Command::Files(piece)).await.map(drop)
    }

    /// Fetches a file that is only offered.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn fetch(&self, message: String, index: u16) -> Result<(), CallError> {
        let message = self.message_named(message).await?;
        self.command(Command::Files(FilesCommand::Fetch { message, index })).await.map(drop)
    }

    /// Gives a file up.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn cancel_file(&self, message: String, index: u16) -> Result<(), CallError> {
        let message = self.message_named(message).await?;
        self.command(Command::Files(FilesCommand::Cancel { message, index })).await.map(drop)
    }

    /// How a file stands.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn file(&self, message: String, index: u16) -> Result<FileInfo, CallError> {
        let message = self.message_named(message).await?;
        self.file_of(message, index).await
    }

    /// How a file stands, now and after each change, until nothing more will happen by itself.
    ///
    /// # Errors
    /// [`CallError`] if there is no such file.
    pub async fn watch_file(
        &self,
        message: String,
        index: u16,
    ) -> Result<impl Stream<Item = Result<FileInfo, CallError>> + Send + use<>, CallError> {
        let message = self.message_named(message).await?;
        let mut last = self.file_of(message, index).await?;
        let (tell, told) = mpsc::channel(AHEAD);
        let this = self.clone();
        tokio::spawn(async move {
            let mut closing = this.0.closing.clone();
            let mut rested = last.rests();
            if tell.send(Ok(last.clone())).await.is_err() {
                return;
            }
            while !rested {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = tell.closed() => return,
                    _ = closing.wait_for(|closing| *closing) => return,
                }
                let next = this.file_of(message, index).await;
                rested = next.as_ref().map_or(true, FileInfo::rests);
                if next.as_ref().is_ok_and(|next| *next == last) {
                    continue;
                }
                if let Ok(next) = &next {
                    last = next.clone();
                }
                if tell.send(next).await.is_err() {
                    return;
                }
            }
        });
        Ok(ReceiverStream::new(told))
    }

    /// The bytes of a file that is whole, part by part.
    ///
    /// # Errors
    /// [`CallError`] if it is not here.
    // spec: A-21
    pub async fn file_parts(
        &self,
        message: String,
        index: u16,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, CallError>> + Send + use<>, CallError> {
        let message = self.message_named(message).await?;
        let first = self.part(message, index, 0).await?;
        let (tell, told) = mpsc::channel(AHEAD);
        let this = self.clone();
        tokio::spawn(async move {
            let (mut next, mut part) = (Ok(first), 0);
            loop {
                let wanted = match next {
                    Ok(Some(bytes)) => tell.send(Ok(bytes)).await,
                    Ok(None) => return,
                    Err(error) => {
                        let _ = tell.send(Err(error)).await;
                        return;
                    }
                };
                if wanted.is_err() {
                    return;
                }
                part += 1;
                next = this.part(message, index, part).await;
            }
        });
        Ok(ReceiverStream::new(told))
    }

    async fn part(&self, message: MessageId, index: u16, part: u32) -> Result<Option<Vec<u8>>, CallError> {
        self.read(move |view| Ok(query::file_part(view, message, index, part)?)).await
    }

    async fn file_of(&self, message: MessageId, index: u16) -> Result<FileInfo, CallError> {
        self.read(move |view| Ok(query::file(view, message, index)?)).await
    }

    async fn message_named(&self, given: String) -> Result<MessageId, CallError> {
        self.read(move |view| resolve::message(view, &given)).await
    }
}
