//! Reading: pure functions over the rows.

use super::{Logs, MAX_AUTHORS, MAX_HEADS, MAX_SAME_PREFIX, expect};
use crate::entry::{VerifiedEntry, block_id};
use crate::fork::ForkProof;
use crate::header::Header;
use crate::link::Link;
use crate::logs::accept::MAX_FORKS;
use crate::position::{AuthorNo, LogNo, Position};
use crate::rows;
use murre_core::id::{AuthorId, EntryId, LogId};
use murre_core::{Turn, TurnError, View};

/// An author, by local number or by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// By local number.
    No(AuthorNo),
    /// By key.
    Id(AuthorId),
}

impl From<AuthorNo> for Author {
    fn from(no: AuthorNo) -> Self {
        Self::No(no)
    }
}

impl From<AuthorId> for Author {
    fn from(id: AuthorId) -> Self {
        Self::Id(id)
    }
}

/// An author that used a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The author's key.
    pub by: AuthorId,
    /// Lowest number that was used twice.
    pub seq: u32,
}

/// Author and block behind a link, if its entry is in the log.
pub(super) fn find_block(
    view: &dyn View,
    log: LogNo,
    link: &Link,
) -> Result<Option<(AuthorNo, Vec<u8>)>, TurnError> {
    for author in rows::authors(view, log, &link.a.0, MAX_SAME_PREFIX)? {
        if let Some(block) = rows::block(view, author, link.s, &link.h)? {
            return Ok(Some((author, block)));
        }
    }
    Ok(None)
}

fn resolve(view: &dyn View, log: LogNo, by: Author) -> Result<Option<AuthorNo>, TurnError> {
    match by {
        Author::No(no) => Ok(rows::author(view, no)?.filter(|row| row.l == log.0).map(|_| no)),
        Author::Id(id) => rows::author_no(view, log, &id),
    }
}

impl Logs {
    /// The local number of a log.
    ///
    /// # Errors
    /// [`TurnError`] if rows cannot be read; so for every function here.
    pub fn find(&self, view: &dyn View, log: LogId) -> Result<Option<LogNo>, TurnError> {
        rows::log_no(view, log)
    }

