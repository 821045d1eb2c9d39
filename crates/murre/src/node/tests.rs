//! A node whose store fails while it is told something that has to outlast that.

use super::OpenNode;
use super::kept::Kept;
use crate::driver::{AskError, Driver, Keeper, Parts};
use crate::machines::NodeNotice;
use murre_core::store::Rows;
use murre_core::{Batch, Direction, Query, Range, Search, Space, View, ViewError};
use murre_custodian::{Answer, Command, Custodian};
use murre_mailbox::NetworkFile;
use murre_store::{Backlog, Fault, MemoryStore, Store, StoreError};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// A store that the test can make fail while the driver owns it.
#[derive(Clone, Default)]
struct Failing(Arc<Mutex<MemoryStore>>);

impl Failing {
    fn lock(&self) -> MutexGuard<'_, MemoryStore> {
        self.0.lock().unwrap()
    }
}

impl View for Failing {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.lock().get(space, key)
    }
    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        self.lock().scan(space, range, dir, limit)
    }
}

impl Store for Failing {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.lock().begin()
    }
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.lock().apply(batch)
    }
    fn commit(&mut self) -> Result<(), StoreError> {
        self.lock().commit()
    }
    fn rollback(&mut self) {
        self.lock().rollback();
    }
    fn wants_index(&self) -> Backlog {
        self.lock().wants_index()
    }
    fn index(&mut self) -> Result<(), StoreError> {
        self.lock().index()
    }
}

impl Search for Failing {
    fn search(
        &self,
        query: &Query,
        tag: Option<u32>,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, ViewError> {
        self.lock().search(query, tag, below, limit)
    }
}

impl Keeper for Failing {}

/// Answers `(leaving, without_room)`.
async fn state(driver: &Driver<Custodian>) -> Result<(bool, bool), AskError> {
    match driver.ask(Command::Status).await? {
        Answer::Status(status) => Ok((status.leaving, status.without_room)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_node_that_leaves_goes_on_leaving_when_its_store_fails_and_one_without_room_takes_nothing() {
    let (store, kept) = (Failing::default(), Kept::default());
    let (_inputs, from_net) = mpsc::channel(1);
    let (tell, mut told) = mpsc::unbounded_channel();
    let driver = Driver::start(Parts::<Custodian, _, _> {
        store: store.clone(),
        opener: OpenNode {
            key: Zeroizing::new([7; 32]),
            network: NetworkFile::devnet(),
            addrs: vec![],
            bootstrap: vec![],
            disk: 1 << 30,
            kept: kept.clone(),
        },
        inputs: from_net,
        transmit: Box::new(|_| {}),
        notice: Box::new(move |notice| {
            let _ = tell.send(notice);
        }),
        counter: None,
        hold: Box::new(()),
    })
    .await
    .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(state(&driver).await, Ok((false, false)));

    // The command itself is lost with the store. Whoever asked is heard all the same.
    kept.leave();
    store.lock().fail_next(Fault::Begin);
    assert_eq!(driver.ask(Command::Drain).await, Err(AskError::Environment));
    assert_eq!(state(&driver).await, Ok((true, false)));
    assert_eq!(told.recv().await, Some(NodeNotice::Drained(0)));

    // Another failure while it leaves, and a full disk that was found before.
    kept.room(false);
    store.lock().fail_next(Fault::Begin);
    assert_eq!(state(&driver).await, Err(AskError::Environment));
    assert_eq!(state(&driver).await, Ok((true, true)));
    driver.stop().await;
}
