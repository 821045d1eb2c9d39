//! The wire seal: only members of the conversation see even a header.
//!
//! ```text
//!  week: u32 BE (clear, bound as AAD) | nonce: 24 (clear) | AEAD ciphertext of the packet | tag: 16
//!
//!  key   = H("log wire key", wire secret, week u32 BE)
//!  nonce = first 24 bytes of H("log wire nonce", key, packet id, plaintext)
//! ```
//!
//! `week` is the UTC week of writing ([`murre_core::Wall::week`]); it selects the key and is no claim. The nonce
//! depends on the packet, so one packet sealed twice in a week gives the same bytes, and two packets never share
//! a nonce. The key goes into the nonce as well: somebody who got hold of a packet, but not of the secret,
//! cannot recognise it under its seal.
//!
//! Inside is one [`Packet`]: a DAG-CBOR map with one key, `{e: entry}`, `{s: signal}` or `{c: chunk}`.

use crate::chunk::{self, Chunk};
use crate::entry::{Entry, EntryError, MAX_ENTRY, Parts};
use crate::signal::{Signal, SignalError};
use murre_core::codec::{self, CodecError};
use murre_core::{ErrorKind, HasKind, Label, Rng};
use murre_crypto::{Secret, seal};
use serde::{Deserialize, Serialize};

/// Longest encoded packet, in bytes.
pub const MAX_PACKET: usize = MAX_ENTRY + 4;
/// What the seal adds, in bytes.
pub const SEAL_OVERHEAD: usize = WEEK + NONCE + 16;
/// Longest sealed packet, in bytes.
pub const MAX_SEALED: usize = MAX_PACKET + SEAL_OVERHEAD;

const WEEK: usize = 4;
const NONCE: usize = 24;
const KEY_LABEL: Label = Label::new("murre v1 log wire key");
const NONCE_LABEL: Label = Label::new("murre v1 log wire nonce");

/// The secret under which a conversation's packets travel. Known to members, a value of the roster.
pub struct WireSecret(Secret<32>);

impl std::fmt::Debug for WireSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WireSecret(..)")
    }
}

impl WireSecret {
    /// A fresh secret.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self(Secret::generate(rng))
    }

    /// A secret that came in a Welcome or from a row.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The bytes, for a row or a Welcome. The caller keeps them secret.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.expose()
    }

    fn week_key(&self, week: [u8; WEEK]) -> Secret<32> {
        Secret::derive(KEY_LABEL, &[self.0.expose(), &week])
    }
}

/// Why sealed bytes cannot be opened, or what is inside is no packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too short or over the limit.
    #[error("{len} sealed bytes")]
    Length {
        /// The length.
        len: usize,
    },
    /// Not sealed under this secret and week, or changed on the way.
    #[error("the wire seal does not open")]
    Seal,
    /// Not a canonical packet.
    #[error("packet: {0}")]
    Packet(CodecError),
    /// Not an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Not a signal.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// A chunk of a file that is longer, or farther from its root, than any.
    #[error("a chunk of no possible size")]
    Chunk,
}

impl OpenError {
    /// The failure class named by `spec/vectors/log.json`.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Length { .. } => "too-long",
            Self::Seal => "seal",
            Self::Packet(_) => "packet",
            Self::Entry(e) => e.class(),
            Self::Signal(e) => e.class(),
            Self::Chunk => "chunk",
        }
    }
}

impl HasKind for OpenError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// Seals a packet for the wire. `packet_id` is the entry's or the signal's id.
#[must_use]
pub fn wire_seal(secret: &WireSecret, week: u32, packet_id: &[u8; 32], plaintext: &[u8]) -> Vec<u8> {
    // spec: L-50
    let week = week.to_be_bytes();
    let key = secret.week_key(week);
    let mut nonce = [0; NONCE];
    let [head @ .., _, _, _, _, _, _, _, _] = NONCE_LABEL.hash(&[key.expose(), packet_id, plaintext]);
    nonce.copy_from_slice(&head);
    let sealed = seal::seal(&key, &nonce, &week, plaintext);
    [&week[..], &nonce, &sealed].concat()
}

/// Opens what [`wire_seal`] made.
///
/// # Errors
/// [`OpenError::Length`], [`OpenError::Seal`].
pub fn wire_open(secret: &WireSecret, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let length = OpenError::Length { len: sealed.len() };
    if sealed.len() > MAX_SEALED {
        return Err(length);
    }
    let Some((week, rest)) = sealed.split_first_chunk::<WEEK>() else { return Err(length) };
    let Some((nonce, ciphertext)) = rest.split_first_chunk::<NONCE>() else { return Err(length) };
    // spec: L-51
    seal::open(&secret.week_key(*week), nonce, week, ciphertext).map_err(|_| OpenError::Seal)
}

/// The week that sealed bytes name, without opening them.
#[must_use]
pub fn wire_week(sealed: &[u8]) -> Option<u32> {
    sealed.first_chunk::<WEEK>().map(|w| u32::from_be_bytes(*w))
}

/// What lies inside the wire seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// An entry of the log.
    Entry(Entry),
    /// A signal beside it.
    Signal(Signal),
    /// A piece of a file that an entry names.
    Chunk(Chunk),
}

#[derive(Serialize)]
enum PacketOut<'a> {
    #[serde(rename = "e")]
    Entry(&'a Parts),
    #[serde(rename = "s")]
    Signal(&'a Parts),
    #[serde(rename = "c")]
    Chunk(&'a chunk::Parts),
}

#[derive(Serialize, Deserialize)]
enum PacketIn {
    #[serde(rename = "e")]
    Entry(Parts),
    #[serde(rename = "s")]
    Signal(Parts),
    #[serde(rename = "c")]
    Chunk(chunk::Parts),
}

impl Packet {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&match self {
            Self::Entry(entry) => PacketOut::Entry(entry.parts()),
            Self::Signal(signal) => PacketOut::Signal(signal.parts()),
            Self::Chunk(chunk) => PacketOut::Chunk(chunk.parts()),
        })
    }

    /// Reads one packet; what is inside is still unverified.
    ///
    /// # Errors
    /// [`OpenError::Packet`], [`OpenError::Entry`], [`OpenError::Signal`], [`OpenError::Chunk`].
    pub fn decode(bytes: &[u8]) -> Result<Self, OpenError> {
        // spec: L-52
        Ok(match codec::decode::<PacketIn>(bytes, MAX_PACKET).map_err(OpenError::Packet)? {
            PacketIn::Entry(parts) => Self::Entry(Entry::from_parts(parts)?),
            PacketIn::Signal(parts) => Self::Signal(Signal::from_parts(parts)?),
            PacketIn::Chunk(parts) => Self::Chunk(Chunk::from_parts(parts)?),
        })
    }

    /// The packet id that seeds the nonce.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        match self {
            Self::Entry(entry) => *entry.id().as_bytes(),
            Self::Signal(signal) => signal.id(),
            Self::Chunk(chunk) => chunk.packet_id(),
        }
    }

    /// Encodes and seals.
    #[must_use]
    pub fn seal(&self, secret: &WireSecret, week: u32) -> Vec<u8> {
        wire_seal(secret, week, &self.id(), &self.encode())
    }

    /// Opens and decodes.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(secret: &WireSecret, sealed: &[u8]) -> Result<Self, OpenError> {
        Self::decode(&wire_open(secret, sealed)?)
    }
}
