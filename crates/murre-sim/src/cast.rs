//! The people: what they want, what they do, and what their devices told them.
//!
//! A person is level-triggered: at each start and every few seconds they look at what their device shows and ask
//! for what is still missing. So a crash at any moment costs an answer, never an intention.

pub mod files;
mod told;

pub use files::{Deal, Fate, FileWish};

use crate::agenda::Agenda;
use crate::dice::Dice;
use crate::machine::{Cmd, Ev};
use crate::model::{Model, Sent, Tick};
use crate::net::HostId;
use crate::oracle::history::{self, chat_with, state_of};
use crate::shell::{Outcome, Sim};
use murre_core::CommandId;
use murre_core::id::{AccountId, MessageId};
use murre_device::invite::InviteLink;
use murre_device::{
    Answer, Command, CommandError, ContactState, ContactsCommand, ConversationsCommand, Event, LinkKind,
    MessageState, NetworkCommand, query,
};
use std::collections::BTreeMap;

/// What a person waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A link, for this pair.
    Invite(usize),
    /// That a request is on its way, for this pair.
    Add(usize),
    /// That an acceptance is durable.
    Accept(usize),
    /// That a text is durable.
    Send(usize),
    /// That the chat with this person is marked as read.
    Read(Option<usize>),
    /// That work done outside was taken.
    Work,
    /// That somebody is blocked, or not any more.
    Block,
    /// That the next step of sending this file is done.
    File(usize),
    /// That something is done with this file.
    Deal(usize, Deal),
}

/// One person with one device.
#[derive(Debug)]
pub struct Person {
    /// Their number.
    pub number: usize,
    /// Their name.
    pub name: String,
    /// Their device.
    pub host: HostId,
    /// Their account.
    pub account: AccountId,
    /// Commands without an answer yet.
    pub asks: BTreeMap<CommandId, Ask>,
}

/// Two people who get to know each other.
#[derive(Debug)]
pub struct Pair {
    /// Who invites.
    pub a: usize,
    /// Who follows the link.
    pub b: usize,
    /// Both invite and both ask.
    pub both: bool,
    /// Links of `a` and, if both ask, of `b`.
    pub links: [Option<InviteLink>; 2],
    /// When each link reaches the other, ms after it was made.
    pub carried: u64,
    /// When a request is accepted, ms after it was seen.
    pub accept_after: u64,
    /// `a` has blocked `b`, when so many texts had been written by all: none of `b` from there on may be shown.
    pub blocked: Option<usize>,
    seen: [Option<u64>; 2],
    linked_at: [Option<u64>; 2],
}

impl Pair {
    /// A pair that has not met.
    #[must_use]
    pub const fn new(a: usize, b: usize, both: bool, carried: u64, accept_after: u64) -> Self {
        let links = [None, None];
        let (seen, linked_at) = ([None; 2], [None; 2]);
        Self { a, b, both, links, carried, accept_after, blocked: None, seen, linked_at }
    }

    /// Who makes link `side`, and who follows it.
    const fn ends(&self, side: usize) -> (usize, usize) {
        if side == 0 { (self.a, self.b) } else { (self.b, self.a) }
    }
}

/// Something a person does at a planned moment.
#[derive(Clone, Debug)]
pub enum Act {
    /// Look at what is missing.
    Pursue,
    /// Write texts in one breath.
    Send {
        /// Who.
        from: usize,
        /// To whom.
        to: usize,
        /// How many.
        texts: usize,
        /// Bytes of the first, at least.
        size: usize,
    },
    /// Mark everything as read.
    Read {
        /// Who.
        who: usize,
    },
    /// Send something again under its old client id.
    Repeat {
        /// Who.
        who: usize,
    },
    /// Send a file.
    File(FileWish),
    /// Do something with a file that was sent.
    Deal {
        /// Which.
        file: usize,
        /// What.
        deal: Deal,
        /// How often to look for it again.
        looks: u64,
    },
    /// Anything the plan does to the world.
    World(crate::plan::Deed),
}

/// All people and what they know of each other.
#[derive(Debug)]
pub struct Cast {
    /// The people.
    pub people: Vec<Person>,
    /// Who knows whom.
    pub pairs: Vec<Pair>,
    /// What should be.
    pub model: Model,
    /// What they will do.
    pub acts: Agenda<Act>,
    /// The word that is in every text, name and hello.
    pub mark: String,
    /// Chance of the people's doings.
    pub dice: Dice,
    /// The run's seed.
    pub seed: u64,
    /// Files that are being sent.
    pub files: Vec<files::Job>,
    /// Their bytes, by their numbers in the model.
    pub contents: Vec<Vec<u8>>,
}

