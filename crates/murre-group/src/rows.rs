//! The rows of this layer. Spaces 120-139.
//!
//! ```text
//!  120 group states   any   log (32) || state (32)              -> node number (u64 BE)
//!  121 group keys     seq   node number                         -> 32 random bytes: the state's row key
//!  122 group rows     seq   node number << 8 | entity           -> sealed entity
//!  123 group kps      any   BLAKE3(MLS key package ref) (32)    -> key package with its private keys
//!  124 group guards   any   BLAKE3(log || epoch authenticator)  -> state (32): these keys were taken up once
//! ```
//!
//! A state ("node") is up to 11 small rows, one for each value OpenMLS stores, so that an application message
//! rewrites one of them. Each row is sealed under its state's row key: erasing 32 bytes in space 121 makes every
//! copy of every row unreadable, wherever the store or a file system may have kept it.
//!
//! ```text
//!  sealed entity = nonce (24) || XChaCha20-Poly1305(row key, nonce, aad, payload)
//!  aad           = log || state || entity
//!  nonce         = first 24 bytes of BLAKE3-KDF("murre v1 group row nonce", row key || entity || payload)
//! ```
//!
//! The nonce is made from what is sealed, so it repeats only together with the whole row. That keeps rows a
//! function of their content: no randomness is needed to flush.

use crate::error::RowError;
use murre_core::codec::{decode_row, encode_row};
use murre_core::id::{LogId, StateId};
use murre_core::{Direction, Label, Range, Rng, Space, Turn, View};
use murre_crypto::{Secret, seal};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// From (log, state) to the local number of the state.
pub const STATES: Space = Space::any(120, "group states");
/// Row keys by state number.
pub const KEYS: Space = Space::seq(121, "group keys");
/// Sealed entities by state number and entity.
pub const ROWS: Space = Space::seq(122, "group rows");
/// Own key packages with their private keys.
pub const KEY_PACKAGES: Space = Space::any(123, "group key packages");
/// Keys that were taken up once must not be taken up again.
pub const GUARDS: Space = Space::any(124, "group guards");

const VERSION: u8 = 1;
const NONCE: usize = 24;
const ROW_NONCE: Label = Label::new("murre v1 group row nonce");
const GUARD: Label = Label::new("murre v1 group guard");

/// One value that OpenMLS stores for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Entity {
    /// The public ratchet tree.
    Tree = 1,
    /// The group context.
    Context = 2,
    /// The interim transcript hash.
    InterimHash = 3,
    /// The confirmation tag.
    ConfirmationTag = 4,
    /// Operational, or with a commit pending; the latter never reaches a row.
    GroupState = 5,
    /// The secret tree: the one row that an application message rewrites.
    MessageSecrets = 6,
    /// Own leaf index.
    OwnIndex = 7,
    /// Init, exporter and other secrets of the epoch.
    EpochSecrets = 8,
    /// Private keys of the own path, by epoch and leaf.
    EpochKeys = 9,
    /// Own leaves waiting in an update proposal.
    OwnLeaves = 10,
    /// Private keys of those, by public key.
    LeafKeys = 11,
}

impl Entity {
    /// Every entity.
    pub(crate) const ALL: [Self; 11] = [
        Self::Tree,
        Self::Context,
        Self::InterimHash,
        Self::ConfirmationTag,
        Self::GroupState,
        Self::MessageSecrets,
        Self::OwnIndex,
        Self::EpochSecrets,
        Self::EpochKeys,
        Self::OwnLeaves,
        Self::LeafKeys,
    ];

