//! Seeds that no vector has: made here by the encoders themselves, or taken from the stores of the snapshot.

use super::{Seeds, chosen};
use crate::snapshot::{self, Rows, Snapshot};
use crate::targets::ROWS;
use murre_core::id::{AuthorId, BoxId, Bytes, EntryId, LogId, MessageId, PeerKey, StateId};
use murre_core::{Addr, Label, Rng, Space, Wall, codec};
use murre_crypto::{
    AccountKey, AuthorKey, DeviceCert, DeviceCertBody, DeviceKey, NodeKey, RequestKey, Signature,
};
use murre_device::contacts::{DoorPayload, RequestBody};
use murre_device::content::{self, Content, kind};
use murre_device::rows::{CreateOp, MESSAGES, MessageRow, SignedCreate};
use murre_log::{Entry, Header, Link, Packet, Signal, VerifiedEntry};
use murre_mailbox::{
    ListBody, MailboxKind, ReaderKeys, RepairKind, TagKey, WriteGrant, sign_list, sign_repair,
};
use serde::Serialize;
use serde_bytes::ByteBuf;

const NOW: Wall = Wall(1_800_000_000_000);

pub(super) fn add(seeds: &mut Seeds) {
    let mut put = |target: &'static str, bytes: Vec<u8>| seeds.entry(target).or_default().push(bytes);
    let mut rng = Rng::from_seed([7; 32]);
    let snap = snapshot::get();
    let who = Who::new(&mut rng);
    people(&mut put, snap, &who, &mut rng);
    contents(&mut put, snap, &who, &mut rng);
    signed(&mut put, &who);
    logs(&mut put, &mut rng);
    group(&mut put);
    stores(&mut put, snap);
    live(&mut put);
    shell(&mut put, snap);
}

type Put<'a> = dyn FnMut(&'static str, Vec<u8>) + 'a;

/// Somebody with keys.
struct Who {
    account: AccountKey,
    device: DeviceKey,
    cert: DeviceCert,
    tag: TagKey,
    mailbox: ReaderKeys,
}

impl Who {
    fn new(rng: &mut Rng) -> Self {
        let (account, device) = (AccountKey::generate(rng), DeviceKey::generate(rng));
        let cert = DeviceCertBody::issue(&account, device.id(), true);
        let mailbox = ReaderKeys::generate(MailboxKind::Account, rng);
        Self { account, device, cert, tag: TagKey::generate(rng), mailbox }
    }

    fn grant(&self, rng: &mut Rng) -> WriteGrant {
        self.mailbox.grant(rng, &self.tag.public(), 2_900, 2).expect("a grant")
    }

    fn create(&self) -> SignedCreate {
        let body = CreateOp {
            v: 1,
            d: self.device.id(),
            a: self.account.id(),
            b: murre_core::id::AccountId::from_bytes([8; 32]),
            n: Bytes([1; 16]),
        };
        SignedCreate::new(&body, |label, bytes| self.device.sign(label, bytes))
    }
}

#[derive(Serialize)]
struct Parcel {
    v: u8,
    p: Vec<ByteBuf>,
}

fn people(put: &mut Put<'_>, snap: &Snapshot, who: &Who, rng: &mut Rng) {
    for text in [snap.link.to_string(), snap.link.to_qr_text()] {
        put("names", text.as_bytes().to_vec());
        put("invite_text", text.into_bytes());
    }
    put("invite_bytes", snap.link.to_bytes());
    let package = ByteBuf::from(snapshot::group().package.clone());
    let payload = DoorPayload {
        v: 1,
        c: who.cert.clone(),
        r: RequestKey::generate(rng).public(),
        k: vec![package],
        t: who.tag.public(),
        s: 4,
    };
    put("door_payload", codec::encode(&payload));
    let spare = who.mailbox.spare(rng, 2_900, 1).expect("a spare");
    let request = RequestBody {
        v: 1,
        c: who.cert.clone(),
        o: ByteBuf::from(codec::encode(&who.create())),
        s: StateId::from_bytes([3; 32]),
        w: ByteBuf::from([1, 2, 3]),
        x: Bytes([4; 32]),
        d: Bytes([5; 32]),
        g: who.grant(rng),
        p: vec![spare.clone(), spare],
        t: who.tag.public(),
        n: "Alice".to_owned(),
        h: "it is Alice".to_owned(),
    };
    put("request", codec::encode(&request));
    for packets in [vec![], vec![ByteBuf::from([7; 40])], vec![ByteBuf::new(), ByteBuf::from([1])]] {
        put("parcel", codec::encode(&Parcel { v: 1, p: packets }));
    }
}

