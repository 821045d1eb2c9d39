//! Rows of files: how fast a large one goes over, beside the bare link in the same run, and what a kill costs.

use super::Stage;
use super::person::LOOK;
use super::proc::PATIENCE;
use super::table::{Result, Table};
use murre::v1::FileState;
use murre_core::{Addr, Class, Dest, Input, Transmit};
use murre_net::{Net, NetConfig};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Files may take longer than anything else that is waited for.
const FILE_PATIENCE: Duration = Duration::from_secs(600);
/// Bytes on the way over the bare link: as many as a device asks for at once.
const AHEAD: usize = 8 * murre::FILE_CHUNK;

/// A source of bytes that repeat nowhere, without a file behind it.
struct Noise {
    left: u64,
    state: u64,
}

impl tokio::io::AsyncRead for Noise {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        out: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        while out.remaining() > 0 && self.left > 0 {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            let bytes = self.state.to_le_bytes();
            let part = out.remaining().min(8).min(usize::try_from(self.left).unwrap_or(8));
            out.put_slice(bytes.get(..part).unwrap_or_default());
            self.left -= part as u64;
        }
        std::task::Poll::Ready(Ok(()))
    }
}

impl Stage {
    /// Sends a file and measures its way from the asking to the last byte durable at Bob.
    pub(super) async fn file(&mut self, table: &mut Table, size: u64) -> Result<()> {
        let bare = bare_link(size).await?;
        let message = self.hand_over(size, size | 1).await?;
        let began = Instant::now();
        self.bob.client.fetch_file(&message, 0).await?;
        self.becomes(&message, size).await?;
        let took = began.elapsed();
        self.links(1).await?;
        let rate = |time: Duration| size as f64 / 1e6 / time.as_secs_f64();
        let method = format!(
            "{size} bytes, live link, sealed, each chunk checked and durable before more is asked for; from the fetch \
             to complete at Bob"
        );
        table.row("file_mb_per_s", rate(took), "MB/s", 1, &method)?;
        let method = format!(
            "the same over the bare link in the same run: two ends of it in one process, frames of one chunk, \
             {AHEAD} bytes ahead, not stored: {:.0} MB/s",
            rate(bare)
        );
        table.row("file_1gib_ratio", rate(took) / rate(bare), "", 1, &method)
    }

    /// Bob is killed in the middle of a file: how many chunks does he store that he had stored before?
    pub(super) async fn resume(&mut self, table: &mut Table, size: u64) -> Result<()> {
        let message = self.hand_over(size, size | 2).await?;
        self.bob.client.fetch_file(&message, 0).await?;
        self.becomes(&message, size / 4).await?;
        self.bob.kill().await?;
        self.bob.start(true).await?;
        let kept = self.bob.client.file(&message, 0).await?.here;
        self.becomes(&message, size).await?;
        let missing = (size - kept).div_ceil(murre::FILE_CHUNK as u64);
        let stored = self.bob.counter("files.chunks_stored").await?;
        let twice = self.bob.counter("files.chunks_twice").await?;
        let extra = stored.saturating_sub(missing) + twice;
        let method = format!(
            "{size} bytes, live link, Bob's process killed after {kept} bytes; chunks that he took twice, by his \
             counters after the restart"
        );
        table.row("file_resume_extra_chunks", extra as f64, "chunks", 1, &method)
    }

    async fn hand_over(&mut self, size: u64, seed: u64) -> Result<String> {
        let source = Noise { left: size, state: seed };
        let upload = self.alice.client.upload(&self.chat, "noise", "", source, |_| {}).await?;
        let request =
            murre::v1::SendRequest { chat: self.chat.clone(), uploads: vec![upload], ..Default::default() };
        let message = self.alice.client.send(request).await?.message;
        let looking = async {
            while self.bob.client.file(&message, 0).await.is_err() {
                sleep(LOOK).await;
            }
        };
        timeout(PATIENCE, looking).await.map_err(|_| "the offer of a file does not come")?;
        Ok(message)
    }

    /// Waits until so many bytes are at Bob.
    async fn becomes(&self, message: &str, bytes: u64) -> Result<()> {
        let looking = async {
            loop {
                let info = self.bob.client.file(message, 0).await?;
                if info.here >= bytes && (bytes < info.size || info.state() == FileState::Complete) {
                    return Ok::<(), Box<dyn std::error::Error>>(());
                }
                sleep(LOOK).await;
            }
        };
        timeout(FILE_PATIENCE, looking).await.map_err(|_| "a file does not come in time")?
    }
}

/// The time that the link layer alone takes for as many bytes.
async fn bare_link(size: u64) -> Result<Duration> {
    let listen = vec![Addr("/ip4/127.0.0.1/tcp/0".to_owned())];
    let (there, mut inputs) = Net::start(NetConfig { key: [2; 32], listen }).await?;
    let (here, mut own) = Net::start(NetConfig { key: [1; 32], listen: Vec::new() }).await?;
    let address = there.listeners().into_iter().next().ok_or("no listener")?;
    let peer = murre_net::parse_peer(&address.0)?;
    let knock = Transmit { to: Dest::Peer(peer), class: Class::Message, bytes: vec![1] };
    here.send(knock);
    let link = loop {
        match own.recv().await.ok_or("the link ended")? {
            Input::LinkUp(up) => break up.id,
            _ => continue,
        }
    };
    let frame = vec![0x5a; murre::FILE_CHUNK];
    let (mut sent, mut got) = (0u64, 0u64);
    let began = Instant::now();
    while got < size {
        while sent < size && sent - got < AHEAD as u64 {
            here.send(Transmit { to: Dest::Link(link), class: Class::Message, bytes: frame.clone() });
            sent += frame.len() as u64;
        }
        // What the sender's end reports is of no use here, and would hold it up if nobody took it.
        while own.try_recv().is_ok() {}
        match timeout(PATIENCE, inputs.recv()).await?.ok_or("the link ended")? {
            Input::Frame { bytes, .. } if bytes.len() == frame.len() => got += bytes.len() as u64,
            _ => {}
        }
    }
    Ok(began.elapsed())
}
