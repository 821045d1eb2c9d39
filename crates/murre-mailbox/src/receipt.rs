//! A custodian's word that it holds a box.
//!
//! ```text
//!  receipt { p: { b: box id, e: epoch, h: hash of the box's bytes, n: node key, x: expiry hour }, s: signature by n }
//! ```
//!
//! A box is *stored* only when enough custodians of its placement have signed one; who they are and how many are
//! enough is the client's question.

use crate::boxes::VerifiedBox;
use crate::door::VerifiedObject;
use murre_core::id::{BoxId, Bytes, PeerKey};
use murre_core::{ErrorKind, HasKind, Label};
use murre_crypto::{NodeKey, Signed, SignedBody, SignedError};
use serde::{Deserialize, Serialize};

/// What a receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptBody {
    /// The custodian.
    pub n: PeerKey,
    /// The box, or the id of an owner object.
    pub b: BoxId,
    /// Hash of the bytes held.
    pub h: Bytes<32>,
    /// Expiry hour.
    pub x: u32,
    /// Epoch.
    pub e: u64,
}

impl SignedBody for ReceiptBody {
    const LABEL: Label = Label::new("murre v1 mailbox receipt");
    const LIMIT: usize = 160;

    fn signer(&self) -> [u8; 32] {
        *self.n.as_bytes()
    }
}

/// A signed receipt.
pub type Receipt = Signed<ReceiptBody>;

/// Why a receipt does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not signed by whom it names, or malformed.
    #[error(transparent)]
    Signed(#[from] SignedError),
    /// About another box, other bytes, another expiry or another epoch.
    #[error("a receipt for something else")]
    Other,
}

impl HasKind for ReceiptError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// What a receipt must be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Box or object id.
    pub id: BoxId,
    /// Hash of its bytes.
    pub hash: [u8; 32],
    /// Its expiry hour.
    pub expiry_hour: u32,
    /// Its epoch.
    pub epoch: u64,
}

impl From<&VerifiedBox> for Expected {
    fn from(b: &VerifiedBox) -> Self {
        Self { id: b.id(), hash: b.hash(), expiry_hour: b.expiry_hour(), epoch: b.epoch() }
    }
}

impl From<&VerifiedObject> for Expected {
    fn from(o: &VerifiedObject) -> Self {
        Self { id: o.id(), hash: o.hash(), expiry_hour: o.x, epoch: o.e }
    }
}

/// Signs that this node holds it. To be sent only when it is durable.
// spec: B-13
#[must_use]
pub fn issue(key: &NodeKey, of: &Expected) -> Receipt {
    let body = ReceiptBody { n: key.id(), b: of.id, h: Bytes(of.hash), x: of.expiry_hour, e: of.epoch };
    Signed::new(&body, |label, msg| key.sign(label, msg))
}

/// Checks a receipt against what it must be about and yields its custodian.
///
/// # Errors
/// [`ReceiptError`].
// spec: B-13
pub fn check(receipt: Receipt, of: &Expected) -> Result<PeerKey, ReceiptError> {
    let body = read(receipt)?;
    let says = Expected { id: body.b, hash: body.h.0, expiry_hour: body.x, epoch: body.e };
    if says == *of { Ok(body.n) } else { Err(ReceiptError::Other) }
}

fn read(receipt: Receipt) -> Result<ReceiptBody, SignedError> {
    if murre_core::sabotage::active("accept-forged-receipt") {
        return unchecked(&receipt);
    }
    receipt.verify().map(murre_crypto::Verified::into_body)
}

/// The planted fault: takes what a receipt says without asking who signed it.
fn unchecked(receipt: &Receipt) -> Result<ReceiptBody, SignedError> {
    #[derive(Serialize, Deserialize)]
    struct Wire {
        p: serde_bytes::ByteBuf,
        s: murre_crypto::Signature,
    }
    let wire: Wire = murre_core::codec::decode(&receipt.bytes(), 512)?;
    Ok(murre_core::codec::decode(&wire.p, ReceiptBody::LIMIT)?)
}
