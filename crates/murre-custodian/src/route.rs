//! Who hears what: the only place where children meet.
//!
//! ```text
//!  frame --> request --> one child --> Up --> one child or the way out
//!        \-> answer  --> the child that asked
//! ```
//! Each arm of each match is one call on one child. What children say is drained in waves; more than
//! [`MAX_HOPS`] waves in one turn can only be a circle, and is a bug.

use crate::boxes::{Listing, Origin, Taken};
use crate::calls::{Call, Caller};
use crate::command::{Event, PuzzleId};
use crate::coordinator::plan::plan;
use crate::leaving::begins;
use crate::limits::MAX_HOPS;
use crate::machine::{Custodian, Work, env};
use crate::tally::add;
use crate::waiters::ListAsk;
use murre_core::id::{Locator, PeerKey};
use murre_core::{Bug, Class, Dest, Input, LinkId, Output, PeerRef, Transmit, TurnError};
use murre_crypto::puzzle::Puzzle;
use murre_mailbox::{Descriptor, Frame, Refusal, RepairItem, Reply, Request, SignedRead};

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// Somebody on a link.
    Link {
        /// Which.
        link: LinkId,
        /// Their request id.
        id: u64,
    },
    /// This node itself: the coordinator asks its own shelves as it asks any other node.
    Own {
        /// The call.
        call: u64,
    },
}

impl Asker {
    /// The link the asker is on, if it is not this node.
    #[must_use]
    pub const fn link(&self) -> Option<LinkId> {
        match self {
            Self::Link { link, .. } => Some(*link),
            Self::Own { .. } => None,
        }
    }
}

/// What a child tells the root.
#[derive(Debug)]
pub enum Up {
    /// An answer is ready.
    Reply {
        /// For whom.
        to: Asker,
        /// The answer.
        reply: Reply,
    },
    /// Another node is to be asked.
    Ask {
        /// Who wants to know.
        caller: Caller,
        /// Whom to ask.
        to: PeerRef,
        /// What.
        request: Request,
        /// Longest it may keep us waiting beyond the usual, ms.
        patience: u64,
    },
    /// A new box lies at this locator.
    Stored {
        /// Where.
        locator: Locator,
    },
    /// A neighbour handed over what was missing here.
    Repaired {
        /// Who.
        from: PeerKey,
        /// Boxes, objects and tombstones, unverified.
        items: Vec<RepairItem>,
    },
    /// A puzzle is to be solved.
    Solve {
        /// Its name.
        id: PuzzleId,
        /// The puzzle.
        puzzle: Puzzle,
    },
    /// The own descriptor was issued.
    Ready(Descriptor),
    /// So many nodes are known now.
    DirectoryChanged(usize),
}

impl Custodian {
    /// Something from outside.
    pub(crate) fn input(&mut self, work: &mut Work<'_>, input: Input) -> Result<(), TurnError> {
        match input {
            Input::LinkUp(up) => {
                // spec: K-45
                if (self.leaving.is() && !up.dialed) || !self.links.up(&up) {
                    close(work, up.id);
                } else if up.dialed {
                    self.feeder.dialed(&mut work.cx(&mut self.rng), up.peer);
                }
                Ok(())
            }
            Input::LinkDown { link, .. } => {
                self.waiters.link_down(link);
                match self.links.down(link) {
                    Some(peer) => self.lost(work, &peer),
                    None => Ok(()),
                }
            }
            Input::Unreachable { peer } => self.lost(work, &peer),
            Input::Listening { addrs, .. } => {
                let linked = self.linked();
                self.feeder.listening(&mut work.cx(&mut self.rng), &self.key, addrs, &linked)
            }
            Input::Frame { link, bytes } => self.frame(work, link, &bytes),
            // The carrier bounds its own queues; every answer here is bounded, and asked for by the other side.
            Input::Credit { .. } => Ok(()),
        }
    }

    fn frame(&mut self, work: &mut Work<'_>, link: LinkId, bytes: &[u8]) -> Result<(), TurnError> {
        let Some(peer) = self.links.peer(link) else { return Ok(()) };
        match Frame::decode(bytes) {
            // spec: K-32
            Ok(Frame::Request { id, .. }) if self.links.is_pending(link, id) => {
                close(work, link);
                Ok(())
            }
            Ok(Frame::Request { id, body }) => {
                self.serve(work, Asker::Link { link, id }, peer, body, bytes.len())
            }
            Ok(Frame::Reply { id, body }) => match self.calls.take(id) {
                Some(call) => self.answered(work, call, Some(body)),
                None => Ok(()),
            },
            // spec: K-32
            Err(_) => {
                close(work, link);
                Ok(())
            }
        }
    }

