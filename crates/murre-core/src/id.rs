//! One newtype for each 32-byte name.
//!
//! No id dereferences to bytes, none converts into another, and `Debug` prints eight hexadecimal digits: a log
//! line can tell two ids apart but never contains one whole. `Display` prints all of it and is for people.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// Error of parsing an id from its text form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct ParseIdError;

pub(crate) struct BytesVisitor<const N: usize>;

impl<'de, const N: usize> de::Visitor<'de> for BytesVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a byte string of length {N}")
    }

    fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<Self::Value, E> {
        v.try_into().map_err(|_| E::invalid_length(v.len(), &self))
    }
}

macro_rules! id32 {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes 32 bytes as this kind of id. The caller states what they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Takes a slice of exactly 32 bytes.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let [a, b, c, d, ..] = self.0;
                write!(f, "{}({a:02x}{b:02x}{c:02x}{d:02x})", stringify!($name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(s: &str) -> Result<Self, ParseIdError> {
                let bytes = data_encoding::HEXLOWER.decode(s.as_bytes()).map_err(|_| ParseIdError)?;
                Self::from_slice(&bytes).ok_or(ParseIdError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_bytes(BytesVisitor::<32>).map(Self)
            }
        }
    )*};
}

id32! {
    /// A person: the Ed25519 public key that the recovery phrase yields.
    AccountId;
    /// One device of a person: its Ed25519 public key.
    DeviceId;
    /// A node or a throw-away device endpoint on the network: the Ed25519 key of its transport handshake.
    /// Never an authority, only a name for "the same other end".
    PeerKey;
    /// A writer in one log: the Ed25519 key that signs its headers, unlinkable between logs.
    AuthorId;
    /// A log, and with it a conversation: hash of its create operation.
    LogId;
    /// One state of a conversation's group keys: hash of the commit that made it, or of the create operation.
    StateId;
    /// A log entry: BLAKE3 digest of its block, the digest inside its CID.
    EntryId;
    /// A message: hash over log, content commitment and position, stable when an entry is wrapped again.
    MessageId;
    /// Where a mailbox lies in one epoch.
    Locator;
    /// One sealed box.
    BoxId;
    /// A network: hash of its signed description.
    NetworkId;
    /// An invitation link, by the hash of its secret.
    LinkSecretId;
}

/// Fixed-size byte strings that are not ids (signatures, nonces, ciphertext heads), encoded as byte strings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes<{N}>")
    }
}

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_bytes(BytesVisitor::<N>).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_prints_a_whole_id() {
        let id = AccountId::from_bytes([0xab; 32]);
        assert_eq!(format!("{id:?}"), "AccountId(abababab)");
        assert_eq!(id.to_string().parse::<AccountId>(), Ok(id));
        assert_eq!("ab".parse::<AccountId>(), Err(ParseIdError));
    }
}
