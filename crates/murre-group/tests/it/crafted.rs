//! A hostile peer with its own MLS: everything is validly signed, and still breaks a rule of ours.

use crate::world::{Person, log};
use crate::{open, pair, seal};
use murre_core::codec;
use murre_core::id::{DeviceId, LogId, StateId};
use murre_crypto::{AccountKey, DeviceCert, DeviceCertBody, DeviceKey, Signed};
use murre_group::{
    JoinError, KeyPackageError, LeafError, MAX_LEAVES, MAX_WELCOME, OpenError, Refusal, SUITE,
    check_key_package,
};
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, CredentialWithKey, Extension, ExtensionType, Extensions,
    GroupId, KeyPackage, KeyPackageIn, Lifetime, MlsGroup, ProtocolVersion, RequiredCapabilitiesExtension,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::OpenMlsProvider as _;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;

struct Key<'a>(&'a DeviceKey);

impl Signer for Key<'_> {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.dangerously_sign_raw(payload).to_vec())
    }
    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// A peer that may say anything.
struct Mallory {
    mls: OpenMlsRustCrypto,
    person: Person,
    credential: Vec<u8>,
    lifetime: Lifetime,
    capabilities: Capabilities,
    suite: Ciphersuite,
}

fn credential(cert: &DeviceCert) -> Vec<u8> {
    codec::encode(cert)
}

impl Mallory {
    /// Begins with everything as it should be.
    fn new(seed: u8) -> Self {
        let person = Person::new(seed);
        Self {
            mls: OpenMlsRustCrypto::default(),
            credential: credential(&person.cert),
            person,
            lifetime: Lifetime::init(0, u64::MAX),
            capabilities: Capabilities::builder()
                .ciphersuites(vec![SUITE])
                .extensions(vec![ExtensionType::LastResort])
                .build(),
            suite: SUITE,
        }
    }

    fn leaf(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.credential.clone()).into(),
            signature_key: self.person.device.id().as_bytes().to_vec().into(),
        }
    }

    fn key_package(&self) -> Vec<u8> {
        KeyPackage::builder()
            .key_package_lifetime(self.lifetime)
            .leaf_node_capabilities(self.capabilities.clone())
            .build(self.suite, &self.mls, &Key(&self.person.device), self.leaf())
            .unwrap()
            .key_package()
            .tls_serialize_detached()
            .unwrap()
    }

    fn parsed(&self, bytes: &[u8]) -> KeyPackage {
        let package = KeyPackageIn::tls_deserialize_exact(bytes).unwrap();
        package.validate(self.mls.crypto(), ProtocolVersion::Mls10).unwrap()
    }

    fn group(&self, log: LogId, extensions: Option<Extension>) -> MlsGroup {
        let mut builder = MlsGroup::builder()
            .with_group_id(GroupId::from_slice(log.as_bytes()))
            .ciphersuite(self.suite)
            .lifetime(self.lifetime)
            .with_capabilities(self.capabilities.clone())
            .use_ratchet_tree_extension(true)
            .with_wire_format_policy(openmls::group::PURE_CIPHERTEXT_WIRE_FORMAT_POLICY);
        if let Some(extension) = extensions {
            builder = builder.with_group_context_extensions(Extensions::single(extension).unwrap());
        }
        builder.build(&self.mls, &Key(&self.person.device), self.leaf()).unwrap()
    }

    /// A Welcome for these key packages; `path` says whether the creator's own leaf is made anew.
    fn welcome(&self, group: &mut MlsGroup, packages: &[Vec<u8>], path: bool) -> Vec<u8> {
        let packages: Vec<_> = packages.iter().map(|bytes| self.parsed(bytes)).collect();
        let signer = Key(&self.person.device);
        let (_, welcome, _) = if path {
            group.add_members(&self.mls, &signer, &packages).unwrap()
        } else {
            group.add_members_without_update(&self.mls, &signer, &packages).unwrap()
        };
        group.merge_pending_commit(&self.mls).unwrap();
        welcome.to_bytes().unwrap()
    }
}

const STATE: StateId = StateId::from_bytes([1; 32]);

fn joins(bob: &mut Person, welcome: &[u8]) -> Result<(), JoinError> {
    let before = bob.rows.clone();
    let joined = bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), STATE, welcome).map(drop));
    assert!(joined.is_ok() || bob.rows == before);
    joined
}

