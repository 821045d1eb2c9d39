//! The shell around Murre's machines, and the way in for programs.
//!
//! Everything that decides is in `murre-device` and `murre-custodian`. What is here opens files and sockets, reads
//! clocks, and obeys: [`driver`] runs a machine on one thread and keeps the rule that nothing leaves before it is
//! durable; [`home`] keeps the files; [`api`] serves the local API; [`Client`] speaks it.
//!
//! | entry | for |
//! |---|---|
//! | [`init`] | making a home |
//! | [`protect`] | changing what hides the key of a home |
//! | [`wipe`] | removing a home for good, the key first |
//! | [`up`] | running a home: device, network, local API |
//! | [`node::run`] | running a node that holds other people's sealed mail |
//! | [`Client`] | everybody who talks to a running home |
//!
//! ```no_run
//! # async fn bot() -> Result<(), murre::ClientError> {
//! use futures::StreamExt;
//! use murre::{Client, v1};
//!
//! let client = Client::connect("/home/me/.murre".as_ref()).await?;
//! let mut events = client.watch(None).await?;
//! while let Some(event) = events.next().await {
//!     if let Some(v1::event::What::MessageArrived(v1::MessageArrived { message: Some(m) })) = event?.what {
//!         let text = m.text.unwrap_or_default();
//!         client.send(v1::SendRequest { chat: m.chat, text, ..Default::default() }).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

pub mod api;
pub mod client;
pub mod driver;
#[doc(hidden)]
pub mod fuzz;
pub mod handle;
pub mod home;
mod init;
mod machines;
pub mod node;
mod record;
mod socket;
mod up;
pub mod v1;
mod wipe;

pub use client::{Client, ClientError, SaveError, Saved, WatchStream};
pub use driver::StopReason;
pub use handle::{CallError, Handle};
pub use home::{HomeError, Passphrase, Shield, protect};
pub use init::{InitConfig, InitDone, InitError, init};
pub use machines::NodeNotice;
/// The recovery phrase an account is made from, for [`InitConfig`].
pub use murre_crypto::Phrase;
pub use murre_log::chunk::CHUNK as FILE_CHUNK;
pub use node::{MetricsConfig, NetworkChoice, NodeConfig, NodeError, NodeHandle, NodeReady};
pub use up::{UpConfig, UpError, UpHandle, UpReady, up};
pub use wipe::{Wiped, wipe};
