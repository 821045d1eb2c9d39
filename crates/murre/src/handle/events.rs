//! Events with a cursor: each exactly once, in order, over any number of reconnects.
//!
//! ```text
//!   driver: COMMIT (notice rows 7, 8)  -->  newest := 8
//!   reader: newest changed? -> rows after my cursor, a page at a time -> hand out -> cursor := last of them
//! ```
//!
//! The rows are the only source of events. How far a file is, is no event: it is handed out in between to whoever asked
//! for it, and never after an event that came later. What wakes the reader carries no event, so nothing can be handed out twice or
//! before it is durable, and a slow listener costs nothing but its own lag.

use super::{CallError, Handle};
use murre_core::id::MessageId;
use murre_device::query::{self, MessageInfo};
use murre_device::{Notice, Progress};
use std::collections::VecDeque;
use tokio::sync::{broadcast, watch};

/// Events read at once.
const PAGE: usize = 256;

/// One event, with the message it is about, if it is about one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventPage {
    /// What happened.
    Notice {
        /// Its place.
        cursor: u64,
        /// What.
        notice: Notice,
        /// The message as it is now, for those notices that bring one.
        message: Option<MessageInfo>,
    },
    /// Events before this cursor, and after the one before, are no longer kept.
    Skipped {
        /// The last one that is missing.
        cursor: u64,
        /// How many are missing.
        events: u64,
    },
    /// How far a file under way is: not stored, and without a place of its own.
    Progress {
        /// The place of the event before it.
        cursor: u64,
        /// How far.
        progress: Progress,
    },
}

/// Something that passes by, and after which durable event it happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing {
    pub after: u64,
    pub progress: Progress,
}

impl EventPage {
    /// Its place in the order.
    #[must_use]
    pub const fn cursor(&self) -> u64 {
        match self {
            Self::Notice { cursor, .. } | Self::Skipped { cursor, .. } | Self::Progress { cursor, .. } => {
                *cursor
            }
        }
    }
}

/// A listener. Dropping it ends it.
#[derive(Debug)]
pub struct Events {
    handle: Handle,
    newest: watch::Receiver<u64>,
    passing: Option<broadcast::Receiver<Passing>>,
    /// Taken from `passing`, and not yet its turn.
    held: Option<Passing>,
    closing: watch::Receiver<bool>,
    cursor: u64,
    ready: VecDeque<EventPage>,
}

impl Events {
    pub(super) fn new(
        handle: Handle,
        newest: watch::Receiver<u64>,
        passing: Option<broadcast::Receiver<Passing>>,
        closing: watch::Receiver<bool>,
        cursor: u64,
    ) -> Self {
        Self { handle, newest, passing, held: None, closing, cursor, ready: VecDeque::new() }
    }

    /// The next event, waiting for it if need be. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`CallError::Stopping`] when the home is being stopped; what reading says.
    pub async fn next(&mut self) -> Result<EventPage, CallError> {
        loop {
            if let Some(passed) = self.ready.front().map(EventPage::cursor).and_then(|at| self.passed(at)) {
                return Ok(passed);
            }
            if let Some(event) = self.ready.pop_front() {
                self.cursor = event.cursor();
                return Ok(event);
            }
            self.newest.borrow_and_update();
            let (cursor, now) = (self.cursor, self.handle.wall());
            self.ready = self.handle.read(move |view| page(view, cursor, now)).await?;
            if !self.ready.is_empty() {
                continue;
            }
            // Everything that was durable when it was told has been handed out.
            if let Some(Passing { progress, .. }) = self.held.take() {
                return Ok(EventPage::Progress { cursor: self.cursor, progress });
            }
            tokio::select! {
                biased;
                changed = self.newest.changed() => changed.map_err(|_| CallError::Stopping)?,
                _ = self.closing.wait_for(|closing| *closing) => return Err(CallError::Stopping),
                passing = pass(&mut self.passing) => self.held = Some(passing),
            }
        }
    }

    /// What was told before the event of this cursor, if it is not handed out yet.
    // spec: A-22
    fn passed(&mut self, next: u64) -> Option<EventPage> {
        if self.held.is_none() {
            self.held = self.passing.as_mut().and_then(waiting);
        }
        let Passing { progress, .. } = self.held.take_if(|held| held.after < next)?;
        Some(EventPage::Progress { cursor: self.cursor, progress })
    }
}

/// The next that has passed by already.
fn waiting(from: &mut broadcast::Receiver<Passing>) -> Option<Passing> {
    loop {
        match from.try_recv() {
            Ok(passing) => return Some(passing),
            Err(broadcast::error::TryRecvError::Lagged(_)) => {}
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => {
                return None;
            }
        }
    }
}

/// The next that passes by. A slow listener has lost some.
async fn pass(passing: &mut Option<broadcast::Receiver<Passing>>) -> Passing {
    while let Some(from) = passing {
        match from.recv().await {
            Ok(passing) => return passing,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => *passing = None,
        }
    }
    std::future::pending().await
}

// spec: A-8, A-10
fn page(
    view: &dyn murre_core::View,
    cursor: u64,
    now: murre_core::Wall,
) -> Result<VecDeque<EventPage>, CallError> {
    let mut out = VecDeque::new();
    let mut last = cursor;
    for (cursor, notice) in query::notices(view, cursor, PAGE)? {
        if cursor > last + 1 {
            out.push_back(EventPage::Skipped { cursor: cursor - 1, events: cursor - 1 - last });
        }
        last = cursor;
        let message = match about(&notice) {
            Some(id) => query::message(view, id, now)?,
            None => None,
        };
        out.push_back(EventPage::Notice { cursor, notice, message });
    }
    Ok(out)
}

/// The message that a notice brings.
const fn about(notice: &Notice) -> Option<MessageId> {
    match notice {
        Notice::MessageArrived { message, .. } | Notice::MessageSent { message, .. } => Some(*message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use murre_core::id::LogId;
    use murre_core::{Turn, View};
    use murre_device::rows;
    use murre_store::{MemoryStore, Store};

    #[test]
    fn events_that_are_no_longer_kept_are_told_as_skipped() {
        let mut store = MemoryStore::new();
        let mut turn = Turn::new(&store);
        let notice = Notice::Gap { chat: LogId::from_bytes([1; 32]) };
        for cursor in [5u64, 6, 9] {
            rows::put(&mut turn, rows::NOTICES, &cursor.to_be_bytes(), &notice);
        }
        let batch = turn.into_batch();
        store.begin().unwrap();
        store.apply(&batch).unwrap();
        store.commit().unwrap();
        let told = |since| -> Vec<(u64, Option<u64>)> {
            let page = page(&store as &dyn View, since, murre_core::Wall(0)).unwrap();
            page.iter()
                .map(|event| match event {
                    EventPage::Skipped { cursor, events } => (*cursor, Some(*events)),
                    EventPage::Notice { cursor, .. } | EventPage::Progress { cursor, .. } => (*cursor, None),
                })
                .collect()
        };
        assert_eq!(told(0), [(4, Some(4)), (5, None), (6, None), (8, Some(2)), (9, None)]);
        assert_eq!(told(4), [(5, None), (6, None), (8, Some(2)), (9, None)]);
        assert_eq!(told(9), []);
    }
}
