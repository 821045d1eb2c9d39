//! Processes of this same binary, driven through their JSON lines, and never left behind.
//!
//! Every child belongs to a [`Pen`]. Closing the pen kills all of them and lets none start; dropping a [`Proc`] kills
//! that one. A child that listens also gets a pipe as its standard input and stops when that ends, so that not even
//! the sudden death of this process leaves one behind.

use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a child did not do what was expected.
#[derive(Debug)]
pub enum ProcError {
    /// The system refused.
    Io(std::io::Error),
    /// It ended.
    Ended {
        /// Where its error output lies.
        log: PathBuf,
    },
    /// It said nothing in time.
    Deadline,
    /// A verb failed.
    Verb {
        /// The verb and its options.
        verb: String,
        /// Its exit code; none if a signal ended it.
        code: Option<i32>,
        /// What it wrote to standard error.
        stderr: String,
    },
    /// Its line was not what was expected.
    Line(String),
}

impl std::fmt::Display for ProcError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Ended { log } => write!(f, "the process ended, see {}", log.display()),
            Self::Deadline => f.write_str("it took too long"),
            Self::Verb { verb, code, stderr } => {
                write!(f, "`murre {verb}` ended with {code:?}: {}", stderr.trim())
            }
            Self::Line(line) => write!(f, "unexpected line: {line}"),
        }
    }
}

impl std::error::Error for ProcError {}

impl From<std::io::Error> for ProcError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

type Slot = Arc<Mutex<Child>>;

#[derive(Default)]
struct Members {
    closed: bool,
    live: Vec<(u32, Slot)>,
}

/// All children of one undertaking.
#[derive(Clone)]
pub struct Pen {
    binary: PathBuf,
    environment: Vec<(&'static str, &'static str)>,
    members: Arc<Mutex<Members>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere must not keep us from killing what runs.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pen {
    /// A pen for processes of `binary`.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self { binary: binary.into(), environment: Vec::new(), members: Arc::default() }
    }

    /// Sets a variable in the environment of every child to come.
    #[allow(dead_code, reason = "the tests share this file and turn diagnostics on")]
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Kills every child at once; none starts any more.
    #[allow(dead_code, reason = "the tests share this file and have no Ctrl-C")]
    pub fn close(&self) {
        let mut members = lock(&self.members);
        members.closed = true;
        for (_, child) in members.live.drain(..) {
            let _ = lock(&child).kill();
        }
    }

    fn command(&self, args: &[OsString]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).env_remove("MURRE_HOME").env_remove("MURRE_PASSPHRASE_FILE");
        command.envs(self.environment.iter().copied());
        command
    }

    fn start(&self, command: &mut Command) -> Result<(u32, Slot), ProcError> {
        let mut members = lock(&self.members);
        if members.closed {
            return Err(ProcError::Io(std::io::ErrorKind::Interrupted.into()));
        }
        let child = command.spawn()?;
        let pid = child.id();
        let slot = Arc::new(Mutex::new(child));
        members.live.push((pid, slot.clone()));
        Ok((pid, slot))
    }

    fn forget(&self, pid: u32) {
        lock(&self.members).live.retain(|(live, _)| *live != pid);
    }

    /// Starts a child that runs on: its standard output is read line by line, its errors go to the file `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn<S: AsRef<OsStr>>(&self, args: &[S], log: &Path) -> Result<Proc, ProcError> {
        let errors = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = self.command(&owned(args));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let (pid, slot) = self.start(&mut command)?;
        let stdout = lock(&slot).stdout.take();
        let (tx, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
                if tx.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Proc { pen: self.clone(), pid, slot, lines, log: log.to_owned(), done: false })
    }

    /// Runs a verb to its end. Its errors are part of the answer, not of the log.
    ///
    /// # Errors
    /// It cannot be started, or does not end in time.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S], stdin: &[u8], limit: Duration) -> Result<Ran, ProcError> {
        let mut command = self.command(&owned(args));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (pid, slot) = self.start(&mut command)?;
        let (input, out, err) = {
            let mut child = lock(&slot);
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        };
        let stdin = stdin.to_vec();
        std::thread::spawn(move || input.map(|mut pipe| pipe.write_all(&stdin)));
        let (tx, both) = channel();
        let err_tx = tx.clone();
        std::thread::spawn(move || tx.send((false, drain(out))));
        std::thread::spawn(move || err_tx.send((true, drain(err))));
        let deadline = Instant::now() + limit;
        let mut ran = Ran::default();
        for _ in 0..2 {
            match both.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((false, text)) => ran.stdout = text,
                Ok((true, text)) => ran.stderr = text,
                Err(_) => {
                    let _ = lock(&slot).kill();
                    let _ = lock(&slot).wait();
                    self.forget(pid);
                    return Err(ProcError::Deadline);
                }
            }
        }
        let status = lock(&slot).wait();
        self.forget(pid);
        ran.code = status?.code();
        Ok(ran)
    }

    /// Runs a verb that must succeed; answers its JSON lines.
    ///
    /// # Errors
    /// As [`Pen::run`]; or the verb failed; or it printed something else than JSON lines.
    pub fn json<S: AsRef<OsStr>>(
        &self,
        args: &[S],
        stdin: &[u8],
        limit: Duration,
    ) -> Result<Vec<Value>, ProcError> {
        let ran = self.run(args, stdin, limit)?;
        if ran.code != Some(0) {
            let verb: Vec<String> = owned(args).iter().map(|a| a.to_string_lossy().into_owned()).collect();
            let verb = verb.join(" ").chars().take(200).collect();
            return Err(ProcError::Verb { verb, code: ran.code, stderr: ran.stderr });
        }
        ran.stdout.lines().map(parse).collect()
    }
}

