//! The reference model: who must hold what, and who may claim what, without a key, a node or a clock in it.
//!
//! A conversation is a list of texts that two people wrote. Everything between them (mailboxes, epochs, quorums, links)
//! must not make a difference, so the model does not know of it. It is told what people ask for and what devices say,
//! in the order in which it happens, and says whether a sound system could say that now:
//!
//! ```text
//!  a text        asked --answer--> confirmed: it must reach both histories, once, under one id
//!                  |__ refused or no answer: once or not at all
//!  its tick      queued, sent, stored  -->  delivered             -->  read
//!                (these three may go back)  the reader holds it        the reader asked to mark it
//!  two people    nothing --asks--> requested | incoming --accepts, or both asked--> accepted, for good
//!  its place     after what its writer wrote before, and after what its writer held when it was asked for
//! ```
//!
//! What was shown once stays shown. Nothing here reads a store or calls a machine; the types are its own.

pub mod files;
mod silence;
#[cfg(test)]
mod tests;

use files::FileSent;
use murre_core::id::MessageId;
use murre_core::time::{DAY, HOUR};
use std::collections::{BTreeMap, BTreeSet};

/// A message may be given up after this, ms; devices' clocks may be off by [`CLOCKS_MS`].
pub const GIVEN_UP_MS: u64 = 180 * DAY;
/// See [`GIVEN_UP_MS`].
pub const CLOCKS_MS: u64 = 3 * HOUR;

/// How far a text is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tick {
    /// Durable where it was written.
    Queued,
    /// On its way.
    Sent,
    /// Kept for its reader.
    Stored,
    /// Its reader's device has it.
    Delivered,
    /// Its reader marked it.
    Read,
    /// Given up.
    Failed,
}

/// Where one person stands with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Asked, no answer yet.
    Requested,
    /// Was asked and has not answered.
    Incoming,
    /// Both agreed.
    Accepted,
}

/// One text that a person asked to send.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Who, by number.
    pub from: usize,
    /// To whom, by number.
    pub to: usize,
    /// The client id it was sent under.
    pub client_id: String,
    /// The text; no two are equal.
    pub text: String,
    /// When it was asked for, ms.
    pub at: u64,
    /// What the device answered, once it did.
    pub answer: Option<MessageId>,
    /// Refused for a reason that says so: it must not exist.
    pub refused: bool,
    /// The id under which any device showed it.
    id: Option<MessageId>,
    /// The other's last text that its writer held when it was asked for.
    after: Option<usize>,
    tick: Tick,
}

impl Sent {
    /// A wish nobody has answered.
    #[must_use]
    pub const fn new(from: usize, to: usize, client_id: String, text: String, at: u64) -> Self {
        Self {
            from,
            to,
            client_id,
            text,
            at,
            answer: None,
            refused: false,
            id: None,
            after: None,
            tick: Tick::Queued,
        }
    }
}

/// One line of a history, as a device shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The message.
    pub id: MessageId,
    /// Its text.
    pub text: String,
    /// Whether this device's person wrote it.
    pub own: bool,
    /// How far it is; of others' texts only whether it is read.
    pub tick: Tick,
}

/// What one person's device owes in the chat with one other person.
#[derive(Debug, Default)]
struct Side {
    /// Texts that this device showed or announced.
    held: BTreeSet<usize>,
    /// Texts that it announced.
    announced: BTreeSet<usize>,
    /// Texts of the other that may be shown as read.
    may_read: BTreeSet<usize>,
    /// Texts of the other that must be shown as read.
    must_read: BTreeSet<usize>,
    /// Marks under way, each with what was held when it was asked for.
    marking: Vec<BTreeSet<usize>>,
    /// The other is blocked since so many texts had been written by all.
    deaf: Option<usize>,
    /// Or was so once.
    was_deaf: bool,
    asked: bool,
    accepted: bool,
    standing: Option<Standing>,
}

/// What everybody should see.
#[derive(Debug, Default)]
pub struct Model {
    /// Every text in the order in which it was asked for.
    pub sent: Vec<Sent>,
    /// Every file in the order in which it was sent.
    pub files: Vec<FileSent>,
    by_text: BTreeMap<String, usize>,
    by_id: BTreeMap<MessageId, usize>,
    sides: BTreeMap<(usize, usize), Side>,
}

