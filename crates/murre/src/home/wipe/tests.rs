use super::super::{Home, KdfCost, Passphrase, Shield, SqliteStore, counter, exists, make};
use super::*;
use murre_core::Batch;
use murre_core::store::Op;
use murre_store::{Store, StoreError};

const MARKER: &[u8] = b"what was said in confidence";

fn fill(store: &mut SqliteStore) -> Result<(), StoreError> {
    store.begin()?;
    let value = MARKER.to_vec();
    store.apply(&Batch { ops: vec![Op::Put { space: counter::SHELL, key: b"said".to_vec(), value }] })?;
    store.commit()
}

fn new_home(dir: &Path, passphrase: Option<&Passphrase>) -> PathBuf {
    let home = dir.join("home");
    make(&home, &Shield::from(passphrase.cloned()), KdfCost::LEAST, fill).unwrap();
    for name in ["key.tmp", "store.db-wal", "api.sock"] {
        fs::write(home.join(name), "left by a crash").unwrap();
    }
    for name in ["new", "log"] {
        fs::create_dir(home.join(name)).unwrap();
        fs::write(home.join(name).join("key"), "left by a crash").unwrap();
    }
    fs::remove_file(home.join("store.db-wal")).unwrap();
    home
}

/// Dies before the step with this number. `None` if it came to its end.
fn wipe_until(home: &Path, mut left: usize) -> Option<String> {
    let mut died = None;
    let mut steps = |name: &str| {
        if left == 0 {
            died = Some(name.to_owned());
            return Err(HomeError::Stretch);
        }
        left -= 1;
        Ok(())
    };
    let lock = Lock::take(home).unwrap();
    let done = destroy_key(home, &mut steps).and_then(|_| remove_rest(home, Some(lock), &mut steps));
    assert_eq!(done.is_err(), died.is_some(), "{done:?}");
    died
}

#[test]
fn a_wipe_that_dies_anywhere_opens_nothing_and_is_finished_by_the_next() {
    let pass = Passphrase::new("correct horse".to_owned());
    for passphrase in [None, Some(&pass)] {
        let mut step = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let home = new_home(dir.path(), passphrase);
            let copy = fs::read(home.join("store.db")).unwrap();
            let died = wipe_until(&home, step);
            // `key` is the first to be overwritten, `key.wrapped` comes after it and its `.tmp`.
            let key_lives = step <= if passphrase.is_some() { 2 } else { 0 };
            match (&died, key_lives) {
                (None, _) => assert!(!home.exists()),
                (Some(_), true) => Home::open(&home, passphrase).map(drop).unwrap(),
                (Some(at), false) => {
                    let opened = Home::open(&home, passphrase).map(drop).unwrap_err();
                    let gone = matches!(opened, HomeError::KeyMissing { .. } | HomeError::NoHome { .. });
                    assert!(gone, "{at}: {opened:?}");
                    // A copy of the store that somebody kept does not open by what is left, nor by the passphrase.
                    fs::write(home.join("store.db"), &copy).unwrap();
                    let copied = Home::open(&home, passphrase).map(drop).unwrap_err();
                    assert!(matches!(copied, HomeError::KeyMissing { .. }), "{at}: {copied:?}");
                }
            }
            if died.is_none() {
                break;
            }
            if !remains(&home).is_empty() {
                assert_eq!(wipe_until(&home, usize::MAX), None);
            }
            assert!(!exists(&home), "step {step}");
            step += 1;
        }
        assert!(step > 25, "{step} steps");
    }
}

#[test]
fn the_bytes_of_the_key_are_in_no_file_after_the_first_steps() {
    let dir = tempfile::tempdir().unwrap();
    let home = new_home(dir.path(), None);
    let file = fs::read(home.join("key")).unwrap();
    let held = fs::File::open(home.join("key")).unwrap();
    // Every key file has been overwritten, none is removed yet.
    assert_eq!(wipe_until(&home, 12).as_deref(), Some("remove key"));
    assert_eq!(fs::read(home.join("key")).unwrap(), vec![0; file.len()]);
    assert_eq!(wipe_until(&home, usize::MAX), None);
    // Whoever holds the file open reads zeros as well.
    let mut late = String::new();
    io::Read::read_to_string(&mut &held, &mut late).unwrap();
    assert_eq!(late.into_bytes(), vec![0; file.len()]);
}

#[test]
fn what_is_not_a_homes_stays() {
    let dir = tempfile::tempdir().unwrap();
    assert!(remains(dir.path()).is_empty());
    fs::write(dir.path().join("key"), "to the garden shed").unwrap();
    fs::create_dir(dir.path().join("log")).unwrap();
    assert!(remains(dir.path()).is_empty(), "a file called key makes no home");

    let home = new_home(dir.path(), None);
    fs::write(home.join("thesis.txt"), "years of work").unwrap();
    let lock = Lock::take(&home).unwrap();
    destroy_key(&home, &mut on).unwrap();
    assert_eq!(remove_rest(&home, Some(lock), &mut on).unwrap(), ["thesis.txt"]);
    assert!(remains(&home).is_empty() && !exists(&home));
}

#[test]
fn a_damaged_home_is_wiped_like_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let home = new_home(dir.path(), None);
    fs::write(home.join("key"), "rubbish").unwrap();
    fs::write(home.join("key.keyring"), "rubbish").unwrap();
    fs::write(home.join("store.db"), "rubbish").unwrap();
    fs::remove_file(home.join("sent")).unwrap();
    assert!(remains(&home).contains(&"key.keyring".to_owned()));
    assert_eq!(wipe_until(&home, usize::MAX), None);
    assert!(!home.exists());
}
