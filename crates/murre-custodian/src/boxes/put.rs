//! Takes a box in.
//!
//! ```text
//!  bytes -> verified -> time -> held? -> placed here -> door's rules -> quota -> room, price -> rows + receipt
//!             |          |       |          |              |             |          |
//!          malformed  expired  same receipt  not mine     not mine      quota     proof wanted, no room
//!                              or conflict
//! ```
//! Nothing is written before everything is checked, and nothing that is held is ever removed to make room.

use super::quota::{block, quota};
use super::{Boxes, Env, refused};
use crate::limits::BOX_ROWS_BYTES;
use crate::route::Up;
use crate::rows::{
    self, BOXES, IDS, IdRow, LIST, LOCATORS, LocRow, PAID, REPAIR, TAGS, TagRow, What, repair_key, under,
};
use murre_core::id::Bytes;
use murre_core::params::PuzzlePrice;
use murre_core::{Cx, Direction, Range, TurnError, View, sabotage};
use murre_crypto::puzzle::Solution;
use murre_mailbox::limits::{expiry_acceptable, slot_price, takes_puts};
use murre_mailbox::receipt::Expected;
use murre_mailbox::{
    MailboxKind, PutRefusal, Receipt, SLOT_BLOCK, SealedBox, SpaceProof, VerifiedBox, slot_puzzle,
    space_puzzle,
};

/// Where a box comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A writer, perhaps with a proof for space.
    Writer(Option<SpaceProof>),
    /// A neighbour in the ring.
    Repair,
}

/// What became of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is held since now.
    Stored(Receipt),
    /// It was held before.
    Held(Receipt),
    /// It is not.
    Refused(PutRefusal),
    /// It is no valid box at all.
    Invalid,
}

impl Boxes {
    /// Takes a box in, if everything is right with it.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn put(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        env: &Env<'_>,
        wire: &[u8],
        origin: &Origin,
    ) -> Result<Taken, TurnError> {
        // spec: K-1
        let Ok(sealed) = SealedBox::parse(wire) else { return Ok(Taken::Invalid) };
        let Ok(new) = sealed.verify(env.params) else { return Ok(Taken::Invalid) };
        let hash = Bytes(new.hash());
        // spec: K-3
        let wall = cx.now.wall;
        if !expiry_acceptable(new.expiry_hour(), wall) {
            return Ok(refused(PutRefusal::Expired));
        }
        if matches!(origin, Origin::Writer(_)) && !takes_puts(new.epoch(), wall, env.params) {
            return Ok(refused(PutRefusal::Expired));
        }
        if let Some(held) = rows::get::<IdRow>(cx.tx, IDS, new.id().as_bytes())? {
            return self.held(cx, env, &new, hash, &held);
        }
        if !env.placed_here(&new.locator(), new.epoch(), cx.now.wall) {
            return Ok(refused(PutRefusal::NotMine));
        }
        if !door_takes(cx.tx, &new)? {
            return Ok(refused(PutRefusal::NotMine));
        }
        let receipt = env.receipt(&Expected::from(&new));
        if sabotage::active("receipt-without-store") {
            return Ok(Taken::Held(receipt));
        }
        match self.admit(cx, env, &new, origin)? {
            Ok(space) => {
                self.store(cx, env, &new, hash, space)?;
                cx.up(Up::Stored { locator: new.locator() });
                Ok(Taken::Stored(receipt))
            }
            Err(PutRefusal::NoRoom) if sabotage::active("receipt-without-room") => Ok(Taken::Held(receipt)),
            Err(why) => Ok(refused(why)),
        }
    }

    /// A box under an id that is known. One that a tombstone took away was held once, and its writer is told so;
    /// one that a tombstone forbade before it came was never seen, so there are no bytes to compare or show.
    // spec: K-4, K-7
    fn held(
        &self,
        cx: &mut Cx<'_, '_, Up>,
        env: &Env<'_>,
        new: &VerifiedBox,
        hash: Bytes<32>,
        held: &IdRow,
    ) -> Result<Taken, TurnError> {
        if held.h == hash || held.w == What::Gone {
            return Ok(Taken::Held(env.receipt(&Expected::from(new))));
        }
        let bytes = cx.tx.get(BOXES, &held.n.to_be_bytes())?.unwrap_or_default();
        Ok(refused(PutRefusal::Conflict { held: bytes.into() }))
    }

    /// Whether there is room for it and who paid.
    fn admit(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        env: &Env<'_>,
        new: &VerifiedBox,
        origin: &Origin,
    ) -> Result<Result<Space, PutRefusal>, TurnError> {
        let kind = new.place().k;
        let (mut row, open) = Self::locator(cx.tx, &new.locator(), new.epoch())?;
        // spec: K-37
        if row.e != new.epoch() {
            return Ok(Err(PutRefusal::NotMine));
        }
        let tag: TagRow = rows::get(cx.tx, TAGS, &under(row.n, new.tag().as_bytes()))?.unwrap_or_default();
        let len = new.wire().len() as u64;
        let most = quota(kind, env.params);
        // spec: K-13
        if row.b >= most.boxes
            || row.z.saturating_add(len) > most.bytes
            || tag.b >= most.tag_boxes
            || tag.z.saturating_add(len) > most.tag_bytes
        {
            if sabotage::active("evict-on-full") {
                self.evict_oldest(cx, &row)?;
            } else if !sabotage::active("ignore-quota") {
                return Ok(Err(PutRefusal::Quota));
            }
        }
        let disk = self.disk();
        // spec: K-6, K-17
        if !self.fits(len.saturating_add(BOX_ROWS_BYTES), open && !row.u) {
            if sabotage::active("evict-for-room") {
                self.evict_oldest(cx, &row)?;
            } else {
                return Ok(Err(PutRefusal::NoRoom));
            }
        }
        let paid = match origin {
            // spec: K-14, K-18
            Origin::Repair if disk.pressed() && !open => return Ok(Err(PutRefusal::NoRoom)),
            Origin::Repair => None,
            Origin::Writer(proof) => match pay(cx.tx, env, new, &row, self.price(env), proof.as_ref())? {
                Ok(paid) => paid,
                Err(why) => return Ok(Err(why)),
            },
        };
        self.pressure(&mut row, open);
        Ok(Ok(Space { row, open, tag, paid }))
    }

    /// What a block costs now.
    fn price(&self, env: &Env<'_>) -> PuzzlePrice {
        self.disk().price(env.params.space)
    }

    fn store(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        env: &Env<'_>,
        new: &VerifiedBox,
        hash: Bytes<32>,
        space: Space,
    ) -> Result<(), TurnError> {
        let Space { mut row, open, mut tag, paid } = space;
        let locator = new.locator();
        if !open {
            self.open_locator(cx.tx, &locator, &row, env.params);
        }
        if let Some((block, solution)) = paid {
            rows::put(cx.tx, PAID, &under(row.n, &block.to_be_bytes()), &solution);
        }
        let arrival = rows::next_arrival(cx.tx)?;
        let len = new.wire().len() as u64;
        let id = new.id();
        let place = IdRow {
            n: arrival,
            l: row.n,
            s: row.s,
            h: hash,
            x: new.expiry_hour(),
            z: new.wire().len() as u32,
            w: What::Box,
        };
        cx.tx.put(BOXES, &arrival.to_be_bytes(), new.wire().to_vec());
        rows::put(cx.tx, IDS, id.as_bytes(), &place);
        cx.tx.put(LIST, &under(row.n, &row.s.to_be_bytes()), id.as_bytes().to_vec());
        cx.tx.put(REPAIR, &repair_key(new.epoch(), new.expiry_hour(), &id), locator.as_bytes().to_vec());
        row.b = row.b.saturating_add(1);
        row.z = row.z.saturating_add(len);
        row.s = row.s.saturating_add(1);
        tag.b = tag.b.saturating_add(1);
        tag.z = tag.z.saturating_add(len);
        rows::put(cx.tx, TAGS, &under(row.n, new.tag().as_bytes()), &tag);
        rows::put(cx.tx, LOCATORS, locator.as_bytes(), &row);
        self.count(cx.tx, new.epoch(), |e| {
            e.b = e.b.saturating_add(1);
            e.z = e.z.saturating_add(len);
        });
        Ok(())
    }

    /// The planted faults "evict-on-full" and "evict-for-room": makes room by dropping the oldest box of the locator.
    fn evict_oldest(&mut self, cx: &mut Cx<'_, '_, Up>, row: &LocRow) -> Result<(), TurnError> {
        let oldest = cx.tx.scan(LIST, &Range::prefix(&under(row.n, &[])), Direction::Forward, 1)?;
        let Some(id) = oldest.first().and_then(|(_, id)| murre_core::id::BoxId::from_slice(id)) else {
            return Ok(());
        };
        self.remove(cx.tx, row.e, &id)
    }
}

