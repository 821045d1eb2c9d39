//! Write rights: tags, certificates, grants, and the writer who uses them.
//!
//! ```text
//!  writer's device   t, T = t*B          one tag per device, the public half given to the reader
//!  both              pair secret         made by the reader, known to these two
//!  each epoch        tag_e = H(pair, e)*T, certified by the reader for (locator_e, tag_e, e)
//! ```
//!
//! A custodian sees a fresh tag in each epoch; the reader, who knows the pair secret, sees whose it is. A *spare*
//! is a grant whose tag secret the reader made: a device that has lost its own tag writes with it.
//!
//! Sealing is deterministic, because the outbox must be able to send identical bytes after a crash. So a pair
//! (epoch, index) MUST be used for one plaintext only: the key that encrypts it is used with a constant nonce.

use crate::boxes::{BOX_VERSION, Head, SealedBox, VerifiedBox};
use crate::keys::{AddressError, MailboxAddress, ReaderKeys};
use crate::limits::{self, MAX_CERTS, PAYLOAD_OVERHEAD, class_for, payload_len};
use murre_core::id::Bytes;
use murre_core::{ErrorKind, HasKind, Label, Rng};
use murre_crypto::seal::{self, OpenError};
use murre_crypto::{BlindKey, BlindPublic, EpochPublic, Secret, Signature};
use serde::{Deserialize, Serialize};

const BLIND_TAG: Label = Label::new("murre v1 mailbox blind tag");
const PAYLOAD_KEY: Label = Label::new("murre v1 mailbox payload key");
const NONCE: [u8; 24] = [0; 24];

/// Why writers could not be certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The certifying key is not here: a door certifies with its owner's key.
    #[error("the key that certifies writers of this mailbox is not here")]
    NotOwner,
    /// More certificates than a run holds.
    #[error("{count} certificates where at most {MAX_CERTS} fit")]
    TooMany {
        /// How many were asked for.
        count: u32,
    },
    /// The mailbox or the tag is not usable.
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl HasKind for GrantError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotOwner | Self::TooMany { .. } => ErrorKind::Caller,
            Self::Address(_) => ErrorKind::Remote,
        }
    }
}

/// Why a plaintext was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No class holds it.
    #[error("{len} bytes where at most {max} fit", max = limits::MAX_PLAINTEXT)]
    TooLarge {
        /// Its length.
        len: usize,
    },
    /// No certificate for this epoch: the reader must renew the grant.
    #[error("no certificate for epoch {epoch}")]
    NoCertificate {
        /// Which epoch.
        epoch: u64,
    },
    /// The grant names no tag secret and none was given, or a wrong one.
    #[error("the secret of the tag is not here")]
    NoTag,
    /// The address in the grant is not usable.
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl HasKind for SealError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } | Self::NoTag | Self::NoCertificate { .. } => ErrorKind::Caller,
            Self::Address(_) => ErrorKind::Remote,
        }
    }
}

/// What joins a tag's epochs, known to its writer and the mailbox's readers.
#[derive(Debug)]
pub struct PairSecret(Secret<32>);

impl PairSecret {
    /// A new one.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self(Secret::generate(rng))
    }

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Its bytes, for the store or a sealed message.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    fn tweak(&self, epoch: u64) -> [u8; 32] {
        BLIND_TAG.hash(&[self.expose(), &epoch.to_be_bytes()])
    }

    // spec: B-10
    fn payload_key(&self, epoch: u64, index: u64) -> Secret<32> {
        Secret::derive(PAYLOAD_KEY, &[self.expose(), &epoch.to_be_bytes(), &index.to_be_bytes()])
    }
}

/// A writer's long-lived tag key.
#[derive(Debug)]
pub struct TagKey(BlindKey);

