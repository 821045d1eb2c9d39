//! Homes under a real keyring: GNOME Keyring on a D-Bus of its own, in directories of its own.

use crate::person::Person;
use crate::process::Pen;
use crate::rig::{dir, opens, pen, refused, text};
use crate::skip::skipped;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Starts the keyring, tells the bus's address once both serve, and stays until standard input ends.
const SESSION: &str = "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null && echo \"$DBUS_SESSION_BUS_ADDRESS\" && cat >/dev/null";

/// A bus with a keyring on it. Both end with this value.
struct Session {
    child: Child,
    address: &'static str,
    _dir: TempDir,
}

impl Session {
    /// None where the programs are missing and cannot be installed; as root their absence is a fault of the setup.
    fn start() -> Option<Self> {
        let there = |name: &str| {
            Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        if !there("dbus-run-session") || !there("gnome-keyring-daemon") {
            let root = Command::new("id").arg("-u").output().expect("id").stdout == b"0\n";
            assert!(!root, "run scripts/setup.sh: it installs dbus and gnome-keyring");
            skipped("a real keyring", "dbus and gnome-keyring are not installed");
            return None;
        }
        let dir = dir();
        let mut child = Command::new("dbus-run-session")
            .args(["--", "sh", "-c", SESSION])
            .env("HOME", dir.path())
            .env("XDG_DATA_HOME", dir.path().join("data"))
            .env("XDG_RUNTIME_DIR", dir.path())
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-run-session");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("an address");
        assert!(line.starts_with("unix:"), "the keyring did not start: {line:?}");
        // The environment of children is made of words that live as long as the test.
        let address = Box::leak(line.trim().to_owned().into_boxed_str());
        Some(Self { child, address, _dir: dir })
    }

    fn pen(&self) -> Pen {
        pen().with("DBUS_SESSION_BUS_ADDRESS", self.address)
    }

    fn call(&self, args: &[&str]) -> String {
        let done = Command::new("dbus-send")
            .args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"])
            .args(args)
            .env("DBUS_SESSION_BUS_ADDRESS", self.address)
            .output()
            .expect("dbus-send");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Paths of all items of this program.
    fn items(&self) -> Vec<String> {
        let found = self.call(&[
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.SearchItems",
            "dict:string:string:application,murre",
        ]);
        let path =
            |line: &str| line.trim().strip_prefix("object path \"")?.strip_suffix('"').map(str::to_owned);
        found.lines().filter_map(path).collect()
    }

    fn lock(&self) {
        self.call(&[
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ]);
    }

    fn delete(&self, item: &str) {
        self.call(&[item, "org.freedesktop.Secret.Item.Delete"]);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn files(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home).expect("a home");
    let names = entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned());
    let mut keys: Vec<String> = names.filter(|name| name.starts_with("key")).collect();
    keys.sort();
    keys
}

#[test]
fn a_home_under_the_keyring_opens_with_it_and_with_nothing_else() {
    let Some(session) = Session::start() else { return };
    let (pen, dir) = (session.pen(), dir());
    let mut ann = Person::new(&pen, dir.path(), "ann");
    let made = ann.one(&["init", "--name", "Ann", "--keyring"]).expect("init");
    assert_eq!(files(ann.home()), ["key.keyring"]);
    let offline = ann.one(&["doctor"]).expect("doctor");
    assert_eq!((offline["protection"].as_str(), &offline["running"]), (Some("keyring"), &false.into()));
    ann.start(&[]).expect("up");
    let doctor = ann.one(&["doctor"]).expect("doctor");
    assert_eq!(
        (doctor["protection"].as_str(), &doctor["protected_at_rest"]),
        (Some("keyring"), &true.into())
    );
    ann.stop().expect("a clean end");

    // What the keyring is told names neither the account nor the home.
    let items = session.items();
    assert_eq!(items.len(), 1);
    let told = session.call(&[
        &items[0],
        "org.freedesktop.DBus.Properties.GetAll",
        "string:org.freedesktop.Secret.Item",
    ]);
    let home = ann.home().to_string_lossy().into_owned();
    for secret in [text(&made, "account"), text(&made, "device"), "Ann".to_owned(), home] {
        assert!(!told.contains(&secret), "{told}");
    }

    let up = |pen: &Pen| refused(pen, ann.home(), &["up", "--no-web"], b"");
    let nowhere = crate::rig::pen().with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    assert!(up(&nowhere).says(1, "environment", "no keyring").hint.contains("nothing was changed"));
    let kept = ann.home().join("key.keyring");
    let good = std::fs::read(&kept).expect("the key file");
    let mut bad = good.clone();
    bad[30] ^= 1;
    std::fs::write(&kept, bad).expect("a damaged file");
    up(&pen).says(1, "environment", "key.keyring is damaged");
    std::fs::write(&kept, &good).expect("the file again");
    assert!(opens(&pen, ann.home(), &[]));

    session.lock();
    assert!(up(&pen).says(1, "environment", "locked").hint.contains("unlock"));
    let another = dir.path().join("another");
    refused(&pen, &another, &["init", "--name", "Eve", "--keyring"], b"").says(1, "environment", "locked");
    assert!(!another.exists(), "a refused init leaves nothing");
}

#[test]
fn a_lost_item_is_told_from_a_locked_keyring() {
    let Some(session) = Session::start() else { return };
    let (pen, dir) = (session.pen(), dir());
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.one(&["init", "--name", "Ann", "--keyring"]).expect("init");
    session.delete(&session.items()[0]);
    let refusal = refused(&pen, ann.home(), &["up", "--no-web"], b"");
    assert!(
        refusal.says(1, "environment", "does not hold the item").hint.contains("are kept"),
        "{refusal:?}"
    );
}

#[test]
fn a_wipe_takes_the_item_along_and_does_not_need_the_keyring() {
    let Some(session) = Session::start() else { return };
    let (pen, dir) = (session.pen(), dir());
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.one(&["init", "--name", "Ann", "--keyring"]).expect("init");
    let wiped = ann.one(&["wipe", "--yes"]).expect("wipe");
    assert_eq!((text(&wiped, "keyring"), session.items().len()), ("removed".into(), 0));
    assert!(!ann.home().exists());

    ann.one(&["init", "--name", "Ann", "--keyring"]).expect("init");
    let copy = dir.path().join("copy");
    std::fs::create_dir(&copy).expect("dir");
    for name in ["store.db", "sent", "lock"] {
        std::fs::copy(ann.home().join(name), copy.join(name)).expect("a copy");
    }
    session.lock();
    let wiped = ann.one(&["wipe", "--yes"]).expect("wipe");
    assert_eq!((text(&wiped, "keyring"), session.items().len()), ("left".into(), 1));
    assert!(!ann.home().exists());
    // The copy and the item that is left are not enough.
    refused(&pen, &copy, &["up", "--no-web"], b"").says(1, "environment", "key file of");
}

#[test]
fn protection_moves_to_the_keyring_and_back_also_over_a_crash() {
    let Some(session) = Session::start() else { return };
    let (pen, dir) = (session.pen(), dir());
    let ann = Person::new(&pen, dir.path(), "ann");
    ann.init("Ann").expect("init");
    let clear = std::fs::read(ann.home().join("key")).expect("key");
    let done = ann.one(&["protect", "--keyring"]).expect("protect");
    assert_eq!((text(&done, "was"), text(&done, "protection")), ("key-file".into(), "keyring".into()));
    assert_eq!(files(ann.home()), ["key.keyring"]);
    // As a crash before the removal of the old form leaves it.
    std::fs::write(ann.home().join("key"), &clear).expect("key");
    assert!(opens(&pen, ann.home(), &[]));
    assert_eq!(files(ann.home()), ["key.keyring"]);

    // From the keyring to the keyring: another item, and only that.
    let before = session.items();
    ann.one(&["protect", "--keyring"]).expect("protect");
    let after = session.items();
    assert!(after.len() == 1 && after != before, "{before:?} {after:?}");

    let words = dir.path().join("words");
    std::fs::write(&words, "correct horse\n").expect("file");
    let words = words.to_string_lossy().into_owned();
    let marker = std::fs::read(ann.home().join("key.keyring")).expect("key.keyring");
    ann.one(&["protect", "--new-passphrase-file", &words]).expect("protect");
    assert_eq!((files(ann.home()), session.items().len()), (vec!["key.wrapped".to_owned()], 0));
    // A crash between the two removals: the item is gone, its file not yet. It is no obstacle, even without a keyring.
    std::fs::write(ann.home().join("key.keyring"), marker).expect("key.keyring");
    let nowhere = crate::rig::pen().with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    assert!(opens(&nowhere, ann.home(), &["--passphrase-file", &words]));
    assert_eq!(files(ann.home()), ["key.wrapped"]);

    // A failed change leaves the old form.
    let refusal = refused(&nowhere, ann.home(), &["protect", "--keyring", "--passphrase-file", &words], b"");
    refusal.says(1, "environment", "no keyring");
    assert!(opens(&pen, ann.home(), &["--passphrase-file", &words]));
    session.lock();
    let refusal = refused(&pen, ann.home(), &["protect", "--keyring", "--passphrase-file", &words], b"");
    refusal.says(1, "environment", "locked");
    assert_eq!((files(ann.home()), session.items().len()), (vec!["key.wrapped".to_owned()], 0));
}
