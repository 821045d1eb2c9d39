//! `up`: runs a home until it is told to stop.

use super::{Session, ask, asked_to_stop, interactive, passphrase};
use crate::args::Up;
use crate::failure::{Done, Failure};
use crate::{json, text};
use murre::home::HomeError;
use murre::{StopReason, UpConfig, UpError, UpHandle};

pub(super) async fn run(session: &Session, args: Up) -> Done {
    if args.web.is_some() {
        return Err(Failure::caller(text::WEB_REFUSED, text::HINT_WEB));
    }
    let bootstrap = !args.bootstrap.is_empty();
    let while_stdin = args.while_stdin;
    // From here on: a signal that comes before the home is open must not be lost.
    let stop = asked_to_stop(while_stdin);
    tokio::pin!(stop);
    let handle = tokio::select! {
        handle = start(session, args) => handle?,
        () = &mut stop => return Ok(()),
    };
    crate::log::also_in(&session.home()?);
    let listen = handle.ready().listen.clone();
    let ready = json::UpReady { event: "ready", listen: &listen, web: None };
    let shown = session.out.show(&ready, |style| text::up_ready(style, &listen, bootstrap));
    if let Err(failure) = shown {
        handle.shutdown().await;
        return Err(failure);
    }
    let stopped = tokio::select! {
        reason = handle.stopped() => Some(reason),
        () = &mut stop => None,
    };
    tracing::info!("stopping");
    handle.shutdown().await;
    match stopped {
        // What was wanted has happened: nobody is to start this home again.
        Some(StopReason::Wiped) => session.out.words(|_| text::UP_WIPED.to_owned()),
        Some(reason) => Err(Failure::environment(reason.to_string(), text::HINT_UP_STOPPED)),
        None => Ok(()),
    }
}

/// Opens the home; asks for the passphrase if it needs one and somebody is there to ask.
async fn start(session: &Session, args: Up) -> Result<UpHandle, Failure> {
    let config = UpConfig {
        home: session.home()?,
        passphrase: passphrase(args.protection.passphrase_file.as_deref())?,
        listen: args.listen,
        bootstrap: args.bootstrap,
        profile: args.profile,
    };
    let again = UpConfig {
        passphrase: None,
        home: config.home.clone(),
        listen: config.listen.clone(),
        bootstrap: config.bootstrap.clone(),
        profile: config.profile.clone(),
    };
    let busy = session.out.busy(text::UP_BUSY);
    let failure = |error: UpError| Failure::of(&error, error.hint());
    let opened = murre::up(config).await;
    drop(busy);
    match opened {
        Err(UpError::Home(HomeError::PassphraseNeeded)) if interactive() => {
            let passphrase = ask::passphrase();
            murre::up(UpConfig { passphrase, ..again }).await.map_err(failure)
        }
        other => other.map_err(failure),
    }
}
