//! Measures what people wait for: real processes of the `murre` program, driven through the local API.
//!
//! ```text
//!   this process ---- Client ----> murre up (Alice) --.
//!     one clock  ---- Client ----> murre up (Bob)   --+-- loopback -- murre devnet: 8 x murre node
//! ```
//!
//! Both ends of every time are taken here, by one clock. It does NOT measure the command line (each verb would start
//! a process), and it knows nothing that another program on this machine could not know.
//!
//! `bench_e2e MURRE [--json] [--smoke] [--toxcore PROGRAM]`, started by `cargo xtask bench e2e`.

mod beside;
mod files;
#[path = "../bench/person.rs"]
mod person;
#[path = "../bench/proc.rs"]
mod proc;
#[path = "../bench/sockets.rs"]
mod sockets;
#[path = "../bench/table.rs"]
mod table;
#[path = "../bench/toxcore.rs"]
mod toxcore;

use futures::{StreamExt, stream};
use murre::WatchStream;
use murre::v1::{self, MessageState, event::What};
use person::{Person, devnet, run, until};
use proc::Proc;
use sockets::{Sockets, since, sockets};
use std::path::Path;
use std::time::{Duration, Instant};
use table::{Result, Table, fsync, percentile};
use tokio::time::sleep;

/// After an answer a reader lets 250 ms pass before its next waiting list; after this it waits at the custodians.
const LISTED: Duration = Duration::from_millis(400);
/// Length of every text, bytes.
const TEXT: usize = 100;
/// Sends that wait for their answer at the same time, while a stream of them is measured.
const AT_ONCE: usize = 1_024;

/// How many of each.
struct Sizes {
    fsyncs: usize,
    connects: usize,
    direct: usize,
    sustained: usize,
    mailbox: usize,
    catchups: usize,
    file: u64,
    resumed: u64,
}

const FULL: Sizes = Sizes {
    fsyncs: 200,
    connects: 5,
    direct: 500,
    sustained: 20_000,
    mailbox: 50,
    catchups: 5,
    file: 1 << 30,
    resumed: 256 << 20,
};
const SMOKE: Sizes = Sizes {
    fsyncs: 20,
    connects: 1,
    direct: 20,
    sustained: 200,
    mailbox: 5,
    catchups: 1,
    file: 65 << 20,
    resumed: 65 << 20,
};

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let murre = args.next().ok_or("bench_e2e MURRE [--json] [--smoke] [--toxcore PROGRAM]")?;
    let rest: Vec<String> = args.collect();
    let has = |flag: &str| rest.iter().any(|arg| arg == flag);
    let (sizes, mut table) = (if has("--smoke") { SMOKE } else { FULL }, Table::new(has("--json")));
    if let Some(at) = rest.iter().position(|arg| arg == "--toxcore") {
        let program = rest.get(at + 1).ok_or("--toxcore PROGRAM")?;
        beside::toxcore(&mut table, Path::new(program), has("--smoke")).await?;
    }
    // Short, because the path of a socket may not be long.
    let dir = tempfile::Builder::new().prefix("murre-bench-").tempdir()?;
    let played = play(Path::new(&murre), dir.path(), &mut table, &sizes).await;
    if played.is_err() {
        eprintln!("homes and logs are kept in {}", dir.keep().display());
    }
    played
}

async fn play(murre: &Path, dir: &Path, table: &mut Table, sizes: &Sizes) -> Result<()> {
    let mut stage = Stage::new(murre, dir).await?;
    fsync(table, dir, sizes.fsyncs)?;
    stage.befriend().await?;
    stage.connect(table, sizes.connects).await?;
    stage.direct(table, sizes.direct).await?;
    stage.sustained(table, sizes.sustained).await?;
    stage.file(table, sizes.file).await?;
    stage.resume(table, sizes.resumed).await?;
    stage.without_links().await?;
    stage.mailbox(table, sizes.mailbox).await?;
    stage.catchup(table, sizes.catchups).await?;
    stage.end().await
}

/// Waits until a text arrives; answers when, and the cursor.
async fn arrival(events: &mut WatchStream, text: &str) -> Result<(Instant, u64)> {
    let arrived = |what| match what {
        What::MessageArrived(v1::MessageArrived { message }) => {
            message.filter(|message| message.text.as_deref() == Some(text)).map(|_| Instant::now())
        }
        _ => None,
    };
    until(events, arrived).await
}

