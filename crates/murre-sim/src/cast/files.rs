//! What people do with files: hand one over piece by piece, name it in a message, give it up, take it back.
//!
//! ```text
//!  wish --> opening --> handing over, a piece at a time --> named by a text --> done --> perhaps given up or taken back
//!    ^                        |                               |
//!    '---- its device died: the pieces are gone with it <-----'  unless the text is shown
//! ```

use super::{Act, Ask, Cast};
use crate::dice::Dice;
use crate::model::Sent;
use crate::model::files::{FileSent, FileTold, Here, There};
use crate::net::HostId;
use crate::oracle::files as eyes;
use crate::oracle::history::{chat_with, shown};
use crate::shell::Sim;
use murre_core::id::MessageId;
use murre_core::time::SECOND;
use murre_device::limits::goes_by_mail;
use murre_device::{Answer, Command, CommandError, FileStep, FilesCommand};
use murre_log::chunk::CHUNK;

/// The planted word stands in a file once in so many bytes.
const MARK_EVERY: usize = 40_000;
/// How often somebody looks whether the message is there whose file they do not want.
const LOOKS: u64 = 150;
/// And after how long again, ms.
const LOOK_MS: u64 = 200;

/// What becomes of a file after it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It comes.
    None,
    /// Its reader gives it up after so long, ms, and may want it again after that.
    GivenUp {
        /// After it was sent.
        after: u64,
        /// After it was given up.
        again: Option<u64>,
    },
    /// Its writer takes it back after so long, ms.
    TakenBack {
        /// After it was sent.
        after: u64,
    },
}

/// A file that somebody wants to send.
#[derive(Clone, Copy, Debug)]
pub struct FileWish {
    /// Who.
    pub from: usize,
    /// To whom.
    pub to: usize,
    /// How long it is, bytes.
    pub size: usize,
    /// One that was sent before, if there is one.
    pub again: bool,
    /// What becomes of it.
    pub fate: Fate,
    /// How often to try again, if there is no chat yet or no device.
    pub looks: u64,
}

/// What somebody does with a file that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deal {
    /// Its reader gives it up.
    GiveUp,
    /// Its reader wants it again.
    Want,
    /// Its writer takes it back.
    TakeBack,
}

/// How far the sending of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is with the device.
    Idle,
    /// The device was asked to take one.
    Opening,
    /// So many bytes are with the device.
    Handing { upload: u64, given: usize },
    /// This text names it.
    Named { upload: u64, text: usize },
    /// That text is durable.
    Done,
}

/// A file that is being sent.
#[derive(Debug)]
pub struct Job {
    wish: FileWish,
    /// Its number in the model.
    file: usize,
    stage: Stage,
}

impl Cast {
    /// Somebody wants to send a file.
    pub(super) fn send_file(&mut self, sim: &mut Sim, wish: FileWish) {
        let host = self.people[wish.from].host;
        let known = chat_with(&sim.hosts[host].store, self.people[wish.to].account).is_some();
        if !sim.hosts[host].is_up() || !known {
            if wish.looks > 0 {
                let again = FileWish { looks: wish.looks - 1, ..wish };
                self.acts.add(sim.now + 5 * SECOND, Act::File(again));
            }
            return;
        }
        let same = |job: &&Job| {
            (job.wish.from, job.wish.to) == (wish.from, wish.to)
                && job.wish.fate == Fate::None
                && job.stage == Stage::Done
        };
        let before = self.files.iter().find(same).filter(|_| wish.again).map(|job| job.file);
        sim.totals.files_again += u64::from(before.is_some());
        let file = before.unwrap_or_else(|| self.new_file(sim, wish));
        self.files.push(Job { wish, file, stage: Stage::Idle });
        self.go_on(sim, self.files.len() - 1);
    }

    fn new_file(&mut self, sim: &mut Sim, wish: FileWish) -> usize {
        let file = self.model.files.len();
        let content = content(self.seed, file, wish.size, &self.mark);
        let hash = *blake3::hash(&content).as_bytes();
        for needle in eyes::needles(&content) {
            sim.watch.leak.plant(&format!("a piece of file {file}"), needle);
        }
        sim.totals.files += 1;
        sim.totals.large_files += u64::from(!goes_by_mail(wish.size as u64));
        self.model.files.push(FileSent::new(wish.from, wish.to, wish.size as u64, hash));
        self.contents.push(content);
        file
    }

