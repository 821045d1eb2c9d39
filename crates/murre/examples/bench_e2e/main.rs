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
//! `bench_e2e MURRE [--json] [--smoke]`, started by `cargo xtask bench e2e`.

#[path = "../bench/mod.rs"]
mod bench;
mod files;

use bench::{PATIENCE, Proc, Result, Table, percentile};
use futures::StreamExt;
use futures::stream;
use murre::v1::{self, MessageState, event::What};
use murre::{Client, WatchStream};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";
const NODES: u64 = 8;
/// Time between two looks at what is no event.
const LOOK: Duration = Duration::from_millis(2);
/// After an answer a reader lets 250 ms pass before its next waiting list; after this it waits at the custodians.
const LISTED: Duration = Duration::from_millis(400);
/// Length of every text, bytes.
const TEXT: usize = 100;
/// Sends that wait for their answer at the same time, while a stream of them is measured.
const AT_ONCE: usize = 1_024;
/// Around one text in a frame of its own, bytes: Noise 18, Yamux 12, TCP and IP 52, and 52 for the acknowledgement.
const AROUND_A_FRAME: u64 = 18 + 12 + 52 + 52;

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
    let murre = args.next().ok_or("bench_e2e MURRE [--json] [--smoke]")?;
    let rest: Vec<String> = args.collect();
    let has = |flag: &str| rest.iter().any(|arg| arg == flag);
    let (sizes, mut table) = (if has("--smoke") { SMOKE } else { FULL }, Table::new(has("--json")));
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

/// What one durable write of a page costs on the disk where the homes lie.
fn fsync(table: &mut Table, dir: &Path, n: usize) -> Result<()> {
    let mut file = std::fs::File::create(dir.join("fsync"))?;
    let mut times = Vec::with_capacity(n);
    for _ in 0..n {
        let began = Instant::now();
        file.write_all(&[0x5a; 4_096])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    let method = "append 4,096 bytes and fdatasync, one file, the disk of the homes";
    table.row("disk_fsync_p50_ms", percentile(&mut times, 50), "ms", n, method)
}

// Processes.

/// Runs a home; with the moment its process was started.
async fn run(
    murre: &Path,
    home: &Path,
    bootstrap: &[String],
    listen: bool,
) -> Result<(Instant, Proc, Client)> {
    let place = home.to_string_lossy();
    let mut args = vec!["--home", &place, "up", "--no-web"];
    args.extend(listen.then_some(["--listen", LISTEN]).into_iter().flatten());
    args.extend(bootstrap.iter().flat_map(|addr| ["--bootstrap", addr]));
    let began = Instant::now();
    let (proc, _) = Proc::start(murre, &args, &home.with_extension("log")).await?;
    Ok((began, proc, Client::connect(home).await?))
}

/// Somebody with a home, which runs or not.
struct Person {
    murre: PathBuf,
    home: PathBuf,
    bootstrap: Vec<String>,
    began: Instant,
    proc: Proc,
    client: Client,
}

impl Person {
    /// Makes the home and runs it.
    async fn new(murre: &Path, home: &Path, name: &str, bootstrap: &[String]) -> Result<Self> {
        let mut init = Command::new(murre);
        init.arg("--home").arg(home).args(["init", "--name", name]).stdin(Stdio::null());
        let made = init.output().await?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        let (began, proc, client) = run(murre, home, bootstrap, true).await?;
        let (murre, home, bootstrap) = (murre.to_owned(), home.to_owned(), bootstrap.to_vec());
        let person = Self { murre, home, bootstrap, began, proc, client };
        person.knows_the_nodes().await?;
        Ok(person)
    }

    async fn stop(&mut self) -> Result<()> {
        self.proc.stop().await
    }

    /// Dies as if the power failed.
    async fn kill(&mut self) -> Result<()> {
        Ok(self.proc.child.kill().await?)
    }

    async fn start(&mut self, listen: bool) -> Result<()> {
        let running = run(&self.murre, &self.home, &self.bootstrap, listen).await?;
        (self.began, self.proc, self.client) = running;
        Ok(())
    }

    /// A number that `doctor` shows.
    async fn counter(&self, name: &str) -> Result<u64> {
        let counters = self.client.doctor().await?.counters;
        let found = counters.into_iter().find(|counter| counter.name == name);
        Ok(found.ok_or_else(|| format!("doctor does not count {name}"))?.value)
    }

    /// Waits until a counter has a value.
    async fn counts(&self, name: &str, value: u64) -> Result<()> {
        let looking = async {
            while self.counter(name).await? != value {
                sleep(LOOK).await;
            }
            Ok(())
        };
        let late = || format!("{name} of {} does not become {value}", self.home.display());
        timeout(PATIENCE, looking).await.map_err(|_| late())?
    }

    async fn knows_the_nodes(&self) -> Result<()> {
        let looking = async {
            while self.client.doctor().await?.nodes_eligible != NODES {
                sleep(LOOK).await;
            }
            Ok(())
        };
        timeout(PATIENCE, looking).await.map_err(|_| "the nodes do not become known")?
    }

    async fn send(&self, chat: &str, text: &str) -> Result<String> {
        let request = v1::SendRequest { chat: chat.to_owned(), text: text.to_owned(), ..Default::default() };
        Ok(self.client.send(request).await?.message)
    }

    /// Waits until these own messages are in a state, or beyond it. Answers when the last one that had to be waited
    /// for was seen there; none if all were there at once.
    async fn all_in<'a>(
        &self,
        messages: impl Iterator<Item = &'a String>,
        state: MessageState,
    ) -> Result<Option<Instant>> {
        let mut last = None;
        for message in messages {
            let looking = async {
                while self.client.status(message).await?.state < state as i32 {
                    sleep(LOOK).await;
                    last = Some(Instant::now());
                }
                Ok::<(), Box<dyn std::error::Error>>(())
            };
            timeout(PATIENCE, looking).await.map_err(|_| format!("not {} in time", state.word()))??;
        }
        Ok(last)
    }
}

