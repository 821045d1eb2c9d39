//! A store that fails at any one read, and how many reads there are.

use crate::world::{Person, Rows, log};
use crate::{pair, seal};
use murre_core::{Direction, ErrorKind, HasKind, Range, Space, Turn, View, ViewError};
use murre_group::{GroupEngine, Identity};
use std::cell::Cell;

/// Counts reads and fails at the one with this number.
struct Faulty<'a> {
    rows: &'a Rows,
    reads: Cell<usize>,
    fail_at: usize,
}

impl<'a> Faulty<'a> {
    fn new(rows: &'a Rows, fail_at: usize) -> Self {
        Self { rows, reads: Cell::new(0), fail_at }
    }

    fn count(&self) -> Result<(), ViewError> {
        self.reads.set(self.reads.get() + 1);
        if self.reads.get() - 1 == self.fail_at {
            return Err(ViewError { what: "disk".to_owned() });
        }
        Ok(())
    }
}

impl View for Faulty<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.count()?;
        self.rows.get(space, key)
    }
    fn scan(
        &self,
        space: Space,
        range: &Range,
        dir: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ViewError> {
        self.count()?;
        self.rows.scan(space, range, dir, limit)
    }
}

/// Runs an operation with the n-th read failing, for every n until it succeeds; returns the number of reads.
fn every_read_may_fail<E: HasKind + std::fmt::Debug>(
    person: &Person,
    f: impl Fn(&mut GroupEngine, &mut Turn<'_>, &Identity<'_>) -> Result<(), E>,
) -> usize {
    let id = Identity { device: &person.device, cert: &person.cert };
    for fail_at in 0.. {
        let view = Faulty::new(&person.rows, fail_at);
        let mut tx = Turn::new(&view);
        let result = f(&mut GroupEngine::new(), &mut tx, &id);
        let empty = tx.into_batch().is_empty();
        match result {
            Ok(()) => {
                assert_eq!(view.reads.get(), fail_at, "a failed read was taken for an answer");
                return fail_at;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Environment, "read {fail_at}: {error:?}");
                assert!(empty, "read {fail_at} failed and rows were written");
            }
        }
    }
    unreachable!()
}

#[test]
fn a_failed_read_is_an_error_of_the_environment_and_writes_nothing() {
    let (mut alice, bob, state) = pair();
    let bytes = seal(&mut alice, state, b"x").unwrap();
    let rng = || murre_core::Rng::from_seed([3; 32]);
    let opening = every_read_may_fail(&bob, |e, tx, _| e.open(tx, log(1), state, &bytes).map(drop));
    let sealing =
        every_read_may_fail(&bob, |e, tx, id| e.seal(tx, &mut rng(), id, log(1), state, b"", b"x").map(drop));
    // A state's number and key, and at most one read for each of its entities.
    assert!(opening <= 13 && sealing <= 13, "{opening} and {sealing} reads");

    let (mut bob, mut carol) = (Person::new(2), Person::new(3));
    let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).unwrap();
    let packages = [package];
    let creating =
        every_read_may_fail(&carol, |e, tx, id| e.create(tx, &mut rng(), id, log(1), &packages).map(drop));
    let made = carol.turn(|e, tx, rng, id| e.create(tx, rng, id, log(1), &packages)).unwrap();
    let joining = every_read_may_fail(&bob, |e, tx, id| {
        e.join(tx, &mut rng(), id, log(1), made.state, &made.welcome).map(drop)
    });
    assert!(creating <= 2 && joining <= 5, "{creating} and {joining} reads");
}

#[test]
fn a_loaded_group_reads_nothing() {
    let (mut alice, mut bob, state) = pair();
    let wire: Vec<_> = (0u8..3).map(|n| seal(&mut alice, state, &[n]).unwrap()).collect();
    let view = Faulty::new(&bob.rows, usize::MAX);
    let mut tx = Turn::new(&view);
    bob.engine.open(&mut tx, log(1), state, &wire[0]).unwrap();
    let cold = view.reads.get();
    for bytes in &wire[1..] {
        bob.engine.open(&mut tx, log(1), state, bytes).unwrap();
    }
    bob.engine.flush(&mut tx).unwrap();
    assert_eq!(view.reads.get(), cold);
}
