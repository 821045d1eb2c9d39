//! One device of one person as one state machine
