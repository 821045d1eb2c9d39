//! The wire seal, packets and signals.

use crate::world::{LOG, STATE, key, rng, root, sign};
use murre_log::signal::MAX_SIGNAL_BODY;
use murre_log::wire::{MAX_SEALED, SEAL_OVERHEAD};
use murre_log::{OpenError, Packet, Signal, SignalError, WireSecret, wire_open, wire_seal, wire_week};
use proptest::prelude::*;

fn secret() -> WireSecret {
    WireSecret::from_bytes([0x42; 32])
}

fn packets() -> [Packet; 2] {
    let entry = sign(&root(&key(1)), &key(1), b"body").to_entry();
    [Packet::Entry(entry), Packet::Signal(Signal::sign(LOG, STATE, &key(1), b"typing".to_vec(), &mut rng(4)))]
}

#[test]
fn packets_come_back_through_the_seal() {
    for packet in packets() {
        let sealed = packet.seal(&secret(), 2_900);
        assert_eq!(wire_week(&sealed), Some(2_900));
        assert_eq!(sealed.len(), packet.encode().len() + SEAL_OVERHEAD);
        assert_eq!(Packet::open(&secret(), &sealed), Ok(packet.clone()));
        assert_eq!(packet.seal(&secret(), 2_900), sealed, "a retry sends the same bytes");
        assert_ne!(packet.seal(&secret(), 2_901), sealed);
        assert_eq!(Packet::open(&WireSecret::from_bytes([1; 32]), &sealed), Err(OpenError::Seal));
    }
}

#[test]
fn every_flipped_bit_of_a_sealed_packet_is_refused() {
    let [entry, _] = packets();
    let sealed = entry.seal(&secret(), 7);
    for bit in 0..sealed.len() * 8 {
        let mut bad = sealed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(wire_open(&secret(), &bad), Err(OpenError::Seal), "bit {bit}, the week among them");
    }
    for cut in 0..sealed.len() {
        assert!(wire_open(&secret(), &sealed[..cut]).is_err());
    }
    let long = vec![0; MAX_SEALED + 1];
    assert_eq!(wire_open(&secret(), &long), Err(OpenError::Length { len: MAX_SEALED + 1 }));
}

#[test]
fn nonces_differ_by_packet_plaintext_and_secret() {
    let nonce = |s: &WireSecret, id: u8, text: &[u8]| wire_seal(s, 1, &[id; 32], text)[4..28].to_vec();
    let one = nonce(&secret(), 1, b"x");
    assert_ne!(one, nonce(&secret(), 2, b"x"));
    assert_ne!(one, nonce(&secret(), 1, b"y"));
    assert_ne!(one, nonce(&WireSecret::from_bytes([1; 32]), 1, b"x"));
}

#[test]
fn the_largest_entry_fits_a_packet() {
    let body = vec![1; murre_log::header::MAX_BODY];
    let packet = Packet::Entry(sign(&root(&key(1)), &key(1), &body).to_entry());
    let sealed = packet.seal(&secret(), 1);
    assert!(sealed.len() <= MAX_SEALED);
    assert_eq!(Packet::open(&secret(), &sealed), Ok(packet));
}

#[test]
fn signals_verify_and_every_flipped_bit_is_refused() {
    let signal = Signal::sign(LOG, STATE, &key(1), b"typing".to_vec(), &mut rng(4));
    let seen = signal.clone().verify().unwrap();
    assert_eq!((seen.header().by, seen.header().log, seen.body()), (key(1).id(), LOG, &b"typing"[..]));
    assert_eq!(seen.id(), signal.id());
    let wire = signal.wire();
    for bit in 0..wire.len() * 8 {
        let mut bad = wire.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Signal::parse(&bad).and_then(Signal::verify).is_err(), "bit {bit}");
    }
}

#[test]
fn a_signal_is_not_an_entry_and_an_entry_is_not_a_signal() {
    let [entry, signal] = packets();
    let (Packet::Entry(entry), Packet::Signal(signal)) = (entry, signal) else { panic!("as made") };
    assert_eq!(Signal::parse(&entry.wire()).unwrap().verify(), Err(SignalError::Header));
    let as_entry = murre_log::Entry::parse(&signal.wire()).unwrap().verify();
    assert_eq!(as_entry.unwrap_err().class(), "header");
}

#[test]
fn signals_end_at_their_limit() {
    let sized = |len| Signal::sign(LOG, STATE, &key(1), vec![0; len], &mut rng(1)).wire();
    assert!(Signal::parse(&sized(MAX_SIGNAL_BODY)).unwrap().verify().is_ok());
    assert_eq!(Signal::parse(&sized(MAX_SIGNAL_BODY + 1)), Err(SignalError::TooLong));
}

#[test]
fn secrets_do_not_print() {
    assert_eq!(format!("{:?}", secret()), "WireSecret(..)");
}

proptest! {
    #[test]
    fn arbitrary_packets_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Packet::decode(&bytes);
        prop_assert!(wire_open(&secret(), &bytes).is_err());
    }
}
