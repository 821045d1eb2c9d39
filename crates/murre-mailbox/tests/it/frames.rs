//! Frames: one form for each, bounded, and no bytes that panic.

use crate::support::{NOW, PARAMS, descriptor, flips, node, pair};
use murre_core::codec;
use murre_core::id::{BoxId, Bytes, PeerKey};
use murre_core::link::MAX_FRAME;
use murre_crypto::puzzle::Solution;
use murre_mailbox::limits::{
    MAX_BOX, MAX_BOXES_BYTES, MAX_DESCRIPTOR, MAX_DESCRIPTORS, MAX_IDS, MAX_LIST_IDS, MAX_NODES, MAX_OBJECT,
    MAX_PARTS,
};
use murre_mailbox::receipt::{self, Expected};
use murre_mailbox::{
    Frame, FrameError, ListBody, MailboxKind, NetworkFile, PutRefusal, ReadKind, Refusal, RepairItem,
    RepairKind, Reply, Request, SpaceProof, sign_list, sign_repair,
};
use proptest::prelude::*;
use serde_bytes::ByteBuf;

pub fn requests() -> Vec<Request> {
    let p = pair(MailboxKind::Account, 1);
    let reader = p.keys.at(p.epoch).unwrap();
    let file = NetworkFile::new("test", PARAMS);
    let read = |kind| reader.sign_read(NOW, kind);
    let repair = |kind| sign_repair(&node(1), node(2).id(), 3, NOW, kind);
    let id = BoxId::from_bytes([4; 32]);
    vec![
        Request::Hello { net: Some(file.id()), digest: Bytes([1; 32]) },
        Request::Hello { net: None, digest: Bytes([1; 32]) },
        Request::Descriptors { have: vec![(node(1).id(), 5)] },
        Request::Announce { d: vec![descriptor(&file, &node(1), &["/ip4/1.2.3.4/tcp/5"], NOW)] },
        Request::Put {
            b: ByteBuf::from([1, 2]),
            proof: Some(SpaceProof { block: 1, solution: Solution(2) }),
            fan: true,
        },
        Request::List { r: read(ReadKind::List { cursors: vec![], wait_ms: 9, careful: false }), fan: true },
        Request::Get { r: read(ReadKind::Get { ids: vec![id] }), fan: false },
        Request::PutObject { o: ByteBuf::from([3]), fan: false },
        Request::GetObject { place: reader.place, e: p.epoch, fan: true },
        Request::Tombstone { t: reader.sign_tombstone(vec![id]).unwrap(), fan: true },
        Request::Repair { r: repair(RepairKind::Ids { after: None, limit: 10 }) },
        Request::Repair { r: repair(RepairKind::Fetch { ids: vec![id] }) },
    ]
}

pub fn replies() -> Vec<Reply> {
    let p = pair(MailboxKind::Account, 1);
    let sealed = p.writer.seal_box(p.epoch, 0, p.expiry, b"x").unwrap().verify(&PARAMS).unwrap();
    let file = NetworkFile::new("test", PARAMS);
    let id = BoxId::from_bytes([4; 32]);
    let me = node(1).id();
    let part = ListBody { n: me, q: Bytes([5; 32]), inc: 1, seq: 2, ids: vec![id], more: true };
    let refused = vec![
        (me, PutRefusal::NeedProof { price: PARAMS.space, block: 7 }),
        (me, PutRefusal::Quota),
        (me, PutRefusal::NotMine),
        (me, PutRefusal::Expired),
        (me, PutRefusal::Conflict { held: ByteBuf::from(sealed.wire()) }),
        (me, PutRefusal::Busy),
        (me, PutRefusal::NoRoom),
    ];
    let stone = p.keys.at(1).unwrap().sign_tombstone(vec![id]).unwrap();
    let items = vec![
        RepairItem::Box(ByteBuf::from([1])),
        RepairItem::Object(ByteBuf::from([2])),
        RepairItem::Tombstone(stone),
    ];
    let refusals = [
        Refusal::Malformed,
        Refusal::Denied,
        Refusal::NotMine,
        Refusal::Unknown,
        Refusal::Busy,
        Refusal::OtherNetwork,
        Refusal::Leaving,
    ];
    let mut out = vec![
        Reply::Hello { net: ByteBuf::from(file.bytes()), digest: Bytes([1; 32]), time: NOW.0 },
        Reply::Descriptors { send: vec![descriptor(&file, &node(1), &[], NOW)], want: vec![me] },
        Reply::Ok,
        Reply::Put { receipts: vec![receipt::issue(&node(1), &Expected::from(&sealed))], refused },
        Reply::List { parts: vec![sign_list(&node(1), &part)] },
        Reply::Get { boxes: vec![ByteBuf::from(sealed.wire())] },
        Reply::Object { objects: vec![ByteBuf::from([1])] },
        Reply::RepairIds { ids: vec![(3, id)], more: false },
        Reply::RepairItems { items },
    ];
    out.extend(refusals.map(Reply::Refused));
    out
}

fn frames() -> Vec<Frame> {
    let requests = requests().into_iter().map(|body| Frame::Request { id: 1 << 40, body });
    let replies = replies().into_iter().map(|body| Frame::Reply { id: 7, body });
    requests.chain(replies).collect()
}

#[test]
fn every_frame_comes_back_as_it_was() {
    for frame in frames() {
        let bytes = frame.encode();
        assert_eq!(bytes[..2], [1, 1]);
        assert_eq!(Frame::decode(&bytes).unwrap(), frame);
    }
}

