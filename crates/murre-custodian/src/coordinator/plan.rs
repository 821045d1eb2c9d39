//! From a request to a plan: what is asked of whom, and what is enough.
//!
//! Whatever cannot be verified is refused here, before anybody else is asked.

use super::Plan;
use super::goal::Goal;
use crate::boxes::Env;
use murre_core::id::{Bytes, Locator, PeerKey};
use murre_core::{NetworkParams, Now, Rng};
use murre_mailbox::limits::MAX_WAIT_MS;
use murre_mailbox::receipt::Expected;
use murre_mailbox::{
    Place, ReadKind, Refusal, Request, SealedBox, SignedObject, SignedRead, SpaceProof, Tombstone,
    check_read, read_hash,
};
use serde_bytes::ByteBuf;

/// Custodians asked by a routine list. // spec: K-27
pub const ROUTINE_READS: usize = 2;

/// Plans the fan-out of a request; requests that nobody coordinates are malformed here.
///
/// # Errors
/// What the asker is told.
pub fn plan(env: &Env<'_>, now: Now, rng: &mut Rng, request: Request) -> Result<Plan, Refusal> {
    let view = Ranks { env, now };
    match request {
        Request::Put { b, proof, .. } => put(&view, b, proof),
        Request::PutObject { o, .. } => put_object(&view, o),
        Request::Tombstone { t, .. } => tombstone(&view, t),
        Request::List { r, .. } => list(&view, rng, r),
        Request::Get { r, .. } => get(&view, rng, r),
        Request::GetObject { place, e, .. } => get_object(&view, place, e),
        Request::Hello { .. }
        | Request::Descriptors { .. }
        | Request::Announce { .. }
        | Request::Repair { .. } => Err(Refusal::Malformed),
    }
}

struct Ranks<'a> {
    env: &'a Env<'a>,
    now: Now,
}

impl Ranks<'_> {
    const fn params(&self) -> &NetworkParams {
        self.env.params
    }

    fn quorum(&self) -> murre_core::params::Quorum {
        self.env.directory.quorum(self.now.wall)
    }

    fn all(&self, locator: &Locator, epoch: u64) -> Vec<PeerKey> {
        self.env.directory.placement(locator, epoch, self.now.wall)
    }

    /// Ranks 1 to k in random order, this node first if it is one of them.
    fn own_first(&self, rng: &mut Rng, locator: &Locator, epoch: u64) -> Vec<PeerKey> {
        let mut ranks = self.all(locator, epoch);
        ranks.truncate(self.quorum().k);
        rng.shuffle(&mut ranks);
        // A stable sort keeps the others shuffled.
        ranks.sort_by_key(|node| *node != self.env.me);
        ranks
    }

    // spec: K-24
    fn put(&self, request: Request, expected: Expected, locator: &Locator) -> Plan {
        let quorum = self.quorum();
        let ranks = self.all(locator, expected.epoch);
        let goal = Goal::Put {
            expected,
            first: ranks.iter().take(quorum.k).copied().collect(),
            need: quorum.w,
            receipts: Vec::new(),
            refused: Vec::new(),
        };
        Plan { request, goal, ranks, at_once: quorum.k, patience: 0 }
    }
}

fn put(view: &Ranks<'_>, b: ByteBuf, proof: Option<SpaceProof>) -> Result<Plan, Refusal> {
    let sealed = SealedBox::parse(&b).map_err(|_| Refusal::Malformed)?;
    let checked = sealed.verify(view.params()).map_err(|_| Refusal::Denied)?;
    let request = Request::Put { b, proof, fan: false };
    Ok(view.put(request, Expected::from(&checked), &checked.locator()))
}

fn put_object(view: &Ranks<'_>, o: ByteBuf) -> Result<Plan, Refusal> {
    let signed = SignedObject::parse(&o).map_err(|_| Refusal::Malformed)?;
    let checked = signed.verify(view.params()).map_err(|_| Refusal::Denied)?;
    let request = Request::PutObject { o, fan: false };
    Ok(view.put(request, Expected::from(&checked), &checked.locator()))
}

fn tombstone(view: &Ranks<'_>, t: Tombstone) -> Result<Plan, Refusal> {
    let body = t.clone().verify().map_err(|_| Refusal::Denied)?;
    let ranks = view.all(&body.place.locator(), body.e);
    let goal = Goal::Tombstone { need: view.quorum().w, done: 0 };
    let at_once = ranks.len();
    Ok(Plan { request: Request::Tombstone { t, fan: false }, goal, ranks, at_once, patience: 0 })
}

// spec: K-27, K-28
fn list(view: &Ranks<'_>, rng: &mut Rng, r: SignedRead) -> Result<Plan, Refusal> {
    let request = Bytes(read_hash(&r));
    let body = check_read(r.clone(), view.now.wall, view.params()).map_err(|_| Refusal::Denied)?;
    let ReadKind::List { wait_ms, careful, .. } = &body.kind else { return Err(Refusal::Malformed) };
    let locator = body.place.locator();
    let quorum = view.quorum();
    let (ranks, at_once, need) = if *careful {
        (view.all(&locator, body.e), quorum.k, quorum.r)
    } else {
        let ranks = view.own_first(rng, &locator, body.e);
        let two = ROUTINE_READS.min(ranks.len());
        (ranks, two, two)
    };
    let patience = if *careful { 0 } else { u64::from((*wait_ms).min(MAX_WAIT_MS)) };
    let goal = Goal::List { request, need, waiting: patience > 0, parts: Vec::new() };
    Ok(Plan { request: Request::List { r, fan: false }, goal, ranks, at_once, patience })
}

fn get(view: &Ranks<'_>, rng: &mut Rng, r: SignedRead) -> Result<Plan, Refusal> {
    let body = check_read(r.clone(), view.now.wall, view.params()).map_err(|_| Refusal::Denied)?;
    let ReadKind::Get { ids } = &body.kind else { return Err(Refusal::Malformed) };
    let goal = Goal::Get { missing: ids.iter().copied().collect(), boxes: Vec::new(), bytes: 0 };
    let ranks = view.own_first(rng, &body.place.locator(), body.e);
    Ok(Plan { request: Request::Get { r, fan: false }, goal, ranks, at_once: 1, patience: 0 })
}

fn get_object(view: &Ranks<'_>, place: Place, e: u64) -> Result<Plan, Refusal> {
    place.check().map_err(|_| Refusal::Malformed)?;
    let quorum = view.quorum();
    let ranks = view.all(&place.locator(), e);
    let goal = Goal::Object { need: quorum.r, answers: 0, objects: Vec::new() };
    let request = Request::GetObject { place, e, fan: false };
    Ok(Plan { request, goal, ranks, at_once: quorum.k, patience: 0 })
}
