//! One box or object on its way to its custodians: what was said about it, and who is asked next.
//!
//! ```text
//!        +-> coordinator (fan) --silent--> another, at most MAX_COORDINATORS
//!  round |        | answered: receipts of several custodians
//!        |        v
//!        |   each custodian without receipt, in rank order, directly, FILL_WIDTH at once
//!        |        | all were asked
//!        +--wait--+      w receipts at any point: solid, the put ends
//! ```

use super::events::PuzzleId;
use super::limits::{FILL_WIDTH, MAX_COORDINATORS};
use crate::boxes::SealedBox;
use crate::door::SignedObject;
use crate::keys::MailboxKind;
use crate::receipt::{self, Expected, Receipt, ReceiptBody};
use murre_core::id::{Locator, PeerKey};
use murre_core::params::Quorum;
use murre_core::params::delivery::{RETRY_MAX_MS, RETRY_MS};
use murre_core::{Mono, NetworkParams, Rng};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet};

/// What is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A sealed box.
    Box,
    /// An owner object.
    Object,
}

/// Checks what is to be stored as a custodian would.
fn check(
    what: What,
    bytes: &[u8],
    params: &NetworkParams,
) -> Result<(Expected, Locator, MailboxKind), String> {
    match what {
        What::Box => {
            let sealed = SealedBox::parse(bytes).map_err(|e| e.to_string())?;
            let verified = sealed.verify(params).map_err(|e| e.to_string())?;
            Ok((Expected::from(&verified), verified.locator(), verified.place().k))
        }
        What::Object => {
            let signed = SignedObject::parse(bytes).map_err(|e| e.to_string())?;
            let verified = signed.verify(params).map_err(|e| e.to_string())?;
            Ok((Expected::from(&verified), verified.locator(), MailboxKind::Door))
        }
    }
}

/// What one receipt was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// A custodian of the placement holds these bytes.
    Counts(PeerKey),
    /// Nobody signed this, or it is about other bytes, another expiry or another epoch.
    Nothing,
    /// A node that does not belong to the placement, as far as we know.
    Foreign,
}

/// Who is asked next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Answers are awaited.
    Wait,
    /// A coordinator, one of these.
    Coordinate(Vec<PeerKey>),
    /// These, directly.
    Fill(Vec<PeerKey>),
    /// Everyone was asked.
    RoundOver,
}

/// One put.
#[derive(Debug)]
pub struct Put {
    pub what: What,
    pub bytes: Vec<u8>,
    /// What a receipt must be about.
    pub expect: Expected,
    pub locator: Locator,
    pub kind: MailboxKind,
    /// Custodians whose receipt was verified.
    pub signed: BTreeSet<PeerKey>,
    /// Asked in this round, as coordinator or directly.
    pub asked: BTreeSet<PeerKey>,
    /// Requests under way: node, as coordinator.
    pub flying: BTreeMap<PeerKey, bool>,
    pub coordinators: usize,
    /// The coordinating part of this round is over.
    pub coordinated: bool,
    /// Blocks that custodians want paid.
    pub needs: BTreeMap<PeerKey, u32>,
    /// Puzzles that this put has asked for.
    pub puzzles: u32,
    pub paying: Option<PuzzleId>,
    /// Custodians of this round that had no room.
    pub full: BTreeSet<PeerKey>,
    pub retry_at: Option<Mono>,
    pub backoff: u64,
}

impl Put {
    /// A put of these bytes.
    ///
    /// # Errors
    /// The decoder's words.
    pub fn new(what: What, bytes: &[u8], params: &NetworkParams) -> Result<Self, String> {
        let (expect, locator, kind) = check(what, bytes, params)?;
        Ok(Self {
            what,
            bytes: bytes.to_vec(),
            expect,
            locator,
            kind,
            signed: BTreeSet::new(),
            asked: BTreeSet::new(),
            flying: BTreeMap::new(),
            coordinators: 0,
            coordinated: false,
            needs: BTreeMap::new(),
            puzzles: 0,
            paying: None,
            full: BTreeSet::new(),
            retry_at: None,
            backoff: 0,
        })
    }