impl TagKey {
    /// A new one.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self(BlindKey::generate(rng))
    }

    /// The key that everyone derives who shares `secret`.
    #[must_use]
    pub fn from_secret(secret: &Secret<32>) -> Self {
        Self(BlindKey::from_secret(secret))
    }

    /// From what [`TagKey::secret`] gave. `None` if these bytes are no key.
    #[must_use]
    pub fn from_secret_bytes(bytes: &Secret<32>) -> Option<Self> {
        BlindKey::from_scalar_bytes(bytes).map(Self)
    }

    /// Its bytes, for the store.
    #[must_use]
    pub fn secret(&self) -> Secret<32> {
        self.0.secret()
    }

    /// What the reader is given.
    #[must_use]
    pub const fn public(&self) -> TagPublic {
        TagPublic(self.0.public())
    }
}

/// The public half of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagPublic(pub BlindPublic);

/// The face of a tag in an epoch: by it a reader finds out to which pair a box belongs.
///
/// # Errors
/// [`AddressError::Point`] if the tag is no valid point.
pub fn tag_at(pair: &PairSecret, tag: &TagPublic, epoch: u64) -> Result<EpochPublic, AddressError> {
    tag.0.blind(&pair.tweak(epoch)).map_err(|_| AddressError::Point)
}

/// Certificates of consecutive epochs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertRun {
    /// First epoch.
    pub f: u64,
    /// One certificate per epoch, at most [`MAX_CERTS`].
    #[serde(deserialize_with = "limits::list::<MAX_CERTS, _, _>")]
    pub c: Vec<Signature>,
}

impl CertRun {
    /// The certificate of an epoch.
    #[must_use]
    pub fn get(&self, epoch: u64) -> Option<&Signature> {
        self.c.get(usize::try_from(epoch.checked_sub(self.f)?).ok()?)
    }

    /// First epoch that is no longer covered.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.f.saturating_add(self.c.len() as u64)
    }
}

/// The right to write to a mailbox. Travels only inside sealed messages.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteGrant {
    /// To which mailbox.
    pub to: MailboxAddress,
    /// Pair secret.
    pub p: Bytes<32>,
    /// Tag secret of a spare, as [`TagKey::secret`] gave it.
    pub t: Option<Bytes<32>>,
    /// Certificates of the tag.
    pub certs: CertRun,
}

impl std::fmt::Debug for WriteGrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteGrant").field("spare", &self.t.is_some()).finish_non_exhaustive()
    }
}

impl ReaderKeys {
    /// Certifies a writer's tag for `count` epochs from `from` on, under a new pair secret.
    ///
    /// # Errors
    /// [`GrantError`].
    pub fn grant(
        &self,
        rng: &mut Rng,
        tag: &TagPublic,
        from: u64,
        count: u32,
    ) -> Result<WriteGrant, GrantError> {
        let pair = PairSecret::generate(rng);
        let certs = self.renew(&pair, tag, from, count)?;
        Ok(WriteGrant { to: self.address(), p: Bytes(*pair.expose()), t: None, certs })
    }

    /// Makes and certifies a tag for a device that does not exist yet.
    ///
    /// # Errors
    /// [`GrantError`].
    pub fn spare(&self, rng: &mut Rng, from: u64, count: u32) -> Result<WriteGrant, GrantError> {
        let tag = TagKey::generate(rng);
        let grant = self.grant(rng, &tag.public(), from, count)?;
        Ok(WriteGrant { t: Some(Bytes(*tag.secret().expose())), ..grant })
    }

    /// Certificates of a known pair for further epochs.
    ///
    /// # Errors
    /// [`GrantError`].
    // spec: B-3
    pub fn renew(
        &self,
        pair: &PairSecret,
        tag: &TagPublic,
        from: u64,
        count: u32,
    ) -> Result<CertRun, GrantError> {
        if count as usize > MAX_CERTS {
            return Err(GrantError::TooMany { count });
        }
        let mut certs = Vec::with_capacity(count as usize);
        for epoch in from..from.saturating_add(u64::from(count)) {
            let tag_e = tag_at(pair, tag, epoch)?;
            certs.push(self.at(epoch)?.certify(&tag_e).ok_or(GrantError::NotOwner)?);
        }
        Ok(CertRun { f: from, c: certs })
    }