type Verdict = Result<(), String>;

impl Model {
    fn side(&mut self, me: usize, other: usize) -> &mut Side {
        self.sides.entry((me, other)).or_default()
    }

    fn holds_it(&self, me: usize, other: usize, number: usize) -> bool {
        self.sides.get(&(me, other)).is_some_and(|s| s.held.contains(&number))
    }

    fn may_be_read(&self, me: usize, other: usize, number: usize) -> bool {
        self.sides.get(&(me, other)).is_some_and(|s| s.may_read.contains(&number))
    }

    /// A person asks to send a text.
    pub fn asked(&mut self, mut sent: Sent) -> usize {
        let number = self.sent.len();
        let of_other = |n: &&usize| self.sent.get(**n).is_some_and(|s| s.from == sent.to);
        let side = self.sides.get(&(sent.from, sent.to));
        sent.after = side.and_then(|s| s.held.iter().rev().find(of_other).copied());
        self.by_text.insert(sent.text.clone(), number);
        self.sent.push(sent);
        number
    }

    fn bind(&mut self, number: usize, id: MessageId) -> Verdict {
        let other = self.by_id.insert(id, number).filter(|n| *n != number);
        let sent = &mut self.sent[number];
        match sent.id.replace(id) {
            Some(before) if before != id => Err(format!("client id {} made two messages", sent.client_id)),
            _ if other.is_some() => Err(format!("text {number} has the id of another")),
            _ => Ok(()),
        }
    }

    /// The device says it is durable. A second answer must name the same message.
    ///
    /// # Errors
    /// Words for the report, here and below.
    pub fn answered(&mut self, number: usize, id: MessageId) -> Verdict {
        self.bind(number, id)?;
        let sent = &mut self.sent[number];
        sent.answer = Some(id);
        let (from, to) = (sent.from, sent.to);
        self.side(from, to).held.insert(number);
        Ok(())
    }

    /// Texts of `from` that were never answered and may be tried again, in order.
    #[must_use]
    pub fn open(&self, from: usize) -> Vec<usize> {
        let open = |s: &Sent| s.from == from && s.answer.is_none() && !s.refused;
        (0..self.sent.len()).filter(|n| open(&self.sent[*n])).collect()
    }

    /// A person follows the link of another.
    pub fn asks(&mut self, me: usize, other: usize) {
        self.side(me, other).asked = true;
    }

    /// A person accepts another's request.
    pub fn accepts(&mut self, me: usize, other: usize) {
        self.side(me, other).accepted = true;
    }

    /// A device says how its person stands with another.
    ///
    /// # Errors
    /// If nobody did what leads there, or two people who agreed are apart again.
    pub fn stands(&mut self, me: usize, other: usize, standing: Standing) -> Verdict {
        let (theirs_asked, theirs_accepted) = {
            let theirs = self.side(other, me);
            (theirs.asked, theirs.accepted)
        };
        let mine = self.side(me, other);
        let agreed = (mine.accepted && theirs_asked)
            || (theirs_accepted && mine.asked)
            || (mine.asked && theirs_asked);
        let may = match standing {
            Standing::Requested => mine.asked,
            Standing::Incoming => theirs_asked,
            Standing::Accepted => agreed,
        };
        if !may {
            return Err(format!("person {me} shows {other} as {standing:?}, and nobody did that"));
        }
        if mine.standing == Some(Standing::Accepted) && standing != Standing::Accepted {
            return Err(format!("person {me} shows {other}, who was accepted, as {standing:?}"));
        }
        mine.standing = Some(standing);
        Ok(())
    }

    /// A device announces a text of somebody else.
    ///
    /// # Errors
    /// If nobody wrote it to this person, or it was announced before.
    pub fn arrived(&mut self, me: usize, id: MessageId, text: &str) -> Verdict {
        let number = *self.by_text.get(text).ok_or("a text that nobody wrote was announced")?;
        let (from, to) = (self.sent[number].from, self.sent[number].to);
        if to != me {
            return Err(format!("text {number} was announced to the wrong person"));
        }
        if self.is_deaf(me, number) {
            return Err(format!("text {number} is heard although its writer is blocked"));
        }
        self.bind(number, id)?;
        let side = self.side(me, from);
        side.held.insert(number);
        if !side.marking.is_empty() {
            side.may_read.insert(number);
        }
        if side.announced.insert(number) { Ok(()) } else { Err(format!("text {number} was announced twice")) }
    }