impl Cast {
    /// Runs the world until `until`, letting people act and react.
    pub fn run_until(&mut self, sim: &mut Sim, until: u64) {
        while sim.now < until && !sim.watch.is_over() {
            let next = self.acts.next_at().unwrap_or(u64::MAX).max(sim.now);
            let slice = until.min(next).min(sim.now + 1_000);
            sim.run_until(slice, &mut |sim, outcome| self.react(sim, outcome));
            while self.acts.next_at().is_some_and(|at| at <= sim.now) {
                if let Some((_, act)) = self.acts.pop() {
                    self.act(sim, act);
                }
            }
        }
    }

    fn who(&self, host: HostId) -> Option<usize> {
        self.people.iter().position(|p| p.host == host)
    }

    fn react(&mut self, sim: &mut Sim, outcome: Outcome) {
        match outcome {
            Outcome::Started(host) => {
                if let Some(who) = self.who(host) {
                    self.observe(sim, who);
                    self.take_up(sim, who);
                }
            }
            Outcome::Died(host) => {
                sim.watch.seen.read_done(host, sim.now);
                if let Some(who) = self.who(host) {
                    self.observe(sim, who);
                    self.model.stopped(who);
                    self.people[who].asks.clear();
                    self.device_died(sim, who);
                }
            }
            Outcome::Event(host, Ev::Node(event)) => sim.node_says(host, event),
            Outcome::Event(host, Ev::Device(event)) => self.device(sim, host, event),
        }
    }

    fn device(&mut self, sim: &mut Sim, host: HostId, event: Event) {
        match event {
            Event::Solve { id, puzzle } => {
                let solution = puzzle.solve(0, 1 << 16);
                let command = Command::Network(NetworkCommand::PuzzleDone { id, solution });
                self.tell(sim, host, Ask::Work, command);
            }
            Event::Notice { notice, .. } => self.noticed(sim, host, notice),
            Event::Progress(_) => {}
            Event::Answer { id, result } => {
                let Some(who) = self.who(host) else { return };
                match self.people[who].asks.remove(&id) {
                    Some(ask) => self.answered(sim, who, ask, result),
                    None => sim
                        .watch
                        .fail("one answer", format!("{} answers {id:?} unasked", self.people[who].name)),
                }
            }
        }
    }

    /// Shows the model what a device holds: a notice may have died with the process that had it.
    pub fn observe(&mut self, sim: &mut Sim, who: usize) {
        let pairs: Vec<(usize, usize)> = self.pairs.iter().map(|p| (p.a, p.b)).collect();
        for (a, b) in pairs {
            let Some(other) = (a == who).then_some(b).or_else(|| (b == who).then_some(a)) else { continue };
            let state = state_of(&sim.hosts[self.people[who].host].store, self.people[other].account);
            if let Some(state) = state {
                self.stands(sim, who, other, state);
            }
            let verdict =
                history::shown(sim, self, who, other).and_then(|lines| self.model.shows(who, other, &lines));
            self.agrees(sim, verdict);
        }
        self.see_files(sim, who);
    }

