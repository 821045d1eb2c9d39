//! Running a home: lock, store, device, network, local API; and stopping it in the reverse order.

use crate::api;
use crate::driver::{Driver, Opener, Parts, StartError, StopReason};
use crate::handle::{self, Facts, Handle, Passing};
use crate::home::wipe::{on, remove_rest};
use crate::home::{Home, HomeError, Lock, Passphrase, names};
use crate::machines::DeviceNotice;
use crate::socket;
use murre_core::{Addr, ErrorKind, HasKind, Input, Now, PeerRef, Transmit, View};
use murre_device::{Config, Device, OpenError, rows};
use murre_net::{AddrError, Net, NetConfig, NetError, NetHandle};
use murre_store::{SqliteReader, StoreError};
use rand_core::{OsRng, RngCore};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

/// The one profile there is until the mix exists.
const DIRECT: &str = "direct";
/// Passing events that a slow listener is behind before it loses the oldest.
const MAX_PASSING: usize = 64;
/// How long calls under way may take when the home is stopped.
const GRACE: Duration = Duration::from_secs(2);

/// What a home is run with.
#[derive(Debug, Default)]
pub struct UpConfig {
    /// The home directory.
    pub home: PathBuf,
    /// For a home that is protected by one.
    pub passphrase: Option<Passphrase>,
    /// Where to listen, as multiaddrs; empty: only dial.
    pub listen: Vec<String>,
    /// Nodes to begin with, as multiaddrs that end in `/p2p/...`.
    pub bootstrap: Vec<String>,
    /// How much to hide, and at what price. Only `direct` exists so far.
    pub profile: Option<String>,
}

/// Why a home does not run.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The home cannot be opened.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The store cannot be read beside the machine.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The device does not open.
    #[error(transparent)]
    Device(OpenError),
    /// The network does not start.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A bootstrap address cannot be used.
    #[error("the bootstrap address {text:?} cannot be used: {why}")]
    BadBootstrap {
        /// As given.
        text: String,
        /// What is wrong with it.
        why: AddrError,
    },
    /// The profile does not exist in this version.
    #[error("the profile {name:?} does not exist in this version")]
    UnknownProfile {
        /// As given.
        name: String,
    },
    /// The local API does not start.
    #[error("the local API cannot listen on {}: {source}", socket.display())]
    Api {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread.
    #[error("the system gave no thread")]
    Thread,
}

impl UpError {
    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Home(error) => error.hint(),
            Self::Store(_) | Self::Device(OpenError::Turn(_)) => {
                "check the disk; if it is healthy, restore with `murre restore`"
            }
            Self::Device(OpenError::NoAccount) => "make a new home with `murre init --name NAME`",
            Self::Net(NetError::AddrInUse { .. }) => "choose another port, or 0 to let the system choose",
            Self::Net(NetError::BadAddr { .. }) => {
                "write it like /ip4/0.0.0.0/tcp/4001 or /ip4/0.0.0.0/udp/4001/quic-v1"
            }
            Self::Net(_) => "check the address and the rights of this user",
            Self::BadBootstrap { .. } => {
                "write it like /ip4/127.0.0.1/tcp/4001/p2p/12D3Koo...; `murre node` prints it"
            }
            Self::UnknownProfile { .. } => "leave --profile out or use `direct`, which hides no addresses",
            Self::Api { .. } => "check the rights of the home directory",
            Self::Thread => "free some memory and try again",
        }
    }
}

impl HasKind for UpError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Home(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Net(error) => error.kind(),
            Self::Device(OpenError::Turn(error)) => error.kind(),
            Self::Device(OpenError::NoAccount) | Self::BadBootstrap { .. } | Self::UnknownProfile { .. } => {
                ErrorKind::Caller
            }
            Self::Api { .. } | Self::Thread => ErrorKind::Environment,
        }
    }
}

/// Where a running home can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpReady {
    /// Addresses it listens on, each with `/p2p/...` of this run.
    pub listen: Vec<String>,
    /// The socket of the local API.
    pub socket: PathBuf,
}

/// A running home. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct UpHandle {
    ready: UpReady,
    handle: Handle,
    driver: Driver<Device>,
    net: NetHandle,
    api: JoinHandle<()>,
    close: watch::Sender<bool>,
    wiped: watch::Receiver<bool>,
}

impl UpHandle {
    /// Where it can be found.
    #[must_use]
    pub const fn ready(&self) -> &UpReady {
        &self.ready
    }

    /// The home from inside this process.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits until the home has stopped by itself, and says why.
    pub async fn stopped(&self) -> StopReason {
        let mut wiped = self.wiped.clone();
        tokio::select! {
            reason = self.driver.stopped() => reason,
            Ok(_) = wiped.wait_for(|wiped| *wiped) => StopReason::Wiped,
        }
    }

