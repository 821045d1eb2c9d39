//! Judging an entry against its parents.
//!
//! ```text
//!              +-> Duplicate        held already
//!              +-> Pending          a parent is missing: kept, or its link is
//!  VerifiedEntry
//!              +-> Refused          breaks a rule here and on every other device, or a local limit
//!              +-> Accepted         with every pending entry it frees, parents first
//!              +-> Equivocation     the same, and a number was used twice
//! ```
//!
//! Whether an entry is valid is a function of the entry and its ancestors alone: not of a clock, not of what came
//! before it, not of who sent it.

use super::{Known, Logs, MAX_AUTHORS, expect, pending};
use crate::entry::{VerifiedEntry, block_id};
use crate::fork::ForkProof;
use crate::link::Link;
use crate::position::{AuthorNo, LogNo, Position};
use crate::rows::{self, AuthorRow, HeadRow};
use murre_core::{Turn, TurnError, View, sabotage};
use std::collections::VecDeque;

/// Most entries kept beside the first under the numbers of one author, unless another author's entry builds on
/// one of them.
pub const MAX_FORKS: u32 = 256;

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accept {
    /// It is in the log, and so are the pending entries it freed; parents stand before children.
    Accepted(Vec<Position>),
    /// It was in the log already.
    Duplicate,
    /// Parents are missing. `missing` are those that are not pending themselves; what lies behind those that are
    /// is told by [`Logs::missing`].
    Pending {
        /// Direct parents to fetch.
        missing: Vec<Link>,
    },
    /// As `Accepted`, and at least one of the positions uses a number that was used before: its author is frozen.
    Equivocation {
        /// Everything that is in the log now.
        accepted: Vec<Position>,
        /// One proof for each second use.
        proofs: Vec<ForkProof>,
    },
    /// It is not in the log and nothing of it was kept.
    Refused(Refusal),
}

/// Why an entry was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It belongs to another log.
    #[error("entry of another log")]
    WrongLog,
    /// Its time is not 1 + the greatest of its parents.
    #[error("time {found} where the parents demand {expected}")]
    Time {
        /// What the parents demand.
        expected: u64,
        /// What it says.
        found: u64,
    },
    /// `prev` is an entry of another author whose key begins alike.
    #[error("prev is another author's entry")]
    Prev,
    /// `skip` is not on the author's own chain.
    #[error("skip is not an ancestor on the author's chain")]
    Skip,
    /// A local limit: the log has as many authors as it may have.
    #[error("too many authors")]
    TooManyAuthors,
    /// A local limit: this author forked too often, and nobody builds on this entry.
    #[error("too many forks of one author")]
    TooManyForks,
    /// A local limit: parents are missing, and there is not even room to remember the link. Send it again later.
    #[error("the pending set is full")]
    Full,
}

impl Refusal {
    /// Whether every device refuses this entry for ever. False for local limits: the entry may come again.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::WrongLog | Self::Time { .. } | Self::Prev | Self::Skip => true,
            Self::TooManyAuthors | Self::TooManyForks | Self::Full => false,
        }
    }

    /// The failure class named by `spec/vectors/log.json`.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::WrongLog => "wrong-log",
            Self::Time { .. } => "time",
            Self::Prev => "prev",
            Self::Skip => "skip",
            Self::TooManyAuthors => "too-many-authors",
            Self::TooManyForks => "too-many-forks",
            Self::Full => "full",
        }
    }
}

/// An entry that was written.
pub(super) struct Taken {
    pub(super) position: Position,
    pub(super) proof: Option<ForkProof>,
}

/// Judgement on one entry.
pub(super) enum Verdict {
    In(Taken),
    Duplicate(Position),
    Missing(Vec<Link>),
    Refused(Refusal),
}

/// What one call of `accept` brought in.
#[derive(Default)]
struct Gained {
    accepted: Vec<Position>,
    proofs: Vec<ForkProof>,
}

impl Gained {
    fn push(&mut self, taken: Taken) {
        self.accepted.push(taken.position);
        self.proofs.extend(taken.proof);
    }

    fn finish(self) -> Accept {
        if self.proofs.is_empty() {
            Accept::Accepted(self.accepted)
        } else {
            Accept::Equivocation { accepted: self.accepted, proofs: self.proofs }
        }
    }
}

