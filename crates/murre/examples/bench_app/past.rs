//! A home with a long past: rows of generated messages, written by batches into the home's own store, and indexed.
//!
//! The messages are not sent: nobody could wait for a million signatures. Their rows, notices, index and lists are
//! those that the device writes, through the same store.

use super::table::Result;
use murre::InitConfig;
use murre::home::Home;
use murre_core::id::{AccountId, AuthorId, Bytes, DeviceId, LogId, MessageId};
use murre_core::{Rng, Turn, Wall};
use murre_device::content::{Content, Text, kind};
use murre_device::rows::{self, AckRow, ChatRow, ContactRow, LogRef, MessageRow};
use murre_device::{ContactState, Notice};
use murre_store::{Backlog, SqliteStore, Store};
use serde_bytes::ByteBuf;
use std::path::Path;
use std::time::{Duration, Instant};

/// Chats of a home; all but the first are small.
const CHATS: u32 = 20;
/// Messages of a small chat.
const SMALL: u64 = 10;
/// Rows of so many messages are one batch.
const BATCH: u64 = 500;
/// Different words; which one comes next is skewed towards the first, as in a language.
const WORDS: u64 = 20_000;
/// One message in so many holds a word that stands nowhere else.
pub const RARE: u64 = 1_000;
const TEXT: usize = 100;
const SECOND: u64 = 1_000;
const BEGAN: u64 = 1_700_000_000_000;

pub struct Made {
    pub chat: String,
    /// The newest message of the long chat.
    pub newest: String,
    pub messages: u64,
    filled: Duration,
    indexed: Duration,
    bytes: u64,
}

impl Made {
    /// Makes a home, writes the rows of `messages` messages in one chat and of a few in the others, and indexes all.
    pub fn new(home: &Path, messages: u64) -> Result<Self> {
        murre::init(InitConfig {
            home: home.to_owned(),
            name: "Ann".into(),
            shield: murre::Shield::KeyFile,
            phrase: None,
        })?;
        let (held, mut store, _counter) = Home::open(home, None)?;
        let began = Instant::now();
        let (chat, newest) = fill(&mut store, messages)?;
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
        let (chat, newest) = (chat.to_string(), newest.to_string());
        Ok(Self { chat, newest, messages, filled, indexed, bytes })
    }

    /// How many events the home has had: one for each message.
    pub fn events(&self) -> u64 {
        self.messages + u64::from(CHATS - 1) * SMALL
    }

    pub fn says(&self) -> String {
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

fn fill(store: &mut SqliteStore, messages: u64) -> Result<(LogId, MessageId)> {
    let (mut rng, mut next, mut first, mut newest) = (Rng::from_seed([1; 32]), 0, None, None);
    for no in 0..CHATS {
        let mut chat = Chat::new(no, &mut rng);
        let end = next + if no == 0 { messages } else { SMALL };
        while next < end {
            let upto = (next + BATCH).min(end);
            let mut turn = Turn::new(store);
            for number in next..upto {
                let id = chat.message(&mut turn, &mut rng, number)?;
                if number + 1 == messages {
                    newest = Some(id);
                }
            }
            chat.rows(&mut turn, upto);
            let batch = turn.into_batch();
            store.begin()?;
            store.apply(&batch)?;
            store.commit()?;
            next = upto;
        }
        first.get_or_insert(chat.row.logs[0].id);
    }
    Ok(first.zip(newest).ok_or("no chat")?)
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
    fn message(&mut self, turn: &mut Turn<'_>, rng: &mut Rng, number: u64) -> Result<MessageId> {
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
        let chat = self.row.logs[0].id;
        let notice = match side {
            0 => Notice::MessageSent { chat, message: id },
            _ => Notice::MessageArrived { chat, message: id },
        };
        rows::notice(turn, &notice)?;
        self.row.last = Some(number);
        Ok(id)
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
pub fn word(number: u64) -> String {
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
