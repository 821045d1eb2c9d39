//! Homes: made whole or not at all, held by one process, opened only by what hides them.

use murre::home::{
    Home, HomeError, KdfCost, MakeError, Passphrase, Protection, Shield, counter::SendCounter, make,
};
use murre_core::{Batch, ErrorKind, HasKind, Space, View, store::Op};
use murre_store::{Config, SqliteStore, Store, StoreError};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SPACE: Space = Space::any(300, "test.rows");

fn batch(value: &[u8]) -> Batch {
    Batch { ops: vec![Op::Put { space: SPACE, key: b"k".to_vec(), value: value.to_vec() }] }
}

fn put(store: &mut SqliteStore, batch: &Batch) -> Result<(), StoreError> {
    store.begin()?;
    store.apply(batch)?;
    store.commit()
}

fn fill(store: &mut SqliteStore) -> Result<(), StoreError> {
    put(store, &batch(b"first"))
}

fn made(home: &Path, passphrase: Option<&Passphrase>) {
    make(home, &passphrase.cloned().into(), KdfCost::LEAST, fill).unwrap();
}

fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_home_is_private_and_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("deep/er/home");
    made(&home, None);
    assert_eq!(listing(&home), ["key", "lock", "sent", "store.db"]);
    assert_eq!(mode(&home), 0o700);
    for name in listing(&home) {
        assert_eq!(mode(&home.join(&name)), 0o600, "{name}");
    }
    let (open, store, _) = Home::open(&home, None).unwrap();
    assert_eq!(open.protection(), Protection::KeyFile);
    assert_eq!(store.get(SPACE, b"k").unwrap().as_deref(), Some(b"first".as_slice()));
    let raw = fs::read(home.join("store.db")).unwrap();
    assert!(!raw.windows(15).any(|w| w == b"SQLite format 3"), "the store is encrypted");
}

#[test]
fn a_passphrase_is_needed_right_and_not_given_in_vain() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let right = Passphrase::new("correct horse".to_owned());
    made(&home, Some(&right));
    assert!(matches!(Home::open(&home, None), Err(HomeError::PassphraseNeeded)));
    let wrong = Passphrase::new("correct hors".to_owned());
    assert!(matches!(Home::open(&home, Some(&wrong)), Err(HomeError::WrongPassphrase)));
    let (open, ..) = Home::open(&home, Some(&right)).unwrap();
    assert_eq!(open.protection(), Protection::Passphrase);

    let plain = dir.path().join("plain");
    made(&plain, None);
    assert!(matches!(Home::open(&plain, Some(&right)), Err(HomeError::NotProtected)));
}

#[test]
fn a_home_is_held_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    made(&home, None);
    let held = Home::open(&home, None).unwrap();
    match Home::open(&home, None) {
        Err(HomeError::AlreadyRunning { pid }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    drop(held);
    Home::open(&home, None).unwrap();
}

#[test]
fn an_existing_home_is_not_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    made(&home, None);
    let key = fs::read(home.join("key")).unwrap();
    let again = make(&home, &Shield::KeyFile, KdfCost::LEAST, fill).unwrap_err();
    assert!(matches!(again, MakeError::Exists { .. }));
    assert_eq!(again.kind(), ErrorKind::Caller);
    assert_eq!(fs::read(home.join("key")).unwrap(), key);
}

#[test]
fn a_directory_with_other_files_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    let refused = make(dir.path(), &Shield::KeyFile, KdfCost::LEAST, fill).unwrap_err();
    assert!(matches!(refused, MakeError::NotEmpty { .. }));
    assert_eq!(listing(dir.path()), ["letter.txt"]);
}

#[test]
fn a_failed_init_leaves_nothing_and_an_interrupted_one_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("a/home");
    let failed =
        make(&home, &Shield::KeyFile, KdfCost::LEAST, |_| Err::<(), _>(StoreError::Full)).unwrap_err();
    assert!(matches!(failed, MakeError::Fill(StoreError::Full)));
    assert_eq!(listing(dir.path()), Vec::<String>::new());

    fs::create_dir_all(home.join("new")).unwrap();
    fs::write(home.join("new/store.db"), "half").unwrap();
    made(&home, None);
    assert_eq!(listing(&home), ["key", "lock", "sent", "store.db"]);
}

