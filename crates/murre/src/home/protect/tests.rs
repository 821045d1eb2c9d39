use super::super::{Config, SqliteStore, make};
use super::*;
use murre_core::store::Op;
use murre_core::{Batch, Space, View};
use murre_store::{Store, StoreError};
use std::path::PathBuf;

const SPACE: Space = Space::any(300, "test.rows");

fn pass(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

fn under(text: &str) -> Shield {
    Shield::Passphrase(pass(text))
}

fn fill(store: &mut SqliteStore) -> Result<(), StoreError> {
    store.begin()?;
    store
        .apply(&Batch { ops: vec![Op::Put { space: SPACE, key: b"k".to_vec(), value: b"kept".to_vec() }] })?;
    store.commit()
}

/// A home in a directory that goes away with the test.
struct Place(tempfile::TempDir);

impl Place {
    fn new(shield: &Shield, cost: KdfCost) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        make(&place.home(), shield, cost, fill).unwrap();
        place
    }

    fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    fn keys(&self) -> Vec<&'static str> {
        Protection::ALL.map(Protection::file).into_iter().filter(|name| self.file(name).exists()).collect()
    }

    fn open(&self, passphrase: Option<&str>) -> Result<(), HomeError> {
        let (_, store, _) = Home::open(&self.home(), passphrase.map(pass).as_ref())?;
        assert_eq!(store.get(SPACE, b"k").unwrap().as_deref(), Some(b"kept".as_slice()));
        Ok(())
    }

    /// The database key, as the home has it now.
    fn key(&self, passphrase: Option<&str>) -> Zeroizing<[u8; 32]> {
        Found::read(&self.home()).unwrap().key.open(passphrase.map(pass).as_ref()).unwrap()
    }

    /// Dies at the step with this number. `true` if it came so far.
    fn change_until(&self, old: Option<&str>, shield: &Shield, cost: KdfCost, mut left: usize) -> bool {
        let found = Found::read(&self.home()).unwrap();
        let key = found.key.open(old.map(pass).as_ref()).unwrap();
        let done = change(&self.home(), found.key, &key, shield, cost, &mut |_| {
            left = left.checked_sub(1).ok_or(HomeError::Stretch)?;
            Ok(())
        });
        done.is_err()
    }
}

fn holds(place: &Place, needle: &[u8]) -> bool {
    let mut files = vec![place.home()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle) {
            return true;
        }
    }
    false
}

#[test]
fn every_change_of_protection_opens_the_same_store_and_leaves_one_form() {
    let place = Place::new(&Shield::KeyFile, KdfCost::LEAST);
    let key = place.key(None);
    assert!(holds(&place, key.as_slice()), "or the test would prove nothing");

    let done = protect(&place.home(), None, &under("first")).unwrap();
    assert_eq!((done.from, done.to), (Protection::KeyFile, Protection::Passphrase));
    assert_eq!(place.keys(), ["key.wrapped"]);
    assert!(!holds(&place, key.as_slice()), "the key in clear is gone");
    place.open(Some("first")).unwrap();

    let wrong = protect(&place.home(), Some(&pass("second")), &under("third")).unwrap_err();
    assert!(matches!(wrong, HomeError::WrongPassphrase));
    let none = protect(&place.home(), None, &under("third")).unwrap_err();
    assert!(matches!(none, HomeError::PassphraseNeeded));
    let empty = protect(&place.home(), Some(&pass("first")), &under("")).unwrap_err();
    assert!(matches!(empty, HomeError::EmptyPassphrase));
    place.open(Some("first")).unwrap();

    protect(&place.home(), Some(&pass("first")), &under("second")).unwrap();
    assert!(matches!(place.open(Some("first")), Err(HomeError::WrongPassphrase)));
    place.open(Some("second")).unwrap();

    protect(&place.home(), Some(&pass("second")), &Shield::KeyFile).unwrap();
    assert_eq!(place.keys(), ["key"]);
    assert_eq!(place.key(None), key, "it was never another one");
    place.open(None).unwrap();
}

#[test]
fn the_same_passphrase_again_is_wrapped_anew() {
    let place = Place::new(&under("same"), KdfCost::default());
    let before = fs::read(place.file("key.wrapped")).unwrap();
    protect(&place.home(), Some(&pass("same")), &under("same")).unwrap();
    let after = fs::read(place.file("key.wrapped")).unwrap();
    assert_ne!(before, after, "another salt");
    place.open(Some("same")).unwrap();
}

#[test]
fn a_home_in_use_a_damaged_file_and_no_home_are_refused_and_left_alone() {
    let place = Place::new(&under("p"), KdfCost::LEAST);
    let before = fs::read(place.file("key.wrapped")).unwrap();
    let held = super::super::Lock::take(&place.home()).unwrap();
    let busy = protect(&place.home(), Some(&pass("p")), &Shield::KeyFile).unwrap_err();
    assert!(matches!(busy, HomeError::AlreadyRunning { .. }));
    held.release();
    let mut bad = before.clone();
    bad[20] ^= 1;
    fs::write(place.file("key.wrapped"), &bad).unwrap();
    let damaged = protect(&place.home(), Some(&pass("p")), &Shield::KeyFile).unwrap_err();
    assert!(matches!(damaged, HomeError::KeyDamaged { .. }));
    assert_eq!(fs::read(place.file("key.wrapped")).unwrap(), bad);
    fs::write(place.file("key.wrapped"), &before).unwrap();
    // A key that does not open this store is not wrapped again.
    let other = Place::new(&Shield::KeyFile, KdfCost::LEAST);
    fs::copy(other.file("store.db"), place.file("store.db")).unwrap();
    let strange = protect(&place.home(), Some(&pass("p")), &Shield::KeyFile).unwrap_err();
    assert!(matches!(strange, HomeError::StoreKey { .. }));
    assert_eq!(place.keys(), ["key.wrapped"]);
    let nowhere = place.0.path().join("nowhere");
    assert!(matches!(protect(&nowhere, None, &Shield::KeyFile), Err(HomeError::NoHome { .. })));
    assert!(!nowhere.exists());
}

