//! Wiping a home, whether it runs or not.

use crate::client::Client;
use crate::home::wipe::{destroy_key, on, remains, remove_rest};
use crate::home::{HomeError, Lock, holder, keyring};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How long a running home has to end when it is told, and again after it was killed.
const GRACE: Duration = Duration::from_secs(4);
/// Time between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// What came of a wipe. The key is destroyed in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wiped {
    /// Whether the keyring's item is gone; none if the home was not protected by the keyring. One that is left opens
    /// nothing.
    pub keyring: Option<bool>,
    /// The process that runs the home and did not end, even when it was killed; 0 if it cannot be seen from here.
    pub still_running: Option<u32>,
    /// Files in the directory that were not the home's. They stay, and so does the directory.
    pub left: Vec<String>,
}

/// Who holds a home.
enum Hold {
    Ours(Lock),
    Gone,
    Theirs,
}

/// Destroys the key of a home, ends the process that runs it, and removes its files. Needs no passphrase and no whole
/// home. Call it inside a tokio runtime.
///
/// # Errors
/// [`HomeError::NoHome`]; or the first trouble on the way, after everything else was done.
// spec: H-17, H-18
pub async fn wipe(home: &Path) -> Result<Wiped, HomeError> {
    if remains(home).is_empty() {
        return Err(HomeError::NoHome { home: home.to_owned() });
    }
    // Before anybody is asked anything. Some writes and two syncs: not worth another thread.
    let key = destroy_key(home, &mut on);
    let mut wiped = Wiped::default();
    let mut hold = look(home, Duration::ZERO).await;
    if let Hold::Theirs = hold {
        let told = async { Client::connect(home).await?.wipe().await };
        if tokio::time::timeout(GRACE, told).await.is_ok_and(|told| told.is_ok()) {
            hold = look(home, GRACE).await;
        }
    }
    if let Hold::Theirs = hold {
        let holders = holder::holders(home);
        holders.iter().for_each(holder::Holder::end);
        let patience = if holders.is_empty() { Duration::ZERO } else { GRACE };
        hold = look(home, patience).await;
    }
    let lock = match hold {
        Hold::Ours(lock) => Some(lock),
        Hold::Gone => None,
        Hold::Theirs => {
            wiped.still_running = Some(holder::holders(home).first().map_or(0, |holder| holder.pid));
            None
        }
    };
    let rest = remove_rest(home, lock, &mut on);
    if let Ok(Some(item)) = &key {
        wiped.keyring = Some(keyring::remove(*item).is_ok());
    }
    key?;
    wiped.left = rest?;
    Ok(wiped)
}

async fn look(home: &Path, patience: Duration) -> Hold {
    let until = Instant::now() + patience;
    loop {
        let held = match Lock::take(home) {
            Ok(lock) => return Hold::Ours(lock),
            Err(HomeError::AlreadyRunning { .. }) => Hold::Theirs,
            // The directory is gone, or so damaged that it cannot be locked: nobody runs it.
            Err(_) => return Hold::Gone,
        };
        if Instant::now() >= until {
            return held;
        }
        tokio::time::sleep(LOOK).await;
    }
}
