//! Every number that bounds what another party can make this node hold or do.
//!
//! The agreed numbers (quotas, prices, ages) are in [`murre_core::NetworkParams`]; these are a node's own, and
//! `spec/05b-custodian.md` lists them in one table. What is counted in rows is bounded by the configured disk.

use murre_core::time::{HOUR, MINUTE, SECOND};

/// Most links held at once; a further one is closed.
pub const MAX_LINKS: usize = 4_096;
/// Requests of one link that wait for an answer (coordination and waiting lists together).
pub const MAX_PENDING_PER_LINK: usize = 256;
/// Bytes of requests of one link that are held while they are coordinated.
pub const MAX_HELD_PER_LINK: usize = 4 << 20;
/// Owner objects that one link may bring in one minute: each costs up to 65 signature checks and no puzzle.
pub const MAX_OBJECTS_PER_MINUTE: u32 = 600;
/// Jobs the coordinator works on at once.
pub const MAX_JOBS: usize = 4_096;
/// Our own requests that wait for another node's answer.
pub const MAX_CALLS: usize = 16_384;
/// Lists that wait for a new box, on all links together.
pub const MAX_WAITERS: usize = 8_192;
/// Lists that wait on one link.
pub const MAX_WAITERS_PER_LINK: usize = 128;
/// Lists that wait at one locator.
pub const MAX_WAITERS_PER_LOCATOR: usize = 32;
/// Waves of child events in one turn before it is called a bug.
pub const MAX_HOPS: usize = 64;

/// A coordinated request is answered after this with what there is, ms.
pub const JOB_DEADLINE_MS: u64 = 2 * SECOND;
/// Custodians that have not answered by then are replaced by the spare ranks, ms.
pub const JOB_SPARES_MS: u64 = SECOND;
/// A request of ours to another node is given up after this, ms.
pub const CALL_DEADLINE_MS: u64 = 10 * SECOND;

/// A node that is asked to stop finishes what is under way for at most this long, ms.
pub const DRAIN_MS: u64 = 10 * SECOND;

/// Time between two directory greetings of a random known node, ms.
pub const HELLO_EVERY_MS: u64 = MINUTE;
/// Time between two tries of the bootstrap nodes while no other node is known, ms.
pub const BOOTSTRAP_EVERY_MS: u64 = 5 * SECOND;
/// Bootstrap nodes kept.
pub const MAX_BOOTSTRAP: usize = 64;
/// Linked nodes that are told of a new descriptor at once.
pub const FLOOD_FANOUT: usize = 6;
/// Descriptors put into one frame: 512 of at most 640 bytes leave room in a frame.
pub const DESCRIPTORS_PER_FRAME: usize = 512;
/// The node's own descriptor is issued again after this, ms.
pub const DESCRIPTOR_EVERY_MS: u64 = 6 * HOUR;

/// Time between two rounds of repair, ms.
pub const REPAIR_EVERY_MS: u64 = 10 * MINUTE;
/// Neighbours asked in one round.
pub const REPAIR_NEIGHBOURS: usize = 3;
/// A directory that changed makes the next round begin after this, ms.
pub const REPAIR_SOON_MS: u64 = 2 * SECOND;

/// Share of the disk, in per cent, up to which space has its plain price.
pub const PRESSURE_PERCENT: u64 = 60;
/// Share of the disk, in per cent, beyond which only locators that are already open here may grow.
pub const RESERVE_PERCENT: u64 = 80;
/// Bytes that the rows of one box are reckoned at, beside the box itself.
pub const BOX_ROWS_BYTES: u64 = 1_024;
/// Below so many free bytes on the disk of its store a node takes nothing in.
pub const DISK_LOW: u64 = 16 << 20;
/// From so many free bytes on it does again, and lays its reserve.
pub const DISK_BACK: u64 = 32 << 20;
/// Bytes of the reserve, which is given up on a full disk: as many as the store writes before it tidies.
pub const DISK_RESERVE: u64 = 4 << 20;
/// Rows a sweep removes in one turn; it comes back at once for more.
pub const SWEEP_ROWS: usize = 512;
/// Time between two sweeps of expired rows, ms.
pub const SWEEP_EVERY_MS: u64 = 10 * MINUTE;