/// A text of [`TEXT`] bytes that no other one is like.
fn text(kind: &str, n: usize) -> String {
    let mut text = format!("{kind} {n} ");
    text.extend(std::iter::repeat_n('.', TEXT.saturating_sub(text.len())));
    text
}

impl Person {
    /// Dies as if the power failed.
    async fn kill(&mut self) -> Result<()> {
        Ok(self.proc.child.kill().await?)
    }

    async fn start(&mut self, listen: bool) -> Result<()> {
        let running = run(&self.murre, &self.home, &self.bootstrap, listen).await?;
        (self.began, self.proc, self.client) = running;
        Ok(())
    }
}

// The play.

/// Everybody.
struct Stage {
    devnet: Proc,
    alice: Person,
    bob: Person,
    chat: String,
    /// Cursor of the newest event at Bob that was waited for.
    seen: u64,
}

impl Stage {
    async fn new(murre: &Path, dir: &Path) -> Result<Self> {
        let (devnet, bootstrap) = devnet(murre, dir).await?;
        let alice = Person::new(murre, &dir.join("alice"), "Alice", &bootstrap).await?;
        let bob = Person::new(murre, &dir.join("bob"), "Bob", &bootstrap).await?;
        Ok(Self { devnet, alice, bob, chat: String::new(), seen: 0 })
    }

    async fn befriend(&mut self) -> Result<()> {
        let mut events = self.bob.client.watch(Some(0)).await?;
        let invite = self.bob.client.invite(None).await?;
        self.chat = self.alice.client.contact_add(&invite.link, "hello").await?.chat;
        let asked = until(&mut events, |what| match what {
            What::Contact(change) if change.state() == v1::ContactState::Incoming => Some(change.contact),
            _ => None,
        });
        self.bob.client.accept(&asked.await?.0).await?;
        // Who has said something and was heard is a contact on both sides.
        let first = self.alice.send(&self.chat, "first").await?;
        self.alice.all_in([first].iter(), MessageState::Delivered).await?;
        self.alice.counts("device.live_contacts", 1).await?;
        self.bob.counts("device.live_contacts", 1).await
    }

    async fn connect(&mut self, table: &mut Table, n: usize) -> Result<()> {
        let mut times = Vec::with_capacity(n);
        for _ in 0..n {
            self.bob.stop().await?;
            self.alice.counts("device.live_contacts", 0).await?;
            self.bob.start(true).await?;
            self.bob.counts("device.live_contacts", 1).await?;
            times.push(self.bob.began.elapsed());
        }
        let method =
            "start of Bob's process to the proven link with Alice, who is online, in his doctor; median";
        table.row("connect_ms", percentile(&mut times, 50), "ms", n, method)
    }

    async fn direct(&mut self, table: &mut Table, n: usize) -> Result<()> {
        let mut events = self.bob.client.watch(None).await?;
        let (before, wire) = (self.message_bytes().await?, self.link().await?);
        let mut times = self.one_by_one(&mut events, "direct", n, Duration::ZERO).await?;
        self.links(1).await?;
        let wire = since(&wire, &self.link().await?) as f64 / n as f64;
        let after = self.message_bytes().await?;
        let [there, back] = [0, 1].map(|side| (after[side] - before[side]) as f64 / n as f64);
        let method =
            "send call to the event in Bob's watch, one at a time, 100 B, live link, durable on both";
        table.row("direct_p50_ms", percentile(&mut times, 50), "ms", n, method)?;
        table.row("direct_p99_ms", percentile(&mut times, 99), "ms", n, method)?;
        let method = format!(
            "what the TCP connection between the two carried both ways with all heads, receipts and acknowledgements \
             too, one text at a time; in frames of class message {there:.0} to Bob, {back:.0} back"
        );
        table.row("wire_bytes_per_100b", wire, "bytes", n, &method)
    }

