//! What went wrong, as the user is told.

use crate::text;
use murre_core::{ErrorKind, HasKind};
use serde::Serialize;
use std::fmt;

/// A refusal or a fault: what happened and what to do next.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// Who is at fault: `caller`, `environment`, `remote`, `bug`; `usage` for a command line that says nothing.
    pub kind: String,
    /// Names the exact fault, where the local API told one or could not be reached.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Failure {
    /// An error of another crate, with what to do next.
    pub fn of(error: &(impl HasKind + fmt::Display), hint: impl Into<String>) -> Self {
        Self {
            kind: kind_word(error.kind()).to_owned(),
            code: String::new(),
            message: error.to_string(),
            hint: hint.into(),
        }
    }

    /// The user asked for something that cannot be.
    pub fn caller(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: "caller".to_owned(), code: String::new(), message: message.into(), hint: hint.into() }
    }

    /// The system refused.
    pub fn environment(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: "environment".to_owned(), ..Self::caller(message, hint) }
    }

    /// The command line itself is wrong; `message` is clap's.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: "usage".to_owned(), ..Self::caller(message, text::HINT_USAGE) }
    }

    /// The command line lacks something that is no matter of grammar.
    pub fn usage_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: "usage".to_owned(), ..Self::caller(message, hint) }
    }

    /// Whether the command line itself is wrong.
    pub fn is_usage(&self) -> bool {
        self.kind == "usage"
    }

    /// A file could not be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::environment(format!("{}: {error}", path.display()), text::HINT_FILE)
    }

    /// As JSON, on one line.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Outer<'a> {
            error: &'a Failure,
        }
        // Strings only: there is nothing that could fail to encode.
        serde_json::to_string(&Outer { error: self }).unwrap_or_default()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

const fn kind_word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Environment => "environment",
        ErrorKind::Remote => "remote",
        ErrorKind::Caller => "caller",
        ErrorKind::Bug => "bug",
    }
}

/// Every verb's result.
pub type Done = Result<(), Failure>;
