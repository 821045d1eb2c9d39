//! Mailbox keys, addresses, and what of them a custodian sees.
//!
//! ```text
//!  readers    m (scalar), a (32 B), for accounts and doors an owner key d
//!  writers    M = m*B, a, D = d*B                                MailboxAddress
//!  custodian  M_e = H(a,e)*M, D_e = H'(a,e)*D, for one epoch e   Place
//!             locator = H(kind, M_e, D_e)
//! ```
//!
//! Epoch `e` of a mailbox is `floor((time + H(a) mod L) / L)` with `L` the network's epoch length: each mailbox
//! changes its locator at its own moment, so that two locators cannot be joined by the instant of their change.
//!
//! This module signs nothing that a person said; it does not know accounts.

use crate::limits::MAX_ADDRESS_ROW;
use murre_core::codec::{self, CodecError};
use murre_core::id::{Bytes, Locator};
use murre_core::{ErrorKind, HasKind, Label, NetworkParams, Rng, Wall};
use murre_crypto::{BlindKey, BlindPublic, EpochKey, EpochPublic, Secret, Signature};
use serde::{Deserialize, Serialize};

/// Tweak that blinds `m` and `M` for an epoch.
pub const BLIND_READER: Label = Label::new("murre v1 mailbox blind reader");
/// Tweak that blinds `d` and `D` for an epoch.
pub const BLIND_OWNER: Label = Label::new("murre v1 mailbox blind owner");
/// Offset of a mailbox's epochs.
pub const EPOCH_OFFSET: Label = Label::new("murre v1 mailbox epoch offset");
/// Locator of a place.
pub const LOCATOR: Label = Label::new("murre v1 mailbox locator");
/// Certificate: this tag may write here in this epoch.
pub const CERT: Label = Label::new("murre v1 mailbox certificate");
const DERIVE_READER: Label = Label::new("murre v1 mailbox reader key from secret");
const DERIVE_ADDRESS: Label = Label::new("murre v1 mailbox address secret from secret");

const ROW_VERSION: u8 = 1;

/// What a mailbox is for; it decides who certifies writers and which quotas hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MailboxKind {
    /// Mail to a person. Own devices read, certify and tombstone.
    #[serde(rename = "a")]
    Account,
    /// Mail of a conversation. Every member reads and certifies, nobody tombstones.
    #[serde(rename = "g")]
    Group,
    /// A mailbox of two who have only just met. Both read and certify, nobody tombstones.
    #[serde(rename = "r")]
    Drop,
    /// The mailbox behind an invitation link. Link holders read, the link's owner certifies and tombstones.
    #[serde(rename = "d")]
    Door,
}

impl MailboxKind {
    /// Whether mailboxes of this kind have an owner key.
    #[must_use]
    pub const fn has_owner(self) -> bool {
        matches!(self, Self::Account | Self::Door)
    }

    /// The byte that stands for this kind in hashes.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Account => 1,
            Self::Group => 2,
            Self::Drop => 3,
            Self::Door => 4,
        }
    }
}

/// Why an address or a place cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A key is not a point of the prime-order group.
    #[error("mailbox key is not a valid point")]
    Point,
    /// An owner key where this kind has none, or none where it has one.
    #[error("owner key does not fit the kind of mailbox")]
    Owner,
}

impl HasKind for AddressError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// What a writer knows of a mailbox. Given only inside sealed messages and links: `a` joins all its epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxAddress {
    /// Kind.
    pub k: MailboxKind,
    /// Reader key `M`.
    pub m: BlindPublic,
    /// Address secret.
    pub a: Bytes<32>,
    /// Owner key `D` of an account mailbox or a door.
    pub d: Option<BlindPublic>,
}

impl MailboxAddress {
    /// By how much this mailbox's epochs begin before the network's, ms.
    #[must_use]
    pub fn offset(&self, p: &NetworkParams) -> u64 {
        let [b0, b1, b2, b3, b4, b5, b6, b7, ..] = EPOCH_OFFSET.hash(&[&self.a.0]);
        u64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7]).checked_rem(p.epoch_ms).unwrap_or(0)
    }

    /// The epoch at a moment of network time.
    // spec: B-1
    #[must_use]
    pub fn epoch_at(&self, t: Wall, p: &NetworkParams) -> u64 {
        t.0.saturating_add(self.offset(p)).checked_div(p.epoch_ms).unwrap_or(0)
    }

    /// First moment of an epoch and first moment after it.
    #[must_use]
    pub fn epoch_span(&self, epoch: u64, p: &NetworkParams) -> (Wall, Wall) {
        let from = epoch.saturating_mul(p.epoch_ms);
        let offset = self.offset(p);
        (Wall(from.saturating_sub(offset)), Wall(from.saturating_add(p.epoch_ms).saturating_sub(offset)))
    }

    /// Whether writers may still put into this epoch at `t`: from its start until the grace after its end.
    // spec: B-9
    #[must_use]
    pub fn takes_puts(&self, epoch: u64, t: Wall, p: &NetworkParams) -> bool {
        let (from, to) = self.epoch_span(epoch, p);
        t >= from && t < to.plus(p.grace_ms)
    }

    /// The epochs a reader polls at `t`: the current one, and the previous one within its grace.
    #[must_use]
    pub fn open_epochs(&self, t: Wall, p: &NetworkParams) -> Vec<u64> {
        let now = self.epoch_at(t, p);
        let before = now.checked_sub(1).filter(|e| self.takes_puts(*e, t, p));
        before.into_iter().chain([now]).collect()
    }

    /// What a custodian sees of this mailbox in an epoch.
    ///
    /// # Errors
    /// [`AddressError`] if a key is no valid point or the owner key does not fit the kind: the address came
    /// from someone else.
    pub fn at(&self, epoch: u64) -> Result<Place, AddressError> {
        let m = self.m.blind(&reader_tweak(&self.a.0, epoch)).map_err(|_| AddressError::Point)?;
        let d = match &self.d {
            Some(d) => Some(d.blind(&owner_tweak(&self.a.0, epoch)).map_err(|_| AddressError::Point)?),
            None => None,
        };
        let place = Place { k: self.k, m, d };
        place.check()?;
        Ok(place)
    }
}