    /// One request, from a link or from this node's own coordinator.
    fn serve(
        &mut self,
        work: &mut Work<'_>,
        asker: Asker,
        from: PeerKey,
        request: Request,
        len: usize,
    ) -> Result<(), TurnError> {
        // spec: K-45
        if self.leaving.is() && matches!(asker, Asker::Link { .. }) && begins(&request) {
            add(&mut self.tally.leaving, 1);
            return reply(work, asker, Reply::Refused(Refusal::Leaving));
        }
        // spec: K-38
        if let (Request::PutObject { .. }, Asker::Link { link, .. }) = (&request, asker)
            && !self.links.object(link, work.now.mono)
        {
            return reply(work, asker, Reply::Refused(Refusal::Busy));
        }
        let answer = match request {
            Request::Hello { net, .. } => {
                self.feeder.serve_hello(&mut work.cx(&mut self.rng), asker, net);
                return Ok(());
            }
            Request::Descriptors { have } => {
                self.feeder.serve_descriptors(&mut work.cx(&mut self.rng), asker, &have);
                return Ok(());
            }
            Request::Announce { d } => {
                let linked = self.linked();
                let mut cx = work.cx(&mut self.rng);
                return self.feeder.serve_announce(&mut cx, asker, from, d, &linked);
            }
            Request::Put { fan: true, .. }
            | Request::PutObject { fan: true, .. }
            | Request::Tombstone { fan: true, .. }
            | Request::List { fan: true, .. }
            | Request::Get { fan: true, .. }
            | Request::GetObject { fan: true, .. } => {
                self.coordinate(work, asker, request, len);
                return Ok(());
            }
            Request::List { r, fan: false } => return self.list(work, asker, r),
            Request::Put { .. }
            | Request::PutObject { .. }
            | Request::Tombstone { .. }
            | Request::Get { .. }
            | Request::GetObject { .. }
            | Request::Repair { .. } => self.store(work, request)?,
        };
        reply(work, asker, answer)
    }

    /// Requests that the shelves answer at once.
    fn store(&mut self, work: &mut Work<'_>, request: Request) -> Result<Reply, TurnError> {
        let env = env(&self.key, self.me, &self.feeder, &self.params);
        let mut cx = work.cx(&mut self.rng);
        Ok(match request {
            Request::Put { b, proof, .. } => {
                let taken = self.boxes.put(&mut cx, &env, &b, &Origin::Writer(proof))?;
                self.tally.put(&taken, self.params.space);
                put_reply(self.me, taken)
            }
            Request::PutObject { o, .. } => {
                let taken = self.boxes.put_object(&mut cx, &env, &o)?;
                self.tally.put(&taken, self.params.space);
                put_reply(self.me, taken)
            }
            Request::Tombstone { t, .. } => self.boxes.tombstone(&mut cx, &env, &t)?,
            Request::Get { r, .. } => match self.boxes.boxes_for_reader(&cx, &env, r)? {
                Ok(boxes) => {
                    add(&mut self.tally.get_answered, 1);
                    Reply::Get { boxes }
                }
                Err(why) => {
                    add(&mut self.tally.get_refused, 1);
                    Reply::Refused(why)
                }
            },
            Request::GetObject { place, e, .. } => {
                add(&mut self.tally.get_answered, 1);
                let found = self.boxes.object(cx.tx, &place.locator(), e, cx.now.wall)?;
                Reply::Object { objects: found.into_iter().collect() }
            }
            Request::Repair { r } => self.boxes.serve_repair(&cx, &env, r)?,
            Request::Hello { .. }
            | Request::Descriptors { .. }
            | Request::Announce { .. }
            | Request::List { .. } => return Err(Bug::new("not a request for the shelves").into()),
        })
    }

