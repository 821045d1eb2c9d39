//! A box proves who may write where, and nothing else gets through.

use crate::support::{NOW, PARAMS, flips, pair, rng};
use murre_core::codec;
use murre_crypto::puzzle::Solution;
use murre_mailbox::limits::{
    CELL, CLASSES, FRAGMENT_HEAD, MAX_BOX, MAX_HEAD, MAX_PLAINTEXT, PAYLOADS, REPLY_BLOCK, REPLY_BLOCKS,
    REQUEST_OVERHEAD, class_for, expiry_acceptable, expiry_fits_epoch, takes_puts,
};
use murre_mailbox::{
    BoxError, Frame, MailboxKind, PairSecret, ReaderKeys, Request, SealError, SealedBox, SpaceProof, TagKey,
    Writer, tag_at,
};
use proptest::prelude::*;
use serde_bytes::ByteBuf;

const KINDS: [MailboxKind; 4] =
    [MailboxKind::Account, MailboxKind::Group, MailboxKind::Drop, MailboxKind::Door];

#[test]
fn what_is_sealed_is_opened_in_every_kind_and_class() {
    for kind in KINDS {
        let p = pair(kind, 1);
        for (class, len) in CLASSES.iter().zip([0, PAYLOADS[0] - 19, PAYLOADS[2] - 20, MAX_PLAINTEXT]) {
            let plain: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let sealed = p.writer.seal_box(p.epoch, 0, p.expiry, &plain).unwrap();
            let again = p.writer.seal_box(p.epoch, 0, p.expiry, &plain).unwrap();
            assert_eq!(sealed.wire(), again.wire(), "a retry sends identical bytes");
            let wire = sealed.wire().to_vec();
            let b = SealedBox::parse(&wire).unwrap().verify(&PARAMS).unwrap();
            assert_eq!((b.class(), b.epoch(), b.index(), b.expiry_hour()), (*class, p.epoch, 0, p.expiry));
            assert_eq!(b.tag(), tag_at(&p.secret, &p.tag.public(), p.epoch).unwrap());
            assert_eq!(b.locator(), p.keys.at(p.epoch).unwrap().locator);
            assert_eq!(p.keys.open_box(&p.secret, p.epoch, &b).unwrap(), plain);
            assert!(p.keys.open_box(&PairSecret::generate(&mut rng(9)), p.epoch, &b).is_err());
            assert!(p.keys.open_box(&p.secret, p.epoch + 1, &b).is_err());
        }
    }
}

#[test]
fn a_plaintext_over_the_largest_class_is_refused() {
    let p = pair(MailboxKind::Account, 1);
    let over = vec![0; MAX_PLAINTEXT + 1];
    assert_eq!(p.writer.seal_box(p.epoch, 0, p.expiry, &over), Err(SealError::TooLarge { len: over.len() }));
    assert_eq!(class_for(MAX_PLAINTEXT), Some(64));
}

#[test]
fn two_plaintexts_of_one_class_have_boxes_of_one_size() {
    let p = pair(MailboxKind::Group, 1);
    let sizes: Vec<usize> = [0, 1, 2_000]
        .map(|n| p.writer.seal_box(p.epoch, 7, p.expiry, &vec![1; n]).unwrap().wire().len())
        .into();
    assert!(sizes.iter().all(|s| *s == sizes[0]), "{sizes:?}");
}

