//! Faults planted in this crate, and the checks of this crate that fail with them.

use super::{lists, networks, repeats};
use murre_core::sabotage::catches;

#[test]
fn a_reader_that_trusts_one_list_fails_the_checks_of_reading() {
    assert!(catches("trust-one-list", lists::a_careful_read_asks_r_custodians_for_signed_answers));
    assert!(catches("trust-one-list", lists::what_lies_there_is_found_at_start_in_every_living_epoch));
}

#[test]
fn a_client_that_trusts_the_first_it_hears_fails_the_check_of_returning() {
    assert!(catches("trust-the-first-heard", networks::the_first_that_answers_is_not_the_network));
}

#[test]
fn a_client_that_reads_a_small_network_once_fails_the_check_of_repeating() {
    assert!(catches("read-once", repeats::what_one_liar_hid_is_found_when_repair_had_time));
}
