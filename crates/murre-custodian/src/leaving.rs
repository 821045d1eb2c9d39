//! A node that is asked to stop: it begins nothing new and ends when what is under way is answered, or its time is up.
//!
//! ```text
//!  drain --> nothing new: puts, coordination and links are refused, waiting lists answered
//!             |  what is under way goes on
//!             v
//!            all answered | 10 s            -> told once, with what was left
//! ```

use crate::limits::DRAIN_MS;
use murre_core::Mono;
use murre_mailbox::Request;

/// Whether the node is leaving, and until when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leaving {
    until: Option<Mono>,
    told: bool,
}

impl Leaving {
    /// One that was asked before it was opened. Nothing is under way in a machine that was just opened, so its first
    /// turn is the end of it.
    #[must_use]
    pub const fn opened(asked: bool) -> Self {
        Self { until: if asked { Some(Mono(0)) } else { None }, told: false }
    }

    /// Begins, if it has not begun.
    pub fn begin(&mut self, now: Mono) {
        self.until.get_or_insert(now.plus(DRAIN_MS));
    }

    /// Whether nothing new is begun.
    #[must_use]
    pub const fn is(&self) -> bool {
        self.until.is_some()
    }

    /// When its time is up.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        self.until.filter(|_| !self.told)
    }

    /// Whether it is over now, with so much under way. True once.
    pub fn over(&mut self, now: Mono, under_way: usize) -> bool {
        let over = self.next_timeout().is_some_and(|until| under_way == 0 || until <= now);
        self.told |= over;
        over
    }
}

/// Whether a request makes a node begin something: what one that is leaving refuses.
#[must_use]
pub const fn begins(request: &Request) -> bool {
    match request {
        Request::Put { .. } | Request::PutObject { .. } | Request::Tombstone { .. } => true,
        Request::List { fan, .. } | Request::Get { fan, .. } | Request::GetObject { fan, .. } => *fan,
        Request::Hello { .. }
        | Request::Descriptors { .. }
        | Request::Announce { .. }
        | Request::Repair { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_once_when_nothing_is_left_or_its_time_is_up() {
        let mut idle = Leaving::default();
        assert!(!idle.is() && !idle.over(Mono(1), 0));
        idle.begin(Mono(5));
        assert!(idle.is() && idle.over(Mono(5), 0) && !idle.over(Mono(6), 0));
        assert_eq!(idle.next_timeout(), None);
        let mut busy = Leaving::default();
        busy.begin(Mono(5));
        busy.begin(Mono(9_000));
        assert!(!busy.over(Mono(5 + DRAIN_MS - 1), 3), "a second call gives it no more time");
        assert!(busy.over(Mono(5 + DRAIN_MS), 3));
        let mut anew = Leaving::opened(true);
        assert!(anew.is() && anew.over(Mono(7), 0) && !anew.over(Mono(8), 0));
        assert!(!Leaving::opened(false).is());
    }
}
