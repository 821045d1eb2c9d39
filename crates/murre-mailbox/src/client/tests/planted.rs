//! Faults planted in this crate, and the checks of this crate that fail with them.

use super::lists;
use murre_core::sabotage::plant;
use std::panic::catch_unwind;

/// Whether a check passes, and fails with the fault.
fn catches(fault: &str, check: fn()) -> bool {
    let sound = catch_unwind(check).is_ok();
    plant(Some(fault));
    let planted = catch_unwind(check).is_ok();
    plant(None);
    sound && !planted
}

#[test]
fn a_reader_that_trusts_one_list_fails_the_checks_of_reading() {
    assert!(catches("trust-one-list", lists::a_careful_read_asks_r_custodians_for_signed_answers));
    assert!(catches("trust-one-list", lists::what_lies_there_is_found_at_start_in_every_living_epoch));
}
