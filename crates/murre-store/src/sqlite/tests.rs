use super::*;
use crate::conformance::{self, Change, SPACES, Step};
use crate::error::Misuse;
use murre_core::{ErrorKind, HasKind};
use proptest::prelude::*;
use std::fs;

pub(super) const KEY: [u8; 32] = [0x5a; 32];
pub(super) const SPACE: Space = Space::any(1, "test");
const MARKER: &[u8] = b"a marker that is nowhere else";

/// A directory for one store, plain or encrypted. Removed at the end of the test.
pub(super) struct Place {
    dir: tempfile::TempDir,
    pub key: Option<[u8; 32]>,
}

impl Place {
    pub fn new(key: Option<[u8; 32]>) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), key }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("store.db")
    }

    fn try_open(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(&self.path(), self.key.as_ref(), Config::default())
    }

    /// The files as a crash at this moment leaves them.
    pub fn crashed(&self) -> Self {
        let after = Self::new(self.key);
        for name in ["store.db", "store.db-wal"] {
            fs::copy(self.dir.path().join(name), after.dir.path().join(name)).unwrap();
        }
        after
    }

    pub fn open(&self) -> SqliteStore {
        self.try_open().unwrap()
    }

    /// The file and its WAL, each as it lies on the disk.
    pub fn raw(&self) -> [Vec<u8>; 2] {
        let wal = fs::read(self.dir.path().join("store.db-wal")).unwrap_or_default();
        [fs::read(self.path()).unwrap(), wal]
    }

    /// Every byte of the file and its WAL.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = fs::read(self.path()).unwrap();
        bytes.extend(fs::read(self.dir.path().join("store.db-wal")).unwrap_or_default());
        bytes
    }

    fn holds(&self, needle: &[u8]) -> bool {
        self.bytes().windows(needle.len()).any(|window| window == needle)
    }
}

pub(super) fn both() -> [Place; 2] {
    [Place::new(None), Place::new(Some(KEY))]
}

pub(super) fn put(key: &[u8], value: &[u8]) -> Op {
    Op::Put { space: SPACE, key: key.to_vec(), value: value.to_vec() }
}

pub(super) fn commit(store: &mut SqliteStore, ops: Vec<Op>) {
    store.begin().unwrap();
    store.apply(&Batch { ops }).unwrap();
    store.commit().unwrap();
}

