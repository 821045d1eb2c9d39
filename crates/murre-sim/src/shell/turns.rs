//! One transaction: turns, applies, the commit, and what is let out after it.

use super::{Crash, CrashPoint, Held, MAX_TURNS, Outcome, Sim};
use crate::machine::Stimulus;
use crate::net::HostId;
use crate::oracle::claims;
use crate::sabotage::ShellFault;
use murre_core::{Dest, Op, Output, Transmit, View};
use murre_store::{Fault, Store};

impl Sim {
    /// One transaction of a host.
    pub(super) fn run_host(&mut self, id: HostId) {
        let at = self.now;
        let most = self.dice.range(1, MAX_TURNS);
        let host = &mut self.hosts[id];
        host.run_at = None;
        if host.machine.is_none() || host.frozen {
            return;
        }
        if host.wake.is_some_and(|wake| wake <= at) {
            host.wake = None;
            host.inbox.push_back(Stimulus::Timeout);
        }
        if !host.inbox.is_empty() {
            let mut held = Vec::new();
            if !self.transaction(id, most, &mut held) {
                return;
            }
            self.release(id, held);
        }
        let host = &self.hosts[id];
        if host.machine.is_none() {
            return;
        }
        if !host.inbox.is_empty() {
            self.wake_host(id);
        } else if let Some(wake) = host.wake {
            self.run_at(id, wake.max(at + 1));
        }
    }

    /// Turns, applies, commits. False if the process died or the store failed: then nothing may be released.
    fn transaction(&mut self, id: HostId, most: u64, held: &mut Vec<Held>) -> bool {
        if !self.hosts[id].in_tx {
            if self.hosts[id].store.begin().is_err() {
                return self.reopen(id);
            }
            self.hosts[id].in_tx = true;
        }
        let mut dies = None;
        for _ in 0..most {
            let host = &mut self.hosts[id];
            let Some(stimulus) = host.inbox.pop_front() else { break };
            if let Some(crash) = &mut host.crash {
                crash.turns = crash.turns.saturating_sub(1);
                if crash.turns == 0 {
                    dies = host.crash.take();
                }
            }
            if let Some(Crash { point: CrashPoint::Store(fault @ (Fault::Read | Fault::Apply)), .. }) = dies {
                host.store.fail_next(fault);
            }
            if !self.turn(id, stimulus, held) {
                self.totals.store_faults += 1;
                return self.reopen(id);
            }
            if dies.is_none() && (wrote_blob(held) || !self.hosts[id].late.ops.is_empty()) {
                let at_blob = &mut self.hosts[id].at_blob;
                if let Some(crash) = at_blob {
                    crash.turns = crash.turns.saturating_sub(1);
                }
                dies = at_blob.take_if(|crash| crash.turns == 0);
                self.totals.crashes_at_blobs += u64::from(dies.is_some());
            }
            if dies.is_some() {
                break;
            }
        }
        self.finish(id, dies, held)
    }

    /// Commits, unless the process dies at it.
    fn finish(&mut self, id: HostId, dies: Option<Crash>, held: &mut Vec<Held>) -> bool {
        if self.fault == Some(ShellFault::ReleaseBeforeCommit) {
            let early = std::mem::take(held);
            self.release(id, early);
        }
        let point = dies.map(|crash| crash.point);
        if point == Some(CrashPoint::BeforeCommit) {
            self.totals.crashes_before += 1;
            return self.die(id, dies);
        }
        let host = &mut self.hosts[id];
        if let Some(CrashPoint::Store(fault @ Fault::Commit)) = point {
            host.store.fail_next(fault);
        }
        if self.fault != Some(ShellFault::NoCommit) {
            if host.store.commit().is_err() {
                self.totals.store_faults += 1;
                return self.reopen(id);
            }
            self.hosts[id].in_tx = false;
        }
        if point == Some(CrashPoint::AfterCommit) {
            for item in held.drain(..) {
                if let Held::Batch(batch) = item {
                    self.watch.batch(id, &batch);
                }
            }
            self.totals.crashes_after += 1;
            return self.die(id, dies);
        }
        self.write_late(id)
    }

    /// The planted fault that writes into blobs only after the rows which name them are durable.
    fn write_late(&mut self, id: HostId) -> bool {
        let late = std::mem::take(&mut self.hosts[id].late);
        let store = &mut self.hosts[id].store;
        let written = late.ops.is_empty()
            || store.begin().and_then(|()| store.apply(&late)).and_then(|()| store.commit()).is_ok();
        written || self.reopen(id)
    }

    fn die(&mut self, id: HostId, crash: Option<Crash>) -> bool {
        self.stop(id);
        self.start_in(id, crash.map_or(1_000, |c| c.down));
        false
    }

