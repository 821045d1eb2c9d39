//! Decoders with planted faults: each must be found in the rounds that a real target gets, or green means nothing.

use crate::inputs;
use murre_core::codec;
use murre_device::content::{Content, Text, kind};
use murre_fuzz::memory::Bound;
use murre_fuzz::mutate::Mutator;
use murre_fuzz::{Target, check, seeds};
use murre_log::pack::MAX_PADDED;
use murre_log::{Item, Pack};
use murre_mailbox::SealedBox;
use std::panic::catch_unwind;

fn planted(name: &'static str, run: fn(&[u8]) -> bool) -> Target {
    let real = murre_fuzz::TARGETS.first().expect("a target");
    Target { name, run, bound: Bound::DECODER, rounds: 100_000, ..*real }
}

/// The round in which the fault shows.
fn found(target: &Target, corpus: &str) -> Option<usize> {
    let inputs: Vec<Vec<u8>> = inputs(corpus).into_iter().map(|(_, bytes)| bytes).collect();
    let mut mutator = Mutator::new(1, &inputs);
    (0..target.rounds).find(|_| {
        let input = mutator.next_input();
        catch_unwind(|| check(target, &input)).is_err()
    })
}

#[test]
fn a_decoder_that_panics_on_one_kind_of_input_is_found() {
    fn content(data: &[u8]) -> bool {
        let Ok(content) = Content::decode(data) else { return false };
        let text = content.body::<Text>(kind::TEXT);
        assert!(text.is_none_or(|text| !text.t.contains('\0')), "planted: a text with a zero in it");
        true
    }
    assert!(found(&planted("planted panic", content), "content").is_some());
}

#[test]
fn a_decoder_that_takes_two_byte_strings_for_one_value_is_found() {
    fn pack(data: &[u8]) -> bool {
        // The planted fault: what stands in the padding is not looked at.
        let Some((len, rest)) = data.split_first_chunk::<4>() else { return false };
        let Some(inner) = rest.get(..u32::from_be_bytes(*len) as usize) else { return false };
        let Ok(items) = codec::decode::<Vec<Item>>(inner, MAX_PADDED) else { return false };
        let Ok(pack) = Pack::from_items(items) else { return false };
        assert_eq!(pack.encode_padded(), data, "two byte strings for one pack");
        true
    }
    assert!(found(&planted("planted leniency", pack), "log_pack").is_some());
}

#[test]
fn a_decoder_that_believes_an_announced_length_is_found() {
    fn stream(data: &[u8]) -> bool {
        let Some((len, rest)) = data.split_first_chunk::<4>() else { return false };
        let len = u32::from_be_bytes(*len) as usize;
        let mut frame: Vec<u8> = Vec::with_capacity(len.min(64 << 20));
        frame.extend_from_slice(rest.get(..len).unwrap_or(rest));
        frame.len() == len
    }
    assert!(found(&planted("planted room", stream), "stream").is_some());
}

#[test]
fn a_decoder_that_lets_small_items_grow_large_is_found() {
    fn packets(data: &[u8]) -> bool {
        let list = data.split_first_chunk::<4>().map(|(_, rest)| rest).unwrap_or_default();
        list.iter().map(|byte| vec![*byte; 48]).filter(|packet| !packet.is_empty()).collect::<Vec<_>>().len()
            > 1
    }
    assert!(found(&planted("planted growth", packets), "live_frame").is_some());
}

#[test]
fn a_verification_that_forgets_a_field_is_found() {
    fn sealed(data: &[u8]) -> bool {
        // The planted fault: the payload is not covered, so a box with another payload passes for the one it was.
        let Ok(parsed) = SealedBox::parse(data) else { return false };
        let same_head = |made: &Vec<u8>| made.get(..64) == parsed.wire().get(..64);
        let verifies = seeds::of("sealed_box").iter().any(same_head);
        assert!(!verifies || seeds::genuine("sealed_box", data), "a box that nobody sealed verifies");
        true
    }
    assert!(found(&planted("planted forgery", sealed), "sealed_box").is_some());
}

#[test]
fn without_the_counting_allocator_nothing_is_measured_and_that_is_an_error() {
    // This binary installs it: a measurement that sees nothing must be impossible here.
    let (_, peak) = murre_fuzz::memory::measure(|| drop(std::hint::black_box(vec![0_u8; 10_000])));
    assert!((10_000..12_000).contains(&peak), "{peak}");
}

#[test]
fn mutation_is_the_same_in_every_run() {
    let inputs = [b"one".to_vec(), vec![7; 100]];
    let run = |seed| {
        let mut mutator = Mutator::new(seed, &inputs);
        (0..500).map(|_| mutator.next_input()).collect::<Vec<_>>()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
