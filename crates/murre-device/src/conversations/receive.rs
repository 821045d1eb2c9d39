//! From packets to contents: every packet takes this way, whatever carried it.

use super::{ConvUp, Conversations, Ctx, save, wire};
use crate::account::Account;
use crate::content::{BINDING_BY_AUTHOR, BINDING_BY_DEVICE, Binding, Content, kind};
use crate::event::{Notice, Warning};
use crate::limits::{MAX_PACKETS, MAX_PAGE, MAX_STASH, MAX_STASHED};
use crate::rows::{self, AuthorRow, ChatRow, LogRef};
use murre_core::id::{AccountId, AuthorId, DeviceId};
use murre_core::{Direction, Range, TurnError, View, codec};
use murre_group::{OpenError as GroupError, StateError};
use murre_log::{Accept, Entry, Link, LogNo, Pack, Packet, Position, Signal, VerifiedEntry};

impl Conversations {
    /// Takes the packets of one box, frame or bundle from a contact.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails. Bad packets are dropped, never an error.
    pub fn receive(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        packets: &[impl AsRef<[u8]>],
    ) -> Result<(), TurnError> {
        // spec: F-23
        let silent = |c: rows::ContactRow| {
            c.state == crate::ContactState::Blocked && !murre_core::sabotage::active("hear-the-blocked")
        };
        if crate::contacts::get(cx.tx, contact)?.is_none_or(silent) {
            return Ok(());
        }
        let Some((no, mut row)) = super::of_contact(cx.tx, contact)? else { return Ok(()) };
        let before = codec::encode(&row);
        let mut entries: Vec<(LogRef, Entry)> = Vec::new();
        let mut signals: Vec<(LogRef, Signal, &[u8])> = Vec::new();
        let mut chunks = Vec::new();
        for packet in packets.iter().take(MAX_PACKETS) {
            let mut known = false;
            for log in &row.logs {
                match Packet::open(&wire(log), packet.as_ref()) {
                    Ok(Packet::Entry(entry)) => entries.push((log.clone(), entry)),
                    Ok(Packet::Signal(signal)) => signals.push((log.clone(), signal, packet.as_ref())),
                    Ok(Packet::Chunk(chunk)) => chunks.push(chunk),
                    Err(_) => continue,
                }
                known = true;
                break;
            }
            if !known {
                self.stash(cx, contact, packet.as_ref())?;
            }
        }
        let (logs, entries): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        for (log, entry) in logs.iter().zip(Entry::verify_all(entries, cx.rng)) {
            if let Ok(entry) = entry {
                self.accept(cx, me, no, &mut row, log, entry)?;
            }
        }
        for (log, signal, packet) in signals {
            if !self.take_signal(cx, no, &mut row, &log, signal)? {
                self.stash(cx, contact, packet)?;
            }
        }
        // Askings and chunks change nothing here: a turn of nothing else writes no row of a chat.
        if codec::encode(&row) != before {
            save(cx.tx, no, &row);
        }
        // After the entries: one of them may name the file.
        for chunk in chunks {
            cx.up(ConvUp::Chunk(contact, chunk));
        }
        // What came before its author's binding is taken now.
        if std::mem::take(&mut self.newly_bound) { self.unstash(cx, me, contact) } else { Ok(()) }
    }

    /// Keeps a packet that no log opens: its log may be one whose request has not been read yet.
    // spec: D-26
    fn stash(&self, cx: &mut Ctx<'_, '_>, contact: u32, packet: &[u8]) -> Result<(), TurnError> {
        if packet.len() > MAX_STASHED {
            return Ok(());
        }
        let number = rows::next(cx.tx, &format!("stash.{contact}"))? as u32;
        cx.tx.put(rows::STASH, &rows::pair_key(contact, number).to_be_bytes(), packet.to_vec());
        if let Some(old) = number.checked_sub(MAX_STASH) {
            cx.tx.delete(rows::STASH, &rows::pair_key(contact, old).to_be_bytes());
        }
        Ok(())
    }

    /// A log was joined: what was kept for it is taken now.
    pub(super) fn unstash(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
    ) -> Result<(), TurnError> {
        let range = Range::seq(rows::pair_key(contact, 0), rows::pair_key(contact.saturating_add(1), 0));
        let kept = cx.tx.scan(rows::STASH, &range, Direction::Forward, MAX_STASH as usize)?;
        for (key, _) in &kept {
            cx.tx.delete(rows::STASH, key);
        }
        let packets: Vec<Vec<u8>> = kept.into_iter().map(|(_, packet)| packet).collect();
        self.receive(cx, me, contact, &packets)
    }