#[test]
fn a_crash_at_any_step_leaves_a_home_that_opens() {
    let ways = [(None, Some("new")), (Some("old"), None), (Some("old"), Some("new"))];
    for (old, new) in ways {
        let shield = |text: Option<&str>| text.map_or(Shield::KeyFile, under);
        let mut died = 0;
        loop {
            let place = Place::new(&shield(old), KdfCost::default());
            let was_plain = old.is_none().then(|| place.key(None));
            if !place.change_until(old, &shield(new), KdfCost::default(), died) {
                place.open(new).unwrap();
                break;
            }
            // Before the rename the old form opens it, after it the new one, and nothing else is needed.
            let opens = if died == 0 { old } else { new };
            place.open(opens).unwrap();
            assert_eq!(place.keys().len(), 1, "{old:?} to {new:?}, step {died}");
            if let Some(key) = was_plain.filter(|_| died > 0) {
                assert!(!holds(&place, key.as_slice()), "step {died}: the key in clear is gone");
            }
            place.open(opens).unwrap();
            died += 1;
        }
        assert!(died >= 3, "{died} steps");
    }
}

#[test]
fn an_interrupted_change_keeps_the_old_form_until_the_new_one_has_opened_the_store() {
    let place = Place::new(&Shield::KeyFile, KdfCost::LEAST);
    assert!(place.change_until(None, &under("new"), KdfCost::LEAST, 1));
    assert_eq!(place.keys(), ["key", "key.wrapped"]);
    assert!(matches!(place.open(None), Err(HomeError::PassphraseNeeded)));
    assert!(matches!(place.open(Some("no")), Err(HomeError::WrongPassphrase)));
    assert_eq!(place.keys(), ["key", "key.wrapped"], "nobody is locked out by a mistake");
    place.open(Some("new")).unwrap();
    assert_eq!(place.keys(), ["key.wrapped"]);
}

#[test]
fn two_forms_of_which_none_replaces_the_other_are_refused() {
    let place = Place::new(&Shield::KeyFile, KdfCost::LEAST);
    let other = Place::new(&under("p"), KdfCost::LEAST);
    fs::copy(other.file("key.wrapped"), place.file("key.wrapped")).unwrap();
    let before = fs::read(place.file("key")).unwrap();
    for passphrase in [None, Some("p")] {
        assert!(matches!(place.open(passphrase), Err(HomeError::TwoKeys { .. })));
    }
    // One that replaces another file than the one that is there does not count either.
    let third = Place::new(&Shield::KeyFile, KdfCost::LEAST);
    assert!(third.change_until(None, &under("p"), KdfCost::LEAST, 1));
    fs::copy(third.file("key.wrapped"), place.file("key.wrapped")).unwrap();
    assert!(matches!(place.open(Some("p")), Err(HomeError::TwoKeys { .. })));
    assert_eq!(place.keys(), ["key", "key.wrapped"]);
    assert_eq!(fs::read(place.file("key")).unwrap(), before);
}

#[test]
fn a_key_left_beside_its_name_is_overwritten_and_removed() {
    let place = Place::new(&under("p"), KdfCost::LEAST);
    let key = place.key(Some("p"));
    fs::write(place.file("key.tmp"), key.as_slice()).unwrap();
    place.open(Some("p")).unwrap();
    assert!(!place.file("key.tmp").exists() && !holds(&place, key.as_slice()));
}

#[test]
fn costs_below_todays_are_raised_by_opening_and_only_by_the_right_passphrase() {
    let place = Place::new(&under("p"), KdfCost::LEAST);
    let cheap = fs::read(place.file("key.wrapped")).unwrap();
    assert!(place.open(Some("q")).is_err());
    assert_eq!(fs::read(place.file("key.wrapped")).unwrap(), cheap);
    assert_eq!(Found::read(&place.home()).unwrap().key.cheap(), Some(KdfCost::default()));
    place.open(Some("p")).unwrap();
    assert_eq!(Found::read(&place.home()).unwrap().key.cheap(), None);
    let raised = fs::read(place.file("key.wrapped")).unwrap();
    place.open(Some("p")).unwrap();
    assert_eq!(fs::read(place.file("key.wrapped")).unwrap(), raised, "once is enough");
    // What is above today's in one place stays there.
    let mixed = KdfCost { mem: 128 << 10, passes: 1, lanes: 2 };
    assert_eq!(mixed.raised(), KdfCost { mem: 128 << 10, passes: 3, lanes: 2 });
}

#[test]
fn a_store_opens_under_the_key_whatever_hides_it() {
    let place = Place::new(&under("p"), KdfCost::LEAST);
    let key = place.key(Some("p"));
    protect(&place.home(), Some(&pass("p")), &Shield::KeyFile).unwrap();
    SqliteStore::open(&place.file("store.db"), Some(&key), Config::default()).unwrap();
}