fn bob_and_package() -> (Person, Vec<u8>) {
    let mut bob = Person::new(2);
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    (bob, package)
}

#[test]
fn what_the_hostile_peer_makes_is_accepted_while_it_keeps_the_rules() {
    let mallory = Mallory::new(9);
    assert_eq!(check_key_package(&mallory.key_package()), Ok(mallory.person.who()));
    let (mut bob, package) = bob_and_package();
    for (n, path) in [(1, true), (2, false)] {
        let mut group = mallory.group(log(n), None);
        let welcome = mallory.welcome(&mut group, std::slice::from_ref(&package), path);
        let joined = bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(n), STATE, &welcome)).unwrap();
        assert_eq!(joined.inviter, mallory.person.who());
    }
}

#[test]
fn any_other_lifetime_is_refused() {
    for lifetime in [Lifetime::init(0, u64::MAX - 1), Lifetime::init(1, u64::MAX), Lifetime::default()] {
        let mut mallory = Mallory::new(9);
        mallory.lifetime = lifetime;
        let refused = check_key_package(&mallory.key_package());
        assert_eq!(refused, Err(KeyPackageError::Leaf(LeafError::Lifetime)));
        // As the creator of a group, in the leaf that was never updated.
        let (mut bob, package) = bob_and_package();
        let mut group = mallory.group(log(1), None);
        let welcome = mallory.welcome(&mut group, &[package], false);
        let error = LeafError::Lifetime;
        assert_eq!(joins(&mut bob, &welcome), Err(JoinError::Leaf { index: 0, error }));
    }
}

#[test]
fn a_third_members_bad_leaf_is_refused_as_well() {
    let mallory = Mallory::new(9);
    let mut accomplice = Mallory::new(8);
    accomplice.lifetime = Lifetime::init(0, 1 << 60);
    let (mut bob, package) = bob_and_package();
    let mut group = mallory.group(log(1), None);
    let welcome = mallory.welcome(&mut group, &[accomplice.key_package(), package], true);
    let error = LeafError::Lifetime;
    assert_eq!(joins(&mut bob, &welcome), Err(JoinError::Leaf { index: 1, error }));
}

#[test]
fn a_credential_that_is_not_this_devices_certificate_is_refused() {
    let victim = Person::new(7);
    let mut rng = murre_core::Rng::from_seed([50; 32]);
    let (account, forger) = (AccountKey::generate(&mut rng), AccountKey::generate(&mut rng));
    let device: DeviceId = Person::new(9).device.id();
    let body = DeviceCertBody { v: 1, a: account.id(), d: device, f: 0 };
    let forged = Signed::new(&body, |label, bytes| forger.sign(label, bytes));
    let mut padded = credential(&Person::new(9).cert);
    padded.push(0);
    for (bytes, error) in [
        (credential(&victim.cert), LeafError::KeyMismatch),
        (credential(&forged), LeafError::BadCert),
        (padded, LeafError::Malformed),
        (b"Mallory".to_vec(), LeafError::Malformed),
        (vec![0; murre_group::MAX_CREDENTIAL + 1], LeafError::Malformed),
    ] {
        let mut mallory = Mallory::new(9);
        mallory.credential = bytes;
        let refused = check_key_package(&mallory.key_package());
        assert_eq!(refused, Err(KeyPackageError::Leaf(error.clone())));
        let (mut bob, package) = bob_and_package();
        let mut group = mallory.group(log(1), None);
        let welcome = mallory.welcome(&mut group, &[package], true);
        assert_eq!(joins(&mut bob, &welcome), Err(JoinError::Leaf { index: 0, error }));
    }
}

#[test]
fn another_suite_or_a_leaf_that_does_not_know_ours_is_refused() {
    let mut mallory = Mallory::new(9);
    mallory.suite = Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519;
    mallory.capabilities = Capabilities::builder().ciphersuites(vec![mallory.suite, SUITE]).build();
    assert_eq!(check_key_package(&mallory.key_package()), Err(KeyPackageError::Suite));
    mallory.capabilities = Capabilities::builder().ciphersuites(vec![mallory.suite]).build();
    mallory.suite = SUITE;
    let refused = check_key_package(&mallory.key_package());
    assert_eq!(refused, Err(KeyPackageError::Leaf(LeafError::Capabilities)));
}

