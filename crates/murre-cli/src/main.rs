//! The murre command.
fn main() {}