    /// A person asks to mark a chat as read.
    pub fn marks(&mut self, me: usize, other: usize) {
        let theirs = self.theirs(me, other);
        let side = self.side(me, other);
        side.may_read.extend(&theirs);
        side.marking.push(theirs);
    }

    /// The device says that it did so.
    pub fn marked(&mut self, me: usize, other: usize) {
        let side = self.side(me, other);
        if !side.marking.is_empty() {
            let held = side.marking.remove(0);
            side.must_read.extend(held);
        }
    }

    /// The device stopped: marks without an answer were done or not, and are over.
    pub fn stopped(&mut self, me: usize) {
        for ((_, _), side) in self.sides.iter_mut().filter(|((who, _), _)| *who == me) {
            side.marking.clear();
        }
    }

    fn theirs(&self, me: usize, other: usize) -> BTreeSet<usize> {
        let Some(side) = self.sides.get(&(me, other)) else { return BTreeSet::new() };
        side.held.iter().copied().filter(|n| self.sent[*n].from == other).collect()
    }

    /// A device says how far a text of its own is. `text` names it where no id is known yet.
    ///
    /// # Errors
    /// If that cannot be so, or goes back behind what can be so only once.
    pub fn claims(&mut self, me: usize, id: MessageId, text: Option<&str>, tick: Tick, at: u64) -> Verdict {
        let number = match (self.by_id.get(&id), text.and_then(|t| self.by_text.get(t))) {
            (Some(n), _) => *n,
            (None, Some(n)) => *n,
            (None, None) => return Err(format!("{tick:?} is claimed of a text that nobody wrote")),
        };
        self.bind(number, id)?;
        if self.sent[number].from != me {
            return Err(format!("person {me} claims {tick:?} of text {number}, which is another's"));
        }
        self.can_be(number, tick, at)?;
        self.sent[number].tick = tick;
        Ok(())
    }

    /// Whether a text may be said to be so far.
    fn can_be(&self, number: usize, tick: Tick, at: u64) -> Verdict {
        let sent = &self.sent[number];
        let so = match tick {
            Tick::Queued | Tick::Sent | Tick::Stored => true,
            Tick::Delivered => self.holds_it(sent.to, sent.from, number),
            Tick::Read => self.may_be_read(sent.to, sent.from, number),
            Tick::Failed => at.saturating_add(CLOCKS_MS) >= sent.at.saturating_add(GIVEN_UP_MS),
        };
        if !so {
            return Err(format!("text {number} is shown as {tick:?}, which is not so"));
        }
        if matches!(sent.tick, Tick::Delivered | Tick::Read) && tick != Tick::Read && tick != sent.tick {
            return Err(format!("text {number} was {:?} and is {tick:?} again", sent.tick));
        }
        Ok(())
    }

    /// Takes in what a device shows of the chat of `me` with `other`.
    ///
    /// # Errors
    /// If a text is shown twice, in the wrong place or under two ids, or one is gone that was there before.
    pub fn shows(&mut self, me: usize, other: usize, lines: &[Shown]) -> Verdict {
        let found = self.find(me, other, lines)?;
        for (line, number) in lines.iter().zip(&found) {
            self.bind(*number, line.id)?;
        }
        let now: BTreeSet<usize> = found.into_iter().collect();
        let gone = self.side(me, other).held.difference(&now).next().copied();
        if let Some(number) = gone {
            return Err(format!("text {number} was there before and is missing"));
        }
        let side = self.side(me, other);
        if !side.marking.is_empty() {
            side.may_read.extend(&now);
        }
        side.held.extend(now);
        Ok(())
    }

    /// Which texts these lines are.
    fn find(&self, me: usize, other: usize, lines: &[Shown]) -> Result<Vec<usize>, String> {
        let mut found = Vec::with_capacity(lines.len());
        let mut once = BTreeSet::new();
        for line in lines {
            let number = *self.by_text.get(&line.text).ok_or("a text that nobody wrote")?;
            let sent = &self.sent[number];
            let (from, to) = if line.own { (me, other) } else { (other, me) };
            if (sent.from, sent.to) != (from, to) {
                return Err(format!("text {number} stands in the wrong chat or under the wrong name"));
            }
            if !once.insert(number) {
                return Err(format!("text {number} is shown twice"));
            }
            if self.is_deaf(me, number) {
                return Err(format!("text {number} is shown although its writer is blocked"));
            }
            if sent.refused && sent.answer.is_none() {
                return Err(format!("text {number} was refused and is there"));
            }
            if sent.answer.or(sent.id).is_some_and(|id| id != line.id) {
                return Err(format!("text {number} is shown under another id than its sender was told"));
            }
            found.push(number);
        }
        Ok(found)
    }

