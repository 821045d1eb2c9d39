//! The engine: loaded groups, application messages, and when they become durable.
//!
//! ```text
//!   open ---> in memory only, group marked dirty --.
//!   open ---> in memory only                        }--> flush (once a turn) --> message secrets row
//!   open ---> in memory only                       -'
//!   seal ---> message secrets row at once, deferred opens included
//! ```
//!
//! A crash before a flush forgets that messages were opened; they are opened again when they arrive again, and
//! their ids make that harmless. A crash must never forget that a key was used for sealing, because the next
//! message would be sealed with the same key: so sealing never waits for the flush, and the turn's batch is
//! durable before its bytes leave the device.
//!
//! The cache holds whole groups, least recently used first. It is only a cache: every method gives the same
//! answer from a new engine over the same rows.

use crate::crypto::SeededCrypto;
use crate::error::{OpenError, Refusal, RowError, SealError, StateError};
use crate::leaf::{self, Identity};
use crate::rows::{Entity, Node};
use crate::storage::{NodeStore, Writes};
use crate::suite::{MAX_AAD, MAX_CIPHERTEXT, MAX_PLAINTEXT};
use murre_core::id::{AccountId, DeviceId, LogId, StateId};
use murre_core::{Bug, Rng, Turn, View, sabotage};
use murre_crypto::Secret;
use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::group::{MlsGroup, PastEpochDeletion};
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{
    ContentType, GroupId, MlsMessageIn, OpenMlsProvider, ProcessMessageError, ProcessedMessageContent,
    ProtocolMessage, Sender, ValidationError,
};
use std::collections::BTreeMap;

/// Most groups kept loaded. One of 256 leaves takes about 0.7 MB and 1.5 ms to load.
pub const LOADED_GROUPS: usize = 16;

/// An opened application message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Account of the sender, from the certificate in its leaf.
    pub account: AccountId,
    /// Device of the sender.
    pub device: DeviceId,
    /// Associated data: authenticated, sent in clear inside the ciphertext.
    pub aad: Vec<u8>,
    /// The plaintext.
    pub plaintext: Vec<u8>,
}

/// What one OpenMLS call needs.
pub(crate) struct Provider<'v> {
    pub(crate) crypto: SeededCrypto,
    pub(crate) store: NodeStore<'v>,
}

impl<'v> OpenMlsProvider for Provider<'v> {
    type CryptoProvider = SeededCrypto;
    type RandProvider = SeededCrypto;
    type StorageProvider = NodeStore<'v>;

    fn storage(&self) -> &NodeStore<'v> {
        &self.store
    }
    fn crypto(&self) -> &SeededCrypto {
        &self.crypto
    }
    fn rand(&self) -> &SeededCrypto {
        &self.crypto
    }
}

/// Exporter label of [`GroupEngine::signal_key`].
const SIGNAL_EXPORT: &str = "murre v1 signal";

/// A group in memory.
struct Loaded {
    log: LogId,
    state: StateId,
    node: Node,
    group: MlsGroup,
    /// Owners of leaves that sent something, so that a certificate is verified once.
    senders: BTreeMap<u32, (AccountId, DeviceId)>,
    /// Opened messages are not in a row yet.
    dirty: bool,
}

/// All groups of a device.
#[derive(Default)]
pub struct GroupEngine {
    /// Least recently used first.
    loaded: Vec<Loaded>,
}

impl std::fmt::Debug for GroupEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupEngine").field("loaded", &self.loaded.len()).finish()
    }
}

/// Writes what a call left in its scratch.
pub(crate) fn apply(tx: &mut Turn<'_>, node: &Node, writes: Writes) {
    for (entity, payload) in writes {
        match payload {
            Some(payload) => node.write(tx, entity, &payload),
            None => node.remove(tx, entity),
        }
    }
}

/// The MLS group id of a log: its id.
pub(crate) fn group_id(log: LogId) -> GroupId {
    GroupId::from_slice(log.as_bytes())
}