fn owned<S: AsRef<OsStr>>(args: &[S]) -> Vec<OsString> {
    args.iter().map(|arg| arg.as_ref().to_owned()).collect()
}

fn drain(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn parse(line: &str) -> Result<Value, ProcError> {
    serde_json::from_str(line).map_err(|_| ProcError::Line(line.to_owned()))
}

/// How a verb ended.
#[derive(Debug, Default)]
pub struct Ran {
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A child that runs on.
pub struct Proc {
    pen: Pen,
    pid: u32,
    slot: Slot,
    lines: Receiver<String>,
    log: PathBuf,
    done: bool,
}

impl Proc {
    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// The file of its error output.
    #[allow(dead_code, reason = "not every user of this file asks")]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its next JSON line.
    ///
    /// # Errors
    /// It ended, it is silent until the deadline, or it says something else.
    pub fn line(&self, deadline: Instant) -> Result<Value, ProcError> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => parse(&line),
            Err(RecvTimeoutError::Timeout) => Err(ProcError::Deadline),
            Err(RecvTimeoutError::Disconnected) => Err(ProcError::Ended { log: self.log.clone() }),
        }
    }

    /// Whether it still runs.
    #[allow(dead_code, reason = "not every user of this file asks")]
    pub fn alive(&self) -> bool {
        matches!(lock(&self.slot).try_wait(), Ok(None))
    }

    /// SIGKILL: no last word, nothing flushed.
    pub fn kill(&mut self) {
        if !self.done {
            self.done = true;
            let mut child = lock(&self.slot);
            let _ = child.kill();
            let _ = child.wait();
            drop(child);
            self.pen.forget(self.pid);
        }
    }

    /// Sends a signal by its name, such as `TERM`.
    ///
    /// # Errors
    /// The system refused.
    pub fn signal(&self, name: &str) -> Result<(), ProcError> {
        // The standard library sends no signal but SIGKILL; the shell's own `kill` sends any.
        let args = ["-c", "kill -s \"$1\" \"$2\"", "sh", name, &self.pid.to_string()];
        let sent = Command::new("sh").args(args).status()?;
        if sent.success() { Ok(()) } else { Err(ProcError::Ended { log: self.log.clone() }) }
    }

    /// Waits for its end; answers with the lines it still said and its exit code.
    ///
    /// # Errors
    /// It did not end until the deadline: it is killed then.
    pub fn ended(&mut self, deadline: Instant) -> Result<(Vec<Value>, Option<i32>), ProcError> {
        let mut lines = Vec::new();
        loop {
            match self.line(deadline) {
                Ok(line) => lines.push(line),
                Err(ProcError::Line(_)) => {}
                Err(ProcError::Ended { .. }) => break,
                Err(error) => {
                    self.kill();
                    return Err(error);
                }
            }
        }
        self.done = true;
        let status = lock(&self.slot).wait()?;
        self.pen.forget(self.pid);
        Ok((lines, status.code()))
    }

    /// SIGTERM, then waits for a clean end.
    ///
    /// # Errors
    /// It did not end until the deadline (it is killed then), or ended with an error.
    pub fn terminate(&mut self, deadline: Instant) -> Result<(), ProcError> {
        let sent = self.signal("TERM");
        let (_, code) = self.ended(deadline)?;
        sent?;
        if code == Some(0) { Ok(()) } else { Err(ProcError::Ended { log: self.log.clone() }) }
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes a directory for logs and stores.
///
/// # Errors
/// The system refused.
#[allow(dead_code, reason = "not every user of this file asks")]
pub fn make_dir(path: &Path) -> Result<PathBuf, ProcError> {
    std::fs::create_dir_all(path)?;
    Ok(path.to_owned())
}

/// The last lines of a log file, for an error message.
#[allow(dead_code, reason = "not every user of this file asks")]
pub fn tail(path: &Path) -> String {
    let text = drain(File::open(path).ok());
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
