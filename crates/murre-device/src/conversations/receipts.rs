//! Receipts both ways, holes in a log, and the lazy index of message ids.

use super::receive::author_key;
use super::{ConvUp, Conversations, Ctx, Gap, chat, save};
use crate::account::Account;
use crate::command::{Answer, CommandError};
use crate::content::{Content, Receipt, Want, kind};
use crate::event::{MessageState, Notice};
use crate::limits::{MAX_RECEIPT, MAX_WANT};
use crate::rows::{self, AckRow, AuthorRow, ChatRow, MessageRow};
use murre_core::id::LogId;
use murre_core::params::delivery::{GAP_SHOWN_MS, LONE_RECEIPT_MS};
use murre_core::{CommandId, Direction, Mono, Range, TurnError, View};
use murre_log::LogNo;

/// A hole is asked for after this, then at doubling waits.
const FIRST_WANT_MS: u64 = 5_000;
const LAST_WANT_MS: u64 = 6 * murre_core::time::HOUR;
/// The whole mailbox is looked through again only for the first wants.
const CAREFUL_WANTS: u32 = 3;
/// A hole nobody filled after so many wants is given up; what waited for it is forgotten and can be sent again.
const GIVE_UP_WANTS: u32 = 64;
/// Message ids indexed in one idle turn.
const INDEX_RUN: usize = 512;
/// New messages wait this long for more before they are indexed.
const INDEX_WAIT_MS: u64 = 1_000;
/// Messages looked at when a read receipt moves on.
const READ_SCAN: usize = 1_000;
/// How long a lone receipt or want in a mailbox is worth anything, hours.
const SIGNAL_TTL: u32 = 7 * 24;