/// Loads a state from its rows.
fn load(view: &dyn View, log: LogId, state: StateId) -> Result<Option<(Node, MlsGroup)>, RowError> {
    let Some(node) = Node::find(view, log, state)? else { return Ok(None) };
    let store = NodeStore::new(view, Some(&node));
    let group = MlsGroup::load(&store, &group_id(log));
    store.check()?;
    match group {
        Ok(Some(group)) if group.group_id() == &group_id(log) => Ok(Some((node, group))),
        _ => Err(RowError::Damaged { entity: "group" }),
    }
}

impl GroupEngine {
    /// An engine with nothing loaded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a group out of the cache, or loads it.
    fn take(&mut self, view: &dyn View, log: LogId, state: StateId) -> Result<Option<Loaded>, RowError> {
        if let Some(at) = self.loaded.iter().position(|l| l.log == log && l.state == state) {
            return Ok(Some(self.loaded.remove(at)));
        }
        let Some((node, group)) = load(view, log, state)? else { return Ok(None) };
        let senders = BTreeMap::new();
        Ok(Some(Loaded { log, state, node, group, senders, dirty: false }))
    }

    /// Puts a group back as the most recently used; what no longer fits is flushed and dropped.
    // spec: G-15
    fn keep(&mut self, tx: &mut Turn<'_>, loaded: Loaded) -> Result<(), RowError> {
        self.loaded.push(loaded);
        while self.loaded.len() > LOADED_GROUPS {
            let mut oldest = self.loaded.remove(0);
            oldest.flush(tx)?;
        }
        Ok(())
    }

    /// Drops a state from the cache.
    fn evict(&mut self, log: LogId, state: StateId) {
        self.loaded.retain(|l| l.log != log || l.state != state);
    }

    /// Seals one application message. The advanced ratchet is in `tx`: the bytes may leave the device only after
    /// that batch is durable.
    ///
    /// # Errors
    /// [`SealError`]; nothing was written then.
    // spec: G-13
    pub fn seal(
        &mut self,
        tx: &mut Turn<'_>,
        rng: &mut Rng,
        id: &Identity<'_>,
        log: LogId,
        state: StateId,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        if plaintext.len() > MAX_PLAINTEXT || aad.len() > MAX_AAD {
            return Err(SealError::TooLong { plaintext: plaintext.len(), aad: aad.len() });
        }
        let mut loaded = self.take(tx, log, state)?.ok_or(SealError::UnknownState)?;
        let own = loaded
            .group
            .own_leaf_node()
            .is_some_and(|leaf| leaf.signature_key().as_slice() == id.device.id().as_bytes());
        if !own {
            self.keep(tx, loaded)?;
            return Err(SealError::NotOwnLeaf);
        }
        // On an error the group is dropped with its advanced ratchet; the rows still hold the old one, and the
        // sealed bytes, if there were any, are dropped as well.
        let (bytes, writes) = loaded.seal(tx, rng, id, aad, plaintext)?;
        if !sabotage::active("reuse-generation") {
            apply(tx, &loaded.node, writes);
        }
        loaded.dirty = false;
        self.keep(tx, loaded)?;
        Ok(bytes)
    }

    /// Opens one application message. The used key is forgotten in memory at once and in the rows at
    /// [`GroupEngine::flush`].
    ///
    /// # Errors
    /// [`OpenError`]; nothing changed then.
    pub fn open(
        &mut self,
        tx: &mut Turn<'_>,
        log: LogId,
        state: StateId,
        ciphertext: &[u8],
    ) -> Result<Opened, OpenError> {
        let message = parse(log, ciphertext).map_err(OpenError::Refused)?;
        let mut loaded = self.take(tx, log, state)?.ok_or(OpenError::UnknownState)?;
        let result = loaded.open(tx, message);
        match &result {
            Ok(_) => loaded.dirty = true,
            // A known duplicate leaves no trace in the group; a refused message may have made OpenMLS derive a
            // ratchet it had not needed yet. Unless opened messages wait in this copy, take a clean one next time.
            Err(OpenError::Replay) => {}
            Err(_) if !loaded.dirty => return result,
            Err(_) => {}
        }
        self.keep(tx, loaded)?;
        result
    }