#[test]
fn changed_frames_decode_to_something_else_or_not_at_all() {
    for frame in frames() {
        let bytes = frame.encode();
        for flipped in flips(&bytes, if bytes.len() > 1_500 { 8 } else { 1 }) {
            assert!(Frame::decode(&flipped).is_ok_and(|f| f == frame) == (flipped == bytes));
        }
        for cut in 0..bytes.len().min(600) {
            assert!(Frame::decode(&bytes[..cut]).is_err());
        }
        assert!(Frame::decode(&[bytes.as_slice(), &[0xf6]].concat()).is_err());
    }
}

#[test]
fn other_families_and_versions_are_refused() {
    let bytes = frames()[0].encode();
    for (first, second) in [(2, 1), (1, 2), (0, 1), (1, 0)] {
        let other = [&[first, second], &bytes[2..]].concat();
        assert_eq!(Frame::decode(&other), Err(FrameError::Family));
    }
    assert_eq!(Frame::decode(&[]), Err(FrameError::Family));
    assert!(matches!(Frame::decode(&vec![1; MAX_FRAME + 1]), Err(FrameError::Codec(_))));
}

#[test]
fn unknown_fields_and_variants_are_refused() {
    #[derive(serde::Serialize)]
    enum Other {
        #[serde(rename = "q")]
        Request { id: u64, b: Body, z: u8 },
        #[serde(rename = "x")]
        Unknown { id: u64 },
    }
    #[derive(serde::Serialize)]
    enum Body {
        #[serde(rename = "zz")]
        Unknown,
    }
    for other in [Other::Request { id: 1, b: Body::Unknown, z: 0 }, Other::Unknown { id: 1 }] {
        assert!(Frame::decode(&[&[1, 1], codec::encode(&other).as_slice()].concat()).is_err());
    }
}

fn decodes(body: Reply) -> bool {
    Frame::decode(&Frame::Reply { id: 1, body }.encode()).is_ok()
}

fn asks(body: Request) -> bool {
    Frame::decode(&Frame::Request { id: 1, body }.encode()).is_ok()
}

/// Whether a list of `limit` items is read and one of `limit + 1` is not.
fn bounded<T: Clone>(item: &T, limit: usize, reads: impl Fn(Vec<T>) -> bool) -> bool {
    reads(vec![item.clone(); limit]) && !reads(vec![item.clone(); limit + 1])
}

#[test]
fn every_list_ends_at_its_limit() {
    let file = NetworkFile::new("test", PARAMS);
    let d = descriptor(&file, &node(1), &[], NOW);
    let key = PeerKey::from_bytes([1; 32]);
    let id = BoxId::from_bytes([1; 32]);
    let (bytes, receipt) = (ByteBuf::from([1]), receipt::issue(&node(1), &expected()));
    assert!(bounded(&(key, 1), MAX_NODES, |have| asks(Request::Descriptors { have })));
    assert!(bounded(&d, MAX_DESCRIPTORS, |d| asks(Request::Announce { d })));
    assert!(bounded(&d, MAX_DESCRIPTORS, |send| decodes(Reply::Descriptors { send, want: vec![] })));
    assert!(bounded(&key, MAX_NODES, |want| decodes(Reply::Descriptors { send: vec![], want })));
    assert!(bounded(&receipt, MAX_PARTS, |receipts| decodes(Reply::Put { receipts, refused: vec![] })));
    assert!(bounded(&(key, PutRefusal::Busy), MAX_PARTS, |refused| decodes(Reply::Put {
        receipts: vec![],
        refused
    })));
    let part = ListBody { n: key, q: Bytes([5; 32]), inc: 1, seq: 2, ids: vec![id], more: true };
    assert!(bounded(&sign_list(&node(1), &part), MAX_PARTS, |parts| decodes(Reply::List { parts })));
    assert!(bounded(&bytes, MAX_IDS, |boxes| decodes(Reply::Get { boxes })));
    assert!(bounded(&bytes, MAX_PARTS, |objects| decodes(Reply::Object { objects })));
    assert!(bounded(&(1, id), MAX_LIST_IDS, |ids| decodes(Reply::RepairIds { ids, more: false })));
    let item = RepairItem::Box(bytes);
    assert!(bounded(&item, MAX_IDS, |items| decodes(Reply::RepairItems { items })));
}

fn expected() -> Expected {
    Expected { id: BoxId::from_bytes([1; 32]), hash: [2; 32], expiry_hour: 3, epoch: 4 }
}

#[test]
fn the_largest_answers_fit_one_frame() {
    const { assert!(MAX_BOXES_BYTES + MAX_IDS * 8 + 64 <= MAX_FRAME) };
    const { assert!(MAX_BOX + MAX_PARTS * 512 <= MAX_FRAME, "receipts and one conflict") };
    const { assert!(MAX_DESCRIPTORS * MAX_DESCRIPTOR + MAX_DESCRIPTORS * 34 + 64 <= MAX_FRAME) };
    const { assert!(12 * (MAX_OBJECT + 8) + 64 <= MAX_FRAME, "one object of each custodian") };
    const { assert!(MAX_PARTS * (MAX_LIST_IDS * 34 + 512) <= MAX_FRAME) };
    const { assert!(MAX_NODES * 45 + 64 <= MAX_FRAME) };
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Frame::decode(&bytes).is_err());
        // Bytes with the right beginning reach the decoder.
        let _ = Frame::decode(&[&[1, 1], bytes.as_slice()].concat());
    }
}
