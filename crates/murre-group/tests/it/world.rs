//! A store in memory, people with certified devices, and turns.

use murre_core::id::{AccountId, DeviceId, LogId};
use murre_core::{Batch, Direction, Op, Range, Rng, Space, Turn, View, ViewError};
use murre_crypto::{AccountKey, DeviceCert, DeviceCertBody, DeviceKey};
use murre_group::{GroupEngine, Identity};
use std::collections::BTreeMap;

/// Rows by space and key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rows(pub BTreeMap<(Space, Vec<u8>), Vec<u8>>);

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows", self.0.len())
    }
}

impl View for Rows {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.0.get(&(space, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        space: Space,
        range: &Range,
        dir: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ViewError> {
        let rows = self.0.iter().filter(|((s, k), _)| *s == space && range.contains(k));
        let rows = rows.map(|((_, k), v)| (k.clone(), v.clone()));
        Ok(match dir {
            Direction::Forward => rows.take(limit).collect(),
            Direction::Backward => rows.rev().take(limit).collect(),
        })
    }
}

impl Rows {
    pub fn apply(&mut self, batch: &Batch) {
        for op in &batch.ops {
            match op {
                Op::Put { space, key, value } => {
                    self.0.insert((*space, key.clone()), value.clone());
                }
                Op::Delete { space, key } | Op::Erase { space, key } => {
                    self.0.remove(&(*space, key.clone()));
                }
                Op::Index { .. } | Op::Unindex { .. } | Op::WriteBlob { .. } | Op::DropBlob { .. } => {
                    panic!("groups index no text")
                }
            }
        }
    }
}

/// One device with its store.
pub struct Person {
    pub account: AccountId,
    pub device: DeviceKey,
    pub cert: DeviceCert,
    pub rng: Rng,
    pub rows: Rows,
    pub engine: GroupEngine,
}

impl Person {
    pub fn new(seed: u8) -> Self {
        let mut rng = Rng::from_seed([seed; 32]);
        let account = AccountKey::generate(&mut rng);
        let device = DeviceKey::generate(&mut rng);
        let cert = DeviceCertBody::issue(&account, device.id(), true);
        let (rows, engine) = (Rows::default(), GroupEngine::new());
        Self { account: account.id(), device, cert, rng, rows, engine }
    }

    pub fn who(&self) -> (AccountId, DeviceId) {
        (self.account, self.device.id())
    }

    /// One turn: the batch is applied and the engine flushed if it succeeds, dropped and aborted if not.
    pub fn turn<T, E>(
        &mut self,
        f: impl FnOnce(&mut GroupEngine, &mut Turn<'_>, &mut Rng, &Identity<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let id = Identity { device: &self.device, cert: &self.cert };
        let mut tx = Turn::new(&self.rows);
        match f(&mut self.engine, &mut tx, &mut self.rng, &id) {
            Ok(value) => {
                self.engine.flush(&mut tx).expect("flush");
                let batch = tx.into_batch();
                self.rows.apply(&batch);
                Ok(value)
            }
            Err(error) => {
                assert!(tx.into_batch().is_empty(), "a refused operation wrote rows");
                self.engine.abort();
                Err(error)
            }
        }
    }

    /// The process dies and starts again: what is not in the rows is gone.
    pub fn restart(&mut self) {
        self.engine = GroupEngine::new();
    }
}

pub fn log(n: u8) -> LogId {
    LogId::from_bytes([n; 32])
}
