//! Faults planted in this crate, and the checks of this crate that fail with them.

use crate::faults;
use murre_core::sabotage::catches;

#[test]
fn a_log_that_takes_any_time_fails_both_checks_of_times() {
    assert!(catches("accept-wrong-time", faults::a_time_from_the_far_future_is_refused));
    assert!(catches("accept-wrong-time", faults::a_time_before_a_parent_is_refused));
    assert!(!catches("accept-wrong-time", faults::an_entry_in_another_name_is_refused));
}
