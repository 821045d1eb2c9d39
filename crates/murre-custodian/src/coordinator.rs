//! Works for one asker: fans a request out to the placement, collects what is signed, answers once.
//!
//! ```text
//!  asker --request, fan--> [ job ] --same request, no fan--> ranks 1..k   (itself among them)
//!                             |  refused, gone, or silent for 1 s: the next rank instead
//!                             v
//!              enough | nobody left to ask | 2 s        -> one answer, then nothing more
//! ```
//!
//! What a coordinator says counts for nothing: the receipts and answers it passes on are signed by those who gave
//! them, boxes and objects prove themselves. It checks them all the same, so that one liar in the ring cannot
//! stand in for an honest node.
//!
//! Not here: storing. The coordinator asks its own node as it asks any other. What is enough is in [`goal`], whom to ask in [`plan`].

pub mod goal;
pub mod plan;

use crate::calls::Caller;
use crate::limits::{JOB_DEADLINE_MS, JOB_SPARES_MS, MAX_JOBS};
use crate::route::{Asker, Up};
use goal::{Goal, Verdict};
use murre_core::id::PeerKey;
use murre_core::{Cx, Mono, NetworkParams};
use murre_mailbox::{Directory, Refusal, Reply, Request};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A fan-out to begin: whom to ask for what.
#[derive(Debug)]
pub struct Plan {
    /// What each custodian is asked; without *fan*.
    pub request: Request,
    /// What is enough.
    pub goal: Goal,
    /// Whom to ask, best first.
    pub ranks: Vec<PeerKey>,
    /// How many of them at once.
    pub at_once: usize,
    /// Longest a custodian may keep the request waiting, ms.
    pub patience: u64,
}

/// One fan-out under way.
#[derive(Debug)]
struct Job {
    asker: Asker,
    request: Request,
    goal: Goal,
    /// Asked and not answered.
    open: BTreeSet<PeerKey>,
    /// Ranks to ask next, best first.
    rest: VecDeque<PeerKey>,
    /// When silent ones are replaced; nothing once that was done.
    spares_at: Option<Mono>,
    deadline: Mono,
    patience: u64,
}

impl Job {
    fn due(&self) -> Mono {
        self.spares_at.unwrap_or(self.deadline)
    }

    /// Asks the next rank, if there is one.
    fn ask_next(&mut self, cx: &mut Cx<'_, '_, Up>, number: u64, directory: &Directory) -> bool {
        while let Some(peer) = self.rest.pop_front() {
            let Some(to) = directory.peer_ref(&peer) else { continue };
            self.open.insert(peer);
            cx.up(Up::Ask {
                caller: Caller::Job(number),
                to,
                request: self.request.clone(),
                patience: self.patience,
            });
            return true;
        }
        false
    }
}

/// All fan-outs under way.
#[derive(Debug, Default)]
pub struct Coordinator {
    next: u64,
    jobs: BTreeMap<u64, Job>,
    due: BTreeSet<(Mono, u64)>,
}

impl Coordinator {
    /// Begins a fan-out, or refuses if too many are under way or nobody is known to ask.
    pub fn begin(&mut self, cx: &mut Cx<'_, '_, Up>, directory: &Directory, asker: Asker, plan: Plan) {
        if self.jobs.len() >= MAX_JOBS || plan.ranks.is_empty() {
            return cx.up(Up::Reply { to: asker, reply: Reply::Refused(Refusal::Busy) });
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let now = cx.now.mono;
        let mut job = Job {
            asker,
            request: plan.request,
            goal: plan.goal,
            open: BTreeSet::new(),
            rest: plan.ranks.into(),
            // A list that may wait is silent by design.
            spares_at: (plan.patience == 0).then(|| now.plus(JOB_SPARES_MS)),
            deadline: now.plus(JOB_DEADLINE_MS.saturating_add(plan.patience)),
            patience: plan.patience,
        };
        for _ in 0..plan.at_once {
            job.ask_next(cx, number, directory);
        }
        self.due.insert((job.due(), number));
        self.jobs.insert(number, job);
        self.settle(cx, number, false);
    }

    /// A custodian answered, or will not (`None`).
    pub fn answered(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        directory: &Directory,
        params: &NetworkParams,
        number: u64,
        from: PeerKey,
        reply: Option<Reply>,
    ) {
        // spec: K-25 (a late answer finds no job and ends here)
        let Some(job) = self.jobs.get_mut(&number) else { return };
        job.open.remove(&from);
        let verdict = match reply {
            Some(reply) => job.goal.absorb(from, reply, params),
            None => Verdict::Failed,
        };
        // spec: K-24
        if verdict == Verdict::Failed {
            job.ask_next(cx, number, directory);
        }
        self.settle(cx, number, verdict == Verdict::Enough);
    }

    /// Replaces the silent and ends what is overdue.
    pub fn timeout(&mut self, cx: &mut Cx<'_, '_, Up>, directory: &Directory) {
        let now = cx.now.mono;
        let due: Vec<(Mono, u64)> = self.due.range(..=(now, u64::MAX)).copied().collect();
        for (at, number) in due {
            self.due.remove(&(at, number));
            let Some(job) = self.jobs.get_mut(&number) else { continue };
            if job.deadline <= now {
                self.settle(cx, number, true);
                continue;
            }
            job.spares_at = None;
            for _ in 0..job.open.len() {
                job.ask_next(cx, number, directory);
            }
            self.due.insert((job.due(), number));
        }
    }

    /// Answers every list that waits, with what there is.
    pub fn wait_no_more(&mut self, cx: &mut Cx<'_, '_, Up>) {
        let waiting = self.jobs.iter().filter(|(_, job)| job.patience > 0);
        for number in waiting.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.settle(cx, number, true);
        }
    }

    /// When something is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    /// How many are under way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.jobs.len()
    }

    /// Answers if there is enough or nothing more to hope for.
    fn settle(&mut self, cx: &mut Cx<'_, '_, Up>, number: u64, enough: bool) {
        let over = self.jobs.get(&number).is_some_and(|job| enough || job.open.is_empty());
        if !over {
            return;
        }
        if let Some(job) = self.jobs.remove(&number) {
            self.due.remove(&(job.due(), number));
            cx.up(Up::Reply { to: job.asker, reply: job.goal.into_reply() });
        }
    }
}
