//! Sealing under a shared key.

use crate::flipped;
use murre_crypto::seal::{OVERHEAD, OpenError, open, seal};
use murre_crypto::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_was_sealed_opens(key: [u8; 32], nonce: [u8; 24], aad in proptest::collection::vec(any::<u8>(), 0..40), text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let key = Secret::new(key);
        let sealed = seal(&key, &nonce, &aad, &text);
        prop_assert_eq!(sealed.len(), text.len() + OVERHEAD);
        prop_assert_eq!(open(&key, &nonce, &aad, &sealed), Ok(text));
    }

    #[test]
    fn any_bytes_open_or_are_refused(sealed in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(open(&Secret::new([1; 32]), &[0; 24], b"", &sealed), Err(OpenError));
    }
}

#[test]
fn every_flipped_bit_of_key_nonce_aad_and_bytes_is_refused() {
    let (key, nonce, aad) = ([3; 32], [4; 24], b"aad".as_slice());
    let sealed = seal(&Secret::new(key), &nonce, aad, b"a short text");
    for bit in 0..sealed.len() * 8 {
        assert_eq!(open(&Secret::new(key), &nonce, aad, &flipped(&sealed, bit)), Err(OpenError));
    }
    for bit in 0..256 {
        let key = Secret::from_slice(&flipped(&key, bit)).unwrap();
        assert_eq!(open(&key, &nonce, aad, &sealed), Err(OpenError));
    }
    for bit in 0..192 {
        let nonce = flipped(&nonce, bit).try_into().unwrap();
        assert_eq!(open(&Secret::new(key), &nonce, aad, &sealed), Err(OpenError));
    }
    for bit in 0..24 {
        assert_eq!(open(&Secret::new(key), &nonce, &flipped(aad, bit), &sealed), Err(OpenError));
    }
    for cut in 0..sealed.len() {
        assert_eq!(open(&Secret::new(key), &nonce, aad, &sealed[..cut]), Err(OpenError));
    }
}
