//! Measures what a person with a long past waits for: start, opening a chat, searching everything, idle memory.
//!
//! ```text
//!   this process:  init, then rows by batches into the home's own store, then steps of its index
//!   murre up   <-- started on that home, driven through the local API by `Client`
//! ```
//!
//! The messages are not sent: nobody could wait for a million signatures. Their rows, index and lists are those that
//! the device writes, through the same store. It does NOT measure delivery; that is `bench_e2e`.
//!
//! `bench_app MURRE [--json] [--smoke]`, started by `cargo xtask bench app`.

#[path = "bench/mod.rs"]
mod bench;

use bench::{Proc, Result, Table, percentile};
use murre::home::Home;
use murre::{Client, InitConfig, v1};
use murre_core::id::{AccountId, AuthorId, Bytes, DeviceId, LogId, MessageId};
use murre_core::{Rng, Turn, Wall};
use murre_device::ContactState;
use murre_device::content::{Content, Text, kind};
use murre_device::rows::{self, AckRow, ChatRow, ContactRow, LogRef, MessageRow};
use murre_store::{Backlog, SqliteStore, Store};
use serde_bytes::ByteBuf;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Chats of a home; all but the first are small.
const CHATS: u32 = 20;
/// Messages of a small chat.
const SMALL: u64 = 10;
/// Rows of so many messages are one batch.
const BATCH: u64 = 500;
/// Different words; which one comes next is skewed towards the first, as in a language.
const WORDS: u64 = 20_000;
/// One message in so many holds a word that stands nowhere else.
const RARE: u64 = 1_000;
const TEXT: usize = 100;
const SECOND: u64 = 1_000;
const BEGAN: u64 = 1_700_000_000_000;

/// How many of each.
struct Sizes {
    chat: u64,
    search: u64,
    starts: usize,
    searches: usize,
    idle: Duration,
}

const FULL: Sizes =
    Sizes { chat: 100_000, search: 1_000_000, starts: 5, searches: 40, idle: Duration::from_secs(10) };
const SMOKE: Sizes =
    Sizes { chat: 500, search: 500, starts: 1, searches: 2, idle: Duration::from_millis(100) };

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let murre = args.next().ok_or("bench_app MURRE [--json] [--smoke]")?;
    let rest: Vec<String> = args.collect();
    let has = |flag: &str| rest.iter().any(|arg| arg == flag);
    let (sizes, mut table) = (if has("--smoke") { SMOKE } else { FULL }, Table::new(has("--json")));
    let dir = tempfile::Builder::new().prefix("murre-bench-").tempdir()?;
    long_chat(Path::new(&murre), &dir.path().join("long"), &mut table, &sizes).await?;
    searches(Path::new(&murre), &dir.path().join("many"), &mut table, &sizes).await
}

async fn long_chat(murre: &Path, home: &Path, table: &mut Table, sizes: &Sizes) -> Result<()> {
    let made = Made::new(home, sizes.chat)?;
    let (mut starts, mut opens, mut resident) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..sizes.starts {
        let began = Instant::now();
        let mut proc = up(murre, home).await?;
        starts.push(began.elapsed());
        let client = Client::connect(home).await?;
        let began = Instant::now();
        let page = client.history(&made.chat, 50, None).await?;
        opens.push(began.elapsed());
        if page.len() != 50 {
            return Err(format!("a page of {} messages", page.len()).into());
        }
        sleep(sizes.idle).await;
        resident = resident.max(resident_mb(&proc)?);
        proc.stop().await?;
    }
    let n = sizes.starts;
    let store = made.says();
    let method = format!("start of `murre up` to its ready line, no network to join, {store}; median");
    table.row("start_100k_ms", percentile(&mut starts, 50), "ms", n, &method)?;
    let method = format!("first Chats.History of 50 after a start, chat of {}, {store}; median", sizes.chat);
    table.row("open_chat_100k_ms", percentile(&mut opens, 50), "ms", n, &method)?;
    let method = format!(
        "VmRSS of `murre up` {} ms after that, profile direct, one account, {CHATS} chats; the largest",
        sizes.idle.as_millis()
    );
    table.row("rss_idle_mb", resident, "MB", n, &method)
}

