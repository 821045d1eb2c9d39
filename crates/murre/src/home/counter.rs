//! The send counter: why a home that was copied back never sends again.
//!
//! ```text
//!  store row  "sent" -> n+1   in the transaction      COMMIT      file `sent` <- n+1      Transmit
//!  ------------------------------------------------------------------------------------------------> time
//!                                                  ^ crash here: the store is ahead, which is fine
//!
//! file: | count, u64 BE | first 8 bytes of a labelled hash over it |      16 bytes, overwritten in place
//! ```
//!
//! An old copy of the store has a smaller count than the file, so it shows at the next start. A copy of the whole
//! directory, file included, does not show here; the other side's mailboxes and logs notice it.

use super::{HomeError, files};
use murre_core::store::Op;
use murre_core::{Batch, Label, Space, View};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

const CHECKSUM: Label = Label::new("murre v1 home send counter");
/// The shell's own rows, beside those of the machine.
pub const SHELL: Space = Space::any(400, "shell.meta");
const SENT: &[u8] = b"sent";

/// The counter of one open home.
#[derive(Debug)]
pub struct SendCounter {
    file: File,
    count: u64,
}

impl SendCounter {
    /// Writes the counter of a new home.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn create(path: &Path) -> Result<(), HomeError> {
        files::write_private(path, &encode(0))
    }

    /// Opens the counter and holds it against the store.
    ///
    /// # Errors
    /// [`HomeError::RolledBack`] if more was sent than the store knows; [`HomeError::CounterDamaged`].
    // spec: H-10
    pub fn open(path: &Path, view: &dyn View) -> Result<Self, HomeError> {
        let damaged = || HomeError::CounterDamaged { file: path.to_owned() };
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged()),
            Err(error) => return Err(HomeError::io(path)(error)),
        };
        let mut bytes = Vec::new();
        (&file).take(17).read_to_end(&mut bytes).map_err(HomeError::io(path))?;
        let sent = decode(&bytes).ok_or_else(damaged)?;
        let store = match view.get(SHELL, SENT)? {
            Some(row) => u64::from_be_bytes(row.try_into().map_err(|_| damaged())?),
            None => 0,
        };
        if store < sent {
            return Err(HomeError::RolledBack { store, sent });
        }
        Ok(Self { file, count: store })
    }

    /// What to store in a transaction that will send: the next count.
    #[must_use]
    pub fn next(&self) -> Batch {
        let value = (self.count + 1).to_be_bytes().to_vec();
        Batch { ops: vec![Op::Put { space: SHELL, key: SENT.to_vec(), value }] }
    }

    /// Raises the file to what was stored. After this, and not before, the transaction may send.
    ///
    /// # Errors
    /// What the disk says: then nothing may be sent.
    // spec: H-9
    pub fn raise(&mut self) -> io::Result<()> {
        // The store holds the next count already, whether or not the file takes it.
        self.count += 1;
        self.file.write_all_at(&encode(self.count), 0)?;
        self.file.sync_data()
    }
}

fn encode(count: u64) -> [u8; 16] {
    let mut out = [0; 16];
    let (number, sum) = out.split_at_mut(8);
    number.copy_from_slice(&count.to_be_bytes());
    CHECKSUM.fill(&[&count.to_be_bytes()], sum);
    out
}

/// What a counter file is encoded to after it was decoded.
pub(super) fn again(bytes: &[u8]) -> Option<Vec<u8>> {
    decode(bytes).map(|count| encode(count).to_vec())
}

fn decode(bytes: &[u8]) -> Option<u64> {
    let count = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    (encode(count) == bytes).then_some(count)
}
