//! The local API's messages, from `proto/murre/v1/murre.proto`, where each field is described.
// spec: A-11

#![allow(missing_docs, clippy::all)]

tonic::include_proto!("murre.v1");

impl ContactState {
    /// The word that people and scripts know it by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::Requested => "requested",
            Self::Incoming => "incoming",
            Self::Accepted => "accepted",
            Self::Blocked => "blocked",
        }
    }
}

impl ChatKind {
    /// The word that people and scripts know it by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::Direct => "direct",
            Self::Group => "group",
        }
    }
}

impl MessageState {
    /// The word that people and scripts know it by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Stored => "stored",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }
}

impl FileState {
    /// The state in one word, as programs read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Fetching => "fetching",
            Self::Complete => "complete",
            Self::Cancelled => "cancelled",
            Self::Gone => "gone",
            Self::Unspecified => "unknown",
        }
    }
}

impl FileTheirs {
    /// The state in one word, as programs read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Has => "has",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Unspecified => "unknown",
        }
    }
}
