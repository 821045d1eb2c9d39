//! What `demo` says.

use crate::out::Style;
use std::path::Path;
use std::time::Duration;

pub const HINT: &str = "every process has a log file there; MURRE_LOG=debug makes them talk more";

pub const NODES: &str = "Eight nodes run";
pub const BOB_UP: &str = "Bob has a home and knows all eight";
pub const DOOR: &str = "Bob's door is stored";
pub const BOB_AWAY: &str = "Bob is offline";
pub const ALICE_UP: &str = "Alice has a home and knows all eight";
pub const ASKED: &str = "Alice opens Bob's invitation and asks to talk";
pub const SENT: &str = "Alice sends 20 messages, one of 64 KiB";
pub const NODES_KILLED: &str = "Two of the eight nodes are killed meanwhile";
pub const STORED: &str = "All of it is stored at enough custodians";
pub const REQUEST: &str = "Bob is back and sees Alice's request and hello";
pub const ACCEPTED: &str = "Bob accepts";
pub const ARRIVED: &str = "Bob has all 20, once, in order, byte for byte";
pub const ALICE_AWAY: &str = "Alice is offline";
pub const REPLY: &str = "Bob replies, the reply is stored";
pub const REPLY_ARRIVED: &str = "Alice is back and has the reply";
pub const DELIVERED: &str = "Alice sees that her 20 were delivered";
pub const CRASHED: &str = "Alice sends; her process is killed as the id is printed";
pub const ONCE: &str = "Alice starts again; Bob has that message exactly once";
pub const CRASH_DELIVERED: &str = "Alice sees it delivered";
pub const READ: &str = "Bob reads; Alice sees every message read";

pub const FILE_SENT: &str = "Alice sends a file of 5 MiB, Bob is offline";
pub const FILE_STORED: &str = "All of it is in boxes; Alice is offline";
pub const FILE_ARRIVED: &str = "Bob is back and has the file, SHA-256 equal";
pub const LARGE_SENT: &str = "Both are online; Alice sends a file of 300 MiB";
pub const LARGE_KILLED: &str = "Bob's process is killed in the middle of it";
pub const LARGE_ARRIVED: &str = "Bob starts again and has all of it, SHA-256 equal";
pub const LARGE_ONCE: &str = "No chunk was stored twice";

pub fn head(dir: &Path) -> String {
    format!("Eight nodes, Alice and Bob: ten processes on this machine, in {}\n", dir.display())
}

pub fn step(style: Style, what: &str, took: Duration) -> String {
    format!("{} {what:<60} {:>6.1} s", style.good("✓"), took.as_secs_f64())
}

pub fn failed(style: Style, what: &str) -> String {
    format!("{} {what}", style.bad("✗"))
}

pub fn done(style: Style, steps: usize, took: Duration) -> String {
    format!("\n{} {steps} checks held in {:.1} s", style.good("Done:"), took.as_secs_f64())
}

pub fn step_failed(step: &str, why: &str, dir: &Path) -> String {
    format!("the step \"{step}\" failed: {why}; everything of this run lies in {}", dir.display())
}

pub fn expected(what: &str, found: &str) -> String {
    format!("expected {what}, found {found}")
}

pub fn not_in_time(what: &str, last: &str) -> String {
    if last.is_empty() {
        format!("{what} took too long")
    } else {
        format!("{what} took too long; last: {last}")
    }
}

pub fn join(style: Style, dir: &Path, bootstrap: &str) -> String {
    let dir = dir.display();
    format!(
        "\n{} until Ctrl-C. Look around:
  murre --home {dir}/alice history Bob
  murre --home {dir}/bob watch
or join, with two more terminals:
  murre --home {dir}/you init --name You
  murre --home {dir}/you up --bootstrap {bootstrap}
  murre --home {dir}/bob invite
  murre --home {dir}/you contact add LINK",
        style.good("It keeps running")
    )
}
