//! Pages of messages, and what is read of them.

use super::{CallError, Handle, resolve};
use murre_device::query::{self, MessageInfo, ReceiptsInfo};
use murre_device::{Command, ConversationsCommand};

/// Where a page of a chat lies. Messages are given by id or prefix; none of them is on the page itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the end.
    Newest,
    /// Right before this message.
    Before(String),
    /// Right after this message.
    After(String),
}

impl Handle {
    /// A page of a chat, oldest first.
    ///
    /// # Errors
    /// [`CallError`].
    // spec: A-12
    pub async fn history(
        &self,
        chat: String,
        place: Place,
        limit: usize,
    ) -> Result<Vec<MessageInfo>, CallError> {
        let now = self.wall();
        self.read(move |view| {
            let chat = resolve::chat(view, &chat)?;
            let message = |given: &str| resolve::message(view, given);
            Ok(match place {
                Place::Newest => query::history(view, chat, None, limit, now)?,
                Place::Before(given) => query::history(view, chat, Some(message(&given)?), limit, now)?,
                Place::After(given) => query::history_after(view, chat, message(&given)?, limit, now)?,
            })
        })
        .await
    }

    /// Messages in which a text occurs, in one chat or in all, newest arrival first.
    ///
    /// # Errors
    /// [`CallError`].
    // spec: A-13
    pub async fn search(
        &self,
        query: String,
        chat: Option<String>,
        before: Option<String>,
        limit: usize,
    ) -> Result<Vec<MessageInfo>, CallError> {
        let now = self.wall();
        self.read_texts(move |view| {
            let chat = chat.map(|given| resolve::chat(view, &given)).transpose()?;
            let before = before.map(|given| resolve::message(view, &given)).transpose()?;
            Ok(query::search(view, &query, chat, before, limit, now)?)
        })
        .await
    }

    /// Marks what was received in a chat as read: everything, or up to and including a message.
    ///
    /// # Errors
    /// [`CallError`].
    // spec: A-14
    pub async fn mark_read(&self, chat: String, upto: Option<String>) -> Result<(), CallError> {
        let command = self
            .read(move |view| {
                let chat = resolve::chat(view, &chat)?;
                Ok(match upto {
                    None => ConversationsCommand::Read { chat },
                    Some(given) => {
                        ConversationsCommand::ReadUpTo { chat, message: resolve::message(view, &given)? }
                    }
                })
            })
            .await?;
        self.command(Command::Conversations(command)).await.map(drop)
    }

    /// The switch of read receipts, of a chat or of the home; `set` moves it first.
    ///
    /// # Errors
    /// [`CallError`].
    // spec: A-15
    pub async fn receipts(
        &self,
        chat: Option<String>,
        set: Option<Option<bool>>,
    ) -> Result<ReceiptsInfo, CallError> {
        let chat = match chat {
            Some(given) => Some(self.chat(given).await?),
            None => None,
        };
        if let Some(set) = set {
            self.command(Command::Conversations(ConversationsCommand::Receipts { chat, set })).await?;
        }
        self.read(move |view| Ok(query::receipts(view, chat)?)).await
    }
}