    fn accept(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
        row: &mut ChatRow,
        log: &LogRef,
        entry: VerifiedEntry,
    ) -> Result<(), TurnError> {
        let header = entry.header();
        if header.log != log.id {
            return Ok(());
        }
        if header.by == log.by {
            return self.own_entry(cx, row, log, &entry);
        }
        match self.logs.accept(cx.tx, LogNo(log.no), entry).map_err(|e| super::fatal(&e))? {
            Accept::Accepted(positions) => self.open_all(cx, me, no, row, log, &positions)?,
            // The other side does not know that we have it: say so again.
            Accept::Duplicate => self.owe(cx, no),
            Accept::Pending { .. } => {
                self.note_gap(cx.now.mono, no);
                cx.up(ConvUp::Careful(row.contact));
            }
            Accept::Equivocation { accepted, .. } => {
                self.open_all(cx, me, no, row, log, &accepted)?;
                cx.up(ConvUp::Notice(Notice::Warning {
                    chat: shown_id(row, log),
                    what: Warning::Equivocation,
                }));
            }
            Accept::Refused(_) => {}
        }
        Ok(())
    }

    fn open_all(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
        row: &mut ChatRow,
        log: &LogRef,
        positions: &[Position],
    ) -> Result<(), TurnError> {
        for position in positions {
            self.open_entry(cx, me, no, row, log, position)?;
        }
        cx.up(ConvUp::Heard(row.contact));
        self.owe(cx, no);
        self.check_gap(cx, no, row)
    }

    /// An entry under our own key comes back: known, or proof that this store was rolled back or copied.
    fn own_entry(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        row: &mut ChatRow,
        log: &LogRef,
        entry: &VerifiedEntry,
    ) -> Result<(), TurnError> {
        // spec: D-12
        let seq = entry.header().seq;
        let known = self.logs.entry(cx.tx, LogNo(log.no), log.by, seq).map_err(|e| super::fatal(&e))?;
        if known.is_none_or(|k| k.id() != entry.id()) && !row.halted {
            row.halted = true;
            cx.up(ConvUp::Halted(row.contact));
            cx.up(ConvUp::Notice(Notice::Warning { chat: shown_id(row, log), what: Warning::RolledBack }));
        }
        Ok(())
    }

    /// Opens an accepted entry and folds what it says.
    fn open_entry(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
        row: &mut ChatRow,
        log: &LogRef,
        position: &Position,
    ) -> Result<(), TurnError> {
        let Some(entry) = self
            .logs
            .entry_at(cx.tx, LogNo(log.no), &Link::new(&position.by, position.seq, position.id))
            .map_err(|e| super::fatal(&e))?
        else {
            return Err(murre_core::Bug::new("an accepted entry is not stored").into());
        };
        let header = entry.header();
        let opened = match self.groups.open(cx.tx, log.id, header.state, entry.body()) {
            Ok(opened) => opened,
            Err(e @ (GroupError::Rows(_) | GroupError::Bug(_))) => return Err(super::fatal(&e)),
            Err(_) => return self.unreadable(cx, row, log, position),
        };
        let pack = Pack::decode(&opened.plaintext).ok().filter(|p| p.check(header).is_ok());
        let Some(pack) = pack.filter(|_| opened.aad == header.c) else {
            return self.unreadable(cx, row, log, position);
        };
        let contents: Vec<(Vec<u8>, Option<Content>)> = pack
            .items()
            .iter()
            .map(|item| (item.content.to_vec(), Content::decode(&item.content).ok()))
            .collect();
        if position.seq == 0 {
            let first = contents.first().and_then(|(_, c)| c.as_ref());
            let binding = first.and_then(|c| c.body::<Binding>(kind::BINDING));
            // spec: F-8 (nothing of an author counts before its binding does)
            let who = binding.and_then(|b| check_binding(&b, log, &position.by));
            let who = match who {
                Some((_, device)) if self.bound_elsewhere(cx, log, &position.by, device)? => None,
                who => who,
            };
            if let Some((account, device)) = who.filter(|(a, _)| *a == row.with || *a == me.id()) {
                let key = author_key(log.no, &position.by);
                rows::put(cx.tx, rows::AUTHORS, &key, &AuthorRow { account, device });
                self.newly_bound = true;
                if account == row.with {
                    cx.up(ConvUp::Device(row.contact, device));
                }
            }
        }
        let author: Option<AuthorRow> = rows::get(cx.tx, rows::AUTHORS, &author_key(log.no, &position.by))?;
        match author.filter(|a| a.device == opened.device && a.account == opened.account) {
            Some(author) => self.fold(cx, me, no, row, log, position, &author, contents, &header.c),
            None => self.unreadable(cx, row, log, position),
        }
    }