    /// Whether enough custodians signed: w of the placement, of which min(4, w) among the first k.
    // spec: BC-8
    pub fn solid(&self, placement: &[PeerKey], q: &Quorum) -> bool {
        if murre_core::sabotage::active("solid-too-early") {
            return !self.signed.is_empty();
        }
        let counted = placement.iter().filter(|n| self.signed.contains(*n)).count();
        let first = placement.iter().take(q.k).filter(|n| self.signed.contains(*n)).count();
        counted >= q.w && first >= q.w.min(4)
    }

    /// Who is asked next, while it is not solid.
    pub fn next(&self, placement: &[PeerKey], q: &Quorum, usable: impl Fn(&PeerKey) -> bool) -> Next {
        if self.flying.values().any(|fan| *fan) {
            return Next::Wait;
        }
        let open = |n: &&PeerKey| !self.asked.contains(*n) && usable(n);
        if !self.coordinated && self.coordinators < MAX_COORDINATORS && self.flying.is_empty() {
            let ranks: Vec<PeerKey> = placement.iter().take(q.k).filter(open).copied().collect();
            if !ranks.is_empty() {
                return Next::Coordinate(ranks);
            }
        }
        let lacking = q.w.saturating_sub(self.signed.len()).max(1);
        let width = FILL_WIDTH.min(lacking).saturating_sub(self.flying.len());
        let left = placement.iter().filter(|n| !self.signed.contains(*n)).filter(open);
        let fill: Vec<PeerKey> = left.take(width).copied().collect();
        if !fill.is_empty() {
            Next::Fill(fill)
        } else if self.flying.is_empty() {
            Next::RoundOver
        } else {
            Next::Wait
        }
    }

    /// Whether it does nothing now but hold its place: it waits for its time, or for a puzzle.
    pub fn idle(&self, now: Mono) -> bool {
        self.flying.is_empty() && (self.paying.is_some() || self.retry_at.is_some_and(|at| at > now))
    }

    /// Keeps only what is needed to weigh a late receipt and to go on.
    pub fn give_up_bytes(&mut self) {
        self.bytes = Vec::new();
        self.asked.clear();
        self.needs.clear();
        self.full.clear();
    }

    /// Goes on where an earlier try with the same bytes stopped.
    pub fn resume(self, before: Self) -> Self {
        Self { signed: before.signed, backoff: before.backoff, ..self }
    }

    /// Begins asking from the start.
    pub fn new_round(&mut self) {
        self.asked.clear();
        self.coordinators = 0;
        self.coordinated = false;
        self.full.clear();
        self.retry_at = None;
    }

    /// Waits before the next round, each time twice as long, by up to an eighth more at random, so that many
    /// devices that lost one custodian do not come back as one.
    // spec: BC-9
    pub fn back_off(&mut self, now: Mono, rng: &mut Rng) {
        self.puzzles = 0;
        self.backoff = if self.backoff == 0 { RETRY_MS } else { (self.backoff * 2).min(RETRY_MAX_MS) };
        self.retry_at = Some(now.plus(self.backoff + rng.below(self.backoff / 8 + 1)));
    }
}

/// What a receipt is worth for what was put.
// spec: BC-8
pub fn weigh(expect: &Expected, placement: &[PeerKey], receipt: Receipt) -> Worth {
    let signer = if murre_core::sabotage::active("count-forged-receipt") {
        unverified(&receipt).map(|body| body.n)
    } else {
        receipt::check(receipt, expect).ok()
    };
    match signer {
        None => Worth::Nothing,
        Some(node) if placement.contains(&node) => Worth::Counts(node),
        Some(_) => Worth::Foreign,
    }
}

/// The planted fault's way around [`murre_crypto::Signed`], which has none.
fn unverified(receipt: &Receipt) -> Option<ReceiptBody> {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Open {
        p: ByteBuf,
        s: murre_crypto::Signature,
    }
    let open: Open = murre_core::codec::decode(&receipt.bytes(), 4_096).ok()?;
    murre_core::codec::decode(&open.p, 4_096).ok()
}