/// Waits for something that happens; answers it with its cursor.
async fn until<T>(events: &mut WatchStream, want: impl Fn(What) -> Option<T>) -> Result<(T, u64)> {
    let waiting = async {
        while let Some(event) = events.next().await {
            let event = event?;
            if let Some(found) = event.what.and_then(&want) {
                return Ok((found, event.cursor));
            }
        }
        Err("the stream of events ended".into())
    };
    timeout(PATIENCE, waiting).await.map_err(|_| "an event does not come")?
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
        let nodes = dir.join("nodes").to_string_lossy().into_owned();
        let args = ["devnet", "--nodes", "8", "--dir", &nodes];
        let (devnet, ready) = Proc::start(murre, &args, &dir.join("devnet.log")).await?;
        let bootstrap: Vec<String> = serde_json::from_value(ready["bootstrap"].clone())?;
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
        let before = self.message_bytes().await?;
        let mut times = self.one_by_one(&mut events, "direct", n, Duration::ZERO).await?;
        let bytes = self.message_bytes().await? - before;
        self.links(1).await?;
        let method =
            "send call to the event in Bob's watch, one at a time, 100 B, live link, durable on both";
        table.row("direct_p50_ms", percentile(&mut times, 50), "ms", n, method)?;
        table.row("direct_p99_ms", percentile(&mut times, 99), "ms", n, method)?;
        let method = format!(
            "frames of class message both ways, receipts too, as counted, and {AROUND_A_FRAME} B a text reckoned \
             for Noise, Yamux, TCP/IP and its ACK"
        );
        let each = bytes as f64 / n as f64 + AROUND_A_FRAME as f64;
        table.row("wire_bytes_per_100b", each, "bytes", n, &method)
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

    async fn message_bytes(&self) -> Result<u64> {
        let name = "net.bytes_out.message";
        Ok(self.alice.counter(name).await? + self.bob.counter(name).await?)
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
