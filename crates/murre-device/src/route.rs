//! What goes where. One exhaustive match for each direction, no wildcard, no decision: an arm calls a child and
//! hands on what it gets.

mod files;

use crate::command::{Answer, Command, CommandError, ContactsCommand, ConversationsCommand, NetworkCommand};
use crate::contacts::{self, ContactsUp};
use crate::content::kind;
use crate::conversations::{ConvUp, Conversations};
use crate::delivery::DeliveryUp;
use crate::limits::MAX_HOPS;
use crate::presence::PresenceUp;
use crate::rows;
use crate::{Device, Event, Notice};
use murre_core::{Bug, CommandId, Cx, Input, Now, Turn, TurnError};
use murre_mailbox::ReaderKeys;
use murre_mailbox::client::{ClientEvent, PutError, PutKey, PutTrouble, PuzzleId, WatchError, WatchKey};

/// The context of one child: its own queue, the turn, the generator. What must agree with custodians on days and
/// hours gets network time; the client, which measures it, and everything else get the device's own.
macro_rules! cx {
    ($this:ident, $now:ident, $tx:ident, contacts) => {
        &mut Cx::new($this.network_now($now), &mut $this.rng, $tx, &mut $this.ups.contacts)
    };
    ($this:ident, $now:ident, $tx:ident, delivery) => {
        &mut Cx::new($this.network_now($now), &mut $this.rng, $tx, &mut $this.ups.delivery)
    };
    ($this:ident, $now:ident, $tx:ident, $child:ident) => {
        &mut Cx::new($now, &mut $this.rng, $tx, &mut $this.ups.$child)
    };
}

pub(crate) use cx;

impl Device {
    pub(crate) fn command(
        &mut self,
        now: Now,
        tx: &mut Turn<'_>,
        id: CommandId,
        command: Command,
    ) -> Result<(), TurnError> {
        match command {
            Command::Contacts(command) => self.contacts_command(now, tx, id, command),
            Command::Conversations(ConversationsCommand::Send { chat, text, reply_to, client_id, files }) => {
                let contact = Conversations::number(tx, chat)?;
                match self.files.refs(id, contact, &files) {
                    // An upload ends with the run that took it; the message that names it may be there all the same.
                    Err(refused) => {
                        let known = Conversations::sent_before(tx, chat, client_id.as_deref())?;
                        self.answer(id, known.map(|id| Answer::Message { id }).ok_or(refused));
                    }
                    Ok(files) => {
                        let send = crate::conversations::SendText { chat, text, reply_to, client_id, files };
                        let cx = cx!(self, now, tx, conversations);
                        self.conversations.send(cx, &self.account, id, send)?;
                    }
                }
                Ok(())
            }
            Command::Files(command) => self.files_command(now, tx, id, command),
            Command::Conversations(ConversationsCommand::Read { chat }) => {
                self.conversations.read(cx!(self, now, tx, conversations), id, chat, None)
            }
            Command::Conversations(ConversationsCommand::ReadUpTo { chat, message }) => {
                self.conversations.read(cx!(self, now, tx, conversations), id, chat, Some(message))
            }
            Command::Conversations(ConversationsCommand::Receipts { chat, set }) => {
                self.conversations.set_receipts(cx!(self, now, tx, conversations), id, chat, set)
            }
            Command::Network(NetworkCommand::Bootstrap { nodes }) => {
                for node in nodes {
                    self.client.add_bootstrap(cx!(self, now, tx, client), node);
                }
                self.answer(id, Ok(Answer::Done));
                Ok(())
            }
            Command::Network(NetworkCommand::PuzzleDone { id: puzzle, solution }) => {
                self.client.puzzle_done(cx!(self, now, tx, client), PuzzleId(puzzle), solution);
                self.answer(id, Ok(Answer::Done));
                Ok(())
            }
        }
    }

