//! Measures what one node can take in and hand out, durably, and what a box costs on the disk.
//!
//! ```text
//!   this thread -- frames --> [ driver thread: Custodian + SqliteStore ] -- answers --> counted
//! ```
//! No network: the frames are those of a link, handed to the driver as the network would. Everything else is what
//! `murre node` runs: signatures are checked, receipts signed, each answer released after its COMMIT. Beside it, in
//! the same run, bare SQLite writes and reads the very rows that the node has written, as many to a COMMIT.
//!
//! `bench_node [--json] [--smoke]`, started by `cargo xtask bench node`.

mod bare;
#[path = "../bench/table.rs"]
mod table;

use bare::Bare;
use murre::NodeNotice;
use murre::driver::{Driver, Parts};
use murre_core::id::BoxId;
use murre_core::{
    Addr, Input, LinkCaps, LinkId, LinkKind, LinkUp, NetworkParams, Now, Rng, Transmit, View, Wall,
};
use murre_crypto::{NodeKey, Secret};
use murre_custodian::{Config, Custodian};
use murre_mailbox::{
    Frame, MailboxKind, NetworkFile, ReadKind, ReaderKeys, Reply, Request, SealedBox, SpaceProof, TagKey,
    Writer, space_puzzle,
};
use murre_store::SqliteStore;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use table::{Reference, Result, Table, fsync};

/// Mailboxes that the boxes are spread over.
const MAILBOXES: usize = 8;
/// Plaintext of each box, bytes: a short message, in a box of the smallest class.
const TEXT: usize = 300;
/// Ids in one get when many wait: the most there may be.
const MANY: usize = 64;
/// Longest wait for an answer: reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);
const LINK: LinkId = LinkId(1);

struct Sizes {
    fsyncs: usize,
    boxes: usize,
    gets: usize,
}

const FULL: Sizes = Sizes { fsyncs: 200, boxes: 40_000, gets: 200_000 };
const SMOKE: Sizes = Sizes { fsyncs: 20, boxes: 1_600, gets: 1_600 };

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let sizes = if has("--smoke") { SMOKE } else { FULL };
    let mut table = Table::new(has("--json"));
    let dir = tempfile::Builder::new().prefix("murre-bench-").tempdir()?;
    fsync(&mut table, dir.path(), sizes.fsyncs)?;
    let file = dir.path().join("boxes.db");
    let mail = Mail::new(sizes.boxes)?;
    let mut node = Node::start(&file).await?;
    let (put, commits) = node.puts(&mail)?;
    let many = node.gets(&mail, sizes.gets, MANY)?;
    let one = node.gets(&mail, sizes.gets / 10, 1)?;
    node.driver.stop().await;
    drop(node);
    let per_commit = (sizes.boxes / commits.max(1)).max(1);
    let bare = Bare::measure(&file, &dir.path().join("bare.db"), per_commit, sizes.gets)?;

    let (wire, kept): (usize, u64) =
        (mail.boxes.iter().map(|boxed| boxed.wire.len()).sum(), std::fs::metadata(&file)?.len());
    let overhead = |bytes: u64| (bytes as f64 / wire as f64 - 1.0) * 100.0;
    let beside = |value, how: &str| Reference { name: "bare SQLite", value, how: how.to_owned() };
    let how = format!(
        "the node's own rows, 7 for each box, in the same order, as many boxes a COMMIT, same settings; in pages of \
         8 KiB {:.0}",
        bare.wide.0
    );
    table.beside("put_per_s", beside(bare.put, &how));
    let how = "the same boxes: one look for the id and one for the box; no signature, no frame";
    table.beside("get_per_s", beside(bare.get, how));
    let how = format!(
        "the boxes alone in one table by arrival number, no index; all of the node's rows in pages of 8 KiB {:.1}",
        overhead(bare.wide.1)
    );
    table.beside("bytes_per_box_overhead", beside(overhead(bare.bytes), &how));

    let n = sizes.boxes;
    let how = format!("class 1, one link, durable and receipted, {per_commit} boxes a COMMIT on average");
    table.row("put_per_s", put, "boxes/s", n, &how)?;
    let how = format!("boxes handed out in answer to signed requests, {MANY} ids each");
    table.row("get_per_s", many, "boxes/s", sizes.gets, &how)?;
    let how = "the same, one id in each request: a signature is checked for each box";
    table.row("get_one_per_s", one, "boxes/s", sizes.gets / 10, how)?;
    let how = format!(
        "the file with everything in it, beyond the bytes of the boxes: {:.0} B for each of {:.0} B",
        kept as f64 / n as f64,
        wire as f64 / n as f64
    );
    table.row("bytes_per_box_overhead", overhead(kept), "%", n, &how)
}

