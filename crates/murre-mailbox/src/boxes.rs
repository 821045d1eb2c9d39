//! The sealed box: what a custodian stores.
//!
//! ```text
//!  box   { h: head bytes, p: payload, s: signature by tag_e over H(payload) || h }
//!  head  { at: place, c: certificate, e: epoch, i: index, n: class, t: tag_e, v: 1, x: expiry hour }
//!         certificate = signature by m_e (at a door by d_e) over locator || tag_e || e
//!  id    H(locator, tag_e, index)
//!  payload of exactly the class's size:
//!         AEAD( key H(pair secret, e, index), zero nonce, AAD = h,
//!               length u32 BE || plaintext || zeros )
//! ```
//!
//! A box proves by itself that whoever holds a tag certified for this place and epoch wrote exactly these bytes;
//! a custodian needs no list of writers. It does not prove who that is, nor that the plaintext is well-formed.
//!
//! [`SealedBox`] is unverified and shows nothing but its bytes; only [`SealedBox::verify`] opens its head.

use crate::keys::{AddressError, CERT, Place, cert_message};
use crate::limits::{MAX_BOX, MAX_HEAD, expiry_fits_epoch, payload_len};
use murre_core::codec::{self, CodecError};
use murre_core::id::{BoxId, Locator};
use murre_core::params::PuzzlePrice;
use murre_core::{ErrorKind, HasKind, Label, NetworkParams};
use murre_crypto::puzzle::Puzzle;
use murre_crypto::{BadSignature, EpochPublic, Signature};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes as Slice};

/// Id of a box.
pub const BOX_ID: Label = Label::new("murre v1 mailbox box id");
/// Hash of a whole box, as receipts name it.
pub const BOX_HASH: Label = Label::new("murre v1 mailbox box hash");
/// The tag's signature on a box.
pub const BOX_SIGN: Label = Label::new("murre v1 mailbox box");
const PAYLOAD_HASH: Label = Label::new("murre v1 mailbox box payload");
const SPACE: Label = Label::new("murre v1 mailbox space");
const SLOT: Label = Label::new("murre v1 mailbox slot work");

/// Version of the box format.
pub const BOX_VERSION: u8 = 1;

/// Why a box was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoxError {
    /// Not the form of a box.
    #[error("box: {0}")]
    Codec(#[from] CodecError),
    /// Another version.
    #[error("box version {v} is not known")]
    Version {
        /// The version it names.
        v: u8,
    },
    /// The place does not hold together.
    #[error(transparent)]
    Place(#[from] AddressError),
    /// No such class, or a payload of another size.
    #[error("payload of {len} bytes in class {class}")]
    Size {
        /// The class it names.
        class: u8,
        /// Payload bytes it has.
        len: usize,
    },
    /// An expiry hour that no box of this epoch can have.
    #[error("expiry hour {hour} does not fit epoch {epoch}")]
    Expiry {
        /// The hour it names.
        hour: u32,
        /// The epoch it names.
        epoch: u64,
    },
    /// At a door each slot takes one box, with index 0.
    #[error("index {index} at a door")]
    DoorIndex {
        /// The index it names.
        index: u64,
    },
    /// The tag may not write here in this epoch.
    #[error("certificate is not valid")]
    Certificate,
    /// Not signed by the tag it names.
    #[error("box is not signed by its tag")]
    Signature,
}

impl HasKind for BoxError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

impl From<BadSignature> for BoxError {
    fn from(_: BadSignature) -> Self {
        Self::Signature
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub at: Place,
    pub c: Signature,
    pub e: u64,
    pub i: u64,
    pub n: u8,
    pub t: EpochPublic,
    pub v: u8,
    pub x: u32,
}

impl Head {
    /// Everything that needs neither the payload nor the clock.
    // spec: B-2, B-4, B-6, B-8
    fn check(&self, locator: &Locator) -> Result<(), BoxError> {
        if self.v != BOX_VERSION {
            return Err(BoxError::Version { v: self.v });
        }
        self.at.check()?;
        if self.at.k == crate::MailboxKind::Door && self.i != 0 {
            return Err(BoxError::DoorIndex { index: self.i });
        }
        if murre_core::sabotage::active("skip-cert-check") {
            return Ok(());
        }
        let certifier = self.at.certifier().ok_or(BoxError::Place(AddressError::Owner))?;
        certifier
            .verify(CERT, &cert_message(locator, &self.t, self.e), &self.c)
            .map_err(|_| BoxError::Certificate)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    h: ByteBuf,
    p: ByteBuf,
    s: Signature,
}

#[derive(Serialize)]
struct WireRef<'a> {
    h: &'a Slice,
    p: &'a Slice,
    s: Signature,
}

fn signed_message(payload_hash: &[u8; 32], head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + head.len());
    out.extend_from_slice(payload_hash);
    out.extend_from_slice(head);
    out
}

// spec: B-12
fn box_id(locator: &Locator, tag: &EpochPublic, index: u64) -> BoxId {
    BoxId::from_bytes(BOX_ID.hash(&[locator.as_bytes(), tag.as_bytes(), &index.to_be_bytes()]))
}

/// The puzzle that pays for one block of space at a locator in an epoch.
///
/// A solution counts at every custodian of the locator, and for any lower price of the same memory.
// spec: B-14
#[must_use]
pub fn space_puzzle(locator: &Locator, epoch: u64, block: u32, price: PuzzlePrice) -> Puzzle {
    let context = SPACE.hash(&[locator.as_bytes(), &epoch.to_be_bytes(), &block.to_be_bytes()]);
    Puzzle { context, price }
}

/// The block number that stands for a slot of a paid door: its proof pays for one very box.
pub const SLOT_BLOCK: u32 = u32::MAX;

/// The puzzle that pays for a box in a slot of a paid door. It is bound to the bytes of this very box, so that no
/// solution can be prepared for another, or used by another.
// spec: B-25
#[must_use]
pub fn slot_puzzle(id: &BoxId, hash: &[u8; 32], price: PuzzlePrice) -> Puzzle {
    Puzzle { context: SLOT.hash(&[id.as_bytes(), hash]), price }
}

/// A box as it came: unverified.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBox {
    head: Head,
    wire: Wire,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for SealedBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedBox({} bytes, unverified)", self.bytes.len())
    }
}

