//! The storage provider of one OpenMLS call: reads the view, collects writes in memory.
//!
//! ```text
//!   rows (View) --read--> +----------+ --read--> OpenMLS
//!                         | scratch  | <--write-
//!                         +----------+
//!                              | after the call, if nothing failed: into the Turn
//! ```
//!
//! OpenMLS swallows storage errors in places and goes on. The provider therefore keeps the first one, and whoever
//! made the call asks for it before believing the result.
//!
//! Two values are never stored, because they are constants of the protocol: the group's configuration, and the
//! store of resumption PSKs, which OpenMLS fills with secrets of old epochs whether one uses them or not.
//!
//! The provider does not decide what becomes durable; [`NodeStore::into_writes`] hands the scratch to the engine.

use crate::compact::{self, Keyed};
use crate::error::{Failed, RowError};
use crate::rows::{Entity, KEY_PACKAGES, Node};
use crate::suite;
use murre_core::{Label, View};
use openmls_traits::storage::{CURRENT_VERSION as V, StorageProvider, traits};
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// An empty resumption PSK store: no capacity, no entries, cursor 0.
// spec: G-9
const NO_RESUMPTION: &[u8] = &[0, 0, 0];
const REF: Label = Label::new("murre v1 group key package ref");

/// Writes of one call: a payload, or `None` for a removed entity.
pub(crate) type Writes = BTreeMap<Entity, Option<Zeroizing<Vec<u8>>>>;
type Slot = Option<Zeroizing<Vec<u8>>>;

/// See the module.
pub(crate) struct NodeStore<'v> {
    view: &'v dyn View,
    node: Option<&'v Node>,
    /// Ignore writes of the message secrets: the engine flushes them at the end of the turn.
    defer: bool,
    writes: RefCell<Writes>,
    key_packages: RefCell<BTreeMap<[u8; 32], Zeroizing<Vec<u8>>>>,
    error: RefCell<Option<RowError>>,
}

/// Row key of a key package, from its MLS reference as OpenMLS hands it to a provider.
pub(crate) fn key_package_row<T: Serialize>(reference: &T) -> Result<[u8; 32], RowError> {
    let bytes = compact::to_bytes(reference).map_err(|_| RowError::Encode { entity: "key package ref" })?;
    Ok(REF.hash(&[&bytes]))
}

impl<'v> NodeStore<'v> {
    /// A provider over a state's rows, or over nothing for a state that is being made.
    pub(crate) fn new(view: &'v dyn View, node: Option<&'v Node>) -> Self {
        Self {
            view,
            node,
            defer: false,
            writes: RefCell::default(),
            key_packages: RefCell::default(),
            error: RefCell::default(),
        }
    }

    /// The same, ignoring the message secrets that a call writes.
    // spec: G-14
    pub(crate) fn deferring(view: &'v dyn View, node: &'v Node) -> Self {
        Self { defer: true, ..Self::new(view, Some(node)) }
    }

    /// The first error, if any call had one. To be asked after every call of OpenMLS.
    // spec: G-10
    pub(crate) fn check(&self) -> Result<(), RowError> {
        self.error.borrow().clone().map_or(Ok(()), Err)
    }

    /// What was written.
    pub(crate) fn into_writes(self) -> Result<Writes, RowError> {
        self.check()?;
        Ok(self.writes.into_inner())
    }

    /// The key packages that were written, by row key.
    pub(crate) fn into_key_packages(self) -> Result<BTreeMap<[u8; 32], Zeroizing<Vec<u8>>>, RowError> {
        self.check()?;
        Ok(self.key_packages.into_inner())
    }

    fn keep<T>(&self, result: Result<T, RowError>) -> Result<T, Failed> {
        result.map_err(|e| {
            self.error.borrow_mut().get_or_insert(e);
            Failed
        })
    }

    fn payload(&self, entity: Entity) -> Result<Slot, RowError> {
        if let Some(written) = self.writes.borrow().get(&entity) {
            return Ok(written.clone());
        }
        self.node.map_or(Ok(None), |node| node.read(self.view, entity))
    }

    fn put<T: Serialize + ?Sized>(&self, entity: Entity, value: &T) -> Result<(), Failed> {
        let bytes = self.keep(encode(entity, value))?;
        self.writes.borrow_mut().insert(entity, Some(bytes));
        Ok(())
    }

