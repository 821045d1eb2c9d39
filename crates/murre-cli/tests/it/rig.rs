//! What the tests stand on: a pen, a directory, some nodes, some people.

use crate::crew::{self, NodeProc};
use crate::person::{Person, Seen};
use crate::process::Pen;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What is said when asking.
pub const HELLO: &str = "hello from the coffee house";
/// No wait is longer: the machine may be busy, and a deadline that is met says that something is broken.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A pen for processes of the binary under test.
pub fn pen() -> Pen {
    Pen::new(env!("CARGO_BIN_EXE_murre"))
}

/// A directory with a short path: a socket will lie in it.
pub fn dir() -> TempDir {
    tempfile::Builder::new().prefix("murre-it-").tempdir().expect("a temporary directory")
}

/// A small network.
pub struct Rig {
    /// Its processes.
    pub nodes: Vec<NodeProc>,
    /// Everybody's processes.
    pub pen: Pen,
    /// Everything on disk. Last, so that it is removed when nobody uses it any more.
    pub dir: TempDir,
}

impl Rig {
    /// A network of `nodes` nodes that know each other.
    pub fn new(nodes: usize) -> Self {
        Self::in_pen(pen(), nodes)
    }

    /// The same, with processes of this pen.
    pub fn in_pen(pen: Pen, nodes: usize) -> Self {
        let dir = dir();
        let nodes = crew::start(&pen, dir.path(), nodes, Instant::now() + 3 * LIMIT).expect("nodes");
        Self { nodes, pen, dir }
    }

    /// Addresses to begin with.
    pub fn bootstrap(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.address().to_owned()).collect()
    }

    /// Somebody with a running home who knows all nodes. The home is called as the person, in small letters.
    pub fn person(&self, name: &str) -> Person {
        let mut person = Person::new(&self.pen, self.dir.path(), &name.to_lowercase());
        person.init(name).expect("init");
        person.start(&self.bootstrap()).expect("up");
        person.knows(self.nodes.len() as u64, LIMIT).expect("nodes known");
        person
    }

    /// Two people who are contacts, and the id of their chat.
    pub fn pair(&self, asking: &str, asked: &str) -> (Person, Person, String) {
        let (asking, asked) = (self.person(asking), self.person(asked));
        let chat = befriend(&asking, &asked);
        (asking, asked, chat)
    }
}

/// Makes two people contacts; answers the id of their chat.
pub fn befriend(asking: &Person, asked: &Person) -> String {
    let link = text(&asked.one(&["invite"]).expect("invite"), "link");
    let chat = text(&asking.one(&["contact", "add", &link, "--hello", HELLO]).expect("add"), "chat");
    let who = asked
        .until("a request", LIMIT, |asked| {
            let contacts = asked.lines(&["contact", "list"])?;
            let found = contacts.iter().find(|contact| contact["state"] == "incoming");
            Ok(found.map_or_else(|| Seen::NotYet(String::new()), |c| Seen::Yes(text(c, "contact"))))
        })
        .expect("a request");
    asked.one(&["accept", &who]).expect("accept");
    asking
        .until("an answer", LIMIT, |asking| {
            let contacts = asking.lines(&["contact", "list"])?;
            let accepted = contacts.iter().any(|c| c["chat"] == chat.as_str() && c["state"] == "accepted");
            Ok(Seen::when(accepted, || format!("{contacts:?}")))
        })
        .expect("an answer");
    chat
}

/// A field that must be a string.
pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

/// Starts a home with these further options, waits until it is up, and stops it. `false` if it did not come up.
pub fn opens(pen: &Pen, home: &Path, options: &[&str]) -> bool {
    let dir = dir();
    let home = home.to_string_lossy();
    let mut args = vec!["--json", "--home", &home, "up", "--no-web", "--while-stdin"];
    args.extend(options);
    let mut up = pen.spawn(&args, &dir.path().join("up.log")).expect("up");
    let ready = up.line(Instant::now() + LIMIT).is_ok_and(|line| line["event"] == "ready");
    ready && up.terminate(Instant::now() + LIMIT).is_ok()
}

/// A refusal: what `--json` printed on standard error.
#[derive(Debug)]
pub struct Refusal {
    pub exit: i32,
    pub kind: String,
    pub code: String,
    pub message: String,
    pub hint: String,
}

/// Runs a verb that must be refused: nothing on standard output, one error object on standard error.
pub fn refused<S: AsRef<OsStr>>(pen: &Pen, home: &Path, verb: &[S], stdin: &[u8]) -> Refusal {
    let mut args: Vec<&OsStr> = vec!["--json".as_ref(), "--home".as_ref(), home.as_os_str()];
    args.extend(verb.iter().map(AsRef::as_ref));
    let ran = pen.run(&args, stdin, LIMIT).expect("a verb that ends");
    assert_eq!(ran.stdout, "", "a refusal prints nothing on standard output: {args:?}");
    let last = ran.stderr.lines().last().unwrap_or_default();
    let error: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{args:?}: {}", ran.stderr));
    let error = &error["error"];
    let refusal = Refusal {
        exit: ran.code.expect("an exit code"),
        kind: text(error, "kind"),
        code: error["code"].as_str().unwrap_or_default().to_owned(),
        message: text(error, "message"),
        hint: text(error, "hint"),
    };
    assert!(!refusal.message.is_empty() && !refusal.hint.is_empty(), "{refusal:?}");
    refusal
}

impl Refusal {
    /// Asserts exit code, kind, and words in the message.
    #[track_caller]
    pub fn says(&self, exit: i32, kind: &str, words: &str) -> &Self {
        let right = self.exit == exit && self.kind == kind && self.message.contains(words);
        assert!(right, "expected {exit} {kind} {words:?}, got {self:?}");
        self
    }
}

/// xorshift64*: seeded, so that a failing case can be told by its number.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % n.max(1)
    }
}