    /// Members of a state by account and device, in leaf order.
    ///
    /// # Errors
    /// [`StateError::UnknownState`] if there are no rows, or a failure of the rows.
    pub fn members(
        &self,
        view: &dyn View,
        log: LogId,
        state: StateId,
    ) -> Result<Vec<(AccountId, DeviceId)>, StateError> {
        if let Some(loaded) = self.loaded.iter().find(|l| l.log == log && l.state == state) {
            return members(&loaded.group);
        }
        let (_, group) = load(view, log, state)?.ok_or(StateError::UnknownState)?;
        members(&group)
    }

    /// The key for what members say beside their messages: signals that come late, out of order or not at all, and
    /// must therefore not move the message ratchet (MLS exporter, RFC 9420, section 8.5).
    ///
    /// It is the same for the whole life of a state: what is sealed with it has the state's secrecy, not a
    /// message's own.
    ///
    /// # Errors
    /// [`StateError::UnknownState`] if there are no rows, or a failure of the rows.
    // spec: G-18
    pub fn signal_key(
        &mut self,
        tx: &mut Turn<'_>,
        log: LogId,
        state: StateId,
    ) -> Result<Secret<32>, StateError> {
        let loaded = self.take(tx, log, state)?.ok_or(StateError::UnknownState)?;
        let crypto = SeededCrypto::unseeded();
        let exported = loaded.group.export_secret(&crypto, SIGNAL_EXPORT, log.as_bytes(), 32);
        self.keep(tx, loaded)?;
        let key = exported.ok().and_then(|bytes| Secret::from_slice(&bytes));
        key.ok_or_else(|| Bug::new("a group does not export").into())
    }

    /// Whether there are rows for this state.
    ///
    /// # Errors
    /// [`RowError`] if the store fails or a row is damaged.
    pub fn knows(&self, view: &dyn View, log: LogId, state: StateId) -> Result<bool, RowError> {
        Ok(Node::find(view, log, state)?.is_some())
    }

    /// Makes a state unreadable for ever: erases its row key and removes its rows. Unknown states are no error.
    ///
    /// # Errors
    /// [`RowError`] if the store fails.
    pub fn erase(&mut self, tx: &mut Turn<'_>, log: LogId, state: StateId) -> Result<(), RowError> {
        self.evict(log, state);
        if let Some(node) = Node::find(tx, log, state)? {
            node.erase(tx);
        }
        Ok(())
    }

    /// Writes the deferred changes of all groups. To be called once at the end of every turn.
    ///
    /// # Errors
    /// [`StateError`]; the turn has failed then and must be dropped, with [`GroupEngine::abort`].
    pub fn flush(&mut self, tx: &mut Turn<'_>) -> Result<(), StateError> {
        self.loaded.iter_mut().try_for_each(|loaded| loaded.flush(tx))?;
        Ok(())
    }

    /// The turn failed, before or after its flush: forgets every loaded group, so that the rows are read again.
    // spec: G-15
    pub fn abort(&mut self) {
        self.loaded.clear();
    }
}

impl Loaded {
    fn seal(
        &mut self,
        view: &dyn View,
        rng: &mut Rng,
        id: &Identity<'_>,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<(Vec<u8>, Writes), SealError> {
        let store = NodeStore::new(view, Some(&self.node));
        let provider = Provider { crypto: SeededCrypto::seeded(rng), store };
        self.group.set_aad(aad.to_vec());
        let message = self.group.create_message(&provider, &id.signer(), plaintext);
        let writes = provider.store.into_writes()?;
        let bytes = message
            .ok()
            .and_then(|message| message.to_bytes().ok())
            .ok_or_else(|| Bug::new("OpenMLS refused to seal"))?;
        if !writes.contains_key(&Entity::MessageSecrets) {
            return Err(Bug::new("sealing did not write the ratchet").into());
        }
        Ok((bytes, writes))
    }

