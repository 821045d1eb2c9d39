//! How much is used of what is limited and others, or time, can make grow.

use super::QueryError;
use crate::contacts;
use crate::files::rows::WORK;
use crate::limits::{MAX_CONTACTS, MAX_FILE_WORK, MAX_INCOMING, MAX_INVITES, MAX_NOTICES, MAX_OLD_MAILBOXES};
use crate::rows::{NOTICES, OLD_MAILBOXES};
use murre_core::{Direction, Range, Space, View, Wall};

/// One limit, and how much of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What is limited.
    pub name: &'static str,
    /// How much there is.
    pub used: u64,
    /// How much there may be.
    pub limit: u64,
}

impl Quota {
    /// Of so many at most.
    #[must_use]
    pub const fn new(name: &'static str, used: usize, limit: usize) -> Self {
        Self { name, used: used as u64, limit: limit as u64 }
    }
}

/// The limits of what lies in rows. Bounded by those limits.
///
/// # Errors
/// [`QueryError`].
// spec: A-23
pub fn quotas(view: &dyn View, now: Wall) -> Result<Vec<Quota>, QueryError> {
    let all = contacts::all(view)?;
    let incoming = all.iter().filter(|(_, row)| row.state == crate::ContactState::Incoming).count();
    let invites = super::invites(view)?;
    let open = |i: &&super::InviteInfo| !i.withdrawn && !i.replaced && !i.link.public && i.expires > now;
    let rows = |space: Space, limit: usize| -> Result<usize, QueryError> {
        Ok(view.scan(space, &Range::all(), Direction::Forward, limit)?.len())
    };
    // Cursors have no gaps: the ends tell how many there are.
    let oldest = view.scan(NOTICES, &Range::all(), Direction::Forward, 1)?;
    let oldest = oldest.first().and_then(|(key, _)| key.as_slice().try_into().ok()).map(u64::from_be_bytes);
    let events = oldest
        .map_or(Ok(0), |oldest| super::last_cursor(view).map(|last| (last + 1).saturating_sub(oldest)))?;
    Ok(vec![
        Quota::new("contacts", all.len(), MAX_CONTACTS),
        Quota::new("requests", incoming, MAX_INCOMING),
        Quota::new("invitations", invites.iter().filter(open).count(), MAX_INVITES),
        Quota::new("old_mailboxes", rows(OLD_MAILBOXES, MAX_OLD_MAILBOXES)?, MAX_OLD_MAILBOXES),
        Quota::new("files_under_way", rows(WORK, MAX_FILE_WORK)?, MAX_FILE_WORK),
        Quota { name: "events", used: events, limit: MAX_NOTICES },
    ])
}
