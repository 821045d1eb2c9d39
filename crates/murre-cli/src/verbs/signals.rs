//! When to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Resolves at SIGINT or SIGTERM; with `stdin` also when standard input ends.
pub(crate) async fn asked_to_stop(stdin: bool) {
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    let ended = if stdin { stdin_ended() } else { oneshot::channel().1 };
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
        // An error means that nobody reads standard input here.
        Ok(()) = ended => {}
    }
}

/// A thread of its own, because a read of standard input cannot be cancelled.
fn stdin_ended() -> oneshot::Receiver<()> {
    let (tx, rx) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = tx.send(());
    });
    rx
}
