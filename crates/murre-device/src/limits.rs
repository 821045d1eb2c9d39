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
/// Contacts, requests in and out included.
pub const MAX_CONTACTS: usize = 4_096;
/// Incoming requests that wait for an answer; beyond this new ones are not shown until some are answered.
pub const MAX_INCOMING: usize = 64;
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
/// Parcels of one contact that wait at once; the oldest gives way.
pub const MAX_PARCELS_EACH: usize = 32;
/// Texts a history page may hold.
pub const MAX_PAGE: usize = 1_000;