fn reader_tweak(a: &[u8; 32], epoch: u64) -> [u8; 32] {
    BLIND_READER.hash(&[a, &epoch.to_be_bytes()])
}

fn owner_tweak(a: &[u8; 32], epoch: u64) -> [u8; 32] {
    BLIND_OWNER.hash(&[a, &epoch.to_be_bytes()])
}

/// A mailbox in one epoch, as a custodian sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Kind.
    pub k: MailboxKind,
    /// Blinded reader key `M_e`.
    pub m: EpochPublic,
    /// Blinded owner key `D_e`.
    pub d: Option<EpochPublic>,
}

impl Place {
    /// Whether an owner key is there exactly if this kind has one.
    ///
    /// # Errors
    /// [`AddressError::Owner`].
    // spec: B-2
    pub fn check(&self) -> Result<(), AddressError> {
        if self.d.is_some() == self.k.has_owner() { Ok(()) } else { Err(AddressError::Owner) }
    }

    /// Where it lies.
    #[must_use]
    pub fn locator(&self) -> Locator {
        let owner: &[u8] = match &self.d {
            Some(d) => d.as_bytes(),
            None => &[],
        };
        Locator::from_bytes(LOCATOR.hash(&[&[self.k.byte()], self.m.as_bytes(), owner]))
    }

    /// The key that certifies writers here: the owner's at a door, the readers' elsewhere.
    // spec: B-3
    #[must_use]
    pub fn certifier(&self) -> Option<&EpochPublic> {
        match self.k {
            MailboxKind::Door => self.d.as_ref(),
            MailboxKind::Account | MailboxKind::Group | MailboxKind::Drop => Some(&self.m),
        }
    }
}

/// The message that a certificate signs.
pub(crate) fn cert_message(locator: &Locator, tag: &EpochPublic, epoch: u64) -> [u8; 72] {
    let mut out = [0; 72];
    let (l, rest) = out.split_at_mut(32);
    let (t, e) = rest.split_at_mut(32);
    l.copy_from_slice(locator.as_bytes());
    t.copy_from_slice(tag.as_bytes());
    e.copy_from_slice(&epoch.to_be_bytes());
    out
}

enum Owner {
    None,
    Public(BlindPublic),
    Key(BlindKey),
}

/// The secrets of a mailbox's readers.
pub struct ReaderKeys {
    kind: MailboxKind,
    m: BlindKey,
    a: Secret<32>,
    owner: Owner,
}

impl std::fmt::Debug for ReaderKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReaderKeys").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    k: MailboxKind,
    m: Bytes<32>,
    a: Bytes<32>,
    d: Option<Bytes<32>>,
    o: Option<BlindPublic>,
}

impl ReaderKeys {
    /// A new mailbox. Accounts and doors get an owner key.
    #[must_use]
    pub fn generate(kind: MailboxKind, rng: &mut Rng) -> Self {
        let owner = if kind.has_owner() { Owner::Key(BlindKey::generate(rng)) } else { Owner::None };
        Self { kind, m: BlindKey::generate(rng), a: Secret::generate(rng), owner }
    }

    /// The mailbox that everyone derives who shares `secret`.
    ///
    /// A door or an account mailbox made this way lacks its owner key, which no shared secret can hold: add it
    /// with [`ReaderKeys::with_owner`] or [`ReaderKeys::with_owner_public`] before use.
    #[must_use]
    pub fn from_secret(kind: MailboxKind, secret: &Secret<32>) -> Self {
        let m = Secret::new(DERIVE_READER.hash(&[secret.expose(), &[kind.byte()]]));
        let a = Secret::new(DERIVE_ADDRESS.hash(&[secret.expose(), &[kind.byte()]]));
        Self { kind, m: BlindKey::from_secret(&m), a, owner: Owner::None }
    }