impl Conversations {
    /// Marks everything received in a chat as read.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn read(&mut self, cx: &mut Ctx<'_, '_>, id: CommandId, chat: LogId) -> Result<(), TurnError> {
        let Some((no, mut row)) = Self::find(cx.tx, chat)? else {
            cx.up(ConvUp::Answer(id, Err(CommandError::UnknownChat)));
            return Ok(());
        };
        let opened = self.receipt(cx.tx, &row)?.d;
        if row.unread > 0 || row.read != opened {
            row.unread = 0;
            row.read = opened;
            save(cx.tx, no, &row);
            self.owe(cx, no);
        }
        cx.up(ConvUp::Answer(id, Ok(Answer::Done)));
        Ok(())
    }

    /// How far we are in every author's entries of a chat. Stops short of what could not be opened: a receipt
    /// never claims more than was.
    // spec: D-10
    pub(super) fn receipt(&self, view: &dyn View, row: &ChatRow) -> Result<Receipt, TurnError> {
        let mut opened = Vec::new();
        for log in &row.logs {
            for (by, seq) in self.logs.frontier(view, LogNo(log.no)).map_err(|e| super::fatal(&e))? {
                if by == log.by {
                    continue;
                }
                let key = author_key(log.no, &by);
                if rows::get::<AuthorRow>(view, rows::AUTHORS, &key)?.is_none() {
                    continue;
                }
                let broken: Option<u32> =
                    rows::get(view, rows::AUTHORS, &[key.as_slice(), b"broken"].concat())?;
                match broken {
                    Some(0) => {}
                    Some(b) => opened.push((by, seq.min(b - 1))),
                    None => opened.push((by, seq)),
                }
            }
        }
        opened.truncate(MAX_RECEIPT);
        Ok(Receipt { d: opened, r: row.read.clone() })
    }

    /// Notes that a chat owes a receipt; it rides on the next message or goes alone.
    pub(super) fn owe(&mut self, cx: &mut Ctx<'_, '_>, no: u32) {
        let earliest = self.receipted.get(&no).map_or(cx.now.mono, |last| last.plus(LONE_RECEIPT_MS));
        if self.owed.insert(no, earliest.max(cx.now.mono)).is_none() {
            rows::put(cx.tx, rows::OWED, &no.to_be_bytes(), &());
        }
    }

    /// The receipt last handed to a live link may have died with it: it is owed again.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn receipt_again(&mut self, cx: &mut Ctx<'_, '_>, contact: u32) -> Result<(), TurnError> {
        // spec: D-10
        let no = super::chat_of(contact);
        if let Some(row) = chat(cx.tx, no)?
            && !self.receipt(cx.tx, &row)?.d.is_empty()
        {
            self.owe(cx, no);
        }
        Ok(())
    }

    pub(super) fn receipt_sent(&mut self, cx: &mut Ctx<'_, '_>, no: u32) {
        self.owed.remove(&no);
        self.receipted.insert(no, cx.now.mono);
        cx.tx.delete(rows::OWED, &no.to_be_bytes());
    }

    /// Takes a receipt from a device of the other side.
    // spec: D-11
    pub(super) fn take_receipt(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &mut ChatRow,
        author: &AuthorRow,
        receipt: &Receipt,
    ) -> Result<(), TurnError> {
        if author.account != row.with {
            return Ok(());
        }
        let mut key = no.to_be_bytes().to_vec();
        key.extend_from_slice(author.device.as_bytes());
        let mut acks: AckRow = rows::get(cx.tx, rows::ACKS, &key)?.unwrap_or_default();
        let before = acks.clone();
        for log in row.logs.clone() {
            // Nobody can receipt what was not written.
            let frontier = self.logs.frontier(cx.tx, LogNo(log.no)).map_err(|e| super::fatal(&e))?;
            let Some(own) = frontier.iter().find(|(by, _)| *by == log.by).map(|(_, s)| *s) else { continue };
            let named = |list: &[(murre_core::id::AuthorId, u32)]| {
                list.iter().find(|(by, _)| *by == log.by).map(|(_, s)| (*s).min(own))
            };
            let mut read = None;
            if let Some(upto) = named(&receipt.r) {
                let from = level(&acks.read, log.no);
                if raise(&mut acks.read, log.no, upto) {
                    read = read_now(cx, no, row, log.no, from, upto)?;
                }
            }
            let upto = named(&receipt.d).filter(|upto| raise(&mut acks.delivered, log.no, *upto));
            if upto.is_some() || read.is_some() {
                cx.up(ConvUp::Acked { log: log.no, upto, read });
            }
        }
        if acks != before {
            rows::put(cx.tx, rows::ACKS, &key, &acks);
        }
        Ok(())
    }

    /// The chat, once this device is bound in its written log: signals of an unbound author are not heard, so the
    /// binding goes first, as an entry of its own with whatever receipt is owed.
    pub(super) fn bound(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        no: u32,
    ) -> Result<Option<ChatRow>, TurnError> {
        let Some(row) = chat(cx.tx, no)? else { return Ok(None) };
        let log = row.logs.get(super::written(&row));
        if log.is_none_or(|l| l.bound || l.state.is_none()) {
            return Ok(Some(row));
        }
        self.drafts.entry(no).or_default();
        self.pack_drafts(cx, me)?;
        chat(cx.tx, no)
    }

    pub(super) fn note_gap(&mut self, now: Mono, no: u32) {
        let gap =
            Gap { since: now, ask: now.plus(FIRST_WANT_MS), wait: FIRST_WANT_MS, asked: 0, told: false };
        self.gaps.entry(no).or_insert(gap);
    }

    pub(super) fn check_gap(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &ChatRow,
    ) -> Result<(), TurnError> {
        if self.gaps.contains_key(&no) {
            for log in &row.logs {
                if !self.logs.missing(cx.tx, LogNo(log.no), 1).map_err(|e| super::fatal(&e))?.is_empty() {
                    return Ok(());
                }
            }
            self.gaps.remove(&no);
        }
        Ok(())
    }

    pub(super) fn index_soon(&mut self, now: Mono) {
        self.index_due.get_or_insert(now.plus(INDEX_WAIT_MS));
    }

    /// Does what is due: lone receipts, wants, a run of the message-id index.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn handle_timeout(&mut self, cx: &mut Ctx<'_, '_>, me: &Account) -> Result<(), TurnError> {
        let now = cx.now.mono;
        let due: Vec<u32> = self.owed.iter().filter(|(_, at)| **at <= now).map(|(no, _)| *no).collect();
        for no in due {
            let row = self.bound(cx, me, no)?;
            // Unless the binding took it along.
            if let Some(row) = row.filter(|_| self.owed.contains_key(&no)) {
                let receipt = self.receipt(cx.tx, &row)?;
                let content = Content::new(kind::RECEIPT, cx.now.wall, &receipt);
                if let Some(packet) = self.seal_signal(cx, me, &row, vec![content])? {
                    cx.up(ConvUp::Signal { contact: row.contact, packet, ttl: SIGNAL_TTL, mailbox: true });
                }
            }
            self.receipt_sent(cx, no);
        }
        let holes: Vec<u32> = self.gaps.iter().filter(|(_, g)| g.ask <= now).map(|(no, _)| *no).collect();
        for no in holes {
            self.ask_for_missing(cx, me, no)?;
        }
        if self.index_due.is_some_and(|at| at <= now) {
            self.index_run(cx)?;
        }
        Ok(())
    }

    // spec: D-22
    fn ask_for_missing(&mut self, cx: &mut Ctx<'_, '_>, me: &Account, no: u32) -> Result<(), TurnError> {
        let Some(row) = chat(cx.tx, no)? else { return Ok(()) };
        let mut missing = Vec::new();
        let limit = MAX_WANT / row.logs.len().max(1);
        let over = self.gaps.get(&no).is_some_and(|g| g.asked >= GIVE_UP_WANTS);
        for log in &row.logs {
            let links = self.logs.missing(cx.tx, LogNo(log.no), limit)?;
            for link in links.iter().filter(|_| over) {
                self.logs.give_up(cx.tx, LogNo(log.no), link)?;
            }
            missing.extend(links);
        }
        if missing.is_empty() || over {
            self.gaps.remove(&no);
            return Ok(());
        }
        let (mut tell, mut careful) = (false, false);
        if let Some(gap) = self.gaps.get_mut(&no) {
            gap.asked += 1;
            careful = gap.asked <= CAREFUL_WANTS;
            gap.wait = (gap.wait * 2).min(LAST_WANT_MS);
            gap.ask = cx.now.mono.plus(gap.wait);
            tell = !gap.told && cx.now.mono.since(gap.since) >= GAP_SHOWN_MS;
            gap.told |= tell;
        }
        if let Some(log) = row.logs.first().filter(|_| tell) {
            cx.up(ConvUp::Notice(Notice::Gap { chat: log.id }));
        }
        let content = Content::new(kind::WANT, cx.now.wall, &Want { l: missing });
        if let Some(packet) = self.seal_signal(cx, me, &row, vec![content])? {
            cx.up(ConvUp::Signal { contact: row.contact, packet, ttl: SIGNAL_TTL, mailbox: true });
        }
        if careful {
            cx.up(ConvUp::Careful(row.contact));
        }
        Ok(())
    }

    /// Indexes a sorted run of message ids, so that hash-ordered keys dirty few pages.
    fn index_run(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        let from = rows::counter(cx.tx, "indexed")?;
        let page = cx.tx.scan(rows::MESSAGES, &Range::seq(from, u64::MAX), Direction::Forward, INDEX_RUN)?;
        let mut run: Vec<([u8; 32], Vec<u8>)> = Vec::with_capacity(page.len());
        for (number, value) in &page {
            let message: MessageRow = rows::decode(rows::MESSAGES, value)?;
            run.push((*message.id.as_bytes(), number.clone()));
        }
        run.sort_unstable();
        let count = run.len();
        for (id, number) in run {
            // The first holder of an id keeps it: nobody takes over the name of a message that is there.
            if cx.tx.get(rows::MESSAGE_IDS, &id)?.is_none() {
                cx.tx.put(rows::MESSAGE_IDS, &id, number);
            }
        }
        if count > 0 {
            rows::put(cx.tx, rows::META, b"indexed", &(from + count as u64));
        }
        self.index_due = (count == INDEX_RUN).then_some(cx.now.mono);
        Ok(())
    }
}

