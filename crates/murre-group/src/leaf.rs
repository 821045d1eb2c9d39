//! Leaves and key packages: who a member is.
//!
//! A leaf's credential is an MLS basic credential whose identity is an encoded device certificate
//! (`spec/02-crypto.md`), and its signature key is the certified device key. Whoever reads a leaf verifies both
//! here; MLS itself only knows that the leaf is signed by its own key.
//!
//! ```text
//!  LeafNode { signature_key = device id (32)            <-- must be equal --+
//!             credential    = Basic { DeviceCert }  --verify--> { a, d } ---+
//!             source        = KeyPackage(lifetime 0, 2^64-1) | Update | Commit
//!             capabilities  include 0x004E }
//! ```
//!
//! Whether that account is wanted in the group is not decided here.

use crate::crypto::SeededCrypto;
use crate::error::{KeyPackageError, LeafError};
use crate::suite::{self, MAX_CREDENTIAL, MAX_KEY_PACKAGE, SUITE};
use murre_core::codec;
use murre_core::id::{AccountId, Bytes, DeviceId};
use murre_crypto::{DeviceCert, DeviceKey};
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, Credential, CredentialWithKey, KeyPackage, KeyPackageIn, LeafNode, ProtocolVersion,
};
use openmls::treesync::LeafNodeSource;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use serde::{Deserialize, Serialize};

/// This device, as it appears in groups.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The device key: signs leaves and messages.
    pub device: &'a DeviceKey,
    /// The account's certificate for this device: the leaf credential.
    pub cert: &'a DeviceCert,
}

/// Name of an own key package: the key of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyPackageRef(pub(crate) Bytes<32>);

impl KeyPackageRef {
    /// The 32 bytes, to be stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// Takes 32 stored bytes as a reference.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Bytes(bytes))
    }
}

impl Identity<'_> {
    /// Checks that the certificate is this device's.
    // spec: G-4
    pub(crate) fn check(&self) -> Result<(AccountId, DeviceId), LeafError> {
        let cert = self.cert.clone().verify().map_err(|_| LeafError::BadCert)?;
        if cert.d != self.device.id() {
            return Err(LeafError::KeyMismatch);
        }
        Ok((cert.a, cert.d))
    }

    /// What MLS puts into a leaf.
    pub(crate) fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(codec::encode(self.cert)).into(),
            signature_key: self.device.id().as_bytes().to_vec().into(),
        }
    }

    /// What MLS signs with.
    pub(crate) const fn signer(&self) -> LeafSigner<'_> {
        LeafSigner(self.device)
    }
}

/// Signs MLS's own, labelled bytes with the device key.
pub(crate) struct LeafSigner<'a>(&'a DeviceKey);

impl Signer for LeafSigner<'_> {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.dangerously_sign_raw(payload).to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Who a credential and its signature key belong to.
// spec: G-4
pub(crate) fn owner(
    credential: &Credential,
    signature_key: &[u8],
) -> Result<(AccountId, DeviceId), LeafError> {
    let basic = BasicCredential::try_from(credential.clone()).map_err(|_| LeafError::Malformed)?;
    let cert: DeviceCert =
        codec::decode(basic.identity(), MAX_CREDENTIAL).map_err(|_| LeafError::Malformed)?;
    let cert = cert.verify().map_err(|_| LeafError::BadCert)?;
    if cert.d.as_bytes() != signature_key {
        return Err(LeafError::KeyMismatch);
    }
    Ok((cert.a, cert.d))
}

/// Checks one leaf of a tree or key package: certificate, key, lifetime, suite.
// spec: G-4, G-5
pub(crate) fn check_leaf(leaf: &LeafNode) -> Result<(AccountId, DeviceId), LeafError> {
    if let LeafNodeSource::KeyPackage(lifetime) = leaf.leaf_node_source()
        && *lifetime != suite::lifetime()
    {
        return Err(LeafError::Lifetime);
    }
    if !leaf.capabilities().ciphersuites().contains(&SUITE.into()) {
        return Err(LeafError::Capabilities);
    }
    owner(leaf.credential(), leaf.signature_key().as_slice())
}

/// Validates a key package of anybody.
// spec: G-2
pub(crate) fn key_package(bytes: &[u8]) -> Result<(KeyPackage, AccountId, DeviceId), KeyPackageError> {
    if bytes.len() > MAX_KEY_PACKAGE {
        return Err(KeyPackageError::TooLong { len: bytes.len() });
    }
    let package = KeyPackageIn::tls_deserialize_exact(bytes).map_err(|_| KeyPackageError::Malformed)?;
    // One value, one byte string: what is hashed into a reference must be what was checked.
    if package.tls_serialize_detached().map_err(|_| KeyPackageError::Malformed)? != bytes {
        return Err(KeyPackageError::Malformed);
    }
    let package = package
        .validate(&SeededCrypto::unseeded(), ProtocolVersion::Mls10)
        .map_err(|_| KeyPackageError::Invalid)?;
    if package.ciphersuite() != SUITE {
        return Err(KeyPackageError::Suite);
    }
    let (account, device) = check_leaf(package.leaf_node())?;
    Ok((package, account, device))
}

/// Validates a key package: size, form, suite, signatures, lifetime, certificate.
///
/// # Errors
/// [`KeyPackageError`] naming the first check that failed.
pub fn check_key_package(bytes: &[u8]) -> Result<(AccountId, DeviceId), KeyPackageError> {
    key_package(bytes).map(|(_, account, device)| (account, device))
}