    /// Stops it: the API takes no more calls, the device finishes what was handed in, links are flushed. After a wipe
    /// what is left of the home is removed.
    pub async fn shutdown(mut self) {
        let _ = self.close.send(true);
        if tokio::time::timeout(GRACE, &mut self.api).await.is_err() {
            self.api.abort();
        }
        self.driver.stop().await;
        self.net.close().await;
        let _ = std::fs::remove_file(&self.ready.socket);
        if *self.wiped.borrow()
            && let Ok(lock) = Lock::take(&self.handle.facts().home)
            // Else whoever ordered the wipe holds the home and does this.
            && let Err(error) = remove_rest(&self.handle.facts().home, Some(lock), &mut on)
        {
            tracing::error!(%error, "the key is destroyed, but not every file could be removed");
        }
    }
}

impl Drop for UpHandle {
    fn drop(&mut self) {
        let _ = self.close.send(true);
        self.api.abort();
    }
}

/// Runs a home until its handle is shut down. Call it inside a tokio runtime.
///
/// # Errors
/// [`UpError`]; nothing is left running.
pub async fn up(config: UpConfig) -> Result<UpHandle, UpError> {
    if let Some(name) = config.profile.filter(|name| name != DIRECT) {
        return Err(UpError::UnknownProfile { name });
    }
    let bootstrap = read_bootstrap(config.bootstrap)?;
    let (path, passphrase) = (config.home, config.passphrase);
    let opened = tokio::task::spawn_blocking(move || Home::open(&path, passphrase.as_ref()));
    let (home, store, counter) = opened.await.map_err(|_| UpError::Thread)??;
    let reader = store.reader()?;
    let facts = Facts {
        home: home.path().to_owned(),
        protection: home.protection(),
        profile: DIRECT,
        bootstrap: bootstrap.clone(),
    };
    let (net, inputs) = start_net(config.listen).await?;
    let last = rows::counter(&reader, "notices").map_err(|error| UpError::Device(OpenError::Turn(error)))?;
    let (tell_newest, newest) = watch::channel(last);
    let (tell_passing, _) = broadcast::channel(MAX_PASSING);
    let passing = tell_passing.clone();
    let carrier = net.clone();
    let parts = Parts::<Device, _, _> {
        store,
        opener: OpenDevice { bootstrap },
        inputs,
        transmit: Box::new(move |transmit: Transmit| carrier.send(transmit)),
        notice: Box::new(move |notice: DeviceNotice| match notice {
            DeviceNotice::Durable(cursor, _) => {
                tell_newest.send_replace(cursor);
            }
            // Most of the time nobody listens.
            DeviceNotice::Passing(progress) => {
                let after = *tell_newest.borrow();
                let _ = tell_passing.send(Passing { after, progress });
            }
        }),
        counter: Some(counter),
        hold: Box::new(home),
    };
    let driver = Driver::start(parts).await.map_err(|error| match error {
        StartError::Open(error) => UpError::Device(error),
        StartError::Thread => UpError::Thread,
    })?;
    serve(facts, driver, net, reader, (newest, passing))
}

fn read_bootstrap(texts: Vec<String>) -> Result<Vec<PeerRef>, UpError> {
    let read = |text: String| murre_net::parse_peer(&text).map_err(|why| UpError::BadBootstrap { text, why });
    texts.into_iter().map(read).collect()
}

/// A device's name on the network is thrown away with each run.
async fn start_net(listen: Vec<String>) -> Result<(NetHandle, mpsc::Receiver<Input>), NetError> {
    let mut key = [0; 32];
    OsRng.fill_bytes(&mut key);
    Net::start(NetConfig { key, listen: listen.into_iter().map(Addr).collect() }).await
}

/// The last step: the home runs, now it may be asked.
fn serve(
    facts: Facts,
    driver: Driver<Device>,
    net: NetHandle,
    reader: SqliteReader,
    (newest, passing): (watch::Receiver<u64>, broadcast::Sender<Passing>),
) -> Result<UpHandle, UpError> {
    let (close, closing) = watch::channel(false);
    let (wipe, wiped) = watch::channel(false);
    let socket = facts.home.join(names::SOCKET);
    let bound = socket::listen(&facts.home);
    let (listener, user) = bound.map_err(|source| UpError::Api { socket: socket.clone(), source })?;
    let ready = UpReady { listen: net.listeners().into_iter().map(|addr| addr.0).collect(), socket };
    let handle = Handle::new(handle::Parts {
        driver: driver.clone(),
        reader,
        newest,
        passing,
        closing: closing.clone(),
        wiped: wipe,
        net: net.clone(),
        facts,
    })
    .map_err(|_| UpError::Thread)?;
    let api = tokio::spawn(api::serve(handle.clone(), listener, user, closing));
    Ok(UpHandle { ready, handle, driver, net, api, close, wiped })
}

/// Opens the device, at start and after each failure.
struct OpenDevice {
    bootstrap: Vec<PeerRef>,
}

impl Opener<Device> for OpenDevice {
    type Error = OpenError;

    fn open(&mut self, seed: [u8; 32], now: Now, view: &dyn View) -> Result<Device, OpenError> {
        Device::open(now, seed, view, Config { bootstrap: self.bootstrap.clone() })
    }
}