fn level(list: &[(u32, u32)], log: u32) -> Option<u32> {
    list.iter().find(|(l, _)| *l == log).map(|(_, s)| *s)
}

fn raise(list: &mut Vec<(u32, u32)>, log: u32, upto: u32) -> bool {
    match list.iter_mut().find(|(l, _)| *l == log) {
        Some((_, seq)) if *seq >= upto => false,
        Some((_, seq)) => {
            *seq = upto;
            true
        }
        None => {
            list.push((log, upto));
            true
        }
    }
}

/// What is read now and was not before.
fn read_now(
    cx: &Ctx<'_, '_>,
    no: u32,
    row: &ChatRow,
    log: u32,
    from: Option<u32>,
    upto: u32,
) -> Result<Option<Notice>, TurnError> {
    let mut messages = Vec::new();
    let newest =
        cx.tx.scan(rows::TIMELINE, &Range::prefix(&no.to_be_bytes()), Direction::Backward, READ_SCAN)?;
    for (_, number) in newest {
        let Some(message) = rows::get::<MessageRow>(cx.tx, rows::MESSAGES, &number)? else { continue };
        let Some(seq) = message.seq.filter(|_| message.own && message.log == log) else { continue };
        if from.is_some_and(|f| seq <= f) {
            break;
        }
        if seq <= upto {
            messages.push(message.id);
        }
    }
    messages.reverse();
    let chat = row.logs.first().filter(|_| !messages.is_empty());
    Ok(chat.map(|chat| Notice::MessageState { chat: chat.id, messages, state: MessageState::Read }))
}
