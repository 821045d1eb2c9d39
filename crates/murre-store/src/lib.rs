//! Applies batches of ordered bytes to SQLite or memory
