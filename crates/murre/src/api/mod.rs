//! The local API: gRPC over the Unix socket of a home. One file per service; each only translates between the
//! wire's messages and [`Handle`].

mod account;
mod chats;
mod contacts;
mod convert;
mod daemon;
mod events;
mod files;
mod status;

pub use status::{CODE, HINT, KIND};

use crate::handle::Handle;
use crate::v1;
use futures::StreamExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

/// Calls of one connection that are open at once, listeners included; further ones wait at the caller.
pub const MAX_STREAMS: u32 = 256;
/// Bytes of one call that may be on the way.
pub const STREAM_WINDOW: u32 = 256 << 10;
/// Bytes of one connection that may be on the way. HTTP/2 ends a connection on which half as much is wasted on the
/// frames of small messages that nobody has read yet: it has to hold many calls, or many events for a slow listener.
pub const CONNECTION_WINDOW: u32 = 8 << 20;
/// Largest request, bytes: a text, a link, and room.
pub const MAX_REQUEST: usize = 256 << 10;

/// Serves until `closing` turns true. `user` is the only one who may connect.
pub(crate) async fn serve(handle: Handle, listener: UnixListener, user: u32, closing: watch::Receiver<bool>) {
    let incoming = UnixListenerStream::new(listener).filter(move |connection| {
        let welcome = connection.as_ref().is_ok_and(|stream| is_welcome(stream, user));
        std::future::ready(welcome)
    });
    let mut stop = closing;
    let served = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .add_service(
            v1::account_server::AccountServer::new(account::Account(handle.clone()))
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            v1::contacts_server::ContactsServer::new(contacts::Contacts(handle.clone()))
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            v1::chats_server::ChatsServer::new(chats::Chats(handle.clone()))
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            v1::files_server::FilesServer::new(files::Files(handle.clone()))
                .max_decoding_message_size(files::MAX_PIECE_REQUEST),
        )
        .add_service(
            v1::events_server::EventsServer::new(events::Events(handle.clone()))
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            v1::daemon_server::DaemonServer::new(daemon::Daemon(handle))
                .max_decoding_message_size(MAX_REQUEST),
        )
        .serve_with_incoming_shutdown(incoming, async move {
            // An error means that the other end is gone, which is also a reason to stop.
            let _ = stop.wait_for(|closing| *closing).await;
        });
    if let Err(error) = served.await {
        tracing::error!(%error, "the local API ended");
    }
}

/// Whether the process at the other end runs as the user that this home belongs to. The directory's rights say
/// the same; this holds even where somebody loosened them.
// spec: A-2
fn is_welcome(stream: &UnixStream, user: u32) -> bool {
    match stream.peer_cred() {
        Ok(cred) if cred.uid() == user => true,
        Ok(cred) => {
            tracing::warn!(uid = cred.uid(), "another user tried the local API");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "a connection to the local API without credentials");
            false
        }
    }
}
