//! A type for each role a signing key can play.
//!
//! All four are Ed25519 keys. They are four types so that the compiler refuses a device key where an account must
//! sign. Their ids are their public keys. None prints, clones or serialises; [`Secret`] is the way to rows.

use crate::ed25519::SeedKey;
use crate::{Secret, Signature};
use murre_core::id::{AccountId, AuthorId, DeviceId, LogId, PeerKey};
use murre_core::{Label, Rng};

const AUTHOR: Label = Label::new("murre v1 crypto author key");

macro_rules! role_key {
    ($($(#[$doc:meta])* $name:ident -> $id:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name(SeedKey);

        impl $name {
            /// A new key.
            #[must_use]
            pub fn generate(rng: &mut Rng) -> Self {
                Self::from_secret(&Secret::generate(rng))
            }

            /// The key with this Ed25519 seed.
            #[must_use]
            pub fn from_secret(seed: &Secret<32>) -> Self {
                Self(SeedKey::new(seed.expose()))
            }

            /// The seed, for storing the key.
            #[must_use]
            pub fn secret(&self) -> Secret<32> {
                Secret::new(*self.0.seed())
            }

            /// The public key, which is the id.
            #[must_use]
            // spec: C-1
            pub fn id(&self) -> $id {
                $id::from_bytes(*self.0.public())
            }

            /// Signs `label || 0x00 || msg`, deterministically (RFC 8032).
            #[must_use]
            pub fn sign(&self, label: Label, msg: &[u8]) -> Signature {
                Signature::from_bytes(self.0.sign(&label.signed_bytes(msg)))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.id()).finish()
            }
        }
    )*};
}

role_key! {
    /// A person's root key. In memory only while the recovery phrase is entered.
    AccountKey -> AccountId;
    /// One device's own key, born on the device; no backup holds it.
    DeviceKey -> DeviceId;
    /// The key that signs one device's entries in one log, so that two logs show no common author.
    AuthorKey -> AuthorId;
    /// The key of a node, or of a device's throw-away endpoint, in transport handshakes, receipts and
    /// descriptors.
    NodeKey -> PeerKey;
}

impl DeviceKey {
    /// Signs bytes as they are, without a label. For MLS only, whose own labels (RFC 9420, section 5.1.2) keep
    /// its signatures apart from each other; they begin with a length byte below 64, ours with `m`.
    #[must_use]
    // spec: C-22
    pub fn dangerously_sign_raw(&self, msg: &[u8]) -> [u8; 64] {
        self.0.sign(msg)
    }
}

impl AuthorKey {
    /// The author key of the device that holds this log secret, in this log.
    #[must_use]
    // spec: C-4
    pub fn derive(log_secret: &Secret<32>, log: LogId) -> Self {
        Self::from_secret(&Secret::derive(AUTHOR, &[log_secret.expose(), log.as_bytes()]))
    }
}