/// Makes a database with plain SQLite, as another program would.
fn foreign(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn conforms(key: Option<[u8; 32]>) {
    let mut places = Vec::new();
    conformance::run(|| {
        places.push(Place::new(key));
        Box::new(places.last().unwrap().open())
    });
    let mut place = Place::new(key);
    conformance::run_durable(|fresh| {
        if fresh {
            place = Place::new(key);
        }
        Box::new(place.open())
    });
}

#[test]
fn plain_conforms() {
    conforms(None);
}

#[test]
fn encrypted_conforms() {
    conforms(Some(KEY));
}

fn any_step() -> impl Strategy<Value = Step> {
    let change = prop_oneof![
        3 => (0u16..40).prop_map(Change::Put),
        1 => (0u16..9000).prop_map(Change::Put),
        1 => Just(Change::Delete),
        1 => Just(Change::Erase),
    ];
    let end = (0..3u8, proptest::collection::vec(any::<u8>(), 0..10)).prop_map(|(kind, key)| match kind {
        0 => std::ops::Bound::Unbounded,
        1 => std::ops::Bound::Included(key),
        _ => std::ops::Bound::Excluded(key),
    });
    let dir = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    prop_oneof![
        4 => proptest::collection::vec((0..SPACES.len(), 0u8..16, change), 0..6).prop_map(Step::Apply),
        2 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        3 => (0..SPACES.len(), end.clone(), end, dir, 0usize..8)
            .prop_map(|(space, from, to, dir, limit)| Step::Scan(space, Range { from, to }, dir, limit)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_run_agrees_with_a_map(steps in proptest::collection::vec(any_step(), 1..40)) {
        conformance::replay(&mut crate::MemoryStore::new(), &steps);
        for place in both() {
            conformance::replay(&mut place.open(), &steps);
        }
    }
}

#[test]
fn an_erased_marker_is_in_no_file_after_a_checkpoint() {
    let place = Place::new(None);
    let mut store = place.open();
    // Long enough for overflow pages, and a text that waits for the index.
    let long = [MARKER, &[7; 9000], MARKER].concat();
    let text = String::from_utf8(MARKER.to_vec()).unwrap();
    commit(&mut store, vec![put(b"short", MARKER), put(b"long", &long), Op::Index { doc: 1, tag: 1, text }]);
    assert!(!store.wants_checkpoint());
    store.checkpoint().unwrap();
    assert!(place.holds(MARKER), "or the test would prove nothing");
    let erase = |key: &[u8]| Op::Erase { space: SPACE, key: key.to_vec() };
    commit(&mut store, vec![erase(b"short"), erase(b"long"), Op::Unindex { doc: 1 }]);
    assert!(store.wants_checkpoint());
    store.checkpoint().unwrap();
    assert!(!store.wants_checkpoint());
    assert!(!place.holds(MARKER));
}

#[test]
fn an_erase_that_a_crash_cut_short_is_finished_at_the_next_open() {
    let place = Place::new(None);
    let mut store = place.open();
    commit(&mut store, vec![put(b"k", MARKER)]);
    store.checkpoint().unwrap();
    commit(&mut store, vec![Op::Erase { space: SPACE, key: b"k".to_vec() }]);
    // Erased in the WAL, still there in the main file.
    let after = place.crashed();
    assert!(after.holds(MARKER));
    let _store = after.open();
    assert!(!after.holds(MARKER));
}

#[test]
fn a_crash_keeps_what_is_committed_and_only_that() {
    // So small a cache that pages of the open transaction reach the WAL before its commit.
    let config = Config { cache_kib: 16, ..Config::default() };
    for place in both() {
        let mut store = SqliteStore::open(&place.path(), place.key.as_ref(), config).unwrap();
        for round in 0..20u8 {
            commit(
                &mut store,
                vec![put(&[round], b"kept"), Op::Delete { space: SPACE, key: vec![round / 2] }],
            );
            let before = place.bytes();
            store.begin().unwrap();
            let many = (0..50u8).map(|i| put(&[200, i], &[round; 4000])).collect();
            store.apply(&Batch { ops: many }).unwrap();
            assert!(place.bytes() != before, "nothing reached the WAL");
            let after = place.crashed().open();
            store.rollback();
            let all = |view: &SqliteStore| view.scan(SPACE, &Range::all(), Direction::Forward, 999).unwrap();
            assert_eq!(all(&after), all(&store), "round {round}");
            assert!(!all(&after).is_empty() || round == 0);
        }
    }
}

#[test]
fn a_rolled_back_erase_asks_for_nothing() {
    let place = Place::new(None);
    let mut store = place.open();
    commit(&mut store, vec![put(b"k", b"v")]);
    store.begin().unwrap();
    store.apply(&Batch { ops: vec![Op::Erase { space: SPACE, key: b"k".to_vec() }] }).unwrap();
    assert_eq!(store.checkpoint(), Err(Misuse::AlreadyOpen.into()), "not inside a transaction");
    store.rollback();
    commit(&mut store, vec![]);
    assert!(!store.wants_checkpoint());
    assert_eq!(store.get(SPACE, b"k"), Ok(Some(b"v".to_vec())));
}

#[test]
fn an_encrypted_file_shows_nothing() {
    let place = Place::new(Some(KEY));
    let mut store = place.open();
    commit(&mut store, vec![put(MARKER, MARKER)]);
    assert!(!place.holds(MARKER), "not in the WAL");
    store.checkpoint().unwrap();
    for needle in [MARKER, b"SQLite format 3", b"CREATE TABLE", &KEY] {
        assert!(!place.holds(needle), "{}", String::from_utf8_lossy(needle));
    }
    let plain = Place::new(None);
    plain.open().checkpoint().unwrap();
    assert!(plain.holds(b"SQLite format 3") && plain.holds(b"CREATE TABLE"), "what a plain file shows");
}

#[test]
fn another_key_is_told_from_no_database() {
    let place = Place::new(Some(KEY));
    commit(&mut place.open(), vec![put(b"k", b"v")]);
    let before = place.bytes();
    for key in [Some([1; 32]), None] {
        let error = SqliteStore::open(&place.path(), key.as_ref(), Config::default()).unwrap_err();
        assert_eq!(error, StoreError::WrongKey);
        assert_eq!(error.kind(), ErrorKind::Caller);
    }
    assert!(place.bytes() == before, "nothing was changed");
    assert_eq!(place.open().get(SPACE, b"k"), Ok(Some(b"v".to_vec())));

    let plain = Place::new(None);
    plain.open();
    assert_eq!(
        SqliteStore::open(&plain.path(), Some(&KEY), Config::default()).unwrap_err(),
        StoreError::WrongKey,
        "a plain store under a key"
    );
    fs::write(plain.path(), b"not a database at all, but some text that is long enough").unwrap();
    assert_eq!(plain.try_open().unwrap_err(), StoreError::WrongKey);
}

#[test]
fn a_database_of_another_application_is_left_alone() {
    for (sql, application_id) in [
        ("CREATE TABLE t(x); INSERT INTO t VALUES(1);", 0),
        ("PRAGMA application_id = 77; CREATE TABLE t(x);", 77),
        ("PRAGMA user_version = 1;", 0),
        // One that a WAL belongs to, which a careless close would fold into the file.
        ("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1);", 0),
    ] {
        let place = Place::new(None);
        foreign(&place.path(), sql);
        let before = place.bytes();
        assert_eq!(place.try_open().unwrap_err(), StoreError::Foreign { application_id }, "{sql}");
        assert!(place.bytes() == before, "{sql}: nothing was changed");
    }
}

#[test]
fn a_foreign_wal_is_not_folded_into_its_file() {
    let original = Place::new(None);
    let other = Connection::open(original.path()).unwrap();
    other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1);").unwrap();
    let place = original.crashed();
    let before = place.bytes();
    assert!(matches!(place.try_open(), Err(StoreError::Foreign { .. })));
    assert!(place.bytes() == before);
}

#[test]
fn a_store_of_another_version_is_left_alone() {
    let place = Place::new(None);
    place.open();
    foreign(&place.path(), "PRAGMA user_version = 9;");
    let before = place.bytes();
    let error = place.try_open().unwrap_err();
    assert_eq!(error, StoreError::Version { found: 9, ours: open::SCHEMA_VERSION });
    assert!(place.bytes() == before);
}

#[test]
fn a_table_that_no_space_makes_is_damage() {
    let place = Place::new(None);
    place.open();
    foreign(&place.path(), "CREATE TABLE s5(k TEXT);");
    assert!(matches!(place.try_open(), Err(StoreError::Corrupt { .. })));
}

#[test]
fn damaged_pages_are_an_error_and_never_a_value() {
    for place in both() {
        let rows = (0..400u16).map(|i| put(&i.to_be_bytes(), &[1; 100])).collect();
        let mut store = place.open();
        commit(&mut store, rows);
        store.checkpoint().unwrap();
        drop(store);
        let mut bytes = fs::read(place.path()).unwrap();
        assert!(bytes.len() > 8 * 4096);
        bytes[4096 * 2..].fill(0xee);
        fs::write(place.path(), bytes).unwrap();
        // Under encryption the damage may show while the file is opened; in any case it is named.
        match place.try_open() {
            Ok(store) => {
                let error = store.scan(SPACE, &Range::all(), Direction::Forward, 1000).unwrap_err();
                let message = error.to_string();
                assert!(message.contains("damaged"), "{message}");
            }
            Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}"),
        }
    }
}

#[test]
fn a_reader_sees_what_is_committed_and_cannot_write() {
    for place in both() {
        let mut store = place.open();
        let reader = store.reader().unwrap();
        let get = |key: &[u8]| reader.get(SPACE, key).unwrap();
        assert_eq!(get(b"k"), None, "a space never written");
        store.begin().unwrap();
        store.apply(&Batch { ops: vec![put(b"k", b"v")] }).unwrap();
        assert_eq!(get(b"k"), None, "not committed yet");
        assert_eq!(store.get(SPACE, b"k"), Ok(Some(b"v".to_vec())));
        store.commit().unwrap();
        assert_eq!(get(b"k"), Some(b"v".to_vec()));
        let rows = reader.scan(SPACE, &Range::all(), Direction::Backward, 9).unwrap();
        assert_eq!(rows, vec![(b"k".to_vec(), b"v".to_vec())]);
        assert!(reader.get(Space::seq(SPACE.id, "other"), &[0; 8]).is_err());
        assert!(
            reader.scan(Space::seq(77, "absent"), &Range::all(), Direction::Forward, 1).unwrap().is_empty()
        );
        store.checkpoint().expect("an idle reader does not block a checkpoint");
        assert_eq!(get(b"k"), Some(b"v".to_vec()));
        fn can_move_to_another_thread<T: Send>(_: T) {}
        can_move_to_another_thread(reader);
        can_move_to_another_thread(store);
    }
}

#[test]
fn a_second_writer_is_told_that_the_store_is_busy() {
    let place = Place::new(None);
    let config = Config { busy_ms: 1, ..Config::default() };
    let mut first = place.open();
    let mut second = SqliteStore::open(&place.path(), None, config).unwrap();
    first.begin().unwrap();
    assert_eq!(second.begin(), Err(StoreError::Busy));
    first.rollback();
    second.begin().expect("free again");
}

#[test]
fn a_full_disk_loses_the_transaction_and_nothing_else() {
    let place = Place::new(None);
    let mut store = place.open();
    commit(&mut store, vec![put(b"kept", b"v")]);
    let pages: i64 = store.conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.conn.execute_batch(&format!("PRAGMA max_page_count = {}", pages + 3)).unwrap();
    store.begin().unwrap();
    let fresh = Op::Put { space: SPACES[0], key: vec![0; 8], value: vec![1; 10] };
    store.apply(&Batch { ops: vec![fresh] }).unwrap();
    assert_eq!(store.apply(&Batch { ops: vec![put(b"big", &[1; 100_000])] }), Err(StoreError::Full));
    assert_eq!(store.commit(), Err(Misuse::Failed.into()), "what SQLite rolled back is not committed");
    store.rollback();
    assert_eq!(store.get(SPACE, b"kept"), Ok(Some(b"v".to_vec())));
    assert_eq!(store.get(SPACES[0], &[0; 8]), Ok(None), "a table made before the failure is forgotten");
    store.conn.execute_batch("PRAGMA max_page_count = 100000").unwrap();
    commit(&mut store, vec![put(b"big", &[1; 100_000])]);
}

#[test]
fn a_failed_commit_keeps_nothing_and_leaves_no_transaction() {
    let place = Place::new(None);
    let mut store = place.open();
    commit(&mut store, vec![put(b"kept", b"v")]);
    store.begin().unwrap();
    let erase = Op::Erase { space: SPACE, key: b"kept".to_vec() };
    let fresh = Op::Put { space: SPACES[0], key: vec![0; 8], value: vec![1] };
    store.apply(&Batch { ops: vec![erase, fresh] }).unwrap();
    // What SQLite does by itself when a write fails beneath it.
    store.conn.execute_batch("ROLLBACK").unwrap();
    assert!(matches!(store.commit(), Err(StoreError::Io { .. })));
    assert_eq!(store.get(SPACE, b"kept"), Ok(Some(b"v".to_vec())));
    assert_eq!(store.get(SPACES[0], &[0; 8]), Ok(None));
    assert!(!store.wants_checkpoint());
    commit(&mut store, vec![put(b"after", b"v")]);
}

#[test]
fn a_checkpoint_that_a_reader_prevents_is_still_wanted() {
    let place = Place::new(None);
    let config = Config { busy_ms: 1, ..Config::default() };
    let mut store = SqliteStore::open(&place.path(), None, config).unwrap();
    commit(&mut store, vec![put(b"k", MARKER)]);
    let reader = Connection::open(place.path()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM s1;").unwrap();
    commit(&mut store, vec![Op::Erase { space: SPACE, key: b"k".to_vec() }]);
    assert_eq!(store.checkpoint(), Err(StoreError::Busy));
    assert!(store.wants_checkpoint());
    drop(store);
    let mut store = SqliteStore::open(&place.path(), None, config).unwrap();
    assert!(store.wants_checkpoint(), "also after opening again");
    assert!(place.holds(MARKER));
    reader.execute_batch("COMMIT").unwrap();
    store.checkpoint().unwrap();
    assert!(!store.wants_checkpoint() && !place.holds(MARKER));
}

#[test]
fn the_settings_that_make_commits_durable_hold() {
    for place in both() {
        let store = place.open();
        for (pragma, expected) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("page_size", "4096"),
            ("secure_delete", "1"),
            ("temp_store", "2"),
            ("wal_autocheckpoint", "1000"),
            ("cache_size", "-4096"),
            ("foreign_keys", "0"),
        ] {
            let value: rusqlite::types::Value =
                store.conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
            let value = match value {
                rusqlite::types::Value::Integer(n) => n.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => panic!("{pragma} is {other:?}"),
            };
            assert_eq!(value, expected, "{pragma}");
        }
    }
}

mod text;

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new(None);
    let mut store = place.open();
    commit(&mut store, vec![put(b"k", b"v")]);
    for name in ["store.db", "store.db-wal"] {
        let mode = fs::metadata(place.dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_the_environments_fault() {
    let place = Place::new(None);
    let path = place.dir.path().join("absent").join("store.db");
    let error = SqliteStore::open(&path, None, Config::default()).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Environment);
}