    /// Whether a device has bound another author key in this log: one device, one author, so that nobody can make
    /// receipts grow.
    fn bound_elsewhere(
        &self,
        cx: &Ctx<'_, '_>,
        log: &LogRef,
        by: &AuthorId,
        device: DeviceId,
    ) -> Result<bool, TurnError> {
        let authors =
            cx.tx.scan(rows::AUTHORS, &Range::prefix(&log.no.to_be_bytes()), Direction::Forward, MAX_PAGE)?;
        let own = author_key(log.no, by);
        for (_, value) in authors.iter().filter(|(key, _)| key.len() == own.len() && *key != own) {
            if rows::decode::<AuthorRow>(rows::AUTHORS, value)?.device == device {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps the place of an entry that cannot be opened: it is counted as not delivered, and shown as missing.
    // spec: D-27
    fn unreadable(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        row: &ChatRow,
        log: &LogRef,
        position: &Position,
    ) -> Result<(), TurnError> {
        let key = author_key(log.no, &position.by);
        let broken = [key.as_slice(), b"broken"].concat();
        let bound = cx.tx.get(rows::AUTHORS, &key)?.is_some();
        if bound && rows::get::<u32>(cx.tx, rows::AUTHORS, &broken)?.is_none() {
            rows::put(cx.tx, rows::AUTHORS, &broken, &position.seq);
            cx.up(ConvUp::Notice(Notice::Warning { chat: shown_id(row, log), what: Warning::Unreadable }));
        }
        Ok(())
    }

    /// Takes a signal. False if its author is not bound yet: it may be a moment early.
    fn take_signal(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &mut ChatRow,
        log: &LogRef,
        signal: Signal,
    ) -> Result<bool, TurnError> {
        let Ok(signal) = signal.verify() else { return Ok(true) };
        let header = signal.header();
        if header.log != log.id || header.by == log.by {
            return Ok(true);
        }
        let author: Option<AuthorRow> = rows::get(cx.tx, rows::AUTHORS, &author_key(log.no, &header.by))?;
        let Some(author) = author else { return Ok(false) };
        // spec: G-18
        let key = match self.groups.signal_key(cx.tx, log.id, header.state) {
            Ok(key) => key,
            Err(StateError::UnknownState) => return Ok(true),
            Err(e) => return Err(super::fatal(&e)),
        };
        let aad = super::seal::signal_aad(log.id, header.state, &header.by);
        let Some((nonce, sealed)) = signal.body().split_first_chunk::<24>() else { return Ok(true) };
        let Ok(plain) = murre_crypto::seal::open(&key, nonce, &aad, sealed) else { return Ok(true) };
        let Ok(pack) = Pack::decode(&plain) else { return Ok(true) };
        cx.up(ConvUp::Heard(row.contact));
        for item in pack.items() {
            if let Ok(content) = Content::decode(&item.content) {
                self.fold_signal(cx, no, row, &author, &content)?;
            }
        }
        Ok(true)
    }

    /// The packet of an entry we hold, for someone who misses it.
    pub(super) fn packet_of(
        &self,
        cx: &Ctx<'_, '_>,
        log: &LogRef,
        link: &Link,
    ) -> Result<Option<Vec<u8>>, TurnError> {
        let entry = self.logs.entry_at(cx.tx, LogNo(log.no), link).map_err(|e| super::fatal(&e))?;
        Ok(entry.map(|e| Packet::Entry(e.to_entry()).seal(&wire(log), cx.now.wall.week())))
    }
}

/// The id under which a chat is shown: its written log's.
pub(super) fn shown_id(row: &ChatRow, log: &LogRef) -> murre_core::id::LogId {
    row.logs.first().map_or(log.id, |l| l.id)
}

pub(super) fn author_key(log: u32, by: &AuthorId) -> Vec<u8> {
    let mut key = log.to_be_bytes().to_vec();
    key.extend_from_slice(by.as_bytes());
    key
}

/// Both signatures and the certificate of a binding.
fn check_binding(binding: &Binding, log: &LogRef, by: &AuthorId) -> Option<(AccountId, DeviceId)> {
    let cert = binding.c.clone().verify().ok()?;
    let mut by_device = log.id.as_bytes().to_vec();
    by_device.extend_from_slice(by.as_bytes());
    let mut by_author = log.id.as_bytes().to_vec();
    by_author.extend_from_slice(cert.d.as_bytes());
    murre_crypto::verify(cert.d.as_bytes(), BINDING_BY_DEVICE, &by_device, &binding.d).ok()?;
    murre_crypto::verify(by.as_bytes(), BINDING_BY_AUTHOR, &by_author, &binding.a).ok()?;
    Some((cert.a, cert.d))
}