    fn get<T: DeserializeOwned>(&self, entity: Entity) -> Result<Option<T>, Failed> {
        let Some(bytes) = self.keep(self.payload(entity))? else { return Ok(None) };
        self.keep(decode(entity, &bytes)).map(Some)
    }

    fn drop_entity(&self, entity: Entity) -> Result<(), Failed> {
        self.writes.borrow_mut().insert(entity, None);
        Ok(())
    }

    fn keyed(&self, entity: Entity) -> Result<Keyed, Failed> {
        Ok(self.get(entity)?.unwrap_or_default())
    }

    fn change_keyed(&self, entity: Entity, change: impl FnOnce(&mut Keyed)) -> Result<(), Failed> {
        let mut list = self.keyed(entity)?;
        change(&mut list);
        if list.is_empty() { self.drop_entity(entity) } else { self.put(entity, &list) }
    }

    fn key<T: Serialize + ?Sized>(&self, entity: Entity, key: &T) -> Result<Vec<u8>, Failed> {
        self.keep(encode(entity, key)).map(|bytes| bytes.to_vec())
    }

    fn unsupported<T>(&self, entity: &'static str) -> Result<T, Failed> {
        self.keep(Err(RowError::Unsupported { entity }))
    }
}

fn encode<T: Serialize + ?Sized>(entity: Entity, value: &T) -> Result<Zeroizing<Vec<u8>>, RowError> {
    compact::to_bytes(value).map(Zeroizing::new).map_err(|_| RowError::Encode { entity: entity.name() })
}

fn decode<T: DeserializeOwned>(entity: Entity, bytes: &[u8]) -> Result<T, RowError> {
    compact::from_bytes(bytes).map_err(|_| RowError::Damaged { entity: entity.name() })
}

/// `write`, `read` and `delete` of the entities that are one value for a group.
macro_rules! plain {
    ($($write:ident $read:ident $delete:ident $trait:ident $entity:ident;)*) => {$(
        fn $write<G: traits::GroupId<V>, T: traits::$trait<V>>(&self, _: &G, value: &T) -> Result<(), Failed> {
            self.put(Entity::$entity, value)
        }
        fn $read<G: traits::GroupId<V>, T: traits::$trait<V>>(&self, _: &G) -> Result<Option<T>, Failed> {
            self.get(Entity::$entity)
        }
        fn $delete<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), Failed> {
            self.drop_entity(Entity::$entity)
        }
    )*};
}

