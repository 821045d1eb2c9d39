//! What must be true, looked at with other eyes than the machines'.
//!
//! | module | what it watches | when |
//! |---|---|---|
//! | [`leak`] | no planted word leaves a device | every frame, every custodian's store |
//! | [`wire`] | no box id carries two contents, no entry has two boxes in one place, receipts are true | every frame, every batch |
//! | [`claims`] | "stored", "delivered" and "read" never say more than is so | every event |
//! | [`files`] | a file comes whole or is given up; what is noted as here is here; nothing of it stays behind | at each start and death, in quiet moments, at the end |
//! | [`history`] | nothing lost, nothing doubled, one order, all agree with the model | in quiet moments and at the end |
//! | [`secrecy`] | what was opened once does not open again from the disk | at the end |
//! | [`keepers`] | honest custodians hold what they signed for, and only what may be held | at the end |
//!
//! The first broken promise ends the run.

pub mod claims;
pub mod files;
pub mod history;
pub mod keepers;
pub mod leak;
pub mod secrecy;
pub mod wire;

use crate::machine::Ev;
use crate::net::HostId;
use crate::sabotage::Planted;
use crate::totals::Totals;
use claims::Claim;
use leak::Scanner;
use murre_core::{Batch, NetworkParams, Now, Transmit, Wall};
use murre_store::MemoryStore;
use wire::Wire;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which oracle saw it.
    pub oracle: &'static str,
    /// What it saw.
    pub what: String,
}

/// Everything that is checked while it happens.
#[derive(Debug)]
pub struct Watch {
    /// Planted words.
    pub leak: Scanner,
    /// Boxes and receipts.
    pub wire: Wire,
    /// Who has what, as told by devices.
    pub seen: claims::Seen,
    /// The fault under test.
    pub planted: Planted,
    failure: Option<Failure>,
}

impl Watch {
    /// Fresh eyes.
    #[must_use]
    pub fn new(params: NetworkParams, planted: Planted) -> Self {
        Self {
            leak: Scanner::new(),
            wire: Wire::new(params),
            seen: claims::Seen::default(),
            planted,
            failure: None,
        }
    }

    /// A promise is broken. Only the first counts: what follows may be its consequence.
    pub fn fail(&mut self, oracle: &'static str, what: String) {
        if self.failure.is_none() {
            self.failure = Some(Failure { oracle, what });
        }
    }

    /// Whether the run is over because something broke.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.failure.is_some()
    }

    /// What broke.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// A turn's batch is applied.
    pub fn batch(&mut self, host: HostId, batch: &Batch) {
        let planted = self.planted.clone();
        let found = planted.soundly(|| self.wire.batch(host, batch));
        if let Err((oracle, what)) = found {
            self.fail(oracle, what);
        }
    }

    /// A turn says something about messages: what exactly is claimed, resolved against the store it was said from.
    #[must_use]
    pub fn claim(&mut self, ev: &Ev, now: Now, at: u64, store: &MemoryStore) -> Option<Claim> {
        let Ev::Device(event) = ev else { return None };
        let planted = self.planted.clone();
        planted.soundly(|| claims::resolve(event, &[now.wall, Wall(at)], store, self.wire.params()))
    }

    /// A frame leaves a host. `honest` says whether its machine speaks for itself.
    pub fn sent(
        &mut self,
        host: HostId,
        honest: bool,
        store: &MemoryStore,
        t: &Transmit,
        at: u64,
        totals: &mut Totals,
    ) {
        if t.bytes.is_empty() {
            return;
        }
        if let Some(what) = self.leak.find(&t.bytes) {
            let what = format!("{what} in a frame of host {host}");
            self.fail("no plaintext", what);
        }
        let planted = self.planted.clone();
        let found = planted.soundly(|| self.wire.sent(host, honest, store, &t.bytes, at, totals));
        if let Err((oracle, what)) = found {
            self.fail(oracle, what);
        }
    }
}
