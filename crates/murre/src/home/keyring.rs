//! The keyring of the session: a secret of 32 bytes under a random name, kept by the Secret Service over D-Bus
//! (GNOME Keyring, KWallet, KeePassXC). Nothing else in this program knows that service.
//!
//! An item says `application: murre` and `key: <32 hexadecimal digits>`. Which account or home it belongs to is not
//! said: whoever lists the keyring learns only that there is one.

use murre_core::{ErrorKind, HasKind};
use rand_core::{OsRng, RngCore};
use secret_service::{EncryptionType, Error, SecretService};
use std::collections::HashMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest wait for the service: it may show a dialog that nobody sees.
const LIMIT: Duration = Duration::from_secs(10);
/// What a keyring's own program shows.
const LABEL: &str = "Murre: key of a home on this computer";

/// The random name of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ItemId(pub [u8; 16]);

impl ItemId {
    pub fn draw() -> Self {
        let mut id = [0; 16];
        OsRng.fill_bytes(&mut id);
        Self(id)
    }
}

/// Why the keyring does not help. The home is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No D-Bus session, or no program on it that keeps secrets.
    #[error("there is no keyring in this session (no D-Bus session bus, or no Secret Service on it)")]
    None,
    /// It is there, and locked.
    #[error("the keyring is locked")]
    Locked,
    /// It has no collection that new items go to.
    #[error("the keyring has no default collection")]
    NoCollection,
    /// The item that the key file names is not in it.
    #[error("the keyring does not hold the item that this home's key.keyring names")]
    Missing,
    /// The item is there, and is not the one that was put there.
    #[error("the keyring's item does not open this home's key.keyring")]
    OtherItem,
    /// It did not answer.
    #[error("the keyring did not answer within {} seconds", LIMIT.as_secs())]
    Late,
    /// It said no.
    #[error("the keyring refused: {why}")]
    Refused {
        /// Its words.
        why: String,
    },
}

impl KeyringError {
    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::None => {
                "nothing was changed; log in to a session with a keyring, or start one (gnome-keyring-daemon), then try again"
            }
            Self::Locked => "nothing was changed; unlock the keyring, then try again",
            Self::NoCollection => {
                "nothing was changed; make a default keyring in your system's password program"
            }
            Self::Missing | Self::OtherItem => {
                "home and database are kept; open the keyring of the same user and computer, or put the keyring back from your copy. \
                 Without the item nobody can open this home"
            }
            Self::Late | Self::Refused { .. } => {
                "nothing was changed; look whether the keyring waits for you in a dialog, then try again"
            }
        }
    }
}

impl HasKind for KeyringError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Environment
    }
}

impl From<Error> for KeyringError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable => Self::None,
            Error::Locked => Self::Locked,
            Error::NoResult => Self::NoCollection,
            // Words of the bus or of the service. They name objects of the bus, never a secret.
            Error::Zbus(zbus) if zbus.to_string().contains("IsLocked") => Self::Locked,
            other => Self::Refused { why: other.to_string().chars().take(200).collect() },
        }
    }
}

fn attributes(id: &str) -> HashMap<&str, &str> {
    HashMap::from([("application", "murre"), ("key", id)])
}

/// Puts a secret into the keyring, and reads it back before it is relied upon.
pub(super) fn store(id: ItemId, secret: &[u8; 32]) -> Result<(), KeyringError> {
    let name = hex::encode(id.0);
    ask(|| async {
        let service = SecretService::connect(EncryptionType::Dh).await.map_err(no_bus)?;
        let collection = service.get_default_collection().await?;
        if collection.is_locked().await? {
            return Err(KeyringError::Locked);
        }
        collection.create_item(LABEL, attributes(&name), secret, true, "application/octet-stream").await?;
        Ok(())
    })?;
    let kept = fetch(id)?;
    if kept.as_slice() == secret { Ok(()) } else { Err(KeyringError::OtherItem) }
}

/// Reads a secret.
pub(super) fn fetch(id: ItemId) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let name = hex::encode(id.0);
    ask(|| async {
        let service = SecretService::connect(EncryptionType::Dh).await.map_err(no_bus)?;
        let found = service.search_items(attributes(&name)).await?;
        let Some(item) = found.unlocked.first() else {
            // A service may hide the items of what is locked.
            let hidden = match service.get_default_collection().await {
                Ok(collection) => collection.is_locked().await?,
                Err(_) => false,
            };
            let locked = hidden || !found.locked.is_empty();
            return Err(if locked { KeyringError::Locked } else { KeyringError::Missing });
        };
        let secret = Zeroizing::new(item.get_secret().await?);
        let mut out = Zeroizing::new([0; 32]);
        if secret.len() != out.len() {
            return Err(KeyringError::OtherItem);
        }
        out.copy_from_slice(&secret);
        Ok(out)
    })
}

/// Takes a secret out of the keyring. One that is not there is gone already.
pub(crate) fn remove(id: ItemId) -> Result<(), KeyringError> {
    let name = hex::encode(id.0);
    ask(|| async {
        let service = SecretService::connect(EncryptionType::Dh).await.map_err(no_bus)?;
        let found = service.search_items(attributes(&name)).await?;
        if found.unlocked.is_empty() && !found.locked.is_empty() {
            return Err(KeyringError::Locked);
        }
        for item in &found.unlocked {
            item.delete().await?;
        }
        Ok(())
    })
}

/// As [`remove`], where nothing can be done about a failure: what is left opens nothing without its key file.
pub(crate) fn forget(id: ItemId) {
    if let Err(error) = remove(id) {
        tracing::warn!(%error, "an item of the keyring that opens nothing any more could not be removed");
    }
}

/// While connecting, every trouble means that there is no keyring to speak to.
fn no_bus(error: Error) -> KeyringError {
    match KeyringError::from(error) {
        KeyringError::Refused { .. } => KeyringError::None,
        other => other,
    }
}

/// Asks on a thread of its own: callers may or may not be inside a runtime, and here nobody needs to know.
fn ask<T, F>(work: impl FnOnce() -> F + Send) -> Result<T, KeyringError>
where
    T: Send,
    F: Future<Output = Result<T, KeyringError>>,
{
    let no_thread = || KeyringError::Refused { why: "the system gave no thread".to_owned() };
    let asked = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|_| no_thread())?;
        runtime
            .block_on(async { tokio::time::timeout(LIMIT, work()).await })
            .unwrap_or(Err(KeyringError::Late))
    };
    std::thread::scope(|scope| scope.spawn(asked).join()).unwrap_or_else(|_| Err(no_thread()))
}