/// What a box that may be stored takes up.
struct Space {
    row: LocRow,
    open: bool,
    tag: TagRow,
    paid: Option<(u32, Solution)>,
}

/// Whether the block that the box begins in is free, was paid, or is paid now.
// spec: K-15, K-16
fn pay(
    view: &dyn View,
    env: &Env<'_>,
    new: &VerifiedBox,
    row: &LocRow,
    price: PuzzlePrice,
    proof: Option<&SpaceProof>,
) -> Result<Result<Option<(u32, Solution)>, PutRefusal>, TurnError> {
    if row.p {
        return Ok(pay_slot(env, new, row, proof));
    }
    let Some(block) = block(new.place().k, row.z, new.wire().len() as u64, env.params) else {
        return Ok(Ok(None));
    };
    if view.get(PAID, &under(row.n, &block.to_be_bytes()))?.is_some() {
        return Ok(Ok(None));
    }
    let wanted = PutRefusal::NeedProof { price, block };
    let Some(proof) = proof else { return Ok(Err(wanted)) };
    let puzzle = space_puzzle(&new.locator(), new.epoch(), block, price);
    if proof.block != block || !puzzle.check(&proof.solution) {
        return Ok(Err(wanted));
    }
    Ok(Ok(Some((block, proof.solution))))
}

/// Whether a box at a paid door is paid at the price of the moment. That pays for its space as well.
// spec: K-50
fn pay_slot(
    env: &Env<'_>,
    new: &VerifiedBox,
    row: &LocRow,
    proof: Option<&SpaceProof>,
) -> Result<Option<(u32, Solution)>, PutRefusal> {
    let price = slot_price(env.params.link, row.b);
    let puzzle = slot_puzzle(&new.id(), &new.hash(), price);
    match proof {
        Some(proof) if proof.block == SLOT_BLOCK && puzzle.check(&proof.solution) => Ok(None),
        _ => Err(PutRefusal::NeedProof { price, block: SLOT_BLOCK }),
    }
}

/// Whether the door's owner gave this tag a slot; true for mailboxes that are no doors. The object's slots were
/// written as tag rows when it came, so no certificate is checked twice.
// spec: K-8
fn door_takes(view: &dyn View, new: &VerifiedBox) -> Result<bool, TurnError> {
    if new.place().k != MailboxKind::Door {
        return Ok(true);
    }
    let Some(row) = rows::get::<LocRow>(view, LOCATORS, new.locator().as_bytes())? else { return Ok(false) };
    let slot = view.get(TAGS, &under(row.n, new.tag().as_bytes()))?;
    Ok(!row.c && new.index() == 0 && slot.is_some())
}