impl Logs {
    /// Takes an entry in. The second time the same entry comes, it is [`Accept::Duplicate`] (or `Pending` again).
    ///
    /// # Errors
    /// [`TurnError`] if rows cannot be read; the turn must then be given up.
    pub fn accept(
        &mut self,
        tx: &mut Turn<'_>,
        log: LogNo,
        entry: VerifiedEntry,
    ) -> Result<Accept, TurnError> {
        // spec: L-11
        let link = entry.link();
        if expect(rows::log(tx, log)?, "accept into a log that was not created")?.i != entry.header().log {
            pending::discard(tx, log, &link)?;
            return Ok(Accept::Refused(Refusal::WrongLog));
        }
        match self.take(tx, log, &entry)? {
            Verdict::Duplicate(position) => {
                if sabotage::active("double-append") {
                    return Ok(Accept::Accepted(vec![position]));
                }
                Ok(Accept::Duplicate)
            }
            Verdict::Missing(missing) => pending::hold(tx, log, &entry, &missing),
            Verdict::Refused(refusal) => {
                if refusal.is_final() {
                    pending::discard(tx, log, &link)?;
                }
                Ok(Accept::Refused(refusal))
            }
            Verdict::In(taken) => {
                let mut gained = Gained::default();
                gained.push(taken);
                self.release(tx, log, link, &mut gained)?;
                Ok(gained.finish())
            }
        }
    }

    /// Stops waiting for a link: forgets that it is wanted, and every pending entry that builds on it.
    ///
    /// For the owner of the log to decide, when nobody can answer for a link any more; a member can make up links
    /// and so fill the pending set. What is forgotten may come again and is then judged afresh.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn give_up(&mut self, tx: &mut Turn<'_>, log: LogNo, link: &Link) -> Result<(), TurnError> {
        pending::discard(tx, log, link)
    }

    /// Lets in what waited for `first`, and what waited for that, parents first. // spec: L-15
    fn release(
        &mut self,
        tx: &mut Turn<'_>,
        log: LogNo,
        first: Link,
        gained: &mut Gained,
    ) -> Result<(), TurnError> {
        let mut queue = VecDeque::from([first]);
        while let Some(parent) = queue.pop_front() {
            if !pending::settle(tx, log, &parent)? {
                return Ok(());
            }
            for child in pending::waiters(tx, log, &parent)? {
                // A sibling refused earlier in this list took its own waiters with it.
                let Some(entry) = pending::held(tx, log, &child)? else {
                    rows::drop_waiting(tx, log, &parent, &child);
                    continue;
                };
                match self.take(tx, log, &entry)? {
                    Verdict::Missing(_) => rows::drop_waiting(tx, log, &parent, &child),
                    Verdict::In(taken) => {
                        pending::remove(tx, log, &entry)?;
                        gained.push(taken);
                        queue.push_back(child);
                    }
                    Verdict::Duplicate(_) => pending::remove(tx, log, &entry)?,
                    Verdict::Refused(refusal) if refusal.is_final() => pending::discard(tx, log, &child)?,
                    Verdict::Refused(_) => pending::postpone(tx, log, &entry)?,
                }
            }
        }
        Ok(())
    }

    /// Judges one entry and, if it is good, writes it.
    pub(super) fn take(
        &mut self,
        tx: &mut Turn<'_>,
        log: LogNo,
        entry: &VerifiedEntry,
    ) -> Result<Verdict, TurnError> {
        let header = entry.header();
        let own = match rows::author_no(tx, log, &header.by)? {
            None => None,
            Some(no) => Some((no, expect(rows::author(tx, no)?, "an author number without its row")?)),
        };
        let mut rival = None;
        if let Some((no, row)) = &own
            && u64::from(header.seq) < row.n
        {
            let first = expect(rows::main_block(tx, *no, header.seq)?, "a number without its block")?;
            if block_id(&first) == entry.id() || rows::fork(tx, *no, header.seq, &entry.id())?.is_some() {
                // spec: L-13
                return Ok(Verdict::Duplicate(entry.position(log, *no)));
            }
            rival = Some(first);
        }
        let mut parents = Vec::with_capacity(header.next.len() + 1);
        let mut missing = Vec::new();
        for link in header.parents() {
            match self.locate(tx, log, link)? {
                Some(known) => parents.push((*link, known)),
                None => missing.push(*link),
            }
        }
        // spec: L-12
        if !missing.is_empty() {
            return Ok(Verdict::Missing(missing));
        }
        if let Some(refusal) = self.judge(tx, log, entry, own.as_ref(), &parents)? {
            return Ok(Verdict::Refused(refusal));
        }
        let Some((no, row)) = (match own {
            Some(own) => Some(own),
            None => new_author(tx, log, entry)?,
        }) else {
            return Ok(Verdict::Refused(Refusal::TooManyAuthors));
        };
        if rival.is_some() && row.k >= MAX_FORKS && !pending::built_upon(tx, log, entry)? {
            return Ok(Verdict::Refused(Refusal::TooManyForks));
        }
        Ok(Verdict::In(self.write(tx, log, entry, (no, row), rival, &parents)))
    }

    /// The rules that need the parents, all of which are known.
    fn judge(
        &mut self,
        view: &dyn View,
        log: LogNo,
        entry: &VerifiedEntry,
        own: Option<&(AuthorNo, AuthorRow)>,
        parents: &[(Link, Known)],
    ) -> Result<Option<Refusal>, TurnError> {
        let header = entry.header();
        // spec: L-6
        if let (Some(_), Some((_, known))) = (&header.prev, parents.first())
            && own.map(|(no, _)| *no) != Some(known.author)
        {
            return Ok(Some(Refusal::Prev));
        }
        // spec: L-8
        let greatest = parents.iter().map(|(_, known)| known.time).max().unwrap_or(0);
        let expected = greatest.saturating_add(1);
        if header.time != expected && !sabotage::active("accept-wrong-time") {
            return Ok(Some(Refusal::Time { expected, found: header.time }));
        }
        // spec: L-9
        if let (Some(skip), Some(prev), Some((no, row))) = (&header.skip, &header.prev, own) {
            let on_chain = match row.f {
                // One entry under each number: whatever is known by this number is on the chain.
                None => self.locate(view, log, skip)?.is_some_and(|known| known.author == *no),
                Some(_) => on_chain(view, *no, prev, skip)?,
            };
            if !on_chain {
                return Ok(Some(Refusal::Skip));
            }
        }
        Ok(None)
    }

    fn write(
        &mut self,
        tx: &mut Turn<'_>,
        log: LogNo,
        entry: &VerifiedEntry,
        (no, mut row): (AuthorNo, AuthorRow),
        rival: Option<Vec<u8>>,
        parents: &[(Link, Known)],
    ) -> Taken {
        let header = entry.header();
        let link = entry.link();
        let proof = match rival {
            None => {
                rows::put_main(tx, no, entry);
                row.n = u64::from(header.seq) + 1;
                row.h = entry.id();
                row.t = header.time;
                None
            }
            Some(rival) => {
                // spec: L-21
                rows::put_fork(tx, no, entry);
                row.f = Some(row.f.map_or(header.seq, |f| f.min(header.seq)));
                row.k = row.k.saturating_add(1);
                Some(ForkProof::new(rival, entry.block()))
            }
        };
        rows::put_author(tx, no, &row);
        // spec: L-14
        for (parent, known) in parents {
            rows::drop_head(tx, log, known.author, parent);
        }
        rows::put_head(tx, log, no, &link, &HeadRow { b: header.by, t: header.time });
        self.remember(log, link, Known { author: no, time: header.time });
        Taken { position: entry.position(log, no), proof }
    }
}