    /// Asks the device for the next step of a file, if none is under way.
    fn go_on(&mut self, sim: &mut Sim, job: usize) {
        let Job { wish, file, stage } = &self.files[job];
        let (wish, file, stage) = (*wish, *file, *stage);
        let host = self.people[wish.from].host;
        if !sim.hosts[host].is_up() || self.waits(wish.from, Ask::File(job)) {
            return;
        }
        let command = match stage {
            Stage::Idle => {
                let Some((chat, _)) = chat_with(&sim.hosts[host].store, self.people[wish.to].account) else {
                    return;
                };
                self.files[job].stage = Stage::Opening;
                FilesCommand::Open { chat, name: format!("{} {file}.bin", self.mark), mime: String::new() }
            }
            Stage::Handing { upload, given } => {
                let content = &self.contents[file];
                let end = content.len().min(given + CHUNK);
                let (bytes, last) = (content[given..end].to_vec(), end == content.len());
                FilesCommand::Piece { upload, offset: given as u64, bytes, last }
            }
            Stage::Opening | Stage::Named { .. } | Stage::Done => return,
        };
        self.tell(sim, host, Ask::File(job), Command::Files(command));
    }

    /// Everybody whose device is there goes on with what is not sent.
    pub(super) fn go_on_all(&mut self, sim: &mut Sim) {
        for job in 0..self.files.len() {
            if self.files[job].stage == Stage::Idle {
                self.go_on(sim, job);
            }
        }
    }

    /// The device answers a step.
    pub(super) fn handed(&mut self, sim: &mut Sim, job: usize, result: Result<Answer, CommandError>) {
        let size = self.model.files[self.files[job].file].size as usize;
        let stage = self.files[job].stage;
        self.files[job].stage = match (stage, result) {
            (_, Err(CommandError::Bug(bug))) => return sim.watch.fail("no bug", format!("{bug}")),
            (Stage::Opening, Ok(Answer::Upload { upload })) => Stage::Handing { upload, given: 0 },
            (Stage::Handing { upload, given }, Ok(_)) if given + CHUNK < size => {
                Stage::Handing { upload, given: given + CHUNK }
            }
            (Stage::Handing { upload, .. }, Ok(_)) => return self.name_file(sim, job, upload),
            // Its device lost its place: it begins again, later.
            _ => Stage::Idle,
        };
        if self.files[job].stage != Stage::Idle {
            self.go_on(sim, job);
        }
    }

    /// All pieces are there: a message names them.
    fn name_file(&mut self, sim: &mut Sim, job: usize, upload: u64) {
        let Job { wish: FileWish { from, to, .. }, file, .. } = &self.files[job];
        let (from, to, file) = (*from, *to, *file);
        let number = self.model.sent.len();
        let text = format!("{} {number} from {from} to {to}, with file {file}", self.mark);
        let text = self.model.asked(Sent::new(from, to, format!("client {number}"), text, sim.now));
        self.model.names(text, file);
        self.files[job].stage = Stage::Named { upload, text };
        sim.totals.messages += 1;
        self.send_again(sim, text);
    }

    /// What a text names, for the command that sends it.
    pub(super) fn uploads_of(&self, number: usize) -> Vec<u64> {
        let of = |job: &Job| match job.stage {
            Stage::Named { upload, text } if text == number => Some(upload),
            _ => None,
        };
        self.files.iter().filter_map(of).collect()
    }

    /// Whether a text names a file.
    pub(super) fn names_file(&self, number: usize) -> bool {
        self.model.files.iter().any(|file| file.texts.contains(&number))
    }

    /// A text was confirmed or refused: if it names a file, that is sent, or begins again.
    pub(super) fn text_answered(&mut self, sim: &mut Sim, number: usize, confirmed: bool) {
        let named = |job: &Job| matches!(job.stage, Stage::Named { text, .. } if text == number);
        let Some(job) = self.files.iter().position(named) else { return };
        self.files[job].stage = if confirmed { Stage::Done } else { Stage::Idle };
        if !confirmed {
            return;
        }
        let (now, file) = (sim.now, self.files[job].file);
        let deal = |deal| Act::Deal { file, deal, looks: LOOKS };
        match self.files[job].wish.fate {
            Fate::None => {}
            Fate::GivenUp { after, again } => {
                self.acts.add(now + after, deal(Deal::GiveUp));
                if let Some(again) = again {
                    self.acts.add(now + after + again, deal(Deal::Want));
                }
            }
            Fate::TakenBack { after } => self.acts.add(now + after, deal(Deal::TakeBack)),
        }
    }

    /// A device died. Pieces that no durable message names died with it; so people look whether their text is shown.
    pub(super) fn device_died(&mut self, sim: &mut Sim, who: usize) {
        for job in 0..self.files.len() {
            let (wish, stage) = (self.files[job].wish, self.files[job].stage);
            match stage {
                _ if wish.from != who => {}
                Stage::Opening | Stage::Handing { .. } => self.files[job].stage = Stage::Idle,
                Stage::Named { text, .. } => {
                    let words = &self.model.sent[text].text;
                    let lines = shown(sim, self, who, wish.to);
                    let line = lines.map(|lines| lines.into_iter().find(|line| line.text == *words));
                    match line {
                        Ok(Some(line)) => {
                            let verdict = self.model.answered(text, line.id);
                            self.agrees(sim, verdict);
                        }
                        Ok(None) => self.model.sent[text].refused = true,
                        Err(what) => self.agrees(sim, Err(what)),
                    }
                    let confirmed = self.model.sent[text].answer.is_some();
                    self.text_answered(sim, text, confirmed);
                }
                Stage::Idle | Stage::Done => {}
            }
        }
    }

