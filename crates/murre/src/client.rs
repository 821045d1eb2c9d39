//! Speaking to a running home: one method per verb.
//!
//! A [`Client`] is cheap to clone and safe to drop in the middle of a call: the home finishes what it has begun, and
//! a repeated `send` with the same client id never makes a second message.

mod files;
mod place;

pub use files::{SaveError, Saved};

use crate::api::{CODE, CONNECTION_WINDOW, HINT, KIND, STREAM_WINDOW};
use crate::socket;
use crate::v1::account_client::AccountClient;
use crate::v1::chats_client::ChatsClient;
use crate::v1::contacts_client::ContactsClient;
use crate::v1::daemon_client::DaemonClient;
use crate::v1::events_client::EventsClient;
use crate::v1::{self, MeRequest};
use futures::Stream;
use hyper_util::rt::TokioIo;
use murre_core::{ErrorKind, HasKind};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status, Streaming};
use tower::service_fn;

/// Largest answer that is taken, bytes: a full page of the longest texts, and room.
pub const MAX_ANSWER: usize = 96 << 20;
/// How long [`Client::invite`] waits for the door to be stored, ms.
const INVITE_WAIT_MS: u32 = 10_000;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No process serves this home.
    #[error("no `murre up` is running for {}", home.display())]
    NotRunning {
        /// The home.
        home: PathBuf,
    },
    /// There is a socket, but this user may not use it.
    #[error("this user may not use the home {}", home.display())]
    NotAllowed {
        /// The home.
        home: PathBuf,
    },
    /// The home refused.
    #[error("{message}")]
    Refused {
        /// Who is at fault: `environment`, `remote`, `caller`, `bug`.
        kind: String,
        /// The cause in one word.
        code: String,
        /// What happened.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// The connection ended in the middle. What was asked may have been done.
    #[error("the connection to the running home was lost")]
    Lost,
    /// The other end speaks another version of this API.
    #[error("the running home does not understand this request: {message}")]
    Version {
        /// Its words.
        message: String,
    },
}

impl ClientError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotRunning { .. } => "start it with `murre up` (and --home DIR, if this is not the default home)".to_owned(),
            Self::NotAllowed { .. } => "run this as the user that the home belongs to".to_owned(),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Lost => "look whether `murre up` still runs, then ask again; a send with a client id may be repeated safely".to_owned(),
            Self::Version { .. } => "restart `murre up` with this version".to_owned(),
        }
    }

    /// The cause in one word.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::NotRunning { .. } => "not-running",
            Self::NotAllowed { .. } => "not-allowed",
            Self::Refused { code, .. } => code,
            Self::Lost => "lost",
            Self::Version { .. } => "version",
        }
    }
}

impl HasKind for ClientError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotRunning { .. } | Self::NotAllowed { .. } | Self::Version { .. } => ErrorKind::Caller,
            Self::Lost => ErrorKind::Environment,
            Self::Refused { kind, .. } => match kind.as_str() {
                "caller" => ErrorKind::Caller,
                "remote" => ErrorKind::Remote,
                "bug" => ErrorKind::Bug,
                _ => ErrorKind::Environment,
            },
        }
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        let get = |key| status.metadata().get(key).and_then(|value| value.to_str().ok());
        match (get(KIND), status.code()) {
            (Some(kind), _) => Self::Refused {
                kind: kind.to_owned(),
                code: get(CODE).unwrap_or_default().to_owned(),
                message: status.message().to_owned(),
                hint: get(HINT).unwrap_or_default().to_owned(),
            },
            // Not our words: gRPC itself speaks.
            (
                None,
                Code::Unimplemented | Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted,
            ) => Self::Version { message: status.message().to_owned() },
            (None, _) => Self::Lost,
        }
    }
}

/// A connection to a running home.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
}

/// Shortens the methods: connect the service, call, take the answer's body.
macro_rules! call {
    ($self:ident, $service:ident, $method:ident, $request:expr) => {
        $service::new($self.channel.clone())
            .max_decoding_message_size(MAX_ANSWER)
            .$method($request)
            .await
            .map(tonic::Response::into_inner)
            .map_err(ClientError::from)
    };
}

