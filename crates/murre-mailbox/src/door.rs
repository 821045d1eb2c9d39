//! The owner object: what the owner of an invitation link shows at its door.
//!
//! A door is a mailbox whose reader key every link holder derives. Its owner key certifies the *slots*: tags that
//! every link holder derives as well, each good for one box in each epoch. So a stranger can leave one request,
//! and cannot leave ten thousand.
//!
//! ```text
//!  object { p: { at: place, c: whether a box costs a puzzle, e: epoch, p: payload, s: [[tag_e, certificate], ...], v: 1, x: expiry hour },
//!           s: signature by d_e }
//!  slot n: pair secret = H(link secret, n), tag secret = H'(link secret, n)
//!  id     H(locator)   one object for each place
//!
//!  closed { no slots, no payload }, signed by d_e, id H'(locator): the door is shut in this epoch, for good. It takes
//!          the place of the object; nobody but the owner can make it.
//! ```
//!
//! The payload is opaque here. The device seals it for link holders.

use crate::keys::{AddressError, CERT, EpochReader, MailboxAddress, MailboxKind, Place, cert_message};
use crate::limits::{self, MAX_OBJECT, MAX_OBJECT_PAYLOAD, MAX_SLOTS, expiry_fits_epoch};
use crate::tags::{CertRun, PairSecret, TagKey, WriteGrant};
use murre_core::codec::CodecError;
use murre_core::id::{BoxId, Bytes, Locator};
use murre_core::{ErrorKind, HasKind, Label, NetworkParams};
use murre_crypto::{EpochPublic, Secret, Signature, Signed, SignedBody, SignedError, Verified};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;

const OBJECT_ID: Label = Label::new("murre v1 mailbox object id");
const CLOSED_ID: Label = Label::new("murre v1 mailbox closed object id");
const OBJECT_HASH: Label = Label::new("murre v1 mailbox object hash");
const SLOT_PAIR: Label = Label::new("murre v1 mailbox slot pair");
const SLOT_TAG: Label = Label::new("murre v1 mailbox slot tag");
/// Version of the object format.
pub const OBJECT_VERSION: u8 = 1;

/// Why an owner object was refused, or not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DoorError {
    /// Malformed, of another version, or not signed by the owner.
    #[error(transparent)]
    Signed(#[from] SignedError),
    /// The place is no door.
    #[error("an owner object that is not at a door")]
    NotADoor,
    /// The owner key is not here.
    #[error("the owner key of the door is not here")]
    NotOwner,
    /// Too many slots, or a slot twice.
    #[error("{slots} slots, which are too many or not all different")]
    Slots {
        /// How many.
        slots: usize,
    },
    /// Too long.
    #[error("payload of {len} bytes")]
    Payload {
        /// Its length.
        len: usize,
    },
    /// A slot whose certificate is not the owner's.
    #[error("certificate of slot {slot} is not valid")]
    Certificate {
        /// Which one.
        slot: usize,
    },
    /// An expiry hour that nothing of this epoch can have.
    #[error("expiry hour {hour} does not fit epoch {epoch}")]
    Expiry {
        /// The hour it names.
        hour: u32,
        /// The epoch it names.
        epoch: u64,
    },
}

impl HasKind for DoorError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotOwner => ErrorKind::Caller,
            _ => ErrorKind::Remote,
        }
    }
}

impl From<CodecError> for DoorError {
    fn from(e: CodecError) -> Self {
        Self::Signed(SignedError::Codec(e))
    }
}

/// What an owner object says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectBody {
    /// Version.
    pub v: u8,
    /// The door in this epoch.
    #[serde(rename = "at")]
    pub place: Place,
    /// Which epoch.
    pub e: u64,
    /// Expiry hour.
    pub x: u32,
    /// The tags that may each put one box, and their certificates. Position is the slot's number.
    #[serde(rename = "s", deserialize_with = "limits::list::<MAX_SLOTS, _, _>")]
    pub slots: Vec<(EpochPublic, Signature)>,
    /// For link holders, sealed by the device.
    pub p: ByteBuf,
    /// Whether each box here costs a solved puzzle: the link is known to many.
    #[serde(rename = "c")]
    pub paid: bool,
}