fn contents(put: &mut Put<'_>, snap: &Snapshot, who: &Who, rng: &mut Rng) {
    let author = AuthorId::from_bytes([2; 32]);
    let link = Link::new(&author, 4, EntryId::from_bytes([6; 32]));
    let sig = Signature::from_bytes([9; 64]);
    let text = content::Text { t: "hello".to_owned(), r: Some(MessageId::from_bytes([1; 32])) };
    let receipt = content::Receipt { d: vec![(author, 3)], r: vec![] };
    let grant = who.grant(rng);
    let renewal = content::Renewal { c: grant.certs.clone(), m: murre_core::id::Bytes([8; 32]) };
    let handover = content::Handover { g: grant, s: vec![], t: who.tag.public(), n: "Bob".to_owned() };
    let presence = content::Presence {
        k: PeerKey::from_bytes([3; 32]),
        a: vec![Addr("/ip4/192.0.2.1/tcp/1".to_owned())],
    };
    let moved = content::Move { g: who.grant(rng), s: vec![], o: None };
    let file = content::FileRef {
        k: murre_core::id::Bytes([1; 32]),
        m: "image/png".to_owned(),
        n: "a.png".to_owned(),
        p: vec![murre_core::id::Bytes([2; 32])],
        s: 1_000,
    };
    let files = content::FileList { f: vec![file], r: None, t: "look".to_owned() };
    let ask = content::FileAsk { f: murre_core::id::Bytes([3; 32]), r: vec![(0, 8), (9, 1)] };
    let word = content::FileWord { f: murre_core::id::Bytes([3; 32]), w: content::Word::Have };
    let binding = content::Binding { c: who.cert.clone(), d: sig, a: sig };
    for made in [
        Content::new(kind::BINDING, NOW, &binding),
        Content::new(kind::TEXT, NOW, &text),
        Content::new(kind::RECEIPT, NOW, &receipt),
        Content::new(kind::HANDOVER, NOW, &handover),
        Content::new(kind::FOLD, NOW, &content::Fold { h: vec![link] }),
        Content::new(kind::WANT, NOW, &content::Want { l: vec![link, link] }),
        Content::new(kind::PRESENCE, NOW, &presence),
        Content::new(kind::RENEWAL, NOW, &renewal),
        Content::new(kind::MOVE, NOW, &moved),
        Content::new(kind::RESEND, NOW, &content::Resend {}),
        Content::new(kind::FILES, NOW, &files),
        Content::new(kind::FILE_ASK, NOW, &ask),
        Content::new(kind::FILE_WORD, NOW, &word),
        Content::new(999, NOW, &text),
    ] {
        put("content", made.encode());
    }
    for ((space, _), value) in &snap.device.0 {
        if *space == MESSAGES
            && let Ok(row) = murre_device::rows::decode::<MessageRow>(MESSAGES, value)
        {
            put("content", row.content.into_vec());
        }
    }
}

fn signed(put: &mut Put<'_>, who: &Who) {
    let node = |n: u8| NodeKey::from_secret(&murre_crypto::Secret::new([n; 32]));
    let id = BoxId::from_bytes([4; 32]);
    put("signed", chosen(0, who.cert.bytes()));
    for kind in [RepairKind::Ids { after: None, limit: 10 }, RepairKind::Fetch { ids: vec![id] }] {
        put("signed", chosen(4, sign_repair(&node(1), node(2).id(), 3, NOW, kind).bytes()));
    }
    let body = ListBody { n: node(1).id(), q: Bytes([5; 32]), inc: 1, seq: 2, ids: vec![id], more: true };
    put("signed", chosen(5, sign_list(&node(1), &body).bytes()));
    put("signed", chosen(7, who.create().bytes()));
}

#[derive(Serialize)]
struct Proof {
    a: ByteBuf,
    b: ByteBuf,
}