    /// Opens the payload of a box that lies in this mailbox under this pair's tag.
    ///
    /// # Errors
    /// [`OpenError`] if it was sealed with another secret or its padding is wrong.
    // spec: B-10, B-11
    pub fn open_box(&self, pair: &PairSecret, epoch: u64, b: &VerifiedBox) -> Result<Vec<u8>, OpenError> {
        if b.epoch() != epoch {
            return Err(OpenError);
        }
        let padded = seal::open(&pair.payload_key(epoch, b.index()), &NONCE, b.head(), b.payload())?;
        let (len, rest) = padded.split_first_chunk::<4>().ok_or(OpenError)?;
        let len = u32::from_be_bytes(*len) as usize;
        let (plain, zeros) = rest.split_at_checked(len).ok_or(OpenError)?;
        if zeros.iter().any(|b| *b != 0) {
            return Err(OpenError);
        }
        Ok(plain.to_vec())
    }
}

/// Writes boxes under one grant.
#[derive(Debug)]
pub struct Writer {
    to: MailboxAddress,
    pair: PairSecret,
    tag: TagKey,
    certs: CertRun,
}

impl Writer {
    /// Takes a grant and the device's own tag key; a spare brings its own.
    ///
    /// # Errors
    /// [`SealError::NoTag`] if there is no tag secret.
    pub fn new(grant: &WriteGrant, tag: Option<&TagKey>) -> Result<Self, SealError> {
        let secret = match (&grant.t, tag) {
            (Some(t), _) => Secret::new(t.0),
            (None, Some(tag)) => tag.secret(),
            (None, None) => return Err(SealError::NoTag),
        };
        let tag = TagKey::from_secret_bytes(&secret).ok_or(SealError::NoTag)?;
        Ok(Self { to: grant.to, pair: PairSecret::from_bytes(grant.p.0), tag, certs: grant.certs.clone() })
    }

    /// Whether there is a certificate for this epoch.
    #[must_use]
    pub fn has_epoch(&self, epoch: u64) -> bool {
        self.certs.get(epoch).is_some()
    }

    /// The mailbox this writes to.
    #[must_use]
    pub const fn address(&self) -> &MailboxAddress {
        &self.to
    }

    /// Makes a box in the smallest class that holds the plaintext. Same arguments, same bytes.
    ///
    /// The caller MUST NOT seal two plaintexts under one (epoch, index).
    ///
    /// # Errors
    /// [`SealError`].
    // spec: B-10, B-11
    pub fn seal_box(
        &self,
        epoch: u64,
        index: u64,
        expiry_hour: u32,
        plaintext: &[u8],
    ) -> Result<SealedBox, SealError> {
        let too_large = SealError::TooLarge { len: plaintext.len() };
        let class = class_for(plaintext.len()).ok_or(too_large)?;
        let room = payload_len(class).ok_or(too_large)?;
        let cert = *self.certs.get(epoch).ok_or(SealError::NoCertificate { epoch })?;
        let place = self.to.at(epoch)?;
        let key = self.tag.0.blind(&self.pair.tweak(epoch));
        let t = key.public();
        let head =
            Head { at: place, c: cert, e: epoch, i: index, n: class, t, v: BOX_VERSION, x: expiry_hour };
        let mut padded = Vec::with_capacity(room - PAYLOAD_OVERHEAD + 4);
        padded.extend_from_slice(&(plaintext.len() as u32).to_be_bytes());
        padded.extend_from_slice(plaintext);
        padded.resize(room - PAYLOAD_OVERHEAD + 4, 0);
        let aad = murre_core::codec::encode(&head);
        let payload = seal::seal(&self.pair.payload_key(epoch, index), &NONCE, &aad, &padded);
        Ok(SealedBox::build(head, payload, |label, msg| key.sign(label, msg)))
    }
}
