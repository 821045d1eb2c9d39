//! The SDK and the tokio shell