impl SignedBody for ObjectBody {
    const LABEL: Label = Label::new("murre v1 mailbox owner object");
    const LIMIT: usize = MAX_OBJECT - murre_crypto::signed::SIGNED_OVERHEAD;

    fn signer(&self) -> [u8; 32] {
        self.place.d.map_or([0xff; 32], |d| *d.as_bytes())
    }

    // A body without owner key must never come as far as its signature: it names no signer.
    fn well_formed(&self) -> bool {
        self.v == OBJECT_VERSION && self.place.k == MailboxKind::Door && self.place.check().is_ok()
    }
}

/// An owner object as it came: unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedObject(Signed<ObjectBody>);

impl SignedObject {
    /// Reads the wire form. Nothing is verified by this.
    ///
    /// # Errors
    /// [`DoorError::Signed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DoorError> {
        Ok(Self(Signed::from_bytes(bytes)?))
    }

    /// The bytes to send and store.
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        self.0.bytes()
    }

    /// Checks everything that can be checked without a clock: form, owner's signature, slots, expiry.
    ///
    /// # Errors
    /// [`DoorError`] naming the first check that failed.
    // spec: B-15, B-16
    pub fn verify(self, p: &NetworkParams) -> Result<VerifiedObject, DoorError> {
        let body = self.0.verify()?;
        let slots = body.slots.len();
        let distinct: BTreeSet<_> = body.slots.iter().map(|(tag, _)| tag).collect();
        if slots > MAX_SLOTS || distinct.len() != slots {
            return Err(DoorError::Slots { slots });
        }
        if body.p.len() > MAX_OBJECT_PAYLOAD || slots == 0 && (!body.p.is_empty() || body.paid) {
            return Err(DoorError::Payload { len: body.p.len() });
        }
        if !expiry_fits_epoch(body.x, body.e, p) {
            return Err(DoorError::Expiry { hour: body.x, epoch: body.e });
        }
        let owner = body.place.d.ok_or(DoorError::NotADoor)?;
        let locator = body.place.locator();
        for (slot, (tag, cert)) in body.slots.iter().enumerate() {
            owner
                .verify(CERT, &cert_message(&locator, tag, body.e), cert)
                .map_err(|_| DoorError::Certificate { slot })?;
        }
        Ok(VerifiedObject { body, locator })
    }
}

/// An owner object of which everything but the clock was checked. Dereferences to its body.
#[derive(Clone, Debug)]
pub struct VerifiedObject {
    body: Verified<ObjectBody>,
    locator: Locator,
}

impl std::ops::Deref for VerifiedObject {
    type Target = ObjectBody;

    fn deref(&self) -> &ObjectBody {
        &self.body
    }
}

impl VerifiedObject {
    /// Its id, by which receipts name it.
    #[must_use]
    pub fn id(&self) -> BoxId {
        let label = if self.closed() { CLOSED_ID } else { OBJECT_ID };
        BoxId::from_bytes(label.hash(&[self.locator.as_bytes()]))
    }

    /// Whether it shuts the door: it has no slot.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.body.slots.is_empty()
    }

    /// The id of the object that a closed one takes the place of.
    #[must_use]
    pub fn open_id(&self) -> BoxId {
        BoxId::from_bytes(OBJECT_ID.hash(&[self.locator.as_bytes()]))
    }

    /// Where it lies.
    #[must_use]
    pub const fn locator(&self) -> Locator {
        self.locator
    }

    /// The bytes to send and store.
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        self.body.signed().bytes()
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &ObjectBody {
        &self.body
    }

    /// Which epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.body.e
    }

    /// Expiry hour.
    #[must_use]
    pub fn expiry_hour(&self) -> u32 {
        self.body.x
    }

    /// Hash of the bytes, as receipts name it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        OBJECT_HASH.hash(&[&self.wire()])
    }

    /// Whether this tag is one of the slots.
    #[must_use]
    pub fn has_slot(&self, tag: &EpochPublic) -> bool {
        self.body.slots.iter().any(|(t, _)| t == tag)
    }
}

impl EpochReader {
    /// Makes this epoch's owner object with `slots` slots of the link with this secret.
    ///
    /// # Errors
    /// [`DoorError`] if this is no door, the owner key is missing, or a limit is passed.
    // spec: B-15
    pub fn object(
        &self,
        secret: &Secret<32>,
        slots: u16,
        expiry_hour: u32,
        payload: Vec<u8>,
    ) -> Result<SignedObject, DoorError> {
        self.open_object(secret, slots, expiry_hour, payload, false)
    }