    /// Sends a text, waits until it is an event at Bob, sends the next.
    async fn one_by_one(
        &mut self,
        events: &mut WatchStream,
        kind: &str,
        n: usize,
        pause: Duration,
    ) -> Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(n);
        for i in 0..n {
            sleep(pause).await;
            let text = text(kind, i);
            let began = Instant::now();
            let (sent, arrived) =
                futures::join!(self.alice.send(&self.chat, &text), arrival(&mut *events, &text));
            sent?;
            let (at, cursor) = arrived?;
            times.push(at.duration_since(began));
            self.seen = cursor;
        }
        Ok(times)
    }

    /// Sent by Alice and by Bob in frames of class message, without anything around a frame.
    async fn message_bytes(&self) -> Result<[u64; 2]> {
        let name = "net.bytes_out.message";
        Ok([self.alice.counter(name).await?, self.bob.counter(name).await?])
    }

    /// What the connection between the two has carried so far.
    async fn link(&self) -> Result<Sockets> {
        let pid = |person: &Person| person.proc.child.id().ok_or("a process has ended");
        let (alice, bob) = (sockets(pid(&self.alice)?).await?, sockets(pid(&self.bob)?).await?);
        let at_bob = |here: &String, there: &String| bob.contains_key(&(there.clone(), here.clone()));
        Ok(alice.into_iter().filter(|((here, there), _)| at_bob(here, there)).collect())
    }

    /// What was just measured went over so many live links.
    async fn links(&self, expected: u64) -> Result<()> {
        let found = self.alice.counter("device.live_contacts").await?;
        if found == expected { Ok(()) } else { Err(format!("{found} live links, not {expected}").into()) }
    }

    async fn sustained(&mut self, table: &mut Table, n: usize) -> Result<()> {
        let began = Instant::now();
        let (alice, chat) = (&self.alice, self.chat.as_str());
        let sends = stream::iter(0..n).map(|i| async move { alice.send(chat, &text("many", i)).await });
        let sent: Vec<Result<String>> = sends.buffered(AT_ONCE).collect().await;
        let answered = began.elapsed();
        let sent = sent.into_iter().collect::<Result<Vec<String>>>()?;
        // Receipts are cumulative: when the newest is delivered, the others are found there at once.
        let last = alice.all_in(sent.iter().rev(), MessageState::Delivered).await?;
        let took = last.map_or(answered, |last| last.duration_since(began));
        self.links(1).await?;
        let method = format!(
            "100 B, {AT_ONCE} calls at a time, live link, durable on both, first call to the last message \
             delivered ({:.2} s); all calls were answered after {:.2} s",
            took.as_secs_f64(),
            answered.as_secs_f64()
        );
        table.row("direct_sustained_per_s", n as f64 / took.as_secs_f64(), "per s", n, &method)
    }

    /// Both start again without an address to be reached at: nobody is told where they are, nobody dials.
    async fn without_links(&mut self) -> Result<()> {
        self.alice.stop().await?;
        self.bob.stop().await?;
        self.alice.start(false).await?;
        self.bob.start(false).await?;
        self.alice.knows_the_nodes().await?;
        self.bob.knows_the_nodes().await
    }

    async fn mailbox(&mut self, table: &mut Table, n: usize) -> Result<()> {
        let mut events = self.bob.client.watch(None).await?;
        // The first one also waits for links to custodians and for Bob's list to be there.
        self.one_by_one(&mut events, "unmeasured", 1, LISTED).await?;
        let mut times = self.one_by_one(&mut events, "mailbox", n, LISTED).await?;
        self.links(0).await?;
        let method = "send call to the event in Bob's watch through 8 nodes, one at a time, 100 B, no live link, \
                      400 ms after the last, so that Bob's list waits";
        table.row("mailbox_p50_ms", percentile(&mut times, 50), "ms", n, method)?;
        table.row("mailbox_p95_ms", percentile(&mut times, 95), "ms", n, method)
    }

    async fn catchup(&mut self, table: &mut Table, n: usize) -> Result<()> {
        let mut times = Vec::with_capacity(n);
        for round in 0..n {
            let all: Vec<String> = (0..10).map(|i| text("waiting", round * 10 + i)).collect();
            self.bob.stop().await?;
            let mut sent = Vec::new();
            for text in &all {
                sent.push(self.alice.send(&self.chat, text).await?);
            }
            self.alice.all_in(sent.iter(), MessageState::Stored).await?;
            self.bob.start(false).await?;
            let mut events = self.bob.client.watch(Some(self.seen)).await?;
            let mut last = self.bob.began;
            for text in &all {
                (last, self.seen) = arrival(&mut events, text).await?;
            }
            times.push(last.duration_since(self.bob.began));
            self.links(0).await?;
        }
        let method =
            "start of Bob's process to the tenth of 10 stored texts in his watch, no live link; median";
        table.row("offline_catchup_ms", percentile(&mut times, 50), "ms", n, method)
    }

    async fn end(mut self) -> Result<()> {
        self.alice.stop().await?;
        self.bob.stop().await?;
        self.devnet.stop().await
    }
}
