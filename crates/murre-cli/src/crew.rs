//! Nodes as processes of this binary, on loopback: what `devnet` and `demo` stand on.

use crate::process::{Pen, Proc, ProcError};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One node process.
pub struct NodeProc {
    /// The process.
    pub proc: Proc,
    /// Its peer id.
    pub peer: String,
    /// Where it listens.
    pub listen: Vec<String>,
    /// Its store.
    pub store: PathBuf,
}

impl NodeProc {
    /// The address others begin with.
    pub fn address(&self) -> &str {
        self.listen.first().map_or("", String::as_str)
    }
}

/// Starts `count` nodes under `dir`, each with a store `node-N` and a log `node-N.log`; all begin with the first.
/// Done when each of them listens and knows all the others: before that, two of them could disagree about who has
/// to hold a box.
///
/// # Errors
/// One of them does not come up until the deadline. Those that did are stopped.
pub fn start(pen: &Pen, dir: &Path, count: usize, deadline: Instant) -> Result<Vec<NodeProc>, ProcError> {
    start_with(pen, dir, count, deadline, |_| Vec::new())
}

/// As [`start`], the node numbered N with the further options `more(N)`.
///
/// # Errors
/// As [`start`].
pub fn start_with(
    pen: &Pen,
    dir: &Path,
    count: usize,
    deadline: Instant,
    more: impl Fn(usize) -> Vec<String>,
) -> Result<Vec<NodeProc>, ProcError> {
    let mut crew: Vec<NodeProc> = Vec::with_capacity(count);
    if count == 0 {
        return Ok(crew);
    }
    crew.push(ready(spawn(pen, dir, 0, None, &more(0))?, deadline)?);
    let first = crew[0].address().to_owned();
    // All at once: each has to solve its join puzzle first, and they can do that side by side.
    let others: Vec<_> =
        (1..count).map(|n| spawn(pen, dir, n, Some(&first), &more(n))).collect::<Result<_, _>>()?;
    for other in others {
        crew.push(ready(other, deadline)?);
    }
    for node in &crew {
        while node.proc.line(deadline)?["known"] != count {}
    }
    Ok(crew)
}

fn spawn(
    pen: &Pen,
    dir: &Path,
    n: usize,
    first: Option<&str>,
    more: &[String],
) -> Result<(Proc, PathBuf), ProcError> {
    let store = dir.join(format!("node-{n}"));
    let path = store.to_string_lossy().into_owned();
    let mut args = vec!["--json", "node", "--devnet", "--while-stdin", "--tell", "--store", &path];
    args.extend(["--listen", "/ip4/127.0.0.1/tcp/0"]);
    args.extend(first.into_iter().flat_map(|first| ["--bootstrap", first]));
    args.extend(more.iter().map(String::as_str));
    Ok((pen.spawn(&args, &dir.join(format!("node-{n}.log")))?, store))
}

fn ready((proc, store): (Proc, PathBuf), deadline: Instant) -> Result<NodeProc, ProcError> {
    let line = proc.line(deadline)?;
    let words = |value: &Value| value.as_str().map(str::to_owned);
    let listen = line["listen"].as_array().map(|all| all.iter().filter_map(words).collect::<Vec<_>>());
    match (line["event"].as_str(), words(&line["peer"]), listen) {
        (Some("ready"), Some(peer), Some(listen)) if !listen.is_empty() => {
            Ok(NodeProc { proc, peer, listen, store })
        }
        _ => Err(ProcError::Line(line.to_string())),
    }
}
