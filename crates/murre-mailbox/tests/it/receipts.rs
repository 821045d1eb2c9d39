//! Receipts, and signed requests and answers.

use crate::support::{NOW, PARAMS, flips, node, pair};
use murre_core::Wall;
use murre_core::id::{BoxId, Bytes};
use murre_crypto::Signed;
use murre_mailbox::limits::MAX_IDS;
use murre_mailbox::receipt::{self, Expected};
use murre_mailbox::{
    Cursor, ListBody, ListPart, MailboxKind, ReadKind, Receipt, ReceiptBody, ReceiptError, RepairKind,
    RequestError, SignedRead, Tombstone, check_read, check_repair, read_hash, sign_list, sign_repair,
};

fn expected() -> Expected {
    let p = pair(MailboxKind::Account, 1);
    Expected::from(&p.writer.seal_box(p.epoch, 1, p.expiry, b"x").unwrap().verify(&PARAMS).unwrap())
}

#[test]
fn a_receipt_counts_for_its_box_and_its_custodian_only() {
    let of = expected();
    let receipt = receipt::issue(&node(1), &of);
    assert_eq!(receipt::check(receipt.clone(), &of), Ok(node(1).id()));
    let others = [
        Expected { id: BoxId::from_bytes([1; 32]), ..of },
        Expected { hash: [1; 32], ..of },
        Expected { expiry_hour: of.expiry_hour + 1, ..of },
        Expected { epoch: of.epoch + 1, ..of },
    ];
    for other in others {
        assert_eq!(receipt::check(receipt.clone(), &other), Err(ReceiptError::Other));
    }
    let body = ReceiptBody { n: node(1).id(), b: of.id, h: Bytes(of.hash), x: of.expiry_hour, e: of.epoch };
    let forged: Receipt = Signed::new(&body, |label, msg| node(2).sign(label, msg));
    assert!(matches!(receipt::check(forged, &of), Err(ReceiptError::Signed(_))));
}

#[test]
fn every_flipped_bit_of_a_receipt_is_refused() {
    let of = expected();
    let wire = receipt::issue(&node(1), &of).bytes();
    for flipped in flips(&wire, 1) {
        let counts = Receipt::from_bytes(&flipped).is_ok_and(|r| receipt::check(r, &of).is_ok());
        assert!(!counts);
    }
}

#[test]
fn a_read_is_checked_for_signature_and_time() {
    let p = pair(MailboxKind::Account, 2);
    let reader = p.keys.at(p.epoch).unwrap();
    let kind = ReadKind::List { cursors: vec![(node(1).id(), Cursor::default())], wait_ms: 5, careful: true };
    let read = reader.sign_read(NOW, kind.clone());
    assert_eq!(check_read(read.clone(), NOW, &PARAMS).unwrap().kind, kind);
    let edge = NOW.plus(PARAMS.skew_ms);
    assert!(check_read(read.clone(), edge, &PARAMS).is_ok());
    assert!(check_read(read.clone(), Wall(NOW.0 - PARAMS.skew_ms), &PARAMS).is_ok());
    assert!(matches!(check_read(read.clone(), edge.plus(1), &PARAMS), Err(RequestError::Time { .. })));
    for flipped in flips(&read.bytes(), 1) {
        let ok = SignedRead::from_bytes(&flipped).is_ok_and(|r| check_read(r, NOW, &PARAMS).is_ok());
        assert!(!ok);
    }
    let other = reader.sign_read(NOW, ReadKind::Get { ids: vec![] });
    assert_ne!(read_hash(&read), read_hash(&other));
}

#[test]
fn a_get_of_too_many_ids_is_refused() {
    let p = pair(MailboxKind::Group, 2);
    let reader = p.keys.at(p.epoch).unwrap();
    let get = |n: usize| ReadKind::Get { ids: vec![BoxId::from_bytes([1; 32]); n] };
    assert!(check_read(reader.sign_read(NOW, get(MAX_IDS)), NOW, &PARAMS).is_ok());
    assert!(check_read(reader.sign_read(NOW, get(MAX_IDS + 1)), NOW, &PARAMS).is_err());
}

#[test]
fn only_an_owner_tombstones() {
    let id = BoxId::from_bytes([1; 32]);
    for (kind, may) in [(MailboxKind::Account, true), (MailboxKind::Group, false), (MailboxKind::Drop, false)]
    {
        let p = pair(kind, 3);
        let stone = p.keys.at(p.epoch).unwrap().sign_tombstone(vec![id]);
        assert_eq!(stone.is_some(), may, "{kind:?}");
        if let Some(stone) = stone {
            assert_eq!(stone.clone().verify().unwrap().ids, [id]);
            for flipped in flips(&stone.bytes(), 1) {
                assert!(!Tombstone::from_bytes(&flipped).is_ok_and(|t| t.verify().is_ok()));
            }
        }
        assert!(p.keys.at(p.epoch).unwrap().sign_tombstone(vec![id; MAX_IDS + 1]).is_none());
    }
}

#[test]
fn a_tombstone_without_owner_key_names_no_signer() {
    // A signature by a key of small order would verify for any message; no such key is ever asked.
    let place = pair(MailboxKind::Group, 4).keys.at(1).unwrap().place;
    let body = murre_mailbox::TombstoneBody { place, e: 1, ids: vec![] };
    let signed: Tombstone = Signed::new(&body, |label, msg| node(1).sign(label, msg));
    assert!(signed.verify().is_err());
}

#[test]
fn a_repair_request_is_for_one_node() {
    let kind = RepairKind::Ids { after: Some((4, BoxId::from_bytes([2; 32]))), limit: 100 };
    let asked = node(2).id();
    let request = sign_repair(&node(1), asked, 9, NOW, kind);
    assert_eq!(check_repair(request.clone(), &asked, NOW, &PARAMS).unwrap().n, node(1).id());
    let other = check_repair(request.clone(), &node(3).id(), NOW, &PARAMS);
    assert_eq!(other.err(), Some(RequestError::OtherNode));
    let late = check_repair(request, &asked, NOW.plus(PARAMS.skew_ms + 1), &PARAMS);
    assert!(matches!(late, Err(RequestError::Time { .. })));
}

#[test]
fn a_list_answer_is_signed_by_who_gives_it() {
    let body = ListBody {
        n: node(1).id(),
        q: Bytes([7; 32]),
        inc: 1,
        seq: 2,
        ids: vec![BoxId::from_bytes([3; 32])],
        more: false,
    };
    assert_eq!(*sign_list(&node(1), &body).verify().unwrap(), body);
    assert!(sign_list(&node(2), &body).verify().is_err());
    for flipped in flips(&sign_list(&node(1), &body).bytes(), 1) {
        assert!(!ListPart::from_bytes(&flipped).is_ok_and(|p| p.verify().is_ok()));
    }
}
