//! The log as a machine over rows.
//!
//! Everything is in the rows (`crate::rows`); [`Logs`] itself holds one bounded cache of recent entries and can
//! be dropped at any time. A turn that fails must drop it or call [`Logs::abort`], because the cache may know
//! entries that were never stored.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | create, draft, append |
//! | `accept.rs` | judge an entry against its parents and write it |
//! | `pending.rs` | keep what came too early, within limits |
//! | `read.rs` | entries, heads, frontier, what is missing, who forked |

mod accept;
mod pending;
mod read;

pub use accept::{Accept, MAX_FORKS, Refusal};
pub use pending::{MAX_PENDING, MAX_PENDING_BYTES, MAX_WANTED};
pub use read::{Author, Frozen};

use crate::entry::VerifiedEntry;
use crate::header::{Header, MAX_NEXT, VERSION};
use crate::link::{Link, skip_target};
use crate::position::{AuthorNo, LogNo, Position};
use crate::rows;
use murre_core::id::{AuthorId, LogId, StateId};
use murre_core::{Bug, ErrorKind, HasKind, Turn, TurnError, View, ViewError};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// Entries whose number and time are kept in memory.
pub const RECENT: usize = 4_096;
/// Most authors of one log.
pub const MAX_AUTHORS: usize = 16_384;
/// Most heads that are looked at. More exist only if more authors than this write at the same moment.
pub const MAX_HEADS: usize = 4_096;
/// Most authors of one log whose keys begin with the same 8 bytes. Each beyond the second costs 2^64 tries.
pub const MAX_SAME_PREFIX: usize = 16;

/// What is known of an accepted entry.
#[derive(Clone, Copy, Debug)]
struct Known {
    author: AuthorNo,
    time: u64,
}

/// All logs of one device.
#[derive(Debug, Default)]
pub struct Logs {
    recent: BTreeMap<(LogNo, Link), Known>,
    recent_order: VecDeque<(LogNo, Link)>,
}

/// Why no header can be drafted.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// Rows could not be read.
    #[error(transparent)]
    Turn(#[from] TurnError),
    /// There is no such log.
    #[error("no such log")]
    NoLog,
    /// This author used a number twice: the store was rolled back or copied. It must write no more.
    #[error("this author forked at number {seq} and writes no more")]
    Frozen {
        /// Lowest number that was used twice.
        seq: u32,
    },
    /// The author's numbers are used up.
    #[error("no number left for this author")]
    Exhausted,
}

impl From<ViewError> for DraftError {
    fn from(e: ViewError) -> Self {
        Self::Turn(e.into())
    }
}

impl HasKind for DraftError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Turn(e) => e.kind(),
            Self::NoLog | Self::Frozen { .. } | Self::Exhausted => ErrorKind::Caller,
        }
    }
}

/// Why an own entry was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Rows could not be read.
    #[error(transparent)]
    Turn(#[from] TurnError),
    /// This author forked earlier and writes no more.
    #[error("this author forked at number {seq} and writes no more")]
    Frozen {
        /// Lowest number that was used twice.
        seq: u32,
    },
    /// The header does not continue the log as it is now: it was drafted earlier, or elsewhere. Nothing was
    /// written.
    #[error("the entry does not continue the log as it is now")]
    Stale,
}

impl HasKind for AppendError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Turn(e) => e.kind(),
            Self::Frozen { .. } | Self::Stale => ErrorKind::Caller,
        }
    }
}

impl Logs {
    /// Nothing is read; all is in the rows.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// Forgets what is in memory, after a turn that will not be stored.
    pub fn abort(&mut self) {
        self.recent.clear();
        self.recent_order.clear();
    }

    /// Gives a log a local number; the same one if it has one.
    ///
    /// # Errors
    /// [`TurnError`] if rows cannot be read.
    pub fn create(&mut self, tx: &mut Turn<'_>, log: LogId) -> Result<LogNo, TurnError> {
        match rows::log_no(tx, log)? {
            Some(no) => Ok(no),
            None => rows::add_log(tx, log),
        }
    }