#[test]
fn every_flipped_bit_of_a_key_file_shows_as_damage() {
    let dir = tempfile::tempdir().unwrap();
    let pass = Passphrase::new("p".to_owned());
    for (name, passphrase) in [("key", None), ("key.wrapped", Some(&pass))] {
        let home = dir.path().join(name);
        made(&home, passphrase);
        let good = fs::read(home.join(name)).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(home.join(name), bad).unwrap();
            match Home::open(&home, passphrase) {
                Err(HomeError::KeyDamaged { .. }) => {}
                other => panic!("{name} bit {bit}: {other:?}"),
            }
        }
        fs::remove_file(home.join(name)).unwrap();
        assert!(matches!(Home::open(&home, passphrase), Err(HomeError::KeyMissing { .. })));
    }
}

#[test]
fn each_kind_of_wrong_store_has_its_own_error_and_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let other = dir.path().join("other");
    made(&home, None);
    made(&other, None);
    let db = home.join("store.db");

    fs::copy(other.join("store.db"), &db).unwrap();
    let before = fs::read(&db).unwrap();
    assert!(matches!(Home::open(&home, None), Err(HomeError::StoreKey { .. })));
    assert_eq!(fs::read(&db).unwrap(), before);

    fs::write(&db, b"SQLite format 3\0 and then nothing of ours").unwrap();
    let before = fs::read(&db).unwrap();
    assert!(matches!(Home::open(&home, None), Err(HomeError::StoreKey { .. })));
    assert_eq!(fs::read(&db).unwrap(), before);

    fs::remove_file(&db).unwrap();
    assert!(matches!(Home::open(&home, None), Err(HomeError::NoStore { .. })));
    let nothing = dir.path().join("nothing");
    assert!(matches!(Home::open(&nothing, None), Err(HomeError::NoHome { .. })));
    assert!(!nothing.exists());
}

#[test]
fn a_store_copied_back_never_sends_again() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    made(&home, None);
    let old = fs::read(home.join("store.db")).unwrap();
    {
        let (_home, mut store, mut counter) = Home::open(&home, None).unwrap();
        for _ in 0..3 {
            put(&mut store, &counter.next()).unwrap();
            counter.raise().unwrap();
        }
        // A crash between COMMIT and raise: the store is ahead.
        put(&mut store, &counter.next()).unwrap();
    }
    Home::open(&home, None).unwrap();
    fs::write(home.join("store.db"), old).unwrap();
    match Home::open(&home, None) {
        Err(HomeError::RolledBack { store: 0, sent: 3 }) => {}
        other => panic!("{other:?}"),
    }
    fs::write(home.join("sent"), [0; 16]).unwrap();
    assert!(matches!(Home::open(&home, None), Err(HomeError::CounterDamaged { .. })));
}

#[test]
fn a_counter_in_memory_follows_what_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sent");
    SendCounter::create(&path).unwrap();
    let mut store = SqliteStore::open(&dir.path().join("db"), None, Config::default()).unwrap();
    let mut counter = SendCounter::open(&path, &store).unwrap();
    put(&mut store, &counter.next()).unwrap();
    counter.raise().unwrap();
    let again = SendCounter::open(&path, &store).unwrap();
    assert_eq!(again.next(), counter.next());
}

#[test]
fn the_first_line_of_a_file_is_the_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pass");
    let home = dir.path().join("home");
    made(&home, Some(&Passphrase::new("two words".to_owned())));
    fs::write(&path, "two words\r\nsecond line\n").unwrap();
    Home::open(&home, Some(&Passphrase::read_file(&path).unwrap())).unwrap();
    for bad in [String::new(), "\n".to_owned(), "x".repeat(5_000)] {
        fs::write(&path, bad).unwrap();
        assert!(Passphrase::read_file(&path).is_err());
    }
}
