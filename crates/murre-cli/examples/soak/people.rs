//! People: a life that is interrupted, and a mouth that goes on.

use crate::dice::Dice;
use crate::files;
use crate::ledger::{History, Ledger, Said};
use crate::person::{CheckError, Person, Seen};
use crate::process::Pen;
use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::fmt;
use std::ops::Add;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A verb ends within this, or something hangs.
const VERB: Duration = Duration::from_secs(60);
/// Friends become friends, and nodes known, within this.
const BEGIN: Duration = Duration::from_secs(120);
/// Lines of one look into a chat.
const PAGE: usize = 1_000;

/// One of the people.
pub struct Somebody {
    name: &'static str,
    person: Person,
    pen: Pen,
    bootstrap: Vec<String>,
    /// Chats, by whom they are with.
    chats: BTreeMap<&'static str, String>,
    seed: u64,
}

/// How lives went.
#[derive(Clone, Copy, Default)]
pub struct Lives {
    killed: usize,
    stopped: usize,
    unanswered: usize,
}

impl Add for Lives {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            killed: self.killed + other.killed,
            stopped: self.stopped + other.stopped,
            unanswered: self.unanswered + other.unanswered,
        }
    }
}

impl fmt::Display for Lives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { killed, stopped, unanswered } = self;
        write!(f, "{killed} killed -9, {stopped} stopped; {unanswered} sends without an answer were repeated")
    }
}

/// How the files that came compare with those that were sent.
#[derive(Clone, Copy, Default)]
pub struct Files {
    sent: usize,
    whole: usize,
}

impl Files {
    /// Every one that was sent came whole.
    pub const fn holds(&self) -> bool {
        self.sent == self.whole
    }
}

impl Add for Files {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { sent: self.sent + other.sent, whole: self.whole + other.whole }
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files: {} sent, {} came whole", self.sent, self.whole)
    }
}