    fn contacts_command(
        &mut self,
        now: Now,
        tx: &mut Turn<'_>,
        id: CommandId,
        command: ContactsCommand,
    ) -> Result<(), TurnError> {
        match command {
            ContactsCommand::Invite { name, hints, kind } => {
                let package =
                    self.conversations.key_package(cx!(self, now, tx, conversations), &self.account)?;
                let (reference, wish) = (package.0, contacts::Wish { kind, name, hints });
                let cx = cx!(self, now, tx, contacts);
                if !self.contacts.invite(cx, &self.account, id, wish, package)? {
                    self.conversations.forget_key_package(tx, reference);
                }
                Ok(())
            }
            ContactsCommand::Withdraw { link } => {
                self.contacts.withdraw(cx!(self, now, tx, contacts), id, &link)
            }
            ContactsCommand::Add { link, hello } => {
                for hint in link.hints.iter().cloned() {
                    self.client.add_bootstrap(cx!(self, now, tx, client), hint);
                }
                self.contacts.add(cx!(self, now, tx, contacts), &self.account, id, &link, &hello)
            }
            ContactsCommand::Accept { account } => {
                self.contacts.accept(cx!(self, now, tx, contacts), id, account)
            }
            ContactsCommand::Block { account } => {
                self.contacts.block(cx!(self, now, tx, contacts), id, account)
            }
            ContactsCommand::Unblock { account } => {
                self.contacts.unblock(cx!(self, now, tx, contacts), id, account)
            }
            ContactsCommand::Verify { account, check } => {
                let me = self.account.id();
                self.contacts.verify(cx!(self, now, tx, contacts), me, id, account, &check)
            }
            ContactsCommand::Rename { account, name } => {
                self.contacts.rename(cx!(self, now, tx, contacts), id, account, &name)
            }
        }
    }

    /// Ends the commands of a turn: what waits for one chat becomes one entry.
    pub(crate) fn pack(&mut self, now: Now, tx: &mut Turn<'_>) -> Result<(), TurnError> {
        self.conversations.pack_drafts(cx!(self, now, tx, conversations), &self.account)
    }

    pub(crate) fn input(&mut self, now: Now, tx: &mut Turn<'_>, input: Input) -> Result<(), TurnError> {
        match input {
            Input::LinkUp(up) => {
                self.presence.link_up(cx!(self, now, tx, presence), &up);
                self.client.handle_link_up(cx!(self, now, tx, client), &up)
            }
            Input::LinkDown { link, why: _ } => {
                self.presence.link_down(cx!(self, now, tx, presence), link);
                self.client.handle_link_down(cx!(self, now, tx, client), link)
            }
            Input::Frame { link, bytes } if Self::is_live_frame(&bytes) => {
                self.presence.frame(cx!(self, now, tx, presence), link, &bytes);
                Ok(())
            }
            Input::Frame { link, bytes } => {
                self.client.handle_frame(cx!(self, now, tx, client), link, &bytes)
            }
            Input::Credit { .. } => Ok(()),
            Input::Unreachable { peer } => {
                self.presence.unreachable(now.mono, peer);
                self.client.unreachable(cx!(self, now, tx, client), peer)
            }
            Input::Listening { own, addrs } => {
                self.presence.listening(cx!(self, now, tx, presence), own, addrs);
                self.announce_all(now, tx)
            }
        }
    }

    /// What the first turn after opening does: take up what an earlier run left.
    pub(crate) fn begin(&mut self, now: Now, tx: &mut Turn<'_>) -> Result<(), TurnError> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        self.files.begin(cx!(self, now, tx, files))?;
        self.delivery.watch_all(cx!(self, now, tx, delivery), &self.account)
    }

    pub(crate) fn timeout(&mut self, now: Now, tx: &mut Turn<'_>) -> Result<(), TurnError> {
        self.contacts.handle_timeout(cx!(self, now, tx, contacts), &self.account)?;
        self.conversations.handle_timeout(cx!(self, now, tx, conversations), &self.account)?;
        self.delivery.handle_timeout(cx!(self, now, tx, delivery), &mut self.account)?;
        self.files.handle_timeout(cx!(self, now, tx, files))?;
        self.presence.handle_timeout(cx!(self, now, tx, presence));
        self.client.handle_timeout(cx!(self, now, tx, client))
    }

