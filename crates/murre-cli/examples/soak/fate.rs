//! What happens to nodes.

use crate::crew::NodeProc;
use crate::dice::Dice;
use crate::process::{Pen, Proc};
use anyhow::{Context, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Nodes away at one time: a box lies at 8 and is stored at 6, so that one more than these could be missed for good
/// only if it was stored at its least.
const AWAY: usize = 3;
/// Nodes that lose even their key. Whoever is gone for good is counted for a day more by everybody's directory, so a
/// short run in a small network bears few.
const REBORN: usize = 2;
/// A start, or a clean stop, within this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(100);

struct Node {
    proc: Option<Proc>,
    listen: String,
    store: PathBuf,
    /// When it comes back, if it is away.
    back: Option<Instant>,
}

/// All nodes, and what is done to them.
pub struct Fate {
    pen: Pen,
    dice: Dice,
    nodes: Vec<Node>,
    tally: Tally,
}

/// What was done.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    killed: usize,
    stopped: usize,
    emptied: usize,
    reborn: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { killed, stopped, emptied, reborn } = self;
        write!(
            f,
            "{killed} killed -9, {stopped} stopped, {emptied} lost their disk, {reborn} their key as well"
        )
    }
}

impl Fate {
    /// Takes charge of running nodes.
    pub fn new(pen: &Pen, crew: Vec<NodeProc>, seed: u64) -> Self {
        let nodes = crew
            .into_iter()
            .map(|node| Node {
                listen: node.address().to_owned(),
                store: node.store,
                proc: Some(node.proc),
                back: None,
            })
            .collect();
        Self { pen: pen.clone(), dice: Dice::new(seed, 1), nodes, tally: Tally::default() }
    }

    /// Where people begin; a node keeps its address over all that happens to it.
    pub fn bootstrap(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.listen.clone()).collect()
    }

    /// What was done so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Rules until `end`, then brings every node back; they run as long as what is answered lives.
    ///
    /// # Errors
    /// A node does not start again, or does not stop cleanly.
    pub fn rule(mut self, end: Instant) -> Result<Self> {
        let mut strike = Instant::now();
        while Instant::now() < end {
            self.bring_back(|back| back <= Instant::now())?;
            let away = self.nodes.iter().filter(|node| node.proc.is_none()).count();
            if strike <= Instant::now() && away < AWAY {
                self.strike()?;
                strike = Instant::now() + self.dice.ms(1_000, 8_000);
            }
            std::thread::sleep(TICK);
        }
        self.bring_back(|_| true)?;
        Ok(self)
    }

    fn bring_back(&mut self, due: impl Fn(Instant) -> bool) -> Result<()> {
        let bootstrap = self.bootstrap();
        for node in &mut self.nodes {
            if node.back.is_some_and(&due) {
                node.back = None;
                start(&self.pen, node, &bootstrap)?;
            }
        }
        Ok(())
    }

    fn strike(&mut self) -> Result<()> {
        let at = self.dice.below(self.nodes.len() as u64) as usize;
        let (what, pause) = (self.dice.below(10), self.dice.ms(500, 15_000));
        let Some(node) = self.nodes.get_mut(at) else { return Ok(()) };
        let Some(mut proc) = node.proc.take() else { return Ok(()) };
        node.back = Some(Instant::now() + pause);
        match what {
            0..=4 => {
                proc.kill();
                self.tally.killed += 1;
            }
            5..=7 => {
                proc.terminate(Instant::now() + PATIENCE).context("a node does not stop")?;
                self.tally.stopped += 1;
            }
            8 if self.tally.reborn < REBORN => {
                proc.kill();
                std::fs::remove_dir_all(&node.store)?;
                self.tally.reborn += 1;
            }
            _ => {
                proc.kill();
                // An operator's key is small and has a copy; his boxes have theirs at other nodes.
                for name in ["boxes.db", "boxes.db-wal", "boxes.db-shm"] {
                    remove(&node.store.join(name))?;
                }
                self.tally.emptied += 1;
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Starts a node at its old address. One that lost its key says a new one.
fn start(pen: &Pen, node: &mut Node, bootstrap: &[String]) -> Result<()> {
    let (store, log) = (node.store.to_string_lossy().into_owned(), node.store.with_extension("log"));
    let listen = node.listen.split("/p2p/").next().unwrap_or(&node.listen);
    let mut args = vec!["--json", "node", "--devnet", "--while-stdin", "--store", &store, "--listen", listen];
    args.extend(bootstrap.iter().filter(|addr| **addr != node.listen).flat_map(|addr| ["--bootstrap", addr]));
    let proc = pen.spawn(&args, &log)?;
    let ready = proc.line(Instant::now() + PATIENCE).with_context(|| format!("{store} does not start"))?;
    let listen = ready["listen"][0].as_str().with_context(|| format!("a node says {ready}"))?.to_owned();
    node.listen = listen;
    node.proc = Some(proc);
    Ok(())
}