    /// The same mailbox, held by its owner.
    #[must_use]
    pub fn with_owner(self, owner: BlindKey) -> Self {
        Self { owner: Owner::Key(owner), ..self }
    }

    /// The same mailbox, as read by someone who knows its owner's public key from a link.
    #[must_use]
    pub fn with_owner_public(self, owner: BlindPublic) -> Self {
        Self { owner: Owner::Public(owner), ..self }
    }

    /// Kind.
    #[must_use]
    pub const fn kind(&self) -> MailboxKind {
        self.kind
    }

    /// Whether the owner key is here, so that boxes can be tombstoned and, at a door, writers certified.
    #[must_use]
    pub const fn owns(&self) -> bool {
        matches!(self.owner, Owner::Key(_))
    }

    /// What writers are given.
    #[must_use]
    pub fn address(&self) -> MailboxAddress {
        let d = match &self.owner {
            Owner::None => None,
            Owner::Public(d) => Some(*d),
            Owner::Key(d) => Some(d.public()),
        };
        MailboxAddress { k: self.kind, m: self.m.public(), a: Bytes(*self.a.expose()), d }
    }

    /// The keys of one epoch.
    ///
    /// # Errors
    /// [`AddressError`] if the owner key is missing or no valid point.
    pub fn at(&self, epoch: u64) -> Result<EpochReader, AddressError> {
        let m = self.m.blind(&reader_tweak(self.a.expose(), epoch));
        let tweak = owner_tweak(self.a.expose(), epoch);
        let (public, d) = match &self.owner {
            Owner::None => (None, None),
            Owner::Public(d) => (Some(d.blind(&tweak).map_err(|_| AddressError::Point)?), None),
            Owner::Key(d) => {
                let key = d.blind(&tweak);
                (Some(key.public()), Some(key))
            }
        };
        let place = Place { k: self.kind, m: m.public(), d: public };
        place.check()?;
        Ok(EpochReader { place, locator: place.locator(), epoch, m, d })
    }

    /// Bytes for the store. They hold the secrets.
    #[must_use]
    pub fn to_row(&self) -> Vec<u8> {
        let (d, o) = match &self.owner {
            Owner::None => (None, None),
            Owner::Public(d) => (None, Some(*d)),
            Owner::Key(d) => (Some(Bytes(*d.secret().expose())), None),
        };
        let (m, a) = (Bytes(*self.m.secret().expose()), Bytes(*self.a.expose()));
        codec::encode_row(ROW_VERSION, &Row { k: self.kind, m, a, d, o })
    }

    /// Reads [`ReaderKeys::to_row`].
    ///
    /// # Errors
    /// [`CodecError`] if the row is damaged.
    pub fn from_row(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.len() > MAX_ADDRESS_ROW {
            return Err(CodecError::TooLong { len: bytes.len(), limit: MAX_ADDRESS_ROW });
        }
        let row: Row = codec::decode_row(ROW_VERSION, bytes)?;
        let scalar = |b: Bytes<32>| {
            BlindKey::from_scalar_bytes(&Secret::new(b.0))
                .ok_or_else(|| CodecError::Malformed { what: "mailbox key".to_owned() })
        };
        let owner = match (row.d, row.o) {
            (Some(d), _) => Owner::Key(scalar(d)?),
            (None, Some(o)) => Owner::Public(o),
            (None, None) => Owner::None,
        };
        Ok(Self { kind: row.k, m: scalar(row.m)?, a: Secret::new(row.a.0), owner })
    }
}

/// A mailbox's keys for one epoch.
pub struct EpochReader {
    /// What a custodian sees.
    pub place: Place,
    /// Where it lies.
    pub locator: Locator,
    /// Which epoch.
    pub epoch: u64,
    m: EpochKey,
    d: Option<EpochKey>,
}

impl std::fmt::Debug for EpochReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EpochReader")
            .field("locator", &self.locator)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl EpochReader {
    /// Signs as a reader.
    #[must_use]
    pub fn sign_reader(&self, label: Label, message: &[u8]) -> Signature {
        self.m.sign(label, message)
    }

    /// Signs as the owner, if the owner key is here.
    #[must_use]
    pub fn sign_owner(&self, label: Label, message: &[u8]) -> Option<Signature> {
        self.d.as_ref().map(|d| d.sign(label, message))
    }

    /// Whether the owner key is here.
    #[must_use]
    pub const fn owns(&self) -> bool {
        self.d.is_some()
    }

    /// Certifies a tag of this epoch, if the key that certifies here is here.
    // spec: B-3
    #[must_use]
    pub fn certify(&self, tag: &EpochPublic) -> Option<Signature> {
        let message = cert_message(&self.locator, tag, self.epoch);
        match self.place.k {
            MailboxKind::Door => self.sign_owner(CERT, &message),
            MailboxKind::Account | MailboxKind::Group | MailboxKind::Drop => {
                Some(self.sign_reader(CERT, &message))
            }
        }
    }
}
