//! The play itself, scene by scene.

use super::Teller;
use super::person::{CheckError, Person, Seen};
use super::texts;
use crate::crew::{self, NodeProc};
use crate::failure::Failure;
use crate::process::Pen;
use crate::text::demo as words;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

const NODES: usize = 8;
/// The nodes that are killed: neither the first, which everybody began with, nor neighbours.
const KILLED: [usize; 2] = [3, 6];
const HELLO: &str = "Hi Bob, it is Alice 👋 — coffee?";
const REPLY: &str = "Gern! ☕ um 9?";
const LAST: &str = "written just before the crash";
/// Every wait ends after this: generous, because the machine may be busy; reached only when something is broken.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// Everybody who is still running at the end.
pub struct Cast {
    nodes: Vec<NodeProc>,
    pub(super) alice: Person,
    pub(super) bob: Person,
}

impl Cast {
    /// Addresses to begin with.
    pub fn bootstrap(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.address().to_owned()).collect()
    }
}

/// Why the play stopped.
pub enum Broken {
    /// A check did not hold.
    Check(CheckError),
    /// Nobody listens any more.
    Output(Failure),
}

impl<E: Into<CheckError>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Check(error.into())
    }
}

pub(super) type Scene<T = ()> = Result<T, Broken>;

impl Teller {
    /// One step: announced, played, checked.
    pub(super) fn step<T>(
        &mut self,
        name: &'static str,
        play: impl FnOnce() -> Result<T, CheckError>,
    ) -> Scene<T> {
        self.begin(name);
        let value = play()?;
        self.held().map_err(Broken::Output)?;
        Ok(value)
    }
}

/// Plays everything in `dir`.
///
/// # Errors
/// The first thing that did not hold. All processes have ended then.
pub fn play(pen: &Pen, dir: &Path, teller: &mut Teller) -> Scene<Cast> {
    let nodes = teller.step(words::NODES, || Ok(crew::start(pen, dir, NODES, Instant::now() + LIMIT)?))?;
    let (alice, bob) = (Person::new(pen, dir, "alice"), Person::new(pen, dir, "bob"));
    let mut cast = Cast { nodes, alice, bob };
    let link = cast.invitation(teller)?;
    let chat = cast.request(teller, &link)?;
    let sent = cast.while_bob_is_away(teller, &chat)?;
    cast.bob_returns(teller, &sent)?;
    cast.while_alice_is_away(teller, &chat, &sent)?;
    cast.crash(teller, &chat)?;
    cast.small_file(teller, &chat, dir)?;
    cast.large_file(teller, &chat, dir)?;
    Ok(cast)
}

impl Cast {
    fn invitation(&mut self, teller: &mut Teller) -> Scene<String> {
        let bootstrap = self.bootstrap();
        let bob = &mut self.bob;
        teller.step(words::BOB_UP, || {
            bob.init("Bob")?;
            bob.start(&bootstrap)?;
            bob.knows(NODES as u64, LIMIT)
        })?;
        let link = teller.step(words::DOOR, || {
            let invite = bob.one(&["invite"])?;
            expect("published: true", invite["published"] == true, &invite)?;
            text(&invite, "link")
        })?;
        teller.step(words::BOB_AWAY, || bob.stop())?;
        Ok(link)
    }

    fn request(&mut self, teller: &mut Teller, link: &str) -> Scene<String> {
        let bootstrap = self.bootstrap();
        let alice = &mut self.alice;
        teller.step(words::ALICE_UP, || {
            alice.init("Alice")?;
            alice.start(&bootstrap)?;
            alice.knows(NODES as u64, LIMIT)
        })?;
        teller.step(words::ASKED, || {
            let asked = alice.one(&["contact", "add", link, "--hello", HELLO])?;
            expect("state requested", asked["state"] == "requested", &asked)?;
            text(&asked, "chat")
        })
    }

    fn while_bob_is_away(&mut self, teller: &mut Teller, chat: &str) -> Scene<Vec<String>> {
        let texts = texts::all();
        let (first, rest) = texts.split_at(texts.len() / 2);
        let alice = &self.alice;
        let send = |text: &String| {
            let sent = alice.one_with(&["send", chat, "-"], text.as_bytes())?;
            self::text(&sent, "message")
        };
        teller.begin(words::SENT);
        let mut sent = first.iter().map(send).collect::<Result<Vec<_>, _>>()?;
        for node in KILLED {
            self.nodes[node].proc.kill();
        }
        sent.extend(rest.iter().map(send).collect::<Result<Vec<_>, _>>()?);
        teller.held().map_err(Broken::Output)?;
        let (nodes, alive) = (&mut self.nodes, NODES - KILLED.len());
        teller.step(words::NODES_KILLED, || {
            nodes.retain(|node| node.proc.alive());
            expect("six nodes", nodes.len() == alive, &Value::from(nodes.len()))
        })?;
        teller.step(words::STORED, || alice.all_in(chat, &sent, &["stored"], LIMIT))?;
        Ok(sent)
    }