    /// For errors and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Context => "context",
            Self::InterimHash => "interim transcript hash",
            Self::ConfirmationTag => "confirmation tag",
            Self::GroupState => "group state",
            Self::MessageSecrets => "message secrets",
            Self::OwnIndex => "own leaf index",
            Self::EpochSecrets => "epoch secrets",
            Self::EpochKeys => "epoch key pairs",
            Self::OwnLeaves => "own leaf nodes",
            Self::LeafKeys => "leaf key pairs",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeRow {
    n: u64,
}

/// Where one state's rows lie and what opens them.
pub(crate) struct Node {
    log: LogId,
    state: StateId,
    number: u64,
    key: Secret<32>,
}

fn state_key(log: LogId, state: StateId) -> [u8; 64] {
    let mut out = [0; 64];
    let (a, b) = out.split_at_mut(32);
    a.copy_from_slice(log.as_bytes());
    b.copy_from_slice(state.as_bytes());
    out
}

impl Node {
    /// The rows of a state, or `None` if there are none.
    pub(crate) fn find(view: &dyn View, log: LogId, state: StateId) -> Result<Option<Self>, RowError> {
        let damaged = RowError::Damaged { entity: "state" };
        let Some(row) = view.get(STATES, &state_key(log, state))? else { return Ok(None) };
        let NodeRow { n: number } = decode_row(VERSION, &row).map_err(|_| damaged.clone())?;
        let Some(key) = view.get(KEYS, &number.to_be_bytes())? else { return Ok(None) };
        let key = <[u8; 32]>::try_from(Zeroizing::new(key).as_slice()).map_err(|_| damaged)?;
        Ok(Some(Self { log, state, number, key: Secret::new(key) }))
    }

    /// A new state with a fresh row key; writes its number and key.
    pub(crate) fn create(
        tx: &mut Turn<'_>,
        rng: &mut Rng,
        log: LogId,
        state: StateId,
    ) -> Result<Self, RowError> {
        let last = tx.scan(KEYS, &Range::all(), Direction::Backward, 1)?;
        let number = match last.first() {
            None => 0,
            Some((key, _)) => {
                let key = <[u8; 8]>::try_from(key.as_slice())
                    .map_err(|_| RowError::Damaged { entity: "state number" })?;
                u64::from_be_bytes(key).saturating_add(1)
            }
        };
        let key = Secret::generate(rng);
        tx.put(KEYS, &number.to_be_bytes(), key.expose().to_vec());
        tx.put(STATES, &state_key(log, state), encode_row(VERSION, &NodeRow { n: number }));
        Ok(Self { log, state, number, key })
    }

    fn row_key(&self, entity: Entity) -> [u8; 8] {
        (self.number << 8 | u64::from(entity as u8)).to_be_bytes()
    }

    fn aad(&self, entity: Entity) -> Vec<u8> {
        let mut aad = state_key(self.log, self.state).to_vec();
        aad.push(entity as u8);
        aad
    }

    /// One entity's payload.
    pub(crate) fn read(
        &self,
        view: &dyn View,
        entity: Entity,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, RowError> {
        let damaged = RowError::Damaged { entity: entity.name() };
        let Some(row) = view.get(ROWS, &self.row_key(entity))? else { return Ok(None) };
        let Some((nonce, sealed)) = row.split_first_chunk::<NONCE>() else { return Err(damaged) };
        let payload = seal::open(&self.key, nonce, &self.aad(entity), sealed).map_err(|_| damaged)?;
        Ok(Some(Zeroizing::new(payload)))
    }

    /// Seals and writes one entity's payload.
    // spec: G-11
    pub(crate) fn write(&self, tx: &mut Turn<'_>, entity: Entity, payload: &[u8]) {
        let mut row = [0; NONCE].to_vec();
        let mut nonce = [0; NONCE];
        ROW_NONCE.fill(&[self.key.expose(), &[entity as u8], payload], &mut nonce);
        row.copy_from_slice(&nonce);
        row.extend_from_slice(&seal::seal(&self.key, &nonce, &self.aad(entity), payload));
        tx.put(ROWS, &self.row_key(entity), row);
    }

    /// Removes one entity.
    pub(crate) fn remove(&self, tx: &mut Turn<'_>, entity: Entity) {
        tx.delete(ROWS, &self.row_key(entity));
    }

    /// Makes the whole state unreadable and removes its rows.
    // spec: G-12
    pub(crate) fn erase(&self, tx: &mut Turn<'_>) {
        tx.erase(KEYS, &self.number.to_be_bytes());
        for entity in Entity::ALL {
            self.remove(tx, entity);
        }
        tx.delete(STATES, &state_key(self.log, self.state));
    }
}

/// Name of one set of epoch keys, whatever state id somebody gives it.
pub(crate) fn guard_key(log: LogId, epoch_authenticator: &[u8]) -> [u8; 32] {
    GUARD.hash(&[log.as_bytes(), epoch_authenticator])
}
