//! One person: a home, its `up` process and a `watch` on it, all driven from outside as a script would.

use crate::process::{Pen, Proc, ProcError};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A verb answers within this, or something hangs. `invite` alone may take ten seconds.
pub const VERB: Duration = Duration::from_secs(60);
/// A home is up, or down, within this.
pub const START: Duration = Duration::from_secs(20);
/// Waiting for an event is broken off after this to look again: not every change is an event.
const LOOK: Duration = Duration::from_millis(250);

/// Why a check did not hold.
#[derive(Debug)]
pub enum CheckError {
    /// A process did not do what it should.
    Proc(ProcError),
    /// It did not come true in time.
    Late {
        /// What was waited for.
        what: String,
        /// What was seen last.
        last: String,
    },
    /// It came out wrong.
    Wrong {
        /// What should be.
        expected: String,
        /// What is.
        found: String,
    },
}

impl From<ProcError> for CheckError {
    fn from(error: ProcError) -> Self {
        Self::Proc(error)
    }
}

/// One person.
pub struct Person {
    pen: Pen,
    home: PathBuf,
    log: PathBuf,
    up: Option<Proc>,
    watch: Option<Proc>,
}

impl Person {
    /// Somebody whose home is `dir/name`. Nothing is started yet.
    pub fn new(pen: &Pen, dir: &Path, name: &str) -> Self {
        Self {
            pen: pen.clone(),
            home: dir.join(name),
            log: dir.join(format!("{name}.log")),
            up: None,
            watch: None,
        }
    }

    /// The home directory.
    #[allow(dead_code, reason = "not every user of this file asks")]
    pub fn home(&self) -> &Path {
        &self.home
    }

    fn args<'a>(&'a self, verb: &[&'a str]) -> Vec<&'a std::ffi::OsStr> {
        let mut args: Vec<&std::ffi::OsStr> =
            vec!["--json".as_ref(), "--home".as_ref(), self.home.as_os_str()];
        args.extend(verb.iter().map(|arg| std::ffi::OsStr::new(*arg)));
        args
    }

    /// Runs a verb that must succeed; answers its lines.
    ///
    /// # Errors
    /// It failed.
    pub fn lines(&self, verb: &[&str]) -> Result<Vec<Value>, CheckError> {
        Ok(self.pen.json(&self.args(verb), b"", VERB)?)
    }

    /// Runs a verb that must succeed with one line.
    ///
    /// # Errors
    /// It failed, or printed more or less.
    pub fn one(&self, verb: &[&str]) -> Result<Value, CheckError> {
        self.one_with(verb, b"")
    }

    /// As [`Person::one`], with standard input.
    ///
    /// # Errors
    /// It failed, or printed more or less than one line.
    pub fn one_with(&self, verb: &[&str], stdin: &[u8]) -> Result<Value, CheckError> {
        let mut lines = self.pen.json(&self.args(verb), stdin, VERB)?;
        match lines.pop() {
            Some(line) if lines.is_empty() => Ok(line),
            _ => Err(CheckError::Wrong {
                expected: "one line".into(),
                found: format!("{} lines", lines.len()),
            }),
        }
    }

    /// Begins a verb that takes long; it ends when this is dropped.
    ///
    /// # Errors
    /// It does not start.
    #[allow(dead_code, reason = "not every user of this file asks")]
    pub fn begin(&self, verb: &[&str]) -> Result<Proc, CheckError> {
        Ok(self.pen.spawn(&self.args(verb), &self.log)?)
    }

    /// Makes the home.
    ///
    /// # Errors
    /// It failed.
    pub fn init(&self, name: &str) -> Result<Value, CheckError> {
        self.one(&["init", "--name", name])
    }

    /// Starts the home and a watch on everything that happened and happens.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(&mut self, bootstrap: &[String]) -> Result<(), CheckError> {
        let pen = self.pen.clone();
        self.start_in(&pen, &[], "/ip4/127.0.0.1/tcp/0", bootstrap)
    }