    fn open(&mut self, view: &dyn View, message: ProtocolMessage) -> Result<Opened, OpenError> {
        if message.epoch() != self.group.epoch() {
            return Err(OpenError::Refused(Refusal::OtherGroup));
        }
        let store = NodeStore::deferring(view, &self.node);
        let provider = Provider { crypto: SeededCrypto::unseeded(), store };
        let processed = self.group.process_message(&provider, message);
        provider.store.check()?;
        let processed = processed.map_err(|e| refusal(&e))?;
        let Sender::Member(index) = processed.sender() else {
            return Err(OpenError::Refused(Refusal::Invalid));
        };
        let index = index.u32();
        let aad = processed.aad().to_vec();
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => {
                let (account, device) = self.sender(index)?;
                Ok(Opened { account, device, aad, plaintext: message.into_bytes() })
            }
            ProcessedMessageContent::OwnPrivateMessage => Err(OpenError::Refused(Refusal::Own)),
            _ => Err(OpenError::Refused(Refusal::Malformed)),
        }
    }

    /// Owner of a leaf.
    // spec: G-8
    fn sender(&mut self, index: u32) -> Result<(AccountId, DeviceId), OpenError> {
        if let Some(known) = self.senders.get(&index) {
            return Ok(*known);
        }
        let refused = OpenError::Refused(Refusal::Sender);
        let member = self.group.member_at(openmls::prelude::LeafNodeIndex::new(index));
        let member = member.ok_or_else(|| refused.clone())?;
        let owner = leaf::owner(&member.credential, &member.signature_key).map_err(|_| refused)?;
        self.senders.insert(index, owner);
        Ok(owner)
    }

    /// Writes the message secrets if opened messages wait.
    // spec: G-14
    fn flush(&mut self, tx: &mut Turn<'_>) -> Result<(), RowError> {
        if !self.dirty {
            return Ok(());
        }
        let store = NodeStore::new(tx, Some(&self.node));
        let provider = Provider { crypto: SeededCrypto::unseeded(), store };
        // No past epochs are kept, so all that this call does is to write the message secrets.
        let flushed = self.group.delete_past_epoch_secrets(&provider, PastEpochDeletion::delete_all());
        let writes = provider.store.into_writes()?;
        if flushed.is_err() || !writes.contains_key(&Entity::MessageSecrets) {
            return Err(RowError::Encode { entity: Entity::MessageSecrets.name() });
        }
        if !sabotage::active("no-flush") {
            apply(tx, &self.node, writes);
        }
        self.dirty = false;
        Ok(())
    }
}

/// Accepts only application messages of this log's group, before anything is decrypted: a message of another kind
/// would use up a key of the handshake ratchet.
// spec: G-7
fn parse(log: LogId, bytes: &[u8]) -> Result<ProtocolMessage, Refusal> {
    if bytes.len() > MAX_CIPHERTEXT {
        return Err(Refusal::TooLong);
    }
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| Refusal::Malformed)?;
    let message = message.try_into_protocol_message().map_err(|_| Refusal::Malformed)?;
    if !matches!(message, ProtocolMessage::PrivateMessage(_))
        || message.content_type() != ContentType::Application
    {
        return Err(Refusal::Malformed);
    }
    if message.group_id() != &group_id(log) {
        return Err(Refusal::OtherGroup);
    }
    Ok(message)
}

fn refusal<E>(error: &ProcessMessageError<E>) -> OpenError {
    let ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(
        MessageDecryptionError::SecretTreeError(error),
    )) = error
    else {
        return OpenError::Refused(Refusal::Invalid);
    };
    match error {
        SecretTreeError::SecretReuseError => OpenError::Replay,
        SecretTreeError::TooDistantInThePast => OpenError::Refused(Refusal::TooOld),
        SecretTreeError::TooDistantInTheFuture => OpenError::Refused(Refusal::TooFar),
        _ => OpenError::Refused(Refusal::Invalid),
    }
}

fn members(group: &MlsGroup) -> Result<Vec<(AccountId, DeviceId)>, StateError> {
    let owner = |m: openmls::group::Member| leaf::owner(&m.credential, &m.signature_key);
    let members: Result<Vec<_>, _> = group.members().map(owner).collect();
    members.map_err(|_| Bug::new("a stored leaf has no certificate").into())
}