    fn answered(&mut self, sim: &mut Sim, who: usize, ask: Ask, result: Result<Answer, CommandError>) {
        match (ask, result) {
            (Ask::Invite(n), Ok(Answer::Invite { link, .. })) => {
                let pair = &mut self.pairs[n >> 1];
                let side = n & 1;
                if pair.links[side].is_none() {
                    pair.links[side] = Some(link);
                    pair.linked_at[side] = Some(sim.now);
                }
            }
            (Ask::Send(n), Ok(Answer::Message { id })) => {
                if let Err(what) = self.model.answered(n, id) {
                    sim.watch.fail("one message per client id", what);
                }
                self.text_answered(sim, n, true);
            }
            (Ask::Send(n), Err(CommandError::Environment)) if self.model.sent[n].answer.is_none() => {}
            (Ask::Send(n), Err(_)) => {
                self.model.sent[n].refused = true;
                self.text_answered(sim, n, false);
            }
            (Ask::File(job), result) => self.handed(sim, job, result),
            (Ask::Deal(file, Deal::Want), Ok(_)) => self.model.comes_again(file),
            (Ask::Read(other), result) => {
                sim.watch.seen.read_done(self.people[who].host, sim.now);
                if let Some(other) = other.filter(|_| result.is_ok()) {
                    self.model.marked(who, other);
                }
            }
            (Ask::Add(n), Ok(_)) if self.dice.chance(600) => {
                // People write at once, before the door was even read.
                let (to, from) = self.pairs[n >> 1].ends(n & 1);
                let texts = self.dice.range(1, 3) as usize;
                self.send(sim, from, to, texts, 0);
            }
            (Ask::Accept(n), Ok(_)) => {
                let pair = &self.pairs[n >> 1];
                let (_, guest) = pair.ends(n & 1);
                sim.totals.accepted_alone += u64::from(!sim.hosts[self.people[guest].host].is_up());
            }
            (_, Err(CommandError::Bug(bug))) => sim.watch.fail("no bug", format!("{bug}")),
            _ => {}
        }
    }

    fn tell(&mut self, sim: &mut Sim, host: HostId, ask: Ask, command: Command) {
        let id = sim.command(host, Cmd::Device(command));
        if let Some(who) = self.who(host) {
            self.people[who].asks.insert(id, ask);
        }
    }

    /// The first of a pair blocks the second.
    pub fn block(&mut self, sim: &mut Sim, n: usize) {
        let (who, other) = (self.pairs[n].a, self.pairs[n].b);
        let (host, account) = (self.people[who].host, self.people[other].account);
        sim.totals.blocks += 1;
        self.pairs[n].blocked = Some(self.model.sent.len());
        self.model.blocks(who, other);
        self.tell(sim, host, Ask::Block, Command::Contacts(ContactsCommand::Block { account }));
    }

    /// After a start: what was asked and never answered is asked again, under the same client id, before anything
    /// new is.
    fn take_up(&mut self, sim: &mut Sim, who: usize) {
        for n in self.model.open(who) {
            sim.totals.repeated_ids += 1;
            self.send_again(sim, n);
        }
        self.pursue(sim);
    }

    fn send_again(&mut self, sim: &mut Sim, n: usize) {
        let sent = self.model.sent[n].clone();
        let (host, other) = (self.people[sent.from].host, self.people[sent.to].account);
        let Some((chat, _)) = chat_with(&sim.hosts[host].store, other) else { return };
        let (text, client_id) = (sent.text, Some(sent.client_id));
        let send =
            ConversationsCommand::Send { chat, text, reply_to: None, client_id, files: self.uploads_of(n) };
        self.tell(sim, host, Ask::Send(n), Command::Conversations(send));
    }

    fn act(&mut self, sim: &mut Sim, act: Act) {
        match act {
            Act::Pursue => self.pursue(sim),
            Act::Send { from, to, texts, size } => self.send(sim, from, to, texts, size),
            Act::Read { who } => self.read(sim, who),
            Act::Repeat { who } => self.repeat(sim, who),
            Act::File(wish) => self.send_file(sim, wish),
            Act::Deal { file, deal, looks } => self.deal(sim, file, deal, looks),
            Act::World(deed) => crate::plan::perform(sim, deed),
        }
    }

    /// Everybody who is there asks for what is missing.
    pub fn pursue(&mut self, sim: &mut Sim) {
        for n in 0..self.pairs.len() {
            for side in 0..=usize::from(self.pairs[n].both) {
                self.pursue_side(sim, n, side);
            }
        }
        self.go_on_all(sim);
    }

    fn waits(&self, who: usize, ask: Ask) -> bool {
        self.people[who].asks.values().any(|a| *a == ask)
    }

