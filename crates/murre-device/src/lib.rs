//! One device of one person, as one state machine.
//!
//! ```text
//!                         +--------------------- Device (routes, decides nothing) --------------------+
//!   commands, frames ---> | account   contacts   conversations   delivery   presence   mailbox client | ---> batch,
//!   timeouts              |   who       doors     log + group     outbox    live links   custodians   |  transmits,
//!                         +---------------------------------------------------------------------------+     events
//! ```
//!
//! Children are plain fields. They never meet: a child says something with `cx.up`, the root's [`route`] hands it
//! to one other child. Every turn yields one batch, then what may be released once that batch is durable
//! (`spec/01-machines.md`). Reads for a user interface are pure functions in [`query`] and need no machine.
//!
//! What this does NOT do: open a socket or a file, read a clock, draw randomness, wait.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod account;
pub mod command;
pub mod contacts;
pub mod content;
pub mod conversations;
pub mod delivery;
mod due;
pub mod event;
pub mod files;
#[doc(hidden)]
pub mod fuzz;
pub mod invite;
pub mod limits;
mod meeting;
pub mod presence;
pub mod query;
mod route;
pub mod rows;
pub mod safety;

pub use account::{Init, Initialized, init};
pub use command::{
    Answer, Check, Command, CommandError, ContactState, ContactsCommand, ConversationsCommand, FilesCommand,
    LinkKind, NetworkCommand,
};
pub use event::{DoorProblem, Event, FileStep, MessageState, Notice, Progress, ProgressKind, Warning};
pub use files::FileCounts;

use crate::account::Account;
use crate::contacts::{Contacts, ContactsUp};
use crate::conversations::{ConvUp, Conversations};
use crate::delivery::{Delivery, DeliveryUp};
use crate::files::{Files, FilesUp};
use crate::presence::{Presence, PresenceUp};
use murre_core::{
    CommandId, Input, Mono, NetworkParams, Now, Output, PeerRef, Rng, Transmit, Turn, TurnError, View,
};
use murre_mailbox::client::{Client, ClientEvent, ClientStatus};
use std::collections::VecDeque;

/// What a device is opened with.
#[derive(Debug, Default)]
pub struct Config {
    /// Nodes to begin with.
    pub bootstrap: Vec<PeerRef>,
}

/// Why a device cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// This store has no account.
    #[error("there is no account in this store")]
    NoAccount,
    /// The store failed or is damaged.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

/// What goes on inside, for `doctor`.
#[derive(Clone, Debug)]
pub struct DeviceStatus {
    /// The mailbox client's view of the network.
    pub client: ClientStatus,
    /// Entries in the air.
    pub in_flight: usize,
    /// Contacts with a live link.
    pub live: usize,
    /// Chunks of files since the start.
    pub files: FileCounts,
}

#[derive(Debug, Default)]
struct Ups {
    contacts: VecDeque<ContactsUp>,
    conversations: VecDeque<ConvUp>,
    delivery: VecDeque<DeliveryUp>,
    presence: VecDeque<PresenceUp>,
    files: VecDeque<FilesUp>,
    client: VecDeque<ClientEvent>,
}

/// The device.
#[derive(Debug)]
pub struct Device {
    rng: Rng,
    account: Account,
    contacts: Contacts,
    conversations: Conversations,
    delivery: Delivery,
    presence: Presence,
    files: Files,
    client: Client,
    ups: Ups,
    transmits: Vec<Transmit>,
    events: Vec<Event>,
    out: VecDeque<Output<Event>>,
    due: Option<Mono>,
    started: bool,
}

impl Device {
    /// Opens a device over its rows. Reads heads and the outbox window, never whole logs.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(now: Now, seed: [u8; 32], view: &dyn View, config: Config) -> Result<Self, OpenError> {
        let account = Account::open(view)?.ok_or(OpenError::NoAccount)?;
        let network = rows::network(view)?;
        let params = network.as_ref().map_or(NetworkParams::production(), |n| n.params);
        let id = network.as_ref().map(murre_mailbox::NetworkFile::id);
        let mut rng = Rng::from_seed(seed);
        let client = Client::open(view, &mut rng, network, config.bootstrap)?;
        Ok(Self {
            rng,
            account,
            contacts: Contacts::open(now.mono, params, id),
            conversations: Conversations::open(now.mono, view)?,
            delivery: Delivery::open(now.mono, view, params)?,
            presence: Presence::new(Conversations::link_keys(view)?),
            files: Files::default(),
            client,
            ups: Ups::default(),
            transmits: Vec::new(),
            events: Vec::new(),
            out: VecDeque::new(),
            due: Some(now.mono),
            started: false,
        })
    }

    /// All commands that wait, in one turn.
    ///
    /// # Errors
    /// [`TurnError`]: nothing of the turn may be released.
    pub fn handle_commands(
        &mut self,
        now: Now,
        view: &dyn View,
        commands: Vec<(CommandId, Command)>,
    ) -> Result<(), TurnError> {
        self.turn(now, view, |this, now, tx| {
            for (id, command) in commands {
                this.command(now, tx, id, command)?;
            }
            this.pack(now, tx)
        })
    }

    /// Something came from outside.
    ///
    /// # Errors
    /// [`TurnError`]: nothing of the turn may be released.
    pub fn handle_input(&mut self, now: Now, view: &dyn View, input: Input) -> Result<(), TurnError> {
        self.turn(now, view, |this, now, tx| this.input(now, tx, input))
    }

    /// The moment that was asked for has come.
    ///
    /// # Errors
    /// [`TurnError`]: nothing of the turn may be released.
    pub fn handle_timeout(&mut self, now: Now, view: &dyn View) -> Result<(), TurnError> {
        self.turn(now, view, |this, now, tx| this.timeout(now, tx))
    }

    /// What the turn yields, in order: `Commit`, then Transmits and Events, then `Timeout`.
    pub fn poll_output(&mut self) -> Option<Output<Event>> {
        self.out.pop_front()
    }

    /// What goes on inside.
    #[must_use]
    pub fn status(&self, now: Now) -> DeviceStatus {
        DeviceStatus {
            client: self.client.status(now),
            in_flight: self.delivery.in_flight(),
            live: self.presence.live(),
            files: self.files.counts(),
        }
    }

    fn turn<F>(&mut self, now: Now, view: &dyn View, body: F) -> Result<(), TurnError>
    where
        F: FnOnce(&mut Self, Now, &mut Turn<'_>) -> Result<(), TurnError>,
    {
        let mut tx = Turn::new(view);
        let result = self.begin(now, &mut tx).and_then(|()| body(self, now, &mut tx));
        let result = result.and_then(|()| self.finish(now, &mut tx));
        if let Err(error) = result {
            // The shell drops this machine; nothing of the turn may be polled from it.
            self.conversations.abort();
            self.out.clear();
            return Err(error);
        }
        self.out.push_back(Output::Commit(tx.into_batch()));
        self.out.extend(self.transmits.drain(..).map(Output::Transmit));
        self.out.extend(self.events.drain(..).map(Output::Event));
        self.due = self.next_timeout();
        self.out.push_back(Output::Timeout(self.due));
        Ok(())
    }

    fn next_timeout(&self) -> Option<Mono> {
        [
            self.contacts.next_timeout(),
            self.conversations.next_timeout(),
            self.delivery.next_timeout(),
            self.presence.next_timeout(),
            self.files.next_timeout(),
            self.client.next_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Which child a frame belongs to is its first byte.
    fn is_live_frame(bytes: &[u8]) -> bool {
        bytes.first() == Some(&presence::FRAME_KIND)
    }
}
