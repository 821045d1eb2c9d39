//! Homes and nodes as the tests run them: whole, on loopback, in one process.

use futures::StreamExt;
use murre::v1::{self, event::What};
use murre::{Client, InitConfig, NodeConfig, NodeHandle, Shield, UpConfig, UpHandle, WatchStream, node};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

/// Long enough for two cores under load; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

pub const LOOPBACK: &str = "/ip4/127.0.0.1/tcp/0";

pub async fn devnet_node(dir: &Path) -> NodeHandle {
    node::run(NodeConfig::devnet(dir.join("node"))).await.unwrap_or_else(|e| panic!("{e}"))
}

/// One person's home, running.
pub struct Person {
    _dir: TempDir,
    pub home: PathBuf,
    pub bootstrap: Vec<String>,
    pub up: Option<UpHandle>,
    pub client: Client,
}

pub fn new_home(name: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let config =
        InitConfig { home: home.clone(), name: name.to_owned(), shield: Shield::KeyFile, phrase: None };
    let done = murre::init(config).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(done.phrase.split(' ').count(), 24);
    (dir, home)
}

pub async fn start(home: &Path, bootstrap: &[String]) -> (UpHandle, Client) {
    let config = UpConfig {
        home: home.to_owned(),
        listen: vec![LOOPBACK.to_owned()],
        bootstrap: bootstrap.to_vec(),
        ..UpConfig::default()
    };
    let up = murre::up(config).await.unwrap_or_else(|e| panic!("{e}"));
    let client = Client::connect(home).await.unwrap();
    (up, client)
}

impl Person {
    pub async fn new(name: &str, bootstrap: &[String]) -> Self {
        let (dir, home) = new_home(name);
        let (up, client) = start(&home, bootstrap).await;
        Self { _dir: dir, home, bootstrap: bootstrap.to_vec(), up: Some(up), client }
    }

    pub async fn stop(&mut self) {
        if let Some(up) = self.up.take() {
            up.shutdown().await;
        }
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        let (up, client) = start(&self.home, &self.bootstrap).await;
        (self.up, self.client) = (Some(up), client);
    }
}

/// The next event for which `want` gives something; earlier ones are handed to nobody.
pub async fn until<T>(events: &mut WatchStream, want: impl Fn(What) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = events.next().await.expect("the stream goes on").unwrap_or_else(|e| panic!("{e}"));
            if let Some(found) = event.what.and_then(&want) {
                return found;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("the event comes")
}

pub fn arrived(what: What) -> Option<v1::Message> {
    match what {
        What::MessageArrived(v1::MessageArrived { message }) => message,
        _ => None,
    }
}

pub fn contact_in(state: v1::ContactState) -> impl Fn(What) -> Option<v1::ContactChange> {
    move |what| match what {
        What::Contact(change) if change.state() == state => Some(change),
        _ => None,
    }
}

/// Alice and Bob have agreed to talk. Gives the chat as each of them names it.
pub async fn befriend(alice: &Person, bob: &Person) -> (String, String) {
    let mut at_bob = bob.client.watch(Some(0)).await.unwrap();
    let mut at_alice = alice.client.watch(Some(0)).await.unwrap();
    let invite = bob.client.invite(None).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(invite.published, "a door is stored within 10 s");
    let added = alice.client.contact_add(&invite.link, "hello").await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(added.state(), v1::ContactState::Requested);
    let asked = until(&mut at_bob, contact_in(v1::ContactState::Incoming)).await;
    let accepted = bob.client.accept(&asked.contact[..8]).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(accepted.state(), v1::ContactState::Accepted);
    until(&mut at_alice, contact_in(v1::ContactState::Accepted)).await;
    (added.chat, accepted.chat)
}
