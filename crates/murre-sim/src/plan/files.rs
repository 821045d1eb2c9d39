//! Files of a scenario: which kinds of runs send some, how large they are, and what becomes of them.
//!
//! Everything here is drawn from dice of its own: a run without files is the run that it was before there were any.

use super::{Deed, Plan, ROUND};
use crate::cast::{Act, Cast, Fate, FileWish};
use crate::dice::Dice;
use crate::shell::{Crash, CrashPoint};
use murre_core::time::SECOND;
use murre_device::limits::MAX_MAIL_FILE;
use murre_log::chunk::CHUNK;
use murre_store::Fault;

/// Kinds of runs in which people send files.
const SENDING: [u64; 8] = [1, 4, 7, 13, 16, 22, 28, LARGE];
/// The one among them in which one file is too large for mailboxes.
const LARGE: u64 = 46;

/// Whether people of this seed send files.
#[must_use]
pub fn sends(seed: u64) -> bool {
    SENDING.contains(&(seed % ROUND))
}

/// Whether one of them is larger than what goes through mailboxes.
#[must_use]
pub fn sends_large(seed: u64) -> bool {
    seed % ROUND == LARGE
}

/// Whether everybody can be dialled, so that files also go over live links. Of all others only one pair in five can.
#[must_use]
pub fn see_each_other(seed: u64) -> bool {
    sends_large(seed) || sends(seed) && Dice::new(seed, "files").chance(500)
}

/// Plans the files of one episode that begins now, and crashes just where their chunks are written.
pub(super) fn plan(plan: &Plan, number: usize, cast: &mut Cast, now: u64) {
    if !sends(plan.seed) {
        return;
    }
    let mut dice = Dice::new(plan.seed, &format!("files {number}"));
    for n in 0..dice.range(3, 5) {
        let (a, b, ..) = plan.pairs[dice.index(plan.pairs.len())];
        let (from, to) = if dice.chance(500) { (a, b) } else { (b, a) };
        let large = n == 0 && number > 0 && sends_large(plan.seed);
        let again = !large && dice.chance(250);
        let fate = if again || large { Fate::None } else { fate(&mut dice) };
        let size = match fate {
            _ if large => MAX_MAIL_FILE as usize + 1,
            Fate::None => size(&mut dice),
            // Long enough that something may happen to it on its way.
            Fate::GivenUp { .. } | Fate::TakenBack { .. } => {
                dice.range(CHUNK as u64, 3 * CHUNK as u64) as usize
            }
        };
        let at = now + dice.range(0, plan.episode);
        cast.acts.add(at, Act::File(FileWish { from, to, size, again, fate, looks: 8 }));
        for who in [from, to] {
            if dice.chance(600) {
                let host = plan.person_host(who);
                let crash = crash(&mut dice);
                cast.acts.add(at, Act::World(Deed::CrashAtBlob(host, crash)));
            }
        }
    }
}

fn size(dice: &mut Dice) -> usize {
    let whole = CHUNK as u64;
    let size = match dice.range(0, 9) {
        0 => 0,
        1..=2 => dice.range(1, 64),
        3..=5 => dice.range(65, 30_000),
        6 => whole * dice.range(1, 2) - dice.range(0, 1),
        7 => whole + dice.range(1, 1_000),
        _ => dice.range(whole + 1, 4 * whole),
    };
    size as usize
}

fn fate(dice: &mut Dice) -> Fate {
    match dice.range(0, 9) {
        0..=1 => Fate::GivenUp { after: soon(dice), again: None },
        2..=3 => Fate::GivenUp { after: soon(dice), again: Some(dice.range(SECOND, 20 * SECOND)) },
        4 => Fate::TakenBack { after: soon(dice) },
        _ => Fate::None,
    }
}

/// Often while the first chunk is on its way.
fn soon(dice: &mut Dice) -> u64 {
    let most = if dice.chance(600) { SECOND } else { 20 * SECOND };
    dice.range(10, most)
}

/// A death at the commit of one of the next batches that hold a chunk.
fn crash(dice: &mut Dice) -> Crash {
    let point = match dice.range(0, 4) {
        0..=1 => CrashPoint::BeforeCommit,
        2..=3 => CrashPoint::AfterCommit,
        _ => CrashPoint::Store(Fault::Commit),
    };
    Crash { turns: dice.range(1, 5), point, down: dice.range(100, 20 * SECOND) }
}
