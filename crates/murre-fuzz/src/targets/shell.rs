//! What shells read: addresses, streams, files of a home, scenario files.

use murre_core::link::{MAX_ADDR, MAX_FRAME};
use murre_net::{addr_with_peer, parse_addr, parse_peer, read_frame, write_frame};
use murre_sim::scenario::Scenario;

/// An address: what is understood is written and understood again as the same address.
#[must_use]
pub fn fuzz_address(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(parsed) = parse_addr(text) else { return false };
    assert!(text.len() <= MAX_ADDR);
    let bare = parse_addr(&parsed.addr.0);
    assert!(bare.is_ok_and(|bare| bare.addr == parsed.addr && bare.key.is_none()));
    if let Some(key) = parsed.key {
        let full = addr_with_peer(&parsed.addr, &key);
        // With its peer an address may be longer than one may be.
        if full.0.len() <= MAX_ADDR {
            assert!(parse_peer(&full.0).is_ok_and(|peer| peer.key == key && peer.addrs == [parsed.addr]));
        }
    }
    true
}

/// A stream: frames come out as they were written, each within its limit, and the rest is an end, not a wait.
#[must_use]
pub fn fuzz_stream(data: &[u8]) -> bool {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    let work = async {
        let (mut from, mut count) = (futures::io::Cursor::new(data), 0);
        let mut again = futures::io::Cursor::new(Vec::new());
        while let Ok(frame) = read_frame(&mut from).await {
            assert!((1..=MAX_FRAME).contains(&frame.len()));
            write_frame(&mut again, &frame).await.expect("memory takes everything");
            count += 1;
        }
        assert!(data.starts_with(again.get_ref()), "frames are not what was on the stream");
        count > 0
    };
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// A key file of either kind: one byte string for one file.
#[must_use]
pub fn fuzz_key_file(data: &[u8]) -> bool {
    let again = murre::fuzz::key_file(data);
    assert!(again.as_ref().is_none_or(|again| again == data), "two byte strings for one key file");
    again.is_some()
}

/// A counter file: one byte string for one count.
#[must_use]
pub fn fuzz_counter_file(data: &[u8]) -> bool {
    let again = murre::fuzz::counter_file(data);
    assert!(again.as_ref().is_none_or(|again| again == data), "two byte strings for one count");
    again.is_some()
}

/// A scenario file: what is read is written and read again as the same.
#[must_use]
pub fn fuzz_scenario(data: &[u8]) -> bool {
    let Ok(scenario) = Scenario::decode(data) else { return false };
    let again = serde_json::to_vec(&scenario).expect("a scenario is JSON");
    assert_eq!(Scenario::decode(&again).ok(), Some(scenario));
    true
}
