//! An audit of what a node is shown: every frame that arrives, copied to a file before the machine sees it.
//!
//! ```text
//!   network --> [ recording thread ] --> driver
//!                      |_ FILE, 0600:  | length u32 BE | frame | length u32 BE | frame | ...
//! ```
//!
//! Frames are as the transport decrypted them, of all links in the order of arrival. What the transport itself says
//! (handshakes, stream negotiation) and what is not a whole frame is not among them. The thread decides nothing: it
//! hands every input on unchanged. It never forgets either, so the file grows without bound.

use murre_core::Input;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tokio::sync::{mpsc, watch};

/// Inputs that may wait between the recording thread and the driver. Small: the network's own queue is before it.
const BETWEEN: usize = 16;

/// A recording that runs.
#[derive(Debug)]
pub(crate) struct Recording(watch::Receiver<Option<String>>);

impl Recording {
    /// Waits until a frame could not be written, and says why. A recording that ends with its node never answers.
    pub async fn failed(&self) -> String {
        let mut failed = self.0.clone();
        match failed.wait_for(Option::is_some).await.ok().and_then(|why| why.clone()) {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }
}

/// Makes the file. One that exists is left alone: it may be somebody's evidence.
pub(crate) fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)
}

/// Puts the recording between the network and the driver: what arrives at `inputs` comes out of the answer.
///
/// # Errors
/// The system gave no thread.
// spec: H-12
pub(crate) fn tee(
    mut into: impl Write + Send + 'static,
    mut inputs: mpsc::Receiver<Input>,
) -> io::Result<(mpsc::Receiver<Input>, Recording)> {
    let (onward, driver) = mpsc::channel(BETWEEN);
    let (tell, failed) = watch::channel(None);
    std::thread::Builder::new().name("murre-record".to_owned()).spawn(move || {
        while let Some(input) = inputs.blocking_recv() {
            if let Input::Frame { bytes, .. } = &input
                && let Err(error) = write(&mut into, bytes)
            {
                // An audit with a hole proves nothing: rather no node than an unrecorded frame.
                let _ = tell.send(Some(format!("a frame could not be recorded: {error}")));
                return;
            }
            if onward.blocking_send(input).is_err() {
                return;
            }
        }
    })?;
    Ok((driver, Recording(failed)))
}

/// One frame, in one write: a node that is killed leaves whole frames, but for the last.
fn write(into: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut record = length.to_be_bytes().to_vec();
    record.extend_from_slice(frame);
    into.write_all(&record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use murre_core::LinkId;
    use std::sync::{Arc, Mutex};

    /// A disk with room for so many bytes.
    #[derive(Clone)]
    struct Disk(Arc<Mutex<Vec<u8>>>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut held = self.0.lock().unwrap();
            if held.len() + bytes.len() > self.1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            held.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn frame(bytes: &[u8]) -> Input {
        Input::Frame { link: LinkId(7), bytes: bytes.to_vec() }
    }

    #[tokio::test]
    async fn a_frame_is_on_file_before_it_is_handed_on_and_nothing_else_is() {
        let disk = Disk(Arc::default(), 1_000);
        let (network, inputs) = mpsc::channel(8);
        let (mut driver, _recording) = tee(disk.clone(), inputs).unwrap();
        let credit = Input::Credit { link: LinkId(7), bytes: 9 };
        for input in [frame(b"one"), credit.clone(), frame(b"")] {
            network.send(input.clone()).await.unwrap();
            assert_eq!(driver.recv().await, Some(input.clone()));
            if input == credit {
                assert_eq!(*disk.0.lock().unwrap(), b"\0\0\0\x03one");
            }
        }
        assert_eq!(*disk.0.lock().unwrap(), b"\0\0\0\x03one\0\0\0\0");
        drop(network);
        assert_eq!(driver.recv().await, None);
    }

    #[tokio::test]
    async fn a_frame_that_cannot_be_recorded_reaches_nobody() {
        let (network, inputs) = mpsc::channel(8);
        let (mut driver, recording) = tee(Disk(Arc::default(), 10), inputs).unwrap();
        network.send(frame(b"fits")).await.unwrap();
        network.send(frame(b"does not")).await.unwrap();
        assert_eq!(driver.recv().await, Some(frame(b"fits")));
        assert_eq!(driver.recv().await, None);
        assert!(recording.failed().await.starts_with("a frame could not be recorded"));
    }

    #[test]
    fn a_record_is_private_and_never_written_over() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("frames");
        create(&path).unwrap().write_all(b"evidence").unwrap();
        assert_eq!(create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"evidence");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