    /// Drains what the children said until all are quiet, then closes the turn.
    pub(crate) fn finish(&mut self, now: Now, tx: &mut Turn<'_>) -> Result<(), TurnError> {
        let mut hops = 0;
        while self.hop(now, tx)? {
            hops += 1;
            if hops > MAX_HOPS {
                return Err(Bug::new("the children of a device do not come to rest").into());
            }
        }
        self.presence.end_turn(cx!(self, now, tx, presence));
        while let Some(up) = self.ups.presence.pop_front() {
            self.on_presence(now, tx, up)?;
        }
        self.conversations.end_turn(tx)
    }

    /// Hands on one saying. False if there is none.
    fn hop(&mut self, now: Now, tx: &mut Turn<'_>) -> Result<bool, TurnError> {
        if let Some(up) = self.ups.contacts.pop_front() {
            self.on_contacts(now, tx, up)?;
        } else if let Some(up) = self.ups.conversations.pop_front() {
            self.on_conversations(now, tx, up)?;
        } else if let Some(up) = self.ups.delivery.pop_front() {
            self.on_delivery(now, tx, up)?;
        } else if let Some(up) = self.ups.presence.pop_front() {
            self.on_presence(now, tx, up)?;
        } else if let Some(up) = self.ups.files.pop_front() {
            self.on_files(now, tx, up)?;
        } else if let Some(up) = self.ups.client.pop_front() {
            self.on_client(now, tx, up)?;
        } else if self.conversations.has_drafts() {
            // spec: D-20
            self.pack(now, tx)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn on_contacts(&mut self, now: Now, tx: &mut Turn<'_>, up: ContactsUp) -> Result<(), TurnError> {
        match up {
            ContactsUp::Answer(id, result) => self.answer(id, result),
            ContactsUp::Notice(notice) => self.notice(tx, notice)?,
            ContactsUp::Watch(key, keys) => self.watch(now, tx, key, *keys)?,
            ContactsUp::Unwatch(key) => self.client.unwatch(cx!(self, now, tx, client), key),
            ContactsUp::Release(key, ids) => self.client.release(cx!(self, now, tx, client), key, &ids),
            ContactsUp::Taken(key, ids) => self.client.boxes_taken(cx!(self, now, tx, client), key, &ids),
            ContactsUp::PutObject(key, bytes) => {
                if self.client.put_object(cx!(self, now, tx, client), key, &bytes).is_err() {
                    self.contacts.put_refused(now.mono, key);
                }
            }
            ContactsUp::Put(key, bytes) => self.put(now, tx, key, &bytes)?,
            ContactsUp::Cancel(key) => self.client.cancel(cx!(self, now, tx, client), key),
            ContactsUp::GetObject(key, address) => {
                self.client.get_object(cx!(self, now, tx, client), key, *address);
            }
            ContactsUp::Begin { contact, account, drop, until, command } => {
                let log = self.conversations.create(
                    cx!(self, now, tx, conversations),
                    &self.account,
                    contact,
                    account,
                )?;
                self.delivery.add_route(cx!(self, now, tx, delivery), contact, account)?;
                self.delivery.add_drop(cx!(self, now, tx, delivery), contact, drop, until)?;
                self.contact_chat(now, tx, contact, log, Some(command))?;
            }
            ContactsUp::Found { contact, log, packages, tag } => {
                self.found(now, tx, contact, log, &packages, tag)?;
            }
            ContactsUp::Join { contact, request, command } => {
                self.join(now, tx, contact, &request, command)?
            }
            ContactsUp::ForgetPackage(reference) => self.conversations.forget_key_package(tx, reference),
            ContactsUp::Block(_) if murre_core::sabotage::active("hear-the-blocked") => {}
            ContactsUp::Block(contact) => {
                self.files.forget(contact);
                self.delivery.block(cx!(self, now, tx, delivery), &mut self.account, contact)?;
                self.presence.forget(cx!(self, now, tx, presence), contact);
            }
            ContactsUp::Unblock(contact, state) => self.unblocked(now, tx, contact, state)?,
        }
        Ok(())
    }

    fn on_conversations(&mut self, now: Now, tx: &mut Turn<'_>, up: ConvUp) -> Result<(), TurnError> {
        match up {
            ConvUp::Answer(id, result) => self.answer_send(now, id, result),
            ConvUp::Notice(notice) => self.notice(tx, notice)?,
            ConvUp::Outgoing(out) => {
                let packet = out.packet.clone();
                let live = self.presence.send(cx!(self, now, tx, presence), out.contact, packet);
                self.delivery.enqueue(cx!(self, now, tx, delivery), &self.account, out, live)?;
            }
            ConvUp::Signal { contact, packet, ttl, mailbox } => {
                let live = self.presence.send(cx!(self, now, tx, presence), contact, packet.clone());
                if mailbox && !live {
                    self.delivery.parcel(
                        cx!(self, now, tx, delivery),
                        &self.account,
                        contact,
                        packet,
                        ttl,
                    )?;
                }
            }
            ConvUp::Acked { log, upto, read } => {
                self.delivery.acked(cx!(self, now, tx, delivery), log, upto, read)?;
            }
            ConvUp::Handover(contact, handover) => self.handover(now, tx, contact, *handover)?,
            ConvUp::Renewal(contact, renewal) => {
                self.delivery.renewed(cx!(self, now, tx, delivery), contact, renewal)?;
            }
            // A contact cannot make us take a node for a person.
            ConvUp::Presence(_, place, _) if self.client.is_node(&place.k) => {}
            ConvUp::Presence(contact, place, said) => {
                self.presence.learned(cx!(self, now, tx, presence), contact, place, said);
            }
            ConvUp::Move(contact, told, logs) => {
                let cx = cx!(self, now, tx, delivery);
                self.delivery.moved(cx, &self.account, contact, *told, &logs)?;
            }
            ConvUp::Device(contact, device) => {
                self.contacts.device_seen(cx!(self, now, tx, contacts), contact, device)?;
            }
            ConvUp::Resend(contact, logs) => {
                self.delivery.resend(cx!(self, now, tx, delivery), &self.account, contact, &logs)?;
            }
            ConvUp::Halted(contact) => self.delivery.halt(cx!(self, now, tx, delivery), contact)?,
            ConvUp::Heard(contact) => self.delivery.heard(cx!(self, now, tx, delivery), contact)?,
            ConvUp::Files { contact, own: true, message, files } => {
                self.files.shared(cx!(self, now, tx, files), contact, message, &files)?;
            }
            ConvUp::Files { contact, own: false, message, files } => {
                self.files.arrived(cx!(self, now, tx, files), contact, message, &files)?;
            }
            ConvUp::Chunk(contact, chunk) => {
                self.files.chunk(cx!(self, now, tx, files), contact, chunk)?;
            }
            ConvUp::FileAsk(contact, ask) => {
                self.files.asked(cx!(self, now, tx, files), contact, &ask)?;
            }
            ConvUp::FileWord(contact, word) => {
                self.files.word(cx!(self, now, tx, files), contact, &word)?;
            }
            ConvUp::Careful(contact) => {
                for watch in self.delivery.watches(tx, &self.account, contact)? {
                    self.client.careful(cx!(self, now, tx, client), watch);
                }
            }
        }
        Ok(())
    }

    fn on_delivery(&mut self, now: Now, tx: &mut Turn<'_>, up: DeliveryUp) -> Result<(), TurnError> {
        match up {
            DeliveryUp::Put(key, bytes) => self.put(now, tx, key, &bytes)?,
            DeliveryUp::Cancel(key) => self.client.cancel(cx!(self, now, tx, client), key),
            DeliveryUp::Watch(key, keys) => self.watch(now, tx, key, *keys)?,
            DeliveryUp::Unwatch(key) => self.client.unwatch(cx!(self, now, tx, client), key),
            DeliveryUp::Taken(key, ids) => self.client.boxes_taken(cx!(self, now, tx, client), key, &ids),
            DeliveryUp::Tombstone(key, ids) => self.client.tombstone(cx!(self, now, tx, client), key, &ids),
            DeliveryUp::Packets(contact, packets) => {
                let cx = cx!(self, now, tx, conversations);
                self.conversations.receive(cx, &self.account, contact, &packets)?;
            }
            DeliveryUp::Live(contact, packet) => {
                self.presence.send(cx!(self, now, tx, presence), contact, packet);
            }
            DeliveryUp::Move(contact) => self.tell_move(now, tx, contact)?,
            DeliveryUp::Renew(contact, certs, mailbox) => {
                let body = crate::content::Renewal { c: certs, m: mailbox };
                let cx = cx!(self, now, tx, conversations);
                self.conversations.say(cx, &self.account, contact, kind::RENEWAL, &body)?;
            }
            DeliveryUp::ChunkStored(file, index) => {
                self.files.stored(cx!(self, now, tx, files), file, index)?;
            }
            DeliveryUp::Notice(notice) => self.notice(tx, notice)?,
        }
        Ok(())
    }

    fn on_presence(&mut self, now: Now, tx: &mut Turn<'_>, up: PresenceUp) -> Result<(), TurnError> {
        match up {
            PresenceUp::Transmit(transmit) => self.transmits.push(transmit),
            PresenceUp::Live(contact) => {
                let logs = self.conversations.logs_of(tx, contact)?;
                self.delivery.live_up(cx!(self, now, tx, delivery), &logs)?;
                self.files.link_up(cx!(self, now, tx, files), contact)?;
            }
            PresenceUp::Lost(contact) => {
                self.delivery.live_down(now.mono);
                self.conversations.receipt_again(cx!(self, now, tx, conversations), contact)?;
                self.files.link_lost(cx!(self, now, tx, files), contact)?;
            }
            PresenceUp::Packets(contact, packets) => {
                let cx = cx!(self, now, tx, conversations);
                self.conversations.receive(cx, &self.account, contact, &packets)?;
            }
            PresenceUp::Announce(contact, place) => {
                let cx = cx!(self, now, tx, conversations);
                self.conversations.signal(cx, &self.account, contact, kind::PRESENCE, &place, 1)?;
            }
        }
        Ok(())
    }

    fn on_client(&mut self, now: Now, tx: &mut Turn<'_>, up: ClientEvent) -> Result<(), TurnError> {
        match up {
            ClientEvent::Transmit(transmit) => self.transmits.push(transmit),
            ClientEvent::Receipts { put, signed_by, solid } if contacts::owns_put(put) => {
                let _ = signed_by;
                self.contacts.signed(cx!(self, now, tx, contacts), put, solid)?;
            }
            ClientEvent::Receipts { put, signed_by, solid } => {
                let signed = signed_by.len() as u32;
                self.delivery.signed(cx!(self, now, tx, delivery), put, signed, solid)?;
            }
            ClientEvent::Conflict { put, proven: true, .. } if contacts::owns_put(put) => {
                self.contacts.slot_taken(cx!(self, now, tx, contacts), put)?;
            }
            // A custodian that cannot prove its conflict lies; the client goes on without it.
            ClientEvent::Conflict { proven: false, .. } => {}
            ClientEvent::Conflict { put, .. } => {
                if let Some(contact) = self.delivery.conflict(cx!(self, now, tx, delivery), put)? {
                    self.conversations.halt(cx!(self, now, tx, conversations), contact)?;
                }
            }
            ClientEvent::PutProblem { put, why } if why.ended() && contacts::owns_put(put) => {
                self.contacts.put_refused(now.mono, put);
            }
            ClientEvent::PutProblem { put, why } if why.ended() => {
                self.delivery.put_over(cx!(self, now, tx, delivery), put)
            }
            ClientEvent::PutProblem { put, why: PutTrouble::Full } if !contacts::owns_put(put) => {
                self.delivery.full(cx!(self, now, tx, delivery), &self.account, put)?;
            }
            ClientEvent::PutProblem { put, why: PutTrouble::Paying { tries } } if contacts::owns_put(put) => {
                self.contacts.paying(cx!(self, now, tx, contacts), put, tries)?;
            }
            ClientEvent::PutProblem { .. } | ClientEvent::OtherNetwork { .. } => {}
            ClientEvent::PutRoom { puts } => {
                for put in puts {
                    if contacts::owns_put(put) {
                        self.contacts.put_refused(now.mono, put);
                    } else {
                        self.delivery.offer(cx!(self, now, tx, delivery), put)?;
                    }
                }
            }
            ClientEvent::Boxes { watch, boxes, .. } if contacts::owns_watch(watch) => {
                self.contacts.door_boxes(cx!(self, now, tx, contacts), &self.account, watch, &boxes)?;
            }
            ClientEvent::Boxes { watch, boxes, .. } => {
                self.delivery.boxes(cx!(self, now, tx, delivery), &self.account, watch, &boxes)?;
            }
            ClientEvent::Object { get, result } => {
                let object = result.as_ref();
                self.contacts.object(cx!(self, now, tx, contacts), get.0 as u32, object)?;
            }
            ClientEvent::ObjectLater { .. } => self.contacts.object_later(now.mono),
            ClientEvent::Solve { id, puzzle } => self.events.push(Event::Solve { id: id.0, puzzle }),
            ClientEvent::NetworkChanged { network } => {
                rows::put(tx, rows::META, b"network", &network);
                self.contacts.set_network(now.mono, network.params, network.id());
                self.delivery.set_params(network.params);
            }
        }
        Ok(())
    }

    /// Offers bytes to the client. What it has no room for comes back later.
    fn put(&mut self, now: Now, tx: &mut Turn<'_>, key: PutKey, bytes: &[u8]) -> Result<(), TurnError> {
        match self.client.put(cx!(self, now, tx, client), key, bytes) {
            Ok(_) => {}
            Err(_) if contacts::owns_put(key) => self.contacts.put_refused(now.mono, key),
            Err(PutError::Invalid { .. }) => self.delivery.unusable(cx!(self, now, tx, delivery), key)?,
            Err(_) => self.delivery.put_over(cx!(self, now, tx, delivery), key),
        }
        Ok(())
    }

    fn watch(
        &mut self,
        now: Now,
        tx: &mut Turn<'_>,
        key: WatchKey,
        keys: ReaderKeys,
    ) -> Result<(), TurnError> {
        match self.client.watch(cx!(self, now, tx, client), key, keys) {
            Ok(()) => Ok(()),
            Err(WatchError::Turn(error)) => Err(error),
            // Watched already, or more mailboxes than may be watched at once.
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn network_now(&self, now: Now) -> Now {
        Now { mono: now.mono, wall: self.client.network_time(now) }
    }

    /// The answer to a command that may have sent files.
    fn answer_send(&mut self, now: Now, id: CommandId, result: Result<Answer, CommandError>) {
        self.files.answered(now.mono, id, result.is_ok());
        self.answer(id, result);
    }

    fn answer(&mut self, id: CommandId, result: Result<Answer, CommandError>) {
        self.events.push(Event::Answer { id, result });
    }

    fn notice(&mut self, tx: &mut Turn<'_>, notice: Notice) -> Result<(), TurnError> {
        let cursor = rows::notice(tx, &notice)?;
        self.events.push(Event::Notice { cursor, notice });
        Ok(())
    }
}
