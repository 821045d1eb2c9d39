//! Repository chores, run as `cargo xtask <chore>`.
//!
//! Scanners here are written by hand over lines of formatted source. They are not parsers: they know what rustfmt
//! makes of a file, and each has a test that shows it catching what it is for.

mod bench;
mod fuzz;
mod soak;
mod tidy;

use clap::{Parser, Subcommand, ValueEnum};
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
    /// Measures one part and prints its rows; a figure counts only with the machine beside it
    Bench {
        /// What to measure
        part: Part,
        /// One JSON object a line instead of a table
        #[arg(long)]
        json: bool,
        /// A few of each, with the development build: shows that it runs, measures nothing
        #[arg(long)]
        smoke: bool,
        /// toxcore beside it in the same run; its library must be installed. For the parts e2e and app
        #[arg(long)]
        with_toxcore: bool,
    },
    /// Hostile bytes for every decoder, under libFuzzer
    Fuzz {
        /// A target; or `seeds`, which writes the seeds into the corpus; or `keep`, which takes finds into it
        what: Option<String>,
        /// How long each target is tried
        #[arg(long, default_value_t = 5.0)]
        minutes: f64,
    },
    /// Twelve nodes and six people as processes, killed, stopped and wiped by chance while everybody writes
    Soak {
        /// How long
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
        /// Decides who dies when
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// Two homes and eight nodes as processes, driven through the local API
    E2e,
    /// One home with 100,000 and one with a million messages, and one in which nothing happens
    App,
    /// The machine of one node over its store on disk, beside bare SQLite
    Node,
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Tidy { sizes } => tidy::run(&root(), sizes),
        Chore::Bench { part, json, smoke, with_toxcore } => {
            let how = bench::How { json, smoke, toxcore: with_toxcore };
            match part {
                Part::E2e => bench::e2e(&root(), how),
                Part::App => bench::app(&root(), how),
                Part::Node => bench::node(&root(), how),
            }
        }
        Chore::Fuzz { what, minutes } => {
            let what = match what.as_deref() {
                Some("seeds") => fuzz::What::Seeds,
                Some("keep") => fuzz::What::Keep,
                _ => fuzz::What::Run { name: what, minutes },
            };
            fuzz::run(&root(), what)
        }
        Chore::Soak { minutes, seed } => soak::run(&root(), minutes, seed),
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
