//! A named limit for everything another party, a file or a person can make grow.

/// Longest text of one message, bytes.
pub const MAX_TEXT: usize = 64 << 10;
/// Longest hello of a request, bytes.
pub const MAX_HELLO: usize = 1 << 10;
/// Longest name, bytes.
pub const MAX_NAME: usize = 128;
/// Longest client id, bytes.
pub const MAX_CLIENT_ID: usize = 128;
/// Personal links alive at once.
pub const MAX_INVITES: usize = 16;
/// Request slots of a personal link.
pub const PERSONAL_SLOTS: u8 = 4;
/// Request slots of a public link.
pub const PUBLIC_SLOTS: u8 = 64;
/// Public links that were replaced and are still read; the oldest is withdrawn when one more comes.
pub const MAX_REPLACED: usize = 4;
/// Contacts, requests in and out included.
pub const MAX_CONTACTS: usize = 4_096;
/// Incoming requests that wait for an answer; beyond this new ones are not shown until some are answered.
pub const MAX_INCOMING: usize = 64;
/// Devices of a contact that are remembered; the oldest gives way.
pub const MAX_KNOWN_DEVICES: usize = 16;
/// Requests left at one door for want of room, of which this run knows; others are found at the next start.
pub const MAX_LEFT: usize = 256;
/// Largest sealed request, bytes.
pub const MAX_REQUEST: usize = 64 << 10;
/// Most spare grants in a request.
pub const MAX_SPARES: usize = 4;
/// Sealed packets in one box or frame.
pub const MAX_PACKETS: usize = 256;
/// Links named in one `want`.
pub const MAX_WANT: usize = 64;
/// Notices kept for replay.
pub const MAX_NOTICES: u64 = 100_000;
/// Outbox rows in the air at once, over all chats.
pub const OUTBOX_WINDOW: usize = 1_024;
/// Parcels (lone receipts, presence, wants, resent entries) that wait at once.
pub const MAX_PARCELS: usize = 1_024;
/// Links that have not yet proven who they are.
pub const MAX_STRANGER_LINKS: usize = 64;
/// A link that has not proven itself within this is closed, ms.
pub const PROVE_MS: u64 = 10_000;
/// An announcement dated further ahead than this is of a clock that was wrong, ms.
pub const AHEAD_MS: u64 = 300_000;
/// A contact that does not answer where it said it is is dialled again after this, doubled up to the next, ms.
pub const DIAL_AGAIN_MS: u64 = 2_000;
/// The longest such wait, ms.
pub const DIAL_AGAIN_MAX_MS: u64 = 600_000;
/// Sayings between children in one turn; more is a bug. A turn of many full boxes has some ten thousand.
pub const MAX_HOPS: usize = 1 << 20;
/// Logs of one chat: one, two if both asked at once, more only if a side lost its store and asked again.
pub const MAX_LOGS: usize = 4;
/// Packets of one contact that no known log opens, kept for a log that is still to be joined.
pub const MAX_STASH: u32 = 64;
/// Largest packet kept so.
pub const MAX_STASHED: usize = 128 << 10;
/// Authors named in one receipt.
pub const MAX_RECEIPT: usize = 64;
/// Entries sent again to one contact within [`WANT_MS`], and their bytes together.
pub const WANT_LINKS: usize = 128;
/// See [`WANT_LINKS`].
pub const WANT_BYTES: usize = 4 << 20;
/// See [`WANT_LINKS`].
pub const WANT_MS: u64 = 60_000;
/// A contact makes us put everything again at most this often, ms.
pub const RESEND_MS: u64 = 10 * murre_core::time::MINUTE;
/// Account mailboxes that were replaced and are still read; a block beyond makes no new one until one is forgotten.
pub const MAX_OLD_MAILBOXES: usize = 8;
/// Contacts that are told of a new mailbox in one turn.
pub const MOVES_A_TURN: usize = 8;
/// Names of a contact's replaced mailboxes that are remembered.
pub const MAX_GONE: usize = 16;
/// Parcels of one contact that wait at once; the oldest gives way.
pub const MAX_PARCELS_EACH: usize = 32;
/// Files one message names.
pub const MAX_FILES: usize = 16;
/// Longest name of a file as sent, bytes.
pub const MAX_FILE_NAME: usize = 255;
/// Longest name of a file as saved, bytes: room for an ending beside it.
pub const MAX_SAVED_NAME: usize = 200;
/// Longest media type, bytes.
pub const MAX_MIME: usize = 127;
/// Largest file that also goes through mailboxes, bytes.
pub const MAX_MAIL_FILE: u64 = 8 << 20;

