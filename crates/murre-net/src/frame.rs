//! Frames on a stream.
//!
//! ```text
//! +----------------------+------------------------+
//! | length, u32 BE       | that many bytes        |    1 <= length <= MAX_FRAME
//! +----------------------+------------------------+
//! ```
//! A length outside its range closes the link: after it, nothing on the stream can be trusted to be a boundary.
//! Memory grows with bytes that have arrived, never with a length that was merely announced.

use crate::limits::STALL_TIMEOUT;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use murre_core::LinkDownReason;
use murre_core::link::MAX_FRAME;
use std::io;
use tokio::time::timeout;

/// Most bytes handed to the stream between two looks at the clock.
const CHUNK: usize = 64 << 10;
/// Room made for a frame before any of it has arrived.
const FIRST_ROOM: usize = 4 << 10;

/// Reads one frame.
///
/// # Errors
/// Why the link is over: the stream ended or stalled, or the length broke the rule.
pub async fn read_frame<R: AsyncRead + Unpin>(from: &mut R) -> Result<Vec<u8>, LinkDownReason> {
    let mut head = [0u8; 4];
    from.read_exact(&mut head).await.map_err(|_| LinkDownReason::Closed)?;
    let len = u32::from_be_bytes(head) as usize;
    // spec: M-18
    if !(1..=MAX_FRAME).contains(&len) {
        return Err(LinkDownReason::Protocol);
    }
    let mut bytes = Vec::with_capacity(len.min(FIRST_ROOM));
    // A peer that announces a frame and never finishes it would hold its room for ever.
    let mut body = from.take(len as u64);
    match timeout(STALL_TIMEOUT, body.read_to_end(&mut bytes)).await {
        Ok(Ok(got)) if got == len => Ok(bytes),
        _ => Err(LinkDownReason::Closed),
    }
}

/// Writes one frame; it may stay in the stream's buffer until a flush.
///
/// # Errors
/// The stream broke, or made no progress for [`STALL_TIMEOUT`].
pub async fn write_frame<W: AsyncWrite + Unpin>(to: &mut W, bytes: &[u8]) -> io::Result<()> {
    let len = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    progress(to.write_all(&len.to_be_bytes())).await?;
    for chunk in bytes.chunks(CHUNK) {
        progress(to.write_all(chunk)).await?;
    }
    Ok(())
}

/// Runs one step of writing, which must end within [`STALL_TIMEOUT`].
pub(crate) async fn progress(step: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(STALL_TIMEOUT, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;

    fn read(wire: &[u8]) -> Vec<Result<Vec<u8>, LinkDownReason>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut from = Cursor::new(wire);
            let mut seen = Vec::new();
            loop {
                seen.push(read_frame(&mut from).await);
                if seen.last().is_some_and(Result::is_err) {
                    return seen;
                }
            }
        })
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let big = vec![7u8; MAX_FRAME];
        let mut wire = Cursor::new(Vec::new());
        runtime.block_on(async {
            for frame in [b"one".as_slice(), &big, b"3"] {
                write_frame(&mut wire, frame).await.unwrap();
            }
        });
        block_on(wire.flush()).unwrap();
        let expected = vec![Ok(b"one".to_vec()), Ok(big), Ok(b"3".to_vec()), Err(LinkDownReason::Closed)];
        assert!(read(wire.get_ref()) == expected);
    }

    #[test]
    fn a_length_outside_its_range_breaks_the_rule() {
        assert_eq!(read(&[0, 0, 0, 0, 9]), [Err(LinkDownReason::Protocol)]);
        let over = u32::try_from(MAX_FRAME).unwrap() + 1;
        assert_eq!(read(&over.to_be_bytes()), [Err(LinkDownReason::Protocol)]);
        assert_eq!(read(&[0xff; 8]), [Err(LinkDownReason::Protocol)]);
    }

    #[test]
    fn a_cut_frame_is_a_closed_link() {
        assert_eq!(read(&[0, 0]), [Err(LinkDownReason::Closed)]);
        assert_eq!(read(&[0, 0, 0, 3, 1, 2]), [Err(LinkDownReason::Closed)]);
        assert_eq!(read(&[]), [Err(LinkDownReason::Closed)]);
    }
}
