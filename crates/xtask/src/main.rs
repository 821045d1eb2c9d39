//! Repository chores, run as `cargo xtask <chore>`.
//!
//! Scanners here are written by hand over lines of formatted source. They are not parsers: they know what rustfmt
//! makes of a file, and each has a test that shows it catching what it is for.

mod tidy;

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Repository chores")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Checks sizes, crate directions, banned calls, words, cited rules and paths in documents
    Tidy {
        /// Print the whole table of file sizes, not only the summary
        #[arg(long)]
        sizes: bool,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Tidy { sizes } => tidy::run(&root(), sizes),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository: two levels above this crate.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