/// Whether a file of so many bytes also goes through mailboxes; a larger one travels only while both are there.
// spec: X-6
#[must_use]
pub const fn goes_by_mail(size: u64) -> bool {
    size <= MAX_MAIL_FILE
}

/// Files that programs hand over at once.
pub const MAX_UPLOADS: usize = 32;
/// A program that hands over nothing for so long has gone, ms.
pub const UPLOAD_IDLE_MS: u64 = 10 * 60_000;
/// Files with which something is to be done that one run takes up; the others at the next start.
pub const MAX_FILE_WORK: usize = 4_096;
/// A file of a contact up to this size is fetched unasked, bytes.
pub const AUTO_FETCH: u64 = 64 << 20;
/// Bytes of one contact that are fetched unasked at once.
pub const MAX_AUTO_BYTES: u64 = 256 << 20;
/// Bytes of one contact that are fetched unasked in a day.
pub const MAX_AUTO_DAY: u64 = 512 << 20;
/// Files of one contact that are fetched unasked in a day, however small.
pub const MAX_AUTO_FILES: u32 = 256;
/// Chunks on their way to us from one contact, 3 MiB: three quarters of what a link queues. One third is read and sealed
/// there, one third on the link, one third checked and stored here.
pub const FILE_WINDOW: usize = 12;
/// The same where a chunk takes longer than [`FAST_MS`]: texts wait behind what is on a slow link.
pub const SLOW_WINDOW: usize = 8;
/// See [`SLOW_WINDOW`], ms.
pub const FAST_MS: u64 = 50;
/// More is asked for when this part of the window is free.
pub const ASK_PART: usize = 3;
/// Files of one contact that are asked for at once.
pub const MAX_PARALLEL: usize = 4;
/// Ranges in one asking.
pub const MAX_ASK_RANGES: usize = 64;
/// A link that brings nothing for so long is asked again, at doubling waits up to [`ASK_MAX_MS`], ms.
pub const ASK_AGAIN_MS: u64 = 5_000;
/// See [`ASK_AGAIN_MS`].
pub const ASK_MAX_MS: u64 = 60_000;
/// A small file that does not come is asked for by mailbox after this, at doubling waits up to [`ASK_MAIL_MAX_MS`], ms.
pub const ASK_MAIL_MS: u64 = 10 * 60_000;
/// The same, while the user waits for it.
pub const ASK_MAIL_SOON_MS: u64 = 10_000;
/// See [`ASK_MAIL_MS`].
pub const ASK_MAIL_MAX_MS: u64 = 24 * 3_600_000;
/// An asking by mailbox is answered again after this, ms.
pub const MAIL_AGAIN_MS: u64 = 5 * 60_000;
/// Chunks for one contact that are on their way into boxes.
pub const MAIL_WINDOW: usize = 4;
/// A chunk of ours that cannot be read is tried again in the next turn, then after this, at doubling waits up to
/// [`ASK_MAX_MS`], ms.
pub const UNREAD_MS: u64 = 1_000;
/// One run sends a contact each chunk of a file at most so many times.
pub const SERVE_TIMES: u64 = 4;
/// Chunks that the askings of one contact are given at one moment; for the others it asks again.
pub const SERVE_AT_ONCE: usize = 16;
/// How far a file is, is told at most so often, ms.
pub const PROGRESS_MS: u64 = 500;
/// Files of which that is told at once.
pub const MAX_PROGRESS: usize = 256;
/// Files for which one run counts what it sent.
pub const MAX_SERVED: usize = 4_096;
/// Chunks of one contact kept for a file that is not known yet.
pub const MAX_STRAYS: u32 = 128;
/// Unread messages that one `read` up to a message looks at, oldest arrivals first.
pub const MAX_READ_LOOK: usize = 10_000;
/// Rows of read messages that one turn removes.
pub const MAX_READ_SWEEP: usize = 1_000;
/// Ranges of entries that a device of the other side has read, of one log.
pub const MAX_READ_RANGES: usize = 16;
/// Texts a history page may hold.
pub const MAX_PAGE: usize = 1_000;