    /// A list answers now or waits.
    fn list(&mut self, work: &mut Work<'_>, asker: Asker, read: SignedRead) -> Result<(), TurnError> {
        let env = env(&self.key, self.me, &self.feeder, &self.params);
        let cx = work.cx(&mut self.rng);
        let (ask, until) = match self.boxes.ask_list(&cx, &env, read)? {
            Listing::Wait { ask, until } => (ask, until),
            Listing::Now(part) => {
                add(&mut self.tally.list_answered, 1);
                return reply(work, asker, Reply::List { parts: vec![part] });
            }
            Listing::Denied(why) => {
                add(&mut self.tally.list_refused, 1);
                return reply(work, asker, Reply::Refused(why));
            }
        };
        if self.leaving.is() {
            return self.list_now(work, asker, &ask);
        }
        let noted = match asker {
            Asker::Link { link, id } => self.links.begin(link, id, 0),
            Asker::Own { .. } => true,
        };
        let refused = if noted { self.waiters.wait(asker, ask, until) } else { Err((asker, ask)) };
        match refused {
            Ok(()) => {
                add(&mut self.tally.list_waited, 1);
                Ok(())
            }
            // spec: K-33
            Err((asker, ask)) => self.list_now(work, asker, &ask),
        }
    }

    pub(crate) fn list_now(
        &mut self,
        work: &mut Work<'_>,
        asker: Asker,
        ask: &ListAsk,
    ) -> Result<(), TurnError> {
        let env = env(&self.key, self.me, &self.feeder, &self.params);
        let part = self.boxes.list(&work.tx, &env, ask)?;
        add(&mut self.tally.list_answered, 1);
        reply(work, asker, Reply::List { parts: vec![part] })
    }

    fn coordinate(&mut self, work: &mut Work<'_>, asker: Asker, request: Request, len: usize) {
        // spec: K-33
        if let Asker::Link { link, id } = asker
            && !self.links.begin(link, id, len)
        {
            return work.up.push_back(Up::Reply { to: asker, reply: Reply::Refused(Refusal::Busy) });
        }
        let env = env(&self.key, self.me, &self.feeder, &self.params);
        match plan(&env, work.now, &mut self.rng, request) {
            Ok(plan) => {
                let mut cx = work.cx(&mut self.rng);
                self.coordinator.begin(&mut cx, &self.feeder.directory, asker, plan);
                add(&mut self.tally.coordinated, 1);
            }
            Err(why) => work.up.push_back(Up::Reply { to: asker, reply: Reply::Refused(why) }),
        }
    }

    /// An answer to one of our own requests, or none.
    fn answered(&mut self, work: &mut Work<'_>, call: Call, reply: Option<Reply>) -> Result<(), TurnError> {
        match call.caller {
            Caller::Job(job) => {
                let mut cx = work.cx(&mut self.rng);
                let directory = &self.feeder.directory;
                self.coordinator.answered(&mut cx, directory, &self.params, job, call.peer, reply);
                Ok(())
            }
            Caller::Directory => match reply {
                Some(reply) => {
                    let linked = self.linked();
                    self.feeder.answered(&mut work.cx(&mut self.rng), call.peer, reply, &linked)
                }
                None => Ok(()),
            },
            Caller::Repair => {
                let env = env(&self.key, self.me, &self.feeder, &self.params);
                self.repair.answered(&mut work.cx(&mut self.rng), &env, call.peer, reply)
            }
        }
    }

    /// The last link to a peer is gone, or it cannot be reached.
    fn lost(&mut self, work: &mut Work<'_>, peer: &PeerKey) -> Result<(), TurnError> {
        for call in self.calls.take_peer(peer) {
            self.answered(work, call, None)?;
        }
        Ok(())
    }

    /// Everything whose time has come.
    pub(crate) fn timeouts(&mut self, work: &mut Work<'_>) -> Result<(), TurnError> {
        let now = work.now.mono;
        for call in self.calls.take_silent(now) {
            self.answered(work, call, None)?;
        }
        for (asker, ask) in self.waiters.overdue(now) {
            self.list_now(work, asker, &ask)?;
        }
        let linked = self.linked();
        self.feeder.timeout(&mut work.cx(&mut self.rng), &self.key, &linked)?;
        let mut cx = work.cx(&mut self.rng);
        self.coordinator.timeout(&mut cx, &self.feeder.directory);
        // What cannot be stored, or would come too late, is not fetched.
        let may = self.boxes.room() && !self.leaving.is();
        self.repair.timeout(&mut cx, &env(&self.key, self.me, &self.feeder, &self.params), may);
        if let Some(rows) = self.boxes.timeout(&mut cx)? {
            self.tally.swept(rows);
        }
        Ok(())
    }

    /// Drains what children said, and what that makes others say.
    pub(crate) fn drain(&mut self, work: &mut Work<'_>) -> Result<(), TurnError> {
        for _ in 0..MAX_HOPS {
            if work.up.is_empty() {
                return Ok(());
            }
            for up in std::mem::take(&mut work.up) {
                self.route(work, up)?;
            }
        }
        if work.up.is_empty() { Ok(()) } else { Err(Bug::new("children talk in a circle").into()) }
    }

