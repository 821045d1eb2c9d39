//! Becoming a member: key packages, creating a group, joining by Welcome.
//!
//! ```text
//!   Bob    key_package --------- bytes, through a door -------------------> Alice
//!   Alice  create: epoch 0 (Alice alone, never stored)
//!                    |  commit: Add(Bob), by value, as PrivateMessage
//!                    v
//!                  state = BLAKE3(log || commit): the first that has rows
//!   Alice  Welcome, log id, state id ------- in a request ----------------> Bob   join
//! ```
//!
//! A group is built in memory on a scratch store and only the finished state reaches the rows; a commit that is
//! pending never does. The parent of the first state is dropped: only its creator was ever in it.

use crate::crypto::SeededCrypto;
use crate::engine::{GroupEngine, Provider, apply, group_id};
use crate::error::{CreateError, JoinError, NewKeyPackageError, RowError};
use crate::leaf::{self, Identity, KeyPackageRef};
use crate::rows::{GUARDS, KEY_PACKAGES, Node, guard_key};
use crate::storage::{NodeStore, Writes, key_package_row};
use crate::suite::{self, MAX_LEAVES, MAX_WELCOME, SUITE};
use murre_core::id::{AccountId, Bytes, DeviceId, LogId, StateId};
use murre_core::{Bug, Label, Rng, Turn, View};
use openmls::group::{MlsGroup, StagedWelcome, WelcomeError};
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{KeyPackage, LeafNodeIndex, MlsMessageBodyIn, MlsMessageIn, Welcome};
use std::collections::BTreeSet;

const STATE: Label = Label::new("murre v1 group state");

/// A group that was just created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The first state.
    pub state: StateId,
    /// For every added device: one Welcome for all.
    pub welcome: Vec<u8>,
}

/// A group that was just joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// All members, this device included, in leaf order.
    pub members: Vec<(AccountId, DeviceId)>,
    /// Who made the Welcome: the signer of its group info.
    pub inviter: (AccountId, DeviceId),
}

/// Id of the state that a commit makes.
// spec: G-16
#[must_use]
pub fn state_id(log: LogId, commit: &[u8]) -> StateId {
    StateId::from_bytes(STATE.hash(&[log.as_bytes(), commit]))
}

impl GroupEngine {
    /// Makes a key package: its private part goes into the rows, its public part is returned. It is a last-resort
    /// package, so several requests may use it; [`GroupEngine::forget_key_package`] ends it.
    ///
    /// # Errors
    /// [`NewKeyPackageError`] if the certificate is not this device's, or the rows fail.
    pub fn key_package(
        &mut self,
        tx: &mut Turn<'_>,
        rng: &mut Rng,
        id: &Identity<'_>,
    ) -> Result<(KeyPackageRef, Vec<u8>), NewKeyPackageError> {
        id.check().map_err(NewKeyPackageError::Identity)?;
        let provider = Provider { crypto: SeededCrypto::seeded(rng), store: NodeStore::new(&*tx, None) };
        let bundle = KeyPackage::builder()
            .key_package_lifetime(suite::lifetime())
            .leaf_node_capabilities(suite::capabilities())
            .mark_as_last_resort()
            .build(SUITE, &provider, &id.signer(), id.credential());
        provider.store.check()?;
        let bundle = bundle.map_err(|_| Bug::new("OpenMLS refused to build a key package"))?;
        let package = bundle.key_package();
        let bytes = package.tls_serialize_detached().map_err(|_| Bug::new("key package does not encode"))?;
        let reference =
            package.hash_ref(&provider.crypto).map_err(|_| Bug::new("key package does not hash"))?;
        let row = key_package_row(&reference)?;
        let mut stored = provider.store.into_key_packages()?;
        let secret = stored.remove(&row).ok_or_else(|| Bug::new("key package was not stored"))?;
        tx.put(KEY_PACKAGES, &row, secret.to_vec());
        Ok((KeyPackageRef(Bytes(row)), bytes))
    }

