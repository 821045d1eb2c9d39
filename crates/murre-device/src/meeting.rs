//! How two people meet, as the root sees it: steps that several children take in one turn.
//!
//! Each step calls the children one after the other and hands the answer of one to the next. It decides nothing: what
//! may fail is a child's to say.

use crate::account::Account;
use crate::content::{Handover, Move, Resend, kind};
use crate::conversations::{Conversations, Joining};
use crate::delivery::Grants;
use crate::route::cx;
use crate::{Device, contacts};
use murre_core::{Bug, CommandId, Cx, Now, Turn, TurnError};

impl Device {
    /// A door was read: certify the maker, found the group, seal the request.
    pub(crate) fn found(
        &mut self,
        now: Now,
        tx: &mut Turn<'_>,
        contact: u32,
        log: murre_core::id::LogId,
        packages: &[Vec<u8>],
        tag: murre_mailbox::TagPublic,
    ) -> Result<(), TurnError> {
        let Some(drop) = self.delivery.own_drop(tx, contact)? else { return Ok(()) };
        let cx = cx!(self, now, tx, conversations);
        let founded = match self.conversations.found(cx, &self.account, log, packages) {
            Ok(founded) => founded,
            Err(crate::conversations::JoinError::Turn(error)) => return Err(error),
            Err(_) => return self.contacts.invalid_door(cx!(self, now, tx, contacts), contact),
        };
        let grants = self.delivery.issue(cx!(self, now, tx, delivery), &self.account, contact, tag)?;
        self.contacts.founded(cx!(self, now, tx, contacts), &self.account, contact, founded, grants, drop)?;
        self.link_key(now, tx, contact)
    }

    /// A request is accepted: join, answer with a handover, be reachable.
    pub(crate) fn join(
        &mut self,
        now: Now,
        tx: &mut Turn<'_>,
        contact: u32,
        request: &contacts::RequestBody,
        command: Option<CommandId>,
    ) -> Result<(), TurnError> {
        // spec: F-19
        let known = Conversations::number(tx, crate::conversations::log_id(&request.o))?;
        if known.is_some() && Conversations::has_keys(tx, &request.o)? {
            // Posted again, or replayed by a holder of the link: everything was said the first time.
            let cx = cx!(self, now, tx, contacts);
            return self.contacts.joined(cx, contact, &request.n, known, command);
        }
        let joining = Joining {
            op: &request.o,
            state: request.s,
            welcome: &request.w,
            wire: request.x.0,
            cert: &request.c,
        };
        let cx = cx!(self, now, tx, conversations);
        let log = match self.conversations.join(cx, &self.account, contact, &joining) {
            Ok(log) => log,
            Err(crate::conversations::JoinError::Turn(error)) => return Err(error),
            Err(_) => {
                return self.contacts.joined(
                    cx!(self, now, tx, contacts),
                    contact,
                    &request.n,
                    None,
                    command,
                );
            }
        };
        if let Ok(cert) = request.c.clone().verify() {
            self.contacts.device_seen(cx!(self, now, tx, contacts), contact, cert.d)?;
        }
        self.delivery.accept_route(cx!(self, now, tx, delivery), contact, request)?;
        let grants = self.delivery.issue(cx!(self, now, tx, delivery), &self.account, contact, request.t)?;
        let chat = Conversations::number(tx, log)?;
        self.contacts.joined(cx!(self, now, tx, contacts), contact, &request.n, chat, command)?;
        let handover = handover(&self.account, grants);
        let cx = cx!(self, now, tx, conversations);
        self.conversations.say(cx, &self.account, contact, kind::HANDOVER, &handover)?;
        self.link_key(now, tx, contact)
    }

    /// The other side accepted.
    pub(crate) fn handover(
        &mut self,
        now: Now,
        tx: &mut Turn<'_>,
        contact: u32,
        handover: Handover,
    ) -> Result<(), TurnError> {
        let grants = Grants { grant: handover.g, spares: handover.s };
        self.delivery.set_tag(cx!(self, now, tx, delivery), contact, handover.t)?;
        self.delivery.set_grant(cx!(self, now, tx, delivery), contact, grants, true)?;
        self.contacts.agreed(cx!(self, now, tx, contacts), contact, &handover.n)?;
        self.presence.announce(cx!(self, now, tx, presence), contact);
        Ok(())
    }

    /// A block was taken back: read them again, be reachable, and ask for what was dropped meanwhile.
    // spec: F-35
    pub(crate) fn unblocked(
        &mut self,
        now: Now,
        tx: &mut Turn<'_>,
        contact: u32,
        state: crate::ContactState,
    ) -> Result<(), TurnError> {
        self.delivery.unblock(cx!(self, now, tx, delivery), contact)?;
        self.link_key(now, tx, contact)?;
        self.files.resume(cx!(self, now, tx, files), Some(contact))?;
        // Before it is asked for anything it has to know where we are read.
        self.tell_move(now, tx, contact)?;
        if state == crate::ContactState::Accepted {
            let cx = cx!(self, now, tx, conversations);
            self.conversations.say(cx, &self.account, contact, kind::RESEND, &Resend {})?;
        }
        Ok(())
    }

    /// We are read in another mailbox: certify the contact there and tell it, as an entry like all others.
    // spec: D-36
    pub(crate) fn tell_move(&mut self, now: Now, tx: &mut Turn<'_>, contact: u32) -> Result<(), TurnError> {
        let Some((tag, given)) = self.delivery.owed_move(tx, contact)? else { return Ok(()) };
        let grants = self.delivery.issue(cx!(self, now, tx, delivery), &self.account, contact, tag)?;
        let o = given.filter(|name| *name != crate::delivery::name_of(&grants.grant.to));
        let body = Move { g: grants.grant, s: grants.spares, o };
        let cx = cx!(self, now, tx, conversations);
        self.conversations.say(cx, &self.account, contact, kind::MOVE, &body)
    }

    pub(crate) fn contact_chat(
        &mut self,
        now: Now,
        tx: &mut Turn<'_>,
        contact: u32,
        log: murre_core::id::LogId,
        command: Option<CommandId>,
    ) -> Result<(), TurnError> {
        match Conversations::number(tx, log)? {
            Some(chat) => self.contacts.begun(cx!(self, now, tx, contacts), contact, chat, command),
            None => Err(Bug::new("a conversation just made is not there").into()),
        }
    }

    pub(crate) fn link_key(&mut self, now: Now, tx: &mut Turn<'_>, contact: u32) -> Result<(), TurnError> {
        for (owner, key) in Conversations::link_keys(tx)? {
            if owner == contact {
                self.presence.add_key(contact, key);
            }
        }
        if contacts::get(tx, contact)?.is_some_and(|c| c.state == crate::ContactState::Accepted) {
            self.presence.announce(cx!(self, now, tx, presence), contact);
        }
        Ok(())
    }

    // spec: D-18
    pub(crate) fn announce_all(&mut self, now: Now, tx: &mut Turn<'_>) -> Result<(), TurnError> {
        for (contact, row) in contacts::all(tx)? {
            if row.state == crate::ContactState::Accepted {
                self.presence.announce(cx!(self, now, tx, presence), contact);
            }
        }
        Ok(())
    }
}

fn handover(me: &Account, grants: Grants) -> Handover {
    Handover { g: grants.grant, s: grants.spares, t: me.tag().public(), n: me.name().to_owned() }
}
