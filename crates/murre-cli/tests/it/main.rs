//! The shipped binary, in real processes on loopback: what it refuses, what it survives, what it leaves on disk.
//!
//! Every wait is for an event, up to a deadline; nothing sleeps. Children end with the test, also when it fails.

#[path = "../../../murre/tests/it/bare.rs"]
mod bare;
#[path = "../../src/crew.rs"]
#[allow(dead_code, reason = "shared with the binary, which uses more of it")]
mod crew;
#[path = "../../src/demo/person.rs"]
#[allow(dead_code, reason = "shared with the binary, which uses more of it")]
mod person;
#[path = "../../src/process.rs"]
#[allow(dead_code, reason = "shared with the binary, which uses more of it")]
mod process;

mod away;
mod capture;
mod contract;
mod drain;
mod files;
mod finding;
mod first_chat;
mod full_disk;
mod homes;
mod keyring;
mod kill_points;
mod links;
mod logs;
mod offline;
mod packaging;
mod placement;
mod protect;
mod refusals;
mod rig;
mod scan;
#[path = "../../../murre/tests/it/skip.rs"]
mod skip;
mod wipe;
mod wire;