    fn route(&mut self, work: &mut Work<'_>, up: Up) -> Result<(), TurnError> {
        match up {
            Up::Reply { to: Asker::Link { link, id }, reply } => {
                // spec: K-5 (a transmit of this turn leaves after the turn's batch is durable)
                if self.links.end(link, id) {
                    let bytes = Frame::Reply { id, body: reply }.encode();
                    transmit(work, Dest::Link(link), Class::Mailbox, bytes);
                }
                Ok(())
            }
            Up::Reply { to: Asker::Own { call }, reply } => match self.calls.take(call) {
                Some(call) => self.answered(work, call, Some(reply)),
                None => Ok(()),
            },
            Up::Ask { caller, to, request, patience } => self.ask(work, caller, to, request, patience),
            Up::Stored { locator } => {
                for (asker, ask) in self.waiters.wake(&locator) {
                    self.list_now(work, asker, &ask)?;
                }
                Ok(())
            }
            Up::Repaired { from, items } => self.repaired(work, from, items),
            Up::Solve { id, puzzle } => event(work, Event::Solve { id, puzzle }),
            Up::Ready(descriptor) => event(work, Event::Ready { descriptor }),
            Up::DirectoryChanged(nodes) => {
                self.repair.soon(work.now.mono);
                event(work, Event::DirectoryChanged { nodes })
            }
        }
    }

    fn ask(
        &mut self,
        work: &mut Work<'_>,
        caller: Caller,
        to: PeerRef,
        request: Request,
        patience: u64,
    ) -> Result<(), TurnError> {
        let peer = to.key;
        let Some(id) = self.calls.begin(work.now, &mut self.rng, caller, peer, patience) else {
            return self.answered(work, Call::unheard(caller, peer), None);
        };
        if peer == self.me {
            return self.serve(work, Asker::Own { call: id }, peer, request, 0);
        }
        let class = match caller {
            Caller::Job(_) => Class::Mailbox,
            Caller::Directory => Class::Control,
            Caller::Repair => Class::Repair,
        };
        transmit(work, Dest::Peer(to), class, Frame::Request { id, body: request }.encode());
        Ok(())
    }

    /// Stores what a neighbour handed over, as far as it is valid, and goes on with that neighbour.
    // spec: K-31
    fn repaired(
        &mut self,
        work: &mut Work<'_>,
        from: PeerKey,
        items: Vec<RepairItem>,
    ) -> Result<(), TurnError> {
        let env = env(&self.key, self.me, &self.feeder, &self.params);
        let mut cx = work.cx(&mut self.rng);
        for item in items {
            match item {
                RepairItem::Box(wire) => {
                    let taken = self.boxes.put(&mut cx, &env, &wire, &Origin::Repair)?;
                    self.tally.repaired(&taken);
                }
                RepairItem::Object(wire) => {
                    let taken = self.boxes.put_object(&mut cx, &env, &wire)?;
                    self.tally.repaired(&taken);
                }
                RepairItem::Tombstone(signed) => {
                    self.boxes.tombstone(&mut cx, &env, &signed)?;
                }
            }
        }
        self.repair.stored(&mut cx, &env, from)
    }
}

/// How a put's outcome is said.
fn put_reply(me: PeerKey, taken: Taken) -> Reply {
    match taken {
        Taken::Stored(receipt) | Taken::Held(receipt) => {
            Reply::Put { receipts: vec![receipt], refused: vec![] }
        }
        Taken::Refused(why) => Reply::Put { receipts: vec![], refused: vec![(me, why)] },
        Taken::Invalid => Reply::Refused(Refusal::Malformed),
    }
}

fn reply(work: &mut Work<'_>, to: Asker, reply: Reply) -> Result<(), TurnError> {
    work.up.push_back(Up::Reply { to, reply });
    Ok(())
}

fn event(work: &mut Work<'_>, event: Event) -> Result<(), TurnError> {
    work.out.push(Output::Event(event));
    Ok(())
}

fn transmit(work: &mut Work<'_>, to: Dest, class: Class, bytes: Vec<u8>) {
    work.out.push(Output::Transmit(Transmit { to, class, bytes }));
}

fn close(work: &mut Work<'_>, link: LinkId) {
    transmit(work, Dest::Close(link), Class::Control, Vec::new());
}