    /// The same, at a door where each box costs a solved puzzle.
    ///
    /// # Errors
    /// [`DoorError`] as [`EpochReader::object`].
    // spec: B-25
    pub fn paid_object(
        &self,
        secret: &Secret<32>,
        slots: u16,
        expiry_hour: u32,
        payload: Vec<u8>,
    ) -> Result<SignedObject, DoorError> {
        self.open_object(secret, slots, expiry_hour, payload, true)
    }

    fn open_object(
        &self,
        secret: &Secret<32>,
        slots: u16,
        expiry_hour: u32,
        payload: Vec<u8>,
        paid: bool,
    ) -> Result<SignedObject, DoorError> {
        if self.place.k != MailboxKind::Door {
            return Err(DoorError::NotADoor);
        }
        if slots == 0 || usize::from(slots) > MAX_SLOTS {
            return Err(DoorError::Slots { slots: slots.into() });
        }
        if payload.len() > MAX_OBJECT_PAYLOAD {
            return Err(DoorError::Payload { len: payload.len() });
        }
        let mut list = Vec::with_capacity(slots.into());
        for n in 0..slots {
            let (pair, tag) = door_slot(secret, n);
            let tag = crate::tags::tag_at(&pair, &tag.public(), self.epoch)
                .map_err(|_: AddressError| DoorError::NotADoor)?;
            list.push((tag, self.certify(&tag).ok_or(DoorError::NotOwner)?));
        }
        self.signed_object(list, expiry_hour, payload, paid)
    }

    /// Shuts the door for this epoch: no slot, nothing to read.
    ///
    /// # Errors
    /// [`DoorError`] if this is no door or the owner key is missing.
    // spec: B-24
    pub fn closed_object(&self, expiry_hour: u32) -> Result<SignedObject, DoorError> {
        if self.place.k != MailboxKind::Door {
            return Err(DoorError::NotADoor);
        }
        self.signed_object(Vec::new(), expiry_hour, Vec::new(), false)
    }

    fn signed_object(
        &self,
        slots: Vec<(EpochPublic, Signature)>,
        expiry_hour: u32,
        payload: Vec<u8>,
        paid: bool,
    ) -> Result<SignedObject, DoorError> {
        let (place, e, x, p) = (self.place, self.epoch, expiry_hour, ByteBuf::from(payload));
        let body = ObjectBody { v: OBJECT_VERSION, place, e, x, slots, p, paid };
        let mut signed = None;
        let object = Signed::new(&body, |label, msg| {
            signed = self.sign_owner(label, msg);
            signed.unwrap_or(Signature::from_bytes([0; 64]))
        });
        signed.map(|_| SignedObject(object)).ok_or(DoorError::NotOwner)
    }
}

/// Pair secret and tag key of a slot: the owner and every link holder derive the same.
#[must_use]
pub fn door_slot(secret: &Secret<32>, slot: u16) -> (PairSecret, TagKey) {
    let n = slot.to_be_bytes();
    let pair = PairSecret::from_bytes(SLOT_PAIR.hash(&[secret.expose(), &n]));
    (pair, TagKey::from_secret(&Secret::derive(SLOT_TAG, &[secret.expose(), &n])))
}

/// The right to use one slot in the object's epoch, for a holder of the link's secret. `None` if the object has
/// no such slot or belongs to another link.
#[must_use]
pub fn slot_grant(
    to: &MailboxAddress,
    secret: &Secret<32>,
    slot: u16,
    object: &VerifiedObject,
) -> Option<WriteGrant> {
    let (pair, tag) = door_slot(secret, slot);
    let (listed, cert) = object.slots.get(usize::from(slot))?;
    let own = crate::tags::tag_at(&pair, &tag.public(), object.e).ok()?;
    if own != *listed || to.at(object.e).ok()? != object.place {
        return None;
    }
    let certs = CertRun { f: object.e, c: vec![*cert] };
    Some(WriteGrant { to: *to, p: Bytes(*pair.expose()), t: Some(Bytes(*tag.secret().expose())), certs })
}