    /// A header that continues the log: number, `prev`, `next` (the greatest heads that are not `prev`), `skip`
    /// and time are filled in. Hash and length of the body are zero until [`crate::Entry::sign`].
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn draft(
        &self,
        view: &dyn View,
        log: LogNo,
        by: AuthorId,
        state: StateId,
        c: [u8; 32],
    ) -> Result<Header, DraftError> {
        let log_id = rows::log(view, log)?.ok_or(DraftError::NoLog)?.i;
        let own = match rows::author_no(view, log, &by)? {
            None => None,
            Some(no) => Some((no, rows::author(view, no)?.ok_or_else(|| rows::damaged(rows::AUTHORS))?)),
        };
        // spec: L-25
        if let Some(seq) = own.as_ref().and_then(|(_, row)| row.f) {
            return Err(DraftError::Frozen { seq });
        }
        let seq = own.as_ref().map_or(0, |(_, row)| row.n);
        let seq = u32::try_from(seq).map_err(|_| DraftError::Exhausted)?;
        let prev = own.as_ref().map(|(_, row)| Link::new(&by, seq.saturating_sub(1), row.h));
        let mut heads = rows::heads(view, log, MAX_HEADS)?;
        heads.retain(|(_, link)| Some(*link) != prev);
        if murre_core::sabotage::active("forget-parents") && prev.is_some() {
            heads.clear();
        }
        // Greatest first: should more than 16 be left out, the new entry still comes after all of them.
        // spec: L-19
        heads.sort_by_key(|(row, link)| Reverse((row.t, row.b, link.s, link.h)));
        heads.truncate(MAX_NEXT);
        let greatest = heads.iter().map(|(row, _)| row.t).chain(own.as_ref().map(|(_, row)| row.t)).max();
        let mut next: Vec<Link> = heads.into_iter().map(|(_, link)| link).collect();
        next.sort();
        let skip = match (skip_target(seq), &own) {
            (Some(to), Some((no, _))) => {
                let block = rows::main_block(view, *no, to)?.ok_or_else(|| rows::damaged(rows::BLOCKS))?;
                Some(Link::new(&by, to, crate::entry::block_id(&block)))
            }
            _ => None,
        };
        let time = greatest.unwrap_or(0).saturating_add(1);
        Ok(Header { v: VERSION, log: log_id, by, seq, prev, next, skip, time, state, c, bh: [0; 32], bl: 0 })
    }

    /// Appends an own entry, whose header came from [`Logs::draft`] in the same turn.
    ///
    /// # Errors
    /// [`AppendError`]; nothing is written then.
    pub fn append(
        &mut self,
        tx: &mut Turn<'_>,
        log: LogNo,
        entry: VerifiedEntry,
    ) -> Result<Position, AppendError> {
        let header = entry.header();
        let row = match rows::author_no(tx, log, &header.by)? {
            None => None,
            Some(no) => rows::author(tx, no)?,
        };
        // spec: L-25
        if let Some(seq) = row.as_ref().and_then(|row| row.f) {
            return Err(AppendError::Frozen { seq });
        }
        let ours = rows::log(tx, log)?.is_some_and(|row| row.i == header.log);
        if !ours || row.as_ref().map_or(0, |row| row.n) != u64::from(header.seq) {
            return Err(AppendError::Stale);
        }
        match self.take(tx, log, &entry)? {
            accept::Verdict::In(taken) => Ok(taken.position),
            accept::Verdict::Duplicate(_) | accept::Verdict::Refused(_) | accept::Verdict::Missing(_) => {
                Err(AppendError::Stale)
            }
        }
    }

    /// Remembers an accepted entry.
    fn remember(&mut self, log: LogNo, link: Link, known: Known) {
        if self.recent.insert((log, link), known).is_none() {
            self.recent_order.push_back((log, link));
        }
        while self.recent_order.len() > RECENT {
            if let Some(oldest) = self.recent_order.pop_front() {
                self.recent.remove(&oldest);
            }
        }
    }

    /// Finds an accepted entry by its link: in memory, else by number in the rows, comparing the hash.
    fn locate(&mut self, view: &dyn View, log: LogNo, link: &Link) -> Result<Option<Known>, TurnError> {
        if let Some(known) = self.recent.get(&(log, *link)) {
            return Ok(Some(*known));
        }
        let Some((author, block)) = read::find_block(view, log, link)? else { return Ok(None) };
        let known = Known { author, time: rows::header_of(&block)?.time };
        self.remember(log, *link, known);
        Ok(Some(known))
    }
}

/// A row that must be there because another row says so.
fn expect<T>(value: Option<T>, what: &'static str) -> Result<T, TurnError> {
    value.ok_or_else(|| TurnError::Bug(Bug::new(what)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use murre_core::id::EntryId;

    #[test]
    fn memory_ends_at_its_limit_and_forgets_the_oldest() {
        let mut logs = Logs::open();
        let link = |s| Link::new(&AuthorId::from_bytes([1; 32]), s, EntryId::from_bytes([2; 32]));
        for s in 0..=RECENT as u32 {
            for _ in 0..2 {
                logs.remember(LogNo(0), link(s), Known { author: AuthorNo(0), time: u64::from(s) });
            }
        }
        assert_eq!((logs.recent.len(), logs.recent_order.len()), (RECENT, RECENT));
        assert!(!logs.recent.contains_key(&(LogNo(0), link(0))));
        logs.abort();
        assert!(logs.recent.is_empty() && logs.recent_order.is_empty());
    }
}
