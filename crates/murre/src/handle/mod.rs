//! A running home from inside its process: what the local API and embedding programs use.
//!
//! Commands go through the machine and are answered after they are durable. Reads are pure functions over a second,
//! read-only connection; they never wait for the machine, and they see every command that was answered before.

mod error;
mod events;
mod files;
mod pages;
mod reader;
pub(crate) mod resolve;

pub use error::CallError;
pub(crate) use events::Passing;
pub use events::{EventPage, Events};
pub use pages::Place;
pub use resolve::MIN_PREFIX;

use crate::driver::{Clock, Driver};
use crate::home::{Protection, keyring, wipe};
use murre_core::id::{AccountId, LinkSecretId, LogId, MessageId};
use murre_core::{PeerRef, Rng, Search, TurnError, View, Wall};
use murre_device::invite::{InviteLink, MAX_HINTS};
use murre_device::limits::OUTBOX_WINDOW;
use murre_device::query::{
    self, ChatInfo, ContactInfo, InviteInfo, Me, QueryError, Quota, SafetyInfo, StatusInfo,
};
use murre_device::{
    Answer, Check, Command, CommandError, ContactState, ContactsCommand, ConversationsCommand, Device,
    DeviceStatus, LinkKind,
};
use murre_mailbox::Directory;
use murre_mailbox::client::limits::{MAX_PUTS, MAX_WATCHES};
use murre_net::NetHandle;
use murre_store::SqliteReader;
use rand_core::{OsRng, RngCore};
use reader::Reader;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

/// Messages of a history page when nothing else is asked.
pub const DEFAULT_PAGE: usize = 50;
/// Time between two looks whether a home that joins its first network has done so.
const JOIN_POLL: Duration = Duration::from_millis(50);

/// What a handle is made of.
pub(crate) struct Parts {
    pub driver: Driver<Device>,
    pub reader: SqliteReader,
    pub newest: watch::Receiver<u64>,
    pub passing: broadcast::Sender<Passing>,
    pub closing: watch::Receiver<bool>,
    pub wiped: watch::Sender<bool>,
    pub net: NetHandle,
    pub facts: Facts,
}

/// What does not change while a home runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The home directory.
    pub home: PathBuf,
    /// What hides the database key.
    pub protection: Protection,
    /// The profile in use.
    pub profile: &'static str,
    /// Nodes given at the start.
    pub bootstrap: Vec<PeerRef>,
}

struct Inner {
    driver: Driver<Device>,
    reader: Reader,
    newest: watch::Receiver<u64>,
    passing: broadcast::Sender<Passing>,
    closing: watch::Receiver<bool>,
    wiped: watch::Sender<bool>,
    net: NetHandle,
    facts: Facts,
    clock: Clock,
}

/// A hold on a running home.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("driver", &self.0.driver).finish_non_exhaustive()
    }
}

/// A contact after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Who.
    pub account: AccountId,
    /// The chat with them.
    pub chat: Option<LogId>,
    /// Where things stand.
    pub state: ContactState,
}

impl Handle {
    /// # Errors
    /// The system gave no thread.
    pub(crate) fn new(parts: Parts) -> std::io::Result<Self> {
        let Parts { driver, reader, newest, passing, closing, wiped, net, facts } = parts;
        let (reader, clock) = (Reader::start(reader)?, Clock::start());
        Ok(Self(Arc::new(Inner { driver, reader, newest, passing, closing, wiped, net, facts, clock })))
    }

    /// What does not change while the home runs.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// Destroys the home's key; whoever runs the home then ends it.
    ///
    /// # Errors
    /// [`CallError::Home`] if the key is not destroyed for certain. The home ends all the same.
    // spec: H-18
    pub async fn wipe(&self) -> Result<(), CallError> {
        let home = self.0.facts.home.clone();
        let done = tokio::task::spawn_blocking(move || {
            let item = wipe::destroy_key(&home, &mut wipe::on)?;
            item.into_iter().for_each(keyring::forget);
            Ok(())
        });
        let done = done.await.map_err(|_| CallError::Stopping)?;
        self.0.wiped.send_replace(true);
        done
    }

    /// Hands a command to the device and waits until it is durable.
    ///
    /// # Errors
    /// [`CallError`].
    // spec: A-5
    pub async fn command(&self, command: Command) -> Result<Answer, CallError> {
        Ok(self.0.driver.ask(command).await??)
    }