    /// Erases the private part of a key package: Welcomes for it can no longer be opened.
    pub fn forget_key_package(&mut self, tx: &mut Turn<'_>, reference: &KeyPackageRef) {
        tx.erase(KEY_PACKAGES, reference.as_bytes());
    }

    /// Whether the private part of a key package is in the rows.
    ///
    /// # Errors
    /// [`RowError`] if the store fails.
    pub fn has_key_package(&self, view: &dyn View, reference: &KeyPackageRef) -> Result<bool, RowError> {
        Ok(view.get(KEY_PACKAGES, reference.as_bytes())?.is_some())
    }

    /// Creates the group of a log with this device and the owners of the key packages as members.
    ///
    /// # Errors
    /// [`CreateError`]; nothing was written then.
    pub fn create(
        &mut self,
        tx: &mut Turn<'_>,
        rng: &mut Rng,
        id: &Identity<'_>,
        log: LogId,
        members: &[Vec<u8>],
    ) -> Result<Created, CreateError> {
        let (_, own) = id.check().map_err(CreateError::Identity)?;
        let packages = added(own, members)?;
        let provider = Provider { crypto: SeededCrypto::seeded(rng), store: NodeStore::new(&*tx, None) };
        let built = build(&provider, id, log, &packages);
        let writes = provider.store.into_writes()?;
        let Built { commit, welcome, authenticator } = built?;
        let state = state_id(log, &commit);
        store(tx, rng, log, state, &authenticator, writes)?;
        Ok(Created { state, welcome })
    }

    /// Joins the state that a Welcome describes, and checks everything about it: that it is this log's group, that
    /// every leaf is a certified device, that one of them is this device, and that these keys were never taken up
    /// before.
    ///
    /// # Errors
    /// [`JoinError`]; nothing was written then.
    pub fn join(
        &mut self,
        tx: &mut Turn<'_>,
        rng: &mut Rng,
        id: &Identity<'_>,
        log: LogId,
        state: StateId,
        welcome: &[u8],
    ) -> Result<Joined, JoinError> {
        let welcome = parse(welcome)?;
        if Node::find(tx, log, state)?.is_some() {
            return Err(JoinError::Known);
        }
        let provider = Provider { crypto: SeededCrypto::unseeded(), store: NodeStore::new(&*tx, None) };
        let staged = stage(&provider, welcome);
        provider.store.check()?;
        let staged = staged?;
        let inviter = staged.welcome_sender_index();
        let group = staged.into_group(&provider);
        let writes = provider.store.into_writes()?;
        let group = group.map_err(|_| JoinError::Invalid)?;
        let joined = check_group(&group, id, log, inviter)?;
        let authenticator = group.epoch_authenticator().as_slice().to_vec();
        // The same secret tree under a second state id would start this device's ratchet at zero again.
        // spec: G-17
        if tx.get(GUARDS, &guard_key(log, &authenticator)).map_err(RowError::View)?.is_some() {
            return Err(JoinError::Known);
        }
        store(tx, rng, log, state, &authenticator, writes)?;
        Ok(joined)
    }
}

/// Writes a finished state. The loaded object that made it is dropped: the rows are the state.
fn store(
    tx: &mut Turn<'_>,
    rng: &mut Rng,
    log: LogId,
    state: StateId,
    authenticator: &[u8],
    mut writes: Writes,
) -> Result<(), RowError> {
    writes.retain(|_, payload| payload.is_some());
    let node = Node::create(tx, rng, log, state)?;
    apply(tx, &node, writes);
    tx.put(GUARDS, &guard_key(log, authenticator), state.as_bytes().to_vec());
    Ok(())
}