    fn bob_returns(&mut self, teller: &mut Teller, sent: &[String]) -> Scene {
        let bootstrap = self.bootstrap();
        let bob = &mut self.bob;
        let alice = teller.step(words::REQUEST, || {
            bob.start(&bootstrap)?;
            bob.until("Alice's request", LIMIT, |bob| {
                let contacts = bob.lines(&["contact", "list"])?;
                let Some(contact) = contacts.iter().find(|c| c["state"] == "incoming") else {
                    return Ok(Seen::NotYet(format!("{} contacts", contacts.len())));
                };
                expect("Alice's hello", contact["hello"] == HELLO, contact)?;
                expect("Alice's name", contact["name"] == "Alice", contact)?;
                text(contact, "contact").map(Seen::Yes)
            })
        })?;
        teller.step(words::ACCEPTED, || {
            let accepted = bob.one(&["accept", &alice])?;
            expect("state accepted", accepted["state"] == "accepted", &accepted)
        })?;
        let texts = texts::all();
        teller.step(words::ARRIVED, || {
            let history = bob.until("20 messages", LIMIT, |bob| {
                let history = bob.history(&alice)?;
                let there = history.len();
                Ok(if there >= texts.len() { Seen::Yes(history) } else { Seen::NotYet(there.to_string()) })
            })?;
            let ids: Vec<&str> = history.iter().filter_map(|m| m["message"].as_str()).collect();
            expect("20 messages in Alice's order", ids == sent, &Value::from(ids.clone()))?;
            for (message, text) in history.iter().zip(&texts) {
                expect("the text as it was sent", message["text"] == text.as_str(), message)?;
            }
            Ok(())
        })
    }

    fn while_alice_is_away(&mut self, teller: &mut Teller, chat: &str, sent: &[String]) -> Scene {
        let bootstrap = self.bootstrap();
        let (alice, bob) = (&mut self.alice, &self.bob);
        teller.step(words::ALICE_AWAY, || alice.stop())?;
        let reply = teller.step(words::REPLY, || {
            let answered = sent.first().map_or("", String::as_str);
            let reply = text(&bob.one(&["send", "Alice", REPLY, "--reply-to", answered])?, "message")?;
            bob.all_in("Alice", std::slice::from_ref(&reply), &["stored", "delivered"], LIMIT)?;
            Ok(reply)
        })?;
        teller.step(words::REPLY_ARRIVED, || {
            alice.start(&bootstrap)?;
            let found = alice.until("Bob's reply", LIMIT, |alice| {
                let history = alice.history(chat)?;
                let found = history.iter().find(|m| m["message"] == reply.as_str());
                Ok(found.map_or_else(|| Seen::NotYet(history.len().to_string()), |m| Seen::Yes(m.clone())))
            })?;
            expect("Bob's words", found["text"] == REPLY, &found)?;
            expect(
                "an answer to her first message",
                found["reply_to"].as_str() == sent.first().map(String::as_str),
                &found,
            )
        })?;
        teller.step(words::DELIVERED, || alice.all_in(chat, sent, &["delivered", "read"], LIMIT))
    }

    fn crash(&mut self, teller: &mut Teller, chat: &str) -> Scene {
        let bootstrap = self.bootstrap();
        let (alice, bob) = (&mut self.alice, &self.bob);
        let last = teller.step(words::CRASHED, || {
            let last = text(&alice.one(&["send", chat, LAST])?, "message")?;
            alice.kill();
            Ok(last)
        })?;
        let mine = |message: &&Value| message["text"] == LAST;
        teller.step(words::ONCE, || {
            alice.start(&bootstrap)?;
            bob.until("Alice's last message", LIMIT, |bob| {
                let history = bob.history("Alice")?;
                let found: Vec<&Value> = history.iter().filter(mine).collect();
                expect("no second copy", found.len() < 2, &Value::from(found.len()))?;
                Ok(Seen::when(found.first().is_some_and(|m| m["message"] == last.as_str()), || {
                    history.len().to_string()
                }))
            })
        })?;
        let last = [last];
        teller.step(words::CRASH_DELIVERED, || alice.all_in(chat, &last, &["delivered", "read"], LIMIT))?;
        teller.step(words::READ, || {
            bob.one(&["read", "Alice"])?;
            let history = alice.history(chat)?;
            let own: Vec<String> =
                history.iter().filter(|m| m["own"] == true).filter_map(|m| text(m, "message").ok()).collect();
            expect("21 own messages", own.len() == texts::all().len() + 1, &Value::from(own.len()))?;
            alice.all_in(chat, &own, &["read"], LIMIT)?;
            // By now every duplicate that could come has had its chance.
            let copies = bob.history("Alice")?.iter().filter(mine).count();
            expect("the last message once", copies == 1, &Value::from(copies))
        })
    }
}

pub(super) fn expect(what: &str, held: bool, found: &Value) -> Result<(), CheckError> {
    if held {
        return Ok(());
    }
    let found = found.to_string().chars().take(600).collect();
    Err(CheckError::Wrong { expected: what.to_owned(), found })
}

pub(super) fn text(value: &Value, field: &str) -> Result<String, CheckError> {
    let wrong = || CheckError::Wrong { expected: field.to_owned(), found: value.to_string() };
    value[field].as_str().map(str::to_owned).ok_or_else(wrong)
}
