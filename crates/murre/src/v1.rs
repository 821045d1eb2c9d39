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