impl Client {
    /// Connects to the process that runs this home, and hears from it once.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] if there is none.
    pub async fn connect(home: &Path) -> Result<Self, ClientError> {
        let absent = || ClientError::NotRunning { home: home.to_owned() };
        // A first connection by hand, because the channel hides why it failed.
        match socket::connect(home).await {
            Ok(stream) if socket::is_ours(&stream) => {}
            Ok(_) => return Err(ClientError::NotAllowed { home: home.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(ClientError::NotAllowed { home: home.to_owned() });
            }
            Err(_) => return Err(absent()),
        }
        let at = home.to_owned();
        let connector = service_fn(move |_: Uri| {
            let at = at.clone();
            async move { socket::connect(&at).await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://murre.local")
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .connect_with_connector(connector)
            .await;
        let client = Self { channel: channel.map_err(|_| absent())? };
        match client.me().await {
            // It was there a moment ago: it is being stopped.
            Err(ClientError::Lost) => Err(absent()),
            answered => answered.map(|_| client),
        }
    }

    /// Who this home is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn me(&self) -> Result<v1::Me, ClientError> {
        call!(self, AccountClient, me, MeRequest {})
    }

    /// Makes an invitation and waits up to 10 s until its door is stored. `name`: `None` offers the account's own,
    /// an empty one hides it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn invite(&self, name: Option<String>) -> Result<v1::Invite, ClientError> {
        self.invite_within(name, INVITE_WAIT_MS).await
    }

    /// Like [`Client::invite`] with another wait, ms; zero does not wait.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn invite_within(&self, name: Option<String>, wait_ms: u32) -> Result<v1::Invite, ClientError> {
        call!(self, ContactsClient, invite, v1::InviteRequest { name, wait_ms, public: false, fresh: false })
    }

    /// The public invitation, made if there is none; with `fresh`, another one in place of it. Waits as
    /// [`Client::invite`] does.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn invite_public(&self, name: Option<String>, fresh: bool) -> Result<v1::Invite, ClientError> {
        let request = v1::InviteRequest { name, wait_ms: INVITE_WAIT_MS, public: true, fresh };
        call!(self, ContactsClient, invite, request)
    }

