//! `node`: runs a node until it is told to stop.

use super::{Session, asked_to_stop, home};
use crate::args::Node;
use crate::failure::{Done, Failure};
use crate::{json, text};
use murre::node::{self, MetricsConfig, NetworkChoice, NodeConfig, NodeError, NodeHandle};
use std::path::Path;
use std::time::Duration;

/// How often the numbers are looked at when changes are to be told.
const LOOK: Duration = Duration::from_millis(100);

pub(super) async fn run(session: &Session, args: Node) -> Done {
    let tell_numbers = args.tell;
    let store = match &args.store {
        Some(store) => store.clone(),
        None => home::data_dir()
            .map(|dir| dir.join("node"))
            .ok_or_else(|| Failure::caller(text::NO_HOME_DIR, text::HINT_FILE))?,
    };
    let stop = asked_to_stop(args.while_stdin);
    tokio::pin!(stop);
    let handle = tokio::select! {
        handle = start(args, &store) => handle?,
        () = &mut stop => return Ok(()),
    };
    crate::log::also_in(&store);
    let ready = handle.ready();
    let (peer, listen, capacity) = (ready.peer.clone(), ready.listen.clone(), ready.capacity);
    let metrics = ready.metrics.map(|addr| format!("http://{addr}/metrics"));
    let at = metrics.clone();
    let line = json::NodeReady { event: "ready", peer: &peer, listen: &listen, capacity, metrics };
    let words = |style| text::node::ready(style, &listen, capacity, at.as_deref());
    if let Err(failure) = session.out.show(&line, words) {
        handle.shutdown().await;
        return Err(failure);
    }
    let stopped = tokio::select! {
        reason = handle.stopped() => Some(reason.to_string()),
        failure = tell(session, &handle), if tell_numbers => Some(failure.message),
        () = &mut stop => None,
    };
    tracing::info!("stopping");
    match stopped {
        Some(reason) => {
            handle.shutdown().await;
            Err(Failure::environment(reason, text::node::HINT_STOPPED))
        }
        None => leave(session, handle).await,
    }
}

/// Finishes what is under way, unless a second signal says that there is no time.
async fn leave(session: &Session, handle: NodeHandle) -> Done {
    let ended = async {
        let left = handle.drain().await;
        handle.shutdown().await;
        left
    };
    let left = tokio::select! {
        left = ended => left,
        () = asked_to_stop(false) => {
            return Err(Failure::environment(text::node::CUT_SHORT, text::node::HINT_STOPPED));
        }
    };
    let line = json::NodeStopped { event: "stopped", finished: left == Some(0), left };
    session.out.show(&line, |_| text::node::stopped(left))
}

/// Tells how many nodes are known and boxes are held, whenever that has changed. Ends only with the node.
async fn tell(session: &Session, handle: &NodeHandle) -> Failure {
    let mut look = tokio::time::interval(LOOK);
    let mut told = None;
    loop {
        look.tick().await;
        let (known, boxes) = match handle.status().await {
            Ok(status) => (status.nodes, status.boxes),
            Err(error) => return Failure::of(&error, text::node::HINT_STOPPED),
        };
        if told != Some((known, boxes)) {
            told = Some((known, boxes));
            let line = json::NodeNumbers { event: "numbers", known, boxes };
            if let Err(failure) = session.out.show(&line, |_| text::node::numbers(known, boxes)) {
                return failure;
            }
        }
    }
}

async fn start(args: Node, store: &Path) -> Result<NodeHandle, Failure> {
    let mut config = NodeConfig::devnet(store.to_owned());
    config.network = match (args.network.network, args.network.devnet) {
        (Some(file), _) => NetworkChoice::File(file),
        (None, true) => NetworkChoice::Devnet,
        (None, false) => NetworkChoice::Stored,
    };
    config.listen = args.listen;
    config.public = args.public;
    config.bootstrap = args.bootstrap;
    config.capacity = args.capacity;
    config.metrics = args.metrics.map(|addr| MetricsConfig::at(addr, args.metrics_public));
    config.record_frames = args.record_frames;
    node::run(config).await.map_err(|error| match error {
        NodeError::NoNetwork => Failure::usage_hint(error.to_string(), error.hint()),
        error => Failure::of(&error, error.hint()),
    })
}