// What is put.

struct Boxed {
    id: BoxId,
    mailbox: usize,
    block: u32,
    wire: Vec<u8>,
}

struct Mail {
    readers: Vec<ReaderKeys>,
    epochs: Vec<u64>,
    proofs: BTreeMap<(usize, u32), SpaceProof>,
    boxes: Vec<Boxed>,
}

fn wall() -> Wall {
    Wall(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as u64))
}

impl Mail {
    /// Sealed and paid beforehand: that is the writers' work.
    fn new(count: usize) -> Result<Self> {
        let params = NetworkParams::devnet();
        let mut rng = Rng::from_seed([7; 32]);
        let (mut readers, mut epochs, mut writers) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..MAILBOXES {
            let reader = ReaderKeys::generate(MailboxKind::Group, &mut rng);
            let epoch = reader.address().epoch_at(wall(), &params);
            let tag = TagKey::generate(&mut rng);
            let grant = reader.grant(&mut rng, &tag.public(), epoch, 1)?;
            writers.push(Writer::new(&grant, Some(&tag))?);
            readers.push(reader);
            epochs.push(epoch);
        }
        let (mut boxes, mut proofs) = (Vec::with_capacity(count), BTreeMap::new());
        let mut used = [0u64; MAILBOXES];
        for n in 0..count {
            let mailbox = n % MAILBOXES;
            let (epoch, hour) = (epochs[mailbox], wall().hour() + 24);
            let index = (n / MAILBOXES) as u64;
            let sealed = writers[mailbox].seal_box(epoch, index, hour, &[b'x'; TEXT])?;
            let id = SealedBox::parse(sealed.wire())?.verify(&params)?.id();
            let block = (used[mailbox] / params.block_bytes) as u32;
            used[mailbox] += sealed.wire().len() as u64;
            boxes.push(Boxed { id, mailbox, block, wire: sealed.wire().to_vec() });
            if let Entry::Vacant(entry) = proofs.entry((mailbox, block)) {
                let locator = readers[mailbox].at(epoch)?.locator;
                let puzzle = space_puzzle(&locator, epoch, block, params.space);
                let solution = puzzle.solve(0, 100_000).ok_or("not solved")?;
                entry.insert(SpaceProof { block, solution });
            }
        }
        Ok(Self { readers, epochs, proofs, boxes })
    }

    /// Signed requests for `count` boxes in a scattered order, `each` in one. All of one request lie in one mailbox.
    fn reads(&self, count: usize, each: usize) -> Result<Vec<Request>> {
        let in_mailbox: Vec<Vec<BoxId>> = (0..MAILBOXES)
            .map(|m| self.boxes.iter().filter(|b| b.mailbox == m).map(|b| b.id).collect())
            .collect();
        let mut requests = Vec::with_capacity(count / each);
        for n in 0..count / each {
            let mailbox = n % MAILBOXES;
            let all = &in_mailbox[mailbox];
            // A step that is prime to the number of boxes visits all of them.
            let ids = (0..each).map(|i| all[(n * each + i) * 7_919 % all.len()]).collect();
            let at = self.readers[mailbox].at(self.epochs[mailbox])?;
            requests.push(Request::Get { r: at.sign_read(wall(), ReadKind::Get { ids }), fan: false });
        }
        Ok(requests)
    }
}

// The node.

struct Node {
    driver: Driver<Custodian>,
    inputs: tokio::sync::mpsc::Sender<Input>,
    answers: mpsc::Receiver<Vec<u8>>,
}