    /// Every invitation that has not ended.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn invites(&self) -> Result<Vec<v1::Invite>, ClientError> {
        Ok(call!(self, ContactsClient, invites, v1::InvitesRequest {})?.invites)
    }

    /// Withdraws an invitation, named by its link or a prefix of its id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn withdraw(&self, link: &str) -> Result<(), ClientError> {
        call!(self, ContactsClient, withdraw, v1::WithdrawRequest { link: link.to_owned() }).map(drop)
    }

    /// Asks the maker of a link to talk.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn contact_add(&self, link: &str, hello: &str) -> Result<v1::ContactChange, ClientError> {
        let request = v1::AddRequest { link: link.to_owned(), hello: hello.to_owned() };
        call!(self, ContactsClient, add, request)
    }

    /// Accepts someone who asked.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn accept(&self, contact: &str) -> Result<v1::ContactChange, ClientError> {
        call!(self, ContactsClient, accept, v1::ContactRequest { contact: contact.to_owned() })
    }

    /// Silences someone, until unblocked.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn block(&self, contact: &str) -> Result<v1::ContactChange, ClientError> {
        call!(self, ContactsClient, block, v1::ContactRequest { contact: contact.to_owned() })
    }

    /// Takes a block back: things stand as they stood before it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unblock(&self, contact: &str) -> Result<v1::ContactChange, ClientError> {
        call!(self, ContactsClient, unblock, v1::ContactRequest { contact: contact.to_owned() })
    }

    /// The safety number shared with a contact; with a check, compares first and keeps what came of it.
    ///
    /// # Errors
    /// [`ClientError`]; a comparison that fails has the code `safety-mismatch`.
    pub async fn verify(
        &self,
        contact: &str,
        check: Option<v1::verify_request::Check>,
    ) -> Result<v1::Safety, ClientError> {
        call!(self, ContactsClient, verify, v1::VerifyRequest { contact: contact.to_owned(), check })
    }

    /// Gives someone another name, on this device only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rename(&self, contact: &str, name: &str) -> Result<v1::ContactChange, ClientError> {
        let request = v1::RenameRequest { contact: contact.to_owned(), name: name.to_owned() };
        call!(self, ContactsClient, rename, request)
    }

    /// Every contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn contacts(&self) -> Result<Vec<v1::Contact>, ClientError> {
        Ok(call!(self, ContactsClient, list, v1::ContactsRequest {})?.contacts)
    }

    /// Every chat.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn chats(&self) -> Result<Vec<v1::Chat>, ClientError> {
        Ok(call!(self, ChatsClient, list, v1::ChatsRequest {})?.chats)
    }

    /// Sends a text; answers once it is durable.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send(&self, request: v1::SendRequest) -> Result<v1::Sent, ClientError> {
        call!(self, ChatsClient, send, request)
    }

    /// A page of a chat, oldest first. `limit` 0 means 50.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn history(
        &self,
        chat: &str,
        limit: u32,
        before: Option<&str>,
    ) -> Result<Vec<v1::Message>, ClientError> {
        let before = before.unwrap_or_default().to_owned();
        self.history_page(v1::HistoryRequest { chat: chat.to_owned(), limit, before, after: String::new() })
            .await
    }

    /// The same, anywhere in the chat: also what stands after a message.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn history_page(&self, request: v1::HistoryRequest) -> Result<Vec<v1::Message>, ClientError> {
        Ok(call!(self, ChatsClient, history, request)?.messages)
    }

    /// Messages in which a text occurs, newest arrival first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn search(&self, request: v1::SearchRequest) -> Result<Vec<v1::Message>, ClientError> {
        Ok(call!(self, ChatsClient, search, request)?.messages)
    }

    /// How far a message is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self, message: &str) -> Result<v1::MessageStatus, ClientError> {
        call!(self, ChatsClient, status, v1::StatusRequest { message: message.to_owned() })
    }

    /// Marks everything received in a chat as read.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn read(&self, chat: &str) -> Result<(), ClientError> {
        self.read_upto(chat, "").await
    }

    /// Marks what stands up to and including a message as read.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn read_upto(&self, chat: &str, upto: &str) -> Result<(), ClientError> {
        let request = v1::ReadRequest { chat: chat.to_owned(), upto: upto.to_owned() };
        call!(self, ChatsClient, read, request).map(drop)
    }

    /// Shows or moves the switch of read receipts.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn receipts(&self, request: v1::ReceiptsRequest) -> Result<v1::ReceiptsSetting, ClientError> {
        call!(self, ChatsClient, receipts, request)
    }

    /// Events after a cursor, then new ones; `None`: new ones only, `Some(0)`: all that are kept. When this returns,
    /// no later event is missed. After [`ClientError::Lost`], go on with the last cursor on a new connection.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn watch(&self, since: Option<u64>) -> Result<WatchStream, ClientError> {
        call!(self, EventsClient, watch, v1::WatchRequest { since, progress: false }).map(WatchStream)
    }

    /// The same, and between the events how files under way go on, in both directions, from now on. That is not kept:
    /// it bears the cursor of the event before it, and who is slow misses some of it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn watch_with_progress(&self, since: Option<u64>) -> Result<WatchStream, ClientError> {
        call!(self, EventsClient, watch, v1::WatchRequest { since, progress: true }).map(WatchStream)
    }

    /// How everything is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn doctor(&self) -> Result<v1::Doctor, ClientError> {
        call!(self, DaemonClient, doctor, v1::DoctorRequest {})
    }

    /// Destroys the key of the running home, which then removes itself and ends. There is no way back.
    /// [`crate::wipe`] does the same without relying on the process that runs the home.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn wipe(&self) -> Result<(), ClientError> {
        call!(self, DaemonClient, wipe, v1::WipeRequest {}).map(drop)
    }
}

/// Events, each exactly once and in order. It ends only with an error.
#[derive(Debug)]
pub struct WatchStream(Streaming<v1::Event>);

impl Stream for WatchStream {
    type Item = Result<v1::Event, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx).map(|next| next.map(|event| event.map_err(ClientError::from)))
    }
}
