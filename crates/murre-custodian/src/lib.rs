//! A node that keeps other people's sealed mail, as one state machine