    /// Somebody gives a file up, wants it again, or takes it back.
    pub(super) fn deal(&mut self, sim: &mut Sim, file: usize, deal: Deal, looks: u64) {
        let FileSent { from, to, .. } = self.model.files[file];
        let who = if deal == Deal::TakeBack { from } else { to };
        let host = self.people[who].host;
        let shown = self.model.message_of(file).and_then(|message| {
            let info = eyes::info(&sim.hosts[host].store, message).ok().flatten()?;
            Some((message, eyes::here(&info)))
        });
        let up = sim.hosts[host].is_up();
        let Some((message, here)) = shown.filter(|_| up) else {
            // The message has not come, or its device is off: later, if not for ever.
            if looks > 0 {
                let again = Act::Deal { file, deal, looks: looks - 1 };
                self.acts.add(sim.now + LOOK_MS, again);
            }
            return;
        };
        let command = match deal {
            Deal::GiveUp => {
                self.model.files[file].given_up = true;
                sim.totals.files_given_up += u64::from(here == Here::Coming);
                FilesCommand::Cancel { message, index: 0 }
            }
            Deal::Want if here != Here::GivenUp => return,
            Deal::Want => {
                self.model.wants(file);
                sim.totals.files_wanted += 1;
                FilesCommand::Fetch { message, index: 0 }
            }
            Deal::TakeBack => {
                self.model.files[file].taken_back = true;
                sim.totals.files_taken_back += 1;
                FilesCommand::Cancel { message, index: 0 }
            }
        };
        self.tell(sim, host, Ask::Deal(file, deal), Command::Files(command));
    }

    /// A device tells how far a file is.
    pub(super) fn file_told(&mut self, sim: &mut Sim, host: HostId, message: MessageId, step: FileStep) {
        let Some(who) = self.who(host) else { return };
        let text = super::text_of(sim, host, message);
        let told = match step {
            FileStep::Offered => FileTold::Offered,
            FileStep::Complete => FileTold::Here(Here::Whole),
            FileStep::Gone => FileTold::Here(Here::Gone),
            FileStep::Cancelled => FileTold::Here(Here::GivenUp),
            FileStep::Delivered => FileTold::There(There::Has),
            FileStep::Declined => FileTold::There(There::Declined),
        };
        if matches!(told, FileTold::There(_)) {
            // What its reader's device told may have died with its process; its rows have not.
            (0..self.people.len()).filter(|other| *other != who).for_each(|other| self.see_files(sim, other));
        }
        sim.totals.files_whole += u64::from(step == FileStep::Complete);
        let verdict = self.model.file_told(who, message, text.as_deref(), told);
        self.agrees(sim, verdict);
    }

    /// Shows the model where files stand at a device.
    pub(super) fn see_files(&mut self, sim: &mut Sim, who: usize) {
        if self.model.files.is_empty() {
            return;
        }
        let host = self.people[who].host;
        let planted = sim.watch.planted.clone();
        if let Err(what) = planted.soundly(|| eyes::durable(&sim.hosts[host].store)) {
            let what = format!("{}: {what}", self.people[who].name);
            sim.watch.fail("progress is durable", what);
        }
        for file in 0..self.model.files.len() {
            let FileSent { from, to, .. } = self.model.files[file];
            let Some(message) = self.model.message_of(file).filter(|_| who == from || who == to) else {
                continue;
            };
            let verdict = match eyes::info(&sim.hosts[host].store, message) {
                Ok(None) => Ok(()),
                Ok(Some(info)) if who == to => self.model.file_here(who, file, eyes::here(&info)),
                Ok(Some(info)) => self.model.file_there(who, file, eyes::there(&info)),
                Err(what) => Err(what),
            };
            self.agrees(sim, verdict);
        }
    }

    /// The pair's block is taken back.
    pub fn unblock(&mut self, sim: &mut Sim, n: usize) {
        let (who, other) = (self.pairs[n].a, self.pairs[n].b);
        let (host, account) = (self.people[who].host, self.people[other].account);
        sim.totals.unblocks += 1;
        self.pairs[n].blocked = None;
        self.model.unblocks(who, other);
        let unblock = murre_device::ContactsCommand::Unblock { account };
        self.tell(sim, host, Ask::Block, Command::Contacts(unblock));
    }
}

/// The bytes of a file: chance, with the planted word in them.
fn content(seed: u64, file: usize, size: usize, mark: &str) -> Vec<u8> {
    let mut out = Dice::new(seed, &format!("content {file}")).vec(size);
    let mark = mark.as_bytes();
    // Behind the piece that is looked for by itself.
    for at in (100..size.saturating_sub(mark.len() + 100)).step_by(MARK_EVERY) {
        out[at..at + mark.len()].copy_from_slice(mark);
    }
    out
}
