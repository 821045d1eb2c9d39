//! Errors on the wire: a gRPC status, and three metadata entries that a program can act on.

use crate::handle::CallError;
use murre_core::{ErrorKind, HasKind};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// Metadata key: who is at fault, one of `environment`, `remote`, `caller`, `bug`.
pub const KIND: &str = "murre-kind";
/// Metadata key: the cause, one word.
pub const CODE: &str = "murre-code";
/// Metadata key: what to do next, in words for people.
pub const HINT: &str = "murre-hint";

/// The word for a kind.
#[must_use]
pub const fn kind_word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Environment => "environment",
        ErrorKind::Remote => "remote",
        ErrorKind::Caller => "caller",
        ErrorKind::Bug => "bug",
    }
}

/// What a caller is told.
// spec: A-4
pub(super) fn status(error: CallError) -> Status {
    let grpc = match &error {
        CallError::Unknown { .. } => Code::NotFound,
        CallError::Ambiguous { .. } | CallError::BadField { .. } | CallError::Link(_) => {
            Code::InvalidArgument
        }
        CallError::CursorAhead { .. } => Code::OutOfRange,
        other => match other.kind() {
            ErrorKind::Environment => Code::Unavailable,
            ErrorKind::Remote => Code::Aborted,
            ErrorKind::Caller => Code::FailedPrecondition,
            ErrorKind::Bug => Code::Internal,
        },
    };
    let mut metadata = MetadataMap::new();
    put(&mut metadata, KIND, kind_word(error.kind()));
    put(&mut metadata, CODE, &error.code());
    put(&mut metadata, HINT, error.hint());
    Status::with_metadata(grpc, error.to_string(), metadata)
}

/// Metadata holds visible ASCII only; our words are ASCII, and anything else would be dropped here.
fn put(metadata: &mut MetadataMap, key: &'static str, text: &str) {
    if let Ok(value) = MetadataValue::try_from(text) {
        metadata.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_who_what_and_what_next() {
        let status = status(CallError::Unknown { what: "chat", given: "Bob".to_owned() });
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), "there is no chat \"Bob\"");
        let get = |key| status.metadata().get(key).and_then(|v| v.to_str().ok());
        assert_eq!(get(KIND), Some("caller"));
        assert_eq!(get(CODE), Some("unknown-chat"));
        assert_eq!(get(HINT), Some("`murre chat list` shows the chats"));
    }
}