impl Node {
    async fn start(file: &Path) -> Result<Self> {
        let (inputs, from_net) = tokio::sync::mpsc::channel(1_024);
        let (tell_answer, answers) = mpsc::channel();
        let (tell_ready, mut ready) = tokio::sync::mpsc::unbounded_channel();
        let key = [9; 32];
        let opener = move |seed: [u8; 32], _now: Now, view: &dyn View| {
            let config = Config {
                key: NodeKey::from_secret(&Secret::new(key)),
                network: NetworkFile::devnet(),
                addrs: vec![],
                bootstrap: vec![],
                disk: 1 << 40,
                before: murre_custodian::Before::default(),
            };
            Custodian::open(seed, view, config)
        };
        let driver = Driver::start(Parts::<Custodian, _, _> {
            store: SqliteStore::open(file, None, murre_store::Config::default())?,
            opener,
            inputs: from_net,
            transmit: Box::new(move |t: Transmit| tell_answer.send(t.bytes).unwrap_or_default()),
            notice: Box::new(move |notice| {
                if matches!(notice, NodeNotice::Ready) {
                    let _ = tell_ready.send(());
                }
            }),
            counter: None,
            hold: Box::new(()),
        })
        .await?;
        let own = NodeKey::from_secret(&Secret::new(key)).id();
        let addrs = vec![Addr("/ip4/127.0.0.1/tcp/1".to_owned())];
        inputs.send(Input::Listening { own, addrs }).await?;
        ready.recv().await.ok_or("the node ended")?;
        let peer = NodeKey::from_secret(&Secret::new([8; 32])).id();
        let caps = LinkCaps { mtu: 1 << 20, ordered: true, reliable: true, metered: false };
        let up = LinkUp { id: LINK, kind: LinkKind::Virtual, caps, peer, own, dialed: false };
        inputs.send(Input::LinkUp(up)).await?;
        Ok(Self { driver, inputs, answers })
    }

    /// Sends all frames as fast as they are taken; answers with the time until the last answer, and the answers.
    fn drive(&mut self, requests: impl Iterator<Item = Request>) -> Result<(Duration, Vec<Reply>)> {
        let frames: Vec<Vec<u8>> =
            requests.enumerate().map(|(n, body)| Frame::Request { id: n as u64, body }.encode()).collect();
        let count = frames.len();
        let inputs = self.inputs.clone();
        let began = Instant::now();
        let feeding = std::thread::spawn(move || {
            for bytes in frames {
                if inputs.blocking_send(Input::Frame { link: LINK, bytes }).is_err() {
                    return;
                }
            }
        });
        let mut answers = Vec::with_capacity(count);
        while answers.len() < count {
            answers.push(self.answers.recv_timeout(PATIENCE)?);
        }
        let took = began.elapsed();
        feeding.join().map_err(|_| "the feeding thread failed")?;
        let replies = answers.iter().map(|bytes| match Frame::decode(bytes) {
            Ok(Frame::Reply { body, .. }) => Ok(body),
            _ => Err("not an answer"),
        });
        Ok((took, replies.collect::<std::result::Result<_, _>>()?))
    }

    /// Boxes a second, and how many COMMITs they took.
    fn puts(&mut self, mail: &Mail) -> Result<(f64, usize)> {
        let before = self.driver.counts().commits;
        let requests = mail.boxes.iter().map(|b| Request::Put {
            b: b.wire.clone().into(),
            proof: mail.proofs.get(&(b.mailbox, b.block)).copied(),
            fan: false,
        });
        let (took, replies) = self.drive(requests)?;
        let held = |reply: &Reply| matches!(reply, Reply::Put { receipts, .. } if receipts.len() == 1);
        if let Some(other) = replies.iter().find(|reply| !held(reply)) {
            return Err(format!("not receipted: {other:?}").into());
        }
        let commits = self.driver.counts().commits - before;
        Ok((mail.boxes.len() as f64 / took.as_secs_f64(), commits as usize))
    }

    /// Boxes handed out a second.
    fn gets(&mut self, mail: &Mail, count: usize, each: usize) -> Result<f64> {
        let requests = mail.reads(count, each)?;
        let want = requests.len() * each;
        let (took, replies) = self.drive(requests.into_iter())?;
        let got: usize = replies
            .iter()
            .map(|reply| match reply {
                Reply::Get { boxes } => boxes.len(),
                _ => 0,
            })
            .sum();
        if got != want {
            return Err(format!("{got} of {want} boxes were handed out").into());
        }
        Ok(got as f64 / took.as_secs_f64())
    }
}
