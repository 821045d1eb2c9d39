//! Boxes that carry no new entry: lone receipts, wants, presence, entries sent again.
//!
//! A parcel is put until it is stored and then forgotten; nothing waits for it to be receipted, and losing one
//! loses nothing: receipts are cumulative, wants are asked again, presence is renewed.

use super::boxes::Target;
use super::{Ctx, Delivery, DeliveryUp, PARCEL_PUT};
use crate::account::Account;
use crate::limits::{MAX_PARCELS, MAX_PARCELS_EACH};
use crate::rows::{self, ParcelRow};
use murre_core::{Direction, Range, TurnError, View};
use murre_mailbox::client::PutKey;
use serde_bytes::ByteBuf;

impl Delivery {
    /// Puts a signal into a box of the contact's.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn parcel(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        contact: u32,
        packet: Vec<u8>,
        ttl: u32,
    ) -> Result<(), TurnError> {
        // spec: D-13
        self.drop_parcels(cx, contact, MAX_PARCELS_EACH - 1);
        if self.parcels.len() >= MAX_PARCELS {
            return Ok(());
        }
        let expiry = cx.now.wall.hour() + ttl.max(1);
        let target = Target { contact, expiry };
        let Some((_, _, bytes)) = self.seal_box(cx, me, target, &[ByteBuf::from(packet)])? else {
            return Ok(());
        };
        let number = rows::next(cx.tx, "parcels")?;
        let row = ParcelRow { contact, bytes: ByteBuf::from(bytes.clone()), expiry };
        rows::put(cx.tx, rows::PARCELS, &number.to_be_bytes(), &row);
        self.parcels.insert(number, contact);
        cx.up(DeliveryUp::Put(PutKey(PARCEL_PUT | number), bytes));
        Ok(())
    }

    pub(super) fn parcel_signed(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        number: u64,
        solid: bool,
    ) -> Result<(), TurnError> {
        if solid {
            self.forget_parcel(cx, number);
        }
        Ok(())
    }

    /// The parcel has done its work, or can do none.
    pub(super) fn forget_parcel(&mut self, cx: &mut Ctx<'_, '_>, number: u64) {
        self.parcels.remove(&number);
        cx.tx.delete(rows::PARCELS, &number.to_be_bytes());
    }

    /// Lets go of a contact's oldest parcels until at most `keep` are left.
    pub(super) fn drop_parcels(&mut self, cx: &mut Ctx<'_, '_>, contact: u32, keep: usize) {
        let own: Vec<u64> = self.parcels.iter().filter(|(_, c)| **c == contact).map(|(n, _)| *n).collect();
        for number in own.iter().take(own.len().saturating_sub(keep)) {
            cx.up(DeliveryUp::Cancel(PutKey(PARCEL_PUT | *number)));
            self.forget_parcel(cx, *number);
        }
    }

    /// Takes up parcels left by an earlier run, and lets go of those whose time is over.
    pub(super) fn sweep_parcels(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        let hour = cx.now.wall.hour();
        for (key, value) in cx.tx.scan(rows::PARCELS, &Range::all(), Direction::Forward, MAX_PARCELS)? {
            let Ok(number) = key.as_slice().try_into().map(u64::from_be_bytes) else { continue };
            let row: ParcelRow = rows::decode(rows::PARCELS, &value)?;
            let put = PutKey(PARCEL_PUT | number);
            if row.expiry <= hour {
                cx.tx.delete(rows::PARCELS, &key);
                self.parcels.remove(&number);
                cx.up(DeliveryUp::Cancel(put));
            } else if self.parcels.insert(number, row.contact).is_none() {
                cx.up(DeliveryUp::Put(put, row.bytes.into_vec()));
            }
        }
        Ok(())
    }
}