#[test]
fn a_group_with_extensions_is_refused() {
    let mallory = Mallory::new(9);
    let (mut bob, package) = bob_and_package();
    let required = RequiredCapabilitiesExtension::new(&[ExtensionType::LastResort], &[], &[]);
    let mut group = mallory.group(log(1), Some(Extension::RequiredCapabilities(required)));
    let welcome = mallory.welcome(&mut group, &[package], true);
    assert_eq!(joins(&mut bob, &welcome), Err(JoinError::Shape));
}

#[test]
fn only_application_messages_are_opened_and_others_use_no_key() {
    let mallory = Mallory::new(9);
    let (mut bob, package) = bob_and_package();
    let mut group = mallory.group(log(1), None);
    let welcome = mallory.welcome(&mut group, &[package], true);
    joins(&mut bob, &welcome).unwrap();
    let signer = Key(&mallory.person.device);
    let text = group.create_message(&mallory.mls, &signer, b"hello").unwrap().to_bytes().unwrap();
    let commit = group
        .self_update(&mallory.mls, &signer, openmls::prelude::LeafNodeParameters::default())
        .unwrap()
        .into_commit()
        .to_bytes()
        .unwrap();
    let before = bob.rows.clone();
    let mut turn = |commit: Option<&[u8]>| {
        bob.rows = before.clone();
        bob.restart();
        bob.turn(|e, tx, _, _| {
            assert_eq!(e.open(tx, log(1), STATE, &text)?.plaintext, b"hello");
            if let Some(bytes) = commit {
                let refused = e.open(tx, log(1), STATE, bytes);
                assert_eq!(refused, Err(OpenError::Refused(Refusal::Malformed)));
            }
            Ok::<_, OpenError>(())
        })
        .unwrap();
        bob.rows.clone()
    };
    assert_eq!(turn(Some(&commit)), turn(None));
    // After merging it, its messages belong to a state that bob does not have.
    group.merge_pending_commit(&mallory.mls).unwrap();
    let later = group.create_message(&mallory.mls, &signer, b"later").unwrap().to_bytes().unwrap();
    assert_eq!(open(&mut bob, STATE, &later), Err(OpenError::Refused(Refusal::OtherGroup)));
}

#[test]
fn a_message_of_a_sibling_state_does_not_open() {
    let (mut alice, mut bob, state) = pair();
    // The same log, the same epoch number, other keys: created a second time.
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let other = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &[package])).unwrap();
    bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log(1), other.state, &other.welcome)).unwrap();
    let bytes = seal(&mut alice, state, b"x").unwrap();
    assert_eq!(open(&mut bob, other.state, &bytes), Err(OpenError::Refused(Refusal::Invalid)));
    open(&mut bob, state, &bytes).unwrap();
}

#[test]
fn a_group_of_more_leaves_than_allowed_is_refused() {
    let mallory = Mallory::new(9);
    let (mut bob, package) = bob_and_package();
    let mut packages = vec![package];
    let mut one = Mallory::new(8);
    let mut rng = murre_core::Rng::from_seed([51; 32]);
    for _ in 0..MAX_LEAVES - 1 {
        let (account, device) = (AccountKey::generate(&mut rng), DeviceKey::generate(&mut rng));
        one.credential = credential(&DeviceCertBody::issue(&account, device.id(), false));
        one.person.device = device;
        packages.push(one.key_package());
    }
    let fits = packages.pop();
    let mut group = mallory.group(log(1), None);
    let welcome = mallory.welcome(&mut group, &packages, false);
    println!("Welcome of {MAX_LEAVES} leaves: {} bytes", welcome.len());
    assert!(welcome.len() < MAX_WELCOME);
    let before = bob.rows.clone();
    joins(&mut bob, &welcome).unwrap();
    bob.rows = before;
    bob.restart();
    packages.extend(fits);
    let mallory = Mallory::new(9);
    let mut group = mallory.group(log(1), None);
    let welcome = mallory.welcome(&mut group, &packages, false);
    assert_eq!(joins(&mut bob, &welcome), Err(JoinError::Shape));
}
