//! Payment for space: which puzzles are being solved, which are solved.
//!
//! A proof pays for one block of one place at all its custodians, so puts into one place share it.

use super::ClientCx;
use super::events::{ClientEvent, PuzzleId};
use super::limits::{MAX_PROOFS, MAX_PUZZLES};
use crate::boxes::{SLOT_BLOCK, slot_puzzle, space_puzzle};
use crate::keys::MailboxKind;
use crate::limits::{MAX_PRICE_FACTOR, MAX_SLOT_FACTOR, space_blocks};
use crate::request::SpaceProof;
use murre_core::NetworkParams;
use murre_core::id::{BoxId, Locator};
use murre_core::params::PuzzlePrice;
use murre_crypto::puzzle::{Puzzle, Solution};
use std::collections::BTreeMap;

/// What a proof pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Paid {
    /// A block of space: place, epoch, block.
    Space(Locator, u64, u32),
    /// One very box at a paid door: its id and hash.
    Slot(BoxId, [u8; 32]),
}

impl Paid {
    fn puzzle(&self, price: PuzzlePrice) -> Puzzle {
        match self {
            Self::Space(locator, epoch, block) => space_puzzle(locator, *epoch, *block, price),
            Self::Slot(id, hash) => slot_puzzle(id, hash, price),
        }
    }

    /// The most that may be asked for it.
    // spec: BC-10, BC-24
    fn dearest(&self, params: &NetworkParams) -> PuzzlePrice {
        let (base, factor) = match self {
            Self::Space(..) => (params.space, MAX_PRICE_FACTOR),
            Self::Slot(..) => (params.link, MAX_SLOT_FACTOR),
        };
        PuzzlePrice { mem: base.mem, tries: base.tries.saturating_mul(factor) }
    }
}

/// What asking for a proof led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// There is one that pays this price: attach it.
    Have,
    /// It is being solved.
    Solving(PuzzleId),
    /// The price, or the block, is beyond what anybody may ask for.
    TooDear,
    /// Too many puzzles are being solved.
    Later,
}

struct Solved {
    price: PuzzlePrice,
    solution: Solution,
    turn: u64,
}

/// Puzzles under way and their results. Memory only: a custodian remembers what was paid.
#[derive(Default)]
pub struct Proofs {
    next: u64,
    solving: BTreeMap<PuzzleId, (Paid, PuzzlePrice)>,
    solved: BTreeMap<Paid, Solved>,
    turns: u64,
}

impl Proofs {
    /// Sees to a proof for this block at this price.
    // spec: BC-10
    pub fn need(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        block: Paid,
        kind: MailboxKind,
        price: PuzzlePrice,
        params: &NetworkParams,
    ) -> Need {
        let dearest = block.dearest(params);
        let payable = match block {
            Paid::Space(_, _, number) => number < space_blocks(kind, params),
            // spec: BC-24
            Paid::Slot(..) => kind == MailboxKind::Door,
        };
        if price.mem > dearest.mem || price.tries > dearest.tries || !payable {
            return Need::TooDear;
        }
        if self.solved.get(&block).is_some_and(|s| pays(s.price, price)) {
            return Need::Have;
        }
        if let Some((id, _)) = self.solving.iter().find(|(_, (b, p))| *b == block && pays(*p, price)) {
            return Need::Solving(*id);
        }
        if self.solving.len() >= MAX_PUZZLES {
            return Need::Later;
        }
        let id = PuzzleId(self.next);
        self.next += 1;
        self.solving.insert(id, (block, price));
        cx.up(ClientEvent::Solve { id, puzzle: block.puzzle(price) });
        Need::Solving(id)
    }

    /// Whether the puzzle under this name is being solved and costs no more than `price`.
    pub fn is_no_dearer(&self, id: PuzzleId, price: PuzzlePrice) -> bool {
        self.solving.get(&id).is_some_and(|(_, p)| p.tries <= price.tries)
    }

    /// A puzzle came back. True if it was one of ours and is solved rightly.
    pub fn done(&mut self, id: PuzzleId, solution: Option<Solution>) -> bool {
        let Some((block, price)) = self.solving.remove(&id) else { return false };
        let Some(solution) = solution else { return false };
        if !block.puzzle(price).check(&solution) {
            return false;
        }
        if self.solved.len() >= MAX_PROOFS {
            let oldest = self.solved.iter().min_by_key(|(_, s)| s.turn).map(|(b, _)| *b);
            if let Some(oldest) = oldest {
                self.solved.remove(&oldest);
            }
        }
        self.turns += 1;
        self.solved.insert(block, Solved { price, solution, turn: self.turns });
        true
    }

    /// The proof for this block, or for the latest block of the place.
    pub fn for_place(&self, locator: &Locator, epoch: u64, block: Option<u32>) -> Option<SpaceProof> {
        let at = |block| Paid::Space(*locator, epoch, block);
        let exact = block.and_then(|b| self.solved.get_key_value(&at(b)));
        let latest = || self.solved.range(at(0)..=at(u32::MAX)).next_back();
        let (paid, solved) = exact.or_else(latest)?;
        let Paid::Space(_, _, number) = paid else { return None };
        Some(SpaceProof { block: *number, solution: solved.solution })
    }

    /// The proof for one very box at a paid door.
    pub fn for_slot(&self, id: BoxId, hash: [u8; 32]) -> Option<SpaceProof> {
        let solved = self.solved.get(&Paid::Slot(id, hash))?;
        Some(SpaceProof { block: SLOT_BLOCK, solution: solved.solution })
    }
}

/// Whether a solution at `paid` is one at `asked`: the same memory, at least as many tries.
fn pays(paid: PuzzlePrice, asked: PuzzlePrice) -> bool {
    paid.mem == asked.mem && paid.tries >= asked.tries
}
