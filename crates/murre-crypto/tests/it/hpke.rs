//! Encryption to a request key, and that it is HPKE and not something like it.

use crate::{flipped, rng};
use hpke_rs::{Hpke, HpkePrivateKey, HpkePublicKey, Mode};
use hpke_rs_crypto::types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs_rust_crypto::HpkeRustCrypto;
use murre_core::codec;
use murre_crypto::hpke::{ENCAPSULATED_LEN, HPKE_OVERHEAD, REQUEST_PUBLIC_LEN};
use murre_crypto::*;
use proptest::prelude::*;

pub fn suite() -> Hpke<HpkeRustCrypto> {
    let (kem, kdf) = (KemAlgorithm::XWingDraft06, KdfAlgorithm::HkdfSha256);
    Hpke::new(Mode::Base, kem, kdf, AeadAlgorithm::ChaCha20Poly1305)
}

#[test]
fn hpke_rs_opens_ours_and_we_open_its() {
    let mut rng = rng(1);
    let key = RequestKey::generate(&mut rng);
    let ours = hpke_seal(&key.public(), b"info", b"aad", b"text", &mut rng).unwrap();
    assert_eq!(ours.len(), 4 + HPKE_OVERHEAD);
    let (enc, ct) = ours.split_at(ENCAPSULATED_LEN);
    let private = HpkePrivateKey::new(key.secret().expose().to_vec());
    let opened = suite().open(enc, &private, b"info", b"aad", ct, None, None, None);
    assert_eq!(opened.unwrap(), b"text");

    let public = HpkePublicKey::new(key.public().as_bytes().to_vec());
    let (enc, ct) = suite().seal(&public, b"info", b"aad", b"theirs", None, None, None).unwrap();
    assert_eq!(hpke_open(&key, b"info", b"aad", &[enc, ct].concat()), Ok(b"theirs".to_vec()));
}

#[test]
fn one_seed_seals_to_the_same_bytes_and_two_draws_differ() {
    let key = RequestKey::generate(&mut rng(2)).public();
    let seal = |rng: &mut murre_core::Rng| hpke_seal(&key, b"", b"", b"text", rng).unwrap();
    let mut one = rng(3);
    let first = seal(&mut one);
    assert_eq!(first, seal(&mut rng(3)));
    assert_ne!(first, seal(&mut one));
}

#[test]
fn a_flipped_bit_another_info_aad_or_key_is_refused() {
    let mut rng = rng(4);
    let (key, other) = (RequestKey::generate(&mut rng), RequestKey::generate(&mut rng));
    let sealed = hpke_seal(&key.public(), b"info", b"aad", b"text", &mut rng).unwrap();
    assert_eq!(hpke_open(&key, b"info", b"aad", &sealed), Ok(b"text".to_vec()));
    assert_eq!(hpke_open(&other, b"info", b"aad", &sealed), Err(OpenError));
    assert_eq!(hpke_open(&key, b"inf0", b"aad", &sealed), Err(OpenError));
    assert_eq!(hpke_open(&key, b"info", b"aid", &sealed), Err(OpenError));
    assert_eq!(hpke_open(&key, b"info", b"aad", &sealed[..HPKE_OVERHEAD - 1]), Err(OpenError));
    assert_eq!(hpke_open(&key, b"info", b"aad", &[]), Err(OpenError));
    // Each bit of the AEAD half and of the X25519 half, also its top one, which RFC 7748 masks before the curve but
    // X-Wing's combiner hashes all the same; and a sample of the ML-KEM half.
    let bits = (0..1088 * 8).step_by(97).chain(1088 * 8..sealed.len() * 8);
    for bit in bits {
        assert_eq!(hpke_open(&key, b"info", b"aad", &flipped(&sealed, bit)), Err(OpenError), "bit {bit}");
    }
}

#[test]
fn a_malformed_public_key_is_refused() {
    let mut rng = rng(5);
    let key = RequestPublic::from_slice(&[0xff; REQUEST_PUBLIC_LEN]).unwrap();
    assert_eq!(hpke_seal(&key, b"", b"", b"", &mut rng), Err(HpkeSealError::BadKey));
    assert!(RequestPublic::from_slice(&[0; REQUEST_PUBLIC_LEN - 1]).is_none());
    let key = RequestKey::generate(&mut rng).public();
    let bytes = codec::encode(&key);
    assert_eq!(bytes.len(), REQUEST_PUBLIC_LEN + 3);
    assert_eq!(codec::decode::<RequestPublic>(&bytes, bytes.len()), Ok(key));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_bytes_open_or_are_refused(head: [u8; 32], len in 0usize..1_300) {
        let bytes: Vec<u8> = head.iter().cycle().copied().take(len).collect();
        prop_assert_eq!(hpke_open(&RequestKey::from_secret(&Secret::new(head)), b"", b"", &bytes), Err(OpenError));
    }
}