    fn pursue_side(&mut self, sim: &mut Sim, n: usize, side: usize) {
        let (host, guest) = self.pairs[n].ends(side);
        let number = n << 1 | side;
        let (at_host, at_guest) = (self.people[host].host, self.people[guest].host);
        let Some(link) = self.pairs[n].links[side].clone() else {
            let known = query::me(&sim.hosts[at_host].store).is_ok_and(|me| me.network.is_some());
            if sim.hosts[at_host].is_up() && known && !self.waits(host, Ask::Invite(number)) {
                let invite = ContactsCommand::Invite {
                    name: Some(self.people[host].name.clone()),
                    hints: Vec::new(),
                    kind: LinkKind::Personal,
                };
                self.tell(sim, at_host, Ask::Invite(number), Command::Contacts(invite));
            }
            return;
        };
        let (inviter, asker) = (self.people[host].account, self.people[guest].account);
        let carried = self.pairs[n].linked_at[side].is_some_and(|at| sim.now >= at + self.pairs[n].carried);
        let there = sim.hosts[at_guest].is_up() && !self.waits(guest, Ask::Add(number));
        let state = state_of(&sim.hosts[at_guest].store, inviter);
        // Both ask: the second asks although the first request may have come in meanwhile.
        if carried
            && there
            && (state.is_none() || self.pairs[n].both && state == Some(ContactState::Incoming))
        {
            let hello = format!("hello {}", self.mark);
            self.model.asks(guest, host);
            self.tell(
                sim,
                at_guest,
                Ask::Add(number),
                Command::Contacts(ContactsCommand::Add { link, hello }),
            );
        }
        if state_of(&sim.hosts[at_host].store, asker) == Some(ContactState::Incoming) {
            let seen = *self.pairs[n].seen[side].get_or_insert(sim.now);
            let due = sim.now >= seen + self.pairs[n].accept_after;
            if due && sim.hosts[at_host].is_up() && !self.waits(host, Ask::Accept(number)) {
                let accept = ContactsCommand::Accept { account: asker };
                self.model.accepts(host, guest);
                self.tell(sim, at_host, Ask::Accept(number), Command::Contacts(accept));
            }
        }
    }

    fn send(&mut self, sim: &mut Sim, from: usize, to: usize, texts: usize, size: usize) {
        let host = self.people[from].host;
        if !sim.hosts[host].is_up() || chat_with(&sim.hosts[host].store, self.people[to].account).is_none() {
            return;
        }
        for i in 0..texts {
            let number = self.model.sent.len();
            let mut text = format!("{} {number} from {from} to {to}", self.mark);
            if i == 0 && size > text.len() {
                let fill = size - text.len();
                text.push_str(&" all work and no play".repeat(fill / 21 + 1)[..fill]);
                sim.totals.big_texts += u64::from(size > 16 << 10);
            }
            let client_id = format!("client {number}");
            let n = self.model.asked(Sent::new(from, to, client_id, text, sim.now));
            sim.totals.messages += 1;
            sim.totals.packed += u64::from(texts > 1);
            self.send_again(sim, n);
        }
    }

    fn read(&mut self, sim: &mut Sim, who: usize) {
        let host = self.people[who].host;
        if !sim.hosts[host].is_up() {
            return;
        }
        for chat in query::chats(&sim.hosts[host].store, murre_core::Wall(0)).unwrap_or_default() {
            sim.watch.seen.read_asked(host);
            let read = ConversationsCommand::Read { chat: chat.chat };
            let other = self.people.iter().position(|p| p.account == chat.with);
            if let Some(other) = other {
                self.model.marks(who, other);
            }
            self.tell(sim, host, Ask::Read(other), Command::Conversations(read));
        }
    }

    fn repeat(&mut self, sim: &mut Sim, who: usize) {
        let mine: Vec<usize> = (0..self.model.sent.len())
            .filter(|n| self.model.sent[*n].from == who && self.model.sent[*n].answer.is_some())
            // What names files can be repeated only with all their bytes.
            .filter(|n| !self.names_file(*n))
            .collect();
        if mine.is_empty() || !sim.hosts[self.people[who].host].is_up() {
            return;
        }
        let n = mine[self.dice.index(mine.len())];
        sim.totals.repeated_ids += 1;
        self.send_again(sim, n);
    }
}

/// The text of a message, as its device shows it.
fn text_of(sim: &Sim, host: HostId, id: MessageId) -> Option<String> {
    query::message(&sim.hosts[host].store, id, murre_core::Wall(0)).ok().flatten()?.text
}

/// A device's word for how far a message is, in the model's.
#[must_use]
pub const fn tick(state: MessageState) -> Tick {
    match state {
        MessageState::Queued => Tick::Queued,
        MessageState::Sent => Tick::Sent,
        MessageState::Stored => Tick::Stored,
        MessageState::Delivered => Tick::Delivered,
        MessageState::Read => Tick::Read,
        MessageState::Failed => Tick::Failed,
    }
}
