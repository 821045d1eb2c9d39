//! What came too early.
//!
//! ```text
//!  entry with missing parents, room left:   PENDING(link) = wire form
//!                                           WAITING(parent, link) for each missing parent
//!                                           WANTED(parent) unless the parent is pending itself
//!  no room left:                            WANTED(link) and WANTED(parent): fetched again later
//!  no room for a link either:               refused as `Full`; the sender, who got no receipt, sends it again
//! ```
//!
//! So nothing is forgotten silently: what is known to exist is in the log, pending, wanted, or was refused aloud.

use super::accept::{Accept, Refusal};
use crate::entry::{Entry, VerifiedEntry};
use crate::link::Link;
use crate::position::LogNo;
use crate::rows::{self, Counts};
use murre_core::{Turn, TurnError, View, sabotage};

/// Most entries pending in one log.
pub const MAX_PENDING: u32 = 1_024;
/// Most bytes pending in one log.
pub const MAX_PENDING_BYTES: u64 = 16 << 20;
/// Most links wanted in one log.
pub const MAX_WANTED: u32 = 65_536;

/// A pending entry names this link as a parent.
const NAMED: u8 = 0;
/// The entry of this link was here and had no room.
const NO_ROOM: u8 = 1;

/// Keeps an entry, or at least its link.
pub(super) fn hold(
    tx: &mut Turn<'_>,
    log: LogNo,
    entry: &VerifiedEntry,
    missing: &[Link],
) -> Result<Accept, TurnError> {
    let link = entry.link();
    let mut absent = Vec::new();
    for parent in missing {
        if rows::pending(tx, log, parent)?.is_none() {
            absent.push(*parent);
        }
    }
    let answer = Accept::Pending { missing: absent.clone() };
    if sabotage::active("drop-pending") || rows::pending(tx, log, &link)?.is_some() {
        return Ok(answer);
    }
    let wire = entry.wire();
    let counts = rows::counts(tx, log)?;
    // spec: L-16
    let room = counts.n < MAX_PENDING && counts.b.saturating_add(wire.len() as u64) <= MAX_PENDING_BYTES;
    let mut links: Vec<(Link, u8)> = absent.into_iter().map(|l| (l, NAMED)).collect();
    if !room {
        links.push((link, NO_ROOM));
    }
    if !want(tx, log, &links)? {
        // spec: L-17
        return Ok(Accept::Refused(Refusal::Full));
    }
    if room {
        unwant(tx, log, &link)?;
        rows::put_pending(tx, log, &link, &wire);
        for parent in missing {
            rows::put_waiting(tx, log, parent, &link);
        }
        let mut counts = rows::counts(tx, log)?;
        counts.n += 1;
        counts.b += wire.len() as u64;
        rows::put_counts(tx, log, &counts);
    }
    Ok(answer)
}

/// Marks links as wanted, all or none.
fn want(tx: &mut Turn<'_>, log: LogNo, links: &[(Link, u8)]) -> Result<bool, TurnError> {
    let mut counts = rows::counts(tx, log)?;
    let mut fresh = 0;
    for (link, _) in links {
        fresh += u32::from(rows::wanted(tx, log, link)?.is_none());
    }
    if counts.w.saturating_add(fresh) > MAX_WANTED {
        return Ok(false);
    }
    for (link, why) in links {
        let before = rows::wanted(tx, log, link)?;
        if before.is_none_or(|b| b < *why) {
            rows::put_wanted(tx, log, link, *why);
        }
    }
    counts.w += fresh;
    rows::put_counts(tx, log, &counts);
    Ok(true)
}

fn unwant(tx: &mut Turn<'_>, log: LogNo, link: &Link) -> Result<(), TurnError> {
    if rows::wanted(tx, log, link)?.is_some() {
        rows::drop_wanted(tx, log, link);
        let mut counts = rows::counts(tx, log)?;
        counts.w = counts.w.saturating_sub(1);
        rows::put_counts(tx, log, &counts);
    }
    Ok(())
}

/// An entry is in the log: its link is wanted no more. False if nothing at all is pending.
pub(super) fn settle(tx: &mut Turn<'_>, log: LogNo, link: &Link) -> Result<bool, TurnError> {
    if rows::counts(tx, log)?.is_empty() {
        return Ok(false);
    }
    unwant(tx, log, link)?;
    Ok(true)
}

/// Links of the pending entries that name `parent` and lacked it.
pub(super) fn waiters(view: &dyn View, log: LogNo, parent: &Link) -> Result<Vec<Link>, TurnError> {
    rows::waiting(view, log, parent, MAX_PENDING as usize)
}

/// A pending entry.
pub(super) fn held(view: &dyn View, log: LogNo, link: &Link) -> Result<Option<VerifiedEntry>, TurnError> {
    let Some(wire) = rows::pending(view, log, link)? else { return Ok(None) };
    // Verified before it was stored.
    let entry = Entry::parse(&wire).and_then(Entry::trusted).map_err(|_| rows::damaged(rows::PENDING))?;
    Ok(Some(entry))
}

/// Takes an entry out of the pending set; its children go on waiting.
pub(super) fn remove(tx: &mut Turn<'_>, log: LogNo, entry: &VerifiedEntry) -> Result<(), TurnError> {
    let link = entry.link();
    rows::drop_pending(tx, log, &link);
    for parent in entry.header().parents() {
        rows::drop_waiting(tx, log, parent, &link);
    }
    let counts = rows::counts(tx, log)?;
    let less = Counts {
        n: counts.n.saturating_sub(1),
        b: counts.b.saturating_sub(entry.wire().len() as u64),
        w: counts.w,
    };
    rows::put_counts(tx, log, &less);
    Ok(())
}

/// Takes a pending entry out that a local limit keeps from the log, and wants it again.
pub(super) fn postpone(tx: &mut Turn<'_>, log: LogNo, entry: &VerifiedEntry) -> Result<(), TurnError> {
    remove(tx, log, entry)?;
    want(tx, log, &[(entry.link(), NO_ROOM)])?;
    Ok(())
}

/// An entry is invalid, so everything that builds on it is: forgets what waits for it, and what waits for that.
pub(super) fn discard(tx: &mut Turn<'_>, log: LogNo, link: &Link) -> Result<(), TurnError> {
    // spec: L-18
    if rows::counts(tx, log)?.is_empty() {
        return Ok(());
    }
    let mut queue = vec![*link];
    while let Some(bad) = queue.pop() {
        unwant(tx, log, &bad)?;
        queue.extend(waiters(tx, log, &bad)?);
        if let Some(entry) = held(tx, log, &bad)? {
            remove(tx, log, &entry)?;
            for parent in entry.header().parents() {
                let idle = rows::waiting(tx, log, parent, 1)?.is_empty();
                if idle && rows::wanted(tx, log, parent)? == Some(NAMED) {
                    unwant(tx, log, parent)?;
                }
            }
        }
    }
    Ok(())
}

/// Whether an entry of another author waits for this one.
pub(super) fn built_upon(view: &dyn View, log: LogNo, entry: &VerifiedEntry) -> Result<bool, TurnError> {
    let by = &entry.header().by;
    Ok(waiters(view, log, &entry.link())?.iter().any(|child| !child.is_of(by)))
}
