//! Every bound and every wait of the client half. Local choices: nobody else has to agree with them.

use murre_core::time::{HOUR, MINUTE, SECOND};

/// A request without an answer after this is given to another custodian, ms.
pub const REQUEST_MS: u64 = 4 * SECOND;
/// How long a list request waits at a custodian for something new, ms.
pub const LONG_POLL_MS: u64 = 25 * SECOND;
/// Pause between two waiting lists of one mailbox, ms: what an answer-at-once custodian can cost us.
pub const LONG_POLL_PAUSE_MS: u64 = 250;
/// Between two routine polls of one place, ms.
pub const POLL_MS: u64 = MINUTE;
/// Custodians asked by one routine poll.
pub const POLL_NODES: usize = 2;
/// A custodian caught lying or failing is not used for this long, ms.
pub const AVOID_MS: u64 = HOUR;
/// A custodian that could not be reached is left alone for this long at first, ms; doubled at each failure.
pub const QUIET_MS: u64 = 5 * SECOND;
/// Longest such pause, ms.
pub const QUIET_MAX_MS: u64 = 10 * MINUTE;
/// Longest such pause while no custodian is heard at all, ms.
pub const QUIET_MAX_ALONE_MS: u64 = 30 * SECOND;
/// Heard from no custodian for longer than this: we were away, ms. More than two routine polls.
pub const OFFLINE_MS: u64 = 150 * SECOND;
/// Heard from no custodian for longer than this: pauses begun meanwhile were not the custodians' fault and end,
/// ms. More than one waiting list.
pub const HICCUP_MS: u64 = 40 * SECOND;
/// A link that answers nothing for so long after a request is closed, ms: two requests. Its other end may be gone
/// without a word, or our own address is.
pub const LINK_SILENT_MS: u64 = 2 * REQUEST_MS;
/// A question that nobody answered is asked again after this, ms.
pub const OBJECT_AGAIN_MS: u64 = 30 * SECOND;
/// Between two comparisons of the directory with some node, ms.
pub const DIRECTORY_MS: u64 = 10 * MINUTE;
/// A directory of which fewer than three quarters count is behind for so long, ms; then the network has shrunk.
pub const BEHIND_MS: u64 = HOUR;
/// Close-out: an epoch is read carefully once more when this has passed since its grace ended, ms.
pub const CLOSE_OUT_MS: u64 = 48 * HOUR;

/// A careful read that one liar could have blinded is repeated when this has passed, ms: four rounds of repair.
pub const REPEAT_MS: u64 = 45 * MINUTE;

/// Requests under way at once, waiting lists aside.
pub const MAX_INFLIGHT: usize = 256;
/// Requests under way at one custodian.
pub const MAX_INFLIGHT_PER_NODE: usize = 32;
/// Waiting lists under way at once; further mailboxes live by routine polls.
pub const MAX_LONG_POLLS: usize = 64;
/// Put requests whose answer is late but still welcome.
pub const MAX_LATE: usize = 256;
/// Puts under way at once. Their bytes are held in memory.
pub const MAX_PUTS: usize = 64;
/// Keys of puts that hold no place; their bytes stay with the parent.
pub const MAX_QUEUED_PUTS: usize = 16_384;
/// Puts that give up their places to others in [`YIELD_MS`]: each costs the parent a look for its bytes.
pub const MAX_YIELDS: usize = 64;
/// The time that [`MAX_YIELDS`] is counted over, ms.
pub const YIELD_MS: u64 = SECOND;
/// How long a place is kept for a put that the parent was asked for, ms.
pub const CALL_MS: u64 = 10 * SECOND;
/// Custodians asked directly at once for one put.
pub const FILL_WIDTH: usize = 3;
/// Coordinators tried in one round of a put or a careful read before custodians are asked one by one.
pub const MAX_COORDINATORS: usize = 3;
/// Mailboxes watched at once.
pub const MAX_WATCHES: usize = 1_024;
/// Boxes remembered as taken in one place; what a place holds beyond it breaks every quota and is not read.
pub const MAX_TAKEN: usize = 32_768;
/// Listed and not yet taken boxes of one place; lists of that place pause beyond it.
pub const MAX_PENDING: usize = 4_096;
/// Get requests under way for one place.
pub const MAX_GETS_PER_PLACE: usize = 2;
/// Boxes that a custodian listed and nobody had, before it is held for a liar.
pub const MAX_PHANTOMS: u32 = 64;
/// Epochs before the current one that can still hold live boxes.
pub const MAX_EPOCHS_BACK: u64 = 8;
/// Owner objects being fetched at once.
pub const MAX_OBJECT_GETS: usize = 64;
/// Objects taken from one answer.
pub const MAX_OBJECTS: usize = 16;
/// Tombstones that wait in one place.
pub const MAX_TOMBSTONES: usize = 1_024;
/// Tries of one lot of tombstones.
pub const TOMBSTONE_TRIES: u32 = 8;
/// Nodes known by address alone.
pub const MAX_BOOTSTRAPS: usize = 64;
/// Links followed at once.
pub const MAX_LINKS: usize = 1_024;
/// Custodians whose behaviour is remembered.
pub const MAX_PEERS: usize = 1_024;
/// Puzzles being solved at once.
pub const MAX_PUZZLES: usize = 16;
/// Solved proofs kept.
pub const MAX_PROOFS: usize = 256;
/// Clock samples that make network time.
pub const CLOCK_SAMPLES: usize = 5;
/// Box ids in one row of taken boxes.
pub const TAKEN_CHUNK: usize = 64;
