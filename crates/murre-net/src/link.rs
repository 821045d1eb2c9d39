//! The life of one link: up, frames both ways, down; told to the machine in exactly that order.

use crate::board::Shared;
use crate::frame::{progress, read_frame, write_frame};
use crate::limits::CLOSE_TIMEOUT;
use crate::queue::{Next, Outgoing, Queued};
use futures::io::{BufReader, BufWriter};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use murre_core::{Input, LinkDownReason, LinkId, LinkUp};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Room for small frames between two writes to the stream.
const BUFFER: usize = 16 << 10;

/// How the writing half ended.
enum Wrote {
    /// We were asked to close, and everything queued is on its way.
    Flushed,
    /// The queue overflowed.
    TooSlow,
    /// The stream broke or stalled.
    Broken,
}

/// What one link's task works with.
pub(crate) struct Link {
    pub shared: Arc<Shared>,
    pub out: Arc<Outgoing>,
    pub input: mpsc::Sender<Input>,
}

impl Link {
    /// Runs until the link is over. Whatever waits here for room in `input` is not read from the socket meanwhile:
    /// a slow machine slows its peers and nothing piles up in between.
    pub(crate) async fn run<S: AsyncRead + AsyncWrite>(self, up: LinkUp, stream: S) {
        let id = up.id;
        let _listed = Listed { shared: &self.shared, id };
        // An error here or below means that the machine is gone, and the link with it.
        if self.input.send(Input::LinkUp(up)).await.is_err() {
            return;
        }
        let (from, to) = stream.split();
        let mut from = BufReader::new(from);
        let why = self.carry(id, &mut from, &mut BufWriter::with_capacity(BUFFER, to)).await;
        drop(from);
        // Unlisted first: after `LinkDown` no frame is queued for a link that is gone.
        self.shared.link_down(id);
        self.input.send(Input::LinkDown { link: id, why }).await.ok();
    }

    async fn carry<R, W>(&self, id: LinkId, from: &mut R, to: &mut W) -> LinkDownReason
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let wrote = tokio::select! {
            why = self.read_all(id, from) => return why,
            wrote = self.write_all(id, to) => wrote,
        };
        match wrote {
            Wrote::Flushed => {
                // Closing the connection now could overtake the last frames. The other end answers the end of
                // our stream with the end of its own once it has read everything.
                timeout(CLOSE_TIMEOUT, futures::io::copy(from, &mut futures::io::sink())).await.ok();
                LinkDownReason::Local
            }
            Wrote::TooSlow => {
                self.shared.counters.too_slow.fetch_add(1, Ordering::Relaxed);
                LinkDownReason::Closed
            }
            Wrote::Broken => LinkDownReason::Closed,
        }
    }

    async fn read_all<R: AsyncRead + Unpin>(&self, link: LinkId, from: &mut R) -> LinkDownReason {
        loop {
            let bytes = match read_frame(from).await {
                Ok(bytes) => bytes,
                Err(why) => return why,
            };
            self.shared.counters.bytes_in.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            if self.input.send(Input::Frame { link, bytes }).await.is_err() {
                return LinkDownReason::Local;
            }
        }
    }

    async fn write_all<W: AsyncWrite + Unpin>(&self, link: LinkId, to: &mut W) -> Wrote {
        loop {
            let step = match self.out.next() {
                Next::Frame(frame) => self.write(to, frame).await,
                Next::Drained { credit } => self.drained(link, to, credit).await,
                Next::TooSlow => return Wrote::TooSlow,
                Next::Close(rest) => {
                    return match timeout(CLOSE_TIMEOUT, self.finish(to, rest)).await {
                        Ok(Ok(())) => Wrote::Flushed,
                        _ => Wrote::Broken,
                    };
                }
            };
            if step.is_err() {
                return Wrote::Broken;
            }
        }
    }

    async fn write<W: AsyncWrite + Unpin>(&self, to: &mut W, frame: Queued) -> io::Result<()> {
        write_frame(to, &frame.bytes).await?;
        self.shared.counters.wrote(frame.class, frame.bytes.len());
        Ok(())
    }

    async fn drained<W: AsyncWrite + Unpin>(&self, link: LinkId, to: &mut W, credit: bool) -> io::Result<()> {
        progress(to.flush()).await?;
        if credit {
            let bytes = u32::try_from(crate::limits::MAX_LINK_QUEUE).unwrap_or(u32::MAX);
            self.input.send(Input::Credit { link, bytes }).await.map_err(io::Error::other)?;
        }
        self.out.changed().await;
        Ok(())
    }

    async fn finish<W: AsyncWrite + Unpin>(&self, to: &mut W, rest: VecDeque<Queued>) -> io::Result<()> {
        for frame in rest {
            self.write(to, frame).await?;
        }
        to.close().await
    }
}

/// Takes the link off the board however its task ends.
struct Listed<'a> {
    shared: &'a Shared,
    id: LinkId,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.shared.link_down(self.id);
    }
}
