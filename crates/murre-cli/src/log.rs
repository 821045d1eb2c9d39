//! Diagnostics: to standard error what `MURRE_LOG` asks for, and errors; of a home or a node that runs also to the
//! files of its directory.

use murre::home::LogFile;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// What standard error gets if `MURRE_LOG` says nothing.
const TO_STDERR: &str = "error";
/// What the files get then.
const TO_FILE: &str = "info";

/// Opened by the process that holds the directory; until then nothing is written there.
static FILE: OnceLock<LogFile> = OnceLock::new();

fn asked(otherwise: &str) -> EnvFilter {
    EnvFilter::try_from_env("MURRE_LOG").unwrap_or_else(|_| EnvFilter::new(otherwise))
}

/// Once, at the start of the process.
pub fn start() {
    let to_stderr = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_filter(asked(TO_STDERR));
    // Libraries know addresses and names of peers, and nobody here has read all they say: they stay out of the files.
    // spec: H-21
    let ours = filter_fn(|metadata| metadata.target().starts_with("murre"));
    let to_file = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(|| ToFile)
        .with_filter(asked(TO_FILE).and(ours));
    tracing_subscriber::registry().with(to_stderr).with(to_file).init();
}

/// From here on also to the files of this home, or of this node's directory, which this process holds. If that cannot
/// be, it is said on standard error, and nothing else changes.
pub fn also_in(home: &Path) {
    match LogFile::open(home) {
        Ok(file) => {
            let _ = FILE.set(file);
            tracing::info!(version = env!("CARGO_PKG_VERSION"), "up");
        }
        Err(error) => tracing::error!(%error, "there will be no log files"),
    }
}

/// The layer hands over one whole line at a time.
struct ToFile;

impl io::Write for ToFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(file) = FILE.get() {
            file.line(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