#[test]
fn a_whole_put_fits_the_mix_cells_of_its_class() {
    let mut rng = rng(3);
    let keys = ReaderKeys::generate(MailboxKind::Account, &mut rng);
    let tag = TagKey::generate(&mut rng);
    let last = u64::MAX - 1;
    let writer = Writer::new(&keys.grant(&mut rng, &tag.public(), last, 1).unwrap(), Some(&tag)).unwrap();
    for (class, payload) in CLASSES.iter().zip(PAYLOADS) {
        // The longest form of every number.
        let b = writer.seal_box(last, u64::MAX, u32::MAX, &vec![0; payload - 20]).unwrap();
        assert!(b.wire().len() <= MAX_BOX);
        let proof = Some(SpaceProof { block: u32::MAX, solution: Solution(u64::MAX) });
        let body = Request::Put { b: ByteBuf::from(b.wire()), proof, fan: false };
        let put = Frame::Request { id: u64::MAX, body }.encode().len();
        assert!(put - payload <= REQUEST_OVERHEAD, "class {class}: {} bytes of overhead", put - payload);
        let room = usize::from(*class) * (CELL - FRAGMENT_HEAD);
        assert!(put + REPLY_BLOCKS * REPLY_BLOCK <= room, "class {class}");
        assert!(put + 32 + REPLY_BLOCKS * REPLY_BLOCK > room - REQUEST_OVERHEAD, "class {class} wastes room");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let p = pair(MailboxKind::Account, 2);
    let wire = p.writer.seal_box(p.epoch, 5, p.expiry, b"hello").unwrap().wire().to_vec();
    let payload = wire.windows(4).position(|w| w == [0x61, b'p', 0x59, (PAYLOADS[0] >> 8) as u8]).unwrap();
    let (head, rest) = wire.split_at(payload);
    let tail = rest.len() - 80;
    let refused = |bytes: Vec<u8>| SealedBox::parse(&bytes).and_then(|b| b.verify(&PARAMS)).is_err();
    for flipped in flips(head, 1) {
        assert!(refused([flipped.as_slice(), rest].concat()), "head");
    }
    for flipped in flips(&rest[..tail], 8) {
        assert!(refused([head, &flipped, &rest[tail..]].concat()), "payload");
    }
    for flipped in flips(&rest[tail..], 1) {
        assert!(refused([head, &rest[..tail], &flipped].concat()), "signature");
    }
    assert!(!refused(wire), "unchanged it is good");
}

#[test]
fn truncated_oversized_and_trailing_bytes_are_refused() {
    let p = pair(MailboxKind::Drop, 2);
    let wire = p.writer.seal_box(p.epoch, 5, p.expiry, b"x").unwrap().wire().to_vec();
    for cut in (0..wire.len()).step_by(7) {
        assert!(SealedBox::parse(&wire[..cut]).is_err());
    }
    assert!(SealedBox::parse(&[wire.clone(), vec![0]].concat()).is_err());
    assert!(SealedBox::parse(&vec![0; MAX_BOX + 1]).is_err());
    let long_head = codec::encode(&Parts { h: ByteBuf::from(vec![0; MAX_HEAD + 1]), ..parts(&wire) });
    assert!(matches!(SealedBox::parse(&long_head), Err(BoxError::Codec(_))));
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Parts {
    h: ByteBuf,
    p: ByteBuf,
    s: murre_crypto::Signature,
}

fn parts(wire: &[u8]) -> Parts {
    codec::decode(wire, MAX_BOX).unwrap()
}

#[test]
fn a_certificate_holds_for_one_epoch_one_tag_and_one_mailbox() {
    let mut rng = rng(4);
    for kind in KINDS {
        let p = pair(kind, 4);
        let own = p.keys.grant(&mut rng, &p.tag.public(), p.epoch, 1).unwrap();
        let wrong = |f: u64, c: murre_crypto::Signature, pair: murre_core::id::Bytes<32>| {
            let certs = murre_mailbox::CertRun { f, c: vec![c] };
            let grant = murre_mailbox::WriteGrant { certs, p: pair, ..own.clone() };
            let b = Writer::new(&grant, Some(&p.tag)).unwrap().seal_box(f, 0, p.expiry, b"x").unwrap();
            SealedBox::parse(b.wire()).unwrap().verify(&PARAMS).err()
        };
        let cert = own.certs.c[0];
        assert_eq!(wrong(p.epoch, cert, own.p), None, "unchanged it is good");
        assert_eq!(wrong(p.epoch + 1, cert, own.p), Some(BoxError::Certificate), "next epoch");
        let other_pair = murre_core::id::Bytes([9; 32]);
        assert_eq!(wrong(p.epoch, cert, other_pair), Some(BoxError::Certificate), "another tag");
        let stranger = pair(kind, 5);
        let foreign = stranger.keys.grant(&mut rng, &p.tag.public(), p.epoch, 1).unwrap();
        assert_eq!(
            wrong(p.epoch, foreign.certs.c[0], foreign.p),
            Some(BoxError::Certificate),
            "another mailbox"
        );
    }
}

#[test]
fn readers_of_a_door_cannot_certify() {
    let p = pair(MailboxKind::Door, 6);
    let d = p.keys.address().d.unwrap();
    let row = ReaderKeys::from_row(&p.keys.to_row()).unwrap();
    let reader = row.with_owner_public(d);
    assert_eq!(reader.address(), p.keys.address());
    let refused = reader.renew(&p.secret, &p.tag.public(), p.epoch, 1);
    assert_eq!(refused, Err(murre_mailbox::GrantError::NotOwner));
}

#[test]
fn a_door_takes_index_zero_only() {
    let p = pair(MailboxKind::Door, 7);
    let b = p.writer.seal_box(p.epoch, 1, p.expiry, b"x").unwrap();
    assert_eq!(b.verify(&PARAMS).err(), Some(BoxError::DoorIndex { index: 1 }));
}

#[test]
fn expiry_and_epoch_keep_to_their_windows() {
    let p = pair(MailboxKind::Account, 8);
    let hour = NOW.hour();
    let sealed = |x: u32| p.writer.seal_box(p.epoch, 0, x, b"x").unwrap().verify(&PARAMS);
    assert!(sealed(hour + 720).is_ok());
    assert!(matches!(sealed(hour + 2 * 7 * 24 + 24 + 720 + 10), Err(BoxError::Expiry { .. })));
    assert!(matches!(sealed(hour - 15 * 24), Err(BoxError::Expiry { .. })));
    assert!(expiry_acceptable(hour + 721, NOW) && !expiry_acceptable(hour + 722, NOW));
    assert!(expiry_acceptable(hour + 1, NOW) && !expiry_acceptable(hour, NOW));
    assert!(!expiry_fits_epoch(hour, u64::MAX, &PARAMS) && !takes_puts(u64::MAX, NOW, &PARAMS));
    // Whatever a mailbox's offset is, a custodian takes what its writers may put.
    for seed in 0..40 {
        let address = ReaderKeys::generate(MailboxKind::Group, &mut rng(seed)).address();
        let e = address.epoch_at(NOW, &PARAMS);
        let (from, to) = address.epoch_span(e, &PARAMS);
        let last = murre_core::Wall(to.0 + PARAMS.grace_ms - 1);
        for t in [from, NOW, last] {
            assert!(address.takes_puts(e, t, &PARAMS) && takes_puts(e, t, &PARAMS));
            assert!(
                expiry_fits_epoch(t.hour() + 720, e, &PARAMS) && expiry_fits_epoch(t.hour() + 1, e, &PARAMS)
            );
        }
        assert!(!takes_puts(e, to.plus(PARAMS.epoch_ms + PARAMS.grace_ms + PARAMS.skew_ms), &PARAMS));
    }
}

#[test]
fn an_account_box_without_owner_key_is_refused() {
    let p = pair(MailboxKind::Account, 9);
    let bad = murre_mailbox::MailboxAddress { d: None, ..p.keys.address() };
    assert_eq!(bad.at(p.epoch), Err(murre_mailbox::AddressError::Owner));
    let group = pair(MailboxKind::Group, 9).keys.address();
    let bad = murre_mailbox::MailboxAddress { d: p.keys.address().d, ..group };
    assert_eq!(bad.at(p.epoch), Err(murre_mailbox::AddressError::Owner));
}

#[test]
fn a_grant_holds_at_most_its_limit_of_certificates() {
    let p = pair(MailboxKind::Group, 10);
    let most = murre_mailbox::limits::MAX_CERTS as u32;
    let run = p.keys.renew(&p.secret, &p.tag.public(), 5, most).unwrap();
    assert_eq!((run.end(), run.get(4), run.c.len() as u32), (5 + u64::from(most), None, most));
    assert!(run.get(5).is_some() && run.get(run.end()).is_none());
    assert!(p.keys.renew(&p.secret, &p.tag.public(), 5, most + 1).is_err());
    let bytes = codec::encode(&run);
    assert!(codec::decode::<murre_mailbox::CertRun>(&bytes, 8_192).is_ok());
    let mut over = run;
    over.c.push(over.c[0]);
    assert!(codec::decode::<murre_mailbox::CertRun>(&codec::encode(&over), 8_192).is_err());
}

#[test]
fn a_spare_writes_without_the_devices_own_tag() {
    let p = pair(MailboxKind::Account, 11);
    let spare = p.keys.spare(&mut rng(1), p.epoch, 1).unwrap();
    let b = Writer::new(&spare, None).unwrap().seal_box(p.epoch, 3, p.expiry, b"again").unwrap();
    let b = b.verify(&PARAMS).unwrap();
    let pair = PairSecret::from_bytes(spare.p.0);
    assert_eq!(p.keys.open_box(&pair, p.epoch, &b).unwrap(), b"again");
    let own = p.keys.grant(&mut rng(1), &p.tag.public(), p.epoch, 1).unwrap();
    assert_eq!(Writer::new(&own, None).err(), Some(SealError::NoTag));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(SealedBox::parse(&bytes).is_err());
    }
}
