//! `devnet`: a small network on this machine.

use super::{Session, asked_to_stop};
use crate::args::Devnet;
use crate::crew::{self, NodeProc};
use crate::failure::{Done, Failure};
use crate::process::Pen;
use crate::{json, text};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(60);
/// A node that is asked to stop writes what it has; it does not need longer.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How often the nodes are looked after.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn run(session: &Session, args: Devnet) -> Done {
    let binary =
        std::env::current_exe().map_err(|error| Failure::environment(error.to_string(), text::HINT_BUG))?;
    let pen = Pen::new(binary);
    let stop = asked_to_stop(args.while_stdin);
    tokio::pin!(stop);
    // Removed with everything in it when this function returns, unless the user named a directory.
    let (dir, _temporary) = place(args.dir)?;
    let (count, nursery, crew_pen) = (usize::from(args.nodes), dir.clone(), pen.clone());
    let busy = session.out.busy(text::DEVNET_BUSY);
    let starting = tokio::task::spawn_blocking(move || {
        crew::start(&crew_pen, &nursery, count, Instant::now() + START_LIMIT)
    });
    let started = tokio::select! {
        started = starting => started,
        () = &mut stop => {
            pen.close();
            return Ok(());
        }
    };
    let crew = started
        .map_err(|error| Failure::environment(error.to_string(), text::HINT_BUG))?
        .map_err(|error| Failure::environment(error.to_string(), text::logs_in(&dir)))?;
    drop(busy);
    show(session, &crew)?;
    let ended = keep(session, crew, &mut stop).await;
    pen.close();
    ended
}

/// Runs until it is told to stop, or until no node is left. A node that ends is told, not replaced: killing some is
/// what a development network is for.
async fn keep(
    session: &Session,
    mut crew: Vec<NodeProc>,
    mut stop: impl Future<Output = ()> + Unpin,
) -> Done {
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = &mut stop => {
                let ending = move || crew.iter_mut().for_each(|node| {
                    let _ = node.proc.terminate(Instant::now() + STOP_LIMIT);
                });
                let _ = tokio::task::spawn_blocking(ending).await;
                return Ok(());
            }
        }
        let (alive, ended): (Vec<_>, Vec<_>) = crew.into_iter().partition(|node| node.proc.alive());
        crew = alive;
        for node in &ended {
            let line = json::NodeEnded { event: "node_ended", peer: &node.peer, left: crew.len() };
            session.out.show(&line, |style| text::node_ended(style, node.proc.log(), crew.len()))?;
        }
        if crew.is_empty() {
            return Err(Failure::environment(text::DEVNET_GONE, text::HINT_DEVNET));
        }
    }
}

fn place(named: Option<PathBuf>) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
    match named {
        Some(dir) => {
            std::fs::create_dir_all(&dir).map_err(|error| Failure::file(&dir, &error))?;
            Ok((dir, None))
        }
        None => {
            let temporary = tempfile::Builder::new()
                .prefix("murre-devnet-")
                .tempdir()
                .map_err(|error| Failure::environment(error.to_string(), text::HINT_FILE))?;
            Ok((temporary.path().to_owned(), Some(temporary)))
        }
    }
}

fn show(session: &Session, crew: &[NodeProc]) -> Done {
    let bootstrap: Vec<&str> = crew.iter().map(NodeProc::address).collect();
    let nodes = crew
        .iter()
        .map(|node| json::DevnetNode {
            peer: &node.peer,
            pid: node.proc.pid(),
            store: node.store.display().to_string(),
        })
        .collect();
    let first = bootstrap.first().copied().unwrap_or_default().to_owned();
    let ready = json::DevnetReady { event: "ready", bootstrap, nodes };
    session.out.show(&ready, |style| text::devnet_ready(style, crew.len(), &first))
}
