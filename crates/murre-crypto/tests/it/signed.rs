//! Signed values: unreadable until verified, and every change is noticed.

use crate::{flipped, rng};
use murre_core::codec::{self, CodecError};
use murre_core::id::DeviceId;
use murre_core::{Label, Rng};
use murre_crypto::cert::{CERT_VERSION, MAY_ADD_DEVICES};
use murre_crypto::signed::SIGNED_OVERHEAD;
use murre_crypto::*;
use proptest::prelude::*;

fn cert(rng: &mut Rng) -> (AccountKey, DeviceId, DeviceCert) {
    let (account, device) = (AccountKey::generate(rng), DeviceKey::generate(rng).id());
    let cert = DeviceCertBody::issue(&account, device, true);
    (account, device, cert)
}

fn sign(account: &AccountKey, body: &DeviceCertBody) -> DeviceCert {
    Signed::new(body, |label, bytes| account.sign(label, bytes))
}

#[test]
fn a_certificate_survives_the_wire() {
    let (account, device, cert) = cert(&mut rng(1));
    let bytes = cert.bytes();
    assert_eq!(bytes.len(), cert.wire_len());
    let verified = DeviceCert::from_bytes(&bytes).unwrap().verify().unwrap();
    assert_eq!((verified.a, verified.d, verified.may_add_devices()), (account.id(), device, true));
    assert_eq!(verified.signed(), &cert);
    assert!(!DeviceCertBody::issue(&account, device, false).verify().unwrap().may_add_devices());
}

#[test]
fn every_flipped_bit_of_a_certificate_is_refused() {
    let (.., cert) = cert(&mut rng(2));
    let bytes = cert.bytes();
    for bit in 0..bytes.len() * 8 {
        let read = DeviceCert::from_bytes(&flipped(&bytes, bit)).map_err(SignedError::from);
        assert!(read.and_then(Signed::verify).is_err(), "bit {bit}");
    }
    for cut in 0..bytes.len() {
        assert!(DeviceCert::from_bytes(&bytes[..cut]).is_err());
    }
}

#[test]
fn another_account_cannot_speak_for_this_one() {
    let mut rng = rng(3);
    let (account, device, _) = cert(&mut rng);
    let mallory = AccountKey::generate(&mut rng);
    let body = DeviceCertBody { v: CERT_VERSION, a: account.id(), d: device, f: 0 };
    assert_eq!(sign(&mallory, &body).verify().err(), Some(SignedError::Signature(BadSignature)));
    assert!(sign(&account, &body).verify().is_ok());
}

#[test]
fn unknown_versions_flags_and_senseless_devices_are_refused_even_when_signed() {
    let (account, device, _) = cert(&mut rng(4));
    let good = DeviceCertBody { v: CERT_VERSION, a: account.id(), d: device, f: MAY_ADD_DEVICES };
    for bad in [
        DeviceCertBody { v: 2, ..good },
        DeviceCertBody { v: 0, ..good },
        DeviceCertBody { f: 2, ..good },
        DeviceCertBody { f: 0x81, ..good },
        DeviceCertBody { d: DeviceId::from_bytes(*account.id().as_bytes()), ..good },
        DeviceCertBody { d: DeviceId::from_bytes([0; 32]), ..good },
    ] {
        assert_eq!(sign(&account, &bad).verify().err(), Some(SignedError::IllFormed), "{bad:?}");
    }
}

#[test]
fn debug_of_an_unverified_value_shows_nothing_of_it() {
    let (account, _, cert) = cert(&mut rng(5));
    let text = format!("{cert:?}");
    assert!(text.starts_with("Signed(") && text.ends_with("bytes, unverified)"), "{text}");
    assert!(!text.contains(&hex::encode(&account.id().as_bytes()[..2])));
}

/// A body that can be as long as one likes.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    by: DeviceId,
    #[serde(with = "serde_bytes")]
    t: Vec<u8>,
}

impl SignedBody for Note {
    const LABEL: Label = Label::new("murre v1 test note");
    const LIMIT: usize = 100_000;
    fn signer(&self) -> [u8; 32] {
        *self.by.as_bytes()
    }
}

fn note(key: &DeviceKey, len: usize) -> Signed<Note> {
    let body = Note { by: key.id(), t: vec![7; len] };
    Signed::new(&body, |label, bytes| key.sign(label, bytes))
}

#[test]
fn a_body_at_its_limit_is_taken_and_one_byte_more_is_not() {
    let key = DeviceKey::generate(&mut rng(6));
    let overhead = codec::encode(&Note { by: key.id(), t: vec![7; 90_000] }).len() - 90_000;
    let fits = note(&key, Note::LIMIT - overhead);
    assert_eq!(
        fits.wire_len(),
        Note::LIMIT + SIGNED_OVERHEAD,
        "the overhead constant is exact at its largest"
    );
    assert!(Signed::<Note>::from_bytes(&fits.bytes()).unwrap().verify().is_ok());
    let over = note(&key, Note::LIMIT - overhead + 1);
    let refused = CodecError::TooLong { len: Note::LIMIT + 1, limit: Note::LIMIT };
    assert!(matches!(Signed::<Note>::from_bytes(&over.bytes()), Err(CodecError::TooLong { .. })));
    assert_eq!(over.verify().err(), Some(SignedError::Codec(refused)));
}

#[test]
fn the_signature_of_one_kind_of_value_does_not_serve_another() {
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(transparent)]
    struct Other(Note);
    impl SignedBody for Other {
        const LABEL: Label = Label::new("murre v1 test other");
        const LIMIT: usize = Note::LIMIT;
        fn signer(&self) -> [u8; 32] {
            self.0.signer()
        }
    }
    let bytes = note(&DeviceKey::generate(&mut rng(7)), 5).bytes();
    let other = Signed::<Other>::from_bytes(&bytes).expect("the same shape");
    assert_eq!(other.verify().err(), Some(SignedError::Signature(BadSignature)));
}

#[test]
fn one_bad_value_in_a_batch_does_not_spoil_the_others() {
    let mut rng = rng(8);
    let key = DeviceKey::generate(&mut rng);
    let mut bytes: Vec<_> = (0..5).map(|i| note(&key, i).bytes()).collect();
    let last = bytes[2].len() * 8 - 1;
    // The top byte of S, then a payload that is no note at all.
    bytes[2] = flipped(&bytes[2], last - 7);
    let mut values: Vec<_> = bytes.iter().map(|b| Signed::<Note>::from_bytes(b).unwrap()).collect();
    let garbage = codec::encode(&(1u8, 2u8));
    let wrong = Wire { p: garbage.into(), s: key.sign(Note::LABEL, b"") };
    values.push(Signed::from_bytes(&codec::encode(&wrong)).unwrap());
    let good: Vec<_> = Signed::verify_all(values, &mut rng).into_iter().map(|r| r.is_ok()).collect();
    assert_eq!(good, [true, true, false, true, true, false]);
    assert!(Signed::<Note>::verify_all(Vec::new(), &mut rng).is_empty());
}

/// The wire form of a signed value, spelled out.
#[derive(serde::Serialize)]
struct Wire {
    p: serde_bytes::ByteBuf,
    s: Signature,
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_verify(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let read = DeviceCert::from_bytes(&bytes).map_err(SignedError::from);
        prop_assert!(read.and_then(Signed::verify).is_err());
    }
}