/// Numbers an author at its first entry, if the log has room for one more.
fn new_author(
    tx: &mut Turn<'_>,
    log: LogNo,
    entry: &VerifiedEntry,
) -> Result<Option<(AuthorNo, AuthorRow)>, TurnError> {
    let mut row = expect(rows::log(tx, log)?, "an entry of a log that was not created")?;
    if row.a as usize >= MAX_AUTHORS {
        return Ok(None);
    }
    row.a += 1;
    rows::put_log(tx, log, &row);
    let header = entry.header();
    let author = AuthorRow { l: log.0, b: header.by, n: 0, h: entry.id(), t: header.time, f: None, k: 0 };
    Ok(Some((rows::add_author(tx, log, &header.by)?, author)))
}

/// Whether `skip` is an ancestor of `prev` on the author's chain: walked back over the chain's own skips.
fn on_chain(view: &dyn View, author: AuthorNo, prev: &Link, skip: &Link) -> Result<bool, TurnError> {
    let mut at = *prev;
    while at.s > skip.s {
        let block = expect(rows::block(view, author, at.s, &at.h)?, "a chain with a hole")?;
        let header = rows::header_of(&block)?;
        let hop = header.skip.filter(|hop| hop.s >= skip.s).or(header.prev);
        at = expect(hop, "a later entry without prev")?;
    }
    Ok(at == *skip)
}
