//! For `crates/murre-fuzz` only: decoders of bytes from outside that nobody else may call.
//!
//! Each gives what the decoded value is encoded to, or nothing if the bytes are refused. A decoder that takes two byte
//! strings for one value shows here, without its type leaving its module.

use crate::contacts::{DoorPayload, RequestBody};
use murre_core::codec;

/// A frame between devices, its first byte with it.
#[must_use]
pub fn live_frame(bytes: &[u8]) -> Option<Vec<u8>> {
    crate::presence::again(bytes)
}

/// What a mailbox's box holds.
#[must_use]
pub fn parcel(plain: &[u8]) -> Option<Vec<u8>> {
    crate::delivery::again(plain)
}

/// What a door's object tells the holders of its link.
#[must_use]
pub fn door_payload(plain: &[u8]) -> Option<Vec<u8>> {
    DoorPayload::decode(plain).ok().map(|payload| codec::encode(&payload))
}

/// What lies in a slot of a door.
#[must_use]
pub fn request(plain: &[u8]) -> Option<Vec<u8>> {
    RequestBody::decode(plain).ok().map(|request| codec::encode(&request))
}