async fn searches(murre: &Path, home: &Path, table: &mut Table, sizes: &Sizes) -> Result<()> {
    let made = Made::new(home, sizes.search)?;
    let mut proc = up(murre, home).await?;
    let client = Client::connect(home).await?;
    let small = client.chats().await?.into_iter().find(|chat| chat.chat != made.chat).ok_or("one chat")?.chat;
    let rare = sizes.search / RARE;
    // What is asked, in which chat, and the fewest hits it must have.
    let kinds: [(&str, Box<dyn Fn(u64) -> String>, &str, usize); 5] = [
        (
            "a word that occurs once",
            Box::new(move |i| format!("rare{}x", i % rare.max(1))),
            "",
            usize::from(rare > 0),
        ),
        ("a common word", Box::new(|i| word(i % 20)), "", 1),
        ("two common words", Box::new(|i| format!("{} {}", word(i % 20), word(20 + i % 20))), "", 0),
        ("one letter", Box::new(|i| char::from(b'a' + (i % 20) as u8).into()), "", 0),
        ("a common word in a chat of 10", Box::new(|i| word(i % 20)), &small, 0),
    ];
    let (mut slowest, mut said) = (0.0_f64, Vec::new());
    for (name, typed, chat, fewest) in &kinds {
        let mut times = Vec::new();
        for i in 0..sizes.searches {
            let request = v1::SearchRequest {
                query: typed(i as u64),
                chat: (*chat).to_owned(),
                limit: 50,
                before: String::new(),
            };
            let began = Instant::now();
            let found = client.search(request).await?;
            times.push(began.elapsed());
            if found.len() < *fewest {
                return Err(format!("{name}: {} hits for {:?}", found.len(), typed(i as u64)).into());
            }
        }
        let took = percentile(&mut times, 50);
        slowest = slowest.max(took);
        said.push(format!("{name} {took:.2}"));
    }
    proc.stop().await?;
    let method = format!(
        "Chats.Search, limit 50, {}; median of the slowest kind; medians in ms: {}",
        made.says(),
        said.join(", ")
    );
    table.row("search_1m_ms", slowest, "ms", sizes.searches * kinds.len(), &method)
}

// A home with a past.

struct Made {
    chat: String,
    messages: u64,
    filled: Duration,
    indexed: Duration,
    bytes: u64,
}

impl Made {
    /// Makes a home, writes the rows of `messages` messages in one chat and of a few in the others, and indexes all.
    fn new(home: &Path, messages: u64) -> Result<Self> {
        murre::init(InitConfig {
            home: home.to_owned(),
            name: "Ann".into(),
            shield: murre::Shield::KeyFile,
            phrase: None,
        })?;
        let (held, mut store, _counter) = Home::open(home, None)?;
        let began = Instant::now();
        let chat = fill(&mut store, messages)?;
        let filled = began.elapsed();
        while store.wants_index() != Backlog::None {
            store.index()?;
        }
        let indexed = began.elapsed() - filled;
        store.checkpoint()?;
        drop(store);
        held.close();
        let files = std::fs::read_dir(home)?.map(|file| Ok(file?.metadata()?.len()));
        let bytes = files.sum::<std::io::Result<u64>>()?;
        Ok(Self { chat: chat.to_string(), messages, filled, indexed, bytes })
    }

    fn says(&self) -> String {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / self.messages as f64;
        format!(
            "{} generated messages of {TEXT} B, rows by batches of {BATCH} ({:.0} us each), indexed in steps \
             ({:.0} us each), {} B a message",
            self.messages,
            each(self.filled),
            each(self.indexed),
            self.bytes / self.messages
        )
    }
}

fn fill(store: &mut SqliteStore, messages: u64) -> Result<LogId> {
    let (mut rng, mut next, mut first) = (Rng::from_seed([1; 32]), 0, None);
    for no in 0..CHATS {
        let mut chat = Chat::new(no, &mut rng);
        let end = next + if no == 0 { messages } else { SMALL };
        while next < end {
            let upto = (next + BATCH).min(end);
            let mut turn = Turn::new(store);
            (next..upto).for_each(|number| chat.message(&mut turn, &mut rng, number));
            chat.rows(&mut turn, upto);
            let batch = turn.into_batch();
            store.begin()?;
            store.apply(&batch)?;
            store.commit()?;
            next = upto;
        }
        first.get_or_insert(chat.row.logs[0].id);
    }
    Ok(first.ok_or("no chat")?)
}

struct Chat {
    no: u32,
    contact: ContactRow,
    row: ChatRow,
    me: AccountId,
    authors: [AuthorId; 2],
    seq: [u32; 2],
    device: DeviceId,
}

