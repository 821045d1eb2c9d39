//! Role keys, the signature rule, the phrase, and that nothing secret prints.

use crate::{flipped, rng};
use murre_core::id::LogId;
use murre_core::{Label, codec};
use murre_crypto::*;
use proptest::prelude::*;

const ONE: Label = Label::new("murre v1 test one");
const TWO: Label = Label::new("murre v1 test two");

#[test]
fn a_signature_holds_for_one_key_one_purpose_and_one_message() {
    let mut rng = rng(1);
    let (key, other) = (DeviceKey::generate(&mut rng), DeviceKey::generate(&mut rng));
    let sig = key.sign(ONE, b"message");
    let id = *key.id().as_bytes();
    assert_eq!(verify(&id, ONE, b"message", &sig), Ok(()));
    assert_eq!(verify(&id, TWO, b"message", &sig), Err(BadSignature));
    assert_eq!(verify(&id, ONE, b"massage", &sig), Err(BadSignature));
    assert_eq!(verify(other.id().as_bytes(), ONE, b"message", &sig), Err(BadSignature));
}

#[test]
fn every_flipped_bit_of_a_signature_and_of_its_key_is_refused() {
    let key = AccountKey::generate(&mut rng(2));
    let (id, sig) = (*key.id().as_bytes(), key.sign(ONE, b"message"));
    for bit in 0..512 {
        let bad = Signature::from_bytes(flipped(sig.as_bytes(), bit).try_into().unwrap());
        assert_eq!(verify(&id, ONE, b"message", &bad), Err(BadSignature), "bit {bit}");
    }
    for bit in 0..256 {
        let bad: [u8; 32] = flipped(&id, bit).try_into().unwrap();
        assert_eq!(verify(&bad, ONE, b"message", &sig), Err(BadSignature), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn a_batch_is_good_exactly_if_each_of_it_is(seed: [u8; 32], bad in proptest::collection::vec(0usize..12, 0..3)) {
        let mut rng = murre_core::Rng::from_seed(seed);
        // Three keys, so that the batch also merges signatures by one key.
        let keys: Vec<_> = (0..3).map(|_| AuthorKey::generate(&mut rng)).collect();
        let messages: Vec<Vec<u8>> = (0u8..12).map(|i| vec![i; usize::from(i)]).collect();
        let mut items: Vec<_> = messages
            .iter()
            .enumerate()
            .map(|(i, m)| (*keys[i % 3].id().as_bytes(), ONE, m.as_slice(), keys[i % 3].sign(ONE, m)))
            .collect();
        for i in bad {
            let bit = rng.below(512) as usize;
            items[i].3 = Signature::from_bytes(flipped(items[i].3.as_bytes(), bit).try_into().unwrap());
        }
        let single = items.iter().all(|(key, label, msg, sig)| verify(key, *label, msg, sig).is_ok());
        prop_assert_eq!(verify_batch(&items, &mut rng).is_ok(), single);
    }

    #[test]
    fn phrases_survive_text_and_one_wrong_word_is_noticed(entropy: [u8; 32], at in 0usize..24) {
        let phrase = Phrase::from_entropy(Secret::new(entropy));
        let words = phrase.words();
        let again = Phrase::parse(&format!("  {}\n", words.to_uppercase().replace(' ', " \t"))).unwrap();
        prop_assert_eq!(again.account_key().id(), phrase.account_key().id());
        let mut list: Vec<_> = words.split(' ').collect();
        prop_assert_eq!(list.len(), 24);
        list[at] = "murre";
        prop_assert_eq!(Phrase::parse(&list.join(" ")).err(), Some(PhraseError::UnknownWord { position: at + 1 }));
        list.pop();
        prop_assert_eq!(Phrase::parse(&list.join(" ")).err(), Some(PhraseError::WordCount { found: 23 }));
    }

    #[test]
    fn any_text_is_a_phrase_or_an_error(text in "\\PC{0,300}") {
        let _ = Phrase::parse(&text);
    }
}

#[test]
fn entropy_of_zeros_has_the_words_that_bip_39_says() {
    let words = Phrase::from_entropy(Secret::new([0; 32])).words();
    assert_eq!(*words, format!("{}art", "abandon ".repeat(23)));
}

#[test]
fn text_longer_than_any_phrase_is_not_looked_at() {
    let text = "abandon ".repeat(200);
    assert_eq!(Phrase::parse(&text).err(), Some(PhraseError::TooLong { len: 1_600 }));
}

#[test]
fn keys_survive_their_rows_and_a_device_has_another_author_key_in_each_log() {
    let mut rng = rng(3);
    let key = NodeKey::generate(&mut rng);
    assert_eq!(NodeKey::from_secret(&key.secret()).id(), key.id());
    let secret = Secret::generate(&mut rng);
    let (a, b) = (LogId::from_bytes([1; 32]), LogId::from_bytes([2; 32]));
    assert_eq!(AuthorKey::derive(&secret, a).id(), AuthorKey::derive(&secret, a).id());
    assert_ne!(AuthorKey::derive(&secret, a).id(), AuthorKey::derive(&secret, b).id());
    assert_ne!(AuthorKey::derive(&secret, a).id(), AuthorKey::derive(&Secret::generate(&mut rng), a).id());
}

/// Every `Debug` of a type that holds a secret, searched for the secret in each notation a `Debug` could use.
#[test]
fn nothing_secret_prints() {
    let secret = || Secret::<32>::new([0xa7; 32]);
    let device = DeviceKey::from_secret(&secret());
    let blind = BlindKey::from_secret(&secret());
    let phrase = Phrase::from_entropy(secret());
    let scalar = *blind.secret().expose();
    let printed = [
        format!("{:?}", secret()),
        format!("{:#?}", AccountKey::from_secret(&secret())),
        format!("{device:?}"),
        format!("{:?}", AuthorKey::from_secret(&secret())),
        format!("{:?}", NodeKey::from_secret(&secret())),
        format!("{blind:#?}"),
        format!("{:#?}", blind.blind(&[1; 32])),
        format!("{:?}", RequestKey::from_secret(&secret())),
        format!("{phrase:?}"),
        format!("{:?}", Phrase::parse("zoo zoo").unwrap_err()),
    ];
    for text in &printed {
        let text = text.to_lowercase();
        for needle in ["a7a7", "167, 167", "zoo", phrase.words().split(' ').next().unwrap()] {
            assert!(!text.contains(needle), "{text}");
        }
        assert!(!text.contains(&hex::encode(&scalar[..3])), "{text}");
        assert!(text.len() < 60, "{text}");
    }
    assert_eq!(printed[0], "Secret(..)");
}

#[test]
fn signatures_travel_as_byte_strings_of_64() {
    let sig = DeviceKey::generate(&mut rng(4)).sign(ONE, b"");
    let bytes = codec::encode(&sig);
    assert_eq!(bytes.len(), 66);
    assert_eq!(codec::decode::<Signature>(&bytes, 66), Ok(sig));
    assert!(codec::decode::<Signature>(&codec::encode(&murre_core::id::Bytes([0u8; 63])), 66).is_err());
}

#[test]
fn secrets_are_compared_whole() {
    assert_eq!(Secret::new([1; 32]), Secret::new([1; 32]));
    assert_ne!(Secret::new([1; 32]), Secret::new(flipped(&[1; 32], 255).try_into().unwrap()));
    assert!(Secret::<32>::from_slice(&[0; 31]).is_none());
}
