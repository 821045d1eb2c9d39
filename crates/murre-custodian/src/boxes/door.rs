//! What an owner puts at its place: the object at a door, and tombstones.

use super::quota::quota;
use super::sweep::locator_end;
use super::{Boxes, Env, Taken, refused};
use crate::route::Up;
use crate::rows::{
    self, BOXES, IDS, IdRow, LOCATORS, OBJECTS, ObjectRow, REPAIR, TAGS, TOMBS, TagRow, What, repair_key,
    under,
};
use murre_core::id::{BoxId, Bytes};
use murre_core::{Cx, Label, TurnError};
use murre_mailbox::limits::takes_objects;
use murre_mailbox::receipt::Expected;
use murre_mailbox::{PutRefusal, Refusal, Reply, SignedObject, Tombstone, VerifiedObject};
use serde_bytes::ByteBuf;

const TOMB: Label = Label::new("murre v1 custodian tombstone row");

impl Boxes {
    /// Takes an owner object in, if everything is right with it.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn put_object(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        env: &Env<'_>,
        wire: &[u8],
    ) -> Result<Taken, TurnError> {
        // spec: K-9
        let Ok(signed) = SignedObject::parse(wire) else { return Ok(Taken::Invalid) };
        let Ok(new) = signed.verify(env.params) else { return Ok(Taken::Invalid) };
        let wall = cx.now.wall;
        if new.x <= wall.hour() || !takes_objects(new.e, wall, env.params) {
            return Ok(refused(PutRefusal::Expired));
        }
        // spec: K-10, K-40
        if let Some(held) = rows::get::<IdRow>(cx.tx, IDS, new.id().as_bytes())? {
            if held.h.0 == new.hash() {
                return Ok(Taken::Held(env.receipt(&Expected::from(&new))));
            }
            let held = rows::get::<ObjectRow>(cx.tx, OBJECTS, new.locator().as_bytes())?;
            return Ok(refused(PutRefusal::Conflict { held: held.map(|h| h.o).unwrap_or_default() }));
        }
        if !env.placed_here(&new.locator(), new.e, cx.now.wall) {
            return Ok(refused(PutRefusal::NotMine));
        }
        let (row, open) = Self::locator(cx.tx, &new.locator(), new.e)?;
        // spec: K-37
        if row.e != new.e {
            return Ok(refused(PutRefusal::NotMine));
        }
        if !self.fits(wire.len() as u64, open && !row.u) {
            return Ok(refused(PutRefusal::NoRoom));
        }
        self.store_object(cx, env, &new, wire)?;
        Ok(Taken::Stored(env.receipt(&Expected::from(&new))))
    }

    fn store_object(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        env: &Env<'_>,
        new: &VerifiedObject,
        wire: &[u8],
    ) -> Result<(), TurnError> {
        let locator = new.locator();
        let (mut row, open) = Self::locator(cx.tx, &locator, new.e)?;
        if !open {
            self.open_locator(cx.tx, &locator, &row, env.params);
        }
        self.pressure(&mut row, open);
        if new.closed() {
            row.c = true;
            // Gone for good, also where it has not come yet: a neighbour may still offer it.
            let open_id = new.open_id();
            self.remove(cx.tx, new.e, &open_id)?;
            let gone = IdRow { n: 0, l: row.n, s: 0, h: Bytes([0; 32]), x: new.x, z: 0, w: What::Gone };
            rows::put(cx.tx, IDS, open_id.as_bytes(), &gone);
            cx.tx.put(REPAIR, &repair_key(new.e, new.x, &open_id), Vec::new());
        }
        row.p = new.paid;
        rows::put(cx.tx, LOCATORS, locator.as_bytes(), &row);
        for (tag, _) in &new.slots {
            rows::put(cx.tx, TAGS, &under(row.n, tag.as_bytes()), &TagRow::default());
        }
        let (id, len) = (new.id(), wire.len() as u32);
        let place = IdRow { n: 0, l: row.n, s: 0, h: Bytes(new.hash()), x: new.x, z: len, w: What::Object };
        let object = ObjectRow { x: new.x, o: ByteBuf::from(wire.to_vec()) };
        rows::put(cx.tx, OBJECTS, locator.as_bytes(), &object);
        rows::put(cx.tx, IDS, id.as_bytes(), &place);
        cx.tx.put(REPAIR, &repair_key(new.e, new.x, &id), locator.as_bytes().to_vec());
        self.count(cx.tx, new.e, |e| e.z = e.z.saturating_add(u64::from(len)));
        Ok(())
    }

    /// Takes an owner's tombstone in: the bytes of its boxes go, and never come back.
    ///
    /// A tombstone is itself a thing of the repair set, so that it reaches nodes that still hold the boxes.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: K-11
    pub fn tombstone(
        &mut self,
        cx: &mut Cx<'_, '_, Up>,
        env: &Env<'_>,
        signed: &Tombstone,
    ) -> Result<Reply, TurnError> {
        let wire = signed.bytes();
        let Ok(body) = signed.clone().verify() else { return Ok(Reply::Refused(Refusal::Denied)) };
        let locator = body.place.locator();
        let (mut row, open) = Self::locator(cx.tx, &locator, body.e)?;
        if row.e != body.e || !env.placed_here(&locator, body.e, cx.now.wall) {
            return Ok(Reply::Refused(Refusal::NotMine));
        }
        let end = locator_end(body.e, env.params);
        let most = quota(body.place.k, env.params).boxes;
        if end <= cx.now.wall.hour() || !self.fits(wire.len() as u64, open && !row.u) {
            return Ok(Reply::Refused(Refusal::Busy));
        }
        let mut news = false;
        for id in &body.ids {
            match rows::get::<IdRow>(cx.tx, IDS, id.as_bytes())? {
                Some(held) if held.w == What::Box && held.l == row.n => {
                    self.drop_bytes(cx.tx, body.e, &held);
                    cx.tx.erase(BOXES, &held.n.to_be_bytes());
                    cx.tx.put(REPAIR, &repair_key(body.e, held.x, id), Vec::new());
                    rows::put(cx.tx, IDS, id.as_bytes(), &IdRow { w: What::Gone, ..held });
                    news = true;
                }
                Some(_) => {}
                // Not seen yet. It counts as a box, or an owner could fill the disk with ids.
                None if row.b < most => {
                    row.b = row.b.saturating_add(1);
                    let gone = IdRow { n: 0, l: row.n, s: 0, h: Bytes([0; 32]), x: end, z: 0, w: What::Gone };
                    cx.tx.put(REPAIR, &repair_key(body.e, end, id), Vec::new());
                    rows::put(cx.tx, IDS, id.as_bytes(), &gone);
                    news = true;
                }
                None => {}
            }
        }
        if news {
            self.pressure(&mut row, open);
            if !open {
                self.open_locator(cx.tx, &locator, &row, env.params);
            }
            rows::put(cx.tx, LOCATORS, locator.as_bytes(), &row);
            let id = BoxId::from_bytes(TOMB.hash(&[&wire]));
            let place = IdRow {
                n: 0,
                l: row.n,
                s: 0,
                h: Bytes(*id.as_bytes()),
                x: end,
                z: wire.len() as u32,
                w: What::Tombstone,
            };
            let len = wire.len() as u64;
            cx.tx.put(TOMBS, &under(row.n, id.as_bytes()), wire);
            rows::put(cx.tx, IDS, id.as_bytes(), &place);
            cx.tx.put(REPAIR, &repair_key(body.e, end, &id), locator.as_bytes().to_vec());
            self.count(cx.tx, body.e, |e| e.z = e.z.saturating_add(len));
        }
        Ok(Reply::Ok)
    }
}
