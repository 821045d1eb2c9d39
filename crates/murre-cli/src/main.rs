//! The `murre` command: verbs over the local API, and the processes behind it.
//!
//! | exit code | means |
//! |---|---|
//! | 0 | done |
//! | 1 | refused or failed: standard error says what happened and what to do next |
//! | 2 | the command line itself is wrong |
//!
//! Nothing here decides anything about messages: [`verbs`] call `murre`, [`text`] has the words, [`json`] the lines
//! for programs, [`demo`] plays everything with real processes.

mod amount;
mod args;
mod crew;
mod demo;
mod failure;
mod json;
mod log;
mod out;
mod process;
mod text;
mod time;
mod verbs;

use args::Cli;
use clap::Parser;
use clap::error::ErrorKind;
use failure::Failure;
use std::process::ExitCode;

const EXIT_FAILED: u8 = 1;
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    log::start();
    let json = cli.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(json, &Failure::environment(error.to_string(), text::HINT_BUG)),
    };
    let done = runtime.block_on(verbs::run(cli));
    // Threads that still wait for standard input end with the process.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(json, &failure),
    }
}

fn failed(json: bool, failure: &Failure) -> ExitCode {
    if json {
        eprintln!("{}", failure.to_json());
    } else {
        eprintln!("error: {failure}");
        if !failure.hint.is_empty() {
            eprintln!("  {}", failure.hint);
        }
    }
    ExitCode::from(if failure.is_usage() { EXIT_USAGE } else { EXIT_FAILED })
}

/// Help and version are answers; everything else clap says is a wrong command line, which exits 2.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    // What was parsed is lost with the error, so `--json` is looked for by hand.
    if std::env::args_os().any(|arg| arg == "--json") {
        let message = error.render().to_string();
        let first = message.lines().next().unwrap_or_default();
        eprintln!("{}", Failure::usage(first.trim_start_matches("error: ")).to_json());
    } else {
        let _ = error.print();
    }
    ExitCode::from(EXIT_USAGE)
}