impl Chat {
    fn new(no: u32, rng: &mut Rng) -> Self {
        let with = AccountId::from_bytes(rng.bytes());
        let authors = [AuthorId::from_bytes(rng.bytes()), AuthorId::from_bytes(rng.bytes())];
        let log = LogRef {
            id: LogId::from_bytes(rng.bytes()),
            no,
            op: ByteBuf::new(),
            state: None,
            wire: Bytes(rng.bytes()),
            by: authors[0],
            bound: true,
            waiting: 0,
        };
        let row = ChatRow {
            contact: no,
            with,
            logs: vec![log],
            fold: Vec::new(),
            folded: false,
            unread: 0,
            read: Vec::new(),
            quiet: Vec::new(),
            seen: 0,
            receipts: None,
            last: None,
            halted: false,
        };
        let contact = ContactRow {
            account: with,
            name: format!("Friend {no}"),
            state: ContactState::Accepted,
            hello: String::new(),
            chat: Some(no),
            since: Wall(BEGAN),
        };
        let (me, device) = (AccountId::from_bytes([7; 32]), DeviceId::from_bytes(rng.bytes()));
        Self { no, contact, row, me, authors, seq: [0; 2], device }
    }

    /// The rows of one message, as folding an entry writes them.
    fn message(&mut self, turn: &mut Turn<'_>, rng: &mut Rng, number: u64) {
        let side = (number % 2) as usize;
        let (by, seq, time) = (self.authors[side], self.seq[side], BEGAN + number * SECOND);
        self.seq[side] += 1;
        let text = sentence(rng, number);
        let content = Content::new(kind::TEXT, Wall(time), &Text { t: text.clone(), r: None });
        // In ascending order, as the device's own index of ids is filled in sorted runs.
        let id = MessageId::from_bytes(
            [number.to_be_bytes(), rng.bytes(), rng.bytes(), rng.bytes()]
                .concat()
                .try_into()
                .unwrap_or([0; 32]),
        );
        let message = MessageRow {
            id,
            chat: self.no,
            from: if side == 0 { self.me } else { self.row.with },
            own: side == 0,
            log: self.no,
            by,
            seq: Some(seq),
            place: (time, seq, 0),
            content: ByteBuf::from(content.encode()),
        };
        rows::put(turn, rows::MESSAGES, &number.to_be_bytes(), &message);
        turn.put(
            rows::TIMELINE,
            &rows::timeline_key(self.no, 1, time, &by, seq, 0),
            number.to_be_bytes().to_vec(),
        );
        turn.put(rows::MESSAGE_IDS, id.as_bytes(), number.to_be_bytes().to_vec());
        turn.index(number, self.no, &text);
        self.row.last = Some(number);
    }

    /// What is written beside the messages.
    fn rows(&self, turn: &mut Turn<'_>, numbers: u64) {
        let key = self.no.to_be_bytes();
        rows::put(turn, rows::CONTACTS, &key, &self.contact);
        rows::put(turn, rows::CONTACT_BY_ACCOUNT, self.row.with.as_bytes(), &self.no);
        rows::put(turn, rows::CHATS, &key, &self.row);
        rows::put(turn, rows::CHAT_BY_LOG, self.row.logs[0].id.as_bytes(), &self.no);
        let acks = AckRow { delivered: vec![(self.no, self.seq[0])], ..AckRow::default() };
        rows::put(turn, rows::ACKS, &[&key[..], self.device.as_bytes()].concat(), &acks);
        for counter in ["messages", "indexed"] {
            rows::put(turn, rows::META, counter.as_bytes(), &numbers);
        }
    }
}

/// A word of two to four syllables; the same number, the same word.
fn word(number: u64) -> String {
    const SYLLABLES: [&str; 20] = [
        "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "qui", "ro", "su", "ta",
        "ve", "wi", "xo", "zu",
    ];
    let (mut left, mut out) = (number, String::new());
    loop {
        out.push_str(SYLLABLES[(left % 20) as usize]);
        left /= 20;
        if left == 0 && out.len() >= 4 {
            return out;
        }
    }
}

fn sentence(rng: &mut Rng, number: u64) -> String {
    let mut out = String::new();
    if number.is_multiple_of(RARE) {
        out = format!("rare{}x ", number / RARE);
    }
    while out.len() < TEXT {
        // The square of an even choice: small numbers come often.
        let even = rng.below(WORDS);
        out.push_str(&word(even * even / WORDS));
        out.push(' ');
    }
    out
}

// The process.

/// Runs the home, which joins no network.
async fn up(murre: &Path, home: &Path) -> Result<Proc> {
    let args = ["--home", &home.to_string_lossy(), "up", "--no-web"];
    Ok(Proc::start(murre, &args, &home.with_extension("log")).await?.0)
}

fn resident_mb(proc: &Proc) -> Result<f64> {
    let id = proc.child.id().ok_or("the process has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1_024.0 / 1e6)
}