impl StorageProvider<V> for NodeStore<'_> {
    type Error = Failed;

    plain! {
        write_tree tree delete_tree TreeSync Tree;
        write_context group_context delete_context GroupContext Context;
        write_interim_transcript_hash interim_transcript_hash delete_interim_transcript_hash
            InterimTranscriptHash InterimHash;
        write_confirmation_tag confirmation_tag delete_confirmation_tag ConfirmationTag ConfirmationTag;
        write_own_leaf_index own_leaf_index delete_own_leaf_index LeafNodeIndex OwnIndex;
        write_group_epoch_secrets group_epoch_secrets delete_group_epoch_secrets GroupEpochSecrets EpochSecrets;
    }

    // Group state and message secrets: their traits take the type parameters in another order, or may be deferred.

    fn write_group_state<T: traits::GroupState<V>, G: traits::GroupId<V>>(
        &self,
        _: &G,
        value: &T,
    ) -> Result<(), Failed> {
        self.put(Entity::GroupState, value)
    }
    fn group_state<T: traits::GroupState<V>, G: traits::GroupId<V>>(
        &self,
        _: &G,
    ) -> Result<Option<T>, Failed> {
        self.get(Entity::GroupState)
    }
    fn delete_group_state<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), Failed> {
        self.drop_entity(Entity::GroupState)
    }

    fn write_message_secrets<G: traits::GroupId<V>, T: traits::MessageSecrets<V>>(
        &self,
        _: &G,
        value: &T,
    ) -> Result<(), Failed> {
        if self.defer { Ok(()) } else { self.put(Entity::MessageSecrets, value) }
    }
    fn message_secrets<G: traits::GroupId<V>, T: traits::MessageSecrets<V>>(
        &self,
        _: &G,
    ) -> Result<Option<T>, Failed> {
        self.get(Entity::MessageSecrets)
    }
    fn delete_message_secrets<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), Failed> {
        self.drop_entity(Entity::MessageSecrets)
    }

    // Constants of the protocol, never stored.

    fn write_mls_join_config<G: traits::GroupId<V>, T: traits::MlsGroupJoinConfig<V>>(
        &self,
        _: &G,
        _: &T,
    ) -> Result<(), Failed> {
        Ok(())
    }
    fn mls_group_join_config<G: traits::GroupId<V>, T: traits::MlsGroupJoinConfig<V>>(
        &self,
        _: &G,
    ) -> Result<Option<T>, Failed> {
        // The trait hides the type; its serde form is the only way through, and it needs a self-describing one.
        let damaged = RowError::Encode { entity: "group configuration" };
        let value = serde_json::to_value(suite::join_config()).and_then(serde_json::from_value);
        self.keep(value.map(Some).map_err(|_| damaged))
    }
    fn delete_group_config<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), Failed> {
        Ok(())
    }

    fn write_resumption_psk_store<G: traits::GroupId<V>, T: traits::ResumptionPskStore<V>>(
        &self,
        _: &G,
        _: &T,
    ) -> Result<(), Failed> {
        Ok(())
    }
    fn resumption_psk_store<G: traits::GroupId<V>, T: traits::ResumptionPskStore<V>>(
        &self,
        _: &G,
    ) -> Result<Option<T>, Failed> {
        let damaged = RowError::Encode { entity: "resumption store" };
        self.keep(compact::from_bytes(NO_RESUMPTION).map(Some).map_err(|_| damaged))
    }
    fn delete_all_resumption_psk_secrets<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), Failed> {
        Ok(())
    }

    // Lists.

    fn append_own_leaf_node<G: traits::GroupId<V>, T: traits::LeafNode<V>>(
        &self,
        _: &G,
        leaf: &T,
    ) -> Result<(), Failed> {
        let value = self.key(Entity::OwnLeaves, leaf)?;
        let next = (self.keyed(Entity::OwnLeaves)?.iter().count() as u64).to_be_bytes().to_vec();
        self.change_keyed(Entity::OwnLeaves, |list| list.set(next, value))
    }
    fn own_leaf_nodes<G: traits::GroupId<V>, T: traits::LeafNode<V>>(&self, _: &G) -> Result<Vec<T>, Failed> {
        let list = self.keyed(Entity::OwnLeaves)?;
        list.iter().map(|(_, bytes)| self.keep(decode(Entity::OwnLeaves, bytes))).collect()
    }
    fn delete_own_leaf_nodes<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), Failed> {
        self.drop_entity(Entity::OwnLeaves)
    }

    fn write_encryption_key_pair<K: traits::EncryptionKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        public: &K,
        pair: &T,
    ) -> Result<(), Failed> {
        let (key, value) = (self.key(Entity::LeafKeys, public)?, self.key(Entity::LeafKeys, pair)?);
        self.change_keyed(Entity::LeafKeys, |list| list.set(key, value))
    }
    fn encryption_key_pair<T: traits::HpkeKeyPair<V>, K: traits::EncryptionKey<V>>(
        &self,
        public: &K,
    ) -> Result<Option<T>, Failed> {
        let (key, list) = (self.key(Entity::LeafKeys, public)?, self.keyed(Entity::LeafKeys)?);
        list.get(&key).map(|bytes| self.keep(decode(Entity::LeafKeys, bytes))).transpose()
    }
    fn delete_encryption_key_pair<K: traits::EncryptionKey<V>>(&self, public: &K) -> Result<(), Failed> {
        let key = self.key(Entity::LeafKeys, public)?;
        self.change_keyed(Entity::LeafKeys, |list| list.remove(&key))
    }

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<V>,
        E: traits::EpochKey<V>,
        T: traits::HpkeKeyPair<V>,
    >(
        &self,
        _: &G,
        epoch: &E,
        leaf: u32,
        pairs: &[T],
    ) -> Result<(), Failed> {
        let (key, value) =
            (self.key(Entity::EpochKeys, &(epoch, leaf))?, self.key(Entity::EpochKeys, pairs)?);
        self.change_keyed(Entity::EpochKeys, |list| list.set(key, value))
    }
    fn encryption_epoch_key_pairs<
        G: traits::GroupId<V>,
        E: traits::EpochKey<V>,
        T: traits::HpkeKeyPair<V>,
    >(
        &self,
        _: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<Vec<T>, Failed> {
        let (key, list) = (self.key(Entity::EpochKeys, &(epoch, leaf))?, self.keyed(Entity::EpochKeys)?);
        list.get(&key).map_or(Ok(Vec::new()), |bytes| self.keep(decode(Entity::EpochKeys, bytes)))
    }
    fn delete_encryption_epoch_key_pairs<G: traits::GroupId<V>, E: traits::EpochKey<V>>(
        &self,
        _: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<(), Failed> {
        let key = self.key(Entity::EpochKeys, &(epoch, leaf))?;
        self.change_keyed(Entity::EpochKeys, |list| list.remove(&key))
    }

    // Key packages. One of ours is last-resort, so OpenMLS itself never deletes it.

    fn write_key_package<R: traits::HashReference<V>, T: traits::KeyPackage<V>>(
        &self,
        reference: &R,
        value: &T,
    ) -> Result<(), Failed> {
        let row = self.keep(key_package_row(reference))?;
        let bytes =
            self.keep(compact::to_bytes(value).map_err(|_| RowError::Encode { entity: "key package" }))?;
        self.key_packages.borrow_mut().insert(row, Zeroizing::new(bytes));
        Ok(())
    }
    fn key_package<R: traits::HashReference<V>, T: traits::KeyPackage<V>>(
        &self,
        reference: &R,
    ) -> Result<Option<T>, Failed> {
        let row = self.keep(key_package_row(reference))?;
        let Some(bytes) = self.keep(self.view.get(KEY_PACKAGES, &row).map_err(RowError::View))? else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(bytes);
        let damaged = RowError::Damaged { entity: "key package" };
        self.keep(compact::from_bytes(&bytes).map(Some).map_err(|_| damaged))
    }
    fn delete_key_package<R: traits::HashReference<V>>(&self, _: &R) -> Result<(), Failed> {
        self.unsupported("deletion of a key package by MLS")
    }

    // By-reference proposals, PSKs and signature keys are not part of this protocol.

    fn queue_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>, T: traits::QueuedProposal<V>>(
        &self,
        _: &G,
        _: &R,
        _: &T,
    ) -> Result<(), Failed> {
        self.unsupported("queued proposal")
    }
    fn queued_proposal_refs<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        _: &G,
    ) -> Result<Vec<R>, Failed> {
        Ok(Vec::new())
    }
    fn queued_proposals<G: traits::GroupId<V>, R: traits::ProposalRef<V>, T: traits::QueuedProposal<V>>(
        &self,
        _: &G,
    ) -> Result<Vec<(R, T)>, Failed> {
        Ok(Vec::new())
    }
    fn remove_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        _: &G,
        _: &R,
    ) -> Result<(), Failed> {
        Ok(())
    }
    fn clear_proposal_queue<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        _: &G,
    ) -> Result<(), Failed> {
        Ok(())
    }

    fn write_signature_key_pair<K: traits::SignaturePublicKey<V>, T: traits::SignatureKeyPair<V>>(
        &self,
        _: &K,
        _: &T,
    ) -> Result<(), Failed> {
        self.unsupported("signature key")
    }
    fn signature_key_pair<K: traits::SignaturePublicKey<V>, T: traits::SignatureKeyPair<V>>(
        &self,
        _: &K,
    ) -> Result<Option<T>, Failed> {
        Ok(None)
    }
    fn delete_signature_key_pair<K: traits::SignaturePublicKey<V>>(&self, _: &K) -> Result<(), Failed> {
        Ok(())
    }

    fn write_psk<K: traits::PskId<V>, T: traits::PskBundle<V>>(&self, _: &K, _: &T) -> Result<(), Failed> {
        self.unsupported("pre-shared key")
    }
    fn psk<T: traits::PskBundle<V>, K: traits::PskId<V>>(&self, _: &K) -> Result<Option<T>, Failed> {
        Ok(None)
    }
    fn delete_psk<K: traits::PskId<V>>(&self, _: &K) -> Result<(), Failed> {
        Ok(())
    }
}