impl SealedBox {
    /// Reads the wire form. Nothing is verified by this.
    ///
    /// # Errors
    /// [`BoxError::Codec`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BoxError> {
        let wire: Wire = codec::decode(bytes, MAX_BOX)?;
        let head: Head = codec::decode(&wire.h, MAX_HEAD)?;
        Ok(Self { head, wire, bytes: bytes.to_vec() })
    }

    /// Seals the outside: `sign` is the tag's key.
    pub(crate) fn build(head: Head, payload: Vec<u8>, sign: impl FnOnce(Label, &[u8]) -> Signature) -> Self {
        let h = codec::encode(&head);
        let s = sign(BOX_SIGN, &signed_message(&PAYLOAD_HASH.hash(&[&payload]), &h));
        let bytes = codec::encode(&WireRef { h: Slice::new(&h), p: Slice::new(&payload), s });
        Self { head, wire: Wire { h: ByteBuf::from(h), p: ByteBuf::from(payload), s }, bytes }
    }

    /// The bytes to send and store.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.bytes
    }

    /// Checks everything that can be checked without a clock: form, place, class, expiry, certificate, signature.
    ///
    /// # Errors
    /// [`BoxError`] naming the first check that failed.
    // spec: B-4, B-5, B-6
    pub fn verify(self, p: &NetworkParams) -> Result<VerifiedBox, BoxError> {
        let Head { e, x, n, .. } = self.head;
        if payload_len(n) != Some(self.wire.p.len()) {
            return Err(BoxError::Size { class: n, len: self.wire.p.len() });
        }
        if !expiry_fits_epoch(x, e, p) {
            return Err(BoxError::Expiry { hour: x, epoch: e });
        }
        let locator = self.head.at.locator();
        self.head.check(&locator)?;
        let payload_hash = PAYLOAD_HASH.hash(&[&self.wire.p]);
        self.head.t.verify(BOX_SIGN, &signed_message(&payload_hash, &self.wire.h), &self.wire.s)?;
        let id = box_id(&locator, &self.head.t, self.head.i);
        Ok(VerifiedBox { sealed: self, id, locator })
    }
}

/// A box of which everything but the clock was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBox {
    sealed: SealedBox,
    id: BoxId,
    locator: Locator,
}

impl VerifiedBox {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> BoxId {
        self.id
    }

    /// Where it lies.
    #[must_use]
    pub const fn locator(&self) -> Locator {
        self.locator
    }

    /// The mailbox as the custodian sees it.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.sealed.head.at
    }

    /// Epoch of its place.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.sealed.head.e
    }

    /// The tag that wrote it.
    #[must_use]
    pub const fn tag(&self) -> EpochPublic {
        self.sealed.head.t
    }

    /// Its number under that tag.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.sealed.head.i
    }

    /// The hour since the Unix epoch at whose beginning it ends.
    #[must_use]
    pub const fn expiry_hour(&self) -> u32 {
        self.sealed.head.x
    }

    /// Size class.
    #[must_use]
    pub const fn class(&self) -> u8 {
        self.sealed.head.n
    }

    /// The encrypted payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.sealed.wire.p
    }

    /// The head as it was signed: the payload's associated data.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.sealed.wire.h
    }

    /// The bytes to send and store.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.sealed.bytes
    }

    /// Hash of the bytes, as receipts name it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        BOX_HASH.hash(&[&self.sealed.bytes])
    }
}