/// Makes everybody, and everybody a contact of everybody.
///
/// # Errors
/// A home does not come up, or two do not find each other.
pub fn gather(
    pen: &Pen,
    dir: &Path,
    names: &[&'static str],
    bootstrap: &[String],
    seed: u64,
) -> Result<Vec<Somebody>> {
    let mut people = Vec::with_capacity(names.len());
    for (n, name) in names.iter().enumerate() {
        let mut person = Person::new(pen, dir, &name.to_lowercase());
        told(person.init(name), "init")?;
        told(person.start(bootstrap), "up")?;
        told(person.knows(bootstrap.len() as u64, BEGIN), "knowing the nodes")?;
        let (pen, bootstrap) = (pen.clone(), bootstrap.to_vec());
        let seed = seed.wrapping_add(100 + n as u64);
        people.push(Somebody { name, person, pen, bootstrap, chats: BTreeMap::new(), seed });
    }
    for n in 0..people.len() {
        let (one, others) = people.split_at_mut(n + 1);
        for other in others {
            befriend(&mut one[n], other)?;
        }
    }
    Ok(people)
}

fn befriend(asked: &mut Somebody, asking: &mut Somebody) -> Result<()> {
    let invite = told(asked.person.one(&["invite"]), "invite")?;
    let link = invite["link"].as_str().context("no link")?;
    told(asking.person.one(&["contact", "add", link, "--hello", "for the soak"]), "contact add")?;
    let name = asking.name;
    let request = asked.person.until("a request", BEGIN, |me| {
        Ok(who(me, name, "incoming")?.map_or_else(|| Seen::NotYet(name.to_owned()), Seen::Yes))
    });
    let request = told(request, "a request")?;
    told(asked.person.one(&["accept", request["contact"].as_str().unwrap_or_default()]), "accept")?;
    for (me, other) in [(&mut *asking, asked.name), (&mut *asked, name)] {
        let contact = me.person.until("a contact", BEGIN, |me| {
            Ok(who(me, other, "accepted")?.map_or_else(|| Seen::NotYet(other.to_owned()), Seen::Yes))
        });
        let contact = told(contact, "a contact")?;
        let chats = told(me.person.lines(&["chat", "list"]), "chat list")?;
        let chat = chats.iter().find(|chat| chat["title"] == contact["name"]).context("no chat")?;
        me.chats.insert(other, chat["chat"].as_str().context("no chat")?.to_owned());
    }
    Ok(())
}

/// The contact of this name, if it is in this state.
fn who(me: &Person, name: &str, state: &str) -> Result<Option<Value>, CheckError> {
    Ok(me.lines(&["contact", "list"])?.into_iter().find(|c| c["name"] == name && c["state"] == state))
}

fn told<T>(result: Result<T, CheckError>, what: &str) -> Result<T> {
    result.map_err(|error| match error {
        CheckError::Proc(error) => anyhow!("{what}: {error}"),
        CheckError::Late { what, last } => anyhow!("{what} came too late; seen last: {last}"),
        CheckError::Wrong { expected, found } => anyhow!("{what}: expected {expected}, found {found}"),
    })
}

impl Somebody {
    /// Who.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Lives and talks until `end`; then comes back for good and says what has had no answer yet.
    ///
    /// # Errors
    /// The home does not start or stop as it should, or refuses what it should take.
    pub fn live(&mut self, end: Instant, ledger: &Ledger) -> Result<Lives> {
        let mouth = Mouth {
            name: self.name,
            pen: self.pen.clone(),
            home: self.person.home().to_owned(),
            chats: self.chats.clone(),
            dice: Dice::new(self.seed, 2),
        };
        std::thread::scope(|scope| {
            let mouth = scope.spawn(|| mouth.talk(end, ledger));
            let mut lives = Lives::default();
            let mut dice = Dice::new(self.seed, 3);
            while Instant::now() < end {
                nap(dice.ms(3_000, 30_000), end);
                if Instant::now() >= end {
                    break;
                }
                if dice.below(2) == 0 {
                    self.person.kill();
                    lives.killed += 1;
                } else {
                    told(self.person.stop(), "stop")?;
                    lives.stopped += 1;
                }
                nap(dice.ms(0, 12_000), end);
                told(self.person.start(&self.bootstrap), "up")?;
            }
            let said = mouth.join().expect("a mouth")?;
            Ok(Lives { unanswered: said, ..lives })
        })
    }

    /// Waits until everything this one said is delivered.
    ///
    /// # Errors
    /// It takes too long.
    pub fn settle(&self, ledger: &Ledger, deadline: Instant) -> Result<()> {
        for other in self.chats.keys() {
            // Receipts are cumulative, so mostly the first look finds the others delivered.
            for said in ledger.said((self.name, other)).iter().rev() {
                let limit = deadline.saturating_duration_since(Instant::now());
                let what = format!("{} -> {other} `{}`", self.name, said.text);
                let seen = self.person.until(&what, limit, |me| {
                    let status = me.one(&["status", &said.id])?;
                    let state = status["state"].as_str().unwrap_or_default();
                    Ok(Seen::when(state == "delivered" || state == "read", || status.to_string()))
                });
                told(seen, &what)?;
            }
        }
        Ok(())
    }

    /// Every chat, whole.
    ///
    /// # Errors
    /// A look fails.
    pub fn histories(&self) -> Result<BTreeMap<&'static str, History>> {
        self.chats.iter().map(|(other, chat)| Ok((*other, self.history(chat)?))).collect()
    }

    /// Saves every file that was sent to this one and compares it with what was sent.
    ///
    /// # Errors
    /// One does not come in time.
    pub fn compare_files(&self, ledger: &Ledger, limit: Duration) -> Result<Files> {
        let mut files = Files::default();
        for other in self.chats.keys() {
            for said in ledger.said((other, self.name)) {
                let Some(sent) = said.file else { continue };
                files.sent += 1;
                let to = sent.with_extension("came");
                let path = to.to_str().context("a path that is not UTF-8")?;
                let what = format!("{other} -> {}: the file of `{}`", self.name, said.text);
                let saved = self.person.until(&what, limit, |me| {
                    Ok(match me.lines(&["file", "save", &said.id, "0", path]) {
                        Ok(_) => Seen::Yes(()),
                        Err(CheckError::Proc(error)) => Seen::NotYet(error.to_string()),
                        Err(error) => return Err(error),
                    })
                });
                told(saved, &what)?;
                files.whole += usize::from(files::same(&sent, &to)?);
            }
        }
        Ok(files)
    }

    fn history(&self, chat: &str) -> Result<History> {
        let mut pages = VecDeque::new();
        let mut before: Option<String> = None;
        loop {
            let limit = PAGE.to_string();
            let mut verb = vec!["history", chat, "--limit", &limit];
            verb.extend(before.iter().flat_map(|id| ["--before", id.as_str()]));
            let page = told(self.person.lines(&verb), "history")?;
            let all = page.len() < PAGE;
            before = page.first().and_then(|m| m["message"].as_str()).map(str::to_owned);
            pages.push_front(page);
            if all {
                break;
            }
        }
        let text = |m: &Value| (m["own"] == true, m["text"].as_str().unwrap_or_default().to_owned());
        Ok(pages.iter().flatten().map(text).collect())
    }
}