    /// The id of a log.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn log_id(&self, view: &dyn View, log: LogNo) -> Result<Option<LogId>, TurnError> {
        Ok(rows::log(view, log)?.map(|row| row.i))
    }

    /// The local number of an author who has an entry in this log.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn author_no(
        &self,
        view: &dyn View,
        log: LogNo,
        by: AuthorId,
    ) -> Result<Option<AuthorNo>, TurnError> {
        rows::author_no(view, log, &by)
    }

    /// The key of an author.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn author_id(&self, view: &dyn View, no: AuthorNo) -> Result<Option<AuthorId>, TurnError> {
        Ok(rows::author(view, no)?.map(|row| row.b))
    }

    /// Entry `seq` of an author: the first that was accepted under this number. None if it is not there or its
    /// body was erased. The signature is not checked again.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn entry(
        &self,
        view: &dyn View,
        log: LogNo,
        by: impl Into<Author>,
        seq: u32,
    ) -> Result<Option<VerifiedEntry>, TurnError> {
        let Some(author) = resolve(view, log, by.into())? else { return Ok(None) };
        let Some(block) = rows::main_block(view, author, seq)? else { return Ok(None) };
        let Some(body) = rows::body(view, author, seq)? else { return Ok(None) };
        rows::assemble(&block, body).map(Some)
    }

    /// Exactly the entry a link names, forked or not. None if it is not in the log or its body was erased.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn entry_at(
        &self,
        view: &dyn View,
        log: LogNo,
        link: &Link,
    ) -> Result<Option<VerifiedEntry>, TurnError> {
        let Some((author, block)) = find_block(view, log, link)? else { return Ok(None) };
        let first = rows::main_block(view, author, link.s)?.is_some_and(|b| b == block);
        let body = if first {
            rows::body(view, author, link.s)?
        } else {
            rows::fork(view, author, link.s, &link.h)?
                .and_then(|row| row.b)
                .map(serde_bytes::ByteBuf::into_vec)
        };
        body.map(|body| rows::assemble(&block, body)).transpose()
    }

    /// Header and id of entry `seq` of an author; stays when the body is erased.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn header(
        &self,
        view: &dyn View,
        log: LogNo,
        by: impl Into<Author>,
        seq: u32,
    ) -> Result<Option<(EntryId, Header)>, TurnError> {
        let Some(author) = resolve(view, log, by.into())? else { return Ok(None) };
        let Some(block) = rows::main_block(view, author, seq)? else { return Ok(None) };
        Ok(Some((block_id(&block), rows::header_of(&block)?)))
    }

    /// Place in the order of the entry a link names.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn position(&self, view: &dyn View, log: LogNo, link: &Link) -> Result<Option<Position>, TurnError> {
        let Some((author, block)) = find_block(view, log, link)? else { return Ok(None) };
        let header = rows::header_of(&block)?;
        let (by, seq, time) = (header.by, header.seq, header.time);
        Ok(Some(Position { log, author, by, seq, time, id: link.h }))
    }

    /// Destroys a body; header and signature stay, so that the log stays whole and the entry is not taken again.
    /// False if there is no such body.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn erase_body(&mut self, tx: &mut Turn<'_>, log: LogNo, link: &Link) -> Result<bool, TurnError> {
        // spec: L-24
        match find_block(tx, log, link)? {
            None => Ok(false),
            Some((author, _)) => rows::erase_body(tx, author, link.s, &link.h),
        }
    }

    /// The entries that no other entry names as a parent, sorted; at most [`MAX_HEADS`].
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn heads(&self, view: &dyn View, log: LogNo) -> Result<Vec<Link>, TurnError> {
        let mut links: Vec<Link> =
            rows::heads(view, log, MAX_HEADS)?.into_iter().map(|(_, link)| link).collect();
        links.sort();
        Ok(links)
    }

    /// For each author the highest number up to which all are held, sorted by author.
    ///
    /// Two devices with equal frontiers hold the same entries unless an author forked; compare [`Logs::heads`]
    /// to be sure.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn frontier(&self, view: &dyn View, log: LogNo) -> Result<Vec<(AuthorId, u32)>, TurnError> {
        let mut out = Vec::new();
        for no in rows::authors(view, log, &[], MAX_AUTHORS)? {
            let row = expect(rows::author(view, no)?, "an author number without its row")?;
            if let Some(last) = row.n.checked_sub(1) {
                out.push((row.b, last as u32));
            }
        }
        Ok(out)
    }

    /// Whether the entry a link names is in the log.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn knows(&self, view: &dyn View, log: LogNo, link: &Link) -> Result<bool, TurnError> {
        Ok(find_block(view, log, link)?.is_some())
    }

    /// Whether the entry a link names waits for its parents.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn is_pending(&self, view: &dyn View, log: LogNo, link: &Link) -> Result<bool, TurnError> {
        Ok(rows::pending(view, log, link)?.is_some())
    }

    /// Links to fetch: parents of pending entries, and entries for which there was no room; at most `limit`.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn missing(&self, view: &dyn View, log: LogNo, limit: usize) -> Result<Vec<Link>, TurnError> {
        rows::wanted_links(view, log, None, limit)
    }

    /// As [`Logs::missing`], from behind a link, so that one page of links that nobody can answer does not hide
    /// the next.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn missing_after(
        &self,
        view: &dyn View,
        log: LogNo,
        after: &Link,
        limit: usize,
    ) -> Result<Vec<Link>, TurnError> {
        rows::wanted_links(view, log, Some(after), limit)
    }

    /// How much is pending: for `doctor`.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn pending_counts(&self, view: &dyn View, log: LogNo) -> Result<rows::Counts, TurnError> {
        rows::counts(view, log)
    }

    /// The authors of a log that used a number twice, sorted.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn frozen(&self, view: &dyn View, log: LogNo) -> Result<Vec<Frozen>, TurnError> {
        let mut out = Vec::new();
        for no in rows::authors(view, log, &[], MAX_AUTHORS)? {
            let row = expect(rows::author(view, no)?, "an author number without its row")?;
            out.extend(row.f.map(|seq| Frozen { by: row.b, seq }));
        }
        Ok(out)
    }

    /// The entries beside the first under one number, by id.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn forks(&self, view: &dyn View, log: LogNo, by: AuthorId, seq: u32) -> Result<Vec<Link>, TurnError> {
        let Some(author) = rows::author_no(view, log, &by)? else { return Ok(Vec::new()) };
        let forks = rows::forks(view, author, seq, MAX_FORKS as usize)?;
        Ok(forks.iter().map(|row| Link::new(&by, seq, block_id(&row.h))).collect())
    }

    /// Proof that an author forked: the two lowest ids under the lowest number used twice, so the same proof on
    /// every device that holds the same entries.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn fork_proof(
        &self,
        view: &dyn View,
        log: LogNo,
        by: AuthorId,
    ) -> Result<Option<ForkProof>, TurnError> {
        // spec: L-23
        let Some(author) = rows::author_no(view, log, &by)? else { return Ok(None) };
        let row = expect(rows::author(view, author)?, "an author number without its row")?;
        let Some(seq) = row.f else { return Ok(None) };
        let mut blocks: Vec<Vec<u8>> = rows::main_block(view, author, seq)?.into_iter().collect();
        blocks.extend(rows::forks(view, author, seq, 2)?.into_iter().map(|row| row.h.into_vec()));
        blocks.sort_by_key(|block| block_id(block));
        let mut lowest = blocks.into_iter();
        Ok(lowest.next().zip(lowest.next()).map(|(a, b)| ForkProof::new(a, b)))
    }
}
