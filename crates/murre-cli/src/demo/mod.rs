//! `demo`: the main job, played by real processes of this binary, every step checked.
//!
//! ```text
//!  this process                 its children, each with a log file
//!   |- 8 x  murre node          killed -9: two of them, in the middle
//!   |- bob    murre up          away while Alice asks and writes
//!   |- alice  murre up          away while Bob replies; killed -9 right after a send
//!   '- every other verb, run as a script would run it, through --json
//! ```
//!
//! Nothing sleeps for a fixed time: each check waits for the next event, up to a deadline. All children end with
//! this process, whatever way it ends.

mod files;
mod person;
mod steps;
mod texts;

use crate::args::Demo;
use crate::failure::{Done, Failure};
use crate::out::Out;
use crate::process::Pen;
use crate::text;
use crate::text::demo as words;
use crate::verbs::asked_to_stop;
use indicatif::ProgressBar;
use person::CheckError;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use steps::Cast;

/// Prints what holds.
pub struct Teller {
    out: Out,
    started: Instant,
    step: &'static str,
    since: Instant,
    held: usize,
    busy: ProgressBar,
}

#[derive(Serialize)]
struct StepLine {
    event: &'static str,
    step: &'static str,
    ok: bool,
    seconds: f64,
}

#[derive(Serialize)]
struct DoneLine {
    event: &'static str,
    steps: usize,
    seconds: f64,
}

#[derive(Serialize)]
struct JoinLine<'a> {
    event: &'static str,
    dir: String,
    bootstrap: &'a [String],
}

impl Teller {
    fn new(out: Out) -> Self {
        let now = Instant::now();
        Self { out, started: now, step: "", since: now, held: 0, busy: ProgressBar::hidden() }
    }

    /// A step begins.
    pub fn begin(&mut self, step: &'static str) {
        self.step = step;
        self.since = Instant::now();
        self.busy = self.out.busy(step);
    }

    /// It held.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn held(&mut self) -> Done {
        self.held += 1;
        self.busy.finish_and_clear();
        let took = self.since.elapsed();
        let line = StepLine { event: "step", step: self.step, ok: true, seconds: seconds(took) };
        self.out.show(&line, |style| words::step(style, self.step, took))
    }

    fn failed(&self) -> Done {
        self.busy.finish_and_clear();
        let line =
            StepLine { event: "step", step: self.step, ok: false, seconds: seconds(self.since.elapsed()) };
        self.out.show(&line, |style| words::failed(style, self.step))
    }

    fn done(&self) -> Done {
        let took = self.started.elapsed();
        let line = DoneLine { event: "done", steps: self.held, seconds: seconds(took) };
        self.out.show(&line, |style| words::done(style, self.held, took))
    }
}

fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1_000.0).round() / 1_000.0
}

/// Plays it.
///
/// # Errors
/// The step that did not hold and why. The directory is kept then.
pub(crate) async fn run(out: Out, args: Demo) -> Done {
    let binary =
        std::env::current_exe().map_err(|error| Failure::environment(error.to_string(), text::HINT_BUG))?;
    let pen = Pen::new(binary);
    let stop = asked_to_stop(false);
    tokio::pin!(stop);
    // Short, because the path of a socket may not be long.
    let dir = tempfile::Builder::new()
        .prefix("murre-demo-")
        .tempdir()
        .map_err(|error| Failure::environment(error.to_string(), text::HINT_FILE))?;
    let place: Arc<Path> = dir.path().into();
    out.words(|_| words::head(&place))?;
    let (stage, actors) = (place.clone(), pen.clone());
    let play = tokio::task::spawn_blocking(move || play(out, &actors, &stage));
    let played = tokio::select! {
        played = play => played.map_err(|error| Failure::environment(error.to_string(), text::HINT_BUG))?,
        () = &mut stop => {
            pen.close();
            return Err(Failure::environment(text::INTERRUPTED, text::HINT_INTERRUPTED));
        }
    };
    let ended = match played {
        Ok(cast) if args.keep => keep(out, &cast, &place, &mut stop).await,
        Ok(_) => Ok(()),
        Err(failure) => {
            let _kept: PathBuf = dir.keep();
            Err(failure)
        }
    };
    pen.close();
    ended
}

fn play(out: Out, pen: &Pen, dir: &Path) -> Result<Cast, Failure> {
    let mut teller = Teller::new(out);
    match steps::play(pen, dir, &mut teller) {
        Ok(cast) => {
            teller.done()?;
            Ok(cast)
        }
        Err(steps::Broken::Check(error)) => {
            teller.failed()?;
            Err(Failure::environment(words::step_failed(teller.step, &why(error), dir), words::HINT))
        }
        Err(steps::Broken::Output(failure)) => Err(failure),
    }
}

fn why(error: CheckError) -> String {
    match error {
        CheckError::Proc(error) => error.to_string(),
        CheckError::Late { what, last } => words::not_in_time(&what, &last),
        CheckError::Wrong { expected, found } => words::expected(&expected, &found),
    }
}

async fn keep(out: Out, cast: &Cast, dir: &Path, stop: impl Future<Output = ()>) -> Done {
    let bootstrap = cast.bootstrap();
    let first = bootstrap.first().cloned().unwrap_or_default();
    let line = JoinLine { event: "ready", dir: dir.display().to_string(), bootstrap: &bootstrap };
    out.show(&line, |style| words::join(style, dir, &first))?;
    stop.await;
    Ok(())
}