    /// The same with `up` in another pen, after these words, listening there.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_in(
        &mut self,
        pen: &Pen,
        before: &[&str],
        listen: &str,
        bootstrap: &[String],
    ) -> Result<(), CheckError> {
        let mut verb = vec!["up", "--no-web", "--while-stdin", "--listen", listen];
        verb.extend(bootstrap.iter().flat_map(|addr| ["--bootstrap", addr]));
        let mut args: Vec<&std::ffi::OsStr> = before.iter().map(|word| std::ffi::OsStr::new(*word)).collect();
        args.extend(self.args(&verb));
        let up = pen.spawn(&args, &self.log)?;
        let ready = up.line(Instant::now() + START)?;
        if ready["event"] != "ready" {
            return Err(CheckError::Wrong { expected: "ready".into(), found: ready.to_string() });
        }
        self.up = Some(up);
        self.watch = Some(self.pen.spawn(&self.args(&["watch", "--since", "0"]), &self.log)?);
        Ok(())
    }

    /// Stops the home cleanly (SIGTERM).
    ///
    /// # Errors
    /// It does not end well.
    pub fn stop(&mut self) -> Result<(), CheckError> {
        self.watch = None;
        if let Some(mut up) = self.up.take() {
            up.terminate(Instant::now() + START)?;
        }
        Ok(())
    }

    /// Sends a signal to the running home: `STOP`, `CONT`.
    ///
    /// # Errors
    /// It does not run.
    #[allow(dead_code, reason = "not every user of this file asks")]
    pub fn signal(&self, name: &str) -> Result<(), CheckError> {
        match &self.up {
            Some(up) => Ok(up.signal(name)?),
            None => Err(CheckError::Wrong { expected: "a running home".into(), found: "none".into() }),
        }
    }

    /// Kills the home (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut up) = self.up.take() {
            up.kill();
        }
        self.watch = None;
    }

    /// Waits until `check` yields something: looks, waits for the next event, looks again.
    ///
    /// # Errors
    /// `check` failed, the home ended, or the time is over; then `last` says what was seen.
    pub fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut check: impl FnMut(&Self) -> Result<Seen<T>, CheckError>,
    ) -> Result<T, CheckError> {
        let deadline = Instant::now() + limit;
        loop {
            let last = match check(self)? {
                Seen::Yes(value) => return Ok(value),
                Seen::NotYet(last) => last,
            };
            if Instant::now() >= deadline {
                return Err(CheckError::Late { what: what.to_owned(), last });
            }
            let Some(watch) = &self.watch else {
                return Err(CheckError::Wrong { expected: "a running home".into(), found: "none".into() });
            };
            match watch.line(deadline.min(Instant::now() + LOOK)) {
                // Several events often come together: one look for all of them.
                Ok(_) => while watch.line(Instant::now()).is_ok() {},
                Err(ProcError::Deadline) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next event, if one comes until the deadline.
    #[allow(dead_code, reason = "not every user of this file asks")]
    pub fn event(&self, deadline: Instant) -> Option<Value> {
        self.watch.as_ref().and_then(|watch| watch.line(deadline).ok())
    }

    /// Waits until the home counts `nodes` nodes that hold mail.
    ///
    /// # Errors
    /// As [`Person::until`].
    pub fn knows(&self, nodes: u64, limit: Duration) -> Result<(), CheckError> {
        self.until("knowing the nodes", limit, |me| {
            let doctor = me.one(&["doctor"])?;
            let eligible = doctor["nodes_eligible"].as_u64().unwrap_or_default();
            Ok(Seen::when(eligible == nodes, || eligible.to_string()))
        })
    }

    /// The whole chat, oldest first.
    ///
    /// # Errors
    /// It failed.
    pub fn history(&self, chat: &str) -> Result<Vec<Value>, CheckError> {
        self.lines(&["history", chat, "--limit", "1000"])
    }

    /// Waits until every one of these own messages is in one of these states.
    ///
    /// # Errors
    /// As [`Person::until`].
    pub fn all_in(
        &self,
        chat: &str,
        messages: &[String],
        states: &[&str],
        limit: Duration,
    ) -> Result<(), CheckError> {
        self.until(&format!("{} messages becoming {}", messages.len(), states.join(" or ")), limit, |me| {
            let history = me.history(chat)?;
            let state_of = |id: &String| {
                let found = history.iter().find(|m| m["message"] == id.as_str());
                found.and_then(|m| m["state"].as_str()).unwrap_or("missing").to_owned()
            };
            let late: Vec<String> =
                messages.iter().map(state_of).filter(|s| !states.contains(&s.as_str())).collect();
            Ok(Seen::when(late.is_empty(), || format!("{} others: {}", late.len(), late.join(" "))))
        })
    }
}

/// What a look yields.
pub enum Seen<T> {
    /// It is so.
    Yes(T),
    /// Not yet; in words what was seen.
    NotYet(String),
}

impl Seen<()> {
    /// Yes if `held`.
    pub fn when(held: bool, otherwise: impl FnOnce() -> String) -> Self {
        if held { Self::Yes(()) } else { Self::NotYet(otherwise()) }
    }
}