/// Checks the key packages of the members to add.
fn added(own: DeviceId, members: &[Vec<u8>]) -> Result<Vec<KeyPackage>, CreateError> {
    if members.is_empty() || members.len() >= MAX_LEAVES {
        return Err(CreateError::Count { count: members.len() });
    }
    let mut devices = BTreeSet::from([own]);
    let mut packages = Vec::with_capacity(members.len());
    for (index, bytes) in members.iter().enumerate() {
        let (package, _, device) =
            leaf::key_package(bytes).map_err(|error| CreateError::KeyPackage { index, error })?;
        if !devices.insert(device) {
            return Err(CreateError::Duplicate { index });
        }
        packages.push(package);
    }
    Ok(packages)
}

struct Built {
    commit: Vec<u8>,
    welcome: Vec<u8>,
    authenticator: Vec<u8>,
}

/// Builds epoch 0 and the commit that adds everybody, and merges it, all in the provider's scratch.
fn build(
    provider: &Provider<'_>,
    id: &Identity<'_>,
    log: LogId,
    packages: &[KeyPackage],
) -> Result<Built, Bug> {
    let config = suite::create_config();
    let mut group =
        MlsGroup::new_with_group_id(provider, &id.signer(), &config, group_id(log), id.credential())
            .map_err(|_| Bug::new("OpenMLS refused to create a group"))?;
    let (commit, welcome, _) = group
        .add_members(provider, &id.signer(), packages)
        .map_err(|_| Bug::new("OpenMLS refused checked key packages"))?;
    group.merge_pending_commit(provider).map_err(|_| Bug::new("OpenMLS refused its own commit"))?;
    Ok(Built {
        commit: commit.to_bytes().map_err(|_| Bug::new("commit does not encode"))?,
        welcome: welcome.to_bytes().map_err(|_| Bug::new("Welcome does not encode"))?,
        authenticator: group.epoch_authenticator().as_slice().to_vec(),
    })
}

fn parse(bytes: &[u8]) -> Result<Welcome, JoinError> {
    if bytes.len() > MAX_WELCOME {
        return Err(JoinError::TooLong { len: bytes.len() });
    }
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| JoinError::Malformed)?;
    match message.extract() {
        MlsMessageBodyIn::Welcome(welcome) if welcome.ciphersuite() == SUITE => Ok(welcome),
        _ => Err(JoinError::Malformed),
    }
}

/// Opens a Welcome. Lifetimes are not checked by the clock here but by value in [`check_group`].
fn stage(provider: &Provider<'_>, welcome: Welcome) -> Result<StagedWelcome, JoinError> {
    let builder = StagedWelcome::build_from_welcome(provider, &suite::join_config(), welcome);
    let builder = builder.map_err(|e| match e {
        WelcomeError::NoMatchingKeyPackage => JoinError::NotForUs,
        _ => JoinError::Invalid,
    })?;
    if !builder.processed_welcome().psks().is_empty() {
        return Err(JoinError::Shape);
    }
    builder.skip_lifetime_validation().build().map_err(|_| JoinError::Invalid)
}

/// The rules of a group that MLS does not know.
// spec: G-4, G-5, G-6
fn check_group(
    group: &MlsGroup,
    id: &Identity<'_>,
    log: LogId,
    inviter: LeafNodeIndex,
) -> Result<Joined, JoinError> {
    if group.group_id() != &group_id(log) {
        return Err(JoinError::OtherLog);
    }
    if group.extensions().iter().next().is_some() || group.members().count() > MAX_LEAVES {
        return Err(JoinError::Shape);
    }
    let own = id.check().map_err(JoinError::Identity)?;
    let mut members = Vec::new();
    let mut invited_by = None;
    for (index, node) in group.treesync().full_leaves() {
        let owner = leaf::check_leaf(node).map_err(|error| JoinError::Leaf { index: index.u32(), error })?;
        if index == inviter {
            invited_by = Some(owner);
        }
        if index == group.own_leaf_index() && owner != own {
            return Err(JoinError::NotOwnLeaf);
        }
        members.push(owner);
    }
    let inviter = invited_by.ok_or(JoinError::Shape)?;
    Ok(Joined { members, inviter })
}