fn logs(put: &mut Put<'_>, rng: &mut Rng) {
    let (key, log) = (AuthorKey::generate(rng), LogId::from_bytes([1; 32]));
    let other = Link::new(&AuthorId::from_bytes([1; 32]), 2, EntryId::from_bytes([2; 32]));
    let mut header = Header {
        v: 1,
        log,
        by: key.id(),
        seq: 0,
        prev: None,
        next: vec![],
        skip: None,
        time: 1,
        state: StateId::from_bytes([3; 32]),
        c: [4; 32],
        bh: [0; 32],
        bl: 0,
    };
    let blocks: Vec<ByteBuf> = [b"one".to_vec(), b"two".to_vec()]
        .map(|body| VerifiedEntry::sign(&header, &key, body).expect("an entry").block().into())
        .into();
    // Nobody knows the greater id before: both orders, of which one is a proof.
    for (a, b) in [(0, 1), (1, 0)] {
        if let (Some(a), Some(b)) = (blocks.get(a).cloned(), blocks.get(b).cloned()) {
            put("fork_proof", codec::encode(&Proof { a, b }));
        }
    }
    put("log_header", header.encode());
    let first = Entry::sign(&header, &key, b"three".to_vec());
    put("log_packet", Packet::Entry(first.clone()).encode());
    put("log_seal", Packet::Entry(first.clone()).seal(&super::wire_secret(), 2_900));
    (header.seq, header.prev, header.next, header.time) =
        (1, Some(Link::new(&key.id(), 0, first.id())), vec![other], 7);
    put("log_header", header.encode());
    header.skip = Some(other);
    put("log_header", header.encode());
    put("log_entry", first.wire());
    let signal = Signal::sign(log, StateId::from_bytes([3; 32]), &key, b"typing".to_vec(), rng);
    put("log_packet", Packet::Signal(signal.clone()).encode());
    let (shape, sealed) = super::file();
    let leaves: Vec<[u8; 32]> = (0..).zip(&sealed).map(|(i, s)| murre_log::chunk::leaf(i, s)).collect();
    let page = murre_log::chunk::PageTree::new(leaves);
    for (index, sealed) in (0..).zip(&sealed) {
        // Whole chunks are long: the short last one is enough for the corpus.
        if sealed.len() < 1_000 {
            let chunk = murre_log::Chunk::new(shape.id(&super::FILE_KEY), index, &page, sealed.clone());
            put("chunk", chunk.encode());
            put("log_packet", Packet::Chunk(chunk).encode());
        }
    }
    put("log_signal", signal.wire());
}

fn group(put: &mut Put<'_>) {
    let group = snapshot::group();
    put("key_package", group.package.clone());
    put("welcome", group.welcome.clone());
    put("group_message", group.message.clone());
}

/// The first row of each space, as the one that is damaged.
fn first_rows(rows: &Rows) -> impl Iterator<Item = (Space, Vec<u8>)> {
    let mut last = None;
    rows.0.iter().enumerate().filter_map(move |(at, ((space, _), value))| {
        let new = last.replace(*space) != Some(*space) && value.len() < 16_384;
        let at = u16::try_from(at).ok().filter(|_| new)?;
        Some((*space, [&at.to_be_bytes()[..], value].concat()))
    })
}

fn stores(put: &mut Put<'_>, snap: &Snapshot) {
    first_rows(&snap.device).for_each(|(_, input)| put("device_store", input));
    first_rows(&snap.node).for_each(|(_, input)| put("node_store", input));
    for (which, (name, space, _)) in ROWS.iter().enumerate() {
        let which = u8::try_from(which).expect("few kinds of rows");
        let stores = [&snap.device, &snap.other, &snap.node];
        let rows = stores.iter().flat_map(|rows| rows.0.iter().filter(|((s, _), _)| Some(*s) == *space));
        rows.take(2).for_each(|(_, value)| put("rows", chosen(which, value.clone())));
        let meta = |key: &[u8]| snap.device.0.get(&(murre_device::rows::META, key.to_vec())).cloned();
        let made = match *name {
            "device AccountRow" => meta(b"self"),
            "device counter" => meta(b"notices"),
            "device network" => meta(b"network"),
            "mailbox ReaderKeys" => {
                Some(ReaderKeys::generate(MailboxKind::Group, &mut Rng::from_seed([1; 32])).to_row())
            }
            "node repair key" => Some(murre_custodian::rows::repair_key(1, 2, &BoxId::from_bytes([3; 32]))),
            "log ForkRow" => {
                Some(codec::encode_row(1, &murre_log::rows::ForkRow { h: ByteBuf::from([1]), b: None }))
            }
            "log Counts" => Some(codec::encode_row(1, &murre_log::rows::Counts { n: 1, b: 2, w: 3 })),
            "group state" => Some(codec::encode_row(1, &StateId::from_bytes([1; 32]))),
            _ => None,
        };
        made.into_iter().for_each(|value| put("rows", chosen(which, value)));
    }
}