    /// The store failed: roll back, drop the machine, open it again.
    fn reopen(&mut self, id: HostId) -> bool {
        self.stop(id);
        self.start(id);
        false
    }

    /// One turn. False if it failed.
    fn turn(&mut self, id: HostId, stimulus: Stimulus, held: &mut Vec<Held>) -> bool {
        let at = self.now;
        let fault = self.fault;
        let host = &mut self.hosts[id];
        let now = host.clocks(at);
        let Some(machine) = host.machine.as_mut() else { return false };
        if let Err(error) = machine.turn(now, &host.store, stimulus) {
            let environment = matches!(error, murre_core::TurnError::View(_));
            if !environment {
                let name = host.name.clone();
                self.watch.fail("turn", format!("{name}: {error:?}"));
            }
            return false;
        }
        // A planted read fault that met no read is taken back.
        let _ = host.store.get(murre_device::rows::META, b"");
        let mut commits = 0;
        let mut ended = false;
        while let Some(output) = machine.poll() {
            let in_order = (commits == 1) != matches!(output, Output::Commit(_)) && !ended;
            if !in_order {
                self.watch.fail("turn rule", format!("{}: output out of order: {output:?}", host.name));
            }
            match output {
                Output::Commit(mut batch) => {
                    commits += 1;
                    if fault == Some(ShellFault::HalfBatch) && batch.ops.len() > 3 && at.is_multiple_of(7) {
                        batch.ops.truncate(batch.ops.len() / 2);
                    }
                    if fault == Some(ShellFault::BlobAfterCommit) {
                        let writes = |op: &mut Op| matches!(op, Op::WriteBlob { .. });
                        host.late.ops.extend(batch.ops.extract_if(.., writes));
                    }
                    if host.store.apply(&batch).is_err() {
                        return false;
                    }
                    held.push(Held::Batch(batch));
                }
                Output::Transmit(t) => held.push(Held::Transmit(t)),
                Output::Event(ev) => {
                    let claim = self.watch.claim(&ev, now, at, &host.store);
                    held.push(Held::Event(ev, claim));
                }
                Output::Timeout(wake) => {
                    ended = true;
                    let boot = host.boot;
                    host.wake = wake.map(|mono| boot.saturating_add(mono.0));
                    if fault == Some(ShellFault::ForgetTimers) {
                        host.wake = None;
                    }
                }
            }
        }
        if commits != 1 || !ended {
            self.watch.fail("turn rule", format!("{}: {commits} batches, ended: {ended}", host.name));
        }
        true
    }

    fn release(&mut self, id: HostId, held: Vec<Held>) {
        for item in held {
            match item {
                Held::Batch(batch) => self.watch.batch(id, &batch),
                Held::Transmit(t) => self.speak(id, t),
                Held::Event(ev, claim) => {
                    if let Some(claim) = claim {
                        claims::check(self, id, &claim);
                    }
                    self.trace.note(self.now, id, "event", format!("{ev:?}").as_bytes());
                    if self.verbose {
                        self.say(id, &format!("{ev:?}"));
                    }
                    self.outcomes.push_back(Outcome::Event(id, ev));
                }
            }
        }
    }

    /// What a machine sends, as its shell or the liar around it lets it out.
    fn speak(&mut self, id: HostId, t: Transmit) {
        let said = match &mut self.hosts[id].liar {
            Some(liar) => {
                let (said, lied) = liar.outgoing(t);
                self.totals.lies += u64::from(lied);
                said
            }
            None => vec![t],
        };
        for mut t in said {
            if self.fault == Some(ShellFault::LeakText)
                && t.bytes.len() > 400
                && !matches!(t.to, Dest::Close(_))
            {
                t.bytes.extend_from_slice(self.watch.leak.any_needle());
            }
            self.transmit(id, t);
        }
    }

    /// Puts a frame on the network.
    pub fn transmit(&mut self, id: HostId, t: Transmit) {
        self.trace.transmit(self.now, id, &t);
        let host = &self.hosts[id];
        let honest = host.liar.is_none() && !host.stranger;
        self.totals.floods += u64::from(host.stranger);
        self.watch.sent(id, honest, &host.store, &t, self.now, &mut self.totals);
        if !matches!(t.to, Dest::Close(_)) || self.hosts[id].machine.is_some() {
            self.net.send(self.now, id, t, &mut self.totals);
        }
    }
}

/// Whether the last turn's batch writes into a blob.
fn wrote_blob(held: &[Held]) -> bool {
    let last = held.iter().rev().find_map(|item| match item {
        Held::Batch(batch) => Some(batch),
        Held::Transmit(_) | Held::Event(..) => None,
    });
    last.is_some_and(|batch| batch.ops.iter().any(|op| matches!(op, Op::WriteBlob { .. })))
}
