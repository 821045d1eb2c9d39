//! Blinded keys: both halves meet, and nobody else's do.

use crate::rng;
use murre_core::{Label, codec};
use murre_crypto::*;
use proptest::prelude::*;

const READ: Label = Label::new("murre v1 test read");

proptest! {
    #[test]
    fn both_halves_reach_one_epoch_key(secret: [u8; 32], tweak: [u8; 32], msg in proptest::collection::vec(any::<u8>(), 0..100)) {
        let key = BlindKey::from_secret(&Secret::new(secret));
        let epoch = key.blind(&tweak);
        prop_assert_eq!(key.public().blind(&tweak), Ok(epoch.public()));
        let sig = epoch.sign(READ, &msg);
        prop_assert_eq!(sig, epoch.sign(READ, &msg), "one message, one signature");
        prop_assert_eq!(epoch.public().verify(READ, &msg, &sig), Ok(()));
    }

    #[test]
    fn a_blinded_signature_verifies_only_under_its_own_epoch_key(secret: [u8; 32], tweak: [u8; 32], other: [u8; 32]) {
        prop_assume!(tweak != other);
        let key = BlindKey::from_secret(&Secret::new(secret));
        let sig = key.blind(&tweak).sign(READ, b"list");
        prop_assert_eq!(key.blind(&other).public().verify(READ, b"list", &sig), Err(BadSignature));
        prop_assert_eq!(verify(key.public().as_bytes(), READ, b"list", &sig), Err(BadSignature));
        let stranger = BlindKey::from_secret(&Secret::new(other));
        prop_assert_eq!(stranger.blind(&tweak).public().verify(READ, b"list", &sig), Err(BadSignature));
        prop_assert_eq!(key.blind(&tweak).public().verify(READ, b"get", &sig), Err(BadSignature));
    }

    #[test]
    fn any_32_bytes_blind_to_a_usable_key_or_are_refused(bytes: [u8; 32]) {
        if let Ok(epoch) = BlindPublic::from_bytes(bytes).blind(&[7; 32]) {
            prop_assert!(BlindPublic::from_bytes(*epoch.as_bytes()).blind(&[7; 32]).is_ok());
        }
    }
}

#[test]
fn different_messages_never_share_a_nonce() {
    let epoch = BlindKey::generate(&mut rng(1)).blind(&[0; 32]);
    let (a, b) = (epoch.sign(READ, b"a"), epoch.sign(READ, b"b"));
    assert_ne!(a.as_bytes()[..32], b.as_bytes()[..32]);
}

#[test]
fn keys_survive_their_rows_and_only_reduced_scalars_other_than_zero_are_taken() {
    let key = BlindKey::generate(&mut rng(2));
    let again = BlindKey::from_scalar_bytes(&key.secret()).unwrap();
    assert_eq!(again.public(), key.public());
    assert!(BlindKey::from_scalar_bytes(&Secret::new([0; 32])).is_none());
    assert!(BlindKey::from_scalar_bytes(&Secret::new([0xff; 32])).is_none());
    let order = (curve25519_dalek::Scalar::ZERO - curve25519_dalek::Scalar::ONE).to_bytes();
    assert!(BlindKey::from_scalar_bytes(&Secret::new(order)).is_some(), "l - 1 is reduced");
    let mut l = order;
    l[0] += 1;
    assert!(BlindKey::from_scalar_bytes(&Secret::new(l)).is_none(), "l is not");
}

#[test]
fn public_halves_travel_as_byte_strings() {
    let key = BlindKey::generate(&mut rng(3)).public();
    let bytes = codec::encode(&key);
    assert_eq!(bytes.len(), 34);
    assert_eq!(codec::decode::<BlindPublic>(&bytes, 34), Ok(key));
}
