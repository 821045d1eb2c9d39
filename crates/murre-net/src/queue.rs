//! Frames on their way out of one link.
//!
//! Filled from any thread without waiting, drained by the link's own task. It is bounded in bytes, and a peer that
//! lets it fill loses the link: on an ordered, reliable link a frame is never dropped from the middle.

use crate::limits::{CREDIT_MARK, MAX_LINK_QUEUE};
use murre_core::Class;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// One frame and what it is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    pub class: Class,
    pub bytes: Vec<u8>,
}

/// What the link's task should do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Write this.
    Frame(Queued),
    /// Flush, then wait. If true, the queue was long and its owner may go on.
    Drained { credit: bool },
    /// Write these, then close.
    Close(VecDeque<Queued>),
    /// The queue overflowed: cut the link.
    TooSlow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Closing,
    TooSlow,
}

#[derive(Debug)]
struct State {
    frames: VecDeque<Queued>,
    bytes: usize,
    was_long: bool,
    phase: Phase,
}

/// The queue of one link.
#[derive(Debug)]
pub(crate) struct Outgoing {
    state: Mutex<State>,
    filled: Notify,
}

impl Outgoing {
    /// A queue that begins with what waited for the dial.
    pub(crate) fn new(waiting: VecDeque<Queued>) -> Self {
        let bytes = waiting.iter().map(|frame| frame.bytes.len()).sum();
        let state = State { frames: waiting, bytes, was_long: false, phase: Phase::Open };
        Self { state: Mutex::new(state), filled: Notify::new() }
    }

    /// Queues a frame.
    ///
    /// # Errors
    /// The frame comes back if the link no longer takes any.
    pub(crate) fn push(&self, frame: Queued) -> Result<(), Queued> {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Err(frame);
        }
        if state.bytes + frame.bytes.len() > MAX_LINK_QUEUE {
            state.phase = Phase::TooSlow;
            state.frames.clear();
            state.bytes = 0;
        } else {
            state.bytes += frame.bytes.len();
            state.was_long |= state.bytes > CREDIT_MARK;
            state.frames.push_back(frame);
        }
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes no more frames; what is queued is still written.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        drop(state);
        self.filled.notify_one();
    }

    pub(crate) fn is_open(&self) -> bool {
        self.lock().phase == Phase::Open
    }

    pub(crate) fn next(&self) -> Next {
        let mut state = self.lock();
        match state.phase {
            Phase::TooSlow => Next::TooSlow,
            Phase::Closing => {
                state.bytes = 0;
                Next::Close(std::mem::take(&mut state.frames))
            }
            Phase::Open => match state.frames.pop_front() {
                Some(frame) => {
                    state.bytes -= frame.bytes.len();
                    Next::Frame(frame)
                }
                None => Next::Drained { credit: std::mem::take(&mut state.was_long) },
            },
        }
    }

    /// Waits until something changed since the last [`Outgoing::next`].
    pub(crate) async fn changed(&self) {
        self.filled.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Queued {
        Queued { class: Class::Message, bytes: vec![1; len] }
    }

    #[test]
    fn credit_is_given_once_after_a_long_queue_drained() {
        let queue = Outgoing::new(VecDeque::new());
        queue.push(frame(10)).unwrap();
        assert_eq!(queue.next(), Next::Frame(frame(10)));
        assert_eq!(queue.next(), Next::Drained { credit: false });
        queue.push(frame(CREDIT_MARK)).unwrap();
        queue.push(frame(1)).unwrap();
        assert_eq!(queue.next(), Next::Frame(frame(CREDIT_MARK)));
        assert_eq!(queue.next(), Next::Frame(frame(1)));
        assert_eq!(queue.next(), Next::Drained { credit: true });
        assert_eq!(queue.next(), Next::Drained { credit: false });
    }

    #[test]
    fn a_queue_over_its_limit_ends_the_link() {
        let queue = Outgoing::new(VecDeque::new());
        for _ in 0..4 {
            queue.push(frame(MAX_LINK_QUEUE / 4)).unwrap();
        }
        assert!(queue.is_open());
        queue.push(frame(1)).unwrap();
        assert_eq!(queue.next(), Next::TooSlow);
        assert_eq!(queue.push(frame(1)), Err(frame(1)));
        queue.close();
        assert_eq!(queue.next(), Next::TooSlow);
    }

    #[test]
    fn closing_keeps_what_is_queued_and_takes_no_more() {
        let queue = Outgoing::new(VecDeque::from([frame(1)]));
        queue.push(frame(2)).unwrap();
        queue.close();
        assert_eq!(queue.push(frame(3)), Err(frame(3)));
        assert_eq!(queue.next(), Next::Close(VecDeque::from([frame(1), frame(2)])));
    }
}
