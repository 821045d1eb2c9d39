//! A person with a home that runs as a process, driven through the local API, and the nodes around.
#![allow(dead_code, reason = "each benchmark uses its part of it")]

use crate::proc::{PATIENCE, Proc};
use crate::table::Result;
use futures::StreamExt;
use murre::v1::{self, MessageState, event::What};
use murre::{Client, WatchStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";
pub const NODES: u64 = 8;
/// Time between two looks at what is no event.
pub const LOOK: Duration = Duration::from_millis(2);

/// Eight nodes of a devnet; with the addresses to begin with.
pub async fn devnet(murre: &Path, dir: &Path) -> Result<(Proc, Vec<String>)> {
    let (count, nodes) = (NODES.to_string(), dir.join("nodes").to_string_lossy().into_owned());
    let args = ["devnet", "--nodes", &count, "--dir", &nodes];
    let (devnet, ready) = Proc::start(murre, &args, &dir.join("devnet.log")).await?;
    Ok((devnet, serde_json::from_value(ready["bootstrap"].clone())?))
}

/// Runs a home; with the moment its process was started.
pub async fn run(
    murre: &Path,
    home: &Path,
    bootstrap: &[String],
    listen: bool,
) -> Result<(Instant, Proc, Client)> {
    let place = home.to_string_lossy();
    let mut args = vec!["--home", &place, "up", "--no-web"];
    args.extend(listen.then_some(["--listen", LISTEN]).into_iter().flatten());
    args.extend(bootstrap.iter().flat_map(|addr| ["--bootstrap", addr]));
    let began = Instant::now();
    let (proc, _) = Proc::start(murre, &args, &home.with_extension("log")).await?;
    Ok((began, proc, Client::connect(home).await?))
}

/// Somebody with a home, which runs or not.
pub struct Person {
    pub murre: PathBuf,
    pub home: PathBuf,
    pub bootstrap: Vec<String>,
    pub began: Instant,
    pub proc: Proc,
    pub client: Client,
}

impl Person {
    /// Makes the home and runs it.
    pub async fn new(murre: &Path, home: &Path, name: &str, bootstrap: &[String]) -> Result<Self> {
        let mut init = Command::new(murre);
        init.arg("--home").arg(home).args(["init", "--name", name]).stdin(Stdio::null());
        let made = init.output().await?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        let (began, proc, client) = run(murre, home, bootstrap, true).await?;
        let (murre, home, bootstrap) = (murre.to_owned(), home.to_owned(), bootstrap.to_vec());
        let person = Self { murre, home, bootstrap, began, proc, client };
        person.knows_the_nodes().await?;
        Ok(person)
    }

    pub async fn stop(&mut self) -> Result<()> {
        self.proc.stop().await
    }

    /// A number that `doctor` shows.
    pub async fn counter(&self, name: &str) -> Result<u64> {
        let counters = self.client.doctor().await?.counters;
        let found = counters.into_iter().find(|counter| counter.name == name);
        Ok(found.ok_or_else(|| format!("doctor does not count {name}"))?.value)
    }

    /// Waits until a counter has a value.
    pub async fn counts(&self, name: &str, value: u64) -> Result<()> {
        let looking = async {
            while self.counter(name).await? != value {
                sleep(LOOK).await;
            }
            Ok(())
        };
        let late = || format!("{name} of {} does not become {value}", self.home.display());
        timeout(PATIENCE, looking).await.map_err(|_| late())?
    }

    pub async fn knows_the_nodes(&self) -> Result<()> {
        let looking = async {
            while self.client.doctor().await?.nodes_eligible != NODES {
                sleep(LOOK).await;
            }
            Ok(())
        };
        timeout(PATIENCE, looking).await.map_err(|_| "the nodes do not become known")?
    }

    pub async fn send(&self, chat: &str, text: &str) -> Result<String> {
        let request = v1::SendRequest { chat: chat.to_owned(), text: text.to_owned(), ..Default::default() };
        Ok(self.client.send(request).await?.message)
    }

    /// Waits until these own messages are in a state, or beyond it. Answers when the last one that had to be waited
    /// for was seen there; none if all were there at once.
    pub async fn all_in<'a>(
        &self,
        messages: impl Iterator<Item = &'a String>,
        state: MessageState,
    ) -> Result<Option<Instant>> {
        let mut last = None;
        for message in messages {
            let looking = async {
                while self.client.status(message).await?.state < state as i32 {
                    sleep(LOOK).await;
                    last = Some(Instant::now());
                }
                Ok::<(), Box<dyn std::error::Error>>(())
            };
            timeout(PATIENCE, looking).await.map_err(|_| format!("not {} in time", state.word()))??;
        }
        Ok(last)
    }
}

/// Waits for something that happens; answers it with its cursor.
pub async fn until<T>(events: &mut WatchStream, want: impl Fn(What) -> Option<T>) -> Result<(T, u64)> {
    let waiting = async {
        while let Some(event) = events.next().await {
            let event = event?;
            if let Some(found) = event.what.and_then(&want) {
                return Ok((found, event.cursor));
            }
        }
        Err("the stream of events ended".into())
    };
    timeout(PATIENCE, waiting).await.map_err(|_| "an event does not come")?
}
