//! Entries, packs, packets, signals, proofs of forks.

use crate::seeds;
use murre_core::codec;
use murre_core::id::EntryId;
use murre_log::entry::MAX_ENTRY;
use murre_log::header::{MAX_BODY, MAX_HEADER};
use murre_log::pack::{MAX_CONTENT, MAX_ITEMS};
use murre_log::{Chunk, Entry, ForkProof, Header, Link, Pack, Packet, Signal, wire_open};

/// An entry: its bytes come back, and only one that its author signed verifies.
#[must_use]
pub fn fuzz_log_entry(data: &[u8]) -> bool {
    let Ok(entry) = Entry::parse(data) else { return false };
    assert!(data.len() <= MAX_ENTRY);
    assert_eq!(entry.wire(), data, "two byte strings for one entry");
    if let Ok(verified) = entry.verify() {
        assert!(seeds::genuine("log_entry", data), "an entry that nobody signed verifies");
        assert_eq!(verified.wire(), data);
        assert!(verified.body().len() <= MAX_BODY && verified.header().check().is_ok());
    }
    true
}

/// A header without its signature, which hides it from mutation: one byte string for one header, and its rules hold
/// for any.
#[must_use]
pub fn fuzz_log_header(data: &[u8]) -> bool {
    let Ok(header) = codec::decode::<Header>(data, MAX_HEADER) else { return false };
    assert_eq!(header.encode(), data, "two byte strings for one header");
    if header.check().is_ok() {
        let own = Link::new(&header.by, header.seq, EntryId::from_bytes([0; 32]));
        assert!(
            header
                .parents()
                .all(|parent| parent.a != own.a || parent.s != own.s || header.next.contains(parent))
        );
    }
    true
}

/// A packet: one byte string for one packet.
#[must_use]
pub fn fuzz_log_packet(data: &[u8]) -> bool {
    let Ok(packet) = Packet::decode(data) else { return false };
    let bytes = packet.encode();
    assert_eq!(bytes, data, "two byte strings for one packet");
    let again = Packet::decode(&bytes).expect("its own bytes decode");
    assert_eq!(again.id(), packet.id(), "two ids for one packet");
    true
}

/// A chunk of a file: one byte string for one chunk, and only one that belongs to the file verifies.
#[must_use]
pub fn fuzz_chunk(data: &[u8]) -> bool {
    let Ok(chunk) = Chunk::decode(data) else { return false };
    assert_eq!(chunk.encode(), data, "two byte strings for one chunk");
    let (shape, sealed) = seeds::file();
    if let Some(verified) = chunk.verify(&shape) {
        let genuine = sealed.get(verified.index as usize);
        assert_eq!(genuine, Some(&verified.sealed), "a chunk that the file does not have verifies");
    }
    true
}

/// A sealed packet: only what was sealed under the secret opens.
#[must_use]
pub fn fuzz_log_seal(data: &[u8]) -> bool {
    let opens = wire_open(&seeds::wire_secret(), data).is_ok();
    assert!(!opens || seeds::genuine("log_seal", data), "what nobody sealed opens");
    opens
}

/// A pack: one byte string for one pack, within its limits.
#[must_use]
pub fn fuzz_log_pack(data: &[u8]) -> bool {
    let Ok(pack) = Pack::decode(data) else { return false };
    assert_eq!(pack.encode_padded(), data, "two byte strings for one pack");
    assert!((1..=MAX_ITEMS).contains(&pack.items().len()));
    assert!(pack.items().iter().all(|item| item.content.len() <= MAX_CONTENT));
    true
}

/// A signal: its bytes come back, and only one that its author signed verifies.
#[must_use]
pub fn fuzz_log_signal(data: &[u8]) -> bool {
    let Ok(signal) = Signal::parse(data) else { return false };
    assert_eq!(signal.wire(), data, "two byte strings for one signal");
    if signal.verify().is_ok() {
        assert!(seeds::genuine("log_signal", data), "a signal that nobody signed verifies");
    }
    true
}

/// A proof that an author forked: nobody can make one who does not have two entries of that author.
#[must_use]
pub fn fuzz_fork_proof(data: &[u8]) -> bool {
    let Ok((proof, _)) = ForkProof::decode(data) else { return false };
    assert_eq!(proof.encode(), data, "two byte strings for one proof");
    assert!(seeds::genuine("fork_proof", data), "a proof of what nobody did");
    true
}
