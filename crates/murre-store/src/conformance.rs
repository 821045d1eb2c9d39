//! The one suite that every store has to pass.