    /// Reads what is durable, beside the machine.
    ///
    /// # Errors
    /// What `read` says; [`CallError::Stopping`] while the program ends.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn View) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        self.read_texts(|view| read(view)).await
    }

    /// The same, with full text.
    async fn read_texts<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Search) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        self.0.reader.read(read).await
    }

    /// Who this home is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn me(&self) -> Result<Me, CallError> {
        self.read(|view| Ok(query::me(view)?)).await
    }

    /// How device, network and driver are.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn status_of_device(&self) -> Result<DeviceStatus, CallError> {
        Ok(self.0.driver.look(|device: &Device, now| device.status(now)).await?)
    }

    /// What is limited: what the store holds, and what is under way.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn quotas(&self, device: &DeviceStatus) -> Result<Vec<Quota>, CallError> {
        let now = self.wall();
        let mut all = self.read(move |view| Ok(query::quotas(view, now)?)).await?;
        let client = &device.client;
        all.extend([
            Quota::new("messages_under_way", device.in_flight, OUTBOX_WINDOW),
            Quota::new("boxes_under_way", client.puts, MAX_PUTS),
            Quota::new("mailboxes_read", client.watches, MAX_WATCHES),
        ]);
        Ok(all)
    }

    /// Named numbers of driver and network, and where the network listens.
    #[must_use]
    pub fn numbers(&self) -> (Vec<(String, u64)>, Vec<String>) {
        let named = self.0.driver.counts().named().into_iter();
        let mut out: Vec<(String, u64)> =
            named.map(|(name, value)| (format!("machine.{name}"), value)).collect();
        let stats = self.0.net.stats();
        let [control, mailbox, message, repair] = stats.bytes_out;
        let net = [
            ("net.links", stats.links),
            ("net.dials", stats.dials),
            ("net.bytes_in", stats.bytes_in),
            ("net.bytes_out.control", control),
            ("net.bytes_out.mailbox", mailbox),
            ("net.bytes_out.message", message),
            ("net.bytes_out.repair", repair),
            ("net.refused", stats.refused),
            ("net.too_slow", stats.too_slow),
            ("net.dropped", stats.dropped),
        ];
        out.extend(net.map(|(name, value)| (name.to_owned(), value)));
        (out, self.0.net.listeners().into_iter().map(|addr| addr.0).collect())
    }

    /// Makes an invitation. `name`: `None` offers the account's own, an empty one hides it. Waits up to `wait` for
    /// a first network if there is none yet, and for the door to be stored.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn invite(
        &self,
        name: Option<String>,
        kind: LinkKind,
        wait: Duration,
    ) -> Result<InviteInfo, CallError> {
        let until = Instant::now() + wait;
        let name = match name {
            None => Some(self.me().await?.name),
            Some(name) => Some(name).filter(|name| !name.is_empty()),
        };
        let link = loop {
            let hints = self.hints().await?;
            let invite = Command::Contacts(ContactsCommand::Invite { name: name.clone(), hints, kind });
            match self.command(invite).await {
                Ok(Answer::Invite { link, .. }) => break link,
                Ok(_) => return Err(odd_answer()),
                // A home that was just started may be about to hear of its network.
                Err(CallError::Command(CommandError::NoNetwork))
                    if Instant::now() < until && !self.0.facts.bootstrap.is_empty() =>
                {
                    tokio::time::sleep(JOIN_POLL).await;
                }
                Err(error) => return Err(error),
            }
        };
        self.published(link.id(), until).await
    }

    /// Waits until an invitation's door is stored, or until a moment.
    async fn published(&self, id: LinkSecretId, until: Instant) -> Result<InviteInfo, CallError> {
        let mut newest = self.0.newest.clone();
        loop {
            newest.borrow_and_update();
            let found = self.invites().await?.into_iter().find(|invite| invite.link.id() == id);
            let invite = found.ok_or(CommandError::UnknownInvite)?;
            if invite.published {
                return Ok(invite);
            }
            match tokio::time::timeout_at(until, newest.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(CallError::Stopping),
                Err(_) => return Ok(invite),
            }
        }
    }

    /// A few nodes for a fresh home to begin with: those we began with, else any that count now.
    async fn hints(&self) -> Result<Vec<PeerRef>, CallError> {
        let mut hints: Vec<PeerRef> = self.0.facts.bootstrap.iter().take(MAX_HINTS).cloned().collect();
        if hints.is_empty() {
            let now = self.wall();
            hints = self.read(move |view| Ok(some_nodes(view, now).map_err(QueryError::from)?)).await?;
        }
        Ok(hints)
    }

    /// Every invitation that has a row, by its end.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn invites(&self) -> Result<Vec<InviteInfo>, CallError> {
        self.read(|view| Ok(query::invites(view)?)).await
    }

    /// Withdraws an invitation, named by its link or a prefix of its id.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn withdraw(&self, link: String) -> Result<(), CallError> {
        let link = self.read(move |view| resolve::invite(view, &link)).await?;
        self.command(Command::Contacts(ContactsCommand::Withdraw { link })).await.map(drop)
    }

    /// Asks the maker of a link to talk.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn add(&self, link: &str, hello: String) -> Result<Change, CallError> {
        let link: InviteLink = link.trim().parse()?;
        self.change(ContactsCommand::Add { link, hello }).await
    }

    /// Accepts someone who asked.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn accept(&self, contact: String) -> Result<Change, CallError> {
        let account = self.contact(contact).await?;
        self.change(ContactsCommand::Accept { account }).await
    }

    /// Silences someone, until unblocked.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn block(&self, contact: String) -> Result<Change, CallError> {
        let account = self.contact(contact).await?;
        self.command(Command::Contacts(ContactsCommand::Block { account })).await?;
        self.standing(account).await
    }

    /// Takes a block back.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn unblock(&self, contact: String) -> Result<Change, CallError> {
        let account = self.contact(contact).await?;
        self.change(ContactsCommand::Unblock { account }).await
    }

    /// The safety number shared with a contact; with a check, compares first.
    ///
    /// # Errors
    /// [`CallError`]; a comparison that fails is [`CommandError::SafetyMismatch`].
    pub async fn verify(&self, contact: String, check: Option<Check>) -> Result<SafetyInfo, CallError> {
        let account = self.contact(contact).await?;
        if let Some(check) = check {
            self.command(Command::Contacts(ContactsCommand::Verify { account, check })).await?;
        }
        self.read(move |view| Ok(query::safety(view, account)?)).await
    }

    /// Gives someone another name, on this device only.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn rename(&self, contact: String, name: String) -> Result<Change, CallError> {
        let account = self.contact(contact).await?;
        self.command(Command::Contacts(ContactsCommand::Rename { account, name })).await?;
        self.standing(account).await
    }

    async fn change(&self, command: ContactsCommand) -> Result<Change, CallError> {
        match self.command(Command::Contacts(command)).await? {
            Answer::Contact { account, chat, state } => Ok(Change { account, chat, state }),
            _ => Err(odd_answer()),
        }
    }

    async fn standing(&self, account: AccountId) -> Result<Change, CallError> {
        let all = self.contacts().await?;
        let found = all.into_iter().find(|contact| contact.account == account);
        let found = found.ok_or(CommandError::UnknownContact)?;
        Ok(Change { account, chat: found.chat, state: found.state })
    }

    async fn contact(&self, given: String) -> Result<AccountId, CallError> {
        self.read(move |view| resolve::contact(view, &given)).await
    }

    async fn chat(&self, given: String) -> Result<LogId, CallError> {
        self.read(move |view| resolve::chat(view, &given)).await
    }

    /// Every contact.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn contacts(&self) -> Result<Vec<ContactInfo>, CallError> {
        self.read(|view| Ok(query::contacts(view)?)).await
    }

    /// Every chat.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn chats(&self) -> Result<Vec<ChatInfo>, CallError> {
        let now = self.wall();
        self.read(move |view| Ok(query::chats(view, now)?)).await
    }

    /// Sends a text with the files of finished uploads. The same client id in the same chat never makes a second message.
    ///
    /// # Errors
    /// [`CallError`].
    // spec: A-7
    pub async fn send(
        &self,
        chat: String,
        text: String,
        reply_to: Option<String>,
        client_id: Option<String>,
        files: Vec<u64>,
    ) -> Result<MessageId, CallError> {
        let chat = self.chat(chat).await?;
        let reply_to = match reply_to {
            Some(given) => Some(self.read(move |view| resolve::message(view, &given)).await?),
            None => None,
        };
        let send = ConversationsCommand::Send { chat, text, reply_to, client_id, files };
        match self.command(Command::Conversations(send)).await? {
            Answer::Message { id } => Ok(id),
            _ => Err(odd_answer()),
        }
    }

    /// How far a message is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn status(&self, message: String) -> Result<StatusInfo, CallError> {
        let now = self.wall();
        self.read(move |view| Ok(query::status(view, resolve::message(view, &message)?, now)?)).await
    }

    /// Every event after a cursor and then every new one; none starts with the next new one. When this returns, no
    /// later event can be missed.
    ///
    /// # Errors
    /// [`CallError::CursorAhead`] and what reading says.
    // spec: A-9
    pub async fn events(&self, since: Option<u64>) -> Result<Events, CallError> {
        self.listen(since, None).await
    }

    /// The same, and between them how files under way go on, from now on.
    ///
    /// # Errors
    /// [`CallError::CursorAhead`] and what reading says.
    // spec: A-22
    pub async fn events_with_progress(&self, since: Option<u64>) -> Result<Events, CallError> {
        self.listen(since, Some(self.0.passing.subscribe())).await
    }

    async fn listen(
        &self,
        since: Option<u64>,
        passing: Option<broadcast::Receiver<Passing>>,
    ) -> Result<Events, CallError> {
        let newest = self.read(|view| Ok(query::last_cursor(view)?)).await?;
        let from = since.unwrap_or(newest);
        if from > newest {
            return Err(CallError::CursorAhead { given: from, newest });
        }
        Ok(Events::new(self.clone(), self.0.newest.clone(), passing, self.0.closing.clone(), from))
    }

    pub(super) fn wall(&self) -> Wall {
        self.0.clock.now().wall
    }
}

fn some_nodes(view: &dyn View, now: Wall) -> Result<Vec<PeerRef>, TurnError> {
    let Some(file) = Directory::stored_network(view)? else { return Ok(Vec::new()) };
    let directory = Directory::open(view, file)?;
    let mut nodes = directory.eligible(now);
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    Rng::from_seed(seed).shuffle(&mut nodes);
    Ok(nodes.iter().filter_map(|key| directory.peer_ref(key)).take(MAX_HINTS).collect())
}

/// The device answered one command as if it were another.
fn odd_answer() -> CallError {
    CommandError::Bug(murre_core::Bug::new("an answer of another kind than its command")).into()
}