/// The shapes of `murre_device::presence`, whose type is its own.
#[derive(Serialize)]
enum Live {
    #[serde(rename = "k")]
    Knock,
    #[serde(rename = "h")]
    Hello { n: Bytes<16>, m: Bytes<32> },
    #[serde(rename = "a")]
    Ack { n: Bytes<16>, m: Bytes<32> },
    #[serde(rename = "d")]
    Done { m: Bytes<32> },
    #[serde(rename = "p")]
    Packets { p: Vec<ByteBuf> },
}

fn live(put: &mut Put<'_>) {
    let (n, m) = (Bytes([1; 16]), Bytes([2; 32]));
    let packets = |count: usize| Live::Packets { p: vec![ByteBuf::new(); count] };
    for frame in [
        Live::Knock,
        Live::Hello { n, m },
        Live::Ack { n, m },
        Live::Done { m },
        Live::Packets { p: vec![ByteBuf::from([3; 60])] },
        packets(murre_device::limits::MAX_PACKETS),
        // More packets than a frame may have, which cost one byte each.
        packets(20_000),
    ] {
        let bytes = chosen(murre_device::presence::FRAME_KIND, codec::encode(&frame));
        put("device_input", bytes.clone());
        put("live_frame", bytes);
    }
}

#[derive(Serialize)]
struct Plain {
    c: Bytes<8>,
    k: Bytes<32>,
    v: u8,
}

#[derive(Serialize)]
struct Wrapped {
    c: Bytes<8>,
    m: u32,
    n: Bytes<24>,
    p: u32,
    s: Bytes<16>,
    t: u32,
    v: u8,
    w: Bytes<48>,
}

fn shell(put: &mut Put<'_>, snap: &Snapshot) {
    let chat = snap.chat.to_string();
    for name in ["Alice", " alice ", "nobody", "ab", &chat, chat.split_at(6).0] {
        put("names", name.as_bytes().to_vec());
    }
    snap.messages.iter().take(1).for_each(|id| put("names", id.to_string().into_bytes()));
    let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    for bare in ["/ip4/127.0.0.1/tcp/4001", "/ip6/::1/udp/4001/quic-v1", "/dns4/example.org/tcp/1"] {
        put("address", bare.as_bytes().to_vec());
        put("address", format!("{bare}/p2p/{peer}").into_bytes());
    }
    put("stream", b"\0\0\0\x03one\0\0\0\x01x".to_vec());
    put("stream", b"\0\x10\0\0not so long".to_vec());
    put("stream", vec![0xff; 8]);
    // The files of `murre::home`, with the label of their checksums.
    let sum = |label: &'static str, parts: &[&[u8]]| {
        let mut out = [0; 8];
        Label::new(label).fill(parts, &mut out);
        Bytes(out)
    };
    const KEY: &str = "murre v1 home key checksum";
    put("key_file", codec::encode(&Plain { c: sum(KEY, &[&[1], &[5; 32]]), k: Bytes([5; 32]), v: 1 }));
    let numbers = [8_u32, 1, 1].map(u32::to_be_bytes).concat();
    let c = sum(KEY, &[&[1], &numbers, &[1; 24], &[2; 16], &[3; 48]]);
    let (n, s, w) = (Bytes([1; 24]), Bytes([2; 16]), Bytes([3; 48]));
    put("key_file", codec::encode(&Wrapped { c, m: 8, n, p: 1, s, t: 1, v: 1, w }));
    for count in [0_u64, 77] {
        let count = count.to_be_bytes();
        let sum = sum("murre v1 home send counter", &[&count]);
        put("counter_file", [&count[..], &sum.0].concat());
    }
    put(
        "scenario",
        br#"{"seed":0,"oracle":"nothing lost","found":"in words","sabotage":"no-commit"}"#.to_vec(),
    );
    put("scenario", br#"{"seed":18446744073709551615,"oracle":"","found":""}"#.to_vec());
}
