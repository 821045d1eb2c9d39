//! Why a call through the in-process handle has no answer.

use crate::driver::AskError;
use crate::home::HomeError;
use murre_core::{BadQuery, ErrorKind, HasKind};
use murre_device::CommandError;
use murre_device::invite::LinkError;
use murre_device::query::QueryError;

/// Why a call has no answer. Nothing was changed unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The device refused the command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The device is not running or its store failed.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Reading failed, or what was asked for is not there.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A text that should be an invitation is none.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Nothing goes by this name.
    #[error("there is no {what} \"{given}\"")]
    Unknown {
        /// What was looked for: contact, chat, message, invitation.
        what: &'static str,
        /// What was given.
        given: String,
    },
    /// More than one goes by this name.
    #[error("\"{given}\" fits more than one {what}")]
    Ambiguous {
        /// What was looked for.
        what: &'static str,
        /// What was given.
        given: String,
    },
    /// A cursor that this home has not reached yet: it comes from another home.
    #[error("cursor {given} lies ahead of this home's newest event, {newest}")]
    CursorAhead {
        /// What was given.
        given: u64,
        /// The newest.
        newest: u64,
    },
    /// A field of the request is not usable.
    #[error("{field}: {why}")]
    BadField {
        /// Which.
        field: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The home's files cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The program is being stopped.
    #[error("this home is being stopped")]
    Stopping,
}

impl CallError {
    /// One word for programs: the name of the cause in small letters with hyphens. Words are added, never changed.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Command(error) => kebab(&format!("{error:?}")),
            Self::Ask(error) => kebab(&format!("{error:?}")),
            Self::Query(QueryError::Turn(_)) => "environment".to_owned(),
            Self::Query(QueryError::Query(bad)) => kebab(&format!("{bad:?}")),
            Self::Query(error) => kebab(&format!("{error:?}")),
            Self::Link(error) => format!("link-{}", kebab(&format!("{error:?}"))),
            Self::Unknown { what, .. } => {
                format!("unknown-{}", if *what == "invitation" { "invite" } else { what })
            }
            Self::Ambiguous { .. } => "ambiguous".to_owned(),
            Self::CursorAhead { .. } => "cursor-ahead".to_owned(),
            Self::BadField { .. } => "bad-field".to_owned(),
            Self::Home(error) => kebab(&format!("{error:?}")),
            Self::Stopping => "stopped".to_owned(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Command(error) => error.hint(),
            Self::Home(error) => error.hint(),
            Self::Ask(AskError::DiskFull) => {
                "make room on the disk, then try again; everything that was confirmed is kept"
            }
            Self::Ask(AskError::Environment) => {
                "check the disk, then try again; everything that was confirmed is kept"
            }
            Self::Ask(AskError::Stopped) | Self::Stopping => "start it again with `murre up`",
            Self::Query(QueryError::UnknownChat) => "`murre chat list` shows the chats",
            Self::Query(QueryError::UnknownMessage) => "`murre history CHAT` shows the messages",
            Self::Query(QueryError::UnknownFile) => "`murre history CHAT` shows the files of each message",
            Self::Query(QueryError::FileIncomplete) => "wait until it is here: `murre file save` does",
            Self::Query(QueryError::FileDamaged) => "check the disk; ask the sender to send the file again",
            Self::Query(QueryError::Query(BadQuery::NothingToFind)) => "write a word, or part of one",
            Self::Query(QueryError::Query(_)) => "make it shorter",
            Self::Query(QueryError::UnknownContact) => "`murre contact list` shows the contacts",
            Self::Query(_) => "check the disk and try again",
            Self::Link(error) => error.hint(),
            Self::Unknown { what, .. } => match *what {
                "contact" => "`murre contact list` shows the contacts",
                "chat" => "`murre chat list` shows the chats",
                "invitation" => "`murre invite list` shows the invitations",
                _ => "`murre history CHAT` shows the messages",
            },
            Self::Ambiguous { .. } => "give more digits of the id",
            Self::CursorAhead { .. } => "use a cursor of this home, or 0 for everything that is kept",
            Self::BadField { .. } => "see the comments in proto/murre/v1/murre.proto",
        }
    }
}

impl HasKind for CallError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Command(error) => error.kind(),
            Self::Ask(error) => error.kind(),
            Self::Home(error) => error.kind(),
            Self::Query(error) => error.kind(),
            Self::Link(error) => error.kind(),
            Self::Unknown { .. }
            | Self::Ambiguous { .. }
            | Self::CursorAhead { .. }
            | Self::BadField { .. } => ErrorKind::Caller,
            Self::Stopping => ErrorKind::Environment,
        }
    }
}

/// `TextTooLong { len: 9 }` -> `text-too-long`: the name of a variant is the code, so none can be forgotten.
fn kebab(debug: &str) -> String {
    let name = debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut out = String::with_capacity(name.len() + 4);
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_names_of_the_causes() {
        let code = |error: CallError| error.code();
        assert_eq!(code(CommandError::TextTooLong { len: 1, limit: 0 }.into()), "text-too-long");
        assert_eq!(code(CommandError::Blocked.into()), "blocked");
        assert_eq!(code(AskError::Environment.into()), "environment");
        assert_eq!(code(LinkError::Checksum.into()), "link-checksum");
        assert_eq!(code(QueryError::UnknownChat.into()), "unknown-chat");
        assert_eq!(code(QueryError::Query(BadQuery::NothingToFind).into()), "nothing-to-find");
        assert_eq!(code(CallError::Unknown { what: "invitation", given: String::new() }), "unknown-invite");
    }
}