fn nap(time: Duration, end: Instant) {
    std::thread::sleep(time.min(end.saturating_duration_since(Instant::now())));
}

/// Somebody's half that writes, whether the home runs or not.
struct Mouth {
    name: &'static str,
    pen: Pen,
    home: PathBuf,
    chats: BTreeMap<&'static str, String>,
    dice: Dice,
}

/// Something that was tried and got no answer: perhaps it was done.
struct Tried {
    to: &'static str,
    text: String,
    client: String,
    file: Option<PathBuf>,
}

impl Mouth {
    /// Talks until `end` and until everything tried has its id. Answers how often something had to be repeated.
    ///
    /// Per friend only the oldest unanswered text is tried: otherwise the order of what is written would not be known.
    fn talk(mut self, end: Instant, ledger: &Ledger) -> Result<usize> {
        let mut waiting: BTreeMap<&'static str, Tried> = BTreeMap::new();
        let (mut count, mut repeated) = (0usize, 0);
        let last = end + VERB;
        while Instant::now() < end || !waiting.is_empty() {
            if Instant::now() > last {
                bail!("{} has had no answer for {} sends", self.name, waiting.len());
            }
            std::thread::sleep(self.dice.ms(50, 700));
            let at = self.dice.below(self.chats.len() as u64) as usize;
            let Some(to) = self.chats.keys().nth(at).copied() else { continue };
            let tried = match waiting.remove(to) {
                Some(tried) => {
                    repeated += 1;
                    tried
                }
                None if Instant::now() >= end => continue,
                None => {
                    count += 1;
                    let text = format!("{} to {to}, number {count}", self.name);
                    let dir = self.home.with_extension("out");
                    let file = files::perhaps(&mut self.dice, &dir, &format!("{to}-{count}.raw"))?;
                    Tried { to, text, client: format!("soak {count}"), file }
                }
            };
            match self.say(&tried)? {
                Some(id) => ledger.note((self.name, to), Said { id, text: tried.text, file: tried.file }),
                None => drop(waiting.insert(to, tried)),
            }
        }
        Ok(repeated)
    }

    /// The id; none if nobody answered.
    fn say(&self, tried: &Tried) -> Result<Option<String>> {
        let chat = self.chats.get(tried.to).context("no chat")?;
        let home = self.home.as_os_str();
        let verb = ["send", chat, &tried.text, "--client-id", &tried.client].map(OsStr::new);
        let file = tried.file.iter().flat_map(|file| [OsStr::new("--file"), file.as_os_str()]);
        let before = ["--json", "--home"].map(OsStr::new);
        let args: Vec<&OsStr> = before.into_iter().chain([home]).chain(verb).chain(file).collect();
        let ran = self.pen.run(&args, b"", VERB).map_err(|error| anyhow!("send: {error}"))?;
        if ran.code == Some(0) {
            // Progress lines of a file come first.
            let line: Value = serde_json::from_str(ran.stdout.lines().last().unwrap_or_default())?;
            return Ok(Some(line["message"].as_str().context("no id")?.to_owned()));
        }
        let error: Value = serde_json::from_str(ran.stderr.lines().last().unwrap_or_default())
            .with_context(|| format!("send says {}", ran.stderr))?;
        match error["error"]["code"].as_str() {
            Some("not-running" | "lost") => Ok(None),
            _ => bail!("send is refused: {error}"),
        }
    }
}