    /// Judges one side's history of the chat of `me` with `other`, after [`Model::shows`] of both sides.
    ///
    /// `complete` says that everything confirmed must be there by now and be shown as it is; `ordered` that texts
    /// must stand after what their writer wrote, and held, before.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn judge(
        &self,
        me: usize,
        other: usize,
        shown: &[Shown],
        complete: bool,
        ordered: bool,
        at: u64,
    ) -> Verdict {
        let found = self.find(me, other, shown)?;
        if ordered {
            self.in_order(&found)?;
        }
        for (line, number) in shown.iter().zip(&found) {
            self.true_tick(me, other, line, *number, complete, at)?;
        }
        let there: BTreeSet<usize> = found.into_iter().collect();
        let pair = |s: &Sent| (s.from, s.to) == (me, other) || (s.from, s.to) == (other, me);
        let lost = |(n, s): &(usize, &Sent)| pair(s) && s.answer.is_some() && !there.contains(n);
        let lost: Vec<usize> = self.sent.iter().enumerate().filter(lost).map(|(n, _)| n).collect();
        if complete && !lost.is_empty() {
            return Err(format!("{} confirmed texts are missing, the first is {}", lost.len(), lost[0]));
        }
        // One's own confirmed texts may never be missing, at any time.
        let own = lost.iter().find(|n| self.sent[**n].from == me);
        own.map_or(Ok(()), |n| Err(format!("own confirmed text {n} is missing")))
    }

    /// Each text after those its writer wrote before, and after the last one its writer held.
    fn in_order(&self, found: &[usize]) -> Verdict {
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        let places: BTreeMap<usize, usize> = found.iter().enumerate().map(|(at, n)| (*n, at)).collect();
        for (at, number) in found.iter().enumerate() {
            let sent = &self.sent[*number];
            if last.insert(sent.from, *number).is_some_and(|before| before > *number) {
                return Err(format!("text {number} stands before one that was written earlier"));
            }
            if let Some(question) = sent.after.filter(|q| places.get(q).is_none_or(|place| *place > at)) {
                return Err(format!("text {number} stands before {question}, which its writer had seen"));
            }
        }
        Ok(())
    }

    fn true_tick(
        &self,
        me: usize,
        other: usize,
        line: &Shown,
        number: usize,
        complete: bool,
        at: u64,
    ) -> Verdict {
        if line.own {
            self.can_be(number, line.tick, at)?;
            let arrived = matches!(line.tick, Tick::Delivered | Tick::Read);
            return if complete && !arrived {
                Err(format!("text {number} arrived and is shown as {:?}", line.tick))
            } else {
                Ok(())
            };
        }
        let read = line.tick == Tick::Read;
        let must = self.sides.get(&(me, other)).is_some_and(|s| s.must_read.contains(&number));
        if read && !self.may_be_read(me, other, number) {
            return Err(format!("text {number} is shown as read; nobody marked it"));
        }
        if must && !read {
            return Err(format!("text {number} was marked as read and is not"));
        }
        Ok(())
    }

    /// Whether both people agreed, as far as their devices said.
    #[must_use]
    pub fn agreed(&self, a: usize, b: usize) -> bool {
        let accepted = |k| self.sides.get(&k).is_some_and(|s: &Side| s.standing == Some(Standing::Accepted));
        accepted((a, b)) && accepted((b, a))
    }
}

/// Two people see one conversation.
///
/// # Errors
/// If they do not.
pub fn same(a: &[Shown], b: &[Shown]) -> Verdict {
    let same = a.len() == b.len()
        && a.iter().zip(b).all(|(x, y)| x.id == y.id && x.text == y.text && x.own != y.own);
    if same { Ok(()) } else { Err("the two sides show another order".to_owned()) }
}
